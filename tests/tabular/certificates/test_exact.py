"""Exact solutions: closed forms, ties, brute force over policies, improper models, finite horizons."""

from __future__ import annotations

import itertools
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from tabular.certificates import certify_finite, exact_backward_induction, exact_policy_iteration
from tabular.certificates.components import strong_components
from tabular.errors import ImproperModel
from tabular.finite_horizon import FiniteHorizonMDP
from tabular.mdp import MDP
from tabular.reference import RationalOps, operators
from tabular.regularizers import Shannon


def test_puterman_two_states() -> None:
    P = np.array([[[0.5, 0.5], [0.0, 1.0]], [[0.0, 1.0], [0.0, 0.0]]])
    mdp = MDP(P, np.array([[5.0, 10.0], [-1.0, -np.inf]]), Fraction(19, 20))
    solution = exact_policy_iteration(mdp, np.array([1, 0]))  # start from the other policy
    assert solution.V == [Fraction(-60, 7), Fraction(-20)]
    assert solution.pi.tolist() == [0, 0]
    assert solution.iterations == 2
    assert solution.optimal_actions.tolist() == [[True, False], [True, False]]


def test_ties_are_seen_and_do_not_cycle() -> None:
    third = Fraction(1, 3)
    P = np.full((3, 3, 3), third, dtype=object)
    mdp = MDP(P, np.ones((3, 3)), Fraction(2, 3))
    solution = exact_policy_iteration(mdp)
    assert solution.V == [Fraction(3)] * 3
    assert solution.optimal_actions.all()


def test_the_best_of_all_policies(random_model: Any) -> None:
    rng = np.random.Generator(np.random.PCG64(5))
    ops = RationalOps()
    for _ in range(60):
        mdp = random_model(rng, S=int(rng.integers(1, 4)))
        m = ops.model(mdp)
        best: list[Fraction] | None = None
        for choice in itertools.product(*(np.flatnonzero(row) for row in mdp.mask)):
            pi = np.zeros(mdp.mask.shape)
            pi[np.arange(mdp.S), list(choice)] = 1.0
            V = [Fraction(int(x.p), int(x.q)) for x in operators.evaluate(ops, m, ops.distribution(pi)).data]
            best = V if best is None else [max(x, y) for x, y in zip(best, V, strict=True)]
        for start in (None, mdp.mask.argmax(axis=1)):
            solution = exact_policy_iteration(mdp, start)
            assert solution.V == best
            assert solution.optimal_actions[np.arange(mdp.S), solution.pi].all()


def test_total_reward_end_components() -> None:
    P = np.zeros((2, 2, 2))
    P[0, 0, 1] = P[1, 0, 0] = 1.0  # 0 and 1 circle for nothing
    end = np.array([[0.0, 1.0], [0.0, 1.0]])
    R = np.array([[0.0, 3.0], [0.0, -2.0]])
    solution = exact_policy_iteration(MDP(P, R, 1, end=end))
    assert solution.V == [Fraction(3), Fraction(3)]
    assert solution.pi.tolist() == [1, 0]
    with pytest.raises(ImproperModel, match="positive gain"):
        exact_policy_iteration(MDP(P, R + np.array([[1.0, 0.0], [0.0, 0.0]]), 1, end=end))
    with pytest.raises(ImproperModel, match="inescapable"):
        exact_policy_iteration(MDP(np.ones((1, 1, 1)), -np.ones((1, 1)), 1))


def test_an_improper_start_is_no_obstacle() -> None:
    P = np.zeros((1, 2, 1))
    P[0, 0, 0] = 1.0
    mdp = MDP(P, np.array([[-1.0, -5.0]]), 1, end=np.array([[0.0, 1.0]]))
    assert exact_policy_iteration(mdp, np.array([0])).V == [Fraction(-5)]


