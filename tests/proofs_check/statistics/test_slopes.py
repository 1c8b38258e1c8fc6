"""Slopes and orders: right on power laws, linear, and honest about drift."""

from __future__ import annotations

import numpy as np
import pytest

from proofs_check.statistics import orders
from proofs_check.statistics.slopes import checked_range, coefficients, halves, slope_signs, slope_status, slopes
from tabular.reference import BallOps, EnclosureOps

X = 2.0 ** np.arange(3, 11)


def test_a_power_law_has_one_slope() -> None:
    with BallOps(128) as ops:
        y = [ops.exp(ops.constant(-0.75) * ops.log(ops.constant(float(t)))) * 3 for t in X]
        for p in slopes(ops, X, y):
            low, high = ops.bounds(p)
            assert low <= -0.75 <= high and high - low < 1e-15


def test_floats_enclose_what_balls_find() -> None:
    ops = EnclosureOps(None)
    found = [ops.bounds(p) for p in slopes(ops, X, [ops.constant(1 + 1 / t) for t in X.tolist()])]
    with BallOps(256) as balls:
        y = [balls.constant(1 + 1 / t) for t in X.tolist()]
        for (low, high), p in zip(found, slopes(balls, X, y), strict=True):
            fine = balls.bounds(p)
            assert low <= fine[0] and fine[1] <= high and high - low < 1e-11


def test_coefficients_are_those_slopes() -> None:
    ops = EnclosureOps(None)
    y = 1 + 5 / X
    for p, c in zip(slopes(ops, X, [ops.constant(v) for v in y.tolist()]), coefficients(X), strict=True):
        low, high = ops.bounds(p)
        assert low - 1e-12 <= float(c @ np.log(y)) <= high + 1e-12


def test_twice_the_drift_reaches_the_exponent_that_it_is_said_to_reach() -> None:
    """log y = p log x + D x^-r: p lies between the last two slopes where the term falls by 9/4, and not where it falls less."""
    x = 2.0 ** np.arange(3, 12)
    for r, inside in ((0.15, True), (0.14, False)):  # 256^0.15 = 2.30, 256^0.14 = 2.17
        c = coefficients(x) @ (-0.5 * np.log(x) + 0.4 * x**-r)
        assert (min(c[2], c[4]) <= -0.5 <= max(c[2], c[4])) == inside


def test_statuses() -> None:
    signs = np.ones((4, 2, 5), dtype=int)
    signs[1, 0] = -1  # all above the interval
    signs[2, 0, 4] = -1  # only what lies two drifts ahead
    signs[3, 0, 1] = -1
    assert slope_status(signs).tolist() == [1, -1, 1, 0]
    signs[3, 1, 0] = 2
    assert slope_status(signs).tolist() == [1, -1, 1, 2]


def test_signs_have_their_order() -> None:
    ops = EnclosureOps(None)
    found = [ops.constant(float(v)) for v in (1, 2, 3, 4, 5)]
    got = slope_signs(ops, found, ops.constant(2), ops.constant(3))
    assert got.shape == (1, 2, 5)
    assert got[0].tolist() == [[1, 1, 0, -1, -1], [-1, 0, 1, 1, 1]]


@pytest.mark.parametrize("n", [4, 5, 8, 9])
def test_halves_are_congruent(n: int) -> None:
    first, second = halves(n)
    assert first.stop - first.start == second.stop - second.start >= 2
    assert (first.start, second.stop) == (0, n)


@pytest.mark.parametrize("bad", [[1, 2, 3], [1, 2, 2, 3], [0, 1, 2, 3], [[1, 2, 3, 4]], [1, 2, float("nan"), 4]])
def test_ranges_are_checked(bad: list[float]) -> None:
    with pytest.raises(ValueError, match="increasing"):
        checked_range(bad, "x")


def test_the_middle_of_a_range_is_in_its_logarithm() -> None:
    assert orders.middle(np.arange(1.0, 257.0)) == 16
    assert orders.middle(X) == 4
    assert 1 <= orders.middle(np.array([1.0, 1.001, 1.002, 100.0])) < 4


def test_the_rate_of_a_power_is_its_exponent() -> None:
    k = np.arange(1.0, 257.0)
    ratio = 3 * k**0.3
    early, late = ratio[: orders.middle(k)].max(), ratio[orders.middle(k) :].max()
    assert orders.rate(k, early, late) == pytest.approx(0.3)
