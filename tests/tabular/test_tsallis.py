r"""Tsallis entropies: indexed logarithms, divergences and projections in every arithmetic, and the kernels within their bound.

Enclosures are judged by balls of 400 bits, these by rationals at ``q = 2`` and by their own radius; floats by the proved bounds of
``tabular._rounding``, which the kernels' twin in NumPy meets as well.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from flint import arb

from tabular import KL, MDP, Hard, MDPBatch, Shannon, Tsallis, TsallisKL, solve
from tabular._kernels import entropic, shortfall
from tabular._rounding import tsallis_error, tsallis_kl_error, tsallis_shortfall_error
from tabular.certificates import rational_certificate
from tabular.errors import ModelError, NoExactForm, TabularError
from tabular.reference import BallOps, EnclosureOps, KernelOps, NumpyOps, RationalOps, q_calculus
from tabular.regularizers import checked

INDICES = [1 / 16, 0.5, 0.875, 1 - 2.0**-10, 1 + 2.0**-10, 1.5, 2.0, 2.5, 3.0, 10.0, 16.0]
WEIGHTS = [1e-6, 1e-3, 1.0, 1e3, 1e6]
S, A = 16, 5
CARD = np.array([[1.0, 0.9, 0.5, 0.0, -1.0]])
ALL = np.ones((1, 5), dtype=bool)


def data(seed=0):
    """Action values (ordinary, tied, far apart, far from zero), a mask, and references with small and zero entries."""
    rng = np.random.default_rng(seed)
    Q = rng.normal(size=(S, A))
    Q[:4] = np.rint(Q[:4])
    Q[4:6] *= 1e6
    Q[6] += 1e6
    mask = rng.random((S, A)) < 0.8
    mask[:, 0] = True
    mu = rng.dirichlet(np.full(A, 0.5), S) * mask
    mu[:, 0] += 1e-3
    mu[7:9, 1] = 0.0
    return np.where(mask, Q, 0.0), mask, mu / mu.sum(axis=1, keepdims=True)


def in_balls(reg, Q, mask, bits=400):
    with BallOps(bits) as ops:
        q = ops.array(Q, 2)
        return ops, reg.conjugate(ops, q, mask), reg.policy(ops, q, mask)


# -- indexed logarithms -------------------------------------------------------------------------------------
@pytest.mark.parametrize("q", [*INDICES, 1.0])
def test_logarithms_in_every_arithmetic(q):
    x = np.concatenate([[0.0, 1.0], np.geomspace(1e-12, 1e12, 41)])
    numpy, sound = NumpyOps(), EnclosureOps()
    for name, y in (("q_log", x), ("q_exp", np.linspace(-3, 3, 41))):
        with BallOps(300) as ops:
            truth = getattr(ops, name)(ops.array(y, 1), q)
            known = np.array([v.is_finite() for v in truth.data])
            low, high = ops.bounds(truth)
        below, above = sound.bounds(getattr(sound, name)(sound.array(y, 1), q))
        assert known.sum() > 20 and np.all((below <= low) & (high <= above))
        condition = (1 + abs(q - 1)) * np.log(1e12) if name == "q_log" else 1e3  # of powers; next to a pole or a cut
        assert np.all((above - below)[known] <= 4e-15 * condition * np.maximum(1.0, np.abs(low[known])))
        got = numpy.midpoint(getattr(numpy, name)(numpy.array(y, 1), q))
        np.testing.assert_allclose(got[known], low[known], rtol=1e-13, atol=1e-15)


def test_conventions():
    """``L_2(x) = x - 1``, ``e_2(x) = [1 + x]_+``, ``D_2`` is chi squared, and one index of a pair is two less the other."""
    x = np.array([0.0, 0.25, 1.0, 3.0])
    np.testing.assert_array_equal(q_calculus.dual_log(x, 2), x - 1)
    np.testing.assert_array_equal(q_calculus.dual_exp(np.array([-2.0, -0.5, 0.0, 2.0]), 2), [0.0, 0.5, 1.0, 3.0])
    for q in (0.5, 1.5, 3.0):
        np.testing.assert_array_equal(q_calculus.dual_log(x, q), q_calculus.q_log(x, 2 - q))
        np.testing.assert_array_equal(q_calculus.dual_exp(x / 4, q), q_calculus.q_exp(x / 4, 2 - q))
    assert q_calculus.dual_log(0.0, 3) == -0.5 and q_calculus.dual_log(0.0, 1) == -math.inf
    ops = RationalOps()
    p, m = (ops.distribution(np.array([w])) for w in ([1, 2, 3], [3, 2, 1]))
    chi = sum(Fraction((a - b) ** 2, 6 * b) for a, b in zip([1, 2, 3], [3, 2, 1], strict=True))
    assert ops.fractions(ops.tsallis_divergence(p, m, 2))[0] == chi
    assert ops.fractions(ops.tsallis_entropy(p, 2))[0] == 1 - Fraction(1 + 4 + 9, 36)
    assert ops.fractions(ops.q_log(p, 3)).tolist()[0] == [-(1 / Fraction(v, 6) ** 2 - 1) / 2 for v in (1, 2, 3)]
    assert ops.fractions(ops.q_exp(p, Fraction(3, 2)))[0, 0] == (1 - Fraction(1, 12)) ** -2


@pytest.mark.parametrize(("name", "index"), [("q_log", 1), ("q_log", Fraction(1, 2)), ("q_exp", 1), ("q_exp", 3)])
def test_what_leaves_the_rationals(name, index):
    ops = RationalOps()
    x = ops.array(np.array([Fraction(1, 3)], dtype=object), 1)
    with pytest.raises(NoExactForm):
        getattr(ops, name)(x, index)
    with pytest.raises(NoExactForm):
        Tsallis(1, 3).conjugate(ops, ops.array(np.array([[0.0, 1.0]]), 2), np.ones((1, 2), bool))


def test_near_one_without_a_branch():
    """At ``q - 1 = 1e-6`` the logarithm is off by what it should be, not by 1e-5: about ``(q - 1) log(x)^2 / 2``."""
    x, c = 0.01, 1e-6
    exact = arb(x).log() * 0 + (((arb(c) * arb(x).log()).expm1()) / arb(c))
    assert abs(float(exact) - float(q_calculus.log_c(x, c))) <= 4e-15
    assert abs(float(exact) - math.log(x)) > 1e-5


@pytest.mark.parametrize("q", [0.5, 1.0, 1.5, 3.0])
def test_divergences_are_enclosed_and_do_not_cancel(q):
    _, _, mu = data()
    rng = np.random.default_rng(1)
    close = np.where(mu > 0, mu * (1 + 1e-9 * rng.normal(size=mu.shape)), 0.0)
    other = rng.dirichlet(np.ones(A), S) * (mu > 0)
    for p in (close, other, np.eye(A)[np.argmax(mu, axis=1)], mu):
        sound, numpy = EnclosureOps(), NumpyOps()
        with BallOps(300) as ops:
            truth = ops.tsallis_divergence(ops.distribution(p), ops.distribution(mu), q, where=mu > 0)
            low, high = ops.bounds(truth)
        a, b = sound.bounds(sound.tsallis_divergence(sound.distribution(p), sound.distribution(mu), q, where=mu > 0))
        assert np.all((a <= low) & (high <= b))
        size = np.abs(p / p.sum(axis=1, keepdims=True) - mu).sum(axis=1)
        assert np.all(b - a <= 1e-10 * (size + low) + 1e-14)
        got = numpy.midpoint(numpy.tsallis_divergence(numpy.distribution(p), numpy.distribution(mu), q, where=mu > 0))
        assert np.all(np.abs(got - low) <= 1e-12 * (size + low) + 1e-15)


# -- projections --------------------------------------------------------------------------------------------
@pytest.mark.parametrize("w", WEIGHTS)
@pytest.mark.parametrize("q", INDICES)
def test_projections_in_every_arithmetic(q, w):
    Q, mask, mu = data()
    for reg in (Tsallis(w, q), TsallisKL(w, q, mu)):
        balls, value, policy = in_balls(reg, Q, mask)
        assert balls.radius(value) <= 1e-30 * (1 + w) * 1e6 and balls.radius(policy) <= 1e-30
        low, high = balls.bounds(value)
        sound = EnclosureOps()
        below, above = sound.bounds(reg.conjugate(sound, sound.array(Q, 2), mask))
        assert np.all((below <= high) & (low <= above))
        scale = np.ptp(Q, axis=1) + np.abs(Q).max(axis=1) + (w if isinstance(reg, Tsallis) else 0.0)
        assert np.all(above - below <= 1e-10 * scale + 1e-300)
        least, most = sound.bounds(reg.policy(sound, sound.array(Q, 2), mask))
        exact = balls.bounds(policy)
        assert np.all((least <= exact[1]) & (exact[0] <= most)) and np.all(most[~mask] == 0)
        # float policies lose no more than rounding, however far their small probabilities may be from the exact ones
        numpy = NumpyOps()
        pi = reg.policy(numpy, numpy.array(Q, 2), mask).data
        assert np.all(pi >= 0) and np.abs(pi.sum(axis=1) - 1).max() <= 1e-14
        with BallOps(400) as ops:
            p = ops.distribution(pi)
            loss = reg.conjugate(ops, ops.array(Q, 2), mask) - ops.dot(p, ops.array(Q, 2)) + reg.value(ops, p, mask)
            assert np.all(ops.bounds(loss)[1] <= 1e-14 * scale + 1e-300) and np.all(ops.bounds(loss)[1] >= 0)


@pytest.mark.parametrize("q", INDICES)
def test_kernels_and_their_twin_within_the_bound(q):
    Q, mask, mu = data(3)
    for w in WEIGHTS:
        for reg in (Tsallis(w, q), TsallisKL(w, q, mu)):
            truth = in_balls(reg, Q, mask)[1].data
            values, pi, log_pi = np.empty(S), np.empty((S, A)), np.empty((S, A))
            outer = np.where(mask, Q, -np.inf)
            entropic.conjugate(reg, outer, mask, values)
            entropic.policy(reg, outer, mask, pi, log_pi)
            ops = NumpyOps()
            twin = reg.conjugate(ops, ops.array(Q, 2), mask).data
            for s in range(S):
                live = mask[s] & ((mu[s] > 0) | isinstance(reg, Tsallis))
                n, value = int(live.sum()), abs(values[s])
                if n == 1:
                    assert abs(values[s] - Q[s, live][0]) <= 1e-299
                    continue
                if isinstance(reg, Tsallis):
                    bound = tsallis_error(n, q, w, value)
                else:
                    bound = tsallis_kl_error(n, q, w, np.ptp(Q[s, live]), -math.log(mu[s, live].min()), value)
                assert abs(arb(float(values[s])) - truth[s]) <= arb(float(bound)), (reg, s)
                assert abs(arb(float(twin[s])) - truth[s]) <= arb(4 * float(bound)), (reg, s)  # n^2 where n is summed
            assert np.abs(pi.sum(axis=1) - 1).max() <= 1e-14 and np.all(pi[~mask] == 0)
            with np.errstate(divide="ignore"):
                np.testing.assert_allclose(log_pi, np.log(pi), rtol=1e-15)


@pytest.mark.parametrize("q", INDICES)
def test_what_a_policy_falls_short_by(q):
    """Of the maximiser and of any other policy, against balls of 400 bits: within its bound, which is of the size of rounding."""
    Q, mask, _ = data(5)
    rng = np.random.default_rng(6)
    outer = np.where(mask, Q, -np.inf)
    for w in WEIGHTS:
        reg = Tsallis(w, q)
        TV, lost, size, pi = np.empty(S), np.empty(S), np.empty(S), np.empty((S, A))
        entropic.conjugate(reg, outer, mask, TV)
        shortfall.maximiser(outer, mask, w, q, pi)
        drawn = rng.random((S, A)) ** rng.choice([1, 40, 300]) * mask
        drawn[0, 0] = 5e-324
        for policy in (pi, drawn, (pi + 1e-9 * drawn) * 1.25):
            shortfall.shortfall(outer, TV, policy, w, q, lost, size)
            with BallOps(400) as ops:
                p = ops.distribution(policy)
                d = ops.dot(p, ops.array(np.where(mask, Q, 0.0), 2)) - reg.value(ops, p, mask)
                truth = [arb(float(v)) - x for v, x in zip(TV, d.data, strict=True)]
            error = tsallis_shortfall_error(A, q, w, size, np.abs(TV))
            for s in range(S):
                assert abs(arb(float(lost[s])) - truth[s]) <= arb(float(error[s])), (w, s)
            if policy is pi:
                assert np.all(error <= 1e-13 * (w * A * max(1.0, 1 / q) + np.abs(TV))) and np.all(lost <= 2 * error)


@pytest.mark.parametrize("q", [0.5, 1.5, 2.0, 3.0, 7.0])
def test_the_maximiser_alone(q):
    """The policy's, bit by bit or nearly: another loop around the same row function; and as good by its shortfall."""
    Q, mask, _ = data(8)
    outer = np.where(mask, Q, -np.inf)
    for w in (0.0, 1e-300, *WEIGHTS, 1e300):
        pi, log_pi, alone = np.empty((S, A)), np.empty((S, A)), np.empty((S, A))
        entropic.policy(Tsallis(w, q), outer, mask, pi, log_pi)
        shortfall.maximiser(outer, mask, w, q, alone)
        np.testing.assert_allclose(alone, pi, rtol=1e-12, atol=1e-15)
        np.testing.assert_array_equal((alone > 0) & ~mask, False)
        if q == 2 and w in WEIGHTS:  # the projection, to its last digits
            truth = np.array([[float(x.mid()) for x in row] for row in in_balls(Tsallis(w, q), Q, mask)[2].data])
            np.testing.assert_allclose(alone, np.where(mask, truth, 0.0), rtol=0, atol=16 * 2.0**-53)


