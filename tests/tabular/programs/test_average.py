"""The linear program of the average reward: the largest gain of any start, proved from both sides."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given

from proofs_check.strategies import mdps
from tabular import MDP, ModelError, exact_average_reward
from tabular.instances import garnet, river_swim
from tabular.programs import average_program


@given(mdps(endings=False))
def test_it_is_the_largest_exact_gain(mdp: MDP) -> None:
    sol, best = average_program(mdp, throw=False), max(exact_average_reward(mdp).gain)
    assert Fraction(sol.lower) <= best <= Fraction(sol.upper) and sol.gap < 1e-6
    assert sol.mu.sum() == pytest.approx(1) and (sol.mu >= 0).all()


@pytest.mark.parametrize("mdp", [river_swim(), garnet(6, 3).member(1, 0)], ids=["river", "garnet"])
def test_its_law_is_stationary_and_earns_the_gain(mdp: MDP) -> None:
    for m in (mdp, mdp.to_sparse()):
        sol = average_program(m)
        d, P = sol.mu, mdp.to_dense().P
        np.testing.assert_allclose(np.einsum("sa,sat->t", d, P), d.sum(axis=1), atol=1e-9)
        assert (d * mdp.rewards).sum() == pytest.approx(sol.lower, abs=1e-9) and sol.gap < 1e-10
        assert sol.lower <= max(exact_average_reward(mdp).gain) <= sol.upper


def test_ends_and_other_models_are_refused() -> None:
    with pytest.raises(ModelError, match="has no average reward"):
        average_program(MDP([[[0.5]]], [[1.0]], 1, end=[[0.5]]))
    with pytest.raises(TypeError, match="average_program takes an MDP"):
        average_program("mdp")
    with pytest.raises(ValueError, match="tol is 0"):
        average_program(river_swim(), tol=0)
