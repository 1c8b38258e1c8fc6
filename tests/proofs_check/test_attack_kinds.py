"""The attack on evidence that is no inequality: what it says of one instance is searched, and what says nothing of one is not."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from proofs_check import (
    Inequality,
    Order,
    Witness,
    claim,
    counterexample,
    families,
    kinds,
    scalars,
    streams,
    values,
    views,
)
from proofs_check.adversary import attack
from proofs_check.domains import sampled
from proofs_check.loading import load_file
from proofs_check.runner import Budget, verify
from proofs_check.settle import Settler, screen
from proofs_check.shrink import shrink
from proofs_check.statements import NoStatement, statement
from proofs_check.statistics import confidence
from proofs_check.statistics.eprocess import REFUTES

WEIGHED = {c.id: c for c in load_file(Path(__file__).with_name("weighed_claims.py"))}
FAMILY = families.garnet(2, 2, gamma=(0.5,))
C = {"c": scalars(1.0, 2.0)}
X = [2.0**k for k in range(3, 9)]


def attacked(name: str, evaluations: int = 2000) -> Any:
    return attack(WEIGHED[f"weighed.{name}"], evaluations)


def looked_at(name: str, found: Any) -> views.View:
    """The original claim on the instance that was found, settled."""
    looked = kinds.look(WEIGHED[f"weighed.{name}"], *counterexample.replay(found.instance))
    assert looked is not None
    json.dumps(found.as_dict(), allow_nan=False)
    return looked[1]


@pytest.mark.parametrize(("name", "ratio"), [("order_constant", 4 / 3), ("order_growth", 2.0)])
def test_an_order_beyond_what_it_declares_is_refuted(name: str, ratio: float) -> None:
    """c k <= 3/2 k is worst at c = 2; c k = O(1) with growth 1/2 has late / early = 4, and 2 is allowed."""
    found = attacked(name)
    assert (found.kind, found.status, found.size) == ("Order", "refuted", (1, 1))
    assert found.ratio == pytest.approx(ratio, rel=1e-12) and found.ratio <= ratio
    assert looked_at(name, found).status.tolist() == [views.BAD]


def test_the_largest_quotient_is_taken_over_k_and_over_instances() -> None:
    @claim(id="kinds.order", family=FAMILY, draws=C, instances=())
    def order(ops: Any, m: Any, c: Any) -> Order:
        """c k (8 - k) <= 64 k^0: 2 * 16 / 64 at k = 4."""
        return Order([c * k * (8 - k) for k in range(1, 8)], [1] * 7, constant=64)

    found = attack(order, 1000)
    assert found.status == "stands" and found.ratio == pytest.approx(0.5, rel=1e-12)
    assert found.random is not None and found.random <= found.ratio <= 0.5


def test_both_declarations_of_an_order_are_attacked() -> None:
    @claim(id="kinds.both", family=FAMILY, draws=C, instances=())
    def both(ops: Any, m: Any, c: Any) -> Order:
        """c k <= 100 k^0 for k to 8, growing like k^0.9: only the growth is broken."""
        return Order([c * k for k in range(1, 9)], [1] * 8, constant=100, growth=0.9)

    found = attack(both, 500)
    assert found.status == "refuted" and found.ratio == pytest.approx(4**0.1, rel=1e-9)


def test_an_order_without_a_constant_has_none_to_exceed() -> None:
    found = attacked("order_log")
    assert (found.status, found.ratio, found.random) == ("stands", None, None)
    assert "no constant" in found.reason
    assert found.numbers["least constant"] == pytest.approx(2 * np.log(17), rel=1e-12)


def test_slopes_of_a_scaling_are_searched_for_their_extremes() -> None:
    wrong, right, drifts = (attacked(f"scaling_{name}") for name in ("false", "true", "drifts"))
    assert wrong.status == "refuted" and looked_at("scaling_false", wrong).status.tolist() == [views.BAD]
    assert right.status == drifts.status == "stands"
    for found in (wrong, right, drifts):
        assert found.ratio is None and found.random is None
    # at c = 0 the slopes are -1/2; at c = 1 that of the first half is lowest
    x = np.array([2.0**k for k in range(3, 7)])
    steepest = np.polyfit(np.log(x), -0.5 * np.log(x) + np.log1p(1 / x), 1)[0]
    assert right.numbers == pytest.approx({"lowest slope": steepest, "highest slope": -0.5}, abs=1e-9)
    assert right.numbers["lowest slope"] >= steepest - 1e-12 and right.numbers["highest slope"] <= -0.5
    assert drifts.numbers["lowest slope"] < -0.55


@pytest.mark.parametrize("name", ["scaling_true", "scaling_false", "scaling_drifts", "order_constant", "order_growth"])
def test_a_statement_is_wrong_where_the_evidence_is_bad(name: str) -> None:
    c = WEIGHED[f"weighed.{name}"]
    batch = FAMILY(3, 50)
    drawn = sampled(c, batch, None, 3)
    assert np.array_equal(screen(statement(c).claim, batch, drawn).wrong, screen(c, batch, drawn).status == views.BAD)


@pytest.mark.parametrize("name", ["witness", "equality"])
def test_a_witness_is_found_decided_and_small(name: str) -> None:
    found = attacked(name)
    assert found.status == "witness found" and found.ratio is None
    assert found.size == ((1, 1) if name == "witness" else (2, 1))  # values of two states are equal in two states
    assert looked_at(name, found).status.tolist() == [views.GOOD]


def test_a_witness_that_random_instances_miss_is_climbed_to() -> None:
    @claim(id="kinds.rare", family=FAMILY, draws={"c": scalars(0.0, 1.0), "d": scalars(0.0, 1.0)}, instances=())
    def rare(ops: Any, m: Any, c: Any, d: Any) -> Witness:
        """c and d are near 1/3 and 2/7: their distances sum up to 2^-12."""
        tiny = ops.constant(2.0**-12)
        return Witness(Inequality(ops.abs(c - ops.constant(1) / 3) + ops.abs(d - ops.constant(2) / 7), tiny))

    plain = verify(rare, Budget("plain", 2000, 0, 0, 0))
    assert plain.verdict == "undecided"
    found = attack(rare, 20_000)
    assert found.status == "witness found" and found.source.startswith(("climb", "polish"))


def test_no_witness_is_none() -> None:
    found = attacked("no_witness")
    assert found.status == "no witness" and found.ratio is None


def test_a_witness_that_is_not_strict_may_be_an_equality() -> None:
    @claim(id="kinds.equal", family=FAMILY, draws={"V": values()}, instances=())
    def equal(ops: Any, m: Any, V: Any) -> Witness:
        """A norm is at most 0."""
        return Witness(Inequality(ops.norm(V), 0), strict=False)

    found = attack(equal, 500)
    assert found.status == "witness found"


def test_a_trial_is_tried_on_its_family_alone() -> None:
    """0.1 fails against 0.05: refuted; else the ratio is the least delta that survives over delta, of the same trials."""
    found = attacked("trial_edge", 20_000)
    v = verify(WEIGHED["weighed.trial_edge"], Budget("attack", 2000, 0, 0, 0))
    assert found.status == "stands" and found.evaluations == 2000 and found.instance is None
    least = float(confidence.least_delta(v.evidence["failures"], 2000, REFUTES))
    assert found.numbers == {"least delta": least, "delta": 0.05, "trials": 2000}
    assert found.ratio == least / 0.05 and 0 < found.ratio < 1
    wrong = attacked("trial_false", 20_000)
    assert wrong.status == "refuted" and wrong.ratio > 1 and "more often" in wrong.reason
    drawn = attacked("trial_drawn")
    assert drawn.status == "stands" and drawn.ratio is None and "drawn" in drawn.reason


@pytest.mark.parametrize("name", ["beats", "equals", "scaling_sampled"])
def test_averages_are_not_attacked(name: str) -> None:
    found = attacked(name)
    assert found.status == "not attacked" and "average over the family" in found.reason and found.evaluations == 0


def test_what_no_coordinates_describe_is_not_attacked() -> None:
    @claim(id="kinds.random", family=FAMILY, draws={"rng": streams}, instances=())
    def random(ops: Any, m: Any, rng: Any) -> Inequality:
        """A uniform number is at most 1."""
        return Inequality(ops.array(rng.uniform("u"), 0), 1)

    @claim(id="kinds.built", family=FAMILY, instances=())
    def built(ops: Any, m: Any) -> Witness:
        """Built by the body."""
        return Witness(Inequality(0, 1), instance=m.source)

    assert "random numbers" in attack(random, 100).reason
    assert "builds its witness" in attack(built, 100).reason
    with pytest.raises(NoStatement):
        statement(built)


@dataclass(frozen=True)
class Values(Inequality):
    """An inequality whose quotient means nothing."""

    quotient: bool = False


def test_a_quotient_that_means_nothing_is_not_reported() -> None:
    @claim(id="kinds.values", family=FAMILY, draws={"V": values()}, instances=())
    def compared(ops: Any, m: Any, V: Any) -> Inequality:
        """V_0 <= 1 + max V."""
        return Values(V[0], 1 + ops.max(V))

    found = attack(compared, 500)
    assert (found.status, found.ratio, found.random) == ("stands", None, None) and "means nothing" in found.reason
    assert found.history == ()


def test_a_body_that_names_a_state_is_shrunk_to_the_states_it_names() -> None:
    @claim(id="kinds.named", family=families.garnet(3, 2), draws={"V": values()}, instances=())
    def named(ops: Any, m: Any, V: Any) -> Inequality:
        """V_1 <= 0."""
        return Inequality(V[1], 0)

    found = attack(named, 500)
    assert found.status == "refuted" and found.size == (2, 1)


@pytest.mark.parametrize("name", ["order_constant", "scaling_false"])
def test_counterexamples_of_a_run_are_shrunk_too(name: str) -> None:
    c = WEIGHED[f"weighed.{name}"]
    v = verify(c, Budget("small", 200, 0, 0, 0))
    assert v.verdict == "refuted" and v.tally.counterexample is not None
    small = v.tally.counterexample
    assert small["steps"] > 0
    looked = kinds.look(c, *counterexample.replay(small))
    assert looked is not None and looked[1].status.tolist() == [views.BAD]


def test_a_shrunk_instance_settles_as_it_was_found() -> None:
    c = WEIGHED["weighed.order_constant"]
    said = statement(c)
    found = attack(c, 500)
    mdp, payloads = counterexample.replay(found.instance)
    assert said.claimed(Settler(said.claim)(mdp, payloads))
    assert shrink(said.claim, mdp, payloads, said.claimed).taken == 0
