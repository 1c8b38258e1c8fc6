"""A status says what is proved: absorbing goals at ``gamma = 1``, models that are worth nothing, overflow, last digits."""

from __future__ import annotations

import warnings
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
import pytest

from tabular import KL, MDP, FiniteHorizonMDP, NotConverged, Shannon, ShannonKL, Status, evaluate_policy, solve
from tabular.certificates import certify, rational_certificate
from tabular.errors import TabularError
from tabular.planning import SOLVERS
from tabular.regularizers import regularizer

INF = float("inf")
METHODS = [name for name, s in SOLVERS.items() if s.total_reward and s.horizon == "infinite"]


@regularizer
class Own(NamedTuple):
    """Shannon's entropy again, without ``value``."""

    tau: Any

    def conjugate(self, ops: Any, Q: Any, mask: Any) -> Any:
        return ops.free_energy(Q, self.tau, where=mask)

    def policy(self, ops: Any, Q: Any, mask: Any) -> Any:
        return ops.gibbs(Q, self.tau, where=mask)


def maze(kind: type = float) -> tuple[MDP, MDP]:
    """Three rooms, then a goal that is left for another one, and so on for ever; the same with an end."""
    P = np.zeros((5, 2, 5), dtype=int)
    for s in range(3):
        P[s, 0, s + 1] = P[s, 1, max(s - 1, 0)] = 2
    P[0, 0, 0] = 1  # slips
    P[3, 0, 4] = P[4, 0, 3] = 1
    R = np.array([[-1, -2], [-2, -1], [-3, -1], [0, -INF], [0, -INF]])
    if kind is Fraction:
        R = np.array([[Fraction(int(x), 3) if x > -INF else x for x in row] for row in R], dtype=object)
    ends = np.zeros((5, 2), dtype=int)
    absorbing = MDP.from_weights(P, R, 1)
    ends[3:, 0], P[3:] = 1, 0
    return absorbing, MDP.from_weights(P, R, 1, end_weights=ends)


REGULARIZERS = {
    "hard": None,
    "shannon": Shannon(0.25),
    "kl": KL(0.5, np.array([[0.25, 0.75]] * 3 + [[1.0, 0.0]] * 2)),
    "shannon+kl": ShannonKL(0.125, 0.5, np.array([[0.25, 0.75], [1.0, 0.0], [0.5, 0.5], [1.0, 0.0], [1.0, 0.0]])),
    "own": Own(0.25),
}


@pytest.mark.parametrize("kind", [float, Fraction])
@pytest.mark.parametrize("reg", REGULARIZERS)
@pytest.mark.parametrize("method", METHODS)
def test_absorbing_goals_are_certified(method: str, reg: str, kind: type) -> None:
    absorbing, ending = maze(kind)
    a, b = (solve(m, REGULARIZERS[reg], method, tol=1e-9) for m in (absorbing, ending))
    assert a.status is b.status is Status.CONVERGED
    assert a.error_bound < 1e-8 and np.abs(a.V - b.V).max() <= a.error_bound + b.error_bound
    assert a.V[3:].tolist() == [0.0, 0.0]
    c = a.certificates["V - V*"]
    assert c.lower[3:].tolist() == c.upper[3:].tolist() == [0.0, 0.0]
    if reg == "own":
        assert a.policy_gap == INF
    else:
        assert a.policy_gap < 1e-8
    if reg != "hard":
        assert a.model_error == pytest.approx(b.model_error)  # in the goal zeros are added, whatever its row sums to


@pytest.mark.parametrize("method", METHODS)
def test_the_smallest_absorbing_models(method: str) -> None:
    for mdp in (
        MDP([[[1.0]]], [[0.0]], 1),
        MDP([[[0, 1], [1, 0]], [[0, 1], [0, 1]]], [[-1, -2], [0, -INF]], 1),
    ):
        for reg in (None, Shannon(0.1)):
            sol = solve(mdp, reg, method)
            assert sol.status is Status.CONVERGED and sol.error_bound < 1e-14
            assert sol.V[-1] == 0 and sol.certificates["V - V*"].upper[-1] == 0


def test_a_stochastic_policy_into_a_goal_is_certified() -> None:
    """Two actions in the goal, both worth nothing."""
    P = np.zeros((2, 2, 2))
    P[0, 0, 0] = P[0, 0, 1] = 0.5
    P[0, 1, 0], P[1, :, 1] = 1.0, 1.0
    mdp = MDP(P, [[-1.0, -1.0], [0.0, 0.0]], 1)
    pi = np.array([[0.5, 0.5], [0.25, 0.75]])
    c = certify(mdp, evaluate_policy(mdp, pi), pi=pi)["V - V^pi"]
    assert np.abs([c.lower, c.upper]).max() < 1e-14


def test_no_proof_of_absorbing_goals_is_claimed() -> None:
    """The checker's theorem wants strict decrease, which a circle has not."""
    mdp = maze()[0]
    with pytest.raises(TabularError, match="no certificate was found"):
        rational_certificate(mdp, solve(mdp, Shannon(0.25)))


