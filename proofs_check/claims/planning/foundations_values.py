r"""Foundations, part 2: optimal values, and what a residual says about them.

:math:`V^*` and :math:`V^*_\tau` are the fixed points of the hard and the soft backup; as ``ops.optimal_value`` they
are enclosures with a proof of their own (exact policy iteration in rationals, a residual elsewhere).
"""

from __future__ import annotations

from typing import Any

from proofs_check import Inequality, claim, families, stronger, temperatures, twin, values
from proofs_check.claim import discounted
from tabular.reference import operators
from tabular.regularizers import Shannon

TAU = {"tau": temperatures()}
GEIST = "Geist, Scherrer and Pietquin 2019"
ALMOST = 0.99  # of a bound that is attained, so that its twin falls


def _longest_stay(ops: Any, m: Any) -> Any:
    """1 / (1 - gamma M), M the largest row mass: what ends sooner adds less."""
    return 1 / (1 - m.gamma * ops.largest(operators.successor_mass(ops, m), m.mask))


@claim(
    id="foundations.C13",
    family=families.general(),
    draws=TAU,
    assumptions=(discounted,),
    source=GEIST,
    kind="inequality",
)
def soft_above_hard(ops: Any, m: Any, tau: Any) -> Inequality:
    r"""V^* \le V^*_\tau, state by state, for \gamma < 1.

    Proof: :math:`T \le T_\tau` (C12) and both are monotone (C4): iterate from :math:`V^*`.
    """
    return Inequality(ops.optimal_value(m), ops.optimal_value(m, Shannon(tau)), axes=("s",), quotient=False)


@twin(
    soft_above_hard,
    why="a margin: a hundredth of the largest rise of one step, which a gap between the actions undercuts",
)
def soft_above_hard_with_margin(ops: Any, m: Any, tau: Any) -> Inequality:
    rise = tau * ops.log(ops.array(m.mask.sum(axis=-1), 1)) / 100
    return Inequality(ops.optimal_value(m) + rise, ops.optimal_value(m, Shannon(tau)), axes=("s",))


@twin(soft_above_hard, why="an eighth of tau log A more than the first soft backup raises")
def soft_above_hard_by_more(ops: Any, m: Any, tau: Any) -> Inequality:
    hard = ops.optimal_value(m)
    rise = tau * ops.log(ops.array(m.mask.sum(axis=-1), 1)) / 8
    return Inequality(ops.backup(m, hard, Shannon(tau)) + rise, ops.optimal_value(m, Shannon(tau)), axes=("s",))


@claim(
    id="foundations.C14",
    family=families.general(),
    draws=TAU,
    assumptions=(discounted,),
    source=GEIST,
    kind="inequality",
)
def soft_gap(ops: Any, m: Any, tau: Any) -> Inequality:
    r"""V^*_\tau - V^* \le \tau \log(\max_s A(s)) / (1 - \gamma M), state by state, for \gamma < 1, M the largest row mass
    (one without endings).

    Proof: :math:`T_\tau \le T + \tau \log \max A` (C11), and :math:`T(V + c) \le TV + \gamma M c` for :math:`c \ge 0`: iterating
    from :math:`V^*` adds at most the geometric series. Attained where all actions tie.
    """
    most = ops.largest(ops.log(ops.array(m.mask.sum(axis=-1), 1)))
    gap = ops.optimal_value(m, Shannon(tau)) - ops.optimal_value(m)
    return Inequality(gap, tau * most * _longest_stay(ops, m), axes=("s",))


soft_gap_almost = stronger(soft_gap, ALMOST)


@twin(soft_gap, why="the least mass in place of the largest", family=families.random_endings(3, 2))
def soft_gap_of_least_mass(ops: Any, m: Any, tau: Any) -> Inequality:
    most = ops.largest(ops.log(ops.array(m.mask.sum(axis=-1), 1)))
    gap = ops.optimal_value(m, Shannon(tau)) - ops.optimal_value(m)
    least = ops.smallest(operators.successor_mass(ops, m), m.mask)
    return Inequality(gap, tau * most / (1 - m.gamma * least), axes=("s",))


@claim(
    id="foundations.C15",
    family=families.general(),
    draws={"V": values()},
    assumptions=(discounted,),
    source="Puterman 1994, chapter 6, with the mass of rows",
    kind="inequality",
)
def residual_bound(ops: Any, m: Any, V: Any) -> Inequality:
    r"""\|V^* - V\|_\infty \le \|TV - V\|_\infty / (1 - \gamma M) for \gamma < 1, M the largest row mass (one without endings).

    Proof: :math:`\|V^* - V\| \le \|TV^* - TV\| + \|TV - V\|` and C8. Attained by :math:`V = V^* + c` where all rows have mass M.
    """
    residual = operators.residual(ops, m, V)
    return Inequality(ops.norm(ops.optimal_value(m) - V), ops.norm(residual) * _longest_stay(ops, m))


residual_bound_almost = stronger(residual_bound, ALMOST)


