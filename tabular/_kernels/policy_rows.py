# mypy: allow-untyped-defs
"""One policy's rows: sweeps read them alone.

Sparse rows of a deterministic policy are packed first, padded to one length where that costs little; dense ones are long enough
to be read where they are; those of any other policy are mixed, in single precision, without a copy of the indices where that
would be most of the model's.
`advance` is a sweep of a correction: x becomes gamma P_pi x, and V grows by it.
"""

import numpy as np
from numba import prange

from tabular._jit import kernel
from tabular._kernels import dense
from tabular._kernels.soft import BLOCK
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


@kernel
def kept(W, s, cut):
    """The sum of the weights W[s] that are at least `cut`; the largest one is."""
    total = 0.0
    for a in range(W.shape[1]):
        total += W[s, a] if W[s, a] >= cut else 0.0
    return total


def _mix_some(indptr, indices, data, W, cut, stops, new_indices, new_data):
    """The rows of the actions whose weights W (S, A) are at least `cut`, times those, whose sum becomes one.

    The states of a block stand side by side from where the block's first row stands in P; stops (S,): where each state ends.
    """
    S, A = W.shape
    for block in prange((S + BLOCK - 1) // BLOCK):
        to = np.uint64(indptr[block * BLOCK * A])
        for s in range(block * BLOCK, min(block * BLOCK + BLOCK, S)):
            total = kept(W, s, cut)
            for a in range(A):
                if W[s, a] >= cut:
                    w = np.float32(W[s, a] / total)
                    first = np.uint64(indptr[s * A + a])
                    n = np.uint64(indptr[s * A + a + 1]) - first
                    for k in range(n):
                        new_indices[to + k] = indices[first + k]
                        new_data[to + k] = w * np.float32(data[first + k])
                    to += n
            stops[s] = to


def _mix_all(indptr, data, W, cut, new_data):
    """The same with zeros for the others: then the indices are those of P."""
    A = W.shape[1]
    for s in prange(W.shape[0]):
        total = kept(W, s, cut)
        for a in range(A):
            w = np.float32(W[s, a] / total if W[s, a] >= cut else 0.0)
            for k in range(np.uint64(indptr[s * A + a]), np.uint64(indptr[s * A + a + 1])):
                new_data[k] = w * np.float32(data[k])


@kernel
def mixed_block(block, A, indptr, stops, indices, data, gamma, x, scale, V, out):
    """Least and largest step of a block's states; all in single precision but V."""
    low, high = np.float32(np.inf), np.float32(-np.inf)
    k = np.uint64(indptr[block * BLOCK * A])
    for s in range(block * BLOCK, min(block * BLOCK + BLOCK, x.size)):
        stop = np.uint64(stops[s])
        total = np.float32(0.0)
        for j in range(k, stop):
            total += data[j] * x[np.uint64(indices[j])]
        k = stop
        step = gamma * total if abs(total) > FAINT else np.float32(0.0)
        out[s] = step
        V[s] += scale * step
        low, high = min(low, step), max(high, step)
    return low, high


def _advance_mixed(A, indptr, stops, indices, data, gamma, x, scale, V, out):
    """As `advance`, with `scale` times x as the correction, for rows as `mix_some` or `mix_all` leave them."""
    low, high = np.float32(np.inf), np.float32(-np.inf)
    for block in prange((x.size + BLOCK - 1) // BLOCK):
        least, most = mixed_block(block, A, indptr, stops, indices, data, gamma, x, scale, V, out)
        low = min(low, least)
        high = max(high, most)
    return low, high


@kernel
def full(rows, s, x):
    """Row s of rows (S, S), times x; all in single precision."""
    total = np.float32(0.0)
    for t in range(x.size):
        total += rows[s, t] * x[t]
    return total if abs(total) > FAINT else np.float32(0.0)


def _advance_full(rows, gamma, x, scale, V, out):
    """The same for rows (S, S)."""
    low, high = np.float32(np.inf), np.float32(-np.inf)
    for s in prange(x.size):
        step = gamma * full(rows, s, x)
        out[s] = step
        V[s] += scale * step
        low = min(low, step)
        high = max(high, step)
    return low, high


pick, pick_parallel = kernel(_pick), kernel(_pick, parallel=True)
exchange, exchange_parallel = kernel(_exchange), kernel(_exchange, parallel=True)
advance_padded, advance_padded_parallel = kernel(_advance_padded), kernel(_advance_padded, parallel=True)
advance, advance_parallel = kernel(_advance), kernel(_advance, parallel=True)
advance_dense, advance_dense_parallel = kernel(_advance_dense), kernel(_advance_dense, parallel=True)
mix_some, mix_some_parallel = kernel(_mix_some), kernel(_mix_some, parallel=True)
mix_all, mix_all_parallel = kernel(_mix_all), kernel(_mix_all, parallel=True)
advance_mixed, advance_mixed_parallel = kernel(_advance_mixed), kernel(_advance_mixed, parallel=True)
advance_full, advance_full_parallel = kernel(_advance_full), kernel(_advance_full, parallel=True)
