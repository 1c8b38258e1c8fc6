"""The largest entropies as convex programs over occupancies in cvxpy."""

from __future__ import annotations

import cvxpy as cp
import numpy as np
import pytest

from tabular import FiniteHorizonMDP
from tabular.exploration import episodic
from tabular.exploration.fast_entropy import maximum_pooled_entropy, maximum_visitation_entropy
from tabular.instances import garnet, random_masks

PRECISE = {"solver": "CLARABEL", "tol_gap_abs": 1e-9, "tol_gap_rel": 1e-9, "tol_feas": 1e-9}


def program(fh: FiniteHorizonMDP, pooled: bool) -> tuple[float, np.ndarray]:
    """The optimal entropy, and occupancies that have it."""
    d = [cp.Variable((fh.S, fh.A), nonneg=True) for _ in range(fh.H)]
    flow, arriving = [], fh.rho
    for h, x in enumerate(d):
        flow += [cp.sum(x, axis=1) == arriving, cp.multiply(x, ~fh.mask[h]) == 0]
        P = fh.stage(h).P
        arriving = sum(P[:, a].T @ x[:, a] for a in range(fh.A))
    objective = cp.sum(cp.entr(sum(d) / fh.H)) if pooled else sum(cp.sum(cp.entr(x)) for x in d)
    problem = cp.Problem(cp.Maximize(objective), flow)
    problem.solve(**PRECISE)
    return float(problem.value), np.stack([x.value for x in d])


@pytest.mark.parametrize("index", range(3))
@pytest.mark.parametrize("family", [garnet(4, 2), random_masks(4, 3)], ids=["garnet", "masks"])
def test_entropies(family, index: int) -> None:
    mdp = family.member(7, index)
    fh = episodic(mdp, 4, rho=np.arange(1.0, 5.0) / 10)
    value, d = program(fh, pooled=False)
    found = maximum_visitation_entropy(fh)
    assert found.lower - 1e-7 <= value <= found.upper + 1e-7
    np.testing.assert_allclose(found.visits, d, atol=2e-4)  # strictly concave: there is one optimum
    value, d = program(fh, pooled=True)
    pooled = maximum_pooled_entropy(fh, tol=1e-5)
    assert pooled.lower - 1e-7 <= value <= pooled.upper + 1e-7
    np.testing.assert_allclose(pooled.visits.mean(axis=0), d.mean(axis=0), atol=5e-3)
