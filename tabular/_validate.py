"""Checks at the border: every message names the array, the place and the number.

Arrays may carry leading axes (stages, batches); a place is printed with all its indices.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from math import lcm
from typing import Any, NoReturn

import numpy as np

from tabular.errors import ModelError
from tabular.exact_model import normalised

EPS = float(np.finfo(np.float64).eps)


def fail(message: str) -> NoReturn:
    raise ModelError(message)


def place(name: str, index: Any) -> str:
    """``P[3, 1]``."""
    return f"{name}[{', '.join(str(int(i)) for i in index)}]" if len(index) else name


def first(bad: np.ndarray) -> tuple[int, ...]:
    return tuple(int(i) for i in np.unravel_index(int(np.argmax(bad)), bad.shape))


def is_exact(x: Any) -> bool:
    """Whether ``x`` is an array (or scalar) of exact rationals: object dtype holding ints, Fractions or fmpq."""
    if isinstance(x, np.ndarray):
        return bool(x.dtype == object)
    if isinstance(x, (list, tuple)):
        return any(is_exact(y) for y in x)
    if isinstance(x, int):  # beyond 64 bits, where NumPy has no integers
        return not -(2**63) <= x < 2**63
    return isinstance(x, Fraction) or (hasattr(x, "numerator") and type(x).__module__.startswith("flint"))


def to_fraction(x: Any, name: str, index: Any = ()) -> Fraction:
    """Exact value of an int, float, Fraction or fmpq."""
    if isinstance(x, (bool, np.bool_, complex, str, bytes)):
        raise TypeError(f"{place(name, index)} is {x!r}: expected a rational number")
    try:
        if isinstance(x, Fraction):
            return x
        if isinstance(x, (int, np.integer)):
            return Fraction(int(x))
        if isinstance(x, (float, np.floating)):
            return Fraction(*x.as_integer_ratio())
        num, den = getattr(x, "numerator", None), getattr(x, "denominator", None)
        if num is None and hasattr(x, "p"):
            num, den = x.p, x.q
        if num is not None and den is not None:
            return Fraction(int(num), int(den))
    except (OverflowError, ValueError):
        fail(f"{place(name, index)} is {x!r}: not a finite number")
    raise TypeError(f"{place(name, index)} has type {type(x).__name__}: expected a rational number")


def to_float(x: Fraction, name: str, index: Any = ()) -> float:
    """The nearest float64; ModelError where that is infinite, or zero though ``x`` is not: signs decide structure."""
    try:
        out = float(x)
    except OverflowError:
        fail(f"{place(name, index)} is beyond the range of float64")
    if out == 0.0 and x != 0:
        fail(f"{place(name, index)} is not zero but below the range of float64: its sign would be lost")
    return out


def shown(x: Any) -> str:
    """A rational for a message: itself if it is short, else about."""
    x = Fraction(x)
    if max(x.numerator.bit_length(), x.denominator.bit_length()) <= 128:
        return str(x)
    try:
        return f"about {float(x):.6g}"
    except OverflowError:
        return f"about {'-' if x < 0 else ''}2^{x.numerator.bit_length() - x.denominator.bit_length()}"


def float_array(x: Any, name: str, copy: bool = True) -> np.ndarray:
    """C-contiguous float64 copy of real numbers; TypeError for anything that is not numeric."""
    if not isinstance(x, np.ndarray):
        try:
            x = np.asarray(x)
        except ValueError as error:
            raise ModelError(f"{name} is ragged: its rows have different lengths") from error
    if isinstance(x, np.ma.MaskedArray):
        raise TypeError(f"{name} is a masked array: mark unavailable actions with R = -inf")
    if x.dtype == object:
        i = next((i for i, y in np.ndenumerate(x) if not isinstance(y, (int, float, np.number))), None)
        if i is not None:
            dense = ", dense (toarray)" if hasattr(x[i], "toarray") else ""
            raise TypeError(f"{place(name, i)} is a {type(x[i]).__name__}: expected real numbers{dense}")
    if x.dtype.kind not in "fiu":
        raise TypeError(f"{name} has dtype {x.dtype}: expected real numbers")
    if x.dtype.itemsize >= 8 and x.dtype != np.float64:
        _check_held(x, name)
    if copy:
        return np.array(x, dtype=np.float64, order="C")
    return np.ascontiguousarray(x, dtype=np.float64)


def _check_held(x: np.ndarray, name: str) -> None:
    """64-bit integers and extended floats are to be float64 numbers."""
    if x.dtype.kind == "f":
        with np.errstate(over="ignore"):
            lost = (x.astype(np.float64).astype(x.dtype) != x) & ~np.isnan(x)
    else:
        lost = (x > 2**53) | (x < -(2**53))
        lost[lost] = [int(float(y)) != y for y in x[lost].tolist()]
    if lost.any():
        i = first(lost)
        fail(f"{place(name, i)} is {x[i]}, which no float64 is: give floats, or rationals in an object array")


def check_finite(x: np.ndarray, name: str) -> None:
    bad = ~np.isfinite(x)
    if bad.any():
        i = first(bad)
        fail(f"{place(name, i)} is {x[i]}: not a finite number")


def check_probabilities(x: np.ndarray, name: str) -> None:
    """Finite, non-negative; a value beyond one is left to the row sum."""
    check_finite(x, name)
    if x.size and x.min() < 0.0:
        i = first(x == x.min())
        fail(f"{place(name, i)} is {x[i]}: a probability cannot be negative")


def check_rewards(R: np.ndarray, name: str = "R") -> np.ndarray:
    """Mask of the available pairs: ``R = -inf`` marks an unavailable one. At least one action a state."""
    bad = np.isnan(R) | (R == np.inf)
    if bad.any():
        i = first(bad)
        fail(f"{place(name, i)} is {R[i]}: rewards are finite, or -inf where an action is unavailable")
    mask = R > -np.inf
    none: np.ndarray = np.logical_not(mask.any(axis=-1))
    if none.any():
        fail(f"{place(name, first(none))} is -inf for every action: each state needs an available one")
    return mask


def row_sums(x: np.ndarray) -> np.ndarray:
    """Sums over the last axis; infinite where they overflow, without a warning, for the checks that follow."""
    with np.errstate(over="ignore"):
        return np.asarray(x.sum(axis=-1))


def check_scales(total: np.ndarray, mask: np.ndarray, name: str = "P") -> None:
    """Sums by which available rows can be divided: positive and finite."""
    bad = mask & ~((total > 0) & np.isfinite(total))
    if bad.any():
        i = first(bad)
        fail(f"{place(name, i)} sums to {total[i]}: no row to renormalise")


def whole_numbers(x: Any, name: str) -> np.ndarray:
    """Object array of non-negative Python integers; TypeError for anything but integers."""
    try:
        x = np.asarray(x)
    except ValueError as error:
        raise ModelError(f"{name} is ragged: its rows have different lengths") from error
    if x.dtype.kind not in "iuO":
        raise TypeError(f"{name} has dtype {x.dtype}: expected integers")
    out: np.ndarray = x.astype(object)
    for i, n in np.ndenumerate(out):
        if isinstance(n, (bool, np.bool_)) or not isinstance(n, (int, np.integer)):
            raise TypeError(f"{place(name, i)} is {n!r}: expected an integer")
        if n < 0:
            fail(f"{place(name, i)} is {n}: a weight cannot be negative")
    return out


def row_tolerance(n: int) -> float:
    """Largest deviation of an honestly rounded row sum from one.

    A row of ``n`` correctly rounded probabilities (and an end) deviates by at most ``u`` in all, its float sum by
    ``n u`` more (Higham 2002, eq. 4.4); normalising by division doubles that. ``4 n eps`` leaves room for one more such step.
    """
    return 4.0 * max(n, 1) * EPS


def check_rows(
    total: np.ndarray, mask: np.ndarray, n: int, has_end: bool, name: str = "P", advice: str | None = None
) -> None:
    """``total`` (row sum plus end) is one on the available rows, up to ``row_tolerance``; zero or one elsewhere.

    ``advice`` replaces that for transitions.
    """
    deviation = np.where(mask, np.abs(total - 1.0), np.minimum(np.abs(total), np.abs(total - 1.0)))
    if deviation.size and deviation.max() > row_tolerance(n):
        i = first(deviation == deviation.max())
        what = " with its end" if has_end else ""
        hint = "" if mask[i] else " (unavailable: leave its row zero)"
        tail = " or declare the ending with end=" if total[i] < 1.0 and not has_end else ""
        advice = advice or f"pass renormalise=True to divide rows by their sums{tail}"
        fail(f"{place(name, i)} sums to {total[i]:.17g}{what}, {total[i] - 1.0:+.3g} from 1{hint}; {advice}")


def check_gamma(gamma: Any, name: str = "gamma") -> tuple[float, Fraction]:
    """Discount in ``[0, 1]`` as a float and exactly."""
    if isinstance(gamma, (list, tuple, np.ndarray)):
        raise TypeError(f"{name} is a {type(gamma).__name__}: expected a number")
    exact = to_fraction(gamma, name)
    if not 0 <= exact <= 1:
        fail(f"{name} is {gamma}: a discount lies in [0, 1]")
    if exact < 1 and float(exact) == 1.0:
        fail(f"{name} is below 1 but rounds to 1.0 in float64: too close to tell from total reward")
    return float(exact), exact


def check_distribution(rho: Any, S: int, name: str = "rho") -> tuple[np.ndarray, list[Fraction] | None]:
    """A start distribution: float64 (S,), and its exact form where rationals were given."""
    exact = None
    if is_exact(rho):
        given = np.asarray(rho, dtype=object)
        if given.shape != (S,):
            fail(f"{name} has shape {given.shape}: expected ({S},)")
        exact = [to_fraction(x, name, (i,)) for i, x in enumerate(given)]
        if any(x < 0 for x in exact):
            i = next(i for i, x in enumerate(exact) if x < 0)
            fail(f"{name}[{i}] is {shown(exact[i])}: a probability cannot be negative")
        unit = lcm(*(x.denominator for x in exact))
        total_weight = sum(x.numerator * (unit // x.denominator) for x in exact)
        if total_weight != unit:
            fail(f"{name} sums to {shown(Fraction(total_weight, unit))}, not to 1")
        rho = np.array([float(x) for x in exact])
        if normalised(rho) == exact:
            exact = None
    out = float_array(rho, name) + 0.0
    if out.shape != (S,):
        fail(f"{name} has shape {out.shape}: expected ({S},)")
    check_probabilities(out, name)
    total = float(row_sums(out))
    if abs(total - 1.0) > row_tolerance(S):
        fail(f"{name} sums to {total:.17g}, {total - 1.0:+.3g} from 1")
    return out, exact


def check_labels(labels: Sequence[Any] | None, n: int, name: str) -> tuple[str, ...] | None:
    if labels is None:
        return None
    if not isinstance(labels, Iterable) or isinstance(labels, (str, bytes)):
        raise TypeError(f"{name} is a {type(labels).__name__}: expected {n} names")
    out = tuple(str(x) for x in labels)
    if len(out) != n:
        fail(f"{name} has {len(out)} entries: expected {n}")
    if len(set(out)) != n:
        twice = next(x for i, x in enumerate(out) if x in out[:i])
        fail(f"{name} names {twice!r} twice")
    return out


def sealed(x: np.ndarray) -> np.ndarray:
    """A read-only view of a read-only array, which cannot be made writable; a copy where ``x`` is part of a larger one."""
    owner: Any = x
    while isinstance(owner, np.ndarray) and owner.base is not None:
        owner = owner.base
    if not isinstance(owner, np.ndarray) or owner.nbytes != x.nbytes:
        x = x.copy()
    base: Any = x
    while isinstance(base, np.ndarray):
        base.setflags(write=False)
        base = base.base
    return x.view()
