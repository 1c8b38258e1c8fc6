"""With one-hot features, full batches and expected targets, deep learners are the tabular solvers, to 1e-10, and nothing else is.

Every wrong variant below is a plausible misreading (a weight, a clip, an index, a sign), and must be told apart by as much as a
millionfold of the agreement.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deep.agents.base import Spec
from deep.agents.q_learning import QLearner
from deep.agents.sac_discrete import SACDiscrete
from deep.agents.targets import Target
from deep.precision import float64
from deep.train import bridge
from tabular import MDP, Shannon, Tsallis
from tabular.instances import random_endings
from tabular.operators import q_values
from tabular.planning.mdvi import mdvi
from tabular.planning.sac import soft_policy_iteration, soft_q_backup
from tabular.planning.tsallis_mvi import tsallis_mvi

pytestmark = pytest.mark.xdist_group("deep bridges")  # one worker compiles what they share

NEAR, APART = 1e-10, 1e-4
TAU, K = 0.3, 12


@pytest.fixture(scope="module")
def mdp() -> MDP:
    """Five states, three actions, with endings, so that what ends must be worth nothing."""
    found = random_endings(S=5, A=3, gamma=0.9)(7, 1)[0]
    assert found.has_end and found.mask.all()
    return found


def table(target: Target, **fields: Any) -> QLearner:
    return QLearner("bridge", target, bridge.TABLE, bridge.PLAIN, **fields)


def run(agent: Any, mdp: MDP, *settings: dict[str, Any], steps: int = K) -> np.ndarray:
    """(K + 1, heads, S, A) of one setting, with an axis in front of it for several."""
    with float64():
        found = bridge.iterates(agent, mdp, settings or ({},), steps)
    return found if len(settings) > 1 else found[0]


def swept(mdp: MDP, regularizer: Any, Q: np.ndarray | None = None) -> np.ndarray:
    """Iterates (K + 1, S, A) of regularised value iteration on action values, by tabular's conjugates."""
    from tabular._backups import Backups

    b, out = Backups(mdp, regularizer), [np.zeros((mdp.S, mdp.A)) if Q is None else Q]
    for _ in range(K):
        out.append(q_values(mdp, b.conjugate(out[-1])))
    return np.array(out)


def gap(x: np.ndarray, y: np.ndarray) -> float:
    return float(np.abs(x - y).max())


REGULARISED = {
    "dqn": (Target(), None, {}),
    "soft": (Target("soft"), Shannon(TAU), {"tau": TAU}),
    "sparse": (Target("soft", 2.0), Tsallis(TAU, 2.0), {"tau": TAU}),
}


@pytest.mark.parametrize("name", REGULARISED)
def test_regularised_targets_are_value_iteration(mdp: MDP, name: str) -> None:
    target, regularizer, numbers = REGULARISED[name]
    found, wanted = run(table(target), mdp, numbers)[:, 0], swept(mdp, regularizer)
    assert gap(found, wanted) < NEAR
    if numbers:
        assert gap(found, swept(mdp, type(regularizer)(2 * TAU, *regularizer[1:]))) > APART
    blind = MDP(mdp.to_dense().P + mdp.end[..., None] / mdp.S, mdp.R, mdp.gamma, renormalise=True)
    assert gap(found, swept(blind, regularizer)) > APART  # who goes on after the end learns something else


def test_munchausen_is_mdvi_with_the_weights_that_it_stands_for(mdp: MDP) -> None:
    r"""Unclipped M-DQN is MDVI of KL weight alpha tau and entropy weight (1 - alpha) tau: of mdvi's alpha = alpha, beta = 1/tau.

    mdvi aggregates ``s_{k+1} = R + gamma P v_k + alpha s_k``, ``v_k = w_k - alpha w_{k-1}``, ``w_k`` the log-sum-exp of
    ``s_k``. With ``q_k = s_k - alpha w_{k-1}`` the log-sum-exp of ``q_k`` is ``v_k``, so that ``q_{k+1} = R + alpha (q_k - v_k)
    + gamma P v_k = s_{k+1} - alpha w_k``.
    """
    alpha, numbers = 0.7, {"tau": TAU, "alpha": 0.7, "floor": -np.inf}
    twins = [numbers | change for change in ({"alpha": 0.0}, {"floor": -0.1})]
    found, *others = run(table(Target("munchausen")), mdp, numbers, *twins)[:, -1, 0]
    wanted = mdvi(mdp, alpha=alpha, beta=1 / TAU, K=K).result
    assert gap(found, wanted["s"] - (wanted["w"] - wanted["v"])[:, None]) < NEAR
    # A KL weight of tau beside the entropy weight (1 - alpha) tau.
    total = TAU + (1 - alpha) * TAU
    wrong = mdvi(mdp, alpha=TAU / total, beta=1 / total, K=K).result
    assert gap(found, wrong["s"] - (wrong["w"] - wrong["v"])[:, None]) > APART
    assert all(gap(found, other) > APART for other in others)  # no Munchausen term; the clip left on


