# mypy: allow-untyped-defs
"""Backups under Shannon's entropy, and Tsallis' of index 2, that leave the policy's weights behind.

W (S, A) becomes the maximiser at Q (S, A), up to a factor for each row; `flat` is W in one dimension, `rest` (S,) scratch. Q is
-inf where an action is unavailable. Formulas and error bounds are those of `rows.shannon_conjugate` and `tsallis.conjugate`; the
states of a block are done together, so that exponentials and logarithms use vector instructions.
"""

from math import inf

import numpy as np
from numba import prange

from tabular._jit import kernel
from tabular._kernels import dense, sparse
from tabular._kernels.elementary import exp_below, log1p_above
from tabular._kernels.rows import change, max_at

BLOCK = 128
"""States done together; bits do not depend on the number of threads, but on this."""


@kernel
def exponentials(x):
    """x <= 0 becomes e^x; views that start at zero are what lets these loops use vector instructions."""
    for k in range(x.size):
        x[k] = exp_below(x[k])


@kernel
def add_logarithms(top, rest, tau):
    """top += tau log(1 + rest) wherever top is finite."""
    for s in range(top.size):
        top[s] = top[s] + tau * log1p_above(rest[s]) if abs(top[s]) < inf else top[s]


@kernel(inline=True)
def shannon(Q, first, stop, tau, W, flat, rest, out):
    """States first..stop: W[s] in proportion to exp(Q[s] / tau), the largest being one, and the conjugate."""
    A = Q.shape[1]
    for s in range(first, stop):
        top = max_at(Q, s)[0]
        out[s] = top
        for a in range(A):
            W[s, a] = (Q[s, a] - top) / tau
    exponentials(flat[first * A : stop * A])
    for s in range(first, stop):
        less, ones = 0.0, -1.0  # of all entries but the largest, which is one
        for a in range(A):
            w = W[s, a]
            ones += 1.0 if w == 1.0 else 0.0
            less += 0.0 if w == 1.0 else w
        rest[s] = less + ones
    add_logarithms(out[first:stop], rest[first:stop], tau)


@kernel(inline=True)
def tsallis(Q, first, stop, tau, W, out):
    """The same for Tsallis' entropy of index 2: W[s] is the projection of Q[s] / (2 tau) onto the simplex."""
    A = Q.shape[1]
    half = 0.5 / tau
    for s in range(first, stop):
        top = max_at(Q, s)[0]
        cut, last = -2.0 * tau, -1.0
        for _ in range(A + 2):
            total, n = 0.0, 0.0
            for a in range(A):
                d = Q[s, a] - top
                total += d if d > cut else 0.0
                n += 1.0 if d > cut else 0.0
            if n == last:
                break
            cut, last = (total - 2.0 * tau) / max(n, 1.0), n  # none where top is not finite
        cut *= half
        mass, squares = 0.0, 0.0
        for a in range(A):
            x = (Q[s, a] - top) * half - cut
            W[s, a] = x if x > 0.0 else 0.0
            mass += W[s, a]
            squares += W[s, a] * W[s, a]
        for a in range(A):
            W[s, a] /= mass
        out[s] = top if last == 1.0 or not abs(top) < inf else top + tau * (1.0 + 2.0 * cut + squares)


@kernel(inline=True)
def settle(Q, first, stop, tau, index, W, flat, rest, out):
    if index == 1.0:
        shannon(Q, first, stop, tau, W, flat, rest, out)
    else:
        tsallis(Q, first, stop, tau, W, out)


def _conjugate(Q, tau, index, W, flat, rest, out):
    """out (S,) = the conjugate at the rows of Q."""
    for block in prange((out.size + BLOCK - 1) // BLOCK):
        settle(Q, block * BLOCK, min(block * BLOCK + BLOCK, out.size), tau, index, W, flat, rest, out)


def _backup_sparse(indptr, indices, data, R, mask, gamma, tau, index, V, Q, W, flat, rest, out):
    """Q = R + gamma P V and out = the conjugate at its rows; P in CSR."""
    for block in prange((V.size + BLOCK - 1) // BLOCK):
        first, stop = block * BLOCK, min(block * BLOCK + BLOCK, V.size)
        for s in range(first, stop):
            sparse.q_row(indptr, indices, data, R, mask, gamma, V, s, Q)
        settle(Q, first, stop, tau, index, W, flat, rest, out)
    return change(out, V)


@kernel(inline=True)
def blend(P, s, W, cut, mixed):
    """mixed[s] = the mean of P[s, a] under W[s, a], in single precision; weights below `cut` are left out."""
    total = 0.0
    for a in range(W.shape[1]):
        total += W[s, a] if W[s, a] >= cut else 0.0
    for t in range(mixed.shape[1]):
        mixed[s, t] = 0.0
    for a in range(W.shape[1]):
        if W[s, a] >= cut:
            w = W[s, a] / total
            for t in range(mixed.shape[1]):
                mixed[s, t] += np.float32(w * P[s, a, t])


@kernel(inline=True)
def skim(P, R, gamma, V, s, Q, W, cut):
    """Q[s, a] as in `dense.q_row` of the actions whose weight was at least `cut`; the others keep theirs."""
    for a in range(Q.shape[1]):
        if W[s, a] >= cut:
            Q[s, a] = R[s, a] + gamma * dense.expect(P, s, a, V)


def _backup_dense(P, R, mask, gamma, tau, index, V, Q, W, flat, rest, out, cut, rough, mixed):
    """The same for P (S, A, S); and the policy's rows, while those they are made of are at hand, unless `mixed` is empty.

    Where `rough`, of the actions alone that had a weight of at least `cut`.
    """
    for s in prange(V.size):
        if rough:
            skim(P, R, gamma, V, s, Q, W, cut)
        else:
            dense.q_row(P, R, mask, gamma, V, s, Q)
        settle(Q, s, s + 1, tau, index, W, flat, rest, out)
        if mixed.shape[0] > 0:
            blend(P, s, W, cut, mixed)
    return change(out, V)


def _blend_all(P, W, cut, mixed):
    """`blend` for all states."""
    for s in prange(W.shape[0]):
        blend(P, s, W, cut, mixed)


conjugate, conjugate_parallel = kernel(_conjugate), kernel(_conjugate, parallel=True)
backup_sparse, backup_sparse_parallel = kernel(_backup_sparse), kernel(_backup_sparse, parallel=True)
backup_dense, backup_dense_parallel = kernel(_backup_dense), kernel(_backup_dense, parallel=True)
blend_all, blend_all_parallel = kernel(_blend_all), kernel(_blend_all, parallel=True)
