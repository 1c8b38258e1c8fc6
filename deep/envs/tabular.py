"""A finite MDP of ``tabular`` as an environment, so that every run has an exact oracle beside it.

Each step draws one of the successors or the end from the row of the model; what ends is terminated, what outlives the horizon
truncated. The observation is the number of the state, and ``features`` a row of a matrix, one-hot by default.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from deep.agents.base import Spec
from tabular import _border as border
from tabular import _validate as check
from tabular.mdp import MDP


class Tables(NamedTuple):
    """The model's arrays: (S*A, n) successors and cumulative probabilities, -1 for the end; rewards (S, A); (S,) cumulative start;
    (S, d) features.
    """

    successors: jax.Array
    cumulative: jax.Array
    rewards: jax.Array
    start: jax.Array
    matrix: jax.Array


class Place(NamedTuple):
    s: jax.Array
    t: jax.Array


@dataclass(frozen=True)
class TabularEnv:
    """Sizes only: models of equal sizes share one compiled program. ``horizon``: steps until an episode is truncated."""

    name: str
    S: int
    A: int
    d: int
    horizon: int

    @property
    def spec(self) -> Spec:
        return Spec(self.d, self.A)

    def reset(self, key: jax.Array, params: Tables) -> tuple[jax.Array, Place]:
        s = _drawn(params.start, jax.random.uniform(key))
        return s, Place(s, jnp.zeros((), jnp.int32))

    def step(self, key: jax.Array, state: Place, action: Any, params: Tables) -> tuple[Any, ...]:
        a, b = jax.random.split(key)
        row = state.s * self.A + action
        to = params.successors[row, _drawn(params.cumulative[row], jax.random.uniform(a))]
        terminated = to < 0
        s, t = jnp.where(terminated, state.s, to), state.t + 1
        truncated = ~terminated & (t >= self.horizon)
        first, fresh = self.reset(b, params)
        done = terminated | truncated
        place = Place(jnp.where(done, fresh.s, s), jnp.where(done, fresh.t, t))
        info = {"final_observation": s}
        return jnp.where(done, first, s), place, params.rewards[state.s, action], terminated, truncated, info

    def features(self, observation: jax.Array, params: Tables) -> jax.Array:
        return params.matrix[observation]


def tabular_env(mdp: MDP, horizon: int, *, features: Any = None, name: str = "") -> tuple[TabularEnv, Tables]:
    """The environment of a model, and its arrays.

    ``mdp``: with a start distribution and every action available in every state. ``horizon``: steps of an episode that does not
    end before, at least 1. ``features`` (S, d): what networks see; one-hot if None. TypeError and ModelError otherwise.
    """
    border.expect(mdp, "tabular_env", "MDP")
    border.count(horizon, "horizon")
    if mdp.rho is None:
        check.fail("rho is missing: episodes start somewhere")
    if not mdp.mask.all():
        i = check.first(~mdp.mask)
        check.fail(f"{check.place('R', i)} is -inf: networks have an output for every action, so all must be available")
    matrix = np.eye(mdp.S) if features is None else check.float_array(features, "features")
    if matrix.ndim != 2 or len(matrix) != mdp.S:
        check.fail(f"features has shape {matrix.shape}: expected ({mdp.S}, d)")
    check.check_finite(matrix, "features")
    P, end = mdp.csr(), mdp.end.ravel()
    count = np.diff(P.indptr) + (end > 0)
    n, rows = int(count.max()), np.repeat(np.arange(mdp.S * mdp.A), np.diff(P.indptr))
    at = np.arange(len(P.data)) - P.indptr[rows]
    successors = np.full((mdp.S * mdp.A, n), -1, dtype=np.int32)
    mass = np.zeros((mdp.S * mdp.A, n))
    successors[rows, at], mass[rows, at] = P.indices, P.data
    ends = np.flatnonzero(end > 0)
    mass[ends, count[ends] - 1] = end[ends]
    cumulative = np.cumsum(mass, axis=1) / mass.sum(axis=1, keepdims=True)
    cumulative[np.arange(n) >= count[:, None] - 1] = 2.0  # the last entry of a row takes all that is left
    start = np.cumsum(mdp.rho)
    start[np.flatnonzero(mdp.rho)[-1] :] = 2.0
    put = lambda x: jnp.asarray(x, dtype=float)  # noqa: E731
    tables = Tables(jnp.asarray(successors), put(cumulative), put(mdp.rewards), put(start), put(matrix))
    return TabularEnv(name or mdp.name or "tabular", mdp.S, mdp.A, matrix.shape[1], int(horizon)), tables


def _drawn(cumulative: jax.Array, u: jax.Array) -> jax.Array:
    """The first index whose cumulative probability exceeds ``u``."""
    return jnp.argmax(u < cumulative).astype(jnp.int32)
