"""Claims to verdicts: nothing false holds, nothing true is refuted, and a run repeats to the bit."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from proofs_check import Inequality, Trial, addresses, claim, families, runner, settle, streams, values
from proofs_check.claim import Claim
from proofs_check.counterexample import record, replay
from proofs_check.jobs import Done, Job, run
from proofs_check.loading import claims_of, file_module
from proofs_check.runner import BUDGETS, Budget, verify
from proofs_check.settle import EngineFault, Settler
from tabular.reference import NumpyOps

SAMPLE = Path(__file__).with_name("sample_claims.py")
SMALL = Budget("quick", 200, 0, 0, 4)

sample = file_module(SAMPLE)


@pytest.mark.parametrize(
    ("name", "verdict"),
    [
        ("true", "holds"),
        ("tight", "tight"),
        ("false", "refuted"),
        ("barely_false", "refuted"),
        ("barely_true", "tight"),
        ("identity", "holds"),
        ("false_identity", "refuted"),
        ("null", "vacuous"),
        ("unmet", "vacuous"),
        ("trivial", "vacuous"),
        ("unknown", "undecided"),
    ],
)
def test_verdicts(name: str, verdict: str) -> None:
    assert verify(getattr(sample, name), SMALL).verdict == verdict


def test_what_floats_cannot_see_is_decided_by_rationals_or_balls() -> None:
    assert verify(sample.barely_false, SMALL).tally.exact == 200
    found = verify(sample.barely_true, SMALL).tally
    assert found.balls == 200
    assert found.resolution == np.inf


def test_twins_are_refuted_and_their_claim_is_not() -> None:
    assert verify(sample.tight_squared, SMALL, hunt=True).verdict == "refuted"
    assert sample.tight.twins == [sample.tight_squared]
    assert verify(sample.tight, SMALL, hunt=True).verdict != "refuted"


def _runs(level: float, sizes: list[int], kind: str = "inequality") -> Claim:
    """That the first number of each stream is at least the level; ``sizes`` gets how many are looked at together."""

    @claim(id="mine.runs", family=families.garnet(2, 2), draws={"rng": streams()}, kind=kind, instances=())
    def body(ops: Any, m: Any, rng: Any) -> Any:
        r"""Streams begin above the level."""
        u = np.reshape(rng.uniform("u", 1), rng.batch)
        sizes.append(u.size)
        found = Inequality(ops.array(np.full_like(u, level), 0), ops.array(u, 0))
        return found if kind == "inequality" else Trial(found, 0.5)

    return body


def test_a_hunt_over_runs_begins_with_a_few_and_leaves_none_out() -> None:
    true = _runs(0.0, [])
    chunk = addresses.chunk_of(true, runner.plan(true, SMALL)[0], 0)
    u = np.array([chunk.payloads["rng"].take(i).lift(NumpyOps()).uniform("u", 1)[0] for i in range(200)])
    assert u.min() < u[:8].min() < u.max()
    above = np.nextafter([u.min(), u[:8].min()], 1)
    for level, verdict, met in (
        (0.0, "tight", [8, 192]),
        (above[0], "refuted", [8, 192, 1]),
        (above[1], "refuted", [8, 1]),
    ):
        sizes: list[int] = []
        found = verify(_runs(level, sizes), SMALL, hunt=True)
        assert sizes == met and found.tally.met == 200
        assert (found.verdict == "refuted") == (verdict == "refuted")
    sizes = []
    assert verify(_runs(0.0, sizes), Budget("none audited", 200, 0, 0, 0)).verdict == "holds" and sizes == [200]


def test_a_hunt_for_a_probability_looks_at_all_runs_together() -> None:
    sizes: list[int] = []
    verify(_runs(0.0, sizes, "probability"), SMALL, hunt=True)
    assert sizes == [200]


@pytest.mark.parametrize(("kind", "many"), [("inequality", 2), ("probability", 1)])
def test_what_is_seen_of_a_chunk_is_what_a_hunt_is_told(kind: str, many: int) -> None:
    body, told = _runs(0.0, [], kind), list[Any]()
    verify(body, SMALL, hunt=True, saw=lambda label, found: told.append(found))
    again = list(runner.seen_of(body, runner.plan(body, SMALL)[0], 0, hunt=True))
    assert len(again) == len(told) == many and list(map(repr, again)) == list(map(repr, told))


def test_counts_add_up() -> None:
    t = verify(sample.tight, SMALL).tally
    assert t.enclosure + t.exact + t.balls + t.open == t.met == 200


def test_a_wrong_enclosure_is_an_engine_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """The screening claims a backup that is off by one part in a million."""
    from tabular.reference import EnclosureOps

    honest = EnclosureOps.backup
    monkeypatch.setattr(
        EnclosureOps, "backup", lambda ops, m, V, reg=None: honest(ops, m, V, reg) * ops.constant(1 + 2.0**-20)
    )
    with pytest.raises(EngineFault):
        verify(sample.tight, SMALL)


@pytest.mark.parametrize(
    ("operator", "claim"), [("expect", sample.tight), ("backup", sample.tight), ("evaluate", sample.of_policy)]
)
def test_a_wrong_kernel_is_an_engine_fault(operator: str, claim: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel is off by one part in 2^40, in one state of one instance."""
    from tabular.reference import KernelOps

    honest = getattr(KernelOps, operator)

    def wrong(ops: Any, *given: Any) -> Any:
        value = honest(ops, *given)
        value.data.reshape(-1)[-1] += 2.0**-40 * abs(value.data).max()
        return value

    assert verify(claim, SMALL).verdict in ("tight", "holds")
    monkeypatch.setattr(KernelOps, operator, wrong)
    with pytest.raises(EngineFault, match=f"the compiled {operator}"):
        verify(claim, SMALL)


