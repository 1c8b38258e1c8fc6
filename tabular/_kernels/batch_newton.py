# mypy: allow-untyped-defs
"""Policy iteration of each member of a batch, from backup to elimination without leaving the cache.

P (B, S, A, S), R, mask, end (B, S, A), gamma (B,). Regularised or not it is Newton's method on TV = V in its residual
form: V grows by (I - gamma P_pi)^-1 (TV - V) for the maximiser pi at V.
"""

import numpy as np
from numba import prange
from numba.extending import overload

from tabular._jit import kernel
from tabular._kernels import dense
from tabular._kernels.batched import eliminate
from tabular._kernels.entropic import conjugate_row, policy_row
from tabular._kernels.rows import max_at
from tabular._kernels.stages import choose
from tabular.regularizers import Hard


def conjugates(reg, Q, mask, out):
    """out (S,) = the conjugate at each row of Q (S, A), which is -inf where the mask is false."""
    for s in range(out.size):
        out[s] = conjugate_row(reg, Q[s], mask[s], s)


def policies(reg, Q, mask, V, pi, log_pi):
    """The maximisers at the rows of Q (S, A) and their logarithms, for the conjugates V (S,)."""
    for s in range(V.size):
        policy_row(reg, Q[s], mask[s], s, pi[s], log_pi[s])


# Without regulariser: a view of a row costs more than its maximum.
@overload(conjugates)
def _conjugates(reg, Q, mask, out):
    def hard(reg, Q, mask, out):
        for s in range(out.size):
            out[s] = max_at(Q, s)[0]

    return hard if getattr(reg, "instance_class", None) is Hard else conjugates


@overload(policies)
def _policies(reg, Q, mask, V, pi, log_pi):
    def hard(reg, Q, mask, V, pi, log_pi):
        for s in range(V.size):
            choose(Q, mask, s, V, pi, log_pi)

    return hard if getattr(reg, "instance_class", None) is Hard else policies


@kernel
def backup(P, R, mask, gamma, reg, b, V, Q, TV, zero):
    """Q[b], TV[b] at V[b], which may be known to be zero; returns min and max of TV - V, NaN where one is."""
    low, high = np.inf, -np.inf
    if zero:
        for s in range(R.shape[1]):
            for a in range(R.shape[2]):
                Q[b, s, a] = R[b, s, a] if mask[b, s, a] else -np.inf
    else:
        dense.q_backup(P[b], R[b], mask[b], gamma, V[b], Q[b])
    conjugates(reg, Q[b], mask[b], TV[b])
    for s in range(R.shape[1]):
        d = TV[b, s] - V[b, s]
        if d != d:
            return d, d
        low = min(low, d)
        high = max(high, d)
    return low, high


@kernel
def system(P, pi, gamma, b, M):
    """M = I - gamma P_pi of member b."""
    S, A = pi.shape[1], pi.shape[2]
    for s in range(S):
        for t in range(S):
            M[s, t] = 0.0
        for a in range(A):
            share = -gamma * pi[b, s, a]
            if share != 0.0:
                for t in range(S):
                    M[s, t] += share * P[b, s, a, t]
        M[s, s] += 1.0


@kernel
def ends(P, end, mask, b):
    """Least and largest end of the available pairs of member b, and the largest |row sum + end - 1|."""
    least, most, off = 1.0, 0.0, 0.0
    for s in range(mask.shape[1]):
        for a in range(mask.shape[2]):
            if mask[b, s, a]:
                total = 0.0
                for t in range(P.shape[3]):
                    total += P[b, s, a, t]
                off = max(off, abs(total + end[b, s, a] - 1.0))
                least = min(least, end[b, s, a])
                most = max(most, end[b, s, a])
    return least, most, off


@kernel
def largest(x, b):
    top = 0.0
    for s in range(x.shape[1]):
        top = max(top, abs(x[b, s]))
    return top


def _newton(P, R, mask, end, gamma, reg, tol, limit, work, x, V, Q, TV, pi, log_pi, low, high, least, most, off, steps):
    """From V = 0 until the bracket of V* is half of `tol` relative to the values, or Newton's steps stop shrinking it.

    `work` (blocks, S, S) and x (blocks, S) are scratch: block i does the members i, i + blocks, ...; the numbers (B,) are
    those of `backup` at the final V, `ends`, and the backups made.
    """
    blocks, B, S = work.shape[0], R.shape[0], R.shape[1]
    for block in prange(blocks):
        for b in range(block, B, blocks):
            least[b], most[b], off[b] = ends(P, end, mask, b)
            gap = (1.0 - gamma[b]) + gamma[b] * least[b]
            reward = 0.0
            for s in range(S):
                for a in range(R.shape[2]):
                    reward = max(reward, abs(R[b, s, a]))
            best, stale = np.inf, 0
            for k in range(1, limit + 1):
                steps[b] = k
                low[b], high[b] = backup(P, R, mask, gamma[b], reg, b, V, Q, TV, k == 1)
                size = max(-low[b], high[b])
                if size != size or size <= 0.5 * tol * gap * max(reward, largest(V, b)):
                    break
                stale = 0 if size < 0.5 * best else stale + 1
                best = min(best, size)
                if k == limit or (stale > 3 and size <= 64.0 * S * 2.3e-16 * max(reward, largest(V, b))):
                    break
                policies(reg, Q[b], mask[b], TV[b], pi[b], log_pi[b])
                for s in range(S):
                    x[block, s] = TV[b, s] - V[b, s]
                system(P, pi, gamma[b], b, work[block])
                eliminate(work[block], x[block])
                for s in range(S):
                    V[b, s] += x[block, s]
            policies(reg, Q[b], mask[b], TV[b], pi[b], log_pi[b])


newton, newton_parallel = kernel(_newton), kernel(_newton, parallel=True)
