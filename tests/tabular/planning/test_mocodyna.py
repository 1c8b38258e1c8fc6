"""Sampled methods: reproducible, right in the limit, MoCoDyna below Dyna where the model is wrong; the table."""

from __future__ import annotations

import numpy as np
import pytest

from tabular import MDP, ModelError, evaluate_policy, policy_iteration
from tabular.instances.absorbing_cliff import absorbing_cliff
from tabular.instances.garnet import garnet
from tabular.planning.mocovi import dyna, mocodyna, os_dyna, q_learning, table, td
from tabular.planning.mocovi.sampled import _track, draw

CLIFF = absorbing_cliff()
SHORT = {"N": 20_000, "plan_every": 2_000, "smoothing": 0.5}


def test_draws_follow_the_model():
    mdp = MDP([[[0.25, 0.75], [0.0, 0.0]], [[1.0, 0.0], [0.5, 0.5]]], [[0.0, -np.inf], [0.0, 1.0]], 0.5)
    pair, after = draw(mdp, 30_000, 0)
    counts = np.array([[((pair == i) & (after == t)).sum() for t in range(2)] for i in range(4)])
    assert counts[1].sum() == 0 and counts[2, 1] == 0
    expected = np.array([[0.25, 0.75], [0, 0], [1, 0], [0.5, 0.5]]) * 10_000
    assert (np.abs(counts - expected) < 400).all()  # four standard deviations
    assert (draw(mdp, 30_000, 0)[1] == after).all() and (draw(mdp, 30_000, 1)[1] != after).any()


@pytest.mark.parametrize("method", [mocodyna, os_dyna, dyna])
def test_runs_repeat(method):
    a, b, other = (method(CLIFF, seed=seed, **SHORT).history for seed in (3, 3, 4))
    assert all(a[key].tobytes() == b[key].tobytes() for key in a)
    assert a["error"].tolist() != other["error"].tolist()
    assert a["samples"].tolist() == list(range(2_000, 20_001, 2_000))


def test_correction_repairs_a_wrong_model():
    """Smoothed models stay wrong however many samples come; the corrections do not."""
    plain = dyna(CLIFF, N=60_000, smoothing=0.5).history["error"]
    assert plain[-5:].min() > 0.5
    for d in (1, 2, 3):
        fixed = mocodyna(CLIFF, d, N=60_000, smoothing=0.5).history
        assert fixed["error"][-5:].max() < 0.2 and fixed["loss"][-1] < 0.01
    assert os_dyna(CLIFF, N=60_000, smoothing=0.5).history["error"][-5:].max() < 0.2


def test_dyna_is_consistent_without_smoothing():
    run = dyna(CLIFF, N=200_000, plan_every=200_000)
    assert run.history["error"][-1] < 0.02
    np.testing.assert_array_equal(run.result["pi"].sum(axis=1), 1.0)


def test_evaluation_and_temporal_differences():
    pi = policy_iteration(CLIFF).pi
    run = mocodyna(CLIFF, pi=pi, N=10_000, plan_every=100, basis_every=500, smoothing=0.5)
    assert "pi" not in run.result and run.history["error"][-20:].mean() < 0.25
    slow = td(CLIFF, pi, N=40_000, eta=lambda k: 0.5 / (1 + k / 4000))
    assert slow.history["error"][-1] < 0.05
    assert dyna(CLIFF, pi=pi, N=50_000).history["error"][-1] < 0.02
    np.testing.assert_allclose(slow.result["V"], evaluate_policy(CLIFF, pi), atol=40)


def test_q_learning_is_its_formula():
    mdp = garnet(4, 2, gamma=0.5).member(2, 0)
    run = q_learning(mdp, N=500, note_every=500, eta=0.25, seed=1)
    Q = np.zeros((4, 2))
    for i, t in zip(*draw(mdp, 500, 1), strict=True):
        s, a = divmod(int(i), 2)
        Q[s, a] += 0.25 * (mdp.R[s, a] + 0.5 * Q[t].max() - Q[s, a])
    np.testing.assert_allclose(run.result["V"], Q.max(axis=1), rtol=1e-12)


def test_tracking_is_the_recursion():
    rng = np.random.default_rng(0)
    at, target, W = rng.integers(0, 5, 200), rng.normal(size=200), rng.normal(size=7)
    one = W.copy()
    for i, x in zip(at, target, strict=True):
        one[i] += 0.1 * (x - one[i])
    _track(W, at, target, 0.1)
    np.testing.assert_allclose(W, one, atol=1e-14)


def test_the_table():
    rows = table(K=4, ds=(1, 3))
    assert len(rows) == 3 * (5 + 1 + 5 + 5 + 5)
    at = {(r.lam, r.method, r.k): r for r in rows}
    assert f"{at[0.5, 'MoCoVI(1)', 2].error:.3g}" == "0.00743"
    assert at[1.0, "MoCoVI(3)", 3].error < 1e-14 and at[1.0, "OS-VI", 4].queries == 3
    assert {r.loss for r in rows} == {0.0}
    control = table(K=2, ds=(1,), lams=(0.5,), control=True)
    assert any(r.loss > 0 for r in control)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: mocodyna(CLIFF, 0), ValueError, "d is 0"),
        (lambda: mocodyna(CLIFF, beta=0.0), ValueError, "beta is 0"),
        (lambda: dyna(CLIFF, smoothing=2), ValueError, "smoothing is 2"),
        (lambda: os_dyna(CLIFF, eta=-1.0), ValueError, "eta is -1"),
        (lambda: q_learning(CLIFF, N=10, eta=lambda k: 2.0), ValueError, "eta is 2.0"),
        (lambda: q_learning(CLIFF, N=1.5), TypeError, "N is 1.5"),
        (lambda: dyna(MDP([[[0.5]]], [[1.0]], 0.5, end=[[0.5]])), ModelError, "augmented"),
    ],
)
def test_refusals(call, error, message):
    with pytest.raises(error, match=message):
        call()
