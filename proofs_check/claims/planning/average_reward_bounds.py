r"""Optimal sample complexity for average reward MDPs, part 1: discounted values, gains, and how fast chains forget.

:math:`\alpha^\pi` is the average reward of a policy, the same from every state under uniform ergodicity, and :math:`\alpha^*` the
best; :math:`p_m = \sum_t \min_s P_\pi^m(s, t)` the mass that m steps from all states share, so that :math:`t_{min}(P_\pi) =
\inf_m m / p_m`. A bound by :math:`t_{min}` is one by every :math:`m / p_m`, and is stated so, for m up to 4. Rewards of span sp(R)
rather than in [0, 1]: all statements are invariant under shifts of the rewards, and scale with them.

For :math:`P_\pi^m = p_m 1 \psi + (1 - p_m) Q` the span of :math:`P_\pi^t r` is at most :math:`(1 - p_m)^{\lfloor t/m
\rfloor} sp(r)`, and these add up to :math:`m / p_m` times sp(r).
"""

from __future__ import annotations

from typing import Any

from proofs_check import Inequality, claim, families, policies, scalars, stronger, twin
from proofs_check.claim import all_available, discounted, no_endings
from proofs_check.claims.planning._uniform_ergodicity import (
    best_gain,
    chain_of,
    forgets_within,
    gain_of,
    longest_minorization,
    reward_span,
    span,
    stacked,
)
from tabular.reference import average, operators

STEPS = 4
PAPER = "Wang, Blanchet and Glynn 2024"
ANY = (
    families.garnet(3, 2),
    families.resets(3, 2),
    families.switching(),
    families.resets(2, 2),
    families.garnet(2, 3),
    families.garnet(4, 2, 2),
    families.bandits(3),
)
ERGODIC = (discounted, no_endings, all_available, forgets_within(9))
"""Nine steps suffice for four states, if any number does."""
SHARED = (discounted, no_endings, all_available, forgets_within(3))
FEW = (
    families.garnet(2, 2),
    families.resets(2, 2),
    families.switching(),
    families.impatience(),
    families.bandits(3),
)
THREE = (*FEW, families.garnet(3, 2))


def _each(ops: Any, P: Any, x: Any, y: Any) -> Inequality:
    """``p_m x <= m y`` for m = 1 ... STEPS."""
    shared = stacked(ops, average.overlaps(ops, P, STEPS))
    return Inequality(shared * x, ops.array(list(range(1, STEPS + 1)), 1) * y, axes=("m",))


@claim(
    id="average_reward.C1",
    family=ANY,
    draws={"pi": policies},
    assumptions=ERGODIC,
    source=PAPER,
    kind="inequality",
    instances=(),
)
def discounted_is_nearly_gain(ops: Any, m: Any, pi: Any) -> Inequality:
    r"""p_m \|V_\gamma^\pi - \alpha^\pi / (1 - \gamma)\|_\infty \le m sp(R) for every m: the norm is at most t_{min}(P_\pi) for
    rewards in [0, 1].

    Proof: the difference is :math:`\sum_t \gamma^t (P_\pi^t r - \alpha^\pi)`, and :math:`\alpha^\pi`, a mean of the
    entries of :math:`P_\pi^t r`, is within their span of each. Attained in the limit by chains that start anew, whose
    first state pays 1 and is never seen again.
    """
    P, r = chain_of(ops, m, pi)
    level = ops.dot(average.stationary(ops, P), r) / (1 - m.gamma)
    return _each(ops, P, ops.norm(ops.evaluate(m, pi) - level), reward_span(ops, m))


nearly_gain_almost = stronger(discounted_is_nearly_gain, 0.99, family=families.resets(2, 2))
nearly_gain_half = stronger(
    discounted_is_nearly_gain,
    0.5,
    why="constant 1/2, which the symmetric hard chain does not refute",
    family=families.resets(2, 2),
)


@claim(
    id="average_reward.C2",
    family=ANY,
    draws={"pi": policies},
    assumptions=ERGODIC,
    source=PAPER,
    kind="inequality",
    instances=(),
)
def span_of_discounted(ops: Any, m: Any, pi: Any) -> Inequality:
    r"""p_m sp(V_\gamma^\pi) \le m sp(R) for every m: the span is at most t_{min}(P_\pi) for rewards in [0, 1] and every \gamma < 1.

    Proof: the span of a sum is at most the sum of the spans of :math:`\gamma^t P_\pi^t r`."""
    P = ops.transition(m.P, pi)
    return _each(ops, P, span(ops, ops.evaluate(m, pi)), reward_span(ops, m))


