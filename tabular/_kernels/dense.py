# mypy: allow-untyped-defs
"""Dense kernels: P (S, A, S), R and mask (S, A), V (S,), gamma a scalar."""

import numpy as np
from numba import prange

from tabular._jit import kernel
from tabular._kernels.rows import change, max_at

# Whole arrays and an index rather than rows: every row view costs two atomic reference counts.


@kernel
def expect(P, s, a, V):
    """sum_t P[s, a, t] V[t]."""
    total = 0.0
    for t in range(V.size):
        total += P[s, a, t] * V[t]
    return total


@kernel
def q_row(P, R, mask, gamma, V, s, Q):
    """Q[s, a] = R[s, a] + gamma P[s, a] . V for all actions of state s, and -inf where the mask is false."""
    for a in range(Q.shape[1]):
        Q[s, a] = R[s, a] + gamma * expect(P, s, a, V) if mask[s, a] else -np.inf


def _q_backup(P, R, mask, gamma, V, Q):
    """Q = R + gamma P V, -inf where the mask is false."""
    for s in prange(V.size):
        q_row(P, R, mask, gamma, V, s, Q)


def _backup_max(P, R, mask, gamma, V, Q, out, argmax):
    """Q as in `q_backup`, out = max_a Q, argmax (int32) the lowest maximiser, -1 where there is none."""
    for s in prange(V.size):
        q_row(P, R, mask, gamma, V, s, Q)
        out[s], argmax[s] = max_at(Q, s)
    return change(out, V)


@kernel
def evaluate_row(P, R, gamma, pi, V, s):
    """sum_a pi[s, a] (R[s, a] + gamma P[s, a] . V); actions of probability zero are not read."""
    total = 0.0
    for a in range(pi.shape[1]):
        if pi[s, a] != 0.0:
            total += pi[s, a] * (R[s, a] + gamma * expect(P, s, a, V))
    return total


def _evaluate_sweep(P, R, gamma, pi, V, out):
    """out = r_pi + gamma P_pi V."""
    for s in prange(V.size):
        out[s] = evaluate_row(P, R, gamma, pi, V, s)
    return change(out, V)


def _assemble_policy(P, R, pi, P_pi, r_pi):
    """P_pi[s] = sum_a pi[s, a] P[s, a] and r_pi[s] = sum_a pi[s, a] R[s, a]."""
    for s in prange(r_pi.size):
        for t in range(P_pi.shape[1]):
            P_pi[s, t] = 0.0
        r_pi[s] = 0.0
        for a in range(pi.shape[1]):
            if pi[s, a] != 0.0:
                r_pi[s] += pi[s, a] * R[s, a]
                for t in range(P_pi.shape[1]):
                    P_pi[s, t] += pi[s, a] * P[s, a, t]


@kernel
def add(factor, row, out):
    """out += factor row; views that start at zero are what lets this loop use vector instructions."""
    for t in range(out.size):
        out[t] += factor * row[t]


@kernel
def visits(P, pi, gamma, mu, start, stop, out):
    """Add entries start..stop of gamma mu P_pi to `out`, each in the order of (s, a)."""
    for s in range(mu.size):
        for a in range(pi.shape[1]):
            flow = gamma * (mu[s] * pi[s, a])
            if flow != 0.0:
                add(flow, P[s, a][start:stop], out[start:stop])


def _occupancy_step(P, pi, rho, gamma, mu, out):
    """out = rho + gamma mu P_pi."""
    columns = 1024  # a block of the output stays in the first cache; the bits do not depend on its size
    for block in prange((out.size + columns - 1) // columns):
        start, stop = block * columns, min(out.size, (block + 1) * columns)
        for t in range(start, stop):
            out[t] = rho[t]
        visits(P, pi, gamma, mu, start, stop, out)


q_backup, q_backup_parallel = kernel(_q_backup), kernel(_q_backup, parallel=True)
backup_max, backup_max_parallel = kernel(_backup_max), kernel(_backup_max, parallel=True)
evaluate_sweep, evaluate_sweep_parallel = kernel(_evaluate_sweep), kernel(_evaluate_sweep, parallel=True)
assemble_policy, assemble_policy_parallel = kernel(_assemble_policy), kernel(_assemble_policy, parallel=True)
occupancy_step, occupancy_step_parallel = kernel(_occupancy_step), kernel(_occupancy_step, parallel=True)
