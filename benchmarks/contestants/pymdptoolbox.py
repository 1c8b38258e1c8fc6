"""pymdptoolbox: dense models by policy iteration, which is exact up to rounding; sparse ones by value iteration.

Its value iteration stops on the span and does not shift ``V``, which leaves an error of any size; so the span's threshold is put
out of reach and the number of steps is that after which ``gamma**n max|R| / (1 - gamma)`` is below the tolerance.
"""

from __future__ import annotations

import math
from importlib.metadata import version
from typing import Any

import numpy as np

from benchmarks.contestants import Ready
from benchmarks.data import Task

METHODS = {
    "dense": "PolicyIteration, matrix evaluation",
    "sparse": "ValueIteration (CSR), as many steps as the error bound of a contraction asks for",
    "batch": "PolicyIteration of each, matrix evaluation",
    "horizon": "FiniteHorizon",
}
REFUSALS = {"exact": "floats only", "ucbvi": "no learners of this kind"}


def prepare(task: Task, options: dict[str, Any]) -> Ready:
    from mdptoolbox import mdp

    x, gamma = task.arrays, task.facts["gamma"]
    if task.kind == "sparse":
        from scipy.sparse import csr_matrix

        S, A = x["R"].shape
        rows = csr_matrix((x["data"], x["indices"], x["indptr"]), shape=(S * A, S))
        P: Any = [rows[np.arange(S) * A + a] for a in range(A)]
        steps = math.ceil(math.log(task.facts["tolerance"] * (1 - gamma) / np.abs(x["R"]).max()) / math.log(gamma))

        def make() -> list[Any]:
            model = mdp.ValueIteration.__new__(mdp.ValueIteration)
            # Its constructor computes a bound on the steps column by column, for hours here: the base class's does not.
            mdp.MDP.__init__(model, P, x["R"], gamma, 1e-300, steps)
            model.V, model.thresh = np.zeros(S), 0.0
            return [model]
    elif task.kind == "horizon":
        P = np.ascontiguousarray(np.moveaxis(x["P"], 1, 0))

        def make() -> list[Any]:
            return [mdp.FiniteHorizon(P, x["R"], gamma, task.facts["H"])]
    else:
        many = x["P"] if task.kind == "batch" else x["P"][None]
        rewards = x["R"] if task.kind == "batch" else x["R"][None]
        by_action = np.ascontiguousarray(np.moveaxis(many, 2, 1))

        def make() -> list[Any]:
            return [mdp.PolicyIteration(p, r, gamma) for p, r in zip(by_action, rewards, strict=True)]

    models: list[Any] = []

    def renew() -> None:
        models[:] = make()

    def solve() -> list[Any]:
        for m in models:
            m.run()
        return models

    def answer(found: list[Any]) -> tuple[np.ndarray, dict[str, Any]]:
        V = np.array([m.V for m in found])
        told = {} if task.kind == "horizon" else {"iterations": max(m.iter for m in found)}
        return (V if task.kind == "batch" else V[0].T if task.kind == "horizon" else V[0]), told

    return Ready(version("pymdptoolbox"), solve, answer, renew)
