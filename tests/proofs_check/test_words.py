"""The words of verdicts where a quotient means nothing, where both sides are zero, and where a claim is refuted."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from proofs_check import Assumption, Identity, Inequality, claim, families, scalars, stronger, temperatures, values
from proofs_check.adversary.engine import attack
from proofs_check.runner import BUDGETS, verify
from proofs_check.tables import nearest
from proofs_check.verdict import NAMED, Verdict
from proofs_check.weighing import down, up
from tabular.regularizers import Shannon

FAMILY = families.garnet(2, 2, gamma=(0.5, 0.75))
ENDING = families.random_endings(3, 2)
MILLION = 10**6


def verdict(body: Any, draws: Any, family: Any = FAMILY, assumptions: tuple[Assumption, ...] = ()) -> Verdict:
    body.__doc__ = "A statement."
    made = claim(id="words.C1", family=family, draws=draws, instances=(), assumptions=assumptions)(body)
    return verify(made, BUDGETS["quick"])


def test_a_shifted_comparison_is_tight_by_its_ratio_and_not_without_one() -> None:
    def body(ops: Any, m: Any, c: Any, quotient: bool = True) -> Inequality:
        return Inequality(MILLION + c, MILLION + c + 1, quotient=quotient)

    def shifted(ops: Any, m: Any, c: Any) -> Inequality:
        return body(ops, m, c)

    def bare(ops: Any, m: Any, c: Any) -> Inequality:
        return body(ops, m, c, quotient=False)

    draws = {"c": scalars(0.0, 1.0)}
    assert verdict(shifted, draws).verdict == "tight"
    found = verdict(bare, draws)
    assert (found.verdict, found.ratio, found.reason) == ("holds", None, "")
    assert found.gap is not None and 1 <= found.gap < 1 + 1e-6
    assert nearest(found) == f"gap {1.001 if found.gap > 1 else 1:g} at {found.gap_at}"


def test_values_above_others_are_tight_where_one_state_ties_and_another_does_not() -> None:
    def raised(ops: Any, m: Any, V: Any, D: Any) -> Inequality:
        return Inequality(V, V + D, axes=("s",), quotient=False)

    found = verdict(raised, {"V": values, "D": values(nonnegative=True)})
    assert (found.verdict, found.gap) == ("tight", 0.0)


def test_equality_on_whole_instances_says_that_both_sides_were_given_the_same() -> None:
    def same_or_apart(ops: Any, m: Any, V: Any, c: Any) -> Inequality:
        return Inequality(V, V + ops.maximum(c, 0), axes=("s",), quotient=False)

    found = verdict(same_or_apart, {"V": values, "c": scalars(-1.0, 1.0)})
    assert (found.verdict, found.gap, found.tally.ties) == ("holds", 0.0, 0)
    assert found.tally.apart > 0


def test_a_number_is_tight_where_it_ties_on_some_instances_and_not_on_all() -> None:
    def clipped(ops: Any, m: Any, c: Any) -> Inequality:
        return Inequality(c, ops.maximum(c, 0), quotient=False)

    def itself(ops: Any, m: Any, c: Any) -> Inequality:
        return Inequality(c, c + 0, quotient=False)

    assert verdict(clipped, {"c": scalars(-1.0, 1.0)}).verdict == "tight"
    found = verdict(itself, {"c": scalars(1.0, 2.0)})
    assert found.verdict == "holds" and found.tally.ties == found.tally.met and found.tally.apart == 0


def test_an_overlap_is_no_equality_without_a_quotient() -> None:
    """exp(c) <= exp(c) exp(c - c), which balls never separate: equal, and not known to be."""

    def overlapping(ops: Any, m: Any, c: Any) -> Inequality:
        return Inequality(ops.exp(c), ops.maximum(ops.exp(2 * c) / ops.exp(c), ops.exp(c)), quotient=False)

    found = verdict(overlapping, {"c": scalars(1.0, 2.0)})
    assert found.verdict == "holds" and found.tally.ties == 0
    assert found.gap is not None and 0 < found.gap < 1e-15 and found.resolution is not None


def test_the_gap_of_a_refuted_comparison_is_negative() -> None:
    def wrong(ops: Any, m: Any, V: Any) -> Inequality:
        return Inequality(ops.backup(m, V), V, axes=("s",), quotient=False)

    found = verdict(wrong, {"V": values})
    assert found.verdict == "refuted" and found.gap is not None and found.gap < 0


def test_a_factor_on_a_bound_without_a_quotient_is_refused() -> None:
    def bare(ops: Any, m: Any, V: Any) -> Inequality:
        return Inequality(V, V + 1, axes=("s",), quotient=False)

    bare.__doc__ = "A statement."
    made = claim(id="words.C1", family=FAMILY, draws={"V": values}, instances=())(bare)
    with pytest.raises(TypeError, match="quotient=False"):
        verify(stronger(made, 0.5), BUDGETS["quick"])


def test_zero_below_zero_is_vacuous_exactly_or_to_the_resolution() -> None:
    def nothing(ops: Any, m: Any, V: Any) -> Inequality:
        return Inequality(ops.norm(V - V), 2 * ops.norm(V - V))

    def soft(ops: Any, m: Any, V: Any, tau: Any) -> Inequality:
        x = ops.backup(m, V, Shannon(tau)) - ops.backup(m, V, Shannon(tau))
        return Inequality(ops.norm(x), 2 * ops.norm(x))

    found = verdict(nothing, {"V": values})
    assert (found.verdict, found.reason) == ("vacuous", "both sides always zero")
    found = verdict(soft, {"V": values, "tau": temperatures(orders=4)})
    assert found.verdict == "vacuous" and found.reason.startswith("both sides always zero (to 2^-")


def test_a_single_instance_that_is_not_zero_is_enough() -> None:
    def seldom(ops: Any, m: Any, n: Any) -> Inequality:
        x = ops.maximum(n - 1, 0)
        return Inequality(x, 2 * x)

    found = verdict(seldom, {"n": scalars(-1.0, 1.0 + 2.0**-10)})
    assert found.verdict == "holds" and found.tally.apart < found.tally.met / 2


def test_an_identity_may_say_that_something_vanishes() -> None:
    def vanishes(ops: Any, m: Any, V: Any) -> Identity:
        return Identity(V - V, 0, axes=("s",))

    assert verdict(vanishes, {"V": values}).verdict == "holds"


def test_a_refuted_claim_says_what_was_confirmed_and_lists_what_was_not() -> None:
    def doubled(ops: Any, m: Any, V: Any) -> Inequality:
        return Inequality(2 * ops.norm(V) + 1, ops.norm(V) + 1)

    found = verdict(doubled, {"V": values})
    t = found.tally
    assert found.verdict == "refuted" and t.refuted == 20 and len(t.unsettled) > 100
    assert t.enclosure + t.exact + t.balls + t.open + len(t.unsettled) == t.met
    assert not {t.counterexample["address"], found.ratio_at} & set(t.unsettled)  # type: ignore[index]
    assert "on at least 20 instances, confirmed" in found.reason
    assert f"not settled, on {len(t.unsettled):,} more: {', '.join(t.unsettled[:NAMED])}, ..." in found.reason
    assert f"{len(t.unsettled)} not settled" in found.rests_on
    assert found.as_dict()["unsettled"] == t.unsettled
    assert found.ratio is not None and 1 < found.ratio <= 2  # of refuted instances, too
    assert nearest(found).startswith("at least 1.")


def test_the_counterexample_is_shrunk_once_for_a_claim_and_not_in_a_hunt() -> None:
    def lowered(ops: Any, m: Any, V: Any) -> Inequality:
        return Inequality(ops.backup(m, V), V, axes=("s",))

    lowered.__doc__ = "A statement."
    made = claim(id="words.C1", family=ENDING, draws={"V": values}, instances=())(lowered)
    found, hunted = verify(made, BUDGETS["quick"]), verify(made, BUDGETS["quick"], hunt=True)
    assert found.tally.counterexample is not None and hunted.tally.counterexample is not None
    assert found.tally.counterexample["size"] == 1 and found.tally.counterexample["steps"] > 0
    assert hunted.tally.counterexample["size"] == 6 and "steps" not in hunted.tally.counterexample


def test_a_body_for_one_shape_alone_keeps_its_counterexample() -> None:
    """Its formula does not exist on smaller models: they are no counterexamples, and no errors either."""

    def third(ops: Any, m: Any, V: Any) -> Inequality:
        return Inequality(V[2], V[0])

    found = verdict(third, {"V": values}, ENDING)
    assert found.verdict == "refuted" and found.tally.counterexample is not None


def test_attack_gives_the_gap_where_there_is_no_ratio() -> None:
    def bare(ops: Any, m: Any, V: Any) -> Inequality:
        return Inequality(V, V + 1, axes=("s",), quotient=False)

    bare.__doc__ = "A statement."
    made = claim(id="words.C1", family=FAMILY, draws={"V": values}, instances=())(bare)
    found = attack(made, 500)
    assert found.status == "stands" and found.ratio is None and found.gap == 1.0 and found.instance is not None


@pytest.mark.parametrize("x", [5e-324, 2.5e-310, 1e-300, 0.1, 0.12345, 2 / 3, 1.0, 12345678.0, 1.7e308])
def test_printed_numbers_are_rounded_outwards_at_every_size(x: float) -> None:
    for given in (x, -x):
        assert Fraction(down(given)) <= Fraction(given) <= Fraction(up(given))
        assert Fraction(up(given)) - Fraction(down(given)) <= abs(Fraction(given)) / 999
    assert up(0.0) == down(0.0) == "0"