@pytest.mark.parametrize("q", [1.0, 2.0, 0.5])
def test_mvi_targets_are_mvi(mdp: MDP, q: float) -> None:
    numbers = {"tau": TAU, "alpha": 0.7, "floor": -np.inf}
    found, clipped = run(table(Target("munchausen", q)), mdp, numbers, numbers | {"floor": -0.05})[:, -1, 0]
    assert gap(found, tsallis_mvi(mdp, q, tau=TAU, alpha=0.7, K=K).result["Q"]) < NEAR
    assert gap(clipped, tsallis_mvi(mdp, q, tau=TAU, alpha=0.7, K=K, clip=-0.05).result["Q"]) < NEAR
    assert gap(found, clipped) > APART
    if q != 1.0:
        if q < 2.0:  # the other logarithm's index
            assert gap(found, tsallis_mvi(mdp, 2.0 - q, tau=TAU, alpha=0.7, K=K).result["Q"]) > APART
        # The factor 1/q: the policy of weight tau instead of tau / q.
        assert gap(found, tsallis_mvi(mdp, q, tau=TAU, alpha=0.7, K=K, absorbed=False).result["Q"]) > APART


def test_policies_of_the_weight_itself_are_those_that_tabular_calls_not_absorbed(mdp: MDP) -> None:
    other = run(table(Target("munchausen", 2.0, absorbed=False)), mdp, {"tau": TAU, "alpha": 0.7, "floor": -np.inf})[
        -1, 0
    ]
    assert gap(other, tsallis_mvi(mdp, 2.0, tau=TAU, alpha=0.7, K=K, absorbed=False).result["Q"]) < NEAR


def test_action_gaps_of_munchausen_are_larger_by_what_is_forgotten(mdp: MDP) -> None:
    """At the fixed point q(s,a) - q(s,b) = (Q*(s,a) - Q*(s,b)) / (1 - alpha), Q* soft-optimal at (1 - alpha) tau, not at tau."""
    from tabular.planning import policy_iteration

    alpha = 0.7
    q = run(table(Target("munchausen")), mdp, {"tau": TAU, "alpha": alpha, "floor": -np.inf}, steps=400)[-1, 0]
    gaps = lambda Q: Q - Q[:, :1]  # noqa: E731
    assert gap(gaps(q) * (1 - alpha), gaps(policy_iteration(mdp, Shannon((1 - alpha) * TAU)).Q)) < NEAR
    assert gap(gaps(q) * (1 - alpha), gaps(policy_iteration(mdp, Shannon(TAU)).Q)) > APART


def test_heads_with_priors_are_value_iterations_of_their_own(mdp: MDP) -> None:
    agent = table(Target(), heads=3, priors=True)
    found = run(agent, mdp, {"prior": 2.0})
    assert gap(found[0, 0], found[0, 1]) > APART  # priors differ
    for head in range(3):
        assert gap(found[:, head], swept(mdp, None, found[0, head])) < NEAR
    mean = swept(mdp, None, found[0].mean(axis=0))
    assert gap(found.mean(axis=1), mean) > APART  # each head bootstraps from itself, not from the mean


def test_optimism_on_a_table_is_a_bonus_of_counts(mdp: MDP) -> None:
    agent, visits = table(Target(), optimism=True), np.array([[3, 0, 1], [2, 2, 0], [0, 0, 5], [1, 1, 1], [7, 0, 0]])
    beta, ridge = 0.5, 2.0
    with float64():
        hyper = {
            k: jnp.asarray(v, float)
            for k, v in (agent.defaults() | bridge.EXACT | {"gamma": mdp.gamma, "beta": beta, "ridge": ridge}).items()
        }
        state = agent.init(jax.random.PRNGKey(0), Spec(mdp.S, mdp.A), hyper)
        s, a = np.divmod(np.repeat(np.arange(visits.size), visits.ravel()), mdp.A)
        state = agent.observe(state, hyper, jnp.eye(mdp.S)[s], jnp.asarray(a))
        widths = np.asarray(agent.widths(state, hyper, jnp.eye(mdp.S)))
        assert gap(widths, beta / np.sqrt(visits + ridge)) < NEAR
        batch, found = bridge.exact_batch(mdp), []
        update = jax.jit(lambda s: agent.update(s, hyper, batch, jax.random.PRNGKey(0))[0])
        for _ in range(K):
            state = update(state)
            found.append(np.asarray(agent.values(state, hyper, jnp.eye(mdp.S)))[0])
    paid = MDP(mdp.P, mdp.rewards + widths, mdp.gamma, end=mdp.end)
    assert gap(np.array(found), swept(paid, None, widths)[1:]) < NEAR
    assert gap(np.array(found), swept(mdp, None, widths)[1:]) > APART


def test_exact_actors_make_sac_soft_value_iteration(mdp: MDP) -> None:
    found = run(SACDiscrete("bridge", bridge.TABLE, bridge.PLAIN, actor="exact"), mdp, {"tau": TAU})[:, 0]
    Q = np.zeros((mdp.S, mdp.A))
    for k in range(K):
        Q = soft_q_backup(mdp, Q, TAU)
        assert gap(found[k + 1], Q) < NEAR
    assert gap(found[-1], swept(mdp, Shannon(2 * TAU))[-1]) > APART
    assert gap(found[-1], swept(mdp, None)[-1]) > APART


