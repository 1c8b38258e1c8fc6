"""Batches: every member as solved alone, certified; the same bits on any number of threads; clear refusals."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from tabular import KL, MDPBatch, ModelError, NotConverged, Shannon, ShannonKL, Tsallis, instances, solve
from tabular.certificates import exact_policy_iteration, refine
from tabular.planning import solve_batch

UNIFORM = np.full((5, 3), 1 / 3)
REGULARISERS = [None, Shannon(0.2), Tsallis(0.3, 1.5), Tsallis(0.3, 2), KL(0.5, UNIFORM), ShannonKL(0.1, 0.2, UNIFORM)]
FAMILIES = [
    instances.garnet(S=5, A=3),
    instances.garnet(S=5, A=3, successors=2),
    instances.random_endings(S=5, A=3),
]


@pytest.mark.parametrize("reg", REGULARISERS, ids=str)
@pytest.mark.parametrize("family", FAMILIES, ids=lambda f: f"{f.name}-{f.parameters.get('successors')}")
def test_the_truth_of_every_member_is_inside(family: Any, reg: Any) -> None:
    batch = family(seed=3, n=12)
    found = solve_batch(batch, reg, throw=False)
    for b in range(batch.B):
        high, low, near = refine(batch[b], found.V[b], reg)
        off = (high - found.V[b]) + low
        assert (found.lower[b] <= off + near).all() and (off - near <= found.upper[b]).all()
        alone = solve(batch[b], reg)
        assert np.abs(alone.V - found.V[b]).max() <= alone.error_bound + found.error_bound[b]
    scale = np.maximum(np.abs(batch.rewards).max(axis=(1, 2)), np.abs(found.V).max(axis=1))
    easy = batch.gamma < 1 - 1e-5
    assert found.converged[easy].all() and easy.sum() >= 4
    assert (found.error_bound[found.converged] <= 1e-9 * scale[found.converged]).all()


def test_the_gap_of_the_policy_is_bounded() -> None:
    batch = instances.garnet(S=5, A=3, gamma=0.9)(seed=1, n=30)
    for reg in (None, Shannon(0.2)):
        found = solve_batch(batch, reg)
        for b in range(batch.B):
            assert found.policy_gap[b] >= solve(batch[b], reg).certificates["max(V* - V^pi)"].lower - 1e-12
            assert found.policy_gap[b] <= 1e-7
    exact = exact_policy_iteration(batch[0])
    assert [Fraction(x) for x in found.V[0]] != list(exact.V)  # the last one is regularised


def test_bounds_at_the_iteration_limit_are_those_of_the_values_returned() -> None:
    batch = instances.garnet(S=5, A=3, gamma=0.9)(seed=4, n=20)
    for limit in (1, 2):
        found = solve_batch(batch, max_iter=limit, throw=False)
        for b in range(batch.B):
            alone = solve(batch[b])
            off = alone.V - found.V[b]
            assert (found.lower[b] - alone.error_bound <= off).all() and (
                off <= found.upper[b] + alone.error_bound
            ).all()
            np.testing.assert_allclose(found.Q[b], alone.Q - 0.9 * (batch[b].P @ off), atol=1e-7)


def test_ends_far_below_the_unit_roundoff_of_one_are_not_lost() -> None:
    """1 - gamma m = (1 - gamma) + gamma end: of a mass 1 - end nothing of the end would be left."""
    gamma, end = 1 - 2.0**-50, 3 * 2.0**-55
    P = np.full((1, 1, 1, 1), 1.0)
    found = solve_batch(MDPBatch(P, np.ones((1, 1, 1)), gamma, end=np.full((1, 1, 1), end)), max_iter=1, throw=False)
    exact = 1 / (1 - Fraction(gamma) / (1 + Fraction(end)))
    assert found.V[0, 0] == 0.0 and Fraction(float(found.lower[0])) <= exact <= Fraction(float(found.upper[0]))
    assert found.upper[0] <= 1.001 * float(exact)


def test_threads_change_no_bit() -> None:
    batch = instances.garnet(S=4, A=2)(seed=2, n=50)
    one, two = (solve_batch(batch, Shannon(0.1), threads=n, throw=False) for n in (1, 2))
    for name in ("V", "Q", "pi", "lower", "upper", "iterations"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))


def test_members_of_one_action_and_masks() -> None:
    P = np.zeros((2, 2, 2, 2))
    P[:, :, 0, 1] = 1.0
    P[1, :, 1, 0] = 1.0
    R = np.array([[[1.0, -np.inf], [2.0, -np.inf]], [[1.0, 5.0], [0.0, 3.0]]])
    found = solve_batch(MDPBatch(P, R, [0.5, 0.25]))
    assert np.abs(found.V[0] - [3.0, 4.0]).max() <= found.error_bound[0] <= 1e-9
    assert (found.pi[0, :, 1] == 0).all() and (found.Q[0, :, 1] == -np.inf).all()
    assert np.abs(found.V[1] - [5 / 0.75, 3 + 0.25 * 5 / 0.75]).max() <= found.error_bound[1]


def test_refusals() -> None:
    batch = instances.garnet(S=3, A=2, gamma=0.9)(seed=0, n=4)
    with pytest.raises(ModelError, match=r"gamma\[1\] is 1"):
        solve_batch(MDPBatch(batch.P, batch.rewards, [0.5, 1.0, 0.5, 0.5]))
    with pytest.raises(TypeError, match="takes an MDPBatch, not MDP"):
        solve_batch(batch[0])  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="no built-in regulariser"):
        solve_batch(batch, "soft")
    with pytest.raises(NotConverged, match="member 0 after 1 backups") as error:
        solve_batch(batch, max_iter=1)
    assert error.value.solution.V.shape == (4, 3)
    with pytest.raises(ValueError, match="tol"):
        solve_batch(batch, tol=0.0)
