"""From the tabular solver to the deep learner: full batches of expected targets, on which their iterates must agree.

``exact_batch`` holds every available pair with each of its successors, weighted by their probabilities. Half the squared error
of a table (one-hot features, a linear network) then has the gradient ``Q(s,a) - E[y | s,a]``, and one plain step of rate 1 puts
the table where the expected targets are: the code that learns from samples performs an exact backup.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from deep.agents.base import Batch, Net, Optimiser, Spec
from tabular import _border as border
from tabular.mdp import MDP

TABLE = Net(depth=0)
PLAIN = Optimiser("sgd")
EXACT = {"lr": 1.0, "polyak": 1.0}
"""Numbers under which an update is a backup."""


def exact_batch(mdp: MDP, heads: int = 1, features: Any = None) -> Batch:
    """Every available pair with each successor, and its end, in the order of pairs; weights are the probabilities.

    What follows an end is the state itself, terminated. Needs JAX in float64 to be exact. O(nnz) rows of ``features`` (S, d).
    """
    border.expect(mdp, "exact_batch", "MDP")
    X = np.eye(mdp.S) if features is None else np.asarray(features, dtype=np.float64)
    P = mdp.csr()
    pair = np.repeat(np.arange(mdp.S * mdp.A), np.diff(P.indptr))
    ends = np.flatnonzero(mdp.end.ravel() > 0)
    rows = np.concatenate([pair, ends])
    to = np.concatenate([P.indices, ends // mdp.A])
    weight = np.concatenate([P.data, mdp.end.ravel()[ends]])
    over = np.concatenate([np.zeros(len(pair)), np.ones(len(ends))])
    keep = mdp.mask.ravel()[rows]
    rows, to, weight, over = rows[keep], to[keep], weight[keep], over[keep]
    put = lambda x: jnp.asarray(x, dtype=float)  # noqa: E731
    return Batch(
        put(X[rows // mdp.A]), jnp.asarray(rows % mdp.A), put(mdp.rewards.ravel()[rows]), put(X[to]), put(over),
        put(weight), jnp.ones((len(rows), heads), float),
    )  # fmt: skip


def iterates(agent: Any, mdp: MDP, settings: Sequence[dict[str, Any]], K: int, *, seed: int = 0) -> np.ndarray:
    """Action values (settings, K + 1, heads, S, A) of K updates of ``agent`` on the exact batch, from its own start.

    Each setting's numbers are added to the agent's defaults, after ``EXACT``; the discount is the model's. One compilation.
    """
    border.count(K, "K")
    if not settings:
        raise ValueError("settings is empty: an empty dict is the default setting")
    base = agent.defaults() | EXACT | {"gamma": mdp.gamma}
    every = [base | numbers for numbers in settings]
    hyper = {name: jnp.asarray([float(numbers[name]) for numbers in every], float) for name in every[0]}
    batch, spec = exact_batch(mdp, agent.heads), Spec(mdp.S, mdp.A)

    def one(hyper: dict[str, Any]) -> jax.Array:
        x, key = jnp.eye(mdp.S), jax.random.PRNGKey(seed)
        state = agent.init(key, spec, hyper)

        def step(state: Any, key: jax.Array) -> tuple[Any, jax.Array]:
            state = agent.update(state, hyper, batch, key)[0]
            return state, agent.values(state, hyper, x)

        first = agent.values(state, hyper, x)
        return jnp.concatenate([first[None], jax.lax.scan(step, state, jax.random.split(key, K))[1]])

    return np.asarray(jax.jit(jax.vmap(one))(hyper))
