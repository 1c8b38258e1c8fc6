"""What an experiment is: a small frozen record that says everything a run depends on, and nothing else."""

from __future__ import annotations

import dataclasses
import difflib
import json
import math
from dataclasses import asdict, dataclass, field
from itertools import product
from typing import Any

from deep.agents import make_agent
from deep.agents.base import Net
from deep.train.trainer import EXPLORATION, Shape

RATES = ("lr", "actor_lr", "tau_lr", "model_lr")
POSITIVE = ("tau", "ridge", "sigma", "epsilon_steps", "delta")
UNIT = ("alpha", "gamma", "polyak", "epsilon", "epsilon_end", "share")


@dataclass(frozen=True)
class Experiment:
    """Learners of one agent in one environment: ``seeds`` of each point of a grid of numbers.

    Attributes
    ----------
    agent, env : names.  seeds : learners of each setting; their keys are ``seed``, ``seed + 1``, ...
    steps : of the environments, by learner; a multiple of ``envs`` times ``evaluations``, of agents that learn from
        whole paths times their ``horizon``.
    evaluations : how often progress is noted, the oracle is asked and the state saved.
    numbers : what differs from the agent's defaults.  grid : name -> values; all combinations are run.
    options : of the environment (N of DeepSea, ...).  width, depth : of the networks.
    envs, buffer, batch, updates, warmup : as in ``Shape``.  oracle : whether the exact solver is asked.
    fields : of the agent that are compiled in (heads, loss, critics, ...); ``q`` is the index of its target.

    Raises ValueError and TypeError naming what is wrong, before any work.
    """

    agent: str
    env: str
    seeds: int = 1
    seed: int = 0
    steps: int = 50_000
    evaluations: int = 10
    numbers: dict[str, float] = field(default_factory=dict)
    grid: dict[str, tuple[float, ...]] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    width: int = 64
    depth: int = 2
    envs: int = 8
    buffer: int = 10_000
    batch: int = 128
    updates: int = 1
    warmup: int = 1_000
    oracle: bool = True
    fields: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, least in (("seeds", 1), ("seed", 0), ("steps", 1), ("evaluations", 1), ("width", 1), ("depth", 0)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int):
                raise TypeError(f"{name} is {value!r}: expected an integer")
            if value < least:
                raise ValueError(f"{name} is {value}: at least {least}")
        self.shape()
        agent = self.make()
        horizon = getattr(agent, "horizon", 1)
        unit = self.envs * self.evaluations * horizon
        if self.steps % unit:
            near = -(-self.steps // unit) * unit
            whole = "envs times evaluations" + (f" times {self.agent}'s horizon {horizon}" if horizon > 1 else "")
            raise ValueError(f"steps is {self.steps}: expected a multiple of {whole} = {unit}, such as {near}")
        known = agent.defaults() | EXPLORATION
        for name, values in [*((k, (v,)) for k, v in self.numbers.items()), *self.grid.items()]:
            _check_name(name, known, self.agent)
            if not values:
                raise ValueError(f"the grid of {name} is empty")
            for x in values:
                check_number(name, x)
        if both := sorted(set(self.numbers) & set(self.grid)):
            raise ValueError(f"{both[0]} is both a number and in the grid")

    def make(self) -> Any:
        """The agent."""
        return make_agent(self.agent, net=Net(self.width, self.depth), **self.fields)

    def shape(self) -> Shape:
        return Shape(self.envs, self.buffer, self.batch, self.updates, self.warmup)

    def settings(self) -> list[dict[str, float]]:
        """The points of the grid, each with all numbers of the agent and the trainer."""
        base = EXPLORATION | {"epsilon_steps": self.steps / 2} | self.make().defaults() | self.numbers
        points = product(*self.grid.values())
        return [{k: float(v) for k, v in (base | dict(zip(self.grid, p, strict=True))).items()} for p in points]

    def to_json(self) -> str:
        """Canonical text; ``from_json`` reads it."""
        return json.dumps(asdict(self), indent=1, sort_keys=True) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Experiment:
        """ValueError for text that is no experiment, naming what does not belong to one."""
        try:
            data = json.loads(text)
        except json.JSONDecodeError as error:
            raise ValueError(f"no experiment: {error}") from None
        if not isinstance(data, dict) or (stray := sorted(set(data) - {f.name for f in dataclasses.fields(cls)})):
            raise ValueError(
                f"no experiment: {'unknown ' + stray[0] if isinstance(data, dict) else 'expected an object'}"
            )
        data["grid"] = {k: tuple(v) for k, v in data.get("grid", {}).items()}
        return cls(**data)


def _check_name(name: str, known: dict[str, float], agent: str) -> None:
    if name not in known:
        near = difflib.get_close_matches(name, known, 3, 0.4)
        hint = f"did you mean {' or '.join(near)}?" if near else f"it has {', '.join(sorted(known))}"
        raise ValueError(f"{agent} has no number {name!r}: {hint}")


def check_number(name: str, x: Any) -> None:
    """TypeError for what is no number, ValueError for one out of range."""
    if isinstance(x, bool) or not isinstance(x, (int, float)):
        raise TypeError(f"{name} is {x!r}: expected a number")
    if math.isnan(x) or (math.isinf(x) and name != "floor"):
        raise ValueError(f"{name} is {x}: expected a finite number")
    if name in UNIT and not 0.0 <= x <= 1.0:
        raise ValueError(f"{name} is {x}: expected a number from 0 to 1")
    if name in POSITIVE and not x > 0:
        raise ValueError(f"{name} is {x}: expected a positive number")
    if name in (*RATES, "prior", "beta", "resolution") and x < 0:
        raise ValueError(f"{name} is {x}: expected a number from 0")
    if name == "floor" and x > 0:
        raise ValueError(f"floor is {x}: expected a number that is not positive")
