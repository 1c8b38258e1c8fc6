r"""The targets of the DQN family: what is worth learning from a transition, as a plug-in.

For action values :math:`\bar Q` of the target network every member learns

.. math:: y = r + b(\bar Q(s,\cdot), a) + \gamma (1 - \text{terminated})\, v(\bar Q(s',\cdot)),

with ``v`` and ``b`` of the target: the conjugate of a regulariser of ``tabular`` (DQN: none; soft DQN: ``Shannon``), or those of
Munchausen value iteration (M-DQN, which is MDVI) and MVI(q). Formulas are those of the tabular solvers, on the same objects, in
JAX's arithmetic. Source: mdvi; tsallis_mvi; Vieillard, Pietquin and Geist 2020 for the Munchausen term and its clip.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from deep.agents.base import Hyper
from deep.ops import JaxOps
from tabular.planning.tsallis_mvi import mvi_policy, mvi_values
from tabular.reference import Value
from tabular.regularizers import GREATEST_INDEX, LEAST_INDEX, Hard, Shannon, Tsallis

KINDS = ("hard", "soft", "munchausen")


class _Rows(NamedTuple):
    """All that the formulas of MVI(q) ask of a model: which actions there are."""

    mask: np.ndarray


@dataclass(frozen=True)
class Target:
    r"""A target: ``kind`` is ``"hard"`` (DQN), ``"soft"`` or ``"munchausen"``; ``q`` the index of the entropy, 1 for Shannon's.

    Its numbers are ``tau``, the temperature in units of reward; of Munchausen targets also ``alpha``, the weight of the term, and
    ``floor``, which :math:`\tau L_q(\pi(a|s))` is clipped at from below (``-inf``: not at all; published M-DQN: -1). ``absorbed``:
    whether MVI(q) plays :math:`e_q(Q/\tau - \psi)`, as in its paper, or the policy of weight ``tau``.
    """

    kind: str = "hard"
    q: float = 1.0
    absorbed: bool = True

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind is {self.kind!r}: expected one of {KINDS}")
        if not LEAST_INDEX <= self.q <= GREATEST_INDEX:
            raise ValueError(f"q is {self.q}: expected an index from {LEAST_INDEX} to {GREATEST_INDEX}")
        if self.kind == "hard" and self.q != 1.0:
            raise ValueError(f"q is {self.q}: a hard target has no entropy, hence no index")

    def defaults(self) -> dict[str, float]:
        return {
            "hard": {},
            "soft": {"tau": 0.03},
            "munchausen": {"tau": 0.03, "alpha": 0.9, "floor": -1.0},
        }[self.kind]

    def regularizer(self, tau: Any) -> Any:
        """The regulariser of ``tabular`` whose maximiser is the policy; ``tau`` a number, a traced one or a ``Value``."""
        if self.kind == "hard":
            return Hard()
        if self.q == 1.0:
            return Shannon(tau)
        return Tsallis(tau / self.q if self.kind == "munchausen" and self.absorbed else tau, self.q)

    def policy(self, hyper: Hyper, Q: jax.Array) -> jax.Array:
        """(B, A) the policy of action values (B, A)."""
        return self._policy(_given(Q, hyper)).data

    def _policy(self, given: _Given) -> Value:
        ops, mask, Q, tau = given
        if self.kind == "munchausen" and self.q != 1.0:
            return mvi_policy(ops, _Rows(mask), Q, tau, self.q, int(self.absorbed))
        return self.regularizer(tau).policy(ops, Q, mask)

    def value(self, hyper: Hyper, Q: jax.Array) -> jax.Array:
        """(B,) what is ahead at action values (B, A) of the next states."""
        given = _given(Q, hyper)
        if self.kind == "munchausen" and self.q != 1.0:
            pi = self._policy(given)
            return mvi_values(given.ops, _Rows(given.mask), pi, given.Q, given.tau, self.q).data
        return self.regularizer(given.tau).conjugate(given.ops, given.Q, given.mask).data

    def bonus(self, hyper: Hyper, Q: jax.Array, action: jax.Array) -> jax.Array:
        """(B,) what a target adds to the reward of actions (B,) at action values (B, A) of their states."""
        if self.kind != "munchausen":
            return jnp.zeros(Q.shape[:-1], Q.dtype)
        given = _given(Q, hyper)
        if self.q == 1.0:  # the logarithm of what underflows
            logs = Shannon(given.tau).log_policy(given.ops, given.Q, given.mask).data
        else:
            logs = given.ops.q_log(self._policy(given), 2.0 - self.q).data
        at = jnp.take_along_axis(logs, action[..., None], axis=-1)[..., 0]
        return hyper["alpha"] * jnp.maximum(hyper["tau"] * at, hyper["floor"])


class _Given(NamedTuple):
    """Action values (B, A) as the formulas take them: an arithmetic of their precision, all actions available, ``tau``."""

    ops: JaxOps
    mask: np.ndarray
    Q: Value
    tau: Value | None


def _given(Q: jax.Array, hyper: Hyper) -> _Given:
    ops = JaxOps(dtype=Q.dtype)
    tau = Value(ops, jnp.asarray(hyper["tau"], Q.dtype), 0) if "tau" in hyper else None
    return _Given(ops, np.ones(Q.shape[-1:], dtype=bool), Value(ops, Q, 2), tau)


GREEDY = Target()
