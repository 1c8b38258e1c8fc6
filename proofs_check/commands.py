"""The commands of ``proofs-check`` that run claims."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator

from proofs_check import expected, selection, storing, tables, teeth
from proofs_check.cli import OK, REFUTED
from proofs_check.cluster import Cluster, connected
from proofs_check.jobs import Job, run
from proofs_check.loading import load_paper
from proofs_check.mutants import StaleMutant
from proofs_check.outcome import Outcome, as_data, save, survives
from proofs_check.planted import Planted
from proofs_check.progress import Monitor, shown
from proofs_check.runner import BUDGETS
from proofs_check.runner import verify as verify_claim
from proofs_check.store import Store


def verify(options: argparse.Namespace) -> int:
    """``proofs-check verify``."""
    budget = BUDGETS[options.budget]
    _check_places(options)
    jobs = selection.jobs(options.names, budget, options.seed)
    start = time.perf_counter()
    with cluster_of(options) as cluster, storing.opened(options) as store:
        if options.shard is not None:
            return storing.shard(jobs, store, options, cluster)
        outcome = check(
            jobs,
            options.workers,
            mutants=options.mutants,
            whole=not options.names,
            quiet=False,
            store=store,
            fresh=options.fresh,
            cluster=cluster,
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


def cluster_of(options: argparse.Namespace) -> contextlib.AbstractContextManager[Cluster | None]:
    """The cluster that is named, connected to; None without one."""
    return contextlib.nullcontext() if options.cluster is None else connected(options.cluster)


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
    cluster: Cluster | None = None,
) -> Outcome:
    """Run claims, their twins and the mutants; see ``jobs.run`` for ``store``, ``fresh`` and ``cluster``. Mutants stay here.

    Faults in the engine's operators meet the foundations here; ``proofs-check mutants`` plants them before all claims.
    """
    with contextlib.nullcontext(Monitor()) if quiet else shown() as monitor:
        planted = verify_claim(teeth.planted_falsehood(), BUDGETS["quick"], hunt=True)
        done = run(jobs, workers, store=store, fresh=fresh, monitor=monitor, cluster=cluster)
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
