"""mdpsolver (C++): modified policy iteration on lists; ``tolerance`` bounds twice the error here, as measured.

A model starts from where its last solve ended, so that a new one is built, untimed, before every run. ``parallel=True`` wakes
its threads in every sweep, which costs milliseconds where other processes use the machine: the faster of both is taken.
"""

from __future__ import annotations

import time
from importlib.metadata import version
from typing import Any

import numpy as np

from benchmarks.contestants import Ready
from benchmarks.data import Task

METHODS = {
    "dense": "modified policy iteration on lists, tolerance=2e-6",
    "sparse": "modified policy iteration on lists of successors, tolerance=2e-6",
    "batch": "a model for each, modified policy iteration, tolerance=2e-6",
}
REFUSALS = {"horizon": "no finite horizons", "exact": "floats only", "ucbvi": "no learners"}


def prepare(task: Task, options: dict[str, Any]) -> Ready:
    import mdpsolver

    def built(**lists: Any) -> Any:
        model = mdpsolver.model()
        model.mdp(discount=task.facts["gamma"], **lists)
        return model

    x = task.arrays
    if task.kind == "batch":
        given = [{"rewards": R.tolist(), "tranMatWithZeros": P.tolist()} for R, P in zip(x["R"], x["P"], strict=True)]
    elif task.kind == "sparse":
        given = [{"rewards": x["R"].tolist(), **_rows(x)}]
    else:
        given = [{"rewards": x["R"].tolist(), "tranMatWithZeros": x["P"].tolist()}]
    models: list[Any] = []
    faster = {"parallel": False}

    def renew() -> None:
        models[:] = [built(**lists) for lists in given]

    def solve() -> list[Any]:
        for m in models:
            m.solve(algorithm="mpi", tolerance=2 * task.facts["tolerance"], makeFinalCheck=False, **faster)
        return [m.getValueVector() for m in models]

    def answer(found: list[Any]) -> tuple[np.ndarray, dict[str, Any]]:
        return np.array(found if task.kind == "batch" else found[0]), faster

    if task.kind != "batch":  # small models: one thread
        took = {}
        for choice in (True, False):
            faster["parallel"] = choice
            renew()
            start = time.perf_counter()
            solve()
            took[choice] = time.perf_counter() - start
        faster["parallel"] = took[True] < took[False]
    return Ready(version("mdpsolver"), solve, answer, renew)


def _rows(x: dict[str, np.ndarray]) -> dict[str, Any]:
    S, A = x["R"].shape
    ptr, to, p = x["indptr"].tolist(), x["indices"].tolist(), x["data"].tolist()
    at = [[slice(ptr[s * A + a], ptr[s * A + a + 1]) for a in range(A)] for s in range(S)]
    return {
        "tranMatProbs": [[p[i] for i in row] for row in at],
        "tranMatColumns": [[to[i] for i in row] for row in at],
    }
