"""Optimistic Q-learning, part 3: regret of UCB-H, measured; the constant of the bonus is that of part 2 unless named."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from proofs_check import Comparison, Inequality, Order, claim, families, streams, twin
from proofs_check.claims.exploration._regret import planted_order, regret, river
from proofs_check.claims.exploration.optimistic_q_rates import PAPER
from proofs_check.claims.exploration.optimistic_q_runs import C, P

RANGE = [8, 16, 32, 64]


def _planted(ops: Any, rng: Any, constant: float) -> Order:
    from tabular.exploration import UCB_H

    return planted_order(ops, rng, UCB_H(P, 0.02), [(4, K) for K in RANGE], RANGE, constant)


@claim(
    id="optimistic_q.C2a",
    family=families.bandits(2),
    draws={"rng": streams},
    source="ours, after " + PAPER + ", Theorem 1",
    kind="rate",
    instances=(),
)
def regret_on_planted_arms(ops: Any, m: Any, rng: Any) -> Order:
    r"""With c = 1/50 the expected regret of UCB-H is at most H \sqrt{MAK} / 5 where one arm of A = 4 in each of M = 2 states is
    better by \sqrt{MA/K} / 4, for K = 8 ... 64, H = 4; and not at most half of that (twin 1).

    Open: a measurement of the constant: the rate :math:`\sqrt K`, which the lower bound says is attained there.
    """
    return _planted(ops, rng, 0.2)


@twin(regret_on_planted_arms, why="half the constant")
def small_regret_on_planted_arms(ops: Any, m: Any, rng: Any) -> Order:
    return _planted(ops, rng, 0.1)


RIVER_STEPS, RIVER_EPISODES, PAIRS = 10, 64, 12


def river_regret(rng: Any) -> np.ndarray:
    """On RiverSwim."""
    from tabular.exploration import UCB_H

    return regret(river(RIVER_STEPS), UCB_H(P, C), RIVER_EPISODES, rng)


@claim(
    id="optimistic_q.C2",
    family=families.bandits(2),
    draws={"rng": streams},
    source="ours, after " + PAPER + ", Theorem 1",
    kind="probability",
    instances=(),
)
def regret_of_ucb_h(ops: Any, m: Any, rng: Any) -> Inequality:
    r"""Regret(K) \le 31 \sqrt{H^4 S A T \iota} + 3 S A H^2 + 4 \sqrt{H^2 T \log(1/p)} with probability 1 - 2p, for UCB-H with
    c = \sqrt 2. On RiverSwim, H = 10, K = 64, p = 1/10: vacuous, as the bound exceeds HK.

    Proof: on the event of C3 the sum over episodes of :math:`V_h - V^{\pi_k}_h` is at most 1 + 1/H times that of step h + 1 (C1g),
    plus SAH, plus :math:`\sum \beta \le 8 c \sqrt{H^3 \iota S A K}`, plus a martingale; :math:`(1 + 1/H)^H \le e`, and
    :math:`8 e \sqrt 2 < 31`. The paper leaves the constant of :math:`\sqrt{H^4 S A T \iota}` unnamed. With these sizes
    the bound first says something at K of about :math:`3 \cdot 10^8`.
    """
    T = RIVER_STEPS * RIVER_EPISODES
    iota = ops.log(ops.constant(PAIRS * T) / ops.constant(P))
    bound = 31 * ops.sqrt(RIVER_STEPS**4 * PAIRS * T * iota) + 3 * PAIRS * RIVER_STEPS**2
    bound = bound + 4 * ops.sqrt(RIVER_STEPS**2 * T * ops.log(1 / ops.constant(P)))
    return Inequality(ops.array(river_regret(rng), 0), bound, trivial=T)


@twin(regret_of_ucb_h, why="a hundredth of H (SAK)^(1/2), without logarithms")
def small_regret_of_ucb_h(ops: Any, m: Any, rng: Any) -> Inequality:
    root = ops.sqrt(ops.constant(PAIRS * RIVER_EPISODES))
    return Inequality(ops.array(river_regret(rng), 0), RIVER_STEPS * root / 100, trivial=RIVER_STEPS * RIVER_EPISODES)


PLACES, TRIES = 4, 100


def lock_regrets(rng: Any) -> list[np.ndarray]:
    """Of plain averaging and of the paper's rates, on one lock."""
    from tabular.exploration import UCB_H
    from tabular.instances import combination_lock

    model = combination_lock(PLACES, 2, slip=Fraction(1, 10), seed=1)
    return [regret(model, UCB_H(P, 0.2, averaging), TRIES, rng) for averaging in (True, False)]


@claim(
    id="optimistic_q.C5b",
    family=families.bandits(2),
    draws={"rng": streams},
    source="ours, after " + PAPER,
    kind="comparison",
    instances=(),
)
def averaging_costs_regret(ops: Any, m: Any, rng: Any) -> Comparison:
    r"""On a combination lock of four steps and two actions, with slips of 1/10, c = 1/5 and 100 episodes, UCB-H with \alpha_t
    = 1/t has the larger expected regret.

    Open: a measurement; C5 says why.
    """
    slow, fast = lock_regrets(rng)
    return Comparison(ops.array(slow, 0), ops.array(fast, 0), bound=TRIES)


@twin(averaging_costs_regret, why="the smaller one")
def averaging_saves_regret(ops: Any, m: Any, rng: Any) -> Comparison:
    slow, fast = lock_regrets(rng)
    return Comparison(ops.array(fast, 0), ops.array(slow, 0), bound=TRIES)
