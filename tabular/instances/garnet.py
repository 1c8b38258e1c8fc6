"""Garnets: random successors and weights (Archibald, McKinnon and Thomas 1995; Bhatnagar et al. 2009)."""

from __future__ import annotations

from typing import Any

import numpy as np

from tabular import _validate as check
from tabular.batch import MDPBatch
from tabular.instances import parts
from tabular.instances.family import Family, Tape
from tabular.mdp import CSR, MDP

RESOLUTION = 1024


def garnet(S: int, A: int, successors: int | None = None, *, gamma: Any = None, resolution: int = RESOLUTION) -> Family:
    """Each pair has ``successors`` random distinct states (None: all), with the gaps of a randomly cut
    interval as weights.

    ``gamma``: a number, numbers to draw from, or None for ``1 - 2**-j``, j = 0 ... 30. Probabilities are
    multiples of ``1 / resolution`` (some of them zero), rewards of ``2**-k`` in [-1, 1] with k of 0, 1, 3,
    10. ModelError for impossible sizes.
    """
    parts.row_sizes(S, A, resolution, successors)
    given = {
        "S": S,
        "A": A,
        "successors": successors,
        "gamma": parts.discounts(gamma),
        "resolution": resolution,
    }
    return Family("garnet", 1, given, _garnet)


def _garnet(tape: Tape, S: int, A: int, successors: int | None, gamma: Any, resolution: int) -> MDPBatch:
    w = garnet_weights(tape, S, A, successors, resolution)
    R = parts.draw_rewards(tape, S, A)
    return parts.assembled(tape, w, resolution, R, parts.draw_discounts(tape, gamma), tape.key)


def garnet_weights(tape: Tape, S: int, A: int, successors: int | None, resolution: int) -> np.ndarray:
    """(n, S, A, S) weights of Garnet rows, which add up to ``resolution``."""
    k = S if successors is None else successors
    w = parts.spacings(tape, (S, A), k, resolution)
    return w if k == S else parts.scattered(w, parts.subsets(tape, (S, A), k, S), S)


def garnet_sparse(
    seed: int,
    S: int,
    A: int,
    successors: int,
    *,
    gamma: float = 0.99,
    resolution: int = 2**20,
    name: str = "",
) -> MDP:
    """One large Garnet as CSR: ``S * A * successors`` entries at most, drawn at once, the same bits for ever.

    Probabilities are multiples of ``1 / resolution``, a power of two: rows of floats sum to exactly one.
    Rewards are multiples of ``2**-10`` in [-1, 1]. About 80 bytes an entry while drawing.
    """
    parts.sizes(S=(S, 1), A=(A, 1), successors=(successors, 1), resolution=(resolution, 1), seed=(seed, 0))
    if successors > S or S > 2**31 - 1:
        check.fail(f"successors is {successors}, S is {S}: expected successors <= S < 2**31")
    if resolution & (resolution - 1) or resolution > 2**30:
        check.fail(f"resolution is {resolution}: expected a power of two up to 2**30")
    tape = Tape(f"garnet_sparse/1(S={S}, A={A}, successors={successors}, resolution={resolution})", int(seed), 1)
    w = parts.spacings(tape, (S * A,), successors, resolution)[0]
    to = parts.subsets(tape, (S * A,), successors, S)[0]
    R = (tape.integers("R", (S, A), 2049)[0] - 1024) / 1024
    order = np.argsort(to, axis=-1)
    w, to = np.take_along_axis(w, order, axis=-1), np.take_along_axis(to, order, axis=-1)
    used = w > 0
    indptr = np.zeros(S * A + 1, dtype=np.int64)
    np.cumsum(used.sum(axis=-1), out=indptr[1:])
    P = CSR(indptr, to[used].astype(np.int32), w[used] / resolution)
    return MDP(P, R, gamma, name=name or f"{tape.key} seed {seed}")
