"""Soft policy iteration: against solvers with certificates, against enumeration of its classes, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest

from tabular import MDP, Shannon, evaluate_policy, solve
from tabular.instances import garnet, random_masks_endings
from tabular.planning.sac import (
    Rows,
    Shared,
    SharedRow,
    iteration_errors,
    project,
    soft_policy_iteration,
    soft_q_backup,
)

CLOSE = {"rtol": 1e-11, "atol": 1e-11}


def random_mdp(seed: int, S: int, A: int, gamma: float) -> MDP:
    rng = np.random.default_rng(seed)
    return MDP(rng.dirichlet(np.ones(S), size=(S, A)), rng.random((S, A)), gamma, renormalise=True)


def divergence(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(p > 0, p * np.log(p / q), 0.0).sum(axis=-1)


def softmax(Q: np.ndarray, tau: float) -> np.ndarray:
    x = np.exp((Q - Q.max(axis=-1, keepdims=True)) / tau)
    return x / x.sum(axis=-1, keepdims=True)


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("tau", [0.05, 1.0, 20.0])
def test_over_all_policies_it_ends_where_the_certified_solver_does(tau: float, sparse: bool) -> None:
    mdp = random_masks_endings(5, 3).member(1, 4)
    run = soft_policy_iteration(mdp.to_sparse() if sparse else mdp, tau)
    best = solve(mdp, Shannon(tau))
    np.testing.assert_allclose(run.result["V"], best.V, rtol=0, atol=10 * best.error_bound + 1e-12)
    np.testing.assert_allclose(run.result["pi"], best.pi, **CLOSE)
    assert run.history["error"][-1] < 1e-11 and len(run.history["k"]) < 12
    assert (run.history["gain"][1:] > -1e-12).all()


def test_backups_are_the_formula() -> None:
    mdp, tau = random_mdp(0, 4, 3, 0.9), 0.3
    Q, pi = np.random.default_rng(1).normal(size=(2, 4, 3))
    pi = softmax(pi, 1.0)
    soft = tau * np.log(np.exp(Q / tau).sum(axis=1))
    np.testing.assert_allclose(soft_q_backup(mdp, Q, tau), mdp.R + 0.9 * mdp.P @ soft, **CLOSE)
    mean = (pi * (Q - tau * np.log(pi))).sum(axis=1)
    np.testing.assert_allclose(soft_q_backup(mdp, Q, tau, pi), mdp.R + 0.9 * mdp.P @ mean, **CLOSE)
    fixed = mdp.R + 0.9 * mdp.P @ evaluate_policy(mdp, pi, Shannon(tau))
    np.testing.assert_allclose(soft_q_backup(mdp, fixed, tau, pi), fixed, **CLOSE)


@pytest.mark.parametrize("forward", [False, True])
def test_projections_are_the_least_divergences(forward: bool) -> None:
    rng = np.random.default_rng(2)
    mdp, tau, Q = random_mdp(3, 5, 3, 0.9), 0.4, rng.normal(size=(5, 3))
    class_ = rng.dirichlet(np.ones(3), size=(7, 5))
    target, weights = softmax(Q, tau), rng.dirichlet(np.ones(5))
    kl = divergence(target, class_) if forward else divergence(class_, target)
    np.testing.assert_array_equal(
        project(mdp, Q, tau, Rows(class_), forward=forward), class_[kl.argmin(axis=0), np.arange(5)]
    )
    np.testing.assert_array_equal(
        project(mdp, Q, tau, Shared(class_, weights), forward=forward), class_[(kl @ weights).argmin()]
    )
    np.testing.assert_allclose(project(mdp, Q, tau, forward=forward), target, **CLOSE)
    row = project(mdp, Q, tau, SharedRow(weights), forward=forward)[0]
    grid = rng.dirichlet(np.ones(3), size=4000)[:, None, :]
    on_grid = divergence(target, grid) if forward else divergence(grid, target)
    own = divergence(target, row) if forward else divergence(row[None], target)
    assert own @ weights <= (on_grid @ weights).min() + 1e-12


def test_where_rows_tie_the_row_at_hand_stays() -> None:
    mdp = MDP([[[1.0], [1.0]]], [[0.0, 0.0]], 0.5)
    rows = np.array([[[1.0, 0.0]], [[0.0, 1.0]]])
    for current in rows:
        np.testing.assert_array_equal(project(mdp, np.zeros((1, 2)), 1.0, Rows(rows), current=current), current)


def test_the_best_of_a_class_of_rows_is_found_by_enumeration() -> None:
    mdp, tau, rng = random_mdp(5, 2, 3, 0.9), 0.2, np.random.default_rng(6)
    class_ = rng.dirichlet(np.ones(3), size=(4, 2))
    run = soft_policy_iteration(mdp, tau, policies=Rows(class_))
    values = [
        evaluate_policy(mdp, np.stack([class_[i, 0], class_[j, 1]]), Shannon(tau)) for i in range(4) for j in range(4)
    ]
    np.testing.assert_allclose(run.result["V"], np.max(values, axis=0), **CLOSE)
    assert (run.history["gain"][1:] >= -1e-12).all() and run.history["moved"][-1] == 0


def test_forward_projections_lose_value_on_many_models() -> None:
    """The card: from the optimum of a class of 8 rows, half of all models of S = 4, A = 3 at gamma .9 and tau .2 lose somewhere."""
    lost, rng = 0, np.random.default_rng(7)
    for seed in range(100):
        mdp = random_mdp(seed, 4, 3, 0.9)
        class_ = Rows(rng.dirichlet(np.ones(3), size=(8, 4)))
        best = soft_policy_iteration(mdp, 0.2, policies=class_).result["pi"]
        after = soft_policy_iteration(mdp, 0.2, policies=class_, pi0=best, forward=True, K=1)
        lost += after.history["gain"][-1] < -1e-9
    assert 30 <= lost <= 80


def test_hard_returns_and_hotter_projections_lose() -> None:
    """The card's other two experiments: all of the models lose."""
    for seed in range(40):
        mdp, tau = random_mdp(seed, 4, 3, 0.9), 0.2
        greedy = 0.999999 * solve(mdp).pi + 1e-6 / 3
        greedy = greedy / greedy.sum(axis=1, keepdims=True)
        new = project(mdp, mdp.R + 0.9 * mdp.P @ evaluate_policy(mdp, greedy, Shannon(tau)), tau)
        assert (evaluate_policy(mdp, new) < evaluate_policy(mdp, greedy) - 1e-6).any()
        best = solve(mdp, Shannon(tau))
        hot = evaluate_policy(mdp, project(mdp, best.Q, 3 * tau), Shannon(tau))
        assert (hot < best.V - 1e-6).any()


