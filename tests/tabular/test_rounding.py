"""The bounds of `_rounding` against balls: elementary functions; entropic rows at weights 1e-300 to 1e300."""

from __future__ import annotations

import math

import numpy as np
import pytest
from flint import arb, ctx

from tabular._jit import kernel
from tabular._kernels import rows
from tabular._rounding import EXP_ULP, LOG_ULP, F, U, gamma_n, kl_error, shannon_error, shannon_kl_error

WEIGHTS = [10.0**e for e in (-300, -150, -20, -8, -3, -1, 0, 1, 3, 8, 20, 150, 300)]


@pytest.fixture
def precision():
    """Sets the working precision of balls in bits, and restores it."""
    before = ctx.prec

    def use(bits):
        ctx.prec = bits

    yield use
    ctx.prec = before


def points(name):
    """10^5 points of the function's domain: log-spaced over all magnitudes, dense where it vanishes."""
    n = 50_000
    small, unit = 10.0 ** np.linspace(-300, 2.85, n // 2), np.linspace(-2, 2, n)
    if name in ("exp", "expm1"):
        return np.concatenate([small, -small, unit])
    above, below = 1 + 2.0 ** np.linspace(-52, 0, n // 2), 1 - 2.0 ** np.linspace(-53, -1, n // 2)
    large = 10.0 ** np.linspace(-307, 308, n)
    if name == "log":
        return np.concatenate([above, below, large])
    return np.concatenate([below - 1 - 2.0**-54, -below, large])


@kernel
def compiled_exp(x, out):
    for i in range(x.size):
        out[i] = math.exp(x[i])


@kernel
def compiled_expm1(x, out):
    for i in range(x.size):
        out[i] = math.expm1(x[i])


@kernel
def compiled_log(x, out):
    for i in range(x.size):
        out[i] = math.log(x[i])


@kernel
def compiled_log1p(x, out):
    for i in range(x.size):
        out[i] = math.log1p(x[i])


COMPILED = {"exp": compiled_exp, "expm1": compiled_expm1, "log": compiled_log, "log1p": compiled_log1p}


@pytest.mark.parametrize("name", list(COMPILED))
def test_elementary_functions_are_as_accurate_as_assumed(name, precision):
    """On 10^5 points: NumPy's vector loops, the C library's scalars, and what Numba compiles."""
    precision(160)
    x = points(name)
    x = x[x > -1] if name == "log1p" else x
    assert len(x) >= 99_000
    ours = np.empty_like(x)
    COMPILED[name](x, ours)
    with np.errstate(over="ignore", under="ignore"):
        values = {"numpy": getattr(np, name)(x), "kernel": ours}
    finite = np.isfinite(values["numpy"])
    x, values = x[finite], {k: v[finite] for k, v in values.items()}
    values["math"] = np.array([getattr(math, name)(t) for t in x.tolist()])
    truth = [getattr(arb(t), name)() for t in x.tolist()]
    for source, computed in values.items():
        spacing = np.spacing(np.abs(computed))
        worst = max(
            float((abs(arb(c) - t) / arb(s)).upper())
            for c, t, s in zip(computed.tolist(), truth, spacing.tolist(), strict=True)
        )
        assert worst <= (EXP_ULP if name.startswith("exp") else LOG_ULP), (source, worst)


def exact_rows(q, mask, tau, lam, ref):
    """Balls of the conjugate, log pi of the live actions, and log Z + l; the reference divided by its sum."""
    live = [a for a in range(len(q)) if mask[a] and (lam == 0 or ref[a] > 0)]
    w = arb(tau) + arb(lam)
    mass = sum((arb(ref[a]) for a in live), arb(0))
    top = arb(max(q[a] for a in live))
    x = [(arb(q[a]) - top) / w + (arb(lam) / w * (arb(ref[a]) / mass).log() if lam else 0) for a in live]
    log_total = sum((t.exp() for t in x), arb(0)).log()
    return top + w * log_total, live, [t - log_total for t in x], log_total


def cases():
    """Rows of 1, 2 and 7 actions: ordinary, tied, far apart, far from zero; some masked."""
    rng = np.random.default_rng(20)
    for n in (1, 2, 7):
        q = rng.normal(size=n)
        mask = np.ones(n, bool)
        yield q, mask
        yield np.zeros(n), mask
        yield q * 1e6 - 1e6, mask
        some = rng.random(n) < 0.7
        some[0] = True
        yield np.where(np.arange(n) % 2, q[0] + 1e-12 * q, q), some


def references(n):
    rng = np.random.default_rng(n)
    skew = 10.0 ** -np.linspace(0, 300, n)
    partial = np.where(np.arange(n) == n // 2, 0.0, 1.0) if n > 1 else np.ones(1)
    for ref in (np.ones(n), rng.dirichlet(np.ones(n)), skew, skew[::-1].copy(), partial):
        yield ref / ref.sum()


def check(q, mask, tau, lam, ref):
    """The conjugate within its proved bound; log pi and pi within the bound that the same analysis gives.

    log pi = log p + t - (log Z + l): the errors are (F + 3)u L + (n + 1)u of log p, at most 4u|t| of t, those
    of `kl_error` or `shannon_kl_error` divided by w for the last (with the spread replaced by w(1 + |l|), for
    no product with w is formed), and at most 3u of each summand for the additions. pi has that relative
    error, and F + 4 more for its own exp and quotient.
    """
    value, live, logs, log_total = exact_rows(q.tolist(), mask, tau, lam, ref.tolist())
    pi, log_pi = np.full(len(q), np.nan), np.full(len(q), np.nan)
    if lam == 0:
        got = rows.shannon_conjugate(q, mask, tau)
        rows.shannon_policy(q, mask, tau, pi, log_pi)
    else:
        got = rows.tilted_conjugate(q, mask, tau, lam, ref)
        rows.tilted_policy(q, mask, tau, lam, ref, pi, log_pi)
    n, w, spread = len(live), tau + lam, float(np.ptp(q[live]))
    if lam == 0:
        bound = shannon_error(n, tau, got)
    else:
        bound = shannon_kl_error(n, tau, lam, spread, got) if tau else kl_error(n, lam, spread, got)
    assert value.rad() <= arb(bound) * 2.0**-10, "the reference is too coarse to judge"
    assert abs(arb(got) - value) <= arb(bound), (tau, lam, q, ref)
    m = q[live].max()
    assert np.all(pi[[a for a in range(len(q)) if a not in live]] == 0)
    assert abs(pi.sum() - 1) <= gamma_n(2 * n + 2)
    for a, exact in zip(live, logs, strict=True):
        with np.errstate(over="ignore"):
            t, L = abs((q[a] - m) / w), -math.log(ref[a]) if lam else 0.0
        if t == math.inf:
            assert log_pi[a] == -math.inf and pi[a] == 0
            continue
        size = 1 + abs(float(log_total)) + math.log(n)  # |l| <= |log Z + l| + log Z
        last = shannon_error(n, 1.0, size) if lam == 0 else shannon_kl_error(n, tau / w, lam / w, size, size)
        error = U * ((F + 6) * L + n + 1 + 7 * t + 3 * size) + last
        assert abs(arb(log_pi[a]) - exact) <= arb(error), (tau, lam, q, ref, a)
        assert abs(arb(pi[a]) / exact.exp() - 1) <= arb(1.1 * error + (F + 4) * U) or pi[a] < 1e-290


@pytest.mark.parametrize("w", WEIGHTS, ids=lambda w: f"{w:.0e}")
def test_rows_within_their_bounds_at_every_weight(w, precision):
    precision(300 + 3 * abs(int(math.log2(w))) + 1100)
    for q, mask in cases():
        check(q, mask, w, 0.0, np.ones(len(q)))
        for ref in references(len(q)):
            if (ref[mask] > 0).any():
                check(q, mask, 0.0, w, ref)
                for share in (1e-12, 0.3, 1 - 1e-12):
                    check(q, mask, w * share, w * (1 - share), ref)


def test_the_bound_refuses_the_textbook_formula():
    """m + lam log sum ref exp((q - m)/lam) cancels terms of size lam u; the kernel tends to the mean."""
    q, ref, mask = np.array([0.3, -1.1, 2.2]), np.array([0.2, 0.5, 0.3]), np.ones(3, bool)
    mean = float(ref @ q)
    for lam in (1e10, 1e16, 1e300):
        naive = q.max() + lam * math.log(ref @ np.exp((q - q.max()) / lam))
        exact = rows.tilted_conjugate(q, mask, 0.0, lam, ref)
        assert abs(exact - mean) <= 4 / lam + kl_error(3, lam, 3.3, mean)  # variance/(2 lam) to second order
        assert abs(naive - mean) > 4 / lam + kl_error(3, lam, 3.3, mean)


def test_limits_of_the_weight():
    q, ref = np.array([0.3, 9.0, 2.0, 2.0]), np.array([0.5, 0.0, 0.25, 0.25])
    mask = ref > 0
    pi, log_pi = np.empty(4), np.empty(4)
    assert rows.shannon_conjugate(q, mask, 0.0) == rows.tilted_conjugate(q, mask, 0.0, 0.0, ref) == 2.0
    rows.tilted_policy(q, mask, 0.0, 0.0, ref, pi, log_pi)
    np.testing.assert_array_equal(pi, [0, 0, 1, 0])
    np.testing.assert_array_equal(log_pi, [-np.inf, -np.inf, 0, -np.inf])
    rows.tilted_policy(q, mask, 0.0, 1e300, ref, pi, log_pi)
    np.testing.assert_array_equal(pi, ref)
