"""Upper confidence bounds against linear and convex programs, and their coverage; variates against scipy's laws."""

from __future__ import annotations

from math import log, sqrt
from typing import Any, NamedTuple

import numpy as np
import pytest
from scipy import optimize, stats

from tabular import MDP
from tabular._kernels import variates, widths
from tabular._kernels.sampling import stream
from tabular.exploration import (
    Bernstein,
    Hoeffding,
    Jaksch,
    KullbackLeibler,
    Random,
    Weissman,
    episodic,
    register_width,
)
from tabular.exploration.play import Play


def drawn(n: int, S: int = 5, seed: int = 0) -> Play:
    """One state's action has been tried about n times; the rows of other states, too."""
    rng = np.random.default_rng(seed)
    model = episodic(
        MDP(rng.dirichlet(np.ones(S), size=(S, 2)), np.zeros((S, 2)), 0.5, renormalise=True), 1, rho=np.full(S, 1 / S)
    )
    play = Play(model, Random(), n * 2 * S, seed)
    play.advance()
    return play


def frequencies(play: Play, row: int) -> np.ndarray:
    w, p = play.world, np.zeros(play.world.S)
    of = slice(w.indptr[row], w.indptr[row + 1])
    np.add.at(p, w.indices[of].astype(int), play.counts.seen[of])
    return p / p.sum()


def bound(width: Any, play: Play, row: int, V: np.ndarray, span: float, L: float) -> float:
    kernel = {
        Hoeffding: widths.hoeffding, Bernstein: widths.bernstein, Weissman: widths.weissman, Jaksch: widths.jaksch,
        KullbackLeibler: widths.kullback_leibler,
    }[type(width)]  # fmt: skip
    return float(kernel(width, play.world, play.counts, row, V, V.max(), span, L))


@pytest.mark.parametrize("n", [2, 15, 400])
@pytest.mark.parametrize("ties", [False, True], ids=["distinct", "tied"])
def test_bounds_are_what_they_say(n: int, ties: bool) -> None:
    play, rng, L = drawn(n), np.random.default_rng(1), 3.0
    S = play.world.S
    for row in range(2 * S):
        m = int(play.counts.visits[row])
        if m < 2:
            continue
        V = np.round(rng.random(S) * 4) if ties else rng.random(S) * 4
        p, span = frequencies(play, row), 4.0
        variance = (p @ V**2 - (p @ V) ** 2) * m / (m - 1)
        expected = p @ V + span * sqrt(L / (2 * m))
        assert bound(Hoeffding(), play, row, V, span, L) == pytest.approx(min(V.max(), expected), abs=1e-12)
        expected = p @ V + sqrt(2 * variance * L / m) + 7 * span * L / (3 * (m - 1))
        assert bound(Bernstein(), play, row, V, span, L) == pytest.approx(min(V.max(), expected), abs=1e-12)
        for width, radius in (
            (Weissman(), sqrt(2 * (S * log(2) + L) / m)), (Weissman(0.2), 0.2 * sqrt(2 * (S * log(2) + L) / m)),
            (Jaksch(0.3), 0.3 * sqrt(14 * S * L / m)),
        ):  # fmt: skip
            assert bound(width, play, row, V, span, L) == pytest.approx(linear_program(p, V, radius), abs=1e-9)
        for scale in (1.0, 0.05):
            c = scale * (L + (S - 1) * (1 + log(1 + m / (S - 1)))) / m
            found = bound(KullbackLeibler(scale), play, row, V, span, L)
            assert found == pytest.approx(divergence_program(p, V, c), abs=1e-6)


def linear_program(p: np.ndarray, V: np.ndarray, radius: float) -> float:
    """max qV over the simplex with |q - p|_1 <= radius; variables q and the absolute differences."""
    S = len(p)
    eye = np.eye(S)
    A = np.block([[eye, -eye], [-eye, -eye], [np.zeros((1, S)), np.ones((1, S))]])
    b = np.concatenate([p, -p, [radius]])
    total = np.concatenate([np.ones(S), np.zeros(S)])[None]
    found = optimize.linprog(np.concatenate([-V, np.zeros(S)]), A_ub=A, b_ub=b, A_eq=total, b_eq=[1], bounds=(0, None))
    return -float(found.fun)


