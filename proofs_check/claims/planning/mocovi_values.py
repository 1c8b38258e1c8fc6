r"""MoCoVI, part 2: values and policies in a corrected model, with exact and with noisy moments.

:math:`V = \sum_i w_i \phi_i + u` is drawn with its rewards, so that every statement holds for every ``w``, hence for
the infimum. Norms are sup norms but where said. Source: Rakhsha, Kemertas, Ghavamzadeh and Farahmand 2024.
"""

from __future__ import annotations

from typing import Any

from proofs_check import Identity, Inequality, claim, models, policies, q_values, scalars, stronger, temperatures, twin
from proofs_check.claims.planning import mocovi_parts as parts
from proofs_check.claims.planning.mocovi_corrections import PYTHAGORAS, RULES
from proofs_check.claims.planning.mocovi_parts import amounts, even_rows, functions, tilts
from proofs_check.draws import deterministic_policies

RAKHSHA = "Rakhsha et al. 2024"
SPAN = {"w1": scalars(), "w2": scalars()}
EVALUATION = PYTHAGORAS | SPAN | {"u": functions(3), "pi": policies()}
EXTREMAL = {
    "f1": functions(1, extremal=True),
    "f2": functions(2, extremal=True),
    "g": functions(3, extremal=True),
    "l1": tilts(none=True),
    "l2": tilts(none=True),
    "e": amounts(2, 10),
    "u": functions(3, extremal=True),
    "pi": policies(),
} | SPAN
FAMILY = (even_rows(4, 2), even_rows(5, 1))
EVEN = even_rows(4, 2, only=True)


@claim(
    id="mocovi.C3",
    family=FAMILY,
    draws=EVALUATION,
    assumptions=RULES,
    source=RAKHSHA + ", Proposition 1",
    kind="inequality",
    instances=(),
)
def corrected_evaluation(
    ops: Any, m: Any, f1: Any, f2: Any, g: Any, l1: Any, l2: Any, e: Any, w1: Any, w2: Any, u: Any, pi: Any
) -> Inequality:
    r"""\|V^\pi - \bar V^\pi\| \le c_1 \|\varepsilon\| \|V^\pi - \sum_i w_i \phi_i\| for every w, the moments being
    exact.

    Proof: :math:`(P - \bar P) V = (P - \bar P)(V - \sum w\phi)`, since the moments match; then as for C2, with
    :math:`KL(P\|\bar P) \le KL(P\|\hat P)` (C1). Attained in the limit at uniform rows that need no correction.
    """
    c = parts.corrected(ops, m, [f1, f2], [l1, l2], g, e)
    V = w1 * f1 + w2 * f2 + u
    bound = parts.c_1(ops, m) * parts.model_error(ops, c.P, c.hat, c.where) * ops.norm(u)
    return Inequality(ops.norm(parts.value_error(ops, m, c.P, None, pi, V)), bound)


@twin(corrected_evaluation, why="an eighth less", family=EVEN, draws=EXTREMAL)
def corrected_evaluation_by_less(
    ops: Any, m: Any, f1: Any, f2: Any, g: Any, l1: Any, l2: Any, e: Any, w1: Any, w2: Any, u: Any, pi: Any
) -> Inequality:
    c = parts.corrected(ops, m, [f1, f2], [l1, l2], g, e)
    V = w1 * f1 + w2 * f2 + u
    bound = parts.c_1(ops, m) * parts.model_error(ops, c.P, c.hat, c.where) * ops.norm(u)
    return Inequality(ops.norm(parts.value_error(ops, m, c.P, None, pi, V)), 7 * bound / 8)


@twin(
    corrected_evaluation,
    why="moments of the model in place of the truth's: nothing is corrected, and V may be in the span",
)
def corrected_by_the_model(
    ops: Any, m: Any, f1: Any, f2: Any, g: Any, l1: Any, l2: Any, e: Any, w1: Any, w2: Any, u: Any, pi: Any
) -> Inequality:
    c = parts.corrected(ops, m, [f1, f2], [l1, l2], g, e)
    V = w1 * f1 + w2 * f2
    return Inequality(ops.norm(parts.value_error(ops, m, c.P, c.hat, pi, V)), ops.norm(u) * 0)


