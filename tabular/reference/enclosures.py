"""Arrays of enclosures, a plane of midpoints and a plane of radii: how radii are rounded upwards."""

from __future__ import annotations

from typing import Any

import numpy as np

from tabular._rounding import U
from tabular._rounding import gamma_n as _gamma_n

SLACK = 64
TINY = 2.0**-1060  # beyond the underflow error of a thousand operations
EXACT_SUM = 2**53  # integers up to here are floats


def up(radius: Any, n: int = 0) -> np.ndarray:
    """A radius computed in floats from at most ``n + SLACK`` roundings, made an upper bound; NaN (inf - inf) becomes inf."""
    out = radius * (1.0 + 2.0 * (SLACK + n) * U) + TINY * (n + 1)
    return np.where(np.isnan(out), np.inf, out)


def gamma_n(n: int) -> float:
    """``n u / (1 - n u)``, rounded up."""
    return float(_gamma_n(n) * (1.0 + 4.0 * U))


def pack(mid: Any, rad: Any) -> np.ndarray:
    """Two planes; where the midpoint is not finite nothing is known."""
    out = np.empty((2, *np.broadcast_shapes(np.shape(mid), np.shape(rad))))
    out[0], out[1] = mid, rad
    bad = ~np.isfinite(out[0])
    if bad.any():
        out[0][bad], out[1][bad] = 0.0, np.inf
    return out


@np.errstate(all="ignore")
def ends(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Floats below and above what is enclosed: the midpoint itself where it is exact, else strictly beyond it.

    The next float after a correctly rounded ``mid - rad`` is at most the exact one.
    """
    exact = x[1] == 0
    low = np.where(exact, x[0], np.nextafter(x[0] - x[1], -np.inf))
    return low, np.where(exact, x[0], np.nextafter(x[0] + x[1], np.inf))


def quotient(n: Any, d: Any) -> np.ndarray:
    """Enclosures of quotients of integers up to ``2**53`` given as floats: exact for integers and binary fractions."""
    mid = n / d
    exact = (np.frexp(d)[0] == 0.5) | (np.floor(mid) == mid) & (mid * d == n)
    return pack(mid, np.where(exact, 0.0, np.abs(mid) * (2.0 * U)))


def normalised(a: np.ndarray) -> np.ndarray:
    """Rows of non-negative floats divided by their exact sums.

    The float sum has relative error :math:`\\gamma_{n-1}`, the quotient ``u`` more. A row of multiples of ``2**-52``
    whose float sum is 1 is exact: all its partial sums are such multiples, at most 1.
    """
    total = a.sum(axis=-1, keepdims=True)
    exact = (total == 1.0) & np.all(np.floor(a * 2.0**52) == a * 2.0**52, axis=-1, keepdims=True)
    mid = np.where(exact, a, a / total)
    return pack(mid, np.where(exact | (a == 0) & (total > 0), 0.0, up(mid * gamma_n(a.shape[-1] + 2))))


def row_deviation(total: np.ndarray, n: int) -> np.ndarray:
    """Bound on ``|exact row sum - 1|`` from its float sum over ``n`` non-negative terms."""
    return up(np.abs(total - 1.0) + gamma_n(n) * np.abs(total), n)
