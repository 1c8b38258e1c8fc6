"""A smaller calibration: wrong verdicts no oftener than promised, right ones often enough to be of use."""

from __future__ import annotations

import pytest

from proofs_check import calibration, calibration_rows
from proofs_check.calibration_rows import Row

RUNS = 1000


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    found = [
        *calibration_rows.trials(RUNS, (200, 2000), 1, (0.05,)),
        *calibration_rows.comparisons(RUNS, (200, 2000), 1),
    ]
    found += calibration_rows.sampled_scalings(RUNS, (200, 2000), 1)
    return [*found, *calibration_rows.sampled_orders(RUNS, (200, 2000), 1)]


def binomial_tail(k: int, n: int, p: float) -> float:
    from scipy.stats import binom

    return float(binom.sf(k - 1, n, p))


def test_no_true_statement_is_refuted(rows: list[Row]) -> None:
    wrong = sum(int(r.refuted) for r in rows if r.truth != "false")
    runs = sum(r.runs for r in rows if r.truth != "false")
    assert runs > 20_000
    assert binomial_tail(wrong, runs, 1e-6) > 1e-4  # one may be, by chance; three may not


def test_false_statements_hold_no_oftener_than_one_in_twenty(rows: list[Row]) -> None:
    for r in rows:
        if r.truth != "true":
            assert binomial_tail(int(r.held), r.runs, 1 / 20) > 1e-6, r


def test_there_is_power(rows: list[Row]) -> None:
    at = {(r.kind, r.statement, r.size): r for r in rows}
    assert at["Trial", "rate 2 delta, delta = 0.05", "2,000"].refuted > 0.95 * RUNS
    assert at["Trial", "rate 0 delta, delta = 0.05", "200"].held == RUNS
    assert at["Comparison", "small steps, mean +0.05", "2,000"].held > 0.95 * RUNS
    assert at["Comparison", "small steps, mean -0.05", "2,000"].refuted > 0.95 * RUNS
    assert at["Order, sampled", "ratio 0.5, constant 0.6", "2,000"].held > 0.5 * RUNS


def test_exact_verdicts_are_never_wrong() -> None:
    for r in calibration_rows.exact(200, 0):
        assert not any(r.errors.values()), r
        assert (r.refuted if r.truth == "false" and r.kind != "Witness" else r.held) == (
            0 if (r.kind, r.truth) == ("Witness", "false") else r.runs
        ), r


def test_lower_order_terms_that_fall_do_not_mislead() -> None:
    for r in calibration_rows.scalings(RUNS, 2):
        if "0.05, 0.3" not in r.statement:
            assert not any(r.errors.values()), r


def test_the_same_seed_gives_the_same_rows() -> None:
    def once() -> list[Row]:
        return [*calibration_rows.trials(50, (200,), 3, (0.1,)), *calibration_rows.scalings(50, 3)]

    assert once() == once()
    assert calibration.markdown(once()) == calibration.markdown(once())


def test_limits_are_clopper_and_pearsons() -> None:
    row = Row("", "", "", "true", 0, 0, 10_000)
    assert row.limit(0) == pytest.approx(1 - 0.05 ** (1 / 10_000))
    assert row.limit(10_000) == 1
