"""What balls and rationals share: object arrays, exact models, one instance at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import cmp_to_key, reduce
from typing import Any

import numpy as np

from tabular._validate import to_fraction
from tabular.errors import ModelError
from tabular.reference.ops import Model, Ops, Transitions
from tabular.reference.value import Value


def objects(shape: tuple[int, ...], items: Sequence[Any]) -> np.ndarray:
    """An object array; NumPy's own constructor would look inside the items."""
    out = np.empty(len(items), dtype=object)
    out[:] = items
    return out.reshape(shape)


def rows_of(x: np.ndarray) -> list[list[Any]]:
    """The rows along the last axis as lists."""
    return list(x.reshape(-1, x.shape[-1]).tolist())


def _by(row: np.ndarray, mask: np.ndarray) -> Callable[[int, int], int]:
    """Compares places of a row: what is excluded comes last."""

    def compare(i: int, j: int) -> int:
        if mask[i] != mask[j] or not mask[i]:
            return int(mask[j]) - int(mask[i])
        return int(row[i] > row[j]) - int(row[i] < row[j])

    return compare


class FlintOps(Ops):
    """Object arrays of exact numbers; subclasses say which."""

    def __init__(self, batch: None = None) -> None:
        if batch is not None:
            raise TypeError(f"{type(self).__name__} takes one model at a time")
        super().__init__(None)

    def _ratio(self, n: int, d: int) -> Any:
        """The number ``n / d``."""
        raise NotImplementedError

    def _number(self, x: Fraction | int) -> Any:
        return self._ratio(x.numerator, x.denominator)

    def _larger(self, x: Any, y: Any) -> Any:
        raise NotImplementedError

    # NumPy turns 0-d results of object arrays into their item; these keep them arrays
    def _add(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.asarray(x + y, dtype=object)

    def _sub(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.asarray(x - y, dtype=object)

    def _mul(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.asarray(x * y, dtype=object)

    def _div(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.asarray(x / y, dtype=object)

    def _neg(self, x: np.ndarray) -> np.ndarray:
        return np.asarray(-x, dtype=object)

    def _map(self, f: Callable[..., Any], *arrays: np.ndarray) -> np.ndarray:
        wide = arrays if len({a.shape for a in arrays}) == 1 else np.broadcast_arrays(*arrays)
        return objects(wide[0].shape, [f(*items) for items in zip(*(a.ravel().tolist() for a in wide), strict=True)])

    def constant(self, x: Any) -> Value:
        return Value(self, objects((), [self._number(x)]), 0) if type(x) is int else super().constant(x)

    def _lift(self, x: np.ndarray) -> np.ndarray:
        if x.dtype.kind == "f" and np.isfinite(x).all():
            return objects(x.shape, [self._ratio(*v.as_integer_ratio()) for v in x.ravel().tolist()])
        return objects(x.shape, [self._number(to_fraction(v, "x")) for v in x.ravel().tolist()])

    def distribution(self, x: Any, ndim: int = 2) -> Value:
        if isinstance(x, Value):
            return self._own(x, ndim)
        a = self._shaped(x, ndim)
        out: list[Any] = []
        for row in rows_of(a):
            exact = row if a.dtype.kind in "iu" else [to_fraction(v, "x") for v in row]
            if (total := sum(exact)) <= 0:
                raise ModelError(f"a row of a distribution sums to {total}")
            out += [self._ratio(v, total) if type(v) is int else self._number(v / total) for v in exact]
        return Value(self, objects(a.shape, out), ndim)

    def support(self, x: Any) -> np.ndarray:
        if isinstance(x, Value):
            return np.array([bool(v != 0) for v in x.data.ravel()], dtype=bool).reshape(x.data.shape)
        return np.asarray(np.asarray(x) > 0, dtype=bool)

    def model(self, source: Any) -> Model:
        e = source.exact()
        pairs = (e.S, e.A)
        number = self._number
        end = [number(Fraction(w, t)) for w, t in zip(e.end_weights, e.totals, strict=True)]
        return Model(
            P=Transitions(e.S, e.A, None, exact=e),
            R=Value(self, objects(pairs, [number(r) for r in e.R]), 2),
            end=Value(self, objects(pairs, end), 2),
            gamma=Value(self, objects((), [number(e.gamma)]), 0),
            rho=None if e.rho is None else Value(self, objects((e.S,), [number(p) for p in e.rho]), 1),
            mask=e.mask,
            S=e.S,
            A=e.A,
            source=source,
        )

    def _sum(self, x: np.ndarray, axis: int) -> np.ndarray:
        x = x if axis == -1 else np.moveaxis(x, axis, -1)
        return objects(x.shape[:-1], [sum(r[1:], r[0]) for r in rows_of(x)])

    def _dot(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return self._sum(self._mul(x, y), -1)

    def _max(self, x: np.ndarray, mask: np.ndarray | None, axis: int) -> np.ndarray:
        x = np.moveaxis(x, axis, -1)
        allow = np.ones(x.shape, dtype=bool) if mask is None else np.moveaxis(mask, axis, -1)
        rows = zip(rows_of(x), rows_of(allow), strict=True)
        return objects(
            x.shape[:-1], [reduce(self._larger, [v for v, ok in zip(r, m, strict=True) if ok]) for r, m in rows]
        )

    def _maximum(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return self._map(self._larger, x, y)

    def _abs(self, x: np.ndarray) -> np.ndarray:
        return self._map(abs, x)

    def expect(self, P: Transitions, V: Value) -> Value:
        e, v = P.exact, self._own(V, 1).data
        ptr, column = e.indptr.tolist(), e.indices.tolist()
        zero = self._number(Fraction(0))
        out = [
            sum((v[column[j]] * e.weights[j] for j in range(ptr[i], ptr[i + 1])), zero) / e.totals[i]
            for i in range(P.S * P.A)
        ]
        return Value(self, objects((P.S, P.A), out), 2)

    def transition(self, P: Transitions, pi: Value) -> Value:
        e, p = P.exact, self._own(pi, 2).data.ravel()
        ptr, column = e.indptr.tolist(), e.indices.tolist()
        out = np.empty((P.S, P.S), dtype=object)
        out[:] = self._number(Fraction(0))
        for i in range(P.S * P.A):
            share = p[i] / e.totals[i]
            for j in range(ptr[i], ptr[i + 1]):
                out[i // P.A, column[j]] += share * e.weights[j]
        return Value(self, out, 2)

    def _dense_rows(self, P: Transitions) -> np.ndarray:
        e = P.exact
        ptr, column = e.indptr.tolist(), e.indices.tolist()
        out = np.empty((P.S * P.A, P.S), dtype=object)
        out[:] = self._number(Fraction(0))
        for i in range(P.S * P.A):
            for j in range(ptr[i], ptr[i + 1]):
                out[i, column[j]] += self._number(Fraction(e.weights[j], e.totals[i]))
        return out.reshape(P.S, P.A, P.S)

    def _order(self, x: Value, mask: np.ndarray) -> np.ndarray:
        """Python's stable sort, by exact numbers: midpoints have no radius."""
        exact = self.inflate(x, self.constant(0))
        out = np.empty(x.data.shape, dtype=np.int64)
        for i in np.ndindex(x.data.shape[:-1]):
            out[i] = sorted(range(x.data.shape[-1]), key=cmp_to_key(_by(exact.data[i], mask[i])))
        return out

    def identity(self, n: int) -> Value:
        zero, one = self._number(Fraction(0)), self._number(Fraction(1))
        return Value(self, objects((n, n), [one if i == j else zero for i in range(n) for j in range(n)]), 2)

    def _pick(self, mask: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return self._map(lambda ok, u, v: u if ok else v, mask, x, y)
