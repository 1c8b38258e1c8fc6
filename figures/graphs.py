"""Small MDPs as graphs: one step unrolled, states on the left, what each action does, states on the right.

Places are those of the report's drawings (`proofs_check.report.graph`): nothing overlaps, and equal models are equal pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from figures.axes import own, plain, points_of
from proofs_check.drawing import number
from proofs_check.report import graph as places

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LETTERS = 11.5
"""Height of letters, in the units of the layout."""


def graph(mdp: Any, ax: Axes | None = None, *, pi: Any = None, color: str = "#0072B2") -> Axes:
    """Draw states, actions, rewards and probabilities of an `MDP`; returns the axes, which are new where ``ax`` is None.

    pi : (S, A), a policy; what it never does is drawn faint. Names of states and actions are those of the model.
    ValueError for a model that is too large to be read (48 lines or 12 states), or a policy of another shape.
    """
    if not places.drawable(mdp):
        raise ValueError(
            f"{mdp.S} states and {mdp.A} actions are too many to draw: expected at most 12 states and 48 arrows"
        )
    chosen = _policy(mdp, pi)
    at = places.layout(mdp)
    ax = own(ax, (5.5, 5.5 * (at.bottom + 10) / places.WIDTH))
    plain(ax, (0, places.WIDTH), (at.bottom + 10, 0))
    size = points_of(ax, LETTERS, places.WIDTH)
    actions = mdp.action_labels or [str(a) for a in range(mdp.A)]
    for x, head in places.HEADS:
        ax.text(x, 10, head, ha="center", va="center", fontsize=size, color="#666666")
    for pair, middle in at.rows:
        shade = color if chosen[pair.s, pair.a] > 0 else "#BBBBBB"
        _choice(ax, pair, middle, at.left[pair.s], shade)
        name = places.label(pair, mdp.A > 1, str(actions[pair.a]))
        ax.text(places.X_STATE + places.RADIUS + 28, middle - 8, name, va="center", fontsize=size)
        _arrows(ax, pair, middle, at.right, shade, size)
    names = mdp.state_labels or [str(s) for s in range(mdp.S)]
    for s, y in at.left.items():
        _node(ax, places.X_STATE, y, str(names[s]), size)
    for t, y in at.right.items():
        _node(ax, places.X_NEXT, y, "end" if t is None else str(names[t]), size, end=t is None)
    return ax


def _policy(mdp: Any, pi: Any) -> np.ndarray:
    if pi is None:
        return np.ones((mdp.S, mdp.A))
    chosen = np.asarray(pi, dtype=np.float64)
    if chosen.shape != (mdp.S, mdp.A):
        raise ValueError(f"pi has shape {chosen.shape}: expected ({mdp.S}, {mdp.A})")
    return chosen


def _choice(ax: Axes, pair: places.Pair, middle: float, source: float, color: str) -> None:
    """From the state to the dot of an action."""
    x = places.X_STATE + places.RADIUS
    bend = x + 26
    curve = [(x, source), (bend - 8, source), (bend - 14, middle), (bend, middle), (places.X_ACTION, middle)]
    _curve(ax, curve, color, 0.9)
    ax.plot([places.X_ACTION], [middle], marker="o", markersize=3, color=color, zorder=3)


def _arrows(
    ax: Axes, pair: places.Pair, middle: float, right: dict[int | None, float], color: str, size: float
) -> None:
    """From the dot to the states, each as thick as its probability, which stands on it."""
    first = middle - places.LINE * (len(pair.arrows) - 1) / 2
    tip = places.X_NEXT - places.RADIUS - 1
    for k, arrow in enumerate(pair.arrows):
        y, to = first + places.LINE * k, right[arrow.to]
        ax.plot(
            [places.X_ACTION, places.X_PORT, places.X_END],
            [middle, y, y],
            color=color,
            linewidth=_thick(arrow.p),
            zorder=1,
        )
        _curve(ax, [(places.X_END, y), (places.X_END + 60, y), (tip - 64, to), (tip - 6, to)], color, _thick(arrow.p))
        ax.fill([tip, tip - 8, tip - 8], [to, to - 3.6, to + 3.6], color=color, linewidth=0, zorder=3)
        ax.text(places.X_PORT + 4, y - 8, number(arrow.p), va="center", fontsize=size)


def _thick(p: Any) -> float:
    return 0.5 + 0.9 * float(p)


def _curve(ax: Axes, points: Sequence[tuple[float, float]], color: str, width: float) -> None:
    """A Bézier curve through four points, and on to a fifth in a straight line."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    codes = [Path.MOVETO, Path.CURVE4, Path.CURVE4, Path.CURVE4, Path.LINETO][: len(points)]
    ax.add_patch(PathPatch(Path(points, codes), fill=False, edgecolor=color, linewidth=width, zorder=1))


def _node(ax: Axes, x: float, y: float, name: str, size: float, *, end: bool = False) -> None:
    from matplotlib.patches import Circle, Rectangle

    r = places.RADIUS
    shape = Rectangle((x - r + 1, y - r + 1), 2 * r - 2, 2 * r - 2) if end else Circle((x, y), r)
    shape.set(facecolor="white", edgecolor="black", linewidth=0.8, zorder=2)
    ax.add_patch(shape)
    fits = max(5.0, min(size, size * 4 / max(len(name), 1)))
    ax.text(x, y, name, ha="center", va="center", fontsize=fits, zorder=4)
