r"""Regularisers: accuracy from weight 1e-12 to 1e12 and beyond, duality, convex programs, checks, and one of a
user's own.

Errors of ``NumpyOps`` are bounded as follows, in units of ``u = 2**-53``, with ``F = 8`` for exp and log and ``n``
actions. ``z = (x - max)/w`` has relative error 2u (3u with higher orders); a reference divided by its float sum has
``n + 1``; ``E`` is the mean under the maximiser.

* Shannon: ``log(1 + t)``, :math:`t = \sum e^z`: the terms are off by ``3|z| + F + n``, so the logarithm by ``3 E|z|
  + F + n`` and ``F`` of itself, where ``E|z| <= log n`` and ``log(1 + t) <= log n``: in all :math:`w(11 \log n + F
  + n) + |F^*|`, the last for the final sum; two roundings more of ``w log(1+t)``.
* KL: :math:`l = \log(1+t)`, :math:`t = \sum\mu(e^z - 1)`: ``t`` has relative error ``3 + F + (2n + 2)``, on which
  log1p has condition number at most 1.45 for ``t > -1/2``; else the mass is off by ``3 E|z| + F + 2n + 2`` with
  ``E|z| <= |l|`` and ``1 <= 1.45 |l|``. So ``l`` is off relatively by at most ``3 + 1.45 (2n + 5 + F) + F``, and
  ``w |l| <= spread``: in all :math:`(3n + 32)\,spread + |F^*|`. Nothing grows with ``w``.
* Both: as KL at :math:`x = Q - \tau\log\mu`, whose own error :math:`\tau |\log\mu| (F + 2) + \tau(n + 1) + 2|x|`
  enters once (1-Lipschitz).
* Policies, relatively, and their logarithms, absolutely: the error of ``z_a``, that of ``l`` or ``log(1+t)``, of
  :math:`\log\mu_a` and one rounding each.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
import pytest
from flint import arb

from tabular import MDP, Shannon
from tabular.errors import ModelError
from tabular.reference import BallOps, EnclosureOps, KernelOps, NumpyOps, RationalOps
from tabular.reference.numpy_ops import relative_entropy
from tabular.regularizers import KL, Hard, ShannonKL, checked, regularizer

U = 2.0**-53
ORDERS = [10.0**k for k in range(-12, 13, 3)]
S, A = 12, 4


def data(seed=0):
    """Rows of action values (ordinary, tied, far from zero, far apart), a mask, and references with tiny and zero entries."""
    rng = np.random.default_rng(seed)
    Q = rng.normal(size=(S, A))
    Q[:3, 1] = Q[:3, 0]
    Q[3] += 1e6
    Q[4] *= 1e6
    mask = rng.random((S, A)) < 0.8
    mask[:, 0] = True
    mu = rng.dirichlet(np.ones(A), S) * mask
    mu[5:7, 1] *= 1e-200
    mu[7:9, 1] = 0.0
    mu[:, 0] += 1e-3
    return np.where(mask, Q, 0.0), mask, mu / mu.sum(axis=-1, keepdims=True)


def exact(reg, Q, mask, precision=300):
    """Conjugate, policy and log policy as balls."""
    with BallOps(precision) as ops:
        q = ops.array(Q, 2)
        return reg.conjugate(ops, q, mask).data, reg.policy(ops, q, mask).data, reg.log_policy(ops, q, mask).data


def bounds(reg, Q, mask, truth):
    """The errors allowed by the module's docstring: of the conjugate (S,), and of log pi (S, A)."""
    f = reg._asdict()
    tau, lam, mu = f.get("tau", 0.0), f.get("lam", 0.0), f.get("reference")
    w = tau + lam
    allow = mask if mu is None else mask & (mu > 0)
    n = allow.sum(axis=-1)
    log_mu = np.zeros(Q.shape) if mu is None else np.log(np.where(allow, mu, 1.0))
    x = Q - (tau * log_mu if lam else 0.0)
    top = np.where(allow, x, -np.inf).max(axis=-1)
    spread = top - np.where(allow, x, np.inf).min(axis=-1)
    size = np.array([abs(float(v.mid())) for v in truth[0]])
    if mu is None:
        conjugate = U * (w * (13 * np.log(n) + 8 + n) + size)
        of_l = U * (13 * np.log(n) + 8 + n)
        own = np.zeros(Q.shape)
    else:
        own = U * (tau * (10 * np.abs(log_mu) + n[:, None] + 1) + 2 * np.abs(x)) * (tau > 0)
        most = np.where(allow, own, 0.0).max(axis=-1)
        conjugate = U * ((3 * n + 32) * spread + size) + most
        with np.errstate(over="ignore"):
            of_l = U * (3 * n + 32) * np.minimum(spread / w, -log_mu.min(axis=-1) + np.log(n)) + 2 * most / w
    with np.errstate(over="ignore"):
        z = np.abs(x - top[:, None]) / w
    log_pi = U * (5 * z + 2 * (8 + 3) * np.abs(log_mu) + n[:, None] + 20) + of_l[:, None] * 1.01 + own / w
    return conjugate * 1.01 + 1e-300, log_pi * 1.01


