"""Mutants are faults indeed, claims notice them, and a mutant that nobody notices is seen."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from proofs_check import kernel_mutants, mutants, runner, selection, teeth
from proofs_check.cli import OK, REFUTED, UNDECIDED, USAGE, main
from proofs_check.jobs import ONE_THREAD, Done, Job
from proofs_check.mutants import Mutant, StaleMutant, check, mutants_of, rewritten
from proofs_check.operator_mutants import MUTANTS, OPERATORS, canary
from proofs_check.outcome import Outcome, survives
from proofs_check.planted import CHECKED, KILLED, MISSED, Planted, Seen
from proofs_check.processes import COPIES
from proofs_check.runner import BUDGETS, verify
from proofs_check.store import Store
from proofs_check.teeth import Bite

HARMLESS = Mutant("one times gamma", OPERATORS, "q_backup", "m.gamma", "1 * m.gamma")
SQUARED = MUTANTS[0]
OWN = """
from proofs_check import Inequality, Mutant, claim, families, values

def half(ops, m, V):
    return ops.norm(V) / 2

def aside(x):
    return x + 1

@claim(id="own.C1", family=families.garnet(2, 2), draws={"V": values()}, instances=())
def body(ops, m, V):
    "Half a norm is at most the norm."
    return Inequality(half(ops, m, V), ops.norm(V))

MUTANTS = (
    Mutant("half is thrice", __name__, "half", "ops.norm(V) / 2", "ops.norm(V) * 3"),
    Mutant("half is a third", __name__, "half", "ops.norm(V) / 2", "ops.norm(V) / 3"{reason}),
)
"""

ANOTHER = """

@claim(id="own.C2", family=families.garnet(2, 2), draws={"V": values()}, instances=())
def other(ops, m, V):
    "The norm is at most twice the norm."
    return Inequality(ops.norm(V), 2 * ops.norm(V))
"""
FALSE = """

@claim(id="own.F", family=families.garnet(2, 2), draws={"V": values()}, instances=())
def false(ops, m, V):
    "The norm is at most half the norm: false."
    return Inequality(ops.norm(V), half(ops, m, V))
"""


def _jobs(*labels: str) -> tuple[Job, ...]:
    return tuple(selection.jobs([f"foundations.{label}" for label in labels], BUDGETS["quick"], 0))


def _file(folder: Path, reason: str = "", more: str = "") -> str:
    file = folder / "own.py"
    file.write_text(OWN.replace("{reason}", reason) + more, encoding="utf-8")
    return str(file)


def test_there_are_mutants_enough_of_different_names() -> None:
    every = (*MUTANTS, *kernel_mutants.MUTANTS)
    assert len({m.name for m in every}) == len(every) >= 30
    assert {*kernel_mutants.REPEATED} <= {m.name for m in every} and len(kernel_mutants.REPEATED) >= 3


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda m: m.name)
def test_every_mutant_changes_a_canary(mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    before = canary()
    owner, attribute, _, mutated = rewritten(mutant)
    monkeypatch.setattr(owner, attribute, mutated)
    assert canary() != before


def test_a_harmless_rewriting_leaves_the_canary(monkeypatch: pytest.MonkeyPatch) -> None:
    before = canary()
    owner, attribute, _, mutated = rewritten(HARMLESS)
    monkeypatch.setattr(owner, attribute, mutated)
    assert canary() == before


@pytest.mark.parametrize(
    ("mutant", "said"),
    [
        (Mutant("gone", OPERATORS, "q_backup", "m.lost", "m.found"), "does not contain"),
        (Mutant("gone", OPERATORS, "q_backdown", "m.R", "m.R"), "there is no tabular"),
        (Mutant("gone", OPERATORS, "Any", "m.R", "m.R"), "no plain function"),
        (Mutant("gone", kernel_mutants.ROWS, "max_row", "q[b]", "q[a]"), "does not contain"),
        (Mutant("gone", kernel_mutants.ROWS, "min_row", "q[a]", "q[a]"), "no plain function"),
    ],
)
def test_a_mutant_of_code_that_is_gone_is_an_error(mutant: Mutant, said: str) -> None:
    with pytest.raises(StaleMutant, match=said):
        check(mutant)


_UNIMPORTED = """
import sys
from proofs_check.mutants import Mutant, StaleMutant, check
agents = "tabular.exploration.fast_entropy_agents"
check(Mutant("", agents, "_plan_game", "most * own.width[row]", "0.0"))
check(Mutant("", "tabular.regularizers", "Shannon.value", "self.tau", "2 * self.tau"))
assert agents not in sys.modules and "numba" not in sys.modules
for function, old in (("_plan_game", "most * own.length[row]"), ("_plan_games", "most"), ("EntGame", "most")):
    try:
        check(Mutant("mine", agents, function, old, "0.0"))
    except StaleMutant as error:
        assert str(error).startswith("mine: "), error
    else:
        raise AssertionError(function)
