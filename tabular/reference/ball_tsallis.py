r"""Indexed logarithms and Tsallis projections of balls; notation of ``q_calculus``, proof of ``enclosure_tsallis``."""

from __future__ import annotations

from functools import reduce
from math import isfinite
from typing import Any

TRIES = 48  # of growing distances from the proposed root


def log_c(v: Any, c: Any) -> Any:
    """``(v^c - 1)/c`` for ``v >= 0``, ``log v`` at ``c = 0``; at 0 it is ``-1/c`` for ``c > 0``."""
    if c == 0:
        return v.log()
    if c == 1:
        return v - 1
    if v > 0:
        return (c * v.log()).expm1() / c
    if not c > 0 or not v.upper() >= 0:
        return v * float("nan")
    bottom = -1 / c
    return bottom if v.upper() == 0 else bottom.union(log_c(v.upper(), c))


def exp_pair(y: Any, c: Any) -> tuple[Any, Any]:
    """``t = [1 + c y]_+^(1/c)`` and ``t - 1``; infinite beyond a pole."""
    if c == 0:
        return y.exp(), y.expm1()
    if c == 1:
        less = y.max(y * 0 - 1)
        return less + 1, less
    b = 1 + c * y
    if b > 0:
        ell = (c * y).log1p() / c
        return ell.exp(), ell.expm1()
    if c > 0:
        top = b.upper()
        zero = y * 0
        if not y.is_finite():
            return y, y
        t = zero if top <= 0 else zero.union((top.log() / c).exp())
        return t, t - 1
    pole = b * float("nan") if not b <= 0 else b * 0 + float("inf")
    return pole, pole


def times_log(v: Any, c: Any) -> Any:
    """``v log_c(v, c)`` for ``c > -1``: zero at 0, least at :math:`(1+c)^{-1/c}`, where it is minus that over ``1 + c``."""
    if v == 0:
        return v
    if v > 0:
        return v * log_c(v, c)
    top = v.upper()
    if not top >= 0:
        return v * float("nan")
    if top == 0:
        return v * 0
    turn = (-(c * 0 + 1)).exp() if c == 0 else (-(1 + c).log() / c).exp()
    end = top * log_c(top, c)
    least = end if top < turn else -turn / (1 + c)
    return (v * 0).union(least).union(end)


def divergence(p: Any, m: Any, c: Any) -> Any:
    """``p log_c(p / m) - p + m``."""
    if p == 0:
        return m
    d = p - m
    if p > 0 and m > 0:
        r = d / m
        ell = r.log1p() if r > -0.5 else (p / m).log()
        near = ell if c == 0 else r if c == 1 else (c * ell).expm1() / c
        return (p * near - d).nonnegative_part()
    return (m * times_log(p / m, c) - d).nonnegative_part()


class Row:
    """One row of a projection: places allowed, ``z = (x - m)/w``, weights, and the root of ``N``."""

    def __init__(self, ops: Any, row: Any, q: Any, precision: int, near: float, wide: bool) -> None:
        self.arb, self.q, self.c, self.precision = ops._arb, q, q - 1, precision
        self.near, k = near, len(row.x)
        self.mu = [self.arb(1)] * k if row.mu is None else row.mu
        self.outside = self.arb(1 - k) if row.mu is None else row.outside
        mids = [v.mid() for v in row.x]
        self.m = reduce(lambda u, v: v if v > u else u, mids)
        self.z = [(v - self.m) / row.w for v in (row.x if wide else mids)]
        self.spread = reduce(lambda u, v: u.max(v), [abs(v.mid()) for v in self.z])

    def sums(self, nu: Any, z: list[Any]) -> tuple[list[tuple[Any, Any]], Any, Any]:
        """Pairs of ``exp_pair``, ``N``, and the sum whose product with ``-1/q`` is its slope."""
        y = [(v - nu) / self.q for v in z]
        pairs = [exp_pair(v, self.c) for v in y]
        N = sum((m * p[1] for m, p in zip(self.mu, pairs, strict=True)), -self.outside)
        live = [(m, p[0], 1 + self.c * v) for m, p, v in zip(self.mu, pairs, y, strict=True)]
        return pairs, N, sum((m * t / b for m, t, b in live if b > 0 and t.is_finite()), self.arb(0))

    def bracket(self) -> tuple[Any, Any]:
        """``[min z, 0] - q L_q(1/M)``."""
        floor = -self.q * log_c(1 / (1 - self.outside), self.c)
        least = reduce(lambda u, v: u.min(v), self.z)
        most = reduce(lambda u, v: u.max(v), self.z)
        return (least + floor).lower(), (most + floor).upper()

    def propose(self, low: Any, high: Any) -> Any:
        """Newton's method at the midpoints from the float root, guarded by bisection; no error is claimed."""
        z = [v.mid() for v in self.z]
        nu = self.arb(self.near) if isfinite(self.near) else (low + high) / 2
        small = (self.spread.min(self.arb(1)) + abs(nu)) * self.arb(2) ** (8 - self.precision)
        last = None
        for k in range(4 * self.precision):
            _, N, slope = self.sums(nu, z)
            N = N.mid()
            low, high = (nu, high) if N > 0 else (low, nu)
            if N == 0 or high - low <= small or not (N.is_finite() or N > 0):
                break
            step = None
            if N.is_finite() and 1 + N > 0 and slope > 0:
                ell = (1 + N).log()
                body = ell if self.c == 0 else (self.c * ell).expm1() / self.c
                step = (self.q * ((1 - self.c) * ell).exp() * body / slope).mid()
                if abs(step) <= small:
                    break
            good = step is not None and low < nu + step < high and (last is None or abs(N) < last / 2)
            last = abs(N) if good else None
            nu = (nu + step if good else (low + high) / 2).mid()
            if k == 1:  # a narrow bracket, should bisection be needed
                tight = abs(nu) * self.arb(2) ** -40 + self.spread.min(self.arb(1)) * self.arb(2) ** -40
                for v in ((nu - tight).mid(), (nu + tight).mid()):
                    if low < v < high:
                        N = self.sums(v, z)[1].mid()
                        low, high = (v, high) if N > 0 else (low, v)
        return nu

    def root(self) -> tuple[Any, Any]:
        """A point and a distance within which the root was proved to be."""
        low, high = self.bracket()
        nu = self.propose(low.mid(), high.mid())
        N = self.sums(nu, self.z)[1]
        if N == 0:
            return nu, self.arb(0)
        radius = reduce(lambda u, v: u.max(v), [v.rad() for v in self.z])
        delta = (self.spread.min(self.arb(1)) + abs(nu)) * self.arb(2) ** (12 - self.precision) + radius.min(
            self.arb(1)
        )
        for _ in range(TRIES):
            if not delta.is_finite():
                break
            left, right = (nu - delta).lower(), (nu + delta).upper()
            if self.sums(left, self.z)[1] >= 0 and self.sums(right, self.z)[1] <= 0:
                return nu, (right - nu).max(nu - left).upper()
            delta = (delta * 16).mid()
        return nu, (abs(high - nu)).max(abs(nu - low)).upper()


