r"""MoCoVI, part 2: values and policies in a model corrected by exact moments.

:math:`V = \sum_i w_i \phi_i + u` is drawn with its rewards, so that every statement holds for every ``w``, hence for
the infimum. Norms are sup norms but where said. Source: Rakhsha, Kemertas, Ghavamzadeh and Farahmand 2024.
"""

from __future__ import annotations

from typing import Any

from proofs_check import Inequality, claim, policies, q_values, scalars, stronger, twin
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
