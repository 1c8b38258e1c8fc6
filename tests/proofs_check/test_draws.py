"""Draws are exact in every arithmetic, cover what is degenerate, and keep their bits."""

from __future__ import annotations

import hashlib
from fractions import Fraction

import numpy as np
import pytest

from proofs_check import (
    deterministic_policies,
    distributions,
    families,
    policies,
    q_values,
    scalars,
    temperatures,
    values,
)
from proofs_check.draws import Draw, Integers, Payload, Place

FAMILY = families.random_masks(4, 3)


def place(seed: int = 1, n: int = 400, **earlier: Payload) -> Place:
    return Place(FAMILY(seed, n), lambda s: FAMILY(s, n), earlier)


def sample(draw: Draw, at: Place, seed: int = 0) -> Payload:
    return draw.sample(Integers(seed, 7), at)


def test_values_lie_on_their_grid_so_that_sums_are_exact() -> None:
    at = place()
    V = sample(values(), at)
    W = sample(values(like="V"), place(V=V), seed=1)
    assert V.unit is not None
    for v, w, unit in zip(V.data, W.data, V.unit, strict=True):
        for x, y in zip(v.tolist(), w.tolist(), strict=True):
            assert Fraction(x) / Fraction(float(unit)) == int(x / unit)
            assert Fraction(x) + Fraction(y) == Fraction(x + y)


def test_values_like_others_are_often_shifts_of_them() -> None:
    V = sample(values(), place())
    W = sample(values(like="V"), place(V=V), seed=1)
    shifted = np.ptp(W.data - V.data, axis=1) == 0
    assert 0.1 < shifted.mean() < 0.6


def test_half_of_the_values_may_be_corners_of_a_ball() -> None:
    V = sample(values(corners=True), place()).data
    corner = (np.abs(V) == np.abs(V[:, :1])).all(axis=1) & np.isin(np.abs(V[:, 0]), (0.5, 1.0))
    assert 0.4 < corner.mean() < 0.65
    assert len({tuple(np.sign(v)) for v in V[corner].tolist()}) == 2 ** V.shape[1]
    with pytest.raises(ValueError, match="neither like nor nonnegative"):
        values(corners=True, nonnegative=True)


def test_like_needs_a_draw_on_a_grid() -> None:
    with pytest.raises(ValueError, match="without a grid"):
        sample(values(like="tau"), place(tau=sample(temperatures(), place())))


def test_policies_are_distributions_over_available_actions() -> None:
    at = place()
    for draw in (policies(), policies(interior=True), deterministic_policies()):
        w = sample(draw, at).data
        assert (w[~at.mask] == 0).all()
        assert (w >= 0).all()
        assert (w.sum(axis=-1) > 0).all()
    assert (sample(policies(interior=True), at).data[at.mask] > 0).all()
    assert ((sample(deterministic_policies(), at).data > 0).sum(axis=-1) == 1).all()


def test_action_values_are_zero_where_unavailable() -> None:
    at = place()
    assert (sample(q_values(), at).data[~at.mask] == 0).all()


def test_distributions_have_mass_and_are_points_at_times() -> None:
    w = sample(distributions(), place()).data
    assert (w.sum(axis=-1) > 0).all()
    assert ((w > 0).sum(axis=-1) == 1).mean() > 0.1


def test_temperatures_span_their_orders() -> None:
    tau = sample(temperatures(), place(n=4000)).data
    assert tau.min() > 0
    assert np.log10(tau.max() / tau.min()) > 22


def test_scalars_reach_their_ends_and_no_further() -> None:
    c = sample(scalars(0.0, 1.0), place()).data
    assert c.min() == 0.0
    assert c.max() == 1.0
    with pytest.raises(ValueError, match="multiples"):
        scalars(0.1, 1.0)


def test_every_arithmetic_lifts_the_same_numbers() -> None:
    from tabular.reference import BallOps, EnclosureOps, RationalOps

    at = place(n=20)
    for draw in (values(), policies(), distributions(), temperatures(), scalars()):
        p = sample(draw, at)
        enclosures = EnclosureOps(batch=20)
        low, high = enclosures.bounds(p.lift(enclosures))
        for i in range(20):
            exact, ball = RationalOps(), BallOps(128)
            near = exact.bounds(p.take(i).lift(exact))
            assert (low[i] <= near[1]).all() and (near[0] <= high[i]).all()
            around = ball.bounds(p.take(i).lift(ball))
            assert (around[0] <= near[1]).all() and (near[0] <= around[1]).all()


def test_bits_are_the_same_for_ever() -> None:
    """Recorded verdicts belong to these instances: a change here changes every one of them."""
    at = place(n=64)
    h = hashlib.blake2b(digest_size=8)
    for draw in (values(), q_values(), policies(), distributions(), temperatures(), scalars()):
        h.update(sample(draw, at).data.astype("<f8").tobytes())
    assert h.hexdigest() == "65760789a7a490d9"