CONTROL = {
    "f1": functions(1),
    "g": functions(3),
    "l1": tilts(),
    "e": amounts(),
    "w1": scalars(),
    "u": functions(3),
    "pi": deterministic_policies(),
    "slack": q_values(),
}
CONTROLLED = even_rows(3, 2)


def _control(
    ops: Any, m: Any, f1: Any, g: Any, l1: Any, e: Any, w1: Any, u: Any, pi: Any, slack: Any
) -> tuple[Any, Any, Any]:
    """The instance, ``V*``, and rewards that make it optimal: what ``pi`` does is best, all else at most as good."""
    c = parts.corrected(ops, m, [f1], [l1], g, e)
    V = w1 * f1 + u
    return c, V, V[:, None] - m.gamma * parts.means(ops, c.P, V) - ops.abs(slack) * (1 - pi)


@claim(
    id="mocovi.C4",
    family=CONTROLLED,
    draws=CONTROL,
    assumptions=RULES,
    source=RAKHSHA + ", control",
    kind="inequality",
    instances=(),
)
def corrected_control(
    ops: Any, m: Any, f1: Any, g: Any, l1: Any, e: Any, w1: Any, u: Any, pi: Any, slack: Any
) -> Inequality:
    r"""\|V^* - \bar V^*\| \le c_1 \|\varepsilon\| \|V^* - \sum_i w_i \phi_i\| for every w.

    Proof: :math:`V^* - \bar V^*` is at most :math:`\gamma(I-\gamma\bar P_\pi)^{-1}(P_\pi-\bar P_\pi)V^*` for the
    policy that is optimal in the truth, and at least the same for the one that is optimal in the corrected model;
    then as for C3.
    """
    c, V, R = _control(ops, m, f1, g, l1, e, w1, u, pi, slack)
    bound = parts.c_1(ops, m) * parts.model_error(ops, c.P, c.hat, c.where) * ops.norm(u)
    return Inequality(ops.norm(V - parts.optimal(ops, m, None, R)), bound)


@twin(corrected_control, why="the model as it is, with V* in the span")
def uncorrected_control(
    ops: Any, m: Any, f1: Any, g: Any, l1: Any, e: Any, w1: Any, u: Any, pi: Any, slack: Any
) -> Inequality:
    c, V, R = _control(ops, m, f1, g, l1, e, w1, u * 0, pi, slack)
    return Inequality(ops.norm(V - parts.optimal(ops, m, c.hat, R)), ops.norm(u) * 0)


corrected_control_by_less = stronger(corrected_control, 0.75, why="a quarter less")


@claim(
    id="mocovi.C4a",
    family=CONTROLLED,
    draws=CONTROL | {"other": deterministic_policies()},
    assumptions=RULES,
    source=RAKHSHA + ", control",
    kind="inequality",
    instances=(),
)
def corrected_policy(
    ops: Any, m: Any, f1: Any, g: Any, l1: Any, e: Any, w1: Any, u: Any, pi: Any, slack: Any, other: Any
) -> Inequality:
    r"""(1 - x) \|V^* - V^{\pi}\| \le 2 x \|V^* - \sum_i w_i \phi_i\| + \|\bar V^* - \bar V^{\pi}\| for every policy
    and every w, x = c_1 \|\varepsilon\|.

    For a policy that is optimal in the corrected model the last term vanishes, and for x < 1 this is the printed
    statement. Proof: :math:`V^* - V^\pi = (V^* - \bar V^*) + (\bar V^* - \bar V^\pi) + (\bar V^\pi - V^\pi)`; C4, and
    C3 with the distance of :math:`V^\pi` to the span, which is at most that of :math:`V^*` plus
    :math:`\|V^*-V^\pi\|`.
    """
    c, V, R = _control(ops, m, f1, g, l1, e, w1, u, pi, slack)
    x = parts.c_1(ops, m) * parts.model_error(ops, c.P, c.hat, c.where)
    loss = ops.norm(V - parts.resolvent(ops, m, c.P, other, ops.dot(other, R)))
    defect = parts.optimal(ops, m, None, R) - parts.resolvent(ops, m, None, other, ops.dot(other, R))
    return Inequality((1 - x) * loss, 2 * x * ops.norm(u) + ops.norm(defect))