assert agents in sys.modules  # what the source does not define there is looked for in the module
check(Mutant("", agents, "_plan_game", "most * own.width[row]", "0.0"))
"""


def test_mutants_are_looked_for_in_the_source_of_modules_that_are_not_imported() -> None:
    done = subprocess.run([sys.executable, "-c", _UNIMPORTED], capture_output=True, text=True, timeout=100)
    assert not done.returncode, done.stderr


def test_every_mutant_can_be_planted() -> None:
    for mutant in (*MUTANTS, *kernel_mutants.MUTANTS):
        check(mutant)


def test_mutants_are_killed_in_their_own_processes() -> None:
    before = canary()
    jobs = _jobs("C6", "C24")
    found = teeth.bite([Planted(SQUARED, jobs), Planted(HARMLESS, jobs)], workers=2)
    assert found[:2] == [
        Bite(SQUARED.name, True, ("foundations.C6",), (), moved=("foundations.C6",)),
        Bite(HARMLESS.name, False, (), ()),
    ]
    assert canary() == before
    # It is one of those that are repeated compiled, against the claim that killed it.
    assert found[2:] == [Bite(SQUARED.name, True, (), (), checked_by=("foundations.C6",), compiled=True)]


_NOTICED = """
import sys
from proofs_check import kernel_mutants, planted, selection
from proofs_check.runner import BUDGETS
if __name__ == "__main__":
    jobs = tuple(selection.jobs(["foundations.C1"], BUDGETS["quick"], 0))
    (mutant,) = (m for m in kernel_mutants.MUTANTS if m.name == sys.argv[1])
    seen = planted.tried(planted.Planted(mutant, jobs, compiled=sys.argv[2] == "compiled"), {})
    print({job: (s.outcome, s.canary) for job, s in seen.items()})
