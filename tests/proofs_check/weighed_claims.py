"""Claims of the five kinds that are weighed, for the tests of the engine: true, false and undecided ones of each."""

from __future__ import annotations

import math
from typing import Any

from proofs_check import (
    Comparison,
    Identity,
    Inequality,
    Order,
    Sampled,
    Scaling,
    Trial,
    Witness,
    claim,
    families,
    policies,
    sampling,
    scalars,
    streams,
    values,
)

FAMILY = families.garnet(2, 2, gamma=(0.5,))
RNG = {"rng": streams}
POINTS = [2.0**k for k in range(3, 11)]


def powers(ops: Any, p: Any, c: Any = 0, q: Any = -1) -> list[Any]:
    """x^p (1 + c x^q) at POINTS."""
    logs = [ops.log(ops.constant(x)) for x in POINTS]
    return [ops.exp(p * t) * (1 + c * ops.exp(q * t)) for t in logs]


@claim(id="weighed.trial_true", family=FAMILY, draws=RNG)
def trial_true(ops: Any, m: Any, rng: Any) -> Trial:
    """A number above 0.98 is drawn with probability at most 0.05."""
    return Trial(Inequality(ops.array(rng.uniform("u"), 0), ops.constant(0.98)), 0.05)


@claim(id="weighed.trial_false", family=FAMILY, draws=RNG)
def trial_false(ops: Any, m: Any, rng: Any) -> Trial:
    """A number above 0.9 is drawn with probability at most 0.05."""
    return Trial(rng.uniform("u") > 0.9, 0.05)


@claim(id="weighed.trial_edge", family=FAMILY, draws=RNG)
def trial_edge(ops: Any, m: Any, rng: Any) -> Trial:
    """A number above 0.95 is drawn with probability at most 0.05."""
    return Trial(rng.uniform("u") > 0.95, 0.05)


@claim(id="weighed.trial_drawn", family=FAMILY, draws={"delta": scalars(0.25, 0.75), "rng": streams}, instances=())
def trial_drawn(ops: Any, m: Any, delta: Any, rng: Any) -> Trial:
    """A number below delta / 2 is drawn with probability at most delta."""
    return Trial(Inequality(delta / 2, ops.array(rng.uniform("u"), 0)), delta)


@claim(
    id="weighed.trial_drawn_false", family=FAMILY, draws={"delta": scalars(0.25, 0.75), "rng": streams}, instances=()
)
def trial_drawn_false(ops: Any, m: Any, delta: Any, rng: Any) -> Trial:
    """A number below 5 delta / 4 is drawn with probability at most delta."""
    return Trial(Inequality(delta * 5 / 4, ops.array(rng.uniform("u"), 0)), delta)


@claim(id="weighed.returns", family=FAMILY, draws={"pi": policies, "rng": streams})
def returns(ops: Any, m: Any, pi: Any, rng: Any) -> Trial:
    """With probability at least 19/20 a discounted return of 40 steps, in 64 runs, is on average within Hoeffding's radius."""
    found = sampling.discounted_returns(m.source, rng, pi, steps=40, replicates=64).mean(axis=-1)
    bound = ops.array(sampling.return_bound(m.source, 40), 0)
    V = ops.evaluate(m, pi)
    tail = ops.norm(m.R) * 2 * m.gamma**40
    return Trial(Inequality(ops.abs(ops.array(found, 0) - V[0]), bound * (2 * math.log(40) / 64) ** 0.5 + tail), 0.05)


@claim(id="weighed.beats", family=FAMILY, draws=RNG)
def beats(ops: Any, m: Any, rng: Any) -> Comparison:
    """A uniform number and 1/4 beat another uniform number."""
    return Comparison(rng.uniform("a") + 0.25, rng.uniform("b"), 1.25)


@claim(id="weighed.loses", family=FAMILY, draws=RNG)
def loses(ops: Any, m: Any, rng: Any) -> Comparison:
    """A uniform number beats another uniform number and 1/4."""
    return Comparison(rng.uniform("a"), rng.uniform("b") + 0.25, 1.25)


@claim(id="weighed.equals", family=FAMILY, draws=RNG)
def equals(ops: Any, m: Any, rng: Any) -> Comparison:
    """A uniform number beats another."""
    return Comparison(rng.uniform("a"), rng.uniform("b"), 1)


@claim(id="weighed.unbounded", family=FAMILY, draws=RNG)
def unbounded(ops: Any, m: Any, rng: Any) -> Comparison:
    """Something without a bound beats something."""
    return Comparison(rng.uniform("a"), rng.uniform("b"), float("inf"))