def test_the_bound_refuses_a_wrong_index():
    Q, mask, mu = data(3)
    values = np.empty(S)
    entropic.conjugate(TsallisKL(1.0, 1.5, mu), np.where(mask, Q, -np.inf), mask, values)
    truth = in_balls(TsallisKL(1.0, 1.5 + 2.0**-30, mu), Q, mask)[1].data
    gaps = [abs(float(values[s]) - float(truth[s].mid())) for s in range(S)]
    assert (
        sum(g > tsallis_kl_error(A, 1.5, 1.0, np.ptp(Q[s]), 8.0, abs(values[s])) for s, g in enumerate(gaps)) >= S // 2
    )


def test_closed_forms():
    """Numbers of the literature, sparsemax by sorting, and the exact rational maximum at ``q = 2``."""
    ops = NumpyOps()
    q = ops.array(CARD, 2)
    uniform = np.full((1, 5), 0.2)
    for reg, shown in [
        (Tsallis(1.0, 2), [0.4333, 0.3833, 0.1833, 0, 0]),
        (Tsallis(1.0, 10), [0.7653, 0.2347, 0, 0, 0]),
        (TsallisKL(1.0, 2, uniform), [0.272, 0.262, 0.222, 0.172, 0.072]),
        (TsallisKL(1.0, 10, uniform), [0.2153, 0.2141, 0.2091, 0.2009, 0.1607]),
    ]:
        np.testing.assert_allclose(reg.policy(ops, q, ALL).data[0], shown, atol=6e-5)
    rng = np.random.default_rng(2)
    for _ in range(50):
        x = rng.integers(-8, 9, (1, 6)) / 4
        z = np.sort(x[0])[::-1] / 3  # sparsemax of Q / (2 tau) at tau = 3/2
        k = np.flatnonzero(1 + np.arange(1, 7) * z > np.cumsum(z))[-1]
        sparsemax = np.maximum(x[0] / 3 - (np.cumsum(z)[k] - 1) / (k + 1), 0)
        exact = RationalOps()
        pi = Tsallis(Fraction(3, 2), 2).policy(exact, exact.array(x, 2), np.ones((1, 6), bool))
        np.testing.assert_allclose([float(v) for v in exact.fractions(pi)[0]], sparsemax, atol=1e-15)
        assert sum(exact.fractions(pi)[0]) == 1


