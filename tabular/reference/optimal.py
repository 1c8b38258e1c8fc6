r"""Optimal values as enclosures: floats propose, the arithmetic at hand verifies.

Newton's method in float64, which is (soft) policy iteration, proposes ``V``. In rationals it goes on exactly until
nothing improves. In balls more steps sharpen ``V`` at the midpoints, and there and in float enclosures the residual
proves :math:`\|V - V^*\|_\infty \le \|TV - V\|_\infty / (1-\gamma)`, ``T`` being a ``gamma``-contraction.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from tabular.errors import ImproperModel, NoExactForm, NotConverged
from tabular.reference import operators
from tabular.reference.ball_ops import BallOps
from tabular.reference.numpy_ops import NumpyOps
from tabular.reference.rational_ops import RationalOps
from tabular.reference.value import Value
from tabular.regularizers import Hard

MAX_STEPS = 200
BALL_STEPS = 40
SPARE = 32
REGULARISED_BITS = 2**14
"""Digits at which regularised values are given up as rationals: Tsallis' are roots, and each step doubles the digits."""


def newton_step(ops: Any, m: Any, V: Value, regularizer: Any) -> tuple[Value, Value]:
    """``V + (I - gamma P_pi)^-1 (TV - V)`` for the greedy ``pi``, and ``TV - V``.

    In exact arithmetic this is a step of (soft) policy iteration, ``V^pi``; written so it never forms ``Omega(pi)``,
    whose rounding a large temperature would multiply, and corrects its own errors.
    """
    Q = operators.q_backup(ops, m, V)
    d = regularizer.conjugate(ops, Q, m.mask) - V
    at_midpoint = ops.inflate(Q, ops.constant(0))  # a proposal: balls that tie must not leave the policy open
    pi = regularizer.policy(ops, at_midpoint, m.mask)
    return V + ops.solve(operators.resolvent(ops, m, pi), d), d


def propose(source: Any, regularizer: Any, batch: int | None) -> np.ndarray:
    """Float64 optimal values by Newton's method on ``V = TV``: (batch +) (S,). No error is claimed.

    Newton's values rise monotonically though their residuals may not, so it stops where values stand still: at a relative change of
    ``2**-50``, or where changes below ``2**-20`` no longer shrink (rounding). The values of least residual are returned.
    """
    ops = NumpyOps(batch)
    m = ops.model(source)
    V = Value(ops, np.zeros((*m.mask.shape[:-2], m.S)), 1)
    best, least, last = V.data, np.full(m.mask.shape[:-2], np.inf), np.full(m.mask.shape[:-2], np.inf)
    done = np.zeros(m.mask.shape[:-2], dtype=bool)
    for _ in range(MAX_STEPS):
        W, d = newton_step(ops, m, V, regularizer)
        residual = np.max(np.abs(d.data), axis=-1)
        best = np.where((residual < least)[..., None], V.data, best)
        least = np.minimum(residual, least)
        if done.all():
            break
        scale = np.maximum(np.max(np.abs(W.data), axis=-1), np.finfo(float).tiny)
        change = np.max(np.abs(W.data - V.data), axis=-1) / scale
        done |= (change <= 2.0**-50) | (change <= 2.0**-20) & (change >= last)
        V, last = W, change
    return np.asarray(best)


def optimal_value(ops: Any, m: Any, regularizer: Any = None) -> Value:
    """An enclosure of ``V*`` (of the regularised model): (S,). Needs ``gamma < 1``.

    Raises ImproperModel at ``gamma = 1``; NoExactForm where a regulariser leaves the rationals.
    """
    regularizer = Hard() if regularizer is None else regularizer
    if np.max(m.source.gamma) >= 1.0:
        raise ImproperModel("optimal values at gamma = 1 need an analysis of end components: use tabular.solve")
    V = propose(m.source, _floats(ops, regularizer), ops.batch)
    if isinstance(ops, RationalOps):
        return _exact(ops, m, V, regularizer)
    best = sharpened(ops, m, ops.array(V, 1), regularizer) if isinstance(ops, BallOps) else ops.array(V, 1)
    radius = ops.norm(operators.residual(ops, m, best, regularizer)) / (1 - m.gamma)
    return Value(ops, ops.inflate(best, radius).data, 1)


def sharpened(ops: BallOps, m: Any, V: Value, regularizer: Any) -> Value:
    """Newton steps at the midpoints until the residual is within 40 bits of the precision (or ``BALL_STEPS``).

    A step squares the residual, up to a factor that ``SPARE`` bits pay for: the last one starts below the root of the goal.
    """
    for _ in range(BALL_STEPS):
        V, d = newton_step(ops, m, V, regularizer)
        V = ops.inflate(V, ops.constant(0))
        scale = max(1.0, float(np.max(np.abs(ops.midpoint(V)))))
        if np.max(np.abs(ops.bounds(d))) <= 2.0 ** ((40 - ops.precision) / 2 - SPARE) * scale:
            break
    return V


def _floats(ops: Any, regularizer: Any) -> Any:
    """The regulariser with its parameters as plain floats (they may be ``Value``s of ``ops``)."""
    plain = {k: ops.midpoint(v) if isinstance(v, Value) else v for k, v in regularizer._asdict().items()}
    return type(regularizer)(**plain)


def _exact(ops: RationalOps, m: Any, V: np.ndarray, regularizer: Any) -> Value:
    """Newton's steps are those of policy iteration: values rise until ``TV = V``, so that no policy returns (Howard 1960)."""
    W = ops.array(V, 1)
    for _ in range(MAX_STEPS):
        new, d = newton_step(ops, m, W, regularizer)
        if all(x == 0 for x in d.data):
            return W
        W = new
        if not isinstance(regularizer, Hard) and max(int(x.q).bit_length() for x in W.data) > REGULARISED_BITS:
            raise NoExactForm(
                "the regularised optimal value is not rational, as far as Newton's method tells: use balls"
            )
    raise NotConverged(f"exact policy iteration took more than {MAX_STEPS} steps (gamma = {Fraction(m.source.gamma)})")
