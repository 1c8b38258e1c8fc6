"""Errors on logarithmic axes: zeros are not hidden, they stand on the rounding floor, hollow, and the floor is drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BELOW = 100.0
"""The axis ends at the floor divided by this: room for the word, where no curve can be."""


class Pinned(NamedTuple):
    """Heights at which errors are drawn (n,), and which of them are the floor's."""

    y: np.ndarray
    at_floor: np.ndarray


def pin(errors: Any, floor: Any) -> Pinned:
    """Errors at or below the floor are moved onto it; NaN stays. ValueError for negative errors or a floor that is not positive."""
    y, f = np.broadcast_arrays(np.asarray(errors, dtype=np.float64), np.asarray(floor, dtype=np.float64))
    if y.ndim != 1:
        raise ValueError(f"errors have shape {y.shape}: expected (n,)")
    if not (np.isfinite(f) & (f > 0)).all():
        raise ValueError(f"the rounding floor is {f[~(np.isfinite(f) & (f > 0))][0]}: expected positive numbers")
    if (y < 0).any():
        raise ValueError(f"errors[{int(np.argmax(y < 0))}] is {y[y < 0][0]}: expected none below zero")
    return Pinned(np.where(y <= f, f, y), y <= f)


def curve(ax: Axes, x: Any, y: Any, floor: Any, look: dict[str, Any], *, label: str | None, every: int | None) -> Any:
    """Draw one; returns its line. See `Style.errors`."""
    x = np.asarray(x, dtype=np.float64)
    pinned = pin(y, floor)
    ax.set_yscale("log")
    every = every or max(1, len(x) // 12)
    (line,) = ax.plot(x, pinned.y, label=label, markevery=every, **look)
    if pinned.at_floor.any():
        hollow = {k: v for k, v in look.items() if k not in ("linestyle", "label")}
        hollow.setdefault("marker", "o")
        ax.plot(
            x[pinned.at_floor],
            pinned.y[pinned.at_floor],
            **hollow
            | {"linestyle": "none", "markerfacecolor": "white", "zorder": line.get_zorder() + 1, "clip_on": False},
            markevery=every,
        )
    mark(ax, float(np.max(floor)))
    return line


def mark(ax: Axes, floor: float, text: str = "rounding") -> None:
    """Draw the floor of a logarithmic axis once: a line, hatched below. A second, higher one replaces the first."""
    from figures.style import FAINT, GREY

    old = [a for a in (*ax.lines, *ax.patches, *ax.texts) if a.get_gid() == "floor"]
    if old:
        floor = max(floor, *(float(np.asarray(a.get_ydata())[0]) for a in ax.lines if a.get_gid() == "floor"))
    for artist in old:
        artist.remove()
    low = floor / BELOW
    ax.set_yscale("log")
    if ax.get_ylim()[0] != low:
        ax.set_ylim(bottom=low)
    ax.axhline(floor, color=GREY, linewidth=0.6, zorder=0.5, gid="floor")
    ax.axhspan(low, floor, facecolor="none", edgecolor=FAINT, hatch="////", linewidth=0, zorder=0.4, gid="floor")
    ax.annotate(
        text,
        (1, np.sqrt(low * floor)),
        xycoords=("axes fraction", "data"),
        xytext=(-2, 0),
        textcoords="offset points",
        ha="right",
        va="center_baseline",
        color=GREY,
        fontsize="x-small",
        gid="floor",
        zorder=1,  # below the edge of the axes
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.2},
    )
