r"""Logarithms and exponentials with an index, and Tsallis projections, in JAX: the twins of ``tabular.reference.q_calculus``.

The definitions and the proofs are there. The search for the dual point is a compiled loop, through which no derivative runs:
that of the energy is the policy, and that of the policy follows from :math:`\sum_a d\pi_a = 0`. Derivatives in the index are
refused.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero

MAX_STEPS = 400


def log_c(x: Any, c: Any) -> Any:
    """``(x^c - 1)/c`` for ``x >= 0``, ``log x`` at ``c = 0``."""
    ell = jnp.log(x)
    safe = jnp.where(c == 0, 1.0, c)
    return jnp.where(c == 0, ell, jnp.where(c == 1, x - 1.0, jnp.expm1(safe * ell) / safe))


def log1p_c(r: Any, c: Any) -> Any:
    """``log_c(1 + r, c)``, accurate relatively near ``r = 0``."""
    ell = jnp.log1p(r)
    safe = jnp.where(c == 0, 1.0, c)
    return jnp.where(c == 0, ell, jnp.where(c == 1, r, jnp.expm1(safe * ell) / safe))


def exp_pair(y: Any, c: Any) -> tuple[Any, Any]:
    """``t = [1 + c y]_+^(1/c)`` and ``t - 1``; ``inf`` beyond the pole of a negative ``c``."""
    safe = jnp.where(c == 0, 1.0, c)
    v = safe * y
    inside = jnp.log1p(jnp.where(v > -1.0, v, 0.0)) / safe
    ell = jnp.where(c == 0, y, jnp.where(v > -1.0, inside, jnp.where(c > 0, -jnp.inf, jnp.inf)))
    linear = jnp.maximum(y, -1.0)
    return jnp.where(c == 1, 1.0 + linear, jnp.exp(ell)), jnp.where(c == 1, linear, jnp.expm1(ell))


def times_log(x: Any, c: Any) -> Any:
    """``x log_c(x, c)``, zero at zero."""
    return jnp.where(x > 0, x * log_c(jnp.where(x > 0, x, 1.0), c), 0.0)


def divergence(p: Any, mu: Any, c: Any, mask: Any) -> Any:
    """``sum_a p_a log_c(p_a / mu_a) - p_a + mu_a`` over the last axis: every term at least 0, nothing cancels between them."""
    p, mu = jnp.where(mask, p, 1.0), jnp.where(mask, mu, 1.0)
    safe = jnp.where(mu > 0, mu, 1.0)
    r = (p - mu) / safe
    near = log1p_c(jnp.maximum(r, -0.5), c)
    far = log_c(jnp.where(p > 0, p, safe) / safe, c)
    terms = jnp.where(p > 0, p * jnp.where(r > -0.5, near, far), 0.0) - (p - mu)
    return jnp.where(mu > 0, jnp.maximum(terms, 0.0), jnp.where(p > 0, jnp.inf, 0.0)).sum(axis=-1)


def _total(v: Any) -> Any:
    return v.sum(axis=-1, keepdims=True)


def dual_point(z: Any, q: Any, mu: Any, outside: Any) -> tuple[Any, Any, Any, Any]:
    """``nu``, ``N`` there, and a bracket, (..., 1) each, for rows ``z <= 0`` (..., n): Newton's method guarded by bisection."""
    u = jnp.finfo(z.dtype).eps / 2
    c, live, n = q - 1.0, mu > 0, z.shape[-1]
    floor = -q * log_c(1.0 / (1.0 - outside), c)
    least = jnp.min(jnp.where(live, z, 0.0), axis=-1, keepdims=True)
    least = jnp.where(c < 1.0, _total(mu * z) / (1.0 - outside), least)  # t is convex in z: Jensen
    low = jnp.maximum(-q * log_c(1.0 / _total(jnp.where(z == 0, mu, 0.0)), c), least + floor)
    narrow = 8 * u * (jnp.abs(low) + jnp.abs(floor)) + jnp.finfo(z.dtype).tiny
    low, high = low - 2 * narrow, floor + 2 * narrow

    def step(state: Any) -> Any:
        k, nu, _, low, high, last, done = state
        y = (z - nu) / q
        less = exp_pair(y, c)[1]
        N = _total(jnp.where(live, mu * less, 0.0)) - outside
        low = jnp.where(~done & (N >= 0), nu, low)
        high = jnp.where(~done & (N <= 0), nu, high)
        done = done | ~(jnp.abs(N) > 4 * (n + 8) * u) | (high - low <= narrow) & (N <= 0)
        curve = 1.0 + c * y
        slope = _total(jnp.where(live & (less > -1.0), mu * (1.0 + less) / jnp.where(curve == 0, 1.0, curve), 0.0))
        new = nu + q * (1.0 + N) ** (1.0 - c) * log1p_c(N, c) / slope
        good = (new > low) & (new < high) & (jnp.abs(N) <= 0.5 * last)
        new = jnp.where(high - low <= narrow, high, jnp.where(good, new, low + 0.5 * (high - low)))
        return k + 1, jnp.where(done, nu, new), N, low, high, jnp.where(good, jnp.abs(N), jnp.inf), done

    zeros = jnp.zeros_like(low)
    state = (0, low, zeros, low, high, zeros + jnp.inf, zeros > 0)
    state = jax.lax.while_loop(lambda s: (s[0] < MAX_STEPS) & ~s[-1].all(), step, state)
    nu, low, high = state[1], state[3], state[4]
    return nu, _total(jnp.where(live, mu * exp_pair((z - nu) / q, c)[1], 0.0)) - outside, low, high


