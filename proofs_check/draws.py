"""What a claim draws besides its models: values, policies, temperatures, ..., with payloads that every arithmetic takes exactly.

A draw makes arrays for a whole batch from the raw integers of one seed path: dyadic floats (multiples of a power of
two, small enough that their sums are exact) or integer weights of distributions. Half of what is drawn is degenerate
on purpose: ties, constants, single spikes, deterministic policies, points of mass; that is where bounds are attained.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

GRID = 2.0**-16  # values are integer multiples of GRID times a power of two


class Integers:
    """Raw integers of a seed path. PCG64's stream is the same on every release of NumPy; its distributions are not used."""

    def __init__(self, seed: int, *path: int) -> None:
        self._bits = np.random.PCG64(np.random.SeedSequence(seed, spawn_key=path))

    def below(self, n: int, *shape: int) -> np.ndarray:
        """Integers 0 ... n-1 (n at most 2**32; biased by less than n / 2**53)."""
        raw = self._bits.random_raw(int(np.prod(shape, dtype=np.int64)))
        return ((raw >> np.uint64(11)) % np.uint64(n)).astype(np.int64).reshape(shape)

    def between(self, low: int, high: int, *shape: int) -> np.ndarray:
        """Integers low ... high, both included."""
        return low + self.below(high - low + 1, *shape)


@dataclass(frozen=True)
class Payload:
    """A drawn quantity for ``B`` instances; ``lift`` takes it into an arithmetic, ``take`` picks instances (or one of them).

    ``form`` is "array" (floats, exactly), "distribution" (integer weights over their row sums), "model" (an ``MDPBatch``) or
    "streams" (words that seed random numbers, see ``proofs_check.sampling``);
    ``ndim`` counts event axes. ``unit`` (B,) is the grid on which an array's entries lie.
    """

    form: str
    data: Any
    ndim: int = 0
    unit: np.ndarray | None = None

    def take(self, which: Any) -> Payload:
        """Instances ``which`` (indices, or one index: then without the batch axis)."""
        return Payload(self.form, self.data[which], self.ndim, None if self.unit is None else self.unit[which])

    def lift(self, ops: Any) -> Any:
        """As ``Value`` (or ``Model``) of an arithmetic."""
        if self.form == "model":
            return ops.model(self.data)
        if self.form == "array":
            return ops.array(self.data, self.ndim)
        if self.form == "streams":
            from proofs_check.sampling import Streams

            return Streams(self.data)
        return ops.distribution(self.data, self.ndim)


@dataclass(frozen=True)
class Place:
    """What a draw may look at: the batch, the family that made it, and the draws before it."""

    batch: Any
    remake: Callable[[int], Any]  # another batch of the same family
    earlier: Mapping[str, Payload]

    @property
    def B(self) -> int:
        """Number of instances."""
        return int(self.batch.B)

    @property
    def S(self) -> int:
        """Number of states."""
        return int(self.batch.S)

    @property
    def A(self) -> int:
        """Number of actions, available or not."""
        return int(self.batch.A)

    @property
    def mask(self) -> np.ndarray:
        """(B, S, A) available pairs."""
        return np.asarray(self.batch.mask)


@dataclass(frozen=True)
class Draw:
    """A named way to draw; ``sample(integers, place) -> Payload``."""

    name: str
    sample: Callable[[Integers, Place], Payload]


def values(*, like: str | None = None, nonnegative: bool = False, corners: bool = False) -> Draw:
    """(S,) values in units of reward, over twelve binary orders of magnitude.

    ``like`` names an earlier draw of the same shape: then a quarter are that draw shifted by a constant, a quarter
    differ from it in one state, and the rest are independent on its scale. ``corners``: half of them are corners of a ball of the
    sup norm, all entries h or -h with h of 1/2 or 1: errors of one size, with any signs.
    """
    if corners and (like is not None or nonnegative):
        raise ValueError("corners have signs and a size of their own: neither like nor nonnegative")

    def sample(z: Integers, at: Place) -> Payload:
        drawn = _numbers(z, at, (at.S,), like, nonnegative)
        return _cornered(z, at, drawn) if corners else drawn

    return Draw("values", sample)


def _cornered(z: Integers, at: Place, drawn: Payload) -> Payload:
    size = np.ldexp(1.0, -z.below(2, at.B))[:, None]
    corner = (2.0 * z.below(2, at.B, at.S) - 1.0) * size
    return Payload("array", np.where(z.below(2, at.B)[:, None] == 0, corner, drawn.data), 1, drawn.unit)


def q_values(*, like: str | None = None) -> Draw:
    """(S, A) action values, zero where unavailable; ``like`` as in ``values``."""

    def sample(z: Integers, at: Place) -> Payload:
        drawn = _numbers(z, at, (at.S, at.A), like, False)
        return Payload("array", np.where(at.mask, drawn.data, 0.0), 2, drawn.unit)

    return Draw("q_values", sample)


