"""mocovi: normalised error of values against queries, for models of the cliff walk of rising error."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from figures.panels import each, headroom, legend, listed, outer, panels
from figures.table import Table
from tabular.planning.mocovi.table import Row, table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from figures.style import Style

TITLE = "MoCoVI: error of values against queries"
CLAIMS = ("mocovi.C6a", "mocovi.C8")
QUICK: dict[str, Any] = {"ds": (1, 2), "K": 5}
SECONDS = {"quick": 1.0, "paper": 10.0}
STATES, GAMMA = 36, 0.9
"""Of the source's cliff walk."""


def compute(
    *, lams: Sequence[float] = (0.1, 0.5, 1), ds: Sequence[int] = (1, 2, 3), K: int = 15, control: bool = False
) -> Table:
    """Columns ``lam`` (share of the uniform law in the model), ``method``, ``k``, ``queries`` of each pair, ``error``
    = ``|V_k - V|_1 / |V|_1`` and ``loss``, the same of the true value of the k-th policy: no units.

    Queries are exact, so that nothing is drawn. Values of the optimal policy, or with ``control`` optimal ones; there VI, the
    model alone, OS-VI and MoCoVI(d) as in ``tabular.planning.mocovi.table``. ``floor``: the relative error that solving a linear
    system of this size and discount may have in floats.
    """
    floor = (STATES + 8) * np.finfo(float).eps / (1.0 - GAMMA)
    return Table.of_rows(Row._fields, table(lams=lams, ds=ds, K=K, control=control), K=K, control=control, floor=floor)


def draw(table: Table, style: Style) -> Figure:
    """A panel for each model, a curve for each method."""
    lams = each(table.columns["lam"])
    fig, axes = panels(style, len(lams), 0.95, sharey=True)
    for ax, lam in zip(axes, lams, strict=True):
        part = table.where(lam=lam)
        for i, method in enumerate(each(part.columns["method"])):
            c = part.where(method=method).columns
            if len(c["k"]) == 1:
                ax.axhline(c["error"][0], label=method, **style.line(i, marker=False))
            else:
                style.errors(ax, c["queries"], c["error"], table.parameters["floor"], i, label=method, every=1)
        ax.set_title(rf"model error $\lambda = {lam:g}$")
        ax.locator_params(axis="x", integer=True)
    outer(axes, x="queries of each pair", y=r"$\|V_k - V\|_1 / \|V\|_1$")
    headroom(axes)
    legend(style, fig, axes)
    return fig


def caption(table: Table) -> str:
    """What the figure shows."""
    p = table.parameters
    what = "the optimal value function" if p["control"] else "the value function of the optimal policy"
    lams = listed(each(table.columns["lam"]))
    return (
        rf"Normalised error $\|V_k - V\|_1 / \|V\|_1$ (1-norm over the 36 states; no units) of {what} against "
        "exact queries of each "
        "state-action pair, on the cliff walk with discount 0.9. The model is the true kernel mixed with the "
        "uniform law on its "
        rf"successors, of share $\lambda$ = {lams}. MoCoVI(d) corrects the model by its last d value functions; "
        "model-based uses the model "
        "alone and asks nothing. No entropy regularisation (temperature 0). Nothing is drawn at random: one run, "
        "no seeds, no band. "
        f"Hatched: below {p['floor']:.1e}, the error that solving the linear systems in floats may have; points "
        "at or below it, "
        "zeros included, stand on it, hollow."
    )
