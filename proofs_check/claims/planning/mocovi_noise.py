r"""MoCoVI, part 5: values in a model corrected by noisy moments, with a penalty.

:math:`\varepsilon = \sup_{s,a} KL(P \| \hat P)^{1/2}` and :math:`q = \sup_{s,a} \|\psi - E_P\phi\|_2` are the errors
of the model and of the queries, :math:`V = \sum_i w_i \phi_i + u`. The paper's bound (its second constant is recalled
only) is above the one here. Source: Rakhsha, Kemertas, Ghavamzadeh and Farahmand 2024.
"""

from __future__ import annotations

from typing import Any

from proofs_check import Identity, Inequality, claim, models, policies, temperatures, twin
from proofs_check.claims.planning import mocovi_parts as parts
from proofs_check.claims.planning.mocovi_corrections import RULES
from proofs_check.claims.planning.mocovi_parts import amounts, functions, tilts
from proofs_check.claims.planning.mocovi_values import FAMILY, RAKHSHA, SPAN

NOISY = {
    "other": models(),
    "f1": functions(1),
    "f2": functions(2),
    "l1": tilts(),
    "l2": tilts(),
    "e": amounts(1, 6),
    "beta": temperatures(orders=4),
    "u": functions(3),
    "pi": policies(),
} | SPAN


def _noisy(
    ops: Any, m: Any, other: Any, f1: Any, f2: Any, l1: Any, l2: Any, e: Any, beta: Any
) -> tuple[Any, list[Any], list[Any]]:
    r"""A penalised correction: :math:`\bar P` of full support on P's, its misfits :math:`E_{\bar P}\phi - \psi`, and
    the errors of the queries.
    """
    P = parts.rows(ops, m)
    bar = (1 - ops.abs(e)) * parts.rows(ops, other) + ops.abs(e) * P
    where = ops.support(P) | ops.support(bar)
    hat = parts.tilted(ops, bar, where, [f1, f2], [-l1, -l2])
    misfit = [-beta * beta * c / 2 for c in (l1, l2)]
    noise = [parts.means(ops, bar - P, f) - x for f, x in zip((f1, f2), misfit, strict=True)]
    return parts.Corrected(P, bar, hat, where), misfit, noise


def _square(x: list[Any]) -> Any:
    """Squared lengths of vectors given by their components."""
    return x[0] * x[0] + x[1] * x[1]


@claim(
    id="mocovi.C5",
    family=FAMILY,
    draws=NOISY,
    assumptions=RULES,
    source=RAKHSHA + ", Theorem 1, with sharper constants and every beta",
    kind="inequality",
    instances=(),
)
def noisy_evaluation(
    ops: Any,
    m: Any,
    other: Any,
    f1: Any,
    f2: Any,
    l1: Any,
    l2: Any,
    e: Any,
    beta: Any,
    u: Any,
    pi: Any,
    w1: Any,
    w2: Any,
) -> Inequality:
    r"""\|V^\pi - \bar V\| \le \frac{\gamma}{1-\gamma} (\sqrt{2 (\varepsilon^2 + q^2/\beta^2)} \|V^\pi - \sum_i w_i
    \phi_i\| + (q + \sqrt{q^2 + \beta^2 \varepsilon^2}) \|w\|_2) for every w and every \beta > 0.

    Here :math:`\varepsilon = \|\varepsilon_{Model}\|`, :math:`q = \sup_{s,a} \|\psi - E_P\phi\|_2`. At :math:`\beta =
    q/\varepsilon` it reads :math:`\gamma/(1-\gamma) (2 \varepsilon \|V^\pi - \sum w\phi\| + (1+\sqrt 2) \|w\|_2 q)`,
    which is below the paper's :math:`3 c_1 \varepsilon \|V^\pi-\sum w\phi\| + 3\gamma\sqrt d/(1-\gamma) \|w\|_\infty
    q`. Proof: by C5a, :math:`KL(P\|\bar P) \le \varepsilon^2 + q^2/\beta^2` and :math:`\|E_{\bar P}\phi - \psi\|_2^2
    \le q^2 + \beta^2\varepsilon^2`; split :math:`(P-\bar P)V` into the part of :math:`\sum w\phi`, at most
    :math:`\|w\|_2 \|E_P\phi - E_{\bar P}\phi\|_2`, and the rest, to which Pinsker applies.
    """
    c, _, noise = _noisy(ops, m, other, f1, f2, l1, l2, e, beta)
    q2 = ops.largest(_square(noise))
    eps2 = parts.model_error(ops, c.P, c.hat, c.where) ** 2
    rest = ops.sqrt(2 * (eps2 + q2 / (beta * beta))) * ops.norm(u)
    span = (ops.sqrt(q2) + ops.sqrt(q2 + beta * beta * eps2)) * ops.sqrt(w1 * w1 + w2 * w2)
    V = w1 * f1 + w2 * f2 + u
    error = ops.norm(parts.value_error(ops, m, None, c.bar, pi, V))
    return Inequality(error, m.gamma / (1 - m.gamma) * (rest + span))


