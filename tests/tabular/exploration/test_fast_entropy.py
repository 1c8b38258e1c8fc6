"""Policies of largest entropy: closed forms, certificates, and what each of them is largest in."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tabular import FiniteHorizonMDP, ModelError, NotConverged, Shannon, backward_induction
from tabular.exploration import episodic
from tabular.exploration.entropy_solution import POOLED, TRAJECTORY, VISITATION, certify_entropy
from tabular.exploration.fast_entropy import (
    maximum_pooled_entropy,
    maximum_trajectory_entropy,
    maximum_visitation_entropy,
)
from tabular.exploration.visits import (
    end_as_state,
    entropy,
    pooled_entropy,
    trajectory_entropy,
    transition_entropy,
    visitation_entropy,
    visits,
)
from tabular.instances import deterministic, garnet, random_masks, random_masks_endings
from tabular.instances.gridworld import gridworld
from tabular.solution import Status

FAMILIES = [garnet(4, 3), random_masks(4, 3), deterministic(5, 2)]
NAMES = ["garnet", "masks", "deterministic"]


def horizon(family, index: int = 0, H: int = 5) -> FiniteHorizonMDP:
    mdp = family.member(3, index)
    return episodic(mdp, H, rho=np.eye(mdp.S)[0])


def grid(side: int, H: int) -> FiniteHorizonMDP:
    rows = ["." * side] * side
    middle = side // 2
    rows[middle] = "." * middle + "S" + "." * middle
    return episodic(gridworld(rows, gamma=1, slip=0.05), H)


@pytest.mark.parametrize("index", range(4))
@pytest.mark.parametrize("family", FAMILIES, ids=NAMES)
def test_gaps_are_closed_and_certificates_hold(family, index: int) -> None:
    fh = horizon(family, index)
    found = maximum_visitation_entropy(fh)
    assert found.status is Status.CONVERGED and 0 <= found.gap <= 1e-8
    own = visitation_entropy(visits(fh, found.pi))
    assert found.lower - 1e-12 <= own <= found.upper + 1e-12
    np.testing.assert_allclose(found.visits, visits(fh, found.pi), rtol=1e-13, atol=1e-15)
    assert (found.pi[~fh.mask] == 0).all()
    rng = np.random.default_rng(index)
    for _ in range(20):  # nobody is above the upper bound, nobody near the optimum beats it
        other = 0.9 * found.pi + 0.1 * np.where(fh.mask, rng.dirichlet(np.ones(fh.A), (fh.H, fh.S)), 0)
        other /= other.sum(axis=2, keepdims=True)
        assert visitation_entropy(visits(fh, other)) <= found.upper


@pytest.mark.parametrize("family", FAMILIES, ids=NAMES)
def test_dense_and_sparse_agree(family) -> None:
    fh = horizon(family)
    for solve in (maximum_visitation_entropy, maximum_trajectory_entropy, maximum_pooled_entropy):
        one, two = solve(fh), solve(fh.to_sparse())
        assert max(one.lower, two.lower) <= min(one.upper, two.upper)


def test_what_can_be_reached_freely_is_visited_evenly() -> None:
    """Any state can be chosen next: the optimum is uniform over all pairs from the second step on."""
    P = np.zeros((3, 3, 3))
    P[:, np.arange(3), np.arange(3)] = 1.0
    fh = FiniteHorizonMDP(P, np.zeros((3, 3)), H=4, rho=[1, 0, 0])
    best = np.log(3) + 3 * np.log(9)
    found = maximum_visitation_entropy(fh)
    assert found.lower <= best <= found.upper and found.gap < 1e-8
    trajectory = maximum_trajectory_entropy(fh)
    assert trajectory.lower <= 4 * np.log(3) <= trajectory.upper and trajectory.gap < 1e-11


def test_one_step_and_one_pair() -> None:
    one = FiniteHorizonMDP(np.ones((1, 3, 1)), np.zeros((1, 3)), H=1, rho=[1])
    for solve in (maximum_visitation_entropy, maximum_pooled_entropy, maximum_trajectory_entropy):
        found = solve(one)
        assert found.lower <= np.log(3) <= found.upper and found.gap < 1e-8
    none = FiniteHorizonMDP(np.ones((1, 1, 1)), np.zeros((1, 1)), H=3, rho=[1])
    assert abs(maximum_visitation_entropy(none).upper) < 1e-12


def test_stages_that_differ() -> None:
    a, b = (garnet(3, 2).member(0, i) for i in (0, 1))
    fh = FiniteHorizonMDP(np.stack([a.P, b.P, a.P]), np.zeros((3, 2)), rho=[0.5, 0.5, 0.0])
    assert maximum_visitation_entropy(fh).gap < 1e-8
    found = maximum_trajectory_entropy(fh)
    assert found.lower <= trajectory_entropy(fh, found.pi) <= found.upper


def test_trajectory_optimum_is_soft_backward_induction() -> None:
    fh = horizon(garnet(4, 3), 2)
    for last in (False, True):
        rewards = np.stack([transition_entropy(fh.stage(h)) * (last or h < fh.H - 1) for h in range(fh.H)])
        other = backward_induction(FiniteHorizonMDP(fh.stage(0).P, rewards, rho=fh.rho), Shannon(1.0))
        found = maximum_trajectory_entropy(fh, last=last)
        np.testing.assert_allclose(found.values, other.V[:-1], rtol=1e-13)
        np.testing.assert_allclose(found.pi, other.pi, rtol=1e-12, atol=1e-15)
        assert found.lower <= trajectory_entropy(fh, found.pi, last=last) <= found.upper and found.gap < 1e-11


def test_each_oracle_is_best_in_its_own() -> None:
    fh = grid(5, 6)
    ve, te, pooled = maximum_visitation_entropy(fh), maximum_trajectory_entropy(fh), maximum_pooled_entropy(fh)
    assert visitation_entropy(te.visits) < ve.lower - 0.1
    assert trajectory_entropy(fh, ve.pi) < te.lower - 0.1
    assert pooled_entropy(ve.visits) < pooled.lower
    assert pooled.lower >= ve.upper / fh.H - 1e-3  # the pooled entropy is at least the mean of the steps'


def test_ends_count_as_a_state() -> None:
    fh = horizon(random_masks_endings(3, 3), 1)
    with pytest.raises(ModelError, match="an entropy counts the end as a state"):
        maximum_visitation_entropy(fh)
    assert maximum_visitation_entropy(end_as_state(fh)).gap < 1e-8


def test_unlikely_states_do_no_harm() -> None:
    """A chain whose far end is reached with probability 1e-9 a step."""
    P = np.zeros((6, 2, 6))
    for s in range(6):
        P[s, :, 0] = 1.0
        P[s, 1, 0] -= 1e-9
        P[s, 1, min(s + 1, 5)] += 1e-9
    found = maximum_visitation_entropy(FiniteHorizonMDP(P, np.zeros((6, 2)), H=6, rho=np.eye(6)[0]))
    assert found.gap < 1e-8 and np.isfinite(found.values).all()


def test_certificates_see_what_is_wrong() -> None:
    fh = horizon(garnet(4, 3))
    found = maximum_visitation_entropy(fh)
    uniform = np.full((fh.H, fh.S, fh.A), 1 / fh.A)
    worse = certify_entropy(fh, uniform, np.zeros((fh.H, fh.S)), VISITATION)
    assert worse["entropy of pi"].lower < found.lower and worse["max entropy"].upper > found.upper
    shifted = certify_entropy(fh, found.pi, found.values + np.arange(fh.H)[:, None], VISITATION)
    assert shifted["max entropy"].upper == pytest.approx(found.upper, abs=1e-10)  # constants change nothing
    for objective in (POOLED, TRAJECTORY):
        c = certify_entropy(fh, found.pi, found.values, objective)
        assert c["entropy of pi"].lower <= c["entropy of pi"].upper <= c["max entropy"].upper


def test_bad_options_and_limits() -> None:
    fh = grid(5, 6)
    with pytest.raises(ValueError, match=r"tol is 0.*in nats"):
        maximum_visitation_entropy(fh, tol=0)
    with pytest.raises(ValueError, match="max_iter is 0"):
        maximum_pooled_entropy(fh, max_iter=0)
    with pytest.raises(TypeError, match="throw is 1"):
        maximum_visitation_entropy(fh, throw=1)
    with pytest.raises(NotConverged, match=r"mirror ascent: iteration limit.*throw=False") as error:
        maximum_pooled_entropy(fh, tol=1e-12, max_iter=64)
    inside = error.value.solution
    assert inside.status is Status.MAX_ITER and inside.lower <= inside.upper
    assert maximum_pooled_entropy(fh, tol=1e-12, max_iter=64, throw=False).iterations == 64
    assert "gap" in repr(replace(inside, iterations=1))


def test_mirror_ascent_keeps_its_rate() -> None:
    """After k steps at most H log A / k from the maximum, and never below where it was."""
    fh = grid(5, 6)
    best = maximum_pooled_entropy(fh, tol=1e-5)
    for k in (64, 256):
        found = maximum_pooled_entropy(fh, tol=1e-12, max_iter=k, throw=False)
        assert best.lower - found.lower <= fh.H * np.log(fh.A) / k


def test_the_grid_of_the_paper() -> None:
    """21 x 21, twenty steps: a gap of 1e-6 in a few steps."""
    found = maximum_visitation_entropy(grid(21, 20), tol=1e-6)
    assert found.status is Status.CONVERGED and found.iterations <= 10
    assert found.lower == pytest.approx(108.636397770, abs=1e-6)  # this model's own: it was computed here
    assert entropy(found.visits[0]) == pytest.approx(np.log(4))