def regularizers(w, mu):
    yield Shannon(w)
    yield KL(w, mu)
    for share in (1e-9, 0.5, 1 - 1e-9):
        yield ShannonKL(w * share, w * (1 - share), mu)


@pytest.mark.parametrize("w", [*ORDERS, 1e-30, 1e30], ids=lambda w: f"{w:.0e}")
def test_numpy_within_its_bounds_at_every_weight(w):
    Q, mask, mu = data()
    ops = NumpyOps()
    q = ops.array(Q, 2)
    for reg in regularizers(w, mu):
        truth = exact(reg, Q, mask)
        conjugate, log_pi = bounds(reg, Q, mask, truth)
        got = [f(ops, q, mask).data for f in (reg.conjugate, reg.policy, reg.log_policy)]
        for s in range(S):
            assert abs(arb(float(got[0][s])) - truth[0][s]) <= float(conjugate[s]), (reg, s)
            for a in range(A):
                if not mask[s, a] or (not isinstance(reg, Shannon) and mu[s, a] == 0):
                    assert got[1][s, a] == 0 and got[2][s, a] == -np.inf
                    continue
                if np.isinf(got[2][s, a]):  # (Q - max)/w overflowed
                    assert truth[2][s, a] < -1e300
                    continue
                assert abs(arb(float(got[2][s, a])) - truth[2][s, a]) <= float(log_pi[s, a]), (reg, s, a)
                if truth[2][s, a] > -700 and log_pi[s, a] < 1:
                    relative = math.expm1(float(log_pi[s, a])) + 20 * U
                    assert abs(arb(float(got[1][s, a])) - truth[1][s, a]) <= truth[1][s, a] * relative, (reg, s, a)
        np.testing.assert_allclose(got[1].sum(axis=-1), 1.0, rtol=8 * U * A)


def test_the_bounds_refuse_the_textbook_formula():
    """``w log sum mu exp(x / w)`` loses everything at large ``w``: what the bound allows, it does not reach."""
    Q, mask, mu = data()
    for w in (1e9, 1e12):
        truth = exact(KL(w, mu), Q, mask)
        naive = w * np.log((mu * np.exp(Q / w)).sum(axis=-1))
        allowed = bounds(KL(w, mu), Q, mask, truth)[0]
        errors = np.array([float(abs(arb(float(x)) - t)) for x, t in zip(naive, truth[0], strict=True)])
        assert np.median(errors / allowed) > 1e3


