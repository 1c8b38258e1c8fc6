"""Environments draw from their models, ends apart from truncations; the oracle says what tabular says."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deep import envs
from deep.agents import make_agent
from deep.envs.models import deep_sea_model, pendulum_model, staged
from deep.envs.tabular import Place, tabular_env
from deep.oracle import MEASURES, Oracle
from deep.oracle.pendulum import compare_critic, soft_pendulum
from tabular import MDP, ModelError, Shannon, evaluate_policy, occupancy
from tabular.instances import deep_sea
from tabular.planning import backward_induction, policy_iteration
from tabular.planning.tsallis_mvi import tsallis_mvi

pytestmark = pytest.mark.xdist_group("deep models")  # one worker compiles what they share


def test_successors_and_ends_come_as_often_as_the_model_says() -> None:
    """A three-way row with an end: 20,000 draws within five standard deviations."""
    mdp = MDP(
        [[[0.2, 0.5], [0.0, 0.0]], [[0.0, 1.0]] * 2],
        [[1.0, 2.0], [0.0, 0.0]],
        0.9,
        end=[[0.3, 1.0], [0, 0]],
        rho=[0.25, 0.75],
    )
    env, params = tabular_env(mdp, 5)
    n = 20_000
    place = Place(jnp.zeros((), jnp.int32), jnp.asarray(2, jnp.int32))

    @jax.jit
    def drawn(keys: jax.Array) -> tuple[jax.Array, ...]:
        step = lambda a, t: jax.vmap(lambda k: env.step(k, place._replace(t=t), a, params))(keys)  # noqa: E731
        return step(0, place.t), step(1, place.t), step(0, jnp.asarray(4, jnp.int32))

    first, second, last = drawn(jax.random.split(jax.random.PRNGKey(0), n))
    seen, _state, reward, terminated, truncated, info = (jax.tree.map(np.asarray, x) for x in first)
    after = info["final_observation"][~terminated]
    for share, p in ((terminated.mean(), 0.3), ((after == 0).sum() / n, 0.2), ((after == 1).sum() / n, 0.5)):
        assert abs(share - p) < 5 * np.sqrt(p * (1 - p) / n)
    assert (reward == 1.0).all() and not truncated.any()
    fresh = seen[terminated]  # over: the next observation is a start, the one before is in info
    assert (
        abs(fresh.mean() - 0.75) < 5 * np.sqrt(0.75 * 0.25 / len(fresh))
        and (info["final_observation"][terminated] == 0).all()
    )
    assert np.asarray(second[3]).all() and (np.asarray(second[2]) == 2.0).all()
    ended, cut = np.asarray(last[3]), np.asarray(last[4])
    assert (ended ^ cut).all() and abs(ended.mean() - 0.3) < 5 * np.sqrt(
        0.21 / n
    )  # at the horizon all else is truncated


def test_bad_models_are_refused() -> None:
    some = MDP([[[1.0], [1.0]]], [[0.0, -np.inf]], 0.9, rho=[1.0])
    with pytest.raises(ModelError, match=r"R\[0, 1\] is -inf: networks have an output for every action"):
        tabular_env(some, 5)
    with pytest.raises(ModelError, match="rho is missing"):
        tabular_env(MDP([[[1.0]]], [[0.0]], 0.9), 5)
    with pytest.raises(ValueError, match="horizon is 0: at least 1"):
        tabular_env(MDP([[[1.0]]], [[0.0]], 0.9, rho=[1.0]), 0)
    with pytest.raises(ModelError, match=r"features has shape \(2, 2\): expected \(1, d\)"):
        tabular_env(MDP([[[1.0]]], [[0.0]], 0.9, rho=[1.0]), 5, features=np.eye(2))
    with pytest.raises(ValueError, match="speeds is 1: at least 3"):
        pendulum_model(speeds=1)
    with pytest.raises(TypeError, match="CartPole-v1 takes no options"):
        envs.make("CartPole-v1", N=3)
    with pytest.raises(ValueError, match="the oracle is for discounted models with a start"):
        Oracle(MDP([[[1.0]]], [[0.0]], 0.9))


def test_staged_models_are_worth_what_backward_induction_says() -> None:
    fh = deep_sea(6)
    V = backward_induction(fh).V
    found = policy_iteration(staged(fh, 1.0 - 2.0**-40)).V
    assert np.abs(found[:6] - V[0]).max() < 1e-9
    assert deep_sea_model(6).S == 36


def test_a_pendulum_on_a_grid_steps_as_the_pendulum_does() -> None:
    """The mean speed after a step from a grid point is the true one, and of the angle's, where nothing wraps around."""
    mdp, features = pendulum_model(21, 21, 5)
    P = mdp.to_dense().P
    speed = features[:, 2] * 8.0
    theta = np.arctan2(features[:, 1], features[:, 0])
    torque = np.linspace(-2, 2, 5)
    wanted = np.clip(speed[:, None] + 0.05 * (15.0 * np.sin(theta)[:, None] + 3.0 * torque), -8.0, 8.0)
    assert np.abs(P @ speed - wanted).max() < 1e-12
    inside = np.abs(theta) < 2.0
    assert np.abs(P @ theta - (theta[:, None] + 0.05 * wanted))[inside].max() < 1e-12
    i = int(np.argmin(np.abs(theta) + np.abs(speed)))
    assert abs(mdp.rewards[i, 2]) < 0.1 and mdp.rewards.min() < -12.0


