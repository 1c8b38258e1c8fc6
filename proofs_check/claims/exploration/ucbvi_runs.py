r"""UCBVI, part 3: runs of the learner. Its regret, which is exact but for the path learnt from, and optimism.

:math:`V_{k,h}` falls with k, so that a run is optimistic at all episodes where it is at the last.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from proofs_check import Inequality, Order, Trial, claim, families, streams, twin
from proofs_check.claim import no_endings
from proofs_check.claims.exploration._regret import planted_order, regret, river
from proofs_check.claims.exploration._replay import played, plays, shaped
from proofs_check.claims.exploration.ucbvi_exact import PAPER

DELTA = 0.1
RIVER, SEA = families.river_swims(4), families.planted_arms(1, 2)


STEPS, EPISODES, STATES, ACTIONS = 10, 16, 6, 2


def river_regret(rng: Any, form: str) -> np.ndarray:
    """(trials,) of EPISODES episodes of STEPS steps of RiverSwim, with the printed bonus; () for one trial."""
    from tabular import exploration

    return regret(river(STEPS), getattr(exploration, form)(DELTA), EPISODES, rng)


def _sizes(ops: Any) -> tuple[Any, Any, Any, Any]:
    """H, K, the root of SAK, and L."""
    L = ops.log(ops.constant(5 * STEPS * STATES * ACTIONS * STEPS * EPISODES) / ops.constant(DELTA))
    return ops.constant(STEPS), EPISODES, ops.sqrt(ops.constant(STATES * ACTIONS * EPISODES)), L


RUNS: dict[str, Any] = {
    "family": families.bandits(2),
    "draws": {"rng": streams},
    "kind": "probability",
    "instances": (),
}


@claim(id="ucbvi.C1", source=PAPER + ", Theorem 1", **RUNS)
def regret_of_ch(ops: Any, m: Any, rng: Any) -> Inequality:
    r"""Regret(K) \le 20 H^{3/2} L \sqrt{SAK} + 250 H^2 S^2 A L^2, L = \log(5HSAT/\delta), with probability 1 - \delta, for
    UCBVI-CH. On RiverSwim, H = 10, K = 16, \delta = 1/10: vacuous, as the bound exceeds HK.

    Proof: Azar et al. 2017. With these sizes the bound first says something at K of about :math:`2.8 \cdot 10^8`.
    """
    H, K, root, L = _sizes(ops)
    bound = 20 * H * ops.sqrt(H) * L * root + 250 * H * H * STATES**2 * ACTIONS * L * L
    return Inequality(ops.array(river_regret(rng, "UCBVI_CH"), 0), bound, trivial=H * K)


@twin(regret_of_ch, why="a hundredth of H (SAK)^(1/2), without logarithms")
def small_regret_of_ch(ops: Any, m: Any, rng: Any) -> Inequality:
    H, K, root, _ = _sizes(ops)
    return Inequality(ops.array(river_regret(rng, "UCBVI_CH"), 0), H * root / 100, trivial=H * K)


@claim(id="ucbvi.C2", source=PAPER + ", Theorem 2", **RUNS)
def regret_of_bf(ops: Any, m: Any, rng: Any) -> Inequality:
    r"""Regret(K) \le 30 H L \sqrt{SAK} + 2500 H^2 S^2 A L^2 + 4 H^{3/2} \sqrt{KL}, with probability 1 - \delta, for UCBVI-BF.
    On RiverSwim, H = 10, K = 16: vacuous, as C1.

    Proof: Azar et al. 2017; its appendix is known not to reproduce the 2500. The bound first says something at K of
    about :math:`2.1 \cdot 10^9`.
    """
    H, K, root, L = _sizes(ops)
    second = 2500 * H * H * STATES**2 * ACTIONS * L * L + 4 * H * ops.sqrt(H) * ops.sqrt(K * L)
    return Inequality(ops.array(river_regret(rng, "UCBVI_BF"), 0), 30 * H * L * root + second, trivial=H * K)


@twin(regret_of_bf, why="a hundredth of H (SAK)^(1/2), without logarithms")
def small_regret_of_bf(ops: Any, m: Any, rng: Any) -> Inequality:
    H, K, root, _ = _sizes(ops)
    return Inequality(ops.array(river_regret(rng, "UCBVI_BF"), 0), H * root / 100, trivial=H * K)


SCALE, RANGE = 0.01, [8, 16, 32, 64]


def _planted(ops: Any, rng: Any, constant: float) -> Order:
    from tabular.exploration import UCBVI_CH

    return planted_order(ops, rng, UCBVI_CH(DELTA, SCALE), [(4, K) for K in RANGE], RANGE, constant)


@claim(id="ucbvi.C1a", source="ours, after " + PAPER + ", Theorem 1", **{**RUNS, "kind": "rate"})
def regret_on_planted_arms(ops: Any, m: Any, rng: Any) -> Order:
    r"""With bonuses scaled by 1/100, expected regret is at most H \sqrt{MAK} / 5 where one arm of A = 4 in each of M = 2
    states is better by \sqrt{MA/K} / 4, for K = 8 ... 64, H = 4; and not at most half of that (twin 1).

    Open: a measurement of the constant. That no learner does much better there is the lower bound, so the rate
    :math:`\sqrt K` is attained.
    """
    return _planted(ops, rng, 0.2)


@twin(regret_on_planted_arms, why="half the constant")
def small_regret_on_planted_arms(ops: Any, m: Any, rng: Any) -> Order:
    return _planted(ops, rng, 0.1)


HORIZONS, TRIES = [2, 4, 8, 16], 16


def _horizons(ops: Any, rng: Any, power: int) -> Order:
    from tabular.exploration import UCBVI_CH

    return planted_order(ops, rng, UCBVI_CH(DELTA, SCALE), [(H, TRIES) for H in HORIZONS], HORIZONS, 0.2, power)


@claim(id="ucbvi.C1b", source="ours, after " + PAPER + ", Theorem 1", **{**RUNS, "kind": "rate"})
def regret_in_the_horizon(ops: Any, m: Any, rng: Any) -> Order:
    r"""On the same models with K = 16 and H = 2, 4, 8, 16 expected regret is at most H \sqrt{MAK} / 5: it grows like H, for which
    the theorem has H^{3/2}, and not like H^{1/2} (twin 1).

    Open: a measurement. Regret there is (H-1) times the gap times how often a wrong arm is taken.
    """
    return _horizons(ops, rng, 2)


@twin(regret_in_the_horizon, why="the root of H")
def regret_in_the_root_of_the_horizon(ops: Any, m: Any, rng: Any) -> Order:
    return _horizons(ops, rng, 1)


def pessimistic(source: Any, rng: Any, seven: float, H: int = 8, K: int = 64) -> np.ndarray:
    """Whether, in a run of UCBVI-CH with ``seven`` in place of 7, some V falls below V*; starts are in state 0."""
    from tabular.exploration import UCBVI_CH

    lost = []
    for play in plays(source, rng, UCBVI_CH(DELTA, seven / 7), H, K):
        play.advance()
        lost.append(bool((play.own.V < play.world.V_star).any()))
    return np.array(lost)


@claim(
    id="ucbvi.C3",
    family=(RIVER, SEA),
    draws={"rng": streams},
    assumptions=(no_endings,),
    source=PAPER + ", optimism",
    kind="probability",
)
def optimism(ops: Any, m: Any, rng: Any) -> Trial:
    r"""With probability 1 - \delta, V_{k,h} \ge V^*_h for all k, h and states, for UCBVI-CH. Here H = 8, K = 64, \delta = 1/10.

    Proof: on the event of C5 the bonus exceeds :math:`(\hat P - P) V^*_{h+1}`; induction over h and k. V falls with k,
    so the last one decides.
    """
    return Trial(pessimistic(m.source, rng, 7.0), DELTA)


@twin(optimism, why="0.002 in place of 7", family=RIVER)
def optimism_with_small_bonuses(ops: Any, m: Any, rng: Any) -> Trial:
    return Trial(pessimistic(m.source, rng, 0.002), DELTA)


def river_pessimistic(rng: Any, seven: float) -> np.ndarray:
    """The same on RiverSwim itself, H = 10, K = 300."""
    from tabular.exploration import UCBVI_CH

    run = played(river(STEPS), UCBVI_CH(DELTA, seven / 7), 300, rng, keep=("V",))
    return shaped(rng, (run.result["V"] < run.info["V_star"]).any(axis=(1, 2)))


@claim(id="ucbvi.C3a", source="ours, after " + PAPER + ", optimism", **{**RUNS, "kind": "empirical"})
def optimism_needs_less(ops: Any, m: Any, rng: Any) -> Trial:
    r"""On RiverSwim, H = 10, K = 300, optimism survives with probability 9/10 with 0.01 in place of 7; not with 0.005
    (twin 1) or 0.002 (twin 2).

    Open: a measurement. About three runs in ten lose it at 0.005, nineteen in twenty at 0.002: the printed constant is
    about a thousand times what this model needs. As ``bonus_scale`` these are 0.0014, 0.0007 and 0.0003.
    """
    return Trial(river_pessimistic(rng, 0.01), DELTA)


@twin(optimism_needs_less, why="0.005 in place of 7")
def optimism_needs_still_less(ops: Any, m: Any, rng: Any) -> Trial:
    return Trial(river_pessimistic(rng, 0.005), DELTA)


@twin(optimism_needs_less, why="0.002 in place of 7")
def optimism_needs_next_to_nothing(ops: Any, m: Any, rng: Any) -> Trial:
    return Trial(river_pessimistic(rng, 0.002), DELTA)
