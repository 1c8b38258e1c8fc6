# mypy: allow-untyped-defs
"""Regularised backups, for any regulariser: its class settles at compile time which row functions they call.

A regulariser is a NamedTuple whose fields are floats or float arrays. `register_rows` adds a class. In the
built-in ones a weight may also be an array with one entry per row, and `reference` has one row of actions per
row.
"""

from typing import NamedTuple

import numpy as np
from numba import prange
from numba.core import types
from numba.core.errors import TypingError
from numba.extending import overload

from tabular._jit import kernel, rests_on
from tabular._kernels import dense, rows, sparse, tsallis
from tabular.regularizers import KL, Hard, Shannon, ShannonKL, Tsallis, TsallisKL


class Rows(NamedTuple):
    """The compiled row functions of a class of regularisers."""

    conjugate: object  # (reg, q, mask, i) -> float
    policy: object  # (reg, q, mask, i, pi, log_pi) -> None, filling pi and log_pi


_registered: dict[type, Rows] = {}


def register_rows(cls, conjugate, policy):
    """Let every kernel here take regularisers of class `cls`, a NamedTuple of floats and float arrays.

    `conjugate(reg, q, mask, i)` returns the conjugate of row i at the action values q (A,), over the actions
    where mask (A,) is true; q is -inf elsewhere. `policy(reg, q, mask, i, pi, log_pi)` fills the maximiser
    and its logarithm, 0 and -inf where it puts nothing. Both are Python functions that Numba can compile, or
    kernels. Raises TypeError where `cls` is no NamedTuple class, ValueError where it has rows already.
    """
    if not (isinstance(cls, type) and issubclass(cls, tuple) and hasattr(cls, "_fields")):
        raise TypeError(f"row functions are registered for a NamedTuple class, not {cls!r}")
    if cls in _registered:
        raise ValueError(f"{cls.__name__} has row functions already")
    rests_on(cls, conjugate, policy)
    _registered[cls] = Rows(*(f if hasattr(f, "py_func") else kernel(f, inline=True) for f in (conjugate, policy)))


def has_rows(cls):
    """Whether every kernel here takes regularisers of class `cls`."""
    return cls in _registered


def _rows_of(cls):
    if cls not in _registered:
        raise TypingError(f"no row functions are registered for {cls}: call register_rows")
    return _registered[cls]


def conjugate_row(reg, q, mask, i):
    """The regulariser's convex conjugate at one row of action values."""
    return _rows_of(type(reg)).conjugate(reg, q, mask, i)


def policy_row(reg, q, mask, i, pi, log_pi):
    """The regulariser's maximiser at one row of action values."""
    _rows_of(type(reg)).policy(reg, q, mask, i, pi, log_pi)


def at(x, i):
    """A parameter's value in row i: itself, or its i-th entry."""
    return x[i] if isinstance(x, np.ndarray) else x


# Inlined by Numba: as calls they cost more than a row of exponentials.
@overload(conjugate_row, inline="always")
def _conjugate_row(reg, q, mask, i):
    chosen = _rows_of(getattr(reg, "instance_class", reg)).conjugate
    return lambda reg, q, mask, i: chosen(reg, q, mask, i)


@overload(policy_row, inline="always")
def _policy_row(reg, q, mask, i, pi, log_pi):
    chosen = _rows_of(getattr(reg, "instance_class", reg)).policy
    return lambda reg, q, mask, i, pi, log_pi: chosen(reg, q, mask, i, pi, log_pi)


@overload(at, inline="always")
def _at(x, i):
    return (lambda x, i: x[i]) if isinstance(x, types.Array) else (lambda x, i: x)


def _conjugate(reg, Q, mask, out):
    """out[s] = the conjugate at Q[s], for Q (S, A)."""
    for s in prange(out.size):
        out[s] = conjugate_row(reg, Q[s], mask[s], s)


def _policy(reg, Q, mask, pi, log_pi):
    """pi[s], log_pi[s] = the maximiser at Q[s] and its logarithm, for Q (S, A)."""
    for s in prange(Q.shape[0]):
        policy_row(reg, Q[s], mask[s], s, pi[s], log_pi[s])


def _soft_backup_dense(P, R, mask, gamma, reg, V, Q, out):
    """Q = R + gamma P V and out = the conjugate at its rows; P (S, A, S)."""
    for s in prange(V.size):
        dense.q_row(P, R, mask, gamma, V, s, Q)
        out[s] = conjugate_row(reg, Q[s], mask[s], s)
    return rows.change(out, V)


def _soft_backup_sparse(indptr, indices, data, R, mask, gamma, reg, V, Q, out):
    """The same for P in CSR."""
    for s in prange(V.size):
        sparse.q_row(indptr, indices, data, R, mask, gamma, V, s, Q)
        out[s] = conjugate_row(reg, Q[s], mask[s], s)
    return rows.change(out, V)


