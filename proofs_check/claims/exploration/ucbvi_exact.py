r"""UCBVI, part 1: what is exact. The law of total variance, the variance of a difference, and the pigeonhole sum."""

from __future__ import annotations

from typing import Any

import numpy as np

from proofs_check import Identity, Inequality, claim, families, scalars, streams, stronger, twin, values
from proofs_check.claim import no_endings
from proofs_check.draws import deterministic_policies, distributions, policies

PAPER = "Azar, Osband and Munos 2017"
STEPS = 5
PLANTED = families.planted_arms(1, 2)


def variances(ops: Any, m: Any, chosen: list[Any], other: Any = None) -> tuple[Any, Any]:
    r"""Of ``STEPS`` steps from each state (S,): the mean sum of one-step variances of the value to come, and the variance of
    the sum of rewards, from its second moment.

    chosen : policies (S, A) of even and of odd steps.  other : (STEPS + 1) values to take the variances of, in place of
    those of the policy.
    """

    def step(state: tuple[Any, Any, Any], k: int) -> tuple[tuple[Any, Any, Any], None]:
        V, M, W = state
        h = STEPS - 1 - k
        pi = chosen[h % 2]
        mean = lambda x: ops.expect(m.P, x)  # noqa: E731
        r, U = m.R, V if other is None else other[h + 1]
        spread = mean(U * U) - mean(U) * mean(U)
        second = r * r + 2 * r * mean(V) + mean(M)
        return (ops.dot(pi, r + mean(V)), ops.dot(pi, second), ops.dot(pi, spread + mean(W))), None

    zero = 0 * m.R[:, 0]
    (V, M, W), _ = ops.scan(step, (zero, zero, zero), range(STEPS))
    return W, M - V * V


def _optimal(ops: Any, m: Any) -> list[Any]:
    """Optimal values with h steps gone, h = 0 ... STEPS."""
    step = lambda V, _: (lambda W: (W, W))(ops.max(m.R + ops.expect(m.P, V), m.mask))  # noqa: E731
    zero = 0 * m.R[:, 0]
    return [*ops.scan(step, zero, range(STEPS))[1][::-1], zero]


TOTAL: dict[str, Any] = {
    "family": (*families.unending(), PLANTED),
    "draws": {"pi": deterministic_policies, "mu": deterministic_policies},
    "assumptions": (no_endings,),
    "instances": (),
}


@claim(id="ucbvi.C4", source=PAPER + ", law of total variance", kind="identity", **TOTAL)
def total_variance(ops: Any, m: Any, pi: Any, mu: Any) -> Identity:
    r"""E_\pi[\sum_{j=h}^H Var_{y \sim P(x_j, \pi)}(V^\pi_{j+1}(y))] = Var(\sum_{j=h}^H r(x_j, \pi)), from each state, for
    deterministic policies of H = 5 steps.

    Proof: with :math:`G_h` the sum from step h, :math:`Var(G_h) = Var(E[G_{h+1} | x_{h+1}]) + E[Var(G_{h+1} |
    x_{h+1})]`, the first being the one-step variance, as rewards are known; induction.
    """
    return Identity(*variances(ops, m, [pi, mu]), axes=("s",))


@twin(total_variance, why="the optimal values on the left, in place of the policy's", family=families.garnet(3, 2))
def total_variance_of_optimal_values(ops: Any, m: Any, pi: Any, mu: Any) -> Identity:
    return Identity(*variances(ops, m, [pi, mu], _optimal(ops, m)), axes=("s",))


@twin(
    total_variance,
    why="policies that draw their actions, whose draws have a variance, too",
    family=families.garnet(3, 2),
    draws={"pi": policies(interior=True), "mu": policies(interior=True)},
)
def total_variance_of_drawn_actions(ops: Any, m: Any, pi: Any, mu: Any) -> Identity:
    return Identity(*variances(ops, m, [pi, mu]), axes=("s",))


def _span(ops: Any, m: Any) -> Any:
    return ops.largest(m.R, m.mask) - ops.smallest(m.R, m.mask)


@claim(id="ucbvi.C4a", source=PAPER + ", consequence of the law", kind="inequality", **TOTAL)
def total_variance_is_bounded(ops: Any, m: Any, pi: Any, mu: Any) -> Inequality:
    r"""The same sum is at most H^2 / 4, for rewards in an interval of length 1 (else times its square).

    Proof: C4, and the variance of what lies in an interval of length H is at most :math:`H^2/4` (Popoviciu).
    """
    return Inequality(variances(ops, m, [pi, mu])[0], (STEPS * _span(ops, m)) ** 2 / 4, axes=("s",))


@twin(
    total_variance_is_bounded, why="H^2 / 8: a fair coin decides whether all later rewards are 0 or 1", family=PLANTED
)
def total_variance_of_half_the_size(ops: Any, m: Any, pi: Any, mu: Any) -> Inequality:
    return Inequality(variances(ops, m, [pi, mu])[0], (STEPS * _span(ops, m)) ** 2 / 8, axes=("s",))


