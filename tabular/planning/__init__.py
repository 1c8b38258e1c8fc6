"""Planning: solvers of a known model, for any regulariser, with certificates."""

from __future__ import annotations

from tabular.planning._solve import SOLVERS, Solver, solve
from tabular.planning.backward_induction import backward_induction
from tabular.planning.mdvi import mdvi, mdvi_budget
from tabular.planning.modified_policy_iteration import modified_policy_iteration
from tabular.planning.policy_iteration import policy_iteration
from tabular.planning.sac import soft_policy_iteration
from tabular.planning.sac_v2 import entropy_temperature, maximum_entropy_constrained
from tabular.planning.sac_v2_average import constrained_policy
from tabular.planning.sac_v2_constraints import constrained_backward_induction
from tabular.planning.value_iteration import value_iteration

__all__ = [
    "SOLVERS",
    "Solver",
    "backward_induction",
    "constrained_backward_induction",
    "constrained_policy",
    "entropy_temperature",
    "maximum_entropy_constrained",
    "mdvi",
    "mdvi_budget",
    "modified_policy_iteration",
    "policy_iteration",
    "soft_policy_iteration",
    "solve",
    "value_iteration",
]
