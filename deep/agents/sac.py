r"""SAC for boxes of actions, in its two versions: with a value network and a fixed temperature (1), or without and tuned (2).

The actor is a Gaussian squashed by tanh onto :math:`[-1, 1]^d`: with :math:`a = \tanh u`,

.. math:: \log \pi(a|s) = \log N(u; \mu, \sigma) - \sum_i 2 (\log 2 - u_i - \mathrm{softplus}(-2 u_i)).

Version 1 (sac): the value network learns :math:`\min_i Q_i(s,a) - \tau \log \pi(a|s)` of fresh actions, the critics
:math:`r + \gamma (1 - \text{terminated}) \bar V(s')`, and the actor minimises :math:`E[\tau \log \pi - Q_1]`, as its
authors' code does. Version 2 (sac_v2): the critics learn :math:`r + \gamma (1 - \text{terminated})(\min_i \bar
Q_i(s',a') - \tau \log \pi(a'|s'))`, the actor minimises :math:`E[\tau \log \pi - \min_i Q_i]`, and :math:`\log\tau`
descends :math:`-\log\tau\, E[\log\pi + \bar H]`, :math:`\bar H = -d` by default. Densities are in the units of
:math:`[-1,1]^d`; entropies can be negative. Reparametrised noise is an argument of the losses, with weights, so that
quadrature can take the place of sampling.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from deep.agents.base import ADAM, TWO_LAYERS, Batch, Hyper, Net, Optimiser, Spec, Tree, polyak

LOG_STD = (-5.0, 2.0)


class SACState(NamedTuple):
    critics: Tree  # two, stacked
    target: Tree  # of the critics (version 2), or of the value network (version 1)
    value: Tree
    actor: Tree
    steps: dict[str, Tree]
    log_tau: jax.Array


class Noise(NamedTuple):
    """Standard normal points (n, dim) and their weights (n,), which sum to one."""

    points: jax.Array
    weights: jax.Array


@dataclass(frozen=True)
class SAC:
    """``version`` 1 or 2. ``samples``: points a state in each expectation over actions.

    Numbers: ``lr`` (all networks), ``tau_lr`` (0: the temperature stays; version 1 ignores it), ``tau``, ``gamma``, ``polyak``,
    ``target_entropy`` (of one dimension; the target is d times it).
    """

    name: str = "sac"
    version: int = 2
    net: Net = TWO_LAYERS
    optimiser: Optimiser = ADAM
    samples: int = 1
    heads: int = 1
    options: dict[str, float] = field(default_factory=dict, hash=False, compare=False)

    def __post_init__(self) -> None:
        if self.version not in (1, 2):
            raise ValueError(f"version is {self.version}: expected 1 or 2")
        if self.samples < 1:
            raise ValueError(f"samples is {self.samples}: at least 1")

    def defaults(self) -> dict[str, float]:
        numbers = {"lr": 3e-4, "tau_lr": 3e-4 if self.version == 2 else 0.0, "tau": 1.0 if self.version == 2 else 0.2}
        rest = {"gamma": 0.99, "polyak": 0.005, "target_entropy": -1.0, "epsilon": 0.0, "epsilon_end": 0.0}
        return numbers | rest | self.options

    def init(self, key: jax.Array, spec: Spec, hyper: Hyper) -> SACState:
        a, b, c = jax.random.split(key, 3)
        make = jax.vmap(lambda k: self.net.init(k, spec.features + spec.dim, 1))
        critics, actor = make(jax.random.split(a, 2)), self.net.init(b, spec.features, 2 * spec.dim)
        value = self.net.init(c, spec.features, 1) if self.version == 1 else None
        log_tau = jnp.log(jnp.asarray(hyper["tau"], float))
        parts = {"critics": critics, "actor": actor, "value": value, "log_tau": log_tau}
        steps = {name: self.optimiser.init(part) for name, part in parts.items()}
        return SACState(critics, value if self.version == 1 else critics, value, actor, steps, log_tau)

    def memory(self, key: jax.Array, n: int) -> jax.Array:
        return jnp.zeros((n,))

    def observe(self, state: SACState, hyper: Hyper, x: jax.Array, action: jax.Array) -> SACState:
        return state

    def act(self, state: SACState, hyper: Hyper, x: jax.Array, memory: Any, epsilon: Any, key: jax.Array) -> jax.Array:
        a, b, c = jax.random.split(key, 3)
        mean, log_std = self.gaussian(state.actor, x)
        chosen = jnp.tanh(mean + jnp.exp(log_std) * jax.random.normal(a, mean.shape))
        uniform = jax.random.uniform(b, chosen.shape, minval=-1.0, maxval=1.0)
        return jnp.where(jax.random.uniform(c, (len(chosen), 1)) < epsilon, uniform, chosen)

    def gaussian(self, actor: Tree, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Mean and log standard deviation before the tanh: (N, dim) each."""
        mean, raw = jnp.split(self.net.apply(actor, x), 2, axis=-1)
        low, high = LOG_STD
        return mean, low + (high - low) * (jnp.tanh(raw) + 1.0) / 2.0

    def drawn(self, actor: Tree, x: jax.Array, noise: Noise) -> tuple[jax.Array, jax.Array]:
        """Actions (N, n, dim) at each point of the noise, and their log-densities (N, n)."""
        mean, log_std = self.gaussian(actor, x)
        u = mean[:, None] + jnp.exp(log_std)[:, None] * noise.points
        return jnp.tanh(u), log_density(u, mean[:, None], log_std[:, None])

    def scores(self, critics: Tree, x: jax.Array, actions: jax.Array) -> jax.Array:
        """(2, N, n) action values."""
        wide = jnp.broadcast_to(x[:, None], (*actions.shape[:2], x.shape[-1]))
        both = jnp.concatenate([wide, actions], axis=-1)
        return jax.vmap(self.net.apply, in_axes=(0, None))(critics, both)[..., 0]

    def soft_value(self, critics: Tree, state: SACState, x: jax.Array, noise: Noise) -> jax.Array:
        """(N,) the mean of min Q - tau log pi over the actor's actions."""
        actions, log_pi = self.drawn(state.actor, x, noise)
        least = self.scores(critics, x, actions).min(axis=0)
        return ((least - jnp.exp(state.log_tau) * log_pi) * noise.weights).sum(axis=-1)

    def targets(self, state: SACState, hyper: Hyper, batch: Batch, noise: Noise) -> jax.Array:
        """(B,) ``y`` of the critics."""
        if self.version == 1:
            ahead = self.net.apply(state.target, batch.next_x)[..., 0]
        else:
            ahead = self.soft_value(state.target, state, batch.next_x, noise)
        return batch.reward + hyper["gamma"] * (1.0 - batch.terminated) * ahead

    def update(
        self, state: SACState, hyper: Hyper, batch: Batch, key: jax.Array
    ) -> tuple[SACState, dict[str, jax.Array]]:
        dim = batch.action.shape[-1]
        even = jnp.full((self.samples,), 1.0 / self.samples)
        keys = jax.random.split(key, 2)
        first, second = (Noise(jax.random.normal(k, (self.samples, dim)), even) for k in keys)
        return self.learn(state, hyper, batch, first, second)

    def learn(
        self, state: SACState, hyper: Hyper, batch: Batch, first: Noise, second: Noise
    ) -> tuple[SACState, dict[str, jax.Array]]:
        """One update, with the noise of the targets and that of the actor."""
        y = jax.lax.stop_gradient(self.targets(state, hyper, batch, first))
        steps = dict(state.steps)

        def critic_loss(critics: Tree) -> tuple[jax.Array, jax.Array]:
            at = self.scores(critics, batch.x, batch.action[:, None])[..., 0]
            return (optax.l2_loss(at - y) * batch.weight).sum(), jnp.abs(at - y).mean()

        def stepped(name: str, params: Tree, gradient: Tree, rate: Any) -> Tree:
            params, steps[name] = self.optimiser.step(params, gradient, steps[name], rate)
            return params

        before = state
        (value, error), gradient = jax.value_and_grad(critic_loss, has_aux=True)(state.critics)
        state = state._replace(critics=stepped("critics", state.critics, gradient, hyper["lr"]))
        if self.version == 1:
            soft = jax.lax.stop_gradient(self.soft_value(before.critics, before, batch.x, second))
            fit = lambda v: (optax.l2_loss(self.net.apply(v, batch.x)[..., 0] - soft) * batch.weight).sum()  # noqa: E731
            state = state._replace(value=stepped("value", state.value, jax.grad(fit)(state.value), hyper["lr"]))
            state = state._replace(target=polyak(state.target, state.value, hyper["polyak"]))
        else:
            state = state._replace(target=polyak(state.target, state.critics, hyper["polyak"]))

        def actor_loss(actor: Tree) -> tuple[jax.Array, jax.Array]:
            actions, log_pi = self.drawn(actor, batch.x, second)
            scores = self.scores(state.critics, batch.x, actions)
            best = scores[0] if self.version == 1 else scores.min(axis=0)
            each = ((jnp.exp(state.log_tau) * log_pi - best) * second.weights).sum(axis=-1)
            return (batch.weight * each).sum(), -(log_pi * second.weights).sum(axis=-1)

        (_, entropy), gradient = jax.value_and_grad(actor_loss, has_aux=True)(state.actor)
        state = state._replace(actor=stepped("actor", state.actor, gradient, hyper["lr"]))
        excess = (batch.weight * (entropy - hyper["target_entropy"] * batch.action.shape[-1])).sum()
        rate = hyper["tau_lr"] if self.version == 2 else 0.0
        state = state._replace(log_tau=stepped("log_tau", state.log_tau, excess, rate), steps=steps)
        metrics = {"loss": value, "td_error": error, "actor_entropy": entropy.mean(), "tau": jnp.exp(state.log_tau)}
        return state, metrics


def log_density(u: jax.Array, mean: jax.Array, log_std: jax.Array) -> jax.Array:
    """Log-density of ``tanh u`` for a Gaussian ``u``: sums over the last axis. Stable for large ``|u|``."""
    normal = -0.5 * ((u - mean) / jnp.exp(log_std)) ** 2 - log_std - 0.5 * jnp.log(2.0 * jnp.pi)
    squash = 2.0 * (jnp.log(2.0) - u - jax.nn.softplus(-2.0 * u))
    return (normal - squash).sum(axis=-1)
