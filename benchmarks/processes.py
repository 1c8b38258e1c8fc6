"""W7: whole processes, from the start of Python to the answer on disk; scripts in ``benchmarks/scripts``.

The first run of each has an empty cache of compiled code, as on the day of installation; the others find what it left.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import environments
from benchmarks.oracle import Oracle
from benchmarks.pool import environment, last_error
from benchmarks.race import Record
from benchmarks.report import Result
from benchmarks.scripts import ENVIRONMENTS, GAMMA
from benchmarks.workloads import TOLERANCE

SCRIPTS = {
    "ours": "MDP.from_gymnasium, solve",
    "plain_numpy": "policy iteration in ten lines",
    "mdpsolver": "modified policy iteration on lists of successors",
    "quantecon": "DiscreteDP, policy iteration",
    "bettermdptools": "Planner.value_iteration_vectorized, float64",
}
LIMIT = 120.0
ROUNDS, QUICK = 9, 2


def run(chosen: set[str], options: argparse.Namespace) -> list[Result]:
    """One result for each environment. Peers that have no script here read no Gymnasium tables, or are no faster ways to."""
    pythons: dict[str, Path | str] = {}
    for name in SCRIPTS:
        if name == "ours":
            pythons[name] = Path(sys.executable)
        elif name in chosen or (name == "plain_numpy" and chosen):
            try:
                pythons[name] = environments.make("numpy" if name == "plain_numpy" else name, options.cache)
            except environments.Unavailable as error:
                pythons[name] = str(error)
    rounds = options.rounds or (QUICK if options.quick else ROUNDS)
    limit = options.limit or LIMIT
    return [_one(task, pythons, rounds, limit, options.cache / "run" / f"W7-{task}") for task in ENVIRONMENTS]


def optimum(task: str) -> Oracle:
    """By exact policy iteration, rounded to floats."""
    from fractions import Fraction

    from tabular import MDP, exact_policy_iteration

    name, options = ENVIRONMENTS[task]
    found = exact_policy_iteration(
        MDP.from_gymnasium(name, Fraction(GAMMA).limit_denominator(100), exact=True, **options)
    )
    V = np.array([float(v) for v in found.V])
    # gamma = 99/100, and .99 in floats: they differ by an ulp, and values by that over (1 - gamma)^2
    scale = max(1.0, float(np.abs(V).max()))
    return Oracle(V, float(np.finfo(float).eps) * scale / (1 - GAMMA) ** 2, scale)


def _one(task: str, pythons: dict[str, Path | str], rounds: int, limit: float, scratch: Path) -> Result:
    shutil.rmtree(scratch, ignore_errors=True)
    records = {name: Record(name, SCRIPTS[name]) for name in pythons}
    for name, python in pythons.items():
        (scratch / name).mkdir(parents=True)
        if isinstance(python, str):
            records[name].status, records[name].reason = "not installed", python
    oracle = optimum(task)
    for k in range(rounds + 1):
        times: dict[str, float] = {}
        for name, python in pythons.items():
            record = records[name]
            if record.status != "done" or isinstance(python, str):
                continue
            told = spawn(python, name, task, scratch / name, limit)
            if isinstance(told, tuple):
                record.status, record.reason = told
                continue
            if k == 0:
                record.first = told["seconds"]
            else:
                times[name] = told["seconds"]
                record.seconds.append(told["seconds"])
                record.cpu.append(told["cpu"])
            record.peak, record.how = told["peak"], "VmHWM of the process, read every few milliseconds"
            record.error = float(
                np.fmax(record.error, oracle.error(np.load(scratch / name / "V.npy", allow_pickle=False)))
            )
        for name, seconds in times.items():
            if "ours" in times:
                records[name].ratios.append(seconds / times["ours"])
    title = f"{ENVIRONMENTS[task][0]}, whole process from import to answer"
    return Result(f"W7-{task}", title, {"gamma": GAMMA}, 0, TOLERANCE, oracle.bound, list(records.values()))


def spawn(python: Path, name: str, task: str, folder: Path, limit: float) -> dict[str, Any] | tuple[str, str]:
    """Seconds, CPU seconds and peak bytes of one process, or its status and the reason."""
    command = [str(python), "-m", f"benchmarks.scripts.{name}", task, str(folder / "V.npy")]
    variables = environment() | {"NUMBA_CACHE_DIR": str(folder / "compiled")}
    with (folder / "log.txt").open("wb") as log:
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=log, stderr=log, env=variables, cwd=folder)
        try:
            status, usage, peak = _wait(process, start + limit)
        except TimeoutError:
            process.kill()
            process.wait()
            return "not done", f"not done after {limit:g} s"
        seconds = time.perf_counter() - start
    if status != 0:
        return "failed", f"{last_error(folder / 'log.txt')} (exit {status})"
    return {"seconds": seconds, "cpu": usage.ru_utime + usage.ru_stime, "peak": peak}


def _wait(process: subprocess.Popen[bytes], end: float) -> tuple[int, Any, int | None]:
    """Exit status, usage, and the peak of memory: not ``ru_maxrss``, which a child has from its parent before it is a Python.

    It looks every two milliseconds, because a wait with a limit would lose the usage. Raises TimeoutError.
    """
    peak = None
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            process.returncode = os.waitstatus_to_exitcode(status)
            return process.returncode, usage, peak
        if time.perf_counter() > end:
            raise TimeoutError
        peak = _high_water(process.pid) or peak
        time.sleep(0.002)


def _high_water(pid: int) -> int | None:
    """Bytes, None where there is no /proc or no such process any more."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return None
    found = [int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")]
    return found[0] if found else None
