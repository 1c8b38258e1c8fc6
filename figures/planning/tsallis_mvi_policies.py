"""tsallis_mvi: policies and their supports after k steps at fixed action values, for several indices q; 1 is KL and Shannon."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from figures.panels import each, listed
from figures.table import Table
from tabular import MDP
from tabular.planning.tsallis_mvi import tsallis_kl_value_iteration, tsallis_mvi

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from figures.style import Style

TITLE = "Tsallis policies and supports against the index q"
CLAIMS = ("tsallis_mvi.C6", "tsallis_mvi.C7")
NAMES = {"entropy": "Tsallis entropy", "divergence": "Tsallis divergence", "mvi": "MVI(q)"}
INDICES = (0.5, 1.0, 1.5, 2.0, 3.0, 10.0)
VALUES = (1.0, 0.9, 0.5, 0.0, -1.0)
QUICK: dict[str, Any] = {}
SECONDS = {"quick": 1.0, "paper": 2.0}


def compute(
    *,
    values: Sequence[float] = VALUES,
    tau: float = 1.0,
    alpha: float = 0.9,
    indices: Sequence[float] = INDICES,
    K: int = 8,
) -> Table:
    """Columns ``scheme``, ``q``, ``k``, ``action``, ``value`` in units of reward, ``probability``, ``support``: how
    many actions have any.

    A bandit, so that the k-th step meets the rewards ``values`` whatever the scheme did before; at ``k = 0`` all are
    uniform. ``entropy`` maximises ``<pi, Q>`` plus ``tau`` times the Tsallis entropy, ``divergence`` the same less
    ``tau`` times the divergence from the policy before, ``mvi`` is MVI(q), whose factor ``1/q`` is absorbed. Nothing
    is drawn.
    """
    bandit = MDP(np.ones((1, len(values), 1)), [list(values)], 0.0)
    rows: list[tuple[Any, ...]] = []
    for q in indices:
        for k in range(K + 1):
            policies = {
                "entropy": tsallis_mvi(bandit, q, tau=tau, alpha=0.0, K=k + 1, absorbed=False),
                "divergence": tsallis_kl_value_iteration(bandit, q, lam=tau, K=k + 1),
                "mvi": tsallis_mvi(bandit, q, tau=tau, alpha=alpha, K=k + 1),
            }
            for scheme, run in policies.items():
                pi = run.result["pi"][0]
                support = int((pi > 0).sum())
                rows += [(scheme, q, k, a, values[a], pi[a], support) for a in range(len(values))]
    names = ("scheme", "q", "k", "action", "value", "probability", "support")
    return Table.of_rows(names, rows, tau=tau, alpha=alpha)


def draw(table: Table, style: Style) -> Figure:
    """For each scheme the policies after one step and after the last, action by action, and the sizes of their supports."""
    schemes, last = each(table.columns["scheme"]), int(table.columns["k"].max())
    panel_rows = [("k", 1), ("k", last), ("support", 0)]
    narrow = style.width < 4
    fig, axes = style.figure(3, 3, 1.05 if narrow else 0.72, squeeze=False, sharey="row", sharex="row")
    values = each(table.columns["value"])
    for j, scheme in enumerate(schemes):
        part = table.where(scheme=scheme)
        for i, (kind, k) in enumerate(panel_rows):
            ax = axes[i, j]
            if kind == "support":
                for n, q in enumerate(each(part.columns["q"])):
                    c = part.where(q=q, action=0).columns
                    look = style.line(n, marker=False) | {"linewidth": 0.9}
                    ax.plot(
                        c["k"], c["support"] + 0.07 * (n - 2.5), drawstyle="steps-mid", **look, label=rf"$q = {q:g}$"
                    )
                continue
            for a, value in enumerate(values):
                c = part.where(k=k, action=a).columns
                ax.plot(c["q"], c["probability"], **style.line(a) | {"linestyle": "solid"}, label=rf"$r = {value:g}$")
            ax.set_xscale("log")
            ticks = [q for q in each(part.columns["q"]) if q in (0.5, 1, 2, 3, 10)]
            ax.set_xticks(ticks, [f"{q:g}" for q in ticks])
            ax.minorticks_off()
        axes[0, j].set_title(NAMES[scheme])
        for i, name in enumerate(("index $q$", "index $q$", "step $k$")):
            axes[i, j].set_xlabel(name)
    for i, name in enumerate(("probability\n(one step)", f"probability\n({last} steps)", "size of\nsupport")):
        axes[i, 0].set_ylabel(name)
    axes[2, 0].locator_params(axis="y", integer=True)
    style.legend(fig, axes[:2])
    handles, labels = axes[2, 0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncols=3 if narrow else len(labels))
    return fig


def caption(table: Table) -> str:
    """What the figure shows."""
    p, last = table.parameters, int(table.columns["k"].max())
    return (
        rf"Policies of a bandit that pays {listed(each(table.columns['value']))}, against the Tsallis index q "
        f"({listed(each(table.columns['q']))}; 1 is Shannon and KL), after one step and after {last}, and the "
        "number of actions that have any "
        "probability, step by step, all from uniform actions. Tsallis entropy: regularised by the entropy alone, "
        "so that every step gives the "
        r"same; Tsallis divergence: by the divergence from the policy before; MVI(q) with $\alpha$ = "
        rf"{p['alpha']:g}. Temperature $\tau$ = "
        f"{p['tau']:g} in all. Curves of supports, which are whole numbers, are moved apart a little. Nothing is "
        "drawn at random: no seeds, no "
        "norm, no band."
    )
