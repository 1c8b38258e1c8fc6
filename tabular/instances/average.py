"""Families for the average reward: chains that forget slowly, by a known number of steps."""

from __future__ import annotations

from typing import Any

import numpy as np

from tabular.batch import MDPBatch
from tabular.instances import parts
from tabular.instances.family import Family, Tape

RESOLUTION = 1024


def resets(S: int, A: int, *, gamma: Any = None) -> Family:
    r"""Every pair stays with probability ``1 - p`` and else starts anew from a law of its action: ``P_a = (1 - p) I + p 1
    psi_a``, with ``p = 2**-j``, j = 0 ... 9; state 0 pays 1, all others nothing.

    A policy that takes one action has the minorisation time ``1 / p``, attained in one step. Half of the members never
    return to state 0: what it paid is forgotten as slowly as that time allows.
    """
    given = parts.row_sizes(S, A) | {"gamma": parts.discounts(gamma)}
    return Family("resets", 1, given, _resets)


def _resets(tape: Tape, S: int, A: int, gamma: Any) -> MDPBatch:
    n = tape.n
    law = parts.spacings(tape, (A,), S, RESOLUTION)
    never = (tape.integers("never", (), 2) == 0)[:, None] & (S > 1)
    law[..., -1] += np.where(never, law[..., 0], 0)
    law[..., 0] = np.where(never, 0, law[..., 0])
    slow = np.int64(1) << tape.integers("j", (), 10)
    w = np.repeat(law[:, None], S, axis=1)
    w[:, np.arange(S), :, np.arange(S)] += RESOLUTION * (slow - 1)[None, :, None]
    R = np.zeros((n, S, A))
    R[:, 0] = 1.0
    total = np.broadcast_to((RESOLUTION * slow)[:, None, None], R.shape)
    return parts.assembled(tape, w, total, R, parts.draw_discounts(tape, gamma), tape.key)


def switching(*, gamma: Any = None) -> Family:
    """Two states, of which the first pays 1 and the second nothing; action 0 changes the state with probability ``p =
    2**-j``, j = 1 ... 10, action 1 with ``p (1 - d / 256)``, d = 0 ... 255.

    The hard instance of Wang, Blanchet and Glynn (2024), where d is zero: the gain is 1/2 and the minorisation time ``1 /
    (2 p)``, whatever one does.
    """
    return Family("switching", 1, {"gamma": parts.discounts(gamma)}, _switching)


def _switching(tape: Tape, gamma: Any) -> MDPBatch:
    n = tape.n
    total = 256 * (np.int64(1) << (tape.integers("j", (), 10) + 1))
    leaves = np.full((n, 2), 256, dtype=np.int64)
    leaves[:, 1] -= tape.integers("d", (), 256)
    w = np.zeros((n, 2, 2, 2), dtype=np.int64)
    w[:, 0, :, 1] = w[:, 1, :, 0] = leaves
    w[:, 0, :, 0] = w[:, 1, :, 1] = total[:, None] - leaves
    R = np.zeros((n, 2, 2))
    R[:, 0] = 1.0
    totals = np.broadcast_to(total[:, None, None], R.shape)
    return parts.assembled(tape, w, totals, R, parts.draw_discounts(tape, gamma), tape.key)


def impatience() -> Family:
    r"""Two states: in the first, arm 0 earns 1 and leads to the second, and arm 1 stays, for x; the second earns nothing and
    is left with probability ``q = 2**-k``, k = 4 ... 12, or half of it. ``gamma = 1 - 2**-j``, j = 1 ... 9.

    Arm 0 is optimal for the discount while ``x < (1 - gamma + gamma q) / (1 + gamma q)``, and x is just below: its average
    reward ``q / (1 + q)`` falls short by ``(1 - gamma) / ((1 + gamma q)(1 + q))``, though it forgets in ``1 / (1 - q)`` steps.
    """
    return Family("impatience", 1, {}, _impatience)


def _impatience(tape: Tape) -> MDPBatch:
    n = tape.n
    gamma = 1.0 - 0.5 ** (tape.integers("j", (), 9) + 1)
    k = tape.integers("k", (), 9) + 4
    q, total = 0.5**k, np.int64(2) << k
    w = np.zeros((n, 2, 2, 2), dtype=np.int64)
    w[:, 0, 0, 1] = w[:, 0, 1, 0] = total
    w[:, 1, :, 0] = (2, 1)
    w[:, 1, :, 1] = total[:, None] - w[:, 1, :, 0]
    R = np.zeros((n, 2, 2))
    R[:, 0, 0] = 1.0
    # A multiple of 2^-24, below the quotient by at least half as much: far more than what floats err by.
    R[:, 0, 1] = np.floor((1.0 - gamma + gamma * q) / (1.0 + gamma * q) * 2.0**24 - 0.5) * 2.0**-24
    totals = np.broadcast_to(total[:, None, None], R.shape)
    return parts.assembled(tape, w, totals, R, gamma, tape.key)
