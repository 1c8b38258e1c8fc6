r"""SAC-v2, part 2: an entropy constraint for each step of a finite horizon, and one on average.

Three steps of one model. For temperatures :math:`\tau_h`, :math:`V_h = \mathrm{lse}_{\tau_h}(R + \gamma P V_{h+1})`,
:math:`\pi_h` its softmax, :math:`d_h` the state probabilities under :math:`\pi`. The targets are :math:`\bar H_h =
d_h \cdot H(\pi_h)`, those for which these temperatures solve the equations of the backward recursion *under the
visits of its own answer*.
"""

from __future__ import annotations

from typing import Any

from proofs_check import Identity, Inequality, Witness, claim, distributions, families, policies, temperatures, twin
from proofs_check.claim import discounted
from proofs_check.claims.planning.sac_models import relative_temperature, two_places
from proofs_check.claims.planning.sac_v2_bandit import HAARNOJA, entropy
from tabular.reference import operators
from tabular.regularizers import Shannon

H = 3
HEATS = {f"t{h}": temperatures(orders=2) for h in range(H)}
RIVAL = {f"pi{h}": policies() for h in range(H)}
RHO = {"rho": distributions()}
SMALL = (families.garnet(2, 2), families.garnet(3, 2), families.random_masks(3, 3), families.deterministic(3, 2))
STEPS: dict[str, Any] = {"family": SMALL, "instances": ()}


def _plan(ops: Any, m: Any, taus: list[Any], kept: int = 1) -> tuple[Any, list[Any]]:
    """Soft values at the start and policies, from the last step on; ``kept`` 0 forgets the entropies of later steps."""
    V, found = 0 * ops.dot(m.R, m.R), []
    for tau in taus[::-1]:
        reg, Q = Shannon(tau), operators.q_backup(ops, m, V)
        pi = reg.policy(ops, Q, m.mask)
        V = reg.conjugate(ops, Q, m.mask) - (1 - kept) * tau * entropy(ops, pi)
        found.append(pi)
    return V, found[::-1]


def _outcome(ops: Any, m: Any, rho: Any, plan: list[Any]) -> tuple[Any, list[Any]]:
    """Return from rho, without entropies, and mean entropies of the steps."""
    d, V = operators.forward_visits(ops, [m] * H, rho, plan), 0 * rho
    value = operators.policy_induction(ops, [m] * H, V, plan)[0]
    return ops.dot(rho, value), [ops.dot(d[h], entropy(ops, plan[h])) for h in range(H)]


def _priced(m: Any, taus: list[Any], targets: list[Any]) -> Any:
    r""":math:`\sum_h \gamma^h \tau_h \bar H_h`."""
    return sum(m.gamma**h * taus[h] * targets[h] for h in range(H))


def _taus(ops: Any, m: Any, *heats: Any) -> list[Any]:
    return [relative_temperature(ops, m.R, heat) for heat in heats]


@claim(id="sac_v2.C2", draws=HEATS | RHO, source=HAARNOJA, kind="identity", **STEPS)
def recursion(ops: Any, m: Any, t0: Any, t1: Any, t2: Any, rho: Any) -> Identity:
    r"""The return of the recursion's policy is \rho V_0 - \sum_h \gamma^h \tau_h \bar H_h, the dual value, if it is
    given its own visits.

    So it is optimal then, under these targets (C2a). Proof: :math:`\rho V_0` is the return plus :math:`\sum_h \gamma^h \tau_h d_h
    \cdot H(\pi_h)`.
    """
    taus = _taus(ops, m, t0, t1, t2)
    V, plan = _plan(ops, m, taus)
    value, targets = _outcome(ops, m, rho, plan)
    return Identity(value, ops.dot(rho, V) - _priced(m, taus, targets))


@twin(recursion, why="one temperature for all steps, the mean of the three")
def recursion_of_one_temperature(ops: Any, m: Any, t0: Any, t1: Any, t2: Any, rho: Any) -> Identity:
    taus = _taus(ops, m, t0, t1, t2)
    value, targets = _outcome(ops, m, rho, _plan(ops, m, taus)[1])
    shared = [(taus[0] + taus[1] + taus[2]) / 3] * H
    return Identity(value, ops.dot(rho, _plan(ops, m, shared)[0]) - _priced(m, shared, targets))


@twin(recursion, why="later entropies are not in the values", family=families.deterministic(3, 2))
def recursion_without_later_entropies(ops: Any, m: Any, t0: Any, t1: Any, t2: Any, rho: Any) -> Identity:
    taus = _taus(ops, m, t0, t1, t2)
    value, targets = _outcome(ops, m, rho, _plan(ops, m, taus)[1])
    V, _ = _plan(ops, m, taus, kept=0)
    return Identity(value, ops.dot(rho, V) - _priced(m, taus, targets))


@claim(id="sac_v2.C2a", draws=HEATS | RHO | RIVAL, source="ours, behind " + HAARNOJA, kind="inequality", **STEPS)
def optimality(ops: Any, m: Any, t0: Any, t1: Any, t2: Any, rho: Any, pi0: Any, pi1: Any, pi2: Any) -> Inequality:
    r"""J(\pi') \le J(\pi) + \sum_h \gamma^h \tau_h (\bar H_h - H_h(\pi')) for every \pi': nothing that meets the
    targets earns more.

    :math:`H_h(\pi') = d'_h \cdot H(\pi'_h)` under the visits of :math:`\pi'`. Proof: soft backward induction
    maximises the return plus :math:`\sum_h \gamma^h \tau_h H_h` over all policies, step by step. In the occupancies
    this is the Lagrangian of a convex program, so that the targets of all steps are met by some temperatures at once,
    but by one pass from the last step on only where it is given the right visits (C2b).
    """
    taus, rival = _taus(ops, m, t0, t1, t2), [pi0, pi1, pi2]
    return _beside(ops, m, taus, rho, rival, _plan(ops, m, taus)[1])


