"""mdpax in float64 on the CPU: value iteration over a table of successors, stopped on the largest change.

Its ``epsilon`` bounds the error of ``V`` where the test is ``max_diff``: change below ``epsilon (1 - gamma) / gamma``.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import numpy as np

from benchmarks.contestants import Ready
from benchmarks.data import Task

METHODS = {
    "dense": "ValueIteration(convergence_test='max_diff'), a table of all successors",
    "sparse": "ValueIteration(convergence_test='max_diff'), a table of successors",
}
REFUSALS = {
    "batch": "a compilation for each model: it is made for large ones",
    "horizon": "no finite horizons",
    "exact": "floats only",
    "ucbvi": "no learners",
}
STEPS = 1_000_000


def prepare(task: Task, options: dict[str, Any]) -> Ready:
    import jax

    jax.config.update("jax_enable_x64", True)
    import jax.numpy as jnp
    from mdpax.core.problem import Problem
    from mdpax.solvers.value_iteration import ValueIteration

    x = task.arrays
    S, A = x["R"].shape
    to, p = _table(task)
    successors, probabilities, rewards = jnp.array(to), jnp.array(p), jnp.array(x["R"])

    class Tables(Problem):
        @property
        def name(self) -> str:
            return "tables"

        def _construct_state_space(self) -> Any:
            return jnp.arange(S, dtype=jnp.int32)

        def _construct_action_space(self) -> Any:
            return jnp.arange(A, dtype=jnp.int32)

        def _construct_random_event_space(self) -> Any:
            return jnp.arange(to.shape[-1], dtype=jnp.int32)

        def state_to_index(self, state: Any) -> Any:
            return state[0]

        def random_event_probability(self, state: Any, action: Any, event: Any) -> Any:
            return probabilities[state[0], action[0], event[0]]

        def transition(self, state: Any, action: Any, event: Any) -> Any:
            t = successors[state[0], action[0], event[0]]
            return jnp.array([t]), rewards[state[0], action[0]]

    problem = Tables()
    solvers: list[Any] = []

    def renew() -> None:
        values = solvers[0]._initialize_values(solvers[0].batched_states) if solvers else None
        if values is None:
            solvers.append(
                ValueIteration(
                    problem=problem,
                    gamma=task.facts["gamma"],
                    epsilon=task.facts["tolerance"],
                    max_batch_size=min(S, 100_000),
                    convergence_test="max_diff",
                    verbose=0,
                )
            )
        else:  # a new solver would compile anew
            solvers[0].values, solvers[0].iteration = values, 0

    def solve() -> Any:
        return jax.block_until_ready(solvers[0].solve(max_iterations=STEPS).values)

    return Ready(
        version("mdpax"), solve, lambda V: (np.asarray(V).ravel(), {"iterations": solvers[0].iteration}), renew
    )


def _table(task: Task) -> tuple[np.ndarray, np.ndarray]:
    """(S, A, k) successors and their probabilities, rows filled up with zeros."""
    x = task.arrays
    S, A = x["R"].shape
    if task.kind == "dense":
        return np.broadcast_to(np.arange(S, dtype=np.int32), (S, A, S)), x["P"]
    count = np.diff(x["indptr"])
    rows, place = np.repeat(np.arange(S * A), count), np.arange(len(x["data"])) - np.repeat(x["indptr"][:-1], count)
    to, p = np.zeros((S * A, count.max()), dtype=np.int32), np.zeros((S * A, count.max()))
    to[rows, place], p[rows, place] = x["indices"], x["data"]
    return to.reshape(S, A, -1), p.reshape(S, A, -1)