def _numbers(z: Integers, at: Place, shape: tuple[int, ...], like: str | None, nonnegative: bool) -> Payload:
    B, n = at.B, int(np.prod(shape))
    if like is not None and like not in at.earlier:
        raise ValueError(f"like={like!r} names no draw before this one: {', '.join(at.earlier) or 'it is the first'}")
    unit = np.ldexp(GRID, z.between(-4, 8, B)) if like is None else at.earlier[like].unit
    if unit is None:
        raise ValueError(f"like={like!r} names a draw without a grid: expected values or q_values")
    large = z.between(-(2**17), 2**17, B, n)
    small = z.between(-2, 2, B, n) * 2**15
    spike = np.where(z.below(n, B)[:, None] == np.arange(n), large, 0)
    level = np.broadcast_to(large[:, :1], (B, n))
    kind = z.below(8, B)[:, None]
    k = np.select([kind < 4, kind < 6, kind < 7], [large, small, spike], level)
    if like is not None:
        base = np.rint(at.earlier[like].data.reshape(B, n) / unit[:, None]).astype(np.int64)
        k = np.select([kind < 2, kind < 4], [base + level, base + spike], k)
    k = np.abs(k) if nonnegative else k
    return Payload("array", (k * unit[:, None]).reshape(B, *shape), len(shape), unit)


def policies(*, interior: bool = False) -> Draw:
    """(S, A) stationary policies as integer weights, zero where unavailable: a quarter deterministic, a quarter uniform.

    ``interior``: every available action has positive probability.
    """

    def sample(z: Integers, at: Place) -> Payload:
        shape = (at.B, at.S, at.A)
        chosen = _one_hot(z, at.mask)
        weights = z.between(1, 64, *shape)
        sparse = z.below(3, *shape) * weights + chosen
        kind = z.below(4, at.B)[:, None, None]
        out = np.select([kind == 0, kind == 1, kind == 2], [chosen, np.ones(shape, dtype=np.int64), weights], sparse)
        return Payload("distribution", np.where(at.mask, out + interior, 0), 2)

    return Draw("policies", sample)


def deterministic_policies() -> Draw:
    """(S, A) one-hot rows."""
    return Draw("deterministic_policies", lambda z, at: Payload("distribution", _one_hot(z, at.mask), 2))


def _one_hot(z: Integers, mask: np.ndarray) -> np.ndarray:
    """An available action of each state."""
    rank = z.below(2**20, *mask.shape)
    best = np.argmax(np.where(mask, rank, -1), axis=-1)
    return (best[..., None] == np.arange(mask.shape[-1])).astype(np.int64)


def distributions() -> Draw:
    """(S,) distributions over states as integer weights, a quarter of them a point."""

    def sample(z: Integers, at: Place) -> Payload:
        point = (z.below(at.S, at.B)[:, None] == np.arange(at.S)).astype(np.int64)
        weights = z.below(64, at.B, at.S) + point
        return Payload("distribution", np.where(z.below(4, at.B)[:, None] == 0, point, weights), 1)

    return Draw("distributions", sample)


def temperatures(*, orders: int = 24) -> Draw:
    """Positive scalars over ``orders`` decimal orders of magnitude around 1, half of them within three of it."""

    def sample(z: Integers, at: Place) -> Payload:
        reach = round(orders / 2 / np.log10(2))
        wide, near = z.between(-reach, reach - 1, at.B), z.between(-5, 4, at.B)
        exponent = np.where(z.below(2, at.B) == 0, wide, near)
        return Payload("array", np.ldexp(1.0 + z.below(8, at.B) / 8, exponent), 0)

    return Draw("temperatures", sample)


def scalars(low: float = -4.0, high: float = 4.0) -> Draw:
    """Dyadic scalars in [low, high], in steps of 2^-10; the bounds are multiples of that and are drawn often."""
    first, last = round(low * 1024), round(high * 1024)
    if first / 1024 != low or last / 1024 != high or first > last:
        raise ValueError(f"low={low}, high={high}: expected multiples of 2^-10 in order")

    def sample(z: Integers, at: Place) -> Payload:
        k, kind = z.between(first, last, at.B), z.below(8, at.B)
        return Payload("array", np.select([kind == 0, kind == 1], [first, last], k) / 1024, 0)

    return Draw("scalars", sample)


def integers(low: int, high: int) -> Draw:
    """Integers low ... high, a quarter of them one of the bounds."""
    if low > high or max(abs(low), abs(high)) > 2**31:
        raise ValueError(f"low={low}, high={high}: expected integers of at most 2^31 in order")

    def sample(z: Integers, at: Place) -> Payload:
        k, kind = z.between(low, high, at.B), z.below(8, at.B)
        return Payload("array", np.select([kind == 0, kind == 1], [low, high], k).astype(np.float64), 0)

    return Draw("integers", sample)


def models() -> Draw:
    """Another model of the same family, for statements about two of them. Its discount is its own: use the first's."""
    return Draw("models", lambda z, at: Payload("model", at.remake(int(z.below(2**32, 1)[0]))))