def _rows(x: Any, w: Any, weights: Any, mask: Any) -> tuple[Any, Any, Any, Any]:
    """Largest allowed ``x`` (keepdims), ``z`` (0 where excluded), weights (likewise), and what their mass lacks to one."""
    mu = jnp.ones(x.shape, x.dtype) if weights is None else jnp.broadcast_to(weights, x.shape)
    allow = mask & (mu > 0)
    m = jnp.max(jnp.where(allow, x, -jnp.inf), axis=-1, keepdims=True)
    z = jnp.where(allow, (x - m) / jnp.where(w > 0, w, 1.0), 0.0)
    outside = 1.0 - _total(1.0 * allow) if weights is None else _total(jnp.where(allow, 0.0, mu))
    return m, jnp.maximum(z, -(float(jnp.finfo(x.dtype).max) ** 0.9)), jnp.where(allow, mu, 0.0), outside


def _maximiser(x: Any, w: Any, q: Any, weights: Any, mask: Any) -> Any:
    _, z, mu, outside = _rows(x, w, weights, mask)
    nu, N, low, high = dual_point(z, q, mu, outside)
    pi = jnp.where(mu > 0, mu * exp_pair((z - nu) / q, q - 1.0)[0], 0.0)
    # Where no float nu makes N vanish, the policies at the two ends of the bracket are mixed.
    below, above = (jnp.where(mu > 0, mu * exp_pair((z - v) / q, q - 1.0)[0], 0.0) for v in (high, low))
    less, steep = 1.0 - _total(below), above == jnp.inf  # beyond the pole of q < 1: theirs is what is missing
    share = jnp.where(steep, mu / jnp.maximum(_total(mu * steep), jnp.finfo(x.dtype).tiny), 0.0)
    above = jnp.where(jnp.any(steep, axis=-1, keepdims=True), below + share, above)
    more = _total(above) - 1.0
    mixed = below + less / jnp.where(less + more > 0, less + more, 1.0) * (above - below)
    pi = jnp.where((jnp.abs(N) > 1e-11) & (less >= 0) & (more >= 0), mixed, pi)
    pi = pi / _total(pi)
    hard = jnp.argmax(jnp.where(mu > 0, x, -jnp.inf), axis=-1)[..., None] == jnp.arange(x.shape[-1])
    return jnp.where(w > 0, pi, hard.astype(x.dtype))


