"""From sides to verdicts: what is counted, and what it is called."""

from __future__ import annotations

import numpy as np
import pytest

from proofs_check.settle import EngineFault, Sides, compare
from proofs_check.verdict import Tally, judge, rests_on


def sides(
    left: tuple[float, float],
    right: tuple[float, float],
    sign: int,
    *,
    identity: bool = False,
    trivial: tuple[float, float] | None = None,
    width: float = 0.0,
) -> Sides:
    """One instance, one entry."""
    box = lambda pair: (np.array([[pair[0]]]), np.array([[pair[1]]]))  # noqa: E731
    bound = None if trivial is None else box(trivial)
    return Sides(
        identity,
        box(left),
        box(right),
        bound,
        np.array([[sign]], dtype=np.int8),
        np.array([[width]]),
        np.array([[width]]),
    )


def test_only_sides_that_separate_the_wrong_way_are_wrong() -> None:
    assert sides((2.0, 2.1), (1.0, 1.5), -1).wrong[0]
    assert not sides((1.0, 1.5), (2.0, 2.1), 1).wrong[0]
    assert not sides((1.0, 2.0), (1.5, 2.5), 2).wrong[0]
    assert sides((1.0, 1.5), (2.0, 2.1), 1, identity=True).wrong[0]


def test_zero_over_zero_is_no_evidence_of_tightness() -> None:
    null = sides((0.0, 0.0), (0.0, 0.0), 0)
    assert not null.attained[0]
    assert np.isnan(null.ratio[0])
    assert not sides((-1e-30, 1e-30), (0.0, 0.0), 2).attained[0]


def test_an_exact_equality_is_attained_with_ratio_one() -> None:
    tie = sides((0.5, 0.5), (0.5, 0.5), 0)
    assert tie.attained[0]
    assert tie.ratio[0] == 1.0


def test_an_overlap_is_no_exact_equality() -> None:
    overlap = sides((0.5, 0.7), (0.6, 0.8), 2)
    assert overlap.attained[0] and not overlap.equal[0]
    assert sides((0.5, 0.5), (0.5, 0.5), 0).equal[0]


def test_the_ratio_is_a_lower_bound() -> None:
    assert sides((1.0, 1.1), (2.0, 2.5), 1).ratio[0] <= 1.0 / 2.5


def test_a_negative_bound_has_no_ratio() -> None:
    assert np.isnan(sides((-3.0, -2.9), (-1.0, -0.9), 1).ratio[0])


def test_a_bound_above_the_trivial_one_does_not_inform() -> None:
    assert not sides((0.0, 0.1), (2.0, 2.1), 1, trivial=(1.0, 1.0)).informative[0]
    assert sides((0.0, 0.1), (0.5, 0.6), 1, trivial=(1.0, 1.0)).informative[0]


def test_enclosures_that_exclude_each_other_are_a_fault() -> None:
    a = sides((1.0, 1.1), (2.0, 2.1), 1)
    compare("some.claim", a, sides((1.05, 1.05), (2.05, 2.05), 1), "exact")
    with pytest.raises(EngineFault, match=r"some\.claim: the right side"):
        compare("some.claim", a, sides((1.05, 1.05), (2.2, 2.2), 1), "exact")


def test_decided_signs_that_differ_are_a_fault() -> None:
    a = sides((1.0, 2.0), (1.5, 2.5), 1)
    with pytest.raises(EngineFault, match="sign"):
        compare("some.claim", a, sides((1.9, 1.9), (1.6, 1.6), -1), "exact")
    compare("some.claim", a, sides((1.5, 1.5), (1.6, 1.7), 2), "balls")


def tally(**changes: object) -> Tally:
    found = Tally(drawn=10, met=10, enclosure=10, informative=True, nonzero=True, ratio=0.5, ratio_at="a:0.0")
    for name, value in changes.items():
        setattr(found, name, value)
    return found


def verdict(**changes: object) -> str:
    return judge("some.claim", tally(**changes)).verdict


def test_each_verdict_has_its_reason() -> None:
    assert verdict() == "holds"
    assert verdict(ratio=0.9995) == "tight"
    assert verdict(ratio=0.998) == "holds"
    assert verdict(ties=1) == "tight"
    assert verdict(ties=1, identity=True) == "holds"
    assert verdict(met=0) == "vacuous"
    assert verdict(informative=False) == "vacuous"
    assert verdict(nonzero=False) == "vacuous"
    assert verdict(nonzero=False, identity=True) == "holds"  # an identity may be written as a difference that vanishes
    assert verdict(open=1) == "undecided"


def test_a_confirmed_refutation_beats_everything_else() -> None:
    found = tally(open=3, ties=2)
    found.refutation(6, {"address": "a:0.3"})
    assert judge("some.claim", found).verdict == "refuted"


def test_the_smallest_counterexample_is_kept_and_the_first_of_equals() -> None:
    found = tally()
    for size, address in ((6, "a"), (4, "b"), (4, "c"), (9, "d")):
        found.refutation(size, {"address": address})
    assert found.counterexample is not None
    assert found.counterexample["address"] == "b"
    assert found.refuted == 4


def test_what_a_verdict_rests_on_is_printed() -> None:
    found = tally(met=2004, enclosure=1960, exact=40, balls=4, resolution=128.0)
    assert rests_on(found) == "on 2,004 instances; 1,960 by enclosure, 40 exactly, 4 by balls; resolution 2^-128"


def test_unmet_assumptions_are_named() -> None:
    assert "gamma < 1" in judge("some.claim", tally(met=0, unmet={"gamma < 1": 10})).reason
