# mypy: allow-untyped-defs
r"""RF-Explore-Ent: trajectory entropy from reward-free exploration (Tiapkin et al. 2023); details and constants ours.

Explore as ``RF_RL_Explore`` does; then estimate transitions and their entropies from all episodes, uniform where nothing was
seen, and return the policy of soft backward induction on the estimates,

.. math:: \hat Q_h = \mathcal H(\hat P_h) + \hat P_h \hat V_{h+1}, \quad \hat V_h = \log \textstyle\sum_a e^{\hat Q_h}, \quad
    \hat\pi_h = e^{\hat Q_h - \hat V_h}.

**Sample complexity** (ours). After N rounds, K = JN(1 + replays) episodes, with probability 1 - delta, the trajectory
entropy of :math:`\hat\pi` is short of the largest by at most

.. math:: \tfrac{H(H+1)}{4} D^2 \left[ \tfrac{17.3\, HSA \beta(K)}{(1 + replays) N} + HS\theta \right], \qquad D = (H-1)
    \log(SA) + \log(eS) + \tfrac12 \log(2K),

with :math:`\beta, \theta` of ``reaching``: of the order 1/N but for logarithms, so that :math:`\tilde O(H^8 S^4 A/\varepsilon)`
episodes are enough (:math:`\theta \sim H^2 SA\beta/N`, J ~ SH). The paper's poly(S, A, H)/epsilon was not seen.

Proof. (i) :math:`V^* - V^{\hat\pi} \le \frac{H(H+1)}{4} \max_\pi E_\pi \sum_h g_h^2`, :math:`g = |\mathcal H(\hat p) - \mathcal
H(p)| + |(\hat p - p) \hat V_{h+1}|` (fast_entropy.C11b). (ii) With T the total variation of :math:`\hat p` and p, :math:`|\mathcal
H(\hat p) - \mathcal H(p)| \le T \log(eS/T)` (fast_entropy.C11d), and :math:`|(\hat p - p) \hat V| \le T (H-1) \log(SA)`,
a bound on the range of the values; by Pinsker :math:`T^2 \le \min\{1, \beta(n)/(2n)\}` on the event of ``reaching``, and
both bounds grow with T, while :math:`\log(1/T) \le \frac12 \log(2K)` there: so :math:`g^2 \le D^2 \min\{1, \beta/(2n)\}`.
(iii) For significant states :math:`\mu^*_h(s) \min\{1, \beta/(2n)\} \le
\frac{4eA}{1-1/e} \frac{\beta(K)}{(1+replays) N}`, since either n is half of its mean or the mean is below twice the
logarithm; 17.3 exceeds the constant, and there are HS of them. The others are met with probability :math:`HS\theta` at most.
"""

from __future__ import annotations

from math import log
from typing import NamedTuple

import numpy as np

from tabular import _border as border
from tabular._jit import kernel
from tabular._kernels import rows
from tabular._kernels.interaction import World, at_start, expected
from tabular.exploration import reaching
from tabular.exploration.fast_entropy_agents import empirical, entropy_world, surprise
from tabular.exploration.learners import register_learner
from tabular.exploration.reaching import aim, observe_width, targets
from tabular.exploration.visits import transition_entropy
from tabular.finite_horizon import FiniteHorizonMDP


class RF_Explore_Ent(NamedTuple):
    """``bonus_scale``, ``replays`` as for ``RF_RL_Explore``; ``last`` as for ``UCBVI_Ent``. Arrays: ``plan`` (H, S, A), the policy
    that it would return, and ``upper`` (H + 1, S), its values in the estimated model, both as of the last recorded episode.

    Quantity: ``gap``, by how much the trajectory entropy of ``plan`` is short of the largest; exact. The regret of the episodes
    means nothing.
    """

    delta: float = 0.1
    bonus_scale: float = 1.0
    replays: int = 0
    last: bool = True


class Memory(NamedTuple):
    Q: np.ndarray  # (H, S*A)
    V: np.ndarray  # (H + 1, S): W of the target in hand
    bonus: np.ndarray  # (H*S*A,)
    plan: np.ndarray
    upper: np.ndarray
    true: np.ndarray  # (H + 1, S): values of the plan
    mask: np.ndarray  # (A,) of True
    log_pi: np.ndarray  # (A,)