@claim(id="weighed.wrong_bound", family=FAMILY, draws=RNG)
def wrong_bound(ops: Any, m: Any, rng: Any) -> Comparison:
    """A bound that does not hold."""
    return Comparison(rng.uniform("a"), rng.uniform("b"), 0.25)


@claim(id="weighed.scaling_true", family=FAMILY, draws={"c": scalars(0.0, 1.0)}, instances=())
def scaling_true(ops: Any, m: Any, c: Any) -> Scaling:
    """x^(-1/2) (1 + c/x) scales like x^(-1/2)."""
    return Scaling(POINTS, powers(ops, ops.constant(-0.5), c), -0.55, -0.45)


@claim(id="weighed.scaling_false", family=FAMILY, draws={"c": scalars(0.0, 1.0)}, instances=())
def scaling_false(ops: Any, m: Any, c: Any) -> Scaling:
    """x^(-1/2) (1 + c/x) scales like x^(-3/4)."""
    return Scaling(POINTS, powers(ops, ops.constant(-0.5), c), -0.8, -0.7)


@claim(id="weighed.scaling_drifts", family=FAMILY, draws={"c": scalars(4.0, 8.0)}, instances=())
def scaling_drifts(ops: Any, m: Any, c: Any) -> Scaling:
    """x^(-1/2) (1 + c x^(-1/2)) scales like x^(-1/2)."""
    return Scaling(POINTS, powers(ops, ops.constant(-0.5), c, ops.constant(-0.5)), -0.55, -0.45)


@claim(id="weighed.scaling_sampled", family=FAMILY, draws=RNG)
def scaling_sampled(ops: Any, m: Any, rng: Any) -> Scaling:
    """The mean of u/(2 sqrt(x)) scales like x^(-1/2)."""
    high = [x**-0.5 for x in POINTS]
    return Scaling(POINTS, Sampled((0.9 + rng.uniform("u", len(POINTS)) / 10) * high, high), -0.6, -0.4)


@claim(id="weighed.order_flat", family=FAMILY, draws={"c": scalars(0.0, 1.0)}, instances=())
def order_flat(ops: Any, m: Any, c: Any) -> Order:
    """1 + c/k is O(1)."""
    return Order([1 + c / k for k in range(1, 17)], [1] * 16)


@claim(id="weighed.order_equal", family=FAMILY, draws={"c": scalars(1.0, 2.0)}, instances=())
def order_equal(ops: Any, m: Any, c: Any) -> Order:
    """exp(c) k is O(k), with equality all along."""
    return Order([ops.exp(c) * k for k in range(1, 9)], list(range(1, 9)))


@claim(id="weighed.order_log", family=FAMILY, draws={"c": scalars(1.0, 2.0)}, instances=())
def order_log(ops: Any, m: Any, c: Any) -> Order:
    """c log(1 + k) is O(1)."""
    return Order([c * ops.log(ops.constant(1 + k)) for k in range(1, 17)], [1] * 16)


@claim(id="weighed.order_constant", family=FAMILY, draws={"c": scalars(1.0, 2.0)}, instances=())
def order_constant(ops: Any, m: Any, c: Any) -> Order:
    """c k <= 3/2 k."""
    return Order([c * k for k in range(1, 9)], list(range(1, 9)), constant=1.5)


@claim(id="weighed.order_growth", family=FAMILY, draws={"c": scalars(1.0, 2.0)}, instances=())
def order_growth(ops: Any, m: Any, c: Any) -> Order:
    """c k is O(1), growing by at most k^(1/2)."""
    return Order([c * k for k in range(1, 9)], [1] * 8, growth=0.5)


@claim(id="weighed.witness", family=FAMILY, draws={"V": values}, instances=())
def witness(ops: Any, m: Any, V: Any) -> Witness:
    """Some values exceed their backup everywhere."""
    return Witness(Inequality(ops.backup(m, V), V, axes=("s",)))


@claim(id="weighed.no_witness", family=FAMILY, draws={"V": values}, instances=())
def no_witness(ops: Any, m: Any, V: Any) -> Witness:
    """Some values have a negative norm."""
    return Witness(Inequality(ops.norm(V), 0))


@claim(id="weighed.equality", family=FAMILY, draws={"V": values}, instances=())
def equality(ops: Any, m: Any, V: Any) -> Witness:
    """Some values are equal in two states."""
    return Witness(Identity(V[0], V[1]))
