"""Optimal values: rationals by all policies, and everything else around the rationals."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from tabular import MDP, MDPBatch
from tabular.errors import ImproperModel, NoExactForm
from tabular.reference import BallOps, EnclosureOps, NumpyOps, RationalOps
from tabular.reference.operators import residual
from tabular.reference.value import Value
from tabular.regularizers import KL, Shannon, ShannonKL, Tsallis


def batch(seed, B=30, S=4, A=2, gamma=None):
    """Ties abound: few weights, few rewards."""
    rng = np.random.default_rng(seed)
    w = rng.integers(0, 3, (B, S, A, S))
    w[..., 0] += 1
    R = rng.integers(-2, 3, (B, S, A)).astype(float)
    R[:, 1, 1] = -np.inf
    discount = 1 - 2.0 ** -rng.integers(0, 30, B) if gamma is None else gamma
    return MDPBatch.from_weights(w, R, discount, end_weights=rng.integers(0, 2, (B, S, A)))


@pytest.mark.parametrize("seed", range(3))
def test_rational_optimum_is_the_best_of_all_policies(seed):
    ops = RationalOps()
    for mdp in batch(seed, B=4):
        m = ops.model(mdp)
        V = ops.fractions(ops.optimal_value(m))
        choices = [np.flatnonzero(row) for row in mdp.mask]
        every = []
        for actions in product(*choices):
            pi = ops.array((np.array(actions)[:, None] == np.arange(mdp.A)).astype(int), 2)
            every.append(ops.fractions(ops.evaluate(m, pi)).tolist())
        assert V.tolist() == [max(column) for column in zip(*every, strict=True)]
        assert V.tolist() in every


def test_enclosures_and_balls_hold_the_rational_optimum():
    """At discounts up to 1 - 2**-29, with ties; the balls' radii shrink with the precision."""
    b = batch(5)
    low, high = (lambda ops: ops.bounds(ops.optimal_value(ops.model(b))))(EnclosureOps(b.B))
    assert np.isfinite(high).all()
    near = 1 - b.gamma >= 2.0**-12
    assert (high - low)[near].max() <= 1e-8
    exact = RationalOps()
    for i, mdp in enumerate(b):
        V = exact.fractions(exact.optimal_value(exact.model(mdp))).tolist()
        for v, lo, hi in zip(V, low[i].tolist(), high[i].tolist(), strict=True):
            assert Fraction(lo) <= v <= Fraction(hi)
        one = EnclosureOps()
        lows, highs = one.bounds(one.optimal_value(one.model(mdp)))
        assert all(
            Fraction(lo) <= v <= Fraction(hi) for v, lo, hi in zip(V, lows.tolist(), highs.tolist(), strict=True)
        )
        for precision in (128, 384):
            with BallOps(precision) as ops:
                W = ops.optimal_value(ops.model(mdp))
                assert all(w.contains(ops._number(v)) for v, w in zip(V, W.data, strict=True))
                assert ops.radius(W) <= 2.0 ** (60 - precision)  # |V| and 1/(1 - gamma) up to 2**30


@pytest.mark.parametrize("tau", [1e-6, 0.3, 1e8])
def test_regularised_optimum_solves_its_equation(tau):
    """The residual at a ball's midpoints vanishes to the precision, and the float enclosure holds the ball."""
    b = batch(6, B=6, gamma=1 - 2.0**-10)
    reference = b.mask / b.mask.sum(axis=-1, keepdims=True)
    for i, mdp in enumerate(b):
        for reg in (Shannon(tau), KL(tau, reference[i]), ShannonKL(tau, 1.0, reference[i])):
            one = EnclosureOps()
            low, high = one.bounds(one.optimal_value(one.model(mdp), reg))
            with BallOps(256) as ops:
                m = ops.model(mdp)
                V = ops.optimal_value(m, reg)
                assert ops.radius(V) <= 1e-60 * max(tau, 1)
                mid = Value(ops, ops._map(lambda v: v.mid(), V.data), 1)
                assert ops.bounds(ops.norm(residual(ops, m, mid, reg)))[1] <= 1e-60 * max(tau, 1)
                lo, hi = ops.bounds(V)
            assert np.all((low <= lo) & (hi <= high))
            assert np.all(high - low <= 1e-7 * max(tau, 1))  # residuals of size 1000 u S, divided by 2**-10


def test_no_discounting_at_all():
    b = batch(7, gamma=0.0)
    best = np.where(b.mask, b.rewards, -np.inf).max(axis=-1)
    ops = NumpyOps(b.B)
    np.testing.assert_array_equal(ops.optimal_value(ops.model(b)).data, best)
    sound = EnclosureOps(b.B)
    low, high = sound.bounds(sound.optimal_value(sound.model(b)))
    assert np.all((low <= best) & (best <= high)) and np.all(high - low < 1e-12)


@pytest.mark.parametrize("arithmetic", [NumpyOps, EnclosureOps, BallOps, RationalOps], ids=lambda c: c.__name__)
def test_total_reward_is_refused(arithmetic):
    ops = arithmetic()
    mdp = MDP(np.full((1, 1, 1), 0.5), np.ones((1, 1)), 1, end=np.full((1, 1), 0.5))
    with pytest.raises(ImproperModel, match="gamma = 1"):
        ops.optimal_value(ops.model(mdp))


def test_regularised_values_that_are_roots_are_no_rationals() -> None:
    """Tsallis' index 2 is rational in every step, and its fixed point is not: it ends, and says so."""
    P = np.array(
        [
            [[Fraction(1, 2)] * 2, [Fraction(1), Fraction(0)]],
            [[Fraction(0), Fraction(1)], [Fraction(1, 3), Fraction(2, 3)]],
        ]
    )
    mdp = MDP(P, [[1, 0], [2, 1]], Fraction(3, 4))
    ops = RationalOps()
    with pytest.raises(NoExactForm, match="not rational, as far as Newton's method tells"):
        ops.optimal_value(ops.model(mdp), Tsallis(1, 2))
