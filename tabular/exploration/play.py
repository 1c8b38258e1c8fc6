"""Learners that play a finite-horizon model, with the exact value of every policy that they play.

Regret is :math:`\\sum_k \\rho \\cdot (V^* - V^{\\pi_k})`, without sampling noise: ``pi_k`` is evaluated in the true model before
episode k, unless it is the policy of the episode before. What an episode draws is a function of (seed, episode, step) alone:
the same on any number of threads, for any learner, whatever it was asked before.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from tabular import _border as border
from tabular._kernels import interaction as kernels
from tabular.exploration._world import build_world
from tabular.exploration.learners import kind_of
from tabular.finite_horizon import FiniteHorizonMDP
from tabular.mdp import MDP
from tabular.solution import Run

POINTS = 64
"""Episodes recorded where none are named."""
COLUMNS = ("episode", "regret", "value", "reward")


def episodic(mdp: MDP, H: int, *, rho: Any = None) -> FiniteHorizonMDP:
    """H steps of a model, without discount; its start distribution unless ``rho`` is given.

    Raises ModelError, TypeError, ValueError as ``FiniteHorizonMDP``.
    """
    border.expect(mdp, "episodic", "MDP")
    border.count(H, "H")
    return FiniteHorizonMDP._repeated(mdp, int(H), rho, mdp.name)


class Play:
    """One learner, one seed: as many episodes as one asks for, to look at in between.

    Parameters
    ----------
    model : FiniteHorizonMDP with all actions available and a start distribution; without endings, discount or terminal values.
    learner : an instance of a registered class.  K : episodes in all, as the learner's logarithms have it.  seed : integer >= 0.
    rewards : ``"mean"``, or ``"bernoulli"`` for draws with these means, which must lie in [0, 1].
    record : episodes, counted from 1, after which a row of the curves is kept; None: 64 of them, evenly in their logarithm.

    Attributes
    ----------
    own : the learner's arrays, counts, policy : NamedTuples of arrays, live; see ``tabular._kernels.interaction``. Row
    ``h*stride + s*A + a`` of the counts has the successors ``world.indices[world.indptr[row]: ...]``.
    world : the model.  episode : episodes played.  stopped : whether the learner ended the run.

    Raises
    ------
    TypeError, ValueError (ModelError) naming what is wrong.
    """

    def __init__(
        self, model: Any, learner: Any, K: int, seed: int = 0, *, rewards: str = "mean", record: Any = None
    ) -> None:
        world = world_of(model, learner, K, rewards)
        self._begin(learner, world, seed, np.array(border.marks(record, K, POINTS)))

    def _begin(self, learner: Any, world: kernels.World, seed: int, marks: np.ndarray) -> None:
        border.count(seed, "seed", 0)
        kind = kind_of(learner)
        rows, nnz = len(world.R), len(world.indices)
        self.learner, self.world, self.seed, self.episode = learner, world, int(seed), 0
        self.counts = kernels.Counts(np.zeros(rows, dtype=np.int64), np.zeros(rows), np.zeros(nnz), np.zeros(rows))
        shape = (world.H, world.S, world.A) if kind.stochastic else (1, 1, 1)
        self.policy = kernels.Policy(
            np.zeros((world.H, world.S), dtype=np.int64), np.zeros(shape), np.zeros((world.H + 1, world.S))
        )
        self.own = kind.workspace(learner, world)
        curve = np.full((len(marks), len(COLUMNS) + len(kind.quantities)), np.nan)
        places = np.array([0, 0, -1, 0], dtype=np.int64)
        self.book = kernels.Book(marks.astype(np.int64), curve, np.zeros(3), places)
        self._key = np.random.SeedSequence(self.seed).generate_state(2, np.uint64)
        self._quantities = kind.quantities

    def advance(self, n: int | None = None) -> int:
        """Play n more episodes (None: all that are left); how many were played. ValueError beyond K."""
        left = self.world.K - self.episode
        if n is None:
            n = left
        border.count(n, "n", 0)
        if n > left:
            raise ValueError(f"n is {n}: {left} episodes are left of K = {self.world.K}")
        if self.stopped or n == 0:
            return 0
        before, self.episode = self.episode, self._run(int(n))
        return self.episode - before

    def _run(self, n: int) -> int:
        """The episode before which it came to an end."""
        last = kernels.episodes(
            self.learner, self.world, self.counts, self.own, self.policy, self._key, self.book, self.episode,
            self.episode + n,
        )  # fmt: skip
        return int(last)

    @property
    def stopped(self) -> bool:
        return bool(self.book.places[kernels.STOPPED] >= 0)

    @property
    def regret(self) -> float:
        """Of the episodes played, in units of reward."""
        return float(self.book.sums[kernels.REGRET])

    @property
    def value(self) -> float:
        """Of the policy played last, from the start distribution."""
        return float(self.book.sums[kernels.VALUE])

    @property
    def visits(self) -> np.ndarray:
        """(1 or H, S, A) int64: visits of pairs so far."""
        return self.counts.visits.reshape(-1, self.world.S, self.world.A)

    @property
    def history(self) -> dict[str, np.ndarray]:
        """Curves, one entry for each recorded episode; NaN where the run has not come."""
        names = (*COLUMNS, *self._quantities)
        return {name: self.book.curve[:, i].copy() for i, name in enumerate(names)}


def interact(
    model: Any,
    learner: Any,
    K: int,
    *,
    seeds: int | Iterable[int] = 1,
    rewards: str = "mean",
    record: Any = None,
    keep: Sequence[str] = (),
    threads: int | None = None,
) -> Run:
    """Run a learner for K episodes on each seed.

    Parameters
    ----------
    model, learner, rewards, record : as in ``Play``.  seeds : integers >= 0, or how many of 0, 1, 2, ...
    keep : names of the learner's arrays (fields of its ``own``), of ``seen``, ``act`` or ``pi``, to be returned as they
        are at the end.  threads : over seeds; None: as many as there are processors. They change no bit.

    Returns
    -------
    Run with ``history``: ``episode`` (n,), and (seeds, n) each, in units of reward: ``regret``, the sum of V* - V of the
    policies played; ``value`` of the last policy; ``reward``, the sum of what came; and the learner's own quantities. NaN
    after a learner stopped. ``result``: ``episodes`` (seeds,) played, ``stopped`` (seeds,), ``evaluations`` (seeds,) policies
    evaluated, ``visits`` (seeds, 1 or H, S, A), ``total_regret`` (seeds,), and what ``keep`` names. ``info``: ``V_star``, ``K``.

    Raises
    ------
    TypeError, ValueError (ModelError) naming what is wrong, before anything is played.

    Cost: each episode that of the learner's plan, plus the evaluation of its policy (O(nnz / A) a stage) where it changed.
    Memory: O(model + learner + recorded points) for each thread, and the result.
    """
    kind = kind_of(learner)
    world = world_of(model, learner, K, rewards)
    names = seed_list(seeds)
    marks = np.array(border.marks(record, K, POINTS), dtype=np.int64)
    if threads is not None:
        border.count(threads, "threads")
    first = object.__new__(Play)
    first._begin(learner, world, names[0], marks)
    kept = _kept(first, keep)

    first._run(0)  # compiled once, before threads ask for it

    def play(seed: int) -> tuple[Any, ...]:
        one = object.__new__(Play)
        one._begin(learner, world, seed, marks)
        one.advance()
        return one.book, one.counts.visits, one.episode, [np.array(_lookup(one, name)) for name in kept]

    rows = over_seeds(play, names, threads)
    curves = np.stack([row[0].curve for row in rows])
    history: dict[str, np.ndarray] = {"episode": marks}
    history |= {name: curves[:, :, i] for i, name in enumerate((*COLUMNS, *kind.quantities)) if i}
    result = {
        "episodes": np.array([row[2] for row in rows]),
        "stopped": np.array([row[0].places[kernels.STOPPED] >= 0 for row in rows]),
        "evaluations": np.array([row[0].places[kernels.EVALUATIONS] for row in rows]),
        "total_regret": np.array([row[0].sums[kernels.REGRET] for row in rows]),
        "visits": np.stack([row[1] for row in rows]).reshape(len(rows), -1, world.S, world.A),
    }
    result |= {name: np.stack([row[3][i] for row in rows]) for i, name in enumerate(kept)}
    info = {"learner": learner, "K": int(K), "seeds": names, "V_star": world.V_star, "rewards": rewards}
    return Run(result, history, names[0] if len(names) == 1 else None, info)


def world_of(model: Any, learner: Any, K: int, rewards: str = "mean") -> kernels.World:
    """The model as the kernels read it, for this learner; refusals as ``interact`` has them."""
    kind = kind_of(learner)
    who = type(learner).__name__
    border.expect(model, who, "FiniteHorizonMDP")
    if not kind.per_step and not model.is_stationary:
        raise ValueError(f"{who} pools its counts over steps: the stages of the model must agree")
    if kind.check is not None:
        kind.check(learner, model)
    world = build_world(model, K, rewards, kind.per_step)
    return world if kind.prepare is None else kind.prepare(learner, world, model)


def over_seeds(play: Callable[[int], Any], names: list[int], threads: int | None) -> list[Any]:
    """What ``play`` gives for each seed, in their order; compiled loops run beside each other."""
    many = min(len(names), threads or os.cpu_count() or 1)
    if many == 1:
        return [play(seed) for seed in names]
    with ThreadPoolExecutor(many) as pool:
        return list(pool.map(play, names))


def seed_list(seeds: Any) -> list[int]:
    """Given seeds, or 0, 1, ... if a number of them is given; TypeError, ValueError for anything else."""
    if not isinstance(seeds, Iterable):
        border.count(seeds, "seeds")
        return list(range(int(seeds)))
    names = list(seeds)
    for seed in names:
        border.count(seed, "a seed", 0)
    if len(set(names)) < len(names) or not names:
        raise ValueError(f"seeds are {names}: expected different ones, and at least one")
    return [int(seed) for seed in names]


def _kept(play: Play, keep: Any) -> list[str]:
    known = [*play.own._fields, "seen", "pi" if kind_of(play.learner).stochastic else "act"]
    if not isinstance(keep, Iterable):
        raise TypeError(f"keep is {keep!r}: expected names of arrays")
    names = [keep] if isinstance(keep, str) else list(keep)
    for name in names:
        if name not in known:
            raise ValueError(f"keep names {name!r}: expected some of {', '.join(known)}")
    return names


def _lookup(play: Play, name: str) -> Any:
    places = (play.own, play.policy, play.counts)
    return next(getattr(x, name) for x in places if hasattr(x, name))
