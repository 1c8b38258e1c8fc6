# mypy: allow-untyped-defs
r"""PSRL: play the optimal policy of a model drawn from the posterior, for one episode (Osband, Russo and Van Roy 2013).

Each row has the prior Dirichlet(prior/S, ..., prior/S) over all S successors, and counts pooled over steps are added
to it. Rewards are known, or (``known_rewards=False``) have a normal-gamma prior with mean 1, pseudo-count 1, shape 1
and rate 1: the precision is a Gamma(1, 1), the mean given it normal around 1 with that precision; the means drawn are
not clipped. What is drawn for a row in episode k is the stream ``(key, k, 1 + row)``.
"""

from __future__ import annotations

from math import sqrt
from typing import NamedTuple

import numpy as np

from tabular import _border as border
from tabular._jit import kernel
from tabular._kernels.interaction import World, at_start
from tabular._kernels.optimism import greedy
from tabular._kernels.sampling import stream
from tabular._kernels.variates import dirichlet, gamma, normal
from tabular.exploration.learners import register_learner
from tabular.finite_horizon import FiniteHorizonMDP


class PSRL(NamedTuple):
    """``prior`` is the mass of the Dirichlet prior of a row. Quantities: ``imagined``, the value of the policy in the
    model drawn, and ``imagined_regret``, the sum of its differences to the true values, whose mean is that of the
    regret if the prior is right.
    """

    prior: float = 1.0
    known_rewards: bool = True


class Memory(NamedTuple):
    P: np.ndarray  # (S*A, S) and R (S*A,): the model drawn
    R: np.ndarray
    Q: np.ndarray  # (H, S*A)
    V: np.ndarray  # (H + 1, S)
    square: np.ndarray  # (S*A,): of the rewards that came
    sums: np.ndarray  # (1,)


def _memory(learner: PSRL, world: World) -> Memory:
    rows = world.S * world.A
    Q, V = np.zeros((world.H, rows)), np.zeros((world.H + 1, world.S))
    return Memory(np.zeros((rows, world.S)), world.R.copy(), Q, V, np.zeros(rows), np.zeros(1))


def _check(learner: PSRL, model: FiniteHorizonMDP) -> None:
    border.positive(learner.prior, "prior", "the mass of the prior of a row")
    border.flag(learner.known_rewards, "known_rewards")


@kernel
def draw_model(learner, world, counts, own, key, k):
    """A model from the posterior."""
    for row in range(world.S * world.A):
        z, increment = stream(key, k, 1 + row)
        p = own.P[row]
        p[:] = learner.prior / world.S
        for i in range(world.indptr[row], world.indptr[row + 1]):
            p[world.indices[i]] += counts.seen[i]
        z = dirichlet(p, z, increment)
        if not learner.known_rewards:
            n, total = float(counts.visits[row]), counts.reward[row]
            spread = max(0.0, own.square[row] - total * total * counts.share[row])
            off = total * counts.share[row] - 1.0
            rate = 1.0 + 0.5 * spread + 0.5 * n * off * off / (1.0 + n)
            x, z = gamma(1.0 + 0.5 * n, z, increment)
            y, z = normal(z, increment)
            own.R[row] = (1.0 + total) / (1.0 + n) + y * sqrt(rate / (x * (1.0 + n)))


def _plan(learner, world, counts, own, policy, key, k):
    draw_model(learner, world, counts, own, key, k)
    stages = 0
    for h in range(world.H - 1, -1, -1):
        V = own.V[h + 1]
        for s in range(world.S):
            for row in range(s * world.A, (s + 1) * world.A):
                q, p = own.R[row], own.P[row]
                for t in range(world.S):
                    q += p[t] * V[t]
                own.Q[h, row] = q
            own.V[h, s], changed = greedy(world, counts, own.Q, h, s, policy)
            if changed:
                stages = max(stages, h + 1)
    return stages


def _observe(learner, world, counts, own, policy, k, h, s, a, r, t):
    own.square[s * world.A + a] += r * r
    if h == 0:
        own.sums[0] += at_start(world, own.V[0]) - at_start(world, policy.V[0])


def _report(learner, world, counts, own, policy, out):
    out[0], out[1] = at_start(world, own.V[0]), own.sums[0]


register_learner(
    PSRL, plan=_plan, observe=_observe, report=_report, workspace=_memory, quantities=("imagined", "imagined_regret"),
    check=_check,
)  # fmt: skip
