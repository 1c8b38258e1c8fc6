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
from tabular.risk import Entropic, Neutral

THEOREM = "Zhang, Hu and Li 2024, the policy gradient theorem"
STEP = {"h": scalars(1 / 1024, 1 / 64), "share": scalars(1 / 1024, 1.0)}
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
    ops: Any, m: Any, beta: Any, h: Any, share: Any, pi: Any, other: Any, rho: Any, nominal: int, mass: Any, less: int
) -> Inequality:
    """Remainder of the linear approximation from pi towards a part of another policy, by a step h; ``less`` times V below Q."""
    p, V, Q, q = _at(ops, m, beta, pi)
    step = h * (share * other - pi)
    moved = robust.policy_value(ops, m, p, pi + step, Entropic(beta))
    mu = mass * robust.visits(ops, m, [q, p][nominal], pi, rho)
    left = ops.abs(ops.dot(rho, moved - V) - ops.dot(mu, ops.dot(step, Q - less * V[:, None])))
    size, rest = ops.norm(ops.dot(step, Q)), 1 - m.gamma
    far = ops.max(ops.sum(ops.abs(step)))
    return Inequality(left, m.gamma * far * size / rest**2 + m.gamma * beta * size**2 / (2 * rest**3))


@claim(id="soft_robust.C3", **MOVING)
def policy_gradient(ops: Any, m: Any, beta: Any, h: Any, share: Any, pi: Any, other: Any, rho: Any) -> Inequality:
    r"""\partial \tilde V^\pi(\rho) / \partial \pi = \mu Q, \mu(s) visits under the worst kernel: |\tilde V^{\pi+d}(\rho) -
    \tilde V^\pi(\rho) - \langle \mu Q, d \rangle| \le \gamma H^2 \|d\|_1 \|d Q\| + \gamma \beta H^3 \|d Q\|^2 / 2, H =
    1/(1-\gamma), norms: largest over s, \pi + d \ge 0 of sums \le 1.

    Sums below 1 are what tells Q from advantages: along the simplex a gradient is known up to constants in each state.
    :math:`\tilde V^{\pi+d}` is the fixed point of :math:`\langle \pi + d, r - \gamma\sigma(P, V)\rangle` then.

    Proof: with :math:`\pi' = \pi + d`, :math:`\Delta = V' - V` and :math:`\varepsilon = \max_s |\langle d,
    Q\rangle|`, concavity gives :math:`-\sigma(V') \le -\sigma(V) + \langle q, \Delta\rangle`, and second derivatives
    :math:`-\beta\,\mathrm{Var}` at least that less :math:`\beta\|\Delta\|^2/2`. So :math:`\Delta` lies between
    :math:`(I - \gamma q_{\pi'})^{-1} \langle d, Q\rangle` and that less :math:`\gamma\beta\|\Delta\|^2/(2(1-\gamma))`,
    while :math:`\|\Delta\| \le \varepsilon/(1-\gamma)` by contraction. Exchanging :math:`q_{\pi'}` for
    :math:`q_\pi` costs the first term.
    """
    return _remainder(ops, m, beta, h, share, pi, other, rho, 0, 1, 0)


@twin(policy_gradient, family=ENDINGS, why="visits under the nominal kernel")
def gradient_at_nominal_visits(
    ops: Any, m: Any, beta: Any, h: Any, share: Any, pi: Any, other: Any, rho: Any
) -> Inequality:
    return _remainder(ops, m, beta, h, share, pi, other, rho, 1, 1, 0)


@twin(policy_gradient, family=ENDINGS, why="normalised visits, not divided by 1 - gamma")
def gradient_normalised(ops: Any, m: Any, beta: Any, h: Any, share: Any, pi: Any, other: Any, rho: Any) -> Inequality:
    return _remainder(ops, m, beta, h, share, pi, other, rho, 0, 1 - m.gamma, 0)


@twin(policy_gradient, family=ENDINGS, why="advantages in the place of action values")
def gradient_of_advantages(
    ops: Any, m: Any, beta: Any, h: Any, share: Any, pi: Any, other: Any, rho: Any
) -> Inequality:
    return _remainder(ops, m, beta, h, share, pi, other, rho, 0, 1, 1)


