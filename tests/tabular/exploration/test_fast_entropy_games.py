"""Fictitious play beside its formulas, its bounds and the oracles."""

from __future__ import annotations

import numpy as np
import pytest

from tabular import FiniteHorizonMDP
from tabular.exploration import episodic
from tabular.exploration.fast_entropy import maximum_pooled_entropy, maximum_visitation_entropy
from tabular.exploration.fast_entropy_games import entropy_game, game_bound
from tabular.exploration.visits import pooled_entropy, visitation_entropy
from tabular.instances import garnet, random_masks
from tabular.reference import NumpyOps, visitation


def horizon(family, index: int = 0, H: int = 3) -> FiniteHorizonMDP:
    mdp = family.member(5, index)
    return episodic(mdp, H, rho=np.eye(mdp.S)[0])


def test_soft_rounds_are_those_of_the_formulas() -> None:
    fh, T = horizon(garnet(4, 3), 1), 12
    ops = NumpyOps()
    stages = [ops.model(fh.stage(0))] * fh.H
    rounds = visitation.entropy_game(ops, stages, ops.array(fh.rho, 1), T, visitation.REGULARISED)
    found = entropy_game(fh, T, regularised=True, record=range(1, T + 1))
    np.testing.assert_allclose(found.visits, [x.data for x in rounds[-1].visits], rtol=1e-11, atol=1e-13)
    values = [float(visitation.soft_response(ops, stages, r.forecast).V[0].data @ fh.rho) for r in rounds]
    np.testing.assert_allclose(found.history["upper"], np.minimum.accumulate(values), rtol=1e-12)
    lower = [visitation_entropy(np.stack([x.data for x in r.visits])) for r in rounds]
    np.testing.assert_allclose(found.history["lower"], lower, rtol=1e-12)


@pytest.mark.parametrize("pooled", [False, True])
def test_every_round_is_a_best_response_to_what_was_visited(pooled: bool) -> None:
    """Whatever action ties are played for: the first rounds are full of them."""
    fh = horizon(garnet(4, 3), 2)
    ops = NumpyOps()
    stages, n = [ops.model(fh.stage(0))] * fh.H, fh.S * fh.A
    sums, uppers = np.zeros((fh.H, fh.S, fh.A)), []
    for t in range(8):
        found = entropy_game(fh, t + 1, pooled=pooled)
        counts = np.broadcast_to(sums.mean(axis=0), sums.shape) if pooled else sums
        forecast = (counts + 1) / (t + n)
        d = (t + 1) * found.visits - sums
        best = visitation.best_response(ops, stages, [ops.array(q, 2) for q in forecast])
        uppers.append(float(best.V[0].data @ fh.rho))
        assert -(d * np.log(forecast)).sum() == pytest.approx(uppers[-1], rel=1e-12)
        assert found.history["upper"][-1] == pytest.approx(min(uppers) / (fh.H if pooled else 1), rel=1e-12)
        entropy = pooled_entropy if pooled else visitation_entropy
        assert found.history["lower"][-1] == pytest.approx(entropy(found.visits), rel=1e-12)
        sums = sums + d


@pytest.mark.parametrize("options", [{}, {"regularised": True}, {"pooled": True}], ids=["plain", "soft", "pooled"])
@pytest.mark.parametrize("family", [garnet(4, 2), random_masks(4, 3)], ids=["garnet", "masks"])
def test_gaps_are_within_the_bound_and_hold_the_optimum(family, options) -> None:
    fh = horizon(family, 3, 4)
    solve = maximum_pooled_entropy if "pooled" in options else maximum_visitation_entropy
    best = solve(fh, tol=1e-4)
    found = entropy_game(fh, 512, **options)
    gaps = found.history["gap"]
    bounds = [game_bound(fh, int(t), **options) for t in found.history["t"]]
    assert (gaps >= -1e-12).all() and (gaps <= np.array(bounds) + 1e-12).all()
    assert found.lower <= best.upper and best.lower <= found.upper
    assert found.gap <= gaps[-1] + 1e-9  # the certificate may use less than the forecasts, never more


def test_arguments() -> None:
    fh = horizon(garnet(3, 2))
    for options, error, match in (
        ({"T": 0}, ValueError, "T is 0"),
        ({"T": 5, "prior": 0}, ValueError, "prior is 0"),
        ({"T": 5, "pooled": True, "regularised": True}, ValueError, "no pooled form"),
        ({"T": 5, "pooled": 1}, TypeError, "pooled is 1"),
        ({"T": 5, "record": [3, 2]}, ValueError, "record is"),
    ):
        with pytest.raises(error, match=match):
            entropy_game(fh, **options)
    assert entropy_game(fh, 5, record=[2]).history["t"].tolist() == [2, 5]
    with pytest.raises(TypeError, match="game_bound takes a FiniteHorizonMDP"):
        game_bound(fh.stage(0), 5)
