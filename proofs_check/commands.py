"""The commands of ``proofs-check`` that run claims."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from proofs_check import counterexample, expected, kinds, selection, storing, tables, teeth
from proofs_check.claim import Claim
from proofs_check.cli import OK, REFUTED, UNDECIDED
from proofs_check.jobs import Done, Job, run
from proofs_check.mutants import MUTANTS
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
            if not b.canary:
                found.append((REFUTED, f"the mutant {b.mutant!r} changes nothing"))
            elif self.whole and not b.killed_by:
                found.append((REFUTED, f"the mutant {b.mutant!r} survives"))
        return found

    @property
    def code(self) -> int:
        """1 before 2 before 0."""
        codes = {code for code, _ in self.problems()}
        return REFUTED if REFUTED in codes else UNDECIDED if UNDECIDED in codes else OK

    def kills(self, claim_id: str) -> int | None:
        """How many mutants a claim kills; None where none was planted."""
        return sum(claim_id in b.killed_by for b in self.bites) if self.bites else None


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
        monitor.begin(len(MUTANTS) if mutants else 0, phase="teeth", unit="mutants")
        bites = teeth.bite(true, workers, progress=lambda b: monitor.advance(b.mutant)) if mutants else []
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
        "mutants": [asdict(b) for b in outcome.bites],
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


def mutants(options: argparse.Namespace) -> int:
    """``proofs-check mutants``: every mutant against every claim."""
    known = expected.load()
    jobs = [j for j in selection.jobs([], BUDGETS["quick"], 0) if known.get(j.id) != "refuted"]
    with progress(len(MUTANTS), options.json) as advance:
        bites = teeth.bite(jobs, options.workers, progress=lambda b: advance(b.mutant))
    toothless = [j.id for j in jobs if not any(j.id in b.killed_by for b in bites)]
    if options.json:
        print(json.dumps({"mutants": [asdict(b) for b in bites], "toothless": toothless}, indent=1))
    else:
        tables.mutants(bites, toothless)
    return REFUTED if any(not b.killed_by for b in bites) else OK


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
