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
    stronger,
    temperatures,
    twin,
    values,
)
from proofs_check.claim import all_available, discounted
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
    r"""\rho V^{\pi'} - \rho V^\pi = \sum_{s,a} \mu^{\pi'}(s,a) (Q^\pi(s,a) - V^\pi(s)), for \gamma < 1.

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
    regularised policy backup, for \gamma < 1.

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
    source="Howard 1960; Puterman 1994, chapter 6",
    kind="inequality",
    instances=families.SMALL,  # ties of greedy actions are settled in rationals alone
)
def improvement(ops: Any, m: Any, pi: Any) -> Inequality:
    r"""V^{\pi'} \ge V^\pi, state by state, for \gamma < 1 and \pi' greedy with respect to V^\pi.

    Proof: :math:`T_{\pi'} V^\pi = T V^\pi \ge V^\pi`, and :math:`T_{\pi'}` is monotone.
    """
    V = ops.evaluate(m, pi)
    return Inequality(V, ops.evaluate(m, operators.policy_of(ops, m, V)), axes=("s",), quotient=False)


@twin(improvement, why="greedy with respect to the rewards alone")
def improvement_by_the_myopic(ops: Any, m: Any, pi: Any) -> Inequality:
    myopic = ops.first_max(m.R, where=m.mask)
    return Inequality(ops.evaluate(m, pi), ops.evaluate(m, myopic), axes=("s",))


@twin(improvement, why="a margin: a hundredth more than the first backup gains")
def improvement_by_more(ops: Any, m: Any, pi: Any) -> Inequality:
    V = ops.evaluate(m, pi)
    least = V + 1.01 * operators.residual(ops, m, V)
    return Inequality(least, ops.evaluate(m, operators.policy_of(ops, m, V)), axes=("s",))


@claim(
    id="foundations.C22",
    family=families.general(),
    draws={"pi": policies(), "tau": temperatures(orders=8)},
    assumptions=(discounted,),
    source="Geist, Scherrer and Pietquin 2019",
    kind="inequality",
)
def soft_improvement(ops: Any, m: Any, pi: Any, tau: Any) -> Inequality:
    r"""V_\tau^{\pi'} \ge V_\tau^\pi, state by state, for \gamma < 1 and \pi' \propto \exp(Q_\tau^\pi / \tau).

    Proof: :math:`T_{\pi'} V_\tau^\pi = T_\tau V_\tau^\pi \ge V_\tau^\pi` (C9, C10), and the policy backup is monotone.
    """
    reg = Shannon(tau)
    V = ops.evaluate(m, pi, reg)
    return Inequality(V, ops.evaluate(m, operators.policy_of(ops, m, V, reg), reg), axes=("s",), quotient=False)


@twin(soft_improvement, why="the new policy is hotter")
def soft_improvement_too_hot(ops: Any, m: Any, pi: Any, tau: Any) -> Inequality:
    reg = Shannon(tau)
    V = ops.evaluate(m, pi, reg)
    return Inequality(V, ops.evaluate(m, operators.policy_of(ops, m, V, Shannon(4 * tau)), reg), axes=("s",))


@twin(soft_improvement, why="a margin: a hundredth more than the first backup gains")
def soft_improvement_by_more(ops: Any, m: Any, pi: Any, tau: Any) -> Inequality:
    reg = Shannon(tau)
    V = ops.evaluate(m, pi, reg)
    least = V + 1.01 * operators.residual(ops, m, V, reg)
    return Inequality(least, ops.evaluate(m, operators.policy_of(ops, m, V, reg), reg), axes=("s",))


PERTURBED = {"other": models(), "pi": policies(), "e": scalars(0.0, 1.0)}
PERTURBABLE = (
    families.garnet(3, 2),
    families.random_endings(3, 2),
    families.deterministic(3, 2),
    families.self_loops(2, 2),
    families.switches(2, 2),
    families.random_endings(1, 2),
    families.garnet(3, 1),
    families.random_endings(8, 2),
)


def _distances(ops: Any, m: Any, other: Any) -> Any:
    """(S, A) l1 distances of two rows of transitions."""
    basis = ops.identity(m.S)

    def add(t: int, total: Any) -> Any:
        return total + ops.abs(ops.expect(m.P, basis[t]) - ops.expect(other.P, basis[t]))

    return ops.fori(m.S, add, ops.abs(m.R * 0))


def _simulated(ops: Any, m: Any, other: Any, pi: Any, e: Any) -> Any:
    """The policy's value in the model (1 - e) m + e other, at the discount of m."""
    mixed = (1 - e) * ops.transition(m.P, pi) + e * ops.transition(other.P, pi)
    reward = (1 - e) * ops.dot(pi, m.R) + e * ops.dot(pi, other.R)
    return ops.solve(ops.identity(m.S) - m.gamma * mixed, reward)


def _simulation(ops: Any, m: Any, other: Any, pi: Any, e: Any, spans: Any, ends: Any) -> Inequality:
    """The bound, with ``spans`` of the span term and ``ends`` of the term of the endings."""
    V, W = ops.evaluate(m, pi), _simulated(ops, m, other, pi, e)
    top, bottom = ops.largest(W), ops.smallest(W)
    mass, other_mass = operators.successor_mass(ops, m), operators.successor_mass(ops, other)
    change = spans * _distances(ops, m, other) * (top - bottom) / 2
    change = change + ends * ops.abs(mass - other_mass) * ops.abs(top + bottom) / 2
    bound = e * ops.norm(m.R - other.R) + m.gamma * e * ops.largest(change, m.mask)
    return Inequality(ops.norm(V - W), bound / (1 - m.gamma * ops.largest(mass, m.mask)))


@claim(
    id="foundations.C23",
    family=PERTURBABLE,
    draws=PERTURBED,
    assumptions=(discounted, all_available),
    source="Kearns and Singh 2002 (simulation lemma), with the span of the other value and the mass of rows",
    kind="inequality",
    instances=(),
)
def simulation(ops: Any, m: Any, other: Any, pi: Any, e: Any) -> Inequality:
    r"""\|V^\pi - \hat V^\pi\|_\infty \le (\|R - \hat R\|_\infty + \gamma \max_{s,a} (\|P - \hat P\|_1 \, sp(\hat V^\pi) / 2
    + |end - \hat{end}| |c|)) / (1 - \gamma M) for \gamma < 1, c the middle of \hat V^\pi, M the largest row mass.

    The middle is midway between the least and the largest entry; M is of the first model.
    Both models have the same actions and the discount of the first; either may have endings. Without any it is the
    usual bound. Here :math:`\hat P = (1-e) P + e P'` and so for R and end. Proof: :math:`V - \hat V = (I - \gamma
    P_\pi)^{-1}(R_\pi - \hat R_\pi + \gamma (P_\pi - \hat P_\pi) \hat V)`; a row d of the difference of kernels sums to
    :math:`\hat{end} - end`, so that :math:`d \hat V = d (\hat V - c) + c (\hat{end} - end)` with :math:`|\hat V - c| \le
    sp(\hat V) / 2`; the inverse has norm at most :math:`1 / (1 - \gamma M)`.
    """
    return _simulation(ops, m, other, pi, e, 1, 1)


simulation_almost = stronger(simulation, 0.99, family=families.switches(2, 2))


@twin(simulation, why="a hundredth less of the span", family=families.switches(2, 2))
def simulation_with_less_span(ops: Any, m: Any, other: Any, pi: Any, e: Any) -> Inequality:
    return _simulation(ops, m, other, pi, e, 0.99, 1)


@twin(simulation, why="as without endings: their difference is left out", family=families.random_endings(3, 2))
def simulation_without_endings(ops: Any, m: Any, other: Any, pi: Any, e: Any) -> Inequality:
    return _simulation(ops, m, other, pi, e, 1, 0)


@twin(simulation, why="an eighth less of what endings add", family=families.random_endings(1, 2))
def simulation_with_less_of_the_endings(ops: Any, m: Any, other: Any, pi: Any, e: Any) -> Inequality:
    return _simulation(ops, m, other, pi, e, 1, 0.875)


@claim(
    id="foundations.C24",
    family=families.general(),
    draws=ONE,
    assumptions=(discounted,),
    source="Puterman 1994, chapter 6 (linear programming)",
    kind="identity",
)
def visits_mass(ops: Any, m: Any, pi: Any, rho: Any) -> Identity:
    r"""\sum_{s,a} \mu(s,a) (1 - \gamma (1 - end(s,a))) = 1 for \gamma < 1; without endings \mu has mass 1 / (1 - \gamma).

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
    source="Puterman 1994, chapter 6 (linear programming)",
    kind="identity",
)
def visits_flow(ops: Any, m: Any, pi: Any, rho: Any, f: Any) -> Identity:
    r"""\sum_{s,a} \mu(s,a) (f(s) - \gamma \sum_t P(t|s,a) f(t)) = \sum_s \rho(s) f(s) for every f and \gamma < 1.

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
    source="Puterman 1994, chapter 6 (linear programming), regularised",
    kind="identity",
)
def duality(ops: Any, m: Any, pi: Any, rho: Any, tau: Any) -> Identity:
    r"""\rho V_\tau^\pi = \sum_{s,a} \mu(s,a) R(s,a) - \sum_s \mu(s) \Omega(\pi(\cdot|s)), for \gamma < 1.

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
