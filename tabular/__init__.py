"""Exact tabular solvers for entropy-regularised decision making.

The names below are loaded on first use, so that ``import tabular`` costs little more than ``import numpy``.
"""

from __future__ import annotations

from typing import Any

from tabular import _lazy

__version__ = "0.1.0"

_HOME = {
    "CSR": "mdp",
    "MDP": "mdp",
    "MDPBatch": "batch",
    "FiniteHorizonMDP": "finite_horizon",
    "ModelError": "errors",
    "ImproperModel": "errors",
    "InfeasibleProgram": "errors",
    "NotConverged": "errors",
    "TabularError": "errors",
    "Certificate": "solution",
    "Run": "solution",
    "Solution": "solution",
    "Status": "solution",
    "Hard": "regularizers",
    "KL": "regularizers",
    "Shannon": "regularizers",
    "ShannonKL": "regularizers",
    "Tsallis": "regularizers",
    "TsallisKL": "regularizers",
    "backup": "operators",
    "evaluate_policy": "operators",
    "greedy": "operators",
    "occupancy": "operators",
    "q_values": "operators",
    "GenerativeModel": "generative_model",
    "gauss_seidel": "planning",
    "solve": "planning",
    "solve_batch": "planning",
    "backward_induction": "planning",
    "modified_policy_iteration": "planning",
    "policy_iteration": "planning",
    "value_iteration": "planning",
    "exact_policy_iteration": "certificates",
    "AverageSolution": "planning.average_solution",
    "average_policy_iteration": "planning.average_policy_iteration",
    "average_reward": "planning.average_reward",
    "evaluate_average": "planning.average_reward",
    "relative_value_iteration": "planning.relative_value_iteration",
    "exact_average_reward": "certificates",
    "minorization_time": "mixing",
    "mixing_time": "mixing",
    "t_minorize": "mixing",
    "stationary_distribution": "markov_chains",
}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    return _lazy.attribute(__name__, _HOME, name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
