r"""SAC, part 1: evaluation and improvement over all policies.

:math:`\tau` is the entropy temperature, :math:`\mathrm{lse}_\tau(x) = \tau \log \sum_a e^{x_a/\tau}`, :math:`\mathrm{sm}_\tau` its
gradient, :math:`Q^\pi` the fixed point of :math:`T^\pi_\tau Q = R + \gamma P \langle \pi, Q - \tau \log \pi \rangle`.
"""

from __future__ import annotations

from typing import Any

from proofs_check import Identity, Inequality, claim, families, policies, q_values, stronger, temperatures, twin
from proofs_check.claim import discounted
from proofs_check.claims.planning.sac_models import relative_temperature
from tabular.reference import operators, soft_policies
from tabular.regularizers import KL, Shannon

HAARNOJA = "Haarnoja et al. 2018"
TAU = {"tau": temperatures(orders=8)}
ONE = {"pi": policies()} | TAU
PAIR = ("s", "a")
SWEEPS = 4


@claim(
    id="sac.C1",
    family=families.general(),
    draws=ONE | {"Q": q_values(), "other": q_values(like="Q")},
    source=HAARNOJA + ", Lemma 1",
    kind="inequality",
)
def contraction(ops: Any, m: Any, pi: Any, tau: Any, Q: Any, other: Any) -> Inequality:
    r"""\|T^\pi_\tau Q - T^\pi_\tau Q'\|_\infty \le \gamma \|Q - Q'\|_\infty.

    Proof: the entropies cancel, and rows of P and of :math:`\pi` average (rows of P have mass at most one).
    """
    return _contracted(ops, m, pi, tau, Q, other, m.gamma)


def _contracted(ops: Any, m: Any, pi: Any, tau: Any, Q: Any, other: Any, factor: Any) -> Inequality:
    reg = Shannon(tau)
    moved = soft_policies.policy_backup(ops, m, pi, Q, reg) - soft_policies.policy_backup(ops, m, pi, other, reg)
    return Inequality(ops.norm(moved), factor * ops.norm(Q - other))


@twin(contraction, why="gamma squared: a shift of all values shrinks by gamma")
def contraction_squared(ops: Any, m: Any, pi: Any, tau: Any, Q: Any, other: Any) -> Inequality:
    return _contracted(ops, m, pi, tau, Q, other, m.gamma**2)


@claim(
    id="sac.C1a",
    family=families.general(),
    draws=ONE | {"Q": q_values()},
    assumptions=(discounted,),
    source=HAARNOJA + ", Lemma 1",
    kind="inequality",
)
def evaluation(ops: Any, m: Any, pi: Any, tau: Any, Q: Any) -> Inequality:
    r"""\|(T^\pi_\tau)^k Q - Q^\pi\|_\infty \le \gamma^k \|Q - Q^\pi\|_\infty for \gamma < 1: soft policy evaluation
    converges, k = 1 ... 4.

    Proof: C1, and :math:`Q^\pi` is the fixed point.
    """
    return _evaluated(ops, m, pi, tau, Q, 1)


def _evaluated(ops: Any, m: Any, pi: Any, tau: Any, Q: Any, ahead: int) -> Inequality:
    """``ahead``: the power of gamma after the first sweep."""
    reg = Shannon(tau)
    fixed = operators.q_of_policy(ops, m, pi, reg)
    start, found = ops.norm(Q - fixed), []
    for _ in range(SWEEPS):
        Q = soft_policies.policy_backup(ops, m, pi, Q, reg)
        found.append(ops.norm(Q - fixed))
    bound = [m.gamma ** (k + ahead) * start for k in range(SWEEPS)]
    return Inequality(ops.stack(found), ops.stack(bound), axes=("k",))


@twin(evaluation, why="one sweep ahead", family=families.self_loops(2, 2, gamma=0.5))
def evaluation_ahead(ops: Any, m: Any, pi: Any, tau: Any, Q: Any) -> Inequality:
    return _evaluated(ops, m, pi, tau, Q, 2)


@claim(
    id="sac.C2",
    family=families.general(),
    draws=ONE,
    assumptions=(discounted,),
    source=HAARNOJA + ", Lemma 2",
    kind="inequality",
)
def improvement(ops: Any, m: Any, pi: Any, tau: Any) -> Inequality:
    r"""Q^{\pi'} \ge Q^\pi at every pair, for \gamma < 1 and \pi' = sm_\tau(Q^\pi), the projection onto all policies.

    Proof: :math:`T^{\pi'}_\tau Q^\pi = T_\tau Q^\pi \ge T^\pi_\tau Q^\pi = Q^\pi` (C4), and :math:`T^{\pi'}_\tau` is monotone.
    """
    reg = Shannon(tau)
    Q, after = soft_policies.iterates(ops, m, pi, reg, 1)
    return Inequality(Q, after, axes=PAIR)