def test_limits_of_the_weight():
    """To zero: the maximum and the first maximiser; to infinity: uniform, and the reference with its mean."""
    Q, mask, mu = data()
    ops = NumpyOps()
    q = ops.array(Q, 2)
    hard = Hard().conjugate(ops, q, mask).data, Hard().policy(ops, q, mask).data
    support = np.where(mask & (mu > 0), Q, -np.inf)
    for w in (0.0, 1e-300, 5e-324):
        np.testing.assert_array_equal(Shannon(w).conjugate(ops, q, mask).data, hard[0])
        np.testing.assert_array_equal(KL(w, mu).conjugate(ops, q, mask).data, support.max(axis=-1))
        alone = np.ones(S, dtype=bool) if w == 0 else (Q[:, :1] == Q[:, 1:2]).sum(axis=-1) == 0
        np.testing.assert_array_equal(Shannon(w).policy(ops, q, mask).data[alone], hard[1][alone])
    np.testing.assert_array_equal(Shannon(0.0).log_policy(ops, q, mask).data == 0, hard[1] == 1)
    uniform = mask / mask.sum(axis=-1, keepdims=True)
    for w in (1e25, 1e300):
        np.testing.assert_allclose(Shannon(w).policy(ops, q, mask).data, uniform, rtol=2.0**-50, atol=0)
        np.testing.assert_allclose(
            KL(w, mu).policy(ops, q, mask).data, mu / mu.sum(axis=-1, keepdims=True), rtol=2.0**-50, atol=0
        )
        mean = (mu * Q).sum(axis=-1)
        error = np.abs(KL(w, mu).conjugate(ops, q, mask).data - mean)
        assert np.all(error <= 50 * U * (np.ptp(Q, axis=-1) + np.abs(Q).max(axis=-1)) + np.ptp(Q, axis=-1) ** 2 / w)


@pytest.mark.parametrize("w", [1e-3, 1.0, 1e6, 1e12])
def test_values_at_large_weights_do_not_cancel(w):
    """``Omega`` of a maximiser: the error of ``lam D(pi, mu)`` is relative to the spread of Q, not to lam (enclosures prove it)."""
    Q, mask, mu = data()
    Q[3:5] = Q[5:7]
    numpy, sound = NumpyOps(), EnclosureOps()
    reg = KL(w, mu)
    pi = reg.policy(numpy, numpy.array(Q, 2), mask).data
    got = reg.value(numpy, numpy.array(pi, 2), mask).data
    low, high = sound.bounds(reg.value(sound, sound.distribution(pi), mask))
    spread = np.ptp(Q, axis=-1)
    assert np.all(high - low <= 1e3 * U * (spread + U * w))
    with BallOps(300) as balls:
        lo, hi = balls.bounds(reg.value(balls, balls.distribution(pi), mask))
    assert np.all((low <= lo) & (hi <= high))
    assert np.all(np.abs(got - lo) <= 1e3 * U * (spread + U * w) + np.spacing(lo))
    if w == 1e12:
        naive = w * np.where(pi > 0, pi * np.log(np.where(pi > 0, pi, 1.0) / np.where(pi > 0, mu, 1.0)), 0.0).sum(
            axis=-1
        )
        assert np.median(np.abs(naive - lo)) > 1e6 * U


def test_relative_entropy_of_plain_floats():
    mask = np.ones((1, 2), dtype=bool)
    d = lambda p, m: float(relative_entropy(np.array([p]), np.array([m]), mask)[0])  # noqa: E731
    assert d([0.5, 0.5], [0.5, 0.5]) == 0 and d([1.0, 0.0], [1.0, 0.0]) == 0
    assert d([1.0, 0.0], [0.0, 1.0]) == math.inf
    assert d([1.0, 0.0], [0.25, 0.75]) == pytest.approx(math.log(4), rel=1e-15)
    assert d([1e-300, 1.0], [1.0, 1e-300]) == pytest.approx(300 * math.log(10), rel=1e-14)


def young(ops, reg, pi, Q, mask):
    return reg.value(ops, pi, mask) + reg.conjugate(ops, Q, mask) - ops.dot(pi, Q)


