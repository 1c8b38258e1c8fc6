"""The transitions of one policy, made once for many sweeps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tabular.mdp import CSR

if TYPE_CHECKING:
    from tabular._backups import Backups


CUT = 1e-3
"""Probability of an action below which sweeps leave it out: they correct what the next backup measures, and it errs by less."""
MOST = 0.7
"""Part of the model's entries up to which those of a policy's rows are copied."""
PADDED = 1.25
"""Entries of padded rows, in entries of the model, up to which a policy's rows are padded to one length."""

SINGLE = ("advance_padded", "advance_mixed", "advance_full")
"""Kernels in single precision."""
FLOOR = 1e-6
"""Part of its largest component below which a step in single precision is rounding."""
EVERY, SLOW = 8, 0.97
"""How often sweeps look whether the steps' sizes fall more slowly than by this factor, and may be extrapolated."""


class PolicyRows:
    """``gamma P_pi`` of a policy (S, A) or of actions (S,), under the threads of its ``Backups``.

    Of a large model dense rows of actions are read where they are, and sparse ones packed; padded ones are taken over from
    ``last``, which is spoilt: only rows whose action changed are copied. Those of a policy (S, A) are mixed, in the arrays of
    ``last``, without actions below ``least_weight``; dense ones may be given, (S, S) in single precision. Padded and mixed rows
    are in single precision: a sweep corrects what the next backup measures, and half the bytes are gathered.
    """

    def __init__(self, b: Backups, pi: np.ndarray, last: PolicyRows | None = None) -> None:
        self.gamma, self._threads = b.gamma, b.threads
        self._suffix = "" if b.threads == 1 else "_parallel"
        self._matrix: Any = None
        self._rows: tuple[Any, ...] = ()
        self._own: Any = None
        self._kernel, self._actions = "", pi
        if b.compiled and pi.dtype == np.float32:  # mixed already
            self._rows, self._kernel = (pi,), "advance_full"
        elif b.compiled and pi.ndim == 2:
            self._mix(b, pi, last)
        elif b.compiled and isinstance(b.mdp.P, CSR):
            if b.longest * b.S * b.A <= PADDED * len(b.mdp.P.data):
                self._pad(b, pi, last)
            else:
                self._rows, self._kernel = packed(b, pi), "advance"
        elif b.compiled:
            self._rows, self._kernel = (b.mdp.P, pi), "advance_dense"
        else:
            self._matrix = b.transition(pi)

    def _run(self, home: Any, name: str, *arrays: Any) -> Any:
        from tabular._jit import threads

        with threads(self._threads):
            return getattr(home, name + self._suffix)(*arrays)

    def _mix(self, b: Backups, W: np.ndarray, last: PolicyRows | None) -> None:
        P, cut = b.mdp.P, least_weight(b.A)
        if not isinstance(P, CSR):
            mixed = np.empty((b.S, b.S), dtype=np.float32) if last is None else last._rows[0]
            b.run("soft", "blend_all", P, W, cut, mixed)
            self._rows, self._kernel = (mixed,), "advance_full"
            return
        self._own = (
            (np.empty(b.S, dtype=np.int64), None, np.empty(len(P.data), dtype=np.float32))
            if last is None
            else last._own
        )
        stops, indices, data = self._own
        if np.count_nonzero(W >= cut) <= MOST * W.size:
            if indices is None:
                indices = np.empty_like(P.indices)
                self._own = stops, indices, data
            b.run("policy_rows", "mix_some", *P, W, cut, stops, indices, data)
            indices = indices.view()
            indices.flags.writeable = P.indices.flags.writeable  # one type, compiled once
        else:
            stops[:], indices = P.indptr[b.A :: b.A], P.indices
            b.run("policy_rows", "mix_all", P.indptr, P.data, W, cut, data)
        self._rows, self._kernel = (b.A, P.indptr, stops, indices, data), "advance_mixed"

    def _pad(self, b: Backups, actions: np.ndarray, last: PolicyRows | None) -> None:
        from tabular._kernels import policy_rows as kernels

        shape, kind = (b.S, b.longest), b.mdp.P.indices.dtype
        fresh = last is None or last._kernel != "advance_padded"
        self._rows = (np.zeros(shape, dtype=kind), np.zeros(shape, dtype=np.float32)) if fresh else last._rows  # type: ignore[union-attr]
        self._actions = np.full(b.S, -1, dtype=actions.dtype) if fresh else last._actions  # type: ignore[union-attr]
        self._kernel = "advance_padded"
        self._run(kernels, "exchange", *b.mdp.P, actions, self._actions, b.A, *self._rows)

    def sweep(self, step: np.ndarray, V: np.ndarray, enough: float, most: int, by_span: bool) -> float:
        """Up to ``most`` times ``step`` becomes ``gamma P_pi step`` and is added to ``V`` in place, until its largest component,
        or its span, is at most ``enough``, or of the size of rounding; what that is at the end.
        """
        scale, left = 1.0, np.inf
        if self._kernel in SINGLE:
            scale = max(float(step.max()), -float(step.min())) or 1.0
            step = (step / scale).astype(np.float32)
            enough = max(enough, FLOOR * scale)
        before: list[tuple[np.ndarray, float]] = []
        wait, due = EVERY, EVERY
        for k in range(1, most + 1):
            before = [*before[-1:], (step, left)]
            step, low, high = self._advance(step, scale, V)
            left = scale * _size(low, high, by_span)
            if left <= enough:
                break
            if k == due:
                found = None
                if left >= SLOW * before[0][1]:
                    found = self._extrapolated(before[0][0], step, left / before[0][1], 0.5 * left / scale, by_span)
                if found is None:
                    wait *= 2
                else:
                    last, (step, size, factor), wait = step, found, EVERY
                    V += scale * factor * (before[1][0] + last)
                    left = scale * size
                due = k + wait
        return left

    def _extrapolated(
        self, x: np.ndarray, z: np.ndarray, rate: float, most: float, by_span: bool
    ) -> tuple[np.ndarray, float, float] | None:
        r"""A step in place of ``z`` and all that would follow it, were each step a multiple of the last but one.

        With ``x, y`` before ``z``, and a rate ``r``, adding :math:`r (y + z) / (1 - r)` to what is corrected leaves
        :math:`(z - r x) / (1 - r)` for a step. The rate is the measured one, or next to it the squared discount: at that rate all
        decays that is constant on each recurrent class, or on both halves of one of period two.

        Returns the step, its size, and the factor of ``y + z``; None where that size is above ``most``.
        """
        r = self.gamma**2 if abs(rate - self.gamma**2) < 0.1 * (1 - self.gamma**2) else rate
        if not 0.0 < r < 1.0:
            return None
        new = (z - z.dtype.type(r) * x) / z.dtype.type(1 - r)
        size = _size(float(new.min()), float(new.max()), by_span)
        return (new, size, r / (1 - r)) if size < most else None

    def _advance(self, x: np.ndarray, scale: float, V: np.ndarray) -> tuple[np.ndarray, float, float]:
        if self._matrix is not None:
            x = self.gamma * (self._matrix @ x)
            V += x
            return x, float(x.min()), float(x.max())
        from tabular._kernels import policy_rows as kernels

        out = np.empty_like(x)
        scaled = (x, scale) if self._kernel in SINGLE else (x,)
        low, high = self._run(kernels, self._kernel, *self._rows, x.dtype.type(self.gamma), *scaled, V, out)
        return out, float(low), float(high)


def _size(low: float, high: float, by_span: bool) -> float:
    return high - low if by_span else max(high, -low)


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


def least_weight(A: int) -> float:
    """Below this, of weights with a sum or a largest one of about one, sweeps leave an action out; never all of them."""
    return min(CUT, 0.5 / A)
