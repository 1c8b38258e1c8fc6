"""A generative model: a simulator that is asked for ``n`` fresh draws from every pair at once, and answers with counts.

How often each successor came is all that an average needs, so no single state is ever stored: a million draws from a
pair cost no more than a few hundred. What is drawn for a pair is a function of ``(seed, step, pair)`` alone, so that
answers have the same bits on any number of threads and in any order. ``n`` draws of a row with ``m`` successors
have its multinomial law up to rounding: ``m 2**-51`` in total variation for each draw. Source of the setting: Kearns and Singh
1999; Azar, Munos and Kappen 2013.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tabular import _border as border
from tabular import _validate as check
from tabular._jit import threads as allowed
from tabular.mdp import MDP

MOST = 2**31 - 1
LAST = 2**63 - 1
THREADS_ABOVE = 200_000
"""Entries of the model, or draws of an answer, beyond which all threads are used."""


class GenerativeModel:
    """Draws of next states from every available pair of a model.

    Parameters
    ----------
    mdp : ``MDP``, dense or CSR.  seed : integer >= 0, the root of all draws.
    threads : of the compiled loops; None: as many as Numba has where there is work for them. They change no bit.

    Attributes
    ----------
    indptr (S*A + 1,), indices : the successors of each pair, row ``s*A + a``; index S is the end of the process.
    Unavailable pairs have none. mdp, seed, S, A, pairs : the model, its sizes, and its number of available pairs.

    Raises
    ------
    TypeError, ValueError for bad arguments.

    >>> mdp = MDP([[[0.5, 0.5]], [[0.0, 1.0]]], [[1.0], [0.0]], 0.9)
    >>> int(GenerativeModel(mdp, seed=1).counts(10).sum())
    20
    """

    def __init__(self, mdp: MDP, seed: int, *, threads: int | None = None) -> None:
        from tabular._kernels import sampling

        border.expect(mdp, "GenerativeModel", "MDP")
        border.count(seed, "seed", 0)
        if threads is not None:
            border.count(threads, "threads", 1)
        self.mdp, self.seed, self.S, self.A = mdp, int(seed), mdp.S, mdp.A
        self.pairs = int(mdp.mask.sum())
        self.threads = threads
        self.indptr, self.indices, self._mass = successor_rows(mdp)
        size = len(self.indices)
        self._tail, self._chance = np.empty(size), np.empty(size)
        self._alias = np.empty(size, dtype=np.int32)
        sampling.alias_tables(
            self.indptr, self._mass, self._tail, self._chance, self._alias, np.empty(size, dtype=np.int64)
        )
        self._key = np.random.SeedSequence(self.seed).generate_state(2, np.uint64)
        self._counts = np.empty(size, dtype=np.int64)

    def draw(self, n: int, step: int = 0) -> np.ndarray:
        """(nnz,) int64: how often each successor in ``indices`` came in ``n`` draws from its pair; the next call overwrites it.

        Draws of another ``step`` (an integer >= 0) are independent. O(nnz) once ``n`` exceeds twice the number of successors.
        """
        from tabular._kernels import sampling

        border.count(n, "n", 1)
        border.count(step, "step", 0)
        if n > MOST:
            raise ValueError(f"n is {n}: at most {MOST} draws from a pair in one answer")
        if step > LAST:
            raise ValueError(f"step is {step}: at most {LAST}")
        parallel, count = self._threads(min(n, 2 * self.S) * self.pairs)
        kernel = sampling.counts_parallel if parallel else sampling.counts
        with allowed(count):
            kernel(
                self.indptr,
                self._mass,
                self._tail,
                self._chance,
                self._alias,
                int(n),
                self._key,
                int(step),
                self._counts,
            )
        return self._counts

    def counts(self, n: int, step: int = 0) -> np.ndarray:
        """(S, A, S + 1) int64: the same as an array, the end of the process last; zero where unavailable."""
        out = np.zeros((self.S * self.A, self.S + 1), dtype=np.int64)
        out[np.repeat(np.arange(self.S * self.A), np.diff(self.indptr)), self.indices] = self.draw(n, step)
        return out.reshape(self.S, self.A, self.S + 1)

    def mean(self, V: Any, n: int, step: int = 0) -> np.ndarray:
        """(S, A): averages of ``V`` (S,) over ``n`` draws of the next state, the end being worth nothing; zero where
        unavailable.
        """
        from tabular._kernels import sampling

        V = check.float_array(V, "V")
        if V.shape != (self.S,):
            raise ValueError(f"V has shape {V.shape}: expected ({self.S},)")
        check.check_finite(V, "V")
        drawn, out = self.draw(n, step), np.empty(self.S * self.A)
        parallel, count = self._threads(len(drawn))
        kernel = sampling.mean_values_parallel if parallel else sampling.mean_values
        with allowed(count):
            kernel(self.indptr, self.indices, drawn, np.append(V, 0.0), int(n), out)
        return out.reshape(self.S, self.A)

    def empirical(self, n: int, step: int = 0, *, rewards: Any = None, gamma: Any = None) -> MDP:
        """The model with its transitions estimated from ``n`` draws of each pair (maximum likelihood): dense, the same rewards
        and discount, unless (S, A) ``rewards`` or another ``gamma`` are given.
        """
        probability = self.counts(n, step) / n
        end = probability[..., self.S]
        return MDP(
            np.ascontiguousarray(probability[..., : self.S]),
            np.where(self.mdp.mask, self.mdp.rewards if rewards is None else rewards, -np.inf),
            self.mdp.gamma if gamma is None else gamma,
            end=end.copy() if end.any() else None,
            rho=self.mdp.rho,
            name=self.mdp.name,
            renormalise=True,
        )

    def _threads(self, work: int) -> tuple[bool, int | None]:
        parallel = max(work, len(self.indices)) > THREADS_ABOVE if self.threads is None else self.threads > 1
        return parallel, self.threads


def successor_rows(mdp: MDP) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Successors of each pair with positive probability, the end as one more: indptr, indices, masses."""
    P, end = mdp.csr(), mdp.end.ravel()
    owner = np.repeat(np.arange(mdp.S * mdp.A), np.diff(P.indptr))
    kept = P.data > 0
    row = np.concatenate([owner[kept], np.flatnonzero(end > 0)])
    indices = np.concatenate([P.indices[kept], np.full(int((end > 0).sum()), mdp.S)])
    mass = np.concatenate([P.data[kept], end[end > 0]])
    order = np.lexsort((indices, row))
    indptr = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=mdp.S * mdp.A))]).astype(np.int64)
    return indptr, indices[order].astype(np.int32), np.ascontiguousarray(mass[order])
