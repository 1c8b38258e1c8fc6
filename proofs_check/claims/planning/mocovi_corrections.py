r"""MoCoVI, part 1: corrected rows, and values in a model that is not corrected.

:math:`P` is the truth, :math:`\hat P` the model, :math:`\bar P` its correction by exact moments; see ``mocovi_parts``
for how instances are made. :math:`\|\varepsilon\| = \sup_{s,a} KL(P \| \hat P)^{1/2}`, :math:`c_1 = \sqrt 2
\gamma/(1-\gamma)`.
"""

from __future__ import annotations

from typing import Any

from proofs_check import Identity, Inequality, claim, families, models, policies, scalars, twin, values
from proofs_check.claim import all_available, discounted, no_endings
from proofs_check.claims.planning import mocovi_parts as parts
from proofs_check.claims.planning.mocovi_parts import amounts, even_rows, functions, tilts

RULES = (no_endings, all_available, discounted)
PYTHAGORAS = {
    "f1": functions(1),
    "f2": functions(2),
    "g": functions(3),
    "l1": tilts(),
    "l2": tilts(),
    "e": amounts(),
}
FAMILY = (even_rows(4, 2), even_rows(5, 1))


@claim(
    id="mocovi.C1",
    family=FAMILY,
    draws=PYTHAGORAS,
    assumptions=RULES,
    source="Rakhsha et al. 2024, section 3",
    kind="identity",
    instances=(),
)
def pythagoras(ops: Any, m: Any, f1: Any, f2: Any, g: Any, l1: Any, l2: Any, e: Any) -> Identity:
    r"""KL(P \| \bar P) + KL(\bar P \| \hat P) = KL(P \| \hat P) in every row, where P has the moments of \bar P.

    Hence :math:`KL(P\|\bar P) \le KL(P\|\hat P)`. Proof: :math:`\log(\bar P/\hat P) = \lambda\cdot\phi - \log Z` has
    the same mean under ``P`` and :math:`\bar P`.
    """
    c = parts.corrected(ops, m, [f1, f2], [l1, l2], g, e)
    parts_sum = parts.divergence(ops, c.P, c.bar, c.where) + parts.divergence(ops, c.bar, c.hat, c.where)
    return Identity(parts_sum, parts.divergence(ops, c.P, c.hat, c.where), axes=("s", "a"))


@twin(pythagoras, why="the divergence the other way round: the correction may move away in it")
def pythagoras_reversed(ops: Any, m: Any, f1: Any, f2: Any, g: Any, l1: Any, l2: Any, e: Any) -> Inequality:
    c = parts.corrected(ops, m, [f1, f2], [l1, l2], g, e * 15 / 16)
    after, before = (parts.divergence(ops, q, c.P, c.where) for q in (c.bar, c.hat))
    return Inequality(after, before, axes=("s", "a"))


@twin(pythagoras, why="the l1 distance in place of the divergence: the correction may move away in it")
def pythagoras_in_l1(ops: Any, m: Any, f1: Any, f2: Any, g: Any, l1: Any, l2: Any, e: Any) -> Inequality:
    c = parts.corrected(ops, m, [f1, f2], [l1, l2], g, e)
    return Inequality(ops.sum(ops.abs(c.P - c.bar)), ops.sum(ops.abs(c.P - c.hat)), axes=("s", "a"))


@twin(pythagoras, why="without the moments: P another tilt")
def pythagoras_without_moments(ops: Any, m: Any, f1: Any, f2: Any, g: Any, l1: Any, l2: Any, e: Any) -> Identity:
    c = parts.corrected(ops, m, [f1, f2], [l1, l2], g, e)
    P = parts.tilted(ops, c.bar, c.where, [f1], [l1 + 1])
    parts_sum = parts.divergence(ops, P, c.bar, c.where) + parts.divergence(ops, c.bar, c.hat, c.where)
    return Identity(parts_sum, parts.divergence(ops, P, c.hat, c.where), axes=("s", "a"))


MODEL = {"other": models(), "V": values(corners=True), "pi": policies(), "e": amounts(1, 10)}
MODELS = (families.garnet(3, 2, gamma=parts.GAMMAS), even_rows(2, 1))


def _model(ops: Any, m: Any, other: Any, e: Any) -> tuple[Any, Any, Any]:
    """Truth, model and support: the model takes a share ``|e|`` of the rows of another."""
    P, Q = parts.rows(ops, m), parts.rows(ops, other)
    share = ops.abs(e)
    return P, (1 - share) * P + share * Q, ops.support(P) | ops.support(Q)


@claim(
    id="mocovi.C2",
    family=MODELS,
    draws=MODEL,
    assumptions=RULES,
    source="Rakhsha et al. 2024, Lemma 1",
    kind="inequality",
    instances=(),
)
def uncorrected(ops: Any, m: Any, other: Any, V: Any, pi: Any, e: Any) -> Inequality:
    r"""\|V^\pi - \hat V^\pi\|_\infty \le c_1 \|\varepsilon\| \|V^\pi\|_\infty, c_1 = \sqrt 2 \gamma / (1 - \gamma).

    Proof: C2a, C2b and C2c; the resolvent has norm :math:`1/(1-\gamma)`.
    """
    P, hat, where = _model(ops, m, other, e)
    error = parts.model_error(ops, P, hat, where)
    return Inequality(ops.norm(parts.value_error(ops, m, None, hat, pi, V)), parts.c_1(ops, m) * error * ops.norm(V))


