"""Environments of gymnax, as the trainer takes them. Actions of boxes are scaled from [-1, 1]."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from deep.agents.base import Spec


@dataclass(frozen=True)
class GymnaxEnv:
    """gymnax's environment of a name; its six-value step is the protocol's. ``params`` are gymnax's own."""

    name: str

    @cached_property
    def _made(self) -> tuple[Any, Any]:
        import gymnax

        return gymnax.make(self.name)

    @property
    def params(self) -> Any:
        """The environment's default parameters, as arrays."""
        return jax.tree.map(jnp.asarray, self._made[1])

    @cached_property
    def spec(self) -> Spec:
        env, params = self._made
        size = int(np.prod(env.observation_space(params).shape))
        space = env.action_space(params)
        return Spec(size, int(space.n)) if hasattr(space, "n") else Spec(size, 0, int(np.prod(space.shape) or 1))

    def reset(self, key: jax.Array, params: Any) -> tuple[Any, Any]:
        observation, state = self._made[0].reset(key, params)
        return observation, jax.tree.map(jnp.asarray, state)

    def step(self, key: jax.Array, state: Any, action: Any, params: Any) -> tuple[Any, ...]:
        env = self._made[0]
        if self.spec.dim:
            space = env.action_space(self._made[1])
            low, high = jnp.asarray(space.low), jnp.asarray(space.high)
            action = low + (action.reshape(space.shape) + 1.0) / 2.0 * (high - low)
        return env.step(key, state, action, params)

    def features(self, observation: jax.Array, params: Any) -> jax.Array:
        return observation.reshape(-1)
