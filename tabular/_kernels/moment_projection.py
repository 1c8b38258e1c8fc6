# mypy: allow-untyped-defs
r"""Maximum-entropy corrections of rows: the tilt of `p` that has given moments, by Newton's method on its dual.

For a row p on its support, functions phi (d, n) and targets psi (d,), minimise over lam

    f(lam) = log sum_t p_t exp(lam . phi(t)) - lam . psi + (half/2) |lam|^2,    half = beta^2/2 >= 0,

whose gradient is the excess of the moments of q = p exp(lam . phi)/Z over the targets, plus half lam, and whose
Hessian is Cov_q(phi) + half I.

half = 0: the functions are centred on the support, scaled, and orthonormalised there in their order (Gram-Schmidt,
twice). A function that adds less than `rank_tol` of its own norm to those before it is dropped: its moment is then
a consequence of theirs, and is compared with it. half > 0: centred and scaled only, for every function counts.

A step n is damped to t = log(1 + r)/r, with r the range of n . phi over the support: the Hessian grows along the way
by at most exp(t r), so that f decreases by at least (eta/r)^2 ((1+r) log(1+r) - r), eta the Newton decrement. Full
steps near the end; with half > 0 longer ones, too, where they decrease f enough, for lam may be as large as 1/half.

A row ends CONVERGED where a step moves no logarithm by more than 1e-8 (the error is then its square), or where the
gradient is below the rounding of the data and steps no longer halve; INFEASIBLE where a direction v, which is kept, has
v . psi > max_t v . phi(t) by more than that rounding. A target on the boundary of the hull is approached, and reached
within rounding.
"""

from math import exp, isfinite, log, log1p, sqrt

from numba import prange

from tabular._jit import kernel
from tabular._kernels.moment_features import EPS, features, inconsistent, to_functions

CONVERGED, INFEASIBLE, MAX_ITER, NONFINITE = 0, 1, 2, 3
CLOSE = 1e-8
FLOOR = 1e-15


def work_size(d):
    """Numbers of a row's workspace."""
    return 2 * d * d + 8 * d


@kernel
def project_row(lo, hi, indices, p, phi, psi, half, rank_tol, max_iter, z, work, q, lam, moments, dropped, direction):
    """One row; returns status, iterations, KL(q || p) and the dual value -f, a lower bound of the least KL +
    penalty."""
    d = psi.size
    for j in range(d):
        lam[j], direction[j], dropped[j] = 0.0, 0.0, False
    scale, target, noise, ridge = work[:d], work[d : 2 * d], work[2 * d : 3 * d], work[3 * d : 4 * d]
    grad, step, nu, mean = work[4 * d : 5 * d], work[5 * d : 6 * d], work[6 * d : 7 * d], work[7 * d : 8 * d]
    T, H = work[8 * d : 8 * d + d * d].reshape(d, d), work[8 * d + d * d : 8 * d + 2 * d * d].reshape(d, d)
    rank, stray = features(lo, hi, indices, phi, psi, half, rank_tol, z, scale, target, noise, ridge, T, dropped)
    status, iterations, kl, dual = MAX_ITER, 0, 0.0, 0.0
    if stray >= 0:
        inconsistent(stray, d, rank, scale, target, T, dropped, direction, step)
        status = INFEASIBLE
    for k in range(rank):
        nu[k] = 0.0
    least = 1.0
    for e in range(lo, hi):
        least = min(least, p[e])
    most = -log(least)  # of any divergence: beyond it nu separates
    last, before = status == INFEASIBLE, 1e308
    while True:
        log_mass, reach = tilt(lo, hi, p, z, nu, rank, q)
        slope(lo, hi, q, z, nu, rank, target, ridge, mean, grad)
        kl, dual, small = -log_mass, -log_mass, True
        floor = min(4.0 * EPS * reach, CLOSE)  # what rounding of the exponents does to q
        for k in range(rank):
            kl += nu[k] * mean[k]
            dual += nu[k] * target[k] - 0.5 * ridge[k] * nu[k] * nu[k]
            small &= abs(grad[k]) <= noise[k] + floor
        if not isfinite(dual):
            status = NONFINITE
            break
        if last or rank == 0:
            status = status if status == INFEASIBLE else CONVERGED
            break
        if half == 0.0 and (iterations % 8 == 0 or dual > most):
            side = separates(lo, hi, z, nu, grad, rank, target, noise)
            if side != 0:
                for k in range(rank):
                    step[k] = nu[k] if side == 1 else -grad[k]
                to_functions(rank, d, scale, T, dropped, step, direction)
                status = INFEASIBLE
                break
        if iterations == max_iter:
            break
        curvature(lo, hi, q, z, rank, mean, ridge, H)
        newton(rank, H, grad, step)
        r = spread(lo, hi, z, step, rank)
        if small and r >= 0.5 * before:
            status = CONVERGED
            break
        before = r
        t = 1.0 if r < CLOSE else log1p(r) / r
        if half > 0.0 and r > 1.0:
            t = longest(lo, hi, p, z, nu, step, grad, rank, target, ridge, dual, t, mean, q)
        last = r < CLOSE
        for k in range(rank):
            nu[k] += t * step[k]
        iterations += 1
    if half == 0.0:
        to_functions(rank, d, scale, T, dropped, nu, lam)
    else:
        for j in range(d):
            lam[j] = nu[j] / scale[j]
    for j in range(d):
        total = 0.0
        for e in range(lo, hi):
            total += q[e] * phi[j, indices[e]]
        moments[j] = total
    return status, iterations, max(kl, 0.0), dual