span_almost = stronger(span_of_discounted, 0.99, family=families.resets(2, 2))
span_half = stronger(span_of_discounted, 0.5, why="half of the time", family=families.resets(2, 2))


def _discounted_loss(ops: Any, m: Any, pi: Any) -> Any:
    return ops.norm(ops.optimal_value(m) - ops.evaluate(m, pi))


@claim(
    id="average_reward.C3",
    family=FEW,
    draws={"pi": policies},
    assumptions=SHARED,
    source=PAPER + ", after Jin and Sidford 2021",
    kind="inequality",
    instances=(),
)
def reduction(ops: Any, m: Any, pi: Any) -> Inequality:
    r"""\alpha^* - \alpha^\pi \le (1 - \gamma) (\|V_\gamma^* - V_\gamma^\pi\|_\infty + 2 t_{minorize} sp(R)).

    Proof: C1 for an optimal policy of the average reward and for :math:`\pi`, and :math:`V^{\pi^*}_\gamma \le V^*_\gamma`,
    where :math:`\pi` is deterministic. For any policy, with the laws of C3b: the difference is at most :math:`(1 - \gamma)
    (\eta (V^*_\gamma - V^\pi_\gamma) + (\eta^* - \eta) V^*_\gamma)`, and the last term at most the span, C2 for an optimal
    policy of the discount. :math:`t_{minorize}` is taken over three steps, and is at least what it is.
    """
    loss = _discounted_loss(ops, m, pi)
    t = longest_minorization(ops, m, 3)
    return Inequality(best_gain(ops, m) - gain_of(ops, m, pi), (1 - m.gamma) * (loss + 2 * t * reward_span(ops, m)))


@twin(reduction, why="without the second term")
def reduction_without_second_term(ops: Any, m: Any, pi: Any) -> Inequality:
    loss = _discounted_loss(ops, m, pi)
    return Inequality(best_gain(ops, m) - gain_of(ops, m, pi), (1 - m.gamma) * loss)


@twin(reduction, why="the second term is a hundred times smaller")
def reduction_with_little_second_term(ops: Any, m: Any, pi: Any) -> Inequality:
    loss = _discounted_loss(ops, m, pi)
    t = longest_minorization(ops, m, 3)
    return Inequality(best_gain(ops, m) - gain_of(ops, m, pi), (1 - m.gamma) * (loss + 0.02 * t * reward_span(ops, m)))


@claim(
    id="average_reward.C3b",
    family=THREE,
    draws={"pi": policies},
    assumptions=SHARED,
    source="derived here",
    kind="inequality",
    instances=(),
)
def sharper_reduction(ops: Any, m: Any, pi: Any) -> Inequality:
    r"""p_m (\alpha^* - \alpha^\pi - (1 - \gamma) \|V_\gamma^* - V_\gamma^\pi\|_\infty) \le (1 - \gamma) m sp(R) for every m: once
    t_{min}(P_\pi), of this policy alone, does for 2 t_{minorize}.

    Proof: with the stationary laws :math:`\eta^*` of an optimal policy and :math:`\eta` of :math:`\pi`, :math:`\alpha^* =
    (1 - \gamma) \eta^* V^{\pi^*}_\gamma \le (1 - \gamma) \eta^* V^*_\gamma` and :math:`\alpha^\pi = (1 - \gamma) \eta
    V^\pi_\gamma`. So the difference is at most :math:`(1 - \gamma) (\eta^* (V^*_\gamma - V^\pi_\gamma) + (\eta^* - \eta)
    V^\pi_\gamma)`, and the last term at most the span, C2.
    """
    P = ops.transition(m.P, pi)
    lost = best_gain(ops, m) - gain_of(ops, m, pi) - (1 - m.gamma) * _discounted_loss(ops, m, pi)
    return _each(ops, P, lost, (1 - m.gamma) * reward_span(ops, m))


