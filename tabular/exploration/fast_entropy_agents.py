# mypy: allow-untyped-defs
r"""EntGame and UCBVI-Ent: learning to visit evenly, and to be unpredictable, in a model that is not known.

Both as the authors' code has them, with counts n(s, a) pooled over steps, empirical transitions that are uniform for unseen
pairs, and a plan before each episode; h = 0 ... H-1.

**EntGame** (``EntGame``) acts greedily in

.. math:: Q_h = \log(M + SA) - \log(n + 1) + c\,v_h \sqrt{\beta(n)/(n \vee 1)} + \hat P V_{h+1}, \qquad V_h = \max_a Q_h,

M the steps so far, :math:`v_h = (H - h) \log(M + SA)`, :math:`\beta(n) = \log(4SAH/\delta) + (S-1)\log(e(1 +
n/(S-1)))`, and V clipped at :math:`v_h` if ``clip``. Its objective is the pooled entropy of the mixture of all
policies played (trap: not :math:`\sum_h \mathcal H(d_h)`, the theorem's). Both are known exactly here, since
occupancies are computed in the true model.

**UCBVI-Ent** (``UCBVI_Ent``) plays the softmax of

.. math:: Q_h = \mathcal H(\hat P) + \hat P V_{h+1} + c \left( v_h \sqrt{\tfrac{\beta_c}{n \vee 1}} +
\sqrt{\tfrac{\beta_1}{n \vee 1}}
   + \tfrac{\beta_2}{n \vee 1} \right), \qquad V_h = \min\{\log \textstyle\sum_a e^{Q_h}, v_h\},

:math:`v_h = (H-h)\log(SA)`, :math:`\beta_c = L + \log(4e(n \vee 1)(2n+1))`, :math:`\beta_1 = L + \log^2(n \vee 1)
\log(2(n \vee 1)(n+1))`, :math:`\beta_2 = (S-1)\log(e(1+n/(S-1))) + 1`, :math:`L = \log(4SAH/\delta)`. Its regret is
that of trajectory entropy, exactly.

Source: fast_entropy (Tiapkin et al. 2023), Algorithms 1 and 2 and the authors' code. Equal actions of EntGame: the pair visited
least, of these the first.
"""

from __future__ import annotations

from math import e, exp, log, sqrt
from typing import Any, NamedTuple

import numpy as np

from tabular import _border as border
from tabular._jit import kernel
from tabular._kernels.interaction import World, at_start, estimated, expected
from tabular._kernels.optimism import greedy
from tabular.exploration.learners import probability, register_learner
from tabular.exploration.visits import transition_entropy
from tabular.finite_horizon import FiniteHorizonMDP


class EntGame(NamedTuple):
    """``bonus_scale`` multiplies the bonus: 1 in the theorem, 0 without. Quantities, of the mixture of the policies played so far:
    ``pooled_entropy`` and ``visitation_entropy``, in nats; ``upper``, the value that its plan believes in.
    """

    delta: float = 0.1
    bonus_scale: float = 1.0
    clip: bool = True


class UCBVI_Ent(NamedTuple):
    """``last``: transition entropies of all H steps, as the authors' code has them; False: of H - 1, as the definition. Its values
    and regret are of trajectory entropy (less that of the start). Quantities: ``upper``, the value that it believes in;
    ``optimism``, the least V - V* of all states, steps and episodes so far.
    """

    delta: float = 0.1
    bonus_scale: float = 1.0
    last: bool = True


class GameMemory(NamedTuple):
    Q: np.ndarray  # (H, S*A)
    V: np.ndarray  # (H + 1, S)
    cost: np.ndarray  # (S*A,): log 1/q
    width: np.ndarray  # (S*A,): sqrt(beta / n)
    total: np.ndarray  # (H, S*A): summed occupancies
    mu: np.ndarray  # (H + 1, S)
    episodes: np.ndarray  # (1,)


class SoftMemory(NamedTuple):
    Q: np.ndarray  # (H, S*A)
    V: np.ndarray  # (H + 1, S)
    entropy: np.ndarray  # (S*A,): of the empirical transitions
    bonus: np.ndarray  # (2, S*A): what multiplies v_h, and the rest
    optimism: np.ndarray  # (1,)


def _game_memory(learner: EntGame, world: World) -> GameMemory:
    H, S, n = world.H, world.S, world.S * world.A
    return GameMemory(
        np.zeros((H, n)), np.zeros((H + 1, S)), np.zeros(n), np.zeros(n), np.zeros((H, n)), np.zeros((H + 1, S)), np.zeros(1)
    )  # fmt: skip


def _soft_memory(learner: UCBVI_Ent, world: World) -> SoftMemory:
    H, S, n = world.H, world.S, world.S * world.A
    optimism = np.full(1, np.inf)
    return SoftMemory(
        np.zeros((H, n)), np.zeros((H + 1, S)), np.zeros(n), np.zeros((2, n)), optimism
    )  # fmt: skip


def _check(learner: Any, model: FiniteHorizonMDP) -> None:
    probability(learner.delta)
    border.positive(learner.bonus_scale, "bonus_scale", "1 in the theorem", zero=True)
    border.flag(learner[2], learner._fields[2])


def _prepare(learner: UCBVI_Ent, world: World, model: FiniteHorizonMDP) -> World:
    return entropy_world(world, transition_entropy(model.stage(0)).ravel(), bool(learner.last))


def entropy_world(world: World, R: np.ndarray, last: bool) -> World:
    """The world with transition entropies as rewards, and the largest entropies; ``last``: with that of the last transition."""
    V = np.zeros((world.H + 1, world.S))
    world = world._replace(R=R, noisy=False, V_star=V)
    softest(world, last, np.zeros(world.A), V)
    return world._replace(best=float(at_start(world, V[0])))


