r"""RF-Express, part 1: how wrong all values of the empirical model may be.

The model that a claim is given is the empirical one, :math:`\hat p`, the truth :math:`p` lies on the way to another,
so that the divergence :math:`KL(\hat p \| p)` of every row is finite. It is put in the place of :math:`\beta(n)/n`,
which bounds it on the event of C1c: what follows is then certain. Two states, H = 3, start in state 0.

For a policy the largest error over rewards in [0, 1] is linear in them and equals :math:`\frac12 \sum_h \|\hat d_h - d_h\|_1`
(C1a); a policy enters each step linearly, so that deterministic Markov policies are the worst.
"""

from __future__ import annotations

from itertools import product
from math import e
from typing import Any

import numpy as np

from proofs_check import Identity, Inequality, Trial, claim, families, models, policies, scalars, streams, twin
from proofs_check.claim import all_available, no_endings
from proofs_check.sampling import categorical

MENARD, KAUFMANN = "Ménard et al. 2021, the error of all values, after its code", "Kaufmann et al. 2021, section 3"
H = 3
ROWS = ([1, 0], [0, 1])
RULES = tuple([list(first), list(second)] for first, second in product(ROWS, ROWS))
START = [1.0, 0.0]
FAMILY: dict[str, Any] = {
    "family": (families.garnet(2, 2), families.resets(2, 2)),
    "draws": {"other": models(), "t": scalars(1 / 1024, 0.75)},
    "assumptions": (all_available, no_endings),
    "instances": (),
}


def rows(ops: Any, m: Any) -> Any:
    """Transition probabilities of a model without endings: (S, A, S)."""
    return ops.successors(m)[:, :, : m.S]


def truth(ops: Any, m: Any, other: Any, t: Any) -> Any:
    """The true rows (S, A, S)."""
    return rows(ops, m) + t * (rows(ops, other) - rows(ops, m))


def divergences(ops: Any, m: Any, other: Any, t: Any) -> Any:
    """(S, A) divergences of the empirical rows from the true ones, which have the support of both models."""
    P, Q = rows(ops, m), rows(ops, other)
    return ops.relative_entropy(P, truth(ops, m, other, t), where=ops.support(P) | ops.support(Q))


def laws(ops: Any, P: Any, plan: list[Any]) -> list[Any]:
    """Probabilities of states at steps 0 ... len(plan) from the start."""

    def step(d: Any, pi: Any) -> tuple[Any, Any]:
        after = ops.sum(ops.sum((d[:, None] * pi)[:, :, None] * P, axis=-2), axis=-2)
        return after, after

    first = ops.array(START, 1)
    return [first, *ops.scan(step, first, plan)[1]]


def worst_error(ops: Any, P: Any, Q: Any, plan: list[Any]) -> Any:
    """The largest error of the value of a policy over all rewards, by distances of laws."""
    found = zip(laws(ops, P, plan), laws(ops, Q, plan), strict=True)
    total = ops.sum(ops.stack([ops.sum(ops.abs(x - y)) for x, y in found]))
    return total / 2


def largest_error(ops: Any, m: Any, other: Any, t: Any) -> Any:
    """The same over all policies; what is done in the last step, or at first in state 1, moves nothing."""
    rules = [ops.distribution(rule) for rule in RULES]
    P, Q = rows(ops, m), truth(ops, m, other, t)
    return ops.max(ops.stack([worst_error(ops, P, Q, list(plan)) for plan in product(rules[::2], rules)]))


def width(ops: Any, m: Any, bonus: Any, factor: Any) -> Any:
    r""":math:`\max_a W_1` at the start, :math:`W_h = \min\{H, b + \kappa \hat P \max_a W_{h+1}\}`, for one b (S, A)
    at all steps.
    """

    def step(_: int, w: Any) -> Any:
        found = ops.minimum(H, bonus + factor * ops.expect(m.P, w))
        return ops.max(found)

    return ops.fori(H, step, 0 * bonus[:, 0])[0]


