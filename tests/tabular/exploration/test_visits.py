"""Occupancies and entropies of finite horizons, by hand, by enumeration and by their formulas."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from tabular import MDP, FiniteHorizonMDP, ModelError
from tabular.exploration import episodic
from tabular.exploration.visits import (
    end_as_state,
    entropy,
    markov_policy,
    pooled_entropy,
    trajectories,
    trajectory_entropy,
    transition_entropy,
    visitation_entropy,
    visits,
)
from tabular.instances import garnet, random_endings, random_masks, random_masks_endings

CLOSE = {"rtol": 1e-12, "atol": 1e-13}  # some hundred roundings of numbers of order one


def horizon(family, index: int = 0, H: int = 3, **options) -> FiniteHorizonMDP:
    mdp = family.member(1, index)
    rho = np.arange(1.0, mdp.S + 1) / np.arange(1.0, mdp.S + 1).sum()
    return episodic(mdp, H, rho=rho, **options)


def some_policy(fh: FiniteHorizonMDP, seed: int = 0) -> np.ndarray:
    weights = np.where(fh.mask, np.random.default_rng(seed).integers(0, 4, fh.mask.shape), 0)
    weights = weights + (fh.mask & (weights.sum(axis=2, keepdims=True) == 0))
    return weights / weights.sum(axis=2, keepdims=True)


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("family", [garnet(3, 2), random_masks(3, 3)], ids=["garnet", "masks"])
def test_trajectories_have_the_entropies_of_the_formulas(family, sparse: bool) -> None:
    fh = horizon(family)
    fh = fh.to_sparse() if sparse else fh
    pi = some_policy(fh)
    d, law = np.zeros((3, fh.S, fh.A)), []
    for path, p in trajectories(fh, pi):
        law.append(p)
        for h in range(3):
            d[h, path[2 * h], path[2 * h + 1]] += p
    np.testing.assert_allclose(visits(fh, pi), d, **CLOSE)
    assert trajectory_entropy(fh, pi) == pytest.approx(entropy(law), rel=1e-12)
    assert entropy(law) <= visitation_entropy(d) * (1 + 1e-12) <= 3 * pooled_entropy(d) * (1 + 1e-12)
    longer = trajectory_entropy(fh, pi, last=True)
    assert longer - entropy(law) == pytest.approx((d[2] * transition_entropy(fh.stage(2))).sum(), rel=1e-9)


@pytest.mark.parametrize("exact", [False, True])
def test_the_end_as_a_state_keeps_what_is_visited_before(exact: bool) -> None:
    half = Fraction(1, 2)
    if exact:
        fh = FiniteHorizonMDP(
            np.array([[[half]]]), [[0]], H=3, end=np.array([[half]]), rho=[Fraction(1)], terminal=[Fraction(1, 3)]
        )
    else:
        fh = horizon(random_masks_endings(3, 3), 2)
    longer = end_as_state(fh)
    assert longer.S == fh.S + 1 and not any(longer.stage(h).has_end for h in range(3))
    np.testing.assert_array_equal(longer.mask[:, -1].sum(axis=1), 1)
    pi = some_policy(fh)
    more = np.concatenate([pi, np.eye(fh.A)[[0]][None].repeat(3, axis=0)], axis=1)
    d = visits(longer, more)
    np.testing.assert_allclose(d[:, :-1], visits(fh, pi), **CLOSE)
    np.testing.assert_allclose(d.sum(axis=(1, 2)), 1.0, rtol=1e-14)
    law = [p for _, p in trajectories(longer, more)]
    assert trajectory_entropy(longer, more) == pytest.approx(entropy(law), rel=1e-12)
    if exact:
        assert longer.exact().stages[0].S == 2 and visitation_entropy(d) == pytest.approx(
            np.log(2) + entropy([0.25, 0.75])
        )
    assert end_as_state(longer) is longer


def test_sparse_models_stay_sparse_with_their_end() -> None:
    fh = horizon(random_endings(3, 2)).to_sparse()
    assert end_as_state(fh).is_sparse
    np.testing.assert_array_equal(end_as_state(fh).stage(0).to_dense().P, end_as_state(fh.to_dense()).stage(0).P)


def test_a_mixture_over_episodes_is_a_markov_policy_and_no_average_of_rows() -> None:
    fh = horizon(garnet(3, 2), 1)
    one, two = some_policy(fh, 1), some_policy(fh, 2)
    mixed = (visits(fh, one) + visits(fh, two)) / 2
    np.testing.assert_allclose(visits(fh, markov_policy(mixed, fh.mask)), mixed, **CLOSE)
    assert np.abs(visits(fh, (one + two) / 2) - mixed).max() > 1e-3


def test_one_fair_coin_decides_all_steps() -> None:
    """The card's instance: VE = (H - 1) log 2 while TE = log 2."""
    fh = FiniteHorizonMDP([[[0, 0.5, 0.5]], [[0, 1, 0]], [[0, 0, 1]]], np.zeros((3, 1)), H=6, rho=[1, 0, 0])
    pi = np.ones((6, 3, 1))
    assert visitation_entropy(visits(fh, pi)) == pytest.approx(5 * np.log(2))
    assert trajectory_entropy(fh, pi) == pytest.approx(np.log(2))


def test_refusals() -> None:
    mdp = MDP([[[1.0], [1.0]]], [[0.0, 0.0]], 0.5)
    with pytest.raises(TypeError, match="visits takes a FiniteHorizonMDP, not MDP"):
        visits(mdp, [0])
    fh = FiniteHorizonMDP(mdp.P, mdp.R, H=2)
    with pytest.raises(ModelError, match="rho is missing: visits"):
        visits(fh, [[0], [0]])
    with pytest.raises(ModelError, match="rho is missing: trajectory_entropy"):
        trajectory_entropy(fh, [[0], [0]])
    slow = FiniteHorizonMDP(mdp.P, mdp.R, H=2, gamma=0.5, rho=[1])
    with pytest.raises(ModelError, match=r"gamma = 0\.5: trajectory_entropy is for undiscounted"):
        trajectory_entropy(slow, [[0], [0]])
    short = horizon(random_endings(3, 2))
    with pytest.raises(ModelError, match=r"stage 0: end\[\d, \d\] is .*end_as_state"):
        trajectory_entropy(short, some_policy(short))
    with pytest.raises(ModelError, match=r"d\[\d\] sums to .*end_as_state"):
        visitation_entropy(visits(short, some_policy(short)))
    with pytest.raises(ModelError, match=r"d has shape \(2,\): expected occupancies"):
        pooled_entropy([0.5, 0.5])
    with pytest.raises(ModelError, match=r"x\[1\] is -0\.5"):
        entropy([1.5, -0.5])
    with pytest.raises(ModelError, match=r"\(3 \* 2\)\^12 trajectories"):
        trajectories(horizon(garnet(3, 2), H=12), np.full((12, 3, 2), 0.5))
    with pytest.raises(ModelError, match=r"d\[0, 0, 1\] is 0\.5: expected probabilities of available pairs"):
        markov_policy([[[0.5, 0.5]]], np.array([[[True, False]]]))
    with pytest.raises(ModelError, match=r"d has shape \(1, 1, 2\) and mask \(2,\)"):
        markov_policy([[[0.5, 0.5]]], np.array([True, False]))
