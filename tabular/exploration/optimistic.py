# mypy: allow-untyped-defs
r"""Optimistic planning with any width: :math:`Q_h = \min\{H - h,\, r + \overline{P V_{h+1}}\}`, greedy; H - h for pairs unseen.

The bar is the width's bound for the logarithm ``L = log(2 S A H K / delta)``, counts pooled over steps, rewards known
in [0, 1], h counted from 0. Widths for all V at once (``Weissman``, ``KullbackLeibler``) make the values upper bounds
of V* with probability ``1 - delta/2``: a union over the pairs and, for ``Weissman``, their counts. ``Hoeffding`` needs to
hold for V* alone, as what is greater has a greater mean, but for each of its steps: with probability ``1 - (H - 1) delta/2``,
so that ``delta / H`` has to be asked for. ``Bernstein`` takes the variance of V, not of V*, and has no such proof here.
"""

from __future__ import annotations

from math import log
from typing import Any, NamedTuple

import numpy as np

from tabular._kernels.interaction import World, at_start
from tabular._kernels.optimism import greedy
from tabular._kernels.widths import upper
from tabular.exploration.learners import greedy_start, probability, register_learner, unit_rewards
from tabular.exploration.widths import Weissman, check_width
from tabular.finite_horizon import FiniteHorizonMDP


class OptimisticPlanning(NamedTuple):
    """Quantity: ``upper``, the value that it believes in."""

    width: Any = Weissman()
    delta: float = 0.1


class Memory(NamedTuple):
    Q: np.ndarray  # (H, S*A)
    V: np.ndarray  # (H + 1, S)
    L: float


def _memory(learner: OptimisticPlanning, world: World) -> Memory:
    Q, V = greedy_start(world)
    return Memory(Q, V, log(2.0 * world.S * world.A * world.H * world.K / learner.delta))


def _check(learner: OptimisticPlanning, model: FiniteHorizonMDP) -> None:
    check_width(learner.width)
    probability(learner.delta)
    unit_rewards(model, "OptimisticPlanning")


def _plan(learner, world, counts, own, policy, key, k):
    stages = 0
    for h in range(world.H - 1, -1, -1):
        V, most = own.V[h + 1], float(world.H - h)
        top = V.max()
        for s in range(world.S):
            for row in range(s * world.A, (s + 1) * world.A):
                q = most
                if counts.visits[row] > 0:
                    span = most - 1.0
                    q = min(most, world.R[row] + upper(learner.width, world, counts, row, V, top, span, own.L))
                own.Q[h, row] = q
            own.V[h, s], changed = greedy(world, counts, own.Q, h, s, policy)
            if changed:
                stages = max(stages, h + 1)
    return stages


def _report(learner, world, counts, own, policy, out):
    out[0] = at_start(world, own.V[0])


register_learner(OptimisticPlanning, plan=_plan, report=_report, workspace=_memory, quantities=("upper",), check=_check)
