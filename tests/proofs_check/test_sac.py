"""SAC's sharpest models: what the claims' witnesses say of them, in numbers."""

from __future__ import annotations

import numpy as np
import pytest

from proofs_check.claims.planning import sac_models
from tabular import Shannon, evaluate_policy, occupancy
from tabular.planning.sac import Rows, SharedRow, iteration_errors, project, soft_policy_iteration


def test_a_shared_logit_loses_everywhere() -> None:
    mdp = sac_models.one_logit().model
    old = np.array([[7, 1], [7, 1]]) / 8
    visits = occupancy(mdp, old, [1, 0]).sum(axis=1)
    np.testing.assert_allclose(visits / visits.sum(), [8 / 9, 1 / 9], rtol=1e-14)
    run = soft_policy_iteration(mdp, 1.0, pi0=old, policies=SharedRow([8 / 9, 1 / 9]), K=1)
    np.testing.assert_allclose(evaluate_policy(mdp, old, Shannon(1)), [1.08687366, 3.75354032], atol=1e-8)
    np.testing.assert_allclose(run.result["V"], [0.68576231, -0.15927595], atol=1e-8)
    assert (run.result["Q"][1] < run.result["Q"][0]).all() and run.result["pi"][0, 1] > 0.67


def test_the_quadratic_bound_is_nearly_attained() -> None:
    mdp = sac_models.almost_for_ever().model
    table = iteration_errors(mdp, 1.0, 1, pi0=np.array([[1, 225]]) / 226)
    assert 0.99 < table["policy_iteration"][1] / table["quadratic_bound"][1] < 1


def test_the_middle_of_the_way_follows_an_iteration_later() -> None:
    mdp = sac_models.way_on().model
    table = iteration_errors(mdp, 2.0**-10, 3, pi0=[1, 1, 1])
    assert table["policy_iteration"][1] > 0.95 * 0.5 * table["policy_iteration"][0]
    assert (table["policy_iteration"] <= table["value_iteration"] + 1e-12).all()


def test_the_forward_projection_covers() -> None:
    mdp = sac_models.two_arms().model
    rows = Rows(np.array([[[199, 1]], [[140, 60]]]) / 200)
    Q = mdp.R + 0.5 * mdp.P @ evaluate_policy(mdp, rows.candidates[0], Shannon(1))
    assert project(mdp, Q, 1.0, rows)[0, 0] == 199 / 200 and project(mdp, Q, 1.0, rows, forward=True)[0, 0] == 0.7


def test_families_of_one_model() -> None:
    only = sac_models.two_gaps()
    assert only(3, 4).B == 4 and only(3, 4)[2] == only.model and only.key == sac_models.two_gaps().key
    assert only.key != sac_models.two_places().key
    with pytest.raises(AttributeError):
        only.name = "other"