sharper_almost = stronger(sharper_reduction, 0.99, family=families.impatience())


@twin(sharper_reduction, why="a step of the discount more: (1 - gamma) squared", family=families.impatience())
def sharper_reduction_squared(ops: Any, m: Any, pi: Any) -> Inequality:
    P = ops.transition(m.P, pi)
    lost = best_gain(ops, m) - gain_of(ops, m, pi) - (1 - m.gamma) * _discounted_loss(ops, m, pi)
    return _each(ops, P, lost, (1 - m.gamma) ** 2 * reward_span(ops, m))


def _spoilt(ops: Any, m: Any, pi: Any, u: Any, most: int) -> tuple[Any, Any]:
    """A policy that loses at most ``most`` times t sp(R) of discounted value, and t."""
    t = longest_minorization(ops, m, 3)
    e = u * ops.minimum(1, most * (1 - m.gamma) * t / (1 + t))
    return (1 - e) * operators.policy_of(ops, m, ops.optimal_value(m)) + e * pi, t


SPOILT = {"pi": policies(), "u": scalars(0.0, 1.0)}


@claim(
    id="average_reward.C4",
    family=FEW,
    draws=SPOILT,
    assumptions=SHARED,
    source=PAPER + " (the constant 19 as recalled)",
    kind="inequality",
    instances=(),
)
def consequence(ops: Any, m: Any, pi: Any, u: Any) -> Inequality:
    r"""\alpha^* - \alpha^{\pi'} \le 19 (1 - \gamma) t_{minorize} sp(R) if \|V_\gamma^* - V_\gamma^{\pi'}\|_\infty \le 17
    t_{minorize} sp(R): it is \epsilon for \gamma = 1 - \epsilon / (19 t_{minorize}) and rewards in [0, 1].

    Proof: C3 with a loss of at most 17 and twice 1. Here :math:`\pi'` takes the actions of a policy of one's choice with
    probability :math:`e \le 17 (1 - \gamma) t / (1 + t)` and is greedy otherwise: since :math:`V^* - T_\pi V^* \le sp(R)
    + sp(V^*) \le (1 + t) sp(R)` by C2, it loses at most :math:`e (1 + t) sp(R) / (1 - \gamma)`.
    """
    worse, t = _spoilt(ops, m, pi, u, 17)
    return Inequality(best_gain(ops, m) - gain_of(ops, m, worse), 19 * (1 - m.gamma) * t * reward_span(ops, m))


@twin(consequence, why="a loss of up to 80 times the minorisation time")
def consequence_of_larger_losses(ops: Any, m: Any, pi: Any, u: Any) -> Inequality:
    worse, t = _spoilt(ops, m, pi, u, 80)
    return Inequality(best_gain(ops, m) - gain_of(ops, m, worse), 19 * (1 - m.gamma) * t * reward_span(ops, m))


consequence_quarter = stronger(consequence, 0.25, why="a quarter of the error")


def _variance(ops: Any, m: Any, pi: Any) -> tuple[Any, Any]:
    """The chain, and the variance (S,) of the discounted sum of the rewards R_pi along it."""
    P = ops.transition(m.P, pi)
    V = ops.evaluate(m, pi)
    ahead = ops.dot(P, V[None, :])
    step = ops.dot(P, (V[None, :] - ahead[:, None]) ** 2)
    square = m.gamma * m.gamma
    return P, ops.solve(ops.identity(m.S) - square * P, square * step)


