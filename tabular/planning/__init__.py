"""Planning: solvers of a known model, for any regulariser, with certificates."""

from __future__ import annotations

from tabular.planning._solve import SOLVERS, Solver, solve
from tabular.planning.backward_induction import backward_induction
from tabular.planning.mdvi import mdvi, mdvi_budget
from tabular.planning.modified_policy_iteration import modified_policy_iteration
from tabular.planning.policy_iteration import policy_iteration
from tabular.planning.rfzi import rfzi
from tabular.planning.soft_robust import (
    risk_q_values,
    robust_evaluate,
    robust_policy_iteration,
    robust_value_iteration,
    worst_model,
)
from tabular.planning.soft_robust_gradient import robust_gradient, robust_policy_gradient
from tabular.planning.value_iteration import value_iteration

__all__ = [
    "SOLVERS",
    "Solver",
    "backward_induction",
    "mdvi",
    "mdvi_budget",
    "modified_policy_iteration",
    "policy_iteration",
    "rfzi",
    "risk_q_values",
    "robust_evaluate",
    "robust_gradient",
    "robust_policy_gradient",
    "robust_policy_iteration",
    "robust_value_iteration",
    "solve",
    "value_iteration",
    "worst_model",
]
