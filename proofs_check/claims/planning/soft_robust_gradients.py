r"""SoftRobust, part 4: the policy gradient (C3) and its domination (C4), entropic measure, direct parametrisation.

Throughout :math:`V = \tilde V^\pi`, :math:`Q = r - \gamma\sigma(P, V)`, q is the worst kernel at V, and
:math:`\mu^\pi = (I - \gamma q_\pi^\top)^{-1}\rho` the discounted visits under it, unnormalised: :math:`d =
(1-\gamma)\mu` of the paper where nothing ends.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from proofs_check import Inequality, claim, families, policies, scalars, stronger, twin
from proofs_check.claim import discounted
from proofs_check.claims.planning.soft_robust_equivalence import BETA, ENDINGS, GAMMAS, MOSTLY_RANDOM, SMALL
from proofs_check.draws import deterministic_policies, distributions
from tabular.reference import risk as robust
from tabular.risk import Entropic

THEOREM = "Zhang, Hu and Li 2024, the policy gradient theorem"
STEP = {"h": scalars(1 / 1024, 1 / 64)}
MOVING: dict[str, Any] = {
    "family": SMALL,
    "draws": BETA | STEP | {"pi": policies(interior=True), "other": deterministic_policies(), "rho": distributions()},
    "assumptions": (discounted,),
    "source": THEOREM,
    "kind": "inequality",
    "instances": (),
}


def _at(ops: Any, m: Any, beta: Any, pi: Any) -> tuple[Any, Any, Any, Any]:
    """Successors, V, Q, and the worst kernel of a policy."""
    p = ops.successors(m)
    V = robust.policy_value(ops, m, p, pi, Entropic(beta))
    return p, V, robust.q_values(ops, m, p, V, Entropic(beta)), robust.worst(ops, p, V, Entropic(beta))


def _remainder(
    ops: Any, m: Any, beta: Any, h: Any, pi: Any, other: Any, rho: Any, nominal: int, mass: Any
) -> Inequality:
    """Remainder of the linear approximation from pi towards another policy, by a step h."""
    p, V, Q, q = _at(ops, m, beta, pi)
    step = h * (other - pi)
    moved = robust.policy_value(ops, m, p, pi + step, Entropic(beta))
    gain = ops.dot(step, Q)
    mu = mass * robust.visits(ops, m, [q, p][nominal], pi, rho)
    left = ops.abs(ops.dot(rho, moved - V) - ops.dot(mu, gain))
    size, rest = ops.norm(gain), 1 - m.gamma
    far = ops.max(ops.sum(ops.abs(step)))
    return Inequality(left, m.gamma * far * size / rest**2 + m.gamma * beta * size**2 / (2 * rest**3))


@claim(id="soft_robust.C3", **MOVING)
def policy_gradient(ops: Any, m: Any, beta: Any, h: Any, pi: Any, other: Any, rho: Any) -> Inequality:
    r"""|\tilde V^{\pi'}(\rho) - \tilde V^\pi(\rho) - \langle \mu Q, \pi' - \pi \rangle| \le \gamma \delta \varepsilon /
    (1-\gamma)^2 + \gamma \beta \varepsilon^2 / (2 (1-\gamma)^3), \mu visits under the worst kernel: the gradient is \mu(s)
    Q(s,a).

    Here :math:`\delta = \max_s \|\pi' - \pi\|_1` and :math:`\varepsilon = \max_s |\langle \pi' - \pi, Q \rangle|`.

    Proof: with :math:`\Delta = V' - V`, concavity gives :math:`-\sigma(V') \le -\sigma(V) + \langle q,
    \Delta\rangle`, and second derivatives :math:`-\beta\,\mathrm{Var}` at least that less
    :math:`\beta\|\Delta\|^2/2`. So :math:`\Delta` lies between :math:`(I - \gamma q_{\pi'})^{-1} \langle\pi' - \pi,
    Q\rangle` and that less :math:`\gamma\beta\|\Delta\|^2/(2(1-\gamma))`, while :math:`\|\Delta\| \le
    \varepsilon/(1-\gamma)` by contraction. Exchanging :math:`q_{\pi'}` for :math:`q_\pi` costs the first term.
    """
    return _remainder(ops, m, beta, h, pi, other, rho, 0, 1)


@twin(policy_gradient, family=ENDINGS, why="visits under the nominal kernel")
def policy_gradient_at_nominal_visits(ops: Any, m: Any, beta: Any, h: Any, pi: Any, other: Any, rho: Any) -> Inequality:
    return _remainder(ops, m, beta, h, pi, other, rho, 1, 1)


@twin(policy_gradient, family=ENDINGS, why="normalised visits, not divided by 1 - gamma")
def policy_gradient_normalised(ops: Any, m: Any, beta: Any, h: Any, pi: Any, other: Any, rho: Any) -> Inequality:
    return _remainder(ops, m, beta, h, pi, other, rho, 0, 1 - m.gamma)


LOCKS = families.hidden_path(3, 2, gamma=GAMMAS)
RIVAL = {"pi": policies(interior=True), "rival": deterministic_policies(), "start": distributions()}
DOMINATION: dict[str, Any] = {
    "family": SMALL,
    "draws": BETA | RIVAL,
    "assumptions": (discounted,),
    "source": "Zhang, Hu and Li 2024, gradient domination",
    "kind": "inequality",
    "instances": (),
}


def everywhere(start: Any) -> Any:
    """A start distribution that misses no state."""
    return start / 2 + Fraction(1, 2 * start.shape[0])


def _dominated(ops: Any, m: Any, beta: Any, pi: Any, rival: Any, start: Any) -> tuple[Any, Any, Any, Any]:
    """Loss to the rival, visits of the rival and of pi under the worst kernel of pi, and the sum of the latter's best
    advantages.
    """
    p, V, Q, q = _at(ops, m, beta, pi)
    rho = everywhere(start)
    loss = ops.dot(rho, robust.policy_value(ops, m, p, rival, Entropic(beta)) - V)
    own, other = robust.visits(ops, m, q, pi, rho), robust.visits(ops, m, q, rival, rho)
    return loss, other, own, ops.dot(own, ops.max(Q, where=m.mask) - V)


@claim(id="soft_robust.C4", **DOMINATION)
def gradient_domination(ops: Any, m: Any, beta: Any, pi: Any, rival: Any, start: Any) -> Inequality:
    r"""\tilde V^*(\rho) - \tilde V^\pi(\rho) \le \|\mu^{\pi_*} / \mu^\pi\|_\infty \max_{\bar\pi} \langle \nabla
    \tilde V^\pi(\rho), \bar\pi - \pi \rangle, both visits under the worst kernel of \pi, \rho > 0. So for every
    policy in the place of \pi_*, and tried on deterministic ones.

    Proof: C4a, in which the advantages are not negative; the maximum is :math:`\sum_s \mu^\pi(s) \max_a (Q - V)`.
    """
    loss, other, own, gain = _dominated(ops, m, beta, pi, rival, start)
    return Inequality(loss, ops.max(other / own) * gain)


@twin(gradient_domination, why="constant 1", family=LOCKS, draws=BETA | RIVAL | {"pi": policies()})
def gradient_domination_by_one(ops: Any, m: Any, beta: Any, pi: Any, rival: Any, start: Any) -> Inequality:
    loss, _, _, gain = _dominated(ops, m, beta, pi, rival, start)
    return Inequality(loss, gain)


stronger(gradient_domination, Fraction(9, 10), family=MOSTLY_RANDOM)


@claim(id="soft_robust.C4a", **DOMINATION)
def performance_difference(ops: Any, m: Any, beta: Any, pi: Any, rival: Any, start: Any) -> Inequality:
    r"""\tilde V^* - \tilde V^\pi \le (I - \gamma q_{\pi_*})^{-1} \max_a (Q - V) in each state: visits of the optimal policy (of any
    other, too) under the worst kernel of \pi.

    Proof: :math:`V^* - V \le \langle\pi_*, Q\rangle - V + \gamma q_{\pi_*} (V^* - V)` by concavity of :math:`-\sigma`. An equality
    where nothing is random.
    """
    p, V, Q, q = _at(ops, m, beta, pi)
    bound = ops.solve(robust.resolvent(ops, m, q, rival), ops.max(Q, where=m.mask) - V)
    return Inequality(robust.policy_value(ops, m, p, rival, Entropic(beta)) - V, bound, axes=("s",))


stronger(performance_difference, Fraction(99, 100), family=MOSTLY_RANDOM)


@twin(performance_difference, family=ENDINGS, why="visits under the rival's worst kernel, and its own advantages")
def performance_difference_at_the_best(ops: Any, m: Any, beta: Any, pi: Any, rival: Any, start: Any) -> Inequality:
    p, V, Q, _ = _at(ops, m, beta, pi)
    W = robust.policy_value(ops, m, p, rival, Entropic(beta))
    q = robust.worst(ops, p, W, Entropic(beta))
    bound = ops.solve(robust.resolvent(ops, m, q, rival), ops.dot(rival, Q) - V)
    return Inequality(W - V, bound, axes=("s",))


@claim(id="soft_robust.C4b", **DOMINATION)
def mismatch(ops: Any, m: Any, beta: Any, pi: Any, rival: Any, start: Any) -> Inequality:
    r"""\|\mu^{\pi_*} / \mu^\pi\|_\infty \le \|\mu^{\pi_*} / \rho\|_\infty, that is (1-\gamma)^{-1} \|d^{\pi_*} /
    \rho\|_\infty; for every policy in the place of \pi_*.

    Proof: the visits of a state are at least its probability at the start.
    """
    _, other, own, _ = _dominated(ops, m, beta, pi, rival, start)
    return Inequality(ops.max(other / own), ops.max(other / everywhere(start)))


@twin(
    mismatch,
    why="the bound times 99/100",
    family=families.deterministic(3, 2, gamma=GAMMAS),
    draws=BETA | RIVAL | {"pi": deterministic_policies()},
)
def smaller_mismatch(ops: Any, m: Any, beta: Any, pi: Any, rival: Any, start: Any) -> Inequality:
    _, other, own, _ = _dominated(ops, m, beta, pi, rival, start)
    return Inequality(ops.max(other / own), Fraction(99, 100) * ops.max(other / everywhere(start)))
