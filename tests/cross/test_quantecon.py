"""QuantEcon.py's DiscreteDP beside this project's solvers, on discounted models without endings."""

from __future__ import annotations

import numpy as np
import pytest
from quantecon.markov import DiscreteDP

from tabular import MDP, evaluate_policy
from tabular.planning import SOLVERS

INFINITE = [name for name, s in SOLVERS.items() if s.horizon == "infinite"]
MASKED = [False, True]


def garnet(seed: int, S: int, A: int, gamma: float, masked: bool) -> MDP:
    rng = np.random.default_rng(seed)
    R = rng.normal(size=(S, A))
    if masked:
        off = rng.random((S, A)) < 0.4
        off[:, 0] = False
        R[off] = -np.inf
    return MDP(rng.dirichlet(np.full(S, 0.2), size=(S, A)), R, gamma, renormalise=True)


def quantecon(mdp: MDP) -> DiscreteDP:
    """The whole product form; unavailable pairs keep some row, which their reward excludes."""
    P = np.where(mdp.mask[..., None], mdp.P, 1.0 / mdp.S)
    return DiscreteDP(np.array(mdp.R), P, mdp.gamma)


@pytest.mark.parametrize("masked", MASKED, ids=["full", "masked"])
@pytest.mark.parametrize("gamma", [0.3, 0.95, 0.9999])
@pytest.mark.parametrize("size", [(1, 2), (12, 4), (60, 3)], ids=["1x2", "12x4", "60x3"])
@pytest.mark.parametrize("solver", INFINITE)
def test_values_and_policies_agree_with_quantecon(
    solver: str, size: tuple[int, int], gamma: float, masked: bool
) -> None:
    mdp = garnet(7, *size, gamma, masked)
    theirs = quantecon(mdp).solve(method="policy_iteration")
    ours = SOLVERS[solver].function(mdp)
    scale = max(np.abs(mdp.rewards).max(), np.abs(ours.V).max())
    # Theirs claims no bound; a linear system solved in float64 is good to its condition number.
    slack = ours.error_bound + 64 * mdp.S * np.finfo(float).eps * scale / (1 - gamma)
    assert np.abs(ours.V - theirs.v).max() <= slack
    assert np.abs(evaluate_policy(mdp, theirs.sigma.astype(int)) - ours.V).max() <= 2 * slack
    assert np.array_equal(ours.pi.argmax(axis=1), theirs.sigma)


def test_their_default_stops_unnoticed_where_ours_has_a_bound() -> None:
    """At discount 0.999 QuantEcon's default value iteration may stop at its 250 steps and say nothing."""
    gamma = 0.999
    mdp = MDP([[[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [1.0, 0.0]]], [[1.0, 0.0], [0.5, 0.0]], gamma)
    theirs = quantecon(mdp).solve(method="value_iteration")
    assert theirs.num_iter == 250
    sol = SOLVERS["value_iteration"].function(mdp)
    assert np.abs(theirs.v - sol.V).max() > 100 * sol.error_bound
    assert sol.V == pytest.approx([1000.0, 999.0], abs=1e-5)
