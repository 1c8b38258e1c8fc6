"""Confidence sequences: consistent with the e-values, cover at all times, and close on the mean."""

from __future__ import annotations

import numpy as np
import pytest

from proofs_check.statistics import confidence, eprocess
from proofs_check.statistics.eprocess import HOLDS, REFUTES


@pytest.mark.parametrize(("hits", "n"), [(0, 10), (3, 200), (40, 400), (400, 400)])
def test_limits_of_rates_are_where_the_e_value_crosses(hits: int, n: int) -> None:
    upper = float(confidence.upper_rate(hits, n))
    if upper < 1:
        assert eprocess.log_rate_below(hits, n, upper + 1e-9) >= HOLDS > eprocess.log_rate_below(hits, n, upper - 1e-9)
    least = float(confidence.least_delta(hits, n, REFUTES))
    if least > 0:
        assert (
            eprocess.log_rate_above(hits, n, least - 1e-9) >= REFUTES > eprocess.log_rate_above(hits, n, least + 1e-9)
        )
    assert least <= hits / n <= upper


def test_means_are_enclosed_and_closed_upon() -> None:
    rng = np.random.default_rng(5)
    y = rng.beta(2, 6, 20000)
    widths = []
    for n in (50, 1000, 20000):
        low, high = float(confidence.lower_mean(y[:n], 0.05)), float(confidence.upper_mean(y[:n], 0.05))
        assert low < 0.25 < high
        widths.append(high - low)
    assert widths[0] > 3 * widths[1] > 6 * widths[2]


def test_nothing_is_known_of_a_mean_without_outcomes() -> None:
    assert confidence.lower_mean(np.empty(0), 0.05) == 0
    assert confidence.upper_mean(np.empty(0), 0.05) >= 1


def test_coverage_at_all_looks_at_once() -> None:
    """2,000 sequences of 400 outcomes that take turns between two means, looked at 20 times: few ever lose the average."""
    rng = np.random.default_rng(11)
    atoms = np.array([0.0, 0.25, 1.0])
    counts, lost = np.zeros((2000, 3)), np.zeros(2000, dtype=bool)
    for _ in range(20):
        counts += rng.multinomial(10, [0.7, 0.2, 0.1], 2000) + rng.multinomial(10, [0.3, 0.4, 0.3], 2000)
        for y, mean in ((atoms, 0.275), (1 - atoms, 0.725)):
            lost |= eprocess.log_wealth(y, mean, eprocess.timid(), counts) >= HOLDS
    assert lost.sum() <= 2 * 2000 / 20
