r"""Foundations, part 2: optimal values, and what a residual says about them.

:math:`V^*` and :math:`V^*_\tau` are the fixed points of the hard and the soft backup; as ``ops.optimal_value`` they
are enclosures with a proof of their own (exact policy iteration in rationals, a residual elsewhere).
"""

from __future__ import annotations

from typing import Any

from proofs_check import Inequality, claim, families, temperatures, twin, values
from proofs_check.claim import discounted
from tabular.reference import operators
from tabular.regularizers import Shannon

TAU = {"tau": temperatures()}


@claim(
    id="foundations.C13",
    family=families.general(),
    draws=TAU,
    assumptions=(discounted,),
    source="Geist, Scherrer and Pietquin 2019, Prop. 4",
    kind="inequality",
)
def soft_above_hard(ops: Any, m: Any, tau: Any) -> Inequality:
    r"""V^* \le V^*_\tau, state by state.

    Proof: :math:`T \le T_\tau` (C12) and both are monotone (C4): iterate from :math:`V^*`.
    """
    return Inequality(ops.optimal_value(m), ops.optimal_value(m, Shannon(tau)), axes=("s",))


@twin(soft_above_hard, why="the wrong way round")
def soft_below_hard(ops: Any, m: Any, tau: Any) -> Inequality:
    return Inequality(ops.optimal_value(m, Shannon(tau)), ops.optimal_value(m), axes=("s",))


@claim(
    id="foundations.C14",
    family=families.general(),
    draws=TAU,
    assumptions=(discounted,),
    source="Geist, Scherrer and Pietquin 2019, Prop. 4",
    kind="inequality",
)
def soft_gap(ops: Any, m: Any, tau: Any) -> Inequality:
    r"""V^*_\tau - V^* \le \tau \log(\max_s A(s)) / (1 - \gamma), state by state.

    Proof: :math:`T_\tau \le T + \tau \log \max A` (C11); iterating from :math:`V^*` adds at most the geometric
    series. Attained where all actions tie.
    """
    most = ops.largest(ops.log(ops.array(m.mask.sum(axis=-1), 1)))
    gap = ops.optimal_value(m, Shannon(tau)) - ops.optimal_value(m)
    return Inequality(gap, tau * most / (1 - m.gamma), axes=("s",))


@twin(soft_gap, why="1 - gamma is dropped", family=families.self_loops(2, 2))
def soft_gap_undiscounted(ops: Any, m: Any, tau: Any) -> Inequality:
    most = ops.largest(ops.log(ops.array(m.mask.sum(axis=-1), 1)))
    gap = ops.optimal_value(m, Shannon(tau)) - ops.optimal_value(m)
    return Inequality(gap, tau * most, axes=("s",))


@claim(
    id="foundations.C15",
    family=families.general(),
    draws={"V": values()},
    assumptions=(discounted,),
    source="Puterman 1994, Theorem 6.3.1",
    kind="inequality",
)
def residual_bound(ops: Any, m: Any, V: Any) -> Inequality:
    r"""\|V^* - V\|_\infty \le \|TV - V\|_\infty / (1 - \gamma).

    Proof: :math:`\|V^* - V\| \le \|TV^* - TV\| + \|TV - V\|` and C1. Attained by :math:`V = V^* + c` without endings.
    """
    residual = operators.residual(ops, m, V)
    return Inequality(ops.norm(ops.optimal_value(m) - V), ops.norm(residual) / (1 - m.gamma))


@twin(residual_bound, why="gamma / (1 - gamma) bounds the distance of TV, not of V")
def residual_bound_of_the_backup(ops: Any, m: Any, V: Any) -> Inequality:
    residual = operators.residual(ops, m, V)
    return Inequality(ops.norm(ops.optimal_value(m) - V), m.gamma * ops.norm(residual) / (1 - m.gamma))


def _longest(ops: Any, m: Any, d: Any) -> Any:
    """The larger of d / (1 - gamma mass) over the least and the largest mass of a row: what the series adds at most."""
    mass = operators.successor_mass(ops, m)
    low, high = ops.smallest(mass, m.mask), ops.largest(mass, m.mask)
    return ops.maximum(d / (1 - m.gamma * low), d / (1 - m.gamma * high))


def _passed(ops: Any, m: Any, u: Any) -> Any:
    """The larger of gamma mass u over the least and the largest mass of a row."""
    mass = operators.successor_mass(ops, m)
    low, high = ops.smallest(mass, m.mask), ops.largest(mass, m.mask)
    return ops.maximum(m.gamma * low * u, m.gamma * high * u)