@pytest.mark.parametrize("w", [1e-2, 1.0, 1e4])
def test_fenchel_and_young(w):
    """Equality at the maximiser; elsewhere ``Omega(pi) + Omega*(Q) > <pi, Q>``; proved by enclosures and balls."""
    Q, mask, mu = data()
    Q[3:5] = Q[5:7]
    rng = np.random.default_rng(4)
    other = rng.dirichlet(np.ones(A), S) * (mask & (mu > 0))
    for reg in regularizers(w, mu):
        with BallOps(300) as balls:
            for ops in (EnclosureOps(), balls):
                q = ops.array(Q, 2)
                best = reg.policy(ops, q, mask)
                low, high = ops.bounds(young(ops, reg, best, q, mask))
                assert np.all((low <= 0) & (high >= 0))
                assert np.all(high - low <= (1e-10 if ops is not balls else 1e-60) * (1 + w))
                low, _ = ops.bounds(young(ops, reg, ops.distribution(other), q, mask))
                single = (mask & (mu > 0)).sum(axis=-1) == 1
                assert np.all((low > 0) | single | (np.abs(other - ops.midpoint(best)).max(axis=-1) < 1e-3))
                assert (low > 0).sum() >= S // 2


@pytest.mark.parametrize("w", [1e-2, 1.0, 1e3])
def test_the_gradient_of_the_conjugate_is_the_policy(w):
    """Central differences in balls: their error is at most h^2/w^2, third derivatives being cumulants of order three over w^2."""
    Q, mask, mu = data()
    h = Fraction(1, 2**100)
    for reg in regularizers(w, mu):
        with BallOps(600) as ops:
            q = ops.array(Q, 2)
            pi = ops.midpoint(reg.policy(ops, q, mask))
            for a in range(A):
                step = ops.array(np.array([[h if b == a else 0 for b in range(A)]] * S, dtype=object), 2)
                slope = (reg.conjugate(ops, q + step, mask) - reg.conjugate(ops, q - step, mask)) / (2 * h)
                np.testing.assert_allclose(
                    ops.midpoint(slope), np.where(mask, pi[:, a : a + 1], 0)[:, 0], rtol=0, atol=1e-15
                )


@pytest.mark.parametrize("w", [0.1, 1.0, 5.0])
def test_convex_programs_agree(w):
    """Clarabel maximises ``<pi, Q> - Omega(pi)`` over exponential cones to a duality gap and infeasibility of 1e-10.

    Its policy, put on the simplex, is feasible, so its objective is at most our conjugate, up to rounding; and the gap
    says how far below.
    ``Omega`` being w-strongly convex in the 1-norm (Pinsker), policies then differ by at most sqrt(2 gap / w).
    """
    import cvxpy as cp

    rng = np.random.default_rng(int(10 * w))
    Q, mu = rng.normal(size=(1, 5)), rng.dirichlet(np.ones(5), 1)
    mask = np.array([[True, True, True, False, True]])
    mu = mu * mask / (mu * mask).sum()
    live, ops = mask[0], NumpyOps()
    for reg in (Shannon(w), KL(w, mu), ShannonKL(w / 3, w, mu)):
        f = reg._asdict()
        p = cp.Variable(int(live.sum()))
        objective = (
            p @ Q[0, live]
            + f.get("tau", 0.0) * cp.sum(cp.entr(p))
            - f.get("lam", 0.0) * cp.sum(cp.kl_div(p, mu[0, live]))
        )
        problem = cp.Problem(cp.Maximize(objective), [cp.sum(p) == 1])
        problem.solve(solver=cp.CLARABEL, tol_gap_abs=1e-10, tol_gap_rel=1e-10, tol_feas=1e-10)
        assert problem.status == cp.OPTIMAL
        pi = np.zeros((1, 5))
        pi[0, live] = np.maximum(p.value, 0) / np.maximum(p.value, 0).sum()
        conjugate = float(reg.conjugate(ops, ops.array(Q, 2), mask).data[0])
        reached = float((pi * Q).sum() - reg.value(ops, ops.array(pi, 2), mask).data[0])
        assert -1e-14 * (1 + w) <= conjugate - reached <= 1e-8
        assert abs(conjugate - problem.value) <= 1e-8 * (1 + w)
        assert np.abs(reg.policy(ops, ops.array(Q, 2), mask).data - pi).sum() <= math.sqrt(2 * 1e-8 / w)


MASK = np.array([[True, True], [True, False]])


