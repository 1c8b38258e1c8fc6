r"""Indexed logarithms and Tsallis projections of enclosures.

Elementary functions are enclosed as in ``enclosure_ops``; the index is exact, or nothing is known. A projection (notation of
``q_calculus``) is proposed in floats, as a point ``nu``, and proved: ``N`` is strictly decreasing wherever it is positive, so that
:math:`N(\nu - \delta) \ge 0 \ge N(\nu + \delta)`, which enclosures decide for every row inside, puts the root within
:math:`\delta`. Then the policy lies between those at the two points, and the maximum between :math:`D(\nu) - |N(\nu)|\,\delta` and
:math:`D(\nu)`: the dual function is convex with slope ``-N``. Where no :math:`\delta` decides, the bracket known beforehand does.
A radius of the action values moves the maximum by no more than itself.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tabular._rounding import LOG_ULP, U
from tabular.reference import q_calculus as floats
from tabular.reference.enclosure_entropy import FE, first_max
from tabular.reference.enclosures import TINY, ends, pack, up

quietly = np.errstate(all="ignore")
SMALL = 2.0**-900  # a distance that the roundings of a radius do not hide
TRIES = 30  # of growing distances from the proposed root
FAR = -1e290  # what lies below has no probability where a policy truncates


@quietly
def log1p(x: np.ndarray) -> np.ndarray:
    """``log(1 + x)``; nothing is known of what reaches -1."""
    spread = x[1] / (1.0 + x[0]) * (1 + 8 * U)
    rad = -np.log1p(-spread) * (1 + 8 * LOG_ULP * U) + 2 * LOG_ULP * U * np.abs(np.log1p(x[0]))
    known = (x[0] > -1.0) & (spread < 1.0)
    return pack(np.log1p(x[0]), np.where(known, np.where((x[0] == 0) & (x[1] == 0), 0.0, up(rad)), np.inf))


@quietly
def expm1(x: np.ndarray) -> np.ndarray:
    r"""``e^x - 1``: over a radius ``r`` it moves by at most :math:`e^{x_0}(e^r - 1)`."""
    mid = np.expm1(x[0])
    rad = np.exp(x[0]) * np.expm1(x[1]) * (1 + 8 * FE) + FE * np.abs(mid)
    return pack(mid, np.where((x[0] == 0) & (x[1] == 0), 0.0, up(rad)))


def hull(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Enclosures of everything between the floats ``low`` and ``high``."""
    mid = 0.5 * low + 0.5 * high
    return pack(mid, np.where(low == high, 0.0, up(np.maximum(high - mid, mid - low) + U * np.abs(mid))))


