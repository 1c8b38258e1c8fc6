"""Float64 through the compiled kernels: the same formulas, with the backups and evaluations that solvers run.

What a claim computes here is compared with its enclosure, so that the kernels themselves are under test.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tabular.mdp import CSR
from tabular.reference import operators
from tabular.reference.numpy_ops import NumpyOps
from tabular.reference.ops import Model, Transitions
from tabular.reference.value import Value
from tabular.regularizers import BUILT_IN, Hard


class KernelOps(NumpyOps):
    """``NumpyOps`` whose ``expect``, ``backup`` and ``evaluate`` are the compiled kernels.

    A regulariser the kernels do not know goes through its own formulas on top of the compiled ``expect``.
    """

    def _full(self, x: Value, *event: int) -> np.ndarray:
        return np.ascontiguousarray(np.broadcast_to(x.data, (*self.lead, *event)))

    def expect(self, P: Transitions, V: Value) -> Value:
        pairs = (*self.lead, P.S, P.A)
        zero, every, out = np.zeros(pairs), np.ones(pairs, dtype=bool), np.empty(pairs)
        v = self._full(V, P.S)
        if self.nbatch:
            from tabular._kernels import batched

            batched.q_backup(P.rows, zero, every, np.ones(self.lead), v, out)
        else:
            _single(P.rows).q_backup(*_rows(P.rows), zero, every, 1.0, v, out)
        return Value(self, out, 2)

    def backup(self, m: Model, V: Value, regularizer: Any = None) -> Value:
        plain = self._plain(m, Hard() if regularizer is None else regularizer)
        if plain is None:
            return operators.backup(self, m, V, regularizer)
        v, R, gamma = self._full(V, m.S), self._full(m.R, m.S, m.A), self._full(m.gamma)
        out, Q = np.empty_like(v), np.empty_like(R)
        from tabular._kernels import entropic

        if self.nbatch:
            change = np.empty(gamma.size), np.empty(gamma.size)
            entropic.soft_backup_batched(m.P.rows, R, m.mask, gamma, plain, m.S, v, Q, out, *change)
        else:
            kind = "sparse" if isinstance(m.P.rows, CSR) else "dense"
            getattr(entropic, f"soft_backup_{kind}")(*_rows(m.P.rows), R, m.mask, gamma.item(), plain, v, Q, out)
        return Value(self, out, 1)

    def evaluate(self, m: Model, pi: Value, regularizer: Any = None) -> Value:
        if not self.nbatch or not (regularizer is None or isinstance(regularizer, Hard)):
            return operators.evaluate(self, m, pi, regularizer)
        from tabular._kernels import batched

        R, p, gamma = self._full(m.R, m.S, m.A), self._full(pi, m.S, m.A), self._full(m.gamma)
        out, work = np.empty((*self.lead, m.S)), np.empty((*self.lead, m.S, m.S))
        batched.evaluate(m.P.rows, R, gamma, p, work, out)
        return Value(self, out, 1)

    def _plain(self, m: Model, regularizer: Any) -> Any:
        """The regulariser with one parameter for each row of states, as the kernels number them; None if unknown."""
        if not isinstance(regularizer, BUILT_IN):
            return None
        rows = (self.batch or 1) * m.S
        fields: dict[str, Any] = {}
        for name, x in regularizer._asdict().items():
            if name == "reference":
                fields[name] = self._full(self.distribution(x) if not isinstance(x, Value) else x, m.S, m.A).reshape(
                    rows, m.A
                )
            else:
                weight = self._full(self.constant(x))
                fields[name] = np.ascontiguousarray(np.repeat(weight.reshape(-1), m.S))
        return type(regularizer)(**fields)


def _single(rows: Any) -> Any:
    from tabular._kernels import dense, sparse

    return sparse if isinstance(rows, CSR) else dense


def _rows(rows: Any) -> tuple[Any, ...]:
    return tuple(rows) if isinstance(rows, CSR) else (rows,)
