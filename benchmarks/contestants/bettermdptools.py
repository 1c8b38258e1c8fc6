"""bettermdptools: its planner takes Gymnasium's dictionaries of tuples, so that it runs in the workload of whole processes."""

from __future__ import annotations

from typing import Any

from benchmarks.contestants import Ready
from benchmarks.data import Task

METHODS: dict[str, str] = {}
_TUPLES = "models are dictionaries of tuples, turned into arrays anew in every solve, and V is kept for every step"
REFUSALS = {
    "dense": f"{_TUPLES}: ten million tuples",
    "sparse": f"{_TUPLES}: gigabytes here",
    "batch": f"{_TUPLES}: twenty million tuples",
    "horizon": "no finite horizons",
    "exact": "floats only",
    "ucbvi": "no UCBVI",
}


def prepare(task: Task, options: dict[str, Any]) -> Ready:
    raise ValueError(REFUSALS[task.kind])
