# mypy: allow-untyped-defs
"""Successor counts of many draws from every row of a kernel, one stream of random numbers a row.

Rows are lists of (index, probability) as in CSR, the end of the process being one more index; `alias_tables` prepares
them. The stream of a row is a SplitMix generator with an increment of its own (Steele, Lea and Flood 2014), started
from a hash of (key, step, row): what a row draws depends on nothing else, so that threads and order change no bit.
Counts of few draws come from single ones by the alias method (Walker 1977; Vose 1991), those of many from
conditional binomials, the binomials by inversion or by transformed rejection (Hoermann 1993, algorithm BTRS).
"""

from math import exp, floor, log, log1p, sqrt

import numpy as np
from numba import prange

from tabular._jit import kernel

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
FIRST, SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)  # of the 64-bit finaliser
ALTERNATE = np.uint64(0xAAAAAAAAAAAAAAAA)
ONE, B11, B27, B30, B31 = np.uint64(1), np.uint64(11), np.uint64(27), np.uint64(30), np.uint64(31)
UNIT = 2.0**-53
SINGLE = 6
"""Draws per successor up to which single draws are faster than binomials."""
BY_INVERSION = 10.0
"""Mean up to which a binomial is found by inversion; beyond it the rejection method is valid and faster."""


@kernel
def mix(z):
    """A bijection of 64-bit words in which every bit of the input moves every bit of the output."""
    z = (z ^ (z >> B30)) * FIRST
    z = (z ^ (z >> B27)) * SECOND
    return z ^ (z >> B31)


@kernel
def stream(key, step, row):
    """Start and increment of the stream of (step, row) under a key of two words."""
    z = mix(mix(key[0] + GOLDEN * np.uint64(step)) + key[1] + GOLDEN * np.uint64(row))
    increment = mix(z ^ key[1]) | ONE
    flips, x = 0, increment ^ (increment >> ONE)
    while x:  # increments with few changes between neighbouring bits make poor streams
        x &= x - ONE
        flips += 1
    return z, increment ^ ALTERNATE if flips < 24 else increment


@kernel
def unit(z):
    """A word as a multiple of 2^-53 in [0, 1)."""
    return np.float64(z >> B11) * UNIT


@kernel
def tail_of_stirling(k):
    """log k! - (k + 1/2) log(k + 1) + (k + 1) - log(2 pi) / 2: to 1e-12 by its table and its series."""
    if k == 0:
        return 0.08106146679532726
    if k == 1:
        return 0.04134069595540929
    if k == 2:
        return 0.02767792568499834
    if k == 3:
        return 0.02079067210376509
    if k == 4:
        return 0.01664469118982119
    if k == 5:
        return 0.01387612882307075
    if k == 6:
        return 0.01189670994589177
    if k == 7:
        return 0.01041126526197209
    if k == 8:
        return 0.009255462182712733
    if k == 9:
        return 0.008330563433362871
    x = 1.0 / (k + 1.0)
    y = x * x
    return (1.0 / 12.0 - (1.0 / 360.0 - (1.0 / 1260.0 - y / 1680.0) * y) * y) * x


@kernel
def small_binomial(n, p, z, increment):
    """A binomial with n p <= BY_INVERSION, p <= 1/2, by inversion from zero on; and the stream's next state."""
    odds = p / (1.0 - p)
    chance = exp(n * log1p(-p))
    z += increment
    u, k = unit(mix(z)), 0
    while u >= chance and k < n:
        u -= chance
        k += 1
        chance *= odds * (n - k + 1) / k
        if chance == 0.0:  # beyond what floats tell from zero
            break
    return k, z


@kernel
def large_binomial(n, p, z, increment):
    """A binomial with n p > BY_INVERSION, p <= 1/2, by transformed rejection (BTRS)."""
    q = 1.0 - p
    spread = sqrt(n * p * q)
    b = 1.15 + 2.53 * spread
    a = -0.0873 + 0.0248 * b + 0.01 * p
    centre = n * p + 0.5
    certain = 0.92 - 4.2 / b
    alpha = (2.83 + 5.1 / b) * spread
    odds = p / q
    mode = floor((n + 1) * p)
    while True:
        z += increment
        u = unit(mix(z)) - 0.5
        z += increment
        v = 1.0 - unit(mix(z))  # (0, 1]: its logarithm is taken
        us = 0.5 - abs(u)
        if us <= 0.0:
            continue
        k = floor((2.0 * a / us + b) * u + centre)
        if us >= 0.07 and v <= certain:
            return np.int64(k), z
        if k < 0.0 or k > n:
            continue
        # The ratio of the probabilities of k and of the mode, by Stirling's formula with its remainders.
        bound = (mode + 0.5) * log((mode + 1.0) / (odds * (n - mode + 1.0)))
        bound += (n + 1.0) * log((n - mode + 1.0) / (n - k + 1.0))
        bound += (k + 0.5) * log(odds * (n - k + 1.0) / (k + 1.0))
        bound += tail_of_stirling(mode) + tail_of_stirling(n - mode) - tail_of_stirling(k) - tail_of_stirling(n - k)
        if log(v * alpha / (a / (us * us) + b)) <= bound:
            return np.int64(k), z


