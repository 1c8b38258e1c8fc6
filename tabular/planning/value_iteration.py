r"""Value iteration, :math:`V \leftarrow TV` for any regulariser, with a stopping rule that knows of endings
(``_loops``).

The error after ``k`` steps is at most :math:`(\gamma m_+)^k` times the first; where no step ends, or all end
alike, the *span* of the changes decides, which often shrinks much faster. Source: Puterman 1994, section 6.3
and 6.6; Porteus 1971.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tabular._backups import Backups
from tabular._border import expect
from tabular.mdp import MDP
from tabular.planning._finish import TOL, check_options, delivered, finish, start
from tabular.planning._loops import Iterate, value_loop, zeros
from tabular.planning._total import TotalReward
from tabular.planning._total_solve import solve_total
from tabular.solution import Solution


def value_iteration(
    mdp: MDP,
    regularizer: Any = None,
    *,
    tol: float = TOL,
    max_iter: int = 100_000,
    V0: Any = None,
    pi0: Any = None,
    threads: int | None = None,
    throw: bool = True,
    why: str = "",
) -> Solution:
    """Solve a model by value iteration.

    Parameters
    ----------
    mdp : discounted, or ``gamma = 1`` with a finite optimal total reward.  regularizer : None (plain
        maximum), ``Shannon(tau)``, ...
    tol : bound asked of ``error_bound``, relative to the largest of ``|R|`` and ``|V|``.
    max_iter : backups, O(S^2 A) each, sparse O(nnz).
    V0, pi0 : (S,) values, or a policy whose value is the start; zero if neither is given.
    threads : of the compiled loops that large models use; None: as many as Numba has.
    throw : False returns a solution in any case; read its ``status``.

    Returns
    -------
    Solution; ``ROUNDING_FLOOR`` counts as success: no float64 iteration gets closer, and ``error_bound`` says
    how close it is. ``UNCERTIFIED`` is returned too: the iteration converged, but ``error_bound`` is ``inf``.

    Raises
    ------
    NotConverged (with ``.solution``), ImproperModel (``gamma = 1``), ModelError, TypeError.
    """
    expect(mdp, "value_iteration", "MDP")
    check_options(tol, throw, threads, max_iter=max_iter)
    b = Backups(mdp, regularizer, threads=threads)
    V = start(b, V0, pi0)
    if mdp.gamma < 1.0:
        solution = finish(b, value_loop(b, zeros(b, V), tol, max_iter), "value iteration", tol, why=why)
    else:

        def loop(inner: Backups, W: np.ndarray | None, view: TotalReward, target: float) -> Iterate:
            return value_loop(inner, zeros(inner, W), target, max_iter)

        solution = solve_total(b, loop, V, "value iteration", tol, why)
    return delivered(solution, throw, tol)
