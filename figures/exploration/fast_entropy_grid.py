"""fast_entropy: visits of a gridworld as heat maps, agent by agent.

The second reference experiment of the paper; see ``fast_entropy_visits``.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from figures.exploration.fast_entropy_visits import ROUNDS, SIDE
from figures.exploration.fast_entropy_visits import compute as visited
from figures.panels import each
from figures.pieces import Tell
from figures.table import Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from figures.style import Style

TITLE = "Visits of a gridworld"
TABLES = ("visits", "entropies")
AGENTS = (
    "Random",
    "MTEE oracle",
    "MVEE oracle",
    "MaxEnt",
    "UCBVI-Ent, no bonus",
    "EntGame",
    "EntGame, no bonus",
    "RF-UCRL",
)
QUICK: dict[str, Any] = {"transitions": 60_000, "seeds": 2, "rounds": 100}
SECONDS = {"quick": 80.0}


def compute(
    *,
    agents: Sequence[str] = AGENTS,
    transitions: int | None = None,
    seeds: int | None = None,
    rounds: int = ROUNDS,
    keep: str | Path | None = None,
    tell: Tell | None = None,
) -> tuple[Table, Table]:
    """Visits and entropies as ``fast_entropy_visits.compute`` has them, of the grid. None: as many as the paper has."""
    return visited(
        worlds=("grid",), agents=agents, transitions=transitions, seeds=seeds, rounds=rounds, keep=keep, tell=tell
    )


def draw(table: tuple[Table, Table], style: Style) -> Figure:
    """One colour for the same number everywhere; what no seed visited is hatched."""
    from matplotlib.colors import LogNorm

    counted, spread = table
    agents = each(counted.columns["agent"])
    narrow = style.width < 4
    rows, cols = style.grid(len(agents), 1.05 if narrow else 1.3)
    fig, axes = style.figure(rows, cols, 1.2 if narrow else 1.02, squeeze=False)
    for ax in axes.ravel()[len(agents) :]:
        ax.set_axis_off()
    mean = counted.columns["mean"]
    norm = LogNorm(mean[mean > 0].min(), mean.max())
    for ax, agent in zip(axes.ravel(), agents, strict=False):
        grid = counted.where(agent=agent).columns["mean"].reshape(SIDE, SIDE)
        ax.patch.set(hatch="//////", edgecolor="#BBBBBB", facecolor="white")
        mesh = ax.imshow(np.ma.masked_equal(grid, 0.0), norm=norm, cmap="cividis", interpolation="nearest")
        even = spread.where(agent=agent, quantity="states").columns["mean"][0]
        ax.set_title(f"{agent.replace(', no bonus', ' (0)')}: {even:.3f}", fontsize=style.small)
        ax.set_xticks([])
        ax.set_yticks([])
        for side in ax.spines.values():
            side.set(visible=True, linewidth=0.4, color="#999999")
    fig.colorbar(mesh, ax=axes, label="visits", aspect=40, pad=0.02, location="bottom" if narrow else "right")
    return fig


def caption(table: tuple[Table, Table]) -> str:
    """What the figure shows."""
    p = table[0].parameters
    return (
        f"Visits of the cells of a grid of {SIDE} x {SIDE} in {p['transitions']} transitions, episodes of "
        f"{p['H']} steps from the middle; a move slips with "
        "probability 1/20, half of it to each side. Behind each name: the entropy of the visits of states as a "
        r"share of $\log S$. Colours are "
        "logarithmic and the same everywhere; hatched: visited by no seed. Random, the oracles and MaxEnt know the "
        "model; bonuses are those of the theorems, "
        "times one, or none (0). UCBVI-Ent regularises by entropy at temperature 1; no norm is involved. Means over "
        f"{p['seeds']} seeds, no band."
    )