@claim(id="ucbvi.C4b", source="ours, after " + PAPER, kind="inequality", **TOTAL)
def total_variance_of_later_steps(ops: Any, m: Any, pi: Any, mu: Any) -> Inequality:
    r"""The same sum is at most (H-1)^2 / 4, and that is attained.

    Proof: as C4a; the first reward is known, so that H - 1 vary. Attained by a first step that leads with a fair coin to
    a state that pays 1 for ever or to one that pays 0.
    """
    return Inequality(variances(ops, m, [pi, mu])[0], ((STEPS - 1) * _span(ops, m)) ** 2 / 4, axes=("s",))


stronger(total_variance_of_later_steps, 0.99, why="a hundredth less", family=PLANTED)


def variance(ops: Any, p: Any, X: Any) -> Any:
    """Under a distribution (S,)."""
    mean = ops.dot(p, X)
    return ops.dot(p, X * X) - mean * mean


@claim(
    id="ucbvi.C6",
    family=families.general(),
    draws={"p": distributions, "X": values, "W": values(like="X"), "c": scalars(0.5, 1.0)},
    source=PAPER + ", behind the lower-order terms",
    kind="inequality",
    instances=(),
)
def variance_of_a_difference(ops: Any, m: Any, p: Any, X: Any, W: Any, c: Any) -> Inequality:
    r"""Var_p(X) \le 2 (Var_p(Y) + Var_p(X - Y)). Here Y = c X + (1 - c) (X - W).

    Proof: the standard deviation is a seminorm, and :math:`(a + b)^2 \le 2 (a^2 + b^2)`; equality at Y = X / 2.
    """
    Y = c * X + (1 - c) * (X - W)
    return Inequality(variance(ops, p, X), 2 * (variance(ops, p, Y) + variance(ops, p, X - Y)))


stronger(variance_of_a_difference, 0.5, why="the constant 1: variances do not add up where X - Y and Y go together")

EPISODES, LENGTH, PAIRS = 32, 8, 4


def pigeonhole(rng: Any) -> tuple[np.ndarray, np.ndarray]:
    """Visits (..., EPISODES, PAIRS) of an episode of LENGTH steps, and those of the episodes before it, both integers.

    Half of the sequences are independent draws with weights of their own; in the others an episode has one pair alone,
    which changes after as many episodes as was drawn.
    """
    u = rng.uniform("visits", EPISODES, LENGTH)
    w = rng.uniform("weights", PAIRS) ** 4 + 1e-3
    limit = np.cumsum(w, axis=-1) / w.sum(axis=-1, keepdims=True)
    drawn = np.minimum((u[..., None] >= limit[..., None, None, :]).sum(axis=-1), PAIRS - 1)
    period = 2 ** np.floor(6 * rng.uniform("period")).astype(np.int64)
    alone = np.arange(EPISODES) // period[..., None] % PAIRS
    pure = rng.uniform("kind") < 0.5
    which = np.where(pure[..., None, None], alone[..., None], drawn)
    visits = (which[..., None] == np.arange(PAIRS)).sum(axis=-2)
    return visits, np.cumsum(visits, axis=-2) - visits


def _pigeonhole(ops: Any, rng: Any, roots: float, firsts: int) -> Inequality:
    visits, before = (ops.array(x, 2) for x in pigeonhole(rng))
    total = ops.sum(ops.sum(visits / ops.sqrt(ops.maximum(before, 1))))
    T = EPISODES * LENGTH
    return Inequality(total, roots * ops.sqrt(ops.constant(PAIRS * T)) + firsts * PAIRS * LENGTH)


@claim(
    id="ucbvi.C7",
    family=families.bandits(2),
    draws={"rng": streams},
    source=PAPER + ", pigeonhole argument",
    kind="inequality",
    instances=(),
)
def pigeonhole_sum(ops: Any, m: Any, rng: Any) -> Inequality:
    r"""\sum_{k,h} 1 / \sqrt{\max(1, N_k(x_{k,h}, a_{k,h}))} \le 2 \sqrt{SAT} + HSA, for any sequence of visits, N_k being
    counts of earlier episodes. Here SA = 4, K = 32, H = 8.

    Proof: for one pair with n_k visits in episode k, :math:`\sum_k n_k (N_k \vee 1)^{-1/2} \le H \sum_k [(N_k \vee
    1)^{-1/2} - (N_{k+1} \vee 1)^{-1/2}] + \sum_k n_k (N_{k+1} \vee 1)^{-1/2} \le H + \sum_{i \le N} i^{-1/2} \le H + 2
    \sqrt N`; sum over the pairs, by Cauchy and Schwarz.
    """
    return _pigeonhole(ops, rng, 2.0, 1)


@twin(pigeonhole_sum, why="without first visits, whose batch has no count yet")
def pigeonhole_sum_without_first_visits(ops: Any, m: Any, rng: Any) -> Inequality:
    return _pigeonhole(ops, rng, 2.0, 0)


@twin(pigeonhole_sum, why="the constant 1 before the root")
def pigeonhole_sum_of_half_the_size(ops: Any, m: Any, rng: Any) -> Inequality:
    return _pigeonhole(ops, rng, 1.0, 1)
