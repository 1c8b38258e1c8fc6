r"""MaxEnt, part 2: the smoothed entropy, and policies with given visits.

:math:`H_\sigma(d) = -\sum_s d(s) \log(d(s) + \sigma)` has the slope :math:`-\log(d + \sigma) - d/(d + \sigma)` and the second
derivative :math:`-(d + 2\sigma) / (d + \sigma)^2`, entry by entry.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from proofs_check import (
    Identity,
    Inequality,
    Witness,
    claim,
    distributions,
    families,
    policies,
    scalars,
    stronger,
    twin,
)
from proofs_check.claim import all_available, discounted
from proofs_check.claims.exploration.maxent_rounds import (
    HAZAN,
    ROUND,
    RUN,
    UNENDING,
    answered,
    budget,
    errors,
    mixed,
    vertices,
    visits,
)
from proofs_check.draws import integers

SIGMA = {"sigma": scalars(1 / 1024, 1.0)}
LAWS = (families.bandits(1), families.garnet(2, 2), families.garnet(3, 2), families.garnet(6, 2))
SMOOTHING = "Hazan et al. 2019, the entropy as a corollary, as recalled"
TWENTIETH = Fraction(1, 20)


def smoothed(ops: Any, d: Any, sigma: Any) -> Any:
    """Smoothed entropy, in nats."""
    return -ops.dot(d, ops.log(d + sigma))


def slope(ops: Any, d: Any, sigma: Any) -> Any:
    """Its gradient."""
    return -ops.log(d + sigma) - d / (d + sigma)


def entropy(ops: Any, d: Any) -> Any:
    """Nats."""
    return -ops.sum(ops.xlogx(d))


@claim(
    id="maxent.C1a",
    family=UNENDING,
    draws=ROUND | SIGMA,
    assumptions=(discounted,),
    source=HAZAN,
    kind="inequality",
    instances=(),
)
def entropy_recursion(
    ops: Any, m: Any, now: Any, best: Any, answer: Any, rho: Any, off: Any, noise: Any, eta: Any, sigma: Any
) -> Inequality:
    r"""The recursion of C1 for R = H_\sigma, with \beta = 2/\sigma.

    Proof: C1, whose hypotheses are C3.
    """
    return _entropy_recursion(ops, m, [now, best, answer], rho, [off, noise, eta], sigma, (1, 1, 1))


def _entropy_recursion(
    ops: Any, m: Any, pis: list[Any], rho: Any, estimate: list[Any], sigma: Any, parts: tuple[int, int, int]
) -> Inequality:
    off, noise, eta = estimate
    d, best, answer = [visits(ops, m, pi, rho) for pi in pis]
    seen = mixed(d, off, noise)
    eps1 = ops.maximum(ops.dot(best - answer, slope(ops, seen, sigma)), 0)
    top = smoothed(ops, best, sigma)
    lost = errors(ops, eta, 2 / sigma, ops.norm(seen - d), eps1, parts)
    return Inequality(
        top - smoothed(ops, mixed(d, answer, eta), sigma), (1 - eta) * (top - smoothed(ops, d, sigma)) + lost
    )


@twin(entropy_recursion, why="without eta^2 beta")
def entropy_recursion_without_curvature(
    ops: Any, m: Any, now: Any, best: Any, answer: Any, rho: Any, off: Any, noise: Any, eta: Any, sigma: Any
) -> Inequality:
    return _entropy_recursion(ops, m, [now, best, answer], rho, [off, noise, eta], sigma, (1, 1, 0))


def _curvature(x: Any, sigma: Any) -> Any:
    return (x + 2 * sigma) / (x + sigma) ** 2


@claim(
    id="maxent.C3",
    family=families.bandits(1),
    draws=SIGMA | {"x": scalars(0.0, 1.0)},
    source="Hazan et al. 2019, the smoothed entropy",
    kind="inequality",
    instances=(),
)
def curvature(ops: Any, m: Any, x: Any, sigma: Any) -> Inequality:
    r"""The second derivative -(x + 2\sigma) / (x + \sigma)^2 of -x \log(x + \sigma) lies in [-2/\sigma, 0] for x \ge 0.

    Proof: its size falls with x, and is :math:`2/\sigma` at 0.
    """
    return Inequality(_curvature(x, sigma), 2 / sigma)


@twin(curvature, why="half of it, 1 / sigma: false at 0")
def curvature_halved(ops: Any, m: Any, x: Any, sigma: Any) -> Inequality:
    return Inequality(_curvature(x, sigma), 1 / sigma)


TWO = {"d": distributions(), "other": distributions()} | SIGMA


def _slopes(ops: Any, d: Any, other: Any, sigma: Any, weight: Any) -> Inequality:
    change = slope(ops, d, sigma) - slope(ops, other, sigma)
    return Inequality(ops.norm(change), weight / sigma * ops.norm(d - other))


@claim(id="maxent.C3a", family=LAWS, draws=TWO, source="ours, after " + HAZAN, kind="inequality", instances=())
def slopes(ops: Any, m: Any, d: Any, other: Any, sigma: Any) -> Inequality:
    r"""\|\nabla H_\sigma(d) - \nabla H_\sigma(d')\|_\infty \le (2/\sigma) \|d - d'\|_\infty: C3 without a derivative.

    Proof: C3 and the mean value theorem, entry by entry.
    """
    return _slopes(ops, d, other, sigma, 2)


@twin(slopes, why="1 / sigma")
def slopes_halved(ops: Any, m: Any, d: Any, other: Any, sigma: Any) -> Inequality:
    return _slopes(ops, d, other, sigma, 1)


@claim(id="maxent.C3b", family=LAWS, draws=TWO, source="ours, after " + HAZAN, kind="inequality", instances=())
def concave(ops: Any, m: Any, d: Any, other: Any, sigma: Any) -> Inequality:
    r"""H_\sigma(d') - H_\sigma(d) \le \langle \nabla H_\sigma(d), d' - d \rangle: it is concave, and the duality gap bounds what d
    falls short.

    Proof: C3.
    """
    return _tangent(ops, d, other, sigma, 0)


def _tangent(ops: Any, d: Any, other: Any, sigma: Any, strong: Any) -> Inequality:
    """``strong``: the share of the curvature 2 / sigma that is asked for at the same time."""
    return Inequality(
        smoothed(ops, other, sigma) - smoothed(ops, d, sigma),
        ops.dot(slope(ops, d, sigma), other - d) - strong / sigma * ops.dot(other - d, other - d),
        quotient=False,
    )


@twin(concave, why="curved by 2 / sigma everywhere, as it is at 0 alone", family=LAWS[1])
def concave_strongly(ops: Any, m: Any, d: Any, other: Any, sigma: Any) -> Inequality:
    return _tangent(ops, d, other, sigma, 1)


@claim(
    id="maxent.C3c",
    family=LAWS,
    draws={"d": distributions()} | SIGMA,
    source="Hazan et al. 2019, the smoothed entropy",
    kind="inequality",
    instances=(),
)
def smoothing(ops: Any, m: Any, d: Any, sigma: Any) -> Inequality:
    r"""0 \le H(d) - H_\sigma(d) \le S \sigma.

    Proof: the difference is :math:`\sum_s d(s) \log(1 + \sigma/d(s))`, and :math:`x \log(1 + \sigma/x)` is in :math:`[0, \sigma]`.
    """
    return _smoothing(ops, m, d, sigma, 1)


def _smoothing(ops: Any, m: Any, d: Any, sigma: Any, share: Any) -> Inequality:
    lost = entropy(ops, d) - smoothed(ops, d, sigma)
    return Inequality(ops.stack([0 * lost, lost]), ops.stack([lost, share * m.S * sigma]), axes=("part",))


@twin(smoothing, why="half of it: false where the probabilities are much larger than sigma")
def smoothing_halved(ops: Any, m: Any, d: Any, sigma: Any) -> Inequality:
    return _smoothing(ops, m, d, sigma, Fraction(1, 2))


def _entropy_budget(ops: Any, n: Any, eps: Any, share: Any) -> Inequality:
    sigma = TWENTIETH * eps / n
    return Inequality(budget(ops, eps, 2 / sigma, ops.log(n) + sigma, Fraction(1, 10)) + n * sigma, share * eps)


@claim(
    id="maxent.C3d",
    family=families.bandits(1),
    draws={"n": integers(2, 4096), "eps": scalars(1 / 1024, 1.0)},
    source=SMOOTHING,
    kind="inequality",
    instances=(),
)
def entropy_budget(ops: Any, m: Any, n: Any, eps: Any) -> Inequality:
    r"""With \sigma = \varepsilon/20S, so \beta = 40S/\varepsilon, and the parameters of C2 at B = \log S + \sigma, the entropy is
    within 11\varepsilon/20 of the maximum after (400S/\varepsilon^2) \log(10B/\varepsilon) rounds.

    Proof: C2, and C3c once, since :math:`H_\sigma \le H`; :math:`-\sigma \le H_\sigma \le \log S`.
    """
    return _entropy_budget(ops, n, eps, Fraction(11, 20))


@twin(entropy_budget, why="half of epsilon: as if smoothing cost nothing")
def entropy_budget_without_smoothing(ops: Any, m: Any, n: Any, eps: Any) -> Inequality:
    return _entropy_budget(ops, n, eps, Fraction(1, 2))


PLAY: dict[str, Any] = {
    "family": (families.garnet(3, 2), families.deterministic(3, 2)),
    "assumptions": (discounted, all_available),
    "instances": (),
}
TWO_POLICIES = {"first": policies(), "second": policies(), "rho": distributions()}


def _entropies(ops: Any, m: Any, first: Any, second: Any, rho: Any) -> tuple[Any, Any]:
    """The smaller of the entropies of two policies, and that of the policy that mixes their actions in every state."""
    H = [entropy(ops, visits(ops, m, pi, rho)) for pi in (first, second, (first + second) / 2)]
    return ops.minimum(H[0], H[1]), H[2]


@claim(id="maxent.C4", draws=TWO_POLICIES, source="Hazan et al. 2019, section 3", kind="existence", **PLAY)
def not_concave_in_policies(ops: Any, m: Any, first: Any, second: Any, rho: Any) -> Witness:
    r"""There are two policies whose average, action by action, visits states with less entropy than either: it is no concave, nor
    even a quasi-concave, function of the policy.

    Proof: by the witness.
    """
    least, average = _entropies(ops, m, first, second, rho)
    return Witness(Inequality(average, least))


@twin(not_concave_in_policies, why="concave in the policy")
def concave_in_policies(ops: Any, m: Any, first: Any, second: Any, rho: Any) -> Inequality:
    least, average = _entropies(ops, m, first, second, rho)
    return Inequality(least, average, quotient=False)


def policy_with(ops: Any, d: Any) -> Any:
    """The policy (S, A) whose actions have the shares that they have in the visits d (S, A) of pairs, all states being visited."""
    return d / ops.sum(d)[:, None]


def _everywhere(ops: Any, m: Any, rho: Any) -> Any:
    return (rho + Fraction(1, m.S)) / 2


@claim(
    id="maxent.C5",
    draws=TWO_POLICIES | {"w": scalars(0.0, 1.0)},
    source="Puterman 1994, Theorem 6.9.1",
    kind="identity",
    **PLAY,
)
def markov_policy(ops: Any, m: Any, first: Any, second: Any, rho: Any, w: Any) -> Identity:
    r"""The stationary policy \pi(a|s) = d(s, a) / d(s) has the visits d of a mixture of policies, wherever all states are visited
    from the start: no mixture is needed at the maximum.

    Proof: d satisfies :math:`d(s) = (1-\gamma) \rho(s) + \gamma \sum d(s', a) P(s|s', a)`, with :math:`d(s', a) = d(s')
    \pi(a|s')` the equations for the visits of :math:`\pi`, which have one solution.
    """
    start = _everywhere(ops, m, rho)
    d = mixed(ops.occupancy(m, first, start), ops.occupancy(m, second, start), w)
    return Identity(ops.occupancy(m, policy_with(ops, d), start), d, axes=("s", "a"))


@twin(markov_policy, why="the policies' average, action by action")
def average_policy(ops: Any, m: Any, first: Any, second: Any, rho: Any, w: Any) -> Identity:
    start = _everywhere(ops, m, rho)
    d = mixed(ops.occupancy(m, first, start), ops.occupancy(m, second, start), w)
    return Identity(ops.occupancy(m, mixed(first, second, w), start), d, axes=("s", "a"))


ROUNDS = 6
SMOOTH = Fraction(1, 8)


def _certificate(ops: Any, m: Any, best: Any, rho: Any, share: int) -> Inequality:
    """``share``: the weight of the duality gap."""
    sigma, D = ops.constant(SMOOTH), vertices(ops, m, rho)

    def one(d: Any, t: int) -> tuple[Any, Any]:
        after = mixed(d, answered(ops, D, slope(ops, d, sigma)), ops.constant(Fraction(2, t + 2)))
        s = slope(ops, after, sigma)
        return after, smoothed(ops, after, sigma) + share * (
            ops.max(ops.sum(D * s[:, None], axis=-2)) - ops.dot(s, after)
        )

    upper = ops.stack(ops.scan(one, D[:, 0], list(range(ROUNDS)))[1])
    return Inequality(0 * upper + smoothed(ops, visits(ops, m, best, rho), sigma), upper, axes=("t",), quotient=False)


@claim(id="maxent.C5a", source="ours, after " + HAZAN, kind="inequality", **RUN)
def certificate(ops: Any, m: Any, best: Any, rho: Any) -> Inequality:
    r"""H_\sigma(d_\pi) \le H_\sigma(d_t) + \max_{\pi'} \langle \nabla H_\sigma(d_t), d_{\pi'} - d_t \rangle for every
    policy, after each of six rounds of the step 2 / (t + 2), \sigma = 1/8: what ``max_ent`` returns as its upper
    bound.

    So its limit is the maximum of the convex program over occupancies (which its tests solve besides). Proof: C3b, and a linear
    function of visits is largest at a deterministic policy.
    """
    return _certificate(ops, m, best, rho, 1)


@twin(certificate, why="without the gap: as if the rounds were optimal already")
def certificate_without_gap(ops: Any, m: Any, best: Any, rho: Any) -> Inequality:
    return _certificate(ops, m, best, rho, 0)


stronger(smoothing, 0.99)
