r"""fast_entropy: what agents visit on the double chain and on a gridworld, state by state, and how evenly.

The reference experiments of the paper: a chain of 31 states that goes the other way with probability 1/10, 100,000 transitions, 48
seeds; a grid of 21 x 21, 600,000 transitions, 12 seeds; both from the middle in episodes of 20 steps. A move on the grid slips with
probability 1/20, half of it to each side.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import log
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from figures.bands import simultaneous_band
from figures.pieces import Runs, Tell, results
from figures.table import Table
from tabular import MDP, FiniteHorizonMDP
from tabular.exploration import RF_UCRL, Fixed, Random, RF_Express, episodic, interact, max_ent
from tabular.exploration.fast_entropy import (
    maximum_pooled_entropy,
    maximum_trajectory_entropy,
    maximum_visitation_entropy,
)
from tabular.exploration.fast_entropy_agents import EntGame, UCBVI_Ent
from tabular.exploration.visits import entropy, visits
from tabular.instances import gridworld
from tabular.instances.exploration import double_chain

H, SIDE, LENGTH = 20, 21, 31
POOLED_GAP = 1e-3
SHARE = 64
QUICK: dict[str, Any] = {"worlds": ("double_chain",), "transitions": 4000, "seeds": 4}


class World(NamedTuple):
    """One of the two experiments: its model, sizes, and whether EntGame clips its values."""

    make: Callable[[], MDP]
    transitions: int
    seeds: int
    clip: bool


def _grid() -> MDP:
    rows = ["." * SIDE] * SIDE
    rows[SIDE // 2] = "." * (SIDE // 2) + "S" + "." * (SIDE // 2)
    return gridworld(rows, gamma=1, slip=0.05)


WORLDS = {
    "double_chain": World(lambda: double_chain(LENGTH, fail=0.1, gamma=1), 100_000, 48, True),
    "grid": World(_grid, 600_000, 12, False),
}


def _stationary(fh: FiniteHorizonMDP) -> np.ndarray:
    """MaxEnt's policy for the discount 1 - 1/H: stationary, played for H steps."""
    m = fh.stage(0)
    discounted = MDP(m.csr(), m.R, 1.0 - 1.0 / fh.H, rho=fh.rho)
    pi = max_ent(discounted, 200, sigma=1e-3 / m.S, of="states").result["pi"]
    return np.repeat(pi[None], fh.H, axis=0)


AGENTS: dict[str, Callable[[FiniteHorizonMDP, World], Any]] = {
    "Random": lambda fh, w: Random(),
    "MTEE oracle": lambda fh, w: Fixed(maximum_trajectory_entropy(fh, last=True).pi),
    "MVEE oracle": lambda fh, w: Fixed(maximum_visitation_entropy(fh, tol=1e-6).pi),
    "pooled oracle": lambda fh, w: Fixed(maximum_pooled_entropy(fh, tol=POOLED_GAP).pi),
    "MaxEnt": lambda fh, w: Fixed(_stationary(fh)),
    "EntGame": lambda fh, w: EntGame(clip=w.clip),
    "EntGame, no bonus": lambda fh, w: EntGame(bonus_scale=0.0, clip=w.clip),
    "UCBVI-Ent": lambda fh, w: UCBVI_Ent(),
    "UCBVI-Ent, no bonus": lambda fh, w: UCBVI_Ent(bonus_scale=0.0),
    "RF-UCRL": lambda fh, w: RF_UCRL(),
    "RF-Express": lambda fh, w: RF_Express(),
}
"""Those with a bonus have that of the theorems, times one."""


