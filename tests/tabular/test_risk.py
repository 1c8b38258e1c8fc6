"""Risk measures: their duals, their axioms, exact oracles, and that every arithmetic agrees with the others."""

from __future__ import annotations

from contextlib import nullcontext
from fractions import Fraction

import numpy as np
import pytest

from tabular.instances import random_masks_endings
from tabular.reference import BallOps, EnclosureOps, NumpyOps, RationalOps
from tabular.risk import CVaR, Entropic, Kernels, KLBall, L1Ball, Neutral, Risk, WorstCase, kl_multiplier

MEASURES = [
    Neutral(),
    WorstCase(),
    Entropic(2.0),
    Entropic(1e-12),
    Entropic(1e12),
    CVaR(0.25),
    CVaR(0.75),
    L1Ball(0.5),
    L1Ball(2.0),
    KLBall(0.25),
    KLBall(1e-10),
    KLBall(40.0),
]
IDS = [str(m) for m in MEASURES]


def rows(seed: int, n: int = 6, k: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Distributions with dyadic entries and some zeros, and values with ties."""
    rng = np.random.default_rng(seed)
    w = rng.integers(0, 9, size=(n, k))
    w[:, 0] += 64 - w.sum(axis=1)
    w[0] = [64, 0, 0, 0, 0]
    return w / 64, rng.integers(-8, 9, size=(n, k)) / 4


def evaluated(ops, risk, p, x):
    with ops if isinstance(ops, BallOps) else nullcontext():
        return risk.sigma(ops, ops.array(p, 2), ops.array(x, 2))


@pytest.mark.parametrize("risk", MEASURES, ids=IDS)
def test_dual_form_at_the_worst_kernel(risk: Risk) -> None:
    ops = NumpyOps()
    p, x = (ops.array(v, 2) for v in rows(1))
    q = risk.worst(ops, p, x)
    np.testing.assert_allclose(q.data.sum(axis=1), 1.0, rtol=1e-14)
    assert (q.data >= -1e-16).all() and (q.data[p.data == 0] == 0).all()
    dual = -ops.dot(q, x) - risk.penalty(ops, q, p)
    np.testing.assert_allclose(dual.data, risk.sigma(ops, p, x).data, rtol=1e-9, atol=1e-12)


def test_worst_kernels_are_allowed() -> None:
    ops = NumpyOps()
    p, x = (ops.array(v, 2) for v in rows(2))
    assert (CVaR(0.25).worst(ops, p, x).data <= 4 * p.data + 1e-15).all()
    assert (np.abs(L1Ball(0.5).worst(ops, p, x).data - p.data).sum(axis=1) <= 0.5 + 1e-15).all()
    for radius in (1e-10, 0.25, 40.0):
        q = KLBall(radius).worst(ops, p, x)
        assert (ops.relative_entropy(q, p, where=p.data > 0).data <= radius * (1 + 1e-9)).all()


@pytest.mark.parametrize("risk", MEASURES, ids=IDS)
def test_axioms(risk: Risk) -> None:
    """Monotone, moved by constants, convex, and between the mean and the worst case."""
    ops = EnclosureOps()
    p, x = rows(3)
    y = rows(4)[1]
    up, low = evaluated(ops, risk, p, x + np.abs(y)), evaluated(ops, risk, p, x)
    assert (ops.bounds(up - low)[0] <= 0).all()
    shifted = ops.bounds(evaluated(ops, risk, p, x + 3.0) - low + 3)
    assert (shifted[0] <= 0).all() and (shifted[1] >= 0).all() and np.abs(shifted).max() < 1e-5
    mixed = evaluated(ops, risk, p, 0.25 * x + 0.75 * y) - (
        ops.constant(0.25) * low + ops.constant(0.75) * evaluated(ops, risk, p, y)
    )
    assert (ops.bounds(mixed)[0] <= 0).all()
    neutral, worst = (evaluated(ops, m, p, x) for m in (Neutral(), WorstCase()))
    assert (ops.bounds(neutral - low)[0] <= 0).all() and (ops.bounds(low - worst)[0] <= 0).all()


@pytest.mark.parametrize("risk", MEASURES, ids=IDS)
def test_arithmetics_agree(risk: Risk) -> None:
    p, x = rows(5)
    ball, box = BallOps(160), EnclosureOps()
    exact = evaluated(ball, risk, p, x)
    lo, hi = ball.bounds(exact)
    value = evaluated(box, risk, p, x)
    low, high = box.bounds(value)
    assert (low <= hi).all() and (lo <= high).all()
    assert (high - low).max() < (1e-4 if isinstance(risk, KLBall) else 1e-12)
    floats = evaluated(NumpyOps(), risk, p, x).data
    np.testing.assert_allclose(floats, 0.5 * (lo + hi), rtol=1e-10, atol=1e-10)
    if not isinstance(risk, (Entropic, KLBall)):
        found = RationalOps()
        values = found.bounds(evaluated(found, risk, p, x))
        assert (values[0] <= hi).all() and (lo <= values[1]).all()


def test_uncertain_values_are_enclosed() -> None:
    """Orders and multipliers are chosen at midpoints: radii enter by the Lipschitz constant."""
    ops = EnclosureOps()
    p, x = rows(6)
    wide = ops.inflate(ops.array(x, 2), ops.constant(0.125))
    rng = np.random.default_rng(0)
    for risk in MEASURES:
        low, high = ops.bounds(risk.sigma(ops, ops.array(p, 2), wide))
        for _ in range(8):
            inside = evaluated(NumpyOps(), risk, p, x + rng.choice([-0.125, 0.125], size=x.shape)).data
            assert (low <= inside + 1e-12).all() and (inside <= high + 1e-12).all()


def cvar(p: list[Fraction], x: list[Fraction], level: Fraction) -> Fraction:
    """Rockafellar and Uryasev: the least over c of c + E(-x - c)_+ / level, attained at an atom."""
    return min(-c + sum(w * max(c - y, Fraction(0)) for w, y in zip(p, x, strict=True)) / level for c in x)


def test_cvar_and_l1_exactly() -> None:
    ops = RationalOps()
    p, x = rows(7, n=40)
    level, moved = Fraction(3, 10), Fraction(1, 7)
    found = ops.fractions(CVaR(level).sigma(ops, ops.array(p, 2), ops.array(x, 2)))
    ball = ops.fractions(L1Ball(2 * moved).sigma(ops, ops.array(p, 2), ops.array(x, 2)))
    for i in range(len(p)):
        w, y = [Fraction(v) for v in p[i]], [Fraction(v) for v in x[i]]
        assert found[i] == cvar(w, y, level)
        worst = max(-v for u, v in zip(w, y, strict=True) if u > 0)
        assert ball[i] == moved * worst + (1 - moved) * cvar(w, y, 1 - moved)


def test_extremes_of_the_entropic_measure() -> None:
    ops = NumpyOps()
    p, x = ops.array([[0.5, 0.25, 0.25]], 2), ops.array([[1.0, 3.0, 1e3]], 2)
    assert Entropic(1e308).sigma(ops, p, x).data == -1.0
    assert Entropic(1e-300).sigma(ops, p, x).data == pytest.approx(-ops.dot(p, x).data, rel=1e-15)
    assert Entropic(10.0).sigma(ops, p, x).data == pytest.approx(-1.0 + np.log(0.5 + 0.25 * np.exp(-20.0)) / 10)


def test_a_kl_ball_reaches_the_worst_case_and_no_further() -> None:
    ops = EnclosureOps()
    p, x = [[0.5, 0.25, 0.25]], [[2.0, -1.0, -1.0]]
    for radius, expected in ((np.log(2.0) * 1.001, 1.0), (0.0, None)):
        low, high = ops.bounds(evaluated(ops, KLBall(radius or 1e-3), p, x))
        assert low <= (expected or high) <= high
    w, reached = kl_multiplier(np.array([[1.0, 0.0], [0.5, 0.5]]), np.array([[1.0, 2.0], [0.0, 1.0]]), np.array(0.5))
    assert w[0] == 1.0 and reached.tolist() == [False, True]


@pytest.mark.parametrize("radius", [1e-300, 1e-20, 1e-16, 1e-10, 1e-6])
def test_small_kl_balls(radius: float) -> None:
    """sigma = -E x + sqrt(2 radius Var x) + O(radius span), to all digits, though a divergence this small is rounding."""
    p, x = np.array([[0.5, 0.25, 0.25]]), np.array([[0.0, 1.0, 3.0]])
    for size in (1.0, 1e150):
        ops = EnclosureOps()
        low, high = ops.bounds(evaluated(ops, KLBall(radius), p, size * x)) / np.float64(size)
        assert (high - low).item() < 1e-13
        expected = -1.0 + np.sqrt(2 * radius * 1.5)
        assert low.item() - 2 * radius - 1e-15 <= expected <= high.item() + 2 * radius + 1e-15


def test_kernels_take_the_worse_of_two_in_each_pair() -> None:
    mdp = random_masks_endings(3, 2).member(0, 1)
    ops = RationalOps()
    m = ops.model(mdp)
    p = ops.successors(m)
    other = np.zeros((3, 2, 4), dtype=int)
    other[..., 0] = 1
    both = Kernels(np.stack([ops.fractions(p), other.astype(object)]))
    x = ops.array(np.broadcast_to([2, -1, 5, 0], (3, 2, 4)), 3)
    found = ops.fractions(both.sigma(ops, p, x))
    assert (found == np.maximum(ops.fractions(-ops.dot(p, x)), Fraction(-2))).all()
    q = both.worst(ops, p, x)
    assert (ops.fractions(-ops.dot(q, x)) == found).all()


def test_successors_are_distributions_in_every_arithmetic() -> None:
    mdp = random_masks_endings(4, 3).member(0, 3)
    exact = RationalOps()
    p = exact.successors(exact.model(mdp))
    assert (exact.fractions(exact.sum(p)) == 1).all()
    assert (exact.fractions(p)[~mdp.mask][:, -1] == 1).all()
    near = exact.midpoint(p)
    for source in (mdp, mdp.to_sparse()):
        ops = EnclosureOps()
        low, high = ops.bounds(ops.successors(ops.model(source)))
        assert (low <= near).all() and (near <= high).all() and (high - low).max() < 1e-14
        assert ((high == 0) == (near == 0)).all()


def test_order_and_take() -> None:
    ops = EnclosureOps(2)
    x = ops.array([[3.0, 1.0, 2.0, 1.0], [0.0, 5.0, -1.0, 2.0]], 1)
    order = ops.order(x, where=np.array([[True, True, True, True], [True, True, False, True]]))
    np.testing.assert_array_equal(order, [[1, 3, 2, 0], [0, 3, 1, 2]])
    np.testing.assert_array_equal(ops.midpoint(ops.take(x, order)), [[1, 1, 2, 3], [0, 2, 5, -1]])
    exact = RationalOps()
    y = exact.array(np.array([Fraction(1, 3), Fraction(1, 3) - Fraction(1, 10**30), 1], dtype=object), 1)
    np.testing.assert_array_equal(exact.order(y), [1, 0, 2])  # floats would see a tie


def test_hull_holds_both_ends() -> None:
    for ops in (EnclosureOps(), BallOps(64)):
        low, high = ops.bounds(ops.hull(ops.array([1.0, -2.0], 1), ops.array([0.5, 4.0], 1)))
        assert (low <= [0.5, -2.0]).all() and (high >= [1.0, 4.0]).all()
    exact = RationalOps()
    one = exact.constant(1)
    assert exact.sign(exact.hull(one, one) - 1) == 0
    with pytest.raises(ValueError, match="no room"):
        exact.hull(one, one * 2)
