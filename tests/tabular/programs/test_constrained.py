"""Constrained programs: value, multipliers, few randomisations, and proofs that nothing is feasible."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import cvxpy as cp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proofs_check.strategies import mdps
from tabular import MDP, FiniteHorizonMDP, InfeasibleProgram, ModelError, evaluate_policy, solve
from tabular.certificates import exact_policy_iteration
from tabular.instances import garnet, proper, random_masks_endings
from tabular.programs import constrained_program, exact_program, linear_program
from tests.tabular.programs.test_linear import horizon, spread

MODELS = {
    "dense": garnet(5, 3, gamma=(0.9,)).member(3, 0),
    "masks+ending": random_masks_endings(6, 3, gamma=(0.95,)).member(3, 1),
    "total reward": proper(4, 2).member(3, 2),
}


def costs_of(mdp: MDP | FiniteHorizonMDP, K: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 5, size=(K, *mdp.mask.shape)).astype(float)


def ends(mdp: Any, cost: np.ndarray, rho: Any) -> tuple[float, float]:
    """The least cost, and that of an optimal policy."""
    free = np.asarray(exact_program(mdp, rho=rho).mu, dtype=float)
    least = -float(exact_program(mdp._with(rewards=np.where(mdp.mask, -cost, 0.0), exact=None), rho=rho).value)
    return least, float((free * cost).sum())


def by_cvxpy(mdp: MDP, costs: np.ndarray, limits: list[float], rho: np.ndarray) -> tuple[float, np.ndarray]:
    mu = cp.Variable((mdp.S, mdp.A), nonneg=True)
    P = mdp.to_dense().P
    inflow = sum(mu[:, a] @ P[:, a, :] for a in range(mdp.A))
    kept = [cp.sum(cp.multiply(mu, c)) <= b for c, b in zip(costs, limits, strict=True)]
    flow = [cp.sum(mu, axis=1) == rho + mdp.gamma * inflow, cp.multiply(mu, ~mdp.mask) == 0]
    problem = cp.Problem(cp.Maximize(cp.sum(cp.multiply(mu, mdp.rewards))), flow + kept)
    problem.solve(solver=cp.CLARABEL)
    return float(problem.value), np.array([float(k.dual_value) for k in kept])


@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
@pytest.mark.parametrize("name", MODELS)
def test_value_multipliers_and_feasibility(name: str, sparse: bool) -> None:
    mdp, rho = MODELS[name].to_sparse() if sparse else MODELS[name], spread(MODELS[name])
    costs = costs_of(mdp, 2)
    limits = [sum(ends(mdp, c, rho)) / 2 for c in costs]
    sol, exact = constrained_program(mdp, costs, limits, rho), exact_program(mdp, costs, limits, rho)
    value, duals = by_cvxpy(mdp, costs, limits, rho)
    assert sol.lower <= exact.value <= sol.upper and sol.gap < 1e-9
    assert value == pytest.approx(float(exact.value), abs=1e-5)
    np.testing.assert_allclose(sol.multipliers, duals, atol=1e-5)
    np.testing.assert_allclose(sol.multipliers, np.array(exact.multipliers, dtype=float), atol=1e-9)
    assert sol.violation <= 0 and sol.info["randomisations"] <= 2
    for k, c in enumerate(costs):
        spent = float((sol.mu * c).sum())
        own = sol.certificates["constraints"]
        assert own.lower[k] - 1e-9 <= spent - limits[k] <= own.upper[k] + 1e-9
        priced = mdp._with(rewards=np.where(mdp.mask, c, 0.0), exact=None)
        assert rho @ evaluate_policy(priced, sol.pi) <= limits[k] + 1e-12
    assert "multipliers" in repr(sol) and "violation" in repr(sol)
    # The values prove the bound at the prices.
    bought = mdp._with(
        rewards=mdp.rewards - np.where(mdp.mask, np.tensordot(sol.multipliers, costs, 1), 0.0), exact=None
    )
    np.testing.assert_allclose(sol.V, solve(bought).V, atol=1e-9)


@pytest.mark.parametrize("seed", [0, 1])
def test_horizons(seed: int) -> None:
    fh = horizon(seed)
    c = costs_of(fh, 1, seed)
    free = float((linear_program(fh).mu * c).sum())
    sol, exact = constrained_program(fh, c, [0.8 * free]), exact_program(fh, c, [0.8 * free])
    assert sol.lower <= exact.value <= sol.upper and sol.gap < 1e-12 and sol.violation <= 0
    assert sol.info["randomisations"] <= 1 and exact.multipliers[0] >= 0


def test_a_constraint_that_does_not_bind_is_worth_nothing() -> None:
    mdp = MODELS["dense"]
    c = costs_of(mdp, 1)
    sol = constrained_program(mdp, c, [1000.0], spread(mdp))
    assert sol.multipliers.tolist() == [0.0] and sol.upper == linear_program(mdp, spread(mdp)).upper
    assert constrained_program(mdp, (), [], spread(mdp)).upper == sol.upper


@settings(max_examples=60)
@given(mdps(masks=True), st.data())
def test_at_most_one_randomisation_for_each_constraint(mdp: MDP, data: st.DataObject) -> None:
    """A vertex takes at most S + K pairs; complementary slackness and equal objectives, in rationals."""
    K = data.draw(st.integers(1, 3))
    numbers = st.integers(-3, 3)
    costs = [
        np.array(data.draw(st.lists(numbers, min_size=mdp.S * mdp.A, max_size=mdp.S * mdp.A)), dtype=float)
        for _ in range(K)
    ]
    costs = [c.reshape(mdp.S, mdp.A) for c in costs]
    limits = [Fraction(data.draw(st.integers(-8, 8)), 2) for _ in range(K)]
    rho = [Fraction(1, mdp.S)] * mdp.S
    try:
        sol = exact_program(mdp, costs, limits, rho)
    except InfeasibleProgram as refusal:
        # Farkas, against an independent exact solver: even the least weighted cost is above its bound.
        assert min(refusal.weights) >= 0 and sum(refusal.weights) == 1 and refusal.margin > 0
        weighed = sum(float(w) * c for w, c in zip(refusal.weights, costs, strict=True))
        least = exact_policy_iteration(mdp._with(rewards=np.where(mdp.mask, -weighed, 0.0), exact=None))
        over = -sum(least.V) / mdp.S - sum(w * b for w, b in zip(refusal.weights, limits, strict=True))
        assert abs(over - refusal.margin) < Fraction(1, 10**4)  # the weights were rounded for it
        return
    visited = sum(1 for s in range(mdp.S) if sum(sol.mu[s]) > 0)
    assert (sol.mu > 0).sum() <= visited + K and (sol.mu >= 0).all() and min(sol.multipliers) >= 0
    m = mdp.exact()
    worth = sum(sol.mu[s, a] * m.R[s * m.A + a] for s in range(m.S) for a in range(m.A))
    assert worth == sol.value
    for c, b, y in zip(costs, limits, sol.multipliers, strict=True):
        left = b - sum(sol.mu[s, a] * int(c[s, a]) for s in range(m.S) for a in range(m.A) if mdp.mask[s, a])
        assert left >= 0 and left * y == 0


def test_weak_infeasibility_is_proved_in_floats_and_a_hair_of_it_in_rationals() -> None:
    mdp, rho = MODELS["masks+ending"], spread(MODELS["masks+ending"])
    c = costs_of(mdp, 1)
    least = ends(mdp, c[0], rho)[0]
    with pytest.raises(InfeasibleProgram, match=r"every policy's cost exceeds its bound by at least 0\.1") as caught:
        constrained_program(mdp, c, [least - 0.1], rho)
    assert caught.value.weights.tolist() == [1.0] and 0.0999 < caught.value.margin <= 0.1 + 1e-9
    # One action, cost 1/3 a step, discount 1/2: 2/3 in all, which no float is.
    one = MDP([[[1]]], [[Fraction(1)]], Fraction(1, 2), rho=[1])
    third = np.array([[Fraction(1, 3)]], dtype=object)
    assert exact_program(one, [third], [Fraction(2, 3)]).value == 2
    hair = Fraction(2, 3) - Fraction(1, 10**30)
    with pytest.raises(InfeasibleProgram) as caught:
        exact_program(one, [third], [hair])
    assert caught.value.margin == Fraction(1, 10**30)
    found = constrained_program(
        one, [third], [Fraction(2, 3)], throw=False
    )  # no room for rounding: feasible, but not by floats' proof
    assert found.lower in (-np.inf, 2.0) and found.upper >= 2 and found.violation < 1e-12


def test_conflicting_constraints_have_both_weights() -> None:
    """Twice the visits of each action cannot both be below a half."""
    mdp = MDP(np.ones((1, 2, 1)), [[1.0, 0.0]], 0.5, rho=[1])
    costs = np.array([[[1.0, 0.0]], [[0.0, 1.0]]])
    with pytest.raises(InfeasibleProgram) as caught:
        constrained_program(mdp, costs, [0.5, 0.5])
    np.testing.assert_allclose(caught.value.weights, [0.5, 0.5])
    assert caught.value.margin == pytest.approx(0.5)
    sol = constrained_program(mdp, costs, [0.5, 1.75])
    assert sol.lower <= 0.5 <= sol.upper and sol.pi[0] == pytest.approx([0.25, 0.75])


BAD: list[tuple[Any, Any, type[Exception], str]] = [
    (np.ones((1, 2, 1)), [1], ModelError, r"costs\[0\] has shape \(2, 1\): expected \(5, 3\)"),
    (np.full((1, 5, 3), np.nan), [1], ModelError, r"costs\[0\]"),
    (np.ones((2, 5, 3)), [1], ModelError, "2 costs and 1 bounds"),
    (np.ones((1, 5, 3)), 1.0, TypeError, "as many numbers"),
    (np.ones((1, 5, 3)), [np.inf], ModelError, r"bounds\[0\]"),
]


@pytest.mark.parametrize(("costs", "limits", "error", "message"), BAD, ids=[m for *_, m in BAD])
def test_bad_input_is_refused(costs: Any, limits: Any, error: type[Exception], message: str) -> None:
    mdp = MODELS["dense"]
    for program in constrained_program, exact_program:
        with pytest.raises(error, match=message):
            program(mdp, costs, limits, spread(mdp))
