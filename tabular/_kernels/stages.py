# mypy: allow-untyped-defs
"""Greedy policies without regulariser, and stages of backward induction: values, action values and maximisers in one pass over
P.
"""

import numpy as np
from numba import prange

from tabular._jit import kernel
from tabular._kernels import dense, sparse
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
def keep_best(Q, mask, s, V, actions):
    """V[s], actions[s] = best_of.

    A call: Numba drops a parallel loop's own writes to views that were unpacked from a tuple.
    """
    V[s], actions[s] = best_of(Q, mask, s)


@kernel
def choose(Q, mask, s, V, pi, log_pi):
    """V[s] = max_a Q[s, a], all mass on the lowest maximiser."""
    V[s], best = best_of(Q, mask, s)
    for a in range(Q.shape[1]):
        pi[s, a] = 1.0 if a == best else 0.0
        log_pi[s, a] = 0.0 if a == best else -np.inf


def _stages_dense(P, R, mask, gamma, V, Q, actions):
    """Stages that share a model, from the last: V (H+1, S), whose last row is given; Q (H, S, A) and actions (H, S) are filled."""
    for h in range(Q.shape[0] - 1, -1, -1):
        after, now, q, best = V[h + 1], V[h], Q[h], actions[h]
        for s in prange(now.size):
            dense.q_row(P, R, mask, gamma, after, s, q)
            keep_best(q, mask, s, now, best)


def _stages_sparse(indptr, indices, data, R, mask, gamma, V, Q, actions):
    """The same for P in CSR."""
    for h in range(Q.shape[0] - 1, -1, -1):
        after, now, q, best = V[h + 1], V[h], Q[h], actions[h]
        for s in prange(now.size):
            sparse.q_row(indptr, indices, data, R, mask, gamma, after, s, q)
            keep_best(q, mask, s, now, best)


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
