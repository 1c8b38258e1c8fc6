"""The commands of ``proofs-check`` that run claims."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proofs_check import counterexample, expected, kinds, selection, storing, tables, teeth
from proofs_check.claim import Claim
from proofs_check.cli import OK, REFUTED, UNDECIDED
from proofs_check.jobs import Done, Job, run
from proofs_check.mutants import StaleMutant
from proofs_check.planted import Planted
from proofs_check.progress import Monitor, shown
from proofs_check.runner import BUDGETS, instance
from proofs_check.runner import verify as verify_claim
from proofs_check.settle import Settler
from proofs_check.store import Store
from proofs_check.teeth import Bite
from proofs_check.user_errors import reported
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
            elif v.verdict in ("undecided", "vacuous"):
                found.append((UNDECIDED, f"{v.id} is {v.verdict}: {v.reason}"))
            found += [
                (REFUTED, f"{t.id}, a false variant, survives: it came out {t.verdict}")
                for t in each.twins
                if t.verdict != "refuted"
            ]
        for b in self.bites:
            found += [(REFUTED, text) for text in survives(b, whole=self.whole)]
        return found

    @property
    def code(self) -> int:
        """1 before 2 before 0."""
        codes = {code for code, _ in self.problems()}
        return REFUTED if REFUTED in codes else UNDECIDED if UNDECIDED in codes else OK

    def kills(self, claim_id: str) -> int | None:
        """How many mutants a claim kills; None where none was planted."""
        return sum(claim_id in b.killed_by for b in self.bites) if self.bites else None


def survives(b: Bite, *, whole: bool) -> list[str]:
    """What is wrong with what a mutant met. Only a whole run, of all claims, says that one of the engine's survives."""
    if not b.canary:
        return [f"the mutant {b.mutant!r} changes nothing" + (f" that a claim of {b.of} computes" if b.of else "")]
    if b.noticed or b.reason or not (whole or b.of):
        return []
    return [f"the mutant {b.mutant!r}{' compiled' if b.compiled else ''} survives"]


def verify(options: argparse.Namespace) -> int:
    """``proofs-check verify``."""
    budget = BUDGETS[options.budget]
    jobs = selection.jobs(options.names, budget, options.seed)
    start = time.perf_counter()
    with storing.opened(options) as store:
        if options.shard is not None:
            return storing.shard(jobs, store, options)
        outcome = check(
            jobs,
            options.workers,
            mutants=options.mutants,
            whole=not options.names,
            quiet=False,
            store=store,
            fresh=options.fresh,
        )
    seconds = time.perf_counter() - start
    data = as_data(outcome, options.budget, options.seed)
    if options.out is not None:
        save(options.out, outcome, data)
    if options.record is not None:
        found = {d.job.id: d.verdict.verdict for d in outcome.done if d.verdict is not None}
        print("recorded anew:", ", ".join(expected.record(found, options.record)) or "nothing", file=sys.stderr)
    if options.json:
        print(
            json.dumps(
                data | {"costs": storing.costs_of(outcome, seconds)},
                indent=1,
            )
        )
    else:
        tables.verdicts(outcome, seconds)
    return outcome.code


def check(
    jobs: list[Job],
    workers: int,
    *,
    mutants: bool,
    whole: bool,
    quiet: bool,
    store: Store | None = None,
    fresh: bool = False,
) -> Outcome:
    """Run claims, their twins and the mutants; see ``jobs.run`` for ``store`` and ``fresh``."""
    with contextlib.nullcontext(Monitor()) if quiet else shown() as monitor:
        planted = verify_claim(teeth.planted_falsehood(), BUDGETS["quick"], hunt=True)
        done = run(jobs, workers, store=store, fresh=fresh, monitor=monitor)
        computed, took = monitor.instances, time.monotonic() - monitor.began
        storing.warn_unstored(monitor.unstored)
        true = [
            d.job for d in done if d.verdict is not None and d.verdict.verdict in ("holds", "tight")
        ]  # a refuted claim kills nothing
        planted_mutants = plans(true, kernels=whole) if mutants else []
        monitor.begin(len(planted_mutants) + teeth.repeats(planted_mutants), phase="teeth", unit="mutants")
        bites = teeth.bite(planted_mutants, workers, lambda b: monitor.advance(b.mutant), store=store, fresh=fresh)
    known = expected.load()
    same = all(j.budget.name == "default" and j.seed == 0 for j in jobs)
    drifts = {
        d.job.id: expected.drift(d.job.id, d.verdict.verdict, known, same_run=same)
        for d in done
        if d.verdict is not None
    }
    for d in done:
        if whole and d.verdict is not None and d.job.id not in known:
            drifts[d.job.id] = "and the registry has no verdict for it"
    return Outcome(done, bites, whole, planted, drifts, computed, took)


