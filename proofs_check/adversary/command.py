"""``proofs-check attack``: claims attacked in processes, and what people read of it."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.table import Table
from rich.text import Text

from proofs_check import counterexample, drawing, expected, selection, tables
from proofs_check.adversary.engine import Attack, attack
from proofs_check.claim import Claim
from proofs_check.cli import OK, REFUTED
from proofs_check.cluster import Cluster, anywhere
from proofs_check.jobs import ONE_THREAD, Job, fan_out
from proofs_check.runner import BUDGETS
from proofs_check.settle import EngineFault
from proofs_check.user_errors import show_command
from proofs_check.weighing import up

DETAILED = 3  # up to this many claims are shown with history and instance
SHOWN = {"refuted": "counterexample", "witness found": "witness"}
SAVED = tuple(SHOWN)  # verdicts whose instance is written down
HEAD = """# How tight claims are

κ is the largest quotient measured / bound that was reached: among the claim's own random instances, and by the attack, which
searches for it ({evaluations:,} evaluations, and the starts). It is a lower bound, enclosed, not estimated, and rounded down. A κ
of 1 says that the bound is attained, one above 1 would refute it, and a small one that either the bound is loose or its worst
instance was not found. The column of instances has the size of the one that reached κ and where its search began. Of a `Trial`
κ is the least delta that its family's trials do not refute (e < 10⁶), over its delta; nothing is selected there. Without κ are

- an identity, which holds or does not;
- an inequality that compares values whose quotient means nothing, since adding a number to both changes it;
- an `Order` without a `constant` or a `growth`, of which the largest ratio measured / shape is given;
- a `Scaling`, of which the lowest and the highest slope over the range and its halves are given;
- a `Witness`, which is found or is not;
- a `Comparison` and whatever is `Sampled`, which are about averages: no one instance breaks them.

`make tightness` writes this file: `proofs-check attack --all --seed {seed} --evaluations {evaluations}`. The number of processes
changes nothing in it; another processor may change digits, since the search goes where they lead. `proofs-check attack CLAIM` shows
the instance, simplified as far as it keeps 99 parts in 100 of κ.

