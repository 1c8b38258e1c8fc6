"""A model as a Gymnasium environment: ``to_gymnasium(mdp)``.

States are observations and actions are actions, by their numbers. A step earns the mean reward ``R[s, a]`` and ends with
probability ``end[s, a]``, which is ``terminated``; the observation is then the state that was left, since the end is no state.
``truncated`` says that ``max_steps`` steps were made, and nothing about the process. The table ``P`` is there too, so that
``from_gymnasium(to_gymnasium(mdp)) == mdp``, discount and exact rationals included.
"""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np

from tabular import _border as border
from tabular import _validate as check
from tabular.interchange._says import holds_rationals, settle
from tabular.mdp import MDP

Row = list[tuple[Any, int, Any, bool]]


def to_gymnasium(mdp: MDP, *, rho: Any = None, max_steps: int | None = None) -> TabularEnv:
    """The environment of a model.

    ``rho`` : (S,) start distribution; None: the model's.  ``max_steps`` : steps after which an episode is truncated; None: never.
    ``reset(seed=...)`` seeds all randomness of an environment; ``gamma`` is an attribute, as no environment has a discount.

    Raises ModelError where the model has no start distribution or unavailable actions, which spaces of Gymnasium cannot say;
    TypeError for anything but an MDP. Cost: the table holds a tuple for each transition.
    """
    settle(mdp, "to_gymnasium", "a Gymnasium environment", ("discount", "start", "exact", "ends"))
    if max_steps is not None:
        border.count(max_steps, "max_steps")
    if rho is not None:
        start, given = check.check_distribution(rho, mdp.S)
        exact = mdp._exact and mdp._exact._replace(rho=given)
        mdp = mdp._with(rho=start, exact=exact)
    if mdp.rho is None:
        check.fail("the model has no start distribution, which an environment needs: pass rho")
    return TabularEnv(mdp, max_steps)


class TabularEnv(gymnasium.Env[np.int64, np.int64]):
    """The environment of ``to_gymnasium``.

    Attributes
    ----------
    P : the table, ``P[s][a] = [(probability, next state, reward, terminated), ...]``; Fractions where the model is exact.
    initial_state_distrib : (S,) start distribution.  gamma : discount.  exact : whether the table holds Fractions.
    state_labels, action_labels : names, or None.  s : the state; None before ``reset`` and after the end.
    """

    metadata = {"render_modes": []}  # noqa: RUF012  (Gymnasium's convention)

    def __init__(self, mdp: MDP, max_steps: int | None = None) -> None:
        self.observation_space = gymnasium.spaces.Discrete(mdp.S)
        self.action_space = gymnasium.spaces.Discrete(mdp.A)
        self.gamma = mdp.gamma_exact if mdp.is_exact else mdp.gamma
        self.exact = holds_rationals(mdp)
        self.state_labels, self.action_labels = mdp.state_labels, mdp.action_labels
        self.P = _table(mdp, self.exact)
        self.initial_state_distrib = _start(mdp, self.exact)
        self.max_steps = max_steps
        self.s: int | None = None
        self._A = mdp.A
        self._steps = 0
        self._start = _cumulative(np.asarray(mdp.rho))
        rows = mdp.csr()
        self._to: list[np.ndarray] = np.split(rows.indices, rows.indptr[1:-1])
        # The last place is the end's, of mass zero where a step cannot end.
        self._up = [
            _cumulative(np.append(p, e))
            for p, e in zip(np.split(rows.data, rows.indptr[1:-1]), mdp.end.ravel(), strict=True)
        ]
        self._R = mdp.rewards

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.int64, dict[str, Any]]:
        """A state drawn from the start distribution; ``seed`` seeds this and all later draws."""
        super().reset(seed=seed)
        self.s, self._steps = _drawn(self._start, self.np_random.random()), 0
        return np.int64(self.s), {"prob": float(self.initial_state_distrib[self.s])}

    def step(self, action: Any) -> tuple[np.int64, float, bool, bool, dict[str, Any]]:
        """One step. ResetNeeded before ``reset`` and after an end; ValueError for what is no action."""
        if self.s is None:
            raise gymnasium.error.ResetNeeded("the episode is over, or has not begun: call reset")
        if not self.action_space.contains(action):
            raise ValueError(f"action {action!r}: actions are 0 ... {self._A - 1}")
        s, i = self.s, self.s * self._A + int(action)
        k = _drawn(self._up[i], self.np_random.random())
        terminated = k == len(self._to[i])
        prob = float(self.P[s][int(action)][k][0]) if not terminated else float(self.P[s][int(action)][-1][0])
        self._steps += 1
        truncated = not terminated and self.max_steps is not None and self._steps >= self.max_steps
        following = s if terminated else int(self._to[i][k])
        self.s = None if terminated or truncated else following
        return np.int64(following), float(self._R[s, int(action)]), terminated, truncated, {"prob": prob}


def _cumulative(p: np.ndarray) -> np.ndarray:
    """Running sums up to one: sums that rounding left short never leave a draw without its place."""
    up = np.cumsum(p)
    up[np.flatnonzero(p)[-1] :] = 1.0
    return up


def _drawn(up: np.ndarray, u: float) -> int:
    """The place of a uniform draw in [0, 1); places of mass zero are never drawn."""
    return int(np.searchsorted(up, u, side="right"))


def _table(mdp: MDP, exact: bool) -> dict[int, dict[int, Row]]:
    rows = mdp.csr()
    model = mdp.exact() if exact else None
    table: dict[int, dict[int, Row]] = {}
    for s in range(mdp.S):
        table[s] = {}
        for a in range(mdp.A):
            i = s * mdp.A + a
            reward: Any = float(mdp.rewards[s, a]) if model is None else model.R[i]
            if model is None:
                part = slice(int(rows.indptr[i]), int(rows.indptr[i + 1]))
                moves: dict[int, Any] = dict(zip(rows.indices[part].tolist(), rows.data[part].tolist(), strict=True))
            else:
                moves = model.row(s, a)
            table[s][a] = [(p, t, reward, False) for t, p in moves.items()]
            end: Any = float(mdp.end[s, a]) if model is None else model.end(s, a)
            if end:
                table[s][a].append((end, s, reward, True))
    return table


def _start(mdp: MDP, exact: bool) -> np.ndarray:
    given = mdp.exact().rho if exact else None
    if given is None:
        return np.array(mdp.rho)
    out = np.empty(mdp.S, dtype=object)
    out[:] = list(given)
    return out
