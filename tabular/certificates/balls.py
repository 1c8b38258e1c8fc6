"""Regularisers in balls, for residuals in doubled precision."""

from __future__ import annotations

from typing import Any

import numpy as np

from tabular._rounding import U
from tabular.certificates.doubled import UNDERFLOW, up

PRECISION = 224
PAIRS = 40_000  # beyond so many pairs, balls cost more than a second


def conjugate_residual(
    regularizer: Any, qh: np.ndarray, ql: np.ndarray, h: np.ndarray, low: np.ndarray, mask: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """``Omega*(qh + ql) - (h + low)`` for each state: floats (S,) and bounds on their errors (S,)."""
    from tabular.reference import BallOps

    ops = BallOps(PRECISION)
    with ops:
        Q = ops.array(np.where(mask, qh, 0.0), 2) + ops.array(np.where(mask, ql, 0.0), 2)
        d = regularizer.conjugate(ops, Q, mask) - ops.array(h, 1) - ops.array(low, 1)
        lower, upper = ops.bounds(d)
    middle = 0.5 * lower + 0.5 * upper
    return middle, up(np.maximum(upper - middle, middle - lower))


def penalty(regularizer: Any, pi: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """``Omega(pi)`` of the rows of ``pi`` divided by their exact sums: pairs (S,), (S,) and bounds on their
    errors (S,).
    """
    from tabular.reference import BallOps

    ops = BallOps(PRECISION)
    with ops:
        value = regularizer.value(ops, ops.distribution(pi), mask)
        high = ops.midpoint(value)
        rest = value - ops.array(high, 1)
        low = ops.midpoint(rest)
        lower, upper = ops.bounds(rest - ops.array(low, 1))
    return high, low, up(np.maximum(np.abs(lower), np.abs(upper))) + U * UNDERFLOW