def test_errors_fall_quadratically_and_sweeps_do_not() -> None:
    table = iteration_errors(random_mdp(8, 6, 3, 0.9), 0.2, 8)
    error, swept = table["policy_iteration"], table["value_iteration"]
    assert error[0] == swept[0] and (error <= swept + 1e-12).all()
    assert (error[1:] <= table["quadratic_bound"][1:] + 1e-12).all()
    np.testing.assert_allclose(swept[6:] / swept[5:-1], 0.9, atol=2e-3)
    ratios = error[1:4] / error[:3]
    assert ratios[0] < 0.5 and ratios[1] < ratios[0] / 4 and ratios[2] < ratios[1] / 4


GOOD = garnet(3, 2).member(0, 0)
HALF = np.full((3, 2), 0.5)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"tau": 0.0}, ValueError, "tau is 0.0"),
        ({"tau": "1"}, TypeError, "tau is '1'"),
        ({"K": 0}, ValueError, "K is 0"),
        ({"forward": 1}, TypeError, "forward is 1"),
        ({"policies": [HALF]}, TypeError, "is no class of policies: expected None, Rows, Shared or SharedRow"),
        ({"policies": Rows([])}, ValueError, "candidates is empty"),
        ({"policies": Rows([HALF, 2 * HALF])}, ValueError, r"candidates\[1\]\[0\] sums to 2"),
        ({"policies": Shared([HALF], [1.0, 1.0, 0.0])}, ValueError, "weights sums to 2"),
        ({"policies": Rows([HALF]), "pi0": [0, 1, 0]}, ValueError, r"pi0\[0\] is not in the class"),
        ({"policies": Shared([HALF]), "pi0": [0, 1, 0]}, ValueError, r"pi0\[0\] is not in the class"),
        ({"policies": SharedRow(), "pi0": [0, 0, 1]}, ValueError, r"pi0\[2\] is not in the class"),
    ],
)
def test_refusals(change: dict, error: type, words: str) -> None:
    with pytest.raises(error, match=words):
        soft_policy_iteration(GOOD, **{"tau": 1.0} | change)


def test_refusals_of_models_and_values() -> None:
    with pytest.raises(TypeError, match="soft_policy_iteration takes an MDP"):
        soft_policy_iteration(np.eye(3), 1.0)  # type: ignore[arg-type]
    total = MDP(np.full((1, 1, 1), 0.5), [[1.0]], 1.0, end=[[0.5]])
    with pytest.raises(ValueError, match="gamma = 1: soft_q_backup is for discounted models"):
        soft_q_backup(total, [[0.0]], 1.0)
    with pytest.raises(ValueError, match=r"Q has shape \(2, 2\): expected \(3, 2\)"):
        project(GOOD, np.zeros((2, 2)), 1.0)
    masked = MDP(np.ones((2, 2, 2)) / 2, [[0.0, 0.0], [0.0, -np.inf]], 0.5)
    with pytest.raises(ValueError, match="state 1 has other actions than state 0"):
        project(masked, np.zeros((2, 2)), 1.0, SharedRow())
