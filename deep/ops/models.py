"""Models as pytrees of JAX arrays: what a compiled function takes as an argument.

Sparse rows come in two forms. *Padded*: all rows of one length K, with zeros behind the short ones, as (K, A, S) arrays: neighbours
in memory are the same successor of neighbouring states, so that a sweep is K A coalesced reads for each state and a reduction
over leading axes. *Listed*: the entries in a row with the pair that each belongs to, summed by segments: for rows of very
different length.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from tabular.batch import MDPBatch
from tabular.mdp import CSR, MDP

PADDED = 2.0
"""Entries of padded rows, in entries of the model, up to which rows are padded; an entry of a list costs an index more."""


class Padded(NamedTuple):
    """``indices`` int32 and ``data``, (K, A, S) each."""

    indices: Any
    data: Any


class Listed(NamedTuple):
    """``owner`` (of A s + a, ascending), ``indices``, ``data``: (nnz,) each."""

    owner: Any
    indices: Any
    data: Any


@partial(
    jax.tree_util.register_dataclass, data_fields=["P", "R", "end", "gamma", "rho", "mask"], meta_fields=["S", "A"]
)
@dataclass(frozen=True)
class DeviceModel:
    """A model, or a batch of them, on the device.

    Attributes
    ----------
    P : (batch +) (S, A, S), ``Padded`` or ``Listed``.  R, end, mask : (batch +) (S, A), rewards zero where unavailable.
    gamma : scalar, or (B,).  rho : (batch +) (S,), or None.  S, A : sizes.
    """

    P: Any
    R: Any
    end: Any
    gamma: Any
    rho: Any
    mask: Any
    S: int
    A: int

    def with_(self, **changes: Any) -> DeviceModel:
        """With other fields."""
        return replace(self, **changes)


def on_device(source: MDP | MDPBatch, dtype: Any = jnp.float64) -> DeviceModel:
    """The floats of an ``MDP`` or ``MDPBatch`` on the default device. Call it in ``deep.precision.float64()``."""
    return jax.tree.map(jnp.asarray, arrays_of(source, np.dtype(dtype)))


def arrays_of(source: MDP | MDPBatch, dtype: Any = np.float64) -> DeviceModel:
    """The same as NumPy arrays, to be placed by the caller. O(entries)."""
    put = lambda x: np.asarray(x, dtype=dtype)  # noqa: E731
    return DeviceModel(
        P=_rows(source.P, source.S, source.A, dtype),
        R=put(source.rewards),
        end=put(source.end),
        gamma=put(source.gamma),
        rho=None if source.rho is None else put(source.rho),
        mask=np.asarray(source.mask),
        S=source.S,
        A=source.A,
    )


def _rows(P: Any, S: int, A: int, dtype: Any) -> Any:
    if not isinstance(P, CSR):
        return np.asarray(P, dtype=dtype)
    count = np.diff(P.indptr)
    K = max(int(count.max(initial=0)), 1)
    if K * S * A > PADDED * len(P.data):
        owner = np.repeat(np.arange(S * A, dtype=np.int32), count)
        return Listed(owner, np.asarray(P.indices, dtype=np.int32), np.asarray(P.data, dtype=dtype))
    indices, data = np.zeros((K, A, S), dtype=np.int32), np.zeros((K, A, S), dtype=dtype)
    starts = P.indptr[:-1]
    for k in range(K):
        there = count > k
        at = np.where(there, starts + k, 0)
        indices[k] = np.where(there, P.indices[at], 0).reshape(S, A).T
        data[k] = np.where(there, P.data[at], 0.0).reshape(S, A).T
    return Padded(indices, data)


def expectation(P: Any, V: Any, S: int, A: int, library: bool = True) -> Any:
    """``P V``: (batch +) (S, A). ``library`` False forms dense products as a product and a sum, never by a library's own."""
    if isinstance(P, Padded):
        return (P.data * V[..., P.indices]).sum(axis=-3).swapaxes(-1, -2)
    if isinstance(P, Listed):
        sums = partial(jax.ops.segment_sum, segment_ids=P.owner, num_segments=S * A, indices_are_sorted=True)
        terms = P.data * V[..., P.indices]
        flat = sums(terms) if V.ndim == 1 else jax.vmap(sums)(terms)
        return flat.reshape(*V.shape[:-1], S, A)
    if library:
        rows = P.reshape(*P.shape[:-3], S * A, S)
        flat = jnp.matmul(rows, V[..., None], precision=jax.lax.Precision.HIGHEST)
        return flat.reshape(*flat.shape[:-2], S, A)
    return (P * V[..., None, None, :]).sum(axis=-1)


def dense_rows(P: Any, S: int, A: int) -> Any:
    """(batch +) (S, A, S)."""
    if isinstance(P, Padded):
        s, a = jnp.arange(S)[None, None, :], jnp.arange(A)[None, :, None]
        return jnp.zeros((S, A, S), dtype=P.data.dtype).at[s, a, P.indices].add(P.data)
    if isinstance(P, Listed):
        return jnp.zeros((S * A, S), dtype=P.data.dtype).at[P.owner, P.indices].add(P.data).reshape(S, A, S)
    return P


def policy_matrix(P: Any, pi: Any, S: int, A: int) -> Any:
    """``P_pi`` dense: (batch +) (S, S)."""
    if isinstance(P, Padded):
        s = jnp.broadcast_to(jnp.arange(S), P.indices.shape)
        one = lambda p: jnp.zeros((S, S), dtype=P.data.dtype).at[s, P.indices].add(P.data * p.T)  # noqa: E731
        return one(pi) if pi.ndim == 2 else jax.vmap(one)(pi)
    if isinstance(P, Listed):
        one = lambda p: (  # noqa: E731
            jnp.zeros((S, S), dtype=P.data.dtype).at[P.owner // A, P.indices].add(P.data * p.reshape(-1)[P.owner])
        )
        return one(pi) if pi.ndim == 2 else jax.vmap(one)(pi)
    return jnp.matmul(pi[..., None, :], P, precision=jax.lax.Precision.HIGHEST)[..., 0, :]
