"""One trainer for all agents: a pure scan over steps of environments, replay and updates, mapped over seeds and settings.

``start`` makes the state of a run of n learners, each with a seed and numbers of its own; ``advance`` takes all of them a
number of steps on in one compiled program, which is the same for every environment of the same sizes, every seed and every
setting of the numbers. Between two calls the state is a tree of plain arrays: it can be saved, looked at by the oracle, and gone
on from, bit for bit as if nothing had happened.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from deep.agents.base import Agent, Batch, Hyper, Tree
from deep.train import replay

EXPLORATION = {"epsilon": 1.0, "epsilon_end": 0.05, "epsilon_steps": 5000.0}
"""Numbers of the trainer itself: the share of uniform actions, falling linearly over so many steps of the environments."""


@dataclass(frozen=True)
class Shape:
    """What is compiled in: ``envs`` side by side, a replay of ``buffer`` transitions, batches of ``batch``, ``updates`` after each
    step of all environments once ``warmup`` transitions are there, and actions uniform until then.
    """

    envs: int = 8
    buffer: int = 10_000
    batch: int = 128
    updates: int = 1
    warmup: int = 1_000

    def __post_init__(self) -> None:
        for name, least in (("envs", 1), ("buffer", 1), ("batch", 1), ("updates", 0), ("warmup", 0)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int):
                raise TypeError(f"{name} is {value!r}: expected an integer")
            if value < least:
                raise ValueError(f"{name} is {value}: at least {least}")
        if self.buffer < self.envs:
            raise ValueError(f"buffer is {self.buffer}: it holds a step of all {self.envs} environments at least")


class Learner(NamedTuple):
    """The state of one run; under ``start`` with a leading axis of learners."""

    key: jax.Array
    agent: Tree
    place: Tree
    observation: Tree
    memory: Tree
    ring: replay.Replay
    gain: jax.Array  # (envs,) return of the episode so far
    span: jax.Array  # (envs,) its length


class Progress(NamedTuple):
    """Sums over a chunk, by learner: of finished episodes their number, returns and lengths; steps; losses and TD errors."""

    episodes: jax.Array
    returns: jax.Array
    lengths: jax.Array
    updates: jax.Array
    metrics: dict[str, jax.Array]


@partial(jax.jit, static_argnames=("env", "agent", "shape"))
def start(env: Any, agent: Agent, shape: Shape, params: Any, keys: jax.Array, hyper: Hyper) -> Learner:
    """Learners from keys (n, 2) and numbers (n,) each."""
    return jax.vmap(lambda key, h: _fresh(env, agent, shape, params, key, h))(keys, hyper)


def _fresh(env: Any, agent: Agent, shape: Shape, params: Any, key: jax.Array, hyper: Hyper) -> Learner:
    key, a, b, c = jax.random.split(key, 4)
    observation, place = jax.vmap(env.reset, in_axes=(0, None))(jax.random.split(a, shape.envs), params)
    one = jax.tree.map(lambda x: x[0], observation)
    action = jnp.zeros((env.spec.dim,)) if env.spec.dim else jnp.zeros((), jnp.int32)
    item = (one, action, jnp.zeros(()), one, jnp.zeros(()), jnp.zeros((agent.heads,)))
    zeros = jnp.zeros(shape.envs)
    return Learner(
        key, agent.init(b, env.spec, hyper), place, observation, agent.memory(c, shape.envs),
        replay.empty(item, shape.buffer), zeros, zeros,
    )  # fmt: skip


@partial(jax.jit, static_argnames=("env", "agent", "shape", "steps"))
def advance(
    env: Any, agent: Agent, shape: Shape, steps: int, params: Any, learners: Learner, hyper: Hyper, done: Any
) -> tuple[Learner, Progress]:
    """``steps`` steps of all environments of all learners; ``done`` have been taken before (by each environment)."""

    def body(carry: tuple[Learner, Progress], t: jax.Array) -> tuple[tuple[Learner, Progress], None]:
        # The count of steps is the same for all learners, so that the choice whether to update stays a choice.
        step = lambda x, p, h: _step(env, agent, shape, params, x, p, h, t)  # noqa: E731
        return jax.vmap(step)(*carry, hyper), None

    n = jax.tree.leaves(hyper)[0].shape[0]
    one = jax.tree.map(lambda x: x[0], (learners, hyper))
    names: Any = jax.eval_shape(lambda x, h: _update(env, agent, shape, params, x, h)[1], *one)
    zero = jnp.zeros(n)
    nothing = Progress(zero, zero, zero, zero, dict.fromkeys(names, zero))
    return jax.lax.scan(body, (learners, nothing), done + jnp.arange(steps))[0]


def _step(
    env: Any, agent: Agent, shape: Shape, params: Any, learner: Learner, progress: Progress, hyper: Hyper, t: jax.Array
) -> tuple[Learner, Progress]:
    key, *keys = jax.random.split(learner.key, 6)
    x = jax.vmap(env.features, in_axes=(0, None))(learner.observation, params)
    taken = t * shape.envs
    share = jnp.minimum(taken / hyper["epsilon_steps"], 1.0)
    epsilon = hyper["epsilon"] + share * (hyper["epsilon_end"] - hyper["epsilon"])
    action = agent.act(learner.agent, hyper, x, learner.memory, jnp.where(taken < shape.warmup, 1.0, epsilon), keys[0])
    step = jax.vmap(env.step, in_axes=(0, 0, 0, None))
    seen, place, reward, terminated, truncated, info = step(
        jax.random.split(keys[1], shape.envs), learner.place, action, params
    )
    reward = reward.astype(float)
    mask = (jax.random.uniform(keys[2], (shape.envs, agent.heads)) < hyper.get("share", 1.0)).astype(float)
    item = (learner.observation, action, reward, info["final_observation"], terminated.astype(float), mask)
    over = terminated | truncated
    gain, span = learner.gain + reward, learner.span + 1.0
    fresh = agent.memory(keys[3], shape.envs)
    memory = jax.tree.map(
        lambda new, old: jnp.where(over.reshape(-1, *(1,) * (new.ndim - 1)), new, old), fresh, learner.memory
    )
    learner = Learner(
        keys[4], agent.observe(learner.agent, hyper, x, action), place, seen, memory, replay.add(learner.ring, item),
        jnp.where(over, 0.0, gain), jnp.where(over, 0.0, span),
    )  # fmt: skip
    finished = Progress(
        progress.episodes + over.sum(),
        progress.returns + jnp.where(over, gain, 0.0).sum(),
        progress.lengths + jnp.where(over, span, 0.0).sum(),
        progress.updates,
        progress.metrics,
    )

    def learn(carry: tuple[Learner, Progress]) -> tuple[Learner, Progress]:
        def one(_: int, carry: tuple[Learner, Progress]) -> tuple[Learner, Progress]:
            learner, metrics = _update(env, agent, shape, params, carry[0], hyper)
            sums = {name: carry[1].metrics[name] + value for name, value in metrics.items()}
            return learner, carry[1]._replace(updates=carry[1].updates + 1.0, metrics=sums)

        return jax.lax.fori_loop(0, shape.updates, one, carry) if shape.updates != 1 else one(0, carry)

    learner, progress = jax.lax.cond(
        taken + shape.envs >= shape.warmup, learn, lambda carry: carry, (learner, finished)
    )
    return learner._replace(key=key), progress


def _update(
    env: Any, agent: Agent, shape: Shape, params: Any, learner: Learner, hyper: Hyper
) -> tuple[Learner, dict[str, jax.Array]]:
    key, a, b = jax.random.split(learner.key, 3)
    here, action, reward, there, terminated, mask = replay.sample(learner.ring, a, shape.batch)
    see = jax.vmap(env.features, in_axes=(0, None))
    weight = jnp.full((shape.batch,), 1.0 / shape.batch)
    batch = Batch(see(here, params), action, reward, see(there, params), terminated, weight, mask)
    state, metrics = agent.update(learner.agent, hyper, batch, b)
    return learner._replace(agent=state, key=key), metrics
