"""soft_robust: entropic values and policies of the ring, state by state, for rising aversion to risk."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from figures.axes import shades
from figures.panels import each, listed, panels
from figures.table import Table
from tabular.instances import ring
from tabular.planning.soft_robust import robust_policy_iteration
from tabular.risk import Entropic

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from figures.style import Style

TITLE = "Robust policies on the ring"
CLAIMS = ("soft_robust.C7",)
BETAS = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0)
QUICK: dict[str, Any] = {}
SECONDS = {"quick": 1.0, "paper": 1.0}


def compute(*, slips: Sequence[float] = (0.01, 0.15), betas: Sequence[float] = BETAS) -> Table:
    """Columns ``slip``, ``beta`` (per unit of reward; 0 is neutral), ``state``, ``V`` and ``error_bound``, its
    certified bound over all states, and ``reward``, in units of reward, ``action`` (-1 left, 0 stay, 1 right) and
    ``mean``, that of V over the states.

    The discount is the source's, 19/20. Nothing is drawn.
    """
    rows = []
    for slip in slips:
        mdp = ring(slip)
        for beta in betas:
            sol = robust_policy_iteration(mdp, Entropic(beta))
            actions, mean = sol.pi.argmax(axis=1) - 1, sol.V.mean()
            rows += [(slip, beta, s, sol.V[s], sol.error_bound, actions[s], mean, mdp.R[s, 0]) for s in range(mdp.S)]
    names = ("slip", "beta", "state", "V", "error_bound", "action", "mean", "reward")
    return Table.of_rows(names, rows, gamma=0.95)


def draw(table: Table, style: Style) -> Figure:
    """Values as colour, actions as arrows; a row for each beta."""
    slips, betas = each(table.columns["slip"]), each(table.columns["beta"])
    narrow = style.width < 4
    fig, axes = panels(style, len(slips), 0.65 if narrow else 0.9, least=2.4, sharey=not narrow)
    V = table.columns["V"]
    for ax, slip in zip(axes, slips, strict=True):
        part = table.where(slip=slip)
        states = part.where(beta=betas[0]).columns
        shape = (len(betas), len(states["state"]))
        grid = part.columns["V"].reshape(shape)
        mesh = ax.imshow(grid, aspect="auto", cmap="cividis", vmin=V.min(), vmax=V.max(), origin="lower")
        dark = shades(grid.ravel(), None, (float(V.min()), float(V.max())))[1].reshape(shape)
        for ink, here in (("white", dark), ("black", ~dark)):
            _moves(ax, part.columns["action"].reshape(shape), here, ink)
        ax.set_xticks(
            states["state"], [f"{r:g}".replace("-", "\u2212") for r in states["reward"]], fontsize=style.small - 0.5
        )
        ax.set_yticks(range(len(betas)), [f"{b:g}" for b in betas])
        ax.tick_params(length=0, axis="x")
        for side in ("top", "right", "left", "bottom"):
            ax.spines[side].set_visible(False)
        ax.set_title(f"slips with probability {2 * slip:g}")
        ax.set_xlabel("reward of the state, around the ring")
    axes[0].set_ylabel(r"aversion $\beta$")
    if narrow:
        for ax in axes[1:]:
            ax.set_ylabel(r"aversion $\beta$")
    fig.colorbar(mesh, ax=axes, label="robust value", aspect=30, pad=0.02)
    return fig


def _moves(ax: Axes, actions: np.ndarray, here: np.ndarray, ink: str) -> None:
    """Arrows to the left and right and dots, in the cells of one ink."""
    rows, states = np.nonzero(here & (actions != 0))
    lengths = 0.64 * actions[rows, states]
    head: dict[str, Any] = {
        "headwidth": 4.2,
        "headlength": 3.6,
        "headaxislength": 3.2,
        "minshaft": 1.0,
        "minlength": 0.0,
    }
    ax.quiver(
        states, rows, lengths, 0.0 * lengths, angles="xy", scale_units="x", scale=1.0, units="inches", width=0.011,
        pivot="mid", color=ink, **head,
    )  # fmt: skip
    rows, states = np.nonzero(here & (actions == 0))
    ax.plot(states, rows, marker="o", markersize=2.0, linestyle="none", color=ink)


def caption(table: Table) -> str:
    """What the figure shows."""
    worst = float(table.columns["error_bound"].max())
    return (
        "Optimal policies and values of the entropic robust objective on the ring of 14 states, for rising "
        r"aversion to risk $\beta$ (per unit "
        rf"of reward; 0 is neutral), where a move goes one state too far to the left or right with probability p = "
        f"{listed(each(table.columns['slip']))} each. Columns: states, named by their rewards; arrows: left or "
        "right, dots: stay; colour: "
        f"$V$ in units of reward, discount {table.parameters['gamma']:g}, certified to {worst:.0e} in sup norm. "
        "The policy is not regularised "
        "(temperature 0). Nothing is drawn at random: no seeds, no band."
    )
