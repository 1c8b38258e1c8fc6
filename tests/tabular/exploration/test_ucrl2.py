"""UCRL2 against a twin in plain NumPy, and what its analysis says of every epoch."""

from __future__ import annotations

from math import log, sqrt
from typing import Any

import numpy as np
import pytest

from tabular import MDP, FiniteHorizonMDP, ModelError, average_reward, evaluate_average
from tabular.exploration import Hoeffding, KullbackLeibler, Weissman, ucrl2
from tabular.exploration._world import build_world
from tabular.exploration.learners import probability
from tabular.exploration.play import episodic
from tabular.instances import river_swim, two_state_gadget
from tests.tabular.exploration.test_twins import Stream, ball, pick


def twin(
    mdp: MDP, T: int, delta: float, seed: int, known: bool, played: np.ndarray
) -> tuple[list[int], list[np.ndarray], float]:
    """Starts of epochs, their policies, and the sum of the mean rewards. Of actions equal up to rounding, those played."""
    S, A = mdp.S, mdp.A
    world = build_world(episodic(mdp, 1, rho=np.eye(S)[0]), T, "mean", False)
    N, earned = np.zeros((S, A, S)), np.zeros((S, A))
    s = t = 0
    starts, policies, total = [], [], 0.0
    while t < T:
        n = N.sum(-1)
        m = np.maximum(n, 1)
        r = np.minimum(1, earned / m + np.sqrt(7 * log(2 * S * A * (t + 1) / delta) / (2 * m)))
        r = mdp.rewards if known else r
        radius = np.sqrt(14 * S * log(2 * A * (t + 1) / delta) / m)
        u = np.zeros(S)
        while True:
            Q = r + [
                [ball(N[i, a] / m[i, a], u, radius[i, a]) if n[i, a] else u.max() for a in range(A)] for i in range(S)
            ]
            new = Q.max(-1)
            if np.ptp(new - u) < 1 / sqrt(t + 1):
                break
            u = new - new.min()
        act = np.array([min(range(A), key=lambda a, i=i: (-Q[i, a], n[i, a], a)) for i in range(S)])
        other = played[len(starts)]
        assert Q[range(S), other] == pytest.approx(Q.max(-1), abs=1e-10)
        ties = (np.sort(Q, axis=-1)[:, -1] - np.sort(Q, axis=-1)[:, -2]) < 1e-10
        act = np.where(ties, other, act)
        starts.append(t)
        policies.append(act)
        before = n
        while t < T and N.sum(-1)[s, act[s]] - before[s, act[s]] < max(1, before[s, act[s]]):
            a = act[s]
            row = s * A + a
            of = slice(world.indptr[row], world.indptr[row + 1])
            to = int(world.indices[of][pick(world.chance[of], world.alias[of], Stream(seed, t, 0).word(0))])
            N[s, a, to] += 1
            earned[s, a] += mdp.rewards[s, a]
            total += mdp.rewards[s, a]
            s, t = to, t + 1
    return starts, policies, total


@pytest.mark.parametrize("known", [False, True], ids=["estimated", "known"])
def test_it_is_its_twin(known: bool) -> None:
    mdp, T = river_swim(4), 1500
    run = ucrl2(mdp, T, delta=0.1, known_rewards=known, seeds=[3], record=[T])
    diary = run.info["diaries"][0]
    starts, policies, total = twin(mdp, T, 0.1, 3, known, diary["act"])
    assert diary["start"].tolist() == starts
    np.testing.assert_array_equal(diary["act"], policies)
    assert run.history["regret"][0, 0] == pytest.approx(T * run.info["gain"] - total, abs=1e-9)
    lengths = np.diff([*starts, T])
    gains = [evaluate_average(mdp, pi).gain[0] for pi in policies]
    expected = float(lengths @ (run.info["gain"] - np.array(gains)))
    assert run.history["gain_regret"][0, 0] == pytest.approx(expected, abs=1e-9)


def test_epochs_are_few_and_optimistic() -> None:
    mdp, T = two_state_gadget(3, 0.2, 0.1), 20_000
    best = float(average_reward(mdp).gain[0])
    assert best == pytest.approx(0.3 / 0.5)
    run = ucrl2(mdp, T, seeds=4, rewards="bernoulli")
    pairs = mdp.S * mdp.A
    assert (run.result["visits"].sum((1, 2)) == T).all()
    assert (run.result["epochs"] <= 1 + 2 * pairs + pairs * np.log2(T / pairs)).all()
    for diary in run.info["diaries"]:
        assert (diary["gain"] >= best - 1 / np.sqrt(diary["start"] + 1)).all()
        assert (np.diff(diary["start"]) > 0).all()
        assert (diary["span"] <= 1 / 0.2 + 1e-9).all()  # the diameter: from 1 to 0 it takes 1 / delta steps


def test_narrower_widths_lose_less_and_threads_change_nothing() -> None:
    mdp = river_swim(4)
    runs = [ucrl2(mdp, 20_000, width=w, seeds=3, rewards="bernoulli") for w in (None, Weissman(), KullbackLeibler())]
    lost = [run.history["gain_regret"][:, -1].mean() for run in runs]
    assert lost[0] > lost[1] > 0 and lost[0] > lost[2] > 0
    again = ucrl2(mdp, 20_000, seeds=[2, 1], rewards="bernoulli", threads=2)
    for name in ("regret", "gain_regret"):
        np.testing.assert_array_equal(again.history[name], runs[0].history[name][[2, 1]])


REFUSALS = [
    (lambda m: ucrl2(FiniteHorizonMDP(m.P, m.R, H=2), 5), TypeError, "takes an MDP"),
    (lambda m: ucrl2(m, 0), ValueError, "T is 0"),
    (lambda m: ucrl2(m, 5, delta=0), ValueError, "delta is 0"),
    (lambda m: ucrl2(m, 5, start=6), ValueError, "start is 6"),
    (lambda m: ucrl2(m, 5, width=0.5), TypeError, "0.5 is no width"),
    (lambda m: ucrl2(m, 5, width=Hoeffding(-1)), ValueError, "scale of the width"),
    (lambda m: ucrl2(m, 5, known_rewards=1), TypeError, "known_rewards"),
    (lambda m: ucrl2(m, 5, rewards="exact"), ValueError, "rewards is"),
    (lambda m: ucrl2(m, 5, seeds=[]), ValueError, "at least one"),
    (lambda m: ucrl2(m, 5, threads=0), ValueError, "threads is 0"),
    (lambda m: ucrl2(MDP(m.P, m.R + 1, 0.5), 5), ModelError, "rewards in"),
    (lambda m: ucrl2(MDP([[[0.5]]], [[0.5]], 0.5, end=[[0.5]]), 5), ModelError, "end"),
    (lambda m: probability(1.0), ValueError, "below one"),
]


@pytest.mark.parametrize(("call", "error", "message"), REFUSALS, ids=[str(i) for i in range(len(REFUSALS))])
def test_bad_input_is_refused(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call(river_swim())
