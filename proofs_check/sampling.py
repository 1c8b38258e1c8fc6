r"""Claims about chance: random numbers for each trial, by name, and what is sampled with them.

::

    @claim(id="mine.concentration", family=families.garnet(S=4, A=2), draws={"pi": policies, "rng": streams})
    def concentration(ops, m, pi, rng):
        r"With probability at least 19/20 the mean of 64 returns of 30 steps is within ... of its expectation."
        estimate = ops.array(sampling.discounted_returns(m.source, rng, pi, steps=30, replicates=64).mean(axis=-1), 0)
        return Trial(Inequality(ops.abs(estimate - truth), bound), delta=0.05)

An instance with its draws is one trial. Its ``Streams`` are a function of the run's seed, the claim's id, the family,
the chunk, the name of the draw and the place in the chunk, so that verdicts depend on neither workers nor order, and
``proofs-check show`` repeats any trial by its address. Two algorithms that take one name of a stream meet the same
chance: comparisons are paired so.

Numbers are multiples of 2^-53 made from PCG64's raw integers, the same on every release of NumPy. Inverting a
distribution of n probabilities in floats errs by (n + 1) 2^-53 in total variation for each draw: 1e-9 for a trial of
a million draws from ten states.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from proofs_check.draws import Draw, Integers, Payload, Place
from tabular._rounding import U


def streams() -> Draw:
    """``Streams`` of random numbers, one for each instance."""

    def sample(z: Integers, at: Place) -> Payload:
        return Payload("streams", z.below(2**32, at.B, 4), 0)

    return Draw("streams", sample)


class Streams:
    """Random numbers of ``B`` trials (or of one: then without the axis ``B``), by name."""

    def __init__(self, words: Any) -> None:
        self._words = np.asarray(words).astype(np.uint64)

    @property
    def batch(self) -> tuple[int, ...]:
        """(B,), or () for one trial."""
        return self._words.shape[:-1]

    def uniform(self, name: str, *shape: int) -> np.ndarray:
        """(B, *shape) independent uniform multiples of 2^-53 in [0, 1); the same each time for one name."""
        size = int(np.prod(shape, dtype=np.int64))
        rows = [self._bits(words, name).random_raw(size) for words in self._words.reshape(-1, 4)]
        return ((np.stack(rows) >> np.uint64(11)) * 2.0**-53).reshape((*self.batch, *shape))

    def generators(self, name: str) -> list[np.random.Generator]:
        """A NumPy generator for each trial. Its distributions may differ between releases of NumPy: ``uniform`` does not."""
        return [np.random.Generator(self._bits(words, name)) for words in self._words.reshape(-1, 4)]

    @staticmethod
    def _bits(words: np.ndarray, name: str) -> np.random.PCG64:
        return np.random.PCG64(np.random.SeedSequence([*words.tolist(), *name.encode()]))


def categorical(u: Any, p: Any) -> np.ndarray:
    """(...) indices into the last axis of ``p`` (..., n), which need not be normalised, by inversion of ``u`` (...) in [0, 1)."""
    total = np.cumsum(p, axis=-1)
    below = (np.asarray(u)[..., None] * total[..., -1:] >= total).sum(axis=-1)
    last = (
        np.shape(p)[-1] - 1 - np.argmax(np.asarray(p)[..., ::-1] > 0, axis=-1)
    )  # rounding never draws what has no probability
    return np.minimum(below, last)


def transition_counts(source: Any, rng: Streams, n: int, name: str = "transitions") -> np.ndarray:
    """(B, S, A, S + 1) how often each successor came in ``n`` draws from each available pair; the last one is the end.

    source : ``MDPBatch`` or ``MDP`` (then without ``B``).
    """
    rows = _rows(source)
    u = rng.uniform(name, source.S, source.A, n)
    drawn = categorical(u, np.broadcast_to(rows[..., None, :], (*u.shape, source.S + 1)))
    counts = (drawn[..., None] == np.arange(source.S + 1)).sum(axis=-2)
    return np.where(source.mask[..., None], counts, 0)


def discounted_returns(
    source: Any, rng: Streams, pi: Any, *, steps: int, replicates: int = 1, name: str = "returns"
) -> np.ndarray:
    """(B, replicates) discounted returns of the first ``steps`` steps from ``rho`` (state 0 where there is none).

    source : ``MDPBatch`` or ``MDP``.  pi : ``Value`` or array (B, S, A) of probabilities.
    """
    batch = rng.batch
    chances = np.asarray(pi.ops.midpoint(pi) if hasattr(pi, "ops") else pi)
    u = rng.uniform(name, 2 * steps + 1, replicates)
    lead = [np.arange(n).reshape(-1, 1) for n in batch]
    at = lambda x, *where: x[(*lead, *where)]  # noqa: E731
    rows, gamma = _rows(source), np.reshape(source.gamma, (*batch, 1))
    if source.rho is None:
        s = np.zeros((*batch, replicates), dtype=np.int64)
    else:
        s = categorical(u[..., 0, :], np.broadcast_to(source.rho[..., None, :], (*batch, replicates, source.S)))
    total, weight, alive = np.zeros(s.shape), np.ones(s.shape), np.ones(s.shape, dtype=bool)
    for k in range(steps):
        a = categorical(u[..., 2 * k + 1, :], at(chances, s))
        total += np.where(alive, weight * at(source.rewards, s, a), 0.0)
        t = categorical(u[..., 2 * k + 2, :], at(rows, s, a))
        alive &= t < source.S
        s, weight = np.where(alive, t, 0), weight * gamma
    return total


def return_bound(source: Any, steps: int) -> np.ndarray:
    """(B,) at least the absolute value of any return that ``discounted_returns`` computes, its rounding included."""
    largest = np.abs(source.rewards).max(axis=(-2, -1))
    gamma = np.asarray(source.gamma, dtype=np.float64)
    mass = sum((gamma**k for k in range(steps)), np.zeros_like(gamma))
    bound: np.ndarray = largest * mass * (1.0 + 8.0 * (steps + 2) * U)
    return bound


def _rows(source: Any) -> np.ndarray:
    """(..., S, A, S + 1) probabilities of the successors and of the end; uniform where unavailable, where nobody goes."""
    P = source.P if isinstance(source.P, np.ndarray) else source.to_dense().P
    rows = np.concatenate([P, source.end[..., None]], axis=-1)
    return np.where(source.mask[..., None], rows, 1.0)
