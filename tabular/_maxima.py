"""Backups without regulariser that skip actions which cannot win, for loops that need no action values."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tabular._rounding import U, backup_error
from tabular.mdp import CSR

if TYPE_CHECKING:
    from tabular._backups import Backups

LONG_ROW = 16
"""Successors of a pair from which on reading a row costs more than to find out whether it may win."""


def has_long_rows(b: Backups) -> bool:
    """Whether it is worth while to look at every row."""
    return not isinstance(b.mdp.P, CSR) or b.longest >= LONG_ROW


class Maxima:
    r"""``TV`` and maximisers, the same bits as from all action values, of values that change from call to call.

    An action value read at ``W`` rises by at most :math:`\gamma m \max(V - W)` until ``V``, where ``m`` is its row's mass: below
    the value of another action now, it need not be read again (MacQueen 1967; Puterman 1994, section 6.7, for a step at a time).
    To look at every action costs as much as reading short rows: of these all are left out where the best action was ahead of the
    others by more than :math:`\gamma (m \max(V - W) - m' \min(V - W))`, which is what others may have gained on it.
    Rounding: computed values are off by at most ``backup_error`` at either time, and the bounds by a few roundings for each call.

    Attributes
    ----------
    actions : (S,) int32, the lowest maximisers at the last call.
    """

    def __init__(self, b: Backups) -> None:
        self.b, self.long = b, has_long_rows(b)
        self.actions = b.mask.argmax(axis=1).astype(np.int32)
        self._seen = np.zeros(b.S)
        self._bound: np.ndarray | None = None
        self._clock = self._size = 0.0
        self._calls, self._off = 0, b.mdp.row_error

    def of_zero(self, TV: np.ndarray) -> None:
        """Values of zero: the action values are the rewards."""
        b = self.b
        R = b.mdp.rewards if b.full else np.where(b.mask, b.mdp.rewards, -np.inf)
        b.run("stages", "greedy", R, b.mask, TV, self.actions)
        if self.long:
            self._bound, self._clock, self._calls = np.array(R), 0.0, 0
            self._seen[:] = 0.0

    def __call__(self, V: np.ndarray, TV: np.ndarray) -> tuple[float, float]:
        """``TV`` (S,) is filled; least and largest component of ``TV - V``."""
        b, P = self.b, self.b.mdp.P
        rows = tuple(P) if isinstance(P, CSR) else (P,)
        self._tick(V)
        size = b.reward_scale + self._size
        margin = (2 if self.long else 4) * backup_error(b.longest, b.reward_scale, self._size)
        margin += (8 + self._calls) * U * (size + abs(self._clock))
        given = (V, self._bound, self._clock, margin, TV, self.actions)
        if self.long:
            kind = "maxima_sparse" if isinstance(P, CSR) else "maxima_dense"
            low, high = b.run("maxima", kind, *rows, b.mdp.rewards, b.gamma, *given)
        else:
            low, high = b.run("maxima", "maxima_short", *rows, b.mdp.rewards, b.mask, b.gamma, *given)
        return float(low), float(high)

    def _tick(self, V: np.ndarray) -> None:
        """The clock, and what else is known, at values V."""
        b = self.b
        if self._bound is None:
            self._bound = np.where(b.mask, np.inf, -np.inf) if self.long else np.full(b.S, -np.inf)
            self._seen[:] = V
        fall, rise = b.run("maxima", "spread", V, self._seen)
        if self.long:
            self._clock += b.gamma * max(rise * b.mass_min, rise * b.mass_max) + abs(rise) * (self._off + 8 * U)
        else:
            most, least = (
                max(rise * m for m in (b.mass_min, b.mass_max)),
                min(fall * m for m in (b.mass_min, b.mass_max)),
            )
            self._clock += b.gamma * (most - least) + (abs(rise) + abs(fall)) * (self._off + 8 * U)
        self._calls += 1
        self._size = max(self._size, 1.01 * float(V.max()), -1.01 * float(V.min()))


def stages(b: Backups, V: np.ndarray, actions: np.ndarray) -> None:
    """Backward induction through H stages of one model, from ``V[H]`` into the rest of ``V`` (H+1, S) and its lowest maximisers
    (H, S), int32.
    """
    P, R, H = b.mdp.P, b.mdp.rewards, len(actions)
    rows = tuple(P) if isinstance(P, CSR) else (P,)
    if not has_long_rows(b):
        b.run("stages", "stages_short", *rows, R, b.mask, b.gamma, V, actions)
        return
    later = min(H, 1 / (1 - b.gamma)) if b.gamma < 1.0 else H  # the weight of all rewards to come
    most = 1.01 * (float(np.abs(V[-1]).max()) + later * b.reward_scale) * (1.0 + b.mdp.row_error) ** H
    margin = 2 * backup_error(b.longest, b.reward_scale, most) + (8 + H) * U * (b.reward_scale + most)
    rates = b.mass_min, b.mass_max, b.mdp.row_error + 8 * U, margin, (8 + H) * U
    bound, best = np.where(b.mask, np.inf, -np.inf), b.mask.argmax(axis=1).astype(np.int32)
    kind = "stages_sparse" if isinstance(P, CSR) else "stages_dense"
    b.run("stages", kind, *rows, R, b.gamma, rates, V, bound, best, actions)
