"""The trainer of agents that learn from whole paths: all environments start, run for a horizon, and one ``learn`` follows.

``start`` and ``advance`` are used as those of ``deep.train.trainer``, and compile as rarely: once for each set of sizes.
Steps are counted alike; an ``advance`` takes whole epochs. Episodes that are over begin anew within an epoch.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from deep.agents.base import Hyper, Tree
from deep.agents.mepol import Paths
from deep.train.trainer import Progress, Shape


class PathLearner(NamedTuple):
    """The state of one run between epochs; under ``start`` with a leading axis of learners."""

    key: jax.Array
    agent: Tree


@partial(jax.jit, static_argnames=("env", "agent", "shape"))
def start(env: Any, agent: Any, shape: Shape, params: Any, keys: jax.Array, hyper: Hyper) -> PathLearner:
    """Learners from keys (n, 2) and numbers (n,) each."""

    def one(key: jax.Array, h: Hyper) -> PathLearner:
        key, a = jax.random.split(key)
        return PathLearner(key, agent.init(a, env.spec, h))

    return jax.vmap(one)(keys, hyper)


@partial(jax.jit, static_argnames=("env", "agent", "shape", "steps"))
def advance(
    env: Any, agent: Any, shape: Shape, steps: int, params: Any, learners: PathLearner, hyper: Hyper, done: Any
) -> tuple[PathLearner, Progress]:
    """``steps`` steps of all environments of all learners: a multiple of the agent's horizon. ``done`` changes nothing.

    ValueError for other numbers of steps.
    """
    if steps % agent.horizon:
        raise ValueError(f"steps is {steps}: expected a multiple of {agent.name}'s horizon {agent.horizon}")

    def epoch(learner: PathLearner, h: Hyper) -> tuple[PathLearner, Progress]:
        key, a = jax.random.split(learner.key)
        paths, finished = travelled(env, agent, shape.envs, params, learner.agent, h, a)
        state, metrics = agent.learn(learner.agent, h, paths)
        return PathLearner(key, state), finished._replace(updates=jnp.ones(()), metrics=metrics)

    def body(carry: tuple[PathLearner, Progress], _: None) -> tuple[tuple[PathLearner, Progress], None]:
        learners, new = jax.vmap(epoch)(carry[0], hyper)
        return (learners, jax.tree.map(jnp.add, carry[1], new)), None

    shapes = jax.eval_shape(jax.vmap(epoch), learners, hyper)[1]
    nothing = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)
    return jax.lax.scan(body, (learners, nothing), None, length=steps // agent.horizon)[0]


def travelled(
    env: Any, agent: Any, n: int, params: Any, state: Tree, hyper: Hyper, key: jax.Array
) -> tuple[Paths, Progress]:
    """Paths of n environments under the policy of a state, and sums over the episodes that ended."""
    a, b = jax.random.split(key)
    seen, place = jax.vmap(env.reset, in_axes=(0, None))(jax.random.split(a, n), params)
    see, move = jax.vmap(env.features, in_axes=(0, None)), jax.vmap(env.step, in_axes=(0, 0, 0, None))
    zeros = jnp.zeros(n)

    def step(carry: Any, given: tuple[jax.Array, jax.Array]) -> Any:
        seen, place, first, gain = carry
        t, key = given
        c, d = jax.random.split(key)
        x = see(seen, params)
        log_pi = agent.log_policy(state.policy, x)
        action = jax.random.categorical(c, log_pi, axis=-1)
        seen, place, reward, terminated, truncated, _ = move(jax.random.split(d, n), place, action, params)
        over, gain = terminated | truncated, gain + reward.astype(float)
        at = jnp.take_along_axis(log_pi, action[:, None], axis=-1)[:, 0]
        ended = jnp.stack([over, jnp.where(over, gain, 0.0), jnp.where(over, t + 1 - first, 0)]).sum(axis=1)
        carry = (seen, place, jnp.where(over, t + 1, first), jnp.where(over, 0.0, gain))
        return carry, (Paths(x, action, at, first, zeros), ended)

    T = agent.horizon
    given = (jnp.arange(T), jax.random.split(b, T))
    paths, ended = jax.lax.scan(step, (seen, place, jnp.zeros(n, jnp.int32), zeros), given)[1]
    episodes, returns, lengths = ended.sum(axis=0)
    return paths, Progress(episodes, returns, lengths, jnp.zeros(()), {})
