"""gamma = 1 on the device: known values of Gymnasium's tables, certificates, and refusals that name what is wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from deep import exact
from tabular import MDP, ImproperModel, ModelError, Shannon, Status
from tabular import solve as solve_on_host

pytestmark = pytest.mark.xdist_group("deep exact")  # one worker compiles what they share


def table(name: str, **options: Any) -> MDP:
    return MDP.from_gymnasium(name, gamma=1, **options)


KNOWN = {
    "lake": ("FrozenLake-v1", 0, 14 / 17),  # slippery 4x4: the goal is reached with this probability
    "cliff": ("CliffWalking-v1", 36, -13.0),  # thirteen steps along the edge
}


@pytest.mark.parametrize("method", ["auto", "value_iteration"])
@pytest.mark.parametrize("name", KNOWN)
def test_known_values_are_certified(name: str, method: str) -> None:
    env, start, value = KNOWN[name]
    mdp = table(env)
    s = exact.solve(mdp, None, method)
    assert s.status is Status.CONVERGED and s.method.endswith("(jax)")
    assert abs(s.V[start] - value) <= s.error_bound <= 1e-9 * max(1.0, np.abs(s.V).max())
    host = solve_on_host(mdp)
    assert np.abs(s.V - host.V).max() <= s.error_bound + host.error_bound
    c = s.certificates["V - V*"]
    assert (c.lower <= s.V - host.V + host.error_bound).all() and (c.upper >= s.V - host.V - host.error_bound).all()
    assert s.policy_gap <= 1e-8


def test_entropy_and_spread_states() -> None:
    """The cliff is finite at temperature 0.72; the states lie on a mesh of all devices, one here."""
    mdp = table("CliffWalking-v1")
    s, host = exact.solve(mdp, Shannon(0.72), on=exact.mesh()), solve_on_host(mdp, Shannon(0.72))
    assert np.abs(s.V - host.V).max() <= s.error_bound + host.error_bound and s.error_bound < 1e-6


def test_what_is_not_supported_says_so() -> None:
    mdp = table("FrozenLake-v1")
    with pytest.raises(ModelError, match="gamma = 1: policy iteration has to keep to policies that end"):
        exact.solve(mdp, None, "policy_iteration")
    with pytest.raises(ModelError, match="gamma = 1: arrays that stay on the device are of discounted models"):
        exact.placed(mdp)
    with pytest.raises(ModelError, match="values and visits of given policies by tabular"):
        exact.evaluate_policy(mdp, np.full((mdp.S, mdp.A), 1 / mdp.A))
    with pytest.raises(ImproperModel, match="end component"):
        exact.solve(table("CliffWalking-v1"), Shannon(0.8))
    with pytest.raises(ImproperModel):
        exact.solve(MDP([[[1.0]]], [[1.0]], 1))
    with pytest.raises(ValueError, match="method is 'newton'"):
        exact.solve(mdp, None, "newton")
    with pytest.raises(ModelError, match=r"V0 has shape \(3,\)"):
        exact.solve(mdp, V0=np.zeros(3))