LOCKS = families.hidden_path(3, 2, gamma=GAMMAS)
TO_OPTIMUM = {"pi": policies(interior=True), "start": distributions()}
RIVAL = TO_OPTIMUM | {"rival": deterministic_policies()}
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


def _dominated(ops: Any, m: Any, beta: Any, pi: Any, start: Any) -> tuple[Any, Any, Any]:
    """Loss to the optimum, its mismatch, and the best slope: the sum of best advantages under the visits of pi."""
    p, V, Q, q = _at(ops, m, beta, pi)
    rho = everywhere(start)
    W = robust.optimal_value(ops, m, p, Entropic(beta))
    best = ops.first_max(ops.inflate(robust.q_values(ops, m, p, W, Entropic(beta)), ops.constant(0)), where=m.mask)
    own, other = robust.visits(ops, m, q, pi, rho), robust.visits(ops, m, q, best, rho)
    return ops.dot(rho, W - V), ops.max(other / own), ops.dot(own, ops.max(Q, where=m.mask) - V)


@claim(id="soft_robust.C4", **DOMINATION | {"draws": BETA | TO_OPTIMUM})
def gradient_domination(ops: Any, m: Any, beta: Any, pi: Any, start: Any) -> Inequality:
    r"""\tilde V^*(\rho) - \tilde V^\pi(\rho) \le \|\mu^{\pi_*} / \mu^\pi\|_\infty \max_{\bar\pi} \langle \nabla
    \tilde V^\pi(\rho), \bar\pi - \pi \rangle, \rho > 0, both visits under the worst kernel of \pi, \pi_* an optimal
    policy (a deterministic one is tried), \bar\pi any policy.

    Proof: C4a, in which the advantages are not negative; the maximum is :math:`\sum_s \mu^\pi(s) \max_a (Q - V)`.
    """
    loss, ratio, gain = _dominated(ops, m, beta, pi, start)
    return Inequality(loss, ratio * gain)


@twin(gradient_domination, why="constant 1", family=LOCKS, draws=BETA | TO_OPTIMUM | {"pi": policies()})
def gradient_domination_by_one(ops: Any, m: Any, beta: Any, pi: Any, start: Any) -> Inequality:
    loss, _, gain = _dominated(ops, m, beta, pi, start)
    return Inequality(loss, gain)


stronger(gradient_domination, Fraction(9, 10), family=MOSTLY_RANDOM)