def test_what_has_no_bound_is_not_called_converged() -> None:
    """With entropy and ``gamma = 1`` beyond the size that balls are made for."""
    S, A = 20, 2001
    rng = np.random.default_rng(0)
    P = np.zeros((S, A, S))
    P[..., 0] = 0.5
    mdp = MDP(P, -1.0 - rng.random((S, A)) - 10, 1, end=np.full((S, A), 0.5))
    for method in METHODS:
        sol = solve(mdp, Shannon(0.1), method)
        assert sol.error_bound == INF
        assert sol.status is Status.UNCERTIFIED and "UNCERTIFIED" in repr(sol)


@pytest.mark.parametrize("reg", ["hard", "shannon"])
@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0], ids=str)
@pytest.mark.parametrize("method", METHODS)
def test_models_worth_nothing_are_solved_exactly(method: str, gamma: float, reg: str) -> None:
    sol = solve(MDP([[[0.0, 1.0]], [[1.0, 0.0]]], [[0.0], [0.0]], gamma), REGULARIZERS[reg], method)
    assert sol.status is Status.CONVERGED
    assert (sol.error_bound, sol.policy_gap, sol.model_error) == (0.0, 0.0, 0.0)
    fh = FiniteHorizonMDP([[[1.0]]], [[0.0]], H=3)
    staged = solve(fh, REGULARIZERS[reg])
    assert staged.status is Status.CONVERGED and staged.error_bound == staged.policy_gap == 0.0


def test_nothing_now_is_not_nothing_later() -> None:
    fh = FiniteHorizonMDP([[[1.0]]], [[0.0]], H=3, terminal=[1.0])
    assert solve(fh).V[0].tolist() == [1.0] and certify_first(fh) == pytest.approx(-1.0)


def certify_first(fh: FiniteHorizonMDP) -> float:
    """``V - V*`` of zeros at the first stage."""
    from tabular.certificates import certify_finite

    return float(certify_finite(fh, np.zeros((4, 1)))["V - V*"].lower[0, 0])


@pytest.mark.parametrize("start", ["", "V0"])
@pytest.mark.parametrize("method", METHODS)
def test_a_regularizer_without_value_at_gamma_1(method: str, start: str) -> None:
    mdp = maze()[1]
    same = solve(mdp, Shannon(0.25), method)
    options = {"V0": same.V} if start else {}
    sol = solve(mdp, Own(0.25), method, **options)
    assert sol.status is Status.CONVERGED and np.abs(sol.V - same.V).max() <= sol.error_bound + same.error_bound
    assert sol.policy_gap == INF
    with pytest.raises(NotImplementedError, match="Own has no method value"):
        solve(mdp, Own(0.25), method, pi0=same.pi)


LARGE = np.array([[5e307, 4e307], [5e307, 5e307]])


@pytest.mark.parametrize("reg", ["None", "cold", "hot"])
@pytest.mark.parametrize("gamma", [0.9, 0.99, 1.0], ids=str)
@pytest.mark.parametrize("method", METHODS)
def test_overflow_is_a_status_without_warnings(method: str, gamma: float, reg: str) -> None:
    regularizer_ = {"None": None, "cold": Shannon(0.1), "hot": Shannon(1e307)}[reg]
    P, end = (np.full((2, 2, 2), 0.5), None) if gamma < 1 else (np.full((2, 2, 2), 0.4375), np.full((2, 2), 0.125))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sol = solve(MDP(P, LARGE, gamma, end=end), regularizer_, method, throw=False)
        staged = solve(FiniteHorizonMDP(P, LARGE, H=9, end=end), regularizer_, throw=False)
    assert sol.status is staged.status is Status.NONFINITE
    with pytest.raises(NotConverged, match="became infinite"):
        solve(MDP(P, LARGE, gamma, end=end), regularizer_, method)


@pytest.mark.parametrize("tau", [0.01, 0.1, 0.5, 1.0, 10.0], ids=str)
def test_soft_policy_iteration_gives_all_digits(tau: float) -> None:
    rng = np.random.default_rng(0)
    mdp = MDP(rng.dirichlet(np.ones(5), (5, 3)), rng.normal(size=(5, 3)), 0.99)
    sol = solve(mdp, Shannon(tau))
    assert "quadratically" in sol.why
    assert sol.error_bound <= 1e-13 * np.abs(sol.V).max()


def test_the_last_step_is_not_beyond_the_limit() -> None:
    rng = np.random.default_rng(0)
    mdp = MDP(rng.dirichlet(np.ones(5), (5, 3)), rng.normal(size=(5, 3)), 0.99)
    steps = solve(mdp, Shannon(1.0)).iterations
    short = solve(mdp, Shannon(1.0), max_iter=steps - 1)
    assert short.status is Status.CONVERGED and short.iterations == steps - 1
