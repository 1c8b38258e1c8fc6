"""Every operator of ``EnclosureOps`` holds what balls of 300 bits compute from exact points inside its arguments."""

from __future__ import annotations

import warnings
from fractions import Fraction

import numpy as np
import pytest
from flint import arb

from tabular import MDP, MDPBatch
from tabular.reference import BallOps, EnclosureOps, KernelOps, NumpyOps, RationalOps
from tabular.reference.enclosures import pack
from tabular.reference.value import Value
from tabular.regularizers import KL, Hard, Shannon, ShannonKL

N, A = 1500, 4
SPREADS = ("ordinary", "wide", "extreme")


def magnitudes(rng, shape, spread):
    """Numbers of both signs, some zero: of size 1, of size 1e-8 ... 1e8, or 1e-300 ... 1e300."""
    reach = {"ordinary": 0.5, "wide": 8, "extreme": 300}[spread]
    x = rng.choice([-1.0, 1.0], shape) * 10.0 ** rng.uniform(-reach, reach, shape)
    return np.where(rng.random(shape) < 0.1, 0.0, x)


def radii(rng, mid):
    """Radii of every kind: zero, far below an ulp, relative, as large as the midpoint or larger, infinite."""
    size = np.abs(mid) * 10.0 ** rng.choice([-40.0, -20, -15, -8, -1, 0, 0.01, 1], mid.shape)
    kind = rng.random(mid.shape)
    size = np.where(kind < 0.3, 0.0, size)
    return np.where(kind > 0.99, np.inf, np.where(kind > 0.97, 1e-320, size))


def enclosures(rng, shape, spread, positive=False):
    mid = magnitudes(rng, shape, spread)
    mid = np.abs(mid) if positive else mid
    with np.errstate(over="ignore"):
        return pack(mid, radii(rng, mid))


def points(rng, x):
    """An exact point of each enclosure, as a ball of radius zero: its ends, its midpoint, or between."""
    t = rng.choice([-1.0, 0.0, 1.0, 0.5, -0.123], x[0].shape)
    reach = np.where(np.isfinite(x[1]), x[1], 10.0 ** rng.uniform(-10, 10, x[0].shape))
    out = np.empty(x[0].shape, dtype=object)
    out[...] = 0
    for i in np.ndindex(x[0].shape):
        out[i] = arb(float(x[0][i])) + arb(float(t[i])) * arb(float(reach[i]))
    return out


def missed(enclosure, truth):
    """Which enclosures have no point in common with the ball of the exact value; undefined exact values prove nothing."""
    bad = []
    for i in np.ndindex(truth.shape):
        v = truth[i]
        m, r = float(enclosure[0][i]), float(enclosure[1][i])
        if v.is_finite() and np.isfinite(r) and not abs(v - m) <= r and not (arb(m, r).overlaps(v) and v.rad() > 0):
            bad.append((i, m, r, v))
    return bad


@pytest.fixture
def ops():
    return EnclosureOps(N)


@pytest.fixture
def balls():
    with BallOps(300) as b:
        yield b


