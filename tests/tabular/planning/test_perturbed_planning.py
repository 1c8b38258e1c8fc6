"""Planning from samples: deterministic in its seed, exact in its limit, and the reduction's parameters as stated."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from tabular import MDP, ModelError, average_reward, evaluate_average, policy_iteration
from tabular.instances import garnet, random_endings, random_masks, switching
from tabular.planning.perturbed_planning import (
    average_reward_reduction,
    perturbed_planning,
    reduction_parameters,
)


def test_samples_and_noise_are_functions_of_the_seed() -> None:
    mdp = garnet(4, 3).member(0, 0)
    one, two, other = (perturbed_planning(mdp, 0.9, 0.1, 50, seed) for seed in (3, 3, 4))
    for name in one.result:
        assert one.result[name].tobytes() == two.result[name].tobytes(), name
    assert (one.result["counts"] != other.result["counts"]).any() and (one.result["R"] != other.result["R"]).any()
    assert one.seed == 3 and one.info["samples"] == 50 * 12


@pytest.mark.parametrize("family", [garnet(4, 3), random_masks(4, 3), random_endings(4, 3)], ids=str)
def test_the_policy_is_optimal_in_the_empirical_model(family: Any) -> None:
    mdp = family.member(5, 2)
    run = perturbed_planning(mdp, 0.9, 0.25, 64, 0)
    counts, R, actions = (run.result[k] for k in ("counts", "R", "actions"))
    assert (counts.sum(axis=-1) == np.where(mdp.mask, 64, 0)).all()
    noise = R[mdp.mask] - mdp.R[mdp.mask]
    assert (noise >= 0).all() and (noise < 0.25).all() and len(np.unique(noise)) == mdp.mask.sum()
    end = counts[..., -1] / 64
    empirical = MDP(counts[..., :-1] / 64, R, 0.9, end=end)
    sol = policy_iteration(empirical)
    np.testing.assert_allclose(run.result["V"], sol.V, atol=1e-9)
    assert actions.tolist() == sol.pi.argmax(axis=1).tolist()
    assert mdp.mask[np.arange(4), actions].all()


def test_many_samples_find_the_optimal_policy() -> None:
    for i in range(5):
        mdp = garnet(3, 2, gamma=0.75).member(1, i)
        actions = perturbed_planning(mdp, 0.75, 0.0, 10**9, 0).result["actions"]
        best = policy_iteration(mdp)
        chosen = best.Q[np.arange(3), actions]
        np.testing.assert_allclose(chosen, best.V, atol=1e-3)


def test_the_parameters_are_those_of_the_paper() -> None:
    p = reduction_parameters(0.25, 8.0, 3, 2, delta=0.1, c=2.0)
    assert p.gamma == 1 - 0.25 / 152 and p.zeta == pytest.approx(0.25 / 76)
    assert p.n == math.ceil(2 * math.log(120) * 8 * 16)
    with pytest.raises(ValueError, match="expected epsilon < 1 <= t"):
        reduction_parameters(0.5, 0.5, 2, 2)
    with pytest.raises(ValueError, match="epsilon is 0"):
        reduction_parameters(0.0, 1.0, 2, 2)
    for epsilon, t in ((1e-200, 1.0), (1e-10, 1e9)):
        with pytest.raises(ValueError, match=r"the discount 1 - epsilon / \(19 t\) rounds to 1"):
            reduction_parameters(epsilon, t, 2, 2)


def test_the_reduction_finds_good_policies_for_the_average_reward() -> None:
    mdp = switching().member(0, 3)
    t = 1 / (2 * mdp.P[0, :, 1].min())
    run = average_reward_reduction(mdp, 0.05, t, seed=1)
    assert average_reward(mdp).gain[0] - evaluate_average(mdp, run.result["actions"]).gain[0] <= 0.05


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"gamma": 1}, "gamma is 1: expected a discount below one"),
        ({"zeta": -1.0}, "zeta is -1"),
        ({"n": 0}, "n is 0: at least 1"),
        ({"seed": -1}, "seed is -1: at least 0"),
    ],
)
def test_bad_arguments_are_refused(change: dict[str, Any], message: str) -> None:
    given = {"gamma": 0.5, "zeta": 0.0, "n": 3, "seed": 0} | change
    with pytest.raises(ValueError, match=message):
        perturbed_planning(garnet(2, 2).member(0, 0), **given)


def test_the_reduction_takes_rewards_in_the_unit_interval_and_no_endings() -> None:
    P = np.full((2, 1, 2), 0.5)
    with pytest.raises(ModelError, match=r"R\[1, 0\] is 2: the reduction takes rewards in \[0, 1\]"):
        average_reward_reduction(MDP(P, [[0.0], [2.0]], 0.5), 0.1, 1.0)
    with pytest.raises(ModelError, match="a process that ends"):
        average_reward_reduction(MDP(P / 2, np.zeros((2, 1)), 0.5, end=[[0.5], [0.5]]), 0.1, 1.0)
