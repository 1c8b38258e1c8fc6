r"""MEPOL: gradients of a particle estimate of the entropy of visits, in a trust region (Mutti, Pratissoli and Restelli 2021).

The states met in an epoch are particles i with weights :math:`b_i`, of which those of another policy are by importance

.. math:: w_i \propto b_i \prod_{t < t_i} \frac{\pi_\theta(a_t|s_t)}{\pi_0(a_t|s_t)}, \qquad
          W_i = \sum_{j \in B(i)} w_j, \qquad
          \hat H = -\sum_i \frac{b_i}{W^0_i} W_i \log \frac{W_i}{V_i + \epsilon} + \log k - \psi(k),

where :math:`B(i)` has the particle and its k - 1 nearest neighbours, :math:`W^0` is :math:`W` before any step, and
:math:`V_i` the volume of the ball out to the k-th. Its gradient goes through the weights alone. Steps go on, on the same
particles, while :math:`\widehat{KL} = \sum_i b_i \log (W^0_i / W_i)` stays within ``delta``; the one that leaves is taken back.

With even weights :math:`b_i = 1/N` these are the formulas of the authors (:math:`W^0_i = k/N`). Ours are: weights
:math:`b_i \propto \gamma^{t_i}`, so that the visits are discounted as those of ``tabular.operators.occupancy``; the share
:math:`b_i / W^0_i`, which is what 1/k becomes; products over the actions *before* a state, those that it depends on, begun
anew with each episode; and the counting measure (``dim=0``, ``k=0``), under which what is nearer than ``resolution`` is one
place, no volume is counted, and :math:`\hat H` is the entropy of the places' shares. With every path in its probability that is
the entropy of discounted visits, and its gradient the exact policy gradient. Source: the authors' code, through its formulas.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from deep.agents.base import ADAM, TWO_LAYERS, Hyper, Net, Optimiser, Spec, Tree, View

EULER = 0.5772156649015329


class Paths(NamedTuple):
    """What n environments did for T steps: (T, n, features), and (T, n) actions, log-probabilities of the policy that
    played, first steps of the episodes that they belong to, and logarithms of how much a path weighs beside the discount.
    """

    x: jax.Array
    action: jax.Array
    log_pi: jax.Array
    first: jax.Array
    log_share: jax.Array


class Particles(NamedTuple):
    """What stays in an epoch: (N,) logarithms of the weights b, who is near whom (N, N), and (N,) logarithms of volumes."""

    log_b: jax.Array
    near: jax.Array
    log_volume: jax.Array


class PolicyState(NamedTuple):
    policy: Tree
    steps: Tree


@dataclass(frozen=True)
class MEPOL:
    """Fields that are compiled in: ``horizon``, steps of an epoch in each environment; ``k`` nearest neighbours, 0 for what
    is nearer than ``resolution`` alone; ``dim`` of volumes, None for that of the features; ``inner``, most steps an epoch.

    Numbers: ``lr``, ``gamma`` (1: all steps of an episode weigh the same), ``delta`` of the trust region, ``resolution``.
    O((n T)^2) memory and time an inner step.
    """

    name: str = "mepol"
    net: Net = TWO_LAYERS
    optimiser: Optimiser = ADAM
    horizon: int = 50
    k: int = 4
    dim: int | None = None
    inner: int = 30
    heads: int = 1
    options: dict[str, float] = field(default_factory=dict, hash=False, compare=False)

    critic = False
    """There are no action values: of these the oracle says nothing."""

    def __post_init__(self) -> None:
        for name, least in (("horizon", 1), ("k", 0), ("inner", 1), ("dim", 0)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise ValueError(f"{name} is {value}: at least {least}")

    def defaults(self) -> dict[str, float]:
        own = {"lr": 3e-3, "gamma": 1.0, "delta": 0.05, "resolution": 0.0, "epsilon": 0.0, "epsilon_end": 0.0}
        return own | self.options

    def init(self, key: jax.Array, spec: Spec, hyper: Hyper) -> PolicyState:
        policy = self.net.init(key, spec.features, spec.actions)
        return PolicyState(policy, self.optimiser.init(policy))

    def log_policy(self, policy: Tree, x: jax.Array) -> jax.Array:
        """(..., A) log-probabilities at features (..., d)."""
        return jax.nn.log_softmax(self.net.apply(policy, x), axis=-1)

    def view(self, state: PolicyState, hyper: Hyper, x: jax.Array) -> View:
        """What the oracle looks at: the policy alone."""
        log_pi = self.log_policy(state.policy, x)
        return View(jnp.exp(log_pi), jnp.full_like(log_pi, jnp.nan), jnp.asarray(jnp.nan, log_pi.dtype))

    def particles(self, hyper: Hyper, paths: Paths) -> Particles:
        """Weights, neighbours and volumes of what was visited."""
        T, n, features = paths.x.shape
        age = jnp.arange(T)[:, None] - paths.first
        # gamma = 0 leaves the starts alone: 0^0 is 1.
        log_gamma = jnp.log(jnp.maximum(hyper["gamma"], jnp.finfo(paths.log_pi.dtype).tiny))
        log_b = jax.nn.log_softmax((jnp.where(age > 0, age * log_gamma, 0.0) + paths.log_share).ravel())
        x = paths.x.reshape(T * n, features)
        squares = ((x[:, None] - x[None]) ** 2).sum(axis=-1)
        radius = jnp.broadcast_to(jnp.asarray(hyper["resolution"], squares.dtype) ** 2, (T * n,))
        if self.k:  # among the k + 1 nearest is the particle itself
            farthest = -jax.lax.top_k(-squares, min(self.k + 1, T * n))[0][:, -1]
            radius = jnp.maximum(radius, farthest)
        near = (squares < radius[:, None]) | jnp.eye(T * n, dtype=bool)
        d = features if self.dim is None else self.dim
        tiny = jnp.finfo(squares.dtype).tiny
        unit = 0.5 * d * math.log(math.pi) - math.lgamma(0.5 * d + 1.0)
        log_volume = unit + 0.5 * d * jnp.log(jnp.maximum(radius, tiny)) if d else jnp.zeros_like(radius)
        return Particles(log_b, near, log_volume)

    def log_weights(self, policy: Tree, paths: Paths, log_b: jax.Array) -> jax.Array:
        """(N,) logarithms of the weights w of another policy."""
        index = paths.action[..., None]
        new = jnp.take_along_axis(self.log_policy(policy, paths.x), index, axis=-1)[..., 0]
        ratio = new - paths.log_pi
        before = jnp.cumsum(ratio, axis=0) - ratio
        since = before - jnp.take_along_axis(before, paths.first, axis=0)
        return jax.nn.log_softmax(log_b + since.ravel())

    def objective(self, policy: Tree, paths: Paths, p: Particles) -> tuple[jax.Array, jax.Array]:
        """The estimate of the entropy of a policy's visits, and the divergence from what was played."""
        b = jnp.exp(p.log_b)
        log_old, log_new = (_log_mass(p.near, v) for v in (p.log_b, self.log_weights(policy, paths, p.log_b)))
        shares = b * jnp.exp(log_new - log_old)
        entropy = -(shares * (log_new - p.log_volume)).sum() + self.correction
        return entropy, (b * (log_old - log_new)).sum()

    @property
    def correction(self) -> float:
        r""":math:`\log k - \psi(k)`; 0 under the counting measure."""
        return math.log(self.k) + EULER - sum(1.0 / j for j in range(1, self.k)) if self.k else 0.0

    def learn(self, state: PolicyState, hyper: Hyper, paths: Paths) -> tuple[PolicyState, dict[str, jax.Array]]:
        """Steps on the paths of an epoch, until one leaves the trust region."""
        p = self.particles(hyper, paths)
        measure = lambda policy: self.objective(policy, paths, p)  # noqa: E731
        loss = lambda policy: -measure(policy)[0]  # noqa: E731

        def step(carry: tuple[PolicyState, jax.Array, jax.Array, jax.Array]) -> Any:
            state, taken, kl, _ = carry
            new = PolicyState(
                *self.optimiser.step(state.policy, jax.grad(loss)(state.policy), state.steps, hyper["lr"])
            )
            away = measure(new.policy)[1]
            within = away <= hyper["delta"]  # false for what is no number
            kept = jax.tree.map(lambda x, y: jnp.where(within, x, y), new, state)
            return kept, taken + within, jnp.where(within, away, kl), within

        zero = jnp.zeros((), p.log_b.dtype)
        start = (state, zero, zero, jnp.asarray(True))
        state, taken, kl, _ = jax.lax.while_loop(lambda c: c[3] & (c[1] < self.inner), step, start)
        before = measure(state.policy)[0]
        return state, {"particle_entropy": before, "kl": kl, "inner": taken}


def _log_mass(near: jax.Array, log_weight: jax.Array) -> jax.Array:
    """(N,) logarithms of the weights of all that is near."""
    top = jax.lax.stop_gradient(log_weight.max())
    total = jnp.where(near, jnp.exp(log_weight - top)[None], 0.0).sum(axis=1)
    return jnp.log(jnp.maximum(total, jnp.finfo(total.dtype).tiny)) + top
