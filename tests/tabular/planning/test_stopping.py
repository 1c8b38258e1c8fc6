"""When iterations stop: brackets that know of endings, floors that are named, failures that raise."""

from __future__ import annotations

import numpy as np
import pytest

from tabular import MDP, NotConverged, Shannon, Status, solve
from tabular._backups import Backups
from tabular.instances import garnet_sparse
from tabular.planning import SOLVERS, value_iteration
from tabular.planning._loops import bracket, howard_loop, modified_loop

INFINITE = [name for name, s in SOLVERS.items() if s.horizon == "infinite"]


def cliff(gamma: float) -> MDP:
    return MDP.from_gymnasium("CliffWalking-v1", gamma=gamma)


def test_the_textbook_bracket_stops_at_once_on_a_wrong_value() -> None:
    """MacQueen's ``TV + gamma/(1-gamma) [min d, max d]``: on CliffWalking, all changes are -1 at first."""
    mdp = cliff(0.99)
    b = Backups(mdp)
    _, TV, low, high = b.backup(np.zeros(mdp.S))
    assert low == high == -1.0  # the span is zero: the textbook would stop here,
    textbook = TV + 0.99 / 0.01 * low
    assert np.allclose(textbook, -100.0)  # with -100 everywhere, where the start is worth -12.25
    lo, hi = bracket(b, low, high)
    assert lo == pytest.approx(-99.0) and hi == 0.0
    sol = value_iteration(mdp)
    assert sol.V @ mdp.rho == pytest.approx(-12.247897700103202, abs=1e-8)
    assert (TV + lo <= sol.V + 1e-12).all() and (sol.V <= TV + hi + 1e-12).all()


@pytest.mark.parametrize("reg", [None, Shannon(0.5)], ids=["hard", "shannon"])
@pytest.mark.parametrize("ending", ["none", "equal", "unequal"])
@pytest.mark.parametrize("seed", range(5))
def test_the_bracket_holds_at_any_values(seed: int, ending: str, reg: object) -> None:
    rng = np.random.default_rng(seed)
    P, R = rng.dirichlet(np.ones(4), size=(4, 3)), rng.normal(size=(4, 3))
    end = {"none": np.zeros((4, 3)), "equal": np.full((4, 3), 0.25), "unequal": rng.random((4, 3)) * 0.5}[ending]
    mdp = MDP(P * (1 - end)[..., None], R, 0.9, end=end, renormalise=True)
    V_star = SOLVERS["policy_iteration"].function(mdp, reg).V
    b = Backups(mdp, reg)
    for _ in range(20):
        V = rng.normal(size=4) * 10 ** rng.uniform(-2, 2) + rng.normal() * 10
        _, TV, low, high = b.backup(V)
        lo, hi = bracket(b, low, high)
        assert (TV + lo <= V_star + 1e-10).all() and (V_star <= TV + hi + 1e-10).all()
        if ending != "unequal" and reg is None:
            assert hi - lo == pytest.approx((high - low) * 0.9 * b.mass_max / (1 - 0.9 * b.mass_max))


def test_values_of_states_that_end_are_not_shifted() -> None:
    mdp = cliff(0.99)
    done = np.flatnonzero((mdp.end == 1).all(axis=1))
    V = value_iteration(mdp).V
    assert len(done) == 0 or np.abs(V[done] - mdp.R[done].max(axis=1)).max() == 0.0


def test_policy_iteration_keeps_an_action_among_equals() -> None:
    """Actions that differ by the order of a sum: rounding alone must not move the policy."""
    rng = np.random.default_rng(0)
    P = np.repeat(rng.dirichlet(np.ones(30), size=(30, 1)), 4, axis=1)
    R = np.repeat(rng.normal(size=(30, 1)), 4, axis=1) * (1 + np.finfo(float).eps * np.arange(4))
    b = Backups(MDP(P, R, 0.999, renormalise=True))
    last = np.full(30, 3)
    last[::2] = 1
    found = howard_loop(b, np.zeros(30), last, 100)
    assert found.status is Status.CONVERGED and found.iterations == 2
    assert np.array_equal(found.actions, last)


@pytest.mark.parametrize("solver", INFINITE)
def test_too_few_iterations_raise_with_the_solution(solver: str) -> None:
    mdp = MDP.from_gymnasium("FrozenLake-v1", gamma=0.99, map_name="8x8")
    with pytest.raises(NotConverged, match="iteration limit") as caught:
        SOLVERS[solver].function(mdp, max_iter=1)
    sol = caught.value.solution
    assert sol.status is Status.MAX_ITER and sol.iterations == 1
    assert np.isfinite(sol.error_bound)  # a bound all the same
    exact = SOLVERS["policy_iteration"].function(mdp).V
    assert np.abs(sol.V - exact).max() <= sol.error_bound + 1e-12
    assert SOLVERS[solver].function(mdp, max_iter=1, throw=False).status is Status.MAX_ITER


@pytest.mark.parametrize("solver", INFINITE)
def test_a_tolerance_below_rounding_ends_at_the_floor(solver: str) -> None:
    mdp = MDP.from_gymnasium("FrozenLake-v1", gamma=0.99, map_name="4x4")
    sol = SOLVERS[solver].function(mdp, Shannon(0.01), tol=1e-30)
    assert sol.status is Status.ROUNDING_FLOOR
    assert 0 < sol.error_bound < 1e-12


@pytest.mark.parametrize("solver", INFINITE)
def test_bad_options(solver: str) -> None:
    mdp = MDP([[[1.0]]], [[1.0]], 0.5)
    f = SOLVERS[solver].function
    with pytest.raises(ValueError, match="tol is 0"):
        f(mdp, tol=0)
    with pytest.raises(TypeError, match="tol is"):
        f(mdp, tol="small")
    with pytest.raises(ValueError, match="max_iter is 0"):
        f(mdp, max_iter=0)
    with pytest.raises(TypeError, match="max_iter is"):
        f(mdp, max_iter=2.5)
    with pytest.raises(ValueError, match=r"V0 has shape \(2,\)"):
        f(mdp, V0=[0.0, 0.0])
    with pytest.raises(ValueError, match=r"V0\[0\] is nan"):
        f(mdp, V0=[np.nan])
    with pytest.raises(ValueError, match=r"pi\[0\] sums to 0.5"):
        f(mdp, pi0=[[0.5]])
    with pytest.raises(TypeError, match="both given"):
        f(mdp, V0=[0.0], pi0=[0])


@pytest.mark.parametrize("tau", [1e-300, 1e-17, 1e-3, 1e300])
def test_sweeps_of_a_large_soft_model_take_every_temperature(tau: float) -> None:
    """From all but the maximum to all but the mean."""
    m = garnet_sparse(1, 40, 4, 5, gamma=0.9)
    b = Backups(m, Shannon(tau), compiled=True)
    found = modified_loop(b, np.full(b.S, 1e3), 1e-9, 500, 50)
    assert found.status is Status.CONVERGED
    exact = solve(m, Shannon(tau), tol=1e-9)
    assert np.abs(found.V - exact.V).max() <= 2e-8 * max(1.0, np.abs(exact.V).max())
