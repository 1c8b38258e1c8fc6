# mypy: allow-untyped-defs
"""Gauss-Seidel sweeps: each state is backed up at once with the values that the states before it have already.

Sweeps go up or down the order of the states. Without regulariser a state's own share is solved for, not iterated:
V[s] = max_a (R + gamma sum_{t != s} P V) / (1 - gamma P[s, a, s]). One thread: a sweep is a chain of dependences.
"""

import numpy as np

from tabular._jit import kernel
from tabular._kernels import dense, sparse
from tabular._kernels.entropic import conjugate_row


@kernel
def sparse_own(indptr, indices, data, gamma, V, s, row, r):
    """(r + gamma sum_{t != s} P V) / (1 - gamma P[s, s]) of a row of CSR."""
    rest, own = 0.0, 0.0
    for k in range(np.uint64(indptr[row]), np.uint64(indptr[row + 1])):
        t = indices[k]
        if t == s:
            own += data[k]
        else:
            rest += data[k] * V[np.uint64(t)]
    return (r + gamma * rest) / (1.0 - gamma * own)


@kernel
def dense_own(P, gamma, V, s, a, r):
    """The same of a dense row."""
    own = P[s, a, s]
    return (r + gamma * (dense.expect(P, s, a, V) - own * V[s])) / (1.0 - gamma * own)


@kernel
def sweep_sparse(indptr, indices, data, R, mask, gamma, V, actions, down):
    """V is updated in place, actions (S,) are the lowest maximisers; returns the largest change."""
    S, A = R.shape
    most = 0.0
    for i in range(S):
        s = S - 1 - i if down else i
        top, best = -np.inf, 0
        for a in range(A):
            if mask[s, a]:
                q = sparse_own(indptr, indices, data, gamma, V, s, s * A + a, R[s, a])
                if q > top or q != q:
                    top, best = q, a
        most = max(most, abs(top - V[s]))
        V[s], actions[s] = top, best
    return most


@kernel
def sweep_dense(P, R, mask, gamma, V, actions, down):
    """The same for a dense model."""
    S, A = R.shape
    most = 0.0
    for i in range(S):
        s = S - 1 - i if down else i
        top, best = -np.inf, 0
        for a in range(A):
            if mask[s, a]:
                q = dense_own(P, gamma, V, s, a, R[s, a])
                if q > top or q != q:
                    top, best = q, a
        most = max(most, abs(top - V[s]))
        V[s], actions[s] = top, best
    return most


@kernel
def policy_sparse(indptr, indices, data, r, gamma, V, down):
    """A sweep for one policy, whose rows are packed: r, V (S,)."""
    S = V.size
    most = 0.0
    for i in range(S):
        s = S - 1 - i if down else i
        v = sparse_own(indptr, indices, data, gamma, V, s, s, r[s])
        most = max(most, abs(v - V[s]))
        V[s] = v
    return most


@kernel
def policy_dense(P, r, gamma, V, down):
    """The same for P_pi (S, S)."""
    S = V.size
    most = 0.0
    for i in range(S):
        s = S - 1 - i if down else i
        rest = 0.0
        for t in range(S):
            rest += P[s, t] * V[t]
        v = (r[s] + gamma * (rest - P[s, s] * V[s])) / (1.0 - gamma * P[s, s])
        most = max(most, abs(v - V[s]))
        V[s] = v
    return most


@kernel
def soft_sweep_sparse(indptr, indices, data, R, mask, gamma, reg, V, Q, down):
    """With a regulariser: V[s] becomes the conjugate of the backed-up row Q[s]; returns the largest change."""
    S = V.size
    most = 0.0
    for i in range(S):
        s = S - 1 - i if down else i
        sparse.q_row(indptr, indices, data, R, mask, gamma, V, s, Q)
        v = conjugate_row(reg, Q[s], mask[s], s)
        most = max(most, abs(v - V[s]))
        V[s] = v
    return most


@kernel
def soft_sweep_dense(P, R, mask, gamma, reg, V, Q, down):
    """The same for a dense model."""
    S = V.size
    most = 0.0
    for i in range(S):
        s = S - 1 - i if down else i
        dense.q_row(P, R, mask, gamma, V, s, Q)
        v = conjugate_row(reg, Q[s], mask[s], s)
        most = max(most, abs(v - V[s]))
        V[s] = v
    return most
