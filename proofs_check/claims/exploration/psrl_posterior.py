r"""PSRL, part 1: identities, on a prior of two models of two states that share their rewards, :math:`\tau = 3`, start in state 0.

Rows are averaged with the uniform one, so that no history is impossible. A history is the model drawn for the first episode, whose
optimal policy is played, and the two transitions that follow: eight of them, each with its exact probability under either model.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from typing import Any

from proofs_check import Identity, Inequality, claim, families, models, policies, scalars, twin, values
from proofs_check.claim import all_available, no_endings

OSBAND = "Osband, Russo and Van Roy 2013, section 4"
TAU = 3
BOTH = (0, 1)
HISTORIES = tuple(product(BOTH, BOTH, BOTH))
PRIOR: dict[str, Any] = {
    "family": (families.garnet(2, 2), families.resets(2, 2)),
    "assumptions": (all_available, no_endings),
    "instances": (),
}
DRAWS = {"other": models(), "w": scalars(0.125, 0.875)}


def rows(ops: Any, m: Any) -> Any:
    """Transition probabilities of a model without endings: (S, A, S)."""
    return ops.successors(m)[:, :, : m.S]


def supports(ops: Any, m: Any, other: Any) -> list[Any]:
    """The rows of both models, all positive."""
    return [(rows(ops, x) + Fraction(1, m.S)) / 2 for x in (m, other)]


def plan_of(ops: Any, P: Any, R: Any) -> list[Any]:
    """An optimal policy of tau steps: (S, A) for each."""

    def step(V: Any, _: int) -> tuple[Any, Any]:
        Q = R + ops.dot(P, V[None, None, :])
        return ops.max(Q), ops.first_max(Q)

    return list(ops.scan(step, 0 * R[:, 0], list(range(TAU)))[1][::-1])


def best_of(ops: Any, P: Any, R: Any) -> Any:
    """The optimal value at the start."""
    return ops.fori(TAU, lambda _, V: ops.max(R + ops.dot(P, V[None, None, :])), 0 * R[:, 0])[0]


def value_of(ops: Any, P: Any, R: Any, plan: list[Any]) -> list[Any]:
    """Values (S,) of a policy from each step on, the end last."""

    def step(V: Any, pi: Any) -> tuple[Any, Any]:
        W = ops.dot(pi, R + ops.dot(P, V[None, None, :]))
        return W, W

    end = 0 * R[:, 0]
    return [*ops.scan(step, end, plan[::-1])[1][::-1], end]


def move(ops: Any, P: Any, pi: Any) -> Any:
    """The chain (S, S) of a policy."""
    return ops.sum(pi[:, :, None] * P, axis=-2)


def _likelihood(ops: Any, P: Any, plan: list[Any], x: int, y: int) -> Any:
    """Of going from 0 to x, and on to y."""
    return move(ops, P, plan[0])[0, x] * move(ops, P, plan[1])[x, y]


def joint(ops: Any, Ps: list[Any], plans: list[Any], prior: list[Any]) -> list[list[list[Any]]]:
    """The probability of each history, truth i and second draw j."""
    found = []
    for first, x, y in HISTORIES:
        weight = [prior[i] * _likelihood(ops, Ps[i], plans[first], x, y) for i in BOTH]
        total = weight[0] + weight[1]
        found.append([[prior[first] * weight[i] * weight[j] / total for j in BOTH] for i in BOTH])
    return found


def _posterior(ops: Any, m: Any, other: Any, w: Any) -> tuple[list[Any], list[Any], list[Any], Any]:
    """Rows, optimal policies, the prior, and the joint law."""
    Ps = supports(ops, m, other)
    plans, prior = [plan_of(ops, P, m.R) for P in Ps], [w, 1 - w]
    return Ps, plans, prior, joint(ops, Ps, plans, prior)


@claim(id="psrl.C1", draws=DRAWS | {"g": values()}, source=OSBAND, kind="identity", **PRIOR)
def same_law(ops: Any, m: Any, other: Any, w: Any, g: Any) -> Identity:
    r"""E[g(M_k); H] = E[g(M^*); H] for every history H and every function g of a model: given the history, the model
    drawn has the law of the true one.

    Proof: this is what a posterior is; here the joint law of truth, history and draw is added up in both ways.
    """
    law = _posterior(ops, m, other, w)[3]
    drawn = [sum((p[i][j] * g[j] for i in BOTH for j in BOTH), 0 * w) for p in law]
    true = [sum((p[i][j] * g[i] for i in BOTH for j in BOTH), 0 * w) for p in law]
    return Identity(ops.stack(drawn), ops.stack(true), axes=("history",))


@twin(same_law, why="for a draw from the prior")
def same_law_as_the_prior(ops: Any, m: Any, other: Any, w: Any, g: Any) -> Identity:
    law = _posterior(ops, m, other, w)[3]
    drawn = [sum((p[i][j] for i in BOTH for j in BOTH), 0 * w) * (w * g[0] + (1 - w) * g[1]) for p in law]
    true = [sum((p[i][j] * g[i] for i in BOTH for j in BOTH), 0 * w) for p in law]
    return Identity(ops.stack(drawn), ops.stack(true), axes=("history",))


def table(ops: Any, Ps: list[Any], R: Any, plans: list[Any]) -> list[list[Any]]:
    """Value at the start of plan j in model i."""
    return [[value_of(ops, P, R, plan)[0][0] for plan in plans] for P in Ps]


def _regrets(ops: Any, m: Any, other: Any, w: Any) -> tuple[Any, Any]:
    """Expected regret and expected imagined regret of each of two episodes."""
    Ps, plans, prior, law = _posterior(ops, m, other, w)
    V, best = table(ops, Ps, m.R, plans), [best_of(ops, P, m.R) for P in Ps]
    second = [[sum((p[i][j] for p in law), 0 * w) for j in BOTH] for i in BOTH]
    episodes = [[[prior[i] * prior[j] for j in BOTH] for i in BOTH], second]
    real = [sum((p[i][j] * (best[i] - V[i][j]) for i in BOTH for j in BOTH), 0 * w) for p in episodes]
    imagined = [sum((p[i][j] * (V[j][j] - V[i][j]) for i in BOTH for j in BOTH), 0 * w) for p in episodes]
    return ops.stack(real), ops.stack(imagined)


@claim(id="psrl.C2", draws=DRAWS, source=OSBAND, kind="identity", **PRIOR)
def regret_equivalence(ops: Any, m: Any, other: Any, w: Any) -> Identity:
    r"""E \Delta_k = E \tilde\Delta_k for every episode, \Delta_k = V^{M^*}_{\mu^*} - V^{M^*}_{\mu_k}, \tilde\Delta_k
    = V^{M_k}_{\mu_k} - V^{M^*}_{\mu_k}: the regret is, in the mean, what the draw promises and does not keep. Here
    two episodes.

    Proof: :math:`E V^{M_k}_{\mu_k} = E V^{M^*}_{\mu^*}` by C1.
    """
    real, imagined = _regrets(ops, m, other, w)
    return Identity(real, imagined, axes=("k",))


@twin(regret_equivalence, why="pathwise, for each truth and draw")
def regrets_are_equal(ops: Any, m: Any, other: Any, w: Any) -> Identity:
    Ps, plans, _, _ = _posterior(ops, m, other, w)
    V = table(ops, Ps, m.R, plans)
    return Identity(V[0][0] - V[0][1], V[1][1] - V[0][1])


@twin(regret_equivalence, why="for each truth: a frequentist's regret")
def regrets_for_each_truth(ops: Any, m: Any, other: Any, w: Any) -> Identity:
    Ps, plans, _, _ = _posterior(ops, m, other, w)
    V = table(ops, Ps, m.R, plans)
    real = [w * (V[i][i] - V[i][0]) + (1 - w) * (V[i][i] - V[i][1]) for i in BOTH]
    imagined = [w * (V[0][0] - V[i][0]) + (1 - w) * (V[1][1] - V[i][1]) for i in BOTH]
    return Identity(ops.stack(real), ops.stack(imagined), axes=("truth",))


@claim(id="psrl.C2a", draws=DRAWS, source=OSBAND, kind="inequality", **PRIOR)
def bounded_differences(ops: Any, m: Any, other: Any, w: Any) -> Inequality:
    r"""|\Delta_k - \tilde\Delta_k| \le \tau for rewards in [0, 1]; here for any, \tau times their range. So the regret exceeds \sum
    \tilde\Delta_k by \tau \sqrt{2 m \log(1/\delta)} with probability at most \delta (both sides: 2/\delta).

    Proof: the difference is :math:`V^{M^*}_{\mu^*} - V^{M_k}_{\mu_k}`, two sums of :math:`\tau` rewards; Azuma's inequality.
    """
    return _differences(ops, m, other, 1)


def _differences(ops: Any, m: Any, other: Any, share: Any) -> Inequality:
    Ps = supports(ops, m, other)
    V = [value_of(ops, P, m.R, plan_of(ops, P, m.R))[0][0] for P in Ps]
    return Inequality(ops.abs(V[0] - V[1]), share * TAU * (ops.largest(m.R) - ops.smallest(m.R)))


@twin(bounded_differences, why="a twelfth of it")
def differences_of_a_twelfth(ops: Any, m: Any, other: Any, w: Any) -> Inequality:
    return _differences(ops, m, other, Fraction(1, 12))


PLAN = {"other": models(), "pi0": policies(), "pi1": policies(), "pi2": policies()}


def _expansion(ops: Any, m: Any, other: Any, plan: list[Any], walk: str, ahead: str) -> Identity:
    """``walk``, ``ahead``: in which model states are visited, and values are those of."""
    P = {"true": rows(ops, m), "drawn": rows(ops, other)}
    R = {"true": m.R, "drawn": other.R}
    V = {name: value_of(ops, P[name], R[name], plan) for name in P}
    d, total = ops.identity(m.S)[0], 0 * m.gamma
    for h, pi in enumerate(plan):
        off = R["drawn"] - R["true"] + ops.dot(P["drawn"] - P["true"], V[ahead][h + 1][None, None, :])
        total = total + ops.dot(d, ops.dot(pi, off))
        d = ops.sum(d[:, None] * move(ops, P[walk], pi), axis=-2)
    return Identity(V["drawn"][0][0] - V["true"][0][0], total)


@claim(
    id="psrl.C3",
    draws=PLAN,
    source=OSBAND,
    kind="identity",
    **PRIOR | {"family": (families.garnet(2, 2), families.garnet(3, 2))},
)
def bellman_errors(ops: Any, m: Any, other: Any, pi0: Any, pi1: Any, pi2: Any) -> Identity:
    r"""V^{M_k}_\mu - V^{M^*}_\mu = E \sum_{i \le \tau} [(T^{M_k}_\mu - T^{M^*}_\mu) V^{M_k}_{\mu, i+1}](s_i), with
    the states visited in the true model, for any policy and any two models.

    Proof: :math:`V^k_i - V^*_i = (T^k - T^*) V^k_{i+1} + P^*_\mu (V^k_{i+1} - V^*_{i+1})`, step by step.
    """
    return _expansion(ops, m, other, [pi0, pi1, pi2], "true", "drawn")


@twin(bellman_errors, why="with the states visited in the model drawn")
def bellman_errors_in_the_draw(ops: Any, m: Any, other: Any, pi0: Any, pi1: Any, pi2: Any) -> Identity:
    return _expansion(ops, m, other, [pi0, pi1, pi2], "drawn", "drawn")


@twin(bellman_errors, why="with the true values ahead")
def bellman_errors_of_true_values(ops: Any, m: Any, other: Any, pi0: Any, pi1: Any, pi2: Any) -> Identity:
    return _expansion(ops, m, other, [pi0, pi1, pi2], "true", "true")
