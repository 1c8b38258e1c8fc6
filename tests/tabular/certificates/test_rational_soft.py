"""Regularised values proved in rationals: what the checker accepts is true, over 24 orders of magnitude."""

from __future__ import annotations

import json
from copy import deepcopy
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
import pytest

from tabular import solve
from tabular.certificates import exact_policy_iteration, rational_certificate
from tabular.checker import check
from tabular.errors import TabularError
from tabular.mdp import MDP
from tabular.reference import BallOps
from tabular.regularizers import KL, Hard, Shannon, ShannonKL, Tsallis, TsallisKL
from tabular.regularizers import regularizer as own


def reference(rng: np.random.Generator, mask: np.ndarray) -> np.ndarray:
    """Rows over many orders of magnitude, with zeros."""
    mu = 10.0 ** rng.uniform(-9, 0, mask.shape) * mask * (rng.random(mask.shape) < 0.7)
    mu[mu.sum(axis=1) == 0] = mask[mu.sum(axis=1) == 0]
    return np.asarray(mu / mu.sum(axis=1, keepdims=True))


def some_regularizer(rng: np.random.Generator, mask: np.ndarray, kind: int) -> Any:
    tau, lam = (float(10.0**x) for x in rng.uniform(-12, 12, 2))
    mu = reference(rng, mask)
    return [Shannon(tau), KL(lam, mu), ShannonKL(tau, lam, mu), Tsallis(tau, 2), TsallisKL(lam, 2, mu)][kind]


def enclosed(mdp: MDP, regularizer: Any, lo: list[Fraction], hi: list[Fraction]) -> bool:
    """Whether ``lo <= V* <= hi`` as far as balls of 400 bits tell."""
    with BallOps(400) as ops:
        V = ops.optimal_value(ops.model(mdp), regularizer)
        below = ops.sign(V - ops.array(np.array(lo, dtype=object), 1))
        above = ops.sign(ops.array(np.array(hi, dtype=object), 1) - V)
    return bool((below != -1).all() and (above != -1).all())


def sides(certificate: dict[str, Any]) -> tuple[list[Fraction], list[Fraction]]:
    lo, hi = ([Fraction(x) for x in certificate[name]] for name in ("V_lo", "V_hi"))
    return lo, hi


def stated(c: dict[str, Any]) -> tuple[MDP, Any]:
    """The model and the regulariser that a certificate of dense, unmasked pairs states."""
    S, A = c["states"], max(pair[1] for pair in c["pairs"]) + 1
    P, R = np.full((S, A, S), Fraction(0), dtype=object), np.full((S, A), Fraction(0), dtype=object)
    end, mu = R.copy(), R.copy()
    weights = c["regularizer"]["reference"] or ["1"] * len(c["pairs"])
    for (s, a, r, e, row), m in zip(c["pairs"], weights, strict=True):
        W = int(e) + sum(int(w) for _, w in row)
        R[s, a], end[s, a], mu[s, a] = Fraction(r), Fraction(int(e), W), Fraction(m)
        for t, w in row:
            P[s, a, t] = Fraction(int(w), W)
    tau, lam = Fraction(c["regularizer"]["tau"]), Fraction(c["regularizer"]["lam"])
    mdp = MDP(P, R, Fraction(c["gamma"]), end=end)
    indexed = "index" in c["regularizer"]
    if not lam:
        return mdp, Tsallis(tau, 2) if indexed else Shannon(tau)
    mu = mu / mu.sum(axis=1, keepdims=True)
    if indexed:
        return mdp, TsallisKL(lam, 2, mu)
    return mdp, ShannonKL(tau, lam, mu) if tau else KL(lam, mu)


class Proof(NamedTuple):
    """A model where every number matters, its regulariser and its certificate."""

    mdp: MDP
    regularizer: Any
    certificate: dict[str, Any]


def proof(seed: int, kind: int, gamma: float = 0.9, gap: float | None = None) -> Proof:
    rng = np.random.Generator(np.random.PCG64(seed))
    w = rng.integers(1, 9, (3, 2, 3))
    mdp = MDP.from_weights(w, rng.integers(0, 3, (3, 2)) * 1.0, gamma, end_weights=rng.integers(1, 3, (3, 2)))
    mu = np.array([[0.25, 0.75], [0.5, 0.5], [0.375, 0.625]])
    regularizer = [Shannon(0.5), KL(2.0, mu), ShannonKL(0.5, 1.0, mu), Tsallis(32.0, 2), TsallisKL(32.0, 2, mu)][kind]
    return Proof(mdp, regularizer, rational_certificate(mdp, np.zeros(3), regularizer=regularizer, gap=gap))


