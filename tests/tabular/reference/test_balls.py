"""``BallOps``: balls that overlap, hold zero or are undefined; rounding outwards; precision that is put back."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from flint import arb, ctx, fmpq

from tabular.reference import BallOps
from tabular.reference.flint_ops import objects
from tabular.reference.value import Value
from tabular.regularizers import KL, Shannon

NAN = arb("nan")


@pytest.fixture
def ops():
    with BallOps(200) as b:
        yield b


def values(ops, *items):
    return Value(ops, objects((len(items),), items), 1)


def ends(v):
    return float(v.lower()), float(v.upper())


def holds(ball, x):
    return not ball.is_finite() or ball.overlaps(arb(x))


def test_maxima_of_overlapping_balls(ops):
    top = ops.max(values(ops, arb(1, 0.5), arb(1.2, 0.1), arb(0))).data[()]
    for x in (1.1, 1.3, 1.5):
        assert holds(top, x)
    assert not holds(top, 0.9) and not holds(top, 1.6)
    assert not ops.max(values(ops, arb(1), NAN)).data[()].is_finite()
    assert ops.min(values(ops, arb(1), arb(2))).data[()] == 1
    assert ops.norm(values(ops, arb(-3), arb(2))).data[()] == 3


@pytest.mark.parametrize(
    "items, expected",
    [
        ((arb(1), arb(2), arb(2)), "010"),
        ((arb(2), arb(2), arb(2)), "100"),
        ((arb(1, 0.5), arb(2, 0.1), arb(0)), "010"),
        ((arb(1, 0.5), arb(1.2, 0.1), arb(0)), "??0"),
        ((arb(1), arb(1, 1e-40), arb(0)), "??0"),
        ((arb(0), NAN, arb(1)), "0??"),
        ((arb(math.nan), arb(1), arb(1)), "???"),
        ((arb("inf"), arb(1), arb("inf")), "?0?"),
    ],
)
def test_first_maximisers(ops, items, expected):
    """A tie is decided where it is exact; an entry that may be largest lies between 0 and 1."""
    got = ops.first_max(values(ops, *items)).data
    for p, e in zip(got, expected, strict=True):
        if e == "?":
            assert p.contains(arb(0)) and p.contains(arb(1)), expected
        else:
            assert p == int(e)


def test_functions_of_balls_around_zero(ops):
    small = arb(0, 1e-30)
    least, most = ends(ops.xlogx(values(ops, small)).data[0])
    assert least <= -1e-30 * 69 and -1e-27 < least and 0 <= most < 1e-27
    assert ops.xlogx(values(ops, arb(0))).data[0] == 0
    wide = ops.xlogx(values(ops, arb(0, 2))).data[0]
    for x in (1e-9, 0.1, math.exp(-1), 1.0, 1.9):
        assert holds(wide, x * math.log(x))
    assert not ops.xlogx(values(ops, arb(-1, 0.5))).data[0].is_finite()
    for v in (arb(0), arb(-1), small, NAN):
        assert not ops.log(values(ops, v)).data[0].is_finite()
        assert ops.log(values(ops, v), where=np.array([False])).data[0] == 0
    root = ops.sqrt(values(ops, small, arb(-1), arb(4))).data
    assert holds(root[0], 1e-15) and holds(root[0], 0) and not root[1].is_finite() and root[2] == 2


@pytest.mark.parametrize("mu", [None, [0.25, 0.75]])
@pytest.mark.parametrize("w", [1e-3, 1.0, 1e30])
def test_free_energies_of_wide_balls_are_finite_and_tight(ops, w, mu):
    """1-Lipschitz: balls of radius 5 at weight 1e-3 would overflow in exp((x - shift) / w) at the ends."""
    x = values(ops, arb(1, 5), arb(2, 3))
    weights = None if mu is None else ops.array(np.array(mu), 1)
    free = ops.free_energy(x, w, weights).data[()]
    assert free.is_finite() and free.rad() < 5.001
    for a in (-4.0, 1.0, 6.0):
        for b in (-1.0, 2.0, 5.0):
            exact = ops.free_energy(values(ops, arb(a), arb(b)), w, weights).data[()]
            assert free.contains(exact.mid())
            pi = ops.gibbs(x, w, weights).data
            for p, q in zip(pi, ops.gibbs(values(ops, arb(a), arb(b)), w, weights).data, strict=True):
                assert p.overlaps(q) and 0 <= float(p.mid()) <= 1


def test_weights_that_may_vanish(ops):
    x = values(ops, arb(1), arb(3), arb(3))
    free = ops.free_energy(x, Value(ops, objects((), [arb(0, 0.5)]), 0)).data[()]
    for w in (1e-9, 0.2, 0.5):
        assert free.overlaps(ops.free_energy(x, w).data[()])
    assert free.contains(3)
    pi = ops.gibbs(x, Value(ops, objects((), [arb(0, 0.5)]), 0)).data
    assert all(p.contains(0) and p.contains(1) for p in pi[1:])
    assert [str(p) for p in ops.gibbs(x, 0).data] == [str(arb(v)) for v in (0, 1, 0)]
    assert ops.free_energy(x, 0).data[()] == 3


def test_undefined_balls_stay_undefined(ops):
    x = values(ops, arb(1), NAN)
    low, high = ops.bounds(ops.free_energy(x, 1))
    assert (low, high) == (-math.inf, math.inf)
    low, high = ops.bounds(ops.gibbs(x, 1))
    assert np.all(low <= 0) and np.all(high >= 1)
    assert ops.sign(x).tolist() == [1, 2]


def test_precision_is_put_back():
    before = ctx.prec
    one, two = BallOps(100), BallOps(500)
    with one:
        assert ctx.prec == 100
        with two, one:
            assert ctx.prec == 100
        with pytest.raises(ZeroDivisionError), two:
            assert ctx.prec == 500
            raise ZeroDivisionError
        assert ctx.prec == 100
    assert ctx.prec == before


def test_bounds_are_rounded_outwards():
    """Against exact rationals: ordinary, beyond the floats' range on both sides, subnormal, and exact."""
    ops = BallOps(300)
    rng = np.random.default_rng(1)
    exponents = [
        *range(-1100, -1060, 3),
        *range(-1030, -1020),
        -300,
        -1,
        0,
        1,
        52,
        53,
        1000,
        1022,
        1023,
        1024,
        1025,
        5000,
        -5000,
    ]
    with ops:
        cases = []
        for e in exponents:
            for _ in range(8):
                mid = (Fraction(int(rng.integers(-(2**60), 2**60)), 2**60)) * Fraction(2) ** e
                rad = abs(mid) * Fraction(2) ** -int(rng.integers(1, 200)) * int(rng.integers(0, 2))
                cases.append((mid, rad))
        cases += [
            (Fraction(0), Fraction(0)),
            (Fraction(1), Fraction(0)),
            (Fraction(5, 4), Fraction(0)),
            (Fraction(2) ** -1074, Fraction(0)),
        ]
        ball = lambda m, r: arb(arb(fmpq(m.numerator, m.denominator)).mid(), arb(fmpq(r.numerator, r.denominator)))  # noqa: E731
        low, high = ops.bounds(values(ops, *(ball(m, r) for m, r in cases)))
    for (m, r), lo, hi in zip(cases, low.tolist(), high.tolist(), strict=True):
        assert lo == -math.inf or Fraction(lo) <= m - r
        assert hi == math.inf or Fraction(hi) >= m + r
        if r == 0 and abs(m) < Fraction(2) ** 1023:
            assert hi <= math.nextafter(lo, math.inf)
            if Fraction(float(m)) == m:
                assert lo == hi
    inf = ops.bounds(values(ops, NAN, arb("inf"), arb(0, arb("inf"))))
    assert np.all(inf[0] == -math.inf) and np.all(inf[1] == math.inf)


