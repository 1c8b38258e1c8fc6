"""Maximum-entropy corrections: against formulas, exact solutions, degenerate and impossible moments."""

from __future__ import annotations

from fractions import Fraction as F

import numpy as np
import pytest

from tabular import ModelError, NotConverged
from tabular.mdp import CSR
from tabular.moment_projection import InfeasibleMoments, project_moments
from tabular.reference.moments import propose


def tilt(p, phi, psi):
    """One row by the NumPy twin."""
    x = propose(p, phi, psi) @ phi
    q = p * np.exp(x - x.max())
    return q / q.sum()


def rows(N, n, support, d, seed=0):
    """Rows, functions, and moments of tilts of the rows, with these tilts."""
    rng = np.random.default_rng(seed)
    P = np.where(rng.permuted(np.tile(np.arange(n), (N, 1)), axis=1) < support, rng.exponential(size=(N, n)), 0.0)
    P /= P.sum(axis=1, keepdims=True)
    phi = rng.normal(size=(d, n)) * 100 + 1000
    T = P * np.exp(rng.normal(size=(N, d)) @ (phi - 1000) / 100)
    T /= T.sum(axis=1, keepdims=True)
    return P, phi, T @ phi.T, T


@pytest.mark.parametrize(("support", "d"), [(4, 1), (4, 3), (12, 2), (12, 5)])
def test_tilts_are_recovered(support, d):
    P, phi, psi, T = rows(200, 12, support, d)
    out = project_moments(P, phi, psi)
    np.testing.assert_allclose(out.q, T, atol=1e-9)
    assert out.residual.max() <= 1e-11
    assert (out.kl >= 0).all() and not out.dropped.any()
    for i in range(5):
        np.testing.assert_allclose(out.q[i], tilt(P[i], (phi - 1000) / 100, (psi[i] - 1000) / 100), atol=1e-9)


@pytest.mark.parametrize("beta", [0.01, 0.1, 3.0, 1e6])
def test_the_penalised_correction_is_stationary(beta):
    P, phi, psi, _ = rows(50, 8, 6, 2, seed=1)
    out = project_moments(P, phi, psi + 50, beta=beta, throw=False)
    np.testing.assert_allclose(beta**2 / 2 * out.lam, psi + 50 - out.moments, rtol=1e-6, atol=1e-6)
    if beta >= 0.1:  # below, dual variables of 1e5 cost the tilt its digits
        x = np.where(P > 0, out.lam @ (phi - 1000), -np.inf)
        tilt = P * np.exp(x - x.max(axis=1, keepdims=True))
        np.testing.assert_allclose(out.q, tilt / tilt.sum(axis=1, keepdims=True), atol=1e-6)


def test_the_limits_of_the_penalty():
    P, phi, psi, T = rows(50, 8, 6, 2, seed=2)
    np.testing.assert_allclose(project_moments(P, phi, psi, beta=1e9).q, P, atol=1e-9)
    np.testing.assert_allclose(project_moments(P, phi, psi, beta=1e-7).q, T, atol=1e-7)


def test_two_points_are_a_fraction():
    out = project_moments([[0.5, 0.5]], [[0.0, 1.0]], [[0.25]])
    assert out.q[0].tolist() == pytest.approx([0.75, 0.25], abs=1e-15)
    assert out.lam[0, 0] == pytest.approx(np.log(1 / 3), abs=1e-14)


def test_certificates_contain_exact_solutions():
    """With d + 1 successors the correction is the solution of a linear system: exact in rationals."""
    rng = np.random.default_rng(3)
    weights = rng.integers(1, 50, (40, 2, 3))
    phi = np.array([[0.0, 1.0, 3.0], [1.0, 0.0, 0.5]])
    P = weights[:, 0] / weights[:, 0].sum(axis=1, keepdims=True)
    exact = [[F(int(w), int(row.sum())) for w in row] for row in weights[:, 1]]
    psi = np.array([[float(sum(F(x) * q for x, q in zip(f, row, strict=True))) for f in phi] for row in exact])
    out = project_moments(P, phi, psi)
    proof = out.certify()
    assert np.isfinite(proof.log_ratio).all() and proof.log_ratio.max() < 1e-9
    for i in range(40):
        # The targets were rounded: solve for those.
        a, b = F(psi[i, 0]), F(psi[i, 1])
        x2 = (a - 1 + b) / F(5, 2)  # q0 + q1 + q2 = 1, q1 + 3 q2 = a, q0 + q2/2 = b
        q = [b - x2 / 2, a - 3 * x2, x2]
        L = F(proof.log_ratio[i])
        assert all(abs(F(x) / y - 1) <= L + L * L for x, y in zip(out.q[i].tolist(), q, strict=True))
        kl = sum(float(y) * np.log(float(y) / x) for x, y in zip(P[i], q, strict=True))
        assert proof.lower[i] - 1e-13 <= kl <= proof.upper[i] + 1e-13
    assert (proof.upper - proof.lower).max() < 1e-12