@claim(id="rf_express.C1", source=MENARD, kind="inequality", **FAMILY)
def express(ops: Any, m: Any, other: Any, t: Any) -> Inequality:
    r"""If n KL(\hat p \| p) \le \beta(n) everywhere, |\hat V_1^\pi - V_1^\pi| \le 3e \sqrt w + w for all policies and
    all rewards in [0, 1], where w = \max_a W_1(s_1, a) and b = 15 H^2 \beta/n. Here \beta/n is the divergence itself.

    Proof: with :math:`k = KL(\hat p \| p)`, :math:`|(\hat p - p) V| \le \sqrt{2 Var_p(V) k} + \frac23 H k`,
    :math:`Var_p(V) \le 2 Var_{\hat p}(V) + 4 H^2 k` and :math:`Var_{\hat p}(V) \le 2 Var_{\hat p}(\hat V) + 2 H \hat
    p |\hat V - V|`, the error is at most :math:`3 \sqrt{Var_{\hat p}(\hat V) k} + \frac{11}{2} H^2 k + (1 + \frac1H)
    \hat p |e|`. Unroll it under :math:`\hat p` until W is clipped, where the error is at most H = W. The first terms
    are at most :math:`3e \sqrt{w/15}` by Cauchy and the law of total variance, the others w.
    """
    return _express(ops, m, other, t, 1)


def _express(ops: Any, m: Any, other: Any, t: Any, root: Any) -> Inequality:
    """``root``: the weight of the term with the root."""
    k = divergences(ops, m, other, t)
    w = width(ops, m, 15 * H**2 * k, ops.constant(1) + ops.constant(1) / H)
    return Inequality(largest_error(ops, m, other, t), root * 3 * ops.exp(1) * ops.sqrt(w) + w)


@twin(express, why="without the root: w alone falls faster than the error")
def express_without_root(ops: Any, m: Any, other: Any, t: Any) -> Inequality:
    return _express(ops, m, other, t, 0)


@claim(id="rf_express.C1d", source="ours, after " + MENARD, kind="inequality", **FAMILY)
def express_sharper(ops: Any, m: Any, other: Any, t: Any) -> Inequality:
    r"""Under the same condition |\hat V_1^\pi - V_1^\pi| \le 3e \sqrt{w/15} + w: the root of C1 may be divided by 3.87.

    Proof: that of C1, whose last steps are generous.
    """
    return _express(ops, m, other, t, 1 / ops.sqrt(15))


@twin(express_sharper, why="without the root")
def express_sharper_without_root(ops: Any, m: Any, other: Any, t: Any) -> Inequality:
    return _express(ops, m, other, t, 0)


@claim(id="rf_express.C1b", source=KAUFMANN, kind="inequality", **FAMILY)
def ucrl(ops: Any, m: Any, other: Any, t: Any) -> Inequality:
    r"""Under the same condition |\hat V_1^\pi - V_1^\pi| \le \max_a W_1(s_1, a) for RF-UCRL: b = H \sqrt{2\beta/n}, \kappa = 1.

    Proof: :math:`|(\hat p - p) V| \le \frac12 \|\hat p - p\|_1 H \le H \sqrt{k/2}` by Pinsker; unroll under
    :math:`\hat p`. So half of the bonus would do.
    """
    return _ucrl(ops, m, other, t, 2)


def _ucrl(ops: Any, m: Any, other: Any, t: Any, inside: float) -> Inequality:
    k = divergences(ops, m, other, t)
    return Inequality(largest_error(ops, m, other, t), width(ops, m, H * ops.sqrt(inside * k), ops.constant(1)))


@twin(ucrl, why="an eighth of the bonus")
def ucrl_of_an_eighth(ops: Any, m: Any, other: Any, t: Any) -> Inequality:
    return _ucrl(ops, m, other, t, 1 / 32)


@twin(ucrl, why="with the divergence in the place of its root, as RF-Express has it")
def ucrl_without_root(ops: Any, m: Any, other: Any, t: Any) -> Inequality:
    k = divergences(ops, m, other, t)
    return Inequality(largest_error(ops, m, other, t), width(ops, m, H * k, ops.constant(1)))


VERTICES = [[[first, second], [third, fourth]] for first, second, third, fourth in product((0, 1), repeat=4)]


def _value(ops: Any, P: Any, plan: list[Any], rewards: list[Any]) -> Any:
    """Of a policy from the start, with rewards of states at steps 1 ... H - 1 (at step 0 they cancel)."""

    def step(V: Any, now: tuple[Any, Any]) -> tuple[Any, Any]:
        pi, r = now
        return ops.dot(pi, ops.sum(P * (r + V)[None, None, :])), None

    return ops.scan(step, 0 * rewards[0], list(zip(plan, rewards, strict=True))[::-1])[0][0]


