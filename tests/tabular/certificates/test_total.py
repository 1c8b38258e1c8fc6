"""Total reward: brackets hold, properness is proved and not assumed, and nothing is claimed where there is
no value.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from tabular.certificates import certify, certify_total, exact_policy_iteration, refine, total
from tabular.errors import ImproperModel
from tabular.mdp import MDP
from tabular.regularizers import Shannon


def inside(c: Any, exact: list[Fraction]) -> bool:
    return all(lo <= x <= hi for lo, x, hi in zip(c.lower.tolist(), exact, c.upper.tolist(), strict=True))


@pytest.mark.parametrize("p", [Fraction(1, 3), Fraction(1, 2**20), Fraction(1, 10**9)])
def test_geometric_time_to_the_end(p: Fraction) -> None:
    mdp = MDP(np.array([[[1 - p]]], dtype=object), np.array([[-1.0]]), 1, end=np.array([[p]], dtype=object))
    h, low, bound = refine(mdp, np.zeros(1))
    assert abs(Fraction(h[0]) + Fraction(low[0]) + 1 / p) <= bound[0]
    assert bound[0] <= 2.0**-60 / p
    assert inside(certify(mdp, np.array([-float(1 / p)]))["V - V*"], [1 / p - Fraction(float(1 / p))])


def test_random_models_with_improper_policies(random_model: Any, random_policy: Any) -> None:
    rng = np.random.Generator(np.random.PCG64(12))
    bounded = 0
    for _ in range(400):
        mdp = random_model(rng, gamma=1)
        try:
            exact = exact_policy_iteration(mdp)
        except ImproperModel:
            c = certify_total(mdp, np.zeros(mdp.S))["V - V*"]
            assert np.isinf(c.upper).all() and np.isinf(c.lower).all()  # no value, no claim
            continue
        V = np.array([float(v) for v in exact.V]) * (1 + 1e-9 * rng.standard_normal(mdp.S))
        pi = np.zeros(mdp.mask.shape)
        pi[np.arange(mdp.S), exact.pi] = 1.0
        found = certify(mdp, V, pi=pi)
        error = [Fraction(float(v)) - x for v, x in zip(V, exact.V, strict=True)]
        assert inside(found["V - V*"], error)
        assert inside(found["V - V^pi"], error)  # pi is optimal
        assert found["max(V* - V^pi)"].lower <= 0
        if np.isfinite(found["V - V*"].upper).all():
            bounded += 1
            size = float(max(abs(x) for x in error))
            scale = max(np.abs(V).max(), np.abs(mdp.rewards).max()) + 1e-280
            assert max(-found["V - V*"].lower.min(), found["V - V*"].upper.max()) <= 1.01 * size + 1e-13 * scale
            assert found["max(V* - V^pi)"].upper <= 1e-13 * scale
    assert bounded > 60


def test_a_policy_that_never_ends_has_no_certificate() -> None:
    P = np.zeros((1, 2, 1))
    P[0, 0, 0] = 1.0
    mdp = MDP(P, np.array([[-1.0, -5.0]]), 1, end=np.array([[0.0, 1.0]]))
    found = certify(mdp, np.array([-5.0]), pi=np.array([[1.0, 0.0]]))
    assert found["V - V*"].upper[0] < 1e-13
    assert np.isinf(found["max(V* - V^pi)"].upper)
    found = certify(mdp, np.array([-5.0]), pi=np.array([[0.5, 0.5]]))  # ends; worth -6
    assert found["V - V^pi"].lower[0] <= 1.0 <= found["V - V^pi"].upper[0]
    assert found["max(V* - V^pi)"].upper == pytest.approx(1.0, abs=1e-12)


def test_staying_for_nothing_is_divided_out() -> None:
    # state 0 may wait for nothing, or leave to lose 1: its value is 0, though V = -1 solves Bellman's
    # equation as well
    P = np.zeros((1, 2, 1))
    P[0, 0, 0] = 1.0
    mdp = MDP(P, np.array([[0.0, -1.0]]), 1, end=np.array([[0.0, 1.0]]))
    c = certify(mdp, np.array([-1.0]))["V - V*"]
    assert c.lower[0] <= -1.0 <= c.upper[0] < -0.99


def test_entropy_that_pays_for_ever_has_no_certificate() -> None:
    # two ways to stay: tau log 2 each step against -1; staying pays when tau > 1 / log 2
    P = np.ones((1, 3, 1))
    P[0, 2] = 0.0
    mdp = MDP(P, np.array([[-1.0, -1.0, 0.0]]), 1, end=np.array([[0.0, 0.0, 1.0]]))
    tau = 0.5
    r = 2 * np.exp(-1 / tau)  # V = tau log(r e^(V/tau) + 1)
    h, _, bound = refine(mdp, np.zeros(1), Shannon(tau))
    assert h[0] == pytest.approx(-tau * np.log(1 - r), rel=1e-14)
    assert bound[0] < 1e-15
    assert np.isinf(refine(mdp, np.zeros(1), Shannon(1.6))[2]).all()


@pytest.mark.parametrize(
    ("env", "options", "value"),
    [
        ("FrozenLake-v1", {"map_name": "4x4"}, 14 / 17),
        ("FrozenLake-v1", {"map_name": "8x8"}, 1.0),
        ("CliffWalking-v1", {}, -13.0),
    ],
)
def test_gymnasium_maps(env: str, options: dict[str, Any], value: float) -> None:
    mdp = MDP.from_gymnasium(env, gamma=1, **options)
    h, _, bound = refine(mdp, np.zeros(mdp.S))
    assert mdp.rho is not None
    assert float(mdp.rho @ h) == pytest.approx(value, rel=1e-14)
    assert bound.max() < 1e-21
    # CliffWalking with entropy: finite at tau 0.7, infinite at 0.8
    if env == "CliffWalking-v1":
        assert refine(mdp, np.zeros(mdp.S), Shannon(0.7))[2].max() < 1e-18
        assert np.isinf(refine(mdp, np.zeros(mdp.S), Shannon(0.8))[2]).all()


def test_gamma_below_one_is_refused() -> None:
    mdp = MDP(np.ones((1, 1, 1)), np.zeros((1, 1)), 0.5)
    with pytest.raises(ValueError, match="certify_total is for gamma = 1"):
        certify_total(mdp, np.zeros(1))


def oscillating() -> MDP:
    """0 and 1 circle for +1 and -1: no total, though V = (5, 4) solves Bellman's equation exactly."""
    P = np.zeros((2, 2, 2))
    P[0, 0, 1] = P[1, 0, 0] = 1.0
    return MDP(P, np.array([[1.0, 5.0], [-1.0, 3.0]]), 1, end=np.array([[0.0, 1.0], [0.0, 1.0]]))


