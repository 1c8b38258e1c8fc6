r"""Logarithms and exponentials with an index, and Tsallis projections, in float64: the definitions, and their NumPy twins.

.. math:: \ln_q x = \frac{x^{1-q} - 1}{1-q}, \qquad \exp_q x = [1 + (1-q) x]_+^{1/(1-q)},

with the limits ``log`` and ``exp`` at ``q = 1``. Papers use either index; the *dual* pair, of index ``2 - q``, is

.. math:: L_q x = \ln_{2-q} x = \frac{x^{q-1} - 1}{q-1}, \qquad e_q x = \exp_{2-q} x = [1 + (q-1) x]_+^{1/(q-1)}.

The project's convention: :math:`S_q(\pi) = -\sum_a \pi_a L_q(\pi_a) = (1 - \sum_a \pi_a^q)/(q-1)` and :math:`D_q(\pi\|\mu) =
\sum_a \pi_a L_q(\pi_a/\mu_a)`, so that ``D_1`` is the divergence of Kullback and Leibler and :math:`D_2 = \chi^2`.

**Projections.** With weights :math:`\mu` of mass ``M`` (a distribution, or ones for the entropy, since
:math:`S_q(\pi) = -D_q(\pi\|1)`), :math:`c = q - 1` and ``z = (x - max x)/w``,

.. math:: \max_\pi\, \langle \pi, x\rangle - w D_q(\pi\|\mu) = \max x + w \min_\nu D(\nu), \qquad
          D(\nu) = \nu + \sum_a \mu_a (t_a^q - 1) + M - 1, \quad t_a = e_q((z_a - \nu)/q),

for the stationary policy is :math:`\pi = \mu t`, and the Lagrangian's maximum over :math:`\pi \ge 0` is ``D``. It is convex,
and :math:`D'(\nu) = -N(\nu)` with :math:`N = \sum_a \mu_a (t_a - 1) + M - 1`, so that any ``nu`` gives an upper bound, which
exceeds the minimum by at most ``|N|`` times the distance from the root of ``N``; and :math:`t^q - 1 = (t - 1) + c\,t\,y` at
:math:`t = e_q(y)`, of which nothing cancels. The root lies between :math:`\max(\min z - q L_q(1/M), -q L_q(1/\mu_{top}))` and
:math:`-q L_q(1/M)`: at the first either all ``t`` are at least ``1/M`` or the largest entry alone has mass 1, at the
second no ``t`` exceeds ``1/M``. Newton's method is applied to :math:`(1 + N)^c = 1`, linear in ``nu`` where one value of ``z`` has
all the mass, and guarded by bisection.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from tabular._rounding import U

MAX_STEPS = 400
quietly = np.errstate(all="ignore")


@quietly
def log_c(x: Any, c: Any) -> np.ndarray:
    """``(x^c - 1)/c`` for ``x >= 0``, ``log x`` at ``c = 0``."""
    x, c = np.asarray(x, dtype=np.float64), np.asarray(c, dtype=np.float64)
    ell = np.log(x)
    safe = np.where(c == 0, 1.0, c)
    return np.asarray(np.where(c == 0, ell, np.where(c == 1, x - 1.0, np.expm1(safe * ell) / safe)))


@quietly
def log1p_c(r: Any, c: Any) -> np.ndarray:
    """``log_c(1 + r, c)``, accurate relatively near ``r = 0``."""
    ell = np.log1p(r)
    safe = np.where(c == 0, 1.0, c)
    return np.asarray(np.where(c == 0, ell, np.where(c == 1, r, np.expm1(safe * ell) / safe)))


@quietly
def exp_pair(y: Any, c: Any) -> tuple[np.ndarray, np.ndarray]:
    """``t = [1 + c y]_+^(1/c)`` and ``t - 1``; ``inf`` beyond the pole of a negative ``c``."""
    y, c = np.asarray(y, dtype=np.float64), np.asarray(c, dtype=np.float64)
    safe = np.where(c == 0, 1.0, c)
    v = safe * y
    ell = np.where(
        c == 0, y, np.where(v > -1.0, np.log1p(np.maximum(v, -1.0)) / safe, np.where(c > 0, -np.inf, np.inf))
    )
    linear = np.maximum(y, -1.0)
    return np.where(c == 1, 1.0 + linear, np.exp(ell)), np.where(c == 1, linear, np.expm1(ell))


def q_log(x: Any, q: Any) -> np.ndarray:
    """:math:`\\ln_q x`, elementwise, for ``x >= 0``: ``-1/(1-q)`` at 0 for ``q < 1``, else ``-inf``."""
    return log_c(x, 1.0 - np.asarray(q, dtype=np.float64))


def q_exp(x: Any, q: Any) -> np.ndarray:
    """:math:`\\exp_q x`, elementwise: zero below the cut of ``q < 1``, ``inf`` beyond the pole of ``q > 1``."""
    return exp_pair(x, 1.0 - np.asarray(q, dtype=np.float64))[0]


def dual_log(x: Any, q: Any) -> np.ndarray:
    """:math:`L_q x = \\ln_{2-q} x`, elementwise."""
    return log_c(x, np.asarray(q, dtype=np.float64) - 1.0)


def dual_exp(x: Any, q: Any) -> np.ndarray:
    """:math:`e_q x = \\exp_{2-q} x`, elementwise."""
    return exp_pair(x, np.asarray(q, dtype=np.float64) - 1.0)[0]


@quietly
def times_log(x: np.ndarray, c: np.ndarray) -> np.ndarray:
    """``x log_c(x, c)``, zero at zero."""
    return np.asarray(np.where(x > 0, x * log_c(np.where(x > 0, x, 1.0), c), 0.0))


@quietly
def divergence(p: np.ndarray, mu: np.ndarray, c: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """``sum_a p_a log_c(p_a / mu_a) - p_a + mu_a`` over the last axis: every term at least 0, nothing cancels between them."""
    p, mu = np.where(mask, p, 1.0), np.where(mask, mu, 1.0)
    r = (p - mu) / np.where(mu > 0, mu, 1.0)
    near = log1p_c(np.maximum(r, -0.5), c)
    terms = np.where(p > 0, p * np.where(r > -0.5, near, log_c(p / np.where(mu > 0, mu, 1.0), c)), 0.0) - (p - mu)
    return np.asarray(np.where(mu > 0, np.maximum(terms, 0.0), np.where(p > 0, np.inf, 0.0)).sum(axis=-1))


class Dual(NamedTuple):
    """Where a search for the root of ``N`` ended; arrays (..., 1), but for the planes of the rows (..., n).

    Attributes
    ----------
    nu : the last point.  N : there.  low, high : the bracket.  t, y : ``e_q`` and its argument at ``nu``.
    """

    nu: np.ndarray
    N: np.ndarray
    low: np.ndarray
    high: np.ndarray
    t: np.ndarray
    y: np.ndarray


def total(v: np.ndarray) -> np.ndarray:
    return np.asarray(v.sum(axis=-1, keepdims=True))


def _less(y: np.ndarray, c: np.ndarray) -> np.ndarray:
    """``e - 1`` as in ``exp_pair``, for ``c != 0``; the usual indices without logarithms."""
    k = float(c.flat[0])
    if k in (0.5, 1.0, 2.0) and (c == k).all():
        b = 1.0 + k * y
        if k == 1.0:
            return np.maximum(y, -1.0)
        less = 0.5 * y * (b + 1.0) if k == 0.5 else 2.0 * y / (np.sqrt(np.maximum(b, 0.0)) + 1.0)
        return np.asarray(np.where(b > 0, less, -1.0))
    return np.asarray(np.expm1(np.log1p(np.maximum(c * y, -1.0)) / c))


@quietly
def dual_point(z: np.ndarray, q: np.ndarray, mu: np.ndarray, outside: np.ndarray) -> Dual:
    """The root of ``N`` for rows ``z <= 0`` (..., n) with maximum 0 and weights ``mu`` (..., n), zero where excluded.

    ``outside`` (..., 1) is the mass that they lack to one, ``q`` (..., 1) positive and not 1. Ends at ``|N|`` of the size of
    rounding, or at a bracket of a few ulp, which a support that is about to change may need.
    """
    c, live = q - 1.0, mu > 0
    n = z.shape[-1]
    floor = -q * log_c(1.0 / (1.0 - outside), c)
    least = np.min(np.where(live, z, 0.0), axis=-1, keepdims=True)
    least = np.where(c < 1.0, total(mu * z) / (1.0 - outside), least)  # t is convex in z: Jensen
    low = np.maximum(-q * log_c(1.0 / total(np.where(z == 0, mu, 0.0)), c), least + floor)
    narrow = 8 * U * (np.abs(low) + np.abs(floor)) + 1e-300
    low, high = low - 2 * narrow, floor + 2 * narrow
    nu, last = low, np.full(low.shape, np.inf)
    done = np.zeros(low.shape, dtype=bool)
    for _ in range(MAX_STEPS):
        y = (z - nu) / q
        less = _less(y, c)
        N = total(np.where(live, mu * less, 0.0)) - outside
        low, high = np.where(N >= 0, nu, low), np.where(N <= 0, nu, high)
        done = done | ~(np.abs(N) > 4 * (n + 8) * U) | (high - low <= narrow) & (N <= 0)
        if done.all():
            break
        slope = total(np.where(live & (less > -1.0), mu * (1.0 + less) / (1.0 + c * y), 0.0))
        S = 1.0 + N
        new = nu + q * S ** (1.0 - c) * log1p_c(N, c) / slope
        good = (new > low) & (new < high) & (np.abs(N) <= 0.5 * last)
        new = np.where(high - low <= narrow, high, np.where(good, new, low + 0.5 * (high - low)))
        nu, last = np.where(done, nu, new), np.where(good, np.abs(N), np.inf)
    return Dual(nu, N, low, high, exp_pair(y, c)[0], y)


def rows(
    x: np.ndarray, w: np.ndarray, weights: np.ndarray | None, mask: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Largest allowed ``x`` (keepdims), ``z`` (0 where excluded), weights (likewise), and what their mass lacks to one."""
    mu = np.ones(x.shape) if weights is None else np.broadcast_to(weights, x.shape)
    allow = mask & (mu > 0)
    m = np.max(np.where(allow, x, -np.inf), axis=-1, keepdims=True)
    z = np.where(allow, (x - m) / np.where(w > 0, w, 1.0), 0.0)
    outside = 1.0 - total(1.0 * allow) if weights is None else total(np.where(allow, 0.0, mu))
    return m, np.maximum(z, -1e290), np.where(allow, mu, 0.0), outside


