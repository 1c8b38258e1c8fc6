r"""Foundations, part 3: policies, their visits, and two models compared.

:math:`\mu` are expected discounted visits of pairs, not normalised; :math:`\rho` is a start distribution.
"""

from __future__ import annotations

from typing import Any

from proofs_check import (
    Identity,
    Inequality,
    claim,
    distributions,
    families,
    models,
    policies,
    scalars,
    temperatures,
    twin,
    values,
)
from proofs_check.claim import discounted, no_endings
from tabular.reference import operators
from tabular.regularizers import Shannon

TWO = {"pi": policies(), "other": policies(), "rho": distributions()}
ONE = {"pi": policies(), "rho": distributions()}
KAKADE = "Kakade and Langford 2002, Lemma 6.1"


@claim(
    id="foundations.C19",
    family=families.general(),
    draws=TWO,
    assumptions=(discounted,),
    source=KAKADE,
    kind="identity",
)
def performance_difference(ops: Any, m: Any, pi: Any, other: Any, rho: Any) -> Identity:
    r"""\rho V^{\pi'} - \rho V^\pi = \sum_{s,a} \mu^{\pi'}(s,a) (Q^\pi(s,a) - V^\pi(s)).

    Proof: telescope :math:`V^{\pi'} - V^\pi = \sum_k (\gamma P_{\pi'})^k (T_{\pi'} V^\pi - V^\pi)`.
    """
    V = ops.evaluate(m, pi)
    gain = ops.dot(rho, ops.evaluate(m, other)) - ops.dot(rho, V)
    advantage = operators.q_backup(ops, m, V) - V[:, None]
    return Identity(gain, ops.sum(ops.dot(ops.occupancy(m, other, rho), advantage)))


@twin(performance_difference, why="visits of the old policy")
def performance_difference_of_old_visits(ops: Any, m: Any, pi: Any, other: Any, rho: Any) -> Identity:
    V = ops.evaluate(m, pi)
    gain = ops.dot(rho, ops.evaluate(m, other)) - ops.dot(rho, V)
    visits = operators.state_visits(ops, m, pi, rho)[:, None] * other
    return Identity(gain, ops.sum(ops.dot(visits, operators.q_backup(ops, m, V) - V[:, None])))


SOFT = TWO | {"tau": temperatures(orders=8)}


@claim(
    id="foundations.C20",
    family=families.general(),
    draws=SOFT,
    assumptions=(discounted,),
    source=KAKADE + ", regularised",
    kind="identity",
)
def soft_performance_difference(ops: Any, m: Any, pi: Any, other: Any, rho: Any, tau: Any) -> Identity:
    r"""\rho V_\tau^{\pi'} - \rho V_\tau^\pi = \sum_s \mu^{\pi'}(s) (T_{\pi'} V_\tau^\pi - V_\tau^\pi)(s) with the
    regularised policy backup.

    Proof: as for C19; the regulariser of the new policy is inside its backup.
    """
    reg = Shannon(tau)
    V = ops.evaluate(m, pi, reg)
    gain = ops.dot(rho, ops.evaluate(m, other, reg)) - ops.dot(rho, V)
    visits = operators.state_visits(ops, m, other, rho)
    return Identity(gain, ops.dot(visits, ops.policy_backup(m, other, V, reg) - V))


@twin(soft_performance_difference, why="the new policy's entropy is left out")
def soft_performance_difference_without_entropy(ops: Any, m: Any, pi: Any, other: Any, rho: Any, tau: Any) -> Identity:
    reg = Shannon(tau)
    V = ops.evaluate(m, pi, reg)
    gain = ops.dot(rho, ops.evaluate(m, other, reg)) - ops.dot(rho, V)
    visits = operators.state_visits(ops, m, other, rho)
    return Identity(gain, ops.dot(visits, ops.policy_backup(m, other, V) - V))


@claim(
    id="foundations.C21",
    family=families.general(),
    draws={"pi": policies()},
    assumptions=(discounted,),
    source="Howard 1960; Puterman 1994, Prop. 6.4.1",
    kind="inequality",
    instances=families.SMALL,  # ties of greedy actions are settled in rationals alone
)
def improvement(ops: Any, m: Any, pi: Any) -> Inequality:
    r"""V^{\pi'} \ge V^\pi, state by state, for \pi' greedy with respect to V^\pi.

    Proof: :math:`T_{\pi'} V^\pi = T V^\pi \ge V^\pi`, and :math:`T_{\pi'}` is monotone.
    """
    V = ops.evaluate(m, pi)
    return Inequality(V, ops.evaluate(m, operators.policy_of(ops, m, V)), axes=("s",))