@claim(
    id="average_reward.C6",
    family=ANY,
    draws={"pi": policies},
    assumptions=ERGODIC,
    source=PAPER + ", with a constant derived here",
    kind="inequality",
    instances=(),
)
def variance(ops: Any, m: Any, pi: Any) -> Inequality:
    r"""p_m (1 - \gamma^2) Var_s(\sum_t \gamma^t R_\pi(s_t)) \le m sp(R)^2 for every m and s: the variance is at most
    t_{min}(P_\pi) / (1 - \gamma^2), not of the order (1 - \gamma)^{-2}.

    Proof: with :math:`u = V - c`, c the middle of V, :math:`\gamma P u = u + k`, :math:`k = (1 - \gamma) c - r`, and the
    variance equation :math:`Var = \gamma^2 (I - \gamma^2 P)^{-1} (P u^2 - (P u)^2)`, it is :math:`-u^2 - (I - \gamma^2
    P)^{-1} (2 u k + k^2)`. For rewards in [0, 1] so is :math:`(1 - \gamma) c`, hence :math:`|k| \le 1`; :math:`|u| \le
    t/2` by C2. So :math:`-2uk - k^2 \le t |k| - k^2 \le t`, and the rows of the inverse sum to :math:`1 / (1 -
    \gamma^2)`. The rewards are those of states, as the policy mixes them.
    """
    P, var = _variance(ops, m, pi)
    size = reward_span(ops, m)
    shared = average.overlaps(ops, P, STEPS)
    found = _each(ops, P, (1 - m.gamma * m.gamma) * ops.largest(var), size * size)
    known = stacked(ops, shared) * (size * size * (1 - m.gamma * m.gamma) / (4 * (1 - m.gamma) ** 2))
    return Inequality(found.measured, found.bound, trivial=known, axes=("m",))


variance_almost = stronger(variance, 0.45, why="nine twentieths of the bound", family=families.switching())


@twin(variance, why="the square of the minorisation time, for every discount", family=families.switching())
def variance_by_square(ops: Any, m: Any, pi: Any) -> Inequality:
    P, var = _variance(ops, m, pi)
    size = reward_span(ops, m)
    shared = stacked(ops, average.overlaps(ops, P, STEPS))
    steps = ops.array(list(range(1, STEPS + 1)), 1)
    return Inequality(shared * shared * ops.largest(var), steps * steps * (size * size), axes=("m",))


@claim(
    id="average_reward.C6b",
    family=ANY,
    draws={"pi": policies},
    assumptions=ERGODIC,
    source="a constant found by experiment",
    kind="empirical",
    instances=(),
)
def variance_conjecture(ops: Any, m: Any, pi: Any) -> Inequality:
    r"""4 p_m (1 - \gamma) Var_s(\sum_t \gamma^t R_\pi(s_t)) \le m sp(R)^2 for every m and s: half of the constant of C6 next
    to \gamma = 1.

    Open: in the long run it is what it should be: the reward's covariances with its past are at most a quarter of the
    spans of :math:`P_\pi^t r`, so that the variance of a sum of n rewards grows like n t/2 at most. Slow symmetric chains
    come as near as one likes.
    """
    P, var = _variance(ops, m, pi)
    size = reward_span(ops, m)
    return _each(ops, P, 4 * (1 - m.gamma) * ops.largest(var), size * size)


conjecture_almost = stronger(variance_conjecture, 0.95, family=families.switching())


@claim(
    id="average_reward.C7",
    family=FEW,
    draws={},
    assumptions=SHARED,
    source="Blackwell 1962, with a rate derived here",
    kind="inequality",
    instances=(),
)
def blackwell(ops: Any, m: Any) -> Inequality:
    r"""p_m (\alpha^* - \alpha^\pi) \le (1 - \gamma) m sp(R) for every m, where \pi is optimal for \gamma: once (1 - \gamma)
    t_{min}(P_\pi) sp(R) is below the least difference of two gains, \pi is optimal for the average reward.

    Proof: C3b without a discounted loss. There are finitely many gains.
    """
    pi = operators.policy_of(ops, m, ops.optimal_value(m))
    return _each(
        ops, ops.transition(m.P, pi), best_gain(ops, m) - gain_of(ops, m, pi), (1 - m.gamma) * reward_span(ops, m)
    )


blackwell_almost = stronger(blackwell, 0.99, family=families.impatience())


@twin(blackwell, why="at every discount at once")
def blackwell_at_every_discount(ops: Any, m: Any) -> Inequality:
    pi = operators.policy_of(ops, m, ops.optimal_value(m))
    return Inequality(best_gain(ops, m), gain_of(ops, m, pi))


@twin(blackwell, why="(1 - gamma) squared", family=families.impatience())
def blackwell_squared(ops: Any, m: Any) -> Inequality:
    pi = operators.policy_of(ops, m, ops.optimal_value(m))
    lost = best_gain(ops, m) - gain_of(ops, m, pi)
    return _each(ops, ops.transition(m.P, pi), lost, (1 - m.gamma) ** 2 * reward_span(ops, m))
