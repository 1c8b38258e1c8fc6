"""The commands of ``proofs-check`` that run claims."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proofs_check import counterexample, expected, kinds, selection, storing, tables, teeth
from proofs_check.claim import Claim, load_paper
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
from proofs_check.user_errors import reported, show_command
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
            elif v.verdict in ("undecided", "vacuous"):
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

    Faults in the engine's operators meet the foundations here; ``proofs-check mutants`` plants them before all claims.
    """
    with contextlib.nullcontext(Monitor()) if quiet else shown() as monitor:
        planted = verify_claim(teeth.planted_falsehood(), BUDGETS["quick"], hunt=True)
        done = run(jobs, workers, store=store, fresh=fresh, monitor=monitor)
        computed, took = monitor.instances, time.monotonic() - monitor.began
        storing.warn_unstored(monitor.unstored if store is not None else 0)
        true = [
            d.job for d in done if d.verdict is not None and d.verdict.verdict in ("holds", "tight")
        ]  # a refuted claim kills nothing
        planted_mutants = plans(true, kernels=whole, every=False) if mutants else []
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
    return Outcome(done, bites, whole, planted, drifts, computed, took, teeth.in_part(jobs))


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


def plans(jobs: list[Job], *, kernels: bool, every: bool = True) -> list[Planted]:
    """``teeth.plans``, with what is wrong with a list of mutants in words."""
    try:
        return teeth.plans(jobs, kernels=kernels, every=every)
    except (StaleMutant, TypeError, ValueError) as error:
        raise selection.UsageError(str(error)) from None


def register(options: argparse.Namespace) -> int:
    """``proofs-check register``."""
    from proofs_check.registering import register as write

    one = selection.paper(options.paper)
    path = options.papers / f"{one.key}.toml"
    if not path.is_file():
        raise selection.UsageError(f"--papers {options.papers}: there is no {path.name} in it")
    try:
        claims = load_paper(one.room, one.key)
    except ModuleNotFoundError as error:
        raise selection.UsageError(f"{one.key} has no claims yet: {error}") from None
    print("written anew:", ", ".join(write(path, claims)) or "nothing")
    return OK


def mutants(options: argparse.Namespace) -> int:
    """``proofs-check mutants``: every mutant against every claim, or those of papers and files against theirs."""
    known, whole = expected.load(), not options.names
    wanted = [j for j in selection.jobs(options.names, BUDGETS["quick"], 0) if known.get(j.id) != "refuted"]
    false = [j.id for j in wanted if j.paper is None and teeth.refuted(j)]
    jobs, partly = [j for j in wanted if j.id not in false], teeth.in_part(wanted)
    planted = plans(jobs, kernels=whole)
    with storing.opened(options) as store, progress(len(planted) + teeth.repeats(planted), options.json) as advance:
        bites = teeth.bite(planted, options.workers, lambda b: advance(b.mutant), store=store, fresh=options.fresh)
    notes = dict.fromkeys(false, "it is refuted without any mutant, and kills none") | teeth.toothless(jobs, bites)
    wrong = [text for b in bites for text in survives(b, whole=whole, partly=partly)]
    if options.json:
        said = {"mutants": [b.as_dict() for b in bites], "toothless": notes, "problems": wrong}
        print(json.dumps(said, indent=1))
    else:
        tables.mutants(bites, notes, wrong)
    return REFUTED if wrong else OK


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
        print("again:", show_command(claim.id, options.file, "--seed", options.seed, "--instance", address))
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
