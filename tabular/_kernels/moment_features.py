# mypy: allow-untyped-defs
"""Features of a row's support for `moment_projection`: functions centred, scaled and made orthonormal; and the way back."""

from math import sqrt

from tabular._jit import kernel

EPS = 2.0**-52


@kernel
def features(lo, hi, indices, phi, psi, half, rank_tol, z, scale, target, noise, ridge, T, dropped):
    """Fill z[lo:hi, :rank], targets and their rounding. Returns the rank, and the first function whose moment
    contradicts."""
    d, m, rank, stray = psi.size, hi - lo, 0, -1
    for j in range(d):
        centre, largest = 0.0, 0.0
        for e in range(lo, hi):
            centre += phi[j, indices[e]] / m
            largest = max(largest, abs(phi[j, indices[e]]))
        size = 0.0
        for e in range(lo, hi):
            z[e, rank] = phi[j, indices[e]] - centre
            size = max(size, abs(z[e, rank]))
        rounding = 8.0 * EPS * m * max(largest, abs(psi[j]))
        constant = size <= rounding
        scale[j] = 1.0 if constant else size
        y = (psi[j] - centre) / scale[j]
        error = rounding / scale[j]
        for e in range(lo, hi):
            z[e, rank] = 0.0 if constant else z[e, rank] / scale[j]
        if half > 0.0:
            target[j], noise[j], ridge[j] = y, 8.0 * EPS * m, half / (scale[j] * scale[j])
            rank += 1
            continue
        first = norm(lo, hi, z, rank)
        for k in range(d):
            T[k, j] = 0.0
        for _ in range(2):
            for k in range(rank):
                c = 0.0
                for e in range(lo, hi):
                    c += z[e, k] * z[e, rank]
                T[k, j] += c
                for e in range(lo, hi):
                    z[e, rank] -= c * z[e, k]
        for k in range(rank):
            y -= T[k, j] * target[k]
            error += abs(T[k, j]) * noise[k]
        left = norm(lo, hi, z, rank)
        if constant or left <= rank_tol * first or left <= error:
            dropped[j] = True
            T[j, j] = y
            if stray < 0 and abs(y) > left + error:
                stray = j
            continue
        for e in range(lo, hi):
            z[e, rank] /= left
        T[rank, j] = left
        target[rank], noise[rank], ridge[rank] = y / left, error / left + 8.0 * EPS * m, 0.0
        rank += 1
    return rank, stray


@kernel
def norm(lo, hi, z, k):
    total = 0.0
    for e in range(lo, hi):
        total += z[e, k] * z[e, k]
    return sqrt(total)


@kernel
def to_functions(rank, d, scale, T, dropped, nu, out):
    """Coefficients of phi from those of the features, zero for what was dropped; `nu` is overwritten."""
    for j in range(d):
        out[j] = 0.0
    k = rank - 1
    for back in range(d):
        j = d - 1 - back
        if dropped[j]:
            continue
        a = nu[k] / T[k, j]
        for i in range(k):
            nu[i] -= a * T[i, j]
        out[j] = a / scale[j]
        k -= 1


@kernel
def inconsistent(stray, d, rank, scale, target, T, dropped, direction, step):
    """The direction in which a dropped function's moment contradicts those of the functions before it."""
    y = T[stray, stray]
    before = 0
    for j in range(stray):
        before += 0 if dropped[j] else 1
    for k in range(before):
        step[k] = -T[k, stray]
    to_functions(before, stray, scale, T, dropped, step, direction)
    direction[stray] = 1.0 / scale[stray]
    if y < 0.0:
        for j in range(stray + 1):
            direction[j] = -direction[j]
