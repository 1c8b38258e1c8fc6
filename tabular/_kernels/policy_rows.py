# mypy: allow-untyped-defs
"""One policy's rows: sweeps read them alone.

Sparse rows of a deterministic policy are packed first, padded to one length where that costs little; dense ones are long enough
to be read where they are; those of any other policy are mixed, on the fly where that would make a copy of the model.
`advance` is a sweep of a correction: x becomes gamma P_pi x, and V grows by it.
"""

import numpy as np
from numba import prange

from tabular._jit import kernel
from tabular._kernels import dense
from tabular._kernels.rows import max_at
from tabular._kernels.sparse import expect

FAINT = np.float32(1e-25)
"""Below this part of the largest component a correction counts as none: subnormal numbers slow a sweep down tenfold."""


@kernel
def row_starts(indptr, actions, A, starts):
    """starts (S + 1,): where each state's row begins once rows s*A + actions[s] are packed."""
    starts[0] = 0
    for s in range(actions.size):
        row = s * A + actions[s]
        starts[s + 1] = starts[s] + indptr[row + 1] - indptr[row]


def _pick(indptr, indices, data, actions, A, starts, new_indices, new_data):
    """Copy the rows s*A + actions[s] to where `starts` says."""
    for s in prange(actions.size):
        shift = np.uint64(indptr[s * A + actions[s]])
        first = np.uint64(starts[s])
        for k in range(first, np.uint64(starts[s + 1])):
            new_indices[k] = indices[k - first + shift]
            new_data[k] = data[k - first + shift]


@kernel
def padded(indices, data, x, s):
    """Row s of rows of one length, (S, L), times x; all in single precision."""
    step = np.float32(0.0)
    for k in range(indices.shape[1]):
        step += data[s, k] * x[np.uint64(indices[s, k])]
    return step if abs(step) > FAINT else np.float32(0.0)


def _advance_padded(indices, data, gamma, x, scale, V, out):
    """As `advance` for padded rows, with `scale` times x as the correction."""
    low, high = np.float32(np.inf), np.float32(-np.inf)
    for s in prange(x.size):
        step = gamma * padded(indices, data, x, s)
        out[s] = step
        V[s] += scale * step
        low = min(low, step)
        high = max(high, step)
    return low, high


def _exchange(indptr, indices, data, new, old, A, padded_indices, padded_data):
    """Rows s*A + new[s] into the padded (S, L) wherever new differs from old, which becomes new; the padding has weight 0."""
    L = np.uint64(padded_indices.shape[1])
    for s in prange(new.size):
        if new[s] != old[s]:
            old[s] = new[s]
            first = np.uint64(indptr[s * A + new[s]])
            n = np.uint64(indptr[s * A + new[s] + 1]) - first
            for k in range(n):
                padded_indices[s, k] = indices[first + k]
                padded_data[s, k] = data[first + k]  # rounded
            for k in range(n, L):
                padded_data[s, k] = 0.0


def _advance(indptr, indices, data, gamma, x, V, out):
    """out = gamma P x, V += out; returns the least and largest component of out."""
    low, high = np.inf, -np.inf
    for s in prange(x.size):
        step = gamma * expect(indptr, indices, data, s, x)
        out[s] = step
        V[s] += step
        low = min(low, step)
        high = max(high, step)
    return low, high


def _advance_dense(P, actions, gamma, x, V, out):
    """The same for the rows that actions (S,) choose in a dense P (S, A, S)."""
    low, high = np.inf, -np.inf
    for s in prange(x.size):
        step = gamma * dense.expect(P, s, actions[s], x)
        out[s] = step
        V[s] += step
        low = min(low, step)
        high = max(high, step)
    return low, high


def _trim(pi, cut):
    """Rows of weights pi (S, A) without entries below `cut`, divided by what is left; the largest is at least 1 / A."""
    A = pi.shape[1]
    for s in prange(pi.shape[0]):
        left = 0.0
        for a in range(A):
            if pi[s, a] < cut:
                pi[s, a] = 0.0
            left += pi[s, a]
        for a in range(A):
            pi[s, a] /= left


def _shannon_weights(Q, tau, pi):
    """pi[s] in proportion to exp(Q[s] / tau), the largest being one."""
    for s in prange(Q.shape[0]):
        top = max_at(Q, s)[0]
        for a in range(Q.shape[1]):
            pi[s, a] = np.exp((Q[s, a] - top) / tau)


@kernel
def mixed_starts(indptr, pi, starts):
    """As `row_starts` for the rows of all actions of positive probability in pi (S, A), one after another."""
    S, A = pi.shape
    starts[0] = 0
    for s in range(S):
        n = 0
        for a in range(A):
            if pi[s, a] != 0.0:
                n += indptr[s * A + a + 1] - indptr[s * A + a]
        starts[s + 1] = starts[s] + n


def _mix(indptr, indices, data, pi, starts, new_indices, new_data):
    """Copy these rows, times their probabilities, to where `starts` says; a successor of several actions appears as often."""
    A = pi.shape[1]
    for s in prange(pi.shape[0]):
        to = np.uint64(starts[s])
        for a in range(A):
            if pi[s, a] != 0.0:
                first = np.uint64(indptr[s * A + a])
                n = np.uint64(indptr[s * A + a + 1]) - first
                for k in range(n):
                    new_indices[to + k] = indices[first + k]
                    new_data[to + k] = pi[s, a] * data[first + k]
                to += n


def _advance_mixed(indptr, indices, data, pi, gamma, x, V, out):
    """The same for P_pi of a policy pi (S, A); actions of probability zero are not read."""
    low, high = np.inf, -np.inf
    A = pi.shape[1]
    for s in prange(x.size):
        step = 0.0
        for a in range(A):
            if pi[s, a] != 0.0:
                step += pi[s, a] * expect(indptr, indices, data, s * A + a, x)
        step *= gamma
        out[s] = step
        V[s] += step
        low = min(low, step)
        high = max(high, step)
    return low, high


pick, pick_parallel = kernel(_pick), kernel(_pick, parallel=True)
trim, trim_parallel = kernel(_trim), kernel(_trim, parallel=True)
shannon_weights, shannon_weights_parallel = kernel(_shannon_weights), kernel(_shannon_weights, parallel=True)
mix, mix_parallel = kernel(_mix), kernel(_mix, parallel=True)
exchange, exchange_parallel = kernel(_exchange), kernel(_exchange, parallel=True)
advance_padded, advance_padded_parallel = kernel(_advance_padded), kernel(_advance_padded, parallel=True)
advance, advance_parallel = kernel(_advance), kernel(_advance, parallel=True)
advance_dense, advance_dense_parallel = kernel(_advance_dense), kernel(_advance_dense, parallel=True)
advance_mixed, advance_mixed_parallel = kernel(_advance_mixed), kernel(_advance_mixed, parallel=True)
