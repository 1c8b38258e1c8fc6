# mypy: allow-untyped-defs
r"""Optimistic planning for the entropy-regularised objective: soft backups of an optimistic model, softmax policies.

.. math:: Q_h = \min\{r + \overline{P V_{h+1}},\, M_h\}, \quad V_h = \tau \log \textstyle\sum_a e^{Q_h/\tau}, \quad
\pi_h = e^{(Q_h - V_h)/\tau},

:math:`M_h = 1 + (H - h - 1)(1 + \tau \log A)` the most that is left (rewards known in [0, 1], h from 0), and Q = M_h
for pairs unseen. The bar is a width's bound, as in ``OptimisticPlanning``. Values and regret are those of the
regularised objective, reward plus :math:`\tau` times the entropy of the policy, in nats.
"""

from __future__ import annotations

from math import log
from typing import Any, NamedTuple

import numpy as np

from tabular import _border as border
from tabular._kernels import rows
from tabular._kernels.interaction import World, at_start
from tabular._kernels.widths import upper
from tabular.exploration.learners import probability, register_learner, unit_rewards
from tabular.exploration.widths import Weissman, check_width
from tabular.finite_horizon import FiniteHorizonMDP
from tabular.planning.backward_induction import backward_induction
from tabular.regularizers import Shannon


class SoftOptimisticPlanning(NamedTuple):
    """``tau`` > 0 is the temperature. Quantity: ``upper``, the value that it believes in."""

    tau: float = 0.1
    width: Any = Weissman()
    delta: float = 0.1


class Memory(NamedTuple):
    Q: np.ndarray  # (S*A,): of the stage in hand
    V: np.ndarray  # (H + 1, S)
    mask: np.ndarray  # (A,) of True
    log_pi: np.ndarray  # (A,)
    L: float


def _memory(learner: SoftOptimisticPlanning, world: World) -> Memory:
    V = np.zeros((world.H + 1, world.S))
    L = log(2.0 * world.S * world.A * world.H * world.K / learner.delta)
    return Memory(np.zeros(world.S * world.A), V, np.ones(world.A, dtype=bool), np.zeros(world.A), L)


def _check(learner: SoftOptimisticPlanning, model: FiniteHorizonMDP) -> None:
    border.positive(learner.tau, "tau", "a temperature")
    check_width(learner.width)
    probability(learner.delta)
    unit_rewards(model, "SoftOptimisticPlanning")


def _prepare(learner: SoftOptimisticPlanning, world: World, model: FiniteHorizonMDP) -> World:
    V = np.ascontiguousarray(backward_induction(model, Shannon(learner.tau)).V)
    return world._replace(V_star=V, best=float(at_start(world, V[0])))


def _plan(learner, world, counts, own, policy, key, k):
    A, each = world.A, 1.0 + learner.tau * log(world.A)
    for h in range(world.H - 1, -1, -1):
        V, left = own.V[h + 1], (world.H - h - 1.0) * each
        top = V.max()
        for s in range(world.S):
            for row in range(s * A, (s + 1) * A):
                q = 1.0 + left
                if counts.visits[row] > 0:
                    q = min(q, world.R[row] + upper(learner.width, world, counts, row, V, top, left, own.L))
                own.Q[row] = q
            q = own.Q[s * A : (s + 1) * A]
            own.V[h, s] = rows.shannon_conjugate(q, own.mask, learner.tau)
            rows.shannon_policy(q, own.mask, learner.tau, policy.pi[h, s], own.log_pi)
    return world.H


def _payoff(learner, world, policy, h, s):
    total = 0.0
    for a in range(world.A):
        p = policy.pi[h, s, a]
        if p > 0.0:
            total -= p * log(p)
    return learner.tau * total


def _report(learner, world, counts, own, policy, out):
    out[0] = at_start(world, own.V[0])


register_learner(
    SoftOptimisticPlanning, plan=_plan, report=_report, payoff=_payoff, prepare=_prepare, workspace=_memory,
    quantities=("upper",), stochastic=True, check=_check,
)  # fmt: skip
