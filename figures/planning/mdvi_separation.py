"""mdvi: loss of the last policy against iterations of one draw from each pair, for several alpha; 0 is value iteration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from figures.bands import simultaneous_band
from figures.panels import banded, each, floored, headroom, legend, listed, outer, panels, percent
from figures.table import Table
from tabular.instances import garnet
from tabular.planning.mdvi import mdvi

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from figures.style import Style

TITLE = "MDVI and value iteration, one draw from each pair"
CLAIMS = ("mdvi.C8",)
ALPHAS = (0.0, 0.9, 0.99, 1.0)
QUICK: dict[str, Any] = {"K": 800, "alphas": (0.0, 0.99), "seeds": 6}
SECONDS = {"quick": 2.0}


def compute(
    *,
    S: int = 6,
    A: int = 10,
    gamma: float = 0.875,
    K: int = 6400,
    alphas: Sequence[float] = ALPHAS,
    seeds: int = 16,
    level: float = 0.95,
) -> Table:
    """Columns ``alpha``, ``seed``, ``k``, ``samples``, ``last_loss``, ``loss`` (of the non-stationary policy) in units of reward.

    A seed is a Garnet and its draws; all alphas meet the same draws. ``last_mean``, ``last_lower``, ``last_upper`` and
    ``mean``, ``lower``, ``upper``, the same for all seeds: of the two losses, with sup-t bands over all recorded k of an alpha.
    ``floor``: the error that values of this size may have in floats.
    """
    family, rows = garnet(S, A, gamma=(gamma,)), []
    models = [family.member(0, seed) for seed in range(seeds)]
    for alpha in alphas:
        found = [mdvi(mdp, alpha=alpha, K=K, M=1, seed=seed).history for seed, mdp in enumerate(models)]
        last, whole = (simultaneous_band(np.array([h[name] for h in found]), level) for name in ("last_loss", "loss"))
        for seed, history in enumerate(found):
            columns = (history[name] for name in ("k", "samples", "last_loss", "loss"))
            rows += [(alpha, seed, *row) for row in zip(*columns, *last[:3], *whole[:3], strict=True)]
    bands = ("last_mean", "last_lower", "last_upper", "mean", "lower", "upper")
    names = ("alpha", "seed", "k", "samples", "last_loss", "loss", *bands)
    largest = max(float(np.abs(m.rewards).max()) for m in models) / (1.0 - gamma)
    floor = (S + 8) * np.finfo(float).eps * largest / (1.0 - gamma)
    told = {"S": S, "A": A, "gamma": gamma, "K": K, "seeds": seeds, "level": level, "floor": floor}
    return Table.of_rows(names, rows, **told)


def draw(table: Table, style: Style) -> Figure:
    """Means and their bands. The last policy may lose nothing, so that its axis is linear."""
    fig, axes = panels(style, 2, 0.75)
    for i, alpha in enumerate(each(table.columns["alpha"])):
        c = table.where(alpha=alpha, seed=0).columns
        label = "value iteration" if alpha == 0 else rf"MDVI, $\alpha = {alpha:g}$"
        axes[0].plot(c["samples"], c["last_mean"], label=label, markevery=max(1, len(c["k"]) // 8), **style.line(i))
        style.band(axes[0], c["samples"], c["last_lower"], c["last_upper"], i)
        if _rounded(table):
            style.band(axes[1], c["samples"], c["lower"], c["upper"], i)
            style.errors(axes[1], c["samples"], c["mean"], table.parameters["floor"], i, label=label)
        else:
            banded(style, axes[1], c, i, label, x="samples")
    for ax, title in zip(axes, ("last policy", "all policies in turn"), strict=True):
        ax.set_xscale("log")
        ax.set_title(title)
    axes[0].set_ylim(bottom=0)
    if _rounded(table):
        headroom(axes[1:])
    else:
        floored(axes[1], table.columns["mean"], table.parameters["floor"])
    outer(axes, x="samples", y="loss (sup norm)")
    legend(style, fig, axes)
    return fig


def _rounded(table: Table) -> bool:
    """Whether a mean on the logarithmic axis is near the floor, which has to be drawn then."""
    return bool(table.columns["mean"].min() <= 3.0 * table.parameters["floor"])


def caption(table: Table) -> str:
    """What the figure shows."""
    p = table.parameters
    floor = f"{p['floor']:.0e}, the rounding of values of this size"
    if _rounded(table):
        floor = f"Hatched: below {floor}; what is at or below it, zeros included, stands on it, hollow."
    else:
        floor = f"No mean on the logarithmic axis is near {floor}."
    return (
        r"Loss $\|V^* - V^\pi\|_\infty$ (sup norm, units of reward) against samples. Left: of the last policy, on "
        "a linear axis, as it may "
        r"be zero. Right: of the non-stationary policy that plays the last one, then the one before, and so on. "
        rf"MDVI without entropy term (temperature 0, $\beta = \infty$) for $\alpha$ = "
        rf"{listed(a for a in each(table.columns['alpha']) if a)}, and value iteration ($\alpha = 0$), one draw "
        "from each pair in each "
        f"iteration. Garnets with {p['S']} states, {p['A']} actions and discount {p['gamma']:g}; a seed is a "
        "model and its draws, the same "
        rf"for all $\alpha$. Lines: means over {p['seeds']} seeds. Bands: simultaneous over all recorded "
        "iterations of a curve, "
        f"{percent(p['level'])} (sup-t); one that reaches zero goes down to the edge. {floor}"
    )
