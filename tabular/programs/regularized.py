r"""Entropic and Tsallis programs over occupancies, by cvxpy (Clarabel), with proved gaps.

.. math:: \max_\mu \; \langle \mu, R \rangle - \sum_s \mu(s)\, \Omega(\mu(s,\cdot) / \mu(s)),

concave in :math:`\mu`, for :math:`\mu(s)\,\Omega(\mu(s,\cdot)/\mu(s))` is the perspective of a convex function: exponential cones
for Shannon's entropy and divergences, power cones for Tsallis'. Its optimum is :math:`\rho V^*_\Omega`, its multipliers of the flow
are the regularised values. Source: Neu, Jonsson and Gomez 2017; Geist, Scherrer and Pietquin 2019; claims foundations.C35-C37.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tabular import _border as border
from tabular.programs._convex import solved
from tabular.programs._models import setting_of
from tabular.programs._settings import Setting
from tabular.programs.linear import grounded, scale
from tabular.programs.solution import GAP, ProgramSolution, bounds, delivered, judged
from tabular.regularizers import KL, Hard, Shannon, ShannonKL, Tsallis, TsallisKL, checked

TOL = 1e-6
"""Default tolerance of a gap: an interior-point method has about eight digits, policies half of them where entropy is flat."""


def regularized_program(
    model: Any, regularizer: Any = None, rho: Any = None, *, tol: float = TOL, throw: bool = True
) -> ProgramSolution:
    r"""The regularised optimum as a convex program over occupancies: a second way to what ``solve`` finds by iteration.

    Parameters
    ----------
    model : MDP with ``gamma < 1``, or FiniteHorizonMDP.  regularizer : None, Shannon, KL, ShannonKL, Tsallis or TsallisKL, as for
        ``solve``; references (S, A) serve every step.  rho : (S,), the model's if None.
    tol : largest gap, relative to the objective or the largest reward.  throw : raise NotConverged above it.

    Returns
    -------
    ProgramSolution: ``pi`` the policy of the program's occupancies, the regularised greedy one where hardly anybody comes, ``V``
    its multipliers of the flow; the certificates (those of ``certify`` among them) enclose the regularised optimum and what ``pi``
    reaches. ``info["proposed"]`` is Clarabel's objective.

    Raises
    ------
    TypeError for regularisers of one's own, which have no cone here; ValueError at ``gamma = 1`` without a horizon; NotConverged;
    ModelError. Cost: an interior-point method with a cone for each pair: a second for some thousand pairs.
    """
    setting = setting_of(model, "regularized_program", rho)
    border.positive(tol, "tol", "relative to the objective")
    border.flag(throw, "throw")
    if setting.gamma == 1 and len(setting.shape) == 2:
        raise ValueError("gamma = 1: regularised total reward has no program here; solve has it")
    grounded(setting)
    flat = setting.mask if setting.mask.ndim == 2 else setting.mask[0]
    reg = checked(regularizer, flat)
    if not isinstance(reg, (Hard, Shannon, KL, ShannonKL, Tsallis, TsallisKL)):
        raise TypeError(
            f"{type(reg).__name__} is no regularizer with cones: expected Shannon, KL, ShannonKL, Tsallis or TsallisKL"
        )
    unit = scale(setting, 0.0)

    def objective(cp: Any, x: Any) -> tuple[Any, list[Any]]:
        reward = (setting.rewards() / unit) @ x
        cost, cones = perspective(cp, setting, reg, x, unit)
        return reward - cost, cones

    found = solved(setting, objective, unit)
    V = found.values.reshape(setting.shape[:-1])
    V = V if len(setting.shape) == 2 else np.vstack([V, setting.model.terminal])
    near = setting.greedy(V, reg)
    mu = setting.spread(found.x)
    few = mu.sum(axis=-1, keepdims=True) > RARE * mu.sum()
    pi = np.where(few, setting.policy(mu, near), near)
    reference = getattr(reg, "reference", None)
    if reference is not None:  # an interior point has a little of everything
        pi = np.where(np.asarray(reference) > 0, pi, 0.0)
        pi = pi / pi.sum(axis=-1, keepdims=True)
    own = setting.certified(setting.model, V, reg, pi)
    certificates = bounds(setting.worth(setting.model, pi, reg), setting.returned(V, own["V - V*"].lower, True))
    certificates |= own
    allowed = tol * scale(setting, certificates[GAP].upper)
    status = judged(certificates[GAP].upper, allowed)
    solution = ProgramSolution(
        "regularised reward from rho", pi, setting.visits(pi), V, None, certificates, status, "interior points (Clarabel)",
        found.iterations, {}, {"proposed": found.value, "mu": mu, "regularizer": reg},
    )  # fmt: skip
    return delivered(solution, throw, allowed)


RARE = 1e-7
"""Share of all visits below which an interior point's policy in a state is noise."""


def perspective(cp: Any, setting: Setting, reg: Any, x: Any, unit: float) -> tuple[Any, list[Any]]:
    r""":math:`\sum_s \mu(s) \Omega(\mu(s,\cdot)/\mu(s))` in units of ``unit``, as a convex expression and the cones of it."""
    from scipy.sparse import csr_array

    m, n = len(setting.pairs), setting.states
    owner = csr_array((np.ones(m), (np.arange(m), setting.owner)), shape=(m, n))
    marginal = owner @ (owner.T @ x)
    cost: Any = 0.0
    cones: list[Any] = []
    reference = getattr(reg, "reference", None)
    if reference is not None:
        mu = np.broadcast_to(np.asarray(reference), setting.shape).ravel()[setting.pairs]
        live = mu > 0
        cones.append(x[~live] == 0) if (~live).any() else None
        rows, weights = np.flatnonzero(live), mu[live]
    else:
        rows, weights = np.arange(m), np.ones(m)
    if isinstance(reg, (Tsallis, TsallisKL)):
        w, q = (reg.tau if isinstance(reg, Tsallis) else reg.lam) / unit, reg.q
        t = cp.Variable(len(rows))
        if q > 1:
            cones.append(cp.constraints.PowCone3D(t, marginal[rows], x[rows], 1.0 / q))
        else:
            cones.append(cp.constraints.PowCone3D(x[rows], marginal[rows], t, q))
        return w / (q - 1.0) * (weights ** (1.0 - q) @ t - cp.sum(x)), cones
    if isinstance(reg, (Shannon, ShannonKL)):
        cost = cost + reg.tau / unit * cp.sum(cp.rel_entr(x, marginal))
    if isinstance(reg, (KL, ShannonKL)):
        cost = cost + reg.lam / unit * cp.sum(cp.rel_entr(x[rows], cp.multiply(weights, marginal[rows])))
    return cost, cones
