"""Where arrays lie: one model spread over devices by states, or many by members; of one process or of several.

A mesh is a row of devices. What does not divide among them is filled up with copies of the last state (or member), to which
nothing leads: they change no extreme, and no answer. Compiled functions follow their arrays; XLA gathers the values that a
sweep reads, and reduces what a stopping rule asks.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from deep.ops import DeviceModel
from deep.ops.models import Listed, Padded
from tabular import _border as border

AXIS, NOWHERE = "rows", -1


def initialize(coordinator: str, processes: int, process: int, **options: Any) -> None:
    """Joins this process to a computation of several hosts, before anything else of JAX: then ``mesh()`` spans all devices.

    ``coordinator`` is ``host:port`` of process 0. Every process then makes the same calls on the same data.
    """
    if not isinstance(coordinator, str) or ":" not in coordinator:
        raise ValueError(f"coordinator is {coordinator!r}: expected 'host:port' of process 0")
    border.count(processes, "processes")
    if isinstance(process, bool) or not isinstance(process, int) or not 0 <= process < processes:
        raise ValueError(f"process is {process!r}: expected a number from 0 to {processes - 1}")
    jax.distributed.initialize(coordinator, num_processes=processes, process_id=process, **options)


def mesh(devices: Any = None) -> Mesh:
    """All devices of all processes in a row, or those given."""
    found = jax.devices() if devices is None else list(devices)
    if not found:
        raise ValueError("a mesh needs a device: got none")
    return Mesh(np.array(found), (AXIS,))


def filled(d: DeviceModel, n: int) -> DeviceModel:
    """Copies of the last state until the devices divide their number; zeros behind a list of entries likewise."""
    d = _copied(d, -d.S % n)
    if not isinstance(d.P, Listed) or not (missing := -len(d.P.data) % n):
        return d
    owner, zeros = np.full(missing, d.S * d.A - 1, dtype=np.int32), np.zeros(missing, dtype=np.int32)
    more = (owner, zeros, zeros.astype(d.P.data.dtype))
    return d.with_(P=Listed(*(np.concatenate([x, y]) for x, y in zip(d.P, more, strict=True))))


def _copied(d: DeviceModel, missing: int) -> DeviceModel:
    if not missing:
        return d
    if isinstance(d.P, Listed):
        last = np.flatnonzero(d.P.owner // d.A == d.S - 1)
        owner = [d.P.owner[last] + (i + 1) * d.A for i in range(missing)]
        P: Any = Listed(
            np.concatenate([d.P.owner, *owner]).astype(np.int32),
            np.concatenate([d.P.indices, *[d.P.indices[last]] * missing]),
            np.concatenate([d.P.data, *[d.P.data[last]] * missing]),
        )
    elif isinstance(d.P, Padded):
        P = Padded(*(np.concatenate([x, np.repeat(x[..., -1:], missing, axis=-1)], axis=-1) for x in d.P))
    else:
        rows = np.concatenate([d.P, np.repeat(d.P[-1:], missing, axis=0)])
        P = np.concatenate([rows, np.zeros((*rows.shape[:2], missing))], axis=-1)
    more = lambda x: np.concatenate([x, np.repeat(x[-1:], missing, axis=0)])  # noqa: E731
    rho = None if d.rho is None else np.concatenate([d.rho, np.zeros(missing)])
    return d.with_(P=P, R=more(d.R), end=more(d.end), mask=more(d.mask), rho=rho, S=d.S + missing)


def place(tree: Any, on: Mesh | None, axis: Any) -> Any:
    """A pytree of NumPy arrays on the device, or over the mesh; JAX's are there already.

    ``axis`` is a prefix of it: the axis that is spread, or None for copies on all devices.
    """
    if on is None:
        return jax.tree.map(jnp.asarray, tree)
    one = lambda x, i: x if isinstance(x, jax.Array) else _spread(np.asarray(x), on, i)  # noqa: E731
    return jax.tree.map(one, tree, spread_axes(tree, axis))


def spread_axes(tree: Any, axis: Any) -> Any:
    """The axis of each leaf that a prefix of axes gives it; ``NOWHERE`` for None."""
    known = jax.tree.map(lambda i: NOWHERE if i is None else i, axis, is_leaf=lambda i: i is None)
    return jax.tree.broadcast(known, tree)


def _spread(x: np.ndarray, on: Mesh, axis: int) -> Any:
    spec: list[Any] = [None] * x.ndim
    if axis != NOWHERE:
        spec[axis] = AXIS
    return jax.make_array_from_callback(x.shape, NamedSharding(on, PartitionSpec(*spec)), lambda i: x[i])


def fetched(tree: Any) -> Any:
    """A pytree of arrays as NumPy's; of several processes, the whole arrays in each."""
    return jax.tree.map(_fetched, tree)


def _fetched(x: Any) -> Any:
    if x.is_fully_addressable:
        return np.asarray(x)
    everywhere = NamedSharding(x.sharding.mesh, PartitionSpec())
    return np.asarray(jax.jit(lambda y: y, out_shardings=everywhere)(x).addressable_data(0))
