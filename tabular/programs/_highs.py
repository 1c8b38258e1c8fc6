"""Linear programs by HiGHS: proposals, of which nothing is claimed."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from tabular.errors import NotConverged

FEASIBILITY = 1e-10
"""The least that HiGHS takes."""


NEVER_ENDS = (
    "gamma = 1: under no policy does the process that starts at rho surely end, so none has occupancies; programs need ends "
    "that are declared (end=), not states that are kept"
)


class Proposal(NamedTuple):
    """A basic solution of ``max c x, A x = b`` in some rows and ``<= b`` in the last ones, ``x >= 0``.

    Attributes
    ----------
    status : "optimal", "infeasible", "unbounded".  x : (n,).  y : (m,) multipliers of the rows.  value : c x.
    basic : places of basic columns; a slack of row i has the place n + i.  iterations : of the simplex method.
    """

    status: str
    x: np.ndarray
    y: np.ndarray
    value: float
    basic: list[int]
    iterations: int


def maximise(
    c: np.ndarray,
    A: Any,
    b: np.ndarray,
    *,
    equal: int | None = None,
    free: np.ndarray | None = None,
    lower: bool = False,
) -> Proposal:
    """By the simplex method on one thread, the same each time.

    c : (n,) objective.  A : sparse (m, n), b : (m,); the first ``equal`` rows are equations (None: all), the others bounds from
    above (``lower``: from below).  free : (n,) bool, columns of any sign.
    """
    import highspy

    A = A.tocsc()
    m, n = A.shape
    equal = m if equal is None else equal
    unit = 2.0 ** -np.floor(np.log2(top)) if (top := float(np.abs(c).max(initial=0.0))) > 0 else 1.0
    infinity = highspy.kHighsInf
    lp = highspy.HighsLp()
    lp.num_col_, lp.num_row_ = n, m
    lp.col_cost_, lp.sense_ = c * unit, highspy.ObjSense.kMaximize
    lp.col_lower_ = np.where(False if free is None else free, -infinity, np.zeros(n))
    lp.col_upper_ = np.full(n, infinity)
    tied = np.arange(m) < equal
    lp.row_lower_ = np.where(tied | lower, b, -infinity)
    lp.row_upper_ = np.where(tied | (not lower), b, infinity)
    lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    lp.a_matrix_.start_, lp.a_matrix_.index_ = A.indptr.astype(np.int32), A.indices.astype(np.int32)
    lp.a_matrix_.value_ = A.data
    solver = highspy.Highs()
    options: dict[str, Any] = {
        "output_flag": False, "threads": 1, "solver": "simplex", "primal_feasibility_tolerance": FEASIBILITY,
        "dual_feasibility_tolerance": FEASIBILITY,
    }  # fmt: skip
    for name, value in options.items():
        solver.setOptionValue(name, value)
    solver.passModel(lp)
    solver.run()
    status = solver.getModelStatus()
    kinds = highspy.HighsModelStatus
    if status == kinds.kUnboundedOrInfeasible:  # presolve alone cannot tell
        solver.setOptionValue("presolve", "off")
        solver.run()
        status = solver.getModelStatus()
    names = {kinds.kOptimal: "optimal", kinds.kInfeasible: "infeasible", kinds.kUnbounded: "unbounded"}
    if status not in names:
        raise NotConverged(
            f"HiGHS stopped with {solver.modelStatusToString(status)!r} on a program of {m} rows, {n} columns"
        )
    found, basis = solver.getSolution(), solver.getBasis()
    basic = highspy.HighsBasisStatus.kBasic
    places = [j for j, s in enumerate(basis.col_status) if s == basic]
    places += [n + i for i, s in enumerate(basis.row_status) if s == basic]
    x, y = np.array(found.col_value), np.array(found.row_dual) / unit
    value = float(c @ x) if len(x) else 0.0
    return Proposal(names[status], x, y, value, places, int(solver.getInfo().simplex_iteration_count))