def _value(x: Any, w: Any, q: Any, weights: Any, mask: Any) -> Any:
    m, z, mu, outside = _rows(x, w, weights, mask)
    nu, N, _, _ = dual_point(z, q, mu, outside)
    y = (z - nu) / q
    t = exp_pair(y, q - 1.0)[0]
    D = nu + (q - 1.0) * _total(jnp.where((mu > 0) & (t > 0), mu * t * y, 0.0)) + N
    return jnp.where(w > 0, m + w * D, m)[..., 0]


def _refused(**tangents: Any) -> None:
    for name, d in tangents.items():
        if d is not None and not isinstance(d, SymbolicZero):
            raise NotImplementedError(
                f"no derivative of a Tsallis projection in its {name}: only in action values and weight"
            )


def _dense(d: Any, like: Any) -> Any:
    return jnp.zeros_like(like) if isinstance(d, SymbolicZero) else d


@jax.custom_jvp
def _policy(x: Any, w: Any, q: Any, weights: Any, mask: Any) -> Any:
    return _maximiser(x, w, q, weights, mask)


@partial(_policy.defjvp, symbolic_zeros=True)
def _policy_jvp(primals: Any, tangents: Any) -> Any:
    x, w, q, weights, mask = primals
    dx, dw, dq, dmu, _ = tangents
    _refused(index=dq, reference=dmu)
    pi = _maximiser(x, w, q, weights, mask)
    mu = jnp.ones_like(pi) if weights is None else jnp.broadcast_to(weights, pi.shape)
    live = (pi > 0) & (w > 0)
    safe, t = jnp.where(w > 0, w, 1.0), jnp.where(live, pi / jnp.where(mu > 0, mu, 1.0), 1.0)
    s = jnp.where(live, mu * t ** (2.0 - q), 0.0)  # d pi_a = s_a (dz_a - dnu) / q
    top = jnp.max(jnp.where(mask & (mu > 0), x, -jnp.inf), axis=-1, keepdims=True)
    dz = (_dense(dx, x) - jnp.where(live, x - top, 0.0) / safe * _dense(dw, w)) / safe
    dnu = _total(s * dz) / jnp.where(_total(s) > 0, _total(s), 1.0)
    return pi, jnp.where(live, s * (dz - dnu) / q, 0.0)


@jax.custom_jvp
def _energy(x: Any, w: Any, q: Any, weights: Any, mask: Any) -> Any:
    return _value(x, w, q, weights, mask)


@partial(_energy.defjvp, symbolic_zeros=True)
def _energy_jvp(primals: Any, tangents: Any) -> Any:
    x, w, q, weights, mask = primals
    dx, dw, dq, dmu, _ = tangents
    _refused(index=dq, reference=dmu)
    pi = _policy(x, w, q, weights, mask)
    c = q - 1.0
    spread = None if weights is None else jnp.broadcast_to(weights, pi.shape)
    penalty = times_log(pi, c).sum(axis=-1) if spread is None else divergence(pi, spread, c, mask)
    slope = (pi * _dense(dx, x)).sum(axis=-1) - penalty * _dense(dw, w)[..., 0]
    return _value(x, w, q, weights, mask), slope


def energy(x: Any, w: Any, weights: Any, q: Any, mask: Any) -> Any:
    """``max_pi <pi, x> - w D_q(pi, mu)``, rows last, for ``q != 1``; weights of None are ones. ``w``, ``q`` end in an axis of 1."""
    return _energy(x, *_spread(x, w, q), weights, mask)


def policy(x: Any, w: Any, weights: Any, q: Any, mask: Any) -> Any:
    """The maximiser; the first one at ``w = 0``."""
    return _policy(x, *_spread(x, w, q), weights, mask)


def _spread(x: Any, *parts: Any) -> list[Any]:
    return [jnp.broadcast_to(v, x.shape)[..., :1] for v in parts]