@twin(improvement, why="the worst action in place of the best")
def improvement_by_the_worst(ops: Any, m: Any, pi: Any) -> Inequality:
    V = ops.evaluate(m, pi)
    worst = ops.first_max(-operators.q_backup(ops, m, V), where=m.mask)
    return Inequality(V, ops.evaluate(m, worst), axes=("s",))


@claim(
    id="foundations.C22",
    family=families.general(),
    draws={"pi": policies(), "tau": temperatures(orders=8)},
    assumptions=(discounted,),
    source="Geist, Scherrer and Pietquin 2019, section 4",
    kind="inequality",
)
def soft_improvement(ops: Any, m: Any, pi: Any, tau: Any) -> Inequality:
    r"""V_\tau^{\pi'} \ge V_\tau^\pi, state by state, for \pi' \propto \exp(Q_\tau^\pi / \tau).

    Proof: :math:`T_{\pi'} V_\tau^\pi = T_\tau V_\tau^\pi \ge V_\tau^\pi` (C9, C10), and the policy backup is monotone.
    """
    reg = Shannon(tau)
    V = ops.evaluate(m, pi, reg)
    return Inequality(V, ops.evaluate(m, operators.policy_of(ops, m, V, reg), reg), axes=("s",))


@twin(soft_improvement, why="the new policy is hotter")
def soft_improvement_too_hot(ops: Any, m: Any, pi: Any, tau: Any) -> Inequality:
    reg = Shannon(tau)
    V = ops.evaluate(m, pi, reg)
    return Inequality(V, ops.evaluate(m, operators.policy_of(ops, m, V, Shannon(4 * tau)), reg), axes=("s",))


PERTURBED = {"other": models(), "pi": policies(), "e": scalars(0.0, 1.0)}


def _distance(ops: Any, m: Any, other: Any) -> Any:
    """max over pairs of the l1 distance of two rows of transitions."""
    basis = ops.identity(m.S)
    zero = ops.abs(m.R * 0)

    def add(t: int, total: Any) -> Any:
        return total + ops.abs(ops.expect(m.P, basis[t]) - ops.expect(other.P, basis[t]))

    return ops.largest(ops.fori(m.S, add, zero), m.mask)


def _simulated(ops: Any, m: Any, other: Any, pi: Any, e: Any) -> Any:
    """The policy's value in the model (1 - e) m + e other, at the discount of m."""
    mixed = (1 - e) * ops.transition(m.P, pi) + e * ops.transition(other.P, pi)
    reward = (1 - e) * ops.dot(pi, m.R) + e * ops.dot(pi, other.R)
    return ops.solve(ops.identity(m.S) - m.gamma * mixed, reward)


@claim(
    id="foundations.C23",
    family=(families.garnet(3, 2), families.deterministic(3, 2), families.self_loops(2, 2)),
    draws=PERTURBED,
    assumptions=(discounted, no_endings),
    source="Kearns and Singh 2002, Lemma 4, with the span of the other value",
    kind="inequality",
    instances=(),
)
def simulation(ops: Any, m: Any, other: Any, pi: Any, e: Any) -> Inequality:
    r"""\|V^\pi - \hat V^\pi\|_\infty \le (\|R - \hat R\|_\infty + \gamma \max \|P - \hat P\|_1 \, sp(\hat V^\pi) / 2)
    / (1 - \gamma).

    Here :math:`\hat P = (1-e) P + e P'` and so for R. Proof: :math:`V - \hat V = (I - \gamma P_\pi)^{-1}(R_\pi - \hat
    R_\pi + \gamma (P_\pi - \hat P_\pi) \hat V)`; rows of the difference of kernels sum to zero, so that a constant
    may be taken from :math:`\hat V`.
    """
    V, W = ops.evaluate(m, pi), _simulated(ops, m, other, pi, e)
    span = ops.largest(W) - ops.smallest(W)
    reward = e * ops.norm(m.R - other.R)
    bound = (reward + m.gamma * e * _distance(ops, m, other) * span / 2) / (1 - m.gamma)
    return Inequality(ops.norm(V - W), bound)