def test_rationals_agree_with_balls():
    rng = np.random.default_rng(5)
    x, weights = rng.integers(-4, 5, (6, 4)) / 2, rng.integers(0, 4, (6, 4))
    weights[:, 0] += 1
    mask = np.ones((6, 4), bool)
    exact = RationalOps()
    for w in (0, Fraction(1, 4), 3):
        mu = exact.distribution(weights)
        reg = TsallisKL(w, 2, mu)
        value, pi = (f(exact, exact.array(x, 2), mask) for f in (reg.conjugate, reg.policy))
        own = exact.dot(pi, exact.array(x, 2)) - reg.value(exact, pi, mask & (weights > 0))
        assert exact.fractions(own).tolist() == exact.fractions(value).tolist()
        with BallOps(200) as ops:
            ball = TsallisKL(w, 2, ops.distribution(weights)).conjugate(ops, ops.array(x, 2), mask)
            assert all(b.contains(ops._number(v)) for b, v in zip(ball.data, exact.fractions(value), strict=True))
            assert ops.radius(ball) < 1e-50


def test_wide_enclosures_hold_what_is_inside():
    """Radii of values, weights and references: projections of points inside stay inside."""
    rng = np.random.default_rng(6)
    Q, mask, mu = data(6)
    mu = 0.5 * mu + 0.5 * mask / mask.sum(axis=1, keepdims=True)
    for q in (0.5, 1.5, 2.0, 10.0):
        for radius in (1e-9, 0.125, 2.0):
            with BallOps(200) as exact:
                for ops in (EnclosureOps(), exact):
                    wide = ops.inflate(ops.array(Q, 2), ops.constant(radius))
                    for reg in (Tsallis(0.5, q), TsallisKL(0.5, q, mu)):
                        low, high = ops.bounds(reg.conjugate(ops, wide, mask))
                        least, most = ops.bounds(reg.policy(ops, wide, mask))
                        inside = np.where(mask, Q + radius * rng.uniform(-1, 1, Q.shape), 0.0)
                        numpy = NumpyOps()
                        value = reg.conjugate(numpy, numpy.array(inside, 2), mask).data
                        pi = reg.policy(numpy, numpy.array(inside, 2), mask).data
                        off = 1e-13 * (1 + np.abs(Q).max(axis=1))  # of the value in floats
                        assert np.all((low <= value + off) & (value - off <= high))
                        slack = 0.05 if q == 10.0 else 1e-6  # float policies at large q
                        assert np.all((least <= pi + slack) & (pi - slack <= most))
                        assert np.all(high - low <= 2.0 * radius * 1.001 + 1e-11 * (1 + np.abs(Q).max(axis=1)))


