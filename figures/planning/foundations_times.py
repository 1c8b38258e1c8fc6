"""foundations: time of a solve against the number of states, beside other libraries where they were measured.

Of the project beside its peers ``make bench`` leaves ``results/benchmarks``; where that is not there, the project's own solvers are
timed here, alone.
"""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from figures.panels import decimals, each, legend, outer, panels
from figures.pieces import Tell
from figures.table import Table
from tabular import MDP, solve
from tabular.instances import garnet
from tabular.instances.garnet import garnet_sparse

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from figures.style import Style

TITLE = "Time of a solve against the number of states"
METHODS = ("value iteration", "modified policy iteration", "policy iteration")
ACTIONS, GAMMA, TOL = 4, 0.99, 1e-6
QUICK: dict[str, Any] = {"dense": (20, 50, 100, 200, 500), "sparse": (500, 1000, 2000, 5000), "rounds": 3, "limit": 2.0}
SECONDS = {"quick": 20.0, "paper": 240.0}


def compute(
    *,
    results: str | Path = Path("results") / "benchmarks",
    dense: Sequence[int] = (20, 50, 100, 200, 500, 1000, 2000),
    sparse: Sequence[int] = (2000, 5000, 10_000, 20_000, 50_000, 100_000),
    rounds: int = 5,
    limit: float = 10.0,
    tell: Tell | None = None,
) -> Table:
    """Columns ``kind`` ("dense" or "sparse"), ``solver``, ``ours``, ``S``, ``seconds``: the median, ``least`` and
    ``largest`` of the rounds: of one solve to an error of 1e-6, from the library's own model to its own answer.

    ``results``: a folder with ``exponents.csv`` (ours against size) and ``results.json`` (peers, at the sizes of the
    workloads) of the benchmarks: wall time on an idle machine. Where the first is not there, our solvers are timed here,
    alone: processor time of all threads, which other work on the machine changes less; one that takes longer than
    ``limit`` at a size is left out from there on. Parameter ``where`` says which. These numbers differ from run to run.
    """
    folder = Path(results)
    rows, where = _exponents(folder / "exponents.csv"), "benchmarks"
    peers, machine = _peers(folder / "results.json") if rows else ([], "")
    if not rows:
        rows, where = _timed(dense, sparse, rounds, limit, tell), "here"
    names = ("kind", "solver", "ours", "S", "seconds", "least", "largest")
    return Table.of_rows(names, rows + peers, where=where, peers=len(peers), machine=machine, rounds=rounds)


def _exponents(file: Path) -> list[tuple[Any, ...]]:
    if not file.is_file():
        return []
    with file.open(newline="", encoding="utf-8") as lines:
        found = [
            (*row["solver"].rpartition(", ")[::2], int(row["S"]), float(row["seconds"]))
            for row in csv.DictReader(lines)
        ]
    return [
        (kind, solver, True, S, t, t, t)
        for solver, kind, S, t in found
        if kind in ("dense", "sparse") and solver in METHODS
    ]


def _peers(file: Path) -> tuple[list[tuple[Any, ...]], str]:
    if not file.is_file():
        return [], ""
    data, rows = json.loads(file.read_text(encoding="utf-8")), []
    for result in data["results"]:
        kind, S = result["facts"].get("kind"), result["facts"].get("S")
        if kind not in ("dense", "sparse") or S is None or "tau" in result["facts"]:
            continue
        for record in result["records"]:
            t = record["seconds"]
            if t and not record["label"].startswith("ours"):
                rows.append((kind, record["label"], False, S, median(t), min(t), max(t)))
    return rows, str(data["machine"]["cpu"])


def _timed(
    dense: Sequence[int], sparse: Sequence[int], rounds: int, limit: float, tell: Tell | None
) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = []
    for kind, sizes in (("dense", dense), ("sparse", sparse)):
        methods = list(METHODS)
        for S in sizes:
            mdp = _model(kind, S)
            for method in tuple(methods):
                times = [_once(mdp, method)]  # the first one compiles
                if times[0] > limit:
                    methods.remove(method)
                    continue
                times = [_once(mdp, method) for _ in range(rounds)]
                rows.append((kind, method, True, S, median(times), min(times), max(times)))
            if tell is not None:
                tell(f"{kind}, {S} states: {', '.join(methods)}")
    return rows


def _model(kind: str, S: int) -> MDP:
    if kind == "sparse":
        return garnet_sparse(12, S, ACTIONS, 5, gamma=GAMMA)
    one = garnet(S, ACTIONS, gamma=GAMMA, resolution=2**20)(11, 1)
    return MDP(one.P[0], one.rewards[0], GAMMA)


def _once(mdp: MDP, method: str) -> float:
    begun = time.process_time()
    solve(mdp, method=method.replace(" ", "_"), tol=TOL)
    return max(time.process_time() - begun, 1e-9)  # the clock may be coarse


def draw(table: Table, style: Style) -> Figure:
    """Dense and sparse models; lines are ours, points alone are others'."""
    kinds = each(table.columns["kind"])
    solvers = each(table.columns["solver"])
    fig, axes = panels(style, len(kinds), 0.75, sharey=True)
    for ax, kind in zip(axes, kinds, strict=True):
        part = table.where(kind=kind)
        for solver in each(part.columns["solver"]):
            c = part.where(solver=solver).columns
            look = style.line(solvers.index(solver)) | ({} if c["ours"][0] else {"linestyle": "none", "markersize": 5})
            ends = (c["seconds"] - c["least"], c["largest"] - c["seconds"])
            ax.errorbar(c["S"], c["seconds"], yerr=ends, label=solver, elinewidth=0.7, **look)
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.set_title(kind)
        if style.width > 4:
            decimals(ax.xaxis)
        else:
            ax.xaxis.set_minor_formatter("")
    outer(axes, x="states", y="seconds")
    legend(style, fig, axes)
    return fig


def caption(table: Table) -> str:
    """What the figure shows."""
    p = table.parameters
    if p["where"] == "benchmarks":
        ours = "medians of the benchmarks' runs, wall time"
    else:
        ours = (
            f"medians of {p['rounds']} solves after a first one, processor time of all threads; bars: the least and the "
            "largest"
        )
    if p["peers"]:
        others = (
            "Points without lines: other libraries, at the sizes of the benchmarks' workloads, which may have more actions "
            f"and have other seeds ({p['machine']}); bars: the least and the largest of their rounds."
        )
    else:
        others = (
            "No results of the benchmarks were there, so that the project's own solvers are shown alone (make bench "
            "measures its peers)."
        )
    return (
        r"Time of one solve to an error of $10^{-6}$ of the largest value (sup norm) against the number of states, "
        f"certificate included; Garnets with {ACTIONS} actions and discount {GAMMA:g}, dense or with five successors a "
        f"pair, no entropy term (temperature 0). Lines: ours; {ours}. {others} Models that are small "
        "enough get a certificate in doubled precision, which takes most of their time. One model of each size (fixed "
        "seeds), no band."
    )
