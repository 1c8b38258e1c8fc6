"""``solve``: the method that suits the model, with the reason."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from tabular._backups import COMPILE_ABOVE, DENSE_SOLVE
from tabular._border import expect
from tabular.finite_horizon import FiniteHorizonMDP
from tabular.mdp import MDP
from tabular.planning._finish import TOL, size
from tabular.planning.backward_induction import backward_induction
from tabular.planning.gauss_seidel import gauss_seidel
from tabular.planning.modified_policy_iteration import modified_policy_iteration
from tabular.planning.policy_iteration import policy_iteration
from tabular.planning.value_iteration import value_iteration
from tabular.solution import Solution

TINY = 200
"""States up to which policy iteration takes about a millisecond a step, and its exact answer is worth that."""
FEW_SWEEPS = 0.5
"""Discount up to which value iteration needs no more than some thirty sweeps."""
FAR_FROM_ONE = 1.0 - 1e-4
"""Discount up to which modified policy iteration needs few backups."""


class Solver(NamedTuple):
    """A registered solver and what it can do: the contract suite runs every combination that it claims.

    Attributes
    ----------
    function : ``(mdp, regularizer, *, tol, throw, ...) -> Solution``.
    horizon : ``"infinite"`` or ``"finite"``.  total_reward : whether it takes ``gamma = 1``.
    near_one : whether it solves any model with a discount of ``1 - 1e-9`` in reasonable time.  regularised :
        whether it takes regularisers.
    warm : whether it takes ``V0`` and ``pi0``.
    """

    function: Callable[..., Solution]
    horizon: str = "infinite"
    total_reward: bool = True
    near_one: bool = True
    regularised: bool = True
    warm: bool = True


SOLVERS: dict[str, Solver] = {
    "value_iteration": Solver(value_iteration, near_one=False),
    "modified_policy_iteration": Solver(modified_policy_iteration, near_one=False),
    "policy_iteration": Solver(policy_iteration),
    "gauss_seidel": Solver(gauss_seidel, total_reward=False, near_one=False),
    "backward_induction": Solver(backward_induction, horizon="finite", warm=False),
}


def solve(
    mdp: MDP | FiniteHorizonMDP,
    regularizer: Any = None,
    method: str = "auto",
    *,
    tol: float = TOL,
    throw: bool = True,
    **options: Any,
) -> Solution:
    """Solve a model to a certified accuracy.

    Parameters
    ----------
    mdp : ``MDP`` or ``FiniteHorizonMDP``.  regularizer : None (plain maximum), ``Shannon(tau)``,
        ``KL(lam, reference)``, ..., or one's own.
    method : a key of ``SOLVERS``, or ``"auto"``; ``Solution.why`` gives the reason of the choice.
    tol : bound asked of ``error_bound``, relative to the largest of ``|R|`` and ``|V|``.
    throw : False returns a solution in any case.  options : of the method (``V0``, ``pi0``, ``max_iter``,
        ``threads``, ...).

    Raises
    ------
    NotConverged (with ``.solution``), ImproperModel (``gamma = 1``), ModelError, TypeError.

    >>> from tabular import MDP
    >>> solve(MDP([[[1.0], [1.0]]], [[1.0, 2.0]], 0.5)).V
    array([4.])
    """
    expect(mdp, "solve", "MDP", "FiniteHorizonMDP")
    horizon = "finite" if isinstance(mdp, FiniteHorizonMDP) else "infinite"
    if method == "auto":
        method, why = _choice(mdp, regularizer)
    elif isinstance(method, str) and method in SOLVERS:
        why = "asked for by name"
    else:
        raise ValueError(f"method is {method!r}: expected 'auto' or one of {', '.join(map(repr, SOLVERS))}")
    if SOLVERS[method].horizon != horizon:
        raise TypeError(f"{method} does not take {'an MDP' if horizon == 'infinite' else 'a FiniteHorizonMDP'}")
    return SOLVERS[method].function(mdp, regularizer, tol=tol, throw=throw, why=why, **options)


def _is_large(mdp: MDP) -> bool:
    return size(mdp) > COMPILE_ABOVE


def _choice(mdp: MDP | FiniteHorizonMDP, regularizer: Any) -> tuple[str, str]:
    if isinstance(mdp, FiniteHorizonMDP):
        return "backward_induction", "a finite horizon is solved stage by stage, without iteration"
    if mdp.gamma <= FEW_SWEEPS and mdp.S > TINY:
        return "value_iteration", f"a discount of {mdp.gamma:g} shrinks the error fast: a few sweeps suffice"
    if mdp.gamma <= FAR_FROM_ONE and _is_large(mdp):
        return (
            "modified_policy_iteration",
            "a sweep over all transitions is dear: cheap ones of a policy save most of them",
        )
    if mdp.S <= DENSE_SOLVE:
        steps = "the answer is exact" if regularizer is None else "its steps converge quadratically, to an answer exact"
        return "policy_iteration", f"linear systems of {mdp.S} equations are cheap, and {steps} up to rounding"
    return "modified_policy_iteration", f"linear systems of {mdp.S} equations cost more than many sweeps"