def quiet(f, *args):
    """No operation warns: what overflows has an infinite radius."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return f(*args)


@pytest.mark.parametrize("spread", SPREADS)
@pytest.mark.parametrize("name", ["_add", "_sub", "_mul", "_div", "_maximum"])
def test_binary_operations(ops, balls, name, spread):
    rng = np.random.default_rng([ord(c) for c in name + spread])
    x, y = enclosures(rng, (N,), spread), enclosures(rng, (N,), spread)
    near = rng.random(N) < 0.2  # neighbours, equals and opposites: cancellation, ties
    y[0] = np.where(near, rng.choice([1.0, -1.0, 1 + 2.0**-52], N) * x[0], y[0])
    y[0] = np.where(rng.random(N) < 0.1, rng.choice([1.0, -1.0, 2.0], N), y[0])
    got = quiet(getattr(ops, name), x, y)
    for _ in range(2):
        a, b = points(rng, x), points(rng, y)
        assert not missed(got, getattr(balls, name)(a, b))


@pytest.mark.parametrize("spread", SPREADS)
@pytest.mark.parametrize("name", ["_exp", "_sqrt", "_xlogx", "_log", "_abs", "_neg"])
def test_functions(ops, balls, name, spread):
    rng = np.random.default_rng([ord(c) for c in name + spread])
    x = enclosures(rng, (2 * N,), spread, positive=name in ("_sqrt", "_xlogx", "_log"))
    some = rng.random(2 * N) < 0.4
    if name == "_exp":  # where it is neither 1 nor infinite: down to where it underflows
        x[0] = np.where(some, rng.uniform(-800, 720, 2 * N), x[0])
        x[1] = np.where(some, 10.0 ** rng.uniform(-18, 3, 2 * N), x[1])
    else:
        x[0] = np.where(some, 1 + rng.integers(-4, 5, 2 * N) * 2.0**-52, x[0])
    rest = (None,) if name == "_log" else ()
    got = quiet(getattr(ops, name), x, *rest)
    for _ in range(2):
        exact = points(rng, x)
        assert not missed(got, getattr(balls, name)(exact, *rest))


@pytest.mark.parametrize("spread", SPREADS)
def test_reductions(ops, balls, spread):
    rng = np.random.default_rng([ord(c) for c in spread])
    x, y = enclosures(rng, (N, A), spread), enclosures(rng, (N, A), spread)
    y[0, ::3] = x[0, ::3]
    mask = rng.random((N, A)) < 0.7
    mask[:, 0] = True
    a, b = points(rng, x), points(rng, y)
    assert not missed(quiet(ops._sum, x, -1), balls._sum(a, -1))
    assert not missed(quiet(ops._dot, x, y), balls._dot(a, b))
    assert not missed(quiet(ops._max, x, mask, -1), balls._max(a, mask, -1))
    assert not missed(quiet(ops._first_max, x, mask), balls._first_max(a, mask))


def weights(rng, shape, kind):
    """Rows of distributions: ordinary, with entries down to 1e-300, with zeros, one-hot, uniform."""
    mu = {
        "ordinary": rng.dirichlet(np.ones(shape[-1]), shape[0]),
        "tiny": 10.0 ** rng.uniform(-300, 0, shape),
        "zeros": rng.dirichlet(np.ones(shape[-1]), shape[0]) * (rng.random(shape) < 0.6)
        + 1e-30 * (np.arange(shape[-1]) == 1),
        "one-hot": (np.arange(shape[-1]) == rng.integers(0, shape[-1], shape[0])[:, None]).astype(float),
        "uniform": np.ones(shape),
    }[kind]
    return mu / mu.sum(axis=-1, keepdims=True)


def rows(rng, n, spread):
    """Action values: of any size, many tied or nearly so, some a common value away from zero."""
    x = magnitudes(rng, (n, A), spread)
    x = np.where(rng.random((n, A)) < 0.3, x[:, :1], x)
    return x + np.where(rng.random((n, 1)) < 0.2, 1e6, 0.0)


def scales(rng, n):
    w = 10.0 ** rng.uniform(-3, 3, n)
    w = np.where(rng.random(n) < 0.4, 10.0 ** rng.uniform(-300, 300, n), w)
    w = np.where(rng.random(n) < 0.1, 0.0, w)
    relative = rng.choice([0.0, 0.0, 0.0, 1e-30, 1e-16, 1e-9, 0.01, 0.3, 1.0], n)
    return pack(w, np.where((w == 0) & (rng.random(n) < 0.3), 0.01, relative * w))


@pytest.mark.parametrize("spread", SPREADS)
@pytest.mark.parametrize("kind", [None, "ordinary", "tiny", "zeros", "one-hot", "uniform"])
def test_free_energies_and_gibbs_policies(balls, kind, spread):
    n = 600
    rng = np.random.default_rng([ord(c) for c in f"{kind}{spread}"])
    ops = EnclosureOps(n)
    mid = rows(rng, n, spread)
    rad = np.where(rng.random((n, 1)) < 0.5, 0.0, radii(rng, mid))
    x, w = Value(ops, pack(mid, np.where(np.isinf(rad), 1.0, rad)), 2 - 1), Value(ops, scales(rng, n), 0)
    mask = rng.random((n, A)) < 0.8
    mask[:, 1] = True
    raw = None if kind is None else np.where(mask, weights(rng, (n, A), kind), 0.0)
    if raw is not None:
        raw[:, 1] = np.where(raw.sum(axis=-1) == 0, 1.0, raw[:, 1])
        raw /= raw.sum(axis=-1, keepdims=True)
    mu = None if raw is None else ops.distribution(raw, 1)
    free = quiet(ops.free_energy, x, w, mu, mask)
    pi, logs = quiet(ops.gibbs, x, w, mu, mask), quiet(ops.log_gibbs, x, w, mu, mask)
    a, b = points(rng, x.data), np.array([abs(v) for v in points(rng, w.data)], dtype=object)
    exact = None if raw is None else balls.distribution(raw, 2).data
    arguments = (a, b[:, None], exact, mask)
    assert not missed(free.data, balls._free_energy(*arguments))
    allowed = mask if raw is None else mask & (raw > 0)
    truth = balls._gibbs(*arguments, False)
    assert not missed(pi.data, truth)
    assert np.all(pi.data[:, ~allowed] == 0)
    inside = balls._gibbs(*arguments, True)
    inside[~allowed] = arb(0)
    assert not missed(logs.data, inside)
    known = np.isfinite(free.data[1]).mean()
    assert known > 0.6, known  # no vacuous proof


def test_enclosures_of_exact_arguments_are_tight():
    """A few units of rounding, relative to max |x|, at every weight from 1e-12 to 1e12: and no cancellation under a reference."""
    n = 500
    rng = np.random.default_rng(3)
    ops = EnclosureOps(n)
    x = ops.array(rng.normal(size=(n, A)), 1)
    for kind in (None, "ordinary", "tiny"):
        mu = None if kind is None else ops.distribution(weights(rng, (n, A), kind), 1)
        for w in 10.0 ** np.arange(-12.0, 13, 3):
            scale = w * np.log(A) if mu is None else 0.0
            free, pi = ops.free_energy(x, w, mu), ops.gibbs(x, w, mu)
            assert free.data[1].max() <= 200 * 2.0**-53 * (scale + 5.0), (kind, w)
            assert pi.data[1].max() <= 2.0**-40  # far actions of a tiny reference: 3u |z| with |z| up to 700


def test_what_surely_ends_passes_nothing_on():
    """And is exact, so that pairs tie whose policies differ only later; where a product underflows it is not."""
    mdp = MDP.from_weights([[[0, 0], [1, 2]], [[0, 1], [0, 0]]], np.ones((2, 2)), 0.5, end_weights=[[1, 0], [1, 2]])
    many = MDPBatch.stack([mdp] * 3)
    for model, ops in ((mdp, EnclosureOps()), (mdp.to_sparse(), EnclosureOps()), (many, EnclosureOps(3))):
        m = ops.model(model)
        _, unsure = ops.expect(m.P, Value(ops, pack(np.ones((*ops.lead, 2)), 0.25), 1)).data
        assert (unsure[..., 0, 0] == 0).all() and (unsure[..., 1, 1] == 0).all() and (unsure[..., 0, 1] > 0.2).all()
        mid, small = ops.expect(m.P, ops.array(np.full((*ops.lead, 2), 2.0**-1074), 1)).data
        assert (mid[..., 1, 0] == 0).all() and (small[..., 1, 0] > 0).all() and (small[..., 1, 1] == 0).all()


def test_what_is_exact_stays_exact():
    ops = EnclosureOps()
    pi, x = ops.distribution(np.array([[0.5, 0.25, 0.25], [0.0, 1.0, 0.0]])), ops.array(np.array([0.5, 3.0, 3.0]), 1)
    for value in (
        pi,
        ops.distribution(np.array([[1, 1, 2]])),
        x + x - x,
        0 * x,
        1 * x,
        x / 1,
        ops.max(x),
        ops.first_max(x),
    ):
        assert np.all(value.data[1] == 0)
    assert np.all(ops.sum(pi * 0).data == 0)
    assert ops.xlogx(ops.array(np.array([0.0, 1.0]), 1)).data.tolist() == [[0, 0], [0, 0]]
    assert np.all(ops.relative_entropy(pi, pi).data == 0)
    assert ops.distribution(np.array([[0.3, 0.7]])).data[1].max() > 0


@pytest.mark.parametrize("kind", ["ordinary", "tiny", "zeros", "one-hot", "uniform"])
def test_relative_entropies(balls, kind):
    n = 800
    rng = np.random.default_rng([ord(c) for c in kind])
    ops = EnclosureOps(n)
    mu = weights(rng, (n, A), kind)
    pi = np.where(
        rng.random((n, 1)) < 0.5,
        weights(rng, (n, A), "ordinary"),
        mu * (1 + rng.choice([0, 1e-14, 1e-8, 0.3], (n, A)) * rng.normal(size=(n, A)).clip(-1, 1)),
    )
    pi = np.where(mu > 0, pi, 0.0)
    pi = np.where(pi.sum(axis=-1, keepdims=True) > 0, pi, mu)
    pi /= pi.sum(axis=-1, keepdims=True)
    p, m = (ops.distribution(v, 1) for v in (pi, mu))
    blur = np.where(p.data[0] > 0, radii(rng, p.data[0]), 0.0)
    wide = pack(p.data[0], np.where(rng.random((n, 1)) < 0.5, p.data[1], np.where(np.isfinite(blur), blur, 0.1)))
    every = np.ones((n, A), dtype=bool)
    got = quiet(ops._relative_entropy, p.data, m.data, every)
    exact = balls.distribution(pi).data, balls.distribution(mu).data
    assert not missed(got, balls._relative_entropy(*exact, every))
    assert np.isfinite(got[1]).all()
    near = np.abs(pi - mu).max(axis=-1) < 1e-6 * mu.min(axis=-1)
    assert np.all(got[1][near] <= 200 * 2.0**-53 * (np.abs(pi - mu).sum(axis=-1)[near] + 2.0**-51))
    blurred = quiet(ops._relative_entropy, wide, m.data, every)
    a = np.array([abs(v) for v in points(rng, wide).ravel()], dtype=object).reshape(n, A)
    assert not missed(blurred, balls._relative_entropy(a, exact[1], every))


@pytest.mark.parametrize("spread", SPREADS)
def test_linear_systems(balls, spread):
    """Diagonally dominant, ordinary, nearly singular and singular ones in one batch."""
    n, size = 150, 4
    rng = np.random.default_rng([ord(c) for c in spread])
    ops = EnclosureOps(n)
    a = rng.normal(size=(n, size, size)) + 3 * np.eye(size) * (rng.random((n, 1, 1)) < 0.5)
    a[::7, 0] = a[::7, 1] * (1 + 1e-9 * rng.normal(size=(len(a[::7]), size)))
    a[3] = 0.0
    a[::5] *= 10.0 ** rng.uniform(-100, 100, (len(a[::5]), 1, 1))
    x = pack(a, np.abs(a) * rng.choice([0.0, 1e-16, 1e-6, 0.1], (n, 1, 1)))
    y = enclosures(rng, (n, size), spread)
    got = quiet(ops.solve, Value(ops, x, 2), Value(ops, y, 1)).data
    assert np.isinf(got[1][3]).all()
    assert np.isfinite(got[1]).mean() > 0.5
    exact, right = points(rng, x), points(rng, y)
    for i in range(n):
        truth = balls.solve(Value(balls, exact[i], 2), Value(balls, right[i], 1)).data
        assert not missed(got[:, i], truth)


def batch(rng, B=40, S=5, A=3, exact=True):
    weights = rng.integers(0, 50, (B, S, A, S))
    weights[..., 0] += 1
    ends = rng.integers(0, 20, (B, S, A)) * (rng.random((B, S, A)) < 0.3)
    R = rng.integers(-64, 65, (B, S, A)) / 64.0
    R[rng.random(R.shape) < 0.1] = -np.inf
    R[..., 0] = np.where(np.isinf(R[..., 0]), 0.0, R[..., 0])
    gamma = 1 - 2.0 ** -rng.integers(0, 30, B)
    if exact:
        return MDPBatch.from_weights(weights, R, gamma, end_weights=ends)
    total = (weights.sum(axis=-1) + ends)[..., None]
    return MDPBatch(weights / total, R, gamma, end=ends / total[..., 0])


def parts(ops, source, V, tau, reference, kind):
    """Backup, policy, value of the policy, optimal value and visits."""
    m = ops.model(source)
    mu, t, lam = ops.distribution(reference), ops.constant(tau), ops.constant(1 / np.asarray(tau))
    reg = {"hard": Hard(), "shannon": Shannon(t), "kl": KL(t, mu), "both": ShannonKL(t, lam, mu)}[kind]
    v = ops.array(V, 1)
    pi = reg.policy(ops, ops.q_backup(m, v), m.mask)
    rho = ops.distribution(np.ones(V.shape, dtype=int), 1)
    return ops.backup(m, v, reg), pi, ops.evaluate(m, pi, reg), ops.optimal_value(m, reg), ops.occupancy(m, pi, rho)


@pytest.mark.parametrize("exact", [True, False], ids=["weights", "floats"])
@pytest.mark.parametrize("kind", ["hard", "shannon", "kl", "both"])
def test_operators_of_models(kind, exact):
    """Whole formulas on a batch: balls, NumPy's and the compiled kernels' values inside, for every instance."""
    rng = np.random.default_rng(7)
    b = batch(rng, exact=exact)
    V = rng.integers(-1000, 1000, (b.B, b.S)) / 256.0
    tau = 2.0 ** rng.integers(-40, 40, b.B)
    reference = rng.integers(0, 5, b.mask.shape) + (np.arange(b.A) == 0)
    reference = reference * b.mask
    ops = EnclosureOps(b.B)
    found = [ops.bounds(v) for v in parts(ops, b, V, tau, reference, kind)]
    for other in (NumpyOps(b.B), KernelOps(b.B)):
        for k, (value, (low, high)) in enumerate(zip(parts(other, b, V, tau, reference, kind), found, strict=True)):
            x = other.midpoint(value)
            room = np.where(np.isfinite(high), (high - low) / 2, 0).max(axis=tuple(range(1, low.ndim)), keepdims=True)
            assert np.all((low - room <= x) & (x <= high + room)), (type(other).__name__, k)
    for i in range(0, b.B, 4):
        with BallOps(300) as balls:
            for k, (v, (low, high)) in enumerate(
                zip(parts(balls, b[i], V[i], float(tau[i]), reference[i], kind), found, strict=True)
            ):
                lo, hi = balls.bounds(v)
                assert np.all((low[i] <= lo) & (hi <= high[i])), (i, k)
    assert np.mean([np.isfinite(high).mean() for _, high in found]) > 0.9


def test_dense_and_sparse_models_alone():
    rng = np.random.default_rng(8)
    b = batch(rng, B=6, exact=False)
    for i, member in enumerate(b):
        sparse = MDP(member.P, member.R, member.gamma, end=member.end).to_sparse()
        V, reference = rng.normal(size=b.S), np.where(member.mask, 1, 0)
        for kind in ("hard", "shannon", "kl", "both"):
            for source in (member, sparse):
                ops = EnclosureOps()
                found = [ops.bounds(v) for v in parts(ops, source, V, 0.5, reference, kind)]
                kernel = parts(KernelOps(), source, V, 0.5, reference, kind)
                with BallOps(300) as balls:
                    truth = [balls.bounds(v) for v in parts(balls, member, V, 0.5, reference, kind)]
                for k, ((low, high), (lo, hi), value) in enumerate(zip(found, truth, kernel, strict=True)):
                    assert np.all((low <= lo) & (hi <= high)), (i, kind, k)
                    room = (high - low).max() / 2
                    assert np.all((low - room <= value.data) & (value.data <= high + room)), (i, kind, k)


def test_what_must_be_unknown_is():
    """Each was claimed once, and wrongly."""
    ops = EnclosureOps()
    put = lambda mid, rad: Value(ops, pack(np.array(mid, dtype=float), np.array(rad, dtype=float)), np.ndim(mid))  # noqa: E731
    inside = lambda v, x: bool(np.all(ops.bounds(v)[0] <= x) and np.all(x <= ops.bounds(v)[1]))  # noqa: E731
    assert ops.maximum(put(1.0, 1e-30), 0).data[1] > 0 and ops.max(put([0.0, 1.0], [0.0, 1e-30])).data[1] > 0
    assert ops.maximum(ops.constant(Fraction(10**40 + 1, 10**40)), 0).data[1] > 0
    assert inside(put(2.0**-1074, 0.0) / put(4.0, 4.0 * (1 - 2.0**-50)), 2.0**-1026)
    assert inside(ops.exp(put(-800.0, 100.0)), np.exp(-700.0))
    tie = put([0.0, 0.0], [0.0, 0.0])
    assert inside(ops.gibbs(tie, put(0.0, 0.1)), np.array([0.5, 0.5]))
    assert inside(ops.gibbs(put([0.0, -800.0], [0.0, 0.0]), put(1.0, 0.9))[1], np.exp(-800 / 1.9))
    assert inside(ops.gibbs(put([0.0, -800.0], [0.0, 100.0]), put(1.0, 0.0))[1], np.exp(-700.0))
    assert inside(ops.distribution(np.array([[2.0, 3.0]])), np.array([0.4, 0.6]))
    mu = put([0.5, 0.5], [0.3, 0.3])
    assert inside(ops.gibbs(put([0.0, 0.0], [0.0, 0.0]), 1, mu), np.array([0.2, 0.8]))
    huge = put([1e308, -1e308], [0.0, 0.0])
    assert inside(ops.gibbs(huge, 1e308)[1], np.exp(-2.0) / (1 + np.exp(-2.0)))
    undecided = put([1.0, 1.0], [0.0, 1e-9])
    assert np.isinf(ops.log_gibbs(undecided, 0).data[1]).all()


def test_the_minimum_of_x_log_x_is_tight(balls):
    """Around 1/e, with radii from 1e-17 to 1e-1: the radius is at most the spread of the values and a few roundings."""
    rng = np.random.default_rng(12)
    r = 10.0 ** rng.uniform(-17, -1, 2000)
    mid = 1 / np.e + r * rng.uniform(-2, 2, 2000)
    x = pack(mid, r)
    got = EnclosureOps(2000)._xlogx(x)
    assert np.all(got[1] <= r * np.maximum(np.abs(1 + np.log(mid - r)), np.abs(1 + np.log(mid + r))) + 2.0**-48)
    assert not missed(got, balls._xlogx(points(rng, x)))


def test_models_in_rationals():
    """Probabilities, rewards, start and discount that are no floats, one of them below all normal floats."""
    tiny = Fraction(1, 10**320)
    third = Fraction(1, 3)
    P = np.array([[[third, 1 - third]], [[tiny, 1 - tiny]]], dtype=object)
    mdp = MDP(
        P,
        np.array([[third], [Fraction(1, 7)]], dtype=object),
        Fraction(9, 10),
        rho=np.array([third, 1 - third], dtype=object),
    )
    ops, exact = EnclosureOps(), RationalOps()
    m, e = ops.model(mdp), exact.model(mdp)
    V = np.array([1e308, 0.0])
    for mine, theirs in (
        (m.R, e.R),
        (m.rho, e.rho),
        (m.gamma, e.gamma),
        (ops.expect(m.P, ops.array(V, 1)), exact.expect(e.P, exact.array(V, 1))),
        (ops.expect(m.P, ops.array(np.ones(2), 1)), exact.expect(e.P, exact.array(np.ones(2), 1))),
    ):
        low, high = ops.bounds(mine)
        for lo, hi, x in zip(low.ravel(), high.ravel(), exact.fractions(theirs).ravel(), strict=True):
            assert (lo == -np.inf or Fraction(float(lo)) <= x) and (hi == np.inf or x <= Fraction(float(hi)))
    ordinary = MDP(
        np.full((1, 1, 1), third, dtype=object),
        np.full((1, 1), third, dtype=object),
        third,
        end=np.full((1, 1), 1 - third, dtype=object),
    )
    low, high = ops.bounds(ops.optimal_value(ops.model(ordinary)))
    assert Fraction(float(low[0])) <= Fraction(3, 8) <= Fraction(float(high[0])) and high[0] - low[0] < 1e-13


@pytest.mark.parametrize("w", [1e-2, 1.0, 1e8])
def test_weights_known_to_a_radius_only(balls, w):
    """Mass moved from one entry to another inside the radii: the free energy, the policy, its logarithm, the divergence."""
    n = 200
    rng = np.random.default_rng(13)
    ops = EnclosureOps(n)
    mu, x = weights(rng, (n, A), "ordinary") + 0.01, rng.normal(size=(n, A)) * 2
    mu /= mu.sum(axis=-1, keepdims=True)
    moved = 1e-3 * (np.eye(A)[0] - np.eye(A)[1])
    true = balls.distribution(mu).data + balls.array(moved[None], 2).data
    wide = Value(ops, pack(mu, 1e-3 + 1e-12), 1)
    q, mask = ops.array(x, 1), np.ones((n, A), dtype=bool)
    arguments = (balls.array(x, 2).data, balls.array(np.full((1, 1), w), 2).data, true, mask)
    assert not missed(ops.free_energy(q, w, wide).data, balls._free_energy(*arguments))
    assert not missed(ops.gibbs(q, w, wide).data, balls._gibbs(*arguments, False))
    assert not missed(ops.log_gibbs(q, w, wide).data, balls._gibbs(*arguments, True))
    other = balls.distribution(np.ones((n, A))).data
    got = ops.relative_entropy(ops.distribution(np.ones((n, A)), 1), wide).data
    assert not missed(got, balls._relative_entropy(other, true, mask))


def test_solutions_are_verified_and_not_trusted(balls, monkeypatch):
    """With half the inverse in place of the inverse, radii grow and the solutions stay inside."""
    rng = np.random.default_rng(14)
    ops = EnclosureOps(50)
    a, b = rng.normal(size=(50, 4, 4)) + 4 * np.eye(4), rng.normal(size=(50, 4))
    monkeypatch.setattr("tabular.reference.enclosure_ops.inverse", lambda a: 0.5 * np.linalg.inv(a))
    got = ops.solve(ops.array(a, 2), ops.array(b, 1)).data
    assert np.isfinite(got[1]).all() and got[1].min() > 1e-6
    for i in range(50):
        assert not missed(got[:, i], balls.solve(balls.array(a[i], 2), balls.array(b[i], 1)).data)


def test_bounds_are_rounded_outwards():
    rng = np.random.default_rng(15)
    x = enclosures(rng, (3000,), "wide")
    ops = EnclosureOps(3000)
    low, high = ops.bounds(Value(ops, x, 0))
    for m, r, lo, hi in zip(*x.tolist(), low.tolist(), high.tolist(), strict=True):
        if np.isfinite(r):
            assert Fraction(lo) <= Fraction(m) - Fraction(r) and Fraction(m) + Fraction(r) <= Fraction(hi)
            assert lo == hi == m or r > 0
        else:
            assert lo == -np.inf and hi == np.inf