@claim(
    id="rf_express.C1a",
    source="ours, the reduction that C1 is checked by",
    kind="identity",
    **FAMILY | {"draws": FAMILY["draws"] | {"pi": policies(), "next_pi": policies()}},
)
def worst_reward(ops: Any, m: Any, other: Any, t: Any, pi: Any, next_pi: Any) -> Identity:
    r"""The largest |\hat V_1^\pi - V_1^\pi| over rewards is \frac12 \sum_h \|\hat d_h - d_h\|_1, d_h the laws of
    states; here over all 16 vertices, rewards of two states at two steps.

    Proof: the error is :math:`\sum_h \langle \hat d_h - d_h, r_h \rangle`, and of two laws the positive part of the
    difference has half of its 1-norm. Rewards of pairs add nothing where the policy is deterministic.
    """
    return _worst(ops, m, other, t, [pi, next_pi], 1)


def _worst(ops: Any, m: Any, other: Any, t: Any, plan: list[Any], factor: Any) -> Identity:
    P, Q = rows(ops, m), truth(ops, m, other, t)
    each = [[ops.array(r, 1) for r in vertex] for vertex in VERTICES]
    found = ops.max(ops.stack([ops.abs(_value(ops, P, plan, r) - _value(ops, Q, plan, r)) for r in each]))
    return Identity(found, factor * worst_error(ops, P, Q, plan))


@twin(worst_reward, why="the whole 1-norm")
def worst_reward_by_the_norm(ops: Any, m: Any, other: Any, t: Any, pi: Any, next_pi: Any) -> Identity:
    return _worst(ops, m, other, t, [pi, next_pi], 2)


N = 128
DELTA = 0.25


def exceeded(source: Any, rng: Any, form: str) -> np.ndarray:
    """(...) whether n KL(p-hat_n || p) of the row of the first pair exceeds its threshold for some n up to N."""
    P = source.P if isinstance(source.P, np.ndarray) else source.to_dense().P
    p = P[..., 0, 0, :]
    S = p.shape[-1]
    u = rng.uniform("draws", N)
    drawn = categorical(u, np.broadcast_to(p[..., None, :], (*u.shape, S)))
    n = np.arange(1, N + 1)
    q = np.cumsum(drawn[..., None] == np.arange(S), axis=-2) / n[:, None]
    seen = q > 0
    ratio = np.where(seen, q, 1.0) / np.where(seen, p[..., None, :], 1.0)
    far = n * np.where(seen, q * np.log(ratio), 0.0).sum(axis=-1)
    return np.asarray((far > thresholds(S, n, form)).any(axis=-1))


def thresholds(S: int, n: np.ndarray, form: str) -> np.ndarray:
    r"""(n,) :math:`\log(1/\delta) + (S-1) \log(e (1 + n/(S-1)))`, or ("one") its first term alone."""
    first = np.full(n.shape, np.log(1 / DELTA))
    return first if form == "one" else first + (S - 1) * np.log(e * (1 + n / (S - 1)))


@claim(
    id="rf_express.C1c",
    family=(families.garnet(2, 2), families.garnet(3, 2), families.garnet(5, 2)),
    draws={"rng": streams()},
    source="Jonsson et al. 2020, Proposition 1",
    kind="probability",
    instances=(),
)
def divergence_for_all_counts(ops: Any, m: Any, rng: Any) -> Trial:
    r"""With probability 1 - \delta, for all n at once: n KL(\hat p_n \| p) \le \log(1/\delta) + (S-1) \log(e (1 +
    n/(S-1))). Here one row, \delta = 1/4 and n up to 128. The \beta(n) of both algorithms is this, or more, after a
    union over pairs and steps.

    Proof: the uniform mixture of likelihood ratios is a martingale of mean one; at counts N it is at least :math:`e^{n KL} /
    \binom{n+S-1}{S-1}`, and the logarithm of the binomial is at most the second term. Ville's inequality.
    """
    return Trial(exceeded(m.source, rng, "all"), delta=DELTA)


@twin(divergence_for_all_counts, why="log(1 / delta) alone, as for a likelihood ratio with a known alternative")
def divergence_of_one_term(ops: Any, m: Any, rng: Any) -> Trial:
    return Trial(exceeded(m.source, rng, "one"), delta=DELTA)
