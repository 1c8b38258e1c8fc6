"""The contestants: one module each, imported in the contestant's own environment.

A module has

``METHODS``   kind of task -> the method and settings chosen, as the table prints them;
``REFUSALS``  kind of task -> why the library cannot do it;
``prepare(task, options)`` -> ``Ready``; it imports the library, builds its model, and leaves the solving to ``Ready.solve``.

The modules of peers import NumPy and their library alone, inside ``prepare``: this process reads ``METHODS`` without them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np


def nothing() -> None:
    """What is to be renewed before a run where nothing is."""


class Ready(NamedTuple):
    """A contestant that has built its model.

    Attributes
    ----------
    version : of the library.
    solve : what is timed.
    answer : its result -> ``V`` ((S,), (B, S), (H+1, S), or texts "p/q") and facts such as the number of iterations.
    renew : called before each run, untimed: for libraries whose models keep the last answer.
    """

    version: str
    solve: Callable[[], Any]
    answer: Callable[[Any], tuple[np.ndarray, dict[str, Any]]]
    renew: Callable[[], None] = nothing


def drawn(x: dict[str, np.ndarray], row: int, u: float) -> int:
    """The state that a uniform number draws from a row, by the tables of the task (Walker's aliases)."""
    start, size = int(x["indptr"][row]), int(x["indptr"][row + 1] - x["indptr"][row])
    column = min(int(u * size), size - 1)
    own = u * size - column < x["chance"][start + column]
    return int(x["indices"][start + (column if own else x["alias"][start + column])])
