r"""UCRL2: optimism for the average reward, along one stream of steps (Jaksch, Ortner and Auer 2010).

Epoch k begins at step t_k (from 1) with the counts N of the epochs before. Extended value iteration maximises over all models with

.. math:: |\tilde r - \hat r| \le \sqrt{\frac{7 \log(2SAt_k/\delta)}{2\max\{1,N\}}}, \qquad
    \|\tilde p - \hat p\|_1 \le \sqrt{\frac{14 S \log(2At_k/\delta)}{\max\{1,N\}}},

until the changes of its values differ by less than :math:`1/\sqrt{t_k}`; its greedy policy is played until the count
of some pair in the epoch reaches max(1, N). Other widths that hold for all values at once (``KullbackLeibler``,
``Weissman``) may take the place of ``Jaksch``, with the same logarithm of 2At/delta, so without its margin: those of
``KullbackLeibler`` hold for all pairs and steps with probability 1 - S delta/2 (a union over pairs, at t = 1), those of
``Weissman`` with 1 - S (1 + log T) delta/2 (and over counts). Optimistic rewards are capped at 1. Equal actions: the
pair visited least.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from tabular import _border as border
from tabular._kernels import epochs as kernels
from tabular._kernels.interaction import Counts, World
from tabular.errors import NotConverged
from tabular.exploration._world import build_world
from tabular.exploration.learners import probability, unit_rewards
from tabular.exploration.play import POINTS, episodic, over_seeds, seed_list
from tabular.exploration.widths import Jaksch, check_width
from tabular.mdp import MDP
from tabular.planning.average_reward import average_reward, evaluate_average
from tabular.solution import Run

LIMIT = 1_000_000
"""Iterations of extended value iteration in an epoch, beyond which it is given up."""
ROOM = 64


def ucrl2(
    mdp: MDP,
    T: int,
    *,
    delta: float = 0.1,
    width: Any = None,
    known_rewards: bool = False,
    rewards: str = "mean",
    seeds: int | Iterable[int] = 1,
    start: int = 0,
    record: Any = None,
    threads: int | None = None,
) -> Run:
    r"""T steps of UCRL2 on each seed.

    Parameters
    ----------
    mdp : MDP without endings, all actions available, rewards in [0, 1]; its discount is ignored.  delta : in (0, 1).
    width : None for ``Jaksch()``.  known_rewards : plan with the true mean rewards.
    rewards : ``"mean"``, or ``"bernoulli"`` for draws with these means.  seeds, threads : as in ``interact``.
    start : the first state.  record : steps of the curves, in 1 ... T; None: 64, evenly in their logarithm.

    Returns
    -------
    Run with ``history``: ``step`` (n,), and (seeds, n): ``regret``, :math:`t\rho^* - \sum r`, and ``gain_regret``,
    the sum over steps of :math:`\rho^*` minus the exact gain of the policy played (from the state in which its epoch
    began), which has no sampling noise. ``result``: ``visits`` (seeds, S, A), ``epochs`` (seeds,). ``info``:
    ``gain``, the optimal :math:`\rho^*` from the start; ``diaries``, for each seed the epochs: ``act`` (n, S),
    ``start``, ``state``, the optimistic ``gain`` and the ``span`` of the optimistic values (n,); ``gains``, for each
    seed the exact gains of the policies (n,).

    Raises
    ------
    NotConverged where extended value iteration takes more than 10^6 iterations; TypeError, ValueError (ModelError).

    Cost: an iteration of extended value iteration is O(nnz) to O(nnz m) for rows of m successors; a linear system for
    each new policy.
    """
    border.expect(mdp, "ucrl2", "MDP")
    border.count(T, "T")
    border.count(start, "start", 0)
    if start >= mdp.S:
        raise ValueError(f"start is {start}: states are 0 ... {mdp.S - 1}")
    probability(delta)
    width = Jaksch() if width is None else width
    check_width(width)
    border.flag(known_rewards, "known_rewards")
    model = episodic(mdp, 1, rho=np.eye(mdp.S)[start])
    unit_rewards(model, "UCRL2")
    world = build_world(model, T, rewards, False)
    names = seed_list(seeds)
    marks = np.array(border.marks(record, T, POINTS), dtype=np.int64)
    if threads is not None:
        border.count(threads, "threads")
    best = float(average_reward(mdp).gain[start])

    def play(seed: int) -> tuple[Any, ...]:
        return _play(world, width, known_rewards, delta, seed, start, T, marks)

    _play(world, width, known_rewards, delta, names[0], start, 0, marks)  # compiled once, before threads ask for it
    rows = over_seeds(play, names, threads)
    gains = [_gains(mdp, diary) for _, diary, _ in rows]
    history = {
        "step": marks,
        "regret": np.stack([marks * best - curve for curve, _, _ in rows]),
        "gain_regret": np.stack([_summed(best - g, row[1].start, marks) for g, row in zip(gains, rows, strict=True)]),
    }
    result = {
        "visits": np.stack([visits for _, _, visits in rows]).reshape(-1, mdp.S, mdp.A),
        "epochs": np.array([len(diary.start) for _, diary, _ in rows]),
    }
    info = {"gain": best, "T": int(T), "delta": delta, "width": width, "seeds": names, "gains": gains}
    info["diaries"] = [diary._asdict() for _, diary, _ in rows]
    return Run(result, history, names[0] if len(names) == 1 else None, info)


def _play(
    world: World, width: Any, known: bool, delta: float, seed: int, start: int, T: int, marks: np.ndarray
) -> tuple[np.ndarray, kernels.Diary, np.ndarray]:
    rows, S = len(world.R), world.S
    counts = Counts(np.zeros(rows, dtype=np.int64), np.zeros(rows), np.zeros(len(world.indices)), np.zeros(rows))
    scratch = kernels.Scratch(np.zeros(rows, dtype=np.int64), np.zeros(rows), np.zeros(S), np.zeros(S))
    key = np.random.SeedSequence(seed).generate_state(2, np.uint64)
    curve, collected = np.zeros(len(marks)), np.zeros(1)
    place = np.array([0, start, 0, 0], dtype=np.int64)
    diary = _diary(ROOM, S)
    while True:
        status = kernels.epochs(
            width, known, float(delta), world, counts, key, int(T), LIMIT, marks, curve, diary, scratch, place, collected
        )  # fmt: skip
        if status == kernels.STUCK:
            raise NotConverged(f"extended value iteration before step {place[0] + 1} took more than {LIMIT} iterations")
        if status == kernels.DONE:
            n = place[kernels.EPOCHS]
            return curve, kernels.Diary(*(x[:n] for x in diary)), counts.visits
        longer = _diary(2 * len(diary.start), S)
        for new, old in zip(longer, diary, strict=True):
            new[: len(old)] = old
        diary = longer


def _diary(n: int, S: int) -> kernels.Diary:
    whole = np.zeros((2, n), dtype=np.int64)
    return kernels.Diary(np.zeros((n, S), dtype=np.int64), whole[0], whole[1], np.zeros(n), np.zeros(n))


def _gains(mdp: MDP, diary: kernels.Diary) -> np.ndarray:
    """The exact gain of each epoch's policy from the state in which the epoch began."""
    known: dict[bytes, np.ndarray] = {}
    out = np.empty(len(diary.start))
    for e, act in enumerate(diary.act):
        name = act.tobytes()
        if name not in known:
            known[name] = evaluate_average(mdp, act).gain
        out[e] = known[name][diary.state[e]]
    return out


def _summed(loss: np.ndarray, starts: np.ndarray, marks: np.ndarray) -> np.ndarray:
    """Sums of a loss a step that is constant on epochs, over the steps up to each mark."""
    lengths = np.clip(marks[:, None] - starts, 0, np.append(np.diff(starts), np.iinfo(np.int64).max))
    total: np.ndarray = lengths @ loss
    return total
