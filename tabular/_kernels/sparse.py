# mypy: allow-untyped-defs
"""Sparse kernels: P in CSR, rows s*A + a: indptr (S*A+1,), indices, data (nnz,); R, mask (S, A), V (S,)."""

import numpy as np
from numba import prange

from tabular._jit import kernel
from tabular._kernels.rows import change, max_at

# Unsigned indices: a signed one costs a test for its sign at every access.


@kernel
def expect(indptr, indices, data, row, V):
    """sum_t P[row, t] V[t]."""
    total = 0.0
    for k in range(np.uint64(indptr[row]), np.uint64(indptr[row + 1])):
        total += data[k] * V[np.uint64(indices[k])]
    return total


@kernel
def q_row(indptr, indices, data, R, mask, gamma, V, s, Q):
    """Q[s, a] = R[s, a] + gamma P[s, a] . V for all actions of state s, and -inf where the mask is false."""
    A = Q.shape[1]
    for a in range(A):
        if mask[s, a]:
            Q[s, a] = R[s, a] + gamma * expect(indptr, indices, data, s * A + a, V)
        else:
            Q[s, a] = -np.inf


@kernel
def evaluate_row(indptr, indices, data, R, gamma, pi, V, s):
    """sum_a pi[s, a] (R[s, a] + gamma P[s, a] . V); actions of probability zero are not read."""
    total, A = 0.0, pi.shape[1]
    for a in range(A):
        if pi[s, a] != 0.0:
            total += pi[s, a] * (R[s, a] + gamma * expect(indptr, indices, data, s * A + a, V))
    return total


def _q_backup(indptr, indices, data, R, mask, gamma, V, Q):
    """Q = R + gamma P V, -inf where the mask is false."""
    for s in prange(V.size):
        q_row(indptr, indices, data, R, mask, gamma, V, s, Q)


def _backup_max(indptr, indices, data, R, mask, gamma, V, Q, out, argmax):
    """Q as in `q_backup`, out = max_a Q, argmax (int32) the lowest maximiser, -1 where there is none."""
    for s in prange(V.size):
        q_row(indptr, indices, data, R, mask, gamma, V, s, Q)
        out[s], argmax[s] = max_at(Q, s)
    return change(out, V)


def _evaluate_sweep(indptr, indices, data, R, gamma, pi, V, out):
    """out = r_pi + gamma P_pi V."""
    for s in prange(V.size):
        out[s] = evaluate_row(indptr, indices, data, R, gamma, pi, V, s)
    return change(out, V)


@kernel
def assemble_policy(indptr, indices, data, R, pi, row, new_indptr, new_indices, new_data, r_pi):
    """P_pi as CSR with sorted columns, and r_pi; returns the number of entries.

    `row` (S,) is scratch and zero on entry and on exit; `new_indices`, `new_data` have room for nnz(P).
    """
    S, A = pi.shape
    n = 0
    new_indptr[0] = 0
    for s in range(S):
        r_pi[s] = 0.0
        start = n
        for a in range(A):
            if pi[s, a] == 0.0:
                continue
            r_pi[s] += pi[s, a] * R[s, a]
            for k in range(indptr[s * A + a], indptr[s * A + a + 1]):
                t = indices[k]
                flow = pi[s, a] * data[k]
                if row[t] == 0.0 and flow != 0.0:  # positive entries: zero means not met yet
                    new_indices[n] = t
                    n += 1
                row[t] += flow
        new_indices[start:n].sort()
        for k in range(start, n):
            new_data[k] = row[new_indices[k]]
            row[new_indices[k]] = 0.0
        new_indptr[s + 1] = n
    return n


@kernel
def occupancy_step(indptr, indices, data, pi, rho, gamma, mu, out):
    """out = rho + gamma mu P_pi, summed in the order of (s, a)."""
    S, A = pi.shape
    out[:] = rho
    for s in range(S):
        for a in range(A):
            flow = gamma * (mu[s] * pi[s, a])
            if flow != 0.0:
                for k in range(indptr[s * A + a], indptr[s * A + a + 1]):
                    out[indices[k]] += flow * data[k]


q_backup, q_backup_parallel = kernel(_q_backup), kernel(_q_backup, parallel=True)
backup_max, backup_max_parallel = kernel(_backup_max), kernel(_backup_max, parallel=True)
evaluate_sweep, evaluate_sweep_parallel = kernel(_evaluate_sweep), kernel(_evaluate_sweep, parallel=True)
