r"""fast_entropy: what agents visit on the double chain and on a gridworld, state by state, and how evenly.

The reference experiments of the paper: a chain of 31 states that goes the other way with probability 1/10, 100,000 transitions, 48
seeds; a grid of 21 x 21, 600,000 transitions, 12 seeds; both from the middle in episodes of 20 steps. A move on the grid slips with
probability 1/20, half of it to each side.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import log
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from figures.bands import simultaneous_band
from figures.panels import banded, each, percent
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

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from figures.style import Style

TITLE = "Visits of the double chain, and how even they are"
CLAIMS = ("rf_express.C4",)
TABLES = ("visits", "entropies")
H, SIDE, LENGTH = 20, 21, 31
POOLED_GAP = 1e-3
SHARE, ROUNDS = 64, 200
QUICK: dict[str, Any] = {"transitions": 20_000, "seeds": 6}
SECONDS = {"quick": 30.0}


class World(NamedTuple):
    """One of the two experiments: its model, sizes, whether EntGame clips its values, and the rounds of MaxEnt."""

    make: Callable[[], MDP]
    transitions: int
    seeds: int
    clip: bool
    rounds: int = ROUNDS


def _grid() -> MDP:
    rows = ["." * SIDE] * SIDE
    rows[SIDE // 2] = "." * (SIDE // 2) + "S" + "." * (SIDE // 2)
    return gridworld(rows, gamma=1, slip=0.05)


WORLDS = {
    "double_chain": World(lambda: double_chain(LENGTH, fail=0.1, gamma=1), 100_000, 48, True),
    "grid": World(_grid, 600_000, 12, False),
}


def _stationary(fh: FiniteHorizonMDP, rounds: int) -> np.ndarray:
    """MaxEnt's policy for the discount 1 - 1/H: stationary, played for H steps."""
    m = fh.stage(0)
    discounted = MDP(m.csr(), m.R, 1.0 - 1.0 / fh.H, rho=fh.rho)
    pi = max_ent(discounted, rounds, sigma=1e-3 / m.S, of="states").result["pi"]
    return np.repeat(pi[None], fh.H, axis=0)


