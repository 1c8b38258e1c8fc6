r"""Foundations, part 4: finite horizons. Three stages of one model; a policy may differ between stages."""

from __future__ import annotations

from itertools import product
from typing import Any

from proofs_check import Identity, Inequality, claim, distributions, families, policies, temperatures, twin, values
from proofs_check.claim import all_available
from tabular.reference import operators
from tabular.regularizers import Shannon

H = 3
TINY = (families.garnet(2, 2), families.random_endings(2, 2), families.deterministic(2, 2))
SMALL = (families.random_endings(3, 2), families.random_masks(3, 2), families.deterministic(3, 2))
MARKOV = {"pi0": policies(), "pi1": policies(), "pi2": policies()}
ROWS = ([1, 0], [0, 1])
DECISION_RULES = tuple([list(first), list(second)] for first, second in product(ROWS, ROWS))


def _best(ops: Any, m: Any, V: Any, stages: int) -> Any:
    """The largest value over all deterministic Markov policies of two states and two actions, by going through them."""
    rules = [ops.distribution(rule) for rule in DECISION_RULES]
    found = [operators.policy_induction(ops, [m] * stages, V, choice)[0] for choice in product(rules, repeat=stages)]
    best, _ = ops.scan(lambda top, W: (ops.maximum(top, W), None), found[0], found[1:])
    return best


@claim(
    id="foundations.C27",
    family=TINY,
    draws={"V": values()},
    assumptions=(all_available,),
    source="Puterman 1994, chapter 4 (finite horizons)",
    kind="identity",
    instances=(),
)
def backward_induction(ops: Any, m: Any, V: Any) -> Identity:
    r"""Backward induction gives \max_\pi V_0^\pi over all deterministic Markov policies (here 64 of them, each evaluated).

    Proof: by induction, the maximum over later decisions may be taken inside the expectation.
    """
    return Identity(operators.backward_induction(ops, [m] * H, V)[0], _best(ops, m, V, H), axes=("s",))


@twin(backward_induction, why="one stage too few")
def backward_induction_short(ops: Any, m: Any, V: Any) -> Identity:
    return Identity(operators.backward_induction(ops, [m] * (H - 1), V)[0], _best(ops, m, V, H), axes=("s",))


@claim(
    id="foundations.C28",
    family=SMALL,
    draws=MARKOV | {"V": values(), "rho": distributions()},
    source="Puterman 1994, chapter 4 (finite horizons)",
    kind="identity",
    instances=(),
)
def forward_is_backward(ops: Any, m: Any, pi0: Any, pi1: Any, pi2: Any, V: Any, rho: Any) -> Identity:
    r"""\rho V_0^\pi = \sum_{h<H} \gamma^h d_h \cdot R_{\pi_h} + \gamma^H d_H \cdot V, with d_h the state probabilities at step h.

    Proof: the same finite sum over paths, collected from the other end.
    """
    plan, stages = [pi0, pi1, pi2], [m] * H
    d = operators.forward_visits(ops, stages, rho, plan)
    earned = ops.dot(d[0], ops.dot(pi0, m.R)) + m.gamma * ops.dot(d[1], ops.dot(pi1, m.R))
    earned = earned + m.gamma**2 * ops.dot(d[2], ops.dot(pi2, m.R)) + m.gamma**3 * ops.dot(d[3], V)
    return Identity(ops.dot(rho, operators.policy_induction(ops, stages, V, plan)[0]), earned)


@twin(forward_is_backward, why="the terminal value is discounted once too often")
def forward_is_backward_late(ops: Any, m: Any, pi0: Any, pi1: Any, pi2: Any, V: Any, rho: Any) -> Identity:
    plan, stages = [pi0, pi1, pi2], [m] * H
    d = operators.forward_visits(ops, stages, rho, plan)
    earned = ops.dot(d[0], ops.dot(pi0, m.R)) + m.gamma * ops.dot(d[1], ops.dot(pi1, m.R))
    earned = earned + m.gamma**2 * ops.dot(d[2], ops.dot(pi2, m.R)) + m.gamma**4 * ops.dot(d[3], V)
    return Identity(ops.dot(rho, operators.policy_induction(ops, stages, V, plan)[0]), earned)


@claim(
    id="foundations.C29",
    family=SMALL,
    draws=MARKOV | {"V": values(), "tau": temperatures(orders=8)},
    source="Geist, Scherrer and Pietquin 2019, with a horizon",
    kind="inequality",
    instances=(),
)
def soft_backward_induction(ops: Any, m: Any, pi0: Any, pi1: Any, pi2: Any, V: Any, tau: Any) -> Inequality:
    r"""V_0^\pi \le V_0 for every Markov policy, with the entropy in both; V_0 by regularised backward induction.

    Proof: C9 at each stage, and C5.
    """
    reg, stages = Shannon(tau), [m] * H
    value = operators.policy_induction(ops, stages, V, [pi0, pi1, pi2], reg)[0]
    return Inequality(value, operators.backward_induction(ops, stages, V, reg)[0], axes=("s",), quotient=False)


@twin(soft_backward_induction, why="the optimum forgets the entropy", family=families.deterministic(3, 2))
def soft_backward_induction_hard(ops: Any, m: Any, pi0: Any, pi1: Any, pi2: Any, V: Any, tau: Any) -> Inequality:
    reg, stages = Shannon(tau), [m] * H
    value = operators.policy_induction(ops, stages, V, [pi0, pi1, pi2], reg)[0]
    return Inequality(value, operators.backward_induction(ops, stages, V)[0], axes=("s",))


@twin(soft_backward_induction, why="the optimum forgets the entropy of the last stage alone")
def soft_backward_induction_last(ops: Any, m: Any, pi0: Any, pi1: Any, pi2: Any, V: Any, tau: Any) -> Inequality:
    reg, stages = Shannon(tau), [m] * H
    value = operators.policy_induction(ops, stages, V, [pi0, pi1, pi2], reg)[0]
    last = operators.backup(ops, m, V)
    return Inequality(value, operators.backward_induction(ops, stages[1:], last, reg)[0], axes=("s",))


@twin(soft_backward_induction, why="one per cent less entropy in the optimum")
def soft_backward_induction_cooler(ops: Any, m: Any, pi0: Any, pi1: Any, pi2: Any, V: Any, tau: Any) -> Inequality:
    stages = [m] * H
    value = operators.policy_induction(ops, stages, V, [pi0, pi1, pi2], Shannon(tau))[0]
    return Inequality(value, operators.backward_induction(ops, stages, V, Shannon(0.99 * tau))[0], axes=("s",))