@twin(simulation, why="a quarter of the span", family=(families.garnet(3, 2), families.deterministic(3, 2)))
def simulation_with_a_quarter(ops: Any, m: Any, other: Any, pi: Any, e: Any) -> Inequality:
    V, W = ops.evaluate(m, pi), _simulated(ops, m, other, pi, e)
    span = ops.largest(W) - ops.smallest(W)
    bound = (m.gamma * e * _distance(ops, m, other) * span / 4) / (1 - m.gamma)
    return Inequality(ops.norm(V - W), bound)


@claim(
    id="foundations.C24",
    family=families.general(),
    draws=ONE,
    assumptions=(discounted,),
    source="Puterman 1994, section 6.9",
    kind="identity",
)
def visits_mass(ops: Any, m: Any, pi: Any, rho: Any) -> Identity:
    r"""\sum_{s,a} \mu(s,a) (1 - \gamma (1 - end(s,a))) = 1; without endings \mu has mass 1 / (1 - \gamma).

    Proof: multiply :math:`\mu (I - \gamma P_\pi) = \rho` by the vector of ones.
    """
    kept = 1 - m.gamma * operators.successor_mass(ops, m)
    return Identity(ops.sum(ops.dot(ops.occupancy(m, pi, rho), kept)), ops.sum(rho))


@twin(visits_mass, why="endings are ignored", family=families.random_endings(3, 2))
def visits_mass_without_endings(ops: Any, m: Any, pi: Any, rho: Any) -> Identity:
    return Identity(ops.sum(ops.sum(ops.occupancy(m, pi, rho))) * (1 - m.gamma), ops.sum(rho))


@claim(
    id="foundations.C25",
    family=families.general(),
    draws=ONE | {"f": values()},
    assumptions=(discounted,),
    source="Puterman 1994, section 6.9",
    kind="identity",
)
def visits_flow(ops: Any, m: Any, pi: Any, rho: Any, f: Any) -> Identity:
    r"""\sum_{s,a} \mu(s,a) (f(s) - \gamma \sum_t P(t|s,a) f(t)) = \sum_s \rho(s) f(s) for every f.

    Proof: what enters a state is its start mass and the discounted flow into it; test it with f.
    """
    drop = f[:, None] - m.gamma * ops.expect(m.P, f)
    return Identity(ops.sum(ops.dot(ops.occupancy(m, pi, rho), drop)), ops.dot(rho, f))


@twin(visits_flow, why="the flow is not discounted")
def visits_flow_undiscounted(ops: Any, m: Any, pi: Any, rho: Any, f: Any) -> Identity:
    drop = f[:, None] - ops.expect(m.P, f)
    return Identity(ops.sum(ops.dot(ops.occupancy(m, pi, rho), drop)), ops.dot(rho, f))


@claim(
    id="foundations.C26",
    family=families.general(),
    draws=ONE | {"tau": temperatures(orders=8)},
    assumptions=(discounted,),
    source="Puterman 1994, section 6.9, regularised",
    kind="identity",
)
def duality(ops: Any, m: Any, pi: Any, rho: Any, tau: Any) -> Identity:
    r"""\rho V_\tau^\pi = \sum_{s,a} \mu(s,a) R(s,a) - \sum_s \mu(s) \Omega(\pi(\cdot|s)).

    Proof: :math:`\rho (I - \gamma P_\pi)^{-1} (R_\pi - \Omega)`, read from either side.
    """
    reg = Shannon(tau)
    visits = operators.state_visits(ops, m, pi, rho)
    earned = ops.sum(ops.dot(ops.occupancy(m, pi, rho), m.R)) - ops.dot(visits, reg.value(ops, pi, m.mask))
    return Identity(ops.dot(rho, ops.evaluate(m, pi, reg)), earned)


@twin(duality, why="the visits are normalised, the rewards are not")
def duality_normalised(ops: Any, m: Any, pi: Any, rho: Any, tau: Any) -> Identity:
    reg = Shannon(tau)
    visits = operators.state_visits(ops, m, pi, rho)
    earned = ops.sum(ops.dot(ops.occupancy(m, pi, rho), m.R)) - ops.dot(visits, reg.value(ops, pi, m.mask))
    return Identity(ops.dot(rho, ops.evaluate(m, pi, reg)), (1 - m.gamma) * earned)
