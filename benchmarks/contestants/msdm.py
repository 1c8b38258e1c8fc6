"""msdm: its vectorised policy iteration on arrays, which knows batches; building its own model objects would take longer."""

from __future__ import annotations

import sys
from importlib.metadata import distribution, version
from types import ModuleType
from typing import Any

import numpy as np

from benchmarks.contestants import Ready
from benchmarks.data import Task

METHODS = {
    "dense": "policy_iteration_vectorized, a batch of one",
    "batch": "policy_iteration_vectorized, chunks of 1,000",
}
REFUSALS = {
    "sparse": "dense arrays only",
    "horizon": "no finite horizons",
    "exact": "floats only",
    "ucbvi": "no UCBVI",
}
CHUNK = 1_000


def prepare(task: Task, options: dict[str, Any]) -> Ready:
    # Its package of algorithms imports PyTorch for others of them: the module is taken without the package's __init__.
    package = ModuleType("msdm.algorithms")
    package.__path__ = [str(distribution("msdm").locate_file("msdm/algorithms"))]
    sys.modules["msdm.algorithms"] = package
    from msdm.algorithms.policyiteration import policy_iteration_vectorized

    P, R = (task.arrays[k] if task.kind == "batch" else task.arrays[k][None] for k in ("P", "R"))
    available = np.ones(R.shape, dtype=bool)
    gamma, first = np.full(len(R), task.facts["gamma"]), np.full(R.shape, 1 / R.shape[-1])

    def solve() -> list[Any]:
        parts = [slice(i, i + CHUNK) for i in range(0, len(R), CHUNK)]
        return [policy_iteration_vectorized(P[i], gamma[i], R[i], available[i], first[i]) for i in parts]

    def answer(found: list[Any]) -> tuple[np.ndarray, dict[str, Any]]:
        V = np.concatenate([f[0] for f in found])
        return (V if task.kind == "batch" else V[0]), {"iterations": max(f[3] for f in found) + 1}

    return Ready(version("msdm"), solve, answer)
