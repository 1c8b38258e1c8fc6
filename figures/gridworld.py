"""Gridworlds: walls, goals and traps, arrows as long as the policy's probability, values as colour."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from figures.axes import distribution, finite, own, plain, points_of, shades
from tabular.instances.gridworld import MOVES, map_cells

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WALL, EMPTY, LINES = "#444444", "#F2F2F2", "#FFFFFF"
REACH = 0.42  # of a cell: an arrow of probability 1, from the middle
FAINTEST = 0.02  # probabilities of which an arrow would be no longer than its head is wide


def gridworld(
    rows: str | Sequence[str],
    ax: Axes | None = None,
    *,
    V: Any = None,
    pi: Any = None,
    label: str = "value",
    limits: tuple[float, float] | None = None,
    cmap: Any = None,
    colorbar: bool = True,
) -> Axes:
    """Draw a map of `tabular.instances.gridworld`; returns the axes, which are new where ``ax`` is None.

    V : (S,), colours; states are the free cells in reading order, or all cells but walls.  pi : (S, 4), arrows up, right,
    down and left, as long as their probability; none for those below 1/50.  label : of the colour bar.  limits : values at
    its ends; None: the least and the largest of V.

    ModelError for a map that is none, ValueError for arrays that do not fit it.
    """
    cells = map_cells(rows)
    states = _states(cells, V, pi)
    height, width = (1 + max(at[k] for at in cells) for k in (0, 1))
    ax = own(ax, (max(2.0, 0.45 * width + 0.9), max(1.5, 0.45 * height)))
    plain(ax, (-0.5, width - 0.5), (height - 0.5, -0.5))
    dark = np.zeros(len(states), dtype=bool)
    colours: dict[tuple[int, int], Any] = {}
    if V is not None:
        mappable, dark = shades(finite(V, (len(states),), "V"), cmap, limits)
        colours = dict(zip(states, mappable.to_rgba(np.asarray(V, dtype=np.float64)), strict=True))
        if colorbar:
            ax.figure.colorbar(mappable, ax=ax, label=label, shrink=0.9, pad=0.02)
    _cells(ax, cells, colours)
    size = points_of(ax, 0.5, width)
    for at, sign in cells.items():
        if sign in "GT" or (sign == "S" and pi is None):
            light = at in states and bool(dark[states.index(at)])
            ax.text(at[1], at[0], sign, ha="center", va="center", fontsize=size, color="white" if light else "black")
    if pi is not None:
        _arrows(ax, states, distribution(pi, (len(states), 4), "pi"), dark)
    return ax


def _states(cells: dict[tuple[int, int], str], V: Any, pi: Any) -> list[tuple[int, int]]:
    """Free cells, or all that are no walls: as many as the arrays have rows."""
    free = [at for at, sign in cells.items() if sign in ".S"]
    open_ = [at for at, sign in cells.items() if sign != "#"]
    for name, x in (("V", V), ("pi", pi)):
        if x is not None and len(x) not in (len(free), len(open_)):
            raise ValueError(
                f"{name} has {len(x)} rows: the map has {len(free)} free cells, and {len(open_)} with goals and traps"
            )
    given = [len(x) for x in (V, pi) if x is not None]
    if len(set(given)) > 1:
        raise ValueError(f"V has {given[0]} rows and pi {given[1]}")
    return open_ if given and given[0] == len(open_) else free


def _cells(ax: Axes, cells: dict[tuple[int, int], str], colours: dict[tuple[int, int], Any]) -> None:
    from matplotlib.collections import PatchCollection
    from matplotlib.patches import Rectangle

    boxes = [Rectangle((c - 0.5, r - 0.5), 1, 1) for r, c in cells]
    faces = [WALL if sign == "#" else colours.get(at, EMPTY) for at, sign in cells.items()]
    ax.add_collection(PatchCollection(boxes, facecolors=faces, edgecolors=LINES, linewidths=0.5, zorder=0))


def _arrows(ax: Axes, states: list[tuple[int, int]], pi: np.ndarray, dark: np.ndarray) -> None:
    """One quiver for each shade; lengths are in cells."""
    r, c = np.array(states).T
    for k, (dr, dc) in enumerate(MOVES.values()):
        for shade, color in ((False, "black"), (True, "white")):
            here = (pi[:, k] >= FAINTEST) & (dark == shade)
            if here.any():
                ax.quiver(
                    c[here],
                    r[here],
                    REACH * dc * pi[here, k],
                    REACH * dr * pi[here, k],
                    angles="xy",
                    scale_units="xy",
                    scale=1,
                    units="xy",
                    width=0.05,
                    headwidth=3.2,
                    headlength=3.2,
                    headaxislength=2.9,
                    minlength=0,
                    minshaft=1.5,
                    color=color,
                    zorder=2,
                )
