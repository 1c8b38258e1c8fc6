"""deep: learning curves of the DQN family and discrete SAC, with their tabular truth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from figures.deep._seeds import LEARNERS, curve, with_bands
from figures.panels import banded, decimals, each, legend, listed, outer, panels, percent
from figures.table import Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from figures.style import Style

TITLE = "Deep learners and the tabular truth"
QUICK: dict[str, Any] = {"quick": True}
SECONDS = {"quick": 20.0, "paper": 110.0}
SHOWN = {
    "suboptimality": "suboptimality",
    "soft_gap": "soft gap",
    "bias": "bias of the critic",
    "residual": "Bellman residual",
}


def compute(*, quick: bool = False, level: float = 0.95, **options: Any) -> Table:
    """Suboptimality, soft gap, critic bias, residual and entropies, by agent, seed and step.

    Columns are those of ``deep.experiments.studies.deep_against_tabular``, whose arguments ``options`` are, and with
    ``_mean``, ``_lower``, ``_upper`` sup-t bands of the four that are drawn. ``quick``: seconds, and no result.
    """
    from deep.experiments.studies import columns, study

    found = columns(study("deep-against-tabular", quick=quick, **options))
    return Table(with_bands(found, ("agent",), "step", tuple(SHOWN), level), {"level": level})


def draw(table: Table, style: Style) -> Figure:
    """A panel for each measure; residuals are positive, and on a logarithmic axis."""
    fig, axes = panels(style, len(SHOWN), 0.62)
    for i, agent in enumerate(each(table.columns["agent"])):
        part = table.where(agent=agent)
        c = part.where(seed=part.columns["seed"][0]).columns
        for ax, name in zip(axes, SHOWN, strict=True):
            banded(style, ax, {"step": c["step"] / 1000, **curve(c, name)}, i, LEARNERS.get(agent, agent), x="step")
    for ax, (name, title) in zip(axes, SHOWN.items(), strict=True):
        ax.set_title(title)
        ax.margins(x=0.03)
        if name == "residual":
            ax.set_yscale("log")
            decimals(ax.yaxis)
        elif name == "bias":
            ax.axhline(0.0, color="#666666", linewidth=0.7, zorder=0)
        else:
            ax.set_ylim(bottom=0)
    outer(axes, x="steps (thousands)", y="units of reward")
    legend(style, fig, axes)
    return fig


def caption(table: Table) -> str:
    """What the figure shows."""
    seeds, env = len(each(table.columns["seed"])), each(table.columns["env"])[0]
    return (
        f"Deep learners on {env} with what the exact solvers say of them, in units of reward, against steps of the environment. "
        r"Suboptimality: $\rho (V^* - V^\pi)$, no regulariser. Soft gap: the same of the learner's own regularised "
        r"objective, at its "
        "temperature (MVI of an index other than 1 has none). Bias: mean over the policy's own discounted visits of the "
        "critic less "
        "the exact regularised action value. Residual: mean of the absolute difference between the critic and its exact "
        "backup, over the "
        f"same visits. {listed(LEARNERS.get(a, a) for a in each(table.columns['agent']))}. Lines: means over {seeds} seeds. Bands: "
        f"simultaneous over the points of a curve, {percent(table.parameters['level'])} (sup-t); what they have below zero "
        f"is cut off. "
        "No norm is involved but where said."
    )
