r"""Confidence sequences: the means that the bets of ``eprocess`` do not reject, valid at every stopping time.

:math:`W_n(m)` falls as m grows, since each factor :math:`1 - c + c y/m` does; so the means whose e-value stays below
:math:`1/\alpha` are an interval, and its end, found by bisection and rounded outwards, is a limit: by Ville's
inequality the average of the conditional means lies beyond it at some time with probability at most alpha
(Waudby-Smith and Ramdas 2024: confidence sequences by betting).
"""

from __future__ import annotations

from collections.abc import Callable
from math import log
from typing import Any

import numpy as np

from proofs_check.statistics.eprocess import Bets, log_rate_above, log_rate_below, log_wealth, timid

STEPS = 52  # halvings: to 2^-52 of the range


def upper_rate(hits: Any, n: Any, level: float = 0.05, steps: int = STEPS) -> np.ndarray:
    """Upper confidence limit of the average rate after ``hits`` in ``n`` trials; 1 where there are too few."""
    h, n = np.broadcast_arrays(np.asarray(hits, dtype=np.float64), np.asarray(n, dtype=np.float64))
    return 1.0 - _least(lambda m: log_rate_below(h, n, 1.0 - m) < -log(level), h.shape, steps)


def least_delta(hits: Any, n: Any, threshold: float, steps: int = STEPS) -> np.ndarray:
    """The least rate against which the e-value is below ``exp(threshold)``: with log 20, the lower confidence limit."""
    h, n = np.broadcast_arrays(np.asarray(hits, dtype=np.float64), np.asarray(n, dtype=np.float64))
    return _least(lambda m: log_rate_above(h, n, m) < threshold, h.shape, steps)


def lower_mean(y: Any, level: float, *, bets: Bets | None = None, counts: Any = None, steps: int = STEPS) -> np.ndarray:
    """Lower confidence limit (...) of the average mean of outcomes ``y`` (..., n) in [0, 1]; 0 where there are too few.

    ``counts`` (..., n), optional: how often each outcome came.
    """
    y = np.asarray(y, dtype=np.float64)
    shape = y.shape[:-1] if counts is None else np.broadcast_shapes(y.shape, np.shape(counts))[:-1]
    chosen = timid() if bets is None else bets
    return _least(lambda m: log_wealth(y, m, chosen, counts) < -log(level), shape, steps)


def upper_mean(y: Any, level: float, *, bets: Bets | None = None, counts: Any = None, steps: int = STEPS) -> np.ndarray:
    """Upper confidence limit; see ``lower_mean``."""
    low = lower_mean(1.0 - np.asarray(y, dtype=np.float64), level, bets=bets, counts=counts, steps=steps)
    return np.nextafter(1.0 - low, np.inf)


def _least(survives: Callable[[np.ndarray], np.ndarray], shape: tuple[int, ...], steps: int) -> np.ndarray:
    """The largest m on the bisection below which nothing survives: a lower bound on the least m that does, 0 at least."""
    low, high = np.zeros(shape), np.ones(shape)
    for _ in range(steps):
        middle = (low + high) / 2
        alive = survives(middle)
        high, low = np.where(alive, middle, high), np.where(alive, low, middle)
    return low