@pytest.mark.parametrize("kind", [0, 1, 2, 3, 4])
def test_certificates_of_random_models_are_accepted_and_true(random_model: Any, kind: int) -> None:
    rng = np.random.Generator(np.random.PCG64(77 + kind))
    for _ in range(120):
        mdp = random_model(rng)
        regularizer = some_regularizer(rng, mdp.mask, kind)
        certificate = rational_certificate(mdp, np.zeros(mdp.S), regularizer=regularizer)
        verdict = check(json.dumps(certificate))
        assert verdict.accepted and verdict.gap is not None
        lo, hi = sides(certificate)
        assert enclosed(mdp, regularizer, lo, hi)
        scale = max(float(max(abs(x) for x in hi)), float(np.abs(mdp.rewards).max()))
        assert verdict.gap <= Fraction(2.0**-45 * scale) + Fraction(2) ** -900


@pytest.mark.parametrize("tau", [2.0**-1000, 1e-100, 1e-12, 1e-6, 1.0, 1e6, 1e12, 1e100])
def test_extreme_temperatures(tau: float) -> None:
    P = np.full((2, 2, 2), 0.5)
    mdp = MDP(P, np.array([[1.0, 1.0], [0.0, -1e-3]]), 0.99)
    mu = np.array([[0.5, 0.5], [1e-8, 1 - 1e-8]])
    for regularizer in (
        Shannon(tau), KL(tau, mu), ShannonKL(tau, tau / 8, mu), Tsallis(tau, 2), TsallisKL(tau, 2, mu),
    ):  # fmt: skip
        certificate = rational_certificate(mdp, np.zeros(2), regularizer=regularizer)
        assert enclosed(mdp, regularizer, *sides(certificate))


def test_an_index_is_read_and_nothing_else_is_taken_for_it() -> None:
    """sparsemax of (0, 1) at tau = 1: pi = (1/4, 3/4), and 3/4 + 1 - 10/16 = 9/8."""
    mdp = MDP([[[0], [0]]], [[0, 1]], 0, end=[[1, 1]])
    c = rational_certificate(mdp, np.zeros(1), regularizer=Tsallis(1.0, 2))
    lo, hi = sides(c)
    assert c["version"] == 3 and lo[0] <= Fraction(9, 8) <= hi[0]
    exact = c | {"V_lo": ["9/8"], "V_hi": ["9/8"]}
    assert check(exact).accepted and check(exact).gap == 0
    assert not check(exact | {"V_lo": ["10/8"], "V_hi": ["10/8"]}).accepted
    assert not check(exact | {"V_lo": ["8/8"], "V_hi": ["8/8"]}).accepted
    r = c["regularizer"]
    both = {"tau": "1", "lam": "1", "reference": ["1", "1"]}
    for bad, reason in (
        (exact | {"version": 2}, "the index is not left out"),
        (exact | {"regularizer": r | {"index": "3"}}, "the index is not 2"),
        (exact | {"regularizer": r | {"index": 2}}, "the index is not 2"),
        (exact | {"regularizer": {k: v for k, v in r.items() if k != "index"}}, "the index is not 2"),
        (exact | {"regularizer": r | both}, "tau and lam are both positive, with an index"),
        (exact | {"regularizer": None}, "version 3 is for a regularizer with an index"),
        (exact | {"version": 4}, "the version is not 2 or 3"),
    ):
        assert not check(bad).accepted and reason in check(bad).reason


