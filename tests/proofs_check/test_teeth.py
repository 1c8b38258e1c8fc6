"""Mutants are faults indeed, claims notice them, and a mutant that nobody notices is seen."""

from __future__ import annotations

import pytest

from proofs_check import runner, selection, teeth
from proofs_check.commands import Outcome
from proofs_check.jobs import Job
from proofs_check.mutants import MUTANTS, OPERATORS, Mutant, StaleMutant, canary, rewritten
from proofs_check.runner import BUDGETS, verify

HARMLESS = Mutant("one times gamma", OPERATORS, "q_backup", "m.gamma", "1 * m.gamma")
SQUARED = MUTANTS[0]


def _jobs(*labels: str) -> list[Job]:
    return selection.jobs([f"foundations.{label}" for label in labels], BUDGETS["quick"], 0)


def test_there_are_mutants_enough_of_different_names() -> None:
    assert len({m.name for m in MUTANTS}) == len(MUTANTS) >= 10


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


def test_a_mutant_of_code_that_is_gone_is_an_error() -> None:
    with pytest.raises(StaleMutant, match="does not contain"):
        rewritten(Mutant("gone", OPERATORS, "q_backup", "m.lost", "m.found"))


def test_mutants_are_killed_in_their_own_processes() -> None:
    before = canary()
    found = teeth.bite(_jobs("C6", "C24"), workers=2, mutants=[SQUARED, HARMLESS])
    assert found == [teeth.Bite(SQUARED.name, True, ("foundations.C6",), ()), teeth.Bite(HARMLESS.name, False, (), ())]
    assert canary() == before


def test_survivors_fail_a_whole_run_and_only_that() -> None:
    planted = verify(teeth.planted_falsehood(), BUDGETS["quick"], hunt=True)
    survivor = [teeth.Bite("survivor", True, (), ())]
    assert Outcome([], survivor, True, planted, {}).code == 1
    assert Outcome([], survivor, False, planted, {}).code == 0
    assert Outcome([], [teeth.Bite("nothing", False, (), ())], False, planted, {}).code == 1


def test_the_planted_falsehood_is_refuted_and_its_survival_fails_the_run() -> None:
    planted = verify(teeth.planted_falsehood(), BUDGETS["quick"], hunt=True)
    assert planted.verdict == "refuted"
    held = verify(_jobs("C1")[0].load(), runner.TEETH, hunt=True)
    assert Outcome([], [], True, held, {}).code == 1


@pytest.mark.thorough
def test_every_mutant_is_killed() -> None:
    assert not [b.mutant for b in teeth.bite(selection.jobs([], BUDGETS["quick"], 0)) if not b.killed_by]
