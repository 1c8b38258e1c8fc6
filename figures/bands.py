r"""Simultaneous bands around the mean of curves, one curve a seed.

The sup-t band (Montiel Olea and Plagborg-Møller 2019): :math:`\bar x_t \pm c\, s_t / \sqrt n`, where c is the
quantile of the largest of the t statistics of all points. Its law is the multivariate t with n - 1 degrees of freedom
and the correlations of the curves (Hothorn, Bretz and Westfall 2008), from draws. Exact for Gaussian curves whose
correlations are known, an approximation for others; one point has the interval of Student.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

DRAWS = 20_000


class Band(NamedTuple):
    """``mean``, ``lower`` and ``upper`` (T,), and the critical value c: 0 where no point varies."""

    mean: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    critical: float


def simultaneous_band(curves: np.ndarray, level: float = 0.95) -> Band:
    """Of curves (n, T): contains the whole mean curve with probability ``level``, as far as curves are Gaussian.

    Points at which all curves agree have no width, and take no part in c. ValueError for fewer than two curves, numbers
    that are not finite or a level outside (0, 1). O(DRAWS n T); the same bits always.
    """
    x = np.asarray(curves, dtype=np.float64)
    if x.ndim != 2 or len(x) < 2:
        raise ValueError(f"curves have shape {x.shape}: expected (n, T) with n >= 2, one curve a seed")
    if not np.isfinite(x).all():
        i, t = np.argwhere(~np.isfinite(x))[0]
        raise ValueError(f"curves[{i}, {t}] is {x[i, t]}: expected finite numbers")
    if not 0 < level < 1:
        raise ValueError(f"level is {level}: expected a number in (0, 1)")
    n, mean = len(x), x.mean(axis=0)
    varies = (x != x[0]).any(axis=0)
    off = x[:, varies] - mean[varies]
    size = np.sqrt((off**2).sum(axis=0) / (n - 1))
    c = _critical(off / size, level) if varies.any() else 0.0
    half = np.zeros_like(mean)
    half[varies] = c * size / np.sqrt(n)
    return Band(mean, mean - half, mean + half, c)


def _critical(scores: np.ndarray, level: float) -> float:
    """The quantile of the largest of t statistics with the correlations of the scores (n, T)."""
    from scipy.stats import t

    n, points = scores.shape
    if points == 1:
        return float(t.ppf(0.5 + level / 2, n - 1))
    rng = np.random.default_rng(np.random.SeedSequence(2019))
    top = np.abs(rng.standard_normal((DRAWS, n)) @ scores).max(axis=1) / np.sqrt(n - 1)
    return float(np.quantile(top / np.sqrt(rng.chisquare(n - 1, DRAWS) / (n - 1)), level))
