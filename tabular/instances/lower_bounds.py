"""Families on which sampling is as hard as it gets: what a draw decides is worth the whole horizon."""

from __future__ import annotations

from typing import Any

import numpy as np

from tabular.batch import MDPBatch
from tabular.instances import parts
from tabular.instances.family import Family, Tape


def fortune(A: int = 1, *, gamma: Any = None) -> Family:
    """State 0 pays nothing and leads to a state that pays 1 for ever or to one that pays -1 for ever, by a fair coin; all
    A actions do the same.

    The value of the next state has the largest standard deviation that rewards in [-1, 1] allow, ``1 / (1 - gamma)``.
    """
    parts.sizes(A=(A, 1))
    return Family("fortune", 1, {"A": A, "gamma": parts.discounts(gamma)}, _fortune)


def _fortune(tape: Tape, A: int, gamma: Any) -> MDPBatch:
    w = np.zeros((tape.n, 3, A, 3), dtype=np.int64)
    w[:, 0] = (0, 1, 1)
    w[:, 1] = (0, 2, 0)
    w[:, 2] = (0, 0, 2)
    R = np.zeros((tape.n, 3, A))
    R[:, 1], R[:, 2] = 1.0, -1.0
    return parts.assembled(tape, w, 2, R, parts.draw_discounts(tape, gamma), tape.key)