@kernel
def binomial(n, p, q, z, increment):
    """How many of n draws succeed with probability p = 1 - q; and the stream's next state."""
    if n == 0 or p <= 0.0:
        return 0, z
    if q <= 0.0:
        return n, z
    least = min(p, q)
    if n * least > BY_INVERSION:
        k, z = large_binomial(n, least, z, increment)
    else:
        k, z = small_binomial(n, least, z, increment)
    return (k if p <= q else n - k), z


@kernel
def pick(start, size, chance, alias, u):
    """The column that a uniform number draws from the row of `size` columns whose tables begin at `start`."""
    x = u * size
    column = min(int(x), size - 1)
    return column if x - column < chance[start + column] else np.int64(alias[start + column])


@kernel
def count_row(start, stop, mass, tail, chance, alias, n, z, increment, counts):
    """counts[start:stop] = how often each successor of a row came in n draws."""
    size = stop - start
    for i in range(start, stop):
        counts[i] = 0
    if size == 1:
        counts[start] = n
    elif n <= SINGLE * size:
        for _ in range(n):
            z += increment
            counts[start + pick(start, size, chance, alias, unit(mix(z)))] += 1
    else:
        left = n
        for i in range(start, stop - 1):
            if left == 0:
                break
            k, z = binomial(left, mass[i] / tail[i], tail[i + 1] / tail[i], z, increment)
            counts[i] = k
            left -= k
        counts[stop - 1] += left


def _counts(indptr, mass, tail, chance, alias, n, key, step, counts):
    """counts (nnz,) of n draws from each row: row r has entries indptr[r] ... indptr[r+1] - 1."""
    for row in prange(indptr.size - 1):
        start, stop = indptr[row], indptr[row + 1]
        if start < stop:
            z, increment = stream(key, step, row)
            count_row(start, stop, mass, tail, chance, alias, n, z, increment, counts)


@kernel
def alias_row(start, stop, mass, tail, chance, alias, work):
    """Tables of one row: tail sums, and for each of its columns the chance to stay and where else to go."""
    size = stop - start
    total = 0.0
    for i in range(stop - 1, start - 1, -1):
        total += mass[i]
        tail[i] = total
    low, high = start, stop  # a stack of columns below the average from the left, of the others from the right
    for i in range(start, stop):
        chance[i] = mass[i] / total * size
        alias[i] = i - start
        if chance[i] < 1.0:
            work[low] = i
            low += 1
        else:
            high -= 1
            work[high] = i
    while low > start and high < stop:
        low -= 1
        less, more = work[low], work[high]
        alias[less] = more - start
        chance[more] -= 1.0 - chance[less]
        if chance[more] < 1.0:
            high += 1
            work[low] = more
            low += 1
    while low > start:  # rounding alone left them below one
        low -= 1
        chance[work[low]] = 1.0
    while high < stop:
        chance[work[high]] = 1.0
        high += 1


def _alias_tables(indptr, mass, tail, chance, alias, work):
    """Tables of all rows; `work` (nnz,) int64 is scratch space."""
    for row in prange(indptr.size - 1):
        if indptr[row] < indptr[row + 1]:
            alias_row(indptr[row], indptr[row + 1], mass, tail, chance, alias, work)


def _mean_values(indptr, indices, counts, V, n, out):
    """out[row] = sum over its successors of counts V / n; V (S + 1,) has the end's value last."""
    for row in prange(out.size):
        total = 0.0
        for i in range(indptr[row], indptr[row + 1]):
            total += counts[i] * V[indices[i]]
        out[row] = total / n


counts, counts_parallel = kernel(_counts), kernel(_counts, parallel=True)
alias_tables = kernel(_alias_tables)
mean_values, mean_values_parallel = kernel(_mean_values), kernel(_mean_values, parallel=True)