@pytest.mark.parametrize("q", [0.5, 2.0, 3.0])
def test_weights_that_may_vanish(q):
    """A ball of weights around zero holds the maxima at all weights inside; an exact zero is the hard maximum."""
    Q, mask, mu = data(6)
    with BallOps(100) as ops:
        wide = ops.inflate(ops.constant(0), ops.constant(0.125))
        for make in (lambda w: Tsallis(w, q), lambda w: TsallisKL(w, q, mu)):
            low, high = ops.bounds(make(wide).conjugate(ops, ops.array(Q, 2), mask))
            for w in (0.0, 2.0**-20, 0.0625, 0.125):
                inside = make(w).conjugate(ops, ops.array(Q, 2), mask)
                a, b = ops.bounds(inside)
                assert np.all((low <= a) & (b <= high))
            assert np.all(np.isfinite(low) & np.isfinite(high))
    sound = EnclosureOps()
    hard = sound.bounds(Tsallis(0.0, q).conjugate(sound, sound.array(Q, 2), mask))
    np.testing.assert_array_equal(hard[0], np.where(mask, Q, -np.inf).max(axis=1))


@pytest.mark.parametrize("q", [0.5, 0.75, 1.5, 2.0, 10.0])
def test_quotients_that_overflow(q):
    """A weight so small that differences of action values leave the floats: the maximum, and its policy."""
    Q, mask, mu = data(2)
    Q = np.where(mask, Q + np.arange(A) * 1e-3, 0.0)  # no ties
    values, pi, log_pi = np.empty(S), np.empty((S, A)), np.empty((S, A))
    for reg in (Tsallis(1e-300, q), TsallisKL(1e-300, q, np.where(mu > 0, mu, 0.0))):
        live = mask & ((mu > 0) | isinstance(reg, Tsallis))
        best = np.where(live, Q, -np.inf)
        entropic.conjugate(reg, np.where(mask, Q, -np.inf), mask, values)
        entropic.policy(reg, np.where(mask, Q, -np.inf), mask, pi, log_pi)
        np.testing.assert_allclose(values, best.max(axis=1), rtol=1e-13)
        np.testing.assert_allclose(pi, np.arange(A) == best.argmax(axis=1)[:, None], atol=1e-8)
        ops = NumpyOps()
        np.testing.assert_allclose(reg.conjugate(ops, ops.array(Q, 2), mask).data, values, rtol=1e-13)


