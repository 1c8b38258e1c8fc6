r"""Projected policy gradient on the robust value, direct parametrisation.

.. math:: \frac{\partial V^\pi(\rho)}{\partial \pi(a|s)} = \mu(s) Q(s,a), \qquad \pi \leftarrow \mathrm{Proj}(\pi +
\eta \nabla V^\pi(\rho)),

with :math:`Q = R - \gamma\,\sigma(P, V^\pi)` and the discounted visits :math:`\mu`, unnormalised, under the policy
and its *worst* kernel. Where the maximising kernel is not unique (sets with corners) this is one of the
supergradients. The gap is at most :math:`\|\mu^* / \mu\|_\infty` times ``stationarity`` (soft_robust.C4). Source:
soft_robust (Zhang, Hu and Li 2024), section 4.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tabular import _border as border
from tabular import _validate as check
from tabular.errors import NotConverged
from tabular.mdp import MDP
from tabular.operators import _values
from tabular.planning._risk import RiskBackups
from tabular.planning.mdvi import POINTS
from tabular.planning.soft_robust import backups, newton, robust_policy_iteration
from tabular.projections import project_simplex
from tabular.solution import Run, Status

TIGHT = 1e-13


def robust_gradient(mdp: MDP, pi: Any, risk: Any, rho: Any = None) -> np.ndarray:
    """Gradient (S, A) of the risk value from ``rho`` (S,), the model's if None; zero where unavailable.

    ``pi`` (S, A), or actions (S,). Units of reward. Errors as in ``robust_evaluate``; ModelError without a ``rho``.
    Cost: a robust evaluation and a linear system.
    """
    b = backups(mdp, risk, "robust_gradient")
    policy = border.policy(pi, mdp.mask)
    return _gradient(b, policy, _start(mdp, rho), np.zeros(mdp.S))[0]


def robust_policy_gradient(
    mdp: MDP, risk: Any, *, eta: float, K: int, pi0: Any = None, rho: Any = None, record: Any = None, V_star: Any = None
) -> Run:
    r"""Run K steps of projected gradient ascent.

    Parameters
    ----------
    eta : step size, in units of 1 / reward.  K : steps.  pi0 : (S, A) or actions (S,), uniform by default. rho : (S,)
    start distribution, the model's, or else uniform.  record : iterations in 0 ... K (increasing) at which history is
    kept; None: 32 of them. V_star : (S,) the optimal risk value, if known; solved for otherwise.

    Returns
    -------
    Run with ``result``: ``pi`` (S, A), ``V`` (S,) its risk value, ``gradient`` (S, A); ``history``: ``k``, ``value`` = rho V,
    ``gap`` = rho (V* - V), ``stationarity`` = max over policies of the gradient's product with their difference: all of the policy
    before step k + 1, in units of reward.

    Raises
    ------
    ValueError, TypeError, ModelError for bad arguments; ImproperModel at ``gamma = 1``; NotConverged where an evaluation fails.
    Cost of a step: two or three linear systems of S equations.
    """
    b = backups(mdp, risk, "robust_policy_gradient")
    border.positive(eta, "eta", "a step size")
    border.count(K, "K")
    start = np.full(mdp.S, 1.0 / mdp.S) if rho is None and mdp.rho is None else _start(mdp, rho)
    uniform = mdp.mask / mdp.mask.sum(axis=1, keepdims=True)
    pi = uniform if pi0 is None else border.policy(pi0, mdp.mask, "pi0")
    best = robust_policy_iteration(mdp, risk).V if V_star is None else _values(mdp, V_star)
    marks = frozenset(k - 1 for k in border.marks(None, K + 1, POINTS)) if record is None else _recorded(record, K)
    V, rows = np.zeros(mdp.S), []
    for k in range(K + 1):
        gradient, V, Q, mu = _gradient(b, pi, start, V)
        if k in marks:
            gain = mu @ (Q.max(axis=1) - V)
            rows.append((k, start @ V, start @ (best - V), gain))
        if k < K:
            pi = project_simplex(pi + eta * gradient, mdp.mask)
    history = {name: np.array([row[i] for row in rows]) for i, name in enumerate(("k", "value", "gap", "stationarity"))}
    return Run({"pi": pi, "V": V, "gradient": gradient}, history, None, {"eta": eta, "K": K, "risk": b.risk})


def _gradient(b: RiskBackups, pi: np.ndarray, rho: np.ndarray, V: np.ndarray) -> tuple[np.ndarray, ...]:
    """The gradient (S, A), and V, Q, visits (S,) of the policy."""
    found = newton(b, pi, V, TIGHT, 200)
    if found.status in (Status.MAX_ITER, Status.NONFINITE):
        raise NotConverged(f"robust evaluation: {found.status.value}")
    V = found.V
    Q = b.q(V)
    mu = b.solve(b.worst(V), pi, rho, transpose=True)
    return np.where(b.mask, mu[:, None] * np.where(b.mask, Q, 0.0), 0.0), V, Q, mu


def _start(mdp: MDP, rho: Any) -> np.ndarray:
    start = mdp.rho if rho is None else check.check_distribution(rho, mdp.S)[0]
    if start is None:
        check.fail("rho is missing: the model has no start distribution")
    return np.asarray(start)


def _recorded(record: Any, K: int) -> frozenset[int]:
    marks = list(record)
    for k in marks:
        border.count(k, "record", 0)
    if marks != sorted(set(marks)) or (marks and marks[-1] > K):
        raise ValueError(f"record is {marks}: expected increasing iterations in 0 ... {K}")
    return frozenset(int(k) for k in marks)
