r"""Learners of visits: the reward is what is rarely seen, and rewards of the environment are ignored.

- ``"kernel"``: with the mean :math:`m` of the features of all states visited so far, :math:`\hat\rho(x) = x \cdot m`
  is the mean similarity
  of ``x`` to what was seen under the kernel of inner products, and the reward the slope of the smoothed entropy,
  :math:`-\log(\hat\rho + \sigma) - \hat\rho / (\hat\rho + \sigma)`. On one-hot features the kernel is the identity,
  :math:`\hat\rho` the share of visits, and the scheme the one of Hazan and others, whose mixture of all policies so
  far is what the replay has seen: with exact visits and planning to the end it is ``tabular.exploration.max_ent``.
  (Entropies aware of a kernel: GEM.)
- ``"neighbours"``: :math:`\log(1 + \text{mean distance to the k nearest of the batch})`, the particle estimate of APT; it knows
  distances of features alone, and is not free of their scale.

Both are learners of action values with any target.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp

from deep.agents.base import Batch, Hyper, Spec
from deep.agents.q_learning import QLearner, QState


class Seen(NamedTuple):
    """The sum of features visited, and how many."""

    total: jax.Array
    visits: jax.Array


@dataclass(frozen=True)
class VisitLearner(QLearner):
    """``novelty``: ``"kernel"`` or ``"neighbours"``, of which ``k``. Numbers beside those of the learner: ``sigma``,
    positive, of the entropy.
    """

    novelty: str = "kernel"
    k: int = 12

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.novelty not in ("kernel", "neighbours"):
            raise ValueError(f"novelty is {self.novelty!r}: expected 'kernel' or 'neighbours'")
        if self.k < 1:
            raise ValueError(f"k is {self.k}: at least 1")

    def defaults(self) -> dict[str, float]:
        return super().defaults() | {"sigma": 1e-3} | self.options

    def init(self, key: jax.Array, spec: Spec, hyper: Hyper) -> QState:
        seen = Seen(jnp.zeros((spec.features,)), jnp.zeros(()))
        return super().init(key, spec, hyper)._replace(seen=seen)

    def observe(self, state: QState, hyper: Hyper, x: jax.Array, action: jax.Array) -> QState:
        seen = Seen(state.seen.total + x.sum(axis=0), state.seen.visits + len(x))
        return super().observe(state, hyper, x, action)._replace(seen=seen)

    def reward(self, state: QState, hyper: Hyper, batch: Batch) -> jax.Array:
        """(B,) of being in the states of a batch."""
        if self.novelty == "kernel":
            rho = batch.x @ (state.seen.total / jnp.maximum(state.seen.visits, 1e-30))
            return -jnp.log(rho + hyper["sigma"]) - rho / (rho + hyper["sigma"])
        squares = ((batch.x[:, None] - batch.x[None]) ** 2).sum(axis=-1)
        # The state itself is among the k + 1 nearest, at distance 0.
        nearest = -jax.lax.top_k(-squares, min(self.k + 1, len(batch.x)))[0]
        return jnp.log1p(jnp.sqrt(nearest).sum(axis=-1) / self.k)

    def targets(self, state: QState, hyper: Hyper, batch: Batch) -> jax.Array:
        return super().targets(state, hyper, batch._replace(reward=self.reward(state, hyper, batch)))