@kernel
def longest(lo, hi, p, z, nu, step, grad, rank, target, ridge, dual, least, trial, q):
    """The longest step of 1, 1/4, 1/16, ... that decreases f = -dual by a quarter of its slope, `least` if below
    that."""
    slope = 0.0
    for k in range(rank):
        slope += grad[k] * step[k]
    t = 1.0
    while t > least:
        value = 0.0
        for k in range(rank):
            trial[k] = nu[k] + t * step[k]
            value += 0.5 * ridge[k] * trial[k] * trial[k] - target[k] * trial[k]
        value += tilt(lo, hi, p, z, trial, rank, q)[0]
        if value <= -dual + 0.25 * t * slope:
            return t
        t *= 0.25
    return least


@kernel
def tilt(lo, hi, p, z, nu, rank, q):
    """q = p exp(nu . z) / Z; returns log Z and the range of nu . z."""
    low, top = 1e308, -1e308
    for e in range(lo, hi):
        x = 0.0
        for k in range(rank):
            x += nu[k] * z[e, k]
        q[e] = x
        low, top = min(low, x), max(top, x)
    mass = 0.0
    for e in range(lo, hi):
        q[e] = p[e] * exp(q[e] - top)
        mass += q[e]
    mass_inverse = 1.0 / mass
    for e in range(lo, hi):
        q[e] *= mass_inverse
    return top + log(mass), top - low


@kernel
def slope(lo, hi, q, z, nu, rank, target, ridge, mean, grad):
    """Means of the features, and the gradient, summed without cancellation of its large parts."""
    for k in range(rank):
        excess = 0.0
        for e in range(lo, hi):
            excess += q[e] * (z[e, k] - target[k])
        mean[k] = excess + target[k]
        grad[k] = excess + ridge[k] * nu[k]


@kernel
def curvature(lo, hi, q, z, rank, mean, ridge, H):
    for j in range(rank):
        for k in range(j + 1):
            total = ridge[j] if j == k else 0.0
            for e in range(lo, hi):
                total += q[e] * (z[e, j] - mean[j]) * (z[e, k] - mean[k])
            H[j, k] = total


@kernel
def newton(rank, H, grad, step):
    """-H^-1 grad by Cholesky in place; pivots are kept above `FLOOR` of the trace, which slows a step and moves no
    optimum."""
    trace = 0.0
    for j in range(rank):
        trace += H[j, j]
    for j in range(rank):
        for k in range(j + 1):
            total = H[j, k]
            for i in range(k):
                total -= H[j, i] * H[k, i]
            if j == k:
                H[j, j] = sqrt(max(total, FLOOR * trace, 1e-300))
            else:
                H[j, k] = total / H[k, k]
    for j in range(rank):
        total = -grad[j]
        for i in range(j):
            total -= H[j, i] * step[i]
        step[j] = total / H[j, j]
    for back in range(rank):
        j = rank - 1 - back
        total = step[j]
        for i in range(j + 1, rank):
            total -= H[i, j] * step[i]
        step[j] = total / H[j, j]


@kernel
def spread(lo, hi, z, v, rank):
    """Range of v . z over the support."""
    low, high = 1e308, -1e308
    for e in range(lo, hi):
        x = 0.0
        for k in range(rank):
            x += v[k] * z[e, k]
        low, high = min(low, x), max(high, x)
    return high - low


@kernel
def separates(lo, hi, z, nu, grad, rank, target, noise):
    """1 where nu, -1 where -grad has its product with the targets above that with every feature, beyond rounding;
    else 0."""
    high, other, margin, second = -1e308, -1e308, 0.0, 0.0
    for k in range(rank):
        margin += 4.0 * abs(nu[k]) * noise[k]
        second += 4.0 * abs(grad[k]) * noise[k]
    for e in range(lo, hi):
        x, y = 0.0, 0.0
        for k in range(rank):
            gap = z[e, k] - target[k]
            x += nu[k] * gap
            y -= grad[k] * gap
        high, other = max(high, x), max(other, y)
    if high < -margin:
        return 1
    return -1 if other < -second else 0


def _project(
    indptr,
    indices,
    p,
    phi,
    psi,
    half,
    rank_tol,
    max_iter,
    z,
    work,
    q,
    lam,
    moments,
    dropped,
    direction,
    status,
    steps,
    kl,
    dual,
):
    """Every row: buffers z (nnz, d), work (N, work_size(d)), q (nnz,), lam, moments, dropped, direction (N, d), the
    rest (N,)."""
    for i in prange(psi.shape[0]):
        status[i], steps[i], kl[i], dual[i] = project_row(
            indptr[i], indptr[i + 1], indices, p, phi, psi[i], half, rank_tol, max_iter, z, work[i], q, lam[i],
            moments[i], dropped[i], direction[i], )  # fmt: skip


project, project_parallel = kernel(_project), kernel(_project, parallel=True)
