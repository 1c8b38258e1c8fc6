# mypy: allow-untyped-defs
r"""Reward-free exploration: RF-UCRL (Kaufmann et al. 2021) and RF-Express (Menard et al. 2021).

They explore without a reward until, for every reward in [0, 1], the best policy of the empirical model is
epsilon-optimal with probability 1 - delta. Both play greedily in a bound on the error of all values, from
:math:`W_{H+1} = 0`, with counts n for each step:

.. math:: W_h = \min\{H,\; b(n) + \kappa \textstyle\sum_{s'} \hat P_h(s') \max_{a'} W_{h+1}(s', a')\}, \qquad W_h = H
    \text{ where } n = 0.

Equal actions: the pair visited least. Rewards of the model are ignored, and the regret of a run means nothing.
"""

from __future__ import annotations

from math import e, log, sqrt
from typing import Any, NamedTuple

import numpy as np

from tabular import _border as border
from tabular._jit import kernel
from tabular._kernels.interaction import World, at_start, estimated
from tabular._kernels.optimism import greedy
from tabular.exploration.learners import greedy_start, probability, register_learner
from tabular.finite_horizon import FiniteHorizonMDP


class RF_Express(NamedTuple):
    r""":math:`b = 15 H^2 \beta(n)/n`, :math:`\kappa = 1 + 1/H`, :math:`\beta(n) = \log(3SAH/\delta) + S \log(8e(n+1))`; stops when
    :math:`3e\sqrt{w} + w \le \varepsilon/2`, w the mean of :math:`\max_a W_1` over the start.

    ``epsilon = 0`` never stops. ``bonus_scale`` multiplies b; only 1 is covered by the theorem. Quantities:
    ``width``, that is w, and ``error``, what is compared with epsilon / 2.
    """

    epsilon: float = 0.0
    delta: float = 0.1
    bonus_scale: float = 1.0


class RF_UCRL(NamedTuple):
    r""":math:`b = H \sqrt{2\beta(n)/n}`, :math:`\kappa = 1`, :math:`\beta(n) = \log(2SAH/\delta) + (S-1)\log(e(1 +
    n/(S-1)))`; stops when :math:`w \le \varepsilon/2`. Else as RF_Express.
    """

    epsilon: float = 0.0
    delta: float = 0.1
    bonus_scale: float = 1.0


class Memory(NamedTuple):
    Q: np.ndarray  # (H, S*A): W
    V: np.ndarray  # (H + 1, S): its maxima
    bonus: np.ndarray  # (H*S*A,)


def _memory(learner: Any, world: World) -> Memory:
    Q, V = greedy_start(world)
    return Memory(Q, V, np.full(len(world.R), np.inf))


def _check(learner: Any, model: FiniteHorizonMDP) -> None:
    border.positive(learner.epsilon, "epsilon", "in units of reward", zero=True)
    probability(learner.delta)
    border.positive(learner.bonus_scale, "bonus_scale", "1 in the theorem", zero=True)


@kernel
def _plan_with(factor, world, counts, own, policy):
    stages, H = 0, float(world.H)
    for h in range(world.H - 1, -1, -1):
        V = own.V[h + 1]
        for s in range(world.S):
            for i in range(s * world.A, (s + 1) * world.A):
                row = h * world.stride + i
                w = own.bonus[row]
                if w < H:
                    w = min(H, w + factor * estimated(world, counts, row, V))
                own.Q[h, i] = min(H, w)
            own.V[h, s], changed = greedy(world, counts, own.Q, h, s, policy)
            if changed:
                stages = max(stages, h + 1)
    return stages


def _plan_express(learner, world, counts, own, policy, key, k):
    return _plan_with(1.0 + 1.0 / world.H, world, counts, own, policy)


def _plan_ucrl(learner, world, counts, own, policy, key, k):
    return _plan_with(1.0, world, counts, own, policy)


def _observe_express(learner, world, counts, own, policy, k, h, s, a, r, t):
    row = h * world.stride + s * world.A + a
    n, H, S = float(counts.visits[row]), float(world.H), float(world.S)
    beta = log(3.0 * S * world.A * H / learner.delta) + S * log(8.0 * e * (n + 1.0))
    own.bonus[row] = learner.bonus_scale * 15.0 * H * H * beta / n


def _observe_ucrl(learner, world, counts, own, policy, k, h, s, a, r, t):
    row = h * world.stride + s * world.A + a
    n, H, others = float(counts.visits[row]), float(world.H), world.S - 1.0
    beta = log(2.0 * world.S * world.A * H / learner.delta)
    if others > 0.0:
        beta += others * log(e * (1.0 + n / others))
    own.bonus[row] = learner.bonus_scale * H * sqrt(2.0 * beta / n)


@kernel
def _error(world, own):
    w = at_start(world, own.V[0])
    return 3.0 * e * sqrt(w) + w


def _stop_express(learner, world, counts, own, k):
    return learner.epsilon > 0.0 and _error(world, own) <= 0.5 * learner.epsilon


def _stop_ucrl(learner, world, counts, own, k):
    return learner.epsilon > 0.0 and at_start(world, own.V[0]) <= 0.5 * learner.epsilon


def _report_express(learner, world, counts, own, policy, out):
    out[0], out[1] = at_start(world, own.V[0]), _error(world, own)


def _report_ucrl(learner, world, counts, own, policy, out):
    out[0] = out[1] = at_start(world, own.V[0])


_NAMES = ("width", "error")
register_learner(
    RF_Express, plan=_plan_express, observe=_observe_express, stop=_stop_express, report=_report_express,
    workspace=_memory, quantities=_NAMES, per_step=True, check=_check,
)  # fmt: skip
register_learner(
    RF_UCRL, plan=_plan_ucrl, observe=_observe_ucrl, stop=_stop_ucrl, report=_report_ucrl, workspace=_memory,
    quantities=_NAMES, per_step=True, check=_check,
)  # fmt: skip
