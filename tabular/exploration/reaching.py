# mypy: allow-untyped-defs
r"""Reward-free exploration by reaching each state at each step (after RF-RL-Explore, Jin et al. 2020).

A target is a state s at a step g = 1 ... H-1, or the start: J = S(H-1) + 1 of them. Each has a regret minimiser of its own,
for the reward :math:`1\{s_g = s\}`, and its policies choose evenly among actions from step g on. One round plans for every
target in turn and plays its policy, and ``replays`` times again. What is played is the uniform mixture of all policies
learnt, each as often as any other, so that the episodes that learn are of use, too.

**The regret minimiser** is ours. With the counts n of all episodes so far, :math:`\eta = 1/(2H)`, backwards from
:math:`W_g(x) = 1\{x = s\}`,

.. math:: W_h(x) = \max_a \min\{1,\; (1 + \eta) \hat P_h W_{h+1}(x, a) + b(n)\}, \qquad
    b(n) = \tfrac{(1+\eta)^2}{2\eta} \tfrac{\beta(n)}{n}, \quad \beta(n) = \log\tfrac{3HSA}{\delta} + (S-1) \log(e (1 +
    \tfrac{n}{S-1})).

**What it reaches** (ours). Let :math:`\mu^*_g(s)` be the largest probability of s at step g, N rounds, K episodes in all, and

.. math:: \theta = \tfrac{21.6\, H}{N} \left[ SA \left(1 + \tfrac{(1+\eta)^2}{2\eta} \beta(K) (1 + \log N)\right) +
    \log\tfrac{3J}{\delta} \right].

With probability 1 - delta, for all targets with :math:`\mu^*_g(s) \ge \theta` the N policies learnt reach s at step g with
probability :math:`\mu^*_g(s)/(2e)` or more on average, and each action there has :math:`n \ge (1 - 1/e)(1 + replays) N
\mu^*_g(s)/(2eA) - \log(3HSA/\delta)` visits.

Proof. (i) With probability 1 - delta/3, :math:`n KL(\hat p \| p) \le \beta(n)` for all triples and all n
(rf_express.C1c, a union). For :math:`0 \le V \le 1` then :math:`pV \le (1+\eta) \hat pV + b(n)` and :math:`\hat pV \le (1+\eta)
pV + b(n)` (fast_entropy.C11a). (ii) So W is at least the chance of the best policy, by induction; and :math:`W_h \le (1 +
\eta)^2 p W_{h+1} + \min\{1, (2+\eta) b\}` along its own policy :math:`\pi`, which unrolls to :math:`\mu^*_g(s) \le e\,
[P^\pi(s_g = s) + 2.5\, E_\pi \sum_{h<g} \min\{1, b(n_h)\}]`, as :math:`(1+\eta)^{2H} \le e` (fast_entropy.C11c). (iii)
Along the episodes of one target :math:`\sum \min\{1, b\} \le gSA(1 + \frac{(1+\eta)^2}{2\eta} \beta(K)(1 + \log N))`, and
its conditional means add up to at most :math:`(1 - 1/e)^{-1}` of this plus :math:`g \log(3J/\delta)`, with probability 1 -
delta/3 for all targets: :math:`E e^{-Y/g} \le e^{-(1-1/e) E Y/g}` for Y in [0, g]. Hence the mean of
:math:`P^{\pi}(s_g = s)` is at least :math:`\mu^*_g(s)/e - \theta/(2e)`. (iv) Visits: the same inequality for g = 1 and a sum of
indicators, whose means are known to be at least :math:`\mu^*_g(s)/(2eA)` on average; a union over HSA.

Of the printed form, ratio 1/(2SAH) for all states that can be reached often enough, this is 1/(2eJA): the constant is ours.
Rewards of the model are ignored, and the regret of a run means nothing. Equal actions: the pair visited least.
"""

from __future__ import annotations

from math import e, log
from typing import Any, NamedTuple

import numpy as np

