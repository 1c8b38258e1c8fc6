"""Total reward where the way to the end is far below the unit roundoff; answers in closed form."""

from __future__ import annotations

from fractions import Fraction as F

import numpy as np
import pytest

from tabular import MDP, ImproperModel, solve
from tabular._resolvent import resolvent_solve
from tabular.certificates import exact_policy_iteration
from tabular.operators import evaluate_policy, occupancy
from tabular.solution import Status


def leaky() -> MDP:
    P = np.zeros((2, 1, 2))
    P[0, 0], P[1, 0] = [1, 1e-17], [0.5, 0]
    return MDP(P, [[1e-13], [1.0]], 1, end=[[0], [0.5]])


def test_leaks_below_the_unit_roundoff_are_seen() -> None:
    for method in ("auto", "modified_policy_iteration"):
        s = solve(leaky(), method=method)
        assert np.allclose(s.V, [20002, 10002], rtol=1e-9) and s.status is Status.CONVERGED and s.error_bound < 1e-4
    assert np.allclose(evaluate_policy(leaky(), [0, 0]), [20002, 10002], rtol=1e-12)
    assert np.allclose(occupancy(leaky(), [0, 0], [1, 0]).ravel(), [2e17, 2], rtol=1e-12)


@pytest.mark.parametrize("p", [1e-17, 1e-15])
def test_no_error_of_linear_algebra_leaks(p: float) -> None:
    m = MDP([[[0, 0]], [[0, 1 - p]]], [[1.0], [1e-12]], 1, end=[[1.0], [p]])
    s = solve(m, method="modified_policy_iteration", throw=False)
    assert np.allclose(s.V, [1, 1e-12 / p], rtol=1e-9) and s.error_bound < 1e-3


def test_values_far_from_certain_are_not_called_converged() -> None:
    s = solve(MDP([[[1.0]]], [[1.0]], 1, end=[[1e-17]]), method="value_iteration", V0=[1e20], throw=False)
    assert s.status is not Status.CONVERGED


def test_a_row_that_outweighs_the_discount_is_a_distribution() -> None:
    m = MDP([[[1 + 2**-52]]], [[1.0]], 1 - 2**-53)
    assert np.allclose(evaluate_policy(m, [0]), 2.0**53) and np.allclose(occupancy(m, [0], [1.0]), 2.0**53)


def test_products_that_underflow_do_not_change_the_structure() -> None:
    m = MDP([[[1.0, 0.0], [1.0, 1e-200]], [[0, 0], [0, 0]]], [[0.0, 0.0], [5.0, 5.0]], 1, end=[[0, 0], [1, 1.0]])
    with pytest.raises(ImproperModel, match="beyond the range"):
        evaluate_policy(m, [[1.0, 1e-200], [1.0, 0]])


def test_elimination_without_subtractions_agrees_with_fractions() -> None:
    rng = np.random.default_rng(0)
    for _ in range(30):
        n = int(rng.integers(2, 6))
        P = rng.random((n, 1, n)) * 10.0 ** -rng.integers(0, 25, size=(n, 1, n))
        end = 10.0 ** -rng.integers(1, 25, size=(n, 1)).astype(float)
        total = P.sum(axis=-1) + end
        m = MDP(P / total[..., None], rng.random((n, 1)), 1, end=end / total)
        exact = np.array([float(x) for x in exact_policy_iteration(m).V])
        V = resolvent_solve(m.P[:, 0], 1.0, m.rewards[:, 0], m.end[:, 0])
        assert np.allclose(V, exact, rtol=1e-13, atol=0)
        start = np.eye(n)[0]
        M = resolvent_solve(m.P[:, 0], 1.0, start, m.end[:, 0], transpose=True)
        assert np.isclose(M @ m.rewards[:, 0], exact[0], rtol=1e-13, atol=0)
        assert F(m.gamma) == 1
