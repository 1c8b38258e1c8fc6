# mypy: allow-untyped-defs
r"""Optimistic Q-learning, in its two forms (Jin, Allen-Zhu, Bubeck and Jordan 2018): no model, one table for each step.

At the t-th visit of (s, a) at step h, with :math:`\alpha_t = (H + 1)/(H + t)` and :math:`\iota = \log(S A T / p)`, T = K H,

.. math:: Q_h \leftarrow (1 - \alpha_t) Q_h + \alpha_t [r + V_{h+1}(s') + b_t], \qquad V_h = \min\{H, \max_a Q_h\},

from Q = H. The clip is on V. Equal actions: the pair visited least at this step.
"""

from __future__ import annotations

from math import log, sqrt
from typing import Any, NamedTuple

import numpy as np

from tabular import _border as border
from tabular._jit import kernel
from tabular._kernels.interaction import World, at_start
from tabular._kernels.optimism import greedy
from tabular.exploration.learners import greedy_start, probability, register_learner, unit_rewards
from tabular.finite_horizon import FiniteHorizonMDP


class UCB_H(NamedTuple):
    r""":math:`b_t = c \sqrt{H^3 \iota / t}`. The theory wants an absolute constant c (4 suffices for its lemmas);
    experiments take less.

    ``averaging`` takes :math:`\alpha_t = 1/t` instead, for comparison. Quantity: ``upper``, the value that it believes in.
    """

    p: float = 0.1
    c: float = 1.0
    averaging: bool = False


class UCB_B(NamedTuple):
    r""":math:`b_t = (\beta_t - (1 - \alpha_t)\beta_{t-1}) / (2\alpha_t)` with :math:`\beta_0 = 0` and

    .. math:: \beta_t = \min\{c_1 (\sqrt{H (W_t + H) \iota / t} + \sqrt{H^7 S A}\, \iota / t),\; c_2 \sqrt{H^3 \iota / t}\},

    W_t the empirical variance of the values of the next states. Recalled, not seen: so much is marked on the card.
    Quantity: ``upper``.
    """

    p: float = 0.1
    c1: float = 1.0
    c2: float = 1.0


class Table(NamedTuple):
    Q: np.ndarray  # (H, S*A)
    V: np.ndarray  # (H + 1, S)
    stages: np.ndarray  # (1,) int64: how many of the first stages play otherwise since the last plan
    iota: float


class TableWithMoments(NamedTuple):
    Q: np.ndarray
    V: np.ndarray
    stages: np.ndarray
    total: np.ndarray  # (H, S*A): of the values of the next states
    square: np.ndarray
    beta: np.ndarray
    iota: float


def _table(learner: Any, world: World) -> Table:
    Q, V = greedy_start(world)
    return Table(Q, V, np.zeros(1, dtype=np.int64), log(world.S * world.A * world.K * world.H / learner.p))


def _with_moments(learner: Any, world: World) -> TableWithMoments:
    Q, V, stages, iota = _table(learner, world)
    return TableWithMoments(Q, V, stages, np.zeros_like(Q), np.zeros_like(Q), np.zeros_like(Q), iota)


def _check(learner: Any, model: FiniteHorizonMDP) -> None:
    probability(learner.p, "p")
    border.flag(getattr(learner, "averaging", False), "averaging")
    for name in ("c", "c1", "c2"):
        if hasattr(learner, name):
            border.positive(getattr(learner, name), name, "the constant of the bonus", zero=True)
    unit_rewards(model, "optimistic Q-learning")


def _plan(learner, world, counts, own, policy, key, k):
    stages = own.stages[0]
    own.stages[0] = 0
    return stages


@kernel
def _move(world, counts, own, policy, h, s, i, alpha, target):
    """Q[h, i] towards the target, and what follows for the state."""
    own.Q[h, i] = (1.0 - alpha) * own.Q[h, i] + alpha * target
    top, changed = greedy(world, counts, own.Q, h, s, policy)
    own.V[h, s] = min(float(world.H), top)
    if changed:
        own.stages[0] = max(own.stages[0], h + 1)


def _observe_hoeffding(learner, world, counts, own, policy, k, h, s, a, r, t):
    i = s * world.A + a
    n, H = float(counts.visits[h * world.stride + i]), float(world.H)
    alpha = 1.0 / n if learner.averaging else (H + 1.0) / (H + n)
    bonus = learner.c * sqrt(H * H * H * own.iota / n)
    _move(world, counts, own, policy, h, s, i, alpha, r + own.V[h + 1, t] + bonus)


def _observe_bernstein(learner, world, counts, own, policy, k, h, s, a, r, t):
    i = s * world.A + a
    n, H = float(counts.visits[h * world.stride + i]), float(world.H)
    alpha, v = (H + 1.0) / (H + n), own.V[h + 1, t]
    own.total[h, i] += v
    own.square[h, i] += v * v
    mean = own.total[h, i] / n
    variance = max(0.0, own.square[h, i] / n - mean * mean)
    lower_order = sqrt(H**7 * world.S * world.A) * own.iota / n
    beta = learner.c1 * (sqrt(H * (variance + H) * own.iota / n) + lower_order)
    beta = min(beta, learner.c2 * sqrt(H * H * H * own.iota / n))
    bonus = (beta - (1.0 - alpha) * own.beta[h, i]) / (2.0 * alpha)
    own.beta[h, i] = beta
    _move(world, counts, own, policy, h, s, i, alpha, r + v + bonus)


def _report(learner, world, counts, own, policy, out):
    out[0] = at_start(world, own.V[0])


register_learner(
    UCB_H, plan=_plan, observe=_observe_hoeffding, report=_report, workspace=_table, quantities=("upper",), per_step=True,
    check=_check,
)  # fmt: skip
register_learner(
    UCB_B, plan=_plan, observe=_observe_bernstein, report=_report, workspace=_with_moments, quantities=("upper",),
    per_step=True, check=_check,
)  # fmt: skip
