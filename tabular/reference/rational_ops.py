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

    def _number(self, x: Fraction) -> Any:
        return self._fmpq(x.numerator, x.denominator)

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
