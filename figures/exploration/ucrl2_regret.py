r"""ucrl2: regret of the average reward against steps, by the exact gains of the policies played, with simultaneous bands.

The setting is UCRL2's own: one stream of steps without episodes, and regret against the optimal gain. It is not to be
laid beside the curves of episodic learners; where both may be counted in the same unit, ``psrl_comparison`` does so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import log, sqrt
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from figures.bands import simultaneous_band
from figures.exploration.ucbvi_regret import PLACES, random_mdp
from figures.panels import banded, each, legend, outer, panels, percent
from figures.pieces import Runs, Tell, results
from figures.table import Table
from tabular import MDP, solve
from tabular.exploration import Jaksch, KullbackLeibler, Weissman, ucrl2
from tabular.instances import river_swim
from tabular.instances.exploration import deep_sea
from tabular.instances.regret_bounds import two_state_gadget

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from figures.style import Style

TITLE = "Regret of UCRL2"
CLAIMS = ("ucrl2.C1",)
DELTA, LEAVE, ARMS = 0.1, 1 / 16, 4
SHARE = 16
QUICK: dict[str, Any] = {"T": 20000, "seeds": 6}
SECONDS = {"quick": 20.0, "paper": 220.0}


class Width(NamedTuple):
    """A width of plausible models, as the table names it."""

    width: str
    bonus: str
    scale: float
    make: Any


WIDTHS = (
    Width("Jaksch", "printed", 1.0, Jaksch()),
    Width("Jaksch", "chosen", 0.1, Jaksch(0.1)),
    Width("Weissman", "chosen", 1.0, Weissman()),
    Width("KullbackLeibler", "chosen", 1.0, KullbackLeibler()),
)
"""Only the first is the theorem's: the others hold at one time, while here the number of times is random."""


def _gadget(T: int) -> MDP:
    return two_state_gadget(ARMS, LEAVE, min(sqrt(LEAVE * ARMS / T), 1 - LEAVE))


MODELS: dict[str, Callable[[int], MDP]] = {
    "river_swim": lambda T: river_swim(6),
    "deep_sea": lambda T: deep_sea(10).stage(0),
    "garnet": lambda T: random_mdp(),
    "gadget": _gadget,
}


def compute(
    *,
    T: int = 200_000,
    seeds: int = 24,
    models: Sequence[str] = tuple(MODELS),
    widths: Sequence[Width] = WIDTHS,
    level: float = 0.95,
    keep: str | Path | None = None,
    tell: Tell | None = None,
) -> Table:
    r"""Columns ``model``, ``width``, ``bonus``, ``scale``, ``step``, ``mean`` over seeds of :math:`\sum_t (\rho^* - \rho^{\pi_t})`,
    ``lower`` and ``upper``, a sup-t band at all recorded steps of a curve at once, and ``epochs``, the mean number in all.

    Gains are exact, in units of reward a step; mean rewards are estimated from what comes, which is their mean. RiverSwim and the
    Garnet as in ``ucbvi_regret``; DeepSea without restarts, ten states of which the last pays; the gadget of the lower bound: four
    actions, two states left with probability 1/16, but for one action by which :math:`\sqrt{4/(16 T)}` more.
    ``keep``, ``tell``: as in ``figures.pieces.results``.
    """
    runs = [_one(T, name, w) for name in models for w in widths]
    found = results(runs, range(seeds), keep=keep, tell=tell)
    rows: list[tuple[Any, ...]] = []
    for name in models:
        for w in widths:
            part = found[_name(T, name, w)]
            band = simultaneous_band(part["regret"], level)
            curve = zip(part["step"][0], band.mean, band.lower, band.upper, strict=True)
            rows += [(name, w.width, w.bonus, w.scale, *point, part["epochs"].mean()) for point in curve]
    names = ("model", "width", "bonus", "scale", "step", "mean", "lower", "upper", "epochs")
    return Table.of_rows(names, rows, T=T, seeds=seeds, level=level, delta=DELTA)


