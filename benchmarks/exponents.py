"""How the time of each of our solvers grows with the number of states: fits over two decades, and the plot."""

from __future__ import annotations

import csv
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks import workloads
from benchmarks.data import Task, save
from benchmarks.pool import Failed, Late, Worker

ROUNDS = 5
LIMIT = 120.0


class Curve(NamedTuple):
    """A solver on tasks of growing size; ``cost`` is what its arithmetic would have as exponent."""

    label: str
    options: dict[str, Any]
    make: Callable[[int], Task]
    sizes: Sequence[int]
    quick: Sequence[int]
    cost: str


def _dense(S: int) -> Task:
    return workloads.dense(S, 4, 0.99, 11)


def _sparse(S: int) -> Task:
    return workloads.sparse(S, 4, 5, 0.99, 12)


def _horizon(S: int) -> Task:
    return workloads.horizon(S, 4, 50, 13)


def _exact(S: int) -> Task:
    return workloads.exact(S, 4, 14)


DENSE, SPARSE = (20, 50, 100, 200, 500, 1000, 2000), (2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000)
CURVES = (
    Curve("value iteration, dense", {"method": "value_iteration"}, _dense, DENSE, (20, 50), "2"),
    Curve("modified policy iteration, dense", {"method": "modified_policy_iteration"}, _dense, DENSE, (20, 50), "2"),
    Curve("policy iteration, dense", {"method": "policy_iteration"}, _dense, DENSE, (20, 50), "3"),
    Curve("value iteration, sparse", {"method": "value_iteration"}, _sparse, SPARSE, (200, 500), "1"),
    Curve(
        "modified policy iteration, sparse", {"method": "modified_policy_iteration"}, _sparse, SPARSE, (200, 500), "1"
    ),
    Curve("policy iteration, sparse", {"method": "policy_iteration"}, _sparse, SPARSE, (200, 500), "1 where Krylov"),
    Curve("solve (its own choice), sparse", {}, _sparse, SPARSE, (200, 500), "1"),
    Curve("backward induction", {}, _horizon, DENSE[:-1], (20, 50), "2"),
    Curve("exact policy iteration", {}, _exact, (2, 5, 10, 20, 50, 100, 200), (5, 10), "3 to 4, in bits"),
)


class Fit(NamedTuple):
    """Times (n,) in seconds at sizes (n,), and the slope of their logarithms: over all, and over the larger half."""

    label: str
    sizes: np.ndarray
    seconds: np.ndarray
    exponent: float
    upper: float
    cost: str


def slope(sizes: np.ndarray, seconds: np.ndarray) -> float:
    """Least-squares slope of ``log seconds`` against ``log sizes``; NaN for fewer than two points."""
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0]) if len(sizes) > 1 else float("nan")


def run(out: Path, *, quick: bool, say: Callable[[str], None], curves: Sequence[Curve] = CURVES) -> list[Fit]:
    """Measure, print the exponents, and leave ``exponents.csv``, ``exponents.md`` and ``exponents.pdf`` in ``out``."""
    out.mkdir(parents=True, exist_ok=True)
    fits = []
    with tempfile.TemporaryDirectory() as folder:
        for curve in curves:
            sizes, times = [], []
            for S in curve.quick if quick else curve.sizes:
                say(f"{curve.label}, S={S}")
                seconds = measured(curve.make(S), curve.options, Path(folder), 2 if quick else ROUNDS)
                if seconds is None:
                    say(f"{curve.label}, S={S}: not done, and no larger size tried")
                    break
                sizes.append(S)
                times.append(seconds)
            x, y = np.array(sizes, dtype=float), np.array(times)
            half = len(x) // 2
            fits.append(Fit(curve.label, x, y, slope(x, y), slope(x[half:], y[half:]), curve.cost))
    with (out / "exponents.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(("solver", "S", "seconds"))
        table.writerows(
            (f.label, int(S), repr(float(t))) for f in fits for S, t in zip(f.sizes, f.seconds, strict=True)
        )
    text = markdown(fits)
    (out / "exponents.md").write_text(text, encoding="utf-8")
    print(text)
    from benchmarks.plot import draw

    draw(fits, out / "exponents.pdf")
    return fits


def measured(task: Task, options: dict[str, Any], folder: Path, rounds: int) -> float | None:
    """Median seconds of some solves after a first one; None where they do not end in time."""
    home = folder / task.digest
    save(task, home)
    worker = Worker(Path(sys.executable), workloads.OURS.module, home, options, home / "run")
    try:
        worker.hear(LIMIT)
        worker.hear(LIMIT)
        return statistics.median(worker.ask("run", LIMIT)["seconds"] for _ in range(rounds))
    except (Late, Failed):
        return None
    finally:
        worker.close()


def markdown(fits: Sequence[Fit]) -> str:
    lines = [
        "| solver | S | time at the largest | exponent | exponent, larger half | by its arithmetic |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for f in fits:
        if not len(f.sizes):
            lines.append(f"| {f.label} | not done | | | | {f.cost} |")
            continue
        span = f"{f.sizes[0]:,.0f} ... {f.sizes[-1]:,.0f}"
        lines.append(f"| {f.label} | {span} | {f.seconds[-1]:.3g} s | {f.exponent:.2f} | {f.upper:.2f} | {f.cost} |")
    return "\n".join(lines) + "\n"
