r"""The average reward: policies evaluated, models solved.

The gain of a policy is :math:`g^\pi(s) = \lim_n \frac1n E_s \sum_{t<n} R(s_t, a_t)`; discounts play no part in it. A model
whose steps may end the process has none and is refused: ``mdp.augmented()`` makes the end a state that earns nothing for ever,
if that is what is meant.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tabular import _border as border
from tabular._backups import DENSE_SOLVE, Backups
from tabular.markov_chains import GainBias, gain_bias
from tabular.mdp import MDP
from tabular.operators import transition_matrix
from tabular.planning._finish import TOL
from tabular.planning._gain_bounds import undiscounted
from tabular.planning.average_policy_iteration import average_policy_iteration
from tabular.planning.average_solution import AverageSolution
from tabular.planning.relative_value_iteration import relative_value_iteration

AVERAGE_SOLVERS: dict[str, Callable[..., AverageSolution]] = {
    "average_policy_iteration": average_policy_iteration,
    "relative_value_iteration": relative_value_iteration,
}


def average_reward(
    mdp: MDP, method: str = "auto", *, tol: float = TOL, throw: bool = True, **options: Any
) -> AverageSolution:
    """Optimal average reward to a certified accuracy: gain and bias (S,), and a policy.

    Parameters
    ----------
    mdp : MDP without endings; its discount is ignored.  method : a key of ``AVERAGE_SOLVERS``, or ``"auto"``.
    tol : bound asked of ``error_bound``, relative to the largest ``|R|``.
    throw : False returns a solution in any case.  options : of the method.

    Raises
    ------
    ModelError where a pair may end; NotConverged (with ``.solution``), TypeError, ValueError.

    >>> average_reward(MDP([[[0, 1], [1, 0]], [[1, 0], [1, 0]]], [[0, 0.25], [1, 1]], 0.5)).gain
    array([0.5, 0.5])
    """
    border.expect(mdp, "average_reward", "MDP")
    if method == "auto":
        small = mdp.S <= DENSE_SOLVE
        method = "average_policy_iteration" if small else "relative_value_iteration"
        cost = "are cheap, and no period or slow mixing delays it" if small else "cost more than many backups"
        why = f"linear systems of {mdp.S} equations {cost}"
    elif isinstance(method, str) and method in AVERAGE_SOLVERS:
        why = "asked for by name"
    else:
        names = ", ".join(map(repr, AVERAGE_SOLVERS))
        raise ValueError(f"method is {method!r}: expected 'auto' or one of {names}")
    return AVERAGE_SOLVERS[method](mdp, tol=tol, throw=throw, why=why, **options)


def evaluate_average(mdp: MDP, pi: Any) -> GainBias:
    """Gain and bias of a policy, (S, A) or (S,) actions: (S,) each, for any number of recurrent classes.

    Floats without error bounds. Raises ModelError for bad data and where a pair may end, ImproperModel where floats do not
    reach. A linear system for each recurrent class, two for the transient states.
    """
    border.expect(mdp, "evaluate_average", "MDP")
    pi = border.policy(pi, mdp.mask)
    model = undiscounted(mdp)
    P = transition_matrix(model, pi)
    if not isinstance(P, np.ndarray):
        from tabular.markov_chains import chain

        P = chain(P)
    return gain_bias(P, Backups(model).reward(pi))
