# mypy: allow-untyped-defs
r"""UCBVI: value iteration on the empirical model with a bonus, in its two forms (Azar, Osband and Munos 2017).

With counts N(s, a) of the episodes before, pooled over steps, and L = log(5 S A T / delta), T = K H, backwards from V_{k,H+1} = 0:

.. math:: Q_{k,h} = \min\{Q_{k-1,h},\, H,\, r + \hat P V_{k,h+1} + b_{k,h}\}, \quad V_{k,h} = \max_a Q_{k,h},

and Q_{k,h} = H where N = 0. Rewards are known. Bonuses: ``UCBVI_CH`` and ``UCBVI_BF`` below. What is visited after
the last step counts as a visit of step H + 1. Equal actions: the pair visited least.
"""

from __future__ import annotations

from math import log, sqrt
from typing import Any, NamedTuple

import numpy as np

from tabular import _border as border
from tabular._jit import kernel
from tabular._kernels.interaction import World, at_start
from tabular._kernels.optimism import greedy_stage
from tabular.exploration.learners import greedy_start, probability, register_learner, unit_rewards
from tabular.finite_horizon import FiniteHorizonMDP


class UCBVI_CH(NamedTuple):
    r"""UCBVI with the bonus of Chernoff and Hoeffding, :math:`b = 7 H L / \sqrt N`, times ``bonus_scale``.

    Only ``bonus_scale = 1`` is covered by the theorem, with probability 1 - delta: regret :math:`\le 20 H^{3/2} L'
    \sqrt{SAK} + 250 H^2 S^2 A L'^2`, :math:`L' = \log(5 H S A T/\delta)`. Quantity: ``upper``, the value that it
    believes in.
    """

    delta: float = 0.1
    bonus_scale: float = 1.0


class UCBVI_BF(NamedTuple):
    r"""UCBVI with the bonus of Bernstein and Freedman, times ``bonus_scale``:

    .. math:: b_h = \sqrt{\frac{8 L\, \mathrm{Var}_{\hat P} V_{h+1}}{N}} + \frac{14 H L}{3 N}
        + \sqrt{\frac8N \sum_y \hat P(y) \min\Big\{\frac{100^2 H^3 S^2 A L^2}{N'_{h+1}(y)}, H^2\Big\}},

    N'_{h+1}(y) the visits of y at step h + 1, its term H^2 where there are none. Quantity: ``upper``.
    """

    delta: float = 0.1
    bonus_scale: float = 1.0


class Hoeffding(NamedTuple):
    """Memory of UCBVI_CH. ``best`` is the known reward with the bonus."""

    Q: np.ndarray  # (H, S*A)
    V: np.ndarray  # (H + 1, S)
    best: np.ndarray  # (S*A,)
    L: float


class Bernstein(NamedTuple):
    """Memory of UCBVI_BF. ``reached`` counts visits of states by step, ``far`` is the minimum in the last term."""

    Q: np.ndarray
    V: np.ndarray
    reached: np.ndarray  # (H + 1, S)
    far: np.ndarray  # (H + 1, S)
    L: float


def _log_term(learner: Any, world: World) -> float:
    return log(5.0 * world.S * world.A * world.K * world.H / learner.delta)


def _hoeffding(learner: Any, world: World) -> Hoeffding:
    Q, V = greedy_start(world)
    return Hoeffding(Q, V, np.full(len(world.R), np.inf), _log_term(learner, world))


def _bernstein(learner: Any, world: World) -> Bernstein:
    Q, V = greedy_start(world)
    reached = np.zeros((world.H + 1, world.S))
    return Bernstein(Q, V, reached, np.full_like(reached, float(world.H) ** 2), _log_term(learner, world))


def _check(learner: Any, model: FiniteHorizonMDP) -> None:
    probability(learner.delta)
    border.positive(learner.bonus_scale, "bonus_scale", "1 in the theorem", zero=True)
    unit_rewards(model, "UCBVI")


