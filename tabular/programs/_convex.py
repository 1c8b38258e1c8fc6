"""Concave objectives over occupancies, handed to Clarabel through cvxpy: proposals, of which nothing is claimed."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from tabular.errors import NotConverged
from tabular.programs._settings import Setting

PRECISE = {"tol_gap_abs": 1e-10, "tol_gap_rel": 1e-10, "tol_feas": 1e-10}


class Point(NamedTuple):
    """``x`` (m,) occupancies of the pairs, not negative; ``values`` (states,) multipliers of the flow; those of the first of the
    other constraints; objective; iterations."""

    x: np.ndarray
    values: np.ndarray
    others: Any
    value: float
    iterations: int


def solved(setting: Setting, objective: Callable[[Any, Any], tuple[Any, list[Any]]], unit: float = 1.0) -> Point:
    """The maximum of ``objective(cvxpy, x)``, an expression in units of ``unit`` and constraints of its own, over occupancies.

    Raises NotConverged where Clarabel finds no solution.
    """
    import cvxpy as cp

    x = cp.Variable(len(setting.pairs), nonneg=True)
    flow = setting.system() @ x == setting.start
    concave, others = objective(cp, x)
    problem = cp.Problem(cp.Maximize(concave), [flow, *others])
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # "may be inaccurate": proofs follow
        try:
            problem.solve(solver=cp.CLARABEL, **PRECISE)
        except cp.error.SolverError as error:
            raise NotConverged(f"Clarabel found no solution: {error}") from None
    if x.value is None or problem.status not in (cp.OPTIMAL, cp.OPTIMAL_INACCURATE):
        raise NotConverged(f"Clarabel stopped with {problem.status!r}")
    values = np.asarray(flow.dual_value) * unit
    iterations = int(problem.solver_stats.num_iters or 0)
    first = others[0].dual_value if others else None
    return Point(np.maximum(np.asarray(x.value), 0.0), values, first, float(problem.value) * unit, iterations)
