r"""MaxEnt, part 1: what a round gains, what T rounds do, and the rate of the step 2 / (t + 2).

The objective here is :math:`R(d) = -\frac\beta2 \|d - g\|_2^2` with any aim g: concave, of curvature :math:`\beta` in every
direction, and rational, so that its rounds are computed exactly. What is proved uses no more than
:math:`-\beta I \preceq \nabla^2 R \preceq 0` and a diagonal second derivative. The entropy follows in part 2.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from typing import Any

from proofs_check import Inequality, Order, claim, distributions, families, policies, scalars, temperatures, twin
from proofs_check.claim import all_available, discounted

HAZAN = "Hazan et al. 2019, section 4"
UNENDING = (
    families.garnet(2, 2),
    families.garnet(3, 2),
    families.deterministic(3, 2),
    families.self_loops(2, 2),
    families.switches(3, 2),
)
PAIRS = (families.garnet(2, 2), families.deterministic(2, 2), families.self_loops(2, 2))
ROUND = {
    "now": policies(),
    "best": policies(),
    "answer": policies(),
    "rho": distributions(),
    "off": distributions(),
    "noise": scalars(0.0, 1.0),
    "eta": scalars(0.0, 1.0),
}
BETA = {"aim": distributions(), "beta": temperatures(orders=4)}
ALL = (1, 1, 1)
ROWS = ([1, 0], [0, 1])
RULES = tuple([list(first), list(second)] for first, second in product(ROWS, ROWS))

ORDER = [i * 2.0**-20 for i in range(len(RULES))]
ACCURACY = Fraction(len(RULES), 2**20)


def visits(ops: Any, m: Any, pi: Any, rho: Any) -> Any:
    """Normalised discounted visits of states: (S,)."""
    return (1 - m.gamma) * ops.sum(ops.occupancy(m, pi, rho))


def mixed(d: Any, new: Any, eta: Any) -> Any:
    """The visits of a mixture in which the newcomer has the weight ``eta``."""
    return (1 - eta) * d + eta * new


def quadratic(ops: Any, d: Any, aim: Any, beta: Any) -> Any:
    """The objective of this part."""
    return -beta / 2 * ops.dot(d - aim, d - aim)


def errors(ops: Any, eta: Any, beta: Any, eps0: Any, eps1: Any, parts: tuple[int, int, int]) -> Any:
    """What a round may lose; ``parts``: the weights of estimate, answer and curvature."""
    return parts[0] * 2 * eta * beta * eps0 + parts[1] * eta * eps1 + parts[2] * eta**2 * beta


def _recursion(ops: Any, m: Any, pis: list[Any], rho: Any, estimate: list[Any], R: list[Any], parts: Any) -> Inequality:
    """One round: policies (mixture, best, answer), (off, noise, eta) and (aim, beta)."""
    (off, noise, eta), (aim, beta) = estimate, R
    d, best, answer = [visits(ops, m, pi, rho) for pi in pis]
    seen = mixed(d, off, noise)
    eps1 = ops.maximum(ops.dot(best - answer, beta * (aim - seen)), 0)
    top = quadratic(ops, best, aim, beta)
    lost = errors(ops, eta, beta, ops.norm(seen - d), eps1, parts)
    return Inequality(
        top - quadratic(ops, mixed(d, answer, eta), aim, beta), (1 - eta) * (top - quadratic(ops, d, aim, beta)) + lost
    )


@claim(
    id="maxent.C1",
    family=UNENDING,
    draws=ROUND | BETA,
    assumptions=(discounted,),
    source=HAZAN,
    kind="inequality",
    instances=(),
)
def recursion(
    ops: Any, m: Any, now: Any, best: Any, answer: Any, rho: Any, off: Any, noise: Any, eta: Any, aim: Any, beta: Any
) -> Inequality:
    r"""R(d_*) - R(d_{t+1}) \le (1-\eta) (R(d_*) - R(d_t)) + 2 \eta \beta \varepsilon_0 + \eta \varepsilon_1 + \eta^2
    \beta, for any policy as *, \varepsilon_0 = \|\hat d - d_t\|_\infty, and an answer that \nabla R(\hat d) pays
    \varepsilon_1 less.

    Proof: :math:`\langle \nabla R(d_t), d_+ - d_* \rangle \ge -\varepsilon_1 - 2 \beta \varepsilon_0`, as the slopes at
    :math:`d_t` and :math:`\hat d` differ by at most :math:`\beta \varepsilon_0` and visits sum to one; :math:`\langle \nabla
    R(d_t), d_* - d_t \rangle \ge R(d_*) - R(d_t)`; and the step costs at most :math:`\frac\beta2 \eta^2 \|d_+ - d_t\|_2^2
    \le \beta \eta^2`.
    """
    return _recursion(ops, m, [now, best, answer], rho, [off, noise, eta], [aim, beta], ALL)


@twin(recursion, why="without eta^2 beta: then a constant step would converge")
def recursion_without_curvature(
    ops: Any, m: Any, now: Any, best: Any, answer: Any, rho: Any, off: Any, noise: Any, eta: Any, aim: Any, beta: Any
) -> Inequality:
    return _recursion(ops, m, [now, best, answer], rho, [off, noise, eta], [aim, beta], (1, 1, 0))


@twin(recursion, why="with an estimate that costs nothing")
def recursion_without_estimate(
    ops: Any, m: Any, now: Any, best: Any, answer: Any, rho: Any, off: Any, noise: Any, eta: Any, aim: Any, beta: Any
) -> Inequality:
    return _recursion(ops, m, [now, best, answer], rho, [off, noise, eta], [aim, beta], (0, 1, 1))


@twin(recursion, why="with an answer that costs nothing")
def recursion_without_answer(
    ops: Any, m: Any, now: Any, best: Any, answer: Any, rho: Any, off: Any, noise: Any, eta: Any, aim: Any, beta: Any
) -> Inequality:
    return _recursion(ops, m, [now, best, answer], rho, [off, noise, eta], [aim, beta], (1, 0, 1))


def vertices(ops: Any, m: Any, rho: Any) -> Any:
    """Visits of all deterministic policies of two states and two actions, side by side: (S, 4)."""
    return ops.transpose(ops.stack([visits(ops, m, ops.distribution(rule), rho) for rule in RULES]))


def answered(ops: Any, D: Any, slope: Any) -> Any:
    """Visits (S,) of a policy that a reward (S,) pays most but for ``ACCURACY``, of the columns of D: of equals the last in all
    arithmetics."""
    scores = ops.sum(D * slope[:, None], axis=-2) + ops.array(ORDER, 1)
    return ops.take(D, ops.order(scores)[..., None, -1:])[:, 0]


def rounds(ops: Any, m: Any, rho: Any, aim: Any, steps: list[Any]) -> tuple[list[Any], Any]:
    """Visits after each of the rounds, from the first vertex on, at beta = 1; and the vertices."""
    D = vertices(ops, m, rho)

    def one(d: Any, eta: Any) -> tuple[Any, Any]:
        after = mixed(d, answered(ops, D, aim - d), eta)
        return after, after

    return ops.scan(one, D[:, 0], steps)[1], D


RUN: dict[str, Any] = {
    "family": PAIRS,
    "draws": {"best": policies(), "rho": distributions()},
    "assumptions": (discounted, all_available),
    "instances": (),
}
LENGTH = 8
STEP = Fraction(1, 4)


def _after_rounds(ops: Any, m: Any, best: Any, rho: Any, curvature: int) -> Inequality:
    aim, eta = visits(ops, m, best, rho), ops.constant(STEP)
    found, D = rounds(ops, m, rho, aim, [eta] * LENGTH)
    first = -quadratic(ops, D[:, 0], aim, 1)
    gap = -quadratic(ops, found[-1], aim, 1)
    return Inequality(gap, (1 - eta) ** LENGTH * first + ACCURACY + curvature * eta)


@claim(id="maxent.C1b", source=HAZAN, kind="inequality", **RUN)
def after_rounds(ops: Any, m: Any, best: Any, rho: Any) -> Inequality:
    r"""R(d_*) - R(d_T) \le (1-\eta)^T (R(d_*) - R(d_0)) + \varepsilon_1 + \eta \beta with exact estimates; here \beta
    = 1, \eta = 1/4, T = 8, \varepsilon_1 = 2^{-18} and the aim is the visits of a policy, so that R(d_*) = 0.

    With :math:`(1-\eta)^T \le e^{-\eta T}` and errors this is :math:`B e^{-\eta T} + 2 \beta \varepsilon_0 + \varepsilon_1 +
    \eta \beta`. Proof: C1, and the sum of the geometric series is at most :math:`1/\eta`.
    """
    return _after_rounds(ops, m, best, rho, 1)


@twin(after_rounds, why="the gap vanishes geometrically: without eta beta")
def after_rounds_without_a_floor(ops: Any, m: Any, best: Any, rho: Any) -> Inequality:
    return _after_rounds(ops, m, best, rho, 0)


TENTH = Fraction(1, 10)


def budget(ops: Any, eps: Any, beta: Any, B: Any, share: Any) -> Any:
    r"""What C1b leaves at the parameters of the theorem, with ``share`` epsilon in the place of a tenth of it."""
    eta = share * eps / beta
    T = 10 * beta / eps * ops.log(10 * B / eps)
    return B * ops.exp(-eta * T) + 2 * beta * (share * eps / beta) + share * eps + eta * beta


@claim(
    id="maxent.C2",
    family=families.bandits(2),
    draws={"beta": temperatures(orders=6), "B": temperatures(orders=2), "eps": scalars(1 / 1024, 1.0)},
    source="Hazan et al. 2019, the main theorem, as recalled",
    kind="inequality",
    instances=(),
)
def budget_suffices(ops: Any, m: Any, beta: Any, B: Any, eps: Any) -> Inequality:
    r"""With \varepsilon_1 = \varepsilon/10, \varepsilon_0 = \eta = \varepsilon/(10\beta) and T =
    (10\beta/\varepsilon) \log(10B/\varepsilon), B e^{-\eta T} + 2\beta\varepsilon_0 + \varepsilon_1 + \eta\beta \le
    \varepsilon/2: half of what the theorem allows.

    Proof: :math:`e^{-\eta T} = \varepsilon / 10B`; the four terms are one, two, one and one tenths. More rounds only
    lower the first.
    """
    return Inequality(budget(ops, eps, beta, B, TENTH), eps / 2)


@twin(budget_suffices, why="a third of epsilon: the shares add up to half of it")
def budget_for_less(ops: Any, m: Any, beta: Any, B: Any, eps: Any) -> Inequality:
    return Inequality(budget(ops, eps, beta, B, TENTH), eps / 3)


@twin(budget_suffices, why="with step, estimate and answer twice as coarse")
def budget_of_coarse_steps(ops: Any, m: Any, beta: Any, B: Any, eps: Any) -> Inequality:
    return Inequality(budget(ops, eps, beta, B, 2 * TENTH), eps / 2)


HORIZON = 24


def _rate(ops: Any, m: Any, best: Any, rho: Any, steps: list[Any]) -> Order:
    aim = visits(ops, m, best, rho)
    found, _ = rounds(ops, m, rho, aim, [ops.constant(x) for x in steps])
    gaps = [-quadratic(ops, d, aim, 1) for d in found]
    shape = [ops.constant(Fraction(1, t + 2) + ACCURACY / 4) for t in range(1, HORIZON + 1)]
    return Order(ops.stack(gaps), ops.stack(shape), constant=4)


@claim(id="maxent.C6", source="Frank and Wolfe 1956; Jaggi 2013, Theorem 1", kind="rate", **RUN)
def rate(ops: Any, m: Any, best: Any, rho: Any) -> Order:
    r"""With the step 2 / (t + 2), t = 0, 1, ..., R(d_*) - R(d_t) \le 4 \beta / (t + 2) + \varepsilon_1 after t rounds
    with exact estimates; here t = 1, ..., 24, \beta = 1.

    Proof: C1 with exact estimates and answers (what answers lose is averaged, as in C1b), :math:`g_{t+1} \le
    (1-\eta_t) g_t + \eta_t^2 \beta`; by induction from :math:`g_1 \le \beta`, as :math:`\frac{t}{t+2} \frac{4}{t+2} +
    \frac{4}{(t+2)^2} = \frac{4 (t+1)}{(t+2)^2} \le \frac{4}{t+3}`.
    """
    return _rate(ops, m, best, rho, [Fraction(2, t + 2) for t in range(HORIZON)])


@twin(rate, why="a constant step of one half, which does not converge")
def rate_of_a_constant_step(ops: Any, m: Any, best: Any, rho: Any) -> Order:
    return _rate(ops, m, best, rho, [Fraction(1, 2)] * HORIZON)


@twin(rate, why="the step 1 / (t + 2)^2, whose sum is finite: the start is never forgotten")
def rate_of_a_summable_step(ops: Any, m: Any, best: Any, rho: Any) -> Order:
    return _rate(ops, m, best, rho, [Fraction(1, (t + 2) ** 2) for t in range(HORIZON)])