@kernel
def softest(world, last, q, V):
    """V (H + 1, S) = soft backward induction in the true model; q (A,) is scratch."""
    for h in range(world.H - 1, -1, -1):
        paid = 1.0 if last or h < world.H - 1 else 0.0
        for s in range(world.S):
            top, total = -np.inf, 0.0
            for a in range(world.A):
                row = h * world.stride + s * world.A + a
                q[a] = paid * world.R[row] + expected(world, row, V[h + 1])
                top = max(top, q[a])
            for a in range(world.A):
                total += exp(q[a] - top)
            V[h, s] = top + log(total)


@kernel
def outcomes(S, n):
    """(S - 1) log(e (1 + n / (S - 1)))."""
    return (S - 1.0) * log(e * (1.0 + n / (S - 1.0))) if S > 1 else 0.0


@kernel
def empirical(world, counts, row, V):
    """The mean of V over the successors seen, over all states where there are none."""
    return estimated(world, counts, row, V) if counts.visits[row] > 0 else V.sum() / world.S


def _plan_game(learner, world, counts, own, policy, key, k):
    H, S, A = world.H, world.S, world.A
    L, scale = log(4.0 * S * A * H / learner.delta), log(k * H + float(S * A))
    for row in range(S * A):
        n = float(counts.visits[row])
        own.cost[row] = scale - log(n + 1.0)
        own.width[row] = learner.bonus_scale * sqrt((L + outcomes(S, n)) / max(n, 1.0))
    for h in range(H - 1, -1, -1):
        most = scale * (H - h)
        for s in range(S):
            for row in range(s * A, (s + 1) * A):
                own.Q[h, row] = own.cost[row] + most * own.width[row] + empirical(world, counts, row, own.V[h + 1])
            top, _ = greedy(world, counts, own.Q, h, s, policy)
            own.V[h, s] = min(top, most) if learner.clip else top
    own.mu[:] = 0.0
    own.mu[0] = world.rho
    for h in range(H):
        for s in range(S):
            p = own.mu[h, s]
            if p > 0.0:
                row = s * A + policy.act[h, s]
                own.total[h, row] += p
                for i in range(world.indptr[row], world.indptr[row + 1]):
                    own.mu[h + 1, world.indices[i]] += p * world.mass[i]
    own.episodes[0] += 1.0
    return H


@kernel
def surprise(p):
    return -p * log(p) if p > 0.0 else 0.0


def _report_game(learner, world, counts, own, policy, out):
    H, T = world.H, own.episodes[0]
    out[0] = out[1] = 0.0
    for row in range(world.S * world.A):
        pooled = 0.0
        for h in range(H):
            d = own.total[h, row] / T
            pooled += d / H
            out[1] += surprise(d)
        out[0] += surprise(pooled)
    out[2] = at_start(world, own.V[0])


def _plan_soft(learner, world, counts, own, policy, key, k):
    H, S, A = world.H, world.S, world.A
    L, each = log(4.0 * S * A * H / learner.delta), log(float(S * A))
    for row in range(S * A):
        n = float(counts.visits[row])
        m = max(n, 1.0)
        own.entropy[row] = log(float(S))
        if n > 0.0:
            own.entropy[row] = 0.0
            for i in range(world.indptr[row], world.indptr[row + 1]):
                own.entropy[row] += surprise(counts.seen[i] * counts.share[row])
        first = L + log(m) ** 2 * log(2.0 * m * (n + 1.0))
        own.bonus[0, row] = learner.bonus_scale * sqrt((L + log(4.0 * e * m * (2.0 * n + 1.0))) / m)
        own.bonus[1, row] = learner.bonus_scale * (sqrt(first / m) + (outcomes(S, n) + 1.0) / m)
    for h in range(H - 1, -1, -1):
        most = each * (H - h)
        paid = 1.0 if learner.last or h < H - 1 else 0.0
        for s in range(S):
            for row in range(s * A, (s + 1) * A):
                q = paid * (own.entropy[row] + own.bonus[1, row]) + most * own.bonus[0, row]
                own.Q[h, row] = q + empirical(world, counts, row, own.V[h + 1])
            top, total = own.Q[h, s * A], 0.0
            for row in range(s * A, (s + 1) * A):
                top = max(top, own.Q[h, row])
            for a in range(A):
                policy.pi[h, s, a] = exp(own.Q[h, s * A + a] - top)
                total += policy.pi[h, s, a]
            for a in range(A):
                policy.pi[h, s, a] /= total
            own.V[h, s] = min(top + log(total), most)
            own.optimism[0] = min(own.optimism[0], own.V[h, s] - world.V_star[h, s])
    return H


def _payoff_soft(learner, world, policy, h, s):
    """The policy's entropy, less the transition entropy of the last step where it does not count."""
    total = 0.0
    for a in range(world.A):
        p = policy.pi[h, s, a]
        total += surprise(p)
        if h == world.H - 1 and not learner.last:
            total -= p * world.R[s * world.A + a]
    return total


def _report_soft(learner, world, counts, own, policy, out):
    out[0], out[1] = at_start(world, own.V[0]), own.optimism[0]


register_learner(
    EntGame, plan=_plan_game, report=_report_game, workspace=_game_memory, check=_check,
    quantities=("pooled_entropy", "visitation_entropy", "upper"),
)  # fmt: skip
register_learner(
    UCBVI_Ent, plan=_plan_soft, report=_report_soft, payoff=_payoff_soft, prepare=_prepare, workspace=_soft_memory,
    quantities=("upper", "optimism"), stochastic=True, check=_check,
)  # fmt: skip
