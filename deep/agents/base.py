"""What the trainer and an agent agree on: transitions, sizes, networks and steps of an optimiser.

An agent is a small frozen value with pure functions, so that one compiled trainer serves every seed and every setting of
the numbers in ``hyper``: a dict of scalars that may be traced. What changes shapes or code is a field of the agent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import equinox as eqx
import jax
import jax.numpy as jnp
import optax

Tree = Any
Hyper = dict[str, Any]


class Batch(NamedTuple):
    """Transitions, with their weights in the loss.

    ``x``, ``next_x`` (B, features); ``action`` (B,) integers or (B, dim); ``reward`` (B,); ``terminated`` (B,) in {0, 1}: after
    the step there is nothing (a truncated episode is not terminated: its last state is worth what it is worth);
    ``weight`` (B,), 1/B of a replayed batch; ``mask`` (B, heads), which members of an ensemble see a transition.
    """

    x: jax.Array
    action: jax.Array
    reward: jax.Array
    next_x: jax.Array
    terminated: jax.Array
    weight: jax.Array
    mask: jax.Array


class Spec(NamedTuple):
    """Sizes of an environment: of its features; number of actions, or 0 and the dimension ``dim`` of actions in [-1, 1]^dim."""

    features: int
    actions: int
    dim: int = 0


class View(NamedTuple):
    """What an agent thinks of states: its policy (N, A) while it is evaluated, its action values (N, A), its temperature."""

    pi: jax.Array
    Q: jax.Array
    tau: jax.Array


class Agent(Protocol):
    """An agent of the trainer; ``x`` is (N, features) throughout."""

    @property
    def name(self) -> str: ...

    @property
    def heads(self) -> int: ...

    def defaults(self) -> dict[str, float]:
        """The numbers that may be traced, with their default values."""

    def init(self, key: jax.Array, spec: Spec, hyper: Hyper) -> Tree:
        """The state of a learner."""

    def memory(self, key: jax.Array, n: int) -> Tree:
        """What is remembered within an episode, for n environments: arrays with a leading n."""

    def act(self, state: Tree, hyper: Hyper, x: jax.Array, memory: Tree, epsilon: Any, key: jax.Array) -> jax.Array:
        """Actions while learning."""

    def observe(self, state: Tree, hyper: Hyper, x: jax.Array, action: jax.Array) -> Tree:
        """The state after having been there: counts, for those who count."""

    def update(self, state: Tree, hyper: Hyper, batch: Batch, key: jax.Array) -> tuple[Tree, dict[str, jax.Array]]:
        """One step on a batch, and numbers to report."""


@dataclass(frozen=True)
class Net:
    """A multilayer perceptron of ``depth`` hidden layers; depth 0 is linear, without bias and zero at first: a table over one-hot
    features.
    """

    width: int = 64
    depth: int = 2

    def init(self, key: jax.Array, inputs: int, outputs: int) -> Tree:
        net = eqx.nn.MLP(
            inputs, outputs, self.width, self.depth, use_bias=self.depth > 0, use_final_bias=self.depth > 0, key=key
        )
        layers = [(layer.weight, layer.bias) for layer in net.layers]
        return [(jnp.zeros_like(w), None) for w, _ in layers] if self.depth == 0 else layers

    def apply(self, layers: Tree, x: jax.Array) -> jax.Array:
        """(..., outputs) for inputs (..., inputs)."""
        return _affine(layers[-1], self.hidden(layers, x))

    def hidden(self, layers: Tree, x: jax.Array) -> jax.Array:
        """What the last layer sees; the input itself at depth 0."""
        for layer in layers[:-1]:
            x = jax.nn.relu(_affine(layer, x))
        return x

    def features(self, inputs: int) -> int:
        """The width of ``hidden``."""
        return self.width if self.depth else inputs


def _affine(layer: Any, x: jax.Array) -> jax.Array:
    weight, bias = layer
    out = x @ weight.T
    return out if bias is None else out + bias


@dataclass(frozen=True)
class Optimiser:
    """Steps whose rate may be traced. ``sgd`` with rate 1 on half a squared error puts a table where its target is."""

    name: str = "adam"
    clip: float | None = None
    eps: float = 1e-8

    def __post_init__(self) -> None:
        if self.name not in ("adam", "sgd"):
            raise ValueError(f"optimiser is {self.name!r}: expected 'adam' or 'sgd'")
        if self.clip is not None and not self.clip > 0:
            raise ValueError(f"clip is {self.clip}: expected a positive norm, or None")

    def _chain(self) -> optax.GradientTransformation:
        clip = [] if self.clip is None else [optax.clip_by_global_norm(self.clip)]
        return optax.chain(*clip, optax.scale_by_adam(eps=self.eps) if self.name == "adam" else optax.identity())

    def init(self, params: Tree) -> Tree:
        return self._chain().init(params)

    def step(self, params: Tree, gradient: Tree, state: Tree, rate: Any) -> tuple[Tree, Tree]:
        direction, state = self._chain().update(gradient, state, params)
        return jax.tree.map(lambda p, d: p - rate * d, params, direction), state


def polyak(target: Tree, online: Tree, rate: Any) -> Tree:
    """``target + rate (online - target)``; at rate 1 a copy, exactly."""
    return jax.tree.map(lambda t, o: (1.0 - rate) * t + rate * o, target, online)


TWO_LAYERS, ADAM = Net(), Optimiser()
