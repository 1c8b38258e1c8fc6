"""Total reward: iterate on the model that ``_total`` prepares, lift the answer, certify, perhaps go on."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tabular._backups import Backups
from tabular.planning._finish import finish
from tabular.planning._loops import Iterate
from tabular.planning._total import TotalReward, total_reward
from tabular.solution import Solution, Status

Loop = Callable[[Backups, "np.ndarray | None", TotalReward, float], Iterate]


def solve_total(b: Backups, loop: Loop, V: np.ndarray | None, method: str, tol: float, why: str) -> Solution:
    """``loop(b', V', view, tol)`` iterates on the prepared model; it is called again with a smaller tolerance
    while the certified error is above the one asked for and iterating still helps.
    """
    view = total_reward(b)
    inner = Backups(view.mdp, b.reg if view.quotient is None else None, threads=b.threads)
    W = None if V is None else view.lower(V)
    target, iterations = tol, 0
    info = {"collapsed": 0 if view.quotient is None else len(view.quotient.components)}
    while True:
        iterate = loop(inner, W, view, target)
        W, iterations = iterate.V, iterations + iterate.iterations
        lifted = iterate._replace(V=view.lift(W), iterations=iterations, actions=None)
        solution = finish(b, lifted, method, tol, policy=_policy(b, inner, view, iterate), why=why, info=info)
        certified = np.isfinite(solution.error_bound)
        if (
            iterate.status is not Status.CONVERGED
            or solution.status is Status.CONVERGED
            or not certified
            or target < 1e-18
        ):
            return solution
        target /= 30


def _policy(b: Backups, inner: Backups, view: TotalReward, iterate: Iterate) -> tuple[np.ndarray, np.ndarray] | None:
    """The lifted policy: greedy actions of the model itself may go round in circles that earn nothing."""
    if view.quotient is None or not np.isfinite(iterate.V).all():
        return None
    actions = iterate.actions if iterate.actions is not None else inner.q(iterate.V).argmax(axis=1)
    return b.one_hot(view.quotient.lift_policy(actions))
