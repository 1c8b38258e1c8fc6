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


@pytest.mark.parametrize("y", [1.5, -0.25, float("nan")])
def test_outcomes_without_a_bound_are_refused(y: float) -> None:
    """A bet on them is not fair: fifty outcomes of 3/2 would refute any mean."""
    with pytest.raises(ValueError, match=r"outcomes in \[0, 1\]"):
        eprocess.log_wealth([0.5, y], 0.5, eprocess.timid())
    with pytest.raises(ValueError, match="hits <= n"):
        eprocess.log_rate_above(3, 2, 0.5)


def test_nobody_who_sees_the_past_gains_by_choosing_when_to_fail() -> None:
    """2,000 adversaries keep the average rate at 1/10, saving and spending as the past suggests; looked at 100 times."""
    rng, m = np.random.default_rng(3), 0.1
    for against in (True, False):
        hits, spent, ever = np.zeros(2000), np.zeros(2000), np.zeros(2000, dtype=bool)
        for n in range(1, 1001):
            room = np.clip(m * n - spent, 0, 1)  # may fail at most, or must fail at least
            lucky = hits > m * n
            p = (
                np.where(lucky, room, np.minimum(room, m / 2))
                if against
                else np.where(lucky, np.maximum(room, 2 * m), room)
            )
            hits, spent = hits + (rng.random(2000) < p), spent + p
            if n % 10 == 0:
                log_e = eprocess.log_rate_above if against else eprocess.log_rate_below
                ever |= log_e(hits, n, m) >= HOLDS
        assert 0 < ever.sum() <= 2000 / 20


def test_deltas_that_differ_are_each_kept() -> None:
    """400 runs of 600 trials whose delta is drawn, failing as often as they may; and, for the average, never or twice as often."""
    rng = np.random.default_rng(4)
    ever = np.zeros((3, 400), dtype=bool)
    for i in range(400):
        delta = np.repeat(2.0 ** -rng.integers(1, 7, 300), 2)
        failed = rng.random(600) < delta
        turns = rng.random(600) < np.tile([0.0, 2.0], 300) * delta
        for k in range(50, 601, 50):
            ever[0, i] |= eprocess.log_each_above(failed[:k], delta[:k]) >= HOLDS
            ever[1, i] |= eprocess.log_each_below(failed[:k], delta[:k]) >= HOLDS
            ever[2, i] |= eprocess.log_each_below(turns[:k], delta[:k]) >= HOLDS
    assert (ever.sum(axis=1) <= 400 / 20).all()


def test_means_of_outcomes_whose_scale_follows_the_past() -> None:
    """Steps of 1/2 when ahead, of 1/50 when behind: the conditional mean is 1/2 all along."""
    rng = np.random.default_rng(6)
    y, ahead = np.empty((400, 600)), np.zeros(400)
    for n in range(600):
        step = np.where(ahead > 0, 0.5, 0.02) * rng.choice([-1, 1], 400)
        y[:, n], ahead = 0.5 + step, ahead + step
    ever = np.zeros(400, dtype=bool)
    for k in range(50, 601, 50):
        ever |= eprocess.log_wealth(y[:, :k], 0.5, eprocess.timid()) >= HOLDS
    assert ever.sum() <= 400 / 20
