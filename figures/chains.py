"""Chains: states in a row, an arc for each move, values as colour, the policy as the weight of its arcs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from figures.axes import distribution, finite, own, plain, points_of, shades
from figures.style import DASHES, PALETTE
from proofs_check.drawing import number
from proofs_check.report.graph import Pair, pairs

if TYPE_CHECKING:
    from matplotlib.axes import Axes

RADIUS = 0.22
MOST = 40  # states
LABELLED = 8  # states up to which arcs have their probabilities
RISE = 0.36  # of an arc to the neighbour, above the middle of the states


def chain(
    mdp: Any,
    ax: Axes | None = None,
    *,
    pi: Any = None,
    V: Any = None,
    label: str = "value",
    cmap: Any = None,
    colorbar: bool = True,
) -> Axes:
    """Draw an `MDP` whose states stand in a row; returns the axes, which are new where ``ax`` is None.

    Moves to the right pass above, moves to the left below, and what stays loops: of action 0, 1, ... in colours and dashes of their
    own, one beside the other. A short chain has their probabilities on them, and rewards that are not zero below the states.

    pi : (S, A), the weight of the arcs; what it never does is left out.  V : (S,), colour of the states.
    ValueError for more than 40 states or 4 actions, a move beyond the next state but one, or arrays that do not fit.
    """
    if mdp.S > MOST or mdp.A > 4:
        raise ValueError(f"{mdp.S} states and {mdp.A} actions: a chain has at most {MOST} and 4")
    chosen = np.ones((mdp.S, mdp.A)) if pi is None else distribution(pi, (mdp.S, mdp.A), "pi")
    listed = [p for p in pairs(mdp) if chosen[p.s, p.a] > 0]
    for p in listed:
        for arrow in p.arrows:
            if arrow.to is not None and abs(arrow.to - p.s) > 2:
                raise ValueError(f"state {p.s} goes to {arrow.to} by action {p.a}: no chain")
    high, paid = 0.3 + 0.18 * max(mdp.A, 2), _rewards(mdp, listed)
    low = -high - 0.24 * max((text.count("\n") + 1 for text in paid.values()), default=0)
    ax = own(ax, (max(2.5, min(0.62 * mdp.S, 7.0)), 1.7))
    plain(ax, (-0.75, mdp.S - 0.25), (low, high))
    size = points_of(ax, 0.26, mdp.S + 0.5)
    for p in listed:
        _moves(ax, mdp, p, float(chosen[p.s, p.a]), size)
    _states(ax, mdp, V, label, cmap, colorbar, size)
    for s, text in paid.items():
        ax.text(s, -high, text, ha="center", va="top", fontsize=size, zorder=5)
    return ax


def _states(ax: Axes, mdp: Any, V: Any, label: str, cmap: Any, colorbar: bool, size: float) -> None:
    from matplotlib.patches import Circle

    faces, dark = ["white"] * mdp.S, np.zeros(mdp.S, dtype=bool)
    if V is not None:
        values = finite(V, (mdp.S,), "V")
        mappable, dark = shades(values, cmap, None)
        faces = list(mappable.to_rgba(values))
        if colorbar:
            ax.figure.colorbar(mappable, ax=ax, label=label, shrink=0.8, pad=0.01)
    names = mdp.state_labels or [str(s) for s in range(mdp.S)]
    for s in range(mdp.S):
        ax.add_patch(Circle((s, 0), RADIUS, facecolor=faces[s], edgecolor="black", linewidth=0.7, zorder=3))
        if size > 5:
            color = "white" if dark[s] else "black"
            ax.text(s, 0, str(names[s]), ha="center", va="center", fontsize=size, color=color, zorder=4)
        elif s % 5 == 0:
            ax.text(s, ax.get_ylim()[1], str(names[s]), ha="center", va="bottom", fontsize=size, zorder=4)


def _moves(ax: Axes, mdp: Any, p: Pair, weight: float, size: float) -> None:
    from matplotlib.patches import FancyArrowPatch

    color = PALETTE[p.a]
    for arrow in p.arrows:
        share = weight * float(arrow.p)
        look: dict[str, Any] = {
            "color": color,
            "linewidth": 0.3 + 1.2 * share,
            "linestyle": DASHES[p.a],
            "zorder": 1,
            "mutation_scale": 5,
            "shrinkA": 0,
            "shrinkB": 0,
        }
        if arrow.to is None:
            ax.plot([p.s], [RADIUS + 0.08 + 0.1 * p.a], marker="s", markersize=2 + 2 * share, color=color, zorder=3)
            continue
        step = arrow.to - p.s
        if step == 0:
            _loop(ax, p, look, number(arrow.p) if mdp.S <= LABELLED else "", size)
            continue
        side = 1 if step > 0 else -1
        rise = RISE * (0.55 + 0.45 * p.a) * (1 if abs(step) == 1 else 1.4)
        turn = np.pi / 3.2
        start = (p.s + side * RADIUS * np.cos(turn), side * RADIUS * np.sin(turn))
        stop = (arrow.to - side * RADIUS * np.cos(turn), side * RADIUS * np.sin(turn))
        bow = -(rise - 0.5 * RADIUS) / (0.5 * abs(stop[0] - start[0]))
        ax.add_patch(FancyArrowPatch(start, stop, arrowstyle="-|>", connectionstyle=f"arc3,rad={bow}", **look))
        if mdp.S <= LABELLED:
            top = start[1] + side * (rise - 0.5 * RADIUS)
            _number(ax, (start[0] + stop[0]) / 2, top, number(arrow.p), size, color)


def _loop(ax: Axes, p: Pair, look: dict[str, Any], said: str, size: float) -> None:
    """Above for the last action, below for the others: out of the way of the moves that an action makes."""
    from matplotlib.patches import FancyArrowPatch

    side = 1 if p.a % 2 else -1
    reach = RADIUS * (1 + 0.25 * (p.a // 2))
    start, stop = (p.s - 0.5 * reach, side * RADIUS * 0.87), (p.s + 0.5 * reach, side * RADIUS * 0.87)
    ax.add_patch(FancyArrowPatch(start, stop, arrowstyle="-|>", connectionstyle=f"arc3,rad={-side * 1.7}", **look))
    if said:
        _number(ax, p.s, side * (RADIUS * 0.87 + 1.15 * reach), said, size, look["color"])


def _number(ax: Axes, x: float, y: float, said: str, size: float, color: str) -> None:
    ax.text(
        x, y, said, ha="center", va="center", fontsize=size, color=color, zorder=5,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.4},
    )  # fmt: skip


def _rewards(mdp: Any, listed: list[Pair]) -> dict[int, str]:
    """By state, those that are not zero; one line where all actions of a state have the same."""
    found = {}
    for s in range(mdp.S):
        here = [p for p in listed if p.s == s]
        paid = {p.a: p.reward for p in here if p.reward}
        if not paid:
            continue
        same = len(set(paid.values())) == 1 and len(paid) == len(here)
        texts = [f"r = {number(here[0].reward)}"] if same else [f"r({a}) = {number(r)}" for a, r in paid.items()]
        found[s] = "\n".join(texts).replace("-", "−")
    return found
