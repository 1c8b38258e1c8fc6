"""psrl: total regret of posterior sampling and of UCRL2 after as many steps, in the setting of the paper's table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from figures.bands import simultaneous_band
from figures.exploration.ucbvi_regret import PLACES
from figures.panels import each, percent
from figures.table import Table
from tabular import MDP
from tabular.exploration import PSRL, Random, episodic, interact, ucrl2
from tabular.instances import garnet, river_swim

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from figures.style import Style

TITLE = "Posterior sampling beside optimism"
CLAIMS = ("psrl.C5",)
DELTA = 0.05
QUICK: dict[str, Any] = {"T": 2000, "seeds": 5}
SECONDS = {"quick": 5.0, "paper": 5.0}


def large_mdp() -> MDP:
    """A Garnet of ten states and five actions, rewards moved to [0, 1]; start: state 0."""
    m = garnet(10, 5, gamma=(0.95,)).member(0, 1)
    return MDP(m.P, (m.rewards + 1.0) / 2.0, 0.95, rho=np.eye(10)[0], name="garnet(10, 5)")


def compute(*, T: int = 10_000, H: int = 20, seeds: int = 20, level: float = 0.95) -> Table:
    """Columns ``model``, ``learner``, ``setting``, ``mean`` total regret over seeds in units of reward, ``lower`` and ``upper``:
    Student's interval.

    T steps. ``setting`` is ``episodes`` (of H steps: regret of exact values, summed over T / H episodes) or
    ``average`` (against T times the optimal gain, of the rewards that came: it may be negative). Two settings, two
    units of regret: PSRL is for the first one, UCRL2 for the second, and nobody plays both here. Mean rewards are not
    known to either; PSRL has a normal-gamma prior, UCRL2 delta = 1/20.
    """
    rows: list[tuple[Any, ...]] = []
    for name, mdp in (("river_swim", river_swim(6)), ("garnet", large_mdp())):
        model = episodic(mdp, H)
        played = {
            "PSRL": interact(model, PSRL(known_rewards=False), T // H, seeds=seeds).result["total_regret"],
            "Random": interact(model, Random(), T // H, seeds=seeds).result["total_regret"],
        }
        found = ucrl2(mdp, T, delta=DELTA, seeds=seeds).history["regret"][:, -1]
        for learner, setting, x in (*((p, "episodes", x) for p, x in played.items()), ("UCRL2", "average", found)):
            band = simultaneous_band(x[:, None], level)
            rows.append((name, learner, setting, band.mean[0], band.lower[0], band.upper[0]))
    names = ("model", "learner", "setting", "mean", "lower", "upper")
    return Table.of_rows(names, rows, T=T, H=H, seeds=seeds, level=level, delta=DELTA)


def draw(table: Table, style: Style) -> Figure:
    """Dots with intervals; the two settings, whose units differ, have panels of their own."""
    narrow = style.width < 4
    fig, axes = style.figure(1, 2, 0.9 if narrow else 0.55, squeeze=False, width_ratios=(3, 2))
    models = each(table.columns["model"])
    for ax, setting in zip(axes[0], ("episodes", "average"), strict=True):
        learners = each(table.where(setting=setting).columns["learner"])
        for i, model in enumerate(models):
            part = table.where(setting=setting, model=model).columns
            y = [learners.index(x) + 0.16 * (1 - 2 * i) for x in part["learner"]]
            ends = (part["mean"] - part["lower"], part["upper"] - part["mean"])
            look = {"color": style.palette[i], "marker": style.markers[i], "linestyle": "none", "capsize": 2}
            ax.errorbar(part["mean"], y, xerr=ends, label=PLACES[model], **look)
        names = {"Random": "uniform"}
        ax.set_yticks(range(len(learners)), [names.get(x, x) for x in learners])
        ax.set_ylim(-0.6, len(learners) - 0.4)
        ax.margins(x=0.12)
        ax.set_xlim(left=ax.get_xlim()[0] if table.where(setting=setting).columns["lower"].min() < 0 else 0.0)
        ax.set_title("episodes" if setting == "episodes" else "average reward")
        ax.set_xlabel("total regret")
        ax.tick_params(axis="y", length=0)
        ax.locator_params(axis="x", nbins=4)
    style.legend(fig, axes)
    return fig


def caption(table: Table) -> str:
    """What the figure shows."""
    p = table.parameters
    return (
        f"Total regret after {p['T']} steps, in units of reward. Left: of episodes of {p['H']} steps, by exact "
        "values; right: of one stream, against "
        "T times the optimal gain, by the rewards that came, so that it may be negative: another unit, not to be "
        "compared. Mean rewards are unknown; "
        rf"posterior sampling has a normal-gamma prior, UCRL2 the confidence $\delta$ = {p['delta']:g}. RiverSwim "
        "has 6 states, the Garnet 10 and 5 actions. "
        f"No norm, no entropy term (temperature 0). Points: means over {p['seeds']} seeds; bars: Student's "
        f"interval, {percent(p['level'])}, of each point "
        "by itself."
    )
