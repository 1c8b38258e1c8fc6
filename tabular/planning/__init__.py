"""Planning: solvers of a known model, for any regulariser, with certificates.

The solvers of the room are here; a paper's algorithms are in the module of its key, e.g. ``tabular.planning.mdvi``.
"""

from __future__ import annotations

from tabular.planning._solve import SOLVERS, Solver, solve
from tabular.planning.backward_induction import backward_induction
from tabular.planning.batch_solve import BatchSolution, solve_batch
from tabular.planning.gauss_seidel import gauss_seidel
from tabular.planning.modified_policy_iteration import modified_policy_iteration
from tabular.planning.policy_iteration import policy_iteration
from tabular.planning.value_iteration import value_iteration

__all__ = [
    "SOLVERS",
    "BatchSolution",
    "Solver",
    "backward_induction",
    "gauss_seidel",
    "modified_policy_iteration",
    "policy_iteration",
    "solve",
    "solve_batch",
    "value_iteration",
]
