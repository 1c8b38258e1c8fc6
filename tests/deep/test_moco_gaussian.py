"""MoCo-DQN with a Gaussian model: targets by ``tabular.moment_projection``, exact backups by exact moments, and its fit."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deep.agents.base import Batch, Spec
from deep.agents.moco import MoCoDQN, MoCoState
from deep.agents.targets import Target
from deep.precision import float64
from deep.train import bridge
from tabular import MDP, Shannon
from tabular.moment_projection import project_moments
from tabular.operators import backup, q_values

pytestmark = pytest.mark.xdist_group("deep models")  # one worker compiles what they share

NEAR, APART, TAU = 1e-10, 1e-4, 0.3
AGENT = MoCoDQN(
    "bridge", Target("soft"), bridge.TABLE, bridge.PLAIN, d=2, every=0, newton=30, model="gaussian", samples=32
)


TARGETS, FUNCTIONS = jax.jit(AGENT.targets), jax.jit(AGENT.functions)
INIT = jax.jit(AGENT.init, static_argnums=1)


@jax.jit
def parts(state: MoCoState, hyper: dict[str, Any], batch: Batch, key: jax.Array) -> tuple[Any, ...]:
    """What goes into the targets: weights, which outcomes go on, basis and values at the outcomes, moments."""
    seen = AGENT.outcomes(state.model, batch, key)
    phi = AGENT.functions(state, hyper, seen.x) * seen.alive[..., None]
    V = AGENT.state_value(state.target, hyper, seen.x) * seen.alive
    return jnp.exp(seen.log_weight), seen.alive, phi, V, AGENT.moments(state.psi, batch)


@pytest.fixture(scope="module")
def mdp() -> MDP:
    """Every state may follow every pair, and every pair may end."""
    rng = np.random.default_rng(7)
    end = rng.uniform(0.05, 0.3, (5, 2))
    P = rng.dirichlet(np.ones(5), (5, 2)) * (1.0 - end)[..., None]
    return MDP(P, rng.random((5, 2)), 0.9, end=end, renormalise=True)


def made(mdp: MDP, **numbers: float) -> tuple[MoCoState, dict[str, Any], Batch]:
    """A state with values of its own in its target and basis, moments that are exact, and a rough model; call it in float64."""
    rng = np.random.default_rng(0)
    base = AGENT.defaults() | bridge.EXACT | {"gamma": mdp.gamma, "tau": TAU, "beta": 0.0, "model_lr": 0.0}
    hyper = {k: jnp.asarray(v, float) for k, v in (base | numbers).items()}
    state = INIT(jax.random.PRNGKey(0), Spec(mdp.S, mdp.A), hyper)
    basis = rng.normal(size=(2, mdp.A, mdp.S))
    raw = 0.2 * rng.normal(size=(mdp.A, 2 * mdp.S + 1, mdp.S))
    raw[:, -1] = -1.0  # spreads of about one, and an end as likely as log-odds of -1 say
    state = state._replace(
        basis=[(jnp.asarray(basis), None)],
        online=[(jnp.asarray(basis[0]), None)],
        target=[(jnp.asarray(basis[0]), None)],
        model=[(jnp.asarray(raw.reshape(-1, mdp.S)), None)],
    )
    phi = np.asarray(FUNCTIONS(state, hyper, jnp.eye(mdp.S)))
    moments = np.einsum("sat,td->dsa", mdp.to_dense().P, phi)  # what ends is worth nothing
    return state._replace(psi=[(jnp.asarray(moments.swapaxes(1, 2)), None)]), hyper, bridge.exact_batch(mdp)


def pairs(mdp: MDP) -> Batch:
    """Each pair once: targets need no successors."""
    s, a = np.divmod(np.arange(mdp.S * mdp.A), mdp.A)
    x = jnp.eye(mdp.S)[s]
    zeros = jnp.zeros(len(s))
    return Batch(x, jnp.asarray(a), jnp.asarray(mdp.rewards[s, a]), x, zeros, zeros, zeros[:, None])


@pytest.mark.parametrize("beta", [0.0, 0.5])
def test_targets_are_those_of_tabular_projections(mdp: MDP, beta: float) -> None:
    """The drawn outcomes and the end are a distribution over few points: ``project_moments`` of it gives the same targets."""
    with float64():
        state, hyper, _ = made(mdp, beta=beta)
        batch, key = pairs(mdp), jax.random.PRNGKey(1)
        found = np.asarray(TARGETS(state, hyper, batch, key))
        dyna = np.asarray(TARGETS(state, hyper | {"beta": jnp.asarray(1e8)}, batch, key))
        p, alive, phi, V, psi = map(np.asarray, parts(state, hyper, batch, key))
    assert np.abs(p.sum(axis=1) - 1.0).max() < NEAR and (alive[:, -1] == 0).all()
    for i in range(mdp.S * mdp.A):
        q = project_moments(p[i : i + 1], phi[i].T, psi[i : i + 1], beta=beta).q[0]
        assert abs(found[i] - (mdp.rewards.ravel()[i] + mdp.gamma * q @ V[i])) < NEAR, i
    assert np.abs(dyna - (mdp.rewards.ravel() + mdp.gamma * (p * V).sum(axis=1))).max() < 1e-6
    assert np.abs(found - dyna).max() > APART


def test_exact_moments_make_any_model_exact(mdp: MDP) -> None:
    """MoCoVI's first step: the target's value is in the basis, so that with beta = 0 its mean is right, whatever is drawn."""
    with float64():
        state, hyper, batch = made(mdp)
        targets = TARGETS
        Q = np.asarray(state.target[0][0]).T
        V = Shannon_values(mdp, Q)
        wanted = q_values(mdp, V)
        for key in (1, 2):
            found = np.asarray(targets(state, hyper, pairs(mdp), jax.random.PRNGKey(key))).reshape(mdp.S, mdp.A)
            assert np.abs(found - wanted).max() < NEAR
        after = jax.jit(AGENT.update)(state, hyper, batch, jax.random.PRNGKey(3))[0]
        assert np.abs(np.asarray(AGENT.values(after, hyper, jnp.eye(mdp.S)))[0] - wanted).max() < NEAR
        # A penalty, a value outside the span of the basis, and moments of what the end would have been worth, are not exact.
        other = state._replace(target=[(jnp.asarray(np.random.default_rng(9).normal(size=(mdp.A, mdp.S))), None)])
        blind = np.einsum(
            "sat,td->dsa",
            mdp.to_dense().P / (1 - mdp.end)[..., None],
            np.asarray(FUNCTIONS(state, hyper, jnp.eye(mdp.S))),
        )
        for wrong, numbers in (
            (state, hyper | {"beta": jnp.asarray(1.0)}),
            (other, hyper),
            (state._replace(psi=[(jnp.asarray(blind.swapaxes(1, 2)), None)]), hyper),
        ):
            Q = np.asarray(wrong.target[0][0]).T
            found = np.asarray(targets(wrong, numbers, pairs(mdp), jax.random.PRNGKey(1))).reshape(mdp.S, mdp.A)
            assert np.abs(found - q_values(mdp, Shannon_values(mdp, Q))).max() > APART
    assert np.abs(backup(mdp, V, Shannon(TAU)) - Shannon_values(mdp, wanted)).max() < NEAR


def Shannon_values(mdp: MDP, Q: np.ndarray) -> np.ndarray:
    """(S,) soft values of action values, by tabular's conjugate."""
    from tabular._backups import Backups

    return np.asarray(Backups(mdp, Shannon(TAU)).conjugate(Q))


