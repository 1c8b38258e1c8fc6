"""The exact model behind floats: the canonical lift, as integer weights.

Each available row of floats, with its end, is divided by its exact sum; a row of rationals is itself. Either way a row is
a list of integer weights over their sum, which every exact arithmetic can take without rounding.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from math import gcd, lcm
from operator import lshift
from typing import Any, NamedTuple

import numpy as np


class ExactModel(NamedTuple):
    """An MDP in exact numbers; pairs are rows ``s * A + a`` of a CSR structure.

    Attributes
    ----------
    S, A : sizes.
    mask : (S, A) bool, True where available.
    indptr, indices : (S*A+1,), (nnz,) successors of each pair.
    weights : nnz ints; ``end_weights``, ``totals`` : S*A ints. ``P = weights / totals``, ``end = end_weights / totals``,
        and the weights of an available row with its end add up to its total (1 where unavailable).
    R : S*A Fractions, zero where unavailable.  gamma : Fraction.  rho : S Fractions or None.
    """

    S: int
    A: int
    mask: np.ndarray
    indptr: np.ndarray
    indices: np.ndarray
    weights: Sequence[int]
    end_weights: Sequence[int]
    totals: Sequence[int]
    R: Sequence[Fraction]
    gamma: Fraction
    rho: Sequence[Fraction] | None

    def row(self, s: int, a: int) -> dict[int, Fraction]:
        """Successors of a pair with their probabilities."""
        i = s * self.A + a
        span = range(int(self.indptr[i]), int(self.indptr[i + 1]))
        return {int(self.indices[j]): Fraction(self.weights[j], self.totals[i]) for j in span}

    def end(self, s: int, a: int) -> Fraction:
        i = s * self.A + a
        return Fraction(self.end_weights[i], self.totals[i])


def float_weights(indptr: np.ndarray, data: np.ndarray, end: np.ndarray) -> tuple[list[int], list[int], list[int]]:
    """Integer weights, end weights and totals of CSR rows of floats: the canonical lift."""
    rows = len(indptr) - 1
    values = np.concatenate([data, end.ravel()])
    owner = np.concatenate([np.repeat(np.arange(rows), np.diff(indptr)), np.arange(rows)])
    mantissa, exponent = np.frexp(values)
    ints = (mantissa * 2.0**53).astype(np.int64)
    exponent = np.where(ints != 0, exponent.astype(np.int64), np.iinfo(np.int64).max)
    low = np.full(rows, np.iinfo(np.int64).max)
    np.minimum.at(low, owner, exponent)
    shift = np.where(ints != 0, exponent - low[owner], 0)
    weights = list(map(lshift, ints.tolist(), shift.tolist()))
    w, e = weights[: len(data)], weights[len(data) :]
    return w, e, _totals(indptr, w, e)


def _totals(indptr: np.ndarray, w: Sequence[int], e: Sequence[int]) -> list[int]:
    bounds = indptr.tolist()
    return [sum(w[i:j]) + x or 1 for i, j, x in zip(bounds[:-1], bounds[1:], e, strict=True)]


def rational_weights(
    indptr: np.ndarray, data: Sequence[Fraction], end: Sequence[Fraction]
) -> tuple[list[int], list[int], list[int]]:
    """The same for rows of rationals, over their common denominators; totals are those denominators."""
    bounds = indptr.tolist()
    w: list[int] = []
    e: list[int] = []
    totals: list[int] = []
    for i, j, x in zip(bounds[:-1], bounds[1:], end, strict=True):
        den = lcm(x.denominator, *(p.denominator for p in data[i:j]))
        w += [int(p * den) for p in data[i:j]]
        e.append(int(x * den))
        totals.append(den)
    return w, e, totals


def normalised(values: Iterable[Any]) -> list[Fraction]:
    """A distribution of floats divided by its exact sum."""
    exact = [Fraction(float(x)) for x in values]
    total = sum(exact)
    return [x / total for x in exact]


def rounded(numerators: Sequence[int], denominators: Sequence[int]) -> np.ndarray:
    """Correctly rounded quotients of integers as float64."""
    return np.array([n / d for n, d in zip(numerators, denominators, strict=True)], dtype=np.float64)


def reduced(weights: Sequence[int], total: int) -> tuple[list[int], int]:
    """A row of weights without its common divisor."""
    g = gcd(total, *weights) or 1
    return [w // g for w in weights], total // g


def unless_floats(exact: list[Fraction], floats: np.ndarray) -> list[Fraction] | None:
    """None where exact numbers are those of the floats: then the floats say it all."""
    return None if all(Fraction(x) == y for x, y in zip(floats.ravel().tolist(), exact, strict=True)) else exact
