r"""Policy iteration: Howard's, and for a regulariser Newton's method on :math:`TV - V`.

Hard: an action is kept unless another one is better by more than rounding can feign, so that ties settle and
the method ends. Regularised: the policy is the maximiser, and the steps converge quadratically once they are
close. Cost of a step: a linear system of S equations, whose last bits depend on the number of BLAS threads.
Source: Howard 1960; Puterman and Brumelle 1979; Geist, Scherrer and Pietquin 2019, section 3.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tabular._backups import Backups
from tabular._border import expect
from tabular.mdp import MDP
from tabular.planning._finish import TOL, check_options, delivered, finish, size, start
from tabular.planning._loops import Iterate, howard_loop, newton_loop, zeros
from tabular.planning._total import TotalReward, regularised_start
from tabular.planning._total_solve import solve_total
from tabular.solution import Solution

MOST_BACKUPS, STAYS = 100, 8
"""Backups before the first policy, and for how many of them its actions stay where it is taken for found."""


def policy_iteration(
    mdp: MDP,
    regularizer: Any = None,
    *,
    tol: float = TOL,
    max_iter: int = 1_000,
    V0: Any = None,
    pi0: Any = None,
    threads: int | None = None,
    throw: bool = True,
    why: str = "",
) -> Solution:
    """Solve a model by policy iteration.

    Parameters and results as in ``value_iteration``. Without a regulariser ``tol`` only names the result: the
    iteration ends at a policy that nothing improves, whose value is exact up to rounding. With ``gamma = 1``
    it starts from a policy that ends.
    """
    expect(mdp, "policy_iteration", "MDP")
    check_options(tol, throw, threads, max_iter=max_iter)
    b = Backups(mdp, regularizer, threads=threads)
    V = start(b, V0, pi0)
    if mdp.gamma < 1.0:
        W = warmed(b) if V is None and b.hard else zeros(b, V)
        solution = finish(b, _discounted(b, W, tol, max_iter), "policy iteration", tol, why=why)
    else:

        def loop(inner: Backups, W: np.ndarray | None, view: TotalReward, target: float) -> Iterate:
            if view.quotient is None:
                return newton_loop(inner, regularised_start(inner, W), target, max_iter)
            actions = view.quotient.proper_policy() if W is None else _proper_greedy(inner, view, W)
            return howard_loop(inner, zeros(inner, W), actions, max_iter)

        solution = solve_total(b, loop, V, "policy iteration", tol, why)
    return delivered(solution, throw, tol)


def warmed(b: Backups) -> np.ndarray:
    """Values after as many backups as cost no more than one linear system, or until their actions have stayed for a while."""
    V, actions, same = np.zeros(b.S), np.zeros(0), 0
    work = size(b.mdp) + b.S * b.A
    for _ in range(min(MOST_BACKUPS, b.S**3 // (3 * work))):
        Q = b.q(V)
        V, before, actions = Q.max(axis=1), actions, Q.argmax(axis=1)
        same = same + 1 if np.array_equal(actions, before) else 0
        if same == STAYS:
            break
    return V


def _discounted(b: Backups, V: np.ndarray, tol: float, max_iter: int) -> Iterate:
    if b.hard:
        return howard_loop(b, V, b.q(V).argmax(axis=1), max_iter)
    return newton_loop(b, V, tol, max_iter)


def _proper_greedy(inner: Backups, view: TotalReward, W: np.ndarray) -> np.ndarray:
    """The greedy actions at ``W`` if they end with probability one, else some that do."""
    from tabular.operators import never_ending

    actions: np.ndarray = inner.q(W).argmax(axis=1)
    if never_ending(inner.mdp, inner.one_hot(actions)[0]).any():
        return view.quotient.proper_policy()  # type: ignore[union-attr]
    return actions
