"""deep: entropy and return of MVI(q)-DQN over the Munchausen weight and the index."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from figures.deep._seeds import curve, with_bands
from figures.panels import banded, each, legend, listed, outer, panels, percent
from figures.table import Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from figures.style import Style

TITLE = "Munchausen weights and Tsallis indices"
QUICK: dict[str, Any] = {"quick": True}
SECONDS = {"quick": 15.0, "paper": 120.0}
SHOWN = {"return": r"return $\rho V^\pi$", "policy_entropy": "entropy of the policy"}


def compute(*, quick: bool = False, level: float = 0.95, **options: Any) -> Table:
    """Measures of the oracle at the end of training, by index, weight and seed.

    Columns are those of ``deep.experiments.studies.alpha_by_index``, whose arguments ``options`` are, ``optimum``, the best
    return, and with ``_mean``, ``_lower``, ``_upper`` sup-t bands over the weights of an index. ``quick``: seconds, and no result.
    """
    from deep.experiments.studies import columns, study

    found = columns(study("alpha-by-index", quick=quick, **options))
    found["optimum"] = found["return"] + found["suboptimality"]
    return Table(with_bands(found, ("q",), "alpha", tuple(SHOWN), level), {"level": level})


def draw(table: Table, style: Style) -> Figure:
    """Return and entropy against the weight, a curve for each index."""
    fig, axes = panels(style, 2, 0.75)
    for i, q in enumerate(each(table.columns["q"])):
        part = table.where(q=q)
        c = part.where(seed=part.columns["seed"][0]).columns
        for ax, name in zip(axes, SHOWN, strict=True):
            banded(style, ax, {"alpha": c["alpha"], **curve(c, name)}, i, rf"$q = {q:g}$", x="alpha")
    axes[0].axhline(table.columns["optimum"][0], color="#666666", linewidth=0.7, linestyle=(0, (4, 2)), label="optimum")
    for ax, title in zip(axes, SHOWN.values(), strict=True):
        ax.set_title(title)
        ax.margins(x=0.05)
    axes[1].set_ylim(bottom=0)
    outer(axes, x=r"weight $\alpha$")
    axes[0].set_ylabel("units of reward")
    axes[1].set_ylabel("nats")
    legend(style, fig, axes)
    return fig


def caption(table: Table) -> str:
    """What the figure shows."""
    c = table.columns
    seeds, env, steps = len(each(c["seed"])), each(c["env"])[0], int(c["step"].max())
    return (
        rf"MVI(q)-DQN on {env} after {steps} steps, against the weight $\alpha$ of the Munchausen term, for the indices q = "
        f"{listed(each(c['q']))} (1: Shannon and KL, Munchausen DQN), at one temperature. Left: exact return of the policy "
        f"at the start, "
        "in units of reward; dashed: the best there is. Right: entropy of the policy in nats, mean over its own discounted "
        "visits. No "
        f"norm. Lines: means over {seeds} seeds. Bands: simultaneous over the weights of an index, "
        f"{percent(table.parameters['level'])} (sup-t)."
    )
