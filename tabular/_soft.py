"""Compiled backups under Shannon's entropy, and Tsallis' of index 2, that leave behind what a policy's rows are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tabular._policy_rows import PolicyRows, least_weight
from tabular.mdp import CSR
from tabular.regularizers import Shannon, Tsallis

if TYPE_CHECKING:
    from tabular._backups import Backups


def closed_form(reg: Any) -> tuple[float, float] | None:
    """Temperature and index of the entropies that ``tabular._kernels.soft`` knows; None of other regularisers."""
    if isinstance(reg, Shannon):
        tau, index = reg.tau, 1.0
    elif isinstance(reg, Tsallis) and np.ndim(reg.q) == 0 and reg.q == 2.0:
        tau, index = reg.tau, 2.0
    else:
        return None
    return (float(tau), index) if np.ndim(tau) == 0 and 1e-290 < tau < 1e290 else None


def soft_backups(b: Backups) -> Soft | None:
    """Of a model whose sweeps are compiled; None under another regulariser."""
    form = closed_form(b.reg) if b.compiled else None
    return None if form is None else Soft(b, form)


def improved_rows(b: Backups, found: np.ndarray, last: PolicyRows | None) -> PolicyRows | None:
    """The rows of the last backup's policy, of which ``found`` are the maximisers or the action values, in the place of ``last``;
    but ``last`` where they were to be formed on the way and were not.
    """
    if b.soft is None:
        return b.policy_rows(found if b.hard else b.maximiser(found), last)
    if not b.mixes_dense:
        return b.policy_rows(b.soft.weights, last)
    return last if b.soft.mixed is None else b.policy_rows(b.soft.mixed)


class Soft:
    """Backups of one model.

    Attributes
    ----------
    weights : (S, A), the policy of the last backup up to a factor for each row.
    mixed : (S, S) float32, its rows of dense transitions, where they were asked for, else None.
    """

    def __init__(self, b: Backups, form: tuple[float, float]) -> None:
        self.b, self._form = b, form
        self.weights = np.empty((0, 0))
        self.mixed: np.ndarray | None = None
        self._room: np.ndarray | None = None

    def __call__(self, V: np.ndarray, Q: np.ndarray, TV: np.ndarray, mix: bool, rough: bool) -> tuple[float, float]:
        """``Q`` (S, A) and ``TV`` (S,) are filled; least and largest component of ``TV - V``. See ``Backups.backup``."""
        b, P, R = self.b, self.b.mdp.P, self.b.mdp.rewards
        self.mixed = None
        if not self.weights.size:
            self.weights = np.empty((b.S, b.A))
        if not V.any():  # R is Q, and P is not read
            np.copyto(Q, R if b.full else np.where(b.mask, R, -np.inf))
            self.conjugate(Q, self.weights, TV)
            return float(TV.min()), float(TV.max())
        W = self.weights
        given = (R, b.mask, b.gamma, *self._form, V, Q, W, W.reshape(-1), np.empty(b.S), TV)
        if isinstance(P, CSR):
            low, high = b.run("soft", "backup_sparse", *P, *given)
            return float(low), float(high)
        if mix:
            if self._room is None:
                self._room = np.empty((b.S, b.S), dtype=np.float32)
            self.mixed = self._room
        mixed = np.empty((0, 0), dtype=np.float32) if self.mixed is None else self.mixed
        low, high = b.run("soft", "backup_dense", P, *given, least_weight(b.A), rough, mixed)
        return float(low), float(high)

    def conjugate(self, Q: np.ndarray, W: np.ndarray, TV: np.ndarray) -> None:
        """``W`` (S, A) and ``TV`` (S,) are those of ``Q``."""
        self.b.run("soft", "conjugate", Q, *self._form, W, W.reshape(-1), np.empty(self.b.S), TV)
