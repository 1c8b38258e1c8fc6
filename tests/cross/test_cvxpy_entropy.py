"""Entropy-constrained programs over occupancies in cvxpy, beside the dual temperatures."""

from __future__ import annotations

import cvxpy as cp
import numpy as np
import pytest

from tabular import MDP, FiniteHorizonMDP
from tabular.planning.sac_v2 import maximum_entropy_constrained
from tabular.planning.sac_v2_average import constrained_policy
from tabular.planning.sac_v2_constraints import backward_temperatures, constrained_backward_induction

PRECISE = {"solver": "CLARABEL", "tol_gap_abs": 1e-10, "tol_gap_rel": 1e-10, "tol_feas": 1e-10}


def conditional_entropy(mu: cp.Variable) -> cp.Expression:
    """Concave: sum_s mu(s) H(mu(. | s))."""
    marginal = cp.sum(mu, axis=1, keepdims=True) @ np.ones((1, mu.shape[1]))
    return -cp.sum(cp.rel_entr(mu, marginal))


@pytest.mark.parametrize("target", [0.1, 0.8, 1.09])
def test_bandits(target: float) -> None:
    r, p = np.array([1.0, 0.5, 0.0]), cp.Variable(3)
    bound = cp.sum(cp.entr(p)) >= target
    problem = cp.Problem(cp.Maximize(r @ p), [cp.sum(p) == 1, p >= 0, bound])
    problem.solve(**PRECISE)
    found = maximum_entropy_constrained(r, target)
    assert found.value == pytest.approx(problem.value, abs=1e-7)
    assert found.temperature == pytest.approx(float(bound.dual_value), rel=1e-4)
    np.testing.assert_allclose(found.policy, p.value, atol=1e-5)


def by_occupancies(fh: FiniteHorizonMDP, targets: np.ndarray) -> tuple[float, np.ndarray]:
    """The optimal return, and the multipliers of the entropy constraints."""
    mus = [cp.Variable((fh.S, fh.A), nonneg=True) for _ in range(fh.H)]
    flow, arriving, gained = [], fh.rho, 0
    for h, mu in enumerate(mus):
        flow.append(cp.sum(mu, axis=1) == arriving)
        gained = gained + fh.gamma**h * cp.sum(cp.multiply(mu, fh.stage(h).rewards))
        P = fh.stage(h).P
        arriving = sum(mu[:, a] @ P[:, a, :] for a in range(fh.A))
    bounds = [conditional_entropy(mu) >= t for mu, t in zip(mus, targets, strict=True)]
    problem = cp.Problem(cp.Maximize(gained), flow + bounds)
    problem.solve(**PRECISE)
    return float(problem.value), np.array([float(b.dual_value) for b in bounds])


@pytest.mark.parametrize("seed", [0, 1])
def test_finite_horizons(seed: int) -> None:
    rng = np.random.default_rng(seed)
    P = rng.dirichlet(np.full(3, 0.3), size=(3, 2))
    fh = FiniteHorizonMDP(P, rng.normal(size=(3, 3, 2)), rho=[0.5, 0.25, 0.25], gamma=0.9, renormalise=True)
    targets = np.array([0.3, 0.6, 0.1])
    value, duals = by_occupancies(fh, targets)
    plan = constrained_backward_induction(fh, targets)
    assert plan.value == pytest.approx(value, abs=1e-6)
    np.testing.assert_allclose(plan.temperatures * fh.gamma ** np.arange(3), duals, rtol=1e-3)


def test_one_pass_under_other_visits_misses_the_optimum() -> None:
    """Two states, two steps: a pass under the uniform policy's visits is short of entropy, and its value above the optimum."""
    P = [[[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [0.0, 1.0]]]
    fh = FiniteHorizonMDP(P, [[2.0, 0.0], [0.0, 0.0]], H=2, rho=[1.0, 0.0])
    targets = np.array([0.5, 0.5])
    value, _ = by_occupancies(fh, targets)
    plan = constrained_backward_induction(fh, targets)
    assert plan.value == pytest.approx(value, abs=1e-6)
    with_uniform = backward_temperatures(fh, targets, [[1.0, 0.0], [0.5, 0.5]])
    assert np.abs(with_uniform[0] - plan.temperatures).max() > 0.1


@pytest.mark.parametrize("ending", [0.0, 0.25])
def test_averages(ending: float) -> None:
    rng = np.random.default_rng(5)
    S, A, gamma, target = 3, 2, 0.8, 0.4
    end = ending * (np.arange(A) == 0) * np.ones((S, A))
    P = rng.dirichlet(np.ones(S), size=(S, A)) * (1 - end)[..., None]
    mdp = MDP(P, rng.normal(size=(S, A)), gamma, end=end, rho=[0.5, 0.25, 0.25], renormalise=True)
    mu = cp.Variable((S, A), nonneg=True)
    inflow = sum(mu[:, a] @ mdp.P[:, a, :] for a in range(A))
    bound = conditional_entropy(mu) >= target * cp.sum(mu)
    problem = cp.Problem(
        cp.Maximize(cp.sum(cp.multiply(mu, mdp.rewards))), [cp.sum(mu, axis=1) == mdp.rho + gamma * inflow, bound]
    )
    problem.solve(**PRECISE)
    plan = constrained_policy(mdp, target)
    assert plan.value == pytest.approx(problem.value, abs=1e-6)
    assert plan.temperatures == pytest.approx(float(bound.dual_value), rel=1e-3)
    lower, upper = plan.certificates["value"][2:4]
    assert lower <= upper and upper - lower < 1e-9
