"""Kernels against plain NumPy twins, against each other, and on one and two threads.

Kernel and twin compute the same sums in another order, so each is within `gamma_n` of the exact value times
the sum of absolute terms, where n counts the roundings on the longest path; no other tolerance is used.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from numba.core.errors import TypingError

from tabular._jit import threads
from tabular._kernels import batched, dense, entropic, sparse
from tabular._rounding import gamma_n
from tabular.regularizers import KL, Hard, Shannon, ShannonKL

GAMMA = 0.97


# Twins: the formulas.


def q_twin(P, R, mask, gamma, V):
    return np.where(mask, R + gamma * P @ V, -np.inf)


def policy_twin(P, R, pi):
    return np.einsum("sa,sat->st", pi, P), (pi * R).sum(1)


def sweep_twin(P, R, gamma, pi, V):
    P_pi, r_pi = policy_twin(P, R, pi)
    return r_pi + gamma * P_pi @ V


def occupancy_twin(P, pi, rho, gamma, mu):
    return rho + gamma * mu @ policy_twin(P, np.zeros_like(pi), pi)[0]


def conjugate_twin(reg, Q):
    """w log sum ref^(lam/w) exp(Q/w), as printed."""
    if isinstance(reg, Hard):
        return Q.max(1)
    tau, lam = np.reshape(getattr(reg, "tau", 0.0), (-1, 1)), getattr(reg, "lam", 0.0)
    w, ref = tau + lam, getattr(reg, "reference", np.ones_like(Q))
    return w[:, 0] * np.log((ref ** (lam / w) * np.exp(Q / w)).sum(1))


# Models.


class Model(NamedTuple):
    P: np.ndarray
    R: np.ndarray
    mask: np.ndarray
    V: np.ndarray
    pi: np.ndarray
    rho: np.ndarray

    @property
    def csr(self):
        rows = self.P.reshape(-1, self.P.shape[-1])
        at = np.nonzero(rows)
        indptr = np.searchsorted(at[0], np.arange(len(rows) + 1)).astype(np.int64)
        return indptr, at[1].astype(np.int32), rows[at]


def model(S, A, seed=0):
    """Sparse rows, rows that end, masked actions (zero data there, as inside MDP), a policy with zeros."""
    rng = np.random.default_rng([S, A, seed])
    P = rng.dirichlet(np.full(S, 0.3), size=(S, A)) * (rng.random((S, A, S)) < 0.7)
    mask = rng.random((S, A)) < 0.7
    mask[np.arange(S), rng.integers(A, size=S)] = True
    P[~mask] = 0.0
    R = np.where(mask, rng.normal(size=(S, A)), 0.0)
    pi = np.where(mask, rng.dirichlet(np.ones(A), size=S), 0.0)
    pi /= pi.sum(1, keepdims=True)
    pi[0] = np.arange(A) == mask[0].argmax()
    return Model(P, R, mask, rng.normal(size=S) * 5, pi, rng.dirichlet(np.ones(S)))


def batch(S, A, B=3):
    return Model(*(np.stack(x) for x in zip(*(model(S, A, seed) for seed in range(B)), strict=True)))


def same(x, y, size, roundings):
    """Both within gamma_n of the exact value, for a sum of `size` in absolute terms; infinities alike."""
    assert x.dtype == y.dtype and x.shape == y.shape
    finite = np.isfinite(y)
    np.testing.assert_array_equal(x[~finite], y[~finite])
    gap = np.abs(x[finite] - y[finite])
    allowed = 2 * gamma_n(roundings) * np.broadcast_to(size, y.shape)[finite]
    assert np.all(gap <= allowed), (gap / allowed).max()


SIZES = [(1, 1), (1, 4), (5, 1), (7, 3), (1100, 1)]  # the last one spans two blocks of `occupancy_step`
sizes = pytest.mark.parametrize(("S", "A"), SIZES)


def parts(m, kind):
    return m.csr if kind is sparse else (m.P,)


@sizes
@pytest.mark.parametrize("kind", [dense, sparse], ids=["dense", "sparse"])
def test_hard_backup(kind, S, A):
    m = model(S, A)
    size = np.abs(m.R) + GAMMA * m.P @ np.abs(m.V)
    Q, Q2, out, argmax = np.empty((S, A)), np.empty((S, A)), np.empty(S), np.empty(S, np.int32)
    kind.q_backup(*parts(m, kind), m.R, m.mask, GAMMA, m.V, Q)
    same(Q, q_twin(m.P, m.R, m.mask, GAMMA, m.V), size, S + 2)
    low, high = kind.backup_max(*parts(m, kind), m.R, m.mask, GAMMA, m.V, Q2, out, argmax)
    same(Q2, Q, size, S + 2)
    np.testing.assert_array_equal(out, Q2.max(1))
    np.testing.assert_array_equal(argmax, Q2.argmax(1))
    assert (low, high) == ((out - m.V).min(), (out - m.V).max())


@sizes
@pytest.mark.parametrize("kind", [dense, sparse], ids=["dense", "sparse"])
def test_policy_kernels(kind, S, A):
    m = model(S, A)
    out, visits = np.empty(S), np.empty(S)
    low, high = kind.evaluate_sweep(*parts(m, kind), m.R, GAMMA, m.pi, m.V, out)
    size = sweep_twin(m.P, np.abs(m.R), GAMMA, m.pi, np.abs(m.V))
    same(out, sweep_twin(m.P, m.R, GAMMA, m.pi, m.V), size, S + A + 4)
    assert (low, high) == ((out - m.V).min(), (out - m.V).max())
    kind.occupancy_step(*parts(m, kind), m.pi, m.rho, GAMMA, m.rho, visits)
    expected = occupancy_twin(m.P, m.pi, m.rho, GAMMA, m.rho)
    same(visits, expected, expected, S * A + 5)


@sizes
def test_assembled_policies(S, A):
    m = model(S, A)
    P_pi, r_pi, r_sparse = np.full((S, S), np.nan), np.empty(S), np.empty(S)
    dense.assemble_policy(m.P, m.R, m.pi, P_pi, r_pi)
    expected = policy_twin(m.P, m.R, m.pi)
    same(P_pi, expected[0], expected[0], A + 1)
    same(r_pi, expected[1], (m.pi * np.abs(m.R)).sum(1), A + 1)
    indptr, indices, data = np.empty(S + 1, np.int64), *map(np.empty_like, m.csr[1:])
    scratch = np.zeros(S)
    n = sparse.assemble_policy(*m.csr, m.R, m.pi, scratch, indptr, indices, data, r_sparse)
    assert n == indptr[-1] == np.count_nonzero(P_pi)
    assert not scratch.any()
    filled = np.zeros((S, S))
    for s in range(S):
        columns = indices[indptr[s] : indptr[s + 1]]
        assert np.all(np.diff(columns) > 0)
        filled[s, columns] = data[indptr[s] : indptr[s + 1]]
    same(filled, P_pi, P_pi, A + 1)
    same(r_sparse, r_pi, (m.pi * np.abs(m.R)).sum(1), A + 1)


@sizes
def test_batches_are_their_instances(S, A):
    m = batch(S, A)
    B, gamma = len(m.R), np.array([0.0, 0.9, 1.0])
    Q, out, argmax = np.empty(m.R.shape), np.empty(m.V.shape), np.empty(m.V.shape, np.int32)
    low, high, sweep, visits, r = np.empty(B), np.empty(B), *(np.empty(m.V.shape) for _ in range(3))
    P_pi = np.empty((B, S, S))
    batched.q_backup(m.P, m.R, m.mask, gamma, m.V, Q)
    size = np.abs(m.R) + gamma[:, None, None] * np.einsum("bsat,bt->bsa", m.P, np.abs(m.V))
    same(Q, np.stack([q_twin(m.P[b], m.R[b], m.mask[b], gamma[b], m.V[b]) for b in range(B)]), size, S + 2)
    batched.backup_max(m.P, m.R, m.mask, gamma, m.V, Q, out, argmax, low, high)
    np.testing.assert_array_equal(out, Q.max(2))
    np.testing.assert_array_equal(argmax, Q.argmax(2))
    np.testing.assert_array_equal(np.stack([low, high]), [(out - m.V).min(1), (out - m.V).max(1)])
    batched.evaluate_sweep(m.P, m.R, gamma, m.pi, m.V, sweep, low, high)
    np.testing.assert_array_equal(np.stack([low, high]), [(sweep - m.V).min(1), (sweep - m.V).max(1)])
    batched.occupancy_step(m.P, m.pi, m.rho, gamma, m.rho, visits)
    batched.assemble_policy(m.P, m.R, m.pi, P_pi, r)
    for b in range(B):
        one = Model(*(x[b] for x in m))
        size = sweep_twin(one.P, np.abs(one.R), gamma[b], one.pi, np.abs(one.V))
        same(sweep[b], sweep_twin(one.P, one.R, gamma[b], one.pi, one.V), size, S + A + 4)
        expected = occupancy_twin(one.P, one.pi, one.rho, gamma[b], one.rho)
        same(visits[b], expected, expected, S * A + 5)
        expected = policy_twin(one.P, one.R, one.pi)
        same(P_pi[b], expected[0], expected[0], A + 1)
        same(r[b], expected[1], (one.pi * np.abs(one.R)).sum(1), A + 1)


@pytest.mark.parametrize(("S", "A"), [(1, 1), (7, 3), (40, 2)])
def test_batched_evaluation_is_backward_stable(S, A):
    """The residual of elimination is at most gamma_3n |L||U||x| (Higham 2002, Theorem 9.4).

    |L||U| = |M U^-1||U| <= |M| |U^-1||U|, and U inherits row diagonal dominance, so the largest row sum
    of |U^-1||U| is at most 2n - 1 (Lemma 8.8 there).
    """
    m, gamma = batch(S, A), np.array([0.0, 0.9, 0.999])
    work, V = np.empty((3, S, S)), np.empty(m.V.shape)
    batched.evaluate(m.P, m.R, gamma, m.pi, work, V)
    for b in range(3):
        P_pi, r_pi = policy_twin(m.P[b], m.R[b], m.pi[b])
        M = np.eye(S) - gamma[b] * P_pi
        norm = np.abs(M).sum(1).max()
        size = norm * np.abs(V[b]).max()
        assembly = gamma_n(2 * A + S + 6) * (size + np.abs(m.R[b]).max())  # of M, r_pi and this residual
        assert np.abs(r_pi - M @ V[b]).max() <= gamma_n(3 * S) * (2 * S - 1) * size + assembly


def regularizers(m):
    S, A = m.R.shape
    ref = np.where(m.mask, np.random.default_rng(7).dirichlet(np.ones(A), size=S), 0.0)
    ref /= ref.sum(1, keepdims=True)
    return [Hard(), Shannon(0.5), KL(0.7, ref), ShannonKL(0.5, 0.25, ref), Shannon(np.linspace(0.4, 2, S))]


@sizes
def test_soft_backups(S, A):
    """Against the printed formula, in which e^x with |x| <= 60 has relative error 60 u and its own."""
    m = model(S, A)
    size = np.abs(m.R) + GAMMA * m.P @ np.abs(m.V)
    for reg in regularizers(m):
        Q, out, sparse_out = np.empty((S, A)), np.empty(S), np.empty(S)
        low, high = entropic.soft_backup_dense(m.P, m.R, m.mask, GAMMA, reg, m.V, Q, out)
        same(Q, q_twin(m.P, m.R, m.mask, GAMMA, m.V), size, S + 2)
        assert (low, high) == ((out - m.V).min(), (out - m.V).max())
        again, pi, log_pi = np.empty(S), np.empty((S, A)), np.empty((S, A))
        entropic.conjugate(reg, Q, m.mask, again)
        scale = size.max(1) + 2.0 * (1 + np.log(A))
        assert np.abs(Q[m.mask]).max() / 0.4 <= 60
        same(again, conjugate_twin(reg, Q), scale, 3 * A + 100)
        same(out, again, scale, S + 3 * A + 100)
        entropic.soft_backup_sparse(*m.csr, m.R, m.mask, GAMMA, reg, m.V, Q, sparse_out)
        same(sparse_out, out, scale, S + 3 * A + 100)
        entropic.policy(reg, Q, m.mask, pi, log_pi)
        same(pi.sum(1), np.ones(S), np.ones(S), A + 2)
        same(np.exp(log_pi), pi, 60.0 * pi + 1e-300, 3 * A + 100)
        assert not pi[~m.mask].any() and np.all(log_pi[~m.mask] == -np.inf)
        if not isinstance(reg, Hard):
            attained = pi * (np.where(pi > 0, Q, 0.0) - penalty(reg, pi, log_pi))
            same(attained.sum(1), again, 60 * scale, 3 * A + 100)  # Omega*(Q) = <pi, Q> - Omega(pi)


def penalty(reg, pi, log_pi):
    """tau log pi + lam log(pi/ref), the terms of Omega, 0 where pi is."""
    tau, lam = np.reshape(getattr(reg, "tau", 0.0), (-1, 1)), getattr(reg, "lam", 0.0)
    log_ref = np.log(np.where(pi > 0, getattr(reg, "reference", pi), 1.0))
    log_pi = np.where(pi > 0, log_pi, 0.0)
    return tau * log_pi + lam * (log_pi - log_ref)


def test_soft_batches_with_shared_and_own_parameters():
    S, A, B = 6, 3, 3
    m, gamma = batch(S, A), np.array([0.5, 0.9, 1.0])
    first = Model(*(x[0] for x in m))
    m = m._replace(mask=np.broadcast_to(first.mask, m.mask.shape).copy())
    shared = regularizers(first)[3]
    own = ShannonKL(np.repeat([0.3, 0.6, 0.9], S), 0.25, np.concatenate([shared.reference] * B))
    for reg, stride in ((shared, 0), (own, S)):
        Q, out, low, high = np.empty(m.R.shape), np.empty(m.V.shape), np.empty(B), np.empty(B)
        pi, log_pi = np.empty(m.R.shape), np.empty(m.R.shape)
        entropic.soft_backup_batched(m.P, m.R, m.mask, gamma, reg, stride, m.V, Q, out, low, high)
        entropic.policy_batched(reg, stride, Q, m.mask, pi, log_pi)
        for b in range(B):
            alone = reg if stride == 0 else shared._replace(tau=own.tau[b * S])
            q, v, p, lp = np.empty((S, A)), np.empty(S), np.empty((S, A)), np.empty((S, A))
            entropic.soft_backup_dense(m.P[b], m.R[b], m.mask[b], gamma[b], alone, m.V[b], q, v)
            same(out[b], v, np.abs(v) + np.abs(q[first.mask]).max() + 2, S + 3 * A + 100)
            assert (low[b], high[b]) == ((out[b] - m.V[b]).min(), (out[b] - m.V[b]).max())
            entropic.policy(alone, Q[b], m.mask[b], p, lp)
            same(pi[b], p, 60 * p, 3 * A + 100)


@pytest.mark.parametrize("count", [1, 2])
def test_threads_do_not_change_bits(count):
    S, A = 1100, 2
    m, many, gamma = model(S, A), batch(30, 3), np.array([0.5, 0.9, 1.0])
    reg = regularizers(m)[3]

    def run(suffix):
        def f(module, name):
            return getattr(module, name + suffix)

        out = {k: np.empty(S) for k in ("v", "e", "mu", "r", "soft", "soft_sparse", "c")}
        out |= {k: np.empty((S, A)) for k in ("Q", "Qs", "pi", "log_pi")} | {"P_pi": np.empty((S, S))}
        argmax = np.empty(S, np.int32)
        for kind, Q in ((dense, out["Q"]), (sparse, out["Qs"])):
            f(kind, "q_backup")(*parts(m, kind), m.R, m.mask, GAMMA, m.V, Q)
            f(kind, "backup_max")(*parts(m, kind), m.R, m.mask, GAMMA, m.V, Q, out["v"], argmax)
            f(kind, "evaluate_sweep")(*parts(m, kind), m.R, GAMMA, m.pi, m.V, out["e"])
        f(dense, "assemble_policy")(m.P, m.R, m.pi, out["P_pi"], out["r"])
        f(dense, "occupancy_step")(m.P, m.pi, m.rho, GAMMA, m.rho, out["mu"])
        f(entropic, "soft_backup_dense")(m.P, m.R, m.mask, GAMMA, reg, m.V, out["Q"], out["soft"])
        f(entropic, "soft_backup_sparse")(*m.csr, m.R, m.mask, GAMMA, reg, m.V, out["Qs"], out["soft_sparse"])
        f(entropic, "conjugate")(reg, out["Q"], m.mask, out["c"])
        f(entropic, "policy")(reg, out["Q"], m.mask, out["pi"], out["log_pi"])
        for k in ("bv", "be", "bmu", "br", "bx", "bsoft"):
            out[k] = np.empty(many.V.shape)
        out |= {"bQ": np.empty(many.R.shape), "bP": np.empty((3, 30, 30)), "bw": np.empty((3, 30, 30))}
        out |= {k: np.empty(many.R.shape) for k in ("bpi", "blog")}
        out |= {k: np.empty(3) for k in ("low", "high")}
        ends, b_argmax = (out["low"], out["high"]), np.empty(many.V.shape, np.int32)
        data = (many.P, many.R, many.mask, gamma)
        f(batched, "q_backup")(*data, many.V, out["bQ"])
        f(batched, "backup_max")(*data, many.V, out["bQ"], out["bv"], b_argmax, *ends)
        f(batched, "evaluate_sweep")(many.P, many.R, gamma, many.pi, many.V, out["be"], *ends)
        f(batched, "assemble_policy")(many.P, many.R, many.pi, out["bP"], out["br"])
        f(batched, "occupancy_step")(many.P, many.pi, many.rho, gamma, many.rho, out["bmu"])
        f(batched, "evaluate")(many.P, many.R, 0.9 * gamma, many.pi, out["bw"], out["bx"])
        soft = (Shannon(0.5), 0, many.V, out["bQ"], out["bsoft"], *ends)
        f(entropic, "soft_backup_batched")(*data, *soft)
        f(entropic, "policy_batched")(Shannon(0.5), 0, out["bQ"], many.mask, out["bpi"], out["blog"])
        return out | {"argmax": argmax, "b_argmax": b_argmax}

    serial = run("")
    with threads(count):
        parallel = run("_parallel")
    for name, values in serial.items():
        assert values.tobytes() == parallel[name].tobytes(), name


def test_what_is_undefined_shows():
    m = model(4, 3)
    Q, out, argmax = np.empty((4, 3)), np.empty(4), np.empty(4, np.int32)
    m.V[1] = np.nan
    ends = dense.backup_max(np.full((4, 3, 4), 0.25), m.R, m.mask, GAMMA, m.V, Q, out, argmax)
    assert np.isnan(ends).all() and np.isnan(out).all()
    none = np.zeros((4, 3), bool)
    dense.backup_max(m.P, m.R, none, GAMMA, m.rho, Q, out, argmax)
    assert np.all(out == -np.inf) and np.all(argmax == -1)


def test_a_regulariser_of_ones_own():
    class Mine(NamedTuple):
        tau: float

    def value(reg, q, mask, i):
        total = 0.0
        for a in range(q.size):
            if mask[a]:
                total += np.exp(q[a] / reg.tau)
        return reg.tau * np.log(total)

    def maximiser(reg, q, mask, i, pi, log_pi):
        v = value_kernel(reg, q, mask, i)
        for a in range(q.size):
            log_pi[a] = (q[a] - v) / reg.tau if mask[a] else -np.inf
            pi[a] = np.exp(log_pi[a])

    from tabular._jit import kernel

    value_kernel = kernel(value)
    m, Q = model(5, 3), np.empty((5, 3))
    with pytest.raises(TypingError, match="register_rows"):
        entropic.conjugate(Mine(0.5), m.R, m.mask, np.empty(5))
    entropic.register_rows(Mine, value_kernel, maximiser)
    out, theirs, pi, log_pi = np.empty(5), np.empty(5), np.empty((5, 3)), np.empty((5, 3))
    entropic.soft_backup_dense(m.P, m.R, m.mask, GAMMA, Mine(0.5), m.V, Q, out)
    entropic.conjugate(Shannon(0.5), Q, m.mask, theirs)
    same(out, theirs, np.abs(theirs) + np.abs(Q[m.mask]).max() + 1, 200)
    entropic.policy(Mine(0.5), Q, m.mask, pi, log_pi)
    same(pi.sum(1), np.ones(5), np.ones(5), 200)
    with pytest.raises(ValueError, match="already"):
        entropic.register_rows(Mine, value, maximiser)
    with pytest.raises(TypeError, match="NamedTuple"):
        entropic.register_rows(dict, value, maximiser)