@pytest.mark.parametrize("q", [0.5, 1.5, 3])
def test_rational_certificates_are_for_the_index_2(q):
    mdp = MDP([[[1.0], [1.0]]], [[0.0, 1.0]], 0.5)
    with pytest.raises(TabularError, match=f"the checker knows Tsallis of index 2 alone, not {q}"):
        rational_certificate(mdp, solve(mdp, Tsallis(1.0, q)))


def test_batches_with_an_index_of_their_own():
    rng = np.random.default_rng(8)
    mdps = [MDP(rng.dirichlet(np.ones(3), (3, 2)), rng.normal(size=(3, 2)), 0.5) for _ in range(4)]
    batch = MDPBatch.stack(mdps)
    index, weight = np.array([1.0, 2.0, 0.5, 3.0]), np.array([0.5, 1.0, 0.25, 2.0])
    V = rng.normal(size=(4, 3))
    mu = rng.dirichlet(np.ones(2), (4, 3))
    for made in (NumpyOps, KernelOps, EnclosureOps):
        ops = made(4)
        m, v = ops.model(batch), ops.array(V, 1)
        both = (
            Tsallis(ops.constant(weight), ops.constant(index)),
            TsallisKL(ops.constant(weight), ops.constant(index), mu),
        )
        for reg in both:
            got = ops.midpoint(ops.backup(m, v, reg))
            for i in range(4):
                one = NumpyOps()
                alone = (
                    Tsallis(weight[i], index[i]) if isinstance(reg, Tsallis) else TsallisKL(weight[i], index[i], mu[i])
                )
                expected = one.backup(one.model(mdps[i]), one.array(V[i], 1), alone).data
                np.testing.assert_allclose(got[i], expected, rtol=1e-13, atol=1e-13)