def compute(
    *,
    worlds: Sequence[str] = tuple(WORLDS),
    agents: Sequence[str] = tuple(AGENTS),
    transitions: int | None = None,
    seeds: int | None = None,
    level: float = 0.95,
    keep: str | Path | None = None,
    tell: Tell | None = None,
) -> tuple[Table, Table]:
    r"""Visits by state, and entropies by agent. ``transitions`` and ``seeds``: None for those of the paper.

    Visits: columns ``world``, ``agent``, ``state``, ``mean`` number of visits over seeds, ``lower`` and ``upper``, a
    sup-t band that holds at all states of an agent at once, cut off at zero (a state that no seed visited has no width).

    Entropies: ``world``, ``agent``, ``quantity``, ``mean``, ``lower``, ``upper``: over seeds, with Student's
    interval. ``states``: :math:`\mathcal H(N/\sum N) / \log S` of visits N of states, and ``pairs``, the same of
    pairs over :math:`\log(SA)`, both of one seed's counts, hence biased low by at most :math:`\log(1 + (n-1)/N)` of n
    symbols. Where occupancies are known exactly, those of the (mixture of the) policies played: ``pooled``,
    :math:`\mathcal H(\frac1H \sum_h d_h) / \log(SA)`, and ``visitation``, :math:`\sum_h \mathcal H(d_h) / (H
    \log(SA))`. ``best pooled`` and ``best visitation`` of the agent ``maximum`` enclose the largest.
    """
    counted: list[tuple[Any, ...]] = []
    spread: list[tuple[Any, ...]] = []
    for name in worlds:
        w = WORLDS[name]
        fh = episodic(w.make(), H)
        K, many = (transitions or w.transitions) // H, seeds or w.seeds
        found = results([_one(name, fh, w, agent, K) for agent in agents], range(many), keep=keep, tell=tell)
        for agent in agents:
            part = found[_name(name, agent, K)]
            band = simultaneous_band(part["visits"], level)
            columns = (band.mean, np.maximum(band.lower, 0.0), band.upper)
            counted += [(name, agent, s, *x) for s, x in enumerate(zip(*columns, strict=True))]
            for quantity in ("states", "pairs", "pooled", "visitation"):
                if quantity in part:
                    one = simultaneous_band(part[quantity][:, None], level)
                    spread.append((name, agent, quantity, one.mean[0], one.lower[0], one.upper[0]))
        spread += _largest(name, fh)
    names = ("world", "agent", "state", "mean", "lower", "upper")
    told = {"H": H, "level": level}
    return Table.of_rows(names, counted, **told), Table.of_rows(
        ("world", "agent", "quantity", "mean", "lower", "upper"), spread, **told
    )


def _largest(name: str, fh: FiniteHorizonMDP) -> list[tuple[Any, ...]]:
    pooled, visitation = maximum_pooled_entropy(fh, tol=POOLED_GAP), maximum_visitation_entropy(fh, tol=1e-6)
    each = log(fh.S * fh.A)
    rows = []
    for quantity, sol, unit in (("best pooled", pooled, each), ("best visitation", visitation, fh.H * each)):
        low, high = sol.lower / unit, sol.upper / unit
        rows.append((name, "maximum", quantity, (low + high) / 2, low, high))
    return rows


def _name(world: str, agent: str, K: int) -> str:
    return f"visits {world} {agent} K={K}"


def _one(world: str, fh: FiniteHorizonMDP, w: World, agent: str, K: int) -> Runs:
    learner = AGENTS[agent](fh, w)
    each = log(fh.S * fh.A)
    known = _exact(fh, learner, each)

    def run(seed: int) -> dict[str, np.ndarray]:
        played = interact(fh, learner, K, seeds=[seed], record=[K], threads=1)
        pairs = played.result["visits"][0].sum(axis=0).astype(np.float64)
        states = pairs.sum(axis=1)
        total = states.sum()
        out = {
            "visits": states,
            "states": np.array(entropy(states / total) / log(fh.S)),
            "pairs": np.array(entropy(pairs / total) / each),
        } | known
        if isinstance(learner, EntGame):
            out["pooled"] = played.history["pooled_entropy"][0, -1] / each
            out["visitation"] = played.history["visitation_entropy"][0, -1] / (fh.H * each)
        return out

    def trial() -> float:
        few = max(1, K // SHARE)
        interact(fh, learner, few, threads=1)
        return few / K

    return Runs(_name(world, agent, K), run, trial)


def _exact(fh: FiniteHorizonMDP, learner: Any, each: float) -> dict[str, np.ndarray]:
    """Entropies of the one policy of those that do not learn."""
    if not isinstance(learner, Fixed | Random):
        return {}
    pi = learner.pi if isinstance(learner, Fixed) else np.full((fh.H, fh.S, fh.A), 1.0 / fh.A)
    d = visits(fh, pi)
    visitation = sum(entropy(x) for x in d) / (fh.H * each)
    return {"pooled": np.array(entropy(d.mean(axis=0)) / each), "visitation": np.array(visitation)}
