"""Refinement by every kind of solve, for every kind of regulariser, and what it refuses."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
import pytest

from tabular.certificates import certify, exact_policy_iteration, refine, refinement
from tabular.mdp import MDP
from tabular.regularizers import Shannon


def grid(n: int, gamma: float) -> MDP:
    """An n x n grid with four moves and random costs, sparse."""
    rng = np.random.Generator(np.random.PCG64(n))
    P = np.zeros((n * n, 4, n * n))
    for s in range(n * n):
        for a, (dr, dc) in enumerate(((-1, 0), (0, 1), (1, 0), (0, -1))):
            r, c = s // n + dr, s % n + dc
            P[s, a, (r * n + c) if 0 <= r < n and 0 <= c < n else s] += 0.75
            P[s, a, s] += 0.25
    return MDP(P, -rng.integers(1, 5, (n * n, 4)).astype(float), gamma).to_sparse()


@pytest.mark.parametrize("gamma", [0.99, 1 - 1e-6])
def test_sparse_solves_agree_with_dense_ones(gamma: float) -> None:
    mdp = grid(18, gamma)  # 324 states: factorised as a sparse matrix
    h, low, bound = refine(mdp, np.zeros(mdp.S))
    x, y, other = refine(mdp.to_dense(), np.zeros(mdp.S))
    assert max(bound.max(), other.max()) < 1e-22 * np.abs(h).max()
    assert (np.abs((h - x) + (low - y)) <= bound + other).all()


@pytest.mark.parametrize("gamma", [0.9, 1 - 1e-6])
def test_iterative_solves_agree_with_exact_ones(
    random_model: Any, monkeypatch: pytest.MonkeyPatch, gamma: float
) -> None:
    monkeypatch.setattr(refinement, "STATES", 0)
    rng = np.random.Generator(np.random.PCG64(6))
    found = 0
    for _ in range(100):
        mdp = random_model(rng, gamma=gamma)
        h, low, bound = refine(mdp, np.zeros(mdp.S))
        star = exact_policy_iteration(mdp).V
        for x, y, b, v in zip(h.tolist(), low.tolist(), bound.tolist(), star, strict=True):
            assert abs(Fraction(x) + Fraction(y) - v) <= b
        found += bool((bound <= 1e-20 * (1 + np.abs(mdp.rewards).max()) / (1 - gamma)).all())
    assert found >= 90  # an iterative solve may fail, and then claims less


def test_bicgstab_solves_and_says_when_it_does_not() -> None:
    rng = np.random.Generator(np.random.PCG64(5))
    P = rng.dirichlet(np.ones(40), size=40)
    M, b = np.eye(40) - 0.99 * P, rng.standard_normal(40)
    x, done = refinement.bicgstab(M, b)
    assert done and np.linalg.norm(M @ x - b) <= 2e-10 * np.linalg.norm(b)
    assert not refinement.bicgstab(M, b, most=1)[1]
    x, done = refinement.bicgstab(np.array([[0.0, 1.0], [-1.0, 0.0]]), np.array([1.0, 0.0]))  # breaks down at once
    assert not done and np.isfinite(x).all()
    assert refinement.bicgstab(np.eye(3), np.zeros(3))[1]


class Twice(NamedTuple):
    """A regulariser of a user: Shannon's, twice."""

    tau: float

    def conjugate(self, ops: Any, Q: Any, mask: Any) -> Any:
        return Shannon(2 * self.tau).conjugate(ops, Q, mask)

    def log_policy(self, ops: Any, Q: Any, mask: Any) -> Any:
        return Shannon(2 * self.tau).log_policy(ops, Q, mask)

    def policy(self, ops: Any, Q: Any, mask: Any) -> Any:
        return Shannon(2 * self.tau).policy(ops, Q, mask)

    def value(self, ops: Any, pi: Any, mask: Any) -> Any:
        return Shannon(2 * self.tau).value(ops, pi, mask)


def test_a_users_regularizer_is_certified_too(random_model: Any, random_policy: Any) -> None:
    rng = np.random.Generator(np.random.PCG64(8))
    for _ in range(20):
        mdp = random_model(rng, gamma=0.99)
        V, pi = rng.standard_normal(mdp.S), random_policy(rng, mdp.mask)
        mine, built_in = certify(mdp, V, Twice(0.5), pi), certify(mdp, V, Shannon(1.0), pi)
        for name, c in mine.items():
            np.testing.assert_array_equal(c.lower, built_in[name].lower)
            np.testing.assert_array_equal(c.upper, built_in[name].upper)


def test_values_beyond_doubled_precision_claim_nothing() -> None:
    mdp = MDP(np.ones((1, 1, 1)), np.full((1, 1), 1e300), 0.9)
    assert np.isinf(refine(mdp, np.zeros(1))[2]).all()
    c = certify(mdp, np.array([1e301]))["V - V*"]
    assert c.lower[0] <= 0 <= c.upper[0] < 1e287


def test_unaffordable_models_claim_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    mdp = grid(3, 0.9)
    monkeypatch.setattr(refinement, "ENTRIES", 3)
    assert np.isinf(refine(mdp, np.zeros(9))[2]).all()
    assert np.isfinite(certify(mdp, np.zeros(9))["V - V*"].upper).all()
