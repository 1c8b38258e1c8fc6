"""``python -m benchmarks``: which workloads, beside whom, how often, where to."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np

from benchmarks import bandwidth, claims, environments, exponents, oracle, processes, report
from benchmarks.contestants.table import REFUSALS
from benchmarks.data import Task, save
from benchmarks.pool import Worker
from benchmarks.race import BUILD, race
from benchmarks.workloads import ALL, OURS, TOLERANCE, WORKLOADS, Entry, Workload

DEFAULT = [name for name, w in WORKLOADS.items() if not w.pending]
NAMES = (*WORKLOADS, "W7", "W9", "W10", "exponents")
GROUPS = {"W9": ("W9a", "W9b")}


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    p.add_argument(
        "names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)} (W1 to W9, but for what is pending)"
    )
    p.add_argument("--peers", help=f"comma-separated, of {','.join(ALL)}; 'none': the project alone (all)")
    p.add_argument("--rounds", type=int, help="timed runs of each contestant (by workload)")
    p.add_argument("--limit", type=float, help="seconds for one run (by workload)")
    p.add_argument("--quick", action="store_true", help="small sizes and few rounds: to see that everything runs")
    p.add_argument("--out", type=Path, default=Path("results/benchmarks"), help="folder of the results (%(default)s)")
    p.add_argument(
        "--cache", type=Path, default=Path(".benchmarks"), help="folder of data and environments (%(default)s)"
    )
    p.add_argument("--clean", action="store_true", help="remove data and environments, and stop")
    return p


def main(arguments: Sequence[str] | None = None) -> int:
    """0 if every contestant that can do a workload did it, 1 if one failed, 3 for wrong usage."""
    p = parser()
    options = p.parse_args(arguments)
    options.cache = options.cache.resolve()
    if options.clean:
        environments.clean(options.cache)
        return 0
    wanted = [n for name in options.names or [*DEFAULT, "W7"] for n in GROUPS.get(name, (name,))]
    chosen = set(ALL) if options.peers is None else set(options.peers.split(",")) - {"none", ""}
    if unknown := [x for x in wanted if x not in NAMES] or sorted(chosen - set(ALL)):
        p.print_usage(sys.stderr)
        print(f"error: there is no {unknown[0]!r}", file=sys.stderr)
        return 3
    if wanted == ["exponents"]:
        exponents.run(options.out, quick=options.quick, say=_say)
        return 0
    if wanted == ["W10"]:
        claims.run(options.out, say=_say)
        return 0
    if {"exponents", "W10"} & set(wanted):
        print("error: exponents and W10 are runs of their own", file=sys.stderr)
        return 3
    _say("memory bandwidth")
    machine = report.machine(bandwidth.elsewhere(2 if options.quick else bandwidth.TRIES))
    results: list[report.Result] = []
    for name in wanted:
        before = len(results)
        if name == "W7":
            results += processes.run(chosen, options)
        else:
            results.append(_workload(name, WORKLOADS[name], chosen, options))
        report.write(results, machine, options.out)  # what has been measured survives what comes
        print(report.markdown(results[before:], machine).split("\n\n", 1)[1])
    return int(any(r.status == "failed" for result in results for r in result.records))


def _workload(name: str, workload: Workload, chosen: set[str], options: argparse.Namespace) -> report.Result:
    task = workload.make(**(workload.quick if options.quick else workload.full))
    folder = options.cache / "data" / f"{name}-{task.digest}"
    if not (folder / "task.json").exists():
        _say(f"{name}: data")
        save(task, folder)
    entries = [e for e in workload.entries if e.module == OURS.module or e.label in chosen]
    scratch = options.cache / "run" / name
    shutil.rmtree(scratch, ignore_errors=True)

    @cache
    def python(module: str) -> Path:
        peer = module.replace("_", "-")
        if module == OURS.module:
            return Path(sys.executable)
        _say(f"environment of {peer}")
        return environments.make(peer, options.cache)

    def answer(entry: Entry) -> oracle.Oracle:
        own = {k: v for k, v in entry.options.items() if k in ("regularizer", "tau")}
        return known(tuple(sorted(own.items())))

    @cache
    def known(own: tuple[tuple[str, object], ...]) -> oracle.Oracle:
        if task.kind in REFUSALS[OURS.module]:
            return oracle.Oracle(np.empty(0), float("nan"), 1.0)
        return oracle.kept(task, folder, dict(own), lambda: _start(task, folder, dict(own), scratch))

    records = race(
        task,
        folder,
        entries,
        python,
        answer,
        scratch,
        rounds=options.rounds or (min(workload.rounds, 3) if options.quick else workload.rounds),
        limit=options.limit or workload.limit,
        say=lambda text: _say(f"{name}: {text}"),
    )
    bound, one = max(answer(e).bound for e in entries), not any("tau" in e.options for e in entries)
    title = workload.title + (", at a small size" if options.quick else "")
    return report.Result(name, title, task.facts, task.nbytes, TOLERANCE, bound, records, one)


def _start(task: Task, folder: Path, own: dict[str, object], scratch: Path) -> np.ndarray:
    """Our own answer, as the place where the oracle starts; only its extended precision is trusted."""
    _say(f"certified answer {own or ''}")
    worker = Worker(Path(sys.executable), OURS.module, folder, own, scratch / "oracle")
    try:
        worker.hear(BUILD)
        worker.hear(BUILD)
        return np.load(worker.answer, allow_pickle=False)
    finally:
        worker.close()


def _say(text: str) -> None:
    print(f"[{text}]", file=sys.stderr, flush=True)