from tabular import _border as border
from tabular._jit import kernel
from tabular._kernels.interaction import World, at_start, estimated
from tabular._kernels.optimism import greedy
from tabular.exploration.fast_entropy_agents import outcomes
from tabular.exploration.learners import probability, register_learner
from tabular.finite_horizon import FiniteHorizonMDP


class RF_RL_Explore(NamedTuple):
    """``bonus_scale`` multiplies b; only 1 is covered by the theorem. ``replays``: how often each policy is played again.

    Quantities, all exact: ``coverage``, the least ratio of the mean probability of a state at a step, over the policies played,
    to the largest that any policy has; ``optimism``, the least difference of W to the largest probability of a target so far;
    ``margin``, the least difference of what (ii) bounds it by: both are at least zero on the event of the theorem.
    """

    delta: float = 0.1
    bonus_scale: float = 1.0
    replays: int = 0


class Memory(NamedTuple):
    Q: np.ndarray  # (H, S*A)
    V: np.ndarray  # (H + 1, S): W of the target in hand
    bonus: np.ndarray  # (H*S*A,): b
    mu: np.ndarray  # (H + 1, S): probabilities of states under the policy in hand
    mass: np.ndarray  # (H + 1, S): their sums over all episodes
    best: np.ndarray  # (H, S): the largest probabilities
    episodes: np.ndarray  # (1,)
    least: np.ndarray  # (2,): optimism and margin


def _memory(learner: RF_RL_Explore, world: World) -> Memory:
    H, S = world.H, world.S
    V, mu = np.zeros((H + 1, S)), np.zeros((H + 1, S))
    best = largest_chances(world, np.zeros((H + 1, S)), np.zeros((H, S)))
    return Memory(
        np.zeros((H, S * world.A)), V, np.full(len(world.R), np.inf), mu, np.zeros((H + 1, S)), best, np.zeros(1),
        np.full(2, np.inf),
    )  # fmt: skip


def check_exploration(learner: Any, model: FiniteHorizonMDP) -> None:
    """Refuses parameters of learners that begin so."""
    probability(learner.delta)
    border.positive(learner.bonus_scale, "bonus_scale", "1 in the theorem", zero=True)
    border.count(learner.replays, "replays", 0)


@kernel
def largest_chances(world, W, out):
    """out (H, S) = the largest probability of each state at each step; W (H + 1, S) is scratch. O(S H^2 nnz)."""
    for g in range(world.H):
        for s in range(world.S):
            W[g] = 0.0
            W[g, s] = 1.0
            for h in range(g - 1, -1, -1):
                for x in range(world.S):
                    top = 0.0
                    for a in range(world.A):
                        row, total = h * world.stride + x * world.A + a, 0.0
                        for i in range(world.indptr[row], world.indptr[row + 1]):
                            total += world.mass[i] * W[h + 1, world.indices[i]]
                        top = max(top, total)
                    W[h, x] = top
            total = 0.0
            for x in range(world.S):
                total += world.rho[x] * W[0, x]
            out[g, s] = total
    return out


@kernel
def targets(world):
    """J."""
    return 1 + (world.H - 1) * world.S


@kernel
def target_of(world, j):
    """Step and state of target j: 0 is the start, then come the states of step 1, of step 2, ..."""
    if j == 0:
        return 0, 0
    return 1 + (j - 1) // world.S, (j - 1) % world.S


@kernel
def aim(world, counts, Q, W, bonus, policy, j):
    """Plan for target j; the step and the state of it."""
    H, S, A = world.H, world.S, world.A
    g, target = target_of(world, j)
    factor = 1.0 + 0.5 / H
    for h in range(g, H):
        policy.pi[h] = 1.0 / A
    W[g] = 0.0
    W[g, target] = 1.0
    for h in range(g - 1, -1, -1):
        for x in range(S):
            for i in range(x * A, (x + 1) * A):
                row = h * world.stride + i
                Q[h, i] = min(1.0, bonus[row])
                if bonus[row] < 1.0:
                    Q[h, i] = min(1.0, bonus[row] + factor * estimated(world, counts, row, W[h + 1]))
            W[h, x], _ = greedy(world, counts, Q, h, x, policy)
            for a in range(A):
                policy.pi[h, x, a] = 0.0
            policy.pi[h, x, policy.act[h, x]] = 1.0
    return g, target


