"""``RationalOps`` against plain ``fractions``, and what it refuses."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from tabular import MDP, Shannon
from tabular.errors import ImproperModel, ModelError, NoExactForm
from tabular.reference import RationalOps
from tabular.regularizers import KL, Hard


def model(seed, S=4, A=3):
    """A model in Fractions, some pairs unavailable, some ending, with its parts as nested lists."""
    rng = np.random.default_rng(seed)
    w = rng.integers(0, 9, (S, A, S + 1))
    w[..., 0] += 1
    P = [[[Fraction(int(x), int(row.sum())) for x in row[:S]] for row in block] for block in w]
    end = [[1 - sum(row) for row in block] for block in P]
    R = [[Fraction(int(rng.integers(-9, 10)), int(rng.integers(1, 7))) for _ in range(A)] for _ in range(S)]
    gamma = Fraction(int(rng.integers(1, 10)), 10)
    return (
        MDP(np.array(P, dtype=object), np.array(R, dtype=object), gamma, end=np.array(end, dtype=object)),
        P,
        R,
        gamma,
    )


def solve(A, b):
    """Gauss and Jordan, with pivots that are not zero."""
    n = len(b)
    M = [[*row, x] for row, x in zip(A, b, strict=True)]
    for i in range(n):
        k = next(k for k in range(i, n) if M[k][i] != 0)
        M[i], M[k] = M[k], M[i]
        M[i] = [x / M[i][i] for x in M[i]]
        M = [row if j == i else [x - row[i] * y for x, y in zip(row, M[i], strict=True)] for j, row in enumerate(M)]
    return [row[-1] for row in M]


@pytest.mark.parametrize("seed", range(6))
def test_operators_are_those_of_fractions(seed):
    mdp, P, R, gamma = model(seed)
    ops, rng = RationalOps(), np.random.default_rng(seed)
    m = ops.model(mdp)
    S, A = mdp.S, mdp.A
    V = [Fraction(int(x), 7) for x in rng.integers(-50, 50, S)]
    Q = [[R[s][a] + gamma * sum(P[s][a][t] * V[t] for t in range(S)) for a in range(A)] for s in range(S)]
    v = ops.array(np.array(V, dtype=object), 1)
    assert ops.fractions(ops.q_backup(m, v)).tolist() == Q
    assert ops.fractions(ops.backup(m, v)).tolist() == [max(q) for q in Q]
    weights = rng.integers(1, 6, (S, A))
    pi = [[Fraction(int(x), int(row.sum())) for x in row] for row in weights]
    system = [[(s == t) - gamma * sum(pi[s][a] * P[s][a][t] for a in range(A)) for t in range(S)] for s in range(S)]
    policy = ops.distribution(weights)
    value = solve(system, [sum(p * r for p, r in zip(pi[s], R[s], strict=True)) for s in range(S)])
    assert ops.fractions(ops.evaluate(m, policy)).tolist() == value
    rho = [Fraction(1, S)] * S
    visits = solve([list(c) for c in zip(*system, strict=True)], rho)
    got = ops.fractions(ops.occupancy(m, policy, ops.array(np.array(rho, dtype=object), 1)))
    assert got.tolist() == [[visits[s] * pi[s][a] for a in range(A)] for s in range(S)]
    assert ops.fractions(ops.policy_backup(m, policy, ops.evaluate(m, policy))).tolist() == value


@pytest.mark.parametrize("seed", range(4))
def test_optimal_values_solve_their_equation(seed):
    mdp, *_ = model(seed)
    ops = RationalOps()
    m = ops.model(mdp)
    V = ops.optimal_value(m)
    assert ops.fractions(ops.backup(m, V)).tolist() == ops.fractions(V).tolist()


def test_floats_are_lifted_exactly():
    ops = RationalOps()
    assert ops.fractions(ops.constant(0.1)).item() == Fraction(0.1)
    p = ops.fractions(ops.distribution(np.array([[0.1, 0.2, 0.7]])))[0]
    assert sum(p) == 1 and p[0] == Fraction(0.1) / (Fraction(0.1) + Fraction(0.2) + Fraction(0.7))
    for bad in (np.nan, np.inf):
        with pytest.raises(ModelError, match="finite"):
            ops.constant(bad)
    with pytest.raises(ModelError, match="sums to 0"):
        ops.distribution(np.array([[0, 0]]))


def test_bounds_are_the_nearest_floats_outside():
    ops = RationalOps()
    exact = [
        Fraction(1, 3),
        Fraction(-1, 3),
        Fraction(1, 2),
        Fraction(10) ** 400,
        -(Fraction(10) ** 400),
        Fraction(1, 10**400),
        Fraction(0),
    ]
    low, high = ops.bounds(ops.array(np.array(exact, dtype=object), 1))
    biggest = np.finfo(float).max
    for x, lo, hi in zip(exact, low.tolist(), high.tolist(), strict=True):
        assert (lo == -np.inf or Fraction(lo) <= x) and (hi == np.inf or Fraction(hi) >= x)
        assert hi <= math.nextafter(lo, math.inf)
    assert (low[3], high[3], low[4], high[4]) == (biggest, np.inf, -np.inf, -biggest)
    assert low[2] == high[2] == 0.5
    assert ops.sign(ops.array(np.array(exact, dtype=object), 1)).tolist() == [1, -1, 1, 1, -1, 1, 0]


def test_what_leaves_the_rationals_is_refused():
    ops = RationalOps()
    x = ops.array(np.array([[1.0, 2.0], [3.0, 3.0]]), 2)
    mask = np.ones((2, 2), dtype=bool)
    half, skew = ops.distribution(np.array([[1, 1], [1, 1]])), ops.distribution(np.array([[1, 2], [1, 1]]))
    for f in (
        lambda: ops.exp(x), lambda: ops.log(x), lambda: ops.sqrt(x), lambda: ops.xlogx(half), lambda: ops.free_energy(x, 1),
        lambda: ops.gibbs(x, Fraction(1, 3)), lambda: ops.log_gibbs(x, 0), lambda: ops.relative_entropy(half, skew),
        lambda: Shannon(1).conjugate(ops, x, mask), lambda: KL(1, skew).policy(ops, x, mask),
        lambda: KL(1, skew).value(ops, half, mask),
        lambda: Hard().log_policy(ops, x, mask), lambda: ops.optimal_value(ops.model(model(0)[0]), Shannon(1)),
    ):  # fmt: skip
        with pytest.raises(NoExactForm):
            f()


def test_what_stays_rational_is_exact():
    ops = RationalOps()
    x = ops.array(np.array([[1.0, 2.0, 2.0], [3.0, 3.0, 1.0]]), 2)
    mask = np.array([[True, True, True], [False, True, True]])
    get = lambda v: ops.fractions(v).tolist()  # noqa: E731
    assert get(Shannon(0).conjugate(ops, x, mask)) == [2, 3]
    assert get(Shannon(0).policy(ops, x, mask)) == [[0, 1, 0], [0, 1, 0]]
    assert get(Shannon(3).value(ops, Hard().policy(ops, x, mask), mask)) == [0, 0]
    reference = ops.distribution(np.array([[1, 0, 0], [0, 1, 1]]))
    assert get(KL(0, reference).conjugate(ops, x, mask)) == [1, 3]
    assert get(KL(5, reference).value(ops, reference, mask)) == [0, 0]


def test_singular_systems_have_no_value():
    ops = RationalOps()
    mdp = MDP(np.ones((1, 1, 1)), np.ones((1, 1)), 1)
    with pytest.raises(ImproperModel, match="singular"):
        ops.evaluate(ops.model(mdp), ops.distribution(np.array([[1]])))
    with pytest.raises(TypeError, match="one model"):
        RationalOps(3)
