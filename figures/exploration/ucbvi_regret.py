r"""ucbvi, optimistic_q, psrl: regret of all episodic learners against episodes, on four models, with simultaneous bands.

What covers a learner's bonus stands in the column ``bonus``: ``printed`` (the constants of its paper's theorem),
``derived`` (constants proved in this project), ``chosen`` (smaller, or unnamed by the theorem: nothing is
guaranteed), ``none`` (there is no bonus).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf, log, sqrt
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from figures.bands import simultaneous_band
from figures.panels import each, legend, outer, percent
from figures.pieces import Runs, Tell, results
from figures.table import Table
from tabular import MDP, FiniteHorizonMDP
from tabular.exploration import (
    PSRL,
    UCB_B,
    UCB_H,
    UCBVI_BF,
    UCBVI_CH,
    Bernstein,
    Hoeffding,
    KullbackLeibler,
    OptimisticPlanning,
    Random,
    SoftOptimisticPlanning,
    Weissman,
    episodic,
    interact,
)
from tabular.instances import garnet, river_swim
from tabular.instances.exploration import deep_sea
from tabular.instances.regret_bounds import planted_arm

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from figures.style import Style

TITLE = "Regret of episodic learners"
CLAIMS = ("ucbvi.C1", "ucbvi.C2", "optimistic_q.C2")
SHORT = {
    "OptimisticPlanning Hoeffding": "optimistic, Hoeffding",
    "OptimisticPlanning Bernstein": "optimistic, Bernstein",
    "OptimisticPlanning Weissman": "optimistic, L1",
    "OptimisticPlanning KullbackLeibler": "optimistic, KL",
    "SoftOptimisticPlanning Weissman": "soft optimistic, L1",
    "Random": "uniform actions",
}
PLACES = {"river_swim": "RiverSwim", "deep_sea": "DeepSea", "garnet": "Garnet", "planted_arm": "planted arms"}
DELTA = 0.1
SHARE = 64  # trials play one episode in so many
QUICK: dict[str, Any] = {"K": 2000, "seeds": 6}
SECONDS = {"quick": 60.0, "paper": 1500.0}


class Player(NamedTuple):
    """A learner as the table names it."""

    learner: str
    bonus: str
    scale: float
    make: Any
    objective: str = "reward"


def _planning(width: Any) -> OptimisticPlanning:
    return OptimisticPlanning(width, DELTA)


PLAYERS = (
    Player("UCBVI-CH", "printed", 1.0, UCBVI_CH(DELTA)),
    Player("UCBVI-CH", "chosen", 0.01, UCBVI_CH(DELTA, 0.01)),
    Player("UCBVI-BF", "printed", 1.0, UCBVI_BF(DELTA)),
    Player("UCBVI-BF", "chosen", 0.01, UCBVI_BF(DELTA, 0.01)),
    Player("UCB-H", "derived", sqrt(2.0), UCB_H(DELTA, sqrt(2.0))),
    Player("UCB-H", "chosen", 0.02, UCB_H(DELTA, 0.02)),
    Player("UCB-B", "chosen", 1.0, UCB_B(DELTA)),
    Player("UCB-B", "chosen", 0.02, UCB_B(DELTA, 0.02, 0.02)),
    Player("OptimisticPlanning Hoeffding", "derived", 1.0, _planning(Hoeffding())),
    Player("OptimisticPlanning Hoeffding", "chosen", 0.1, _planning(Hoeffding(0.1))),
    Player("OptimisticPlanning Bernstein", "chosen", 1.0, _planning(Bernstein())),
    Player("OptimisticPlanning Weissman", "derived", 1.0, _planning(Weissman())),
    Player("OptimisticPlanning KullbackLeibler", "derived", 1.0, _planning(KullbackLeibler())),
    Player("SoftOptimisticPlanning Weissman", "derived", 1.0, SoftOptimisticPlanning(0.1, Weissman(), DELTA), "soft"),
    Player("PSRL", "none", 0.0, PSRL()),
    Player("Random", "none", 0.0, Random()),
)


def random_mdp() -> MDP:
    """A Garnet of six states and three actions, its rewards moved from [-1, 1] to [0, 1]; start: state 0."""
    m = garnet(6, 3, gamma=(0.95,)).member(0, 1)
    return MDP(m.P, (m.rewards + 1.0) / 2.0, 0.95, rho=np.eye(6)[0], name="garnet(6, 3)")


def lower_bound_gap(M: int, A: int, K: int) -> float:
    r""":math:`\sqrt{MA/K}/4`: arms that K episodes can hardly tell apart."""
    return sqrt(M * A / K) / 4.0


MODELS: dict[str, Callable[[int], FiniteHorizonMDP]] = {
    "river_swim": lambda K: episodic(river_swim(6), 20),
    "deep_sea": lambda K: deep_sea(10),
    "garnet": lambda K: episodic(random_mdp(), 20),
    "planted_arm": lambda K: planted_arm(4, 4, 10, lower_bound_gap(4, 4, K)),
}


def compute(
    *,
    K: int = 20_000,
    seeds: int = 24,
    models: Sequence[str] = tuple(MODELS),
    players: Sequence[Player] = PLAYERS,
    level: float = 0.95,
    keep: str | Path | None = None,
    tell: Tell | None = None,
) -> Table:
    r"""Columns ``model``, ``learner``, ``bonus``, ``scale``, ``objective``, ``episode``, ``mean`` regret over seeds, ``lower`` and
    ``upper``: a sup-t band (``figures.bands``) that holds at all recorded episodes of a curve at once with probability ``level``.

    Regret is that of exact values, in units of reward; of ``SoftOptimisticPlanning`` that of reward plus a tenth of
    the entropy (``objective`` is ``soft``), not to be compared with the others. Rewards are known, and what comes is
    their mean. RiverSwim: 6 states, H = 20; DeepSea: 10; a Garnet: 6 states, 3 actions, H = 20; planted arms: M = A =
    4, H = 10, a gap of :math:`\sqrt{MA/K}/4`. ``trivial`` is H times the episode; ``least``, a lower bound on the mean of any
    learner over planted arms, known after K episodes of them (else NaN). ``keep``, ``tell``: as in ``figures.pieces.results``.
    """
    from figures.exploration.ucbvi_lower_bound import least_regret

    found = results(_runs(K, models, players), range(seeds), keep=keep, tell=tell)
    rows: list[tuple[Any, ...]] = []
    least = least_regret(4, 4, 10, K, lower_bound_gap(4, 4, K))
    for name in models:
        H = MODELS[name](K).H
        for p in players:
            part = found[_name(K, name, p)]
            band, episodes = simultaneous_band(part["regret"], level), part["episode"][0]
            known = np.where((name == "planted_arm") & (episodes == K), least, np.nan)
            curve = zip(episodes, band.mean, band.lower, band.upper, H * episodes, known, strict=True)
            rows += [(name, p.learner, p.bonus, p.scale, p.objective, *point) for point in curve]
    names = ("model", "learner", "bonus", "scale", "objective", "episode", "mean", "lower", "upper", "trivial", "least")
    return Table.of_rows(names, rows, K=K, seeds=seeds, level=level, delta=DELTA)


def draw(table: Table, style: Style) -> Figure:
    """Models, and within each the constants of the theorems apart from others. A learner has the same look everywhere."""
    models, narrow = each(table.columns["model"]), style.width < 4
    groups = (("printed", "derived"), ("chosen", "none"))
    size = (len(models), 2) if narrow else (2, len(models))
    fig, axes = style.figure(
        *size, 0.8 if narrow else 1.05, squeeze=False, sharex=True, sharey="row" if narrow else "col"
    )
    looks = {learner: i for i, learner in enumerate(each(table.columns["learner"]))}
    for m, model in enumerate(models):
        part = table.where(model=model)
        for g, bonuses in enumerate(groups):
            ax = axes[m, g] if narrow else axes[g, m]
            for p in PLAYERS:
                c = part.where(learner=p.learner, bonus=p.bonus, scale=p.scale).columns
                if len(c["episode"]) and (p.bonus in bonuses or p.learner == "Random"):
                    look = style.line(looks[p.learner])
                    if p.learner == "Random":
                        look |= {"linewidth": 0.8, "color": "#666666", "linestyle": (0, (4, 2))}
                    if p.learner == "UCB-B" and p.scale < 1:  # the one learner that is there twice in a row
                        look |= {"markerfacecolor": "white"}
                    last = {"markevery": [-1], "clip_on": False}
                    style.band(ax, c["episode"], c["lower"], c["upper"], looks[p.learner])
                    ax.plot(c["episode"], c["mean"], label=SHORT.get(p.learner, p.learner), **look | last)
                    known = np.isfinite(c["least"])
                    if p.learner == "Random" and known.any():
                        least = {
                            "marker": "_",
                            "markersize": 9,
                            "markeredgewidth": 1.5,
                            "color": "#666666",
                            "clip_on": False,
                        }
                        ax.plot(c["episode"][known], c["least"][known], linestyle="none", label="lower bound", **least)
            if narrow or g == 0:
                ax.set_title(PLACES[model] + (", theorems" if g == 0 else ", smaller") * narrow)
            ax.locator_params(axis="x", nbins=3)
            ax.locator_params(axis="y", nbins=5)
    for ax in axes.ravel():
        ax.set_xlim(left=0)
        ax.set_ylim(bottom=0)
    outer(list(axes.ravel()), x="episode", y="regret")
    if not narrow:
        for ax, words in zip(axes[:, 0], ("(theorems)", "(smaller)"), strict=True):
            ax.set_ylabel(f"regret\n{words}")
    legend(style, fig, list(axes.ravel()))
    return fig


def caption(table: Table) -> str:
    """What the figure shows."""
    p = table.parameters
    first = bounds(table).columns["first"]
    printed = (
        f" At {p['K']} episodes all printed bounds are above H K, which is all that can be lost; the first to fall "
        "below it does so after "
        f"{first.min():.0e} episodes."
        if len(first)
        else ""
    )
    return (
        r"Regret $\sum_k \rho \cdot (V^* - V^{\pi_k})$ in units of reward (a number: no norm) against episodes, by exact "
        "values of the policies played. Upper row (left "
        "column where there are two): bonuses with the constants of a theorem, printed or derived here; lower row: "
        "smaller constants, for which "
        rf"nothing is guaranteed, and learners without a bonus. Confidence $\delta$ = {p['delta']:g}. Soft "
        "optimistic: regret of reward plus a "
        "tenth of the entropy (temperature 0.1), not comparable with the others, whose temperature is 0. UCB-B is "
        "there twice, hollow with its bonus scaled by 0.02. "
        "Bar at "
        "the last episode: what "
        f"every learner loses at least over planted arms, on average.{printed} Lines: means over {p['seeds']} "
        "seeds; bands: simultaneous over all "
        rf"recorded episodes of a curve, {percent(p['level'])} (sup-t)."
    )


def bounds(table: Table) -> Table:
    """For the learners of a table whose regret is bounded with named constants: ``bound`` at K, ``trivial`` = H K, the measured
    ``mean``, whether the bound is ``vacuous``, and ``first``: the least number of episodes at which it is below the trivial one.

    ``ratio``: measured over bound.
    """
    K, delta = table.parameters["K"], table.parameters["delta"]
    rows = []
    for name in dict.fromkeys(table.columns["model"]):
        m = MODELS[name](K)
        for learner, bonus in (("UCBVI-CH", "printed"), ("UCBVI-BF", "printed"), ("UCB-H", "derived")):
            last = table.where(model=name, learner=learner, bonus=bonus, episode=K).columns["mean"]
            if len(last):
                bound = regret_bound(learner, m.H, m.S, m.A, K, delta)
                first, trivial = first_said(learner, m.H, m.S, m.A, delta), float(m.H * K)
                rows.append((name, learner, last[0], bound, trivial, last[0] / bound, bound >= trivial, first))
    names = ("model", "learner", "mean", "bound", "trivial", "ratio", "vacuous", "first")
    return Table.of_rows(names, rows, K=K, delta=delta)


def regret_bound(learner: str, H: int, S: int, A: int, K: float, delta: float) -> float:
    """ucbvi.C1, ucbvi.C2 and optimistic_q.C2 (which holds with probability 1 - 2 delta), in units of reward."""
    T = H * K
    if learner == "UCB-H":
        iota = log(S * A * T / delta)
        return 31 * sqrt(H**4 * S * A * T * iota) + 3 * S * A * H**2 + 4 * sqrt(H**2 * T * log(1 / delta))
    L = log(5 * H * S * A * T / delta)
    if learner == "UCBVI-CH":
        return 20 * H**1.5 * L * sqrt(S * A * K) + 250 * H**2 * S**2 * A * L**2
    if learner == "UCBVI-BF":
        return 30 * H * L * sqrt(S * A * K) + 2500 * H**2 * S**2 * A * L**2 + 4 * H**1.5 * sqrt(K * L)
    raise ValueError(f"no bound with named constants is known for {learner!r}")


def first_said(learner: str, H: int, S: int, A: int, delta: float) -> float:
    """The number of episodes, to a thousandth, from which on the bound is below H K; bound / K falls."""
    low, high = 1.0, 2.0
    while regret_bound(learner, H, S, A, high, delta) >= H * high:
        low, high = high, 2.0 * high
        if high == inf:
            raise ValueError(f"the bound of {learner} never falls below the trivial one")
    while high / low > 1.001:
        middle = sqrt(low * high)
        low, high = (middle, high) if regret_bound(learner, H, S, A, middle, delta) >= H * middle else (low, middle)
    return high


def _name(K: int, model: str, p: Player) -> str:
    return f"regret {model} {p.make!r} K={K}"


def _runs(K: int, models: Sequence[str], players: Sequence[Player]) -> list[Runs]:
    return [_one(K, model, p) for model in models for p in players]


def _one(K: int, name: str, p: Player) -> Runs:
    model = MODELS[name](K)

    def run(seed: int) -> dict[str, np.ndarray]:
        history = interact(model, p.make, K, seeds=[seed], threads=1).history
        return {"episode": history["episode"], "regret": history["regret"][0]}

    def trial() -> float:
        few = max(1, K // SHARE)
        interact(model, p.make, few, threads=1)
        return few / K

    return Runs(_name(K, name, p), run, trial)