@twin(residual_bound, why="gamma / (1 - gamma) bounds the distance of TV, not of V")
def residual_bound_of_the_backup(ops: Any, m: Any, V: Any) -> Inequality:
    residual = operators.residual(ops, m, V)
    return Inequality(ops.norm(ops.optimal_value(m) - V), m.gamma * ops.norm(residual) * _longest_stay(ops, m))


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
    source="MacQueen 1966; Porteus 1971, with the mass of rows",
    kind="inequality",
)
def span_bound_above(ops: Any, m: Any, V: Any) -> Inequality:
    r"""V^* \le TV + \max_{x} \gamma x u with u = \max_x b / (1 - \gamma x), b = \max_s (TV - V)(s), x over the least
    and largest row mass, for \gamma < 1.

    Proof: with an optimal policy :math:`V^* - V \le \sum_k (\gamma P_\pi)^k b\,1 \le u\,1`, as row sums of
    :math:`P_\pi^k` lie between the powers of the least and the largest mass; once more through :math:`TV^* - TV \le
    \gamma P_\pi (V^* - V)`. With mass one it is MacQueen's bound.
    """
    b = ops.largest(operators.residual(ops, m, V))
    added = _passed(ops, m, _longest(ops, m, b))
    return Inequality(
        ops.optimal_value(m) - ops.backup(m, V), added, axes=("s",)
    )  # a difference: a ratio means something


@twin(span_bound_above, why="mass one, which endings break where b < 0", family=families.random_endings(3, 2))
def span_bound_of_mass_one(ops: Any, m: Any, V: Any) -> Inequality:
    b = ops.largest(operators.residual(ops, m, V))
    return Inequality(ops.optimal_value(m), ops.backup(m, V) + m.gamma * b / (1 - m.gamma), axes=("s",))


@twin(span_bound_above, why="what is added to TV, times 0.99")
def span_bound_above_almost(ops: Any, m: Any, V: Any) -> Inequality:
    b = ops.largest(operators.residual(ops, m, V))
    added = _passed(ops, m, _longest(ops, m, b))
    return Inequality(ops.optimal_value(m), ops.backup(m, V) + ALMOST * added, axes=("s",))


@claim(
    id="foundations.C17",
    family=families.general(),
    draws={"V": values()} | TAU,
    assumptions=(discounted,),
    source="Porteus 1971, for the regularised backup",
    kind="inequality",
)
def span_bound_below(ops: Any, m: Any, V: Any, tau: Any) -> Inequality:
    r"""V^*_\tau \ge T_\tau V - \max_x \gamma x u with u = \max_x (-a) / (1 - \gamma x), a = \min_s (T_\tau V - V)(s),
    x over the least and largest row mass, for \gamma < 1.

    Proof: as for C16 with the greedy policy of V, whose regularised value is at most :math:`V^*_\tau`.
    """
    reg = Shannon(tau)
    a = ops.smallest(operators.residual(ops, m, V, reg))
    taken = _passed(ops, m, _longest(ops, m, -a))
    return Inequality(ops.backup(m, V, reg) - ops.optimal_value(m, reg), taken, axes=("s",))


@twin(span_bound_below, why="the largest residual in place of the least")
def span_bound_below_with_largest(ops: Any, m: Any, V: Any, tau: Any) -> Inequality:
    reg = Shannon(tau)
    a = ops.largest(operators.residual(ops, m, V, reg))
    lower = ops.backup(m, V, reg) - _passed(ops, m, _longest(ops, m, -a))
    return Inequality(lower, ops.optimal_value(m, reg), axes=("s",))


@twin(span_bound_below, why="what is taken from TV, times 0.99")
def span_bound_below_almost(ops: Any, m: Any, V: Any, tau: Any) -> Inequality:
    reg = Shannon(tau)
    a = ops.smallest(operators.residual(ops, m, V, reg))
    lower = ops.backup(m, V, reg) - ALMOST * _passed(ops, m, _longest(ops, m, -a))
    return Inequality(lower, ops.optimal_value(m, reg), axes=("s",))


@claim(
    id="foundations.C18",
    family=families.general(),
    draws={"D": values(corners=True)},
    assumptions=(discounted,),
    source="Singh and Yee 1994",
    kind="inequality",
    instances=families.SMALL,  # ties of greedy actions are settled in rationals alone
)
def greedy_loss(ops: Any, m: Any, D: Any) -> Inequality:
    r"""\|V^* - V^\pi\|_\infty \le \frac{2\gamma}{1 - \gamma} \|V - V^*\|_\infty for \gamma < 1 and the greedy policy of V (first
    maximiser).

    Proof: :math:`V^* - V^\pi = (TV^* - T_\pi V) + (T_\pi V - T_\pi V^\pi)` with :math:`T_\pi V = TV`, and C1 for each term.
    Here :math:`V = V^* + D`. Attained where two actions, of which one is wrong by twice the discounted error, look alike.
    """
    best = ops.optimal_value(m)
    pi = operators.policy_of(ops, m, best + D)
    return Inequality(ops.norm(best - ops.evaluate(m, pi)), 2 * m.gamma / (1 - m.gamma) * ops.norm(D))


greedy_loss_almost = stronger(greedy_loss, ALMOST, family=families.wrong_turns())
greedy_loss_half = stronger(
    greedy_loss, 0.5, why="half of the bound: the error counts once", family=families.wrong_turns()
)


@twin(greedy_loss, why="the policy is greedy against V", family=families.self_loops(2, 2))
def greedy_loss_of_the_worst(ops: Any, m: Any, D: Any) -> Inequality:
    best = ops.optimal_value(m)
    pi = ops.first_max(-operators.q_backup(ops, m, best + D), where=m.mask)
    return Inequality(ops.norm(best - ops.evaluate(m, pi)), 2 * m.gamma / (1 - m.gamma) * ops.norm(D))
