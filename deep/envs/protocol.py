"""What an environment is to the trainer: two pure functions, with arrays of its own passed in, six values a step.

``step`` gives observation, state, reward, terminated, truncated and info, as gymnax does since its version 1; an episode that
is over starts anew at once, and ``info["final_observation"]`` is what was seen before. Only ``terminated`` ends the
future: a truncated episode would have gone on.
"""

from __future__ import annotations

from typing import Any, Protocol

import jax

from deep.agents.base import Spec


class Env(Protocol):
    """An environment: a frozen value (part of a compiled program's key); ``params`` are its arrays, traced."""

    @property
    def name(self) -> str: ...

    @property
    def spec(self) -> Spec: ...

    def reset(self, key: jax.Array, params: Any) -> tuple[Any, Any]:
        """Observation and state of a new episode."""

    def step(
        self, key: jax.Array, state: Any, action: Any, params: Any
    ) -> tuple[Any, Any, Any, Any, Any, dict[str, Any]]:
        """Observation, state, reward, terminated, truncated, info."""

    def features(self, observation: Any, params: Any) -> jax.Array:
        """(features,) what networks see of an observation; observations are what the replay stores."""
