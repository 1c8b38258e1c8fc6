"""Planning: solvers of a known model, for any regulariser, with certificates."""

from __future__ import annotations

from tabular.planning._solve import SOLVERS, Solver, solve
from tabular.planning.average_policy_iteration import average_policy_iteration
from tabular.planning.average_reward import AVERAGE_SOLVERS, average_reward, evaluate_average
from tabular.planning.average_solution import AverageSolution
from tabular.planning.backward_induction import backward_induction
from tabular.planning.blackwell import blackwell_bracket
from tabular.planning.modified_policy_iteration import modified_policy_iteration
from tabular.planning.perturbed_planning import average_reward_reduction, perturbed_planning, reduction_parameters
from tabular.planning.policy_iteration import policy_iteration
from tabular.planning.relative_value_iteration import relative_value_iteration
from tabular.planning.value_iteration import value_iteration

__all__ = [
    "AVERAGE_SOLVERS",
    "SOLVERS",
    "AverageSolution",
    "Solver",
    "average_policy_iteration",
    "average_reward",
    "average_reward_reduction",
    "backward_induction",
    "blackwell_bracket",
    "evaluate_average",
    "modified_policy_iteration",
    "perturbed_planning",
    "policy_iteration",
    "reduction_parameters",
    "relative_value_iteration",
    "solve",
    "value_iteration",
]
