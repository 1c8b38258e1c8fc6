"""Chains: a small reward at one end, a large one at the other, and a drift against it."""

from __future__ import annotations

from typing import Any

import numpy as np

from tabular.batch import MDPBatch
from tabular.instances import parts
from tabular.instances.family import Family, Tape


def chain(S: int, A: int = 2, *, gamma: Any = None, resolution: int = 64) -> Family:
    """States 0 ... S-1 in a row, after RiverSwim (Strehl and Littman 2008).

    Action 0 goes left for certain; action ``a`` tries to go right, and slips: with the gaps of a randomly cut
    interval as weights it goes right, stays, or goes left, the largest of them right for the last action. At
    the ends, what would leave stays. Reward 1 for the last action in the last state, a small one (a multiple
    of 2**-10 up to 1/16) for action 0 in state 0, else 0.
    """
    parts.sizes(A=(A, 2))
    given = parts.row_sizes(S, A, resolution) | {"gamma": parts.discounts(gamma), "resolution": resolution}
    return Family("chain", 1, given, _chain)


def _chain(tape: Tape, S: int, A: int, gamma: Any, resolution: int) -> MDPBatch:
    moves = parts.spacings(tape, (S, A), 3, resolution)  # left, stay, right
    moves[:, :, A - 1].sort(axis=-1)
    moves[:, :, 0] = (resolution, 0, 0)
    w = np.zeros((tape.n, S, A, S), dtype=np.int64)
    s = np.arange(S)
    for j, to in enumerate((np.maximum(s - 1, 0), s, np.minimum(s + 1, S - 1))):
        w[:, s, :, to] += np.moveaxis(moves[..., j], 1, 0)
    R = np.zeros((tape.n, S, A))
    R[:, S - 1, A - 1] = 1.0
    R[:, 0, 0] = (tape.integers("small", (), 64) + 1) / 1024
    return parts.assembled(tape, w, resolution, R, parts.draw_discounts(tape, gamma), tape.key)