def _soft_backup_batched(P, R, mask, gamma, reg, stride, V, Q, out, low, high):
    """The same for each of a batch: P (B, S, A, S), gamma (B,).

    Row s of instance b is row b*stride + s of the regulariser's arrays: stride 0 where instances share them,
    S where the arrays have B*S rows.
    """
    for b in prange(gamma.size):
        dense.q_backup(P[b], R[b], mask[b], gamma[b], V[b], Q[b])
        for s in range(V.shape[1]):
            out[b, s] = conjugate_row(reg, Q[b, s], mask[b, s], b * stride + s)
        low[b], high[b] = rows.change(out[b], V[b])


def _policy_batched(reg, stride, Q, mask, pi, log_pi):
    """As `policy` for Q (B, S, A), with rows numbered as in `soft_backup_batched`."""
    for b in prange(Q.shape[0]):
        for s in range(Q.shape[1]):
            policy_row(reg, Q[b, s], mask[b, s], b * stride + s, pi[b, s], log_pi[b, s])


def _hard_conjugate(reg, q, mask, i):
    return rows.max_row(q, mask)[0]


def _hard_policy(reg, q, mask, i, pi, log_pi):
    rows.max_policy(q, mask, pi, log_pi)


def _shannon_conjugate(reg, q, mask, i):
    return rows.shannon_conjugate(q, mask, at(reg.tau, i))


def _shannon_policy(reg, q, mask, i, pi, log_pi):
    rows.shannon_policy(q, mask, at(reg.tau, i), pi, log_pi)


def _kl_conjugate(reg, q, mask, i):
    return rows.tilted_conjugate(q, mask, 0.0, at(reg.lam, i), reg.reference[i])


def _kl_policy(reg, q, mask, i, pi, log_pi):
    rows.tilted_policy(q, mask, 0.0, at(reg.lam, i), reg.reference[i], pi, log_pi)


def _shannon_kl_conjugate(reg, q, mask, i):
    return rows.tilted_conjugate(q, mask, at(reg.tau, i), at(reg.lam, i), reg.reference[i])


def _shannon_kl_policy(reg, q, mask, i, pi, log_pi):
    rows.tilted_policy(q, mask, at(reg.tau, i), at(reg.lam, i), reg.reference[i], pi, log_pi)


def _tsallis_conjugate(reg, q, mask, i):
    if at(reg.q, i) == 1.0:
        return rows.shannon_conjugate(q, mask, at(reg.tau, i))
    return tsallis.conjugate(q, mask, at(reg.tau, i), at(reg.q, i), q, True)


def _tsallis_policy(reg, q, mask, i, pi, log_pi):
    if at(reg.q, i) == 1.0:
        rows.shannon_policy(q, mask, at(reg.tau, i), pi, log_pi)
    else:
        tsallis.policy(q, mask, at(reg.tau, i), at(reg.q, i), q, True, pi, log_pi)


def _tsallis_kl_conjugate(reg, q, mask, i):
    if at(reg.q, i) == 1.0:
        return rows.tilted_conjugate(q, mask, 0.0, at(reg.lam, i), reg.reference[i])
    return tsallis.conjugate(q, mask, at(reg.lam, i), at(reg.q, i), reg.reference[i], False)


def _tsallis_kl_policy(reg, q, mask, i, pi, log_pi):
    if at(reg.q, i) == 1.0:
        rows.tilted_policy(q, mask, 0.0, at(reg.lam, i), reg.reference[i], pi, log_pi)
    else:
        tsallis.policy(q, mask, at(reg.lam, i), at(reg.q, i), reg.reference[i], False, pi, log_pi)


register_rows(Hard, _hard_conjugate, _hard_policy)
register_rows(Shannon, _shannon_conjugate, _shannon_policy)
register_rows(KL, _kl_conjugate, _kl_policy)
register_rows(ShannonKL, _shannon_kl_conjugate, _shannon_kl_policy)
register_rows(Tsallis, _tsallis_conjugate, _tsallis_policy)
register_rows(TsallisKL, _tsallis_kl_conjugate, _tsallis_kl_policy)

conjugate, conjugate_parallel = kernel(_conjugate), kernel(_conjugate, parallel=True)
policy, policy_parallel = kernel(_policy), kernel(_policy, parallel=True)
policy_batched, policy_batched_parallel = kernel(_policy_batched), kernel(_policy_batched, parallel=True)
soft_backup_dense = kernel(_soft_backup_dense)
soft_backup_dense_parallel = kernel(_soft_backup_dense, parallel=True)
soft_backup_sparse = kernel(_soft_backup_sparse)
soft_backup_sparse_parallel = kernel(_soft_backup_sparse, parallel=True)
soft_backup_batched = kernel(_soft_backup_batched)
soft_backup_batched_parallel = kernel(_soft_backup_batched, parallel=True)
