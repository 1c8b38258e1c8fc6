r"""Foundations, part 5: linear programs over occupancies and their duals, with constraints and without.

:math:`\mu` are expected discounted visits of pairs, not normalised, :math:`\rho` a start distribution. V is feasible where :math:`V
\ge TV`; any V becomes so by a constant, and here that is how feasible ones are drawn.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from typing import Any

from proofs_check import (
    Identity,
    Inequality,
    Mutant,
    claim,
    distributions,
    families,
    policies,
    q_values,
    scalars,
    twin,
    values,
)
from proofs_check.claim import all_available, discounted
from tabular.reference import operators, programs

FORMULAS = "tabular.reference.programs"
FLOW = "ops.transpose(ops.transition(m.P, mu))"
SHIFT = "excess / (1 - m.gamma * mass)"
_LABELS = ("C30", "C31", "C32", "C32a", "C33", "C34", "C35", "C36", "C37", "C37a", "C38", "C39", "C40", "C40a", "C41")
PROGRAMS = tuple(f"foundations.{label}" for label in _LABELS)


def planted(name: str, module: str, function: str, old: str, new: str) -> Mutant:
    """A fault in the formulas of programs, which the other claims do not use."""
    return Mutant(name, module, function, old, new, met_by=PROGRAMS)


MUTANTS = (
    planted("a slack of half the values", FORMULAS, "slack", "V[:, None]", "V[:, None] / 2"),
    planted("twice the visits leave", FORMULAS, "outflow", "ops.sum(mu)", "ops.sum(mu) * 2"),
    planted("the flow along transposed transitions", FORMULAS, "outflow", FLOW, "ops.transition(m.P, mu)"),
    planted("visits that are no policy", FORMULAS, "conditional", "ops.sum(mu)[:, None]", "ops.sum(ops.sum(mu))"),
    planted("values lowered where they should rise", FORMULAS, "feasible", "V + " + SHIFT, "V - " + SHIFT),
    planted("values raised by half the residual", FORMULAS, "feasible", SHIFT, "excess / 2"),
    planted("costs as rewards", FORMULAS, "priced", "m.R - lam * costs", "m.R + lam * costs"),
    planted("rewards doubled", FORMULAS, "earned", "ops.sum(ops.dot(mu, m.R))", "2 * ops.sum(ops.dot(mu, m.R))"),
)
EPENOUX = "d'Epenoux 1963; Puterman 1994, section 6.9"
ALTMAN = "Altman 1999, chapter 3"
TINY: dict[str, Any] = {
    "family": (
        families.garnet(2, 2), families.random_endings(2, 2), families.deterministic(2, 2), families.self_loops(2, 2)
    ),
    "assumptions": (discounted, all_available),
    "instances": (),
}  # fmt: skip
ANY: dict[str, Any] = {"family": families.general(), "assumptions": (discounted,)}
SMALL: dict[str, Any] = ANY | {"instances": families.SMALL}
POINT = {"pi": policies(), "V": values(), "rho": distributions()}
ROWS = ([1, 0], [0, 1])
RULES = tuple([list(first), list(second)] for first, second in product(ROWS, ROWS))


def _most(ops: Any, items: list[Any]) -> Any:
    """The largest of values of one shape, entry by entry."""
    return ops.scan(lambda top, x: (ops.maximum(top, x), None), items[0], items[1:])[0]


def _vertices(ops: Any, m: Any, rho: Any) -> list[Any]:
    """Occupancies of the four deterministic policies of two states and two actions."""
    return [ops.occupancy(m, ops.distribution(rule), rho) for rule in RULES]


@claim(id="foundations.C30", draws=POINT, source=EPENOUX, kind="inequality", **ANY)
def weak_duality(ops: Any, m: Any, pi: Any, V: Any, rho: Any) -> Inequality:
    r"""\langle \mu^\pi, R \rangle \le \rho V for every policy and every V \ge TV, for \gamma < 1.

    Proof: :math:`\rho V = \langle \mu, V - \gamma P V \rangle` (C25), and :math:`V - \gamma P V \ge R`.
    """
    W = programs.feasible(ops, m, V)
    return Inequality(programs.earned(ops, m, ops.occupancy(m, pi, rho)), ops.dot(rho, W), quotient=False)


@twin(weak_duality, why="a V that is not feasible")
def weak_duality_infeasible(ops: Any, m: Any, pi: Any, V: Any, rho: Any) -> Inequality:
    return Inequality(programs.earned(ops, m, ops.occupancy(m, pi, rho)), ops.dot(rho, V))


@twin(weak_duality, why="V raised by nine tenths of what makes it feasible", family=families.self_loops(2, 2))
def weak_duality_nearly_feasible(ops: Any, m: Any, pi: Any, V: Any, rho: Any) -> Inequality:
    W = V + Fraction(9, 10) * (programs.feasible(ops, m, V) - V)
    return Inequality(programs.earned(ops, m, ops.occupancy(m, pi, rho)), ops.dot(rho, W))


@claim(id="foundations.C31", draws={"rho": distributions()}, source=EPENOUX, kind="identity", **TINY)
def strong_duality(ops: Any, m: Any, rho: Any) -> Identity:
    r"""\max_\mu \langle \mu, R \rangle = \rho V^* = \min \{\rho V : V \ge TV\}, the maximum over occupancies of
    deterministic policies (here four, each evaluated), for \gamma < 1.

    Proof: V* is feasible, and equals V of an optimal policy; C30 for the rest. Occupancies are the convex hull of these four.
    """
    best = _most(ops, [programs.earned(ops, m, mu) for mu in _vertices(ops, m, rho)])
    return Identity(best, ops.dot(rho, ops.optimal_value(m)))


@twin(strong_duality, why="one of the vertices is left out")
def strong_duality_without_a_vertex(ops: Any, m: Any, rho: Any) -> Identity:
    best = _most(ops, [programs.earned(ops, m, mu) for mu in _vertices(ops, m, rho)[1:]])
    return Identity(best, ops.dot(rho, ops.optimal_value(m)))


@twin(strong_duality, why="occupancies are normalised, values are not")
def strong_duality_normalised(ops: Any, m: Any, rho: Any) -> Identity:
    best = _most(ops, [programs.earned(ops, m, mu) for mu in _vertices(ops, m, rho)])
    return Identity((1 - m.gamma) * best, ops.dot(rho, ops.optimal_value(m)))


@claim(id="foundations.C32", draws=POINT, source=EPENOUX, kind="identity", **ANY)
def gap_is_slack(ops: Any, m: Any, pi: Any, V: Any, rho: Any) -> Identity:
    r"""\rho V - \langle \mu^\pi, R \rangle = \sum_{s,a} \mu^\pi(s,a) (V(s) - Q_V(s,a)) for every policy and every V: the
    duality gap is what visited pairs have of slack, for \gamma < 1.

    Proof: C25 with f = V. So a feasible pair is optimal if and only if one of the two factors vanishes everywhere.
    """
    mu = ops.occupancy(m, pi, rho)
    gap = ops.dot(rho, V) - programs.earned(ops, m, mu)
    return Identity(gap, ops.sum(ops.dot(mu, programs.slack(ops, m, V))))


@twin(gap_is_slack, why="the slack of the best action in place of the one that is taken")
def gap_is_residual(ops: Any, m: Any, pi: Any, V: Any, rho: Any) -> Identity:
    mu = ops.occupancy(m, pi, rho)
    gap = ops.dot(rho, V) - programs.earned(ops, m, mu)
    return Identity(gap, -ops.dot(ops.sum(mu), operators.residual(ops, m, V)))


@claim(id="foundations.C32a", draws={"rho": distributions()}, source=EPENOUX, kind="identity", **SMALL)
def complementary_slackness(ops: Any, m: Any, rho: Any) -> Identity:
    r"""\mu^*(s,a) V^*(s) = \mu^*(s,a) Q^*(s,a) for every pair, \mu^* the occupancies of the greedy policy of V^*, for
    \gamma < 1.

    Proof: the greedy policy takes no action with :math:`Q^*(s,a) < V^*(s)`; V* is its value.
    """
    V = ops.optimal_value(m)
    mu = ops.occupancy(m, operators.policy_of(ops, m, V), rho)
    return Identity(mu * V[:, None], mu * operators.q_backup(ops, m, V), axes=("s", "a"))


@twin(complementary_slackness, why="occupancies of the policy that looks at rewards alone")
def complementary_slackness_of_the_myopic(ops: Any, m: Any, rho: Any) -> Identity:
    V = ops.optimal_value(m)
    mu = ops.occupancy(m, ops.first_max(m.R, where=m.mask), rho)
    return Identity(mu * V[:, None], mu * operators.q_backup(ops, m, V), axes=("s", "a"))


POSITIVE = {"pi": policies(interior=True), "D": values(nonnegative=True)}


@claim(id="foundations.C33", draws=POSITIVE, source=EPENOUX, kind="identity", **ANY)
def flow_is_enough(ops: Any, m: Any, pi: Any, D: Any) -> Identity:
    r"""Every \mu > 0 (on the available pairs) that flows, \mu(s) - \gamma \sum \mu(s',a) P(s|s',a) = \nu(s), is the
    visits from \nu of the policy \mu(s,a)/\mu(s), for \gamma < 1.

    So the flow equations characterise occupancies (with C25, the other direction). Proof: with :math:`\mu(s,a) = \mu(s) \pi(a|s)`
    they are the linear system of the visits of :math:`\pi`, which has one solution. Here :math:`\nu` may have any sign.
    """
    mu = (D + 1)[:, None] * pi
    nu = programs.outflow(ops, m, mu)
    return Identity(ops.occupancy(m, programs.conditional(ops, mu), nu), mu, axes=("s", "a"))


@twin(flow_is_enough, why="the flow is not discounted")
def flow_undiscounted(ops: Any, m: Any, pi: Any, D: Any) -> Identity:
    mu = (D + 1)[:, None] * pi
    nu = programs.outflow(ops, m._replace(gamma=ops.constant(1)), mu)
    return Identity(ops.occupancy(m, programs.conditional(ops, mu), nu), mu, axes=("s", "a"))


@twin(flow_is_enough, why="every available action is taken alike")
def flow_of_the_uniform(ops: Any, m: Any, pi: Any, D: Any) -> Identity:
    mu = (D + 1)[:, None] * pi
    nu = programs.outflow(ops, m, mu)
    return Identity(ops.occupancy(m, ops.distribution(m.mask.astype(int)), nu), mu, axes=("s", "a"))


@claim(
    id="foundations.C34",
    draws={"D": q_values(), "rho": distributions()},
    source="Puterman 1994, section 6.9 (multipliers are sensitivities)",
    kind="inequality",
    **TINY,
)
def visits_are_sensitivities(ops: Any, m: Any, D: Any, rho: Any) -> Inequality:
    r"""\rho V^*_{R+D} \ge \rho V^*_R + \langle \mu^*, D \rangle for every change D of the rewards and the occupancies \mu^* of
    an optimal policy: they are the subgradients of the optimum, hence the dual variables of V \ge Q_V. For \gamma < 1.

    Proof: at the new rewards the old policy earns :math:`\langle \mu^*, R + D \rangle`.
    """
    return _sensitivity(ops, m, D, rho, 1)


def _sensitivity(ops: Any, m: Any, D: Any, rho: Any, share: Any) -> Inequality:
    V = ops.optimal_value(m)
    mu = ops.occupancy(m, operators.policy_of(ops, m, V), rho)
    after = _most(ops, [programs.earned(ops, m._replace(R=m.R + D), x) for x in _vertices(ops, m, rho)])
    return Inequality(ops.dot(rho, V) + share * ops.sum(ops.dot(mu, D)), after, quotient=False)


@twin(visits_are_sensitivities, why="normalised visits")
def normalised_visits_are_sensitivities(ops: Any, m: Any, D: Any, rho: Any) -> Inequality:
    return _sensitivity(ops, m, D, rho, 1 - m.gamma)


@twin(visits_are_sensitivities, why="a hundredth more")
def more_than_sensitivities(ops: Any, m: Any, D: Any, rho: Any) -> Inequality:
    return _sensitivity(ops, m, D, rho, Fraction(101, 100))


COSTS = POINT | {"costs": q_values(), "lam": scalars(0.0, 4.0), "room": scalars(0.0, 4.0)}


@claim(id="foundations.C38", draws=COSTS, source=ALTMAN, kind="inequality", **ANY)
def lagrangian_bound(ops: Any, m: Any, pi: Any, V: Any, rho: Any, costs: Any, lam: Any, room: Any) -> Inequality:
    r"""\langle \mu^\pi, R \rangle \le \rho V + \lambda b for every policy with \langle \mu^\pi, c \rangle \le b, every \lambda
    \ge 0 and every V feasible for the rewards R - \lambda c, for \gamma < 1.

    Proof: C30 at these rewards, and :math:`\lambda \langle \mu, c \rangle \le \lambda b`. With R = 0 it is Farkas' criterion: if
    :math:`\rho V + \lambda b < 0`, no policy meets the constraint.
    """
    return _lagrangian(ops, m, pi, V, rho, costs, lam, room)


def _lagrangian(ops: Any, m: Any, pi: Any, V: Any, rho: Any, costs: Any, lam: Any, room: Any) -> Inequality:
    mu = ops.occupancy(m, pi, rho)
    W = programs.feasible(ops, programs.priced(m, costs, lam), V)
    limit = ops.sum(ops.dot(mu, costs)) + room
    return Inequality(programs.earned(ops, m, mu), ops.dot(rho, W) + lam * limit, quotient=False)


@twin(lagrangian_bound, why="a negative multiplier")
def lagrangian_bound_below_zero(
    ops: Any, m: Any, pi: Any, V: Any, rho: Any, costs: Any, lam: Any, room: Any
) -> Inequality:
    return _lagrangian(ops, m, pi, V, rho, costs, -lam, room)


@twin(lagrangian_bound, why="a policy that exceeds the limit")
def lagrangian_bound_of_the_infeasible(
    ops: Any, m: Any, pi: Any, V: Any, rho: Any, costs: Any, lam: Any, room: Any
) -> Inequality:
    return _lagrangian(ops, m, pi, V, rho, costs, lam, -room)


EVERETT = {"pi": policies(), "rho": distributions(), "costs": q_values(), "lam": scalars(0.0, 4.0)}


@claim(id="foundations.C39", draws=EVERETT, source="Everett 1963; " + ALTMAN, kind="inequality", **TINY)
def priced_optimum(ops: Any, m: Any, pi: Any, rho: Any, costs: Any, lam: Any) -> Inequality:
    r"""\langle \mu^\pi, R \rangle \le \langle \mu_\lambda, R \rangle + \lambda (\langle \mu^\pi, c \rangle - \langle \mu_\lambda, c
    \rangle) with \mu_\lambda optimal for the rewards R - \lambda c, for \gamma < 1: none that costs no more earns more.

    At the limit :math:`b = \langle \mu_\lambda, c \rangle` the Lagrangian has no gap.
    Proof: :math:`\mu_\lambda` is optimal for :math:`R - \lambda c`, written out.
    """
    return _everett(ops, m, pi, rho, costs, lam, lam)


def _everett(ops: Any, m: Any, pi: Any, rho: Any, costs: Any, lam: Any, paid: Any) -> Inequality:
    bought = programs.priced(m, costs, lam)
    V = _most(ops, [operators.evaluate(ops, bought, ops.distribution(rule)) for rule in RULES])
    best = ops.occupancy(m, operators.policy_of(ops, bought, V), rho)
    mu = ops.occupancy(m, pi, rho)
    more = ops.sum(ops.dot(mu - best, costs))
    return Inequality(programs.earned(ops, m, mu), programs.earned(ops, m, best) + paid * more, quotient=False)


@twin(priced_optimum, why="what it costs more is not paid for")
def priced_optimum_without_prices(ops: Any, m: Any, pi: Any, rho: Any, costs: Any, lam: Any) -> Inequality:
    return _everett(ops, m, pi, rho, costs, lam, 0)