@pytest.mark.parametrize("w", [1e-6, 1.0, 1e24])
def test_precision_buys_accuracy(w):
    """Radii shrink with 2**-precision, at every weight: free energies, policies, relative entropies."""
    rng = np.random.default_rng(2)
    Q, mu = rng.normal(size=(2, 4)), rng.dirichlet(np.ones(4), 2)
    mask = np.ones((2, 4), dtype=bool)
    widths = {}
    for precision in (128, 256, 512):
        with BallOps(precision) as ops:
            q = ops.array(Q, 2)
            out = []
            for reg in (Shannon(w), KL(w, mu)):
                pi = reg.policy(ops, q, mask)
                out += [
                    reg.conjugate(ops, q, mask) / max(w, 1)
                    if isinstance(reg, Shannon)
                    else reg.conjugate(ops, q, mask),
                    pi,
                ]
            out.append(reg.value(ops, pi, mask))
            widths[precision] = [ops.radius(v) for v in out]
    for precision, found in widths.items():
        assert max(found) <= 2.0 ** (32 - precision), (precision, found)


def test_singular_systems_are_undefined(ops):
    A, b = Value(ops, objects((2, 2), [arb(1)] * 4), 2), values(ops, arb(1), arb(2))
    assert not any(v.is_finite() for v in ops.solve(A, b).data)
    with pytest.raises(TypeError, match="one model"):
        from tabular.reference.flint_ops import FlintOps

        FlintOps(4)