def _memory(learner: RF_Explore_Ent, world: World) -> Memory:
    H, S, A = world.H, world.S, world.A
    V, upper, true = (np.zeros((H + 1, S)) for _ in range(3))
    plan, mask = np.full((H, S, A), 1 / A), np.ones(A, dtype=bool)
    return Memory(np.zeros((H, S * A)), V, np.full(len(world.R), np.inf), plan, upper, true, mask, np.zeros(A))


def _check(learner: RF_Explore_Ent, model: FiniteHorizonMDP) -> None:
    reaching.check_exploration(learner, model)
    border.flag(learner.last, "last")


def _prepare(learner: RF_Explore_Ent, world: World, model: FiniteHorizonMDP) -> World:
    """Rewards are the transition entropies, of the last step too: its plans leave them out themselves."""
    entropies = {id(m): transition_entropy(m).ravel() for m in model._distinct}
    R = np.concatenate([entropies[id(model.stage(h))] for h in range(model.H)])
    return entropy_world(world, R, bool(learner.last))


@kernel
def soften(world, counts, Q, V, pi, mask, log_pi):
    """Soft backward induction on the empirical transitions; Q (H, S*A) holds the rewards, then the action values."""
    V[world.H] = 0.0
    for h in range(world.H - 1, -1, -1):
        for s in range(world.S):
            for i in range(s * world.A, (s + 1) * world.A):
                Q[h, i] += empirical(world, counts, h * world.stride + i, V[h + 1])
            q = Q[h, s * world.A : (s + 1) * world.A]
            V[h, s] = rows.shannon_conjugate(q, mask, 1.0)
            rows.shannon_policy(q, mask, 1.0, pi[h, s], log_pi)


@kernel
def frequencies_entropy(world, counts, row):
    """Of the successors seen; log S where there are none."""
    if counts.visits[row] == 0:
        return log(float(world.S))
    total = 0.0
    for i in range(world.indptr[row], world.indptr[row + 1]):
        total += surprise(counts.seen[i] * counts.share[row])
    return total


def _plan(learner, world, counts, own, policy, key, k):
    times = 1 + learner.replays
    if k % times > 0:
        return 0
    aim(world, counts, own.Q, own.V, own.bonus, policy, (k // times) % targets(world))
    return world.H


def _report(learner, world, counts, own, policy, out):
    H, S, A = world.H, world.S, world.A
    for h in range(H):
        paid = 1.0 if learner.last or h < H - 1 else 0.0
        for i in range(S * A):
            own.Q[h, i] = paid * frequencies_entropy(world, counts, h * world.stride + i)
    soften(world, counts, own.Q, own.upper, own.plan, own.mask, own.log_pi)
    for h in range(H - 1, -1, -1):
        paid = 1.0 if learner.last or h < H - 1 else 0.0
        for s in range(S):
            own.true[h, s] = 0.0
            for a in range(A):
                p, row = own.plan[h, s, a], h * world.stride + s * A + a
                own.true[h, s] += surprise(p) + p * (paid * world.R[row] + expected(world, row, own.true[h + 1]))
    out[0] = world.best - at_start(world, own.true[0])


register_learner(
    RF_Explore_Ent, plan=_plan, observe=observe_width, report=_report, prepare=_prepare, workspace=_memory,
    quantities=("gap",), per_step=True, stochastic=True, check=_check,
)  # fmt: skip


def entropy_gap_bound(S: int, A: int, H: int, rounds: int, replays: int = 0, delta: float = 0.1) -> float:
    """What ``RF_Explore_Ent`` falls short by at most after so many rounds, with probability 1 - delta, in nats: the theorem above.

    ValueError as ``reaching.significance``. At sizes that can be run it exceeds :math:`H \\log(SA)`, which is trivial.
    """
    theta = reaching.significance(S, A, H, rounds, replays, delta)
    K = (1 + S * (H - 1)) * rounds * (1 + replays)
    beta = max(1.0, reaching.beta(S, A, H, K, delta))
    D = (H - 1) * log(S * A) + 1 + log(S) + 0.5 * log(2 * K)
    first = 17.3 * H * S * A * beta / ((1 + replays) * rounds)
    return H * (H + 1) / 4 * D * D * (first + H * S * min(1.0, theta))
