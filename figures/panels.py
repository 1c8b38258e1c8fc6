"""Panels of one figure: as many in a row as the column of the page has room for, and the words that captions share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from figures.style import Style


def panels(
    style: Style, count: int, ratio: float = 0.8, *, least: float = 1.5, tall: float = 1.5, **subplots: Any
) -> tuple[Figure, list[Axes]]:
    """A figure with ``count`` panels, each at least ``least`` inches wide and ``tall`` inches high with its labels; places that are
    left over stay empty."""
    rows, cols = style.grid(count, least)
    fig, axes = style.figure(rows, cols, max(ratio, tall * cols / style.width), squeeze=False, **subplots)
    flat = list(axes.ravel())
    for ax in flat[count:]:
        ax.set_axis_off()
    for i, ax in enumerate(flat[:count]):
        if i + cols >= count:  # nothing below it
            ax.tick_params(labelbottom=True)
    return fig, flat[:count]


def outer(axes: Sequence[Axes], *, x: str = "", y: str = "") -> None:
    """Name the axes at the edge only: of x below the last panel of each column, of y left of each row."""
    places: list[Any] = [ax.get_subplotspec() for ax in axes]
    lowest = {
        p.colspan.start: max(q.rowspan.start for q in places if q.colspan.start == p.colspan.start) for p in places
    }
    for ax, place in zip(axes, places, strict=True):
        if x and place.rowspan.start == lowest[place.colspan.start]:
            ax.set_xlabel(x)
        if y and place.is_first_col():
            ax.set_ylabel(y)


def banded(
    style: Style, ax: Axes, c: Any, i: int, label: str, *, x: str, looks: Any = None, marker: bool = True
) -> None:
    """Curve i of the columns ``x``, ``mean``, ``lower`` and ``upper``, with its band."""
    look = style.line(i, marker=marker) | (looks or {})
    style.band(ax, c[x], c["lower"], c["upper"], i)
    ax.plot(c[x], c["mean"], label=label, markevery=max(1, len(c[x]) // 8), **look)


def each(values: Iterable[Any]) -> list[Any]:
    """The different values, in the order of their first appearance, as plain numbers and strings."""
    return [x.item() if isinstance(x, np.generic) else x for x in dict.fromkeys(np.asarray(values).tolist())]


def listed(values: Iterable[Any]) -> str:
    """As a sentence has them: a, b and c."""
    words = [f"{x:g}" if isinstance(x, float) else str(x) for x in values]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def percent(level: float) -> str:
    return f"{100 * level:g} per cent"


def decimals(*axes: Any, at: Sequence[float] = (1.0, 2.0, 5.0)) -> None:
    """Logarithmic axes of little more than a decade: marks at these parts of each, as plain numbers."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    for axis in axes:
        axis.set_major_locator(LogLocator(10, subs=at))
        axis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
        axis.set_minor_formatter(NullFormatter())


def headroom(axes: Sequence[Axes], factor: float = 2.0) -> None:
    """Logarithmic axes of y that have a floor: up to the highest point of any panel, and so many times more."""
    heights = [np.asarray(line.get_ydata(), dtype=np.float64) for ax in axes for line in ax.lines]
    top = max(float(np.nanmax(y)) for y in heights if len(y))
    for ax in axes:
        ax.set_ylim(top=top * factor)


def legend(style: Style, fig: Figure, axes: Sequence[Axes], **where: Any) -> Any:
    """The legend of all panels: in a place that no panel took, else above them."""
    spare = [ax for ax in fig.axes if not ax.axison and not ax.has_data()]
    if not spare:
        return style.legend(fig, axes, **where)
    found: dict[str, Any] = {}
    for ax in axes:
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            found.setdefault(label, handle)
    return spare[0].legend(list(found.values()), list(found), loc="center", **where)


def floored(ax: Axes, y: Any, floor: float, *, spare: float = 3.0) -> None:
    """A logarithmic axis for positive numbers: down to the floor where one of them comes near it, else a little below the least.

    ValueError for a number at or below the floor, which has to be drawn by ``Style.errors``.
    """
    least = float(np.min(y))
    if least <= floor:
        raise ValueError(f"{least} is at or below the floor {floor}")
    ax.set_yscale("log")
    ax.set_ylim(least / spare, None)
