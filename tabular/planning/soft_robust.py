r"""Robust and risk-sensitive dynamic programming, with certificates.

.. math:: (T V)(s) = \max_a \{R(s,a) - \gamma\,\sigma(P_{s,a}, V)\}, \qquad (T_\pi V)(s) = \sum_a \pi(a|s) \{\ldots\}

for a convex risk measure :math:`\sigma` of ``tabular.risk``: what an adversary leaves who picks successors in every pair and pays
:math:`\gamma D` for them. Both are ``gamma``-contractions in the sup norm, with which the answers are certified: every rounding of
the backup is inside the bounds. What is not linear in ``P`` is about rows that sum to one, the end among the successors, worth
nothing: so the model is its canonical lift, and ``model_error`` is 0. Source: soft_robust (Zhang, Hu and Li 2024); Iyengar 2005.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from tabular import _border as border
from tabular.errors import ImproperModel
from tabular.mdp import MDP
from tabular.operators import _values
from tabular.planning._finish import TOL, check_options, delivered, judged, scale
from tabular.planning._loops import Iterate, Stop, value_loop
from tabular.planning._risk import RiskBackups
from tabular.solution import Solution, Status


def robust_value_iteration(
    mdp: MDP, risk: Any, *, tol: float = TOL, max_iter: int = 100_000, V0: Any = None, throw: bool = True
) -> Solution:
    r"""Solve a robust or risk-sensitive model by iterating T.

    Parameters
    ----------
    mdp : discounted, ``gamma < 1``.  risk : ``Entropic(beta)``, ``CVaR(level)``, ``KLBall(radius)``,
    ``L1Ball(radius)``, ``Kernels``, ... tol : bound asked of ``error_bound``, relative to the largest of ``|R|`` and
    ``|V|``.  max_iter : backups. V0 : (S,) start, zero by default.  throw : False returns a solution in any case;
    read its ``status``.

    Returns
    -------
    Solution with ``V`` (S,), ``Q`` = R - gamma sigma(P, V), ``pi`` its first greedy policy, and certificates of "V - V*",
    "V - V^pi" (robust values) and "max(V* - V^pi)", in the unit of the rewards.

    Raises
    ------
    NotConverged (with ``.solution``), ImproperModel at ``gamma = 1``, ModelError and TypeError for bad arguments.
    Cost: O(n) or O(n log n) a backup for n transitions, for a KL ball 64 times as much.

    >>> from tabular.risk import WorstCase
    >>> mdp = MDP([[[0.5, 0.5], [1.0, 0.0]], [[0.0, 1.0], [0.0, 1.0]]], [[1.0, 0.25], [0.0, 0.0]], 0.5)
    >>> robust_value_iteration(mdp, WorstCase()).V
    array([1., 0.])
    """
    b = backups(mdp, risk, "robust_value_iteration")
    check_options(tol, throw, None, max_iter=max_iter)
    V = np.zeros(mdp.S) if V0 is None else _values(mdp, V0)
    return _finished(b, value_loop(b, V, tol, max_iter), "robust value iteration", tol, throw)  # type: ignore[arg-type]


def robust_policy_iteration(
    mdp: MDP, risk: Any, *, tol: float = TOL, max_iter: int = 1_000, V0: Any = None, throw: bool = True
) -> Solution:
    """Solve a robust or risk-sensitive model by policy iteration, each policy evaluated against its worst kernel.

    Arguments and results as in ``robust_value_iteration``. An action is kept unless another one is better by more than rounding can
    feign. Cost of a step: a few linear systems of S equations.
    """
    b = backups(mdp, risk, "robust_policy_iteration")
    check_options(tol, throw, None, max_iter=max_iter)
    V = np.zeros(mdp.S) if V0 is None else _values(mdp, V0)
    return _finished(b, _howard(b, V, tol, max_iter), "robust policy iteration", tol, throw)


def robust_evaluate(
    mdp: MDP, pi: Any, risk: Any, *, tol: float = TOL, max_iter: int = 1_000, V0: Any = None, throw: bool = True
) -> Solution:
    """Risk value of a policy: ``pi`` (S, A), or actions (S,) of integers.

    The adversary's policy iteration, which is Newton's method for ``V = T_pi V``: each step solves for the worst
    kernel of the last. The certificate is that of "V - V^pi"; ``error_bound`` stays ``inf``, since nothing is said of
    V*. ``Q`` belongs to ``V``, ``pi`` is the given policy. Errors and cost as in ``robust_policy_iteration``.
    """
    b = backups(mdp, risk, "robust_evaluate")
    check_options(tol, throw, None, max_iter=max_iter)
    policy = border.policy(pi, mdp.mask)
    V = np.zeros(mdp.S) if V0 is None else _values(mdp, V0)
    return _finished(b, newton(b, policy, V, tol, max_iter), "robust evaluation", tol, throw, policy)


def worst_model(mdp: MDP, V: Any, risk: Any) -> MDP:
    r"""The MDP of the worst kernel at values ``V`` (S,), which pays :math:`R + \gamma D(q, P)`.

    At a policy's risk value, that policy's ordinary value in this model is the risk value (soft_robust.C1). Its rewards make its
    backups at ``V`` those of the measure.
    """
    b = backups(mdp, risk, "worst_model")
    return b.model(_values(mdp, V))


def risk_q_values(mdp: MDP, V: Any, risk: Any) -> np.ndarray:
    r""":math:`R - \gamma\,\sigma(P, V)` for ``V`` (S,): (S, A), ``-inf`` where unavailable; floats without a bound."""
    return backups(mdp, risk, "risk_q_values").q(_values(mdp, V))


def backups(mdp: MDP, risk: Any, who: str) -> RiskBackups:
    """Checked for ``who``: TypeError for other models, ImproperModel at ``gamma = 1``."""
    border.expect(mdp, who, "MDP")
    if mdp.gamma_exact >= 1:
        raise ImproperModel(f"{who}: gamma = 1, and risk values are covered for gamma < 1 alone (soft_robust.C2)")
    return RiskBackups(mdp, risk)


@np.errstate(over="ignore", invalid="ignore")
def newton(b: RiskBackups, pi: np.ndarray, V: np.ndarray, tol: float, max_iter: int) -> Iterate:
    """``V <- V + (I - gamma q_pi)^-1 (T_pi V - V)`` with the worst kernel q at V; one step more once the tolerance is met."""
    stop, met = Stop(b, tol, patience=2), False  # type: ignore[arg-type]
    for k in range(1, max_iter + 1):
        TV = b.policy_backup(pi, b.q(V))
        d = TV - V
        status = stop(TV, float(d.min()), float(d.max()))
        if status is not None and (met or status is not Status.CONVERGED or k == max_iter):
            return Iterate(TV + stop.shift, status, k)
        met = status is not None
        try:
            V = V + stop.centred(b.solve(b.worst(V), pi, stop.centred(d)))
        except np.linalg.LinAlgError:
            return Iterate(V, Status.NONFINITE, k)
    return Iterate(TV + stop.shift, Status.MAX_ITER, max_iter)


@np.errstate(over="ignore", invalid="ignore")
def _howard(b: RiskBackups, V: np.ndarray, tol: float, max_iter: int) -> Iterate:
    states, seen = np.arange(b.S), set()
    actions = b.q(V).argmax(axis=1)
    for k in range(1, max_iter + 1):
        found = newton(b, b.one_hot(actions)[0], V, 2.0**-50, 200)
        V = found.V
        Q = b.q(V)
        own = Q[states, actions]
        if not np.isfinite(own).all():
            return Iterate(V, Status.NONFINITE, k, actions)
        size = max(b.reward_scale, float(np.abs(own).max()))
        feigned = 2 * b.noise(size) + float(np.abs(own - V).max())
        better = Q.max(axis=1) > own + feigned
        seen.add(actions.tobytes())
        new = np.where(better, Q.argmax(axis=1), actions)
        if not better.any() or new.tobytes() in seen:
            return Iterate(V, Status.CONVERGED, k, actions)
        actions = new
    return Iterate(V, Status.MAX_ITER, max_iter, actions)


def _finished(
    b: RiskBackups, iterate: Iterate, method: str, tol: float, throw: bool, policy: np.ndarray | None = None
) -> Solution:
    """The solution of an iterate. The certificate has the last word on its status."""
    V, status = iterate.V, iterate.status
    with np.errstate(over="ignore", invalid="ignore"):
        Q = b.q(V)
    if not (np.isfinite(V).all() and np.isfinite(Q[b.mask]).all()):
        status = Status.NONFINITE
    if policy is None:
        pi, log_pi = b.one_hot(Q.argmax(axis=1) if iterate.actions is None else iterate.actions)
    else:
        with np.errstate(divide="ignore"):
            pi, log_pi = policy, np.log(policy)
    certificates = {} if status is Status.NONFINITE else b.certificates(V, pi, optimal=policy is None)
    solution = Solution(
        V, Q, pi, log_pi, certificates, status, iterate.iterations, method, info={"risk": b.risk}, regularizer=None
    )
    if status is not Status.NONFINITE:
        allowed = tol * scale(b.reward_scale, V)
        if policy is None:
            solution = judged(solution, allowed)
        else:
            own = certificates["V - V^pi"]
            bound = max(float(np.abs(own.lower).max()), float(np.abs(own.upper).max()))
            if bound <= allowed:
                solution = replace(solution, status=Status.CONVERGED)
            elif status is Status.CONVERGED:
                floor = Status.ROUNDING_FLOOR if np.isfinite(bound) else Status.UNCERTIFIED
                solution = replace(solution, status=floor)
    return delivered(solution, throw, tol)
