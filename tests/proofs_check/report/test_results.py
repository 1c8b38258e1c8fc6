"""What is read back from a store: the verdicts of the run that filled it, and in words what is old, partial or missing."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from proofs_check import digests, runner
from proofs_check.claim import Claim
from proofs_check.loading import load_file, load_paper
from proofs_check.records import Record
from proofs_check.report.results import CURRENT, EARLIER, NONE, PART, Known, found
from proofs_check.store import Store

if TYPE_CHECKING:
    from conftest import Made
else:
    Made = Any

pytestmark = pytest.mark.xdist_group("report")


@pytest.fixture
def known(made: Made) -> Known:
    with Store(made.store) as store:
        return Known.of(store)


def own(made: Made, claim_id: str) -> Claim:
    return next(c for c in load_file(made.own) if c.id == claim_id)


def without(known: Known, claim_id: str, drop: Any) -> Known:
    return replace(known, records=known.records | {claim_id: tuple(r for r in known.records[claim_id] if not drop(r))})


def changed(known: Known, claim_id: str, **fields: str) -> Known:
    new = tuple(replace(r, **fields) for r in known.records[claim_id])
    return replace(known, records=known.records | {claim_id: new})


def test_verdicts_are_those_of_the_run(made: Made, known: Known) -> None:
    data = json.loads((made.results / "results.json").read_text(encoding="utf-8"))
    assert len(data["claims"]) == 3
    for said in data["claims"]:
        got = found(own(made, said["id"]), known, None)
        assert got.state == CURRENT and got.budget == "quick" and got.seed == 0
        assert got.verdict is not None
        names = ("verdict", "rests_on", "ratio", "ratio_at", "gap", "resolution", "reason")
        assert {n: getattr(got.verdict, n) for n in names} == {n: said[n] for n in names}
        assert {t.claim.id: t.verdict and t.verdict.verdict for t in got.twins} == said["twins"]
    assert [m.name for m in found(own(made, "own.C1a"), known, None).killed] == ["<em>twice</em>"]


def test_a_twin_names_the_instance_that_refuted_it(made: Made, known: Known) -> None:
    (twin,) = found(own(made, "own.C1a"), known, None).twins
    assert twin.at.startswith("random_endings[0]:0.") and twin.current


def test_nothing_in_the_store_is_no_verdict(made: Made) -> None:
    got = found(own(made, "own.C1a"), Known.of(None), None)
    assert got.state == NONE and got.verdict is None and not got.killed
    assert [t.verdict for t in got.twins] == [None]


def test_a_budget_that_is_not_complete_gives_no_verdict(known: Known) -> None:
    (claim,) = (c for c in load_paper("planning", "foundations") if c.id == "foundations.C1")
    assert found(claim, known, "planning").state == CURRENT
    last = runner.plan(claim, runner.BUDGETS["quick"])[-1]
    got = found(claim, without(known, claim.id, lambda r: r.label == last), "planning")
    labels = len(runner.plan(claim, runner.BUDGETS["quick"]))
    assert got.state == PART and got.verdict is None and got.chunks == (labels - 1, labels)


@pytest.mark.parametrize(
    ("fields", "what"),
    [
        ({"engine": "e"}, ("engine",)),
        ({"code": "c"}, ("claim",)),
        ({"engine": "e", "code": "c"}, ("engine", "claim")),
    ],
    ids=["engine", "claim", "both"],
)
def test_results_of_before_are_shown_as_such(
    made: Made, known: Known, fields: dict[str, str], what: tuple[str, ...]
) -> None:
    claim = own(made, "own.C1a")
    got = found(claim, changed(known, claim.id, **fields), None)
    assert got.state == EARLIER and got.changed == what and got.budget == "quick"
    assert got.verdict is not None and got.verdict.verdict == "tight"
    if "engine" in fields:
        assert not any(t.current for t in got.twins) and not any(m.current for m in got.mutants)


def test_of_results_of_before_the_latest_count(made: Made, known: Known) -> None:
    claim = own(made, "own.C1a")
    records = known.records[claim.id]
    (run,) = {r.run for r in records if r.mode.startswith("audit")}

    def at(engine: str, run: str) -> tuple[Record, ...]:
        return tuple(replace(r, engine=engine, run=run) for r in records)

    both = replace(
        known,
        records={claim.id: (*at("old", "before"), *at("older", "long before"))},
        runs={"before": {"began": 2.0}, "long before": {"began": 1.0}} | {run: known.runs[run]},
    )
    assert {r.engine for r in found(claim, both, None).records if r.mode.startswith("audit")} == {"old"}
    again = replace(both, records={claim.id: (*both.records[claim.id], *records)})
    assert found(claim, again, None).state == CURRENT


def test_what_is_incomplete_now_does_not_hide_what_was_complete_before(known: Known) -> None:
    (claim,) = (c for c in load_paper("planning", "foundations") if c.id == "foundations.C1")
    records = known.records[claim.id]
    first = runner.plan(claim, runner.BUDGETS["quick"])[0]
    mixed = (*(replace(r, engine="old") for r in records), *(r for r in records if r.label == first))
    got = found(claim, replace(known, records={claim.id: mixed}), "planning")
    assert got.state == EARLIER and got.verdict is not None and got.budget == "quick"


def test_the_report_s_own_sources_are_no_part_of_the_engine() -> None:
    assert not [p for p in digests.engine_files() if "report" in p.parts[-2:]]
    assert [p for p in digests.engine_files() if p.name == "settle.py"]