@twin(noisy_evaluation, why="exact constraints (beta = 0) with noisy moments, and the bound of the best beta")
def noisy_exact(
    ops: Any,
    m: Any,
    other: Any,
    f1: Any,
    f2: Any,
    l1: Any,
    l2: Any,
    e: Any,
    beta: Any,
    u: Any,
    pi: Any,
    w1: Any,
    w2: Any,
) -> Inequality:
    P = parts.rows(ops, m)
    where = ops.support(P)
    bar = parts.tilted(ops, P, where, [f1, f2], [l1, l2])  # the model is right: its error is 0, the queries' is not
    noise = [parts.means(ops, bar - P, f) for f in (f1, f2)]
    q = ops.sqrt(ops.largest(_square(noise)))
    V = u + 0 * (w1 * f1 + w2 * f2)
    return Inequality(ops.norm(parts.value_error(ops, m, None, bar, pi, V)), q * 0)


@twin(noisy_evaluation, why="without what the queries add")
def noisy_without_queries(
    ops: Any,
    m: Any,
    other: Any,
    f1: Any,
    f2: Any,
    l1: Any,
    l2: Any,
    e: Any,
    beta: Any,
    u: Any,
    pi: Any,
    w1: Any,
    w2: Any,
) -> Inequality:
    c, _, _ = _noisy(ops, m, other, f1, f2, l1, l2, e, beta)
    V = w1 * f1 + w2 * f2 + u
    bound = parts.c_1(ops, m) * parts.model_error(ops, c.P, c.hat, c.where) * ops.norm(u)
    return Inequality(ops.norm(parts.value_error(ops, m, None, c.bar, pi, V)), bound)


@claim(
    id="mocovi.C5a",
    family=FAMILY,
    draws={name: NOISY[name] for name in ("other", "f1", "f2", "l1", "l2", "e", "beta")},
    assumptions=RULES,
    source=RAKHSHA + ", lemma behind Theorem 1, as an identity",
    kind="identity",
    instances=(),
)
def three_points(ops: Any, m: Any, other: Any, f1: Any, f2: Any, l1: Any, l2: Any, e: Any, beta: Any) -> Identity:
    r"""\beta^2 (KL(P \| \bar P) + KL(\bar P \| \hat P)) + \|E_{\bar P}\phi - \psi\|^2 + \|E_{\bar P}\phi -
    E_P\phi\|^2 = \beta^2 KL(P \| \hat P) + \|E_P\phi - \psi\|^2 in every row.

    Without the last term on the left it is the three-point inequality that C5 rests on. Proof: the objective
    :math:`KL(q\|\hat P) + \beta^{-2}\|E_q\phi-\psi\|^2` has slope zero at its minimiser :math:`\bar P`, and its
    Bregman divergence is the sum of those of the two terms.
    """
    c, misfit, noise = _noisy(ops, m, other, f1, f2, l1, l2, e, beta)
    moved = [parts.means(ops, c.bar - c.P, f) for f in (f1, f2)]
    left = parts.divergence(ops, c.P, c.bar, c.where) + parts.divergence(ops, c.bar, c.hat, c.where)
    right = beta * beta * parts.divergence(ops, c.P, c.hat, c.where) + _square(noise)
    return Identity(beta * beta * left + _square(misfit) + _square(moved), right, axes=("s", "a"))


