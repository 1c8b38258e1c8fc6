r"""SAC-v2, part 1: a bandit under an entropy constraint, and one temperature for several states.

:math:`g(\tau) = \mathrm{lse}_\tau(r) - \tau \bar H` is the dual of maximising :math:`\langle p, r \rangle` subject to
:math:`H(p) \ge \bar H`. A target is drawn as the entropy of the softmax at a drawn temperature, so that the root is
known; every target between those of the ties and :math:`\log A` is of this form (C4).
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from proofs_check import Identity, Inequality, Witness, claim, families, policies, scalars, temperatures, twin
from proofs_check.claim import all_available, some_choice
from proofs_check.claims.planning.sac_models import relative_temperature, two_gaps
from tabular.regularizers import Shannon

HAARNOJA = "Haarnoja et al. 2018b, section 5"
HEAT = {"heat": temperatures(orders=2)}
BANDITS: dict[str, Any] = {
    "family": (families.bandits(2), families.bandits(3), families.bandits(5)),
    "assumptions": (all_available, some_choice),
    "source": HAARNOJA,
    "instances": (),
}


def entropy(ops: Any, p: Any) -> Any:
    """Nats, over the last axis."""
    return -ops.sum(ops.xlogx(p))


def rooted(ops: Any, m: Any, heat: Any) -> tuple[Any, Any, Any, Any]:
    """Rewards (A,), the temperature, its softmax, and the entropy of that: the target whose root it is."""
    r = m.R[0]
    tau = relative_temperature(ops, r, heat)
    p = ops.gibbs(r, tau)
    return r, tau, p, entropy(ops, p)


def dual(ops: Any, r: Any, tau: Any, target: Any) -> Any:
    r""":math:`g(\tau)`."""
    return ops.free_energy(r, tau) - tau * target


@claim(id="sac_v2.C1", draws=HEAT, kind="identity", **BANDITS)
def strong_duality(ops: Any, m: Any, heat: Any) -> Identity:
    r"""\langle p^*, r \rangle = g(\tau^*) for p^* = sm_{\tau^*}(r), at the root H(sm_{\tau^*}(r)) = \bar H.

    Proof: :math:`\mathrm{lse}_\tau(r) = \langle p, r \rangle + \tau H(p)` at the softmax. With C1a: both are optimal.
    """
    r, tau, p, target = rooted(ops, m, heat)
    return Identity(ops.dot(p, r), dual(ops, r, tau, target))


@twin(strong_duality, why="the dual with + tau H")
def duality_with_the_wrong_sign(ops: Any, m: Any, heat: Any) -> Identity:
    r, tau, p, target = rooted(ops, m, heat)
    return Identity(ops.dot(p, r), dual(ops, r, tau, -target))


@twin(strong_duality, why="the softmax at the temperature H")
def target_as_temperature(ops: Any, m: Any, heat: Any) -> Identity:
    r, tau, _, target = rooted(ops, m, heat)
    return Identity(ops.dot(ops.gibbs(r, target), r), dual(ops, r, tau, target))


@claim(id="sac_v2.C1a", draws={"pi": policies(), "bar": scalars(0.0, 1.0)} | HEAT, kind="inequality", **BANDITS)
def weak_duality(ops: Any, m: Any, pi: Any, bar: Any, heat: Any) -> Inequality:
    r"""\langle p, r \rangle \le g(\tau) + \tau (\bar H - H(p))^+ for every p, \tau > 0 and \bar H: every dual value
    bounds what is feasible.

    Proof: :math:`\mathrm{lse}_\tau(r) \ge \langle p, r \rangle + \tau H(p)` (sac.C4).
    """
    return _weak(ops, m, pi, bar, heat, 1)


def _weak(ops: Any, m: Any, pi: Any, bar: Any, heat: Any, price: int) -> Inequality:
    """``bar`` is the target in units of log A."""
    r, p = m.R[0], pi[0]
    tau, target = relative_temperature(ops, r, heat), bar * ops.log(ops.sum(r * 0 + 1))
    short = ops.maximum(target - entropy(ops, p), 0)
    return Inequality(ops.dot(p, r), dual(ops, r, tau, target) + price * tau * short)


@twin(weak_duality, why="also for what is not feasible")
def weak_duality_for_all(ops: Any, m: Any, pi: Any, bar: Any, heat: Any) -> Inequality:
    return _weak(ops, m, pi, bar, heat, 0)


@claim(id="sac_v2.C1b", draws=HEAT | {"other": temperatures(orders=2)}, kind="inequality", **BANDITS)
def dual_minimum(ops: Any, m: Any, heat: Any, other: Any) -> Inequality:
    r"""g(\tau^*) \le g(\tau) for all \tau > 0: the root of the entropy equation minimises the dual.

    So :math:`H(\mathrm{sm}_\tau(r))` is the derivative of the convex function :math:`\mathrm{lse}_\tau(r)` of
    :math:`\tau`. Proof: C1a at :math:`p = p^*`, and C1.
    """
    r, tau, _, target = rooted(ops, m, heat)
    return Inequality(dual(ops, r, tau, target), dual(ops, r, relative_temperature(ops, r, other), target))


@twin(dual_minimum, why="the dual with + tau H")
def dual_minimum_with_the_wrong_sign(ops: Any, m: Any, heat: Any, other: Any) -> Inequality:
    r, tau, _, target = rooted(ops, m, heat)
    return Inequality(dual(ops, r, tau, -target), dual(ops, r, relative_temperature(ops, r, other), -target))


DIGITS = Fraction(5, 10**7)


@claim(
    id="sac_v2.C1c",
    family=families.bandits(3),
    source="ours, a number",
    kind="identity",
    instances=(),
)
def digits(ops: Any, m: Any) -> Inequality:
    r"""For r = (1, 1/2, 0) and \bar H = 0.8, \tau^* = 0.464720 and the value is 0.803217, to all these digits.

    Proof: the entropy at 0.4647195 is below the target and that at 0.4647205 above it (C4: so is the root between); the
    value lies between that of the hotter policy, which is feasible, and the dual at 0.464720 (C1a).
    """
    return _digits(ops, Fraction(464720, 10**6), Fraction(803217, 10**6))


def _digits(ops: Any, root: Any, value: Any) -> Inequality:
    """The rewards are those of the card; the models that the claim is given play no part."""
    r, target = ops.array([1.0, 0.5, 0.0], 1), ops.constant(Fraction(4, 5))
    cold, hot = (ops.gibbs(r, ops.constant(root + sign * DIGITS)) for sign in (-1, 1))
    least, most = ops.dot(hot, r), dual(ops, r, ops.constant(root), target)
    lower = [entropy(ops, cold), target, ops.constant(value - DIGITS), most]
    higher = [target, entropy(ops, hot), least, ops.constant(value + DIGITS)]
    return Inequality(ops.stack(lower), ops.stack(higher), axes=("part",))


@twin(digits, why="the next digits: 0.464721")
def digits_of_the_next_root(ops: Any, m: Any) -> Inequality:
    return _digits(ops, Fraction(464721, 10**6), Fraction(803217, 10**6))


@twin(digits, why="the next digits: 0.803218")
def digits_of_the_next_value(ops: Any, m: Any) -> Inequality:
    return _digits(ops, Fraction(464720, 10**6), Fraction(803218, 10**6))


@claim(
    id="sac_v2.C3",
    family=two_gaps(),
    draws={"tau": scalars(0.25, 16.0)},
    source="ours, after " + HAARNOJA,
    kind="existence",
    instances=(),
)
def entropies_straddle(ops: Any, m: Any, tau: Any) -> Witness:
    r"""Where the constraint is on the mean over two states, visited alike, with gaps 10 and 0.1, the solution leaves
    one state below \bar H.

    Proof: the solution is the softmax of both rows at one temperature (C1b, with the mean over the states); its mean
    entropy is the target, and :math:`H(s_0) < \bar H < H(s_1)`.
    """
    H = entropy(ops, Shannon(tau).policy(ops, m.R, m.mask))
    mean = (H[0] + H[1]) / 2
    return Witness(Inequality(ops.stack([H[0], mean]), ops.stack([mean, H[1]]), axes=("part",)))


@twin(entropies_straddle, why="the entropy of each state reaches the target")
def entropies_of_all_states(ops: Any, m: Any, tau: Any) -> Inequality:
    H = entropy(ops, Shannon(tau).policy(ops, m.R, m.mask))
    return Inequality(H * 0 + (H[0] + H[1]) / 2, H, axes=("s",))