@pytest.mark.parametrize("beta", [1e-8, 1e-3, 0.1, 1.0])
def test_a_penalty_certifies_every_row(beta):
    """Also where targets are far outside, so that probabilities are below all floats and logarithms mean nothing."""
    P, phi, psi, _ = rows(40, 6, 4, 2, seed=10)
    far = (psi + np.random.default_rng(2).normal(size=psi.shape) * 150 - 1000) / 100
    out = project_moments(P, (phi - 1000) / 100, far, beta=beta, throw=False)
    proof = out.certify()
    assert proof.log_ratio.shape == proof.distance.shape == proof.upper.shape == (40,)
    assert np.isinf(proof.log_ratio).any() or beta >= 1.0
    assert (proof.lower <= proof.upper).all() and np.isfinite(proof.upper).all()
    assert (proof.distance <= 2 + 1e-12).all()
    if beta >= 0.1:
        assert (proof.distance < 1e-9).all()
        assert (proof.upper - proof.lower <= 1e-9 * (1 + proof.upper)).all()


def test_the_distance_to_an_exact_penalised_correction():
    """On two points 0 and 1 with target y the mean m solves beta^2/2 logit m = y - m; q is known by its logit alone."""
    from flint import arb, ctx

    beta = 0.125
    lam = np.array([-900.0, -40.0, -1.0, 0.5, 30.0, 800.0])
    ctx.prec = 200
    m = [1 / (1 + (-arb(x)).exp()) for x in lam.tolist()]
    y = np.array([float(a + arb(beta) ** 2 / 2 * arb(x)) for a, x in zip(m, lam.tolist(), strict=True)])
    out = project_moments(np.full((6, 2), 0.5), [[0.0, 1.0]], y[:, None], beta=beta)
    proof = out.certify()
    off = [float(2 * abs(arb(q) - a)) for q, a in zip(out.q[:, 1].tolist(), m, strict=True)]
    slack = 2 * np.abs(y) * 2.0**-52 / (beta**2 / 2) * np.array([float(a * (1 - a)) for a in m])  # y was rounded
    assert (np.array(off) <= proof.distance + slack).all() and (proof.distance < 1e-11).all()
    assert np.isinf(proof.log_ratio[0]) and np.isfinite(proof.log_ratio[1:5]).all()


def test_a_row_that_ran_out_of_steps_says_what_rounding_does():
    p, phi = [[0.1, 0.2, 0.3, 0.4]], [[0.0, 1.0, 0.0, 1.0], [0.0, 0.3, 1.0, 1.7]]
    with pytest.raises(NotConverged, match=r"spans .*e\+.*, so that its rounding changes probabilities by"):
        project_moments(p, phi, [[-0.9, 3.35]], beta=1e-8)


def test_certificates_hold_at_a_bad_proposal():
    P, phi, psi, T = rows(30, 6, 6, 2, seed=4)
    early = project_moments(P, phi, psi, max_iter=3, throw=False)
    assert (early.status == 2).any()
    proof = early.certify()
    known = np.isfinite(proof.log_ratio)
    assert 3 <= known.sum()
    assert (np.abs(np.log(early.q / T)).max(axis=1)[known] <= proof.log_ratio[known] + 1e-9).all()
    assert (np.abs(np.log(early.q / T)).max(axis=1)[early.status == 2] > 1e-9).any()
    assert (early.residual <= proof.residual + 1e-9).all()


def test_collinear_functions_are_dropped_in_their_order():
    P, phi, psi, T = rows(60, 8, 8, 1, seed=5)
    twice = np.vstack([phi, 2 * phi + 3, np.ones((1, 8))])
    out = project_moments(P, twice, T @ twice.T)
    assert out.dropped.tolist() == [[False, True, True]] * 60
    np.testing.assert_allclose(out.q, project_moments(P, phi, psi).q, atol=1e-12)
    assert out.residual.max() < 1e-9


@pytest.mark.parametrize("size", [1e-6, 1e-9, 1e-12, 1e-15, 0.0])
def test_nearly_collinear_functions_do_no_harm(size):
    """Successive values that converge: moments come out right, whether the small difference is resolved or dropped."""
    P, phi, _, T = rows(60, 8, 8, 1, seed=6)
    both = np.vstack([phi, phi * (1 + size * np.random.default_rng(0).normal(size=8))])
    out = project_moments(P, both, T @ both.T)
    assert out.residual.max() <= 1e-9 * 1e3
    np.testing.assert_allclose(out.q, T, atol=1e-3)
    assert out.dropped[:, 1].all() == (size < 1e-10)


def test_contradicting_moments_of_collinear_functions_are_infeasible():
    P, phi, _, T = rows(5, 8, 8, 1, seed=7)
    twice = np.vstack([phi, 2 * phi])
    wrong = T @ twice.T + np.array([0.0, 1.0])
    with pytest.raises(InfeasibleMoments, match=r"row 0 \(5 in all\)") as caught:
        project_moments(P, twice, wrong)
    proof = caught.value.projection.certify()
    assert (proof.margin > 0).all() and np.isinf(proof.log_ratio).all() and np.isinf(proof.upper).all()


