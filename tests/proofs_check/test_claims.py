"""The claims that ship: registered, recorded, with a false variant that falls."""

from __future__ import annotations

import importlib
import json
import os
import re
import subprocess
import sys
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from proofs_check import expected, registry
from proofs_check.claim import Claim
from proofs_check.loading import load_paper
from proofs_check.runner import BUDGETS, TEETH, verify

ROOT = Path(__file__).resolve().parents[2]
CHECKED = [p for p in registry.load() if any(e.state == "checked" for e in p.claims)]
CLAIMS = [c for p in CHECKED for c in load_paper(p.room, p.key)]


def test_registry_and_code_agree() -> None:
    entries = {e.id: e for p in CHECKED for e in p.claims if e.state == "checked"}
    assert sorted(entries) == sorted(c.id for c in CLAIMS)
    for c in CLAIMS:
        assert entries[c.id].statement == c.statement, c.id
        assert entries[c.id].source == c.source, c.id
        assert entries[c.id].kind == c.kind, c.id


def test_every_claim_has_a_recorded_verdict() -> None:
    assert sorted(expected.load()) == sorted(c.id for c in CLAIMS)


@pytest.mark.parametrize("c", CLAIMS, ids=lambda c: c.id)
def test_every_claim_has_a_proof_a_source_and_a_twin(c: Claim) -> None:
    assert re.search(r"\b(Proof|Open): ", c.body.__doc__ or "", re.MULTILINE), "a proof, or the word that there is none"
    assert c.source
    assert c.twins and all(t.why for t in c.twins)


@pytest.mark.parametrize("twin", [t for c in CLAIMS for t in c.twins], ids=lambda t: t.id)
def test_every_twin_is_refuted(twin: Claim) -> None:
    assert verify(twin, TEETH, hunt=True).verdict == "refuted"


def test_a_smaller_constant_is_a_twin_of_the_same_claim() -> None:
    from proofs_check import Identity, Inequality, claim, families, stronger

    @claim(id="mine.C1", family=families.self_loops(2, 2), instances=())
    def bounded(ops: Any, m: Any) -> Inequality:
        r"""|R| \le 1."""
        return Inequality(ops.norm(m.R), 1)

    made = stronger(bounded, 0.99)
    assert bounded.twins == [made] and made.id == "mine.C1.twin1" and made.file == bounded.file == __file__
    assert verify(bounded, TEETH).verdict == "tight" and verify(made, TEETH, hunt=True).verdict == "refuted"

    @claim(id="mine.C2", family=families.self_loops(2, 2), instances=())
    def equal(ops: Any, m: Any) -> Identity:
        r"""R = R."""
        return Identity(ops.norm(m.R), ops.norm(m.R))

    with pytest.raises(TypeError, match="only an Inequality has a bound"):
        verify(stronger(equal, 0.5), TEETH, hunt=True)


def test_general_families_have_every_feature() -> None:
    from proofs_check import families

    batches = [f(0, 200) for f in families.general()]
    assert {b.S for b in batches} >= {1, 8} and 1 in {b.A for b in batches}
    assert any(((b.end > 0).any((1, 2)) & ~b.mask.all((1, 2))).any() for b in batches)
    assert not any((f(0, 50).end > 0).any() for f in families.unending())


@pytest.mark.parametrize("c", CLAIMS, ids=lambda c: c.id)
def test_no_claim_is_refuted_or_left_open_at_another_seed(c: Claim) -> None:
    v = verify(c, BUDGETS["quick"], seed=1)
    assert v.verdict in ("holds", "tight", "vacuous"), v.reason
    assert not expected.drift(c.id, v.verdict, expected.load(), same_run=False)


def test_drift_is_noticed() -> None:
    known = {"a.C1": "tight", "a.C2": "holds"}
    assert expected.drift("a.C1", "tight", known, same_run=True) == ""
    assert expected.drift("a.C1", "holds", known, same_run=True) == "expected tight"
    assert expected.drift("a.C1", "holds", known, same_run=False) == ""
    assert expected.drift("a.C1", "undecided", known, same_run=False) == "expected tight"
    assert expected.drift("a.C2", "refuted", known, same_run=False) == "expected holds"
    assert expected.drift("b.C1", "refuted", known, same_run=True) == ""


def test_recording_changes_the_verdicts_that_drifted_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "foundations.toml"
    before = resources.files("proofs_check").joinpath("papers/foundations.toml").read_text(encoding="utf-8")
    file.write_text(before, encoding="utf-8")
    known = {k: v for k, v in expected.load().items() if k.startswith("foundations.")}
    assert expected.record(known | {"mine.C1": "holds"}, tmp_path) == []
    assert file.read_text(encoding="utf-8") == before
    assert expected.record(known | {"foundations.C2": "vacuous"}, tmp_path) == ["foundations.C2"]
    now = {e.id: e.verdict for p in registry.load(["foundations"], directory=tmp_path) for e in p.claims}
    assert now == known | {"foundations.C2": "vacuous"}


def test_listing_papers_imports_no_claim() -> None:
    code = "import json, sys\nfrom proofs_check.cli import main\nmain(['list'])\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    loaded = json.loads(done.stdout.splitlines()[-1])
    assert not [
        name
        for name in loaded
        if name.startswith("proofs_check.claims") or name.partition(".")[0] in ("numba", "flint")
    ]


def test_the_template_runs() -> None:
    module = importlib.import_module("proofs_check.claims._template")
    assert verify(module.contraction, BUDGETS["quick"]).verdict == "tight"
