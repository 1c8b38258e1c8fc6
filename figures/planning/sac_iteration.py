"""sac: error of soft policy iteration, whose tail is quadratic, and of soft value iteration, against iterations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from figures.panels import each, headroom, legend, listed, outer, panels
from figures.table import Table
from tabular.instances import garnet
from tabular.planning.sac import iteration_errors, soft_policy_iteration

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from figures.style import Style

TITLE = "Soft policy iteration: the quadratic tail"
CLAIMS = ("sac.C3b", "sac.C3d")
QUICK: dict[str, Any] = {"K": 6, "seeds": 4}
SECONDS = {"quick": 2.0, "paper": 5.0}


def compute(
    *,
    S: int = 20,
    A: int = 5,
    gamma: float = 0.875,
    taus: Sequence[float] = (0.0625, 0.25, 1.0),
    K: int = 12,
    seeds: int = 16,
) -> Table:
    r"""Columns ``tau``, ``seed``, ``k``, ``policy_iteration`` and ``value_iteration``: :math:`\max |Q^* - Q_k|`,
    ``quadratic_bound`` (NaN at ``k = 0``), and ``floor``, below which errors are rounding: the certified error of Q*
    and that of a linear system of this size. All in units of reward.

    A seed is a Garnet; both start from the soft values of its uniform policy.
    """
    family, rows = garnet(S, A, gamma=(gamma,)), []
    names = ("k", "policy_iteration", "value_iteration", "quadratic_bound")
    for seed in range(seeds):
        mdp = family.member(0, seed)
        for tau in taus:
            errors = iteration_errors(mdp, tau, K)
            run = soft_policy_iteration(mdp, tau, K=1)
            size = float(np.abs(run.result["Q"][:, mdp.mask]).max())
            floor = run.info["Q_star_error"] + (S + 8) * np.finfo(float).eps * size / (1.0 - gamma)
            rows += [(tau, seed, *row, floor) for row in zip(*(errors[name] for name in names), strict=True)]
    return Table.of_rows(("tau", "seed", *names, "floor"), rows, S=S, A=A, gamma=gamma, K=K, seeds=seeds)


def draw(table: Table, style: Style) -> Figure:
    """A panel for each temperature; one line a seed, the first of them with markers."""
    taus = each(table.columns["tau"])
    fig, axes = panels(style, len(taus), 0.95, sharey=True)
    curves = (("value_iteration", 1, "soft value iteration"), ("policy_iteration", 0, "soft policy iteration"))
    for ax, tau in zip(axes, taus, strict=True):
        for seed in each(table.columns["seed"]):
            c = table.where(tau=tau, seed=seed).columns
            look = {} if seed == 0 else {"marker": "", "linewidth": 0.5, "alpha": 0.5, "linestyle": "solid"}
            for name, i, label in curves:
                style.errors(ax, c["k"], c[name], c["floor"], i, label=None if seed else label, every=1, **look)
        c = table.where(tau=tau, seed=0).columns
        bound = "bound of the next from the last" if tau == taus[0] else None
        look = {"marker": "_", "markersize": 7, "linestyle": "none", "color": "#D55E00", "markeredgewidth": 1.2}
        style.errors(ax, c["k"][1:], c["quadratic_bound"][1:], c["floor"][1:], 0, label=bound, every=1, **look)
        ax.set_title(rf"$\tau = {tau:g}$")
        ax.locator_params(axis="x", integer=True)
    headroom(axes, 4.0)
    outer(axes, x="iteration $k$", y=r"$\|Q^*_\tau - Q_k\|_\infty$")
    legend(style, fig, axes)
    return fig


def caption(table: Table) -> str:
    """What the figure shows."""
    p = table.parameters
    return (
        r"Error $\|Q^*_\tau - Q_k\|_\infty$ (sup norm over pairs, units of reward) of soft policy iteration, whose "
        "tail is quadratic, and of "
        rf"soft value iteration, at the temperatures $\tau$ = {listed(each(table.columns['tau']))} (entropy in "
        "nats, discounted), from the soft "
        f"values of the uniform policy. Garnets with {p['S']} states, {p['A']} actions, discount {p['gamma']:g}: "
        "one line for each of "
        f"{p['seeds']} seeds, no band. Markers: seed 0; bars: what the quadratic bound allows it, from its own "
        "error one iteration before. "
        "Hatched: the certified error of the reference and of a linear system of this size in floats; what is at "
        "or below it stands on it."
    )
