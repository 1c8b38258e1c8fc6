r"""SoftRobust, part 5: where the draw of the action is measured, too, :math:`V_R = -\sigma(\pi, r - \gamma\sigma(P, V_R))` (C5)."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from proofs_check import Identity, Inequality, Witness, claim, families, policies, twin
from proofs_check.claim import discounted
from proofs_check.claims.planning.soft_robust_equivalence import BETA, ENDINGS, GAMMAS, SMALL
from proofs_check.claims.planning.soft_robust_gradients import everywhere
from proofs_check.draws import deterministic_policies, distributions
from tabular.reference import risk as robust
from tabular.risk import CVaR, Entropic

SOURCE = "Zhang, Hu and Li 2024, after Huang et al. 2021"
POLICY: dict[str, Any] = {
    "family": SMALL,
    "draws": BETA | {"pi": policies(interior=True)},
    "assumptions": (discounted,),
    "source": SOURCE,
    "instances": (),
}


def _two_values(ops: Any, m: Any, beta: Any, pi: Any) -> tuple[Any, Any]:
    """With the draw of the action measured, and without."""
    p = ops.successors(m)
    nested = robust.nested_value(ops, m, p, pi, Entropic(beta))
    return nested, robust.policy_value(ops, m, p, pi, Entropic(beta))


@claim(id="soft_robust.C5", kind="inequality", **POLICY)
def measured_actions(ops: Any, m: Any, beta: Any, pi: Any) -> Inequality:
    r"""V_R^\pi \le \tilde V^\pi in each state, where V_R^\pi = -(1/\beta) \log \sum_a \pi(a|s) e^{-\beta (r - \gamma
    \sigma(P, V_R^\pi))}.

    Proof: Jensen's inequality, and monotone backups.
    """
    nested, plain = _two_values(ops, m, beta, pi)
    return Inequality(nested, plain, axes=("s",))


@twin(measured_actions, family=ENDINGS, why="the other way round")
def measured_actions_reversed(ops: Any, m: Any, beta: Any, pi: Any) -> Inequality:
    nested, plain = _two_values(ops, m, beta, pi)
    return Inequality(plain, nested, axes=("s",))


@claim(id="soft_robust.C5a", kind="identity", **POLICY | {"draws": BETA | {"pi": deterministic_policies()}})
def certain_actions(ops: Any, m: Any, beta: Any, pi: Any) -> Identity:
    r"""V_R^\pi = \tilde V^\pi for deterministic policies.

    Proof: the measure of a certain value is its negative.
    """
    nested, plain = _two_values(ops, m, beta, pi)
    return Identity(nested, plain, axes=("s",))


@twin(certain_actions, family=ENDINGS, why="for all policies", draws=POLICY["draws"])
def uncertain_actions(ops: Any, m: Any, beta: Any, pi: Any) -> Identity:
    nested, plain = _two_values(ops, m, beta, pi)
    return Identity(nested, plain, axes=("s",))


@claim(id="soft_robust.C5b", kind="inequality", **POLICY)
def same_optimum(ops: Any, m: Any, beta: Any, pi: Any) -> Inequality:
    r"""Both have the same optimum: V_R^\pi \le \tilde V^* for every policy, which the deterministic optimal one attains (C5a).

    Proof: C5.
    """
    p = ops.successors(m)
    nested = robust.nested_value(ops, m, p, pi, Entropic(beta))
    return Inequality(nested, robust.optimal_value(ops, m, p, Entropic(beta)), axes=("s",))


@twin(same_optimum, family=ENDINGS, why="for twice the parameter")
def optimum_of_more_risk(ops: Any, m: Any, beta: Any, pi: Any) -> Inequality:
    p = ops.successors(m)
    nested = robust.nested_value(ops, m, p, pi, Entropic(beta))
    return Inequality(nested, robust.optimal_value(ops, m, p, Entropic(2 * beta)), axes=("s",))


BANDITS = POLICY | {"family": families.garnet(1, 2, gamma=GAMMAS)}


def _gap_and_slope(ops: Any, m: Any, beta: Any, pi: Any, rival: Any, start: Any) -> tuple[Any, Any]:
    """What is lost to the rival, and the mismatch ratio times the best slope, for V_R."""
    risk = Entropic(beta)
    p, rho = ops.successors(m), everywhere(start)
    V = robust.nested_value(ops, m, p, pi, risk)
    Q, q = robust.q_values(ops, m, p, V, risk), robust.worst(ops, p, V, risk)
    own = robust.visits(ops, m, q, risk.worst(ops, pi, Q), rho)
    other = robust.visits(ops, m, q, rival, rho)
    gain = ops.dot(own, 1 - ops.exp(-beta * (ops.max(Q, where=m.mask) - V))) / beta
    return ops.dot(rho, robust.nested_value(ops, m, p, rival, risk) - V), ops.max(other / own) * gain


@claim(
    id="soft_robust.C5c",
    kind="existence",
    **POLICY
    | {"family": families.garnet(2, 2, gamma=GAMMAS)}
    | {"draws": BETA | {"pi": policies(interior=True), "rival": deterministic_policies(), "start": distributions()}},
)
def not_dominated(ops: Any, m: Any, beta: Any, pi: Any, rival: Any, start: Any) -> Witness:
    r"""V_R^\pi is not gradient dominated as \tilde V^\pi is: for some model and policy \pi' V_R^{\pi'}(\rho) -
    V_R^\pi(\rho) > 64 \|\mu^{\pi'} / \mu^\pi\|_\infty \max_{\bar\pi} \langle \nabla V_R^\pi(\rho), \bar\pi - \pi \rangle
    (visits under the worst kernel, of actions too).

    Proof: the maximum is :math:`\sum_s \mu(s) (1 - e^{-\beta \max_a (Q - V_R)}) / \beta`: a gap of any size counts for
    :math:`1/\beta` at most.
    """
    gap, slope = _gap_and_slope(ops, m, beta, pi, rival, start)
    return Witness(Inequality(64 * slope, gap))


@twin(not_dominated, why="dominated by 64 times the slope")
def dominated(ops: Any, m: Any, beta: Any, pi: Any, rival: Any, start: Any) -> Inequality:
    gap, slope = _gap_and_slope(ops, m, beta, pi, rival, start)
    return Inequality(gap, 64 * slope)


CONSTANT = 2**20


def _rows(A: int) -> list[list[list[int]]]:
    """The deterministic policies of one state: (1, A) each."""
    return [[[0] * a + [1] + [0] * (A - 1 - a)] for a in range(A)]


def _gap_and_gain(ops: Any, m: Any, pi: Any) -> tuple[Any, Any]:
    """What is lost to the optimum, and the most that mixing an action in gains."""
    risk, p, h = CVaR(Fraction(15, 16)), ops.successors(m), Fraction(1, 1024)
    nested = lambda x: ops.max(robust.nested_value(ops, m, p, x, risk))  # noqa: E731
    own = nested(pi)
    near = [nested((1 - h) * pi + h * ops.array(row, 2)) for row in _rows(m.A)]
    return ops.max(robust.optimal_value(ops, m, p, risk)) - own, ops.max(ops.stack(near)) - own


@claim(
    id="soft_robust.C5d",
    kind="existence",
    **BANDITS | {"draws": {"pi": policies(interior=True)}},
)
def stationary_without_optimum(ops: Any, m: Any, pi: Any) -> Witness:
    r"""With the conditional value at risk at level 15/16 V_R has policies that are stationary and not optimal: mixing
    any action in, with weight 1/1024, gains less than 2^{-20} of what is lost to the optimum.

    Proof: where the worst action has more than 15/16 of the mass, it alone is seen, and so it is for all policies near by.
    Decided exactly.
    """
    gap, gain = _gap_and_gain(ops, m, pi)
    return Witness(Inequality(CONSTANT * gain, gap))


@twin(stationary_without_optimum, why="every policy that is not optimal gains by mixing an action in")
def slope_without_optimum(ops: Any, m: Any, pi: Any) -> Inequality:
    gap, gain = _gap_and_gain(ops, m, pi)
    return Inequality(gap, CONSTANT * gain)
