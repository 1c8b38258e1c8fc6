"""The agents by name, as the command line knows them."""

from __future__ import annotations

import difflib
from dataclasses import fields, replace
from typing import Any

from deep.agents.mepol import MEPOL
from deep.agents.moco import MoCoDQN
from deep.agents.q_learning import QLearner
from deep.agents.sac import SAC
from deep.agents.sac_discrete import SACDiscrete
from deep.agents.targets import Target
from deep.agents.visits import VisitLearner

AGENTS: dict[str, Any] = {
    "dqn": QLearner("dqn"),
    "soft-dqn": QLearner("soft-dqn", Target("soft")),
    "sparse-dqn": QLearner("sparse-dqn", Target("soft", 2.0)),
    "mdqn": QLearner("mdqn", Target("munchausen")),
    "mvi-dqn": QLearner("mvi-dqn", Target("munchausen", 2.0)),
    "bootstrapped-dqn": QLearner(
        "bootstrapped-dqn", heads=10, priors=True, options={"lr": 1e-3, "epsilon": 0.0, "epsilon_end": 0.0}
    ),
    "optimistic-dqn": QLearner(
        "optimistic-dqn", optimism=True, options={"lr": 1e-3, "epsilon": 0.0, "epsilon_end": 0.0}
    ),
    "entropy-dqn": VisitLearner("entropy-dqn", Target("soft"), options={"tau": 0.1, "epsilon_end": 0.0}),
    "apt-dqn": VisitLearner("apt-dqn", Target("soft"), novelty="neighbours", options={"tau": 0.01}),
    "mepol": MEPOL(),
    "mepol-counts": MEPOL("mepol-counts", k=0, dim=0, options={"resolution": 1.0}),
    "moco-dqn": MoCoDQN(),
    "moco-dqn-gaussian": MoCoDQN("moco-dqn-gaussian", model="gaussian"),
    "sac-discrete": SACDiscrete(),
    "sac": SAC(),
    "sac-v1": SAC("sac-v1", 1),
}


def make_agent(name: str, **changes: Any) -> Any:
    """The agent of a name, with some of its fields changed (networks, losses, heads, ...); ``q`` is that of its target.

    ValueError for an unknown name, with what comes near; TypeError naming a field that it does not have.
    """
    if name not in AGENTS:
        near = difflib.get_close_matches(name, AGENTS, 3, 0.4)
        hint = f"did you mean {' or '.join(near)}?" if near else f"one of {', '.join(AGENTS)}"
        raise ValueError(f"unknown agent {name!r}: {hint}")
    agent = AGENTS[name]
    known = {f.name for f in fields(agent)}
    if "q" in changes and "target" in known:
        changes["target"] = replace(agent.target, q=changes.pop("q"))
    if stray := sorted(set(changes) - known):
        raise TypeError(f"{name} has no field {stray[0]!r}: it has {', '.join(sorted(known - {'name', 'options'}))}")
    return replace(agent, **changes)
