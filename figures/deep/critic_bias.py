"""deep: bias of critics against the exact soft value of their policy, on the pendulum's grid."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from figures.deep._seeds import LEARNERS, curve, with_bands
from figures.panels import banded, each, legend, outer, panels, percent
from figures.table import Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from figures.style import Style

TITLE = "What critics believe beside the exact soft value"
QUICK: dict[str, Any] = {"quick": True}
SECONDS = {"quick": 15.0, "paper": 65.0}
SHOWN = {"bias": "bias of the critic", "soft_gap": "soft gap"}


def compute(*, quick: bool = False, level: float = 0.95, **options: Any) -> Table:
    """Bias and the other measures of the oracle, by agent, seed and step.

    Columns are those of ``deep.experiments.studies.critic_bias``, whose arguments ``options`` are, and with ``_mean``,
    ``_lower``, ``_upper`` sup-t bands of the two that are drawn. ``quick``: seconds, and no result.
    """
    from deep.experiments.studies import columns, study

    found = columns(study("critic-bias", quick=quick, **options))
    return Table(with_bands(found, ("agent",), "step", tuple(SHOWN), level), {"level": level})


def draw(table: Table, style: Style) -> Figure:
    """The bias, about zero, and how far the policy is from the soft optimum."""
    fig, axes = panels(style, 2, 0.75)
    for i, agent in enumerate(each(table.columns["agent"])):
        part = table.where(agent=agent)
        c = part.where(seed=part.columns["seed"][0]).columns
        for ax, name in zip(axes, SHOWN, strict=True):
            banded(style, ax, {"step": c["step"] / 1000, **curve(c, name)}, i, LEARNERS.get(agent, agent), x="step")
    for ax, title in zip(axes, SHOWN.values(), strict=True):
        ax.set_title(title)
        ax.margins(x=0.03)
    axes[0].axhline(0.0, color="#666666", linewidth=0.7, zorder=0)
    axes[1].set_ylim(bottom=0)
    outer(axes, x="steps (thousands)", y="units of reward")
    legend(style, fig, axes)
    return fig


def caption(table: Table) -> str:
    """What the figure shows."""
    seeds = len(each(table.columns["seed"]))
    return (
        "Critics on the pendulum's grid against the exact soft value of their own policy, at a fixed temperature. Left: "
        "mean over the "
        "policy's discounted visits of what the critic says less the exact soft action value, in units of reward (no norm); "
        "discrete SAC "
        r"takes the least of two critics, soft DQN has one and a soft maximum. Right: soft gap $\rho(V^*_\Omega - "
        r"V^\pi_\Omega)$ of the "
        f"policy. Lines: means over {seeds} seeds. Bands: simultaneous over the points of a curve, "
        f"{percent(table.parameters['level'])} (sup-t)."
    )