@twin(three_points, why="half of the dual's ridge: the optimality condition with beta^2/4 in place of beta^2/2")
def three_points_of_half_the_ridge(
    ops: Any, m: Any, other: Any, f1: Any, f2: Any, l1: Any, l2: Any, e: Any, beta: Any
) -> Identity:
    c, misfit, _ = _noisy(ops, m, other, f1, f2, l1, l2, e, beta)
    misfit = [x / 2 for x in misfit]
    moved = [parts.means(ops, c.bar - c.P, f) for f in (f1, f2)]
    noise = [a - b for a, b in zip(moved, misfit, strict=True)]
    left = parts.divergence(ops, c.P, c.bar, c.where) + parts.divergence(ops, c.bar, c.hat, c.where)
    right = beta * beta * parts.divergence(ops, c.P, c.hat, c.where) + _square(noise)
    return Identity(beta * beta * left + _square(misfit) + _square(moved), right, axes=("s", "a"))


def _ratio(ops: Any, found: Any, beta: Any, u: Any, w1: Any, w2: Any, choose: Any) -> Any:
    r"""The bound of C5b without its factor, at ``E`` chosen from :math:`\varepsilon` and :math:`q/\beta`."""
    c, _, noise = found
    E = choose(parts.model_error(ops, c.P, c.hat, c.where), ops.sqrt(ops.largest(_square(noise))) / beta)
    length = ops.sqrt(w1 * w1 + w2 * w2)
    return 2 * E * ops.norm(u) + (1 + ops.sqrt(ops.constant(2))) * length * beta * E


@claim(
    id="mocovi.C5b",
    family=FAMILY,
    draws=NOISY,
    assumptions=RULES,
    source=RAKHSHA + ", Theorem 1, with sharper constants",
    kind="inequality",
    instances=(),
)
def noisy_at_the_ratio(
    ops: Any,
    m: Any,
    other: Any,
    f1: Any,
    f2: Any,
    l1: Any,
    l2: Any,
    e: Any,
    beta: Any,
    u: Any,
    pi: Any,
    w1: Any,
    w2: Any,
) -> Inequality:
    r"""\|V^\pi - \bar V\| \le \frac{\gamma}{1-\gamma} (2 E \|V^\pi - \sum_i w_i \phi_i\| + (1 + \sqrt 2) \beta E
    \|w\|_2) for every w, \beta and E \ge \max(\varepsilon, q/\beta).

    With :math:`\beta = q/\varepsilon` it is the theorem with the constants derived here. Proof: C5, and
    :math:`\varepsilon^2 + q^2/\beta^2 \le 2 E^2`.
    """
    found = _noisy(ops, m, other, f1, f2, l1, l2, e, beta)
    V = w1 * f1 + w2 * f2 + u
    bound = m.gamma / (1 - m.gamma) * _ratio(ops, found, beta, u, w1, w2, ops.maximum)
    return Inequality(ops.norm(parts.value_error(ops, m, None, found[0].bar, pi, V)), bound)


@twin(
    noisy_at_the_ratio,
    why="the smaller of the two errors: beta far from their ratio",
    draws=NOISY | {"beta": temperatures(orders=12)},
)
def noisy_far_from_the_ratio(
    ops: Any,
    m: Any,
    other: Any,
    f1: Any,
    f2: Any,
    l1: Any,
    l2: Any,
    e: Any,
    beta: Any,
    u: Any,
    pi: Any,
    w1: Any,
    w2: Any,
) -> Inequality:
    found = _noisy(ops, m, other, f1, f2, l1, l2, e, beta)
    w1, w2 = w1 / 16, w2 / 16
    V = w1 * f1 + w2 * f2 + u
    bound = m.gamma / (1 - m.gamma) * _ratio(ops, found, beta, u, w1, w2, ops.minimum)
    return Inequality(ops.norm(parts.value_error(ops, m, None, found[0].bar, pi, V)), bound)