def test_the_model_fits_mean_spread_and_end(mdp: MDP) -> None:
    """One plain step from zero moves the means by P (x' - x) over what goes on, and log-odds of the end by end - 1/2; at rest
    the means are those of what goes on, the spreads its standard deviations, and the end as likely as it is.
    """
    P, end = mdp.to_dense().P, mdp.end
    move = np.eye(mdp.S)[None, None] - np.eye(mdp.S)[:, None, None]  # (S, 1, S', features): x' - x
    with float64():
        _, _, batch = made(mdp)
        zero = [(jnp.zeros((mdp.A * (2 * mdp.S + 1), mdp.S)), None)]
        slope = jax.jit(jax.grad(AGENT.model_loss))
        step = -np.asarray(slope(zero, batch)[0][0]).reshape(mdp.A, 2 * mdp.S + 1, mdp.S).transpose(2, 0, 1)
        mean = np.einsum("sat,satf->saf", P, np.broadcast_to(move, (mdp.S, mdp.A, mdp.S, mdp.S)))
        assert np.abs(step[..., : mdp.S] - mean).max() < NEAR
        assert np.abs(step[..., -1] - (end - 0.5)).max() < NEAR
        go = P / (1 - end)[..., None]
        mean = np.einsum("sat,satf->saf", go, np.broadcast_to(move, (mdp.S, mdp.A, mdp.S, mdp.S)))
        spread = np.sqrt(np.einsum("sat,satf->saf", go, (move - mean[:, :, None]) ** 2))
        rest = np.concatenate([mean, np.log(spread), np.log(end / (1 - end))[..., None]], axis=-1)
        at = lambda rows: [(jnp.asarray(rows.transpose(1, 2, 0).reshape(-1, mdp.S)), None)]  # noqa: E731
        assert np.abs(np.asarray(slope(at(rest), batch)[0][0])).max() < NEAR
        wrong = np.concatenate([mean, np.log(spread) + 0.1, rest[..., -1:]], axis=-1)
        assert np.abs(np.asarray(slope(at(wrong), batch)[0][0])).max() > APART
        # Draws have these means and spreads: 20,000 of them, within five standard errors.
        wide = MoCoDQN("wide", net=bridge.TABLE, model="gaussian", samples=20_000)
        seen = jax.jit(wide.outcomes)(at(rest), pairs(mdp), jax.random.PRNGKey(0))
    x = np.asarray(seen.x)[:, :-1].reshape(mdp.S, mdp.A, -1, mdp.S)
    here = np.eye(mdp.S)[:, None]
    assert (np.abs(x.mean(axis=2) - here - mean) < 5 * spread / np.sqrt(20_000)).all()
    assert (np.abs(x.std(axis=2) / spread - 1) < 5 / np.sqrt(40_000)).all()
    assert np.abs(np.exp(np.asarray(seen.log_weight)[:, -1]).reshape(mdp.S, mdp.A) - end).max() < NEAR
