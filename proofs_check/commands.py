"""The commands of ``proofs-check`` that run claims."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
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

    def kills(self, job: Job) -> int | None:
        """How many mutants a claim kills; None where it met none."""
        return sum(job.id in b.killed_by for b in self.bites) if self.bites and job.file is None else None

    @property
    def toothless(self) -> list[str]:
        """Claims of papers that met the mutants, as those do that came out true, and killed none."""
        met = (d.job for d in self.done if d.verdict is not None and d.verdict.verdict in ("holds", "tight"))
        return [job.id for job in met if self.kills(job) == 0]


def verify(options: argparse.Namespace) -> int:
    """``proofs-check verify``."""
    budget = BUDGETS[options.budget]
    _check_places(options)
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
        try:
            save(options.out, outcome, data)
        except OSError as error:
            raise selection.UsageError(
                f"--out {options.out}: {error}; the results are in the store, if there is one"
            ) from None
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


def _check_places(options: argparse.Namespace) -> None:
    """Raises UsageError, before any work, where results could not be written."""
    if options.out is not None:
        selection.writable(options.out, "--out")
        selection.writable(options.out / "counterexamples", "--out")
        results = options.out / "results.json"
        if results.is_dir():
            raise selection.UsageError(f"--out {options.out}: results.json in it is a folder")
        if results.exists() and not os.access(results, os.W_OK):
            raise selection.UsageError(f"--out {options.out}: results.json in it cannot be written")
    if options.record is not None and not options.record.is_dir():
        raise selection.UsageError(f"--record {options.record} is no folder: it holds the registry's files")


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
    """Run claims, their twins and the mutants; see ``jobs.run`` for ``store`` and ``fresh``.

    Mutants are faults in this project's operators, which its own claims have to notice: claims of files face their twins alone.
    """
    with contextlib.nullcontext(Monitor()) if quiet else shown() as monitor:
        planted = verify_claim(teeth.planted_falsehood(), BUDGETS["quick"], hunt=True)
        done = run(jobs, workers, store=store, fresh=fresh, monitor=monitor)
        computed, took = monitor.instances, time.monotonic() - monitor.began
        storing.warn_unstored(monitor.unstored)
        true = [
            d.job
            for d in done
            if d.job.file is None and d.verdict is not None and d.verdict.verdict in ("holds", "tight")
        ]  # a refuted claim kills nothing
        mutants &= bool(true) or whole
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
        teeth_ = {"mutants_killed": outcome.kills(d.job), "twins": {t.id: t.verdict for t in d.twins}}
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
    data = None
    if options.replay is not None:
        try:
            data = counterexample.load(options.replay)
        except counterexample.Damaged as error:
            raise selection.UsageError(str(error)) from None
    claim = _find(options)
    if data is not None:
        return _replay(claim, options, data)
    tables.claim(claim)
    address = options.instance
    if address is None:
        with reported(claim, options.seed, selection.UsageError):
            found = verify_claim(claim, BUDGETS["quick"], options.seed)
        tables.verdict(found)
        smallest = found.tally.counterexample
        if smallest is not None and "steps" in smallest:
            tables.counterexample(smallest)
        address = smallest["address"] if smallest is not None else found.ratio_at or found.gap_at
        address = address or found.evidence.get("witness", {}).get("address", "")
    if address:
        try:
            mdp, payloads = instance(claim, address, options.seed)
        except ValueError as error:
            raise selection.UsageError(str(error)) from None
        _show_instance(claim, options.seed, address, mdp, payloads)
        where = f" --file {options.file}" if options.file else ""
        print(f"again: proofs-check show {claim.id}{where} --seed {options.seed} --instance '{address}'")
    return OK


def _replay(claim: Claim, options: argparse.Namespace, data: dict[str, Any]) -> int:
    """A saved counterexample evaluated again."""
    if data["claim"] != claim.id:
        raise selection.UsageError(f"{options.replay} is a counterexample of {data['claim']}, not of {claim.id}")
    mdp, payloads = counterexample.replay(data)
    if payloads.keys() != claim.draws.keys():
        here, there = (", ".join(names) or "nothing" for names in (claim.draws, payloads))
        raise selection.UsageError(f"{options.replay} has drawn {there}, and {claim.id} draws {here} now")
    tables.claim(claim)
    return _show_instance(claim, options.seed, f"counterexample of {options.replay}", mdp, payloads)


def _show_instance(claim: Claim, seed: int, name: str, mdp: Any, payloads: Any) -> int:
    """Print an instance and what it says; REFUTED where it refutes. UsageError where it does not meet the assumptions."""
    with reported(claim, seed, selection.UsageError):
        if unmet := [a.name for a in claim.assumptions if not a.met(mdp, 1)[0]]:
            tables.model(name, mdp, payloads)
            raise selection.Unmet(f"{name} does not meet: {'; '.join(unmet)}. It says nothing about {claim.id}")
        weighed = kinds.look(claim, mdp, payloads)
        if weighed is not None:
            tables.view(name, mdp, payloads, *weighed)
            return REFUTED if weighed[1].status is not None and weighed[1].status[0] == kinds.BAD else OK
        settled = Settler(claim)(mdp, payloads)
        tables.instance(name, mdp, payloads, settled)
        return REFUTED if settled.status == "refuted" else OK


def _find(options: argparse.Namespace) -> Claim:
    """A claim or twin by id, or by ``FILE::id``, which sets ``options.file``."""
    if "::" in options.claim:
        options.file, _, options.claim = options.claim.partition("::")
    claim_id, file = options.claim, options.file
    base, _, _ = claim_id.partition(".twin")
    jobs = [j for j in selection.jobs([file or base], BUDGETS["quick"], options.seed) if j.id == base]
    if jobs:
        found = jobs[0].load()
        for each in (found, *found.twins):
            if each.id == claim_id:
                return each
    raise selection.UsageError(f"no claim {claim_id!r}{f' in {file}' if file else ''}")