@kernel
def width(learner, world, n):
    """b(n)."""
    H = float(world.H)
    beta = log(3.0 * H * world.S * world.A / learner.delta) + outcomes(world.S, n)
    return learner.bonus_scale * H * (1.0 + 0.5 / H) ** 2 * beta / n


@kernel
def pushed(world, pi, mu):
    """mu (H + 1, S) = probabilities of states under the policy pi (H, S, A)."""
    mu[:] = 0.0
    mu[0] = world.rho
    for h in range(world.H):
        for s in range(world.S):
            for a in range(world.A):
                p = mu[h, s] * pi[h, s, a]
                if p > 0.0:
                    row = h * world.stride + s * world.A + a
                    for i in range(world.indptr[row], world.indptr[row + 1]):
                        mu[h + 1, world.indices[i]] += p * world.mass[i]


def _plan(learner, world, counts, own, policy, key, k):
    stages, times = 0, 1 + learner.replays
    if k % times == 0:
        g, target = aim(world, counts, own.Q, own.V, own.bonus, policy, (k // times) % targets(world))
        pushed(world, policy.pi, own.mu)
        stages = world.H
        if g > 0:
            spent = 0.0
            for h in range(g):
                for x in range(world.S):
                    row = h * world.stride + x * world.A + policy.act[h, x]
                    spent += own.mu[h, x] * min(1.0, own.bonus[row])
            best = own.best[g, target]
            own.least[0] = min(own.least[0], at_start(world, own.V[0]) - best)
            own.least[1] = min(own.least[1], e * (own.mu[g, target] + 2.5 * spent) - best)
    own.mass[:] += own.mu
    own.episodes[0] += 1.0
    return stages


@kernel
def observe_width(learner, world, counts, own, policy, k, h, s, a, r, t):
    row = h * world.stride + s * world.A + a
    own.bonus[row] = width(learner, world, float(counts.visits[row]))


def _report(learner, world, counts, own, policy, out):
    least = 1.0
    for h in range(world.H):
        for s in range(world.S):
            if own.best[h, s] > 0.0:
                least = min(least, own.mass[h, s] / (own.episodes[0] * own.best[h, s]))
    out[0], out[1], out[2] = least, own.least[0], own.least[1]


register_learner(
    RF_RL_Explore, plan=_plan, observe=observe_width, report=_report, workspace=_memory,
    quantities=("coverage", "optimism", "margin"), per_step=True, stochastic=True, check=check_exploration,
)  # fmt: skip


def significance(S: int, A: int, H: int, rounds: int, replays: int = 0, delta: float = 0.1) -> float:
    r"""The :math:`\theta` of the theorem above: states that some policy reaches with this probability are reached as it says.

    ValueError for sizes below one, ``replays`` below zero and delta outside (0, 1).
    """
    for x, name in ((S, "S"), (H, "H"), (rounds, "rounds")):
        border.count(x, name)
    border.count(replays, "replays", 0)
    J = 1 + S * (H - 1)
    radius = H * (1 + 0.5 / H) ** 2 * beta(S, A, H, J * rounds * (1 + replays), delta)
    return 21.6 * H / rounds * (S * A * (1 + radius * (1 + log(rounds))) + log(3 * J / delta))


def beta(S: int, A: int, H: int, n: float, delta: float) -> float:
    r""":math:`\beta(n)` above. ValueError for sizes below one, n below zero and delta outside (0, 1)."""
    for x, name in ((S, "S"), (A, "A"), (H, "H")):
        border.count(x, name)
    border.positive(n, "n", "a number of visits", zero=True)
    probability(delta)
    others = S - 1
    return log(3 * H * S * A / delta) + (others * log(e * (1 + n / others)) if others else 0.0)
