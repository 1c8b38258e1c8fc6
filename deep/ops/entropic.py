"""Free energies, Gibbs policies and divergences in JAX: the twins of those in ``tabular.reference.numpy_ops``, with derivatives.

The derivative of a logarithm of a sum of exponentials is the policy that belongs to it: rules are given by hand, because
differentiating through the largest entry, which the sum leaves out for its digits, would lose that entry.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp


def shifted(x: Any, w: Any, mask: Any) -> tuple[Any, Any]:
    """Row maxima ``m`` (keepdims) and ``z = (x - m) / w <= 0``, ``-inf`` where masked; ``w = 0`` counts as 1."""
    m = jnp.max(jnp.where(mask, x, -jnp.inf), axis=-1, keepdims=True)
    fixed = jax.lax.stop_gradient(m)
    return m, jnp.where(mask, jnp.where(mask, x - fixed, 0.0) / jnp.where(w > 0, w, 1.0), -jnp.inf)


def _shares(z: Any, mu: Any) -> Any:
    """``mu_a exp(z_a)`` normalised."""
    e = jnp.exp(z) * (1.0 if mu is None else mu)
    return e / e.sum(axis=-1, keepdims=True)


@jax.custom_jvp
def log_sum(z: Any) -> Any:
    """``log sum_a exp(z_a)`` for ``max z = 0``, the largest entry left out of the sum."""
    top = jnp.argmax(z, axis=-1)[..., None] == jnp.arange(z.shape[-1])
    return jnp.log1p(jnp.where(top, 0.0, jnp.exp(z)).sum(axis=-1))


@log_sum.defjvp
def _log_sum_jvp(primals: Any, tangents: Any) -> Any:
    (z,), (dz,) = primals, tangents
    p = jnp.where(z > -jnp.inf, _shares(z, None), 0.0)
    return log_sum(z), (p * dz).sum(axis=-1)


@jax.custom_jvp
def log_mean(z: Any, mu: Any) -> Any:
    """``log sum_a mu_a exp(z_a)`` for ``max z = 0`` and a distribution ``mu``: without cancellation where ``z`` is small."""
    t = jnp.sum(mu * jnp.expm1(jnp.where(mu > 0, z, 0.0)), axis=-1)
    mass = (mu * jnp.exp(z)).sum(axis=-1)
    return jnp.where(t > -0.5, jnp.log1p(jnp.maximum(t, -0.5)), jnp.log(jnp.where(t > -0.5, 1.0, mass)))


@log_mean.defjvp
def _log_mean_jvp(primals: Any, tangents: Any) -> Any:
    (z, mu), (dz, dmu) = primals, tangents
    live = (mu > 0) & (z > -jnp.inf)
    e = jnp.where(live, jnp.exp(jnp.where(live, z, 0.0)), 0.0)
    mass = (mu * e).sum(axis=-1)
    return log_mean(z, mu), (e * (mu * dz + dmu)).sum(axis=-1) / mass


def log_mass(z: Any, mu: Any) -> Any:
    return log_sum(z) if mu is None else log_mean(z, jnp.broadcast_to(mu, z.shape))


def free_energy(x: Any, w: Any, mu: Any, mask: Any) -> Any:
    """``w log sum_a mu_a exp(x_a / w)``, rows last; the maximum at ``w = 0``."""
    m, z = shifted(x, w, mask if mu is None else mask & (mu > 0))
    top, w = m[..., 0], w[..., 0]
    return jnp.where(w > 0, jax.lax.stop_gradient(top) + w * log_mass(z, mu), top)


def gibbs(x: Any, w: Any, mu: Any, mask: Any, log: bool) -> Any:
    """``mu_a exp(x_a / w)`` normalised (or its logarithm); the first maximiser at ``w = 0``."""
    mask = mask if mu is None else mask & (mu > 0)
    _, z = shifted(x, w, mask)
    hard = one_hot(jnp.argmax(jnp.where(mask, x, -jnp.inf), axis=-1), x.shape[-1], x.dtype)
    if log:
        weight = 0.0 if mu is None else jnp.log(jnp.where(mu > 0, mu, 1.0))
        soft = jnp.where(mask, jnp.where(mask, z, 0.0) - log_mass(z, mu)[..., None] + weight, -jnp.inf)
        return jnp.where(w > 0, soft, jnp.where(hard > 0, 0.0, -jnp.inf))
    return jnp.where(w > 0, _shares(z, mu), hard)


def relative_entropy(p: Any, mu: Any, mask: Any) -> Any:
    """``sum_a p_a log(p_a / mu_a) - p_a + mu_a`` over the last axis; near ``p = mu`` by ``log1p((p - mu) / mu)``."""
    p, mu = jnp.where(mask, p, 1.0), jnp.where(mask, mu, 1.0)
    r = (p - mu) / jnp.where(mu > 0, mu, 1.0)
    close = (mu > 0) & (r > -0.5) & (r < 1.0)
    far = jnp.log(jnp.where(p > 0, p, 1.0)) - jnp.log(mu)
    terms = jnp.where(p > 0, p * jnp.where(close, jnp.log1p(jnp.where(close, r, 0.0)), far), 0.0) - (p - mu)
    return jnp.maximum(terms, 0.0).sum(axis=-1)


def one_hot(index: Any, n: int, dtype: Any) -> Any:
    return (index[..., None] == jnp.arange(n)).astype(dtype)