def test_a_fixed_point_is_no_value() -> None:
    mdp = oscillating()
    c = certify(mdp, np.array([5.0, 4.0]))["V - V*"]
    assert np.isinf(c.upper).all() and np.isinf(c.lower).all()
    with pytest.raises(ImproperModel):
        exact_policy_iteration(mdp)


def test_a_bracket_is_checked_whoever_proposes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def careless(residual: Any, V: np.ndarray, shift: float = 0.0, **_: Any) -> Any:
        h, low = V + np.sign(shift), np.zeros_like(V)
        return h, low, *residual(h, low)

    monkeypatch.setattr(total, "newton", careless)
    c = certify(oscillating(), np.array([5.0, 4.0]))["V - V*"]  # T(V + 1) = V + 1 is not below V + 1
    assert np.isinf(c.upper).all() and np.isinf(c.lower).all()


def test_what_reading_floats_as_distributions_changes() -> None:
    """A proper model's floats as they are, rows summing to more or less than one: a linear system in rationals."""
    rng = np.random.Generator(np.random.PCG64(17))
    ratios = []
    for i in range(60):
        S = int(rng.integers(1, 5))
        w = rng.random((S, 1, S + 1)) * 10.0 ** rng.uniform(-3, 0, (S, 1, S + 1))
        w /= w.sum(-1, keepdims=True)
        mdp = MDP(w[..., :S], -1.0 - rng.random((S, 1)), 1, end=w[..., S])
        exact = exact_policy_iteration(mdp).V
        floats = np.array([[Fraction(float(x)) for x in row] for row in w[:, 0, :S]], dtype=object)
        V = solved(floats, [Fraction(float(x)) for x in mdp.rewards[:, 0]])
        change = max(abs(x - y) for x, y in zip(V, exact, strict=True))
        c = certify(mdp, np.array([float(x) for x in exact]), Shannon(1.0) if i % 2 else None)["V*(floats) - V*"]
        assert change <= c.upper < np.inf  # entropy of one action is zero
        ratios += [c.upper / float(change)] if change > 0 else []
    assert len(ratios) > 30 and np.median(ratios) < 100
    waiting = MDP(np.array([[[1.0], [0.0]]]), np.array([[0.0, -1.0]]), 1, end=np.array([[0.0, 1.0]]))
    assert certify(waiting, np.zeros(1))["V*(floats) - V*"].upper == np.inf
    dyadic = MDP(np.array([[[0.5]]]), np.array([[1.0]]), 1, end=np.array([[0.5]]))
    assert certify(dyadic, np.array([2.0]))["V*(floats) - V*"].upper < 1e-25


def solved(P: np.ndarray, R: list[Fraction]) -> list[Fraction]:
    """``(I - P) V = R`` by elimination in Fractions."""
    n = len(R)
    M = [[Fraction(int(s == t)) - P[s, t] for t in range(n)] + [R[s]] for s in range(n)]
    for k in range(n):
        pivot = next(s for s in range(k, n) if M[s][k] != 0)
        M[k], M[pivot] = M[pivot], M[k]
        for s in range(n):
            if s != k:
                factor = M[s][k] / M[k][k]
                M[s] = [x - factor * y for x, y in zip(M[s], M[k], strict=True)]
    return [M[s][n] / M[s][s] for s in range(n)]