@claim(id="soft_robust.C4a", **DOMINATION)
def performance_difference(ops: Any, m: Any, beta: Any, pi: Any, rival: Any, start: Any) -> Inequality:
    r"""\tilde V^{\pi'} - \tilde V^\pi \le (I - \gamma q_{\pi'})^{-1} \max_a (Q - V) in each state, for the optimal policy
    and any other \pi': its visits under the worst kernel q of \pi.

    Proof: :math:`V' - V \le \langle\pi', Q\rangle - V + \gamma q_{\pi'} (V' - V)` by concavity of :math:`-\sigma`,
    and :math:`(I - \gamma q_{\pi'})^{-1}` is not negative. An equality where nothing is random and :math:`\pi'` greedy.
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


def _visited(ops: Any, m: Any, beta: Any, pi: Any, rival: Any, start: Any) -> tuple[Any, Any]:
    """Visits of pi and of a rival under the worst kernel of pi."""
    _, _, _, q = _at(ops, m, beta, pi)
    rho = everywhere(start)
    return robust.visits(ops, m, q, pi, rho), robust.visits(ops, m, q, rival, rho)


@claim(id="soft_robust.C4b", **DOMINATION)
def mismatch(ops: Any, m: Any, beta: Any, pi: Any, rival: Any, start: Any) -> Inequality:
    r"""\|\mu^{\pi'} / \mu^\pi\|_\infty \le \|\mu^{\pi'} / \rho\|_\infty = (1-\gamma)^{-1} \|d^{\pi'} / \rho\|_\infty, \rho > 0,
    for the optimal policy and any other \pi', visits under one kernel, the worst of \pi; d = (1-\gamma) \mu.

    Proof: the visits of a state are at least its probability at the start.
    """
    own, other = _visited(ops, m, beta, pi, rival, start)
    return Inequality(ops.max(other / own), ops.max(other / everywhere(start)))


@twin(
    mismatch,
    why="the bound times 99/100",
    family=families.deterministic(3, 2, gamma=GAMMAS),
    draws=BETA | RIVAL | {"pi": deterministic_policies()},
)
def smaller_mismatch(ops: Any, m: Any, beta: Any, pi: Any, rival: Any, start: Any) -> Inequality:
    own, other = _visited(ops, m, beta, pi, rival, start)
    return Inequality(ops.max(other / own), Fraction(99, 100) * ops.max(other / everywhere(start)))


CLIMB = BETA | {"eta": scalars(1 / 16, 16.0), "pi": policies(interior=True), "rho": distributions()}
SIGNS = [[1, -1]]


def _step(ops: Any, m: Any, beta: Any, eta: Any, pi: Any, rho: Any, slope: Any) -> tuple[Any, Any]:
    """What a projected step along ``slope(p, V, Q)`` gains (S,), and the bound; the simplex of two actions is a segment."""
    p, V, Q, q = _at(ops, m, beta, pi)
    mu = robust.visits(ops, m, q, pi, rho)
    signs = ops.array(SIGNS, 2)
    apart = ops.sum(signs * (pi + eta * mu[:, None] * slope(p, V, Q))) / 2
    half = ops.minimum(ops.maximum(apart, Fraction(-1, 2)), Fraction(1, 2))
    found = robust.policy_value(ops, m, p, Fraction(1, 2) + signs * half[:, None], Entropic(beta))
    best = ops.max(Q, where=m.mask) - V
    return found - V, ops.minimum(eta * mu * best * best, best) / 2


@claim(id="soft_robust.C4c", **DOMINATION | {"draws": CLIMB})
def progress(ops: Any, m: Any, beta: Any, eta: Any, pi: Any, rho: Any) -> Inequality:
    r"""\pi' = Proj(\pi + \eta \nabla \tilde V^\pi(\rho)) with any \eta > 0 gains at least \min(\eta \mu g^2, g) / 2 in each
    state, g = \max_a (Q - V): no step lowers \tilde V. Tried with two actions.

    So the gap falls to 0 where :math:`\rho > 0`: values rise to a limit, gains vanish, hence all g, since :math:`\mu \ge
    \rho`, and :math:`\tilde V^* - V \le \max g / (1-\gamma)`.

    Proof: rows are projected one by one. With :math:`t = \eta\mu(s)`, :math:`d = \pi' - \pi` and
    :math:`f = \langle Q, d\rangle` the projection has :math:`\langle tQ - d, \bar\pi - \pi'\rangle \le 0` for all
    :math:`\bar\pi`: at :math:`\pi` :math:`\|d\|^2 \le tf`, and at a greedy action :math:`tg \le tf + \sqrt2\|d\| -
    \|d\|^2`, at most :math:`\sqrt{2tf}` if :math:`tf \le 1/2` and :math:`tf + 1/2` else. So :math:`f \ge tg^2/2` in the
    first case, and :math:`f \ge g/2` in the second. Since :math:`T_{\pi'} V = V + f \ge V` and backups are monotone,
    :math:`V' \ge V + f`.
    """
    gain, bound = _step(ops, m, beta, eta, pi, rho, lambda p, V, Q: Q)
    return Inequality(bound, gain, axes=("s",))


@twin(progress, family=ENDINGS, why="along the gradient that forgets the risk")
def progress_without_risk(ops: Any, m: Any, beta: Any, eta: Any, pi: Any, rho: Any) -> Inequality:
    gain, _ = _step(ops, m, beta, eta, pi, rho, lambda p, V, Q: robust.q_values(ops, m, p, V, Neutral()))
    return Inequality(0 * gain, gain, axes=("s",))


@twin(progress, family=MOSTLY_RANDOM, why="twice as much")
def progress_doubled(ops: Any, m: Any, beta: Any, eta: Any, pi: Any, rho: Any) -> Inequality:
    gain, bound = _step(ops, m, beta, eta, pi, rho, lambda p, V, Q: Q)
    return Inequality(2 * bound, gain, axes=("s",))
