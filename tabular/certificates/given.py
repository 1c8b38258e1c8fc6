"""What the functions of this package are given: values or a whole ``Solution``, and the regulariser that it was found with."""

from __future__ import annotations

from typing import Any

import numpy as np

from tabular.regularizers import checked
from tabular.solution import Solution


def values_of(V: Any) -> Any:
    """The values of a Solution, anything else as it is."""
    return V.V if isinstance(V, Solution) else V


def policy_of(V: Any, pi: Any) -> Any:
    """The policy given, or else that of a Solution."""
    return V.pi if pi is None and isinstance(V, Solution) else pi


def regularizer_of(V: Any, regularizer: Any, mask: np.ndarray) -> Any:
    """The checked regulariser, that of a Solution where None is given; ValueError where the two differ."""
    if not isinstance(V, Solution):
        return checked(regularizer, mask)
    solved = checked(V.regularizer, mask)
    if regularizer is None:
        return solved
    asked = checked(regularizer, mask)
    if not _equal(asked, solved):
        names = [type(x).__name__ for x in (solved, asked)]
        raise ValueError(
            f"the solution was found with another regularizer ({names[0]}) than the one given ({names[1]})"
        )
    return asked


def _equal(a: Any, b: Any) -> bool:
    if type(a) is not type(b):
        return False
    return all(_equal(x, y) if isinstance(x, tuple) else np.array_equal(x, y) for x, y in zip(a, b, strict=True))
