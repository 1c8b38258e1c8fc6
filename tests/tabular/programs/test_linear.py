"""Linear programs over values and occupancies: their optimum is that of every other solver, and each gap is proved."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given

from proofs_check.strategies import mdps
from tabular import (
    MDP,
    FiniteHorizonMDP,
    ImproperModel,
    ModelError,
    NotConverged,
    backward_induction,
    exact_policy_iteration,
    occupancy,
    solve,
)
from tabular.instances import garnet, proper, random_masks_endings
from tabular.programs import exact_program, linear_program

MODELS = {
    "dense": garnet(5, 3, gamma=(0.9,)).member(3, 0),
    "masks+ending": random_masks_endings(6, 3, gamma=(0.95,)).member(3, 1),
    "total reward": proper(4, 2).member(3, 2),
    "one of each": MDP([[[1.0]]], [[2.0]], 0.5),
}


def horizon(seed: int = 0, masked: bool = True) -> FiniteHorizonMDP:
    """Five steps that differ, endings, a terminal value, unavailable actions, a discount."""
    rng = np.random.default_rng(seed)
    end = rng.random((5, 4, 3)) * 0.3
    P = rng.dirichlet(np.full(4, 0.5), size=(5, 4, 3)) * (1 - end)[..., None]
    R = rng.normal(size=(5, 4, 3))
    if masked:
        R[:, 1, 2] = -np.inf
    return FiniteHorizonMDP(
        P, R, end=end, rho=[0.5, 0.25, 0.25, 0], terminal=[1.0, -2, 3, 0], gamma=0.9, renormalise=True
    )


def spread(mdp: MDP) -> np.ndarray:
    return np.arange(1.0, mdp.S + 1) / (mdp.S * (mdp.S + 1) / 2)


@pytest.mark.parametrize("form", ["occupancies", "values"])
@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
@pytest.mark.parametrize("name", MODELS)
def test_both_programs_find_the_optimal_values(name: str, sparse: bool, form: str) -> None:
    mdp = MODELS[name].to_sparse() if sparse else MODELS[name]
    rho = spread(mdp)
    sol, other = linear_program(mdp, rho, form=form), solve(mdp)
    best = float(rho @ other.V)
    assert sol.lower - 1e-9 <= best <= sol.upper + 1e-9 and 0 <= sol.gap < 1e-9
    np.testing.assert_allclose(sol.V, other.V, atol=1e-9)
    assert sol.info["proposed"] == pytest.approx(best, abs=1e-7)
    np.testing.assert_allclose(sol.info["V"], other.V, atol=1e-7)  # rho is positive: the dual is V* everywhere
    np.testing.assert_allclose(sol.mu, occupancy(mdp._with(rho=rho, exact=None), sol.pi), atol=1e-9)
    np.testing.assert_allclose(sol.info["mu"], sol.mu, atol=1e-6)
    assert sol.multipliers is None and sol.violation == 0.0 and "lower" in repr(sol)


@pytest.mark.parametrize("form", ["occupancies", "values"])
@pytest.mark.parametrize("masked", [False, True])
def test_horizons(masked: bool, form: str) -> None:
    fh = horizon(1, masked)
    sol, other = linear_program(fh, form=form), backward_induction(fh)
    assert sol.lower - 1e-12 <= fh.rho @ other.V[0] <= sol.upper + 1e-12 and sol.gap < 1e-12
    assert sol.mu.shape == fh.mask.shape and not sol.mu[~fh.mask].any()
    earned = float((sol.mu * np.where(fh.mask, fh.R, 0.0)).sum())
    last = sol.mu[-1].ravel() @ fh.stage(4).to_dense().P.reshape(-1, 4) * fh.gamma
    assert earned + last @ fh.terminal == pytest.approx(sol.lower, abs=1e-12)


@given(mdps())
def test_the_exact_optimum_is_that_of_policy_iteration(mdp: MDP) -> None:
    rho = [Fraction(1, mdp.S)] * mdp.S
    exact, other = exact_program(mdp, rho=rho), exact_policy_iteration(mdp)
    assert exact.value == sum(other.V) / mdp.S and exact.V.tolist() == other.V
    m = mdp.exact()
    flow = [sum(exact.mu[s]) for s in range(m.S)]
    for s in range(m.S):
        for a in np.flatnonzero(m.mask[s]).tolist():
            for t, p in m.row(s, a).items():
                flow[t] -= m.gamma * p * exact.mu[s, a]
    assert flow == rho and (exact.mu >= 0).all()
    floats = linear_program(mdp, np.full(mdp.S, 1 / mdp.S), throw=False)
    assert floats.lower <= exact.value + Fraction(1, 10**6) and exact.value <= floats.upper + Fraction(1, 10**6)


def test_a_horizon_exactly() -> None:
    w = [[[[1, 1], [0, 2]], [[2, 0], [1, 1]]]] * 3
    P = np.array([[[[Fraction(x, 2) for x in row] for row in s] for s in h] for h in w], dtype=object)
    R = np.array([[[1, 2], [0, Fraction(1, 3)]]] * 3, dtype=object)
    fh = FiniteHorizonMDP(P, R, rho=[Fraction(1, 3), Fraction(2, 3)], terminal=[Fraction(1, 7), 0])
    V = [Fraction(1, 7), Fraction(0)]
    for _ in range(3):
        V = [max(R[0][s][a] + sum(P[0][s][a][t] * V[t] for t in range(2)) for a in range(2)) for s in range(2)]
    exact = exact_program(fh)
    assert exact.value == V[0] / 3 + 2 * V[1] / 3 and exact.V[0].tolist() == V and exact.pi.shape == (3, 2, 2)
    assert linear_program(fh).lower <= exact.value <= linear_program(fh).upper


@pytest.mark.parametrize(
    ("name", "options", "value"), [("FrozenLake-v1", {"map_name": "4x4"}, 14 / 17), ("CliffWalking-v1", {}, -13)]
)
def test_total_rewards_with_declared_ends(name: str, options: dict[str, Any], value: float) -> None:
    sol = linear_program(MDP.from_gymnasium(name, 1, **options))
    assert sol.lower - 1e-9 <= value <= sol.upper + 1e-9 and sol.gap < 1e-9 and sol.objective.startswith("total")


def test_what_a_program_cannot_say_is_refused() -> None:
    kept = MDP([[[0.0, 1.0]], [[0.0, 1.0]]], [[1.0], [0.0]], 1, rho=[1, 0])
    for form in ("occupancies", "values"):
        with pytest.raises(ImproperModel, match="surely end"):
            linear_program(kept, form=form)
    with pytest.raises(ImproperModel, match="surely end"):
        exact_program(kept)
    profit = MDP([[[1.0], [0.0]]], [[1.0, 0.0]], 1, end=[[0.0, 1.0]], rho=[1])
    with pytest.raises(ImproperModel, match=r"gain|infinite"):
        linear_program(profit)
    with pytest.raises(ImproperModel, match="infinite"):
        exact_program(profit)
    stay = MDP(
        [[[1.0], [0.0]]], [[0.0, -1.0]], 1, end=[[0.0, 1.0]], rho=[1]
    )  # staying is worth nothing, and has no occupancy
    assert exact_program(stay).value == -1
    found = linear_program(stay, throw=False)
    assert found.lower == pytest.approx(-1) and found.upper >= 0


BAD: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"model": MODELS["one of each"]}, ModelError, "rho is missing: linear_program"),
    ({"rho": [0.5, 0.6]}, ModelError, "rho has shape"),
    ({"rho": [0.9]}, ModelError, "rho sums to 0.9"),
    ({"form": "primal", "rho": [1]}, ValueError, "form is 'primal'"),
    ({"tol": 0, "rho": [1]}, ValueError, "tol is 0"),
    ({"throw": 1, "rho": [1]}, TypeError, "throw is 1"),
    ({"model": "mdp"}, TypeError, "linear_program takes an MDP or a FiniteHorizonMDP, not str"),
]


@pytest.mark.parametrize(("change", "error", "message"), BAD, ids=[m for _, _, m in BAD])
def test_bad_input_is_refused(change: dict[str, Any], error: type[Exception], message: str) -> None:
    options = {"model": MODELS["one of each"]} | change
    with pytest.raises(error, match=message):
        linear_program(options.pop("model"), **options)


def test_a_program_too_large_for_rationals_is_refused() -> None:
    n = 401
    with pytest.raises(ValueError, match="401 rows: at most 400"):
        exact_program(MDP(np.eye(n)[:, None, :], np.ones((n, 1)), 0.5, rho=np.full(n, 1 / n), renormalise=True))


def test_a_tolerance_that_cannot_be_met_raises_with_the_solution() -> None:
    mdp = MODELS["dense"]
    with pytest.raises(NotConverged, match="gap is at most") as caught:
        linear_program(mdp, spread(mdp), tol=1e-30)
    assert caught.value.solution.gap < 1e-9


@pytest.mark.parametrize("form", ["occupancies", "values"])
@pytest.mark.parametrize("unit", [1e-200, 1.0, 1e150])
@pytest.mark.parametrize("gamma", [0.0, 0.99, 1 - 1e-6])
def test_any_discount_and_any_unit(gamma: float, unit: float, form: str) -> None:
    rng = np.random.default_rng(0)
    mdp = MDP(rng.dirichlet(np.ones(5), size=(5, 3)), unit * rng.normal(size=(5, 3)), gamma, renormalise=True)
    sol, best = linear_program(mdp, np.full(5, 0.2), form=form), solve(mdp).V.mean()
    assert sol.gap <= 1e-13 * abs(best) and sol.lower * (1 - 1e-12) <= best <= sol.upper * (1 + 1e-12)


def test_what_highs_mistakes_is_not_blamed_on_the_model() -> None:
    from tabular.programs._highs import Proposal
    from tabular.programs._models import setting_of
    from tabular.programs.linear import checked

    setting = setting_of(MODELS["one of each"], "test", [1])
    with pytest.raises(NotConverged, match=r"takes a program with an optimum for unbounded: gamma = 0\.5"):
        checked(setting, Proposal("unbounded", np.zeros(1), np.zeros(1), 0.0, [], 0))
