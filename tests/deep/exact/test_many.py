"""Batches and sweeps: each member is the solve of its own, its bounds hold, and members do not touch each other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from deep import exact
from tabular import KL, MDP, MDPBatch, ModelError, NotConverged, Shannon, Tsallis
from tabular import solve as solve_on_host
from tabular.instances import random_masks_endings
from tabular.planning.batch_solve import solve_batch
from tests.tabular.planning.test_contract import Quadratic

pytestmark = pytest.mark.xdist_group("deep exact")  # one worker compiles what they share

BATCH = random_masks_endings(6, 4, gamma=0.9)(1, 8)
TAUS = np.geomspace(0.01, 10, 8)


def floats(batch: MDPBatch) -> MDPBatch:
    return MDPBatch(batch.P, batch.R, np.linspace(0.0, 0.99, batch.B), end=batch.end, renormalise=True)


def check(found: Any, models: list[MDP], regs: list[Any], tol: float = 1e-9) -> None:
    """Against certified answers member by member."""
    for b, (mdp, reg) in enumerate(zip(models, regs, strict=True)):
        want = solve_on_host(mdp, reg)
        room = want.error_bound
        assert found.converged[b]
        assert (want.V - found.V[b] >= found.lower[b] - room).all() and (
            want.V - found.V[b] <= found.upper[b] + room
        ).all()
        assert found.error_bound[b] <= tol * max(np.abs(mdp.rewards).max(), np.abs(want.V).max())
        np.testing.assert_allclose(found.Q[b][mdp.mask], want.Q[mdp.mask], atol=found.error_bound[b] + room)
        assert (found.Q[b][~mdp.mask] == -np.inf).all() and np.abs(found.pi[b].sum(axis=1) - 1).max() < 1e-14


@pytest.mark.parametrize("batch", [BATCH, floats(BATCH)], ids=["weights", "floats"])
def test_batches_are_their_members(batch: MDPBatch) -> None:
    found, other = exact.solve_batch(batch), solve_batch(batch)
    check(found, list(batch), [None] * 8)
    assert (np.abs(found.V - other.V).max(axis=1) <= found.error_bound + other.error_bound).all()
    assert (found.policy_gap <= 2 * found.error_bound + 1e-12).all() and found.regularizer is None
    check(exact.solve_batch(batch, Shannon(TAUS)), list(batch), [Shannon(t) for t in TAUS])


def test_conjugates_without_bounds_are_enclosed_on_the_host() -> None:
    reg = Tsallis(0.5, 2.0)
    found = exact.solve_batch(BATCH, reg)
    check(found, list(BATCH), [reg] * 8)
    assert (found.policy_gap <= 3 * found.error_bound).all() and found.regularizer == reg


@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
def test_sweeps_over_everything_at_once(sparse: bool) -> None:
    mdp = BATCH[3].to_sparse() if sparse else BATCH[3]
    gammas, R = np.linspace(0.5, 0.99, 5), np.random.default_rng(0).random((5, 6, 4))
    found = exact.sweep(mdp, Shannon(TAUS[:5]), gamma=gammas, R=R)
    models = [MDP(mdp.P, np.where(mdp.mask, r, -np.inf), g, end=mdp.end) for r, g in zip(R, gammas, strict=True)]
    check(found, models, [Shannon(t) for t in TAUS[:5]])


def test_a_sweep_of_references_weights_and_of_discounts_alone() -> None:
    mdp = BATCH[3]
    mu = mdp.mask / mdp.mask.sum(axis=1, keepdims=True)
    check(exact.sweep(mdp, KL(TAUS[:3], mu)), [mdp] * 3, [KL(t, mu) for t in TAUS[:3]])
    gammas = np.array([0.3, 0.9])
    check(exact.sweep(mdp, gamma=gammas), [MDP(mdp.P, mdp.R, g, end=mdp.end) for g in gammas], [None] * 2)


def test_refusals() -> None:
    mdp = BATCH[3]
    for arguments, error, message in (
        ({}, ValueError, "nothing to sweep over"),
        ({"gamma": [0.5, 1.0]}, ModelError, r"gamma\[1\] is 1: total reward"),
        ({"gamma": [0.5, 1.5]}, ModelError, "a discount lies in"),
        ({"gamma": [0.5], "R": np.zeros((2, 6, 4))}, ValueError, "gamma has 1, R has 2 members"),
        ({"R": np.zeros((2, 6, 3))}, ModelError, r"R has shape \(2, 6, 3\)"),
        ({"regularizer": Shannon(np.array([1.0, 0.0]))}, ModelError, "member 1 is 0 and drops a term"),
        ({"regularizer": Shannon(np.array([1.0, -1.0]))}, ModelError, "tau is -1"),
        ({"regularizer": Shannon(np.ones((2, 2))), "gamma": [0.5, 0.6]}, ModelError, r"tau has shape \(2, 2\)"),
        ({"regularizer": Quadratic(1.0), "gamma": [0.5]}, TypeError, "no built-in regulariser"),
    ):
        with pytest.raises(error, match=message):
            exact.sweep(mdp, **arguments)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="MDPBatch"):
        exact.solve_batch(mdp)
    with pytest.raises(NotConverged, match="of 8 members miss a relative tolerance") as caught:
        exact.solve_batch(BATCH, method="value_iteration", max_iter=2)
    kept = caught.value.solution
    want = solve_batch(BATCH)
    assert (
        not kept.converged.all() and (np.abs(kept.V - want.V).max(axis=1) <= kept.error_bound + want.error_bound).all()
    )
