"""Tilts over ``ops``: the twin of the kernel, the theorem that bounds a proposal's error, enclosures of corrected rows."""

from __future__ import annotations

import numpy as np
import pytest

from tabular.moment_projection import project_moments
from tabular.reference import BallOps, EnclosureOps, NumpyOps
from tabular.reference.moments import by_penalty, corrected_row, enclose, propose

N, D, S = 40, 2, 5


@pytest.fixture(scope="module")
def drawn():
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(S), size=N)
    p[: N // 2, 0] = 0.0
    p /= p.sum(axis=1, keepdims=True)
    phi = rng.normal(size=(D, S))
    tilt = p * np.exp(rng.normal(size=(N, D)) @ phi)
    return p, phi, (tilt / tilt.sum(axis=1, keepdims=True)) @ phi.T, rng


def arguments(ops, p, phi, psi, lam):
    batch = np.broadcast_to(phi, (len(p), *phi.shape))
    lift = lambda x: ops.array(x, 1)  # noqa: E731
    return ops.distribution(p, 1), ops.array(batch, 2), lift(psi), lift(lam)


def test_the_twin_and_the_kernel_agree(drawn):
    p, phi, psi, _ = drawn
    wide = np.broadcast_to(phi, (N, D, S))
    out = project_moments(p, phi, psi)
    np.testing.assert_allclose(propose(p, wide, psi), out.lam, atol=1e-9)
    soft = project_moments(p, phi, psi + 1.0, beta=0.5)
    np.testing.assert_allclose(propose(p, wide, psi + 1.0, ridge=0.125), soft.lam, atol=1e-9)


@pytest.mark.parametrize("off", [0.0, 1e-6, 1e-3, 0.03])
@pytest.mark.parametrize("ridge", [0.0, 0.25])
def test_the_spread_bounds_the_error_of_a_proposal(drawn, off, ridge):
    p, phi, psi, _ = drawn
    wide = np.broadcast_to(phi, (N, D, S))
    best = propose(p, wide, psi, ridge=ridge)
    ops = EnclosureOps(N)
    tail = ops.array(np.full((N, D), ridge), 1), ops.array(np.ones((N, D)), 1), p > 0
    at, near = (enclose(ops, *arguments(ops, p, phi, psi, best + x), *tail) for x in (0.0, off))
    log_at, log_near = (np.where(p > 0, ops.midpoint(x.log_q), 0.0) for x in (at, near))
    moved = np.abs(log_at - log_near).max(axis=1)
    bound = ops.bounds(near.spread)[1]
    known = np.isfinite(bound)
    assert known.sum() > N / 2
    assert (moved[known] <= bound[known]).all()
    if off <= 1e-3:
        assert (bound[known] <= 20 * moved[known] + 1e-9).all()
    assert (ops.bounds(near.lower)[0] <= ops.bounds(at.upper)[1])[known].all()
    assert (ops.bounds(at.lower)[0] <= ops.bounds(near.upper)[1])[known].all()


@pytest.mark.parametrize("off", [1e-3, 1.0, 30.0])
def test_with_a_penalty_any_proposal_is_bounded(drawn, off):
    p, phi, psi, _ = drawn
    wide = np.broadcast_to(phi, (N, D, S))
    best = propose(p, wide, psi, ridge=0.25)
    ops = EnclosureOps(N)
    tail = ops.array(np.full((N, D), 0.25), 1), ops.array(np.ones((N, D)), 1), p > 0
    at, near = (enclose(ops, *arguments(ops, p, phi, psi, best + x), *tail) for x in (0.0, off))
    moved = np.abs(np.where(p > 0, ops.midpoint(at.log_q) - ops.midpoint(near.log_q), 0.0)).max(axis=1)
    spread, upper = by_penalty(ops, ops.array(wide, 2), near, tail[0], p > 0)
    assert (moved <= ops.bounds(spread)[1]).all()
    assert (ops.bounds(at.lower)[0] <= ops.bounds(upper)[1]).all()
    assert (ops.bounds(spread)[1] <= 100 * off).all() and (
        ops.bounds(upper)[1] <= ops.bounds(at.upper)[1] + 100 * off**2
    ).all()


def test_far_proposals_claim_nothing(drawn):
    p, phi, psi, _ = drawn
    ops = EnclosureOps(N)
    lam = propose(p, np.broadcast_to(phi, (N, D, S)), psi) + 30.0
    tail = ops.array(np.zeros((N, D)), 1), ops.array(np.ones((N, D)), 1), p > 0
    found = enclose(ops, *arguments(ops, p, phi, psi, lam), *tail)
    assert np.isinf(ops.bounds(found.spread)[1]).mean() > 0.9


def test_corrected_rows_are_enclosed_ever_more_tightly(drawn):
    p, phi, psi, _ = drawn
    exact = project_moments(p[:3], phi, psi[:3]).q
    widths = []
    for precision in (64, 256):
        with BallOps(precision) as ops:
            for i in range(3):
                row = corrected_row(ops, ops.distribution(p[i], 1), ops.array(phi, 2), ops.array(psi[i], 1), p[i] > 0)
                low, high = ops.bounds(row)
                assert (low <= exact[i] + 1e-12).all() and (exact[i] - 1e-12 <= high).all()
            widths.append(ops.radius(row))
    assert widths[0] < 1e-10 and widths[1] < 1e-50
    ops = EnclosureOps(N)
    row = corrected_row(ops, *arguments(ops, p, phi, psi, psi)[:3], p > 0)
    low, high = ops.bounds(row)
    full = project_moments(p, phi, psi).q
    known = np.isfinite(high).all(axis=1)
    assert known.sum() > N - 5
    assert ((low <= full + 1e-9) & (full - 1e-9 <= high))[known].all()
    assert (high - low)[known].max() < 1e-6


def test_numpy_has_the_formula_too(drawn):
    p, phi, psi, _ = drawn
    ops = NumpyOps(N)
    row = corrected_row(ops, *arguments(ops, p, phi, psi, psi)[:3], p > 0)
    np.testing.assert_allclose(ops.midpoint(row), project_moments(p, phi, psi).q, atol=1e-9)
