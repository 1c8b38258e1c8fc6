r"""RF-Express, part 2: from errors of values to plans."""

from __future__ import annotations

from itertools import product
from typing import Any

from proofs_check import Inequality, claim, families, models, twin, values
from proofs_check.claim import all_available
from tabular.reference import operators

H = 2
ROWS = ([1, 0], [0, 1])
RULES = tuple([list(first), list(second)] for first, second in product(ROWS, ROWS))
STOPPING = "Kaufmann et al. 2021, section 3"


def planned(ops: Any, hat: Any, true: Any) -> Any:
    """The true value of the option of the largest estimate, of values along the last axis; of equals the last."""
    values = ops.take(true, ops.order(hat))
    return values[-1]


def _loss(ops: Any, hat: Any, true: Any, factor: Any) -> Inequality:
    return Inequality(ops.max(true) - planned(ops, hat, true), factor * ops.norm(hat - true))


@claim(
    id="rf_express.C2",
    family=(families.garnet(2, 2), families.garnet(6, 2)),
    draws={"true": values(), "hat": values(like="true")},
    source=STOPPING,
    kind="inequality",
    instances=(),
)
def stopping(ops: Any, m: Any, true: Any, hat: Any) -> Inequality:
    r"""The best of any options by estimates that are wrong by at most \varepsilon/2 is within \varepsilon of the
    best: stopping when all errors are at most \varepsilon/2 is enough.

    Proof: the error counts twice, once for the option chosen and once for the best one.
    """
    return _loss(ops, hat, true, 2)


@twin(stopping, why="errors of epsilon: two values may be ordered wrongly that differ by twice as much")
def stopping_at_epsilon(ops: Any, m: Any, true: Any, hat: Any) -> Inequality:
    return _loss(ops, hat, true, 1)


@claim(
    id="rf_express.C5",
    family=(families.garnet(2, 2), families.switches(2, 2)),
    draws={"other": models()},
    assumptions=(all_available,),
    source=STOPPING,
    kind="inequality",
    instances=(),
)
def plug_in(ops: Any, m: Any, other: Any) -> Inequality:
    r"""If |\hat V^\pi - V^\pi| \le \varepsilon/2 for all policies, the policy that is optimal in the empirical model
    is \varepsilon-optimal: V^* - V^{\hat\pi} \le 2 \max_\pi |\hat V^\pi - V^\pi|. Here two states, two steps, the 8
    deterministic Markov policies from state 0.

    Proof: C2; the largest error over all policies is attained by deterministic ones, in which values are linear step by step.
    """
    return _plug_in(ops, m, other, 2)


def _plug_in(ops: Any, m: Any, other: Any, factor: Any) -> Inequality:
    """The models' rewards may differ, too."""
    rules = [ops.distribution(rule) for rule in RULES]
    plans = list(product(rules[::2], rules))
    end = 0 * m.R[:, 0]
    hat = ops.stack([operators.policy_induction(ops, [other] * H, end, plan)[0][0] for plan in plans])
    true = ops.stack([operators.policy_induction(ops, [m] * H, end, plan)[0][0] for plan in plans])
    return _loss(ops, hat, true, factor)


@twin(plug_in, why="half of epsilon: the largest error itself")
def plug_in_of_half(ops: Any, m: Any, other: Any) -> Inequality:
    return _plug_in(ops, m, other, 1)
