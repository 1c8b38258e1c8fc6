"""RF-RL-Explore, RF-Explore-Ent and Reg-EntGame: their plans beside a few lines of NumPy, what they report, what they refuse."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from scipy.special import logsumexp

from tabular import FiniteHorizonMDP
from tabular.exploration import Play, RF_RL_Explore, interact
from tabular.exploration.fast_entropy import maximum_trajectory_entropy, maximum_visitation_entropy
from tabular.exploration.fast_entropy_regular import Reg_EntGame, forecaster_bound
from tabular.exploration.fast_entropy_reward_free import RF_Explore_Ent, entropy_gap_bound
from tabular.exploration.reaching import beta, significance
from tabular.exploration.visits import entropy, trajectory_entropy, visitation_entropy, visits
from tabular.instances.exploration import combination_lock

S, A, H = 4, 2, 3


def model() -> FiniteHorizonMDP:
    """Stages that differ, some transitions impossible."""
    rng = np.random.default_rng(5)
    P = rng.dirichlet(np.full(S, 0.5), size=(H, S, A))
    P[:, 0, 0] = np.eye(S)[1]
    return FiniteHorizonMDP(P, np.zeros((H, S, A)), H=H, rho=[0.5, 0.5, 0, 0], renormalise=True)


def empirical(play: Play) -> tuple[np.ndarray, np.ndarray]:
    """Counts (H, S, A) and transitions (H, S, A, S), uniform where nothing was seen."""
    w = play.world
    N = np.zeros((H * S * A, S))
    np.add.at(N, (np.repeat(np.arange(H * S * A), np.diff(w.indptr)), w.indices), play.counts.seen)
    n = N.sum(axis=1)
    P = np.where(n[:, None] > 0, N / np.maximum(n, 1)[:, None], 1 / S)
    return n.reshape(H, S, A), P.reshape(H, S, A, S)


@pytest.mark.parametrize("before", [0, 1, 5, 60, 65])
def test_targets_come_in_turn_with_optimistic_plans(before: int) -> None:
    play, c = Play(model(), RF_RL_Explore(bonus_scale=0.02), 100, seed=2), 0.02
    play.advance(before)
    n, P = empirical(play)
    play.advance(1)
    j = before % (1 + S * (H - 1))
    g, target = (0, 0) if j == 0 else (1 + (j - 1) // S, (j - 1) % S)
    W = np.eye(S)[target]
    assert (play.policy.pi[g:] == 1 / A).all()
    for h in reversed(range(g)):
        radius = np.log(3 * H * S * A / 0.1) + (S - 1) * np.log(np.e * (1 + n[h] / (S - 1)))
        with np.errstate(divide="ignore"):
            b = np.where(n[h] > 0, c * H * (1 + 0.5 / H) ** 2 * radius / n[h], np.inf)
        Q = np.minimum(1, (1 + 0.5 / H) * P[h] @ W + b)
        W = Q.max(axis=1)
        np.testing.assert_allclose(play.own.V[h], W, rtol=1e-12)
        np.testing.assert_allclose((play.policy.pi[h] * Q).sum(axis=1), W, rtol=1e-12)
        assert sorted(set(play.policy.pi[h].ravel())) == [0, 1]


def test_coverage_is_exact() -> None:
    fh, total = model(), np.zeros((H, S))
    play = Play(fh, RF_RL_Explore(replays=2), 40, record=[40])
    for k in range(40):
        old = play.policy.pi.copy()
        play.advance(1)
        assert k % 3 == 0 or (play.policy.pi == old).all()
        total += visits(fh, play.policy.pi).sum(axis=2)
    best = np.zeros((H, S))
    for g in range(H):
        for s in range(S):
            W = np.eye(S)[s]
            for h in reversed(range(g)):
                W = (fh.stage(h).P @ W).max(axis=1)
            best[g, s] = fh.rho @ W
    np.testing.assert_allclose(play.own.best, best, atol=1e-14)
    np.testing.assert_allclose(play.own.mass[:H], total, rtol=1e-12, atol=1e-14)
    ratios = total[best > 0] / (40 * best[best > 0])
    assert play.history["coverage"][0] == pytest.approx(ratios.min())


def test_what_a_run_is_promised() -> None:
    """Optimism, and the bound that unrolls it; without a bonus they are lost."""
    fh, least = model(), [np.inf, np.inf]
    play = Play(fh, RF_RL_Explore(bonus_scale=0.05), 300, seed=3, record=[300])
    for k in range(300):
        bonus = np.minimum(1, play.own.bonus.reshape(H, S, A))
        play.advance(1)
        j = k % (1 + S * (H - 1))
        if j > 0:
            g, s = 1 + (j - 1) // S, (j - 1) % S
            d, best = visits(fh, play.policy.pi), play.own.best[g, s]
            least[0] = min(least[0], fh.rho @ play.own.V[0] - best)
            least[1] = min(least[1], np.e * (d[g, s].sum() + 2.5 * (d[:g] * bonus[:g]).sum()) - best)
    assert play.history["optimism"][0] == pytest.approx(least[0]) and play.history["margin"][0] == pytest.approx(
        least[1]
    )
    run = interact(fh, RF_RL_Explore(), 300, seeds=3, record=[300])
    assert (run.history["optimism"] >= 0).all() and (run.history["margin"] >= 0).all()
    run = interact(fh, RF_RL_Explore(bonus_scale=0.0), 300, seeds=3, record=[300])
    assert (run.history["optimism"] < 0).all() and (run.history["margin"] < 0).any()


def test_a_lock_is_opened_for_every_state() -> None:
    """Its last place has probability one under some policy, 2^-4 under the uniform one."""
    lock = combination_lock(5, 2)
    run = interact(lock, RF_RL_Explore(bonus_scale=0.02), 4000, seeds=2)
    targets = 1 + lock.S * (lock.H - 1)
    assert (run.history["coverage"][:, -1] > 1 / targets).all()


@pytest.mark.parametrize("last", [False, True])
def test_entropy_is_planned_from_what_was_seen(last: bool) -> None:
    fh = model()
    play = Play(fh, RF_Explore_Ent(last=last), 70, seed=4, record=[70])
    play.advance()
    _, P = empirical(play)
    V = np.zeros(S)
    for h in reversed(range(H)):
        surprise = -(P[h] * np.log(np.where(P[h] > 0, P[h], 1))).sum(axis=-1)
        Q = surprise * (last or h < H - 1) + P[h] @ V
        V = logsumexp(Q, axis=1)
        np.testing.assert_allclose(play.own.upper[h], V, rtol=1e-12)
        np.testing.assert_allclose(play.own.plan[h], np.exp(Q - V[:, None]), rtol=1e-11)
    short = maximum_trajectory_entropy(fh, last=last).lower - trajectory_entropy(fh, play.own.plan, last=last)
    assert play.history["gap"][0] == pytest.approx(short, abs=1e-12) and short > 0


def test_gaps_fall() -> None:
    run = interact(model(), RF_Explore_Ent(), 20_000, seeds=3, record=[20, 200, 2000, 20_000])
    gaps = run.history["gap"].mean(axis=0)
    assert (gaps[1:] < 0.4 * gaps[:-1]).all() and (run.history["gap"] >= -1e-12).all()


@pytest.mark.parametrize("regularised", [False, True])
def test_rounds_of_the_game(regularised: bool) -> None:
    fh, explore, rounds = model(), 11, 12
    play = Play(fh, Reg_EntGame(explore, regularised=regularised), 11 + rounds, seed=1, record=[11, 23])
    play.advance(explore)
    before, total, lost, regret = play.visits.copy(), np.zeros((H, S, A)), 0.0, 0.0
    true = [fh.stage(h).P for h in range(H)]
    for t in range(rounds):
        n, (_, P) = play.visits - before, empirical(play)
        if regularised:
            reward = np.repeat(np.log((t + S) / (n.sum(axis=2, keepdims=True) + 1)), A, axis=2)
        else:
            reward = np.log((t + S * A) / (n + 1))
        play.advance(1)
        pi = play.policy.pi
        V, best, own = np.zeros(S), np.zeros(S), np.zeros(S)
        for h in reversed(range(H)):
            Q, Q_best, Q_own = reward[h] + P[h] @ V, reward[h] + true[h] @ best, reward[h] + true[h] @ own
            if regularised:
                V, best = logsumexp(Q, axis=1), logsumexp(Q_best, axis=1)
                np.testing.assert_allclose(pi[h], np.exp(Q - V[:, None]), rtol=1e-11)
                own = (pi[h] * (Q_own - np.log(pi[h]))).sum(axis=1)
            else:
                V, best, own = Q.max(axis=1), Q_best.max(axis=1), (pi[h] * Q_own).sum(axis=1)
                np.testing.assert_allclose((pi[h] * Q).sum(axis=1), V, rtol=1e-12)
        d = visits(fh, pi)
        total, lost, regret = total + d, lost + (d * reward).sum(), regret + fh.rho @ (best - own)
    mean, h = total / rounds, play.history
    own_entropy = sum(entropy(x.sum(axis=1)) if regularised else entropy(x) for x in mean)
    assert h["visitation_entropy"][1] == pytest.approx(visitation_entropy(mean))
    assert h["forecaster"][1] == pytest.approx(lost / rounds - own_entropy)
    assert h["sampler"][1] == pytest.approx(regret / rounds) and np.isnan(h["sampler"][0])


def test_the_regrets_bound_what_the_mixture_is_short_of() -> None:
    fh = model()
    best = maximum_visitation_entropy(fh)
    for learner in (Reg_EntGame(40), Reg_EntGame(regularised=False)):
        h = interact(fh, learner, 2000, seeds=3, record=[41, 100, 2000]).history
        short = best.lower - h["visitation_entropy"]
        assert (short <= h["forecaster"] + h["sampler"] + 1e-12).all() and (short[:, -1] < 0.02).all()


def test_bounds() -> None:
    assert beta(1, 2, 3, 50, 0.1) == pytest.approx(np.log(180)) and beta(2, 2, 3, 0, 0.1) == pytest.approx(
        np.log(360) + 1
    )
    falls = [entropy_gap_bound(2, 2, 2, 10**n) for n in range(7, 12)]
    assert all(y < 0.2 * x for x, y in pairwise(falls)) and falls[0] > 2 * np.log(4) > falls[-1]
    assert entropy_gap_bound(2, 2, 2, 100, 7) < entropy_gap_bound(2, 2, 2, 100)
    assert significance(2, 2, 2, 10**8) < 0.1 < significance(2, 2, 2, 100)
    falls = [forecaster_bound(4, 3, 10**n) for n in range(6)]
    assert all(y < x for x, y in pairwise(falls)) and falls[-1] < 0.3


REFUSALS: list[tuple[Any, type[Exception], str]] = [
    (lambda: interact(model(), RF_RL_Explore(delta=0.0), 5), ValueError, "delta is 0"),
    (lambda: interact(model(), RF_RL_Explore(bonus_scale=-1), 5), ValueError, "bonus_scale is -1"),
    (lambda: interact(model(), RF_RL_Explore(replays=-1), 5), ValueError, "replays is -1"),
    (lambda: interact(model(), RF_Explore_Ent(last=1), 5), TypeError, "last is 1"),  # type: ignore[arg-type]
    (lambda: interact(model(), RF_Explore_Ent(replays=0.5), 5), TypeError, "replays is 0.5"),  # type: ignore[arg-type]
    (lambda: interact(model(), Reg_EntGame(-1), 5), ValueError, "explore is -1"),
    (lambda: interact(model(), Reg_EntGame(regularised=0), 5), TypeError, "regularised is 0"),  # type: ignore[arg-type]
    (lambda: significance(2, 2, 2, 0), ValueError, "rounds is 0"),
    (lambda: entropy_gap_bound(0, 2, 2, 9), ValueError, "S is 0"),
    (lambda: entropy_gap_bound(2, 2, 2, 9, delta=1.0), ValueError, "delta is 1"),
    (lambda: forecaster_bound(2, 2, 0), ValueError, "T is 0"),
]


@pytest.mark.parametrize(("call", "error", "message"), REFUSALS, ids=[str(i) for i in range(len(REFUSALS))])
def test_bad_input_is_refused(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
