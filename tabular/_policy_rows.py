"""The transitions of one policy, made once for many sweeps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tabular.mdp import CSR

if TYPE_CHECKING:
    from tabular._backups import Backups


class PolicyRows:
    """``gamma P_pi`` of a policy (S, A) or of actions (S,), under the threads of its ``Backups``.

    Of a large sparse model the rows of actions are packed, those of any other policy are mixed on the fly.
    """

    def __init__(self, b: Backups, pi: np.ndarray) -> None:
        self.gamma, self._threads = b.gamma, b.threads
        self._suffix = "" if b.threads == 1 else "_parallel"
        self._matrix: Any = None
        self._sparse: tuple[np.ndarray, ...] = ()
        self._pi = pi
        if not (b.compiled and isinstance(b.mdp.P, CSR)):
            self._matrix = b.transition(pi)
        else:
            self._sparse = packed(b, pi) if pi.ndim == 1 else tuple(b.mdp.P)

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
            if self._pi.ndim == 1:
                low, high = getattr(kernels, "advance" + self._suffix)(*self._sparse, self.gamma, x, V, out)
            else:
                mixed = getattr(kernels, "advance_mixed" + self._suffix)
                low, high = mixed(*self._sparse, self._pi, self.gamma, x, V, out)
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