AGENTS: dict[str, Callable[[FiniteHorizonMDP, World], Any]] = {
    "Random": lambda fh, w: Random(),
    "MTEE oracle": lambda fh, w: Fixed(maximum_trajectory_entropy(fh, last=True).pi),
    "MVEE oracle": lambda fh, w: Fixed(maximum_visitation_entropy(fh, tol=1e-6).pi),
    "pooled oracle": lambda fh, w: Fixed(maximum_pooled_entropy(fh, tol=POOLED_GAP).pi),
    "MaxEnt": lambda fh, w: Fixed(_stationary(fh, w.rounds)),
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
    worlds: Sequence[str] = ("double_chain",),
    agents: Sequence[str] = tuple(AGENTS),
    transitions: int | None = None,
    seeds: int | None = None,
    rounds: int = ROUNDS,
    level: float = 0.95,
    keep: str | Path | None = None,
    tell: Tell | None = None,
) -> tuple[Table, Table]:
    r"""Visits by state, and entropies by agent. ``transitions`` and ``seeds``: None for those of the paper.
    ``rounds`` of MaxEnt, which looks for its policy in the known model.

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
        w = WORLDS[name]._replace(rounds=rounds)
        fh = episodic(w.make(), H)
        K, many = (transitions or w.transitions) // H, seeds or w.seeds
        found = results([_one(name, fh, w, agent, K) for agent in agents], range(many), keep=keep, tell=tell)
        for agent in agents:
            part = found[_name(name, agent, K, rounds)]
            band = simultaneous_band(part["visits"], level)
            columns = (band.mean, np.maximum(band.lower, 0.0), band.upper)
            counted += [(name, agent, s, *x) for s, x in enumerate(zip(*columns, strict=True))]
            for quantity in ("states", "pairs", "pooled", "visitation"):
                if quantity in part:
                    one = simultaneous_band(part[quantity][:, None], level)
                    spread.append((name, agent, quantity, one.mean[0], one.lower[0], one.upper[0]))
        spread += _largest(name, fh)
    names = ("world", "agent", "state", "mean", "lower", "upper")
    told = {
        "H": H,
        "level": level,
        "rounds": rounds,
        "transitions": transitions or w.transitions,
        "seeds": seeds or w.seeds,
    }
    return Table.of_rows(names, counted, **told), Table.of_rows(
        ("world", "agent", "quantity", "mean", "lower", "upper"), spread, **told
    )


LEFT = ("Random", "MTEE oracle", "MVEE oracle", "pooled oracle", "MaxEnt")
"""Agents that do not learn: the left panel."""


def draw(table: tuple[Table, Table], style: Style) -> Figure:
    """Visits state by state, of agents that know the model and of those that learn it, and entropies of pairs."""
    counted, spread = table
    narrow = style.width < 4
    agents = each(counted.columns["agent"])
    fig, axes = style.figure(3 if narrow else 1, 1 if narrow else 3, 0.6 if narrow else 1.1, squeeze=False)
    known, learnt, even = axes.ravel()
    for ax, group, title in (
        (known, [a for a in agents if a in LEFT], "known model"),
        (learnt, [a for a in agents if a not in LEFT], "learning"),
    ):
        for agent in group:
            c = counted.where(agent=agent).columns
            seen = c["mean"] > 0
            banded(style, ax, {k: x[seen] for k, x in c.items()}, agents.index(agent), agent, x="state")
            if not seen.all():
                look = style.line(agents.index(agent)) | {
                    "linestyle": "none",
                    "markerfacecolor": "white",
                    "clip_on": False,
                }
                ax.plot(c["state"][~seen], [0.02] * int((~seen).sum()), transform=ax.get_xaxis_transform(), **look)
        ax.set_yscale("log")
        ax.set_title(title)
        ax.set_xlabel("state")
        ax.set_ylabel("visits")
    low, high = (f(ax.get_ylim()[j] for ax in (known, learnt)) for j, f in ((0, min), (1, max)))
    for ax in (known, learnt):
        ax.set_ylim(low, high)
    part = spread.where(quantity="pairs").columns
    for y, agent in enumerate(reversed(agents)):
        j = list(part["agent"]).index(agent)
        ends = [[part["mean"][j] - part["lower"][j]], [part["upper"][j] - part["mean"][j]]]
        i = agents.index(agent)
        look = style.line(i) | {"linestyle": "none"}
        even.errorbar([part["mean"][j]], [y], xerr=ends, label=agent, capsize=1.5, elinewidth=0.8, **look)
    best = spread.where(quantity="best pooled").columns["upper"][0]
    even.axvline(best, color="#666666", linewidth=0.8, linestyle=(0, (4, 2)))
    even.set_yticks(range(len(agents)), list(reversed(agents)))
    even.tick_params(axis="y", length=0)
    even.set_title("evenness")
    even.set_xlabel(r"entropy of pairs / $\log SA$")
    return fig


def caption(table: tuple[Table, Table]) -> str:
    """What the figure shows."""
    p = table[0].parameters
    return (
        f"Visits of the states of the double chain of {LENGTH} states in {p['transitions']} transitions, episodes "
        f"of {p['H']} steps from the middle, a "
        "move going the other way with probability 1/10. Left: agents that know the model; middle: agents that "
        "learn it, with the bonuses of their "
        r"theorems, times one, or none. Right: entropy of the visits of pairs, as a share of $\log SA$; dashed: "
        "the largest pooled entropy that any policy "
        "can have, certified. Looks of agents are the same in all panels; hollow, at the foot: states that no seed "
        "visited. UCBVI-Ent regularises by entropy at temperature 1; no norm is involved. "
        f"Means over {p['seeds']} seeds; bands: simultaneous over all states of an agent, {percent(p['level'])} "
        "(sup-t), cut off at zero; bars: Student's "
        "interval of each agent by itself."
    )


def _largest(name: str, fh: FiniteHorizonMDP) -> list[tuple[Any, ...]]:
    pooled, visitation = maximum_pooled_entropy(fh, tol=POOLED_GAP), maximum_visitation_entropy(fh, tol=1e-6)
    each = log(fh.S * fh.A)
    rows = []
    for quantity, sol, unit in (("best pooled", pooled, each), ("best visitation", visitation, fh.H * each)):
        low, high = sol.lower / unit, sol.upper / unit
        rows.append((name, "maximum", quantity, (low + high) / 2, low, high))
    return rows


def _name(world: str, agent: str, K: int, rounds: int) -> str:
    fewer = f" rounds={rounds}" if agent == "MaxEnt" and rounds != ROUNDS else ""
    return f"visits {world} {agent} K={K}{fewer}"


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

    return Runs(_name(world, agent, K, w.rounds), run, trial)


def _exact(fh: FiniteHorizonMDP, learner: Any, each: float) -> dict[str, np.ndarray]:
    """Entropies of the one policy of those that do not learn."""
    if not isinstance(learner, Fixed | Random):
        return {}
    pi = learner.pi if isinstance(learner, Fixed) else np.full((fh.H, fh.S, fh.A), 1.0 / fh.A)
    d = visits(fh, pi)
    visitation = sum(entropy(x) for x in d) / (fh.H * each)
    return {"pooled": np.array(entropy(d.mean(axis=0)) / each), "visitation": np.array(visitation)}
