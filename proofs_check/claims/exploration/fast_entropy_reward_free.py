r"""Exploration by entropy, part 7: runs of RF-RL-Explore, RF-Explore-Ent and Reg-EntGame, with transitions that are sampled.

What a run reports is exact, values and occupancies being computed in the true model: chance is in the paths alone. Starts are
in state 0. ``tabular.exploration.reaching``, ``fast_entropy_reward_free`` and ``fast_entropy_regular`` have the proofs.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from proofs_check import Comparison, Inequality, Order, Sampled, Trial, claim, families, streams, twin
from proofs_check.claim import all_available, no_endings
from proofs_check.claims.exploration.fast_entropy_models import PAPER

DELTA, ROUNDING = 0.1, 1e-12
OURS = "ours, after " + PAPER
REACH = "ours, after Jin et al. 2020 (RF-RL-Explore)"
MODELS: dict[str, Any] = {
    "family": families.garnet(3, 2),
    "draws": {"rng": streams()},
    "assumptions": (no_endings, all_available),
    "instances": (),
}


def reported(source: Any, rng: Any, learner: Any, H: int, K: int, record: Any = None) -> dict[str, np.ndarray]:
    """What runs of K episodes of H steps report, one of each model: (trials, recorded) for each quantity."""
    from tabular.exploration import episodic, interact

    seeds = [int(x) for x in np.atleast_1d(rng.uniform("seed") * 2.0**53)]
    models = [source[i] for i in range(len(seeds))] if hasattr(source, "B") else [source]
    start, rows = np.eye(source.S)[0], []
    for mdp, seed in zip(models, seeds, strict=True):
        run = interact(episodic(mdp, H, rho=start), learner, K, seeds=[seed], record=record or [K], threads=1)
        rows.append(run.history)
    return {name: np.concatenate([row[name] for row in rows]) for name in rows[0] if name != "episode"}


def _shaped(rng: Any, x: np.ndarray) -> np.ndarray:
    """(trials, ...) as the draws have it: without the axis of one trial."""
    return np.reshape(x, (*rng.batch, *x.shape[1:]))


def unkept(source: Any, rng: Any, scale: float) -> np.ndarray:
    """Whether some plan of a run was not optimistic, or reached less than it has to."""
    from tabular.exploration import RF_RL_Explore

    found = reported(source, rng, RF_RL_Explore(DELTA, scale), 2, 160)
    least = np.minimum(found["optimism"], found["margin"])[:, 0]
    return _shaped(rng, least < -ROUNDING)


@claim(id="fast_entropy.C11c", source=REACH, **MODELS | {"kind": "probability"})
def plans_reach(ops: Any, m: Any, rng: Any) -> Trial:
    r"""With probability 1 - \delta all plans for targets are optimistic, \rho W_0 \ge \mu^*_g(s), and their policies have \mu^*_g(s)
    \le e [P^\pi(s_g = s) + \frac52 E_\pi \sum_{h<g} \min\{1, b(n_h)\}]. Here H = 2, 160 episodes.

    Proof: C11a on the event of rf_express.C1c, by induction: :math:`W_h \le (1+\eta)^2 p W_{h+1} + (2 + \eta) b`, W at most 1, and
    :math:`(1 + 1/(2H))^{2H} \le e`.
    """
    return Trial(unkept(m.source, rng, 1.0), DELTA)


@twin(plans_reach, why="without a bonus")
def plans_reach_without_bonus(ops: Any, m: Any, rng: Any) -> Trial:
    return Trial(unkept(m.source, rng, 0.0), DELTA)


LOCK_STEPS, CODES, ROUNDS = 6, 4, 12


def covered(source: Any, rng: Any, uniform: bool) -> tuple[np.ndarray, float]:
    """The least ratio of the mean chance of a state at a step to the largest, and what it is to be; ``uniform``: as if never
    learning, a bonus so large that every plan is for any action."""
    from tabular.exploration import RF_RL_Explore

    targets = 1 + source.S * (LOCK_STEPS - 1)
    found = reported(source, rng, RF_RL_Explore(DELTA, 1e9 if uniform else 0.01), LOCK_STEPS, ROUNDS * targets)
    return found["coverage"][:, 0], 1 / (2 * np.e * targets)


@claim(id="fast_entropy.C11g", source=REACH, **MODELS | {"family": families.locks(LOCK_STEPS, CODES), "kind": "empirical"})
def all_are_covered(ops: Any, m: Any, rng: Any) -> Trial:
    r"""After 12 rounds on combination locks of six steps and four actions, every state at every step has been met with at
    least 1/(2eJ) of the largest probability, J the number of targets, with probability 9/10: bonuses scaled by 1/100.

    Open: a measurement; the theorem has it for bonuses in full and states above :math:`\theta`, which exceeds one here.
    """
    coverage, least = covered(m.source, rng, False)
    return Trial(_shaped(rng, coverage < least), DELTA)


@twin(all_are_covered, why="plans that say nothing: actions tried evenly")
def all_are_covered_by_chance(ops: Any, m: Any, rng: Any) -> Trial:
    coverage, least = covered(m.source, rng, True)
    return Trial(_shaped(rng, coverage < least), DELTA)


STEPS, ENT_ROUNDS = 3, 30


def gaps(source: Any, rng: Any, rounds: list[int]) -> np.ndarray:
    """(trials, rounds): what RF-Explore-Ent is short of, in nats, bonuses in full."""
    from tabular.exploration.fast_entropy_reward_free import RF_Explore_Ent

    targets = 1 + source.S * (STEPS - 1)
    record = [n * targets for n in rounds]
    return reported(source, rng, RF_Explore_Ent(DELTA), STEPS, record[-1], record)["gap"]


def _most(ops: Any, m: Any) -> Any:
    return STEPS * ops.log(ops.constant(m.S * m.A))


@claim(id="fast_entropy.C11e", source=OURS + " (RF-Explore-Ent)", **MODELS | {"kind": "probability"})
def explore_ent(ops: Any, m: Any, rng: Any) -> Inequality:
    r"""RF-Explore-Ent is short of the largest trajectory entropy by \frac{H(H+1)}{4} D^2 [17.3 HSA \beta / N + HS \theta] at most after N
    rounds, with probability 1 - \delta: \tilde O(H^8 S^4 A/\varepsilon) episodes. H = 3, N = 30: vacuous, as it exceeds H \log(SA).

    Proof: ``tabular.exploration.fast_entropy_reward_free``. For S = A = H = 2 it first says something at about :math:`10^8` rounds.
    """
    from tabular.exploration.fast_entropy_reward_free import entropy_gap_bound

    bound = entropy_gap_bound(m.S, m.A, STEPS, ENT_ROUNDS, delta=DELTA)
    found = _shaped(rng, gaps(m.source, rng, [ENT_ROUNDS])[:, 0])
    return Inequality(ops.array(found, 0), ops.constant(bound), trivial=_most(ops, m))


@twin(explore_ent, why="log(SA) / (4 N), without what is to be learnt")
def explore_ent_at_once(ops: Any, m: Any, rng: Any) -> Inequality:
    found = _shaped(rng, gaps(m.source, rng, [ENT_ROUNDS])[:, 0])
    return Inequality(ops.array(found, 0), _most(ops, m) / (4 * STEPS * ENT_ROUNDS), trivial=_most(ops, m))


RANGE = [4, 8, 16, 32]


def _rate(ops: Any, m: Any, rng: Any, constant: float) -> Order:
    high = STEPS * float(np.log(m.S * m.A))
    found = np.clip(_shaped(rng, gaps(m.source, rng, RANGE)), 0.0, high)
    return Order(Sampled(found, [high] * len(RANGE)), [1 / ops.constant(n) for n in RANGE], x=RANGE, constant=constant)


@claim(id="fast_entropy.C9c", source=OURS + " (RF-Explore-Ent)", **MODELS | {"kind": "rate"})
def explore_ent_rate(ops: Any, m: Any, rng: Any) -> Order:
    r"""RF-Explore-Ent is short of the largest trajectory entropy by 4/N on average after N = 4 ... 32 rounds of the 7 targets of three
    states and three steps, with bonuses in full; and not by 1/N (twin 1).

    Open: a measurement of the constant. The rate is that of the theorem (C11e) without its logarithms.
    """
    return _rate(ops, m, rng, 4.0)


@twin(explore_ent_rate, why="a quarter of the constant")
def explore_ent_rate_of_less(ops: Any, m: Any, rng: Any) -> Order:
    return _rate(ops, m, rng, 1.0)


GAME_STEPS, GAME_ROUNDS = 2, 512


def game(source: Any, rng: Any, T: int, regularised: bool = True) -> dict[str, np.ndarray]:
    """What T rounds of the game report, without a first phase: each (trials,)."""
    from tabular.exploration.fast_entropy_regular import Reg_EntGame

    found = reported(source, rng, Reg_EntGame(regularised=regularised), GAME_STEPS, T)
    return {name: _shaped(rng, x[:, 0]) for name, x in found.items()}


@claim(id="fast_entropy.C11f", source=OURS + " (Reg-EntGame)", **MODELS | {"kind": "probability"})
def forecasts_of_samples(ops: Any, m: Any, rng: Any) -> Trial:
    r"""With probability 1 - \delta forecasts from the T states met lose F_T \le H [\frac1T \log\binom{T+S-1}{S-1} + \log(T+S)
    \sqrt{\log(2H/\delta) / (2T)} + \tau \log(eS/\tau)] more a round than \bar\mu_T, \tau^2 = (S \log 2 + \log(2H/\delta)) / (2T). H = 2, T = 512.

    Proof: ``tabular.exploration.fast_entropy_regular``, (ii): Azuma and Hoeffding, C4a and C11d. At T = 512 it is below what the
    uniform forecast is sure to lose at most, :math:`H \log S`.
    """
    from tabular.exploration.fast_entropy_regular import forecaster_bound

    found = game(m.source, rng, GAME_ROUNDS)["forecaster"]
    bound = forecaster_bound(m.S, GAME_STEPS, GAME_ROUNDS, DELTA)
    return Trial(Inequality(ops.array(found, 0), ops.constant(bound), trivial=GAME_STEPS * ops.log(ops.constant(m.S))), DELTA)


@twin(forecasts_of_samples, why="a quarter of the rate of forecasts that are told the law of the states, H (S-1) log(T) / (4T)")
def forecasts_of_few_samples(ops: Any, m: Any, rng: Any) -> Trial:
    found = game(m.source, rng, GAME_ROUNDS)["forecaster"]
    bound = GAME_STEPS * (m.S - 1) * ops.log(ops.constant(GAME_ROUNDS)) / (4 * GAME_ROUNDS)
    return Trial(Inequality(ops.array(found, 0), bound), DELTA)


def _duel(ops: Any, m: Any, rng: Any) -> tuple[Any, Any, Any]:
    """Visitation entropies after 16 rounds, regularised and not, of three-step mixtures; and the most they can differ by."""
    found = [game(m.source, rng, 16, regularised)["visitation_entropy"] for regularised in (True, False)]
    return ops.array(found[0], 0), ops.array(found[1], 0), GAME_STEPS * float(np.log(m.S * m.A))


@claim(id="fast_entropy.C11j", source=OURS + " (Reg-EntGame)", **MODELS | {"kind": "comparison"})
def regularised_samplers_win(ops: Any, m: Any, rng: Any) -> Comparison:
    r"""After 16 rounds with sampled transitions, the mixture of Reg-EntGame has the larger visitation entropy, on average, than that of
    EntGame with forecasts of pairs and without a bonus. Three states, two actions, two steps.

    Open: a measurement; that errors of a regularised sampler count as squares (C11b) says why.
    """
    return Comparison(*_duel(ops, m, rng))


@twin(regularised_samplers_win, why="the smaller one")
def regularised_samplers_lose(ops: Any, m: Any, rng: Any) -> Comparison:
    a, b, bound = _duel(ops, m, rng)
    return Comparison(b, a, bound)
