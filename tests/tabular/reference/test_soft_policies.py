"""The formulas of soft policy iteration over ``ops`` against the solver's arrays, and the projections' ties."""

from __future__ import annotations

import numpy as np
import pytest

from tabular import MDP
from tabular.instances import random_masks_endings
from tabular.planning.sac import Rows, SharedRow, project, soft_policy_iteration, soft_q_backup
from tabular.reference import BallOps, NumpyOps, soft_policies
from tabular.regularizers import Shannon

CLOSE = {"rtol": 1e-11, "atol": 1e-11}


def test_iterates_and_backups_are_the_solvers() -> None:
    mdp, tau = random_masks_endings(5, 3, gamma=0.875).member(1, 4), 0.3
    ops, reg = NumpyOps(), Shannon(tau)
    m = ops.model(mdp)
    pi = mdp.mask / mdp.mask.sum(axis=1, keepdims=True)
    run = soft_policy_iteration(mdp, tau, K=3)
    found = soft_policies.iterates(ops, m, ops.array(pi, 2), reg, 3)
    for k in range(4):
        np.testing.assert_allclose(found[k].data[mdp.mask], run.result["Q"][k][mdp.mask], **CLOSE)
    Q = found[0]
    for ours, given in (
        (soft_policies.soft_backup(ops, m, Q, reg), None),
        (soft_policies.policy_backup(ops, m, ops.array(pi, 2), Q, reg), pi),
    ):
        np.testing.assert_allclose(ours.data[mdp.mask], soft_q_backup(mdp, Q.data, tau, given)[mdp.mask], **CLOSE)


def test_projections_are_the_solvers() -> None:
    rng, tau = np.random.default_rng(0), 0.5
    mdp = MDP(rng.dirichlet(np.ones(4), size=(4, 3)), rng.random((4, 3)), 0.9, renormalise=True)
    ops, reg = NumpyOps(), Shannon(tau)
    m, Q, rows = ops.model(mdp), ops.array(rng.normal(size=(4, 3)), 2), rng.dirichlet(np.ones(3), size=(6, 4))
    values = [ops.array(row, 2) for row in rows]
    scores = [soft_policies.score(ops, m, row, Q, reg) for row in values]
    chosen = soft_policies.projected(ops, values, scores, 0)
    np.testing.assert_allclose(chosen.data, project(mdp, Q.data, tau, Rows(rows)), atol=1e-15)
    d = rng.dirichlet(np.ones(4))
    one = soft_policies.mean_row(ops, m, ops.array(d, 1), Q, tau)
    np.testing.assert_allclose(one.data, project(mdp, Q.data, tau, SharedRow(d)), **CLOSE)


@pytest.mark.parametrize(("gain", "row"), [(0, 0), (2**-17, 0), (2**-15, 1)])
def test_ties_are_decided_in_balls(gain: float, row: int) -> None:
    with BallOps(128) as ops:
        third = ops.constant(1) / 3  # no float: a ball
        scores = [ops.stack([third]), ops.stack([third + gain])]
        rows = [ops.array([[1.0, 0.0]], 2), ops.array([[0.0, 1.0]], 2)]
        low, high = ops.bounds(soft_policies.projected(ops, rows, scores, soft_policies.TIE))
        assert np.array_equal(low, high) and low[0, row] == 1
