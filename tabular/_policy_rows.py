"""The transitions of one policy, made once for many sweeps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tabular.mdp import CSR

if TYPE_CHECKING:
    from tabular._backups import Backups


PADDED = 1.25
"""Entries of padded rows, in entries of the model, up to which a policy's rows are padded to one length."""


class PolicyRows:
    """``gamma P_pi`` of a policy (S, A) or of actions (S,), under the threads of its ``Backups``.

    Of a large model no matrix is formed where rows can be read where they are, or, sparse ones of actions, packed. Padded ones
    are taken over from ``last``, which is spoilt: only rows whose action changed are copied.
    """

    def __init__(self, b: Backups, pi: np.ndarray, last: PolicyRows | None = None) -> None:
        self.gamma, self._threads = b.gamma, b.threads
        self._suffix = "" if b.threads == 1 else "_parallel"
        self._matrix: Any = None
        self._rows: tuple[np.ndarray, ...] = ()
        self._kernel, self._actions = "", pi
        if b.compiled and isinstance(b.mdp.P, CSR):
            if pi.ndim == 2:
                self._rows, self._kernel = (*b.mdp.P, pi), "advance_mixed"
            elif b.longest * b.S * b.A <= PADDED * len(b.mdp.P.data):
                self._pad(b, pi, last)
            else:
                self._rows, self._kernel = packed(b, pi), "advance"
        elif b.compiled and pi.ndim == 1:
            self._rows, self._kernel = (b.mdp.P, pi), "advance_dense"
        else:
            self._matrix = b.transition(pi)

    def _pad(self, b: Backups, actions: np.ndarray, last: PolicyRows | None) -> None:
        from tabular._jit import threads
        from tabular._kernels import policy_rows as kernels

        shape, kind = (b.S, b.longest), b.mdp.P.indices.dtype
        fresh = last is None or last._kernel != "advance_padded"
        self._rows = (np.zeros(shape, dtype=kind), np.zeros(shape)) if fresh else last._rows  # type: ignore[union-attr]
        self._actions = np.full(b.S, -1, dtype=actions.dtype) if fresh else last._actions  # type: ignore[union-attr]
        self._kernel = "advance_padded"
        with threads(b.threads):
            getattr(kernels, "exchange" + self._suffix)(*b.mdp.P, actions, self._actions, b.A, *self._rows)

    def advance(self, x: np.ndarray, V: np.ndarray) -> tuple[np.ndarray, float, float]:
        """``gamma P_pi x``, which is added to ``V`` in place, with its least and largest component."""
        if self._matrix is not None:
            x = self.gamma * (self._matrix @ x)
            V += x
            return x, float(x.min()), float(x.max())
        from tabular._jit import threads
        from tabular._kernels import policy_rows as kernels

        out = np.empty_like(x)
        with threads(self._threads):
            low, high = getattr(kernels, self._kernel + self._suffix)(*self._rows, self.gamma, x, V, out)
        return out, low, high


def packed(b: Backups, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """``indptr, indices, data`` of the rows that the actions (S,) choose."""
    from tabular._jit import threads
    from tabular._kernels import policy_rows as kernels

    indptr, indices, data = b.mdp.P
    starts = np.empty(b.S + 1, dtype=np.int64)
    kernels.row_starts(indptr, actions, b.A, starts)
    new_indices, new_data = np.empty(starts[-1], dtype=indices.dtype), np.empty(starts[-1])
    with threads(b.threads):
        pick = kernels.pick if b.threads == 1 else kernels.pick_parallel
        pick(indptr, indices, data, actions, b.A, starts, new_indices, new_data)
    return starts, new_indices, new_data
