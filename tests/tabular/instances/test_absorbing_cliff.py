"""The cliff walk with terminals that pay for ever, smoothed models, Garnets with rewards of states."""

from __future__ import annotations

from fractions import Fraction as F

import numpy as np
import pytest

from tabular import MDP, ModelError, policy_iteration
from tabular.instances.absorbing_cliff import absorbing_cliff, garnet_of_states, smoothed
from tabular.instances.random_models import random_endings


def test_the_map():
    mdp = absorbing_cliff()
    e = mdp.exact()
    assert e.gamma == F(9, 10) and mdp.rho.argmax() == 0
    assert e.row(0, 1) == {0: F(2, 30), 1: F(27, 30), 6: F(1, 30)}  # right, along the top: up and left bump
    assert [int(mdp.rewards[s, 0]) for s in (0, 1, 4, 5, 13, 16, 17, 25, 28, 35)] == [
        -1, -32, -32, 20, -16, -16, -1, -8, -8, -1,
    ]  # fmt: skip
    assert e.row(13, 2) == {13: F(1)} and e.row(5, 0) == {5: F(1)}


def test_values_of_the_source():
    V = policy_iteration(absorbing_cliff()).V
    assert f"{np.abs(V).sum():.3f}" == "3996.483"
    assert V.min() == pytest.approx(-320, abs=1e-9) and V.max() == pytest.approx(200, abs=1e-9)


def test_smoothing_is_exact():
    mdp = absorbing_cliff()
    half = smoothed(mdp, 0.5).exact()
    assert half.row(0, 1) == {0: F(1, 30) + F(1, 6), 1: F(27, 60) + F(1, 6), 6: F(1, 60) + F(1, 6)}
    stay = smoothed(mdp, 0.25, "self").exact()
    assert stay.row(7, 1)[7] == F(1, 4) + F(3, 4) * mdp.exact().row(7, 1).get(7, F(0))
    same = smoothed(mdp, 0).exact()
    assert all(same.row(s, a) == mdp.exact().row(s, a) for s in range(36) for a in range(4))


def test_smoothing_keeps_endings_and_masks():
    mdp = MDP([[[0.5, 0.0], [0.0, 0.0]], [[0.25, 0.5], [1.0, 0.0]]], [[1.0, -np.inf], [0.0, 1.0]], 0.5,
              end=[[0.5, 0.0], [0.25, 0.0]])  # fmt: skip
    out = smoothed(mdp, 1)
    assert out.end.tolist() == mdp.end.tolist() and (out.mask == mdp.mask).all()
    assert out.exact().row(1, 0) == {0: F(3, 8), 1: F(3, 8)}
    drawn = random_endings(3, 2).member(0, 0)
    assert smoothed(drawn, 0.5, "self").end == pytest.approx(drawn.end)


def test_garnets_of_states():
    family = garnet_of_states()
    batch = family(0, 4)
    assert (batch.S, batch.A, set(batch.gamma.tolist())) == (36, 6, {0.9})
    assert ((batch.rewards > 0).all(axis=2) | (batch.rewards == 0).all(axis=2)).all()
    assert ((batch.rewards[:, :, 0] > 0).sum(axis=1) == 12).all()
    assert (batch.P > 0).sum(axis=-1).max() == 12
    assert family(0, 4)[2:] == family(0, 2, start=2)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: absorbing_cliff(success=1.5), "success is 1.5"),
        (lambda: smoothed(absorbing_cliff(), 2), "lam is 2"),
        (lambda: smoothed(absorbing_cliff(), 0.5, "nowhere"), "towards is 'nowhere'"),
        (lambda: garnet_of_states(4, 2, 2, 5), "rewarded is 5"),
        (lambda: garnet_of_states(4, 2, 5, 1), "successors is 5"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ModelError, match=message):
        call()
