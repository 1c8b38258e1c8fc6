r"""SoftRobust, part 3: the entropic measure as its parameter changes (C7)."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from proofs_check import Inequality, claim, families, scalars, stronger, twin
from proofs_check.claim import discounted
from proofs_check.claims.planning.soft_robust_equivalence import BETA, ENDINGS, GAMMAS, SMALL
from tabular.reference import risk as robust
from tabular.risk import Entropic, Neutral, WorstCase

PAIRS = families.garnet(2, 1, gamma=GAMMAS)
COINS = (*SMALL, PAIRS)
LIMITS: dict[str, Any] = {
    "family": COINS,
    "draws": BETA,
    "assumptions": (discounted,),
    "source": "Zhang, Hu and Li 2024, section 2; the bounds are ours",
    "kind": "inequality",
    "instances": (),
}


def _in_order(ops: Any, m: Any, beta: Any, more: Any) -> tuple[Any, Any]:
    """Optimal values for the larger and for the smaller parameter."""
    p = ops.successors(m)
    later = robust.optimal_value(ops, m, p, Entropic(beta * (1 + more)))
    return later, robust.optimal_value(ops, m, p, Entropic(beta))


@claim(id="soft_robust.C7", **LIMITS | {"family": SMALL, "draws": BETA | {"more": scalars(1 / 1024, 4.0)}})
def falls_in_beta(ops: Any, m: Any, beta: Any, more: Any) -> Inequality:
    r"""\tilde V^* does not rise with \beta: \tilde V^*_{(1+c) \beta} \le \tilde V^*_\beta, c \ge 0.

    Proof: :math:`\log E e^{-\beta V} / \beta` rises with :math:`\beta` by Jensen's inequality, and the backups are monotone.
    """
    later, earlier = _in_order(ops, m, beta, more)
    return Inequality(later, earlier, axes=("s",))


@twin(falls_in_beta, family=ENDINGS, why="it does not fall")
def rises_in_beta(ops: Any, m: Any, beta: Any, more: Any) -> Inequality:
    later, earlier = _in_order(ops, m, beta, more)
    return Inequality(earlier, later, axes=("s",))


def _span(ops: Any, V: Any) -> Any:
    """Of values and the end's zero."""
    return ops.maximum(ops.max(V), 0) - ops.minimum(ops.min(V), 0)


def _from_neutral(ops: Any, m: Any, beta: Any) -> tuple[Any, Any]:
    """What risk costs, and the bound on it."""
    p = ops.successors(m)
    V = robust.optimal_value(ops, m, p, Neutral())
    bound = m.gamma * beta * _span(ops, V) ** 2 / (8 * (1 - m.gamma))
    return ops.max(V - robust.optimal_value(ops, m, p, Entropic(beta))), bound


@claim(id="soft_robust.C7a", **LIMITS)
def neutral_limit(ops: Any, m: Any, beta: Any) -> Inequality:
    r"""\tilde V^*_0 - \tilde V^*_\beta \le \gamma \beta\, span(\tilde V^*_0)^2 / (8 (1-\gamma)): risk-neutral as \beta \to 0.
    The span is that of the values and the end's 0.

    Proof: Hoeffding's lemma bounds :math:`\sigma_\beta + E V` by :math:`\beta\,span^2/8`; a constant error of a
    backup is multiplied by :math:`1/(1-\gamma)`.
    """
    lost, bound = _from_neutral(ops, m, beta)
    return Inequality(lost, bound)


@twin(neutral_limit, family=ENDINGS, why="of second order in beta: beta squared for beta")
def neutral_limit_of_second_order(ops: Any, m: Any, beta: Any) -> Inequality:
    lost, bound = _from_neutral(ops, m, beta)
    return Inequality(lost, beta * bound)


stronger(neutral_limit, Fraction(1, 2), family=PAIRS)


def _from_worst(ops: Any, m: Any, beta: Any) -> tuple[Any, Any]:
    """What is better than the worst case, and the bound on it."""
    p = ops.successors(m)
    better = robust.optimal_value(ops, m, p, Entropic(beta)) - robust.optimal_value(ops, m, p, WorstCase())
    rarest = ops.smallest(p, where=ops.support(p))
    return ops.max(better), -m.gamma * ops.log(rarest) / (beta * (1 - m.gamma))


@claim(id="soft_robust.C7b", **LIMITS)
def worst_case_limit(ops: Any, m: Any, beta: Any) -> Inequality:
    r"""\tilde V^*_\beta - \tilde V^*_\infty \le \gamma \log(1 / p_{min}) / (\beta (1-\gamma)), with the smallest
    positive probability of a successor: the worst case over the support as \beta \to \infty.

    Proof: :math:`E e^{-\beta V} \ge p_{min} e^{-\beta \min V}`.
    """
    better, bound = _from_worst(ops, m, beta)
    return Inequality(better, bound)


@twin(worst_case_limit, family=ENDINGS, why="of second order: 1 / beta squared")
def worst_case_limit_of_second_order(ops: Any, m: Any, beta: Any) -> Inequality:
    better, bound = _from_worst(ops, m, beta)
    return Inequality(better, bound / beta)


stronger(worst_case_limit, Fraction(1, 2), family=PAIRS)
