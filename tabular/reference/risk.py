r"""Robust and risk-sensitive MDPs as formulas over ``ops``.

With a measure :math:`\sigma` of ``tabular.risk`` and the successors ``p`` of a model (``ops.successors``: (S, A, S +
1), the end last, worth nothing),

* action values :math:`Q_V = R - \gamma\,\sigma(p, V)`,
* backups :math:`T V = \max_a Q_V` and :math:`T_\pi V = \langle\pi, Q_V\rangle`,
* the worst kernel ``q`` at V, for which :math:`Q_V = R + \gamma (\langle q, V\rangle + D(q, p))`,
* visits :math:`\mu = (I - \gamma q_\pi^\top)^{-1}\rho` under it, and the gradient :math:`\mu(s) Q_V(s,a)` of
  :math:`V^\pi(\rho)`.

Source: soft_robust (Zhang, Hu and Li 2024).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tabular.errors import ImproperModel, NotConverged
from tabular.reference.ball_ops import BallOps
from tabular.reference.numpy_ops import NumpyOps
from tabular.reference.rational_ops import RationalOps
from tabular.reference.value import Value
from tabular.risk import Entropic

STEPS = 40


def at_successors(ops: Any, p: Any, V: Any) -> Any:
    """Values (S,) at the successors: (S, A, S + 1), zero at the end."""
    S = V.shape[0]
    after = ops.where(np.arange(S + 1) < S, ops.take(V, np.arange(S + 1) % S), 0)
    return 0 * p + after[None, None, :]


def q_values(ops: Any, m: Any, p: Any, V: Any, risk: Any) -> Any:
    r""":math:`R - \gamma\,\sigma(p, V)`: (S, A), zero where unavailable."""
    return m.R - m.gamma * risk.sigma(ops, p, at_successors(ops, p, V))


def backup(ops: Any, m: Any, p: Any, V: Any, risk: Any) -> Any:
    """Optimality backup: (S,)."""
    return ops.max(q_values(ops, m, p, V, risk), where=m.mask)


def worst(ops: Any, p: Any, V: Any, risk: Any) -> Any:
    """The worst kernel at V: (S, A, S + 1)."""
    return risk.worst(ops, p, at_successors(ops, p, V))


def chain(ops: Any, q: Any, pi: Any) -> Any:
    """Transitions between states of a policy under a kernel, the end apart: (S, S)."""
    return ops.sum(pi[:, :, None] * q, axis=-2)[:, :-1]


def resolvent(ops: Any, m: Any, q: Any, pi: Any) -> Any:
    """``I - gamma q_pi``: (S, S)."""
    return ops.identity(m.S) - m.gamma * chain(ops, q, pi)


def value_under(ops: Any, m: Any, q: Any, pi: Any, bonus: Any = None) -> Any:
    """Value (S,) of a policy where transitions are ``q`` and ``bonus`` (S, A) is added to the rewards."""
    return ops.solve(resolvent(ops, m, q, pi), ops.dot(pi, m.R if bonus is None else m.R + bonus))


def visits(ops: Any, m: Any, q: Any, pi: Any, rho: Any) -> Any:
    """Expected discounted visits (S,) of each state from ``rho`` (S,) under ``q``, unnormalised."""
    return ops.solve(ops.transpose(resolvent(ops, m, q, pi)), rho)


def log_z_backup(ops: Any, m: Any, p: Any, zeta: Any, beta: Any) -> Any:
    r"""Logarithm of the Z-operator at :math:`\zeta = \log Z`, (S, A): :math:`\log E\,e^{-\beta V}`, V = ``z_value``."""
    return ops.constant(beta) * Entropic(beta).sigma(ops, p, at_successors(ops, p, z_value(ops, m, zeta, beta)))


def z_value(ops: Any, m: Any, zeta: Any, beta: Any) -> Any:
    r""":math:`\max_a \{R - (\gamma/\beta) \zeta\}`: (S,)."""
    return ops.max(m.R - m.gamma / ops.constant(beta) * zeta, where=m.mask)


def policy_value(ops: Any, m: Any, p: Any, pi: Any, risk: Any) -> Any:
    r"""Risk value :math:`V^\pi` of a policy, the fixed point of :math:`T_\pi`: (S,), enclosed (exact in rationals)."""
    return fixed_point(ops, m, p, risk, _of_policy, pi)


def optimal_value(ops: Any, m: Any, p: Any, risk: Any) -> Any:
    """Optimal risk value, the fixed point of T: (S,), enclosed (exact in rationals)."""
    return fixed_point(ops, m, p, risk, _optimal)


def nested_value(ops: Any, m: Any, p: Any, pi: Any, risk: Any) -> Any:
    r"""The value where the draw of the action is measured by the same risk: :math:`V_R = -\sigma(\pi, Q_{V_R})`, (S,)."""
    return fixed_point(ops, m, p, risk, _nested, pi)


Step = Callable[..., tuple[Any, Any]]


def _of_policy(ops: Any, m: Any, p: Any, risk: Any, V: Any, pi: Any) -> tuple[Any, Any]:
    return ops.dot(pi, q_values(ops, m, p, V, risk)), chain(ops, worst(ops, p, V, risk), pi)


def _optimal(ops: Any, m: Any, p: Any, risk: Any, V: Any) -> tuple[Any, Any]:
    Q = q_values(ops, m, p, V, risk)
    pi = ops.first_max(ops.inflate(Q, ops.constant(0)), where=m.mask)
    return ops.max(Q, where=m.mask), chain(ops, worst(ops, p, V, risk), pi)


def _nested(ops: Any, m: Any, p: Any, risk: Any, V: Any, pi: Any) -> tuple[Any, Any]:
    Q = q_values(ops, m, p, V, risk)
    return -risk.sigma(ops, pi, Q), chain(ops, worst(ops, p, V, risk), risk.worst(ops, pi, Q))


def fixed_point(ops: Any, m: Any, p: Any, risk: Any, step: Step, *given: Any) -> Any:
    r"""The fixed point of a ``gamma``-contraction in sup norm: ``step(ops, m, p, risk, V, *given)`` returns ``TV`` and a matrix M.

    Newton's steps :math:`V + (I - \gamma M)^{-1}(TV - V)`, where :math:`\gamma M` is a derivative of T, propose in floats (in balls
    they go on at midpoints); the residual proves :math:`\|V - V^*\| \le \|TV - V\|/(1-\gamma)`. In rationals the steps go on until
    nothing changes. Where actions are chosen, each policy is evaluated to the end before it is improved: Newton's steps against
    policy and adversary at once may go round in circles. ImproperModel at ``gamma = 1``; NotConverged where rationals
    do not settle.
    """
    if np.max(m.source.gamma) >= 1.0:
        raise ImproperModel("risk values at gamma = 1 are not covered: the backup is a contraction for gamma < 1 alone")
    own = lambda V: step(ops, m, p, risk, V, *given)  # noqa: E731
    if isinstance(ops, (NumpyOps, RationalOps)):
        solve: Any = _settled if isinstance(ops, RationalOps) else _proposed
        return _improved(ops, m, p, risk, solve) if step is _optimal else solve(ops, m, own, 0 * ops.sum(m.R))
    floats = NumpyOps(ops.batch)
    near = lambda x: Value(floats, ops.midpoint(x), x.ndim) if isinstance(x, Value) else x  # noqa: E731
    plain, values = type(risk)(*map(near, risk)), [near(x) for x in given]
    V = ops.array(fixed_point(floats, floats.model(m.source), near(p), plain, step, *values).data, 1)
    V, d = _sharpened(ops, m, own, V) if isinstance(ops, BallOps) else (V, own(V)[0] - V)
    return ops.inflate(V, ops.norm(d) / (1 - m.gamma))


def _newton(ops: Any, m: Any, V: Any, d: Any, M: Any) -> Any:
    return ops.inflate(V + ops.solve(ops.identity(m.S) - m.gamma * M, d), ops.constant(0))


def _improved(ops: Any, m: Any, p: Any, risk: Any, solve: Callable[..., Any]) -> Any:
    """Policy iteration in floats or rationals: actions are kept unless others are better, beyond what rounding can feign."""
    V = 0 * ops.sum(m.R)
    pi = ops.first_max(m.R, where=m.mask)
    for _ in range(STEPS):
        V = solve(ops, m, lambda V: _of_policy(ops, m, p, risk, V, pi), V)  # noqa: B023
        Q = q_values(ops, m, p, V, risk)
        own = ops.dot(pi, Q)
        gain = ops.max(Q, where=m.mask) - own
        if isinstance(ops, RationalOps):
            better = ops.sign(gain) > 0
        else:
            size = np.max(np.abs(V.data), axis=-1) + np.max(np.abs(m.R.data), axis=(-2, -1))
            feigned = 2.0**-44 * size + 2 * np.max(np.abs((own - V).data), axis=-1)
            better = gain.data > feigned[..., None]
        if not better.any():
            return V
        pi = ops.where(better[..., None], ops.first_max(Q, where=m.mask), pi)
    if isinstance(ops, RationalOps):
        raise NotConverged(f"exact robust policy iteration took more than {STEPS} steps")
    return V


@np.errstate(all="ignore")
def _proposed(ops: NumpyOps, m: Any, step: Callable[[Any], tuple[Any, Any]], V: Any) -> Any:
    """The values of least residual on the way. They fall from the second step on, though their residuals may not."""
    best, least = V, np.full(ops.lead, np.inf)
    last, done = np.full(ops.lead, np.inf), np.zeros(ops.lead, dtype=bool)
    for _ in range(STEPS):
        TV, M = step(V)
        d = TV - V
        size = np.max(np.abs(d.data), axis=-1)
        best = ops.where((size < least)[..., None], V, best)
        least = np.minimum(size, least)
        if done.all():
            break
        W = _newton(ops, m, V, d, M)
        change = np.max(np.abs((W - V).data), axis=-1)
        scale = np.max(np.abs(W.data), axis=-1)
        done |= (change <= 2.0**-50 * scale) | ((change <= 2.0**-20 * scale) & (change >= last))
        V, last = W, change
    return best


def _sharpened(ops: BallOps, m: Any, step: Callable[[Any], tuple[Any, Any]], V: Any) -> tuple[Any, Any]:
    """Values and their residual, within 40 bits of the precision, or as it was when it no longer shrank."""
    least = np.inf
    for _ in range(STEPS):
        TV, M = step(V)
        d = TV - V
        size, scale = np.max(np.abs(ops.bounds(d))), max(1.0, float(np.max(np.abs(ops.midpoint(V)))))
        if size <= 2.0 ** (40 - ops.precision) * scale or size >= 0.5 * least:
            break
        V, least = _newton(ops, m, V, d, M), size
    return V, d


def _settled(ops: RationalOps, m: Any, step: Callable[[Any], tuple[Any, Any]], V: Any) -> Any:
    for _ in range(STEPS):
        TV, M = step(V)
        d = TV - V
        if not np.any(ops.sign(d)):
            return V
        V = _newton(ops, m, V, d, M)
    raise NotConverged(f"exact policy iteration against the worst kernel took more than {STEPS} steps")
