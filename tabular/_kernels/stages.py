# mypy: allow-untyped-defs
"""Greedy policies without regulariser, and stages of backward induction: values and maximisers of rows that may win."""

import numpy as np
from numba import prange

from tabular._jit import kernel
from tabular._kernels.maxima import best_sparse, settle_dense, settle_sparse
from tabular._kernels.rows import max_row


@kernel
def best_of(Q, mask, s):
    """max_a Q[s, a] and the lowest maximiser; NaN where an available entry is."""
    top, best = -np.inf, -1
    for a in range(Q.shape[1]):
        q = Q[s, a]
        if mask[s, a] and (q > top or (q != q and top == top)):
            top, best = q, a
    return top, best


@kernel
def choose(Q, mask, s, V, pi, log_pi):
    """V[s] = max_a Q[s, a], all mass on the lowest maximiser."""
    V[s], best = best_of(Q, mask, s)
    for a in range(Q.shape[1]):
        pi[s, a] = 1.0 if a == best else 0.0
        log_pi[s, a] = 0.0 if a == best else -np.inf


@kernel
def tick(clock, V, W, gamma, least, most, off):
    """The clock after values W became V: see `tabular._maxima`."""
    rise = -np.inf
    for s in range(V.size):
        rise = max(rise, V[s] - W[s])
    return clock + gamma * max(rise * least, rise * most) + abs(rise) * off


@kernel
def clock_at(h, clock, H, V, gamma, rates):
    """The clock at stage h, and the margin for rounding there; see `_stages_dense` for the rates."""
    least, most, off, margin, unit = rates
    if h < H - 1:
        clock = tick(clock, V[h + 1], V[h + 2], gamma, least, most, off)
    return clock, margin + (H - h) * unit * abs(clock)


# Calls: Numba drops a parallel loop's own writes to views that were unpacked from a tuple.
@kernel
def keep_dense(P, R, gamma, after, s, best, bound, clock, margin, V, actions):
    V[s], actions[s] = settle_dense(P, R, gamma, after, s, best[s], bound, clock, margin)


@kernel
def keep_sparse(indptr, indices, data, R, gamma, after, s, best, bound, clock, margin, V, actions):
    V[s], actions[s] = settle_sparse(indptr, indices, data, R, gamma, after, s, best[s], bound, clock, margin)


@kernel
def keep_short(indptr, indices, data, R, mask, gamma, after, s, V, actions):
    V[s], _, actions[s] = best_sparse(indptr, indices, data, R, mask, gamma, after, s, 0, R.shape[1], -1)


def _stages_dense(P, R, gamma, rates, V, bound, best, actions):
    """Stages that share a model, from the last: V (H+1, S), whose last row is given, and maximisers (H, S) are filled.

    rates: least and greatest mass of a row, how far its sum may be off, the margin, and what a stage adds to it in parts of the
    clock. bound (S, A) as in `maxima`, infinite before; best (S,) are available actions to begin with.
    """
    clock, H = 0.0, actions.shape[0]
    for h in range(H - 1, -1, -1):
        clock, wide = clock_at(h, clock, H, V, gamma, rates)
        after, now, chosen = V[h + 1], V[h], actions[h]
        for s in prange(now.size):
            keep_dense(P, R, gamma, after, s, best, bound, clock, wide, now, chosen)
        best = chosen


def _stages_sparse(indptr, indices, data, R, gamma, rates, V, bound, best, actions):
    """The same for P in CSR."""
    clock, H = 0.0, actions.shape[0]
    for h in range(H - 1, -1, -1):
        clock, wide = clock_at(h, clock, H, V, gamma, rates)
        after, now, chosen = V[h + 1], V[h], actions[h]
        for s in prange(now.size):
            keep_sparse(indptr, indices, data, R, gamma, after, s, best, bound, clock, wide, now, chosen)
        best = chosen


def _stages_short(indptr, indices, data, R, mask, gamma, V, actions):
    """The same for short rows, all of which are read."""
    for h in range(actions.shape[0] - 1, -1, -1):
        after, now, chosen = V[h + 1], V[h], actions[h]
        for s in prange(now.size):
            keep_short(indptr, indices, data, R, mask, gamma, after, s, now, chosen)


def _greedy(Q, mask, V, actions):
    """V = max_a Q and its lowest maximisers (int32, -1 where there is none), for R as Q: the mask says what is available."""
    for s in prange(V.size):
        V[s], actions[s] = max_row(Q[s], mask[s])


def _one_hot(actions, pi, log_pi):
    """All mass on actions (S,)."""
    for s in prange(actions.size):
        for a in range(pi.shape[1]):
            pi[s, a] = 1.0 if a == actions[s] else 0.0
            log_pi[s, a] = 0.0 if a == actions[s] else -np.inf


greedy, greedy_parallel = kernel(_greedy), kernel(_greedy, parallel=True)
one_hot, one_hot_parallel = kernel(_one_hot), kernel(_one_hot, parallel=True)
stages_dense, stages_dense_parallel = kernel(_stages_dense), kernel(_stages_dense, parallel=True)
stages_sparse, stages_sparse_parallel = kernel(_stages_sparse), kernel(_stages_sparse, parallel=True)
stages_short, stages_short_parallel = kernel(_stages_short), kernel(_stages_short, parallel=True)
