"""``Value``: what formulas compute with, in every arithmetic.

A value is an array with *batch* axes in front and *event* axes behind. Arithmetic aligns batch axes with batch
axes and event axes with event axes, so that ``mdp.gamma * V`` means the same for one model and for ten thousand.
An enclosure has no truth value: comparing, branching or calling a NumPy function on a ``Value`` is an error, since on
overlapping enclosures the answer would be a guess.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np

Scalar = Any  # int, float, Fraction: taken exactly


class Value:
    """An array in the arithmetic of ``ops``; shape ``(planes...) + batch + event``.

    Attributes
    ----------
    ops : the arithmetic it belongs to.
    data : the backend's array.
    ndim : number of event axes.
    """

    __slots__ = ("data", "ndim", "ops")
    __array_ufunc__ = None

    def __init__(self, ops: Any, data: Any, ndim: int) -> None:
        self.ops = ops
        self.data = data
        self.ndim = ndim

    @property
    def shape(self) -> tuple[int, ...]:
        """Event shape."""
        return tuple(self.data.shape[self.data.ndim - self.ndim :])

    def _binary(self, other: Any, op: Callable[[Any, Any], Any], swap: bool = False) -> Value:
        ops = self.ops
        if not isinstance(other, Value):
            other = ops.constant(other)
        a, b = (other, self) if swap else (self, other)
        x, y, ndim = align(a, b)
        return Value(ops, op(x, y), ndim)

    def __add__(self, other: Any) -> Value:
        return self._binary(other, self.ops._add)

    __radd__ = __add__

    def __sub__(self, other: Any) -> Value:
        return self._binary(other, self.ops._sub)

    def __rsub__(self, other: Any) -> Value:
        return self._binary(other, self.ops._sub, swap=True)

    def __mul__(self, other: Any) -> Value:
        return self._binary(other, self.ops._mul)

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Value:
        return self._binary(other, self.ops._div)

    def __rtruediv__(self, other: Any) -> Value:
        return self._binary(other, self.ops._div, swap=True)

    def __neg__(self) -> Value:
        return Value(self.ops, self.ops._neg(self.data), self.ndim)

    def __pow__(self, n: int) -> Value:
        if not isinstance(n, int) or isinstance(n, bool) or n < 0:
            raise TypeError("a Value takes a non-negative integer power; use ops.exp and ops.log for others")
        if n == 0:
            return self * 0 + 1
        half = self ** (n // 2) if n > 1 else None
        if half is None:
            return self
        return half * half * self if n % 2 else half * half

    def __getitem__(self, key: Any) -> Value:
        """Index the event axes by integers, slices, None and Ellipsis; raises TypeError for anything else."""
        key = key if isinstance(key, tuple) else (key,)
        for k in key:
            if isinstance(k, (bool, np.bool_)) or not (
                k is None or k is Ellipsis or isinstance(k, (int, np.integer, slice))
            ):
                raise TypeError(
                    f"a Value is indexed by integers, slices, None and ..., not by {k!r}: use ops.where for masks"
                )
        lead = (slice(None),) * (self.data.ndim - self.ndim)
        data = self.ops._item(self.data, lead + key)
        if isinstance(data, np.generic) or not hasattr(data, "ndim"):  # NumPy hands out the item of a single one
            box = np.empty((), dtype=self.data.dtype)
            box[()] = data
            data = box
        return Value(self.ops, data, data.ndim - len(lead))

    def _refuse(self, *_: Any) -> NoReturn:
        raise TypeError(
            "a Value is an enclosure and has no truth value: use ops.max, ops.min, ops.abs, ops.maximum, "
            "or return an Inequality or Identity"
        )

    __lt__ = __le__ = __gt__ = __ge__ = __bool__ = __float__ = __int__ = __len__ = __iter__ = _refuse
    __eq__ = __ne__ = _refuse
    __hash__ = None  # type: ignore[assignment]
    __setitem__ = __array__ = __array_function__ = _refuse

    def __repr__(self) -> str:
        return f"Value({self.ops!r}, event shape {self.shape})"


def no_value(x: Any) -> TypeError:
    """The error where an operator is given anything else than a value."""
    shown = f"an array of shape {x.shape}" if isinstance(x, np.ndarray) else repr(x)
    return TypeError(
        f"expected a value, not {shown}: ops.constant makes one of a number, ops.array(x, ndim) of an array"
    )


def align(a: Value, b: Value) -> tuple[Any, Any, int]:
    """Data of two values with their batch axes and their event axes aligned.

    Raises TypeError where they belong to two arithmetics, and where the event ranks differ and neither is a scalar:
    broadcasting ``(S,)`` against ``(S, A)`` would silently pair states with actions when ``S == A``.
    """
    for x in (a, b):
        if not isinstance(x, Value):
            raise no_value(x)
    if a.ops is not b.ops:
        raise TypeError(f"values of two arithmetics meet: {a.ops!r} and {b.ops!r}")
    if a.ndim == b.ndim:
        return a.data, b.data, a.ndim
    if a.ndim and b.ndim:
        raise TypeError(
            f"event shapes {a.shape} and {b.shape} differ in rank: write V[:, None] to say which axis is meant"
        )
    if a.ndim:
        return a.data, b.data.reshape(b.data.shape + (1,) * a.ndim), a.ndim
    return a.data.reshape(a.data.shape + (1,) * b.ndim), b.data, b.ndim
