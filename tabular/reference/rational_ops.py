"""Exact rationals (FLINT): what has no logarithm is decided, not bounded."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any, NoReturn

import numpy as np

from tabular.errors import ImproperModel, NoExactForm
from tabular.reference.flint_ops import FlintOps, objects, rows_of
from tabular.reference.value import Value


class RationalOps(FlintOps):
    """``fmpq`` numbers. Logarithms, exponentials and roots raise ``NoExactForm``."""

    def __init__(self, batch: None = None) -> None:
        from flint import fmpq, fmpq_mat

        super().__init__(batch)
        self._fmpq, self._matrix = fmpq, fmpq_mat

    def _ratio(self, n: int, d: int) -> Any:
        return self._fmpq(n, d)

    def _larger(self, x: Any, y: Any) -> Any:
        return x if x >= y else y

    def _first_max(self, x: np.ndarray, mask: np.ndarray) -> np.ndarray:
        zero, one = self._fmpq(0), self._fmpq(1)
        out: list[Any] = []
        for row, allow in zip(rows_of(x), np.broadcast_to(mask, x.shape).reshape(-1, x.shape[-1]), strict=True):
            best = None
            for a, v in enumerate(row):
                if allow[a] and (best is None or v > row[best]):
                    best = a
            out += [one if a == best else zero for a in range(len(row))]
        return objects(x.shape, out)

    def _refuse(self, *_: Any) -> NoReturn:
        raise NoExactForm("the formula leaves the rationals")

    _exp = _log = _sqrt = _refuse

    def _xlogx(self, x: np.ndarray) -> np.ndarray:
        if any(v not in (0, 1) for v in x.ravel()):
            self._refuse()
        return self._map(lambda v: v * 0, x)

    def _free_energy(self, x: np.ndarray, w: np.ndarray, mu: Any, mask: np.ndarray) -> np.ndarray:
        if any(v != 0 for v in w.ravel()):
            self._refuse()
        return self._max(x, mask, -1)

    def _gibbs(self, x: np.ndarray, w: np.ndarray, mu: Any, mask: np.ndarray, log: bool) -> np.ndarray:
        if log or any(v != 0 for v in w.ravel()):
            self._refuse()
        return self._first_max(x, mask)

    def _relative_entropy(self, p: np.ndarray, mu: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """Zero where the two are equal; nowhere else is it rational, for distributions."""
        p, mu, allow = np.broadcast_arrays(p, mu, mask)
        if any(ok and x != y for x, y, ok in zip(p.ravel(), mu.ravel(), allow.ravel(), strict=True)):
            self._refuse()
        return objects(p.shape[:-1], [self._fmpq(0)] * math.prod(p.shape[:-1]))

    def _q_log(self, x: np.ndarray, c: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
        allow = np.ones(x.shape, dtype=bool) if mask is None else mask
        return self._map(lambda v, i, ok: self._one_log(v, i) if ok else self._fmpq(0), x, c, allow)

    def _one_log(self, v: Any, c: Any) -> Any:
        """``(v^c - 1)/c``: rational for an integer ``c`` other than 0, and at 1; at 0 for ``c > 0``."""
        if v == 1:
            return self._fmpq(0)
        if v == 0 and c > 0:
            return -1 / c
        if v <= 0 or c == 0 or c.q != 1:
            self._refuse()
        return (v ** int(c.p) - 1) / c

    def _q_exp(self, x: np.ndarray, c: np.ndarray) -> np.ndarray:
        return self._map(self._one_exp, x, c)

    def _one_exp(self, v: Any, c: Any) -> Any:
        """``[1 + c v]_+^(1/c)``: rational for an integer ``1/c``, at 0, and below the cut."""
        base = 1 + c * v
        if v == 0:
            return self._fmpq(1)
        if c > 0 and base <= 0:
            return self._fmpq(0)
        if base <= 0 or c == 0 or (1 / c).q != 1:
            self._refuse()
        return base ** int((1 / c).p)

    def _times_log(self, x: np.ndarray, c: np.ndarray) -> np.ndarray:
        return self._map(lambda v, i: v if v == 0 else v * self._one_log(v, i), x, c)

    def _tsallis_divergence(self, p: np.ndarray, mu: np.ndarray, c: np.ndarray, mask: np.ndarray) -> np.ndarray:
        one = lambda u, v, i, ok: u * self._one_log(u / v, i) - u + v if ok and u != 0 else v if ok else v * 0  # noqa: E731
        return self._sum(self._map(one, p, mu, c, mask), -1)

    def _tsallis(
        self, x: np.ndarray, w: np.ndarray, mu: Any, q: np.ndarray, mask: np.ndarray, policy: bool
    ) -> np.ndarray:
        weights = objects((1,), [self._fmpq(1)]) if mu is None else mu
        wide = [rows_of(np.broadcast_to(v, x.shape)) for v in (x, w, weights, q, mask)]
        found = [self._projected(r, s[0], m, i[0], ok) for r, s, m, i, ok in zip(*wide, strict=True)]
        rows = [v for v, _ in found], [p for _, out in found for p in out]
        return objects(x.shape, rows[1]) if policy else objects(x.shape[:-1], rows[0])

    def _projected(self, x: list[Any], w: Any, mu: list[Any], q: Any, mask: list[bool]) -> tuple[Any, list[Any]]:
        """Maximum and maximiser of a row at ``q = 2``, by sorting; at ``w = 0`` and for a single action at any ``q``."""
        zero, one = self._fmpq(0), self._fmpq(1)
        live = sorted((a for a in range(len(x)) if mask[a] and mu[a] > 0), key=lambda a: x[a], reverse=True)
        top = x[live[0]]
        if w == 0 or (len(live) == 1 and mu[live[0]] == 1):
            return top, [one if a == min(b for b in live if x[b] == top) else zero for a in range(len(x))]
        if w < 0 or q != 2:
            self._refuse()
        # With the k largest in the support: sum mu (1 + (z - nu)/2) = 1, and the last of them must be positive.
        mass, mean, nu = zero, zero, zero
        support: list[int] = []
        for a in live:
            z = (x[a] - top) / w
            if support and 1 + (z - nu) / 2 <= 0:
                break
            support.append(a)
            mass, mean = mass + mu[a], mean + mu[a] * z
            nu = (mean + 2 * (mass - 1)) / mass
        t = {a: 1 + ((x[a] - top) / w - nu) / 2 for a in support}
        value = sum((mu[a] * t[a] * (x[a] - w * (t[a] - 1)) for a in support), zero)
        return value, [mu[a] * t[a] if a in t else zero for a in range(len(x))]

    def solve(self, A: Value, b: Value) -> Value:
        n = A.data.shape[0]
        try:
            x = self._matrix(n, n, list(A.data.ravel())).solve(self._matrix(n, 1, list(b.data)))
        except ZeroDivisionError:
            raise ImproperModel("the linear system is singular: no finite value") from None
        return Value(self, objects((n,), [x[i, 0] for i in range(n)]), 1)

    def inflate(self, x: Value, radius: Value) -> Value:
        """``x`` itself, for a radius of zero."""
        return x if bool(np.all(self.sign(radius) == 0)) else super().inflate(x, radius)

    def hull(self, x: Value, y: Value) -> Value:
        """``x`` itself, where the two are equal."""
        return self.inflate(x, self.norm(y - x)) + (y - x)

    def fractions(self, x: Value) -> np.ndarray:
        """The values as an object array of ``Fraction``."""
        return objects(x.data.shape, [Fraction(int(v.p), int(v.q)) for v in x.data.ravel()])

    def midpoint(self, x: Value) -> np.ndarray:
        return np.array([_nearest(v) for v in x.data.ravel()]).reshape(x.data.shape)

    def bounds(self, x: Value) -> tuple[np.ndarray, np.ndarray]:
        exact = self.fractions(x).ravel()
        near = self.midpoint(x).ravel()
        pairs = list(zip(near.tolist(), exact, strict=True))
        low = [f if _compare(f, v) <= 0 else math.nextafter(f, -math.inf) for f, v in pairs]
        high = [f if _compare(f, v) >= 0 else math.nextafter(f, math.inf) for f, v in pairs]
        return np.array(low).reshape(x.data.shape), np.array(high).reshape(x.data.shape)

    def sign(self, x: Value) -> np.ndarray:
        return np.array([(v > 0) - (v < 0) for v in x.data.ravel()], dtype=np.int8).reshape(x.data.shape)


def _nearest(v: Any) -> float:
    try:
        return int(v.p) / int(v.q)  # correctly rounded
    except OverflowError:
        return math.inf if v > 0 else -math.inf


def _compare(f: float, v: Fraction) -> int:
    """Sign of ``f - v`` for a float that may be infinite."""
    if math.isinf(f):
        return 1 if f > 0 else -1
    return (Fraction(f) > v) - (Fraction(f) < v)
