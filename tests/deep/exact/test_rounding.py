"""What XLA makes of float64 on the device at hand, against balls: the constants that certificates rest on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flint import arb, ctx

from deep.exact.core import backup, q_values
from deep.exact.rounding import backup_error, policy_error, q_error
from deep.ops import JaxOps, on_device
from deep.precision import float64
from tabular import MDP, Shannon
from tabular._rounding import EXP_ULP, LOG_ULP, U
from tabular.reference import BallOps

pytestmark = pytest.mark.xdist_group("deep exact")  # one worker compiles what they share


@pytest.fixture
def digits() -> Iterator[None]:
    before, ctx.prec = ctx.prec, 128
    yield
    ctx.prec = before


def points(name: str) -> np.ndarray:
    n = 3_000
    small, unit = 10.0 ** np.linspace(-300, 2.8, n), np.linspace(0, 3, n)
    if name == "exp":
        return -np.concatenate([small, unit])
    if name == "log1p":
        return np.concatenate([small, unit, 2.0 ** np.linspace(-52, 10, n)])
    return np.concatenate([small, unit[1:], 1 + 2.0 ** np.linspace(-52, 0, n), 1 - 2.0 ** np.linspace(-53, -1, n)])


@pytest.mark.parametrize(("name", "ulps"), [("exp", EXP_ULP), ("log", LOG_ULP), ("log1p", LOG_ULP)])
def test_elementary_functions_are_within_their_ulps(digits: None, name: str, ulps: int) -> None:
    x = points(name)
    with float64():
        found = np.asarray(jax.jit(getattr(jnp, name))(x))
    for y, v in zip(found.tolist(), x.tolist(), strict=True):
        exact = getattr(arb(v), name)()
        size = abs(float(exact))
        if size >= 2.0**-1022:
            assert float(abs(arb(y) - exact)) <= ulps * np.spacing(size)


def test_quotients_may_be_products_and_subnormal_numbers_zero() -> None:
    """Why the bounds count two roundings more, and stop at ``LEAST``: at worst this holds, and it is not assumed."""
    x = np.random.default_rng(0).random(100_000)
    with float64():
        found = np.asarray(jax.jit(lambda x, w: x / w)(x, 0.3))
        tiny = np.asarray(jax.jit(lambda x: x * 0.5)(np.array([2.0**-1022])))
    assert np.abs(found - x / 0.3).max() <= 3 * U * np.abs(found).max()
    assert tiny[0] in (0.0, 2.0**-1023)


@pytest.mark.parametrize("tau", [1e-6, 0.3, 1e6])
@pytest.mark.parametrize("form", ["dense", "sparse"])
def test_backups_lie_within_their_bounds(form: str, tau: float) -> None:
    """Of the same floats: action values, conjugates, and what the computed policy loses."""
    rng, n = np.random.default_rng(1), 8
    P = rng.dirichlet(np.ones(n), size=(n, 5))
    mdp = MDP(P, rng.normal(size=(n, 5)) * 10.0 ** rng.integers(-3, 3, (n, 5)), 0.99, renormalise=True)
    mdp = mdp.to_sparse() if form == "sparse" else mdp
    reg, V = Shannon(tau), rng.normal(size=n) * 100
    with float64():
        ops = JaxOps(library=False)

        @jax.jit
        def run(d: Any, V: Any, tau: Any) -> Any:
            Q, m = q_values(ops, d, V)
            return Q.data, backup(ops, d, Shannon(tau), V)[1], Shannon(tau).policy(ops, Q, m.mask).data

        Q, TV, pi = map(np.asarray, run(on_device(mdp), jnp.asarray(V), tau))
    size, reward = float(np.abs(V).max()), float(np.abs(mdp.rewards).max())
    r = q_error(n, reward, size, mdp.row_error)
    with BallOps(200) as balls:
        m, v = balls.model(mdp), balls.array(V, 1)
        off = balls.bounds(balls.abs(balls.q_backup(m, v) - balls.array(Q, 2)))[1]
        assert (off <= r).all() and r <= 1e-12 * max(size, reward)
        off = balls.bounds(balls.abs(reg.conjugate(balls, balls.array(Q, 2), m.mask) - balls.array(TV, 1)))[1]
        assert (off <= backup_error(reg, 5, TV)).all()
        value = balls.distribution(pi)
        earned = balls.dot(value, balls.array(Q, 2)) - reg.value(balls, value, m.mask)
        lost = balls.bounds(reg.conjugate(balls, balls.array(Q, 2), m.mask) - earned)[1]
        assert (lost <= policy_error(reg, 5)).all()
