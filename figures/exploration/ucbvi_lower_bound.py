r"""ucbvi: regret where one arm of each state is better by a gap that K episodes can hardly see, against K."""

from __future__ import annotations

from collections.abc import Sequence
from math import log1p, sqrt
from typing import TYPE_CHECKING, Any

import numpy as np

from figures.bands import simultaneous_band
from figures.exploration.ucbvi_regret import PLAYERS, SHORT, lower_bound_gap
from figures.panels import banded, legend, panels, percent
from figures.table import Table
from tabular.exploration import interact
from tabular.instances.regret_bounds import planted_arm

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from figures.style import Style

TITLE = "Regret at the lower bound"
CLAIMS = ("ucbvi.C1a",)
CHOSEN = {("UCBVI-CH", 0.01), ("UCBVI-BF", 0.01), ("UCB-H", 0.02), ("OptimisticPlanning Hoeffding", 0.1), ("PSRL", 0.0)}
NAMED = {("UCBVI-CH", 1.0), ("Random", 0.0)}
QUICK: dict[str, Any] = {"Ks": (64, 256, 1024), "seeds": 16}
SECONDS = {"quick": 10.0, "paper": 90.0}


def compute(
    *,
    M: int = 4,
    A: int = 4,
    H: int = 10,
    Ks: Sequence[int] = (64, 256, 1024, 4096, 16384),
    seeds: int = 64,
    level: float = 0.95,
) -> Table:
    r"""Columns ``learner``, ``bonus``, ``scale``, ``K``, ``mean`` of :math:`Regret(K) / (H \sqrt{MAK})`, ``lower``
    and ``upper``: an interval that holds for all K of a learner at once; ``uniform``: what uniform actions lose,
    exactly, and ``least``, below which the mean of no learner is, in the same unit.

    The gap is :math:`\sqrt{MA/K}/4`, a model of its own for each K, and the planted arms change with the seed. Every
    learner's curve should be flat: no one can fall below a constant, and who has the minimax rate does not rise.
    """
    rows: list[tuple[Any, ...]] = []
    unit = {K: H * sqrt(M * A * K) for K in Ks}
    for p in (p for p in PLAYERS if (p.learner, p.scale) in CHOSEN | NAMED):
        lost = []
        for seed in range(seeds):
            models = {K: planted_arm(M, A, H, lower_bound_gap(M, A, K), seed=seed) for K in Ks}
            lost.append(
                [
                    interact(m, p.make, K, seeds=[seed], record=[K], threads=1).result["total_regret"][0] / unit[K]
                    for K, m in models.items()
                ]
            )
        band = simultaneous_band(np.array(lost), level)
        for i, K in enumerate(Ks):
            gap = lower_bound_gap(M, A, K)
            uniform = K * (H - 1) * gap * (1 - 1 / A) / unit[K]
            least = least_regret(M, A, H, K, gap) / unit[K]
            rows.append((p.learner, p.bonus, p.scale, K, band.mean[i], band.lower[i], band.upper[i], uniform, least))
    names = ("learner", "bonus", "scale", "K", "mean", "lower", "upper", "uniform", "least")
    return Table.of_rows(names, rows, M=M, A=A, H=H, seeds=seeds, level=level)


def draw(table: Table, style: Style) -> Figure:
    """Everybody between the lower bound and what uniform actions lose."""
    fig, (ax,) = panels(style, 1, 0.5 if style.width > 4 else 0.8)
    shown = [p for p in PLAYERS if len(table.where(learner=p.learner, scale=p.scale))]
    for i, p in enumerate(shown):
        c = table.where(learner=p.learner, scale=p.scale).columns
        named = SHORT.get(p.learner, p.learner)
        part = {"printed": ", printed bonus", "chosen": f", scaled by {p.scale:g}"}.get(p.bonus, "")
        if p.learner != "Random":
            banded(style, ax, c, i, named + part, x="K")
    ax.plot(
        c["K"], c["uniform"], color="#666666", linestyle=(0, (4, 2)), linewidth=0.9, label="uniform actions, exactly"
    )
    ax.plot(c["K"], c["least"], color="#666666", linewidth=0.9, label="lower bound for every learner")
    ax.fill_between(c["K"], 0, c["least"], facecolor="none", edgecolor="#BBBBBB", hatch="////", linewidth=0)
    ax.set_xscale("log", base=2)
    ax.set_ylim(bottom=0)
    ax.margins(x=0.02)
    ax.set_xlabel("episodes $K$")
    ax.set_ylabel(r"regret $/\, (H \sqrt{MAK})$")
    legend(style, fig, [ax])
    return fig


def caption(table: Table) -> str:
    """What the figure shows."""
    p = table.parameters
    return (
        r"Regret after K episodes over $H\sqrt{MAK}$ (no units), where one arm of each state is better by "
        r"$\sqrt{MA/K}/4$: a model of its own for each K, "
        f"M = {p['M']}, A = {p['A']}, H = {p['H']}. Whoever has the minimax rate does not rise; hatched: where "
        "the mean of no learner over planted arms can "
        "be. Scaled bonuses are guaranteed by no theorem. No norm, no entropy term (temperature 0). Lines: means "
        "over "
        f"{p['seeds']} seeds, of the arms and of the learner; bands: simultaneous over all K of a curve, "
        f"{percent(p['level'])} (sup-t)."
    )


def least_regret(M: int, A: int, H: int, K: int, gap: float) -> float:
    r"""A lower bound on the mean regret of any learner, planted arms being drawn uniformly: :math:`K (H-1)
    \varepsilon (1 - \frac1A - \frac12 \sqrt{-\frac{K/M + 1}{A} \log(1 - 4\varepsilon^2)})`.

    Proof: of n visits of a state with the planted arm i, :math:`E_i N_i \le E_0 N_i + \frac n2 \sqrt{-E_0 N_i \log(1 -
    4\varepsilon^2)}` take it (Auer, Cesa-Bianchi, Freund and Schapire 2002, Lemma A.1), where :math:`E_0` has no planted arm and
    the mean of :math:`E_0 N_i` over i is n/A. Jensen over i; and :math:`E n^{3/2} \le \sqrt{E n\, E n^2} \le \mu \sqrt{\mu +
    1}`, as n is binomial with the mean :math:`\mu = K/M`, whatever is played.
    """
    share = 1 - 1 / A - 0.5 * sqrt(-(K / M + 1) / A * log1p(-4 * gap**2))
    return K * (H - 1) * gap * max(0.0, share)
