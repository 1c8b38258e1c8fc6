r"""Modified policy iteration: a backup, then many cheap backups of the policy it found.

:math:`V \leftarrow T_\pi^{m} TV` with :math:`\pi` the maximiser at ``V``; between value iteration (``m = 0``)
and policy iteration, and the method of choice for large models with a discount near one. For a regulariser:
Geist, Scherrer and Pietquin 2019, section 3. Source: Puterman and Shin 1978; Puterman 1994, section 6.5.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tabular._backups import Backups
from tabular._border import expect
from tabular.mdp import MDP
from tabular.planning._finish import TOL, check_options, delivered, finish, start
from tabular.planning._loops import Iterate, modified_loop, zeros
from tabular.planning._total import TotalReward, regularised_start
from tabular.planning._total_solve import solve_total
from tabular.solution import Solution


def modified_policy_iteration(
    mdp: MDP,
    regularizer: Any = None,
    *,
    tol: float = TOL,
    max_iter: int = 10_000,
    sweeps: int = 200,
    V0: Any = None,
    pi0: Any = None,
    threads: int | None = None,
    throw: bool = True,
    why: str = "",
) -> Solution:
    """Solve a model by modified policy iteration.

    Parameters and results as in ``value_iteration``; ``sweeps`` is the most policy backups after each backup
    (fewer where they have shrunk the change enough), O(S^2) or O(nnz of P_pi) each. With ``gamma = 1`` it
    starts, unless told otherwise, from the value of a policy that ends.
    """
    expect(mdp, "modified_policy_iteration", "MDP")
    check_options(tol, throw, threads, max_iter=max_iter, sweeps=sweeps)
    b = Backups(mdp, regularizer, threads=threads)
    V = start(b, V0, pi0)
    if mdp.gamma < 1.0:
        iterate = modified_loop(b, zeros(b, V), tol, max_iter, sweeps)
        solution = finish(b, iterate, "modified policy iteration", tol, why=why)
    else:

        def loop(inner: Backups, W: np.ndarray | None, view: TotalReward, target: float) -> Iterate:
            if W is None:
                W = proper_value(inner, view)
            return modified_loop(inner, W, target, max_iter, sweeps)

        solution = solve_total(b, loop, V, "modified policy iteration", tol, why)
    return delivered(solution, throw, tol)


def proper_value(inner: Backups, view: TotalReward) -> np.ndarray:
    """The value of a policy that ends with probability one: from below, where every step goes up."""
    if view.quotient is None:
        return regularised_start(inner)
    actions = view.quotient.proper_policy()
    try:
        return inner.solve(actions, inner.mdp.rewards[np.arange(inner.S), actions])
    except np.linalg.LinAlgError:  # so slow to end that floats see no end
        return zeros(inner, None)
