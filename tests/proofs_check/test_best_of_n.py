"""Best of n: the body against the paper's formulas, written out, and against the reference values of the table."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from proofs_check.claims.preferences import best_of_n
from tabular.reference import BallOps


def written_out(p: np.ndarray, n: int) -> tuple[float, float]:
    """KL(pi_n || p) and E D-hat, from the definitions."""
    F = np.cumsum(p)
    law = F**n - (F - p) ** n
    kl = sum(x * math.log(x / q) for x, q in zip(law, p, strict=True))
    D = [
        (1 - e) ** n * (math.log(n) + (n - 1) * math.log(1 - e) - (n - 1) / n)
        + (1 - (1 - e) ** n) * math.log((1 - (1 - e) ** n) / e)
        for e in p
    ]
    return kl, float(law @ np.array(D))


def in_balls(weights: list[int], n: int) -> dict[str, Any]:
    ops = BallOps(256)
    with ops:
        p, k = ops.distribution(np.array([weights]), 2), ops.constant(n)
        found = best_of_n.estimator.body(ops, None, p, k)
        kl, expected = best_of_n.divergence(ops, k, p[0]), best_of_n.estimate(ops, k, p[0])
        named = {"kl": kl, "expected": expected, "gap": found.bound - found.measured, "plain": expected - kl}
        named |= {"measured": found.measured, "bound": found.bound}
        named |= {"same": found.bound - found.measured - (expected - kl)}
        return {name: tuple(float(x) for x in ops.bounds(v)) for name, v in named.items()}


@pytest.mark.parametrize("n", [2, 3, 5, 10, 17, 31, 64])
@pytest.mark.parametrize("weights", [[1, 1], [3, 1, 2, 5, 7], [1, 1000], [1000, 1], [7, 1, 1, 1, 1, 1, 1, 40]], ids=str)
def test_sides_are_those_of_the_paper(weights: list[int], n: int) -> None:
    found = in_balls(weights, n)
    kl, expected = written_out(np.array(weights) / sum(weights), n)
    assert found["kl"][0] == pytest.approx(kl, rel=1e-9) and found["expected"][0] == pytest.approx(expected, rel=1e-9)
    # What both sides share was taken away, and nothing else.
    assert found["same"][0] <= 0 <= found["same"][1] and found["same"][1] - found["same"][0] < 1e-60
    assert found["measured"][1] >= 0 and found["bound"][1] >= 0


@pytest.mark.parametrize(
    ("outcomes", "n", "kl", "expected"), [(10, 10, 1.3611, 1.3789), (100, 10, None, None), (2, 2, 0.1308, None)]
)
def test_reference_values(outcomes: int, n: int, kl: float | None, expected: float | None) -> None:
    found = in_balls([1] * outcomes, n)
    assert kl is None or found["kl"][0] == pytest.approx(kl, abs=5e-5)
    assert expected is None or found["expected"][0] == pytest.approx(expected, abs=5e-5)
    assert found["gap"][0] > 0


@pytest.mark.parametrize(("weights", "n"), [([5], 7), ([1, 2, 3], 1)], ids=["one outcome", "one draw"])
def test_at_the_edges_both_sides_vanish(weights: list[int], n: int) -> None:
    found = in_balls(weights, n)
    assert all(abs(x) < 1e-60 for name in found for x in found[name])


def test_digits_are_exact() -> None:
    ops = BallOps(64)
    with ops:
        for n in range(1, best_of_n.MOST + 1):
            low, high = ops.bounds(best_of_n._digits(ops, ops.constant(n)))
            assert np.array_equal(low, high) and int("".join(str(int(x)) for x in low), 2) == n
