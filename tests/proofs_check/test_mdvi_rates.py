"""The rates of MDVI: second moments against their plain recursion; twins are refuted once."""

from __future__ import annotations

import numpy as np
import pytest

from proofs_check import runner
from proofs_check.claim import Claim
from proofs_check.claims.planning import mdvi_rates as rates
from proofs_check.runner import TEETH
from tabular.reference import BallOps, EnclosureOps


@pytest.mark.parametrize("entering", [0, 1])
@pytest.mark.parametrize("ops", [BallOps(256), EnclosureOps()], ids=["balls", "enclosures"])
def test_second_moments_are_those_of_the_recursion(ops: object, entering: int) -> None:
    c, H, M, alpha, doublings = 0.375, 8.0, 4.0, 7 / 8, 5
    gamma, p = 1 - 1 / H, 1 - c / H
    F = np.array([[alpha, entering * gamma * p, entering], [0, gamma * p, 1], [0, 0, 1]])
    G = np.array([[0, 1, 0], [0, 1, 0], [0, 0, 0]]) * gamma * (p * (1 - p) / M) ** 0.5
    X = np.outer([0, 0, 1], [0, 0, 1]).astype(float)
    for _ in range(2**doublings):
        X = F @ X @ F.T + G @ X @ G.T
    with ops if isinstance(ops, BallOps) else np.errstate():
        found, V = rates.moments(ops, ops.constant(c), H, M, alpha, doublings, entering)  # type: ignore[attr-defined]
        mid = np.asarray(ops.midpoint(found), dtype=float).ravel()  # type: ignore[attr-defined]
        np.testing.assert_allclose(mid, [X[pair] for pair in rates.PAIRS], rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(
            np.asarray(ops.midpoint(V), dtype=float),  # type: ignore[attr-defined]
            1 / (1 - gamma * p),
            rtol=1e-12,
        )


@pytest.mark.parametrize("twin", rates.averaging_gain.twins, ids=lambda t: t.id)
def test_a_hunt_confirms_one_refutation_and_no_more(twin: Claim) -> None:
    found = runner.tallied(twin, TEETH, 0, hunt=True)
    assert found.refuted == found.balls == 1 and runner.conclude(twin, found).verdict == "refuted"
    whole = runner.tallied(twin, TEETH, 0)
    assert whole.refuted > 1 and runner.conclude(twin, whole, shrunk=False).verdict == "refuted"
