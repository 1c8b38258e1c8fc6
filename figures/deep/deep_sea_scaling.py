"""deep: episodes until DeepSea is solved, by size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from figures.deep._seeds import LEARNERS
from figures.panels import decimals, each, legend, listed, panels
from figures.table import Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from figures.style import Style

TITLE = "Episodes until DeepSea is solved"
QUICK: dict[str, Any] = {"quick": True}
SECONDS = {"quick": 15.0, "paper": 350.0}


def compute(*, quick: bool = False, **options: Any) -> Table:
    """``episodes`` until the greedy policy is optimal from the start (inf: never), by size, agent and seed.

    Columns are those of ``deep.experiments.studies.deep_sea_scaling``, whose arguments ``options`` are; ``solved``, whether
    it was within the budget of ``budget`` episodes; ``shown``, the episodes or else that budget; and of the seeds of a size and
    agent ``median``, ``least``, ``most`` of ``shown`` and ``share`` solved.
    ``guide``: :math:`2^N`. ``quick``: seconds, and no result.
    """
    from deep.experiments.studies import columns, study

    c = columns(study("deep-sea-scaling", quick=quick, **options))
    c["solved"] = np.isfinite(c["episodes"])
    c["shown"] = np.where(c["solved"], c["episodes"], c["budget"])
    for name in ("median", "least", "most", "share"):
        c[name] = np.empty(len(c["N"]))
    for N, agent in dict.fromkeys(zip(c["N"].tolist(), c["agent"].tolist(), strict=True)):
        rows = (c["N"] == N) & (c["agent"] == agent)
        x = c["shown"][rows]
        c["median"][rows], c["least"][rows], c["most"][rows] = np.median(x), x.min(), x.max()
        c["share"][rows] = c["solved"][rows].mean()
    c["guide"] = 2.0 ** c["N"]
    return Table(c)


def draw(table: Table, style: Style) -> Figure:
    """Medians with their ranges; a seed that did not solve it counts as the budget, and a median of such is hollow."""
    fig, (ax,) = panels(style, 1, 0.5 if style.width > 4 else 0.8)
    for i, agent in enumerate(each(table.columns["agent"])):
        part = table.where(agent=agent)
        c = part.where(seed=part.columns["seed"][0]).columns
        look = style.line(i)
        x = c["N"] + 0.06 * (i - 1)  # bars beside each other
        ax.errorbar(x, c["median"], yerr=(c["median"] - c["least"], c["most"] - c["median"]), capsize=2,
                    label=LEARNERS.get(agent, agent), **look)  # fmt: skip
        late = c["share"] < 0.5
        ax.plot(x[late], c["median"][late], linestyle="none", marker=look["marker"], color=look["color"],
                markerfacecolor="white", zorder=3)  # fmt: skip
    c = table.where(agent=table.columns["agent"][0], seed=table.columns["seed"][0]).columns
    ax.plot(c["N"], c["guide"], color="#666666", linewidth=0.7, linestyle=(0, (4, 2)), label=r"$2^N$")
    ax.set_yscale("log")
    decimals(ax.yaxis)
    ax.set_xticks(each(c["N"]))
    ax.set_xlabel("size $N$")
    ax.set_ylabel("episodes")
    legend(style, fig, [ax])
    return fig


def caption(table: Table) -> str:
    """What the figure shows."""
    c = table.columns
    seeds, budget = len(each(c["seed"])), int(c["budget"].max())
    return (
        "Episodes until the greedy policy is optimal from the start of DeepSea, against its size N; the action that goes "
        "right is drawn for "
        f"each column. {listed(LEARNERS.get(a, a) for a in each(c['agent']))}: DQN explores by chance; the optimistic learner is a "
        r"table with widths of counts. Exact suboptimality below $10^{-6}$ (units of reward, no norm, temperature 0), "
        r"looked at from time "
        f"to time, so that numbers are upper ends of intervals. Points: medians over {seeds} seeds; bars: the least and the "
        f"most; a seed "
        f"that did not solve it counts as {budget} episodes, and where most did not the point is hollow. Dashed: $2^N$."
    )
