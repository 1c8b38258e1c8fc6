"""What a run leaves: a table for people, and the raw numbers as JSON and CSV."""

from __future__ import annotations

import csv
import json
import math
import os
import platform
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.race import Record

AGREED = 1e-8
"""Answers that are the same to this need no further look."""


class Result(NamedTuple):
    """A workload that has been run: its records, and the bytes of its model (0: a workload of whole processes).

    ``oracle_bound`` is the largest where entries have problems of their own; then ``one_answer`` is False.
    """

    name: str
    title: str
    facts: Mapping[str, Any]
    nbytes: int
    tolerance: float
    oracle_bound: float
    records: Sequence[Record]
    one_answer: bool = True


def markdown(results: Sequence[Result], machine: Mapping[str, Any]) -> str:
    """All tables, the machine first."""
    bandwidth = machine.get("bandwidth", {})
    speeds = ", ".join(f"{k} {v / 1e9:.1f} GB/s" for k, v in bandwidth.items() if k != "threads")
    lines = [
        "# Benchmarks",
        "",
        f"{machine['cpu']}, {machine['cores']} cores, Python {machine['python']}; load {machine['load']}.",
        f"Bandwidth (thread counts behind the names): {speeds or 'not measured'}.",
        "",
    ]
    for result in results:
        lines += [f"## {result.name}: {result.title}", "", *_facts(result), "", *_table(result, bandwidth), ""]
        why = [f"* {r.label}: {r.status}: {r.reason}" for r in result.records if r.status != "done"]
        how = [f"* {r.label} {r.version}: {r.method}" for r in result.records if r.status == "done" and r.method]
        lines += [*how, *why, ""]
    return "\n".join(lines)


def _facts(result: Result) -> list[str]:
    facts = ", ".join(f"{k}={v}" for k, v in result.facts.items() if k not in ("kind", "tolerance") and v is not None)
    bound = "exact" if result.oracle_bound == 0 else f"certified to {result.oracle_bound:.1e}"
    weight = f" The model has {result.nbytes / 1e6:.1f} MB." if result.nbytes else ""
    known = "Nobody knows the answer." if math.isnan(result.oracle_bound) else f"Errors are against an answer {bound}."
    return [f"Data: {facts}. {known}{agreement(result.records) if result.one_answer else ''}{weight}"]


HEAD = (
    "contestant",
    "median",
    "ratio (min ... max)",
    "first run",
    "CPU (ratio)",
    "error of V",
    "peak above model",
    "bandwidth",
)


def _table(result: Result, bandwidth: Mapping[str, float]) -> list[str]:
    rows = [f"| {' | '.join(HEAD)} |", f"| {' | '.join('---' for _ in HEAD)} |"]
    for r in result.records:
        if not r.seconds:
            rows.append(f"| {r.label} | {r.status} | | | | | | |")
            continue
        cells = (
            r.label + ("" if r.status == "done" else f" ({r.status} later)"),
            duration(r.median),
            ratio(r.ratios),
            duration(r.first),
            processor(r, result.records[0]),
            error(r.error, result.tolerance),
            memory(r.peak, result.nbytes),
            fraction(r, result.nbytes, bandwidth),
        )
        rows.append(f"| {' | '.join(cells)} |")
    return rows


def duration(seconds: float) -> str:
    """Three digits with a unit."""
    if math.isnan(seconds):
        return ""
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-6:.3g} us"


def ratio(ratios: Sequence[float]) -> str:
    """Median of the pairwise ratios, with the least and the largest."""
    if not ratios:
        return ""
    return f"{statistics.median(ratios):.3g} ({min(ratios):.3g} ... {max(ratios):.3g})"


def processor(record: Record, first: Record) -> str:
    """Median CPU seconds of all threads, and over the first entry's: steadier than times where others use the machine."""
    if not record.cpu:
        return ""
    own = statistics.median(record.cpu)
    base = statistics.median(first.cpu) if first.cpu else 0.0
    return duration(own) + (f" ({own / base:.3g})" if base > 0 else "")


def agreement(records: Sequence[Record]) -> str:
    """How far apart the answers may be: the two largest errors together."""
    errors = sorted(r.error for r in records if r.seconds and not math.isnan(r.error))
    if len(errors) < 2:
        return ""
    apart = errors[-1] + errors[-2]
    return f" All answers are the same to {apart:.1e}" + ("." if apart <= AGREED else ": see the errors.")


def error(found: float, tolerance: float) -> str:
    """The error, marked where it misses the tolerance."""
    if math.isnan(found):
        return ""
    return "0 (exact)" if found == 0 else f"{found:.1e}" + ("" if found <= tolerance else " **missed**")


def memory(peak: int | None, nbytes: int) -> str:
    """Megabytes, and copies of the model."""
    if peak is None:
        return ""
    return f"{peak / 1e6:.1f} MB" + (f" ({peak / nbytes:.2f} models)" if nbytes else "")


def fraction(record: Record, nbytes: int, bandwidth: Mapping[str, float]) -> str:
    """Bytes of the model times passes over them, in the time, as a part of what the machine reads with all threads."""
    passes, most = record.facts.get("passes"), bandwidth.get(f"read {bandwidth.get('threads', 0):.0f}")
    if passes is None or not most or not nbytes:
        return ""
    return f"{nbytes * passes / record.median / most:.0%} ({passes:g} passes)"


def write(results: Sequence[Result], machine: Mapping[str, Any], out: Path) -> None:
    """``results.md``, ``results.json`` (everything) and ``results.csv`` (one row a run) in ``out``."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "results.md").write_text(markdown(results, machine), encoding="utf-8")
    data = [{**r._asdict(), "facts": dict(r.facts), "records": [x.asdict() for x in r.records]} for r in results]
    text = json.dumps({"machine": machine, "results": data}, indent=1)
    (out / "results.json").write_text(text + "\n", encoding="utf-8")
    with (out / "results.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(("workload", "contestant", "version", "status", "round", "seconds", "cpu", "error", "peak"))
        for result in results:
            for r in result.records:
                about = (result.name, r.label, r.version, r.status)
                for k in range(max(len(r.seconds), 1)):
                    times = [repr(x[k]) if k < len(x) else "" for x in (r.seconds, r.cpu)]
                    table.writerow((*about, k, *times, repr(r.error), "" if r.peak is None else r.peak))


def machine(bandwidth: Mapping[str, float]) -> dict[str, Any]:
    """What the numbers were measured on."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [x for x in info.read_text(encoding="utf-8").splitlines() if x.startswith("model name")]
        cpu = names[0].partition(":")[2].strip() if names else cpu
    load = " ".join(f"{x:.2f}" for x in os.getloadavg())
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "system": platform.platform(),
        "load": load,
        "bandwidth": dict(bandwidth),
    }
