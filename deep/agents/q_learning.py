r"""The DQN family: one learner of action values, for every ``Target``, alone or as an ensemble, with priors or optimism.

- Bootstrapped DQN (Osband et al. 2016, 2018): ``heads`` networks :math:`Q_k = f_k + \beta p_k`, with random ``p_k`` that
  stay, each with its own target; an episode is played by one of them, drawn at its start, and a transition is shown to each with
  probability ``share``.
- Optimistic DQN: :math:`Q^+(s,a) = Q(s,a) + \beta \sqrt{\phi^\top \Lambda_a^{-1} \phi}` with the features :math:`\phi` of the
  last layer and :math:`\Lambda_a = \lambda I + \sum \phi \phi^\top` over the visits of ``a``; :math:`Q^+` is what acts and what is
  backed up. On one-hot features the width is :math:`\beta / \sqrt{n(s,a) + \lambda}`, and the fixed point that of the reward
  plus this bonus. (Adding the bonus to the stored rewards instead would leave actions that nobody took without any.)
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from deep.agents.base import ADAM, TWO_LAYERS, Batch, Hyper, Net, Optimiser, Spec, Tree, View, polyak
from deep.agents.targets import GREEDY, Target

LOSSES = ("squared", "huber")


class QState(NamedTuple):
    """Networks, stacked over heads; frozen priors; inverse covariances (A, d, d) of the features, empty where none are kept; what
    learners of visits have seen.
    """

    online: Tree
    target: Tree
    prior: Tree
    steps: Tree
    inverse: jax.Array
    seen: Tree = None


@dataclass(frozen=True)
class QLearner:
    """Deep Q-learning with a target that is plugged in.

    ``loss``: half the squared error, or Huber's (delta = 1). ``priors``: whether heads have frozen ones; ``optimism``: whether
    widths are added. Numbers: ``lr``, ``gamma``, ``polyak`` (1: a hard copy after each update), those of the target;
    with more heads or priors ``prior`` (beta) and ``share``, with optimism ``beta`` and ``ridge``.
    """

    name: str = "dqn"
    target: Target = GREEDY
    net: Net = TWO_LAYERS
    optimiser: Optimiser = ADAM
    loss: str = "squared"
    heads: int = 1
    priors: bool = False
    optimism: bool = False
    options: dict[str, float] = field(default_factory=dict, hash=False, compare=False)

    def __post_init__(self) -> None:
        if self.loss not in LOSSES:
            raise ValueError(f"loss is {self.loss!r}: expected one of {LOSSES}")
        if self.heads < 1:
            raise ValueError(f"heads is {self.heads}: at least 1")

    def defaults(self) -> dict[str, float]:
        own = {"lr": 2.5e-4, "gamma": 0.99, "polyak": 0.01} | self.target.defaults()
        if self.heads > 1 or self.priors:
            own |= {"prior": 3.0, "share": 1.0}
        if self.optimism:
            own |= {"beta": 0.5, "ridge": 1.0}
        return own | self.options

    def init(self, key: jax.Array, spec: Spec, hyper: Hyper) -> QState:
        make = jax.vmap(lambda k: self.net.init(k, spec.features, spec.actions))
        a, b = jax.random.split(key)
        online = make(jax.random.split(a, self.heads))
        keys = jax.random.split(b, self.heads)
        prior = jax.vmap(lambda k: _drawn(self.net, k, spec))(keys) if self.priors else None
        d = self.net.features(spec.features)
        eye = jnp.eye(d) / hyper["ridge"] if self.optimism else jnp.zeros((0, 0))
        inverse = jnp.broadcast_to(eye, (spec.actions, *eye.shape)) if self.optimism else jnp.zeros((0, 0, 0))
        return QState(online, online, prior, self.optimiser.init(online), inverse)

    def memory(self, key: jax.Array, n: int) -> jax.Array:
        return jax.random.randint(key, (n,), 0, self.heads)

    def values(self, state: QState, hyper: Hyper, x: jax.Array) -> jax.Array:
        """(heads, N, A): action values of the networks in use, priors and widths included."""
        return self._of(state.online, state, hyper, x)

    def _of(self, params: Tree, state: QState, hyper: Hyper, x: jax.Array) -> jax.Array:
        out = jax.vmap(self.net.apply, in_axes=(0, None))(params, x)
        if self.priors:
            out = out + hyper["prior"] * jax.vmap(self.net.apply, in_axes=(0, None))(state.prior, x)
        return out + self.widths(state, hyper, x) if self.optimism else out

    def widths(self, state: QState, hyper: Hyper, x: jax.Array) -> jax.Array:
        """(N, A): beta times the elliptical norm of the target network's features."""
        phi = self._features(state, x)
        return hyper["beta"] * jnp.sqrt(jnp.maximum(jnp.einsum("ni,aij,nj->na", phi, state.inverse, phi), 0.0))

    def _features(self, state: QState, x: jax.Array) -> jax.Array:
        return self.net.hidden(jax.tree.map(lambda p: p[0], state.target), x)

    def act(
        self, state: QState, hyper: Hyper, x: jax.Array, memory: jax.Array, epsilon: Any, key: jax.Array
    ) -> jax.Array:
        """Epsilon-uniform, else of the policy of the episode's head: greedy for hard targets, drawn for the others."""
        a, b, c = jax.random.split(key, 3)
        Q = jnp.take_along_axis(self.values(state, hyper, x), memory[None, :, None], axis=0)[0]
        if self.target.kind == "hard":
            chosen = Q.argmax(axis=-1)
        else:
            chosen = jax.random.categorical(c, jnp.log(jnp.maximum(self.target.policy(hyper, Q), 1e-30)), axis=-1)
        uniform = jax.random.randint(a, chosen.shape, 0, Q.shape[-1])
        return jnp.where(jax.random.uniform(b, chosen.shape) < epsilon, uniform, chosen)

    def view(self, state: QState, hyper: Hyper, x: jax.Array) -> View:
        """What the oracle looks at: the policy and its action values; widths apart."""
        Q = self.values(state, hyper, x).mean(axis=0)
        Q = Q - self.widths(state, hyper, x) if self.optimism else Q
        return View(self.target.policy(hyper, Q), Q, jnp.asarray(hyper.get("tau", 0.0), Q.dtype))

    def observe(self, state: QState, hyper: Hyper, x: jax.Array, action: jax.Array) -> QState:
        """Sherman and Morrison's update of the inverse covariances, visit by visit."""
        if not self.optimism:
            return state
        phi = self._features(state, x)

        def one(inverse: jax.Array, visit: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, None]:
            f, a = visit
            u = inverse[a] @ f
            return inverse.at[a].add(-jnp.outer(u, u) / (1.0 + f @ u)), None

        return state._replace(inverse=jax.lax.scan(one, state.inverse, (phi, action))[0])

    def targets(self, state: QState, hyper: Hyper, batch: Batch) -> jax.Array:
        """(heads, B): ``y`` of each transition for each head."""
        ahead = self._of(state.target, state, hyper, batch.next_x)
        here = self._of(state.target, state, hyper, batch.x)
        rest = jax.vmap(lambda Q: self.target.value(hyper, Q))(ahead)
        bonus = jax.vmap(lambda Q: self.target.bonus(hyper, Q, batch.action))(here)
        return batch.reward + bonus + hyper["gamma"] * (1.0 - batch.terminated) * rest

    def update(self, state: QState, hyper: Hyper, batch: Batch, key: jax.Array) -> tuple[QState, dict[str, jax.Array]]:
        y = jax.lax.stop_gradient(self.targets(state, hyper, batch))

        def loss(params: Tree) -> tuple[jax.Array, jax.Array]:
            Q = self._of(params, state, hyper, batch.x)
            if self.optimism:  # the networks learn what is left beside the width
                Q = Q - self.widths(state, hyper, batch.x)
            at = jnp.take_along_axis(Q, jnp.broadcast_to(batch.action[None, :, None], (*Q.shape[:2], 1)), axis=-1)[
                ..., 0
            ]
            each = optax.l2_loss(at - y) if self.loss == "squared" else optax.huber_loss(at - y)
            return (each * batch.weight * batch.mask.T).sum(), jnp.abs(at - y).mean()

        (value, error), gradient = jax.value_and_grad(loss, has_aux=True)(state.online)
        online, steps = self.optimiser.step(state.online, gradient, state.steps, hyper["lr"])
        target = polyak(state.target, online, hyper["polyak"])
        return state._replace(online=online, target=target, steps=steps), {"loss": value, "td_error": error}


def _drawn(net: Net, key: jax.Array, spec: Spec) -> Tree:
    """A random network, also where ``Net.init`` starts at zero."""
    layers = net.init(key, spec.features, spec.actions)
    return layers if net.depth else [(jax.random.normal(key, layers[0][0].shape), None)]