FACING = {"V": functions(1, extremal=True), "pi": policies(), "x": scalars(-0.25, 0.25)}


def _facing(ops: Any, m: Any, x: Any) -> tuple[Any, Any, Any]:
    """Uniform rows, and their tilt by the same function everywhere."""
    P = parts.rows(ops, m)
    f = ops.array([(-1) ** t for t in range(m.S)], 1)
    where = ops.support(P)
    return P, parts.tilted(ops, P, where, [f], [x + ops.array([[0] * m.A] * m.S, 2)]), where


@twin(uncorrected, why="an eighth less: near a uniform row", family=even_rows(2, 1, only=True), draws=FACING)
def uncorrected_by_less(ops: Any, m: Any, V: Any, pi: Any, x: Any) -> Inequality:
    P, hat, where = _facing(ops, m, x)
    bound = parts.c_1(ops, m) * parts.model_error(ops, P, hat, where) * ops.norm(V)
    return Inequality(ops.norm(parts.value_error(ops, m, None, hat, pi, V)), bound * 7 / 8)


@twin(uncorrected, why="the divergence itself in place of its root")
def uncorrected_without_root(ops: Any, m: Any, other: Any, V: Any, pi: Any, e: Any) -> Inequality:
    P, hat, where = _model(ops, m, other, e)
    error = parts.model_error(ops, P, hat, where) ** 2
    return Inequality(ops.norm(parts.value_error(ops, m, None, hat, pi, V)), parts.c_1(ops, m) * error * ops.norm(V))


@claim(
    id="mocovi.C2a",
    family=MODELS,
    draws=MODEL,
    assumptions=RULES,
    source="Rakhsha et al. 2024, proof of Lemma 1",
    kind="identity",
    instances=(),
)
def difference_of_values(ops: Any, m: Any, other: Any, V: Any, pi: Any, e: Any) -> Identity:
    r"""V^\pi - \hat V^\pi = \gamma (I - \gamma \hat P_\pi)^{-1} (P_\pi - \hat P_\pi) V^\pi.

    Proof: apply :math:`I - \gamma\hat P_\pi` to both sides.
    """
    P, hat, _ = _model(ops, m, other, e)
    moved = m.gamma * parts.apply(ops, parts.chain(ops, P - hat, pi), V)
    return Identity(parts.value_error(ops, m, None, hat, pi, V), parts.resolvent(ops, m, hat, pi, moved), axes=("s",))


@twin(difference_of_values, why="the resolvent of the true model")
def difference_of_values_by_the_truth(ops: Any, m: Any, other: Any, V: Any, pi: Any, e: Any) -> Identity:
    P, hat, _ = _model(ops, m, other, e)
    moved = m.gamma * parts.apply(ops, parts.chain(ops, P - hat, pi), V)
    return Identity(parts.value_error(ops, m, None, hat, pi, V), parts.resolvent(ops, m, None, pi, moved), axes=("s",))


@claim(
    id="mocovi.C2b",
    family=MODELS,
    draws=MODEL,
    assumptions=RULES,
    source="Rakhsha et al. 2024, proof of Lemma 1",
    kind="inequality",
    instances=(),
)
def hoelder(ops: Any, m: Any, other: Any, V: Any, pi: Any, e: Any) -> Inequality:
    r"""|(P - \hat P) V| \le \|P - \hat P\|_1 \|V\|_\infty in every row.

    Proof: the triangle inequality. Attained where V has the signs of the difference.
    """
    P, hat, _ = _model(ops, m, other, e)
    bound = ops.sum(ops.abs(P - hat)) * ops.norm(V)
    return Inequality(ops.abs(parts.means(ops, P - hat, V)), bound, axes=("s", "a"))


@twin(hoelder, why="half of the l1 distance, the total variation, which goes with the span")
def hoelder_in_total_variation(ops: Any, m: Any, other: Any, V: Any, pi: Any, e: Any) -> Inequality:
    P, hat, _ = _model(ops, m, other, e)
    bound = ops.sum(ops.abs(P - hat)) * ops.norm(V) / 2
    return Inequality(ops.abs(parts.means(ops, P - hat, V)), bound, axes=("s", "a"))


