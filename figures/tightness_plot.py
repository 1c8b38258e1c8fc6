"""The drawing of `figures.tightness`: a row for each family or interval, what was reached, and the bound."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from figures.table import Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from figures.style import Style

SMALL = 0.1  # a largest quotient below which the axis is logarithmic
FAR = 1e-18  # a part of the largest number below which a logarithmic axis ends
SPREAD = 0.3  # of a row, over which its dots stand
AXES = {
    "ratio": "measured / bound",
    "gap": r"bound $-$ measured",
    "difference": "difference of the sides, relative",
    "margin": r"(right $-$ left) / largest side",
    "rate": "rate of failures",
    "mean": "mean of the paired differences",
    "slope": "slope",
    "constant": "measured / shape",
}
WORDS = {
    "ratio": "Each dot is the quotient measured / bound of one instance, the largest over its entries, rounded towards zero; "
    "at 1 the bound is attained",
    "gap": "Each dot is the least distance of bound and measured on one instance, over its entries, rounded up; a quotient "
    "means nothing here",
    "difference": "Each dot is how far the sides of one instance may differ, relative to its largest side, as far as floats "
    "enclose them: the claim is that they are equal",
    "margin": "Each dot is an instance; one of the sign that the claim speaks of is a witness",
    "rate": "The dot is the share of trials that failed, the bar reaches to its upper limit (19/20, at any time), and the line "
    "is the probability of failure that the claim allows",
    "mean": "The dot is the mean over paired trials, the bar has each of its limits at 19/20 at any time, and the claim is that "
    "it is positive",
    "slope": "Bars enclose the slopes on doubly logarithmic axes, and the shaded range is the exponent that the claim states",
    "constant": "Bars enclose the largest quotient measured / shape, and the line is the constant that the claim names, "
    "if it names one",
}


def draw(table: Table, style: Style) -> Figure:
    """One panel, as high as it has rows."""
    p, c = table.parameters, table.columns
    groups = list(dict.fromkeys(c["group"].tolist())) or ["no instance"]
    inches = 0.62 + 0.2 * max(len(groups), 2) + 0.2
    with style.context():
        fig, ax = style.figure(1, 1, inches / style.width)
        _reference(ax, p, style)
        place = _scale(ax, table)
        for k, group in enumerate(groups):
            _row(ax, table.where(group=group), k, place, style)
        _reached(ax, p, place, len(groups), style)
        ax.set(
            ylim=(len(groups) - 0.5, -0.5), yticks=range(len(groups)), yticklabels=groups, xlabel=AXES[p["quantity"]]
        )
        ax.tick_params(axis="y", length=0)
        ax.spines["left"].set_visible(False)
        style.legend(fig, ax)
    return fig


def _reference(ax: Any, p: Any, style: Style) -> None:
    """What the claim says: a line, or a range."""
    low, high = p["lower"], p["bound"]
    if np.isfinite(low) and np.isfinite(high):
        ax.axvspan(low, high, color="#DDDDDD", linewidth=0, zorder=0, label="claimed")
        if low == high:
            ax.axvline(low, color="#999999", linewidth=1.5, zorder=0)
        return
    at = high if np.isfinite(high) else low
    if np.isfinite(at) and p["quantity"] not in ("gap", "difference"):
        ax.axvline(
            at,
            color="#666666",
            linewidth=0.9,
            linestyle=(0, (4, 2)),
            zorder=0,
            label="zero" if at == 0 else "the bound",
        )


def logarithmic(table: Table) -> bool:
    """Whether the axis is: for gaps and differences, and for quotients all of which are small; unless all of them are zero."""
    p = table.parameters
    given = [*table.columns["value"].tolist(), *(v for v in (p["attacked"], p["random"]) if np.isfinite(v))]
    most = max(given, default=0.0)
    return bool(most > 0 and (p["quantity"] in ("gap", "difference") or (p["quantity"] == "ratio" and most < SMALL)))


def _scale(ax: Any, table: Table) -> float | None:
    """Sets the axis of x; a logarithmic one has a floor, on which smaller numbers stand, and that is returned."""
    from matplotlib.ticker import NullFormatter

    p, x = table.parameters, table.columns["value"]
    given = np.array([*x.tolist(), *(v for v in (p["attacked"], p["random"]) if np.isfinite(v))])
    positive = given[given > 0]
    if logarithmic(table):
        least = min(max(positive.min(), positive.max() * FAR), positive.max() / 10) / 3
        ax.set_xscale("log")
        ax.set_xlim(least / 1.6, max(3 * positive.max(), 2.0 if p["quantity"] == "ratio" else 0.0))
        ax.xaxis.set_minor_formatter(NullFormatter())
        if (given <= least).any():
            ax.axvspan(least / 1.6, least, facecolor="none", edgecolor="#BBBBBB", hatch="////", linewidth=0, zorder=0.4)
        return float(least)
    if p["quantity"] == "ratio":
        ax.set_xlim(-0.02, max(1.02, 1.02 * given.max(initial=0.0)))
    return None


def _row(ax: Any, part: Table, k: int, floor: float | None, style: Style) -> None:
    c = part.columns
    n = len(part)
    if not n:
        return
    if np.isfinite(c["low"]).any() or np.isfinite(c["high"]).any():
        low, high = (
            np.where(np.isfinite(c["low"]), c["low"], c["value"]),
            np.where(np.isfinite(c["high"]), c["high"], c["value"]),
        )
        ax.hlines(np.full(n, k), low, high, color=style.palette[0], linewidth=2.2, alpha=0.45, zorder=1)
        ax.plot(c["value"], np.full(n, k), "o", color=style.palette[0], markersize=4, zorder=2)
        return
    # Equally spread by rank, up and down by turns of the golden ratio: dots with equal numbers stay apart.
    y = k + SPREAD * (2 * ((np.arange(n) * 0.6180339887) % 1) - 1) if n > 1 else np.full(1, float(k))
    x, low = c["value"], np.zeros(n, dtype=bool)
    if floor is not None:
        low = x <= floor
        x = np.where(low, floor, x)
    for here, face in ((~low, style.palette[0]), (low, "white")):
        ax.plot(
            x[here], y[here], "o", markersize=2.2, markerfacecolor=face, markeredgecolor=style.palette[0],
            markeredgewidth=0.4, alpha=0.55, zorder=2, rasterized=n > 2000, clip_on=False,
        )  # fmt: skip


def _reached(ax: Any, p: Any, floor: float | None, rows: int, style: Style) -> None:
    """The largest quotient of the runs in the store, and of the attack, across all rows."""
    marks = ((p["random"], "s", "largest drawn", 2), (p["attacked"], "D", "reached by attack", 5))
    for value, marker, said, colour in marks:
        if p["quantity"] == "ratio" and np.isfinite(value):
            x = value if floor is None else max(value, floor)
            ax.plot(
                [x], [rows - 0.5 if marker == "D" else -0.5], marker, color=style.palette[colour], markersize=5, clip_on=False,
                markerfacecolor=style.palette[colour] if marker == "D" else "white", zorder=5, label=said, linestyle="none",
            )  # fmt: skip


def caption(table: Table) -> str:
    """What the figure shows, and what it rests on."""
    p, n = table.parameters, len(table)
    parts = [f"Tightness of {p['claim']} ({p['source']}). {WORDS[p['quantity']]}."]
    if p["quantity"] in ("ratio", "gap", "difference", "margin"):
        parts.append(
            f"{n:,} instances, the first of each family (seed {p['seed']}); nothing is averaged, and there is no band."
        )
    if p["dropped"]:
        parts.append(f"Of {p['dropped']:,} more the bound is not positive or not known to floats.")
    if p["quantity"] == "ratio" and np.isfinite(p["random"]):
        parts.append(f"The square is the largest of the stored run, {_towards_zero(p['random'])}.")
    if p["quantity"] == "ratio" and np.isfinite(p["attacked"]):
        parts.append(f"The diamond is what a search for the worst instance reached, {_towards_zero(p['attacked'])}.")
    if p["quantity"] in ("gap", "difference", "ratio"):
        parts.append(
            "On a logarithmic axis numbers too small for it, zeros included, stand hollow on its hatched edge."
        )
    if p["verdict"]:
        parts.append(f"Verdict: {p['verdict']}, {_formulas(p['rests_on'])}.")
    return " ".join(parts)


def _towards_zero(x: float) -> str:
    from proofs_check.tables import ratio

    return _formulas(ratio(x))


def _formulas(text: str) -> str:
    r"""Powers as formulas: 2^-128 is $2^{-128}$."""
    import re

    return re.sub(r"(\d+)\^(-?\d+)", r"$\1^{\2}$", text).replace("<=", r"$\le$").replace("|a - b|", "$|a - b|$")
