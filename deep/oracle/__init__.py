r"""The truth beside a run: what the policy and the action values of a learner are worth, by the exact solvers of ``tabular``.

For a learner's policy :math:`\pi`, action values ``Q`` and temperature :math:`\tau`, in the model that its environment draws from:

``return``, ``suboptimality``, ``worst``
    :math:`\rho V^\pi`, :math:`\rho (V^* - V^\pi)` and :math:`\max (V^* - V^\pi)`, without regulariser.
``soft_return``, ``soft_gap``
    The same of the regularised objective, and :math:`\rho (V^*_\Omega - V^\pi_\Omega)`. Munchausen learners of index
    1 solve for the entropy of weight :math:`(1-\alpha)\tau`, which is theirs here; those of other indices have no
    such objective: NaN.
``bias``
    :math:`\langle d, Q - Q^\pi_\Omega \rangle` under the policy's own normalised visits d: how much the critic overestimates. Of
    Munchausen learners :math:`Q - \alpha \tau \log \pi` is compared, which is the soft action value at their fixed point.
``residual``, ``worst_residual``
    :math:`\langle d, |TQ - Q| \rangle` and :math:`\max |TQ - Q|` for the operator that the learner iterates, with
    exact expectations.
``entropy``, ``policy_entropy``
    Of the normalised discounted visits of states, and mean entropy of the policy under them; nats.

Agents without action values have NaN for all that these are compared with, and learners that have diverged for everything.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tabular import _border as border
from tabular._backups import Backups
from tabular.mdp import MDP
from tabular.operators import evaluate_policy, occupancy, q_values
from tabular.planning import policy_iteration
from tabular.planning.sac import soft_q_backup
from tabular.planning.tsallis_mvi import mvi_policy, mvi_values
from tabular.reference import NumpyOps
from tabular.regularizers import Hard, Shannon

MEASURES = (
    "return", "suboptimality", "worst", "soft_return", "soft_gap", "bias", "residual", "worst_residual",
    "entropy", "policy_entropy",
)  # fmt: skip


class Oracle:
    """The exact solver beside a run; optimal values are computed once for each temperature.

    ``mdp``: discounted, with a start distribution. TypeError and ValueError otherwise.
    """

    def __init__(self, mdp: MDP) -> None:
        border.expect(mdp, "Oracle", "MDP")
        if mdp.gamma >= 1.0 or mdp.rho is None:
            raise ValueError("the oracle is for discounted models with a start distribution")
        self.mdp, self._optimal = mdp, {}  # type: MDP, dict[Any, np.ndarray]
        self.hard = Backups(mdp)

    def optimal(self, regularizer: Any) -> np.ndarray:
        """(S,) optimal values under a regulariser, within the certificate of ``policy_iteration``."""
        if regularizer not in self._optimal:
            given = None if isinstance(regularizer, Hard) else regularizer
            self._optimal[regularizer] = policy_iteration(self.mdp, given).V
        return self._optimal[regularizer]

    def report(self, agent: Any, numbers: dict[str, float], pi: Any, Q: Any, tau: float) -> dict[str, float]:
        """The measures of the module for one learner: policy and action values (S, A), its temperature as it is."""
        mdp, rho = self.mdp, self.mdp.rho
        pi, Q = np.asarray(pi, dtype=np.float64), np.asarray(Q, dtype=np.float64)
        critic = getattr(agent, "critic", True)
        if not (np.isfinite(pi).all() and (np.isfinite(Q).all() or not critic)):
            return dict.fromkeys(MEASURES, np.nan)
        pi = pi / pi.sum(axis=1, keepdims=True)  # of the learner's precision
        V, best = evaluate_policy(mdp, pi), self.optimal(Hard())
        visits = occupancy(mdp, pi)
        visits = visits / visits.sum()
        d = visits.sum(axis=1)
        out = {"return": rho @ V, "suboptimality": rho @ (best - V), "worst": (best - V).max()}
        regularizer, soft_Q = _objective(agent, numbers, pi, Q, tau) if critic else (None, Q)
        if regularizer is None:
            out |= {"soft_return": np.nan, "soft_gap": np.nan, "bias": np.nan}
        else:
            U = evaluate_policy(mdp, pi, regularizer)
            out |= {"soft_return": rho @ U, "soft_gap": rho @ (self.optimal(regularizer) - U)}
            seen = visits > 0
            out["bias"] = (visits * (soft_Q - q_values(mdp, U)))[seen].sum()
        residual = np.abs(self._backup(agent, numbers, pi, Q, tau) - Q) if critic else np.full(Q.shape, np.nan)
        out |= {"residual": (visits * residual).sum(), "worst_residual": residual.max()}
        out["entropy"] = -(d * np.log(np.where(d > 0, d, 1.0))).sum()
        out["policy_entropy"] = -(visits * np.log(np.where(visits > 0, pi, 1.0))).sum()
        return {name: float(out[name]) for name in MEASURES}

    def _backup(self, agent: Any, numbers: dict[str, float], pi: np.ndarray, Q: np.ndarray, tau: float) -> np.ndarray:
        """The exact operator that the learner iterates, at ``Q``."""
        target = getattr(agent, "target", None)
        if target is None:  # an actor that is evaluated
            return soft_q_backup(self.mdp, Q, tau, pi)
        if target.kind != "munchausen":
            given = None if target.kind == "hard" else target.regularizer(tau)
            return q_values(self.mdp, Backups(self.mdp, given).conjugate(Q))
        ops = NumpyOps()
        m, value = ops.model(self.mdp), ops.array(Q, 2)
        if target.q == 1.0:
            logs = Shannon(tau).log_policy(ops, value, m.mask).data
            ahead = Shannon(tau).conjugate(ops, value, m.mask)
        else:
            policy = mvi_policy(ops, m, value, tau, target.q, int(target.absorbed))
            logs, ahead = ops.q_log(policy, 2 - target.q).data, mvi_values(ops, m, policy, value, tau, target.q)
        bonus = numbers["alpha"] * np.maximum(tau * logs, numbers["floor"])
        return q_values(self.mdp, ahead.data) + bonus


def _objective(
    agent: Any, numbers: dict[str, float], pi: np.ndarray, Q: np.ndarray, tau: float
) -> tuple[Any, np.ndarray]:
    """The regulariser of the learner's objective, None where there is none, and ``Q`` in its terms."""
    target = getattr(agent, "target", None)
    if target is None:
        return Shannon(tau), Q
    if target.kind != "munchausen":
        return target.regularizer(tau), Q
    if target.q != 1.0:
        return None, Q
    alpha = numbers["alpha"]
    logs = (Q - Q.max(axis=1, keepdims=True)) / tau
    logs = logs - np.log(np.exp(logs).sum(axis=1, keepdims=True))
    rest = (1.0 - alpha) * tau
    return (Shannon(rest) if rest > 0 else Hard()), Q - alpha * tau * logs
