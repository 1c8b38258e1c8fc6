"""``proofs-check attack``: claims attacked in processes, and what people read of it."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table
from rich.text import Text

from proofs_check import counterexample, drawing, expected, selection, tables
from proofs_check.adversary.engine import Attack, attack
from proofs_check.claim import Claim
from proofs_check.cli import OK, REFUTED
from proofs_check.jobs import ONE_THREAD, Job, fan_out
from proofs_check.runner import BUDGETS
from proofs_check.settle import EngineFault
from proofs_check.weighing import up

DETAILED = 3  # up to this many claims are shown with history and instance


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


def run(options: argparse.Namespace) -> int:
    """The command: 1 where something is refuted that is not known to be false, or where a body raised; 0 otherwise."""
    from proofs_check.commands import progress

    if not options.names and not options.all:
        raise selection.UsageError("name claims, papers or files to attack, or say --all")
    selection.writable(options.out, "--out")
    aims = targets(options.names, options.evaluations, options.seed)
    start = time.perf_counter()
    with progress(len(aims), options.json) as advance:
        struck = fan_out(strike, aims, options.workers, lambda s: advance(s.target.id), ONE_THREAD)
    seconds = time.perf_counter() - start
    saved = {
        s.target.id: _save(options.out, s) for s in struck if s.result is not None and s.result.status == "refuted"
    }
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
            _ratio(r.random),
            _ratio(r.ratio)
            or (f"differs by {r.difference:.3g}" if r.identity else "" if r.gap is None else f"gap {up(r.gap)}"),
            f"{r.evaluations:,}",
            "" if r.size is None else f"S={r.size[0]}, A={r.size[1]}",
            Text(r.reason or ("" if r.instance is None else str(r.instance["address"]))),
        )
    console.print(table)
    for s in struck:
        if s.result is not None and (len(struck) <= DETAILED or s.result.status == "refuted"):
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


def _again(target: Target, path: Path) -> str:
    where = f" --file {target.job.file}" if target.job.file else ""
    return f"again: proofs-check show {target.id}{where} --replay {path}"


def detailed(r: Attack) -> list[str]:
    """History, extremal instance as a graph, and both sides on it."""
    lines = [f"{r.id}: {r.status}"]
    lines += [f"  after {n:>7,}: ratio {_ratio(ratio)} ({source})" for n, ratio, source in r.history]
    if r.instance is not None:
        mdp, payloads = counterexample.replay(r.instance)
        lines.append(
            f"  {'counterexample' if r.status == 'refuted' else 'extremal instance'}, {r.instance['address']}, simplified:"
        )
        lines += [f"    {line}" for line in drawing.draw(mdp, payloads)]
        if r.left is not None and r.right is not None:
            names = ("left", "right") if r.identity else ("measured", "bound")
            lines.append(
                "    " + ", ".join(f"{n} in [{a!r}, {b!r}]" for n, (a, b) in zip(names, (r.left, r.right), strict=True))
            )
    return lines


def _ratio(x: float | None) -> str:
    """Towards zero, with the digits that tell it from one."""
    if x is None:
        return ""
    if 0.9999 <= x < 1:
        return f"1 - {1 - x:.1e}"
    return tables.rounded_down(x)
