"""MVI(q) and value iteration with a moving Tsallis divergence: written-out recursions, MDVI at ``q = 1``, limits, refusals."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tabular import MDP, ModelError, Shannon, evaluate_policy, solve
from tabular.planning.tsallis_mvi import mvi_policy, mvi_step, tsallis_kl_value_iteration, tsallis_mvi
from tabular.reference import BallOps, EnclosureOps, NumpyOps


def a_model(seed: int = 0, masked: bool = True) -> MDP:
    rng = np.random.default_rng(seed)
    P, R = rng.dirichlet(np.ones(4), (4, 3)), rng.normal(size=(4, 3))
    if masked:
        R[1, 2] = -np.inf
    return MDP(P, R, 0.75)


def written_out(mdp: MDP, tau: float, alpha: float, K: int) -> np.ndarray:
    """Munchausen value iteration at ``q = 1``, with plain exponentials."""
    P, R, mask = mdp.P, mdp.rewards, mdp.mask
    Q = np.zeros(R.shape)
    for _ in range(K):
        e = np.where(mask, np.exp(Q / tau), 0.0)
        pi = e / e.sum(axis=1, keepdims=True)
        logs = np.where(mask, np.log(np.where(mask, pi, 1.0)), 0.0)
        Q = np.where(mask, R + alpha * tau * logs, 0.0) + mdp.gamma * P @ (pi * (Q - tau * logs)).sum(axis=1)
    return Q


@pytest.mark.parametrize("alpha", [0.0, 0.5, 0.9, 1.0])
def test_munchausen_at_index_one(alpha: float) -> None:
    mdp = a_model()
    run = tsallis_mvi(mdp, 1, tau=0.25, alpha=alpha, K=20)
    expected = written_out(mdp, 0.25, alpha, 20)
    np.testing.assert_allclose(run.result["Q"][mdp.mask], expected[mdp.mask], rtol=0, atol=1e-11)
    assert np.all(run.result["Q"][~mdp.mask] == -np.inf) and np.all(run.result["pi"][~mdp.mask] == 0)
    np.testing.assert_allclose(run.result["pi"].sum(axis=1), 1.0, rtol=1e-14)


@pytest.mark.parametrize("alpha", [0.25, 0.9])
def test_it_is_mdvi_at_index_one(alpha: float) -> None:
    """``Q_{k+1} = s_{k+1} - alpha w_k`` from ``s_0 = 0``, ``w_{-1} = 0`` and ``w_0 = tau log A``."""
    mdp, tau, K = a_model(), 0.5, 12
    s, last, w = np.zeros((4, 3)), np.zeros(4), tau * np.log(mdp.mask.sum(axis=1))
    for _ in range(K):
        v = w - alpha * last
        s = np.where(mdp.mask, mdp.rewards, 0.0) + mdp.gamma * mdp.P @ v + alpha * s
        before, last = w, w
        w = tau * np.log(np.where(mdp.mask, np.exp(s / tau), 0.0).sum(axis=1))
    Q = tsallis_mvi(mdp, 1, tau=tau, alpha=alpha, K=K).result["Q"]
    np.testing.assert_allclose(Q[mdp.mask], (s - alpha * before[:, None])[mdp.mask], rtol=0, atol=1e-11)


def test_index_two_written_out() -> None:
    """``L_2(x) = x - 1``, and the policy is sparsemax of ``Q / tau``, by enumeration of supports."""
    mdp, tau, alpha = a_model(masked=False), 0.5, 0.9
    Q = np.zeros((4, 3))
    for _ in range(15):
        pi = np.zeros((4, 3))
        for s in range(4):
            z = Q[s] / tau
            order = np.argsort(-z)
            for k in (1, 2, 3):
                t = (z[order[:k]].sum() - 1) / k
                if (z[order[:k]] > t).all() and (z[order[k:]] <= t).all():
                    pi[s] = np.maximum(z - t, 0)
        Q = mdp.R + alpha * tau * (pi - 1) + mdp.gamma * mdp.P @ (pi * (Q - tau * (pi - 1))).sum(axis=1)
    run = tsallis_mvi(mdp, 2, tau=tau, alpha=alpha, K=15)
    np.testing.assert_allclose(run.result["Q"], Q, rtol=0, atol=1e-12)


@pytest.mark.parametrize("q", [0.5, 1.0, 1.5, 2.0, 3.0])
def test_formulas_in_every_arithmetic(q: float) -> None:
    mdp = a_model()
    expected = tsallis_mvi(mdp, q, tau=0.5, alpha=0.9, K=3).result["Q"]
    for made in (NumpyOps, EnclosureOps, lambda: BallOps(200)):
        ops = made()
        m = ops.model(mdp)
        Q = ops.array(np.zeros((4, 3)), 2)
        for _ in range(3):
            Q = mvi_step(ops, m, Q, mvi_policy(ops, m, Q, 0.5, q), 0.5, q, 0.9)
        np.testing.assert_allclose(ops.midpoint(Q)[mdp.mask], expected[mdp.mask], rtol=0, atol=1e-12)
        if made is EnclosureOps:
            low, high = ops.bounds(Q)
            assert np.all(low <= high) and np.all(high - low < 1e-6)


@pytest.mark.parametrize("q", [0.5, 1.5, 2.0])
def test_without_bonus_it_is_regularised_value_iteration(q: float) -> None:
    """At ``alpha = 0`` with the factor 1/q kept, and not with the factor absorbed, but at ``q = 1``."""
    from tabular import Tsallis

    mdp = a_model()
    best = solve(mdp, Tsallis(0.5, q))
    kept, lost = (tsallis_mvi(mdp, q, tau=0.5, alpha=0.0, K=150, absorbed=a).result for a in (False, True))
    np.testing.assert_allclose(kept["Q"][mdp.mask], best.Q[mdp.mask], rtol=0, atol=1e-9)
    np.testing.assert_allclose(kept["pi"], best.pi, rtol=0, atol=1e-7)
    assert np.abs(lost["Q"][mdp.mask] - best.Q[mdp.mask]).max() > 1e-3
    one = tsallis_mvi(mdp, 1, tau=0.5, alpha=0.0, K=150).result
    np.testing.assert_allclose(one["Q"][mdp.mask], solve(mdp, Shannon(0.5)).Q[mdp.mask], rtol=0, atol=1e-9)


def test_the_moving_divergence() -> None:
    """KL steps are multiplicative weights; supports never grow; both find the optimal policy."""
    mdp = a_model()
    run = tsallis_kl_value_iteration(mdp, 1, lam=2.0, K=5)
    Q, logs = np.zeros((4, 3)), np.zeros((4, 3))
    for _ in range(5):
        before = np.where(mdp.mask, np.exp(logs), 0.0)
        before /= before.sum(axis=1, keepdims=True)
        V = 2.0 * np.log((before * np.exp(Q / 2.0)).sum(axis=1))
        logs += Q / 2.0
        Q = np.where(mdp.mask, mdp.rewards, 0.0) + mdp.gamma * mdp.P @ V
    np.testing.assert_allclose(run.result["Q"][mdp.mask], Q[mdp.mask], rtol=0, atol=1e-12)
    best = solve(mdp).V
    for q in (0.5, 1.0, 2.0):
        run = tsallis_kl_value_iteration(mdp, q, lam=0.25, K=200, losses=True)
        assert np.all(np.diff(run.history["support"]) <= 0)
        assert np.abs(best - run.history["value"][-1]).max() < (1e-9 if q > 0.5 else 0.05)
    assert run.history["support"][0] <= mdp.mask.sum() and run.history["support"][-1] < mdp.mask.sum()


def test_errors_are_seeded_and_averaged() -> None:
    mdp = a_model()
    runs = [tsallis_mvi(mdp, 2, tau=0.1, K=30, sigma=0.5, seed=s, losses=True) for s in (1, 1, 2)]
    assert runs[0].result["Q"].tobytes() == runs[1].result["Q"].tobytes() != runs[2].result["Q"].tobytes()
    np.testing.assert_array_equal(runs[0].history["value"][-1], evaluate_policy(mdp, runs[0].result["pi"]))
    assert runs[0].history["change"].shape == (30,) and runs[0].seed == 1
    losses = []
    for alpha in (0.0, 0.99):
        drawn = [tsallis_mvi(mdp, 1, tau=0.1, alpha=alpha, K=60, sigma=1.0, seed=s, losses=True) for s in range(40)]
        losses.append(np.mean([solve(mdp).V.mean() - r.history["value"][-1].mean() for r in drawn]))
    assert losses[1] < losses[0] / 3


def test_clipping() -> None:
    """It bounds the bonus alone; at ``q = 2`` the bonus is at least ``-tau``, so that a bound below changes nothing."""
    mdp = a_model()
    plain = tsallis_mvi(mdp, 1, tau=0.01, K=10).result["Q"]
    clipped = tsallis_mvi(mdp, 1, tau=0.01, K=10, clip=-1.0).result["Q"]
    assert np.abs(clipped[mdp.mask] - plain[mdp.mask]).max() > 0.01
    two = [tsallis_mvi(mdp, 2, tau=0.01, K=10, clip=c).result["Q"] for c in (None, -0.01)]
    np.testing.assert_array_equal(*two)
    assert np.all(np.isfinite(tsallis_mvi(mdp, 1, tau=1e-300, K=3, clip=-1.0).result["Q"][mdp.mask]))


@pytest.mark.parametrize("absorbed", [True, False])
@pytest.mark.parametrize("q", [0.0625, 0.5, 0.75])
def test_probabilities_below_all_floats_have_logarithms(q: float, absorbed: bool) -> None:
    """Below q = 1 no probability is zero, and ``tau L_q(pi)`` tends to ``Q - max Q`` (over q, if not absorbed) with tau."""
    mdp, alpha = a_model(), 0.9
    run = tsallis_mvi(mdp, q, tau=1e-300, alpha=alpha, K=12, absorbed=absorbed)
    Q = np.where(mdp.mask, 0.0, -np.inf)
    for _ in range(12):
        best = Q.max(axis=1)
        Q = mdp.R + alpha * (Q - best[:, None]) / (1 if absorbed else q) + mdp.gamma * mdp.P @ best
        Q = np.where(mdp.mask, Q, -np.inf)
    np.testing.assert_allclose(run.result["Q"][mdp.mask], Q[mdp.mask], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"q": 0}, ModelError, "q is 0"),
        ({"q": 2, "tau": 0.0}, ValueError, "tau is 0"),
        ({"q": 2, "alpha": 1.5}, ValueError, "alpha is 1.5"),
        ({"q": 2, "K": 0}, ValueError, "K is 0"),
        ({"q": 2, "sigma": -1.0}, ValueError, "sigma is -1"),
        ({"q": 2, "clip": 1.0}, ValueError, "clip is 1"),
        ({"q": 2, "clip": "low"}, TypeError, "clip is 'low'"),
        ({"q": 2, "clip": False}, TypeError, "clip is False"),
        ({"q": 2, "seed": -1}, ValueError, "seed is -1"),
        ({"q": 2, "seed": "a"}, TypeError, "seed is 'a'"),
        ({"q": 2, "absorbed": 1}, TypeError, "absorbed is 1"),
        ({"q": 2, "K": 2.5}, TypeError, "K is 2.5"),
        ({"q": 2, "sigma": math.nan}, ValueError, "sigma is nan"),
    ],
)
def test_refusals(options: dict, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        tsallis_mvi(a_model(), **options)


def test_refusals_of_the_moving_divergence() -> None:
    mdp = a_model()
    with pytest.raises(ValueError, match="lam is 0"):
        tsallis_kl_value_iteration(mdp, 2, lam=0.0)
    with pytest.raises(ModelError, match="pi"):
        tsallis_kl_value_iteration(mdp, 2, lam=1.0, pi0=np.ones((4, 3)))
    with pytest.raises(TypeError, match="MDP"):
        tsallis_mvi("chain")
