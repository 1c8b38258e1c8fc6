"""The e-process: exact on small cases, a lower bound on its exact logarithm, and rarely large under its null."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from proofs_check.statistics import eprocess
from proofs_check.statistics.eprocess import HOLDS, REFUTES


def exactly(y: list[Fraction], m: Fraction, bets: eprocess.Bets) -> float:
    """log of the wealth with the floats' own weights, in rationals until the last logarithm."""
    total = Fraction(0)
    for c, w in zip(bets.fractions.tolist(), np.exp(bets.log_weights).tolist(), strict=True):
        wealth = Fraction(w)
        for each in y:
            wealth *= 1 - Fraction(c) + Fraction(c) * each / m
        total += wealth
    return math.log(total.numerator) - math.log(total.denominator)


@pytest.mark.parametrize("n", [1, 7, 60])
def test_wealth_is_that_of_rationals_rounded_downwards(n: int) -> None:
    rng = np.random.default_rng(n)
    y = rng.integers(0, 1025, n) / 1024
    m, bets = 0.375, eprocess.timid()
    got = float(eprocess.log_wealth(y, m, bets))
    want = exactly([Fraction(v) for v in y.tolist()], Fraction(m), bets)
    assert want - 1e-10 < got <= want + 1e-15


def test_counts_stand_for_repetitions() -> None:
    y, counts = np.array([0.0, 0.5, 1.0]), np.array([3, 5, 2])
    one = eprocess.log_wealth(y, 0.5, eprocess.timid(), counts)
    assert one == pytest.approx(float(eprocess.log_wealth(np.repeat(y, counts), 0.5, eprocess.timid())), abs=1e-12)


@pytest.mark.parametrize("bets", [eprocess.timid(), eprocess.bold()])
def test_nobody_bets_more_than_the_fortune(bets: eprocess.Bets) -> None:
    assert sum(map(Fraction, np.exp(bets.log_weights).tolist())) <= 1
    assert bets.fractions.max() <= 1


def test_rates_are_bets_on_zeros_and_ones() -> None:
    """``log_rate_below`` is ``log_wealth`` of the successes."""
    successes = np.array([1.0] * 17 + [0.0] * 3)
    direct = eprocess.log_wealth(successes, 1 - 0.25, eprocess.bold())
    assert float(eprocess.log_rate_below(3, 20, 0.25)) == pytest.approx(float(direct), abs=1e-9)


@pytest.mark.parametrize(("hits", "n", "m"), [(5, 5, 0.05), (0, 400, 0.01), (30, 200, 0.1)])
def test_a_rate_that_varies_no_further_gives_nearly_the_same(hits: int, n: int, m: float) -> None:
    failed = np.arange(n) < hits
    each = eprocess.log_each_above(failed, np.full(n, m))
    assert each == pytest.approx(float(eprocess.log_rate_above(hits, n, m)), abs=0.3)
    assert eprocess.log_each_below(failed, np.full(n, m)) <= float(eprocess.log_rate_below(hits, n, m)) + 0.7


def _expectation(log_e: Any, n: int, p: float) -> float:
    """E[e] over the binomial, exactly but for the rounding of a sum."""
    k = np.arange(n + 1)
    log_p = np.array([math.lgamma(n + 1) - math.lgamma(i + 1) - math.lgamma(n - i + 1) for i in k])
    log_p = log_p + k * math.log(p) + (n - k) * math.log1p(-p)
    return float(np.exp(log_p + log_e(k, n)).sum())


@pytest.mark.parametrize("delta", [0.01, 0.05, 0.3])
@pytest.mark.parametrize("n", [1, 20, 300])
def test_expectations_under_the_null_are_at_most_one(delta: float, n: int) -> None:
    assert _expectation(lambda k, n: eprocess.log_rate_above(k, n, delta), n, delta) <= 1 + 1e-9
    assert _expectation(lambda k, n: eprocess.log_rate_below(k, n, delta), n, delta) <= 1 + 1e-9
    # and smaller still inside of the null; far outside it grows
    assert _expectation(lambda k, n: eprocess.log_rate_above(k, n, delta), n, delta / 2) < 1
    assert _expectation(lambda k, n: eprocess.log_rate_above(k, n, delta), n, min(4 * delta, 0.9)) > 1


def test_turns_of_two_rates_are_judged_by_their_average() -> None:
    """E[e] of 20 trials at 0.02 and 20 at 0.18 against the average 0.1, in both directions."""
    n = 20
    k = np.arange(n + 1)
    choose = np.array([math.comb(n, i) for i in k], dtype=float)
    p, q = (choose * r**k * (1 - r) ** (n - k) for r in (0.02, 0.18))
    hits = k[:, None] + k[None, :]
    for log_e in (eprocess.log_rate_below, lambda h, n, m: _fixed(h, n, m)):
        assert float((p[:, None] * q[None, :] * np.exp(log_e(hits, 2 * n, 0.1))).sum()) <= 1 + 1e-9


def _fixed(hits: Any, n: int, m: float) -> np.ndarray:
    return eprocess.log_rate_above(hits, n, m)


def test_what_never_fails_holds_and_what_always_fails_is_refuted() -> None:
    assert eprocess.log_rate_below(0, 450, 0.01) >= HOLDS
    assert eprocess.log_rate_above(8, 8, 0.05) >= REFUTES
    assert eprocess.log_rate_above(0, 10**6, 0.05) < -9
    assert eprocess.log_rate_below(10, 10, 0.05) < 0