def divergence_program(p: np.ndarray, V: np.ndarray, c: float) -> float:
    """max qV over the simplex with KL(p, q) <= c, by cvxpy."""
    import cvxpy as cp

    q, seen = cp.Variable(len(p), nonneg=True), p > 0
    logs = cp.sum(cp.multiply(p[seen], cp.log(q[seen])))
    limits = [cp.sum(q) == 1, (p[seen] * np.log(p[seen])).sum() - logs <= c]
    problem = cp.Problem(cp.Maximize(V @ q), limits)
    problem.solve(solver=cp.CLARABEL, tol_gap_abs=1e-10, tol_gap_rel=1e-10, tol_feas=1e-10)
    return float(problem.value)


@pytest.mark.parametrize(
    "width", [Hoeffding(), Bernstein(), Weissman(), KullbackLeibler()], ids=lambda w: type(w).__name__
)
def test_bounds_hold_as_often_as_they_say(width: Any) -> None:
    """Of 2000 rows, with L for a failure in five; Bernstein's needs twice that."""
    failed, trials, L, V = 0, 0, log(5.0), np.array([0.0, 1.0, 0.0, 1.0, 1.0])
    for seed in range(200):
        play = drawn(12, seed=seed)
        P = np.zeros((10, 5))
        np.add.at(
            P, (np.repeat(np.arange(10), np.diff(play.world.indptr)), play.world.indices.astype(int)), play.world.mass
        )
        for row in range(10):
            if play.counts.visits[row]:
                trials += 1
                failed += bound(width, play, row, V, 1.0, L) < P[row] @ V - 1e-12
    allowed = 0.4 if isinstance(width, Bernstein) else 0.2
    assert stats.binom.sf(failed - 1, trials, allowed) > 1e-9
    assert trials > 1900


class Twice(NamedTuple):
    factor: float


def test_a_width_of_ones_own() -> None:
    def upper(width: Any, world: Any, counts: Any, row: int, V: Any, top: float, span: float, L: float) -> float:
        return min(top, width.factor * L)

    register_width(Twice, upper)
    from tabular.exploration import OptimisticPlanning

    play = Play(episodic(MDP([[[1.0]]], [[1.0]], 0.5, rho=[1]), 3), OptimisticPlanning(Twice(0.01)), 50)
    play.advance()
    L = log(2 * 3 * 50 / 0.1)
    np.testing.assert_allclose(play.own.V[:, 0], [1 + 0.01 * L, 1 + 0.01 * L, 1, 0], atol=1e-12)
    with pytest.raises(ValueError, match="a bound already"):
        register_width(Twice, upper)
    with pytest.raises(TypeError, match="NamedTuple"):
        register_width(float, upper)


@pytest.mark.parametrize("shape", [0.03, 0.2, 1.0, 1.5, 30.0])
def test_gamma_variates(shape: float) -> None:
    z, increment = stream(np.array([3, 4], dtype=np.uint64), 1, int(100 * shape))
    x = np.empty(20_000)
    for i in range(x.size):
        x[i], z = variates.gamma(shape, np.uint64(z), np.uint64(increment))
    assert stats.kstest(x, stats.gamma(shape).cdf).pvalue > 1e-7
    assert stats.kstest(x, stats.gamma(1.1 * shape).cdf).pvalue < 1e-7 or shape < 0.1


def test_normal_and_dirichlet_variates() -> None:
    z, increment = stream(np.array([3, 4], dtype=np.uint64), 2, 0)
    x = np.empty(20_000)
    for i in range(x.size):
        x[i], z = variates.normal(np.uint64(z), np.uint64(increment))
    assert stats.kstest(x, stats.norm.cdf).pvalue > 1e-7
    a, rows = np.array([0.3, 2.0, 1.2]), np.empty((5000, 3))
    for row in rows:
        row[:] = a
        z = variates.dirichlet(row, np.uint64(z), np.uint64(increment))
    np.testing.assert_allclose(rows.sum(1), 1, atol=1e-12)
    for i in range(3):
        assert stats.kstest(rows[:, i], stats.beta(a[i], a.sum() - a[i]).cdf).pvalue > 1e-7
