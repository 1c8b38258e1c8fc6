r"""Discounted models under one entropy constraint, on average over the visits: one temperature.

Maximise the return from :math:`\rho` subject to :math:`\sum_s \mu(s) (H(\pi(\cdot|s)) - \bar H) \ge 0`, with
:math:`\mu` the discounted visits. In the occupancies this is a convex program (``sac_v2_constraints``), with the dual
:math:`D(\tau) = \rho W_\tau`, where :math:`W_\tau` is the optimal value under the reward :math:`R - \tau \bar H` and
the entropy weight :math:`\tau`; :math:`D'(\tau) = \sum_s \mu(s) (H(\pi_\tau) - \bar H)`. Without endings
:math:`W_\tau = V_\tau - \tau \bar H / (1-\gamma)`. Source: sac_v2 (Haarnoja et al. 2018), section 5, whose practical
algorithm has one temperature; the stationary form is ours.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tabular import _border as border
from tabular import _validate as check
from tabular._backups import Backups
from tabular.errors import ImproperModel, NotConverged
from tabular.mdp import MDP
from tabular.planning.sac_v2_constraints import STEPS, ConstrainedPlan, entropies, mixed, start_of, uniform_policy
from tabular.reference import operators
from tabular.reference.enclosure_ops import EnclosureOps
from tabular.regularizers import Shannon
from tabular.solution import Certificate


def constrained_policy(mdp: MDP, target: float, rho: Any = None) -> ConstrainedPlan:
    r"""The best discounted return of policies whose entropy, averaged over discounted visits from ``rho``, is at least ``target``.

    mdp : gamma < 1.  target : positive, nats a step.  rho : (S,), the model's if None. The dual at ``tau`` is the
    soft-optimal value from ``rho`` where each step costs ``tau * target``; it is convex, and its derivative vanishes
    where the average entropy of the soft-optimal policy is the target (by bracketing in the logarithm of ``tau``).

    Raises ImproperModel where the uniform policy has not more entropy than the target, and where the constraint does not bind;
    ValueError for data. A soft-optimal policy for each trial temperature.
    """
    from scipy.optimize import brentq

    border.expect(mdp, "constrained_policy", "MDP")
    border.positive(target, "target", "an entropy in nats")
    _discounted(mdp)
    start = start_of(mdp, rho)
    uniform = uniform_policy(mdp.mask)
    most = _average_entropy(mdp, uniform, start)
    if target >= most:
        raise ImproperModel(
            f"target is {target:.6g} nats and the uniform policy has {most:.6g} on average: no policy is known to exceed the target"
        )

    def excess(log_tau: float) -> float:
        tau = float(np.exp(log_tau))
        return _average_entropy(mdp, _soft_policy(mdp, tau, tau * target)[1], start) - target

    scale = max(float(np.ptp(mdp.rewards[mdp.mask])), 2.0**-1000) / (1.0 - mdp.gamma)
    low = high = np.log(scale)
    while excess(high) <= 0:
        high += 2.0
        if high > np.log(scale) + 80:
            raise NotConverged(f"target is {target:.17g} nats: floats cannot tell it from the uniform policy's entropy")
    while excess(low) >= 0:
        low -= 2.0
        if low < np.log(scale) - 40:
            raise ImproperModel(
                f"the constraint does not bind: ties, as far as floats tell, leave more than {target:.6g} nats as tau tends to 0"
            )
    tau = float(np.exp(brentq(excess, low, high, xtol=2e-15, rtol=8.9e-16)))
    W, pi = _soft_policy(mdp, tau, tau * target)
    b = Backups(mdp)
    value = float(b.solve(pi, start, transpose=True) @ b.reward(pi))
    V, dual = W + b.solve(pi, np.full(mdp.S, tau * target)), float(start @ W)
    found = {"value": _average_certificate(mdp, target, start, tau, W, pi, uniform)}
    return ConstrainedPlan(tau, pi, V, _average_entropy(mdp, pi, start), value, dual, found)


def temperature_path(mdp: MDP, taus: Any, rho: Any = None) -> dict[str, np.ndarray]:
    """Soft-optimal policies along temperatures, as a table: columns ``tau``, ``entropy`` (nats a step, averaged over
    discounted visits from ``rho``), ``return`` (unregularised, discounted) and ``soft_value``.

    The return falls along it, and where no step ends the process entropy rises, so that this is the frontier of
    ``constrained_policy``. Endings make lives of more steps worth their entropy: then only its sum over all visits is
    sure to rise. ValueError for data.
    """
    border.expect(mdp, "temperature_path", "MDP")
    _discounted(mdp)
    start, grid = start_of(mdp, rho), check.float_array(taus, "taus")
    if grid.ndim != 1:
        check.fail(f"taus has shape {grid.shape}: expected temperatures in a row")
    rows = []
    for tau in grid:
        border.positive(float(tau), "taus", "temperatures in units of reward")
        V, pi = _soft_policy(mdp, float(tau))
        b = Backups(mdp)
        earned = b.solve(pi, start, transpose=True) @ b.reward(pi)
        rows.append((float(tau), _average_entropy(mdp, pi, start), float(earned), float(start @ V)))
    return {
        name: np.array([row[i] for row in rows]) for i, name in enumerate(("tau", "entropy", "return", "soft_value"))
    }


def _discounted(mdp: MDP) -> None:
    if mdp.gamma >= 1.0:
        raise ValueError("gamma = 1: averages over discounted visits need gamma < 1")


def _average_entropy(mdp: MDP, pi: np.ndarray, start: np.ndarray) -> float:
    visits = Backups(mdp).solve(pi, start, transpose=True)
    return float(visits @ entropies(pi) / visits.sum())


def _soft_policy(mdp: MDP, tau: float, price: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Soft-optimal values and policy where each step costs ``price``: floats, without a certificate."""
    from tabular.planning._loops import newton_loop, zeros

    priced = mdp._with(rewards=np.where(mdp.mask, mdp.rewards - price, 0.0), exact=None)
    b = Backups(priced, Shannon(tau))
    V = newton_loop(b, zeros(b, None), 1e-13, STEPS).V
    return V, b.policy(b.q(V))[0]


def _average_certificate(
    mdp: MDP, target: float, start: np.ndarray, tau: float, W: np.ndarray, pi: np.ndarray, uniform: np.ndarray
) -> Certificate:
    ops = EnclosureOps()
    m, rho, price = ops.model(mdp), ops.distribution(start, 1), ops.constant(tau) * ops.constant(target)
    V = ops.array(W, 1)
    error = ops.norm(ops.backup(m, V, Shannon(tau)) - price - V) / (1 - m.gamma)
    most = float(ops.bounds(ops.dot(rho, V) + error)[1])

    def point(policy: np.ndarray) -> tuple[float, np.ndarray]:
        p = ops.distribution(policy)
        over = ops.dot(operators.state_visits(ops, m, p, rho), -ops.sum(ops.xlogx(p)) - ops.constant(target))
        return float(ops.bounds(ops.dot(rho, ops.evaluate(m, p)))[0]), np.array([float(ops.bounds(over)[0])])

    return mixed(point(pi), point(uniform), most)