def draw(table: Table, style: Style) -> Figure:
    """A panel for each model."""
    models = each(table.columns["model"])
    fig, axes = panels(style, len(models), 0.55, least=1.6)
    for ax, model in zip(axes, models, strict=True):
        for i, w in enumerate(WIDTHS):
            c = table.where(model=model, width=w.width, scale=w.scale).columns
            if len(c["step"]):
                name = {"KullbackLeibler": "KL", "Weissman": "L1"}.get(w.width, w.width)
                banded(style, ax, c, i, name + (f", scaled by {w.scale:g}" if w.scale != 1 else ""), x="step")
        ax.set_xlim(left=0)
        ax.set_ylim(bottom=0)
        ax.locator_params(axis="x", nbins=3)
        ax.set_title(PLACES.get(model, "two-state gadget"))
    outer(axes, x="step", y="regret")
    legend(style, fig, axes)
    return fig


def caption(table: Table) -> str:
    """What the figure shows."""
    p = table.parameters
    found = bounds(table).columns
    times = (
        f"between {min(1 / found['ratio']):.0e} and {max(1 / found['ratio']):.0e} times"
        if len(found["ratio"])
        else "many times"
    )
    return (
        r"Regret of UCRL2 for the average reward, $\sum_t (\rho^* - \rho^{\pi_t})$ by the exact gains of the "
        "policies played (units of reward; gains "
        rf"are numbers, so that no norm is involved), against steps. Confidence $\delta$ = {p['delta']:g}. Jaksch: "
        "the widths of the theorem; "
        "scaled by a tenth, L1 and KL: no guarantee is claimed. "
        f"The theorem's bound with its recalled constant is {times} the regret measured after {p['T']} steps, and "
        "above one a step, which is all that can be lost. No entropy term "
        f"(temperature 0). Lines: means over {p['seeds']} seeds; bands: simultaneous over all recorded steps of a "
        "curve, "
        rf"{percent(p['level'])} (sup-t)."
    )


def bounds(table: Table) -> Table:
    r"""What ucrl2.C1 allows at T: ``bound`` :math:`34 D S \sqrt{A T \log(T/\delta)}`, ``diameter`` D, ``trivial`` = T, the measured
    ``mean``, ``ratio`` = mean / bound, and whether the bound is ``vacuous``. Its constant is recalled, not seen.
    """
    T, delta = table.parameters["T"], table.parameters["delta"]
    rows = []
    for name in dict.fromkeys(table.columns["model"]):
        mdp = MODELS[name](T)
        D = diameter(mdp)
        last = table.where(model=name, bonus="printed", step=T).columns["mean"]
        if len(last):
            bound = 34 * D * mdp.S * sqrt(mdp.A * T * log(T / delta))
            rows.append((name, last[0], bound, D, float(T), last[0] / bound, bound >= T))
    names = ("model", "mean", "bound", "diameter", "trivial", "ratio", "vacuous")
    return Table.of_rows(names, rows, T=T, delta=delta)


def diameter(mdp: MDP) -> float:
    """The largest expected time from one state to another by whoever is fastest: a shortest path for each target."""
    P, slowest = mdp.to_dense().P, 0.0
    for t in range(mdp.S):
        others = np.arange(mdp.S) != t
        there = MDP(P[others][:, :, others], -np.ones((mdp.S - 1, mdp.A)), 1.0, end=P[others, :, t])
        slowest = max(slowest, float(-solve(there).V.min()))
    return slowest


def _name(T: int, model: str, w: Width) -> str:
    return f"ucrl2 {model} {w.make!r} T={T}"


def _one(T: int, name: str, w: Width) -> Runs:
    mdp = MODELS[name](T)

    def run(seed: int) -> dict[str, np.ndarray]:
        found = ucrl2(mdp, T, delta=DELTA, width=w.make, seeds=[seed], threads=1)
        return {
            "step": found.history["step"],
            "regret": found.history["gain_regret"][0],
            "epochs": found.result["epochs"][0],
        }

    def trial() -> float:
        few = max(1, T // SHARE)
        ucrl2(mdp, few, delta=DELTA, width=w.make, threads=1)
        return few / T

    return Runs(_name(T, name, w), run, trial)
