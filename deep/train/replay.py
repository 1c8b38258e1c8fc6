"""A ring of transitions as plain arrays: pure, of fixed size, uniform sampling."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp


class Replay(NamedTuple):
    """``data``: a tree of arrays (size, ...); ``at``: where the next goes; ``full``: how many there are."""

    data: Any
    at: jax.Array
    full: jax.Array


def empty(example: Any, size: int) -> Replay:
    """A ring of ``size`` places for items like ``example`` (a tree of arrays without a leading axis)."""
    data = jax.tree.map(lambda x: jnp.zeros((size, *jnp.shape(x)), jnp.asarray(x).dtype), example)
    return Replay(data, jnp.zeros((), jnp.int32), jnp.zeros((), jnp.int32))


def add(ring: Replay, items: Any) -> Replay:
    """The ring with ``n`` more items (leading axis n, at most its size); the oldest make room."""
    n, size = (jax.tree.leaves(tree)[0].shape[0] for tree in (items, ring.data))
    where = (ring.at + jnp.arange(n)) % size
    data = jax.tree.map(lambda x, new: x.at[where].set(new), ring.data, items)
    return Replay(data, (ring.at + n) % size, jnp.minimum(ring.full + n, size))


def sample(ring: Replay, key: jax.Array, n: int) -> Any:
    """``n`` items, uniformly and with replacement from those that are there."""
    return jax.tree.map(lambda x: x[jax.random.randint(key, (n,), 0, jnp.maximum(ring.full, 1))], ring.data)