def _beside(ops: Any, m: Any, taus: list[Any], rho: Any, rival: list[Any], plan: list[Any]) -> Inequality:
    value, targets = _outcome(ops, m, rho, plan)
    earned, entropies = _outcome(ops, m, rho, rival)
    return Inequality(earned, value + _priced(m, taus, targets) - _priced(m, taus, entropies))


@twin(optimality, why="one temperature for all steps, the mean of the three")
def optimality_of_one_temperature(
    ops: Any, m: Any, t0: Any, t1: Any, t2: Any, rho: Any, pi0: Any, pi1: Any, pi2: Any
) -> Inequality:
    taus = _taus(ops, m, t0, t1, t2)
    shared = [(taus[0] + taus[1] + taus[2]) / 3] * H
    return _beside(ops, m, taus, rho, _plan(ops, m, taus)[1], _plan(ops, m, shared)[1])


@twin(optimality, why="values without the entropies of later steps", family=families.deterministic(3, 2))
def optimality_without_later_entropies(
    ops: Any, m: Any, t0: Any, t1: Any, t2: Any, rho: Any, pi0: Any, pi1: Any, pi2: Any
) -> Inequality:
    taus = _taus(ops, m, t0, t1, t2)
    return _beside(ops, m, taus, rho, _plan(ops, m, taus)[1], _plan(ops, m, taus, kept=0)[1])


@claim(id="sac_v2.C2b", family=two_places(), source="ours, after " + HAARNOJA, kind="existence", instances=())
def pass_under_other_visits(ops: Any, m: Any) -> Witness:
    r"""One pass of the recursion under the visits of another policy, here of the uniform one, can miss the targets.

    Two states, two actions, two steps from state 0, both temperatures 1; of this no part can be left out (one state,
    one action, or one step have visits that nobody influences). The target of the last step is what the recursion
    sees, the mean entropy under the uniform policy's visits (1/2, 1/2). Proof: this instance; under its own visits
    the policy has less, for it prefers state 0, where rewards differ.
    """
    return Witness(Inequality(*_last_entropies(ops, m)))


def _last_entropies(ops: Any, m: Any) -> tuple[Any, Any]:
    """Mean entropy of the last step under the plan's own visits, and under the uniform policy's."""
    one = ops.constant(1)
    V = Shannon(one).conjugate(ops, m.R, m.mask)
    last = entropy(ops, Shannon(one).policy(ops, m.R, m.mask))
    first = Shannon(one).policy(ops, operators.q_backup(ops, m, V), m.mask)
    return ops.dot(ops.transition(m.P, first)[0], last), (last[0] + last[1]) / 2


@twin(pass_under_other_visits, why="the targets are met")
def pass_under_other_visits_suffices(ops: Any, m: Any) -> Inequality:
    return Inequality(*_last_entropies(ops, m)[::-1])


@claim(
    id="sac_v2.C2c",
    family=SMALL,
    draws={"pi": policies(), "heat": temperatures(orders=2)} | RHO,
    assumptions=(discounted,),
    source="ours, after " + HAARNOJA,
    kind="inequality",
    instances=(),
)
def average_constraint(ops: Any, m: Any, pi: Any, heat: Any, rho: Any) -> Inequality:
    r"""J(\pi') \le \rho V^*_\tau - \tau \sum_s \mu'(s) H(\pi'(\cdot|s)) for every \pi' and \gamma < 1: the discounted
    problem with one temperature.

    So :math:`D(\tau) = \rho V^*_\tau - \tau \bar H / (1-\gamma)` bounds the return of every policy whose entropy, averaged over its
    discounted visits, is at least :math:`\bar H`; the soft-optimal policy with that average attains it. Proof: the soft value of
    :math:`\pi'` is its return plus :math:`\tau \mu' \cdot H(\pi')`.
    """
    tau = relative_temperature(ops, m.R, heat)
    return _average(ops, m, pi, tau, rho, operators.state_visits(ops, m, pi, rho))


def _average(ops: Any, m: Any, pi: Any, tau: Any, rho: Any, visits: Any) -> Inequality:
    best = ops.dot(rho, ops.optimal_value(m, Shannon(tau)))
    return Inequality(ops.dot(rho, ops.evaluate(m, pi)), best - tau * ops.dot(visits, entropy(ops, pi)))


@twin(average_constraint, why="twice the entropy")
def average_of_twice_the_entropy(ops: Any, m: Any, pi: Any, heat: Any, rho: Any) -> Inequality:
    tau = relative_temperature(ops, m.R, heat)
    return _average(ops, m, pi, tau, rho, 2 * operators.state_visits(ops, m, pi, rho))


@twin(average_constraint, why="the entropy of every state in full, wherever the policy goes")
def average_over_no_visits(ops: Any, m: Any, pi: Any, heat: Any, rho: Any) -> Inequality:
    tau = relative_temperature(ops, m.R, heat)
    return _average(ops, m, pi, tau, rho, (rho * 0 + 1) / (1 - m.gamma))
