"""QuantEcon.py: ``DiscreteDP`` by modified policy iteration.

It stops on the span and shifts ``V`` by the middle: the error is below ``epsilon / 2``.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import numpy as np

from benchmarks.contestants import Ready
from benchmarks.data import Task

METHODS = {
    "dense": "DiscreteDP (product form), modified policy iteration, epsilon=2e-6",
    "sparse": "DiscreteDP (state-action pairs, CSR), modified policy iteration, epsilon=2e-6",
    "batch": "a DiscreteDP for each, modified policy iteration, epsilon=2e-6",
    "horizon": "DiscreteDP (product form), backward_induction",
}
REFUSALS = {"exact": "floats only", "ucbvi": "no learners of this kind"}
STEPS = 100_000


def prepare(task: Task, options: dict[str, Any]) -> Ready:
    from quantecon.markov import DiscreteDP
    from quantecon.markov.ddp import backward_induction

    x, gamma, epsilon = task.arrays, task.facts["gamma"], 2 * task.facts["tolerance"]
    name = version("quantecon")
    if task.kind == "horizon":
        stage = DiscreteDP(x["R"], x["P"], gamma)
        return Ready(name, lambda: backward_induction(stage, task.facts["H"]), lambda found: (found[0], {}))

    def solved(model: Any) -> Any:
        return model.solve(method="modified_policy_iteration", epsilon=epsilon, max_iter=STEPS)

    if task.kind == "batch":
        many = [DiscreteDP(R, P, gamma) for R, P in zip(x["R"], x["P"], strict=True)]
        return Ready(
            name,
            lambda: [solved(m) for m in many],
            lambda found: (np.stack([f.v for f in found]), {"iterations": max(f.num_iter for f in found)}),
        )
    if task.kind == "sparse":
        from scipy.sparse import csr_matrix

        S, A = x["R"].shape
        rows = csr_matrix((x["data"], x["indices"], x["indptr"]), shape=(S * A, S))
        s, a = np.divmod(np.arange(S * A), A)
        one = DiscreteDP(x["R"].ravel(), rows, gamma, s, a)
    else:
        one = DiscreteDP(x["R"], x["P"], gamma)
    return Ready(name, lambda: solved(one), lambda found: (found.v, {"iterations": found.num_iter}))
