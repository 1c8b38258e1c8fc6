"""Convex programs in cvxpy beside the closed forms, bisections and sorts of ``tabular.risk``."""

from __future__ import annotations

import cvxpy as cp
import numpy as np
import pytest

from tabular.reference import NumpyOps
from tabular.risk import CVaR, Entropic, KLBall, L1Ball, WorstCase


def program(risk, p: np.ndarray, x: np.ndarray) -> float:
    q = cp.Variable(len(p), nonneg=True)
    limits = [cp.sum(q) == 1]
    penalty = 0.0
    if isinstance(risk, Entropic):
        penalty = cp.sum(cp.rel_entr(q, p)) / risk.beta
    elif isinstance(risk, CVaR):
        limits.append(q <= p / risk.level)
    elif isinstance(risk, L1Ball):
        limits.append(cp.norm1(q - p) <= risk.radius)
    elif isinstance(risk, KLBall):
        limits.append(cp.sum(cp.rel_entr(q, p)) <= risk.radius)
    problem = cp.Problem(cp.Maximize(-q @ x - penalty), limits)
    problem.solve(solver=cp.CLARABEL)
    return float(problem.value)


@pytest.mark.parametrize(
    "risk",
    [
        WorstCase(),
        Entropic(0.5),
        Entropic(4.0),
        CVaR(0.2),
        CVaR(0.7),
        L1Ball(0.3),
        L1Ball(1.5),
        KLBall(0.05),
        KLBall(0.8),
    ],
    ids=str,
)
def test_sigma_is_the_value_of_the_program(risk) -> None:
    rng = np.random.default_rng(0)
    ops = NumpyOps()
    for _ in range(5):
        p, x = rng.dirichlet(np.ones(6)), rng.normal(size=6)
        found = risk.sigma(ops, ops.array(p, 1), ops.array(x, 1)).data
        assert found == pytest.approx(program(risk, p, x), abs=2e-6)
