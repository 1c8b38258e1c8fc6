r"""PSRL, part 2: visits in episodes of :math:`\tau` steps, whose counts are frozen where the episode begins.

:math:`N_k` is the count of the pair at the start of the episode in which it is visited. Pairs come in any order.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from proofs_check import Inequality, claim, families, streams, twin

OSBAND = "Osband, Russo and Van Roy 2013, appendix"
TAU = 4
EPISODES = 48


def visited(rng: Any, pairs: int) -> tuple[np.ndarray, np.ndarray]:
    """(..., T) counts when the episode began, and just before the visit, of the pair that each of T steps visits.

    By a coin for each trial an episode stays with one pair, or does not.
    """
    u, who = rng.uniform("pairs", EPISODES, TAU), rng.uniform("who", 1)[..., 0] < 0.5
    chosen = (np.where(who[..., None, None], u[..., :1], u) * pairs).astype(np.int64)
    total = np.zeros((*u.shape[:-2], pairs), dtype=np.int64)
    starts, before = [], []
    for k in range(EPISODES):
        frozen = total
        for h in range(TAU):
            place = chosen[..., k, h, None] == np.arange(pairs)
            starts.append((frozen * place).sum(axis=-1))
            before.append((total * place).sum(axis=-1))
            total = total + place
    return np.stack(starts, axis=-1), np.stack(before, axis=-1)


def few(rng: Any, pairs: int) -> np.ndarray:
    """(...) visits of pairs that had at most tau visits when the episode began."""
    return np.asarray((visited(rng, pairs)[0] <= TAU).sum(axis=-1))


def growth(rng: Any, pairs: int) -> tuple[np.ndarray, np.ndarray]:
    """(..., T) the count after each visit, and the frozen one; both 0 where the latter is at most tau."""
    start, before = visited(rng, pairs)
    many = start > TAU
    return np.where(many, before + 1, 0), np.where(many, start, 0)


def frozen_counts(rng: Any, pairs: int) -> tuple[np.ndarray, np.ndarray]:
    """(..., T) frozen counts, at least one, and whether they are more than tau, as 0 or 1."""
    start = visited(rng, pairs)[0]
    return np.maximum(start, 1), (start > TAU).astype(np.int64)


COUNTED: dict[str, Any] = {
    "family": (families.bandits(1), families.bandits(2), families.garnet(2, 2), families.garnet(3, 2)),
    "draws": {"rng": streams()},
    "instances": (),
    "kind": "inequality",
}


@claim(id="psrl.C4a", source=OSBAND, **COUNTED)
def few_early_visits(ops: Any, m: Any, rng: Any) -> Inequality:
    r"""\sum_k \sum_i 1\{N_k \le \tau\} \le 2 \tau S A, in whatever order pairs come; here \tau = 4, 48 episodes.

    Proof: the last episode of a pair that counts begins with at most :math:`\tau` visits and has at most :math:`\tau`.
    """
    return Inequality(ops.array(few(rng, m.S * m.A), 0), 2 * TAU * m.S * m.A)


@twin(few_early_visits, why="half as many: as if counts were not frozen", family=families.bandits(1))
def fewer_early_visits(ops: Any, m: Any, rng: Any) -> Inequality:
    return Inequality(ops.array(few(rng, m.S * m.A), 0), TAU * m.S * m.A)


@claim(id="psrl.C4b", source=OSBAND, **COUNTED)
def counts_at_most_double(ops: Any, m: Any, rng: Any) -> Inequality:
    r"""N_t + 1 \le 2 N_k at every visit with N_k > \tau, N_t the count just before it.

    Proof: at most :math:`\tau - 1 < N_k` visits came before it in the episode.
    """
    after, start = growth(rng, m.S * m.A)
    return Inequality(ops.array(after, 1), 2 * ops.array(start, 1), axes=("t",))


@twin(counts_at_most_double, why="by no more than a half")
def counts_grow_by_a_half(ops: Any, m: Any, rng: Any) -> Inequality:
    after, start = growth(rng, m.S * m.A)
    return Inequality(ops.array(after, 1), 1.5 * ops.array(start, 1), axes=("t",))


@claim(id="psrl.C4c", source=OSBAND, **COUNTED)
def sum_of_widths(ops: Any, m: Any, rng: Any) -> Inequality:
    r"""\sum 1\{N_k > \tau\} / \sqrt{N_k} \le \sqrt{8 S A T} over all visits: what the widths add up to.

    Proof: :math:`1/\sqrt{N_k} \le \sqrt{2/(N_t + 1)}` by C4b, :math:`\sum_{n \le N} n^{-1/2} \le 2 \sqrt N`, and Cauchy over pairs.
    """
    return _sum(ops, m, rng, 8)


def _sum(ops: Any, m: Any, rng: Any, constant: Any) -> Inequality:
    start, many = frozen_counts(rng, m.S * m.A)
    total = ops.sum(ops.array(many, 1) / ops.sqrt(ops.array(start, 1)))
    return Inequality(total, ops.sqrt(ops.constant(constant) * m.S * m.A * TAU * EPISODES))


@twin(sum_of_widths, why="the square root of SAT", family=families.bandits(1))
def sum_of_widths_by_the_root(ops: Any, m: Any, rng: Any) -> Inequality:
    return _sum(ops, m, rng, 1)