@pytest.mark.parametrize("kind", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("gamma", [0.9, 1.0])
def test_every_number_matters(kind: int, gamma: float) -> None:
    """A change of the model beyond the gap moves its value out of the bounds, in one state at least."""
    for seed in range(3):
        _, _, good = proof(seed, kind, gamma)
        assert check(good).accepted
        bad: list[dict[str, Any]] = []

        def altered(bad: list[dict[str, Any]] = bad, good: dict[str, Any] = good) -> dict[str, Any]:
            bad.append(deepcopy(good))
            return bad[-1]

        for s in range(3):
            for name in ("V_lo", "V_hi"):
                for change in (Fraction(1, 100), Fraction(-1, 100)):
                    x = altered()[name]
                    x[s] = str(Fraction(x[s]) + change)
        for k in range(6):
            for change in (Fraction(1, 10**6), Fraction(-1, 10**6)):
                pair = altered()["pairs"][k]
                pair[2] = str(Fraction(pair[2]) + change)
            pair = altered()["pairs"][k]
            pair[3] = str(int(pair[3]) + 1)
            if good["regularizer"]["reference"]:
                mu = altered()["regularizer"]["reference"]
                mu[k] = str(1000 * int(mu[k]) + 1)
        for name in ("tau", "lam"):
            if Fraction(good["regularizer"][name]):
                r = altered()["regularizer"]
                r[name] = str(Fraction(r[name]) * Fraction(10**6 + 1, 10**6))
        altered()["gamma"] = str(Fraction(good["gamma"]) * Fraction(999, 1000))
        for i, c in enumerate(bad):
            assert not check(c).accepted, i


def test_what_is_accepted_is_true() -> None:
    """Random changes that happen to be accepted are true of the changed model."""
    rng = np.random.Generator(np.random.PCG64(8))
    accepted = 0
    proofs = [proof(seed, kind, gap=0.5).certificate for seed in range(4) for kind in range(5)]
    for i in range(500):
        c = deepcopy(proofs[i % len(proofs)])
        for _ in range(int(rng.integers(1, 3))):
            k, little = int(rng.integers(6)), Fraction(int(rng.integers(-8, 9)), 256)
            match int(rng.integers(6)):
                case 0:
                    c["pairs"][k][2] = str(Fraction(c["pairs"][k][2]) + little)
                case 1:
                    row = c["pairs"][k][4]
                    row[k % 3][1] = str(int(row[k % 3][1]) * 64 + int(rng.integers(-3, 4)))
                    for j in range(3):
                        row[j][1] = row[j][1] if j == k % 3 else str(int(row[j][1]) * 64)
                    c["pairs"][k][3] = str(int(c["pairs"][k][3]) * 64)
                case 2:
                    r = c["regularizer"]
                    name = "lam" if Fraction(r["lam"]) else "tau"
                    r[name] = str(max(Fraction(1, 64), Fraction(r[name]) + little))
                case 3 if c["regularizer"]["reference"]:
                    mu = c["regularizer"]["reference"]
                    mu[k // 2 * 2] = str(int(mu[k // 2 * 2]) * 32 + int(rng.integers(-1, 2)))
                    mu[k // 2 * 2 + 1] = str(int(mu[k // 2 * 2 + 1]) * 32)
                case 4:
                    c["V_lo"][k // 2] = str(Fraction(c["V_lo"][k // 2]) + little)
                case 5:
                    c["V_hi"] = [str(Fraction(x) + little) for x in c["V_hi"]]
        if check(c).accepted:
            accepted += 1
            assert enclosed(*stated(c), *sides(c)), i
    assert 50 < accepted < 500


def test_total_reward() -> None:
    for kind in range(5):
        mdp, regularizer, certificate = proof(5, kind, 1.0)
        assert certificate["gamma"] == "1" and "component" not in certificate
        solution = solve(mdp, regularizer=regularizer)
        assert solution.error_bound < 1e-9
        for x, v, y in zip(*sides(certificate), [Fraction(v) for v in solution.V.tolist()], strict=True):
            assert x - Fraction(solution.error_bound) <= y <= v + Fraction(solution.error_bound)
    idle = MDP(np.ones((1, 2, 1)), np.zeros((1, 2)), 1.0)  # staying earns entropy for ever
    with pytest.raises(TabularError, match="no certificate"):
        rational_certificate(idle, np.zeros(1), regularizer=Shannon(1.0))


def test_total_reward_with_free_pairs_is_proved_for_the_model_itself() -> None:
    mdp = MDP.from_gymnasium("FrozenLake-v1", gamma=1, map_name="4x4")
    exact = exact_policy_iteration(mdp).V
    certificate = rational_certificate(mdp, np.array([float(v) for v in exact]))
    lo, hi = sides(certificate)
    assert float(exact[0]) == pytest.approx(14 / 17, abs=1e-15)
    assert certificate["states"] == mdp.S and len(set(certificate["component"])) < mdp.S
    assert all(x <= v <= y for x, v, y in zip(lo, exact, hi, strict=True))


def test_weight_zero_is_no_regularizer() -> None:
    mdp = MDP(np.ones((1, 1, 1)), np.ones((1, 1)), 0.5)
    for regularizer in (None, Hard(), Shannon(0.0)):
        assert "regularizer" not in rational_certificate(mdp, np.zeros(1), regularizer=regularizer)


def test_the_solution_says_what_it_solves() -> None:
    mdp, regularizer, _ = proof(0, 1)
    one = solve(mdp, regularizer=regularizer)
    assert rational_certificate(mdp, one)["regularizer"]["lam"] == "2"
    assert rational_certificate(mdp, one, regularizer=KL(2, regularizer.reference))["regularizer"]["lam"] == "2"
    with pytest.raises(ValueError, match="another regularizer"):
        rational_certificate(mdp, one, regularizer=Shannon(1.0))
    assert "regularizer" not in rational_certificate(mdp, solve(mdp))


def test_a_regularizer_of_ones_own_is_refused() -> None:
    @own
    class Largest(NamedTuple):
        """The maximum, by another name."""

        def conjugate(self, ops: Any, Q: Any, mask: Any) -> Any:
            return ops.max(Q, where=mask)

        def policy(self, ops: Any, Q: Any, mask: Any) -> Any:
            return ops.first_max(Q, where=mask)

    mdp = MDP(np.ones((1, 1, 1)), np.ones((1, 1)), 0.5)
    with pytest.raises(TabularError, match="does not know Largest"):
        rational_certificate(mdp, np.zeros(1), regularizer=Largest())
