"""jaxdp in float64 on the CPU: its exact policy iteration, one compiled loop until the policy stays; batches by ``vmap``.

The library leaves the loop to its caller; this one ends when the greedy policy does not change.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import numpy as np

from benchmarks.contestants import Ready
from benchmarks.data import Task

METHODS = {
    "dense": "PolicyIteration, compiled loop, float64",
    "batch": "PolicyIteration, compiled loop under vmap, chunks of 1,000, float64",
}
REFUSALS = {
    "sparse": "dense arrays only",
    "horizon": "no finite horizons",
    "exact": "floats only",
    "ucbvi": "no UCBVI",
}
CHUNK = 1_000
STEPS = 100


def prepare(task: Task, options: dict[str, Any]) -> Ready:
    import jax

    jax.config.update("jax_enable_x64", True)
    import chex
    import jax.numpy as jnp
    from jaxdp import MDP, PolicyIteration

    chex.disable_asserts()  # its checks of values do not compile as they are, and would cost time
    gamma = float(task.facts["gamma"])
    plan = PolicyIteration(gamma=gamma)

    def one(mdp: Any) -> tuple[Any, Any]:
        S, A = mdp.state_size, mdp.action_size
        state = plan.init(mdp, jnp.full((A, S), 1.0 / A))

        def more(carry: Any) -> Any:
            _, changed, k = carry
            return changed & (k < STEPS)

        def step(carry: Any) -> Any:
            old, _, k = carry
            new = plan.update(mdp, old)
            return new, jnp.any(new.policy != old.policy), k + 1

        last, _, k = jax.lax.while_loop(more, step, (state, jnp.asarray(True), 0))
        return last.v_val, k

    def model(P: np.ndarray, R: np.ndarray) -> Any:
        """(..., S, A, S) transitions as (..., A, next, S); rewards (..., A, S, next) broadcast."""
        S, A = P.shape[-1], P.shape[-2]
        lead = P.shape[:-3]
        reward = np.broadcast_to(np.swapaxes(R, -1, -2)[..., None], (*lead, A, S, S))
        zeros = jnp.zeros((*lead, S))
        transition = np.moveaxis(P, -3, -1)
        return MDP(
            transition=jnp.array(transition),
            reward=jnp.array(reward),
            initial=zeros.at[..., 0].set(1.0),
            terminal=zeros,
        )

    x = task.arrays
    if task.kind == "dense":
        models, run = [model(x["P"], x["R"])], jax.jit(one)
    else:
        parts = [slice(i, i + CHUNK) for i in range(0, len(x["R"]), CHUNK)]
        models, run = [model(x["P"][i], x["R"][i]) for i in parts], jax.jit(jax.vmap(one))

    def answer(found: list[Any]) -> tuple[np.ndarray, dict[str, Any]]:
        V = np.concatenate([np.atleast_2d(np.asarray(v)) for v, _ in found])
        steps = max(int(np.max(np.asarray(k))) for _, k in found)
        return (V[0] if task.kind == "dense" else V), {"iterations": steps}

    return Ready(version("jaxdp"), lambda: jax.block_until_ready([run(m) for m in models]), answer)