def test_infeasible_moments_come_with_a_separating_direction():
    P, phi, psi, _ = rows(60, 8, 4, 2, seed=8)
    far = psi + np.random.default_rng(1).normal(size=psi.shape) * 150
    out = project_moments(P, phi, far, throw=False)
    proof = out.certify()
    assert 10 < (out.status == 1).sum() < 60
    for i in np.flatnonzero(out.status == 1):
        v = [F(x) for x in out.direction[i].tolist()]
        target = sum(a * F(b) for a, b in zip(v, far[i].tolist(), strict=True))
        for t in np.flatnonzero(P[i] > 0):
            assert target > sum(a * F(b) for a, b in zip(v, phi[:, t].tolist(), strict=True))
        assert proof.margin[i] > 0
    fine = out.status == 0
    assert (out.residual[fine] < 1e-9).all() and (out.direction[fine] == 0).all()
    assert (proof.margin[fine] == -np.inf).all()


def test_the_boundary_is_reached():
    """P on a face of the model's support: the dual has no minimiser, the correction exists and is approached."""
    out = project_moments([[0.25, 0.5, 0.25]], [[0.0, 1.0, 2.0]], [[0.0]])
    assert out.status[0] == 0 and out.residual[0] < 1e-13
    assert out.q[0, 0] == pytest.approx(1.0, abs=1e-13)
    assert np.isinf(out.certify().log_ratio[0])
    face = project_moments([[0.25, 0.25, 0.25, 0.25]], [[0.0, 1.0, 0.0, 1.0], [0.0, 0.0, 1.0, 1.0]], [[0.25, 0.0]])
    assert face.q[0].tolist() == pytest.approx([0.75, 0.25, 0, 0], abs=1e-13)


def test_sparse_rows_and_threads_give_the_same_bits():
    P, phi, psi, _ = rows(300, 12, 5, 3, seed=9)
    one = project_moments(P, phi, psi)
    two = project_moments(P, phi, psi, threads=2)
    at, to = np.nonzero(P)
    indptr = np.concatenate([[0], np.cumsum(np.bincount(at))])
    sparse = project_moments(CSR(indptr, to.astype(np.int32), P[at, to]), phi, psi)
    for name in ("lam", "moments", "kl", "dual", "status", "iterations"):
        assert getattr(one, name).tobytes() == getattr(two, name).tobytes() == getattr(sparse, name).tobytes()
    assert one.q.tobytes() == two.q.tobytes() and one.q[at, to].tobytes() == sparse.q.data.tobytes()


def test_single_successors_need_nothing():
    out = project_moments(np.eye(3), [[1.0, 2.0, 3.0]], [[1.0], [2.0], [3.0]])
    assert out.q.tolist() == np.eye(3).tolist() and out.dropped.all()
    with pytest.raises(InfeasibleMoments):
        project_moments(np.eye(3), [[1.0, 2.0, 3.0]], [[1.0], [2.5], [3.0]])


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"p_hat": [[0.5, 0.6]]}, ModelError, r"p_hat\[0\] sums to 1.1"),
        ({"p_hat": [[1.5, -0.5]]}, ModelError, "p_hat"),
        ({"p_hat": [0.5, 0.5]}, ModelError, "expected \\(N, n\\)"),
        ({"phi": [[0.0, 1.0, 2.0]]}, ModelError, r"phi has shape \(1, 3\)"),
        ({"psi": [[0.5, 0.5]]}, ModelError, r"psi has shape \(1, 2\)"),
        ({"phi": [[0.0, np.nan]]}, ModelError, "phi"),
        ({"beta": -1.0}, ValueError, "beta is -1"),
        ({"beta": 1e-200}, ValueError, "beta is 1e-200: expected 0, for exact moments, or a number from 1e-150"),
        ({"beta": 1e200}, ValueError, r"from 1e-150 to 1e\+150, whose square is a float"),
        ({"phi": np.zeros((0, 2)), "psi": np.zeros((1, 0))}, ModelError, r"phi has shape \(0, 2\): expected one"),
        ({"max_iter": 0}, ValueError, "max_iter"),
        ({"psi": [[0.9]], "max_iter": 1}, NotConverged, "MAX_ITER after 1 steps"),
        ({"threads": 1.5}, TypeError, "threads"),
    ],
)
def test_refusals(change, error, message):
    given = {"p_hat": [[0.5, 0.5]], "phi": [[0.0, 1.0]], "psi": [[0.5]]} | change
    with pytest.raises(error, match=message):
        project_moments(given.pop("p_hat"), given.pop("phi"), given.pop("psi"), **given)


def test_a_support_lists_positive_numbers():
    with pytest.raises(ModelError, match="is 0"):
        project_moments(CSR(np.array([0, 2]), np.array([0, 1]), np.array([1.0, 0.0])), [[0.0, 1.0]], [[0.0]])
