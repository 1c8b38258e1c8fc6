"""The transitions of one policy, made once for many sweeps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tabular.mdp import CSR

if TYPE_CHECKING:
    from tabular._backups import Backups


class PolicyRows:
    """``gamma P_pi`` of a policy (S, A) or of actions (S,), under the threads of its ``Backups``.

    Of a large model no matrix is formed where rows can be read where they are, or, sparse ones of actions, packed.
    """

    def __init__(self, b: Backups, pi: np.ndarray) -> None:
        self.gamma, self._threads = b.gamma, b.threads
        self._suffix = "" if b.threads == 1 else "_parallel"
        self._matrix: Any = None
        self._rows: tuple[np.ndarray, ...] = ()
        self._kernel = ""
        if b.compiled and isinstance(b.mdp.P, CSR):
            self._rows = packed(b, pi) if pi.ndim == 1 else (*b.mdp.P, pi)
            self._kernel = "advance" if pi.ndim == 1 else "advance_mixed"
        elif b.compiled and pi.ndim == 1:
            self._rows, self._kernel = (b.mdp.P, pi), "advance_dense"
        else:
            self._matrix = b.transition(pi)

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
