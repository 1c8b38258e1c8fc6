r"""Programs over occupancies as formulas over ``ops``: feasibility, slacks, Lagrangians and objectives.

:math:`\mu` (S, A) are expected discounted visits, unnormalised, :math:`Q_V = R + \gamma P V`. Source: d'Epenoux 1963; Puterman
1994, section 6.9; Altman 1999; Neu, Jonsson and Gomez 2017.
"""

from __future__ import annotations

from typing import Any

from tabular.reference import operators


def slack(ops: Any, m: Any, V: Any) -> Any:
    """``V(s) - Q_V(s, a)``, zero where unavailable: (S, A). Not negative where V is feasible."""
    return ops.where(m.mask, V[:, None] - operators.q_backup(ops, m, V), 0)


def earned(ops: Any, m: Any, mu: Any) -> Any:
    """``<mu, R>``."""
    return ops.sum(ops.dot(mu, m.R))


def outflow(ops: Any, m: Any, mu: Any) -> Any:
    """What leaves each state less what of ``mu`` flows into it, discounted: (S,). The start, for occupancies."""
    arriving = ops.sum(ops.transpose(ops.transition(m.P, mu)))
    return ops.sum(mu) - m.gamma * arriving


def conditional(ops: Any, mu: Any) -> Any:
    """The policy ``mu(s, a) / mu(s)``, all states being visited."""
    return mu / ops.sum(mu)[:, None]


def feasible(ops: Any, m: Any, V: Any, regularizer: Any = None) -> Any:
    r"""``V + c`` with the least :math:`c \ge 0` that is sure to make :math:`T(V + c) \le V + c`: (S,). For ``gamma < 1``."""
    mass = ops.largest(operators.successor_mass(ops, m), m.mask)
    excess = ops.maximum(ops.max(operators.residual(ops, m, V, regularizer)), 0)
    return V + excess / (1 - m.gamma * mass)


def priced(m: Any, costs: Any, lam: Any) -> Any:
    """The model with the rewards ``R - lam * costs``."""
    return m._replace(R=m.R - lam * costs)


def entropic_objective(ops: Any, m: Any, mu: Any, tau: Any) -> Any:
    r""":math:`\langle \mu, R \rangle + \tau \sum_s \mu(s) H(\mu(s,\cdot)/\mu(s))`, as :math:`\sum_s \mu(s) \log \mu(s) - \sum_{s,a}
    \mu(s,a) \log \mu(s,a)`: no division."""
    states = ops.sum(mu)
    return earned(ops, m, mu) + tau * (ops.sum(ops.xlogx(states)) - ops.sum(ops.sum(ops.xlogx(mu))))


def regularized_objective(ops: Any, m: Any, pi: Any, rho: Any, regularizer: Any) -> Any:
    r""":math:`\langle \mu, R \rangle - \sum_s \mu(s) \Omega(\pi(\cdot|s))` for the occupancies of a policy from ``rho``."""
    visits = operators.state_visits(ops, m, pi, rho)
    return earned(ops, m, visits[:, None] * pi) - ops.dot(visits, regularizer.value(ops, pi, m.mask))
