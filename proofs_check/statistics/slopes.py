r"""An exponent on a finite range: slopes of log y against log x, and how far they drift.

No finite range shows an exponent at infinity. What it shows is the slope of the least-squares line of log y over the
whole range, over its first half (:math:`p_1`) and over its second (:math:`p_2`), and the second half's slope
continued by the drift between them, once (:math:`2 p_2 - p_1`) and twice (:math:`3 p_2 - 2 p_1`). An exponent *holds*
where the first four lie in the stated interval; it is *refuted* where all five lie on one side of it, so that not
even twice the drift seen would lead there; else it is undecided.

What that says of infinity: where :math:`y = C x^p e^{\varepsilon(x)}` with :math:`\varepsilon(x) = D x^{-r}` on a
geometric grid, the drift dies geometrically. A line's slope is linear in log y, and :math:`\varepsilon` on the second
half is :math:`\rho = X^{-r/2}` times what it is on the first (X: the ratio of the ends), so that
:math:`p_2 - p = \rho (p_1 - p)`. So p lies between :math:`p_2` and :math:`2 p_2 - p_1` exactly where
:math:`\rho \le 1/2`, the lower-order term falling by a factor of four or more over the range, and between :math:`p_2`
and :math:`3 p_2 - 2 p_1` where :math:`\rho \le 2/3`, a factor of 9/4. A factor log x has the local slope
:math:`1/\log x`: about two drifts suffice for it where :math:`X \ge x_1^{4/3}`. Terms that fall more slowly can
mislead, at any precision: the calibration shows how often.

Slopes are linear in log y, each y enters a slope once, and coefficients are computed in the arithmetic of the values:
enclosures of y give enclosures of slopes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

LEAST = 4  # points, so that each half has a line


def checked_range(x: Any, name: str) -> np.ndarray:
    """(n,) increasing positive numbers, at least four. Raises ValueError."""
    points = np.asarray(x, dtype=np.float64)
    if points.ndim != 1 or points.size < LEAST or not (points > 0).all() or not (np.diff(points) > 0).all():
        raise ValueError(f"{name}: expected at least {LEAST} positive numbers in increasing order, got {x!r}")
    return points


def halves(n: int) -> tuple[slice, slice]:
    """First and second half of n points; the middle one of an odd number belongs to both."""
    return slice(0, (n + 1) // 2), slice(n // 2, n)


def slopes(ops: Any, x: np.ndarray, y: Sequence[Any]) -> list[Any]:
    """Slopes as values of ``ops``: whole range, first half, second half, that continued by the drift once, and twice.

    x : (n,) increasing.  y : n scalar values, positive.
    """
    lx = [ops.log(ops.constant(float(t))) for t in x]
    ly = [ops.log(v) for v in y]
    first, second = halves(len(ly))
    p1, p2 = _slope(lx[first], ly[first]), _slope(lx[second], ly[second])
    return [_slope(lx, ly), p1, p2, 2 * p2 - p1, 3 * p2 - 2 * p1]


def _slope(lx: Sequence[Any], ly: Sequence[Any]) -> Any:
    mean = _sum(lx) / len(lx)
    centred = [t - mean for t in lx]
    scale = _sum([t * t for t in centred])
    return _sum([(t / scale) * v for t, v in zip(centred, ly, strict=True)])


def _sum(items: Sequence[Any]) -> Any:
    total = items[0]
    for item in items[1:]:
        total = total + item
    return total


def coefficients(x: np.ndarray) -> np.ndarray:
    """(5, n) the same slopes as linear forms in log y, in float64: for simulation."""
    lx, n = np.log(x), len(x)
    rows = np.zeros((5, n))
    for row, part in zip(rows, (slice(0, n), *halves(n)), strict=False):
        centred = lx[part] - lx[part].mean()
        row[part] = centred / (centred**2).sum()
    rows[3], rows[4] = 2 * rows[2] - rows[1], 3 * rows[2] - 2 * rows[1]
    return rows


def slope_signs(ops: Any, found: Sequence[Any], low: Any, high: Any) -> np.ndarray:
    """(B, 2, 5) signs (2: open) of ``high - p`` for the five slopes, and of ``p - low``."""
    signs = [[ops.sign(high - p) for p in found], [ops.sign(p - low) for p in found]]
    return np.moveaxis(np.array([[np.atleast_1d(s) for s in row] for row in signs]), -1, 0)


def slope_status(signs: np.ndarray) -> np.ndarray:
    """(B,) 1: the first four slopes in [low, high]; -1: all five above or all below; 0: decided, and neither; 2: some
    sign is open."""
    inside = signs[..., :4]
    good = ((inside != -1) & (inside != 2)).all(axis=(-2, -1))
    bad = (signs == -1).all(axis=-1).any(axis=-1)
    return np.select([good, bad, (signs == 2).any(axis=(-2, -1))], [1, -1, 2], 0)
