"""What the pages say of a verdict is what its kind of evidence allows."""

from __future__ import annotations

from typing import Any

import pytest

from proofs_check import (
    Comparison,
    Identity,
    Inequality,
    Scaling,
    Trial,
    Witness,
    claim,
    families,
    scalars,
    streams,
    values,
)
from proofs_check.planted import CHECKED, CRASHED, KILLED, MISSED, UNTRIED
from proofs_check.report import numbers
from proofs_check.report.pages import WORDS
from proofs_check.report.wording import AVERAGE, HOLDS, MEANINGS, OUTCOMES, kind, meaning, pictured, reached
from proofs_check.runner import BUDGETS, verify
from proofs_check.tables import COLOURS
from proofs_check.verdict import Verdict

SMALL = families.garnet(2, 2, gamma=(0.5, 0.75))


def verdict(body: Any, draws: Any) -> Verdict:
    body.__doc__ = "A statement."
    return verify(claim(id="words.C1", family=SMALL, draws=draws, instances=())(body), BUDGETS["quick"])


def test_every_status_verdict_and_outcome_has_words() -> None:
    assert set(MEANINGS) == set(WORDS) and set(COLOURS) - {"fault"} <= set(WORDS)
    assert set(OUTCOMES) == {KILLED, CHECKED, CRASHED, MISSED, UNTRIED}


def test_an_average_says_nothing_of_one_instance() -> None:
    found = verdict(lambda ops, m, rng: Trial(rng.uniform("u") > 0.95, 0.2), {"rng": streams})
    assert found.verdict == "holds" and kind(found) == AVERAGE
    assert meaning("holds", found) == HOLDS[AVERAGE] and "proved for each" not in meaning("holds", found)
    assert "least delta" in reached(found)[1] and pictured(found) == "A trial that failed"
    rows = dict(numbers.weighed(found))
    assert rows["trials"] == "200" and rows["delta"] == "0.2"
    assert float(rows["rate of failure at most (19/20, at any time)"]) >= found.evidence["upper_limit"]
    beats = verdict(
        lambda ops, m, rng: Comparison(rng.uniform("a") + 0.5, rng.uniform("b"), bound=1.5), {"rng": streams}
    )
    assert kind(beats) == AVERAGE and "mean difference" in dict(numbers.weighed(beats))


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (lambda ops, m, V: Inequality(ops.norm(V), ops.norm(V) + 1), ""),
        (lambda ops, m, V: Identity(V, V, axes=("s",)), "identity"),
        (lambda ops, m, V: Witness(Inequality(ops.norm(V), ops.norm(V) + 1)), "Witness"),
    ],
    ids=["inequality", "identity", "witness"],
)
def test_what_is_decided_by_signs_is_said_of_instances(body: Any, expected: str) -> None:
    found = verdict(body, {"V": values})
    assert found.verdict == "holds" and kind(found) == expected
    assert meaning("holds", found) == (HOLDS[expected] if expected else MEANINGS["holds"])
    assert numbers.counted(found)[0] == ("drawn", "200")


def test_an_exponent_is_of_its_range() -> None:
    points = [8, 16, 32, 64]
    found = verdict(
        lambda ops, m, c: Scaling(points, [(1 + c / x) / x for x in points], -1.1, -0.9), {"c": scalars(0.0, 1.0)}
    )
    assert kind(found) == "Scaling" and "beyond the range" in meaning("holds", found)
    assert dict(numbers.weighed(found))["range"] == "8 to 64"


def test_a_ratio_is_rounded_down_and_a_gap_up() -> None:
    assert [numbers.ratio(x) for x in (1.0, 0.99999999, 0.12349, 1.5)] == ["1", "1 - 1.0e-08", "0.1234", "1.5000"]
    assert [numbers.gap(x) for x in (-456.06, 0.12345)] == ["−456", "0.1235"]