def _more(t: Any, less: Any, v: Any) -> Any:
    """``t^q - 1`` from ``t``, ``t - 1`` and ``v = c y``: ``t (1 + v) - 1``, or ``t - 1 + t v`` where that cancels."""
    return less + t * v if v > -0.5 else t * (1 + v) - 1


def _alone(row: Any) -> bool:
    """Whether there is no choice."""
    return len(row.x) == 1 and (row.mu is None or bool(row.mu[0] == 1))


def energy(ops: Any, row: Any, q: Any, precision: int, near: float) -> Any:
    r"""At the midpoints of ``x`` and ``w``: 1-Lipschitz in ``x``, and the derivative in ``w`` is :math:`-D_q(\pi\|\mu)`, between
    :math:`-\max_a L_q(1/\mu_a)` (a convex function on the simplex is largest at a vertex) and 0; or without weights
    :math:`S_q(\pi)`, between 0 and :math:`-L_q(1/n)`, that of the uniform policy.
    """
    hardest = reduce(lambda u, v: u.max(v), row.x)
    if row.w == 0 or not all(v.is_finite() for v in row.x) or _alone(row):
        return hardest
    least = ops._arb(len(row.x)) if row.mu is None else reduce(lambda u, v: u.min(v), row.mu)
    slope = -log_c(1 / least, q - 1)
    if not row.w > 0:
        high = row.w.upper()
        return hardest + (ops._arb(0).union(high * slope) if high >= 0 else ops._nan)
    at = row._replace(w=row.w.mid())
    found = Row(ops, at, q, precision, near, wide=False)
    nu, delta = found.root()
    pairs, N, _ = found.sums(nu, found.z)
    more = [_more(*p, found.c * (v - nu) / q) for p, v in zip(pairs, found.z, strict=True)]
    D = sum((m * h for m, h in zip(found.mu, more, strict=True)), nu - found.outside)
    radius = reduce(lambda u, v: u.max(v), [v.rad() for v in row.x])
    spare = at.w * abs(N) * delta + radius + row.w.rad() * abs(slope).upper()
    return found.m + at.w * D + ops._around(spare.upper())


def policy(ops: Any, row: Any, q: Any, precision: int, near: float) -> list[Any]:
    """The maximiser at the places allowed; the first one at ``w = 0``."""
    if row.w == 0:
        return list(ops._one_first_max(row.x))
    if _alone(row):
        return [ops._arb(1)]
    if not row.w > 0 or not all(v.is_finite() for v in row.x):
        return [ops._either()] * len(row.x)
    found = Row(ops, row, q, precision, near, wide=True)
    nu, delta = found.root()
    around = ops._arb(nu.mid(), delta)
    pairs = [exp_pair((v - around) / q, found.c) for v in found.z]
    return [ops._probability(m * p[0]) for m, p in zip(found.mu, pairs, strict=True)]
