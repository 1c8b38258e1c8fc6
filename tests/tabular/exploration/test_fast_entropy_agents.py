"""EntGame and UCBVI-Ent: their plans beside a few lines of NumPy, and what they learn."""

from __future__ import annotations

import numpy as np
import pytest

from tabular.exploration import Play, episodic, interact
from tabular.exploration.fast_entropy import maximum_pooled_entropy, maximum_trajectory_entropy
from tabular.exploration.fast_entropy_agents import EntGame, UCBVI_Ent
from tabular.exploration.visits import pooled_entropy, trajectory_entropy, visitation_entropy, visits
from tabular.instances import garnet
from tabular.instances.exploration import double_chain

H = 4


def model():
    mdp = garnet(5, 3).member(2, 1)
    return episodic(mdp, H, rho=np.eye(5)[0])


def empirical(play: Play) -> tuple[np.ndarray, np.ndarray]:
    """Counts (S, A) and transitions (S, A, S), uniform where nothing was seen."""
    w = play.world
    P = np.zeros((w.S * w.A, w.S))
    owner = np.repeat(np.arange(w.S * w.A), np.diff(w.indptr))
    np.add.at(P, (owner, w.indices), play.counts.seen)
    n = P.sum(axis=1)
    P = np.where(n[:, None] > 0, P / np.maximum(n, 1)[:, None], 1 / w.S)
    return n.reshape(w.S, w.A), P.reshape(w.S, w.A, w.S)


def logsumexp(Q: np.ndarray) -> np.ndarray:
    return np.log(np.exp(Q - Q.max()).sum(axis=-1)) + Q.max()


@pytest.mark.parametrize("clip", [False, True])
@pytest.mark.parametrize("before", [0, 1, 40])
def test_plans_of_entgame(before: int, clip: bool) -> None:
    play = Play(model(), EntGame(bonus_scale=0.03, clip=clip), 50, seed=3)
    play.advance(before)
    n, P = empirical(play)
    play.advance(1)
    S, A = n.shape
    log_all = np.log(before * H + S * A)
    beta = np.log(4 * S * A * H / 0.1) + (S - 1) * np.log(np.e * (1 + n / (S - 1)))
    V = np.zeros(S)
    for h in reversed(range(H)):
        most = log_all * (H - h)
        Q = log_all - np.log(n + 1) + 0.03 * most * np.sqrt(beta / np.maximum(n, 1)) + P @ V
        np.testing.assert_allclose(play.own.Q[h].reshape(S, A), Q, rtol=1e-12)
        V = np.minimum(Q.max(axis=1), most) if clip else Q.max(axis=1)
        np.testing.assert_allclose(play.own.V[h], V, rtol=1e-12)
        chosen = Q[np.arange(S), play.policy.act[h]]
        np.testing.assert_allclose(chosen, Q.max(axis=1), rtol=1e-12)


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("before", [0, 1, 40])
def test_plans_of_ucbvi_ent(before: int, last: bool) -> None:
    fh, c = model(), 0.1
    play = Play(fh, UCBVI_Ent(bonus_scale=c, last=last), 50, seed=3)
    play.advance(before)
    n, P = empirical(play)
    play.advance(1)
    (S, A), m = n.shape, np.maximum(n, 1)
    L = np.log(4 * S * A * H / 0.1)
    entropy = -(P * np.log(np.where(P > 0, P, 1))).sum(axis=-1)
    first = c * np.sqrt((L + np.log(4 * np.e * m * (2 * n + 1))) / m)
    rest = c * np.sqrt((L + np.log(m) ** 2 * np.log(2 * m * (n + 1))) / m)
    rest = rest + c * ((S - 1) * np.log(np.e * (1 + n / (S - 1))) + 1) / m
    V = np.zeros(S)
    for h in reversed(range(H)):
        most = (H - h) * np.log(S * A)
        Q = (entropy + rest) * (last or h < H - 1) + most * first + P @ V
        np.testing.assert_allclose(play.own.Q[h].reshape(S, A), Q, rtol=1e-12)
        np.testing.assert_allclose(play.policy.pi[h], np.exp(Q - logsumexp(Q)[:, None]), rtol=1e-11)
        V = np.minimum(logsumexp(Q), most)
        np.testing.assert_allclose(play.own.V[h], V, rtol=1e-12)
    assert play.value == pytest.approx(trajectory_entropy(fh, play.policy.pi, last=last), rel=1e-12)
    assert play.world.best == pytest.approx(maximum_trajectory_entropy(fh, last=last).lower, rel=1e-9)


def test_the_mixture_of_entgame_is_known_exactly() -> None:
    fh = model()
    play, total = Play(fh, EntGame(bonus_scale=0.0), 30, seed=1, record=[30]), np.zeros((H, fh.S, fh.A))
    for _ in range(30):
        play.advance(1)
        total += visits(fh, play.policy.act)
    np.testing.assert_allclose(play.own.total.reshape(total.shape), total, rtol=1e-12, atol=1e-14)
    assert play.history["pooled_entropy"][0] == pytest.approx(pooled_entropy(total / 30))
    assert play.history["visitation_entropy"][0] == pytest.approx(visitation_entropy(total / 30))


def test_optimism_is_that_of_the_values() -> None:
    play, least = Play(model(), UCBVI_Ent(), 20, record=[20]), np.inf
    for _ in range(20):
        play.advance(1)
        least = min(least, (play.own.V - play.world.V_star)[:-1].min())
    assert play.history["optimism"][0] == least >= 0


def test_they_learn_on_the_double_chain() -> None:
    """Short: 1,000 episodes of 20 steps. EntGame without bonus comes near the pooled optimum, UCBVI-Ent near its own,
    which it leaves after the first episode: the uniform policy is the best here."""
    fh = episodic(double_chain(31, fail=0.1, gamma=1), 20)
    best = maximum_pooled_entropy(fh, tol=1e-2)
    game = interact(fh, EntGame(bonus_scale=0.0), 1000, seeds=2)
    random = pooled_entropy(visits(fh, np.full((20, fh.S, fh.A), 1 / fh.A)))
    assert (game.history["pooled_entropy"][:, -1] > best.lower - 0.1).all()
    assert (game.history["pooled_entropy"][:, -1] > random + 0.1).all()
    soft = interact(fh, UCBVI_Ent(bonus_scale=0.0), 1000, seeds=2)
    gaps = soft.info["V_star"][0] @ fh.rho - soft.history["value"]
    assert (gaps >= -1e-9).all() and (gaps[:, -1] < 0.1).all() and gaps.max() > 3


def test_refusals() -> None:
    fh = model()
    with pytest.raises(ValueError, match="delta is 1"):
        interact(fh, EntGame(delta=1.0), 5)
    with pytest.raises(ValueError, match="bonus_scale is -1"):
        interact(fh, UCBVI_Ent(bonus_scale=-1.0), 5)
    with pytest.raises(TypeError, match="clip is 1"):
        interact(fh, EntGame(clip=1), 5)
