"""Steps and updates a second: the trainer beside two baselines of our own writing, on the same task with the same sizes.

Each trains DQN on CartPole: 8 environments, a replay of 10,000, batches of 128, two layers of 64, an update for every step
of all environments. ``purejaxrl style`` is one jitted scan that does this and nothing else, for one setting of the numbers, mapped
over seeds; ``cleanrl style`` a Python loop around Gymnasium's environment and a jitted update, one seed. What plug-ins, traced
numbers and ensembles cost is the first ratio; what compilation of the whole loop brings is the second. Compilation is apart.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from deep import envs
from deep.agents import make_agent
from deep.agents.base import Net
from deep.train import replay, trainer
from tabular import _border as border

SHAPE = trainer.Shape(envs=8, buffer=10_000, batch=128, warmup=1_000)
NET = Net(64, 2)
LR, GAMMA, POLYAK, EPSILON = 2.5e-4, 0.99, 0.01, 0.1


def compare(seeds: int = 4, steps: int = 20_000) -> list[dict[str, Any]]:
    """One row a contestant: ``name``, ``seeds``, environment steps and updates a second over all seeds, seconds to compile.

    ``steps`` of the environments by seed, timed after a first run of the same length that compiles. ValueError below 1,
    or for steps that are no multiple of 8.
    """
    border.count(seeds, "seeds")
    border.count(steps, "steps")
    if steps % SHAPE.envs:
        raise ValueError(f"steps is {steps}: expected a multiple of {SHAPE.envs}")
    rows = [_timed("trainer", _ours, seeds, steps), _timed("purejaxrl style", _scan, seeds, steps)]
    return [*rows, _timed("cleanrl style", _loop, 1, steps)]


def _timed(name: str, contestant: Callable[[int, int], Callable[[], Any]], seeds: int, steps: int) -> dict[str, Any]:
    run = contestant(seeds, steps)
    began = time.perf_counter()
    jax.block_until_ready(run())
    first = time.perf_counter() - began
    began = time.perf_counter()
    jax.block_until_ready(run())
    took = time.perf_counter() - began
    updates = seeds * (steps - SHAPE.warmup) / SHAPE.envs
    device = jax.devices()[0].device_kind
    rates = {"env_steps_per_s": seeds * steps / took, "updates_per_s": max(updates, 0.0) / took}
    return {"name": name, "seeds": seeds, **rates, "first_call_s": first, "seconds": took, "device": device}


def _ours(seeds: int, steps: int) -> Callable[[], Any]:
    made, agent = envs.make("CartPole-v1"), make_agent("dqn", net=NET)
    numbers = trainer.EXPLORATION | agent.defaults() | {"epsilon": EPSILON, "epsilon_end": EPSILON}
    hyper = {k: jnp.full(seeds, float(v)) for k, v in numbers.items()}
    keys = jax.random.split(jax.random.PRNGKey(0), seeds)
    learners = trainer.start(made.env, agent, SHAPE, made.params, keys, hyper)
    n = steps // SHAPE.envs
    return lambda: trainer.advance(made.env, agent, SHAPE, n, made.params, learners, hyper, jnp.asarray(0))


def _learned(params: Any, target: Any, optimiser: Any, opt: Any, batch: Any) -> tuple[Any, Any, Any]:
    """A step of DQN by the book."""
    x, a, r, y, over = batch
    wanted = r + GAMMA * (1.0 - over) * NET.apply(target, y).max(axis=-1)

    def loss(p: Any) -> jax.Array:
        return optax.l2_loss(jnp.take_along_axis(NET.apply(p, x), a[:, None], axis=-1)[:, 0] - wanted).mean()

    direction, opt = optimiser.update(jax.grad(loss)(params), opt)
    params = optax.apply_updates(params, direction)
    return params, optax.incremental_update(params, target, POLYAK), opt


def _scan(seeds: int, steps: int) -> Callable[[], Any]:
    import gymnax

    env, env_params = gymnax.make("CartPole-v1")
    optimiser, n = optax.adam(LR), SHAPE.envs

    def train(key: jax.Array) -> Any:
        key, a, b = jax.random.split(key, 3)
        params = NET.init(a, 4, 2)
        x, state = jax.vmap(env.reset, in_axes=(0, None))(jax.random.split(b, n), env_params)
        item = (x[0], jnp.zeros((), jnp.int32), jnp.zeros(()), x[0], jnp.zeros(()))
        carry = (key, params, params, optimiser.init(params), x, state, replay.empty(item, SHAPE.buffer))

        def step(carry: Any, t: jax.Array) -> tuple[Any, jax.Array]:
            key, params, target, opt, x, state, ring = carry
            key, a, b, c, d = jax.random.split(key, 5)
            greedy = NET.apply(params, x).argmax(axis=-1)
            action = jnp.where(jax.random.uniform(a, (n,)) < EPSILON, jax.random.randint(b, (n,), 0, 2), greedy)
            step = jax.vmap(env.step, in_axes=(0, 0, 0, None))
            y, state, r, over, _, info = step(jax.random.split(c, n), state, action, env_params)
            ring = replay.add(ring, (x, action, r, info["final_observation"], over.astype(float)))
            learn = lambda: _learned(params, target, optimiser, opt, replay.sample(ring, d, SHAPE.batch))  # noqa: E731
            fresh = jax.lax.cond((t + 1) * n >= SHAPE.warmup, learn, lambda: (params, target, opt))
            return (key, *fresh, y, state, ring), r.sum()

        return jax.lax.scan(step, carry, jnp.arange(steps // n))

    compiled, keys = jax.jit(jax.vmap(train)), jax.random.split(jax.random.PRNGKey(0), seeds)
    return lambda: compiled(keys)


def _loop(seeds: int, steps: int) -> Callable[[], Any]:
    import gymnasium

    optimiser, n = optax.adam(LR), SHAPE.envs
    learn = jax.jit(lambda p, t, o, batch: _learned(p, t, optimiser, o, batch))
    greedy = jax.jit(lambda p, x: NET.apply(p, x).argmax(axis=-1))

    def train() -> Any:
        rng = np.random.default_rng(0)
        env = gymnasium.make_vec("CartPole-v1", num_envs=n, vectorization_mode="sync")
        params = NET.init(jax.random.PRNGKey(0), 4, 2)
        target, opt = params, optimiser.init(params)
        ring = [
            np.zeros((SHAPE.buffer, 4), np.float32),
            np.zeros(SHAPE.buffer, np.int32),
            np.zeros(SHAPE.buffer, np.float32),
        ]
        ring += [np.zeros((SHAPE.buffer, 4), np.float32), np.zeros(SHAPE.buffer, np.float32)]
        x, _ = env.reset(seed=0)
        for t in range(steps // n):
            action = np.where(rng.random(n) < EPSILON, rng.integers(0, 2, n), np.asarray(greedy(params, x)))
            y, r, over, _, _ = env.step(action)
            at = (t * n + np.arange(n)) % SHAPE.buffer
            for place, new in zip(ring, (x, action, r, y, over), strict=True):
                place[at] = new
            x = y
            if (t + 1) * n >= SHAPE.warmup:
                i = rng.integers(0, min((t + 1) * n, SHAPE.buffer), SHAPE.batch)
                params, target, opt = learn(params, target, opt, tuple(place[i] for place in ring))
        env.close()
        return params

    return train