| claim | κ random | κ attack | instance | evaluations | seed |
| --- | --- | --- | --- | --- | --- |
"""


@dataclass(frozen=True)
class Target:
    """One claim or twin to attack."""

    job: Job
    id: str
    evaluations: int

    def load(self) -> Claim:
        """The claim, or the twin of it."""
        claim = self.job.load()
        return next(c for c in (claim, *claim.twins) if c.id == self.id)


@dataclass(frozen=True)
class Struck:
    """What a target came to; ``fault`` says why there is no result."""

    target: Target
    result: Attack | None
    fault: str
    seconds: float


def targets(names: Sequence[str], evaluations: int, seed: int) -> list[Target]:
    """Of papers, claims, twins and files; every claim that is checked where no name is given. Raises UsageError."""
    found: dict[tuple[str, str | None], Target] = {}
    for name in names or [""]:
        base, dot, number = name.partition(".twin")
        for job in selection.jobs([base] if base else [], BUDGETS["default"], seed):
            twins = [c.id for c in job.load().twins if c.id == f"{job.id}{dot}{number}"] if dot else [job.id]
            if not twins:
                raise selection.UsageError(f"{job.id} has no false variant {name!r}")
            found.setdefault((twins[0], job.file), Target(job, twins[0], evaluations))
    return list(found.values())


def strike(target: Target) -> Struck:
    """Attack one target, in this process."""
    start, result, fault = time.perf_counter(), None, ""
    claim = target.load()
    try:
        result = attack(claim, target.evaluations, target.job.seed)
    except EngineFault as error:
        fault = f"the engine is at fault: {error}"
    except Exception as error:  # a body of one's own may raise anything; the others are attacked all the same
        from proofs_check.user_errors import explain

        fault = f"it raised {explain(claim, error, target.job.seed)}"
    return Struck(target, result, fault, time.perf_counter() - start)


def _struck_on(cluster: Cluster, aims: Sequence[Target], advance: Callable[[str], None]) -> list[Struck]:
    """All targets on the workers of a cluster, in their order."""
    found: dict[Target, Struck] = {}

    def take(struck: Struck, machine: object) -> None:
        found[struck.target] = struck
        advance(struck.target.id)

    there = [replace(aim, job=anywhere(aim.job)) for aim in aims]
    cluster.each(strike, there, take)
    return [replace(found[one], target=aim) for aim, one in zip(aims, there, strict=True)]


def run(options: argparse.Namespace) -> int:
    """The command: 1 where something is refuted that is not known to be false, or where a body raised; 0 otherwise."""
    from proofs_check.commands import cluster_of, progress

    if not options.names and not options.all:
        raise selection.UsageError("name claims, papers or files to attack, or say --all")
    selection.writable(options.out, "--out")
    if options.table is not None:
        selection.writable(options.table.parent, "--table")
    aims = targets(options.names, options.evaluations, options.seed)
    start = time.perf_counter()
    with cluster_of(options) as cluster, progress(len(aims), options.json) as advance:
        if cluster is None:
            struck = fan_out(strike, aims, options.workers, lambda s: advance(s.target.id), ONE_THREAD)
        else:
            struck = _struck_on(cluster, aims, advance)
    seconds = time.perf_counter() - start
    saved = {s.target.id: _save(options.out, s) for s in struck if s.result is not None and s.result.status in SAVED}
    if options.table is not None:
        options.table.parent.mkdir(parents=True, exist_ok=True)
        options.table.write_text(markdown(struck, options.evaluations, options.seed), encoding="utf-8")
    if options.json:
        out = [
            {"id": s.target.id, "status": "fault", "reason": s.fault} if s.result is None else s.result.as_dict()
            for s in struck
        ]
        print(json.dumps({"seed": options.seed, "evaluations": options.evaluations, "attacks": out}, indent=1))
    else:
        _print(struck, saved, seconds)
    known = expected.load()
    bad = [
        s for s in struck if s.result is None or (s.result.status == "refuted" and known.get(s.target.id) != "refuted")
    ]
    return REFUTED if bad else OK


def _save(folder: Path, s: Struck) -> Path:
    path = folder / f"{s.target.id}.json"
    if s.result is not None and s.result.instance is not None:
        counterexample.save(path, s.target.id, s.target.load().statement, s.result.instance)
    return path


def _print(struck: Sequence[Struck], saved: dict[str, Path], seconds: float) -> None:
    console = tables.terminal()
    table = Table("claim", "comes to", "κ random", "κ attack", "evaluations", "size", "extremal instance (selected)")
    for s in struck:
        r = s.result
        if r is None:
            table.add_row(s.target.id, Text("fault", style="red"), "", "", "", "", Text(s.fault))
            continue
        table.add_row(
            s.target.id,
            Text(r.status, style="red" if r.status == "refuted" else ""),
            tables.ratio(r.random),
            tables.ratio(r.ratio) or _instead(r),
            f"{r.evaluations:,}",
            "" if r.size is None else f"S={r.size[0]}, A={r.size[1]}",
            Text(r.reason or ("" if r.instance is None else str(r.instance["address"]))),
        )
    console.print(table)
    for s in struck:
        if s.result is not None and (len(struck) <= DETAILED or s.result.status in SAVED):
            for line in detailed(s.result):
                console.print(Text(line), soft_wrap=True)
        if s.target.id in saved:
            console.print(
                Text(f"  saved in {saved[s.target.id]}; {_again(s.target, saved[s.target.id])}"), soft_wrap=True
            )
    total = sum(s.result.evaluations for s in struck if s.result is not None)
    console.print(
        f"{len(struck)} claims, {total:,} instances in {seconds:.1f} s: {total / max(seconds, 1e-9):,.0f} a second"
    )


def markdown(struck: Sequence[Struck], evaluations: int, seed: int) -> str:
    """What ``docs/tightness.md`` says: the table of κ with its head. No timing, so that equal runs give equal bytes."""
    lines = [HEAD.format(evaluations=evaluations, seed=seed)]
    for s in struck:
        r = s.result
        cells: tuple[str, ...] = (s.target.id, "—", "—", f"fault: {s.fault}", "", str(seed))
        if r is not None:
            at = [f"S={r.reached[0]}, A={r.reached[1]}"] if r.reached else []
            found = r.ratio is not None or r.numbers or r.status in SAVED  # else the instance shows nothing
            where = [*(at if found else []), r.source if found else "", _instead(r), r.reason]
            tried = f"{r.evaluations:,}" if r.evaluations else "—"
            said = "; ".join(text for text in where if text)
            cells = (r.id, tables.ratio(r.random) or "—", tables.ratio(r.ratio) or "—", said, tried, str(seed))
        lines.append("| " + " | ".join(c.replace("|", "\\|").replace("\n", " ") for c in cells) + " |\n")
    return "".join(lines)


def _instead(r: Attack) -> str:
    """What there is where there is no quotient, and what a ``Trial``'s is of."""
    if r.identity and r.kind == "Identity":
        return f"differs by {r.difference:.3g}" if r.difference else "identity"
    if r.kind == "Witness":
        return r.status
    if r.gap is not None:
        return f"gap {up(r.gap)}"
    return ", ".join(f"{name} {x:,.4g}" for name, x in r.numbers.items())


def _again(target: Target, path: Path) -> str:
    return f"again: {show_command(target.id, target.job.file, '--replay', path)}"


def detailed(r: Attack) -> list[str]:
    """History, extremal instance as a graph, and both sides on it."""
    lines = [f"{r.id}: {r.status}"]
    lines += [f"  after {n:>7,}: ratio {tables.ratio(ratio)} ({source})" for n, ratio, source in r.history]
    if r.instance is not None:
        mdp, payloads = counterexample.replay(r.instance)
        lines.append(f"  {SHOWN.get(r.status, 'extremal instance')}, {r.instance['address']}, simplified:")
        lines += [f"    {line}" for line in drawing.draw(mdp, payloads)]
        if r.left is not None and r.right is not None:
            names = ("left", "right") if r.identity else ("measured", "bound")
            lines.append(
                "    " + ", ".join(f"{n} in [{a!r}, {b!r}]" for n, (a, b) in zip(names, (r.left, r.right), strict=True))
            )
    return lines
