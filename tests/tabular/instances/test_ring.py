"""The ring's reference numbers, to all digits that are known, and its policies."""

from __future__ import annotations

import numpy as np
import pytest

from tabular import solve
from tabular.instances import ring
from tabular.planning.soft_robust import robust_policy_iteration, robust_value_iteration
from tabular.planning.soft_robust_gradient import robust_policy_gradient
from tabular.risk import Entropic

KNOWN = [
    (0.01, 0.0, 71.5568),
    (0.01, 0.01, 71.1601),
    (0.01, 0.1, 65.2450),
    (0.01, 1.0, -0.7815),
    (0.01, 3.0, -24.7702),
    (0.15, 0.0, 16.9144),
    (0.15, 0.01, 16.6973),
    (0.15, 0.1, 14.6657),
    (0.15, 1.0, -24.5811),
    (0.15, 3.0, -37.5045),
]


@pytest.mark.parametrize(("slip", "beta", "mean"), KNOWN)
def test_mean_values(slip: float, beta: float, mean: float) -> None:
    mdp = ring(slip)
    by_policies, by_values = robust_policy_iteration(mdp, Entropic(beta)), robust_value_iteration(mdp, Entropic(beta))
    assert abs(by_policies.V.mean() - mean) <= 0.5e-4 + 1e-9
    assert by_policies.error_bound < 1e-10
    assert np.abs(by_policies.V - by_values.V).max() <= by_policies.error_bound + by_values.error_bound


def test_neutral_values_are_those_of_the_plain_solver() -> None:
    assert np.abs(solve(ring(0.01)).V - robust_policy_iteration(ring(0.01), Entropic(0.0)).V).max() < 1e-10


@pytest.mark.parametrize("beta", [0.01, 0.1])
def test_the_bold_walk_to_the_large_reward(beta: float) -> None:
    """At small beta all states walk to state 8, through a pit."""
    actions = robust_policy_iteration(ring(0.01), Entropic(beta)).pi.argmax(axis=1)
    for start in range(14):
        s = start
        for _ in range(14):
            s = (s + actions[s] - 1) % 14
        assert s == 8


def test_the_wary_avoid_it() -> None:
    actions = robust_policy_iteration(ring(0.01), Entropic(3.0)).pi.argmax(axis=1)
    for start in set(range(14)) - {8}:
        s = start
        for _ in range(14):
            s = (s + actions[s] - 1) % 14
        assert s != 8


def test_projected_gradient_reaches_the_optimum() -> None:
    run = robust_policy_gradient(ring(0.01), Entropic(3.0), eta=0.1, K=300, record=[0, 300])
    assert run.history["gap"][0] > 100 and run.history["gap"][1] < 1e-6


def test_the_model() -> None:
    mdp = ring(0.01)
    assert mdp.is_exact and mdp.S == 14 and mdp.R[8, 0] == 5.0 and mdp.gamma_exact * 20 == 19
    np.testing.assert_allclose(mdp.P[13, 2, [13, 0, 1]], [0.01, 0.98, 0.01])
    with pytest.raises(ValueError, match=r"slip is 0\.6"):
        ring(0.6)