def test_taxi_is_solved_exactly() -> None:
    mdp = MDP.from_gymnasium("Taxi-v4", gamma=1)
    solution = exact_policy_iteration(mdp)
    exact = mdp.exact()
    assert exact.rho is not None
    mean = sum(p * v for p, v in zip(exact.rho, solution.V, strict=True))
    assert abs(mean - Fraction(793, 100)) < Fraction(1, 10**15)  # rho is in floats
    assert all(v.denominator == 1 for v in solution.V)


def test_bad_starts_are_named() -> None:
    mdp = MDP(np.ones((1, 2, 1)), np.array([[0.0, -np.inf]]), 0.5)
    with pytest.raises(ValueError, match=r"pi0\[0\] is 1: not an available action"):
        exact_policy_iteration(mdp, np.array([1]))
    with pytest.raises(ValueError, match="pi0 has shape"):
        exact_policy_iteration(mdp, np.zeros(3, dtype=int))


def test_strong_components_come_successors_first() -> None:
    rng = np.random.Generator(np.random.PCG64(1))
    for _ in range(200):
        n = int(rng.integers(1, 12))
        edge = rng.random((n, n)) < rng.random() * 0.4
        reach = np.linalg.matrix_power(np.eye(n, dtype=int) + edge, n) > 0
        blocks = strong_components([np.flatnonzero(row).tolist() for row in edge])
        place = {v: k for k, block in enumerate(blocks) for v in block}
        assert sorted(place) == list(range(n))
        for v, t in itertools.product(range(n), range(n)):
            assert (place[v] == place[t]) == bool(reach[v, t] and reach[t, v])
            if reach[v, t]:
                assert place[t] <= place[v]
    assert len(strong_components([[k + 1] for k in range(20_000)] + [[]])) == 20_001  # no recursion


def finite(rng: np.random.Generator, H: int) -> FiniteHorizonMDP:
    S, A = 4, 3
    w = rng.random((H, S, A, S))
    R = rng.standard_normal((H, S, A))
    R[rng.random((H, S, A)) < 0.2] = -np.inf
    R[..., 0] = 0.5
    P = w / w.sum(-1, keepdims=True)
    P[np.isinf(R)] = 0.0
    return FiniteHorizonMDP(P, R, terminal=rng.standard_normal(S), gamma=rng.choice([1.0, 0.9]))


def test_finite_horizon_bounds_contain_the_exact_answer_and_are_tight() -> None:
    rng = np.random.Generator(np.random.PCG64(2))
    for H in (1, 2, 10, 40):
        fh = finite(rng, H)
        exact, actions = exact_backward_induction(fh)
        V = np.array([[float(x) for x in row] for row in exact])
        for noise in (0.0, 1e-15, 1e-6):
            W = V + noise * rng.standard_normal(V.shape)
            c = certify_finite(fh, W)["V - V*"]
            for h in range(H + 1):
                for s in range(fh.S):
                    assert c.lower[h, s] <= Fraction(float(W[h, s])) - exact[h][s] <= c.upper[h, s]
            error = max(abs(Fraction(float(W[h, s])) - exact[h][s]) for h in range(H + 1) for s in range(fh.S))
            assert max(-c.lower.min(), c.upper.max()) <= float(error) * (3 if noise else H + 2) + 1e-18
        assert all(fh.stage(h).mask[s, actions[h, s]] for h in range(H) for s in range(fh.S))


def test_finite_horizon_with_entropy() -> None:
    fh = FiniteHorizonMDP(np.ones((1, 2, 1)), np.zeros((1, 2)), H=3)
    V = 0.25 * np.log(2) * np.array([[3.0], [2.0], [1.0], [0.0]])
    c = certify_finite(fh, V, Shannon(0.25))["V - V*"]
    assert np.abs(c.upper).max() < 1e-15 and np.abs(c.lower).max() < 1e-15
    c = certify_finite(fh, V + 1e-3, Shannon(0.25))["V - V*"]
    np.testing.assert_allclose(c.lower, 1e-3, rtol=1e-9)
    np.testing.assert_allclose(c.upper, 1e-3, rtol=1e-9)