"""


@pytest.mark.parametrize("how", ["interpreted", pytest.param("compiled", marks=pytest.mark.thorough)])
def test_a_kernel_mutant_is_noticed_and_leaves_the_common_cache_alone(how: str, tmp_path: Path) -> None:
    """In a process whose common cache is an empty folder: what it holds afterwards are kernels without the fault."""
    common = tmp_path / "common"
    jit = {"NUMBA_DISABLE_JIT": "1" if how == "interpreted" else "0", "NUMBA_CACHE_DIR": str(common)}
    environment = os.environ | ONE_THREAD | jit
    run = lambda *code: subprocess.run(  # noqa: E731
        [sys.executable, "-c", *code], env=environment, capture_output=True, text=True, timeout=300
    )
    done = run(_NOTICED, "kernel: successors in reverse", how)
    assert done.stdout.strip() == str({"foundations.C1": (CHECKED, True)}), done.stderr
    assert bool(list(common.rglob("*.nbc"))) == (how == "compiled")
    clean = run("from proofs_check.kernel_mutants import canary; print(canary(whole=False).hex())")
    assert not clean.returncode, clean.stderr
    values = (np.frombuffer(x) for x in (bytes.fromhex(clean.stdout), kernel_mutants.canary(whole=False)))
    np.testing.assert_allclose(*values, rtol=1e-12)


_LOOKED = """
import json
from dataclasses import replace
from proofs_check import operator_mutants, planted, selection
from proofs_check.processes import in_a_copy
from proofs_check.runner import BUDGETS
from proofs_check.teeth import _looks
if __name__ == "__main__":
    names = ["foundations.C1", "foundations.C5", "foundations.C8", "foundations.C14"]
    jobs = tuple(selection.jobs(names, BUDGETS["quick"], 0))
    plans = [planted.Planted(m, jobs) for m in operator_mutants.MUTANTS]
    looks = _looks(plans)
    before = {job.id: in_a_copy(planted.look, looks[job])[1] for job in jobs}
    blind = {name: replace(looked, calls=None) for name, looked in before.items()}
    said = []
    for plan in plans:
        spared = sum(not looked.meets(plan.mutant) for looked in before.values())
        told, all_of = (in_a_copy(lambda known: planted.tried(plan, known), known) for known in (before, blind))
        said.append((plan.mutant.name, told == all_of, spared, sum(seen.moved for seen in told.values())))
    print(json.dumps(said))