@contextlib.contextmanager
def progress(total: int, quiet: bool) -> Iterator[Callable[[str], None]]:
    """A bar, or lines, for ``total`` pieces of work; call what it gives with the name of each."""
    with contextlib.nullcontext(Monitor()) if quiet else shown() as monitor:
        monitor.begin(total, phase="done", unit="pieces")
        yield monitor.advance


def as_data(outcome: Outcome, budget: str, seed: int) -> dict[str, Any]:
    """The run for JSON: the same bytes for the same run, whatever the number of workers."""
    claims = []
    for d in outcome.done:
        body = {"id": d.job.id, "verdict": "fault", "reason": d.fault} if d.verdict is None else d.verdict.as_dict()
        teeth_ = {"mutants_killed": outcome.kills(d.job.id), "twins": {t.id: t.verdict for t in d.twins}}
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


def plans(jobs: list[Job], *, kernels: bool) -> list[Planted]:
    """``teeth.plans``, with what is wrong with a list of mutants in words."""
    try:
        return teeth.plans(jobs, kernels=kernels)
    except (StaleMutant, TypeError, ValueError) as error:
        raise selection.UsageError(str(error)) from None


def mutants(options: argparse.Namespace) -> int:
    """``proofs-check mutants``: every mutant against every claim, or those of papers and files against theirs."""
    known, whole = expected.load(), not options.names
    jobs = [j for j in selection.jobs(options.names, BUDGETS["quick"], 0) if known.get(j.id) != "refuted"]
    planted = plans(jobs, kernels=whole)
    with storing.opened(options) as store, progress(len(planted) + teeth.repeats(planted), options.json) as advance:
        bites = teeth.bite(planted, options.workers, lambda b: advance(b.mutant), store=store, fresh=options.fresh)
    notes, wrong = teeth.toothless(jobs, bites), [text for b in bites for text in survives(b, whole=whole)]
    if options.json:
        said = {"mutants": [b.as_dict() for b in bites], "toothless": notes, "problems": wrong}
        print(json.dumps(said, indent=1))
    else:
        tables.mutants(bites, notes, wrong)
    return REFUTED if wrong else OK


def show(options: argparse.Namespace) -> int:
    """``proofs-check show``: one claim and an instance of it."""
    claim = _find(options.claim, options.file, options.seed)
    tables.claim(claim)
    if options.replay is not None:
        try:
            data = counterexample.load(options.replay)
        except counterexample.Damaged as error:
            raise selection.UsageError(str(error)) from None
        if data["claim"] != claim.id:
            raise selection.UsageError(f"{options.replay} is a counterexample of {data['claim']}, not of {claim.id}")
        mdp, payloads = counterexample.replay(data)
        if (weighed := kinds.look(claim, mdp, payloads)) is not None:
            tables.view(f"counterexample of {options.replay}", mdp, payloads, *weighed)
            return REFUTED if weighed[1].status is not None and weighed[1].status[0] == kinds.BAD else OK
        settled = Settler(claim)(mdp, payloads)
        tables.instance(f"counterexample of {options.replay}", mdp, payloads, settled)
        return REFUTED if settled.status == "refuted" else OK
    address = options.instance
    if address is None:
        with reported(claim, options.seed, selection.UsageError):
            found = verify_claim(claim, BUDGETS["quick"], options.seed)
        tables.verdict(found)
        smallest = found.tally.counterexample
        address = smallest["address"] if smallest is not None else found.ratio_at
        address = address or found.evidence.get("witness", {}).get("address", "")
    if address:
        try:
            mdp, payloads = instance(claim, address, options.seed)
        except ValueError as error:
            raise selection.UsageError(str(error)) from None
        with reported(claim, options.seed, selection.UsageError):
            weighed = kinds.look(claim, mdp, payloads)
            if weighed is not None:
                tables.view(address, mdp, payloads, *weighed)
            else:
                tables.instance(address, mdp, payloads, Settler(claim)(mdp, payloads))
        where = f" --file {options.file}" if options.file else ""
        print(f"again: proofs-check show {claim.id}{where} --seed {options.seed} --instance '{address}'")
    return OK


def _find(claim_id: str, file: str | None, seed: int) -> Claim:
    """A claim or twin by id."""
    base, _, _ = claim_id.partition(".twin")
    jobs = [j for j in selection.jobs([file or base], BUDGETS["quick"], seed) if j.id == base]
    if jobs:
        found = jobs[0].load()
        for each in (found, *found.twins):
            if each.id == claim_id:
                return each
    raise selection.UsageError(f"no claim {claim_id!r}{f' in {file}' if file else ''}")
