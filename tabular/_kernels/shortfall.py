# mypy: allow-untyped-defs
"""Policies of Tsallis' entropy, index other than 1: maximisers alone, and what a policy falls short of a maximum by."""

from math import expm1, inf, log, sqrt

from numba import prange

from tabular._jit import kernel
from tabular._kernels import tsallis


@kernel(inline=True)
def power_log(x, c):
    """(x^c - 1)/c for x > 0; of the indices 1/2, 3/2, 2 and 3 without logarithms."""
    if c == 1.0:
        return x - 1.0
    if c == 0.5:
        return 2.0 * (sqrt(x) - 1.0)
    if c == 2.0:
        return 0.5 * (x * x - 1.0)
    if c == -0.5:
        return 2.0 * (1.0 - 1.0 / sqrt(x))
    return expm1(c * log(x)) / c


@kernel(inline=True)
def shortfall_at(Q, TV, pi, tau, index, s):
    """TV[s] less <p, Q[s]> + tau S(p), where p is pi[s] divided by its sum; and the sum of the sizes of its terms.

    Infinite where pi is no distribution. An entry below the normal numbers counts as one above: what underflows is covered.
    """
    mass, c = 0.0, index - 1.0
    for a in range(pi.shape[1]):
        mass += pi[s, a]
    gain, size = 0.0, 0.0
    for a in range(pi.shape[1]):
        if pi[s, a] < 0.0:
            return inf, inf
        p = pi[s, a] / mass
        if p != 0.0:
            d, h = Q[s, a] - TV[s], tau * power_log(p, c)
            gain += p * (d - h)
            size += (p + 1e-290) * (abs(d) + abs(h))
    return (-gain, size) if 0.0 < mass < inf else (inf, inf)


def _shortfall(Q, TV, pi, tau, index, lost, size):
    """lost (S,), size (S,) of pi (S, A) at Q (S, A) by `shortfall_at`."""
    for s in prange(TV.size):
        lost[s], size[s] = shortfall_at(Q, TV, pi, tau, index, s)


def _maximiser(Q, mask, tau, index, pi):
    """pi (S, A) = the maximiser at Q (S, A)."""
    for s in prange(Q.shape[0]):
        tsallis.maximise(Q[s], mask[s], tau, index, Q[s], True, pi[s])


shortfall, shortfall_parallel = kernel(_shortfall), kernel(_shortfall, parallel=True)
maximiser, maximiser_parallel = kernel(_maximiser), kernel(_maximiser, parallel=True)
