"""Everything a run found: what is wrong, the exit code it comes to, and its results as files."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proofs_check import counterexample, expected
from proofs_check.cli import OK, REFUTED, UNDECIDED
from proofs_check.jobs import Done, Job
from proofs_check.teeth import Bite
from proofs_check.verdict import Verdict


@dataclass(frozen=True)
class Outcome:
    """Everything a run found, and the exit code it comes to with its reasons."""

    done: list[Done]
    bites: list[Bite]
    whole: bool  # all claims ran, so that a mutant that none of them kills survives
    planted: Verdict
    drifts: dict[str, str]
    computed: int = 0  # instances, without those from the store
    took: float = 0.0  # seconds for them
    partly: frozenset[str] = frozenset()  # papers and files of which some claims alone ran

    def problems(self) -> list[tuple[int, str]]:
        """Exit codes and what they are for."""
        found: list[tuple[int, str]] = []
        if self.planted.verdict != "refuted":
            found.append(
                (
                    REFUTED,
                    f"the planted false claim came out {self.planted.verdict}: no verdict of this run means anything",
                )
            )
        for each in self.done:
            if each.verdict is None:
                found.append((REFUTED, f"{each.job.id}: {each.fault}"))
                continue
            v, drift = each.verdict, self.drifts.get(each.job.id, "")
            if v.verdict == "refuted" and (drift or each.job.id not in expected.load()):
                found.append((REFUTED, f"{v.id} is refuted: {v.reason}"))
            elif drift:
                found.append((UNDECIDED, f"{v.id} is {v.verdict}, {drift}{': ' + v.reason if v.reason else ''}"))
            elif v.verdict == "undecided" or (v.verdict == "vacuous" and each.job.id not in expected.load()):
                found.append((UNDECIDED, f"{v.id} is {v.verdict}: {v.reason}"))
            found += [
                (
                    REFUTED,
                    f"{t.id}, a false variant, survives: it came out {t.verdict}{': ' + t.reason if t.reason else ''}",
                )
                for t in each.twins
                if t.verdict != "refuted"
            ]
        for b in self.bites:
            found += [(REFUTED, text) for text in survives(b, whole=self.whole, partly=self.partly)]
        return found

    @property
    def code(self) -> int:
        """1 before 2 before 0."""
        codes = {code for code, _ in self.problems()}
        return REFUTED if REFUTED in codes else UNDECIDED if UNDECIDED in codes else OK

    def kills(self, job: Job) -> int | None:
        """How many mutants a claim was the first to kill; None for none."""
        return sum(job.id in b.killed_by for b in self.bites) or None


def survives(b: Bite, *, whole: bool, partly: frozenset[str] = frozenset()) -> list[str]:
    """What is wrong with what a mutant met. Only a whole run, of all claims, says that one of the engine's survives, and only
    one of all claims of a paper or file that one of theirs does.
    """
    if b.of in partly:
        return []
    if not b.canary:
        return [f"the mutant {b.mutant!r} changes nothing" + (f" that a claim of {b.of} computes" if b.of else "")]
    if b.noticed or b.reason or not (whole or b.of):
        return []
    return [f"the mutant {b.mutant!r}{' compiled' if b.compiled else ''} survives"]


def as_data(outcome: Outcome, budget: str, seed: int) -> dict[str, Any]:
    """The run for JSON: the same bytes for the same run, whatever the number of workers."""
    claims = []
    for d in outcome.done:
        body = {"id": d.job.id, "verdict": "fault", "reason": d.fault} if d.verdict is None else d.verdict.as_dict()
        teeth_ = {"mutants_killed": outcome.kills(d.job), "twins": {t.id: t.verdict for t in d.twins}}
        claims.append(body | teeth_ | {"drift": outcome.drifts.get(d.job.id, "")})
    return {
        "budget": budget,
        "seed": seed,
        "exit": outcome.code,
        "problems": [text for _, text in outcome.problems()],
        "planted": outcome.planted.verdict,
        "claims": claims,
        "mutants": [b.as_dict() for b in outcome.bites],
    }


def save(folder: Path, outcome: Outcome, data: dict[str, Any]) -> None:
    """``results.json``, and each counterexample in a file of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    for d in outcome.done:
        if d.verdict is not None and (found := d.verdict.tally.counterexample) is not None:
            counterexample.save(
                folder / "counterexamples" / f"{d.job.id}.json", d.job.id, d.job.load().statement, found
            )
