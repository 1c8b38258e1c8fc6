r"""Tsallis projections beside convex programs: Clarabel over power cones, to a duality gap of 1e-8.

Its policy, put on the simplex, is feasible: its objective is at most the conjugate. The gap says how far below.
"""

from __future__ import annotations

import cvxpy as cp
import numpy as np
import pytest

from tabular import Tsallis, TsallisKL
from tabular.reference import NumpyOps


def solved(x: np.ndarray, w: float, q: float, mu: np.ndarray) -> np.ndarray:
    """Maximise ``<p, x> - w (sum p^q mu^(1-q) - 1)/(q - 1)``: the power is convex for q > 1, concave below."""
    p = cp.Variable(len(x))
    powers = cp.sum(cp.multiply(mu ** (1 - q), cp.power(p, q, approx=False)))
    problem = cp.Problem(cp.Maximize(p @ x - w * (powers - 1) / (q - 1)), [cp.sum(p) == 1, p >= 0])
    with np.errstate(invalid="ignore"):  # powers of what is barely negative, in reporting the objective
        problem.solve(solver=cp.CLARABEL, tol_gap_abs=1e-8, tol_gap_rel=1e-8, tol_feas=1e-8)
    assert problem.status == cp.OPTIMAL
    pi = np.maximum(p.value, 0)
    return pi / pi.sum()


@pytest.mark.parametrize(
    ("q", "w"),
    [(q, w) for q in (0.5, 1.5, 2.0, 2.75, 3.0) for w in (0.1, 1.0, 5.0)]
    + [(10.0, 1.0), (10.0, 5.0)],  # (10, 0.1): no solution
)
def test_convex_programs_agree(q: float, w: float) -> None:
    rng = np.random.default_rng(int(8 * q + 10 * w))
    Q, mask = rng.normal(size=(1, 5)), np.array([[True, True, True, False, True]])
    mu = rng.dirichlet(np.full(5, 3.0), 1) * mask
    mu = mu / mu.sum()
    live, ops = mask[0], NumpyOps()
    for reg, weights in ((Tsallis(w, q), np.ones(4)), (TsallisKL(w, q, mu), mu[0, live])):
        found = solved(Q[0, live], w, q, weights)
        pi = np.zeros((1, 5))
        pi[0, live] = found
        conjugate = float(reg.conjugate(ops, ops.array(Q, 2), mask).data[0])
        reached = float((pi * Q).sum() - reg.value(ops, ops.array(pi, 2), mask).data[0])
        assert -1e-12 * (1 + w) <= conjugate - reached <= 1e-7 * (1 + w)
