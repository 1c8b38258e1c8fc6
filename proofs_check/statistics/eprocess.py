r"""Betting against a mean: one e-process, of which tests of rates and confidence sequences are both made.

Outcomes :math:`y_1, y_2, \dots \in [0, 1]` have conditional means :math:`\mu_i = E[y_i \mid y_1, \dots, y_{i-1}]`. Who bets the
fraction ``c`` of a fortune of 1 against "the mean is at most m" has after n rounds

.. math:: W_n(c) = \prod_{i \le n} \bigl(1 - c + c\, y_i / m\bigr), \qquad 0 \le c \le 1,\ 0 < m < 1,

and :math:`W_n = \sum_k w_k W_n(c_k)` mixes fixed fractions (Waudby-Smith and Ramdas 2024 call this betting, and such a mixture
the grid version of Kelly's; mixing is Robbins 1970).

*It is an e-process for "the average* :math:`\bar\mu_n = (\mu_1 + \dots + \mu_n)/n` *is at most m".* A factor has the
conditional mean :math:`1 + c(\mu_i/m - 1)`, so that
:math:`M_n = \prod (1 - c + c y_i/m) / \prod (1 + c(\mu_i/m - 1))` is a nonnegative martingale from 1, and by the
concavity of log the denominator is at most :math:`(1 + c(\bar\mu_n/m - 1))^n \le 1` where :math:`\bar\mu_n \le m`. So
:math:`W_n \le M_n` there, :math:`E[W_\tau] \le 1` at every stopping time, and by Ville's inequality (Ville 1939)
:math:`P(\exists n: W_n \ge 1/\alpha) \le \alpha`. Nothing is assumed of the outcomes but that they lie in [0, 1]:
neither independence nor one distribution, so that families may take turns. The averages need fixed fractions;
predictable ones (aGRAPA and the like) test each :math:`\mu_i \le m` only.

*Rounding.* ``log_wealth`` subtracts a bound of its own rounding (Higham 2002, sections 2.2, 3.1 and 4.2), so that
what it returns is below the exact logarithm: 1e-6 at 20,000 outcomes, against thresholds of log 20 and log 10^6.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log
from typing import Any

import numpy as np

from tabular._rounding import U, gamma_n

REFUTES = log(1e6)  # e-value at which a statement is refuted
HOLDS = log(20.0)  # e-value against its negation from which it holds
RUIN = -1e300  # log of zero, finite so that zero times it is zero


@dataclass(frozen=True)
class Bets:
    """Fractions (K,) in (0, 1] and the logarithms (K,) of their weights, which sum to at most 1."""

    fractions: np.ndarray
    log_weights: np.ndarray


def _weighted(fractions: list[float], weights: list[float]) -> Bets:
    w = np.array(weights) / (sum(weights) * (1 + 2.0**-40))  # so that they sum to at most 1, however that is rounded
    return Bets(np.array(fractions), np.log(w))


def timid() -> Bets:
    """For outcomes that are floats: fractions 1/2, 1/4, ..., 2^-9, so that every factor is at least 1/2 and has a small error."""
    return _weighted([2.0**-j for j in range(1, 10)], [1.0] * 9)


def bold() -> Bets:
    """Against "the rate of success is at most m" with m near 1: fraction c is best where failures are 1 - c times as frequent.

    A quarter of the fortune goes all at once (c = 1), which is best where nothing fails.
    """
    return _weighted([1.0, 0.75, *(2.0**-j for j in range(1, 10))], [8.0, 6.0, 6.0, 4.0, *[8.0 / 7] * 7])


# Against "the rate is at most m": the fraction min(1, r m / (1 - m)) is best at a rate of (1 + r) m.
EXCESS = 2.0 ** np.arange(-7, 9)
EXCESS_LOG_WEIGHTS = _weighted([], [1 / (1.0 + abs(j)) for j in range(-7, 9)]).log_weights


def rare(m: np.ndarray) -> np.ndarray:
    """(..., K) fractions against the rates ``m`` (...)."""
    return np.asarray(np.minimum(1.0, EXCESS * (m / (1.0 - m))[..., None]))


def log_wealth(y: Any, m: Any, bets: Bets, counts: Any = None) -> np.ndarray:
    """A lower bound (...) on log W_n, the bet against "the mean is at most m".

    Parameters
    ----------
    y : (..., n) outcomes in [0, 1].
    m : (...) in (0, 1): the mean that is bet against.
    counts : (..., n), optional. How often each outcome came; with ``y`` (n,) and ``m`` a number, one table serves them all.

    Cost: n K logarithms for each entry of ``m``. Raises ValueError for outcomes outside of [0, 1], of which no bet is fair.
    """
    y, m = np.asarray(y, dtype=np.float64), np.asarray(m, dtype=np.float64)
    if not ((y >= 0) & (y <= 1)).all() or not ((m > 0) & (m < 1)).all():
        raise ValueError("log_wealth: expected outcomes in [0, 1] and means in (0, 1)")
    c = bets.fractions
    with np.errstate(divide="ignore"):
        table = np.log1p(c * (y / m[..., None] - 1.0)[..., None])  # (..., n, K)
    table = np.where(np.isneginf(table), RUIN, table)
    if counts is None:
        total, size, n = table.sum(axis=-2), np.abs(np.maximum(table, -750.0)).sum(axis=-2), y.shape[-1]
        played: Any = float(n)
    else:
        k = np.asarray(counts, dtype=np.float64)
        total = (k[..., None, :] @ table)[..., 0, :]
        size = (k[..., None, :] @ np.abs(np.maximum(table, -750.0)))[..., 0, :]
        n, played = k.shape[-1], k.sum(axis=-1)[..., None]
    # y/m - 1 and c(...) have errors of 3u (1 + y/m) at most, log1p multiplies them by 1/(factor) <= 2 (exact for a
    # factor below 1/2: zeros), and adds 8u of its result; a sum of n products adds gamma_(n+1) of their sizes.
    error = gamma_n(n + 10) * size + played * U * (8.0 + 12.0 * c * (1.0 + 1.0 / m[..., None]))
    return log_mixture(total - error, bets.log_weights)


def log_mixture(logs: np.ndarray, log_weights: np.ndarray) -> np.ndarray:
    """log sum_k w_k e^logs_k over the last axis, rounded downwards."""
    x = logs + log_weights
    top = x.max(axis=-1)
    value = top + np.log(np.exp(x - top[..., None]).sum(axis=-1))
    down: np.ndarray = value - 64 * U * (1.0 + np.abs(value))
    return down


def log_rate_above(hits: Any, n: Any, m: Any) -> np.ndarray:
    """log of the e-value against "the average rate is at most m" after ``hits`` in ``n`` trials; arguments broadcast.

    It falls as m grows: a hit multiplies a fortune by min(1 + r, 1/m), a miss by max(1 - r m / (1 - m), 0).
    """
    h, n, m = (np.asarray(x, dtype=np.float64) for x in (hits, n, m))
    return _zero_one(h, n - h, m, rare(m), EXCESS_LOG_WEIGHTS)


def log_rate_below(hits: Any, n: Any, m: Any) -> np.ndarray:
    """log of the e-value against "the average rate is at least m" after ``hits`` in ``n`` trials; arguments broadcast."""
    h, n, m = (np.asarray(x, dtype=np.float64) for x in (hits, n, m))
    bets = bold()
    return _zero_one(n - h, h, np.nextafter(1.0 - m, 1.0), bets.fractions, bets.log_weights)


def _zero_one(ones: np.ndarray, zeros: np.ndarray, m: np.ndarray, c: np.ndarray, log_weights: np.ndarray) -> np.ndarray:
    if not (ones >= 0).all() or not (zeros >= 0).all():
        raise ValueError("hits in n trials: expected 0 <= hits <= n")
    with np.errstate(divide="ignore"):
        lost = np.where(c < 1.0, np.log1p(-c), RUIN)
    won = np.log1p(c * ((1.0 - m) / m)[..., None])
    ones, zeros = ones[..., None], zeros[..., None]
    total = ones * won + zeros * lost
    # Three roundings before log1p, whose condition number is at most 1 here, its own 8u, a product and a sum.
    error = 16 * U * (ones * won + zeros * np.abs(np.maximum(lost, -750.0)))
    return log_mixture(total - error, log_weights)


def log_each_above(failed: np.ndarray, delta: np.ndarray) -> float:
    """log of the e-value against "trial i fails with probability at most delta_i, each of them".

    The bets of ``log_rate_above``, at most 63/64 of the fortune, staked at odds of 1 to delta_i: factors of
    conditional mean at most 1.
    """
    c = np.minimum(rare(delta), 63 / 64)
    return _each(np.where(failed[:, None], c * ((1.0 - delta) / delta)[:, None], -c), EXCESS_LOG_WEIGHTS)


def log_each_below(failed: np.ndarray, delta: np.ndarray) -> float:
    """log of the e-value against "the failure rates are on average at least the average of the delta_i".

    Factors ``1 + c (delta_i - y_i)`` with c fixed: the argument at the head of this module, for outcomes ``delta_i - y_i``.
    """
    bets = bold()
    return _each(bets.fractions[1:] * (delta - failed)[:, None], bets.log_weights[1:])


def _each(gains: np.ndarray, log_weights: np.ndarray) -> float:
    table = np.log1p(gains)
    size = np.abs(table).sum(axis=0)
    # Gains carry at most 3u, relatively; losses leave at least 1/64.
    error = gamma_n(len(table) + 10) * size + 192 * U * np.minimum(np.abs(gains), 1.0).sum(axis=0)
    return float(log_mixture(table.sum(axis=0) - error, log_weights))