@kernel
def _lower_hoeffding(indptr, indices, seen, share, best, V, Q):
    """Q[row] = min(Q[row], best[row] + the empirical mean of V); values are not negative, so else nothing can fall."""
    for row in range(Q.size):
        if best[row] < Q[row]:
            start, stop = np.uint64(indptr[row]), np.uint64(indptr[row + 1])
            total = 0.0
            if stop - start == np.uint64(V.size):  # every state, in order
                for t in range(np.uint64(V.size)):
                    total += seen[start + t] * V[t]
            else:
                for i in range(start, stop):
                    total += seen[i] * V[indices[i]]
            Q[row] = min(Q[row], best[row] + total * share[row])


def _plan_hoeffding(learner, world, counts, own, policy, key, k):
    stages = 0
    for h in range(world.H - 1, -1, -1):
        _lower_hoeffding(world.indptr, world.indices, counts.seen, counts.share, own.best, own.V[h + 1], own.Q[h])
        if greedy_stage(counts.visits, own.Q, world.A, h * world.stride, h, own.V, policy.act):
            stages = max(stages, h + 1)
    return stages


def _observe_hoeffding(learner, world, counts, own, policy, k, h, s, a, r, t):
    row = s * world.A + a
    own.best[row] = world.R[row] + learner.bonus_scale * 7.0 * world.H * own.L / sqrt(counts.visits[row])


@kernel
def _lower_bernstein(indptr, indices, seen, share, R, L, c, H, V, far, Q):
    """The same with the bonus of Bernstein and Freedman, which is at least its second term."""
    for row in range(Q.size):
        part = share[row]
        least = R[row] + c * 14.0 / 3.0 * H * L * part
        if part > 0.0 and least < Q[row]:
            start, stop = np.uint64(indptr[row]), np.uint64(indptr[row + 1])
            mean, square, distant = 0.0, 0.0, 0.0
            if stop - start == np.uint64(V.size):
                for t in range(np.uint64(V.size)):
                    n = seen[start + t]
                    mean += n * V[t]
                    square += n * V[t] * V[t]
                    distant += n * far[t]
            else:
                for i in range(start, stop):
                    t, n = indices[i], seen[i]
                    mean += n * V[t]
                    square += n * V[t] * V[t]
                    distant += n * far[t]
            mean *= part
            variance = max(0.0, square * part - mean * mean)
            wide = sqrt(8.0 * L * variance * part) + sqrt(8.0 * part * part * distant)
            Q[row] = min(Q[row], least + mean + c * wide)


def _plan_bernstein(learner, world, counts, own, policy, key, k):
    stages, L, c, H = 0, own.L, float(learner.bonus_scale), float(world.H)
    for h in range(world.H - 1, -1, -1):
        _lower_bernstein(
            world.indptr, world.indices, counts.seen, counts.share, world.R, L, c, H, own.V[h + 1], own.far[h + 1], own.Q[h]
        )  # fmt: skip
        if greedy_stage(counts.visits, own.Q, world.A, h * world.stride, h, own.V, policy.act):
            stages = max(stages, h + 1)
    return stages


def _observe_bernstein(learner, world, counts, own, policy, k, h, s, a, r, t):
    own.reached[h + 1, t] += 1.0
    H = float(world.H)
    most = 1e4 * H * H * H * world.S * world.S * world.A * own.L * own.L
    own.far[h + 1, t] = min(most / own.reached[h + 1, t], H * H)


def _report(learner, world, counts, own, policy, out):
    out[0] = at_start(world, own.V[0])


register_learner(
    UCBVI_CH, plan=_plan_hoeffding, observe=_observe_hoeffding, report=_report, workspace=_hoeffding, quantities=("upper",),
    check=_check,
)  # fmt: skip
register_learner(
    UCBVI_BF, plan=_plan_bernstein, observe=_observe_bernstein, report=_report, workspace=_bernstein, quantities=("upper",),
    check=_check,
)  # fmt: skip
