r"""Entropies, free energies and Gibbs policies of enclosures, with the arguments for their radii.

Throughout, rows are the last axis, ``x`` holds two planes, ``u`` is the unit roundoff and a function value of
``exp``, ``expm1``, ``log`` or ``log1p`` has relative error ``8u`` (4 ulp) or, where subnormal, an absolute one far
below ``TINY``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tabular._rounding import EXP_ULP, LOG_ULP, U
from tabular.reference.enclosures import TINY, ends, gamma_n, pack, up
from tabular.reference.numpy_ops import one_hot, shifted

FE, FL = 2 * EXP_ULP * U, 2 * LOG_ULP * U
quietly = np.errstate(all="ignore")


@quietly
def xlogx(x: np.ndarray) -> np.ndarray:
    """``x log x`` is convex: over an interval it lies between its minimum -1/e, if 1/e is inside, and its values at the ends."""
    f = lambda v: v * np.log(np.where(v > 0, v, 1.0))  # noqa: E731
    low, high = (np.maximum(v, 0.0) for v in ends(x))
    mid, at_low, at_high = f(np.maximum(x[0], 0.0)), f(low), f(high)
    inside = (low < 1 / np.e + 1e-15) & (high > 1 / np.e - 1e-15) & (x[1] > 0)
    least = np.where(inside, -1 / np.e, mid)
    rad = np.max(np.abs(np.stack([at_low, at_high, least]) - mid), axis=0)
    rounding = (FL + 4 * U) * (np.abs(mid) + np.abs(at_low) + np.abs(at_high)) + 2 * U * inside
    exact = (x[1] == 0) & ((x[0] == 0) | (x[0] == 1))
    return pack(mid, np.where(ends(x)[1] < 0, np.inf, np.where(exact, 0.0, up(rad + rounding))))


@quietly
def divergence_terms(p: np.ndarray, mu: np.ndarray, mask: np.ndarray) -> np.ndarray:
    r"""Terms :math:`\phi(p, m) = p \log(p/m) - p + m \ge 0` of a relative entropy; zero where masked.

    Near ``p = m`` the logarithm is ``log1p((p - m)/m)``: the argument has relative error ``2u``, on which ``log1p``
    has condition number at most 1.45 above -1/2, so :math:`p\ell` is off by at most :math:`14u\,p|\ell|`; elsewhere
    :math:`\ell` is a difference of logarithms, off by :math:`8u(|\log p| + |\log m|)`. Radii enter by the mean value
    theorem: over the box :math:`|\partial_p\phi| = |\log(p/m)|` is at most :math:`|\ell| - \log(1-\rho_p) -
    \log(1-\rho_m)` for relative radii :math:`\rho`, and :math:`|\partial_m\phi| = |m - p|/m`. Where p may vanish but
    is not 0, the terms are enclosed one by one.
    """
    allow = np.broadcast_to(mask, np.broadcast_shapes(p.shape[1:], mu.shape[1:], mask.shape))
    (a, ra), (m, rm) = (np.broadcast_to(v, (2, *allow.shape)) for v in (p, mu))
    a, ra, m, rm = np.where(allow, a, 1.0), np.where(allow, ra, 0.0), np.where(allow, m, 1.0), np.where(allow, rm, 0.0)
    d = a - m
    r = d / m
    close = (r > -0.5) & (r < 1.0)
    log_a, log_m = np.log(np.where(a > 0, a, 1.0)), np.log(np.where(m > 0, m, 1.0))
    ell = np.where(close, np.log1p(np.where(close, r, 0.0)), log_a - log_m)
    value = np.maximum(a * ell - d, 0.0)
    noise = np.where(close, 14 * U * a * np.abs(ell), a * ((FL + 2 * U) * (np.abs(log_a) + np.abs(log_m))))
    noise = noise + 3 * U * np.abs(d) + 2 * U * np.abs(a * ell)
    rho_a, rho_m = ra / a * (1 + 4 * U), rm / m * (1 + 4 * U)
    slope = np.abs(ell) * (1 + 32 * U) + (FL + 2 * U) * np.where(close, 1.0, np.abs(log_a) + np.abs(log_m))
    slope = slope - 1.01 * (np.log1p(-rho_a) + np.log1p(-rho_m))
    pull = (np.abs(d) + ra + rm) / m / (1.0 - rho_m)
    rad = np.where((a == m) & (ra == 0) & (rm == 0), 0.0, up(ra * slope + rm * pull + noise))
    rad = np.where((rho_a < 0.5) & (rho_m < 0.5) & (m > 0) & (a > 0), rad, np.inf)
    never = (a == 0) & (ra == 0)
    value, rad = np.where(never, m, value), np.where(never, rm, rad)
    wide = ~never & ~((a > 0) & (rho_a < 0.5)) & (m > 0) & (rho_m < 0.5)
    if wide.any():
        t = xlogx(np.stack([a, ra]))
        reach = np.abs(log_m) * (1 + 16 * U) - 1.01 * np.log1p(-rho_m)  # of |log m|
        general = t[0] - a * log_m - d
        spread = t[1] + ra * reach + np.abs(a) * (-1.01 * np.log1p(-rho_m) + FL * np.abs(log_m)) + ra + rm
        size = 4 * U * (np.abs(t[0]) + np.abs(a * log_m) + np.abs(d))
        value, rad = np.where(wide, general, value), np.where(wide, up(spread + size), rad)
    return pack(np.where(allow, value, 0.0), np.where(allow, rad, 0.0))


@quietly
def first_max(x: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """One-hot at the first maximiser where it is the only possible one, or all possible ones are exact (and so tie exactly)."""
    allow = np.broadcast_to(mask, x[0].shape)
    low, high = (np.where(allow, v, -np.inf) for v in ends(x))
    possible = allow & (high >= np.max(low, axis=-1, keepdims=True))
    alone = possible.sum(axis=-1, keepdims=True) == 1
    settled = alone | np.all((x[1] == 0) | ~possible, axis=-1, keepdims=True)
    first = one_hot(np.argmax(np.where(possible, x[0], -np.inf), axis=-1), x.shape[-1])
    return pack(np.where(settled, first, 0.5 * possible), np.where(settled, 0.0, 0.5 * possible))


def _arguments(x: np.ndarray, w: np.ndarray, mu: Any, mask: np.ndarray) -> tuple[Any, ...]:
    """Planes of ``x``, of ``w`` for each row, of the weights (ones if absent), the allowed entries, and where nothing is known.

    Weights of exactly zero are excluded; of a row with a weight that may vanish, or with a difference that overflows,
    nothing is known.
    """
    mid, rad = x
    weight, wrad = (np.broadcast_to(v, mid.shape)[..., :1] for v in w)
    allow = np.broadcast_to(mask, mid.shape)
    m0, m1 = (np.ones(mid.shape), np.zeros(mid.shape)) if mu is None else np.broadcast_to(mu, x.shape)
    allow = allow & ((m0 != 0) | (m1 > 0))
    least = np.where(allow, (m0 - m1) * (1 - 4 * U), np.inf).min(axis=-1, keepdims=True)
    span = np.max(np.where(allow, mid, -np.inf), axis=-1, keepdims=True) - np.min(
        np.where(allow, mid, np.inf), axis=-1, keepdims=True
    )
    lost = ~(least > 0) | ~np.isfinite(span) | ~np.isfinite(weight + wrad) | (weight + wrad < 0)
    return mid, rad, weight, wrad, m0, m1, allow, least, lost


@quietly
def free_energy(x: np.ndarray, w: np.ndarray, mu: Any, mask: np.ndarray) -> np.ndarray:
    r"""``F = w log sum_a mu_a exp(x_a / w)``, computed as :math:`m + w \log(1 + t)` with ``z = (x - m)/w <= 0``.

    The radius rests on three facts.

    1. ``F`` is 1-Lipschitz in ``x`` for the sup norm.
    2. For ``w > 0``, :math:`\partial F/\partial w = -\sum \pi \log(\pi/\mu)` with the Gibbs policy: between 0 and
       ``log A`` without weights, between :math:`\log \min \mu` and 0 with them (also where they sum to less than one
       over the allowed entries). Where these sum to one, with x in an interval of length ``h``, it is at least :math:`-h^2 /
       (8 w^2)` (Hoeffding's lemma). ``F`` tends to the maximum as ``w`` tends to 0.
    3. ``z`` has relative error ``2u`` (3u with higher orders; an underflow costs less than ``TINY``). Without weights
       :math:`t = \sum e^z` over all but one maximiser, whose terms are off relatively by ``3u|z| + 8u`` and a sum;
       terms with ``z < -746`` are below ``TINY`` whatever their error. With weights (rows that sum to one exactly)
       :math:`t = \sum \mu\,(e^z - 1)`, whose terms have one sign and are off by :math:`\mu |e^z-1| (3u + 8u)`, since
       :math:`|z| e^z \le |e^z-1|` for ``z <= 0``, and by ``|e^z - 1|`` times the radius of :math:`\mu`; below ``t =
       -1/2`` the mass :math:`\sum \mu e^z` is summed itself. An error ``h`` of ``1 + t``, relatively, moves the
       logarithm by at most :math:`|h|/(1-|h|)`.
    """
    mid, rad, weight, wrad, m0, m1, allow, least, lost = _arguments(x, w, mu, mask)
    m, z = shifted(mid, weight, allow)
    A = mid.shape[-1]
    zc, e = np.maximum(z, -746.0), np.exp(z)
    relative = 3 * U * np.abs(zc) + FE + gamma_n(A + 1)
    total = lambda v: v.sum(axis=-1, keepdims=True)  # noqa: E731
    if mu is None:
        others = np.where(np.argmax(z, axis=-1)[..., None] == np.arange(A), 0.0, e)
        t = total(others)
        log_t, slope = np.log1p(t), np.log(float(A)) * (1 + 16 * U)
        h = (total(others * relative) + A * TINY) / (1.0 + t)
    else:
        f = np.where((m0 != 0) | (m1 > 0), np.expm1(z), 0.0)
        t, mass = total(m0 * f), total(m0 * e)
        small = t > -0.5
        log_t = np.where(small, np.log1p(np.maximum(t, -0.5)), np.log(mass))
        near = (total(np.abs(f) * (m0 * (3 * U + FE + gamma_n(A + 1)) + m1)) + A * TINY) / (1.0 + np.maximum(t, -0.5))
        far = (total(e * (m0 * relative + m1)) + A * TINY) / mass
        h = np.where(small, near, far)
        slope = -np.log(least) * (1 + 32 * U) + 4 * U
        whole = np.all(np.broadcast_to(mask, mid.shape) | ~((m0 != 0) | (m1 > 0)), axis=-1, keepdims=True)
        span = m - np.min(np.where(allow, mid, np.inf), axis=-1, keepdims=True)
        flat = (span / (weight - wrad)) ** 2 * (0.125 + 16 * U) + TINY
        slope = np.where(whole & (weight > wrad) & (flat < slope), flat, slope)
    soft = weight > 0
    out = np.where(soft, m + weight * log_t, m)
    moved = np.where(h < 0.5, h / (1.0 - h), np.inf)
    rounding = np.where(soft, weight * (moved + (FL + 2 * U) * np.abs(log_t)) + U * np.abs(out), 0.0)
    lipschitz = np.max(np.where(allow, rad, 0.0), axis=-1, keepdims=True)
    radius = lipschitz + rounding + np.where(wrad > 0, wrad * slope, 0.0)
    alone = allow.sum(axis=-1, keepdims=True) == 1
    exact = (lipschitz == 0) & ((weight == 0) & (wrad == 0) | alone & (mu is None))
    out = np.where(exact, m, out)
    return pack(out[..., 0], np.where(lost, np.inf, np.where(exact, 0.0, up(radius, A)))[..., 0])


@quietly
def gibbs(x: np.ndarray, w: np.ndarray, mu: Any, mask: np.ndarray, log: bool) -> np.ndarray:
    r"""``mu_a exp(x_a / w)`` normalised, or its logarithm: :math:`\log\pi_a = \log\mu_a + z_a - \log M`, :math:`M = \sum \mu e^z`.

    A radius ``r`` of ``x`` moves it by at most ``2 r / w`` in all, since ``z`` and ``log M`` move by at most ``r /
    w``. The relative error :math:`3u + 2\rho` of ``z``, with :math:`\rho \le 1/8` the relative radius of ``w``, moves
    :math:`z_a` by :math:`\delta_a`, hence ``M`` relatively by at most :math:`h = \sum \mu e^z (e^\delta - 1) / M` and
    ``log M`` by ``h/(1-h)``, or by the largest :math:`\delta`. Relative radii :math:`\rho_\mu` of the weights move
    :math:`\log\mu_a` and ``log M`` by at most :math:`-\log(1-\rho_\mu)` each. Let ``d`` be the sum of all this and of
    the roundings: then :math:`|\log\pi_a - \ldots| \le d`, so :math:`|\pi_a - p| \le p\,(e^d-1)`, or for ``d > 1`` at
    most :math:`\mu_a e^{z+d}/M`, which stands also where ``e^z`` underflowed.
    """
    mid, rad, weight, wrad, m0, m1, allow, _, lost = _arguments(x, w, mu, mask)
    _, z = shifted(mid, weight, allow)
    A = mid.shape[-1]
    total = lambda v: v.sum(axis=-1, keepdims=True)  # noqa: E731
    largest = lambda v: np.max(np.where(allow, v, 0.0), axis=-1, keepdims=True)  # noqa: E731
    m0 = np.where(allow, m0, 0.0)
    rho = wrad / weight * (1 + 4 * U)
    soft = (weight > 0) & (rho <= 0.125)
    zc = np.where(allow, np.maximum(z, -1e5), -1e5)  # beyond, e^z is 0 at any relative error below 1/2
    e = np.exp(zc)
    mass = total(m0 * e)
    delta = np.abs(zc) * (3 * U + 2 * rho)
    grown = np.where(delta <= 1.0, e * np.expm1(np.minimum(delta, 1.0)), np.exp(zc + delta)) * (1 + 64 * U) + TINY
    h = total(m0 * grown) / mass * (1 + 2 * gamma_n(A + 8))
    moved = np.where(h < 0.5, h / (1.0 - h), largest(delta))
    shift = 2.0 * largest(rad) / (weight * (1.0 - rho)) * (1 + 16 * U)
    spread = -2.0 * np.log1p(-largest(m1 / np.where(m0 > 0, m0, 1.0) * (1 + 4 * U))) * (1 + 2 * FL)
    common = shift + moved + spread + 2 * FE + gamma_n(2 * A + 8) + TINY / mass
    d = delta + common
    if log:
        log_mass, log_mu = np.log(mass), np.log(np.where(allow & (m0 > 0), m0, 1.0))
        out = np.where(allow, z - log_mass + log_mu, 0.0)
        d = np.where(allow, np.abs(z), 0.0) * (3 * U + 2 * rho) + common
        error = d + (FL + 6 * U) * (np.where(allow, np.abs(z), 0.0) + np.abs(log_mass) + np.abs(log_mu) + np.abs(out))
        none = np.inf
    else:
        out = m0 * e / mass
        close = out * np.expm1(np.minimum(d, 1.0)) * (1 + 64 * U) + 8 * TINY / mass
        error = np.minimum(np.where(d <= 1.0, close, m0 * np.exp(zc + d) / mass * (1 + 64 * U) + TINY / mass), 1.0)
        none = 1.0
    hard = first_max(x, allow)
    if log:
        chosen = (hard[0] == 1.0) & (hard[1] == 0)
        hard = np.stack([np.zeros(mid.shape), np.where(chosen, 0.0, np.inf)])
    is_hard = (weight == 0) & (wrad == 0)
    alone = allow.sum(axis=-1, keepdims=True) == 1
    error = np.where(~soft | lost | np.isnan(error), none, error)
    out = np.where(soft & ~lost, out, 0.0)
    single = 0.0 if log else 1.0
    out = np.where(is_hard, hard[0], np.where(alone, single, out))
    error = np.where(is_hard & ~lost, hard[1], np.where(alone & ~lost, 0.0, up(error, A)))
    return pack(np.where(allow, out, 0.0), np.where(allow, error, 0.0))
