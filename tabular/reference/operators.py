r"""The operators of a (regularised) MDP, as formulas over ``ops``.

With :math:`Q_V(s,a) = R(s,a) + \gamma \sum_t P(t|s,a) V(t)`, a regulariser :math:`\Omega` and its conjugate :math:`\Omega^*`:

* optimality backup :math:`(TV)(s) = \Omega^*(Q_V(s,\cdot))`,
* policy backup :math:`(T_\pi V)(s) = \langle \pi(\cdot|s), Q_V(s,\cdot)\rangle - \Omega(\pi(\cdot|s))`,
* value of a policy :math:`V^\pi = (I-\gamma P_\pi)^{-1}(R_\pi - \Omega(\pi))`,
* visits :math:`\mu = (I-\gamma P_\pi^\top)^{-1} \rho`, unnormalised: their sum is the expected discounted number of steps.

What ends is worth nothing afterwards, so an ending enters only through the missing mass of ``P``. Source: Puterman 1994, sections
6.1-6.2; Geist, Scherrer and Pietquin 2019, section 2. ``ops`` is always the first argument and ``m`` a ``Model``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tabular.regularizers import Hard


def _regularizer(regularizer: Any) -> Any:
    return Hard() if regularizer is None else regularizer


def q_backup(ops: Any, m: Any, V: Any) -> Any:
    """``R + gamma E[V(next)]``: (S, A)."""
    return m.R + m.gamma * ops.expect(m.P, V)


def backup(ops: Any, m: Any, V: Any, regularizer: Any = None) -> Any:
    """Optimality backup ``T V``: (S,)."""
    return _regularizer(regularizer).conjugate(ops, q_backup(ops, m, V), m.mask)


def policy_of(ops: Any, m: Any, V: Any, regularizer: Any = None) -> Any:
    """The (regularised) greedy policy of ``V``: (S, A)."""
    return _regularizer(regularizer).policy(ops, q_backup(ops, m, V), m.mask)


def policy_backup(ops: Any, m: Any, pi: Any, V: Any, regularizer: Any = None) -> Any:
    """``T_pi V``: (S,)."""
    return ops.dot(pi, q_backup(ops, m, V)) - _regularizer(regularizer).value(ops, pi, m.mask)


def policy_reward(ops: Any, m: Any, pi: Any, regularizer: Any = None) -> Any:
    """``R_pi - Omega(pi)``: (S,)."""
    return ops.dot(pi, m.R) - _regularizer(regularizer).value(ops, pi, m.mask)


def resolvent(ops: Any, m: Any, pi: Any) -> Any:
    """``I - gamma P_pi``: (S, S)."""
    return ops.identity(m.S) - m.gamma * ops.transition(m.P, pi)


def evaluate(ops: Any, m: Any, pi: Any, regularizer: Any = None) -> Any:
    """Value of a policy ``V^pi``: (S,)."""
    return ops.solve(resolvent(ops, m, pi), policy_reward(ops, m, pi, regularizer))


def q_of_policy(ops: Any, m: Any, pi: Any, regularizer: Any = None) -> Any:
    """``Q^pi = Q_{V^pi}``: (S, A)."""
    return q_backup(ops, m, evaluate(ops, m, pi, regularizer))


def state_visits(ops: Any, m: Any, pi: Any, rho: Any = None) -> Any:
    """Expected discounted visits of each state from ``rho`` (the model's if None): (S,). ModelError where there is none."""
    return ops.solve(ops.transpose(resolvent(ops, m, pi)), m.start if rho is None else rho)


def occupancy(ops: Any, m: Any, pi: Any, rho: Any = None) -> Any:
    """Expected discounted visits of each pair, unnormalised: (S, A). ModelError without a start distribution."""
    return state_visits(ops, m, pi, rho)[:, None] * pi


def successor_mass(ops: Any, m: Any) -> Any:
    """``1 - end``, the mass that a pair passes on; zero where unavailable: (S, A)."""
    return ops.where(m.mask, 1 - m.end, 0)


def residual(ops: Any, m: Any, V: Any, regularizer: Any = None) -> Any:
    """``T V - V``: (S,)."""
    return backup(ops, m, V, regularizer) - V


def backward_induction(ops: Any, stages: Sequence[Any], terminal: Any, regularizer: Any = None) -> list[Any]:
    """Optimal values ``V_0 ... V_H`` of a finite horizon; ``stages`` are the models of steps 0 ... H-1."""

    def step(V: Any, m: Any) -> tuple[Any, Any]:
        W = backup(ops, m, V, regularizer)
        return W, W

    _, values = ops.scan(step, terminal, list(stages)[::-1])
    return [*values[::-1], terminal]


def policy_induction(
    ops: Any, stages: Sequence[Any], terminal: Any, policies: Sequence[Any], regularizer: Any = None
) -> list[Any]:
    """Values ``V_0 ... V_H`` of a Markov policy ``pi_0 ... pi_{H-1}``."""

    def step(V: Any, stage: Any) -> tuple[Any, Any]:
        W = policy_backup(ops, stage[0], stage[1], V, regularizer)
        return W, W

    _, values = ops.scan(step, terminal, list(zip(stages, policies, strict=True))[::-1])
    return [*values[::-1], terminal]


def forward_visits(ops: Any, stages: Sequence[Any], rho: Any, policies: Sequence[Any]) -> list[Any]:
    """Probabilities of each state at steps 0 ... H (sub-probabilities where the process may have ended)."""

    def step(d: Any, stage: Any) -> tuple[Any, Any]:
        after = ops.sum(ops.transpose(d[:, None] * ops.transition(stage[0].P, stage[1])))
        return after, after

    _, visits = ops.scan(step, rho, list(zip(stages, policies, strict=True)))
    return [rho, *visits]
