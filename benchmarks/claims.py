"""W10: what ``proofs-check verify --quick`` costs, paper by paper, and the ten most expensive claims of the ledger."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from benchmarks.pool import ROOT, environment

PHASES = ("drawing", "screening", "settling", "twins", "mutants")
MOST = 10


def papers(folder: Path = ROOT / "proofs_check" / "papers") -> list[str]:
    """Keys of the papers with a checked claim."""
    found = []
    for file in sorted(folder.glob("*.toml")):
        claims = tomllib.loads(file.read_text(encoding="utf-8")).get("claims", [])
        if any(c.get("state") == "checked" for c in (claims.values() if isinstance(claims, dict) else claims)):
            found.append(file.stem)
    return found


def run(out: Path, say: Callable[[str], None], keys: Iterable[str] | None = None) -> list[dict[str, Any]]:
    """One row a claim, the most expensive first; ``claims.csv`` and ``claims.md`` in ``out``.

    Every paper is one process with one worker and no store, twice: the first fills the caches of compiled code, the second
    is counted. Seconds of phases are elapsed ones, as the ledger has them; ``cpu`` is of the whole process.
    """
    rows: list[dict[str, Any]] = []
    totals: list[tuple[str, float, float]] = []
    for key in papers() if keys is None else keys:
        say(f"verify {key} --quick")
        verify(key)
        costs, cpu = verify(key)
        totals.append((key, cpu, costs["seconds"]))
        for claim, cost in costs["claims"].items():
            phases = {phase: cost[phase] for phase in PHASES}
            rows.append({"paper": key, "claim": claim, "seconds": sum(phases.values()), **phases})
    rows.sort(key=lambda row: -float(row["seconds"]))
    out.mkdir(parents=True, exist_ok=True)
    with (out / "claims.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, ("paper", "claim", "seconds", *PHASES), lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
    text = markdown(rows, totals)
    (out / "claims.md").write_text(text, encoding="utf-8")
    print(text)
    return rows


def markdown(rows: list[dict[str, Any]], totals: list[tuple[str, float, float]]) -> str:
    """Papers by CPU time, then the most expensive claims."""
    lines = ["## W10: the claims, --quick", "", "| paper | CPU | elapsed |", "| --- | --- | --- |"]
    lines += [f"| {key} | {cpu:.1f} s | {wall:.1f} s |" for key, cpu, wall in sorted(totals, key=lambda t: -t[1])]
    lines += [f"| all | {sum(t[1] for t in totals):.1f} s | {sum(t[2] for t in totals):.1f} s |", ""]
    lines += [f"| claim | seconds | {' | '.join(PHASES)} |", f"| --- | --- | {' | '.join('---' for _ in PHASES)} |"]
    for row in rows[:MOST]:
        phases = " | ".join(f"{row[p]:.2f}" for p in PHASES)
        lines.append(f"| {row['claim']} | {row['seconds']:.2f} | {phases} |")
    return "\n".join(lines) + "\n"


def verify(key: str) -> tuple[dict[str, Any], float]:
    """The costs that the command reports, and the CPU seconds of its process. RuntimeError where it says nothing readable."""
    command = [
        sys.executable,
        "-m",
        "proofs_check.cli",
        "verify",
        key,
        "--quick",
        "--json",
        "--no-store",
        "--workers",
        "1",
    ]
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.DEVNULL, env=environment(), cwd=ROOT)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        said = out.read().decode()
    try:
        costs: dict[str, Any] = json.loads(said)["costs"]
    except (ValueError, KeyError):
        raise RuntimeError(f"verify {key}: exit {process.returncode}, and no ledger") from None
    return costs, usage.ru_utime + usage.ru_stime
