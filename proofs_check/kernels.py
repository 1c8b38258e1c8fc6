r"""Screening with the compiled kernels under test: ``expect``, ``backup`` and the batched ``evaluate`` run beside it.

``ProbedOps`` computes enclosures as ``EnclosureOps`` does and, at the midpoints of what an operator is given, compares the
kernel's value with the operator's enclosure there. Both round within the same a-priori bound ``r`` of the exact value (dot
products in any order: Higham 2002, section 3.1; conjugates: ``tabular._rounding``), so they differ by at most the sum of
their bounds. Elimination is stable backwards: with factors :math:`\hat L \hat U` its solution satisfies
:math:`(A + \Delta A) \hat x = b`, :math:`|\Delta A| \le \gamma_{3n} |\hat L||\hat U|` (Higham, Theorem 9.4), and for a matrix
that is diagonally dominant by rows :math:`\| |L||U| \|_\infty \le (2n - 1) \|A\|_\infty` (Higham, section 9.5, from Lemma 8.8),
which bounds its residual.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from proofs_check.settle import EngineFault
from tabular._rounding import (
    gamma_n,
    kl_error,
    shannon_error,
    shannon_kl_error,
    tsallis_error,
    tsallis_kl_error,
)
from tabular.reference import EnclosureOps, KernelOps, operators
from tabular.reference.ops import Model, Transitions
from tabular.reference.value import Value
from tabular.regularizers import BUILT_IN, KL, Hard, Shannon, ShannonKL, Tsallis, TsallisKL


class KernelFault(EngineFault):
    """A compiled kernel is beyond its bound."""


class ProbedOps(EnclosureOps):
    """``EnclosureOps`` whose ``expect``, ``backup`` and ``evaluate`` raise KernelFault where a kernel rounds beyond its bound."""

    def __init__(self, batch: int | None = None) -> None:
        super().__init__(batch)
        self._kernels = KernelOps(batch)

    def _point(self, x: Value) -> Value:
        """The midpoint, exactly."""
        return Value(self, np.stack([x.data[0], np.zeros_like(x.data[0])]), x.ndim)

    def _given(self, x: Value) -> Value:
        return Value(self._kernels, x.data[0], x.ndim)

    def expect(self, P: Transitions, V: Value) -> Value:
        kernel = self._kernels.expect(P, self._given(V))
        self._compare("expect", kernel, super().expect(P, self._point(V)), 0.0)
        return super().expect(P, V)

    def backup(self, m: Model, V: Value, regularizer: Any = None) -> Value:
        if regularizer is None or isinstance(regularizer, BUILT_IN):
            plain = None if regularizer is None else type(regularizer)(*(self._plain(x) for x in regularizer))
            kernel = self._kernels.backup(self._kernels.model(m.source), self._given(V), plain)
            at = super().backup(m, self._point(V), regularizer)
            self._compare("backup", kernel, at, self._conjugate_error(m, V, plain, at))
        return super().backup(m, V, regularizer)

    def evaluate(self, m: Model, pi: Value, regularizer: Any = None) -> Value:
        if self.nbatch and (regularizer is None or isinstance(regularizer, Hard)):
            kernel = self._kernels.evaluate(self._kernels.model(m.source), self._given(pi))
            self._check_residual(m, self._point(pi), kernel.data)
        return super().evaluate(m, pi, regularizer)

    def _plain(self, x: Any) -> Any:
        return Value(self._kernels, x.data[0], x.ndim) if isinstance(x, Value) else x

    def _conjugate_error(self, m: Model, V: Value, plain: Any, at: Value) -> Any:
        """Bound (batch, S) on the rounding of the kernel's conjugate itself."""
        size = np.abs(at.data[0])
        Q = super().expect(m.P, self._point(V))
        Q = m.R + m.gamma * Q
        spread = 2 * np.max(np.where(m.mask, np.abs(Q.data[0]) + Q.data[1], 0.0), axis=-1)
        weights = [
            self._kernels.constant(x).data[..., None] for x in (plain or ())[:2] if np.ndim(getattr(x, "data", x)) < 2
        ]
        match plain:
            case Shannon():
                return shannon_error(m.A, weights[0], size)
            case KL():
                return kl_error(m.A, weights[0], spread, size)
            case ShannonKL():
                return shannon_kl_error(m.A, weights[0], weights[1], spread, size)
            case Tsallis():
                index = np.where(weights[1] == 1, 2.0, weights[1])
                return np.where(
                    weights[1] == 1,
                    shannon_error(m.A, weights[0], size),
                    tsallis_error(m.A, index, weights[0], size),
                )
            case TsallisKL():
                index = np.where(weights[1] == 1, 2.0, weights[1])
                mu = self._kernels.distribution(plain.reference).data
                depth = -np.log(np.where(mu > 0, mu, 1.0).min(axis=-1))
                return np.where(
                    weights[1] == 1,
                    kl_error(m.A, weights[0], spread, size),
                    tsallis_kl_error(m.A, index, weights[0], spread, depth, size),
                )
        return 0.0

    def _compare(self, name: str, kernel: Value, at: Value, conjugate: Any) -> None:
        mid, rad = at.data
        with np.errstate(invalid="ignore"):
            outside = np.isfinite(rad) & ~(np.abs(kernel.data - mid) <= 2 * rad + conjugate)
        if outside.any():
            i = tuple(int(j) for j in np.argwhere(outside)[0])
            raise KernelFault(
                f"the compiled {name} gives {kernel.data[i]!r} at {i}, against {mid[i]!r} +- {rad[i]!r} by enclosure"
            )

    def _check_residual(self, m: Model, pi: Value, x: np.ndarray) -> None:
        """``|b - A x|`` of the kernel's solution against its backward error; ``A``, ``b`` are enclosed, their rounding included."""
        A = operators.resolvent(self, m, pi)
        b = operators.policy_reward(self, m, pi)
        point = Value(self, np.stack([x, np.zeros_like(x)]), 1)
        solved = np.isfinite(self.solve(A, b).data[1])
        if (lost := solved & ~np.isfinite(x)).any():
            i = tuple(int(j) for j in np.argwhere(lost)[0])
            raise KernelFault(f"the compiled evaluate gives {x[i]!r} at {i}, where the value is finite")
        low, _ = self.bounds(self.abs(b - self.dot(A, point[None, :])))
        n = m.S
        most = gamma_n(3 * n) * (2 * n - 1) + gamma_n(m.A + 3)  # elimination, and the assembly of P_pi
        given = gamma_n(m.A + 1) * np.abs(m.R.data[0]).max(axis=(-1, -2))  # the assembly of R_pi
        room = (2.0 * most * np.abs(x).max(axis=-1) + given)[..., None] * (1 + 2.0**-10)
        wrong = np.isfinite(low) & ~(low <= room)
        if wrong.any():
            i = tuple(int(j) for j in np.argwhere(wrong)[0])
            raise KernelFault(f"the compiled evaluate leaves a residual of {low[i]!r} at {i}, beyond {room[i[:-1]]!r}")
