"""Bridges of what has a model or boxes of actions: MoCoDyna to MoCoVI, squashed Gaussians to soft evaluation."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deep.agents.base import Batch, Spec
from deep.agents.moco import MoCoDQN, tilted
from deep.agents.sac import SAC, Noise, log_density
from deep.agents.targets import Target
from deep.agents.visits import Seen, VisitLearner
from deep.precision import float64
from deep.train import bridge
from tabular import MDP, evaluate_policy
from tabular.exploration.max_ent import max_ent
from tabular.instances import garnet
from tabular.instances.absorbing_cliff import smoothed
from tabular.moment_projection import project_moments
from tabular.operators import occupancy, q_values
from tabular.planning.mocovi import mocovi

pytestmark = pytest.mark.xdist_group("deep models")  # one worker compiles what they share

NEAR, APART, NEVER = 1e-10, 1e-4, -1e30


@pytest.fixture(scope="module")
def pair() -> tuple[MDP, MDP]:
    mdp = garnet(S=6, A=2, gamma=0.8)(3, 1)[0]
    return mdp, smoothed(mdp, 0.7)


@pytest.mark.parametrize("beta", [0.0, 0.2])
def test_tilts_are_those_of_tabular(beta: float) -> None:
    rng = np.random.default_rng(0)
    p, phi = rng.dirichlet(np.ones(6), 8), rng.normal(size=(2, 6))
    psi = rng.dirichlet(np.ones(6), 8) @ phi.T
    wanted = project_moments(p, phi, psi, beta=beta).q
    with float64():
        tilt = jax.jit(tilted, static_argnums=4)
        found = np.asarray(tilt(jnp.log(p), jnp.asarray(phi.T), jnp.asarray(psi), beta, 30))
        dyna = np.asarray(tilt(jnp.log(p), jnp.asarray(phi.T), jnp.asarray(psi), 1e8, 30))
    assert np.abs(found - wanted).max() < NEAR
    assert np.abs(dyna - p).max() < 1e-6 and np.abs(found - p).max() > APART
    assert np.abs(found @ phi.T - psi).max() < (NEAR if beta == 0 else np.inf)
    assert np.abs(found @ (phi.T**2) - p @ (phi.T**2)).max() > APART  # what is no function of the basis is not kept


@pytest.mark.parametrize("d, beta", [(1, 0.0), (2, 0.3)])
def test_moco_dqn_is_mocovi(pair: tuple[MDP, MDP], d: int, beta: float) -> None:
    """Exact model in the network, moments by regression on the exact batch, updates until they rest: V of MoCoVI, 3 iterations.

    MoCoVI's basis grows to d functions; before, the networks repeat the first value, which as a moment says the same again, and
    with a penalty is not the same: so the comparison starts from the iteration at which the basis is full.
    """
    mdp, model = pair
    P = model.to_dense().P
    agent = MoCoDQN("bridge", net=bridge.TABLE, optimiser=bridge.PLAIN, d=d, every=0, newton=30)
    iterations = 3
    wanted = mocovi(mdp, model, d, K=iterations, beta=beta).history["V"]
    rows = np.concatenate([P, np.zeros((mdp.S, mdp.A, 1))], axis=2)
    with float64(), np.errstate(divide="ignore"):
        numbers = agent.defaults() | bridge.EXACT | {"gamma": mdp.gamma, "beta": beta, "model_lr": 0.0}
        hyper = {k: jnp.asarray(v, float) for k, v in numbers.items()}
        logits = np.where(rows > 0, np.log(rows), NEVER).transpose(1, 2, 0).reshape(-1, mdp.S)
        batch, x = bridge.exact_batch(mdp), jnp.eye(mdp.S)
        state = agent.init(jax.random.PRNGKey(0), Spec(mdp.S, mdp.A), hyper)._replace(
            model=[(jnp.asarray(logits), None)]
        )

        @jax.jit
        def planned(state: Any, hyper: Any) -> Any:  # the moments first, in one step, then the values, to the end
            once = agent.update(
                state, hyper | {"model_lr": jnp.asarray(1.0), "lr": jnp.asarray(0.0)}, batch, jax.random.PRNGKey(0)
            )[0]
            state = state._replace(psi=once.psi)
            sweep = lambda _, s: agent.update(s, hyper, batch, jax.random.PRNGKey(0))[0]  # noqa: E731
            return jax.lax.fori_loop(0, 115, sweep, state)

        def put(V: np.ndarray, basis: list[np.ndarray]) -> object:
            """The state whose basis has these values: action values that do not depend on the action."""
            stack = lambda W: jnp.asarray(np.repeat(W[..., None, :], mdp.A, axis=-2))  # noqa: E731
            full = np.stack((basis + [basis[-1]] * d)[:d])
            return state._replace(basis=[(stack(full), None)], online=[(stack(V), None)], target=[(stack(V), None)])

        for k in range(d - 1, iterations):
            basis = [wanted[k - i] for i in range(d)]
            after = planned(put(wanted[k], basis), hyper)
            V = np.asarray(agent.values(after, hyper, x))[0].max(axis=1)
            assert np.abs(V - wanted[k + 1]).max() < NEAR, k
        dyna = planned(put(wanted[d - 1], basis), hyper | {"beta": jnp.asarray(1e8)})
        assert np.abs(np.asarray(agent.values(dyna, hyper, x))[0].max(axis=1) - wanted[d]).max() > APART
        again = agent.rebase(after)
        assert np.abs(np.asarray(agent.functions(again, hyper, x))[:, 0] - V).max() < NEAR


def gauss_hermite(n: int) -> Noise:
    points, weights = np.polynomial.hermite_e.hermegauss(n)
    return Noise(jnp.asarray(points[:, None]), jnp.asarray(weights / weights.sum()))


def test_squashed_densities_integrate_to_one() -> None:
    points, weights = np.polynomial.legendre.leggauss(500)
    with float64():
        u = jnp.arctanh(jnp.asarray(points))[:, None]
        p = np.exp(np.asarray(log_density(u, jnp.asarray([0.3]), jnp.asarray([-0.5]))))
        far = log_density(jnp.asarray([[40.0]]), jnp.asarray([39.0]), jnp.asarray([0.0]))
    assert abs((weights * p).sum() - 1.0) < 1e-8
    naive = -0.5 - 0.5 * np.log(2 * np.pi) + 80.0 - np.log(4.0)  # log(1 - tanh^2 u) = log 4 - 2u for large u
    assert abs(float(far[0]) - naive) < NEAR


@pytest.mark.parametrize("version", [1, 2])
def test_boxes_of_actions_that_do_not_matter_leave_soft_evaluation(version: int) -> None:
    """Where actions change nothing, critics learn the chain's value with tau times the actor's entropy added each step.

    Targets by Gauss-Hermite quadrature; the entropy of each state's squashed Gaussian as that of the Gaussian plus the mean
    of log(1 - tanh^2 u) = -2 log cosh u, by the trapezoidal rule; the chain by ``tabular.evaluate_policy``. The first
    step's entropy is in V, not in Q.
    """
    tau, chain = 0.4, garnet(S=4, A=1, gamma=0.7)(1, 1)[0]
    agent = SAC("bridge", version, bridge.TABLE, bridge.PLAIN)
    rng = np.random.default_rng(0)
    with float64():
        numbers = agent.defaults() | bridge.EXACT | {"gamma": 0.7, "tau": tau, "tau_lr": 0.0}
        hyper = {k: jnp.asarray(v, float) for k, v in numbers.items()}
        state = agent.init(jax.random.PRNGKey(0), Spec(4, 0, 1), hyper)
        state = state._replace(actor=[(jnp.asarray(0.3 * rng.normal(size=(2, 4))), None)])
        plain = bridge.exact_batch(chain)
        batch = plain._replace(action=jnp.zeros((len(plain.x), 1)))
        noise, actor = gauss_hermite(80), state.actor

        def sweep(state: Any) -> Any:
            after = agent.learn(state, hyper, batch, noise, noise)[0]
            if version == 1:  # the value network one step behind its own critics: to the end, in turn
                after = agent.learn(after._replace(actor=actor), hyper, batch, noise, noise)[0]
            return after._replace(actor=actor)

        state = jax.jit(lambda state: jax.lax.fori_loop(0, 80, lambda _, s: sweep(s), state))(state)
        found = np.asarray(agent.scores(state.critics, jnp.eye(4), jnp.zeros((4, 1, 1))))[0, :, 0]
        mean, log_std = (np.asarray(x)[:, 0] for x in agent.gaussian(actor, jnp.eye(4)))
    z, step = np.linspace(-12.0, 12.0, 4001, retstep=True)
    normal, u = np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi), mean[:, None] + np.exp(log_std)[:, None] * z
    entropy = 0.5 * np.log(2 * np.pi * np.e) + log_std - 2 * (normal * np.log(np.cosh(u))).sum(axis=1) * step
    paid = MDP(chain.P, chain.rewards + tau * entropy[:, None], 0.7)
    V = evaluate_policy(paid, np.ones((4, 1)))
    assert np.abs(found - q_values(chain, V)[:, 0]).max() < 1e-8
    assert np.abs(found - V).max() > APART  # the first step's entropy counted in Q
    assert np.abs(found - evaluate_policy(chain, np.ones((4, 1)))).max() > APART  # no entropy


def test_learners_of_visits_are_frank_and_wolfe(pair: tuple[MDP, MDP]) -> None:
    """Exact visits of the mixture, updates until they rest, the greedy policy's visits mixed in: ``max_ent``, to 1e-10."""
    mdp = MDP(pair[0].P, pair[0].rewards, 0.8, rho=np.full(6, 1 / 6))
    sigma, T = 0.01, 4
    wanted = max_ent(mdp, T, sigma=sigma)
    agent = VisitLearner("bridge", Target(), bridge.TABLE, bridge.PLAIN)
    pi = np.full((mdp.S, mdp.A), 1 / mdp.A)
    share = lambda pi: occupancy(mdp, pi) * (1 - mdp.gamma)  # noqa: E731
    d = share(pi)
    with float64():
        numbers = agent.defaults() | bridge.EXACT | {"gamma": mdp.gamma, "sigma": sigma}
        hyper = {k: jnp.asarray(v, float) for k, v in numbers.items()}
        state, batch = agent.init(jax.random.PRNGKey(0), Spec(mdp.S, mdp.A), hyper), bridge.exact_batch(mdp)
        update = lambda _, s: agent.update(s, hyper, batch, jax.random.PRNGKey(0))[0]  # noqa: E731
        planned = jax.jit(lambda s: jax.lax.fori_loop(0, 160, update, s))
        for t in range(T):
            state = planned(state._replace(seen=Seen(jnp.asarray(d.sum(axis=1)), jnp.asarray(1.0))))
            Q = np.asarray(agent.values(state, hyper, jnp.eye(mdp.S)))[0]
            d = d + 2.0 / (t + 2.0) * (share(Q.argmax(axis=1)) - d)
        assert np.abs(d - wanted.result["d"]).max() < NEAR
        slope = np.asarray(agent.reward(state, hyper, batch))
        near = agent.reward(state, hyper | {"sigma": jnp.asarray(2 * sigma)}, batch)
        fresh = state._replace(seen=Seen(jnp.zeros(6), jnp.zeros(())))
        seen = agent.observe(fresh, hyper, jnp.eye(6)[jnp.asarray([1, 1, 4])], jnp.zeros(3, int))
    assert np.abs(slope - np.asarray(near)).max() > APART and np.ptp(slope) > APART
    assert np.asarray(seen.seen.total).tolist() == [0, 2, 0, 0, 1, 0] and float(seen.seen.visits) == 3


def test_distances_to_neighbours_know_the_scale() -> None:
    """log(1 + mean distance of the 2 nearest), by hand; features twice as large are not twice as novel, nor equally."""
    agent = VisitLearner("bridge", Target(), bridge.TABLE, bridge.PLAIN, novelty="neighbours", k=2)
    x = np.array([[0.0], [1.0], [3.0], [7.0]])
    with float64():
        rows = lambda scale: Batch(jnp.asarray(scale * x), *[None] * 6)  # noqa: E731
        found, twice = (np.asarray(agent.reward(None, {}, rows(c))) for c in (1.0, 2.0))
    assert np.abs(found - np.log1p([2.0, 1.5, 2.5, 5.0])).max() < 1e-12
    assert np.abs(twice - found).max() > 0.1 and np.abs(twice - 2 * found).max() > 0.1
