r"""Exploration by entropy, part 8: how many episodes it takes beside reward-free exploration, as S grows.

On ``tabular.instances.exploration.fan``: 2m rows of m unknown probabilities, S = 3m - 1. To know the values of all
policies for all rewards up to :math:`\varepsilon` is to know each row up to :math:`2\varepsilon` in 1-norm (rf_express.C1a:
reward the ends where the estimate is too low, and the way to the room), for which m of its draws are needed, so
:math:`m^2` episodes in all. A mixture of large visitation entropy needs them for no reward in particular.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from proofs_check import Order, Sampled, claim, families, streams, twin
from proofs_check.claims.exploration._replay import played, shaped
from proofs_check.claims.exploration.fast_entropy_models import PAPER

SIZES = [2, 3, 4, 6]
RUNS: dict[str, Any] = {
    "family": families.bandits(2),
    "draws": {"rng": streams()},
    "source": "ours, after " + PAPER + ", the separation from reward-free exploration",
    "kind": "rate",
    "instances": (),
}


@cache
def largest_entropy(m: int) -> float:
    """Proved to be at most the largest visitation entropy of a fan, and within 1e-8 of it."""
    from tabular.exploration.fast_entropy import maximum_visitation_entropy
    from tabular.instances.exploration import fan

    return maximum_visitation_entropy(fan(m)).lower


def largest_errors(m: int, seen: np.ndarray) -> np.ndarray:
    r"""The largest error of a value over all policies and all rewards in [0, 1] that are paid on arrival at an end.

    In units of reward. Where m is a power of two all rooms are equally deep, episodes are over then, and it is the largest error
    over all rewards in [0, 1]; else an end of a room that is less deep could be paid for twice.

    seen : (..., H, successors) counts of a fan, steps apart, in the order of its rows. Forks are certain, and known once seen;
    a row that was not is off by at most 1. Values of the empirical model are wrong by the total variation of the worst row.
    """
    from tabular.instances.exploration import fan

    P = np.asarray(fan(m).stage(0).P)
    seen = seen.reshape(*seen.shape[:-1], -1)
    rooms = np.arange(m - 1, 2 * m - 1)
    first = 2 * (m - 1) + 2 * m * np.arange(m)  # forks have one successor for each action, rooms m
    depth = np.array([int(s + 1).bit_length() - 1 for s in rooms])
    slots = first[:, None] + np.arange(2 * m)
    counts = seen[..., depth[:, None], slots].reshape(*seen.shape[:-2], m, 2, m)
    n = counts.sum(axis=-1, keepdims=True)
    far = np.abs(counts / np.maximum(n, 1) - P[rooms, :, 2 * m - 1 :]).sum(axis=-1) / 2
    return np.where(n[..., 0] > 0, far, 1.0).max(axis=(-2, -1))


def reward_free_errors(rng: Any, episodes: Any) -> np.ndarray:
    """(trials, sizes) after ``episodes(m)`` episodes of RF-Express with its bonus in full."""
    from tabular.exploration import RF_Express
    from tabular.instances.exploration import fan

    columns = []
    for m in SIZES:
        K, model = episodes(m), fan(m)
        run = played(model, RF_Express(), K, rng, keep=("seen",))
        columns.append(largest_errors(m, run.result["seen"].reshape(len(run.result["seen"]), model.H, -1)))
    return shaped(rng, np.stack(columns, axis=-1))


def entropy_errors(rng: Any, episodes: Any) -> np.ndarray:
    """(trials, sizes) what the mixture of Reg-EntGame is short of, without a first phase, in nats, counted up to 1/4."""
    from tabular.exploration.fast_entropy_regular import Reg_EntGame
    from tabular.instances.exploration import fan

    columns = []
    for m in SIZES:
        K = episodes(m)
        run = played(fan(m), Reg_EntGame(), K, rng)
        columns.append(largest_entropy(m) - run.history["visitation_entropy"][:, 0])
    return shaped(rng, np.clip(np.stack(columns, axis=-1), 0.0, 0.25))


def _even(ops: Any, found: np.ndarray, high: float, constant: float) -> Order:
    """The mean is at most a constant for all sizes."""
    return Order(Sampled(found, [high] * len(SIZES)), [ops.constant(1)] * len(SIZES), x=SIZES, constant=constant)


@claim(id="fast_entropy.C11h", **RUNS)
def reward_free_is_quadratic(ops: Any, m: Any, rng: Any) -> Order:
    r"""On fans of m = 2, 3, 4, 6 rooms RF-Express makes the largest error over all policies and rewards on arrival at an end
    at most 9/20 on average by 4 m^2 episodes, and not by 10 m (twin 1): as many as there are probabilities to know.

    Open: a measurement. For the lower bound, that n draws of a row of m leave an error of the order of :math:`\sqrt{m/n}`.
    """
    return _even(ops, reward_free_errors(rng, lambda m: 4 * m * m), 1.0, 0.45)


@twin(reward_free_is_quadratic, why="a number of episodes that is linear in m")
def reward_free_is_linear(ops: Any, m: Any, rng: Any) -> Order:
    return _even(ops, reward_free_errors(rng, lambda m: 10 * m), 1.0, 0.45)


@claim(id="fast_entropy.C11i", **RUNS)
def entropy_is_linear(ops: Any, m: Any, rng: Any) -> Order:
    r"""On the same fans Reg-EntGame is short of the largest visitation entropy by at most 1/8 on average, counted up to
    1/4, after 10 m episodes, as many as the false variant of C11h has; and not after 10 for all m (twin 1).

    Open: a measurement; forecasts cost of the order of S/T a step (C4). The uniform policy is short of it by 0.134 for m = 6.
    """
    return _even(ops, entropy_errors(rng, lambda m: 10 * m), 0.25, 1 / 8)


@twin(entropy_is_linear, why="a number of episodes that does not grow")
def entropy_is_free(ops: Any, m: Any, rng: Any) -> Order:
    return _even(ops, entropy_errors(rng, lambda m: 10), 0.25, 1 / 8)


def episodes_needed(m: int, seeds: range, reward: float = 0.25, nats: float = 0.1) -> dict[str, float]:
    """Means over seeds, on the fan of m rooms: reward-free learners, until the largest error over policies and rewards is at most
    ``reward`` (looked at on a grid of ratio 1.15); the others, after their last episode that is short by more than ``nats``.
    Bonuses in full but for UCBVI-Ent, which has none. The table of docs/exploration_entropy.md.
    """
    from tabular.exploration import RF_Express, RF_RL_Explore, interact
    from tabular.exploration.fast_entropy_agents import UCBVI_Ent
    from tabular.exploration.fast_entropy_regular import Reg_EntGame
    from tabular.exploration.fast_entropy_reward_free import RF_Explore_Ent
    from tabular.instances.exploration import fan

    model, K, found = fan(m), 100 * m, {}
    for explorer in (RF_Express(), RF_RL_Explore()):
        found[type(explorer).__name__] = float(np.mean([_first(model, m, explorer, seed, reward) for seed in seeds]))
    for name, learner, column in (
        ("Reg_EntGame", Reg_EntGame(), "visitation_entropy"),
        ("EntGame by step", Reg_EntGame(regularised=False), "visitation_entropy"),
        ("RF_Explore_Ent", RF_Explore_Ent(last=False), "gap"),
        ("UCBVI_Ent", UCBVI_Ent(bonus_scale=0.0, last=False), "value"),
    ):
        run = interact(model, learner, K, seeds=seeds, record=range(1, K + 1), threads=1)
        best = {"visitation_entropy": largest_entropy(m), "gap": 0.0, "value": run.info["V_star"][0, 0]}[column]
        short = np.abs(best - run.history[column]) > nats
        found[name] = float(np.mean(np.where(short, np.arange(2, K + 2), 1).max(axis=1)))
    return found


def _first(model: Any, m: int, learner: Any, seed: int, reward: float) -> int:
    from tabular.exploration import Play

    play, k = Play(model, learner, 100 * m * m, seed), float(m)
    while play.episode < play.world.K:
        play.advance(min(int(k), play.world.K) - play.episode)
        if largest_errors(m, play.counts.seen.reshape(1, model.H, -1))[0] <= reward:
            break
        k = max(1.15 * k, k + 1)
    return play.episode