def test_a_budget_adds_instances_and_changes_none() -> None:
    def seen(budget: Budget) -> list[str]:
        return [repr(p.data.tobytes()) for c in runner.chunks(sample.true, budget, 0) for p in c.payloads.values()]

    assert seen(dataclasses.replace(SMALL, instances=600))[: len(seen(SMALL))] == seen(SMALL)
    for instances in (200, 2000, 20000):
        assert sum(addresses.chunk_size(c) for c in range(len(runner.plan(sample.true, _of(instances))))) == instances


def _of(instances: int) -> Budget:
    return dataclasses.replace(SMALL, instances=instances)


def test_as_many_are_audited_of_chunks_of_any_size() -> None:
    found = verify(sample.true, _of(2000)).tally
    assert found.met == 2000 and 35 <= found.audited <= 40 == SMALL.audit * 10  # 40 places are drawn, some twice


def test_what_the_screening_left_open_begins_where_ties_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    from tabular.reference import BallOps

    tried: list[int] = []
    made = BallOps.__init__
    monkeypatch.setattr(BallOps, "__init__", lambda ops, bits: (tried.append(bits), made(ops, bits))[1])
    verify(sample.barely_true, SMALL)
    assert tried and min(tried) == settle.TIE_PRECISION
    tried.clear()
    chunk = next(runner.chunks(sample.barely_true, SMALL, 0))
    Settler(sample.barely_true)(*chunk.instance(0))
    assert tried[0] == settle.LADDER[0]


def test_seeds_depend_on_the_claim_and_the_seed_alone() -> None:
    def first(c: Any, seed: int) -> bytes:
        return bytes(next(runner.chunks(c, SMALL, seed)).payloads["V"].data.tobytes())

    assert first(sample.true, 0) == first(sample.true, 0)
    assert first(sample.true, 0) != first(sample.true, 1)
    assert first(sample.true, 0) != first(dataclasses.replace(sample.true, id="sample.other"), 0)


def test_an_address_makes_its_instance_again() -> None:
    chunk = next(runner.chunks(sample.true, SMALL, 3))
    mdp, payloads = chunk.instance(17)
    again, drawn = addresses.instance(sample.true, chunk.address(17), 3)
    assert mdp == again
    assert all(np.array_equal(payloads[k].data, drawn[k].data) for k in payloads)
    with pytest.raises(ValueError, match="no instance"):
        addresses.instance(sample.true, "garnet[0]:x", 3)


def test_a_counterexample_survives_the_disk_exactly() -> None:
    v = verify(sample.false, SMALL)
    data = json.loads(json.dumps(v.tally.counterexample))
    mdp, payloads = replay(data)
    assert Settler(sample.false)(mdp, payloads).status == "refuted"
    assert record(mdp, payloads, data["address"]) == {k: data[k] for k in ("address", "mdp", "draws")}


@pytest.fixture(scope="module")
def jobs() -> list[Job]:
    names = ("true", "tight", "false", "identity")
    return [Job(f"sample.{name}", None, str(SAMPLE), BUDGETS["quick"], 0) for name in names]


def _bytes(found: list[Done]) -> dict[str, str]:
    return {
        d.job.id: json.dumps([d.fault, d.verdict and d.verdict.as_dict(), [t.as_dict() for t in d.twins]])
        for d in found
    }


def test_workers_and_order_change_no_bit(jobs: list[Job]) -> None:
    one = _bytes(run(jobs, workers=1))
    assert all('"' in x for x in one.values())
    assert _bytes(run(jobs[::-1], workers=2)) == one


def test_a_body_that_raises_is_reported_and_the_others_run(tmp_path: Path) -> None:
    file = tmp_path / "broken.py"
    head = SAMPLE.read_text(encoding="utf-8").split("@claim")[0]
    file.write_text(
        head
        + '@claim(id="broken.C1", family=FAMILY, draws={"V": values()}, instances=())\n'
        + 'def broken(ops, m, V):\n    "Compares values."\n    return Inequality(max(V[0], V[1]), V[0])\n',
        encoding="utf-8",
    )
    ok = Job("sample.true", None, str(SAMPLE), SMALL, 0)
    bad, good = run([Job("broken.C1", None, str(file), SMALL, 0), ok], workers=1)
    assert bad.verdict is None and "no truth value" in bad.fault
    assert good.verdict is not None and good.verdict.verdict == "holds"


def test_ids_are_used_once() -> None:
    module = ModuleType("twice")
    module.a = sample.true  # type: ignore[attr-defined]
    module.b = dataclasses.replace(sample.false, id=sample.true.id)  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="used twice"):
        claims_of(module)


def test_a_claim_without_a_statement_is_refused() -> None:
    with pytest.raises(ValueError, match="docstring"):

        @claim(id="no.statement", family=sample.FAMILY, draws={"V": values()})
        def body(ops: Any, m: Any, V: Any) -> Inequality:
            return Inequality(V, V)


def test_draws_are_what_the_body_takes() -> None:
    with pytest.raises(TypeError, match="takes"):

        @claim(id="no.draw", family=sample.FAMILY, draws={"V": values})
        def body(ops: Any, m: Any, W: Any) -> Inequality:
            """Takes another name."""
            return Inequality(W, W)

    with pytest.raises(TypeError, match="is no draw"):

        @claim(id="no.draw", family=sample.FAMILY, draws={"V": dict})
        def other(ops: Any, m: Any, V: Any) -> Inequality:
            """Draws a dict."""
            return Inequality(V, V)


@pytest.mark.parametrize("bad", ["C1", "Paper.C1", "paper C1", ""])
def test_malformed_ids_are_refused(bad: str) -> None:
    with pytest.raises(ValueError, match="claim id"):
        claim(id=bad, family=sample.FAMILY)
