r"""Foundations, part 6: convex programs over occupancies: entropic and Tsallis' duality, concave utilities.

Notation and feasible V as in part 5; :math:`\Omega` is a regulariser, :math:`\Omega^*` its conjugate.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from proofs_check import (
    Identity,
    Inequality,
    claim,
    distributions,
    families,
    policies,
    scalars,
    stronger,
    temperatures,
    twin,
    values,
)
from proofs_check.claim import discounted
from proofs_check.claims.planning.foundations_programs import ANY, FORMULAS, POINT, planted
from tabular.reference import operators, programs
from tabular.regularizers import Shannon, ShannonKL, Tsallis

PENALTY = "ops.dot(visits, regularizer.value(ops, pi, m.mask))"
MUTANTS = (
    planted("the entropy of the visits of pairs", FORMULAS, "entropic_objective", "ops.sum(ops.xlogx(states))", "0"),
    planted("the regulariser for free", FORMULAS, "regularized_objective", PENALTY, "0 * " + PENALTY),
)
NEU = "Neu, Jonsson and Gomez 2017; Geist, Scherrer and Pietquin 2019"
FEW: dict[str, Any] = ANY | {"instances": ()}
TINY: dict[str, Any] = FEW | {
    "family": (families.random_masks_endings(2, 2), families.deterministic(2, 2), families.bandits(3))
}


SOFT = {"pi": policies(), "rho": distributions(), "tau": temperatures(orders=4)}


@claim(id="foundations.C35", draws=SOFT, source=NEU, kind="identity", **FEW)
def entropic_gap(ops: Any, m: Any, pi: Any, rho: Any, tau: Any) -> Identity:
    r"""\rho V^*_\tau - (\langle \mu^\pi, R \rangle + \tau \sum_s \mu^\pi(s) H(\pi(\cdot|s))) = \tau \sum_s \mu^\pi(s)
    KL(\pi(\cdot|s) \| \pi^*_\tau(\cdot|s)), for \gamma < 1: no gap is left at \pi^*_\tau alone.

    Proof: C20 from :math:`\pi` to the optimum: :math:`V^*_\tau - T_\pi V^*_\tau = \tau KL(\pi \| \pi^*_\tau)`, state by state, as
    :math:`\log \pi^*_\tau = (Q^*_\tau - V^*_\tau)/\tau`.
    """
    return _entropic(ops, m, pi, rho, tau, pi, False)


def _entropic(ops: Any, m: Any, pi: Any, rho: Any, tau: Any, visitor: Any, turned: bool) -> Identity:
    reg = Shannon(tau)
    V = ops.optimal_value(m, reg)
    best = operators.policy_of(ops, m, V, reg)
    gap = ops.dot(rho, V) - programs.regularized_objective(ops, m, pi, rho, reg)
    first, second = [(pi, best), (best, pi)][turned]
    away = ops.relative_entropy(first, second, where=m.mask)
    visits = operators.state_visits(ops, m, best if visitor is None else visitor, rho)
    return Identity(gap, tau * ops.dot(visits, away))


@twin(entropic_gap, why="the divergence turned round", draws=SOFT | {"pi": policies(interior=True)})
def entropic_gap_turned(ops: Any, m: Any, pi: Any, rho: Any, tau: Any) -> Identity:
    return _entropic(ops, m, pi, rho, tau, pi, True)


@twin(entropic_gap, why="visits of the optimal policy")
def entropic_gap_of_the_best_visits(ops: Any, m: Any, pi: Any, rho: Any, tau: Any) -> Identity:
    return _entropic(ops, m, pi, rho, tau, None, False)


TILTED = POINT | {"tau": temperatures(orders=8), "lam": temperatures(orders=8), "ref": policies(interior=True)}


@claim(id="foundations.C36", draws=TILTED, source=NEU, kind="inequality", **ANY)
def regularised_weak_duality(ops: Any, m: Any, pi: Any, V: Any, rho: Any, tau: Any, lam: Any, ref: Any) -> Inequality:
    r"""\langle \mu^\pi, R \rangle - \sum_s \mu^\pi(s) \Omega(\pi(\cdot|s)) \le \rho V for every policy and every V with
    V \ge \Omega^*(Q_V), \Omega of entropy and divergence, for \gamma < 1.

    Proof: :math:`\rho V = \langle \mu, V - \gamma P V \rangle`, and :math:`\Omega^*(Q) \ge \langle \pi, Q \rangle -
    \Omega(\pi)` (C9).
    """
    reg = ShannonKL(tau, lam, ref)
    W = programs.feasible(ops, m, V, reg)
    return Inequality(programs.regularized_objective(ops, m, pi, rho, reg), ops.dot(rho, W), quotient=False)


@twin(regularised_weak_duality, why="V is feasible without the regulariser")
def hard_feasibility(ops: Any, m: Any, pi: Any, V: Any, rho: Any, tau: Any, lam: Any, ref: Any) -> Inequality:
    reg = ShannonKL(tau, lam, ref)
    W = programs.feasible(ops, m, V)
    return Inequality(programs.regularized_objective(ops, m, pi, rho, reg), ops.dot(rho, W))


QUADRATIC = {"pi": policies(), "rho": distributions(), "tau": temperatures(orders=4)}


@claim(id="foundations.C37", draws=QUADRATIC, source=NEU + ", for Tsallis' entropy", kind="inequality", **TINY)
def tsallis_gap(ops: Any, m: Any, pi: Any, rho: Any, tau: Any) -> Inequality:
    r"""\tau \sum_s \mu^\pi(s) \|\pi(\cdot|s) - \pi^*(\cdot|s)\|_2^2 \le \rho V^* - (\langle \mu^\pi, R \rangle - \sum_s \mu^\pi(s)
    \Omega(\pi(\cdot|s))) with \Omega = \tau (\|\pi\|_2^2 - 1), index 2, for \gamma < 1.

    Proof: as C35; :math:`\Omega^*(Q) - \langle \pi, Q \rangle + \Omega(\pi)` is the divergence of Bregman, :math:`\tau \|\pi -
    \pi^*\|_2^2`, plus what actions outside the support of :math:`\pi^*` lose to first order, which is not negative.
    """
    reg = Tsallis(tau, 2)
    V = ops.optimal_value(m, reg)
    off = pi - operators.policy_of(ops, m, V, reg)
    gap = ops.dot(rho, V) - programs.regularized_objective(ops, m, pi, rho, reg)
    return Inequality(tau * ops.dot(operators.state_visits(ops, m, pi, rho), ops.dot(off, off)), gap)


tsallis_gap_almost = stronger(tsallis_gap, 0.99)


@twin(tsallis_gap, why="visits of the start alone in the objective, as if nothing followed")
def tsallis_gap_of_one_step(ops: Any, m: Any, pi: Any, rho: Any, tau: Any) -> Inequality:
    reg = Tsallis(tau, 2)
    V = ops.optimal_value(m, reg)
    off = pi - operators.policy_of(ops, m, V, reg)
    gap = ops.dot(rho, V - operators.policy_backup(ops, m, pi, V, reg))
    return Inequality(tau * ops.dot(operators.state_visits(ops, m, pi, rho), ops.dot(off, off)), gap)


STRONG = {"rho": distributions(), "tau": temperatures(orders=4)}


@claim(id="foundations.C37a", draws=STRONG, source=NEU + ", for Tsallis' entropy", kind="identity", **TINY)
def tsallis_strong_duality(ops: Any, m: Any, rho: Any, tau: Any) -> Identity:
    r"""\langle \mu, R \rangle - \sum_s \mu(s) \Omega(\pi(\cdot|s)) = \rho V^* at the occupancies of \pi = \nabla\Omega^*(Q^*),
    \Omega = -\tau S_q with q = 3/2, for \gamma < 1.

    Proof: :math:`T_\pi V^* = T V^* = V^*` (C10), so V* is the value of :math:`\pi`; C26.
    """
    return _tsallis_strong(ops, m, rho, tau, Fraction(3, 2))


def _tsallis_strong(ops: Any, m: Any, rho: Any, tau: Any, q: Any) -> Identity:
    reg = Tsallis(tau, Fraction(3, 2))
    V = ops.optimal_value(m, reg)
    pi = operators.policy_of(ops, m, V, Tsallis(tau, q))
    return Identity(programs.regularized_objective(ops, m, pi, rho, reg), ops.dot(rho, V))


@twin(tsallis_strong_duality, why="the maximiser of index 2")
def tsallis_strong_duality_of_another_index(ops: Any, m: Any, rho: Any, tau: Any) -> Identity:
    return _tsallis_strong(ops, m, rho, tau, 2)


MIXED = {
    "first": policies(),
    "second": policies(),
    "rho": distributions(),
    "w": scalars(0.0, 1.0),
    "tau": temperatures(orders=8),
}


@claim(id="foundations.C40", draws=MIXED, source=NEU, kind="inequality", **ANY)
def concave_in_visits(ops: Any, m: Any, first: Any, second: Any, rho: Any, w: Any, tau: Any) -> Inequality:
    r"""F(\mu) = \langle \mu, R \rangle + \tau \sum_s \mu(s) H(\mu(s,\cdot)/\mu(s)) is concave in occupancies: w F(\mu_1) + (1-w)
    F(\mu_2) \le F(w \mu_1 + (1-w) \mu_2), for \gamma < 1.

    Proof: :math:`\mu(s) H(\mu(s,\cdot)/\mu(s))` is the perspective of the entropy; equality where both policies are the same.
    """
    d, e = ops.occupancy(m, first, rho), ops.occupancy(m, second, rho)
    F = [programs.entropic_objective(ops, m, x, tau) for x in (d, e, w * d + (1 - w) * e)]
    return Inequality(w * F[0] + (1 - w) * F[1], F[2], quotient=False)


@twin(concave_in_visits, why="concave in the policy")
def concave_in_policies(ops: Any, m: Any, first: Any, second: Any, rho: Any, w: Any, tau: Any) -> Inequality:
    pis = first, second, w * first + (1 - w) * second
    F = [programs.entropic_objective(ops, m, ops.occupancy(m, x, rho), tau) for x in pis]
    return Inequality(w * F[0] + (1 - w) * F[1], F[2])


@twin(concave_in_visits, why="strongly concave: policies that agree differ in visits alone")
def strongly_concave_in_visits(ops: Any, m: Any, first: Any, second: Any, rho: Any, w: Any, tau: Any) -> Inequality:
    d, e = ops.occupancy(m, first, rho), ops.occupancy(m, second, rho)
    F = [programs.entropic_objective(ops, m, x, tau) for x in (d, e, w * d + (1 - w) * e)]
    margin = w * (1 - w) * tau * ops.sum(ops.dot(d - e, d - e))
    return Inequality(w * F[0] + (1 - w) * F[1] + margin, F[2])


@claim(
    id="foundations.C40a",
    draws={"pi": policies(), "rho": distributions(), "tau": temperatures(orders=8)},
    source=NEU,
    kind="identity",
    **ANY,
)
def objective_of_visits(ops: Any, m: Any, pi: Any, rho: Any, tau: Any) -> Identity:
    r"""F(\mu^\pi) = \rho V_\tau^\pi, with \sum_s \mu(s) H(\mu(s,\cdot)/\mu(s)) = \sum_s \mu(s) \log \mu(s) - \sum_{s,a} \mu(s,a)
    \log \mu(s,a): the regularised return is a function of occupancies alone, for \gamma < 1.

    Proof: C26, and :math:`\log \mu(s,a) = \log \mu(s) + \log \pi(a|s)`.
    """
    value = ops.dot(rho, ops.evaluate(m, pi, Shannon(tau)))
    return Identity(programs.entropic_objective(ops, m, ops.occupancy(m, pi, rho), tau), value)


@twin(objective_of_visits, why="the entropy of the visits of pairs, states and all")
def objective_of_pairs(ops: Any, m: Any, pi: Any, rho: Any, tau: Any) -> Identity:
    mu = ops.occupancy(m, pi, rho)
    whole = programs.earned(ops, m, mu) - tau * ops.sum(ops.sum(ops.xlogx(mu)))
    return Identity(whole, ops.dot(rho, ops.evaluate(m, pi, Shannon(tau))))


UNENDING: dict[str, Any] = {
    "family": (families.garnet(3, 2), families.deterministic(3, 2), families.self_loops(2, 2)),
    "assumptions": (discounted,),
    "instances": (),
}


@claim(
    id="foundations.C41",
    draws=POINT | {"y": values()},
    source="Zahavy, O'Donoghue, Desjardins and Singh 2021",
    kind="inequality",
    **UNENDING,
)
def utility_bound(ops: Any, m: Any, pi: Any, V: Any, rho: Any, y: Any) -> Inequality:
    r"""H(d^\pi) \le \rho V + \log \sum_s e^{-y(s)} for every y and every V feasible for the rewards (1-\gamma) y(s), d^\pi the
    normalised visits of states, for \gamma < 1 without endings: every slope bounds a concave utility of visits.

    Proof: :math:`H(d) \le \langle d, y \rangle + \log \sum e^{-y}` (Gibbs), and C30 for :math:`\langle d, y \rangle`.
    """
    return _utility(ops, m, pi, V, rho, y, 1)


def _utility(ops: Any, m: Any, pi: Any, V: Any, rho: Any, y: Any, share: int) -> Inequality:
    d = (1 - m.gamma) * operators.state_visits(ops, m, pi, rho)
    paid = m._replace(R=ops.where(m.mask, 0 * m.R + (1 - m.gamma) * y[:, None], 0))
    W = programs.feasible(ops, paid, V)
    rest = ops.free_energy(-y, 1)
    return Inequality(-ops.sum(ops.xlogx(d)), ops.dot(rho, W) + share * rest, quotient=False)


@twin(utility_bound, why="without the conjugate")
def utility_bound_without_conjugate(ops: Any, m: Any, pi: Any, V: Any, rho: Any, y: Any) -> Inequality:
    return _utility(ops, m, pi, V, rho, y, 0)