@pytest.mark.parametrize(
    "reg, error, message",
    [
        (Shannon(-0.5), ModelError, r"tau is -0\.5"),
        (Shannon(math.nan), ModelError, "tau is nan: not a finite"),
        (Shannon(math.inf), ModelError, "tau is inf"),
        (Shannon(10**400), ModelError, "tau is beyond"),
        (Shannon("1"), TypeError, "tau is '1'"),
        (Shannon(True), TypeError, "tau is True"),
        (Shannon(np.ones(2)), TypeError, "tau has type ndarray"),
        (KL(-1, np.ones((2, 2)) / 2), ModelError, "lam is -1"),
        (ShannonKL(1, math.inf, np.ones((2, 2)) / 2), ModelError, "lam is inf"),
        (KL(1, np.ones(2)), ModelError, r"reference has shape \(2,\): expected \(2, 2\)"),
        (KL(1, [[0.5, 0.5], [0.5, 0.5]]), ModelError, r"reference\[1, 1\] is 0\.5, but the action is unavailable"),
        (KL(1, [[0.5, 0.4], [1, 0]]), ModelError, r"reference\[0\] sums to 0\.9"),
        (KL(1, [[1.5, -0.5], [1, 0]]), ModelError, r"reference\[0, 1\] is -0\.5"),
        (KL(1, [[math.nan, 0.5], [1, 0]]), ModelError, r"reference\[0, 0\] is nan"),
        (KL(1, [[0.5, 0.5], [0, 0]]), ModelError, r"reference\[1\] sums to 0"),
        (KL(1, [[0.5, 0.5], [1]]), ModelError, "reference is ragged"),
        (KL(1, "half"), TypeError, "reference has dtype"),
        (Shannon, TypeError, "no regularizer"),
        (0.1, TypeError, "no regularizer"),
        ("shannon", TypeError, "no regularizer"),
    ],
)
def test_bad_parameters_are_named(reg, error, message):
    with pytest.raises(error, match=message):
        checked(reg, MASK)


def test_checked_drops_what_has_no_weight():
    mu = np.array([[0.5, 0.5], [1.0, 0.0]])
    assert checked(None, MASK) == Hard() and checked(Shannon(0), MASK) == Hard()
    assert isinstance(checked(KL(0, mu), MASK), Hard)
    assert checked(ShannonKL(2, 0, mu), MASK) == Shannon(2.0)
    both = checked(ShannonKL(0, Fraction(1, 2), mu.tolist()), MASK)
    assert isinstance(both, KL) and both.lam == 0.5 and not both.reference.flags.writeable
    mu[0, 0] = 9.0
    assert both.reference[0, 0] == 0.5


@regularizer
class EpsilonGreedy(NamedTuple):
    """Policies that give each available action at least ``epsilon / A(s)``; a value for those alone."""

    epsilon: Any

    def conjugate(self, ops, Q, mask):
        epsilon = ops.constant(self.epsilon)
        return (1 - epsilon) * ops.max(Q, where=mask) + epsilon * ops.dot(ops.distribution(mask.astype(int)), Q)

    def policy(self, ops, Q, mask):
        epsilon = ops.constant(self.epsilon)
        return (1 - epsilon) * ops.first_max(Q, where=mask) + epsilon * ops.distribution(mask.astype(int))

    def value(self, ops, pi, mask):
        return ops.sum(pi * 0)


@regularizer
class Advice(NamedTuple):
    """Shannon's entropy, and a bonus for taking advice: ``tau sum pi log pi - <pi, bonus>``."""

    tau: Any
    bonus: Any

    def conjugate(self, ops, Q, mask):
        return ops.free_energy(Q + ops.array(self.bonus, 2), self.tau, where=mask)

    def policy(self, ops, Q, mask):
        return ops.gibbs(Q + ops.array(self.bonus, 2), self.tau, where=mask)

    def value(self, ops, pi, mask):
        return ops.constant(self.tau) * ops.sum(ops.xlogx(pi)) - ops.dot(pi, ops.array(self.bonus, 2))


def a_model():
    rng = np.random.default_rng(11)
    P = rng.dirichlet(np.ones(4), (4, 3))
    R = rng.integers(-8, 9, (4, 3)) / 8.0
    R[2, 1] = -np.inf
    return MDP(P, R, 0.75)


