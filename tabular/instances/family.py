"""``Family(seed, n) -> MDPBatch``: a named, versioned distribution over MDPs that gives the same bits for
ever.

Only integers are drawn, from the raw output of PCG64 seeded by ``SeedSequence``; both streams are fixed by
NumPy's compatibility policy, unlike the methods of ``Generator``. Each kind of number of a family (its
successors, its weights, its rewards, ...) has a stream of its own, laid out member by member, so that member
``i`` depends on neither ``n`` nor on the other members: ``family(seed, n)[:m] == family(seed, m)`` and
``family(seed, n, start=k)`` is members ``k ... k+n-1``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np

from tabular.batch import MDPBatch
from tabular.mdp import MDP

LARGEST_BOUND = 2**32


def raw_integers(bits: np.random.BitGenerator, n: int, bound: Any) -> np.ndarray:
    """``n`` integers of [0, bound) from ``ceil(n / 2)`` raw words of 64 bits, as int64.

    Each half ``x`` of a word (the low one first) gives ``floor(x bound / 2**32)``, without rejection, so that
    the ``i``-th number depends on the ``i``-th half alone. Exactly uniform where ``bound`` (a number or an
    (n,) array) is a power of two; else each probability is within ``2**-32`` of ``1 / bound``. ValueError
    unless ``1 <= bound <= 2**32``.
    """
    return _scaled(_halves(bits, 1, n)[0], bound)


def _halves(bits: np.random.BitGenerator, members: int, each: int) -> np.ndarray:
    """(members, each) uint32: a whole number of 64-bit words a member."""
    words = (each + 1) // 2
    raw = bits.random_raw(members * words)
    return raw.astype("<u8", copy=False).view("<u4").reshape(members, 2 * words)[:, :each]


def _scaled(halves: np.ndarray, bound: Any) -> np.ndarray:
    b = np.asarray(bound, dtype=np.int64)
    if b.size and (b.min() < 1 or b.max() > LARGEST_BOUND):
        raise ValueError(f"bound is {bound}: expected 1 ... 2**32")
    wide = halves.astype(np.uint64)
    wide *= b.astype(np.uint64)
    wide >>= np.uint64(32)
    return wide.view(np.int64)


class Tape:
    """Integers of members ``start ... start + n - 1`` of a family, one stream for each name."""

    def __init__(self, key: str, seed: int, n: int, start: int = 0) -> None:
        self.key, self.seed, self.n, self.start = key, seed, n, start

    def integers(self, stream: str, shape: tuple[int, ...], bound: Any) -> np.ndarray:
        """(n, *shape) int64 of [0, bound), a number or an array that broadcasts. Use each stream once."""
        each = int(np.prod(shape, dtype=np.int64))
        if each == 0:
            return np.zeros((self.n, *shape), dtype=np.int64)
        bits = np.random.PCG64(self.sequence(stream))
        bits.advance(self.start * ((each + 1) // 2))
        return _scaled(_halves(bits, self.n, each).reshape(self.n, *shape), bound)

    def sequence(self, stream: str) -> np.random.SeedSequence:
        digest = hashlib.blake2b(f"{self.key}\n{stream}".encode(), digest_size=16).digest()
        words = [int.from_bytes(digest[i : i + 4], "little") for i in range(0, 16, 4)]
        return np.random.SeedSequence(self.seed, spawn_key=tuple(words))


class Family:
    """A distribution over batches of MDPs of one shape.

    Attributes
    ----------
    name, version : a change of what is drawn is a new version.
    parameters : of the draw; numbers, strings, None, tuples of them, or families.
    key : ``name/version(parameters)``, the identity of the distribution; families with equal keys are equal.

    ``draw(tape, **parameters)`` returns the batch of the tape's members; it must be a function of a module,
    so that a family can be sent to other processes.
    """

    __slots__ = ("_draw", "key", "name", "parameters", "version")

    key: str
    name: str
    version: int
    parameters: dict[str, Any]
    _draw: Callable[..., MDPBatch]

    def __init__(self, name: str, version: int, parameters: dict[str, Any], draw: Callable[..., MDPBatch]) -> None:
        put = object.__setattr__
        put(self, "name", str(name))
        put(self, "version", int(version))
        put(self, "parameters", dict(parameters))
        put(self, "_draw", draw)
        put(self, "key", f"{name}/{version}({', '.join(f'{k}={_text(v)}' for k, v in parameters.items())})")

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"a Family is frozen: build a new one to change {name}")

    def __reduce__(self) -> Any:
        return Family, (self.name, self.version, self.parameters, self._draw)

    def __call__(self, seed: int, n: int, start: int = 0) -> MDPBatch:
        """Members ``start ... start + n - 1`` of the stream of ``seed`` (an integer >= 0), as a batch.

        ValueError for a negative seed or start or for ``n < 1``. A batch holds about ``24 S^2 A`` bytes a
        member: draw long streams in pieces.
        """
        for what, x, least in (("seed", seed, 0), ("n", n, 1), ("start", start, 0)):
            if isinstance(x, bool) or not isinstance(x, (int, np.integer)):
                raise TypeError(f"{what} is {x!r}: expected an integer")
            if x < least:
                raise ValueError(f"{what} is {x}: expected at least {least}")
        return self._draw(Tape(self.key, int(seed), int(n), int(start)), **self.parameters)

    def member(self, seed: int, i: int) -> MDP:
        """Member ``i`` alone, at the cost of one."""
        return self(seed, 1, start=i)[0]

    def __eq__(self, other: object) -> bool:
        return self.key == other.key if isinstance(other, Family) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.key)

    def __repr__(self) -> str:
        return f"Family({self.key})"


def _text(x: Any) -> str:
    if isinstance(x, Family):
        return x.key
    if isinstance(x, (tuple, list)):
        return f"({', '.join(_text(y) for y in x)})"
    return str(x) if hasattr(x, "numerator") and not isinstance(x, (int, float)) else repr(x)
