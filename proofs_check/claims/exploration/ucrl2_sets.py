r"""UCRL2, part 1: rows near an estimate in the 1-norm, and extended value iteration.

The centre of a set is drawn, and its radius is the distance to the truth, or more: the truth is in the set, often on its boundary.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from proofs_check import (
    Identity,
    Inequality,
    Trial,
    claim,
    distributions,
    families,
    models,
    scalars,
    streams,
    stronger,
    twin,
    values,
)
from proofs_check.claim import all_available, no_endings
from proofs_check.claims.planning._uniform_ergodicity import best_gain, forgets_within, span
from proofs_check.sampling import categorical

JAKSCH = "Jaksch, Ortner and Auer 2010, section 4"
LAWS = (families.garnet(2, 2), families.garnet(3, 2), families.garnet(6, 2))
TWO = (families.garnet(2, 2), families.resets(2, 2), families.gadgets(2))
ERGODIC = (no_endings, all_available, forgets_within(3))
WIDTH = {"other": models(), "u": values(), "radius": scalars(0.0, 2.5)}
SET = {"other": models(), "toward": scalars(0.0, 1.0), "more": scalars(0.0, 1.0)}


def rows(ops: Any, m: Any) -> Any:
    """Transition probabilities of a model without endings: (S, A, S)."""
    return ops.successors(m)[:, :, : m.S]


def plausible_mean(ops: Any, P: Any, radius: Any, u: Any) -> Any:
    r"""The largest mean of u (S,) over rows within the radius (S, A) of P (S, A, S), by the dual: (S, A).

    :math:`\min_\theta P \max(u, \theta) + \frac w2 (\max u - \theta)`, attained at an entry of u.
    """
    top = ops.max(u)
    found = [ops.dot(P, ops.maximum(u, u[j])[None, None, :]) + radius / 2 * (top - u[j]) for j in range(u.shape[0])]
    return ops.scan(lambda least, x: (ops.minimum(least, x), None), found[0], found[1:])[0]


def _earlier(n: int) -> list[list[int]]:
    return [[int(i < j) for i in range(n)] for j in range(n)]


def greedy_row(ops: Any, P: Any, radius: Any, u: Any) -> tuple[Any, Any, Any]:
    """The row that has half the radius more on the best state, taken from the worst: rows before and after (S, A, S), both in the
    order of rising u, which is the third."""
    order = ops.order(u)
    p = ops.take(P, order[..., None, None, :])
    add = ops.minimum(radius / 2, 1 - p[..., -1])
    before = ops.dot(p[:, :, None, :], ops.array(_earlier(p.shape[-1]), 2)[None, None, :, :])
    removed = ops.maximum(0, ops.minimum(p, add[..., None] - before))
    return p, p - removed + add[..., None] * ops.identity(p.shape[-1])[-1][None, None, :], ops.take(u, order)


@claim(
    id="ucrl2.C3",
    family=LAWS,
    draws={"p": distributions(), "q": distributions(), "v": values()},
    source=JAKSCH,
    kind="inequality",
    instances=(),
)
def holder(ops: Any, m: Any, p: Any, q: Any, v: Any) -> Inequality:
    r"""\langle p - q, v \rangle \le \frac12 \|p - q\|_1 \mathrm{span}(v) for two distributions.

    Proof: a constant may be taken from v, as both sum to one: take the middle of its range, and Hölder's inequality.
    """
    return Inequality(ops.dot(p - q, v), ops.sum(ops.abs(p - q)) * span(ops, v) / 2)


@twin(holder, why="with the norm of v in the place of its span: false for v = (1, -1) and two points")
def holder_by_the_norm(ops: Any, m: Any, p: Any, q: Any, v: Any) -> Inequality:
    return Inequality(ops.dot(p - q, v), ops.sum(ops.abs(p - q)) * ops.norm(v) / 2)


stronger(holder, 0.99)


@claim(id="ucrl2.C6", family=LAWS, draws=WIDTH, source=JAKSCH, kind="identity", instances=())
def inner_maximum(ops: Any, m: Any, other: Any, u: Any, radius: Any) -> Identity:
    r"""The greedy row, with w/2 more on the best state (up to one) and as much less on the worst, solves \max \{q u :
    \|q - p\|_1 \le w\}: its mean is \min_\theta p \max(u, \theta) + \frac w2 (\max u - \theta), the dual of that
    linear program.

    Proof: weak duality: :math:`q - p = a - b` with :math:`0 \le b \le p` and :math:`\sum a = \sum b \le w/2`, so :math:`q u \le p u
    + \sum b\, (\max u - \theta) + p\, (\theta - u)^+` for :math:`\theta \le \max u`. Equality at the state at which the greedy row
    stops taking.
    """
    return _inner(ops, m, u, radius, 1)


def _inner(ops: Any, m: Any, u: Any, radius: Any, share: Any) -> Identity:
    P, wide = rows(ops, m), 0 * m.R + radius
    _, q, best = greedy_row(ops, P, share * wide, u)
    return Identity(ops.dot(q, best[None, None, :]), plausible_mean(ops, P, wide, u), axes=("s", "a"))


@twin(inner_maximum, why="with all of w on the best state, outside the ball")
def inner_maximum_of_twice_the_width(ops: Any, m: Any, other: Any, u: Any, radius: Any) -> Identity:
    return _inner(ops, m, u, radius, 2)


@twin(inner_maximum, why="taken from all states in proportion")
def inner_maximum_in_proportion(ops: Any, m: Any, other: Any, u: Any, radius: Any) -> Identity:
    P, wide = rows(ops, m), 0 * m.R + radius
    p, _, best = greedy_row(ops, P, wide, u)
    add = ops.minimum(wide / 2, 1 - p[..., -1])
    return Identity(
        (1 - add) * ops.dot(p, best[None, None, :]) + add * ops.max(u), plausible_mean(ops, P, wide, u), axes=("s", "a")
    )


@claim(id="ucrl2.C6a", family=LAWS, draws=WIDTH, source=JAKSCH, kind="inequality", instances=())
def greedy_row_is_plausible(ops: Any, m: Any, other: Any, u: Any, radius: Any) -> Inequality:
    r"""The greedy row is a distribution with \|q - p\|_1 \le w.

    Proof: what is added is at most w/2, and what the other states have.
    """
    return _plausible(ops, m, u, radius, 1)


def _plausible(ops: Any, m: Any, u: Any, radius: Any, share: Any) -> Inequality:
    p, q, _ = greedy_row(ops, rows(ops, m), 0 * m.R + radius, u)
    far, total = ops.sum(ops.abs(q - p)), ops.sum(q)
    left = [far, -ops.min(q), total, 2 - total]
    right = [share * (0 * far + radius), 0 * far, 0 * far + 1, 0 * far + 1]
    return Inequality(ops.stack(left), ops.stack(right), axes=("part", "s", "a"))


@twin(greedy_row_is_plausible, why="within half of w")
def greedy_row_is_close(ops: Any, m: Any, other: Any, u: Any, radius: Any) -> Inequality:
    return _plausible(ops, m, u, radius, Fraction(1, 2))


def centred(ops: Any, m: Any, other: Any, toward: Any, more: Any, share: Any = 1) -> tuple[Any, Any]:
    """A centre (S, A, S) between the truth and another model, and the radius (S, A) at which the truth is within."""
    P = rows(ops, m)
    centre = P + toward * (rows(ops, other) - P)
    return centre, share * ops.sum(ops.abs(centre - P)) * (1 + more)


def backup(ops: Any, P: Any, radius: Any, R: Any, u: Any) -> Any:
    """One step of extended value iteration: (S,)."""
    return ops.max(R + plausible_mean(ops, P, radius, u))


@claim(
    id="ucrl2.C4",
    family=(families.garnet(2, 2), families.resets(2, 2), families.garnet(3, 2)),
    draws=SET | {"u": values()},
    assumptions=ERGODIC,
    source=JAKSCH,
    kind="inequality",
    instances=(),
)
def optimism(ops: Any, m: Any, other: Any, toward: Any, more: Any, u: Any) -> Inequality:
    r"""\rho^* \le \max_s (\tilde L u - u)(s) for every u, if the truth is in the set: half the sum of the least and
    the largest change is at least \rho^* - \frac{1}{2\sqrt{t_k}} where they differ by 1/\sqrt{t_k}.

    Half of what the card allows. Proof: :math:`\tilde L u \ge r_\pi + P_\pi u` for the optimal policy; average both sides under its
    stationary law.
    """
    return _optimism(ops, m, other, toward, more, u, 1)


def _optimism(ops: Any, m: Any, other: Any, toward: Any, more: Any, u: Any, share: Any) -> Inequality:
    """``share``: of the radius; below one the truth may be outside."""
    P, radius = centred(ops, m, other, toward, more, share)
    change = backup(ops, P, radius, m.R, u) - u
    return Inequality(best_gain(ops, m), ops.max(change), quotient=False)


@twin(optimism, why="without the width")
def optimism_of_the_estimate(ops: Any, m: Any, other: Any, toward: Any, more: Any, u: Any) -> Inequality:
    return _optimism(ops, m, other, toward, more, u, 0)


@twin(optimism, why="half the radius, so that the truth may be outside")
def optimism_of_half_the_radius(ops: Any, m: Any, other: Any, toward: Any, more: Any, u: Any) -> Inequality:
    return _optimism(ops, m, other, toward, more, u, Fraction(1, 2))


@twin(optimism, why="for the least change")
def optimism_of_the_least_change(ops: Any, m: Any, other: Any, toward: Any, more: Any, u: Any) -> Inequality:
    P, radius = centred(ops, m, other, toward, more)
    return Inequality(best_gain(ops, m), ops.min(backup(ops, P, radius, m.R, u) - u), quotient=False)


ITERATIONS = 12


def _span(ops: Any, m: Any, other: Any, toward: Any, more: Any, bonus: Any, share: Any, inside: Any = 1) -> Inequality:
    """Two states: the diameter is the larger of the two expected times, and 1 over it the smaller of two probabilities."""
    P, radius = centred(ops, m, other, toward, more, inside)
    R = ops.minimum(ops.abs(m.R) + bonus, 1)
    u = ops.fori(ITERATIONS, lambda _, x: backup(ops, P, radius, R, x), 0 * R[:, 0])
    truth = rows(ops, m)
    rate = ops.minimum(ops.max(truth[0, :, 1]), ops.max(truth[1, :, 0]))
    return Inequality(rate * span(ops, u), share)


SPAN: dict[str, Any] = {"draws": SET | {"bonus": scalars(0.0, 0.5)}, "instances": ()}


@claim(id="ucrl2.C4a", family=TWO, assumptions=(no_endings, all_available), source=JAKSCH, kind="inequality", **SPAN)
def span_by_the_diameter(ops: Any, m: Any, other: Any, toward: Any, more: Any, bonus: Any) -> Inequality:
    r"""\mathrm{span}(u_i) \le D for extended value iteration from u_0 = 0 with rewards in [0, 1], if the truth is in
    the set; here two states and i = 12, where 1/D is the smaller of \max_a P(1|0, a) and \max_a P(0|1, a).

    Proof: :math:`u_i` is the best value of i steps; whoever starts in s may first go to s' as fast as the truth allows, which costs
    at most one a step, and is left with fewer steps, of which each is worth at most one.
    """
    return _span(ops, m, other, toward, more, bonus, 1)


@twin(span_by_the_diameter, why="half of D")
def span_by_half_the_diameter(ops: Any, m: Any, other: Any, toward: Any, more: Any, bonus: Any) -> Inequality:
    return _span(ops, m, other, toward, more, bonus, Fraction(1, 2))


@twin(span_by_the_diameter, why="also where the truth is not in the set")
def span_by_the_diameter_of_another(ops: Any, m: Any, other: Any, toward: Any, more: Any, bonus: Any) -> Inequality:
    return _span(ops, m, other, toward, more, bonus, 1, 0)


DRAWN, DELTA = 96, 0.25


def left_the_set(source: Any, rng: Any, scale: float) -> np.ndarray:
    """Whether the row of the first pair leaves the ball around its frequencies, its radius times ``scale``, at some n <= DRAWN that
    begins an epoch as early as can be: t = n, where it is smallest."""
    P = source.P if isinstance(source.P, np.ndarray) else source.to_dense().P
    p = P[..., 0, 0, :]
    S, u = p.shape[-1], rng.uniform("draws", DRAWN)
    drawn = categorical(u, np.broadcast_to(p[..., None, :], (*u.shape, S)))
    n = np.arange(1, DRAWN + 1)
    q = np.cumsum(drawn[..., None] == np.arange(S), axis=-2) / n[:, None]
    radius = np.sqrt(14 * S * np.log(2 * source.A * n / DELTA) / n)
    return np.asarray((np.abs(q - p[..., None, :]).sum(axis=-1) > scale * radius + 1e-12).any(axis=-1))


@claim(
    id="ucrl2.C7",
    family=(families.garnet(3, 2), families.garnet(6, 2)),
    draws={"rng": streams()},
    assumptions=(no_endings,),
    source=JAKSCH,
    kind="probability",
    instances=(),
)
def rows_stay_in_the_set(ops: Any, m: Any, rng: Any) -> Trial:
    r"""With probability 1 - \delta, \|\hat p - p\|_1 \le \sqrt{14 S \log(2At/\delta)/N} at all N \le t. Here one row, \delta = 1/4,
    t = N, where the set is smallest, up to 96; what comes after a pair is the same sequence however a run meets it.

    Proof: Weissman's inequality with :math:`2^S \exp(-N w^2/2) = 2^S (2At/\delta)^{-7S}`, and a union over N: :math:`\sum_t
    (\delta/(2At))^{6S} < \delta`.
    """
    return Trial(left_the_set(m.source, rng, 1.0), DELTA)


@twin(rows_stay_in_the_set, why="a tenth of the radius")
def rows_stay_in_a_tenth(ops: Any, m: Any, rng: Any) -> Trial:
    return Trial(left_the_set(m.source, rng, 0.1), DELTA)
