"""A small MDP as an SVG graph: one step unrolled, states on the left, what each action does, states on the right.

Nothing overlaps, whatever the model: every successor has a line of its own, on which its probability stands, before it bends
to the state. Places follow from the numbers alone, so that equal models are equal bytes. Colours are the page's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from typing import Any

import numpy as np

from proofs_check.drawing import draw, number
from proofs_check.draws import Payload

LARGEST = 48  # lines; a larger model is described in words
LINE, GAP, TOP, RADIUS = 22, 12, 34, 15
X_STATE, X_ACTION, X_PORT, X_END, X_NEXT = 30, 196, 214, 300, 430
WIDTH = 460


@dataclass(frozen=True)
class Arrow:
    """To a state, or to the end (None), with a probability."""

    to: int | None
    p: Any


@dataclass(frozen=True)
class Pair:
    """A state and an action, with its reward and where it leads."""

    s: int
    a: int
    reward: Any
    arrows: tuple[Arrow, ...]


def pairs(mdp: Any) -> list[Pair]:
    """All that are available, in order, with exact numbers."""
    exact = mdp.exact()
    out = []
    for s in range(mdp.S):
        for a in np.flatnonzero(mdp.mask[s]).tolist():
            arrows = [Arrow(int(t), p) for t, p in exact.row(s, a).items() if p]
            if exact.end(s, a):
                arrows.append(Arrow(None, exact.end(s, a)))
            out.append(Pair(s, a, exact.R[s * mdp.A + a], tuple(arrows)))
    return out


def drawable(mdp: Any) -> bool:
    """Whether a picture of it could be read."""
    if mdp.S * mdp.A > LARGEST or mdp.S > 12:
        return False
    return sum(len(p.arrows) for p in pairs(mdp)) <= LARGEST


def words(mdp: Any, payloads: Mapping[str, Payload] | None = None) -> list[str]:
    """The same in lines of text."""
    return draw(mdp, payloads)


def svg(mdp: Any, name: str) -> str:
    """The picture, its description in words inside; ``name`` is unique on its page."""
    listed = pairs(mdp)
    several = mdp.A > 1
    targets: list[int | None] = [*range(mdp.S)] + (
        [None] if any(a.to is None for p in listed for a in p.arrows) else []
    )
    heights = [LINE * max(1, len(p.arrows)) for p in listed]
    gaps = [0, *(GAP * (1 + (p.s != before.s)) for before, p in pairwise(listed))]
    tall, needed = sum(heights) + sum(gaps), (2 * RADIUS + 8) * len(targets)
    y = TOP + max(0.0, (needed - tall) / 2)
    rows: list[tuple[Pair, float]] = []  # and the middle of its lines
    spans: dict[int, list[float]] = {}
    for pair, height, gap in zip(listed, heights, gaps, strict=True):
        y += gap
        rows.append((pair, y + height / 2))
        spans.setdefault(pair.s, []).append(y + height / 2)
        y += height
    left = {s: sum(at) / len(at) for s, at in spans.items()}
    bottom = TOP + max(tall, needed)
    step = (bottom - TOP) / len(targets)
    right = {t: TOP + step * (i + 0.5) for i, t in enumerate(targets)}
    parts: list[str] = []
    for pair, middle in rows:
        parts += _pair(pair, middle, left[pair.s], right, several)
    parts += [_state(X_STATE, at, str(s)) for s, at in left.items()]
    parts += [_end(X_NEXT, right[t]) if t is None else _state(X_NEXT, right[t], str(t)) for t in targets]
    title = f"MDP of {mdp.S} state{'' if mdp.S == 1 else 's'} and {len(listed)} state-action pair{'' if len(listed) == 1 else 's'}"
    heads = "".join(
        f'<text class="head" x="{x}" y="14" text-anchor="middle">{label}</text>'
        for x, label in ((X_STATE, "state"), (118, "action, reward"), (258, "probability"), (X_NEXT, "next"))
    )
    box = f"0 0 {WIDTH} {_n(bottom + 10)}"
    return (
        f'<svg class="mdp" viewBox="{box}" role="img" aria-labelledby="{name}-t {name}-d" xmlns="http://www.w3.org/2000/svg">'
        f'<title id="{name}-t">{title}</title><desc id="{name}-d">{escape(". ".join(words(mdp)))}</desc>'
        f"{heads}{''.join(parts)}</svg>"
    )


def _pair(pair: Pair, middle: float, source: float, right: Mapping[int | None, float], several: bool) -> list[str]:
    x = X_STATE + RADIUS
    bend = x + 26
    parts = [
        f'<path class="choice" d="M{x} {_n(source)} C{bend - 8} {_n(source)} {bend - 14} {_n(middle)} '
        f'{bend} {_n(middle)} H{X_ACTION}"/>'
    ]
    label = f"r = {number(pair.reward)}".replace("-", "−")
    label = f"{pair.a}, {label}" if several else label
    parts.append(f'<text x="{bend + 2}" y="{_n(middle - 5)}">{escape(label)}</text>')
    first = middle - LINE * (len(pair.arrows) - 1) / 2
    for k, arrow in enumerate(pair.arrows):
        at, to = first + LINE * k, right[arrow.to]
        tip = X_NEXT - RADIUS - 1
        width = _n(1 + 1.2 * float(arrow.p))
        parts.append(
            f'<path class="arrow" stroke-width="{width}" d="M{X_ACTION} {_n(middle)} L{X_PORT} {_n(at)} H{X_END} '
            f'C{X_END + 60} {_n(at)} {tip - 64} {_n(to)} {tip - 6} {_n(to)}"/>'
            f'<path class="tip" d="M{tip} {_n(to)} l-8 -3.6 v7.2 z"/>'
        )
        parts.append(f'<text x="{X_PORT + 4}" y="{_n(at - 4)}">{escape(number(arrow.p))}</text>')
    parts.append(f'<circle class="dot" cx="{X_ACTION}" cy="{_n(middle)}" r="3.4"/>')
    return parts


def _state(x: float, y: float, label: str) -> str:
    return (
        f'<circle class="state" cx="{_n(x)}" cy="{_n(y)}" r="{RADIUS}"/>'
        f'<text class="name" x="{_n(x)}" y="{_n(y + 4.5)}" text-anchor="middle">{label}</text>'
    )


def _end(x: float, y: float) -> str:
    side = 2 * RADIUS - 2
    return (
        f'<rect class="state" x="{_n(x - side / 2)}" y="{_n(y - side / 2)}" width="{side}" height="{side}" rx="3"/>'
        f'<text class="name" x="{_n(x)}" y="{_n(y + 4)}" text-anchor="middle">end</text>'
    )


def _n(x: float) -> str:
    """At most two decimals."""
    return f"{x:.2f}".rstrip("0").rstrip(".")
