"""RFZI is robust value iteration in other coordinates; with draws it converges at the usual rate."""

from __future__ import annotations

import numpy as np
import pytest

from proofs_check.claims.planning import soft_robust_sampling
from tabular import MDP, solve
from tabular.generative_model import GenerativeModel
from tabular.instances import garnet, random_masks_endings
from tabular.planning.rfzi import rfzi
from tabular.planning.soft_robust import robust_policy_iteration
from tabular.reference import NumpyOps
from tabular.reference import risk as formulas
from tabular.risk import Entropic

MDP_ = random_masks_endings(5, 3, gamma=(0.75,)).member(0, 1)


@pytest.mark.parametrize("beta", [1e-3, 1.0, 50.0])
def test_exact_run_is_the_formula_and_finds_the_optimum(beta: float) -> None:
    run = rfzi(MDP_, beta, K=150)
    ops = NumpyOps()
    m = ops.model(MDP_)
    p, zeta = ops.successors(m), m.R * 0
    for _ in range(150):
        zeta = formulas.log_z_backup(ops, m, p, zeta, beta)
    np.testing.assert_allclose(run.result["log_Z"], zeta.data, rtol=1e-12, atol=1e-12 * beta)
    best = robust_policy_iteration(MDP_, Entropic(beta))
    np.testing.assert_allclose(run.result["Q"].max(axis=1), best.V, atol=1e-12)
    assert run.history["loss"][-1] < 1e-12 and run.info["samples"] == 0


def test_large_beta_does_not_underflow() -> None:
    run = rfzi(MDP_, 1e4, K=300)
    assert np.isfinite(run.result["log_Z"]).all() and run.history["estimate_error"][-1] < 1e-10


def test_log_z_may_overflow_but_not_the_values() -> None:
    mdp = MDP([[[1.0]]], [[8.0]], 0.5)
    for draws in ({}, {"N": 3, "seed": 0}):
        run = rfzi(mdp, 1.7e308, K=60, **draws)
        assert run.result["log_Z"].item() == -np.inf and run.result["Q"].item() == pytest.approx(16.0)


def test_sampled_run_is_exact_on_the_estimated_model() -> None:
    run = rfzi(MDP_, 0.5, K=60, N=50, seed=3)
    estimated = GenerativeModel(MDP_, 3).empirical(50)
    np.testing.assert_allclose(
        run.result["Q"][MDP_.mask], rfzi(estimated, 0.5, K=60).result["Q"][MDP_.mask], atol=1e-13
    )
    assert run.info["samples"] == 50 * MDP_.mask.sum()


def test_errors_fall_with_the_draws() -> None:
    mdp = garnet(4, 2, gamma=(0.75,)).member(0, 0)
    best = robust_policy_iteration(mdp, Entropic(0.25)).V
    error = [
        np.mean(
            [rfzi(mdp, 0.25, K=60, N=N, seed=s, record=[60], V_star=best).history["estimate_error"] for s in range(20)]
        )
        for N in (16, 1024)
    ]
    assert 4 < error[0] / error[1] < 16  # 64 times the draws: a factor of 8


def test_the_claimed_rate_is_that_of_the_sampled_run() -> None:
    """State 0 leads to a state worth 1 or to one worth 0: errors of log Z have the second moment that the claim computes."""
    beta, chance, N = 0.5, 0.25, 32
    P = np.zeros((3, 1, 3))
    P[0, 0, 1:], P[1, 0, 1], P[2, 0, 2] = (chance, 1 - chance), 1, 1
    mdp = MDP(P, [[0.0], [0.5], [0.0]], 0.5)
    exact = rfzi(mdp, beta, K=60).result["log_Z"][0, 0]
    runs = [rfzi(mdp, beta, K=40, N=N, seed=s, record=[], V_star=np.zeros(3)).result["log_Z"][0, 0] for s in range(400)]
    ops = NumpyOps()
    claimed = soft_robust_sampling._error(ops, ops.constant(beta), ops.constant(chance), N).data
    assert np.sqrt(np.mean((np.array(runs) - exact) ** 2)) / beta == pytest.approx(claimed, rel=0.12)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"beta": 0.0}, ValueError, "beta is 0.0"),
        ({"beta": np.inf}, ValueError, "beta is inf"),
        ({"K": 0}, ValueError, "K is 0"),
        ({"N": 5}, ValueError, "N is 5 and seed is None"),
        ({"seed": 5}, ValueError, "N is None and seed is 5"),
        ({"N": 0, "seed": 1}, ValueError, "N is 0"),
        ({"N": 5, "seed": 1.5}, TypeError, "seed is 1.5"),
        ({"N": 5, "seed": -1}, ValueError, "seed is -1"),
        ({"beta": 1e-310}, ValueError, "beta is 1e-310: too small to divide by"),
        ({"record": [9]}, ValueError, r"record is \[9\]"),
    ],
)
def test_refusals(change: dict, error: type, words: str) -> None:
    with pytest.raises(error, match=words):
        rfzi(MDP_, **{"beta": 1.0, "K": 4} | change)


def test_beta_near_zero_is_neutral() -> None:
    assert np.abs(rfzi(MDP_, 1e-9, K=200).result["Q"].max(axis=1) - solve(MDP_).V).max() < 1e-8