@twin(corrected_policy, why="without the factor 1 - x, for V* in the span: other values need not be in it")
def corrected_policy_without_factor(
    ops: Any, m: Any, f1: Any, g: Any, l1: Any, e: Any, w1: Any, u: Any, pi: Any, slack: Any, other: Any
) -> Inequality:
    c, V, R = _control(ops, m, f1, g, l1, e, w1, u * 0, pi, slack)
    loss = V - parts.resolvent(ops, m, c.P, other, ops.dot(other, R))
    defect = parts.optimal(ops, m, None, R) - parts.resolvent(ops, m, None, other, ops.dot(other, R))
    return Inequality(ops.norm(loss), ops.norm(defect))


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


STEP = {name: EVALUATION[name] for name in ("f1", "f2", "g", "l1", "l2", "e", "u", "pi")}


@claim(
    id="mocovi.C6",
    family=FAMILY,
    draws=STEP,
    assumptions=RULES,
    source=RAKHSHA + ", Theorem 2, for exact queries",
    kind="inequality",
    instances=(),
)
def one_iteration(ops: Any, m: Any, f1: Any, f2: Any, g: Any, l1: Any, l2: Any, e: Any, u: Any, pi: Any) -> Inequality:
    r"""e_k \le c_1 \|\varepsilon\| e_{k-1} for an iteration of MoCoVI(2) from any V_{k-1}, V_{k-2}, e_k = \|V^\pi -
    V_k\|.

    The factor of the theorem is :math:`c_1\|\varepsilon\| \inf_w \|V^\pi - \sum_j w_j V_{k-j}\| / e_{k-1}`, of which
    C3 is the statement for every ``w`` with these functions; at w = (1, 0) it is this one. Drawn are :math:`V_{k-1}`,
    :math:`V_{k-2}` and their distance u from the value, so that iterations far from those of a run are covered, too;
    runs from :math:`V_0` are C6a. Proof: C3.
    """
    c = parts.corrected(ops, m, [f1, f2], [l1, l2], g, e)
    bound = parts.c_1(ops, m) * parts.model_error(ops, c.P, c.hat, c.where) * ops.norm(u)
    return Inequality(ops.norm(parts.value_error(ops, m, c.P, None, pi, f1 + u)), bound)


@twin(one_iteration, why="errors that never grow, whatever the model")
def never_worse(ops: Any, m: Any, f1: Any, f2: Any, g: Any, l1: Any, l2: Any, e: Any, u: Any, pi: Any) -> Inequality:
    c = parts.corrected(ops, m, [f1, f2], [l1, l2], g, e)
    return Inequality(ops.norm(parts.value_error(ops, m, c.P, None, pi, f1 + u)), ops.norm(u))


@twin(
    one_iteration,
    why="an eighth less",
    family=EVEN,
    draws={name: EXTREMAL[name] for name in STEP},
)
def one_iteration_by_less(
    ops: Any, m: Any, f1: Any, f2: Any, g: Any, l1: Any, l2: Any, e: Any, u: Any, pi: Any
) -> Inequality:
    c = parts.corrected(ops, m, [f1, f2], [l1, l2], g, e)
    bound = parts.c_1(ops, m) * parts.model_error(ops, c.P, c.hat, c.where) * ops.norm(u)
    return Inequality(ops.norm(parts.value_error(ops, m, c.P, None, pi, f1 + u)), 7 * bound / 8)
