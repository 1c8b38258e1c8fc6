"""Maximum-entropy corrections beside cvxpy (Clarabel): the same programs, written as printed."""

from __future__ import annotations

import cvxpy as cp
import numpy as np
import pytest

from tabular.moment_projection import project_moments


@pytest.mark.parametrize("beta", [0.0, 0.5])
@pytest.mark.parametrize("seed", range(3))
def test_the_correction_is_the_convex_programs_solution(seed, beta):
    rng = np.random.default_rng(seed)
    p, phi = rng.dirichlet(np.ones(6)), rng.normal(size=(2, 6))
    psi = phi @ rng.dirichlet(np.ones(6)) + beta * rng.normal(size=2)
    q = cp.Variable(6)
    divergence, gap = cp.sum(cp.rel_entr(q, p)), phi @ q - psi
    if beta:
        program = cp.Problem(cp.Minimize(divergence + cp.sum_squares(gap) / beta**2), [cp.sum(q) == 1])
    else:
        program = cp.Problem(cp.Minimize(divergence), [cp.sum(q) == 1, gap == 0])
    program.solve(solver=cp.CLARABEL)
    out = project_moments(p[None], phi, psi[None], beta=beta)
    proof = out.certify()
    np.testing.assert_allclose(out.q[0], q.value, atol=1e-4)
    assert proof.lower[0] - 1e-7 <= program.value <= proof.upper[0] + 1e-7


def test_infeasible_rows_are_infeasible_there():
    p, phi = np.full((1, 4), 0.25), np.array([[0.0, 1.0, 2.0, 3.0], [0.0, 1.0, 0.0, 1.0]])
    psi = np.array([[2.9, 0.2]])
    q = cp.Variable(4)
    program = cp.Problem(cp.Minimize(cp.sum(cp.rel_entr(q, p[0]))), [cp.sum(q) == 1, phi @ q == psi[0]])
    program.solve(solver=cp.CLARABEL)
    assert program.status == "infeasible"
    assert project_moments(p, phi, psi, throw=False).status[0] == 1