@quietly
def energy(x: np.ndarray, w: np.ndarray, weights: np.ndarray | None, q: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """``max_pi <pi, x> - w D_q(pi, mu)``, rows last, for ``q != 1``; weights of None are ones. The NumPy twin of the kernel."""
    q, w = (np.broadcast_to(v, x.shape)[..., :1] for v in (q, w))
    m, z, mu, outside = rows(x, w, weights, mask)
    found = dual_point(z, q, mu, outside)
    D = found.nu + (q - 1.0) * total(np.where(found.t > 0, mu * found.t * found.y, 0.0)) + found.N
    return np.asarray(np.where(w > 0, m + w * D, m)[..., 0])


@quietly
def policy(x: np.ndarray, w: np.ndarray, weights: np.ndarray | None, q: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The maximiser; the first one at ``w = 0``.

    Where no float ``nu`` makes ``N`` vanish (for ``q > 2`` a probability may rise from 0 to a hundredth within an ulp), the
    policies at the two ends of the bracket are mixed: its loss is at most twice the bracket.
    """
    q, w = (np.broadcast_to(v, x.shape)[..., :1] for v in (q, w))
    _, z, mu, outside = rows(x, w, weights, mask)
    found = dual_point(z, q, mu, outside)
    pi = mu * found.t
    rough = np.abs(found.N) > 1e-11
    if rough.any():
        below, above = (mu * exp_pair((z - v) / q, q - 1.0)[0] for v in (found.high, found.low))
        less = 1.0 - total(below)
        steep = above == np.inf  # beyond the pole of q < 1: theirs is what is missing
        above = np.where(
            np.any(steep, axis=-1, keepdims=True), below + np.where(steep, mu / total(mu * steep), 0.0), above
        )
        more = total(above) - 1.0
        mixed = below + less / (less + more) * (above - below)
        pi = np.where(rough & (less >= 0) & (more >= 0), mixed, pi)
    pi = pi / total(pi)
    hard = (np.argmax(np.where(mu > 0, x, -np.inf), axis=-1)[..., None] == np.arange(x.shape[-1])) * 1.0
    return np.asarray(np.where(w > 0, pi, hard))