def test_a_regularizer_of_ones_own_in_every_arithmetic():
    """Its conjugate and maximiser suffice; with a value it is a bonus on the rewards, which says what must come out."""
    mdp = a_model()
    bonus = np.linspace(-1, 1, 12).reshape(4, 3) * mdp.mask
    shifted = MDP(mdp.P, np.where(mdp.mask, mdp.rewards + bonus, -np.inf), mdp.gamma)
    V = np.array([0.0, 1.0, -2.0, 0.5])
    for made in (NumpyOps, KernelOps, EnclosureOps, lambda: BallOps(200)):
        ops = made()
        m, n = ops.model(mdp), ops.model(shifted)
        v, pi = ops.array(V, 1), ops.distribution(mdp.mask.astype(int))
        mine, plain = Advice(0.5, bonus), Shannon(0.5)
        for one, two in (
            (ops.backup(m, v, mine), ops.backup(n, v, plain)),
            (ops.evaluate(m, pi, mine), ops.evaluate(n, pi, plain)),
            (ops.optimal_value(m, mine), ops.optimal_value(n, plain)),
            (ops.policy_backup(m, pi, v, mine), ops.policy_backup(n, pi, v, plain)),
        ):
            np.testing.assert_allclose(ops.midpoint(one), ops.midpoint(two), rtol=1e-13)
            if not isinstance(ops, NumpyOps):
                a, b = ops.bounds(one), ops.bounds(two)
                assert np.all(a[1] - a[0] < 1e-11) and np.all(np.maximum(a[0], b[0]) <= np.minimum(a[1], b[1]) + 1e-14)


def test_an_epsilon_greedy_optimum_is_rational():
    mdp, reg = a_model(), EpsilonGreedy(Fraction(1, 8))
    exact = RationalOps()
    m = exact.model(mdp)
    V = exact.optimal_value(m, reg)
    assert exact.fractions(exact.backup(m, V, reg)).tolist() == exact.fractions(V).tolist()
    pi = reg.policy(exact, exact.q_backup(m, V), m.mask)
    assert exact.fractions(exact.evaluate(m, pi, reg)).tolist() == exact.fractions(V).tolist()
    values = exact.fractions(V)
    sound = EnclosureOps()
    low, high = sound.bounds(sound.optimal_value(sound.model(mdp), reg))
    assert all(Fraction(lo) <= v <= Fraction(hi) for v, lo, hi in zip(values, low.tolist(), high.tolist(), strict=True))
    with BallOps(256) as balls:
        W = balls.optimal_value(balls.model(mdp), reg)
        assert all(w.contains(balls._number(v)) for v, w in zip(values, W.data, strict=True))
        assert balls.radius(W) < 1e-60
    assert checked(reg, mdp.mask) is reg


def test_what_the_decorator_adds_and_refuses():
    class Minimal(NamedTuple):
        tau: float

        def conjugate(self, ops, Q, mask):
            return ops.free_energy(Q, self.tau, where=mask)

        def policy(self, ops, Q, mask):
            return ops.gibbs(Q, self.tau, where=mask)

    ops, (Q, mask, _) = NumpyOps(), data()
    q = ops.array(Q, 2)
    with pytest.raises(TypeError, match="no regularizer"):
        checked(Minimal(1.0), mask)
    assert regularizer(Minimal) is Minimal
    reg = Minimal(1.0)
    assert checked(reg, mask) is reg
    np.testing.assert_allclose(
        reg.log_policy(ops, q, mask).data[:3], Shannon(1.0).log_policy(ops, q, mask).data[:3], rtol=1e-12, atol=1e-15
    )
    with pytest.raises(NotImplementedError, match="Minimal has no method value"):
        reg.value(ops, q, mask)
    with pytest.raises(TypeError, match="no NamedTuple"):
        regularizer(object)
    with pytest.raises(TypeError, match="no method policy"):
        regularizer(_half())


def _half():
    class Half(NamedTuple):
        tau: float

        def conjugate(self, ops, Q, mask):
            return ops.max(Q)

    return Half
