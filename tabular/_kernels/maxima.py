# mypy: allow-untyped-defs
"""Backups without regulariser that give values and maximisers, but no action values.

`maxima_short` reads one row alone of a state that has an action ahead of all others by more than what they may have gained on it:
until (S,) is what the clock may reach before that; the clock rises by at least what any action value may have gained on another.

`maxima_dense`, `maxima_sparse` read only rows that may win. bound (S, A) holds action values as they were when last read, less
the clock of that time; the clock rises by at least what any action value may have risen since. An action whose bound, plus the
clock and a margin for rounding, is below the value of another one is not a maximiser, and would not be one in floats. It is
-inf where an action is unavailable.
"""

import numpy as np
from numba import prange

from tabular._jit import kernel
from tabular._kernels import dense, sparse
from tabular._kernels.rows import change


@kernel
def settle_dense(P, R, gamma, V, s, best, bound, clock, margin):
    """max_a R[s, a] + gamma P[s, a] . V and its lowest maximiser; the last one is tried first."""
    top = R[s, best] + gamma * dense.expect(P, s, best, V)
    bound[s, best] = top - clock
    first = best
    for a in range(R.shape[1]):
        if a != first and not bound[s, a] + clock + margin < top:
            q = R[s, a] + gamma * dense.expect(P, s, a, V)
            bound[s, a] = q - clock
            if q > top or q != q or (q == top and a < best):
                top, best = q, a
    return top, best


@kernel
def settle_sparse(indptr, indices, data, R, gamma, V, s, best, bound, clock, margin):
    """The same for rows of CSR."""
    A = R.shape[1]
    top = R[s, best] + gamma * sparse.expect(indptr, indices, data, s * A + best, V)
    bound[s, best] = top - clock
    first = best
    for a in range(A):
        if a != first and not bound[s, a] + clock + margin < top:
            q = R[s, a] + gamma * sparse.expect(indptr, indices, data, s * A + a, V)
            bound[s, a] = q - clock
            if q > top or q != q or (q == top and a < best):
                top, best = q, a
    return top, best


@kernel(inline=True)
def best_sparse(indptr, indices, data, R, mask, gamma, V, s, first, last, best):
    """Of the available actions first ... last - 1: max_a R[s, a] + gamma P[s, a] . V, the greatest other one, and the lowest
    maximiser, or `best` where there is none.
    """
    A = R.shape[1]
    top, second = -np.inf, -np.inf
    for a in range(first, last):
        if mask[s, a]:
            q = R[s, a] + gamma * sparse.expect(indptr, indices, data, s * A + a, V)
            wins = q > top or q != q
            less = top if wins else q
            second = less if less > second else second
            best = a if wins else best
            top = q if wins else top
    return top, second, best


def _maxima_dense(P, R, gamma, V, bound, clock, margin, out, actions):
    """out = max_a Q and its lowest maximisers, for which actions (S,) has guesses that are available."""
    for s in prange(V.size):
        out[s], actions[s] = settle_dense(P, R, gamma, V, s, actions[s], bound, clock, margin)
    return change(out, V)


def _maxima_sparse(indptr, indices, data, R, gamma, V, bound, clock, margin, out, actions):
    """The same for P in CSR."""
    for s in prange(V.size):
        out[s], actions[s] = settle_sparse(indptr, indices, data, R, gamma, V, s, actions[s], bound, clock, margin)
    return change(out, V)


@kernel(inline=True)
def settle_short(indptr, indices, data, R, mask, gamma, V, s, best, until, clock, margin):
    """max_a R[s, a] + gamma P[s, a] . V and its lowest maximiser. One way out, so that no references are counted."""
    alone = clock + margin < until[s]
    first, last = (best, best + 1) if alone else (0, R.shape[1])
    top, second, best = best_sparse(indptr, indices, data, R, mask, gamma, V, s, first, last, best)
    if not alone:
        until[s] = clock + (top - second)
    return top, best


def _maxima_short(indptr, indices, data, R, mask, gamma, V, until, clock, margin, out, actions):
    """The same for short rows."""
    for s in prange(V.size):
        out[s], actions[s] = settle_short(indptr, indices, data, R, mask, gamma, V, s, actions[s], until, clock, margin)
    return change(out, V)


def _spread(V, seen):
    """Least and largest component of V - seen, which becomes V."""
    low, high = np.inf, -np.inf
    for s in prange(V.size):
        d = V[s] - seen[s]
        seen[s] = V[s]
        low = min(low, d)
        high = max(high, d)
    return low, high


maxima_dense, maxima_dense_parallel = kernel(_maxima_dense), kernel(_maxima_dense, parallel=True)
maxima_sparse, maxima_sparse_parallel = kernel(_maxima_sparse), kernel(_maxima_sparse, parallel=True)
maxima_short, maxima_short_parallel = kernel(_maxima_short), kernel(_maxima_short, parallel=True)
spread, spread_parallel = kernel(_spread), kernel(_spread, parallel=True)
