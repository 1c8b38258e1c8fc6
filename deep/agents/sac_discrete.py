r"""SAC for finitely many actions: two critics, an actor, and a temperature that is given or found.

With :math:`\bar m = \min_i \bar Q_i` the critics learn :math:`y = r + \gamma (1 - \text{terminated}) \sum_b \pi(b|s')
(\bar m(s',b) - \tau \log \pi(b|s'))`, the actor minimises :math:`\sum_a \pi(a|s) (\tau \log \pi(a|s) - \min_i
Q_i(s,a))`, and an automatic temperature the loss :math:`-\log\tau \sum_a \pi(a|s) (\log \pi(a|s) + \bar H)`,
:math:`\bar H` = ``target_share`` times :math:`\log A`. With ``actor="exact"`` the policy is the softmax of
:math:`\bar m / \tau` itself, and on a table with full batches one update is soft value iteration, many between two
policies soft policy iteration (``tabular.planning.sac``). Source: sac; sac_v2; Christodoulou 2019.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from deep.agents.base import ADAM, TWO_LAYERS, Batch, Hyper, Net, Optimiser, Spec, Tree, View, polyak


class ACState(NamedTuple):
    critics: Tree  # stacked over the critics
    target: Tree
    critic_steps: Tree
    actor: Tree
    actor_steps: Tree
    log_tau: jax.Array
    tau_steps: Tree
    frozen: Tree  # critics whose softmax is played under "frozen"


@dataclass(frozen=True)
class SACDiscrete:
    """SAC with ``critics`` critics of which the least counts (1: no minimum, hence no underestimation).

    ``actor``: ``"network"``; ``"exact"``, the softmax of the target critics; ``"frozen"``, that of the critics at the
    last call of ``improve``. Numbers: ``lr``, ``actor_lr``, ``tau_lr`` (0: the temperature stays), ``tau``,
    ``gamma``, ``polyak``, ``target_share``.
    """

    name: str = "sac-discrete"
    net: Net = TWO_LAYERS
    optimiser: Optimiser = ADAM
    critics: int = 2
    actor: str = "network"
    heads: int = 1
    options: dict[str, float] = field(default_factory=dict, hash=False, compare=False)

    def __post_init__(self) -> None:
        if self.actor not in ("network", "exact", "frozen"):
            raise ValueError(f"actor is {self.actor!r}: expected 'network', 'exact' or 'frozen'")
        if self.critics < 1:
            raise ValueError(f"critics is {self.critics}: at least 1")

    def defaults(self) -> dict[str, float]:
        numbers = {"lr": 3e-4, "actor_lr": 3e-4, "tau_lr": 0.0, "tau": 0.03, "gamma": 0.99, "polyak": 0.005}
        return numbers | {"target_share": 0.98, "epsilon": 0.0, "epsilon_end": 0.0} | self.options

    def init(self, key: jax.Array, spec: Spec, hyper: Hyper) -> ACState:
        a, b = jax.random.split(key)
        make = jax.vmap(lambda k: self.net.init(k, spec.features, spec.actions))
        critics = make(jax.random.split(a, self.critics))
        actor = self.net.init(b, spec.features, spec.actions)
        log_tau = jnp.log(jnp.asarray(hyper["tau"], float))
        steps = self.optimiser
        return ACState(
            critics, critics, steps.init(critics), actor, steps.init(actor), log_tau, steps.init(log_tau), critics
        )

    def memory(self, key: jax.Array, n: int) -> jax.Array:
        return jnp.zeros((n,))

    def observe(self, state: ACState, hyper: Hyper, x: jax.Array, action: jax.Array) -> ACState:
        return state

    def least(self, critics: Tree, x: jax.Array) -> jax.Array:
        """(N, A): the least of the critics."""
        return jax.vmap(self.net.apply, in_axes=(0, None))(critics, x).min(axis=0)

    def values(self, state: ACState, hyper: Hyper, x: jax.Array) -> jax.Array:
        """(critics, N, A)."""
        return jax.vmap(self.net.apply, in_axes=(0, None))(state.critics, x)

    def view(self, state: ACState, hyper: Hyper, x: jax.Array) -> View:
        """What the oracle looks at: the actor, the least critic, and the temperature as it is."""
        return View(jnp.exp(self.log_policy(state, hyper, x)), self.least(state.critics, x), jnp.exp(state.log_tau))

    def log_policy(self, state: ACState, hyper: Hyper, x: jax.Array) -> jax.Array:
        if self.actor == "network":
            return jax.nn.log_softmax(self.net.apply(state.actor, x), axis=-1)
        critics = state.target if self.actor == "exact" else state.frozen
        return jax.nn.log_softmax(self.least(critics, x) / jnp.exp(state.log_tau), axis=-1)

    def act(self, state: ACState, hyper: Hyper, x: jax.Array, memory: Any, epsilon: Any, key: jax.Array) -> jax.Array:
        a, b, c = jax.random.split(key, 3)
        chosen = jax.random.categorical(a, self.log_policy(state, hyper, x), axis=-1)
        uniform = jax.random.randint(b, chosen.shape, 0, self.net_outputs(state))
        return jnp.where(jax.random.uniform(c, chosen.shape) < epsilon, uniform, chosen)

    def net_outputs(self, state: ACState) -> int:
        return int(state.actor[-1][0].shape[0])

    def improve(self, state: ACState) -> ACState:
        """Under ``actor="frozen"``: from now on the softmax of the critics as they are."""
        return state._replace(frozen=state.critics)

    def targets(self, state: ACState, hyper: Hyper, batch: Batch) -> jax.Array:
        """(B,) ``y`` of each transition."""
        log_pi = self.log_policy(state, hyper, batch.next_x)
        least, tau = self.least(state.target, batch.next_x), jnp.exp(state.log_tau)
        ahead = (jnp.exp(log_pi) * (least - tau * log_pi)).sum(axis=-1)
        return batch.reward + hyper["gamma"] * (1.0 - batch.terminated) * ahead

    def actor_loss(self, state: ACState, actor: Tree, batch: Batch) -> jax.Array:
        log_pi = jax.nn.log_softmax(self.net.apply(actor, batch.x), axis=-1)
        least, tau = self.least(state.critics, batch.x), jnp.exp(state.log_tau)
        each = (jnp.exp(log_pi) * (tau * log_pi - jax.lax.stop_gradient(least))).sum(axis=-1)
        return (batch.weight * each).sum()

    def update(
        self, state: ACState, hyper: Hyper, batch: Batch, key: jax.Array
    ) -> tuple[ACState, dict[str, jax.Array]]:
        y = jax.lax.stop_gradient(self.targets(state, hyper, batch))

        def critic_loss(critics: Tree) -> tuple[jax.Array, jax.Array]:
            Q = jax.vmap(self.net.apply, in_axes=(0, None))(critics, batch.x)
            index = jnp.broadcast_to(batch.action[None, :, None], (*Q.shape[:2], 1))
            at = jnp.take_along_axis(Q, index, axis=-1)[..., 0]
            return (optax.l2_loss(at - y) * batch.weight).sum(), jnp.abs(at - y).mean()

        (value, error), gradient = jax.value_and_grad(critic_loss, has_aux=True)(state.critics)
        critics, critic_steps = self.optimiser.step(state.critics, gradient, state.critic_steps, hyper["lr"])
        state = state._replace(
            critics=critics, critic_steps=critic_steps, target=polyak(state.target, critics, hyper["polyak"])
        )
        log_pi = self.log_policy(state, hyper, batch.x)
        entropy = -(jnp.exp(log_pi) * log_pi).sum(axis=-1)
        if self.actor == "network":
            slope = jax.grad(lambda actor: self.actor_loss(state, actor, batch))(state.actor)
            actor, actor_steps = self.optimiser.step(state.actor, slope, state.actor_steps, hyper["actor_lr"])
            state = state._replace(actor=actor, actor_steps=actor_steps)
        excess = (batch.weight * (entropy - hyper["target_share"] * jnp.log(float(log_pi.shape[-1])))).sum()
        log_tau, tau_steps = self.optimiser.step(state.log_tau, excess, state.tau_steps, hyper["tau_lr"])
        metrics = {"loss": value, "td_error": error, "actor_entropy": entropy.mean(), "tau": jnp.exp(log_tau)}
        return state._replace(log_tau=log_tau, tau_steps=tau_steps), metrics