def _pick(where: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.where(where, x, y)


@quietly
def log_c(ops: Any, x: np.ndarray, c: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
    """``(x^c - 1)/c`` for ``x >= 0`` (see ``q_calculus.log_c``), zero where masked. At 0 it is ``-1/c`` for ``c > 0``."""
    index, unknown = c[0], c[1] > 0
    safe = pack(np.where(index == 0, 1.0, index), 0.0)

    def regular(v: np.ndarray) -> np.ndarray:
        ell = ops._log(v, None)
        power = _pick(
            index == 1, ops._sub(v, pack(np.ones(v[0].shape), 0.0)), ops._div(expm1(ops._mul(safe, ell)), safe)
        )
        return _pick(index == 0, ell, power)

    low, high = ends(x)
    out = regular(x)
    zero = (low <= 0) & (high >= 0)
    if zero.any():
        bottom = ends(ops._div(pack(np.full(x[0].shape, -1.0), 0.0), safe))[0]
        top = np.where(
            high > 0, ends(regular(pack(np.maximum(high, 0.0), 0.0)))[1], np.nextafter(-1.0 / safe[0], np.inf)
        )
        out = _pick(zero & (index > 0), hull(bottom, np.maximum(top, bottom)), out)
    out = np.stack([out[0], np.where(unknown | (high < 0), np.inf, out[1])])
    one = (x[0] == 1) & (x[1] == 0) & ~unknown
    out = _pick(one, np.zeros_like(out), out)
    return out if mask is None else _pick(mask, out, np.zeros_like(out))


@quietly
def exp_parts(ops: Any, y: np.ndarray, c: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """``t = [1 + c y]_+^(1/c)``, ``t - 1`` and ``t^(1+c) - 1``; the index ``c`` a float array, nothing known beyond a pole."""
    shape = np.broadcast_shapes(y[0].shape, c.shape)
    c = np.broadcast_to(c, shape)
    safe = pack(np.where(c == 0, 1.0, c), 0.0)
    v = ops._mul(safe, y)
    low, high = ends(v)
    ell = _pick(c == 0, np.broadcast_to(y, (2, *shape)), ops._div(log1p(v), safe))
    t, less = ops._exp(ell), expm1(ell)
    base = ops._add(v, pack(np.ones(shape), 0.0))
    small = base[0] < 0.5  # then the two terms of the sum would cancel
    more = ops._add(less, ops._mul(ops._mul(t, y), pack(c, 0.0)))
    more = _pick(small, ops._sub(ops._mul(t, base), pack(np.ones(shape), 0.0)), more)
    linear = ops._add(y, pack(np.ones(shape), 0.0))
    t, less = _pick(c == 1, linear, t), _pick(c == 1, np.broadcast_to(y, (2, *shape)), less)
    more = _pick(c == 1, ops._add(ops._mul(linear, y), y), more)
    cut = (c > 0) & (low <= -1.0)
    if cut.any():
        gone = cut & (high <= -1.0)
        edge = np.where(gone, -1.0, np.maximum(high, -1.0))
        top = ends(ops._exp(ops._div(log1p(pack(edge, 0.0)), safe)))[1]
        top = np.where(gone, 0.0, np.where(c == 1, np.nextafter(1.0 + edge, np.inf), top))
        top_more = np.where(gone, 0.0, top * (1.0 + edge) * (1 + 8 * U) + TINY)
        zero, one = np.zeros(shape), np.full(shape, -1.0)
        t = _pick(cut, hull(zero, top), t)
        less = _pick(cut, hull(one, np.where(gone, -1.0, np.nextafter(top - 1.0, np.inf))), less)
        more = _pick(cut, hull(one, np.where(gone, -1.0, np.nextafter(top_more - 1.0, np.inf))), more)
    return t, less, more


def exp_c(ops: Any, y: np.ndarray, c: np.ndarray) -> np.ndarray:
    """``[1 + c y]_+^(1/c)``."""
    t = exp_parts(ops, y, c[0])[0]
    return np.stack([t[0], np.where(c[1] > 0, np.inf, t[1])])


@quietly
def times_log(ops: Any, x: np.ndarray, c: np.ndarray) -> np.ndarray:
    """``x log_c(x, c)`` for ``c > -1``: zero at 0, least at :math:`(1+c)^{-1/c}`, where it is minus that over ``1 + c``."""
    low, high = ends(x)
    exact = x[1] == 0
    out = ops._mul(x, log_c(ops, _pick(low > 0, x, pack(np.ones(x[0].shape), 0.0)), c, None))
    wide = (low <= 0) & ~(exact & (x[0] == 0))
    if wide.any():
        index = np.broadcast_to(c[0], x[0].shape)
        turn = np.where(index == 0, np.exp(-1.0), np.exp(-np.log1p(index) / np.where(index == 0, 1.0, index)))
        point = pack(np.maximum(high, TINY), 0.0)
        at_high = ops._mul(point, log_c(ops, point, c, None))
        bottom = np.where(high <= turn * (1 - 1e-9), ends(at_high)[0], -turn / (1.0 + index) * (1 + 1e-9))
        out = _pick(wide, hull(bottom, np.maximum(ends(at_high)[1], 0.0)), out)
        out = np.stack([out[0], np.where((c[1] > 0) | (high < 0), np.inf, out[1])])
    return _pick(exact & (x[0] == 0), np.zeros_like(out), out)


@quietly
def divergence(ops: Any, p: np.ndarray, mu: np.ndarray, c: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """``sum_a p_a log_c(p_a / mu_a) - p_a + mu_a``: near ``p = mu`` by ``log1p`` of the quotient of the difference."""
    p, mu = (np.broadcast_to(v, (2, *np.broadcast_shapes(p.shape[1:], mu.shape[1:], mask.shape))) for v in (p, mu))
    one = pack(np.ones(p[0].shape), 0.0)
    p, mu = _pick(mask, p, one), _pick(mask, mu, one)
    d = ops._sub(p, mu)
    r = ops._div(d, mu)
    index = np.broadcast_to(c[0], p[0].shape)
    safe = pack(np.where(index == 0, 1.0, index), 0.0)
    ell = log1p(r)
    near = _pick(index == 0, ell, _pick(index == 1, r, ops._div(expm1(ops._mul(safe, ell)), safe)))
    whole = ops._sub(ops._mul(p, near), d)
    far = ops._sub(ops._mul(mu, times_log(ops, ops._div(p, mu), c)), d)
    terms = _pick((ends(r)[0] > -0.5) & (c[1] == 0), whole, far)
    never = (p[0] == 0) & (p[1] == 0)
    terms = _pick(never, mu, terms)
    low, high = ends(terms)
    terms = _pick((low < 0) & np.isfinite(terms[1]), hull(np.zeros(low.shape), np.maximum(high, 0.0)), terms)
    return ops._sum(_pick(mask, terms, np.zeros_like(terms)), -1)


class Rows:
    """Rows of a projection: ``z = (x - m)/w`` enclosed, weights, and the root of ``N`` proposed and proved."""

    def __init__(
        self, ops: Any, x: np.ndarray, w: np.ndarray, mu: np.ndarray | None, q: np.ndarray, mask: np.ndarray, wide: bool
    ) -> None:
        self.ops = ops
        shape = x[0].shape
        self.w = np.broadcast_to(w, x.shape)[..., :1]
        index = np.broadcast_to(q, x.shape)[..., :1]
        self.q, self.c = index[0], index[0] - 1.0
        entropy = mu is None
        mu = pack(np.ones(shape), 0.0) if mu is None else np.broadcast_to(mu, x.shape)
        self.allow = np.broadcast_to(mask, shape) & (ends(mu)[1] > 0)
        surely = ~self.allow | (ends(mu)[0] > 0)
        self.x = _pick(self.allow, x, np.zeros_like(x))
        self.mu = _pick(self.allow, mu, np.zeros_like(mu))
        missing = pack(1.0 - self.allow.sum(axis=-1, keepdims=True), 0.0)  # an integer
        self.outside = missing if entropy else self._total(_pick(self.allow, np.zeros_like(mu), mu))
        self.m = np.max(np.where(self.allow, x[0], -np.inf), axis=-1, keepdims=True)
        given = self.x if wide else np.stack([self.x[0], np.zeros(shape)])
        z = ops._div(ops._sub(given, pack(self.m, 0.0)), self.w)
        raw = np.where(self.allow, (self.x[0] - self.m) / self.w[0], 0.0)
        z = _pick((raw < FAR) & (self.c > 0), pack(np.full(shape, FAR), 0.0), z)
        self.z = _pick(self.allow, z, np.zeros_like(z))
        inexact = ops._sub(index, pack(np.ones(self.q.shape), 0.0))[1] > 0
        self.lost = ~(ends(self.w)[0] > 0) | inexact | ~(self.q > 0)
        self.lost = self.lost | ~np.all(surely, axis=-1, keepdims=True)
        self.alone = (self.allow.sum(axis=-1, keepdims=True) == 1) & np.all(
            ~self.allow | (mu[0] == 1) & (mu[1] == 0), axis=-1, keepdims=True
        )
        proposed = floats.dual_point(np.maximum(self.z[0], FAR), self.q, self.mu[0], self.outside[0])
        self.nu = np.where(np.isfinite(proposed.nu), proposed.nu, 0.0)

    def _total(self, x: np.ndarray) -> np.ndarray:
        return self.ops._sum(x, -1)[..., None]

    def parts(self, nu: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Enclosures of ``t`` (..., n), and of ``N`` and ``D`` (..., 1) at enclosures of ``nu`` (..., 1)."""
        ops = self.ops
        y = ops._div(ops._sub(self.z, nu), pack(self.q, 0.0))
        t, less, more = exp_parts(ops, y, self.c)
        N = ops._sub(self._total(ops._mul(self.mu, less)), self.outside)
        D = ops._sub(ops._add(nu, self._total(ops._mul(self.mu, more))), self.outside)
        return t, N, D

    def distance(self, N: np.ndarray, t: np.ndarray) -> np.ndarray:
        """A distance (..., 1) from ``nu`` within which the root was proved to be."""
        active = (self.mu[0] > 0) & (t[0] > 0)
        reach = np.max(np.where(active, 8 * U * np.abs(self.z[0]) + self.z[1], 0.0), axis=-1, keepdims=True)
        noise = np.minimum(2 * N[1], 16 * (active.shape[-1] + 8) * U)  # more where a support is about to change
        slope = np.where(active, self.mu[0] * t[0], 0.0).sum(axis=-1, keepdims=True)
        delta = reach + 8 * U * np.abs(self.nu) + np.where(slope > 0, self.q * noise / slope, 0.0) + SMALL
        proved = np.where((N[0] == 0) & (N[1] == 0) | self.alone, 0.0, np.inf)
        for _ in range(TRIES):
            open_ = ~np.isfinite(proved) & ~self.lost
            if not open_.any():
                break
            left = self.parts(pack(np.nextafter(self.nu - delta, -np.inf), 0.0))[1]
            right = self.parts(pack(np.nextafter(self.nu + delta, np.inf), 0.0))[1]
            shown = open_ & (ends(left)[0] >= 0) & (ends(right)[1] <= 0)
            proved = np.where(shown, up(delta + 4 * U * (np.abs(self.nu) + delta)), proved)
            delta = 8 * delta
        return np.minimum(proved, self._known())

    def _known(self) -> np.ndarray:
        """Distance to the farther end of the bracket ``[min z, 0] - q L_q(1/M)`` that every root is in."""
        ops = self.ops
        mass = ops._sub(pack(np.ones(self.q.shape), 0.0), self.outside)
        floor = ops._mul(
            log_c(ops, ops._div(pack(np.ones(self.q.shape), 0.0), mass), pack(self.c, 0.0), None), pack(-self.q, 0.0)
        )
        low, high = ends(floor)
        least = np.min(np.where(self.allow, ends(self.z)[0], 0.0), axis=-1, keepdims=True)
        top = np.max(np.where(self.allow, ends(self.z)[1], 0.0), axis=-1, keepdims=True)
        return up(np.maximum(np.abs(self.nu - (least + low)), np.abs(top + high - self.nu)))


@quietly
def energy(
    ops: Any, x: np.ndarray, w: np.ndarray, mu: np.ndarray | None, q: np.ndarray, mask: np.ndarray
) -> np.ndarray:
    """``max_pi <pi, x> - w D_q(pi, mu)`` for ``q != 1``, weights of None being ones; the maximum at ``w = 0``."""
    rows = Rows(ops, x, w, mu, q, mask, wide=False)
    t, N, D = rows.parts(pack(rows.nu, 0.0))
    slack = (np.abs(N[0]) + N[1]) * rows.distance(N, t)
    D = np.stack([D[0], np.where(np.isnan(slack), np.inf, up(D[1] + slack))])
    found = ops._add(pack(rows.m, 0.0), ops._mul(rows.w, D))
    reach = np.max(np.where(rows.allow, x[1], 0.0), axis=-1, keepdims=True)
    found = np.stack([found[0], np.where(rows.lost, np.inf, np.where(reach > 0, up(found[1] + reach), found[1]))])
    hard = ops._max(x, rows.allow, -1)[..., None]
    is_hard = ((rows.w[0] == 0) & (rows.w[1] == 0)) | rows.alone
    return np.asarray(_pick(is_hard, hard, pack(*found))[..., 0])


@quietly
def policy(
    ops: Any, x: np.ndarray, w: np.ndarray, mu: np.ndarray | None, q: np.ndarray, mask: np.ndarray
) -> np.ndarray:
    """The maximiser; the first one at ``w = 0``."""
    rows = Rows(ops, x, w, mu, q, mask, wide=True)
    t, N, _ = rows.parts(pack(rows.nu, 0.0))
    t = rows.parts(pack(rows.nu, rows.distance(N, t)))[0]
    low, high = (np.clip(v, 0.0, 1.0) for v in ends(ops._mul(rows.mu, t)))
    known = ~rows.lost & np.isfinite(t[1])
    found = hull(np.where(known, low, 0.0), np.where(known, high, 1.0))
    one = np.zeros_like(found)
    one[0] = 1.0
    found = _pick(rows.alone, one, found)
    is_hard = (rows.w[0] == 0) & (rows.w[1] == 0)
    return np.asarray(_pick(rows.allow, _pick(is_hard, first_max(x, rows.allow), found), np.zeros_like(found)))