# -- the regularisers ---------------------------------------------------------------------------------------
MASK = np.array([[True, True], [True, False]])
HALF = np.array([[0.5, 0.5], [1.0, 0.0]])


def test_index_one_and_weight_zero():
    assert checked(Tsallis(2, 1), MASK) == Shannon(2.0) and checked(Tsallis(0, 3), MASK) == Hard()
    kl = checked(TsallisKL(2, Fraction(1), HALF), MASK)
    assert isinstance(kl, KL) and kl.lam == 2.0 and isinstance(checked(TsallisKL(0, 2, HALF), MASK), Hard)
    kept = checked(TsallisKL(1, 2, HALF), MASK)
    assert isinstance(kept, TsallisKL) and kept.q == 2.0 and not kept.reference.flags.writeable


@pytest.mark.parametrize(
    "reg, error, message",
    [
        (Tsallis(-1, 2), ModelError, "tau is -1"),
        (Tsallis(1, 0), ModelError, "q is 0: expected an index from 0.0625 to 16"),
        (Tsallis(1, 17), ModelError, "q is 17: expected an index"),
        (Tsallis(1, math.nan), ModelError, "q is nan"),
        (Tsallis(1, "2"), TypeError, "q is '2'"),
        (Tsallis(1, Fraction(4, 3)), ModelError, "q is 4/3, which no float64 is"),
        (Tsallis(1, 0.3), ModelError, r"q is 0\.3, and q - 1 no float64"),
        (TsallisKL(1, 2, np.ones(2)), ModelError, r"reference has shape \(2,\)"),
        (TsallisKL(math.inf, 2, HALF), ModelError, "lam is inf"),
    ],
)
def test_bad_parameters_are_named(reg, error, message):
    with pytest.raises(error, match=message):
        checked(reg, MASK)


def test_an_index_that_rounds_is_not_enclosed():
    """In balls and enclosures an index is exact, or nothing is known; ``(q - 1) + 1`` of a small one is."""
    sound = EnclosureOps()
    q = sound.constant(1) / 3
    assert sound.bounds(Tsallis(1.0, q).conjugate(sound, sound.array(CARD, 2), ALL))[1][0] == math.inf
    with BallOps(100) as ops:
        assert not Tsallis(1.0, ops.constant(1) / 3).conjugate(ops, ops.array(CARD, 2), ALL).data[0].is_finite()
    assert isinstance(checked(Tsallis(1, (0.3 - 1) + 1), MASK), Tsallis)


@pytest.mark.parametrize("q", [0.5, 1.5, 2.0, 10.0])
def test_compiled_and_plain_solutions_agree(q):
    rng = np.random.default_rng(9)
    mdp = MDP(rng.dirichlet(np.ones(30), (30, 4)), rng.normal(size=(30, 4)), 0.9)
    mu = rng.dirichlet(np.ones(4), 30)
    from tabular._backups import Backups

    for reg in (Tsallis(0.3, q), TsallisKL(0.3, q, mu)):
        plain, compiled = (Backups(mdp, reg, compiled=c) for c in (False, True))
        V = rng.normal(size=30)
        np.testing.assert_allclose(plain.backup(V)[1], compiled.backup(V)[1], rtol=0, atol=1e-13)
        sol = solve(mdp, reg)
        assert sol.error_bound <= 1e-12 and sol.policy_gap <= 1e-9
        assert type(sol.regularizer) is type(reg) and "q=" in repr(sol)
