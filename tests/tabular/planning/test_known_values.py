"""Values that are known: Gymnasium's maps, closed forms, limits."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from tabular import MDP, ImproperModel, Shannon, Status, evaluate_policy, solve
from tabular.planning import SOLVERS

INFINITE = [name for name, s in SOLVERS.items() if s.horizon == "infinite"]
TOTAL = [name for name in INFINITE if SOLVERS[name].total_reward]
MAPS = {
    "cliff": ("CliffWalking-v1", {}),
    "taxi": ("Taxi-v4", {}),
    "lake4": ("FrozenLake-v1", {"map_name": "4x4"}),
    "lake8": ("FrozenLake-v1", {"map_name": "8x8"}),
}


def load(name: str, gamma: object) -> MDP:
    env, options = MAPS[name]
    return MDP.from_gymnasium(env, gamma=gamma, **options)


@pytest.mark.parametrize("solver", INFINITE)
@pytest.mark.parametrize(
    ("name", "value"),
    [("cliff", -12.247898), ("taxi", 6.327464), ("lake8", 0.414640)],
    ids=["cliff", "taxi", "lake8"],
)
def test_discounted_start_value(name: str, value: float, solver: str) -> None:
    mdp = load(name, 0.99)
    sol = SOLVERS[solver].function(mdp)
    assert sol.status is Status.CONVERGED
    assert sol.V @ mdp.rho == pytest.approx(value, abs=1e-6)


@pytest.mark.parametrize("solver", TOTAL)
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("cliff", Fraction(-13)),
        ("taxi", Fraction(793, 100)),
        ("lake4", Fraction(14, 17)),
        ("lake8", Fraction(1)),
    ],
    ids=["cliff", "taxi", "lake4", "lake8"],
)
def test_total_reward_of_the_start(name: str, value: Fraction, solver: str) -> None:
    mdp = load(name, 1)
    sol = SOLVERS[solver].function(mdp)
    assert sol.status is Status.CONVERGED
    assert sol.V @ mdp.rho == pytest.approx(float(value), abs=1e-8)
    # The lifted policy earns it: greedy actions of V alone may go round in circles for nothing.
    assert evaluate_policy(mdp, sol.pi) @ mdp.rho == pytest.approx(float(value), abs=1e-6)


@pytest.mark.parametrize("solver", TOTAL)
def test_entropy_and_total_reward(solver: str) -> None:
    """CliffWalking is finite at temperature .72, infinite at .8; FrozenLake is never finite."""
    sol = SOLVERS[solver].function(load("cliff", 1), Shannon(0.72))
    assert np.isfinite(sol.V).all() and sol.status in (Status.CONVERGED, Status.ROUNDING_FLOOR)
    with pytest.raises(ImproperModel, match="regularised gain"):
        SOLVERS[solver].function(load("cliff", 1), Shannon(0.8))
    with pytest.raises(ImproperModel, match="regularised gain"):
        SOLVERS[solver].function(load("lake4", 1), Shannon(1e-6))


@pytest.mark.parametrize("solver", INFINITE)
def test_two_armed_state_in_closed_form(solver: str) -> None:
    """One state, rewards r: V = tau log sum exp(r / tau) / (1 - gamma)."""
    r, tau, gamma = np.array([0.0, 1.0, 3.0]), 0.5, 0.8
    sol = SOLVERS[solver].function(MDP(np.ones((1, 3, 1)), r[None], gamma), Shannon(tau))
    assert sol.V[0] == pytest.approx(tau * np.log(np.exp(r / tau).sum()) / (1 - gamma), rel=1e-9)
    assert sol.pi[0] == pytest.approx(np.exp(r / tau) / np.exp(r / tau).sum(), rel=1e-8)


@pytest.mark.parametrize("solver", INFINITE)
def test_putermans_example(solver: str) -> None:
    """Puterman 1994, section 3.1, in closed form: stay at 5 a step, or leave at 10 for -1 a step for ever."""
    gamma = 0.95
    mdp = MDP([[[0.5, 0.5], [0, 1]], [[0, 1], [0.5, 0.5]]], [[5, 10], [-1, -np.inf]], gamma)
    sol = SOLVERS[solver].function(mdp)
    assert sol.V[1] == pytest.approx(-1 / (1 - gamma), rel=1e-9)
    stay = (5 - 5.5 * gamma) / ((1 - 0.5 * gamma) * (1 - gamma))
    assert sol.V[0] == pytest.approx(max(stay, 10 - gamma / (1 - gamma)), rel=1e-9)


def test_policy_iteration_settles_ties() -> None:
    """Many equal actions, values with rounding: the first policy stays."""
    rng = np.random.default_rng(0)
    P = np.repeat(rng.dirichlet(np.ones(30), size=(30, 1)), 5, axis=1)
    order = np.array([np.roll(np.arange(30), k) for k in range(5)])
    P = np.stack([P[:, 0][:, order[k]][:, np.argsort(order[k])] for k in range(5)], axis=1)
    R = np.repeat(rng.normal(size=(30, 1)), 5, axis=1)
    sol = solve(MDP(P, R, 0.999), method="policy_iteration", max_iter=5)
    assert sol.iterations <= 2 and sol.status is Status.CONVERGED