"""


@pytest.mark.skipif(not COPIES, reason="in copies of a process")
def test_claims_that_call_nothing_of_a_mutant_are_as_if_they_had_met_it() -> None:
    environment = os.environ | ONE_THREAD | {"NUMBA_DISABLE_JIT": "1"}
    done = subprocess.run([sys.executable, "-c", _LOOKED], env=environment, capture_output=True, text=True, timeout=300)
    assert not done.returncode, done.stderr
    said = json.loads(done.stdout)
    assert [name for name, *_ in said] == [m.name for m in MUTANTS] and all(same for _, same, *_ in said)
    assert any(spared for *_, spared, _ in said) and any(spared < 4 for *_, spared, _ in said)
    assert all(spared + moved <= 4 for *_, spared, moved in said) and any(moved for *_, moved in said)


def test_functions_tell_that_they_are_called_under_all_their_names() -> None:
    code = """
        from proofs_check.mutants import Mutant, note_calls
        from tabular.reference import NumpyOps, operators
        from tabular.instances.exploration import river_swim
        here, there = "tabular.reference.operators", "tabular.reference.optimal"
        places = [(here, "q_backup"), (there, "operators.q_backup"), (here, "occupancy")]
        seen = []
        note_calls([Mutant("", *place, "m.R", "m.R") for place in places], seen.append)
        ops = NumpyOps()
        m = ops.model(river_swim(3))
        assert not seen
        operators.backup(ops, m, ops.array([0.0] * m.S, 1))
        assert set(seen) == set(places[:2])
        assert "E[V" in operators.q_backup.__doc__
    """
    lines = "\n".join(line.strip() for line in code.splitlines())
    subprocess.run([sys.executable, "-c", lines], check=True, env=os.environ | ONE_THREAD)


def test_a_kernel_mutant_needs_one_claim_that_notices() -> None:
    mutant = next(m for m in kernel_mutants.MUTANTS if m.module == kernel_mutants.BATCHED)
    plan = Planted(mutant, _jobs("C1", "C2", "C3"))
    seen = {"foundations.C1": Seen(MISSED, True, False), "foundations.C2": Seen(CHECKED, True, False)}
    assert [job.id for job in plan.decisive(seen)] == ["foundations.C1", "foundations.C2"]
    assert not plan.without(seen).jobs
    del seen["foundations.C2"]
    assert [job.id for job in plan.without(seen).jobs] == ["foundations.C2", "foundations.C3"]
    assert [job.id for job in replace(plan, mutant=SQUARED).without(seen).jobs] == ["foundations.C2", "foundations.C3"]


def test_survivors_fail_a_whole_run_and_only_that() -> None:
    false = verify(teeth.planted_falsehood(), BUDGETS["quick"], hunt=True)
    survivor = Bite("survivor", True, (), ())
    assert Outcome([], [survivor], True, false, {}).code == REFUTED
    assert Outcome([], [survivor], False, false, {}).code == OK
    assert Outcome([], [Bite("nothing", False, (), ())], False, false, {}).code == REFUTED
    # A paper's own fails any run of all of the paper's claims; one that the check of kernels notices, or with a reason, fails none.
    assert survives(replace(survivor, of="mine"), whole=False) == ["the mutant 'survivor' survives"]
    assert not survives(replace(survivor, checked_by=("mine.C1",)), whole=True)
    assert not survives(replace(survivor, reason="nobody can see it"), whole=True)
    assert survives(Bite("nothing", False, (), (), of="mine", reason="whatever"), whole=False) == [
        "the mutant 'nothing' changes nothing that a claim of mine computes"
    ]


def test_some_claims_of_a_file_answer_for_no_mutant_that_others_may_notice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, options = _file(tmp_path, more=ANOTHER), ["--quick", "--workers", "1", "--no-store"]
    said = {}
    for name in ("own.C1", "own.C2"):
        assert main(["verify", f"{file}::{name}", *options]) == OK
        said[name] = capsys.readouterr().out
        assert "survives" not in said[name] and "changes nothing" not in said[name]
    assert "killed by claims" in said["own.C2"]  # they are planted, and what it kills counts
    assert main(["verify", file, *options]) == REFUTED
    assert "the mutant 'half is a third' survives" in capsys.readouterr().out
    jobs = selection.jobs([f"{file}::own.C1"], BUDGETS["quick"], 0)
    assert teeth.in_part(jobs) == {file} and not teeth.in_part(selection.jobs([file], BUDGETS["quick"], 0))
    assert teeth.in_part(_jobs("C1")) == {"foundations"}


def test_a_claim_that_is_false_anyway_kills_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = _file(tmp_path, more=FALSE)
    assert _main(file, "--json", "--no-store") == REFUTED
    said = json.loads(capsys.readouterr().out)
    assert not any("own.F" in b["killed_by"] for b in said["mutants"])
    assert said["toothless"]["own.F"] == "it is refuted without any mutant, and kills none"
    assert said["problems"] == ["the mutant 'half is a third' survives"]


def test_the_planted_falsehood_is_refuted_and_its_survival_fails_the_run() -> None:
    false = verify(teeth.planted_falsehood(), BUDGETS["quick"], hunt=True)
    assert false.verdict == "refuted"
    held = verify(_jobs("C1")[0].load(), runner.TEETH, hunt=True)
    assert Outcome([], [], True, held, {}).code == REFUTED


def test_toothless_claims_have_notes() -> None:
    jobs = _jobs("C1", "C4", "C6")
    bites = [
        Bite("a", True, ("foundations.C1",), (), moved=("foundations.C1", "foundations.C4")),
        Bite("b", True, (), (), checked_by=("foundations.C6",)),
    ]
    found = teeth.toothless(jobs, bites)
    assert found["foundations.C4"].startswith("1 mutant changes its sides, none beyond its bound; ")
    assert found["foundations.C6"].startswith("no mutant changes its sides; 1 twin of its own")
    assert list(found) == ["foundations.C4", "foundations.C6"]


# -- mutants of one's own


def _main(*arguments: str) -> int:
    return main(["mutants", *arguments, "--workers", "1"])


def test_a_file_lists_mutants_of_its_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, store = _file(tmp_path), str(tmp_path / "s")
    assert _main(file, "--json", "--store", store) == REFUTED
    said = json.loads(capsys.readouterr().out)
    own = {b["mutant"]: b for b in said["mutants"] if b["of"]}
    assert own["half is thrice"]["killed_by"] == ["own.C1"] == own["half is a third"]["moved"]
    assert said["problems"] == ["the mutant 'half is a third' survives"]
    assert not [b for b in said["mutants"] if b["mutant"].startswith("kernel") or b["compiled"]]
    # What was found is not planted again, and costs are shown.
    calls: list[Planted] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(teeth, "tried", lambda plan, before: calls.append(plan))
        patch.setattr(teeth, "collect", lambda made, f, tasks, *rest: calls.extend(tasks))
        assert _main(file, "--store", store) == REFUTED
    text = capsys.readouterr().out
    assert not calls and "(stored)" in text and "the mutant 'half is a third' survives" in text
    assert main(["costs", "--store", store, "--json"]) == OK
    assert json.loads(capsys.readouterr().out)["own.C1"]["mutants"] > 0
    assert main(["costs", "--store", store]) == OK
    assert "mutants, s" in capsys.readouterr().out


def test_the_ledger_counts_mutants_with_the_claims_that_meet_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["verify", _file(tmp_path), "--quick", "--json", "--no-store", "--workers", "1"]
    seconds = []
    for more in ([], ["--no-mutants"]):
        main([*arguments, *more])
        seconds.append(json.loads(capsys.readouterr().out)["costs"]["claims"]["own.C1"]["mutants"])
    assert seconds[0] > 0 == seconds[1]


def test_an_edited_claim_meets_its_mutants_again(tmp_path: Path) -> None:
    def keys(file: str) -> set[str]:
        for name in [name for name in sys.modules if name.endswith("own_py")]:
            del sys.modules[name]
        return {
            teeth._key(plan, job)
            for plan in teeth.plans(selection.jobs([file], BUDGETS["quick"], 0), kernels=False)
            for job in plan.jobs
        }

    first = keys(_file(tmp_path))
    assert keys(_file(tmp_path, more="# a comment\n")) == first
    Path(_file(tmp_path)).write_text(OWN.replace("{reason}", "").replace("ops.norm(V))\n", "1 * ops.norm(V))\n"))
    assert not keys(str(tmp_path / "own.py")) & first


def test_a_survivor_with_a_reason_fails_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _main(_file(tmp_path, ', reason="a third is less than a half"'), "--no-store") == OK
    out = capsys.readouterr().out
    assert "survives: half is a third: a third is less than a half" in out
    assert "mutants: 1 of " in out


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ('MUTANTS += (Mutant("half is thrice", __name__, "half", "2", "3"),)', "is used twice"),
        ("MUTANTS += (half,)", "which is no Mutant"),
        ("MUTANTS = MUTANTS[0]", "expected a tuple of Mutants"),
        ('MUTANTS += (Mutant("stale", __name__, "half", "7", "8"),)', "does not contain '7'"),
        ('MUTANTS += (Mutant("a claim", __name__, "body", "2", "3"),)', "no plain function"),
        ('MUTANTS += (Mutant("far", __name__, "half", "2", "3", met_by=("own.C9",)),)', "own.C9, which is no claim"),
    ],
)
def test_a_list_of_mutants_that_is_wrong_is_refused(
    more: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _main(_file(tmp_path, more=more + "\n"), "--no-store") == USAGE
    assert said in capsys.readouterr().err


def test_a_mutant_that_no_claim_runs_changes_nothing(tmp_path: Path) -> None:
    file = _file(tmp_path, more='MUTANTS = (Mutant("unseen", __name__, "aside", "1", "2"),)\n')
    plans = [p for p in teeth.plans(selection.jobs([file], BUDGETS["quick"], 0), kernels=False) if p.of]
    (found,) = teeth.bite(plans, workers=1)
    assert not found.canary and found.of == file and not found.killed_by


def test_a_mutant_may_name_the_claims_that_meet_it(tmp_path: Path) -> None:
    one = 'MUTANTS = (Mutant("thrice", __name__, "half", "2", "3", met_by=("own.C2",)),)\n'
    jobs = selection.jobs([_file(tmp_path, more=ANOTHER + one)], BUDGETS["quick"], 0)
    (plan,) = (p for p in teeth.plans(jobs, kernels=False) if p.of)
    assert [job.id for job in plan.jobs] == ["own.C2"]
    (found,) = teeth.bite([plan], workers=1)
    assert not found.noticed and not found.canary  # own.C1 would have noticed


def test_faults_of_learners_are_planted_where_their_classes_find_them() -> None:
    code = """
        from proofs_check.mutants import Mutant, plant
        from tabular.exploration import UCBVI_CH, interact
        from tabular.instances.exploration import deep_sea
        play = lambda: interact(deep_sea(3), UCBVI_CH(bonus_scale=0.01), 20).result["total_regret"][0]
        before = play()
        plant(Mutant("no bonus", "tabular.exploration.ucbvi", "_observe_hoeffding", "learner.bonus_scale", "0.0"))
        assert play() != before
    """
    lines = "\n".join(line.strip() for line in code.splitlines())
    environment = os.environ | ONE_THREAD | {"NUMBA_DISABLE_JIT": "1"}
    subprocess.run([sys.executable, "-c", lines], check=True, env=environment)


def test_parts_of_a_paper_list_theirs() -> None:
    whole, part = ModuleType("whole"), ModuleType("part")
    part.MUTANTS = (HARMLESS,)  # type: ignore[attr-defined]
    whole.PARTS, whole.MUTANTS = (part,), (SQUARED,)  # type: ignore[attr-defined]
    assert mutants_of(whole) == [HARMLESS, SQUARED] and not mutants_of(ModuleType("none"))


def test_the_template_lists_a_mutant_that_its_claims_kill() -> None:
    template = Path(str(importlib.import_module("proofs_check.claims._template").__file__))
    plans = [p for p in teeth.plans(selection.jobs([str(template)], BUDGETS["quick"], 0), kernels=False) if p.of]
    assert plans and all(b.killed_by for b in teeth.bite(plans, workers=1))


@pytest.mark.thorough
def test_every_mutant_is_noticed_or_has_a_reason(tmp_path: Path) -> None:
    jobs = selection.jobs([], BUDGETS["quick"], 0)
    with Store(tmp_path) as store:
        found = teeth.bite(teeth.plans(jobs), store=store)
        again = teeth.bite(teeth.plans(jobs), store=store)
    assert {b.mutant for b in found if not b.noticed} == {b.mutant for b in found if b.reason}
    assert again == found and all(b.reused for b in again)
    assert {b.mutant for b in found if b.compiled} == {*kernel_mutants.REPEATED}


def test_kernels_are_named_as_the_check_names_them() -> None:
    assert mutants.KERNELS == "tabular._kernels" and KILLED != CHECKED
    assert {m.module.rpartition(".")[2] for m in kernel_mutants.MUTANTS} == {
        "rows",
        "dense",
        "sparse",
        "batched",
        "entropic",
    }


def test_vacuous_is_no_problem_where_it_is_the_recorded_verdict() -> None:
    false = verify(teeth.planted_falsehood(), BUDGETS["quick"], hunt=True)
    vacuous = replace(false, verdict="vacuous", reason="the bound never goes below the trivial one")

    def code(name: str, drifts: dict[str, str]) -> int:
        job = Job(name, None, None, BUDGETS["quick"], 0)
        done = Done(job, replace(vacuous, id=name), (), "", 0.0)
        return Outcome([done], [], False, false, drifts).code

    assert code("ucbvi.C1", {}) == OK
    assert code("ucbvi.C1", {"ucbvi.C1": "expected holds"}) == UNDECIDED
    assert code("mine.C1", {}) == UNDECIDED