def _after(ops: Any, m: Any, pi: Any, tau: Any, hotter: int) -> tuple[Any, Any]:
    """Action values of pi, and the softmax of them at ``hotter`` times tau."""
    Q = operators.q_of_policy(ops, m, pi, Shannon(tau))
    return Q, Shannon(hotter * tau).policy(ops, Q, m.mask)


@twin(improvement, why="the hard return improves, too: entropy is bought with it")
def improvement_of_the_hard_return(ops: Any, m: Any, pi: Any, tau: Any) -> Inequality:
    new = _after(ops, m, pi, tau, 1)[1]
    return Inequality(operators.q_of_policy(ops, m, pi), operators.q_of_policy(ops, m, new), axes=PAIR)


@twin(improvement, why="the softmax at three times the temperature")
def improvement_too_hot(ops: Any, m: Any, pi: Any, tau: Any) -> Inequality:
    Q, new = _after(ops, m, pi, tau, 3)
    return Inequality(Q, operators.q_of_policy(ops, m, new, Shannon(tau)), axes=PAIR)


GAPS: dict[str, Any] = {
    "family": families.general(),
    "draws": {"pi": policies(), "Q": q_values(), "heat": temperatures(orders=2)},
}


@claim(
    id="sac.C4",
    **GAPS,
    source=HAARNOJA + ", equation 10",
    kind="identity",
)
def divergence(ops: Any, m: Any, pi: Any, Q: Any, heat: Any) -> Identity:
    r"""\tau KL(\pi \| sm_\tau(Q)) = lse_\tau(Q) - \langle \pi, Q - \tau \log \pi \rangle, state by state.

    Proof: :math:`\tau \log \mathrm{sm}_\tau(Q) = Q - \mathrm{lse}_\tau(Q)`.
    """
    tau = relative_temperature(ops, Q, heat)
    reg = Shannon(tau)
    gap = reg.conjugate(ops, Q, m.mask) - soft_policies.score(ops, m, pi, Q, reg)
    return Identity(_cross(ops, m, pi, tau, Q), gap, axes=("s",))


def _cross(ops: Any, m: Any, pi: Any, tau: Any, Q: Any) -> Any:
    r""":math:`\tau \langle \pi, \log \pi - \log \mathrm{sm}_\tau(Q) \rangle`: of the softmax only its logarithm,
    which does not underflow.
    """
    log_target = ops.where(m.mask, Shannon(tau).log_policy(ops, Q, m.mask), 0)
    return tau * (ops.sum(ops.xlogx(pi)) - ops.dot(pi, log_target))


@twin(divergence, why="the divergence the other way round", draws=GAPS["draws"] | {"pi": policies(interior=True)})
def divergence_forward(ops: Any, m: Any, pi: Any, Q: Any, heat: Any) -> Identity:
    tau = relative_temperature(ops, Q, heat)
    reg = Shannon(tau)
    target = reg.policy(ops, Q, m.mask)
    gap = reg.conjugate(ops, Q, m.mask) - soft_policies.score(ops, m, pi, Q, reg)
    return Identity(KL(tau, pi).value(ops, target, m.mask), gap, axes=("s",))


@twin(divergence, why="without the entropy of pi")
def divergence_without_entropy(ops: Any, m: Any, pi: Any, Q: Any, heat: Any) -> Identity:
    tau = relative_temperature(ops, Q, heat)
    gap = Shannon(tau).conjugate(ops, Q, m.mask) - ops.dot(pi, Q)
    return Identity(_cross(ops, m, pi, tau, Q), gap, axes=("s",))


@claim(
    id="sac.C4a",
    **GAPS,
    source="Pinsker's inequality",
    kind="inequality",
)
def no_gap_elsewhere(ops: Any, m: Any, pi: Any, Q: Any, heat: Any) -> Inequality:
    r"""\frac{\tau}{2} \|\pi - sm_\tau(Q)\|_1^2 \le lse_\tau(Q) - \langle \pi, Q - \tau \log \pi \rangle: no gap but at the softmax.

    Proof: Pinsker's inequality and C4.
    """
    tau = relative_temperature(ops, Q, heat)
    distance = ops.sum(ops.abs(pi - Shannon(tau).policy(ops, Q, m.mask)))
    return Inequality(tau / 2 * distance**2, _cross(ops, m, pi, tau, Q), axes=("s",))


no_gap_by_more = stronger(no_gap_elsewhere, 0.99)
