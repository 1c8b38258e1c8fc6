"""Two thousand drawn models, ten thousand at length: the exact answer inside every certificate, and the certificates not loose.

Dense, sparse, masked and with endings; ``1 - gamma`` from 1 to ``2**-30``; temperatures over 24 orders of magnitude.
The exact answer is rational policy iteration where there is no regulariser, and a ball of the regularised value, open to less
than ``2**-200`` of it, elsewhere.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from tabular import KL, Hard, Shannon, ShannonKL, solve
from tabular.certificates import exact_policy_iteration
from tabular.instances import garnet, random_endings, random_masks, raw_integers
from tabular.mdp import MDP
from tabular.reference import BallOps
from tabular.solution import Status

# 4 families x 4 regularisers x 5 sizes: 2,000 models and 8,000 more
MODELS = (pytest.param(0, 25, id="first"), pytest.param(25, 125, id="rest", marks=pytest.mark.thorough))
FAMILIES = {"dense": garnet, "sparse": garnet, "masks": random_masks, "endings": random_endings}
SIZES = ((2, 2), (4, 3), (6, 3), (1, 4), (9, 2))
PRECISION = 400
RESOLUTION = Fraction(1, 2**200)  # what the balls leave open, relative to the value
ULPS = 100


def regularizer_of(kind: int, bits: np.random.PCG64, mdp: MDP) -> Any:
    """One of the four, with weights ``2**-40 ... 2**40`` times the rewards' scale and a random reference."""
    tau, lam = (2.0 ** (int(x) - 40) for x in raw_integers(bits, 2, 81))
    weights = (1 + raw_integers(bits, mdp.S * mdp.A, 1000)).reshape(mdp.S, mdp.A) * mdp.mask
    reference = weights / weights.sum(axis=1, keepdims=True)
    return (Hard(), Shannon(tau), KL(lam, reference), ShannonKL(tau, lam, reference))[kind]


def exactly(mdp: MDP, regularizer: Any, pi: np.ndarray) -> tuple[list[Any], list[Any], list[Any]]:
    """Lower and upper ends (Fractions) of ``V*``, and upper ends of ``V* - V^pi``."""
    ops = BallOps(PRECISION)
    with ops:
        m = ops.model(mdp)
        best = ops.optimal_value(m, regularizer)
        of_pi = ops.evaluate(m, ops.distribution(pi), regularizer)
        gap = [rational(x.lower()) for x in (best - of_pi).data]
        low, high = ([rational(getattr(x, end)()) for x in best.data] for end in ("lower", "upper"))
    if isinstance(regularizer, Hard):
        low = high = exact_policy_iteration(mdp).V
    return low, high, gap


def rational(x: Any) -> Fraction:
    """The value of an exact ball."""
    q = x.fmpq()
    return Fraction(int(q.p), int(q.q))


@pytest.mark.parametrize(("start", "stop"), MODELS)
@pytest.mark.parametrize("size", SIZES, ids=lambda s: f"S{s[0]}A{s[1]}")
@pytest.mark.parametrize("kind", (0, 1, 2, 3), ids=("hard", "shannon", "kl", "shannon_kl"))
@pytest.mark.parametrize("family", FAMILIES)
def test_exact_answer_is_inside_every_certificate(
    family: str, kind: int, size: tuple[int, int], start: int, stop: int
) -> None:
    S, A = size
    options = {"successors": min(3, S)} if family == "sparse" else {}
    ratios = []
    for i, mdp in enumerate(list(FAMILIES[family](S, A, **options)(2026, 125))[start:stop], start):
        mdp = mdp.to_sparse() if family == "sparse" else mdp
        regularizer = regularizer_of(kind, np.random.PCG64([kind, i]), mdp)
        sol = solve(mdp, regularizer)
        assert sol.status in (Status.CONVERGED, Status.ROUNDING_FLOOR)
        low, high, gap = exactly(mdp, regularizer, sol.pi)
        c = sol.certificates["V - V*"]
        lower, upper = np.broadcast_to(c.lower, S), np.broadcast_to(c.upper, S)
        for s, v in enumerate(sol.V.tolist()):
            where = f"{family}, {regularizer}, member {i}, state {s}, gamma = {mdp.gamma!r}"
            assert high[s] - low[s] <= RESOLUTION * max(1, abs(low[s])), where
            assert Fraction(lower[s]) <= Fraction(v) - low[s], where
            assert Fraction(v) - high[s] <= Fraction(upper[s]), where
        assert max(gap) <= Fraction(sol.policy_gap), (family, regularizer, i)
        true = max(max(Fraction(v) - h, x - Fraction(v), 0) for v, x, h in zip(sol.V.tolist(), low, high, strict=True))
        if true > ULPS * Fraction(np.spacing(np.abs(sol.V).max())):
            ratios.append(sol.error_bound / float(true))
    assert not ratios or np.median(ratios) <= 10, f"median bound / true error {np.median(ratios):.3g}"
