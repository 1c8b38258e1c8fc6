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
from tabular.reference.rational_ops import RationalOps
from tabular.risk import Entropic

STEPS = 40
PATIENCE = 3


def at_successors(ops: Any, p: Any, V: Any) -> Any:
    """Values (S,) at the successors: (S, A, S + 1), zero at the end."""
    after = ops.stack([*(V[t] for t in range(V.shape[0])), 0 * V[0]])
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

    def step(V: Any) -> tuple[Any, Any]:
        return ops.dot(pi, q_values(ops, m, p, V, risk)), chain(ops, worst(ops, p, V, risk), pi)

    return fixed_point(ops, m, step)


def optimal_value(ops: Any, m: Any, p: Any, risk: Any) -> Any:
    """Optimal risk value, the fixed point of T: (S,), enclosed (exact in rationals)."""

    def step(V: Any) -> tuple[Any, Any]:
        Q = q_values(ops, m, p, V, risk)
        pi = ops.first_max(ops.inflate(Q, ops.constant(0)), where=m.mask)
        return ops.max(Q, where=m.mask), chain(ops, worst(ops, p, V, risk), pi)

    return fixed_point(ops, m, step)


def nested_value(ops: Any, m: Any, p: Any, pi: Any, risk: Any) -> Any:
    """The value where the draw of the action is measured by the same risk: :math:`V_R = -\\sigma(\\pi, Q_{V_R})`, (S,)."""

    def step(V: Any) -> tuple[Any, Any]:
        Q = q_values(ops, m, p, V, risk)
        return -risk.sigma(ops, pi, Q), chain(ops, worst(ops, p, V, risk), risk.worst(ops, pi, Q))

    return fixed_point(ops, m, step)


def fixed_point(ops: Any, m: Any, step: Callable[[Any], tuple[Any, Any]]) -> Any:
    r"""The fixed point of a ``gamma``-contraction in sup norm: ``step(V)`` returns ``TV`` and a matrix M.

    Newton's steps :math:`V + (I - \gamma M)^{-1}(TV - V)`, where :math:`\gamma M` is a derivative of T, propose; the
    residual proves :math:`\|V - V^*\| \le \|TV - V\|/(1-\gamma)`. Proposals need no proof, so they are taken at
    midpoints. In rationals the steps go on until nothing changes. ImproperModel at ``gamma = 1``; NotConverged where
    rationals do not settle.
    """
    if np.max(m.source.gamma) >= 1.0:
        raise ImproperModel("risk values at gamma = 1 are not covered: the backup is a contraction for gamma < 1 alone")
    V = best = 0 * ops.sum(m.R)
    least, waited = np.full(ops.lead, np.inf), np.zeros(ops.lead)
    goal = 2.0 ** (40 - ops.precision) if isinstance(ops, BallOps) else 0.0
    for _ in range(STEPS):
        TV, M = step(V)
        d = TV - V
        if isinstance(ops, RationalOps):
            if not np.any(ops.sign(d)):
                return V
        else:
            with np.errstate(invalid="ignore"):
                size = np.max(np.abs(ops.midpoint(d)), axis=-1)
            better = size < least
            best = ops.where(better[..., None], V, best)
            waited = np.where(better, 0, waited + 1)
            least = np.where(better, size, least)
            scale = np.maximum(np.max(np.abs(ops.midpoint(V)), axis=-1), 1.0)
            if np.all((waited >= PATIENCE) | (least <= goal * scale)):
                break
        V = ops.inflate(V + ops.solve(ops.identity(m.S) - m.gamma * M, d), ops.constant(0))
    if isinstance(ops, RationalOps):
        raise NotConverged(f"exact policy iteration against the worst kernel took more than {STEPS} steps")
    best = ops.inflate(best, ops.constant(0))
    radius = ops.norm(step(best)[0] - best) / (1 - m.gamma)
    return ops.inflate(best, radius)
