"""A small MDP as text: states, their actions, and where these lead."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np

from proofs_check.draws import Payload

LARGEST = 24  # pairs; larger models are described in words
LONG = 12  # characters of an exact number; longer ones are rounded, with a sign that says so


def draw(mdp: Any, payloads: Mapping[str, Payload] | None = None) -> list[str]:
    """The model as a graph, then what was drawn besides, number by number.

    ::

        2 states, gamma = 1/2
        (0) --[action 0, reward 1]--> (1)
            --[action 1, reward 0]--> 1/4 itself, 3/4 end
        (1) --[reward 0]--> itself
        V = (0, 1)
    """
    lines = _graph(mdp)
    for name, p in (payloads or {}).items():
        lines += _drawn(name, p)
    return lines


def _graph(mdp: Any) -> list[str]:
    exact = mdp.exact()
    states = f"{mdp.S} state{'' if mdp.S == 1 else 's'}"
    lines = [f"{states}, gamma = {number(exact.gamma)}"]
    if mdp.S * mdp.A > LARGEST:
        return [f"{lines[0]}, {mdp.A} actions: too large to draw"]
    for s in range(mdp.S):
        head = f"({s}) "
        available = np.flatnonzero(mdp.mask[s])
        for a in available:
            row, end = exact.row(s, int(a)), exact.end(s, int(a))
            label = f"reward {number(exact.R[s * mdp.A + int(a)])}"
            label = label if len(available) == 1 and mdp.A == 1 else f"action {a}, {label}"
            lines.append(f"{head}--[{label}]--> {_targets(s, row, end)}")
            head = " " * len(head)
    return lines


def _targets(s: int, row: Mapping[int, Fraction], end: Fraction) -> str:
    parts = [(("itself" if t == s else f"({t})"), p) for t, p in row.items() if p]
    parts += [("end", end)] if end else []
    if len(parts) == 1:
        return parts[0][0]
    return ", ".join(f"{number(p)} {name}" for name, p in parts)


def _drawn(name: str, p: Payload) -> list[str]:
    if p.form == "model":
        return [f"{name}:", *("  " + line for line in _graph(p.data))]
    data = np.asarray(p.data)
    rows = data.reshape(-1, data.shape[-1]) if data.ndim else data.reshape(1, 1)
    texts = []
    for row in rows:
        exact = [Fraction(x) for x in row.tolist()]
        if p.form == "distribution":
            total = sum(exact)
            exact = [x / total for x in exact]
        texts.append(", ".join(number(x) for x in exact))
    if not data.ndim:
        return [f"{name} = {texts[0]}"]
    if data.ndim == 1:
        return [f"{name} = ({texts[0]})"]
    return [f"{name}({s}) = ({text})" for s, text in enumerate(texts)]


def number(x: Fraction | float) -> str:
    """An exact number where it is short, else six digits of it after a tilde."""
    exact = Fraction(x)
    text = str(exact)
    if len(text) <= LONG:
        return text
    if 0 < 1 - exact < Fraction(1, 1000):
        left = 1 - exact
        power = left.denominator.bit_length() - 1
        return f"1 - 2^-{power}" if left == Fraction(1, 1 << power) else f"~1 - {float(left):.6g}"
    return f"~{float(exact):.6g}"