@claim(
    id="mocovi.C2c",
    family=MODELS,
    draws=MODEL,
    assumptions=RULES,
    source="Pinsker; Csiszar 1967",
    kind="inequality",
    instances=(),
)
def pinsker(ops: Any, m: Any, other: Any, V: Any, pi: Any, e: Any) -> Inequality:
    r"""\|P - \hat P\|_1^2 \le 2 KL(P \| \hat P) in every row.

    Squared, so that equal rows are an equality of rationals. Nearly attained next to uniform rows of two successors.
    Proof: merging the successors where one row is larger keeps the distance and does not raise the divergence; for
    two, differentiate twice.
    """
    P, hat, where = _model(ops, m, other, e)
    distance = ops.sum(ops.abs(P - hat))
    return Inequality(distance * distance, 2 * parts.divergence(ops, P, hat, where), axes=("s", "a"))


@twin(pinsker, why="an eighth less: near a uniform row", family=even_rows(2, 1, only=True), draws=FACING)
def pinsker_by_less(ops: Any, m: Any, V: Any, pi: Any, x: Any) -> Inequality:
    P, hat, where = _facing(ops, m, x)
    distance = ops.sum(ops.abs(P - hat))
    return Inequality(distance * distance, 7 * parts.divergence(ops, P, hat, where) / 4, axes=("s", "a"))


EXACT = {"other": models(), "f": functions(1), "V": values(), "pi": policies(), "c": scalars(0.5, 4.0)}


def _exact(ops: Any, m: Any, other: Any, f: Any, c: Any) -> tuple[Any, Any, Any]:
    r"""Truth and model with all three successors, and the second function, which completes 1 and the first to a basis.

    The first is made non-constant by the state's number; then 1, it and its square are independent on three points
    where its values differ.
    """
    P, hat = parts.rows(ops, m), parts.rows(ops, other)
    mix = ops.array([1, 1, 1], 1)[None, None, :] / 3
    first = f + c * ops.array([0, 16, 32], 1)
    return (P + mix) / 2, (hat + mix) / 2, (first, first * first)


def _dual(ops: Any, P: Any, hat: Any, phi: Any) -> list[Any]:
    r"""The dual variables in closed form: :math:`\lambda\cdot(\phi(t) - \phi(0)) = \log(P/\hat P)(t) - \log(P/\hat
    P)(0)`, by Cramer."""
    ratio = ops.log(P) - ops.log(hat)
    r1, r2 = (ratio[:, :, t] - ratio[:, :, 0] for t in (1, 2))
    (a1, b1), (a2, b2) = ([f[t] - f[0] for f in phi] for t in (1, 2))
    det = a1 * b2 - a2 * b1
    return [(r1 * b2 - r2 * b1) / det, (a1 * r2 - a2 * r1) / det]


@claim(
    id="mocovi.C8",
    family=(families.garnet(3, 2, gamma=parts.GAMMAS), even_rows(3, 1)),
    draws=EXACT,
    assumptions=RULES,
    source="derived from Rakhsha et al. 2024, problem (P1)",
    kind="identity",
    instances=(),
)
def enough_functions(ops: Any, m: Any, other: Any, f: Any, V: Any, pi: Any, c: Any) -> Identity:
    r"""Where each row of \hat P has at most d + 1 successors on which 1, \phi_1 ... \phi_d are linearly independent,
    the correction is P and the value in it is V^\pi.

    Here d = 2 on three successors. Proof: :math:`\log(P/\hat P)` is then a combination of these functions, so P is a
    tilt of :math:`\hat P`, and has its own moments. The tilt is made of its dual variables, and ``V`` evaluated in
    it.
    """
    P, hat, phi = _exact(ops, m, other, f, c)
    q = parts.tilted(ops, hat, ops.support(hat), phi, _dual(ops, P, hat, phi))
    return Identity(parts.resolvent(ops, m, q, pi, parts.reward_of(ops, m, P, pi, V)), V, axes=("s",))


LACKING = {"f1": functions(1), "g": functions(3), "l1": tilts(), "V": values(), "pi": policies()}


@twin(
    enough_functions,
    why="functions that separate the successors, but are dependent with 1",
    family=even_rows(3, 1),
    draws=LACKING,
)
def separating_is_not_enough(ops: Any, m: Any, f1: Any, g: Any, l1: Any, V: Any, pi: Any) -> Identity:
    first = f1 + ops.array([0, 8, 16], 1)  # separates by itself; the second is twice the first
    c = parts.corrected(ops, m, [first], [l1 / 8], g + ops.array([0, 16, 0], 1), ops.constant(0.5))
    return Identity(parts.resolvent(ops, m, None, pi, parts.reward_of(ops, m, c.P, pi, V)), V, axes=("s",))


@twin(
    enough_functions,
    why="only P has few successors: its model has more, and so has the correction",
    family=even_rows(3, 1),
    draws=LACKING,
)
def few_successors_of_the_truth(ops: Any, m: Any, f1: Any, g: Any, l1: Any, V: Any, pi: Any) -> Identity:
    first = f1 + ops.array([0, 8, 16], 1)
    c = parts.corrected(ops, m, [first], [l1 / 8], g + ops.array([0, 16, 0], 1), ops.constant(1))  # loses a successor
    return Identity(parts.resolvent(ops, m, None, pi, parts.reward_of(ops, m, c.P, pi, V)), V, axes=("s",))
