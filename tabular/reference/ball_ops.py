"""Balls of any precision (Arb): a midpoint and a radius, every operation rounded outwards."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from functools import reduce
from typing import Any, NamedTuple

import numpy as np

from tabular.reference import ball_tsallis as tsallis
from tabular.reference import q_calculus as floats
from tabular.reference.flint_ops import FlintOps, objects, rows_of
from tabular.reference.value import Value


class _Row(NamedTuple):
    """What enters a free energy: allowed places, their ``x`` and weights (or None), ``w``, and the mass of weights elsewhere."""

    at: list[int]
    x: list[Any]
    w: Any
    mu: list[Any] | None
    outside: Any


class BallOps(FlintOps):
    """``arb`` balls at ``precision`` bits.

    FLINT keeps its working precision in a global; formulas run inside ``with ops:``, which sets it and puts it back. Outside,
    results are as sound, only wider.
    """

    def __init__(self, precision: int = 128) -> None:
        import flint

        super().__init__(None)
        self.precision = precision
        self._arb, self._matrix, self._fmpq, self._context = flint.arb, flint.arb_mat, flint.fmpq, flint.ctx
        self._nan = flint.arb("nan")
        self._saved: list[int] = []

    def __repr__(self) -> str:
        return f"BallOps({self.precision})"

    def __enter__(self) -> BallOps:
        self._saved.append(self._context.prec)
        self._context.prec = self.precision
        return self

    def __exit__(self, *_: Any) -> None:
        self._context.prec = self._saved.pop()

    def _ratio(self, n: int, d: int) -> Any:
        return self._arb(self._fmpq(n, d))

    def _larger(self, x: Any, y: Any) -> Any:
        return x.max(y)

    def _exp(self, x: np.ndarray) -> np.ndarray:
        return self._map(lambda v: v.exp(), x)

    def _log(self, x: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
        zero = self._arb(0)
        allow = np.ones(x.shape, dtype=bool) if mask is None else mask
        return self._map(lambda v, ok: v.log() if ok else zero, x, allow)

    def _sqrt(self, x: np.ndarray) -> np.ndarray:
        """Root of the non-negative part."""
        return self._map(lambda v: self._nan if v < 0 else v.nonnegative_part().sqrt(), x)

    def _xlogx(self, x: np.ndarray) -> np.ndarray:
        return self._map(self._one_xlogx, x)

    def _one_xlogx(self, v: Any) -> Any:
        if v == 0:
            return v
        if v > 0:
            return v * v.log()
        top = v.upper()
        if not top >= 0:
            return self._nan
        if top == 0:
            return self._arb(0)
        # A ball around zero: x log x falls from 0 to its minimum -1/e at 1/e, and rises from there.
        least = top * top.log() if top < 0.36 else -self._arb(-1).exp()
        return self._arb(0).union(least).union(top * top.log())

    def _relative_entropy(self, p: np.ndarray, mu: np.ndarray, mask: np.ndarray) -> np.ndarray:
        zero = self._arb(0)
        terms = self._map(lambda x, y, ok: self._divergence(x, y) if ok else zero, p, mu, mask)
        return self._sum(terms, -1)

    def _divergence(self, p: Any, m: Any) -> Any:
        """``p log(p / m) - p + m``, at the midpoints; the radii by the mean value theorem, with the derivatives over the balls."""
        if p == 0:
            return m
        if not p > 0:
            return self._one_xlogx(p) - p * m.log() - p + m
        x, y = p.mid(), m.mid()
        r = (x - y) / y
        ell = r.log1p() if r > -0.5 and r < 1 else x.log() - y.log()
        slopes = (p / m).log(), 1 - p / m
        moved = sum((abs(d).upper() * v.rad() for d, v in zip(slopes, (p, m), strict=True)), self._arb(0))
        return (x * ell - (x - y) + self._around(moved)).nonnegative_part()

    def _around(self, radius: Any) -> Any:
        """The ball around zero with this radius."""
        return self._arb(0, radius)

    def _rows(self, x: np.ndarray, w: np.ndarray, mu: Any, mask: np.ndarray) -> Iterator[_Row]:
        """Rows without their excluded entries."""
        n = x.shape[-1]
        weights = np.broadcast_to(w, x.shape).reshape(-1, n)[:, 0]
        allowed = np.broadcast_to(mask, x.shape).reshape(-1, n).tolist()
        mus = [None] * len(weights) if mu is None else rows_of(np.broadcast_to(mu, x.shape))
        for row, scale, m, ok in zip(rows_of(x), weights, mus, allowed, strict=True):
            at = [a for a in range(n) if ok[a] and (m is None or m[a] != 0 or not m[a].is_exact())]
            outside = self._arb(0) if m is None else sum((m[a] for a in range(n) if a not in at), self._arb(0))
            yield _Row(at, [row[a] for a in at], scale, None if m is None else [m[a] for a in at], outside)

    def _shifted(self, row: _Row) -> tuple[Any, list[Any], Any]:
        """Largest midpoint, ``z = (x - m) / w <= 0`` at the midpoints, and the largest radius: exact numbers, but for
        the quotient.
        """
        mids = [v.mid() for v in row.x]
        return (m := reduce(_above, mids)), [(v - m) / row.w for v in mids], reduce(_above, [v.rad() for v in row.x])

    def _free_energy(self, x: np.ndarray, w: np.ndarray, mu: Any, mask: np.ndarray) -> np.ndarray:
        return objects(x.shape[:-1], [self._one_free_energy(row) for row in self._rows(x, w, mu, mask)])

    def _one_free_energy(self, row: _Row) -> Any:
        """At the midpoints of ``x`` and ``w``, for it is 1-Lipschitz in ``x`` and its derivative in ``w`` a relative entropy.

        So it stays finite for balls however wide, where ``exp`` of them would not. Without weights the derivative
        lies in ``[0, log A]``, with weights in ``[log min mu, 0]``. With them the logarithm is ``log1p(sum mu expm1
        z)``: nothing cancels for large weights.
        """
        hardest = reduce(self._larger, row.x)
        if row.w == 0 or not all(v.is_finite() for v in row.x):
            return hardest
        n = self._arb(len(row.x))
        slope = n.log() if row.mu is None else -reduce(lambda u, v: u.min(v), row.mu).log()
        if not row.w > 0:
            high = row.w.upper()
            tail = self._arb(0).union(high * slope) if high >= 0 else self._nan
            return hardest + (tail if row.mu is None else -tail)
        m, z, r = self._shifted(row._replace(w=row.w.mid()))
        if row.mu is None:
            log_mass = (sum((v.exp() for v in z), self._arb(0))).log()
        else:
            t = sum((p * v.expm1() for p, v in zip(row.mu, z, strict=True)), -row.outside)
            mass = sum((p * v.exp() for p, v in zip(row.mu, z, strict=True)), self._arb(0))
            log_mass = t.log1p() if t > -0.5 else mass.log()
        return m + row.w.mid() * log_mass + self._around(r + row.w.rad() * abs(slope).upper())

    def _gibbs(self, x: np.ndarray, w: np.ndarray, mu: Any, mask: np.ndarray, log: bool) -> np.ndarray:
        out: list[Any] = []
        for row in self._rows(x, w, mu, mask):
            full = [self._arb(0)] * x.shape[-1]
            for a, p in zip(row.at, self._one_gibbs(row, log), strict=True):
                full[a] = p
            out += full
        return objects(x.shape, out)

    def _one_gibbs(self, row: _Row, log: bool) -> list[Any]:
        """At the midpoints of ``x``: radii ``r`` move the logarithms by at most ``2 r / w``."""
        if len(row.x) == 1:
            return [self._arb(0 if log else 1)]
        if row.w == 0:
            hard = self._one_first_max(row.x)
            return [p.log() for p in hard] if log else hard
        if not row.w > 0 or not all(v.is_finite() for v in row.x):
            return [self._nan if log else self._either()] * len(row.x)
        _, z, r = self._shifted(row)
        mus = [self._arb(1)] * len(z) if row.mu is None else row.mu
        total = sum((p * v.exp() for p, v in zip(mus, z, strict=True)), self._arb(0))
        moved = self._around((2 * r / row.w).upper())
        if log:
            log_total = total.log()
            return [v - log_total + p.log() + moved for p, v in zip(mus, z, strict=True)]
        return [self._probability(p * (v + moved).exp() / total) for p, v in zip(mus, z, strict=True)]

    def _q_log(self, x: np.ndarray, c: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
        zero = self._arb(0)
        allow = np.ones(x.shape, dtype=bool) if mask is None else mask
        return self._map(lambda v, i, ok: tsallis.log_c(v, i) if ok else zero, x, c, allow)

    def _q_exp(self, x: np.ndarray, c: np.ndarray) -> np.ndarray:
        return self._map(lambda v, i: tsallis.exp_pair(v, i)[0], x, c)

    def _times_log(self, x: np.ndarray, c: np.ndarray) -> np.ndarray:
        return self._map(tsallis.times_log, x, c)

    def _tsallis_divergence(self, p: np.ndarray, mu: np.ndarray, c: np.ndarray, mask: np.ndarray) -> np.ndarray:
        zero = self._arb(0)
        return self._sum(self._map(lambda u, v, i, ok: tsallis.divergence(u, v, i) if ok else zero, p, mu, c, mask), -1)

    def _tsallis(
        self, x: np.ndarray, w: np.ndarray, mu: Any, q: np.ndarray, mask: np.ndarray, policy: bool
    ) -> np.ndarray:
        indices = np.broadcast_to(q, x.shape).reshape(-1, x.shape[-1])[:, 0]
        near = self._proposals(x, w, mu, q, mask)
        out: list[Any] = []
        for row, index, nu in zip(self._rows(x, w, mu, mask), indices, near, strict=True):
            if not policy:
                out.append(self._one_free_energy(row) if index == 1 else self._one_energy(row, index, nu))
                continue
            full = [self._arb(0)] * x.shape[-1]
            chosen = self._one_gibbs(row, False) if index == 1 else self._one_projection(row, index, nu)
            for a, p in zip(row.at, chosen, strict=True):
                full[a] = p
            out += full
        return objects(x.shape if policy else x.shape[:-1], out)

    def _proposals(self, x: np.ndarray, w: np.ndarray, mu: Any, q: np.ndarray, mask: np.ndarray) -> list[float]:
        """Dual points (see ``q_calculus``) of the rows in floats."""
        near = [self._floats(Value(self, v, 0), lambda v: float(v.mid())) for v in (x, w, q)]
        scale, index = (np.broadcast_to(v, x.shape)[..., :1] for v in near[1:])
        weights = (
            None if mu is None else np.broadcast_to(self._floats(Value(self, mu, 0), lambda v: float(v.mid())), x.shape)
        )
        with np.errstate(all="ignore"):
            _, z, m, outside = floats.rows(near[0], scale, weights, np.broadcast_to(mask, x.shape))
            found = floats.dual_point(z, np.where(index == 1, 2.0, index), m, outside).nu
        return [float(v) for v in found.ravel()]

    def _one_energy(self, row: _Row, q: Any, near: float) -> Any:
        known = q.is_exact() and q > 0 and all(m > 0 for m in row.mu or ())
        return tsallis.energy(self, row, q, self._context.prec, near) if known else self._nan

    def _one_projection(self, row: _Row, q: Any, near: float) -> list[Any]:
        known = q.is_exact() and q > 0 and all(m > 0 for m in row.mu or ())
        return tsallis.policy(self, row, q, self._context.prec, near) if known else [self._either()] * len(row.x)

    def _either(self) -> Any:
        return self._arb(0.5, 0.5)

    def _probability(self, p: Any) -> Any:
        """What of a ball lies in [0, 1]."""
        if not p.is_finite():
            return self._either()
        return p if p >= 0 and p <= 1 else p.intersection(self._either())

    def _first_max(self, x: np.ndarray, mask: np.ndarray) -> np.ndarray:
        out: list[Any] = []
        for row, allow in zip(
            rows_of(x), np.broadcast_to(mask, x.shape).reshape(-1, x.shape[-1]).tolist(), strict=True
        ):
            at = [a for a, ok in enumerate(allow) if ok]
            full = [self._arb(0)] * len(row)
            for a, p in zip(at, self._one_first_max([row[a] for a in at]), strict=True):
                full[a] = p
            out += full
        return objects(x.shape, out)

    def _one_first_max(self, row: list[Any]) -> list[Any]:
        """One-hot if one entry alone can be largest, or all that can are exact and so tie; else 0 to 1 at each that can."""
        possible = [not any(v > u for v in row) for u in row]
        candidates = [u for u, ok in zip(row, possible, strict=True) if ok]
        settled = len(candidates) == 1 or all(u.is_exact() and u.is_finite() for u in candidates)
        first = possible.index(True)
        zero, one = self._arb(0), self._arb(1)
        if settled:
            return [one if a == first else zero for a in range(len(row))]
        return [self._either() if ok else zero for ok in possible]

    def solve(self, A: Value, b: Value) -> Value:
        n = A.data.shape[0]
        try:
            x = self._matrix(n, n, list(A.data.ravel())).solve(self._matrix(n, 1, list(b.data)))
        except ZeroDivisionError:  # not invertible at this precision: nothing is known
            return Value(self, objects((n,), [self._nan] * n), 1)
        return Value(self, objects((n,), [x[i, 0] for i in range(n)]), 1)

    def _floats(self, x: Value, f: Callable[[Any], float]) -> np.ndarray:
        return np.array([f(v) for v in x.data.ravel()], dtype=np.float64).reshape(x.data.shape)

    def midpoint(self, x: Value) -> np.ndarray:
        return self._floats(x, lambda v: float(v.mid()))

    def bounds(self, x: Value) -> tuple[np.ndarray, np.ndarray]:
        return self._floats(x, lambda v: _outward(v, v.lower(), -1)), self._floats(
            x, lambda v: _outward(v, v.upper(), 1)
        )

    def sign(self, x: Value) -> np.ndarray:
        decide = lambda v: 1 if v > 0 else -1 if v < 0 else 0 if v == 0 else 2  # noqa: E731
        return np.array([decide(v) for v in x.data.ravel()], dtype=np.int8).reshape(x.data.shape)

    def radius(self, x: Value) -> float:
        """Largest radius, as a float rounded up."""
        return max((_outward(v, v.rad(), 1) for v in x.data.ravel()), default=0.0)

    def inflate(self, x: Value, radius: Value) -> Value:
        r = radius.data.ravel()[0].upper()
        return Value(self, self._map(lambda v: self._arb(v.mid(), r), x.data), x.ndim)


def _above(x: Any, y: Any) -> Any:
    """The larger of two exact balls."""
    return y if y > x else x


def _outward(ball: Any, end: Any, direction: int) -> float:
    """The float at or beyond an endpoint of a ball (an exact number); infinite where the ball is not finite."""
    if not ball.is_finite():
        return direction * math.inf
    near = float(end)
    if math.isinf(near):  # beyond all floats, on one side or the other
        return near if near * direction > 0 else math.copysign(sys.float_info.max, near)
    inside = end > near if direction > 0 else end < near
    return math.nextafter(near, direction * math.inf) if inside else near
