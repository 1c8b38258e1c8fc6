"""rlberry-scool: dynamic programming in pure Python (it has no compiled loops any more), and UCBVI."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import numpy as np

from benchmarks.contestants import Ready
from benchmarks.data import Task

METHODS = {
    "dense": "value_iteration, epsilon = tolerance (1 - gamma)",
    "horizon": "backward_induction",
    "ucbvi": "UCBVIAgent, simplified Bernstein bonus, on the given draws",
}
REFUSALS = {
    "sparse": "dense arrays only",
    "batch": "pure Python: 50 million multiplications a sweep of the batch",
    "exact": "floats only",
}


def prepare(task: Task, options: dict[str, Any]) -> Ready:
    from rlberry_scool.agents.dynprog import utils

    x, facts = task.arrays, task.facts
    name = version("rlberry-scool")
    if task.kind == "horizon":
        H = facts["H"]

        def answer(found: Any) -> tuple[np.ndarray, dict[str, Any]]:
            return np.concatenate([found[1], np.zeros((1, x["R"].shape[0]))]), {}

        return Ready(name, lambda: utils.backward_induction(x["R"], x["P"], H), answer)
    if task.kind == "ucbvi":
        return _ucbvi(task, name)
    small = facts["tolerance"] * (1 - facts["gamma"])
    return Ready(
        name,
        lambda: utils.value_iteration(x["R"], x["P"], facts["gamma"], small),
        lambda found: (np.asarray(found[1]), {"iterations": int(found[2])}),
    )


def _ucbvi(task: Task, name: str) -> Ready:
    """The agent on an environment that takes the next uniform of the table for each step; ``V`` is ``Q`` of the last policy."""
    import gymnasium
    from rlberry.spaces import Discrete
    from rlberry_scool.agents.ucbvi import UCBVIAgent

    from benchmarks.contestants import drawn

    x, facts = task.arrays, task.facts
    S, A = x["R"].shape

    class Drawn(gymnasium.Env):
        observation_space, action_space = Discrete(S), Discrete(A)
        reward_range = (0.0, 1.0)
        episode, h, state = 0, 0, 0

        def reset(self, **_: Any) -> tuple[int, dict[str, Any]]:
            self.episode += self.h > 0  # the agent resets once more before it starts
            self.h, self.state = 0, 0
            return 0, {}

        def step(self, action: Any) -> tuple[int, float, bool, bool, dict[str, Any]]:
            reward = float(x["R"][self.state, action])
            self.state = drawn(x, self.state * A + int(action), float(x["uniforms"][self.episode, self.h]))
            self.h += 1
            return self.state, reward, False, False, {}

    def solve() -> Any:
        agent = UCBVIAgent(Drawn(), horizon=facts["H"], gamma=1.0, copy_env=False)
        agent.fit(len(x["uniforms"]))
        return agent.Q_policy

    return Ready(name, solve, lambda Q: (np.asarray(Q), {"episodes": len(x["uniforms"])}))
