"""Gridworlds from a drawing, in exact numbers.

A map is text: ``.`` free, ``S`` start (any number: uniform over them), ``#`` wall, ``G`` goal, ``T`` trap.
Goals and traps are not states: entering one ends the process, and that is declared in ``end``.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import lcm
from typing import Any

import numpy as np

from tabular import _validate as check
from tabular.exact_model import ExactModel
from tabular.from_exact import decimal, stored
from tabular.mdp import MDP

MOVES = {"up": (-1, 0), "right": (0, 1), "down": (1, 0), "left": (0, -1)}
ARROWS = "↑→↓←"


def gridworld(
    rows: str | Sequence[str],
    *,
    gamma: Any,
    slip: Any = 0,
    step_reward: Any = 0,
    goal_reward: Any = 1,
    trap_reward: Any = -1,
    sparse: bool | None = None,
    name: str = "gridworld",
) -> MDP:
    """An MDP of four moves on a map; bumping into a wall or the border stays.

    With probability ``slip`` the move goes to one side instead, half of it to each. Each step pays
    ``step_reward``, and ``goal_reward`` or ``trap_reward`` more where it ends. These numbers are exact: a
    float is read as the decimal that it prints as (``slip=0.1`` is 1/10). States are labelled ``"r,c"``,
    actions ``up, right, down, left``; ``sparse=None``: dense where small.

    Raises ModelError for a ragged or empty map, an unknown sign (named with its place), or slip outside [0,
    1].
    """
    cells = map_cells(rows)
    s = decimal(slip, "slip")
    if not 0 <= s <= 1:
        check.fail(f"slip is {slip}: expected a probability")
    pay = {"G": decimal(goal_reward, "goal_reward"), "T": decimal(trap_reward, "trap_reward")}
    step = decimal(step_reward, "step_reward")
    state = {at: i for i, at in enumerate(at for at, sign in cells.items() if sign in ".S")}
    if not state:
        check.fail("the map has no free cell")
    indptr, indices, weights, ends, totals, R = [0], [], [], [], [], []
    unit = lcm(s.denominator, 2 * s.denominator)
    ahead, aside = int((1 - s) * unit), int(s / 2 * unit)
    turns = list(MOVES.values())
    for r, c in state:
        for k in range(4):
            row: dict[int, int] = {}
            end, reward = 0, step
            for w, (dr, dc) in ((ahead, turns[k]), (aside, turns[k - 1]), (aside, turns[(k + 1) % 4])):
                to = (r + dr, c + dc)
                sign = cells.get(to, "#")
                if sign in "GT":
                    end += w
                    reward += pay[sign] * Fraction(w, unit)
                else:
                    t = state[(r, c) if sign == "#" else to]
                    row[t] = row.get(t, 0) + w
            indices += list(row)
            weights += list(row.values())
            indptr.append(len(indices))
            ends.append(end)
            totals.append(unit)
            R.append(reward)
    starts = [i for at, i in state.items() if cells[at] == "S"]
    rho = [Fraction(i in starts, len(starts)) for i in range(len(state))] if starts else None
    n = len(state)
    exact = ExactModel(
        n,
        4,
        np.ones((n, 4), dtype=bool),
        np.array(indptr),
        np.array(indices),
        weights,
        ends,
        totals,
        R,
        gamma,
        rho,
    )
    mdp = MDP.from_exact(exact, state_labels=[f"{r},{c}" for r, c in state], action_labels=list(MOVES), name=name)
    return stored(mdp, sparse)


def map_cells(rows: str | Sequence[str]) -> dict[tuple[int, int], str]:
    """Signs by (row, column), in reading order; ModelError for a ragged or empty map or an unknown sign."""
    if not isinstance(rows, (str, list, tuple)):
        raise TypeError(f"the map is {type(rows).__name__}: expected text, or a list of its rows")
    lines = [x.strip() for x in rows.strip().splitlines()] if isinstance(rows, str) else [str(x) for x in rows]
    if not lines or not lines[0]:
        check.fail("the map is empty")
    for r, line in enumerate(lines):
        if len(line) != len(lines[0]):
            check.fail(f"row {r} of the map has {len(line)} cells: expected {len(lines[0])} as in row 0")
        if (bad := next((c for c, sign in enumerate(line) if sign not in ".S#GT"), None)) is not None:
            check.fail(f"cell {r},{bad} of the map is {line[bad]!r}: expected one of . S # G T")
    return {(r, c): sign for r, line in enumerate(lines) for c, sign in enumerate(line)}


def render(rows: str | Sequence[str], values: Any = None, *, precision: int = 2) -> str:
    """The map as text; free cells show an arrow (``values`` (S, 4), e.g. ``pi`` or ``Q``: the first maximum)
    or a number ((S,)).

    ModelError where ``values`` do not belong to the map.
    """
    cells = map_cells(rows)
    free = [at for at, sign in cells.items() if sign in ".S"]
    shown = dict(cells)
    if values is not None:
        x = np.asarray(values, dtype=np.float64)
        if x.shape == (len(free), 4):
            shown |= {at: ARROWS[int(np.argmax(x[i]))] for i, at in enumerate(free)}
        elif x.shape == (len(free),):
            shown |= {at: f"{x[i]:.{precision}f}" for i, at in enumerate(free)}
        else:
            check.fail(f"values have shape {x.shape}: expected ({len(free)},) or ({len(free)}, 4) for this map")
    width = max(len(text) for text in shown.values())
    height, breadth = (1 + max(at[k] for at in cells) for k in (0, 1))
    gap = " " if width > 1 else ""
    return "\n".join(gap.join(shown[r, c].rjust(width) for c in range(breadth)) for r in range(height))