def test_evaluated_to_the_end_sac_is_soft_policy_iteration(mdp: MDP) -> None:
    """Sweeps of the frozen policy until they rest, then an improvement: Q of every policy, to 1e-10."""
    wanted = soft_policy_iteration(mdp, TAU, K=4).result["Q"]
    agent = SACDiscrete("bridge", bridge.TABLE, bridge.PLAIN, actor="frozen")
    with float64():
        hyper = {
            k: jnp.asarray(v, float)
            for k, v in (agent.defaults() | bridge.EXACT | {"gamma": mdp.gamma, "tau": TAU}).items()
        }
        state, batch, x = (
            agent.init(jax.random.PRNGKey(0), Spec(mdp.S, mdp.A), hyper),
            bridge.exact_batch(mdp),
            jnp.eye(mdp.S),
        )
        sweep = lambda _, s: agent.update(s, hyper, batch, jax.random.PRNGKey(0))[0]  # noqa: E731
        evaluate = jax.jit(lambda s: jax.lax.fori_loop(0, 400, sweep, s))
        for Q in wanted:  # critics of zero make the first policy uniform
            state = evaluate(state)
            assert gap(np.asarray(agent.values(state, hyper, x))[0], Q) < NEAR
            state = agent.improve(state)


def test_the_actor_rests_at_the_softmax_alone(mdp: MDP) -> None:
    agent = SACDiscrete("bridge", bridge.TABLE, bridge.PLAIN)
    with float64():
        hyper = {k: jnp.asarray(v, float) for k, v in (agent.defaults() | {"tau": TAU}).items()}
        state, batch = agent.init(jax.random.PRNGKey(0), Spec(mdp.S, mdp.A), hyper), bridge.exact_batch(mdp)
        Q = jnp.asarray(np.random.default_rng(0).normal(size=(mdp.A, mdp.S)))
        state = state._replace(critics=[(jnp.stack([Q, Q + 1.0]), None)])  # the least is the first
        slope = jax.jit(jax.grad(lambda actor: agent.actor_loss(state, actor, batch)))
        size = lambda logits: float(jnp.abs(slope([(logits, None)])[0][0]).max())  # noqa: E731
        assert size(Q / TAU) < NEAR
        assert size(Q / (2 * TAU)) > APART and size(Q) > APART


def test_the_temperature_moves_by_the_excess_of_entropy(mdp: MDP) -> None:
    """The gradient of the loss of log tau is the mean entropy less its target: that of tabular.planning.sac_v2."""
    from tabular.planning.sac_v2 import temperature_gradient

    agent = SACDiscrete("bridge", bridge.TABLE, bridge.PLAIN, actor="exact")
    r = np.array([0.3, -0.2, 0.1])
    one = MDP(np.ones((1, 3, 1)), [r], 0.0)
    with float64():
        numbers = agent.defaults() | bridge.EXACT | {"gamma": 0.0, "tau": TAU, "tau_lr": 0.01, "target_share": 0.5}
        hyper = {k: jnp.asarray(v, float) for k, v in numbers.items()}
        state, batch = agent.init(jax.random.PRNGKey(0), Spec(1, 3), hyper), bridge.exact_batch(one)
        batch = batch._replace(weight=batch.weight / 3)
        state = state._replace(
            target=[(jnp.stack([r[:, None]] * 2), None)], critics=[(jnp.stack([r[:, None]] * 2), None)]
        )
        after = jax.jit(agent.update)(state, hyper | {"lr": jnp.asarray(0.0)}, batch, jax.random.PRNGKey(0))[0]
        moved = float(after.log_tau - state.log_tau)
    wanted = -0.01 * temperature_gradient(r, 0.5 * np.log(3), TAU, loss="log tau")
    assert abs(moved - wanted) < NEAR and abs(wanted) > APART


def test_twin_critics_underestimate_under_noise(mdp: MDP) -> None:
    """Critics off by independent normal errors: one is right in the mean, the least of two is low by 1/sqrt(pi) of them."""
    from tabular.planning import policy_iteration

    Q = policy_iteration(mdp, Shannon(TAU)).Q
    noise = 0.1 * np.random.default_rng(1).normal(size=(2, 4000, mdp.A, mdp.S))
    for critics, bias in ((1, 0.0), (2, -0.1 / np.sqrt(np.pi))):
        agent = SACDiscrete("bridge", bridge.TABLE, bridge.PLAIN, critics=critics)
        with float64():
            draws = jnp.asarray(Q.T + noise[:critics].swapaxes(0, 1))
            least = jax.vmap(lambda c, agent=agent: agent.least([(c, None)], jnp.eye(mdp.S)))(draws)
        assert gap(np.asarray(least).mean(axis=0), Q + bias) < 0.01