def test_the_oracle_says_what_tabular_says() -> None:
    mdp = envs.make("FrozenLake").mdp
    oracle, tau, agent = Oracle(mdp), 0.1, make_agent("soft-dqn")
    best = policy_iteration(mdp, Shannon(tau))
    said = oracle.report(agent, {}, best.pi, best.Q, tau)
    assert tuple(said) == MEASURES
    assert all(abs(said[name]) < 1e-9 for name in ("soft_gap", "bias", "residual", "worst_residual"))
    assert said["suboptimality"] > 1e-4  # soft-optimal is not optimal
    shifted = oracle.report(agent, {}, best.pi, best.Q + 0.5, tau)
    assert (
        abs(shifted["bias"] - 0.5) < 1e-9
        and abs(shifted["residual"] - 0.5 * (1 - mdp.gamma * _stays(mdp, best.pi))) < 1e-9
    )
    uniform = np.full((mdp.S, mdp.A), 0.25)
    said = oracle.report(agent, {}, uniform, best.Q, tau)
    assert abs(said["return"] - mdp.rho @ evaluate_policy(mdp, uniform)) < 1e-12
    assert abs(said["policy_entropy"] - np.log(4)) < 1e-12


def test_soft_values_of_densities_are_those_of_the_grid_and_a_constant() -> None:
    """KL to the uniform policy is Shannon's entropy less log A; twice the mean is the integral over an interval of length 2."""
    tau, gamma = 0.5, 0.9
    V, x = soft_pendulum(tau, gamma, angles=11, speeds=11, torques=3)
    mdp, features = pendulum_model(11, 11, 3, gamma)
    plain = policy_iteration(mdp, Shannon(tau)).V
    assert np.abs(V - plain - tau * np.log(2 / 3) / (1 - gamma)).max() < 1e-8
    assert np.abs(x[:, 2] - 8 * features[:, 2]).max() == 0 and np.abs(x[:, 0] ** 2 + x[:, 1] ** 2 - 1).max() < 1e-12
    same = compare_critic(V, 2 * V + 1)
    assert same["rank_correlation"] == pytest.approx(1.0) and same["bias"] == pytest.approx(V.mean() + 1)
    with pytest.raises(ValueError, match=r"found has shape \(3,\): expected \(121,\)"):
        compare_critic(V, np.zeros(3))
    with pytest.raises(ValueError, match="tau is -1: expected a positive number"):
        soft_pendulum(-1)


def _stays(mdp: MDP, pi: np.ndarray) -> float:
    """Mean probability of going on under the policy's visits."""
    visits = occupancy(mdp, pi)
    return float((visits * (1 - mdp.end)).sum() / visits.sum())


def test_munchausen_learners_are_judged_by_the_entropy_that_they_keep() -> None:
    """At the fixed point of unclipped M-DQN the gap to the soft optimum at (1 - alpha) tau is zero, that at tau is not."""
    mdp = envs.make("FrozenLake").mdp
    tau, alpha = 0.1, 0.8
    run = tsallis_mvi(mdp, 1.0, tau=tau, alpha=alpha, K=3000)
    Q, pi = run.result["Q"], run.result["pi"]
    oracle, numbers = Oracle(mdp), {"alpha": alpha, "floor": -np.inf, "tau": tau}
    said = oracle.report(make_agent("mdqn"), numbers, pi, Q, tau)
    assert all(abs(said[name]) < 1e-7 for name in ("soft_gap", "bias", "residual"))
    assert oracle.report(make_agent("soft-dqn"), {}, pi, Q, tau)["soft_gap"] > 1e-4
    clipped = oracle.report(make_agent("mdqn"), numbers | {"floor": -0.05}, pi, Q, tau)
    assert clipped["worst_residual"] > 1e-4
    other = oracle.report(make_agent("mvi-dqn"), numbers, pi, Q, tau)
    assert np.isnan(other["soft_gap"]) and np.isfinite(other["return"])