@claim(
    id="foundations.C16",
    family=families.general(),
    draws={"V": values()},
    assumptions=(discounted,),
    source="Porteus 1971; Puterman 1994, Theorem 6.6.3, with the mass of rows",
    kind="inequality",
)
def span_bound_above(ops: Any, m: Any, V: Any) -> Inequality:
    r"""V^* \le TV + \max_{x} \gamma x u with u = \max_x b / (1 - \gamma x), b = \max_s (TV - V)(s), x over the least
    and largest row mass.

    Proof: with an optimal policy :math:`V^* - V \le \sum_k (\gamma P_\pi)^k b\,1 \le u\,1`, as row sums of
    :math:`P_\pi^k` lie between the powers of the least and the largest mass; once more through :math:`TV^* - TV \le
    \gamma P_\pi (V^* - V)`. With mass one it is MacQueen's bound.
    """
    b = ops.largest(operators.residual(ops, m, V))
    return Inequality(ops.optimal_value(m), ops.backup(m, V) + _passed(ops, m, _longest(ops, m, b)), axes=("s",))


@twin(span_bound_above, why="mass one, which endings break where b < 0", family=families.random_endings(3, 2))
def span_bound_of_mass_one(ops: Any, m: Any, V: Any) -> Inequality:
    b = ops.largest(operators.residual(ops, m, V))
    return Inequality(ops.optimal_value(m), ops.backup(m, V) + m.gamma * b / (1 - m.gamma), axes=("s",))


@claim(
    id="foundations.C17",
    family=families.general(),
    draws={"V": values()} | TAU,
    assumptions=(discounted,),
    source="Porteus 1971, for the regularised backup",
    kind="inequality",
)
def span_bound_below(ops: Any, m: Any, V: Any, tau: Any) -> Inequality:
    r"""V^*_\tau \ge T_\tau V - \max_x \gamma x u with u = \max_x (-a) / (1 - \gamma x), a = \min_s (T_\tau V - V)(s).

    Proof: as for C16 with the greedy policy of V, whose regularised value is at most :math:`V^*_\tau`.
    """
    reg = Shannon(tau)
    a = ops.smallest(operators.residual(ops, m, V, reg))
    lower = ops.backup(m, V, reg) - _passed(ops, m, _longest(ops, m, -a))
    return Inequality(lower, ops.optimal_value(m, reg), axes=("s",))


@twin(span_bound_below, why="the largest residual in place of the least")
def span_bound_below_with_largest(ops: Any, m: Any, V: Any, tau: Any) -> Inequality:
    reg = Shannon(tau)
    a = ops.largest(operators.residual(ops, m, V, reg))
    lower = ops.backup(m, V, reg) - _passed(ops, m, _longest(ops, m, -a))
    return Inequality(lower, ops.optimal_value(m, reg), axes=("s",))


@claim(
    id="foundations.C18",
    family=families.general(),
    draws={"V": values()},
    assumptions=(discounted,),
    source="Singh and Yee 1994",
    kind="inequality",
    instances=families.SMALL,  # ties of greedy actions are settled in rationals alone
)
def greedy_loss(ops: Any, m: Any, V: Any) -> Inequality:
    r"""\|V^* - V^\pi\|_\infty \le \frac{2\gamma}{1 - \gamma} \|V - V^*\|_\infty for the greedy policy of V (first maximiser).

    Proof: :math:`V^* - V^\pi = (TV^* - T_\pi V) + (T_\pi V - T_\pi V^\pi)` with :math:`T_\pi V = TV`, and C1 for each term.
    """
    best = ops.optimal_value(m)
    pi = operators.policy_of(ops, m, V)
    return Inequality(ops.norm(best - ops.evaluate(m, pi)), 2 * m.gamma / (1 - m.gamma) * ops.norm(V - best))


@twin(greedy_loss, why="the policy is greedy against V", family=families.self_loops(2, 2))
def greedy_loss_of_the_worst(ops: Any, m: Any, V: Any) -> Inequality:
    best = ops.optimal_value(m)
    pi = ops.first_max(-operators.q_backup(ops, m, V), where=m.mask)
    return Inequality(ops.norm(best - ops.evaluate(m, pi)), 2 * m.gamma / (1 - m.gamma) * ops.norm(V - best))
