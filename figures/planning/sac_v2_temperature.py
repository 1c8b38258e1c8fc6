"""sac_v2: entropy and return of soft-optimal policies along temperatures; where nothing ends, the best return for its entropy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from figures.panels import each, legend, panels
from figures.table import Table
from tabular import MDP, evaluate_policy, solve
from tabular.instances import garnet
from tabular.planning.sac_v2_average import temperature_path

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from figures.style import Style

TITLE = "Entropy and return along temperatures"
CLAIMS = ("sac_v2.C4",)
REWARDS = (1.0, 0.5, 0.0)
NAMES = {"bandit": "bandit", "garnet": "Garnets"}
QUICK: dict[str, Any] = {"points": 25, "seeds": 4}
SECONDS = {"quick": 1.0, "paper": 2.0}


def compute(
    *,
    lowest: float = 2.0**-6,
    highest: float = 2.0**6,
    points: int = 49,
    S: int = 10,
    A: int = 4,
    gamma: float = 0.875,
    seeds: int = 8,
) -> Table:
    """Columns ``model`` ("bandit" or "garnet"), ``seed``, ``tau`` in units of reward, ``entropy`` in nats a step, ``return`` and
    ``soft_value`` in units of reward, discounted; ``evenness``, the entropy over that of uniform actions, and ``regained``,
    the part of the way from the return of uniform actions to the best one.

    The bandit pays 1, 1/2 and 0 and has seed 0; a seed of the others is a Garnet, from a uniform start. ``points``
    temperatures in geometric progression from ``lowest`` to ``highest``.
    """
    taus = np.geomspace(lowest, highest, points)
    models = [("bandit", 0, MDP(np.ones((1, len(REWARDS), 1)), [list(REWARDS)], 0.0))]
    family, rows = garnet(S, A, gamma=(gamma,)), []
    models += [("garnet", seed, family.member(0, seed)) for seed in range(seeds)]
    for name, seed, mdp in models:
        path = temperature_path(mdp, taus, np.full(mdp.S, 1.0 / mdp.S))
        uniform = float(evaluate_policy(mdp, np.full((mdp.S, mdp.A), 1.0 / mdp.A)).mean())
        regained = (path["return"] - uniform) / (float(solve(mdp).V.mean()) - uniform)
        shares = (path["entropy"] / np.log(mdp.A), regained)
        columns = (*(path[c] for c in ("tau", "entropy", "return", "soft_value")), *shares)
        rows += [(name, seed, *row) for row in zip(*columns, strict=True)]
    names = ("model", "seed", "tau", "entropy", "return", "soft_value", "evenness", "regained")
    return Table.of_rows(names, rows, S=S, A=A, gamma=gamma, seeds=seeds)


def draw(table: Table, style: Style) -> Figure:
    """Against temperature, and one against the other."""
    fig, axes = panels(style, 2, 0.75)
    for model, seed in [("garnet", s) for s in each(table.where(model="garnet").columns["seed"])] + [("bandit", 0)]:
        c = table.where(model=model, seed=seed).columns
        thin: dict[str, Any] = {"linewidth": 0.6, "alpha": 0.7} if model == "garnet" else {"linewidth": 1.4}
        named = seed == 0
        for i, quantity in enumerate(("evenness", "regained")):
            what = "entropy" if quantity == "evenness" else "return"
            look: dict[str, Any] = {
                "color": style.palette[i],
                "linestyle": style.dashes[i] if model == "bandit" else "solid",
            }
            axes[0].plot(c["tau"], c[quantity], label=f"{what}, {NAMES[model]}" if named else None, **look | thin)
        look = {
            "color": style.palette[2 if model == "bandit" else 4],
            "linestyle": "solid" if model == "bandit" else "dashed",
        }
        axes[1].plot(c["evenness"], c["regained"], label=NAMES[model] if named else None, **look | thin)
    axes[0].set_xscale("log")
    axes[0].set_xlabel(r"temperature $\tau$")
    axes[0].set_ylabel("share of the largest")
    axes[1].set_xlabel("entropy (share)")
    axes[1].set_ylabel("return (share)")
    for ax in axes:
        ax.set_ylim(-0.03, 1.03)
    axes[1].legend(loc="lower left")
    legend(style, fig, axes[:1])
    return fig


def caption(table: Table) -> str:
    """What the figure shows."""
    p = table.parameters
    return (
        r"Entropy and return of soft-optimal policies. Left: against the temperature $\tau$ (units of reward, "
        "entropy in nats). Entropy is that "
        r"of a step, averaged over discounted visits, as a share of $\log A$; return is that without the entropy "
        "bonus, from 0 for uniform "
        "actions to 1 for the best policy. Right: the same two against each other. A bandit that pays "
        f"{', '.join(f'{r:g}' for r in REWARDS)}, and Garnets with {p['S']} states, {p['A']} actions, discount "
        f"{p['gamma']:g} and a uniform "
        f"start: one line for each of {p['seeds']} seeds. Nothing else is drawn at random; no norm is involved, "
        "and there is no band."
    )
