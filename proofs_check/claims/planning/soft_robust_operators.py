r"""SoftRobust, part 2: the operators. Contraction (C2) and the Z-operator (C6)."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from proofs_check import (
    Identity,
    Inequality,
    Witness,
    claim,
    families,
    q_values,
    scalars,
    temperatures,
    twin,
    values,
)
from proofs_check.claim import discounted
from proofs_check.claims.planning.soft_robust_equivalence import BETA, ENDINGS, LEVEL, OTHERS, SMALL, three_kernels
from tabular.reference import risk as robust
from tabular.risk import CVaR, Entropic, KLBall, L1Ball

PAIR = {"V": values(), "W": values()}
SHIFTED = {"V": values(), "W": values(like="V")}  # a quarter of them differ by a constant
RADIUS = {"radius": scalars(1 / 1024, 2.0)}
SMALL_RADIUS = {"radius": scalars(1 / 1024, 0.25)}  # larger balls of the divergence often hold the worst case
WIDE = (*SMALL, families.random_masks_endings(4, 3))
SOURCE = "Zhang, Hu and Li 2024, section 2"
CONTRACTION: dict[str, Any] = {
    "family": WIDE,
    "assumptions": (discounted,),
    "source": SOURCE,
    "kind": "inequality",
    "instances": (),
}


def contracted(ops: Any, m: Any, risk: Any, V: Any, W: Any) -> Inequality:
    """Distance of two backups against the discounted distance."""
    p = ops.successors(m)
    apart = robust.backup(ops, m, p, V, risk) - robust.backup(ops, m, p, W, risk)
    return Inequality(ops.norm(apart), m.gamma * ops.norm(V - W))


@claim(id="soft_robust.C2", draws=BETA | SHIFTED, **CONTRACTION)
def contraction(ops: Any, m: Any, beta: Any, V: Any, W: Any) -> Inequality:
    r"""\|T^* V - T^* W\| \le \gamma \|V - W\| in the sup norm, for the entropic measure.

    Proof: a measure that falls with its argument and moves by -c with it by c is 1-Lipschitz; so is the maximum. A sign
    error, :math:`\log E e^{+\beta V} / \beta`, makes no false claim of this: it is 1-Lipschitz, too.
    """
    return contracted(ops, m, Entropic(beta), V, W)


@twin(contraction, family=ENDINGS, why="modulus gamma squared")
def contraction_squared(ops: Any, m: Any, beta: Any, V: Any, W: Any) -> Inequality:
    found = contracted(ops, m, Entropic(beta), V, W)
    return Inequality(found.measured, m.gamma * found.bound)


@twin(contraction, family=ENDINGS, why="the logarithm not divided by beta")
def contraction_of_the_logarithm(ops: Any, m: Any, beta: Any, V: Any, W: Any) -> Inequality:
    p = ops.successors(m)
    one = lambda x: ops.max(  # noqa: E731
        m.R - m.gamma * beta * Entropic(beta).sigma(ops, p, robust.at_successors(ops, p, x)), where=m.mask
    )
    return Inequality(ops.norm(one(V) - one(W)), m.gamma * ops.norm(V - W))


@claim(id="soft_robust.C2a", draws=LEVEL | PAIR, **CONTRACTION)
def contraction_of_cvar(ops: Any, m: Any, level: Any, V: Any, W: Any) -> Inequality:
    r"""C2 for the conditional value at risk, exactly.

    Proof: that of C2.
    """
    return contracted(ops, m, CVaR(level), V, W)


@twin(contraction_of_cvar, family=ENDINGS, why="modulus gamma squared", draws=LEVEL | SHIFTED)
def contraction_of_cvar_squared(ops: Any, m: Any, level: Any, V: Any, W: Any) -> Inequality:
    found = contracted(ops, m, CVaR(level), V, W)
    return Inequality(found.measured, m.gamma * found.bound)


@claim(id="soft_robust.C2b", draws=RADIUS | PAIR, **CONTRACTION)
def contraction_of_l1(ops: Any, m: Any, radius: Any, V: Any, W: Any) -> Inequality:
    r"""C2 for balls of the L1 norm, exactly.

    Proof: that of C2.
    """
    return contracted(ops, m, L1Ball(radius), V, W)


@twin(contraction_of_l1, family=ENDINGS, why="modulus gamma squared", draws=RADIUS | SHIFTED)
def contraction_of_l1_squared(ops: Any, m: Any, radius: Any, V: Any, W: Any) -> Inequality:
    found = contracted(ops, m, L1Ball(radius), V, W)
    return Inequality(found.measured, m.gamma * found.bound)


@claim(id="soft_robust.C2c", draws=SMALL_RADIUS | PAIR, **CONTRACTION | {"family": SMALL})
def contraction_of_kl(ops: Any, m: Any, radius: Any, V: Any, W: Any) -> Inequality:
    r"""C2 for balls of the divergence, enclosed by feasible kernels and dual multipliers.

    Proof: that of C2.
    """
    return contracted(ops, m, KLBall(radius), V, W)


@twin(contraction_of_kl, family=ENDINGS, why="modulus gamma squared", draws=RADIUS | SHIFTED)
def contraction_of_kl_squared(ops: Any, m: Any, radius: Any, V: Any, W: Any) -> Inequality:
    found = contracted(ops, m, KLBall(radius), V, W)
    return Inequality(found.measured, m.gamma * found.bound)


@claim(
    id="soft_robust.C2d",
    draws=OTHERS | PAIR,
    **CONTRACTION | {"family": (families.garnet(3, 2), families.random_endings(3, 2), families.switches(3, 2))},
)
def contraction_of_kernels(ops: Any, m: Any, p1: Any, p2: Any, V: Any, W: Any) -> Inequality:
    r"""C2 for the worst of three kernels in each pair: a standard robust MDP with a finite rectangular set.

    Proof: that of C2.
    """
    return contracted(ops, m, three_kernels(ops, m, (p1, p2)), V, W)


@twin(contraction_of_kernels, why="modulus gamma squared", draws=OTHERS | SHIFTED)
def contraction_of_kernels_squared(ops: Any, m: Any, p1: Any, p2: Any, V: Any, W: Any) -> Inequality:
    found = contracted(ops, m, three_kernels(ops, m, (p1, p2)), V, W)
    return Inequality(found.measured, m.gamma * found.bound)


NEAR = {"beta": temperatures(orders=4)}
TABLES = {"zeta": q_values(), "other": q_values()}
SHIFTED_TABLES = {"zeta": q_values(), "other": q_values(like="zeta")}


@claim(
    id="soft_robust.C6",
    family=WIDE,
    draws=NEAR | TABLES,
    assumptions=(discounted,),
    source="Zhang, Hu and Li 2024, RFZI",
    kind="inequality",
    instances=(),
)
def z_contraction(ops: Any, m: Any, beta: Any, zeta: Any, other: Any) -> Inequality:
    r"""\|\log T_Z Z - \log T_Z Z'\| \le \gamma \|\log Z - \log Z'\| in the sup norm, where (T_Z Z)(s,a) = E e^{-\beta
    \max_{a'} (r - (\gamma/\beta) \log Z)}. Here \zeta = \log Z.

    Proof: the exponent moves by at most :math:`\gamma \|\zeta - \zeta'\|`, and :math:`\log E e^x` is 1-Lipschitz.
    """
    p = ops.successors(m)
    apart = robust.log_z_backup(ops, m, p, zeta, beta) - robust.log_z_backup(ops, m, p, other, beta)
    return Inequality(ops.norm(apart), m.gamma * ops.norm(zeta - other))


@twin(z_contraction, family=ENDINGS, why="modulus gamma squared", draws=NEAR | SHIFTED_TABLES)
def z_contraction_squared(ops: Any, m: Any, beta: Any, zeta: Any, other: Any) -> Inequality:
    p = ops.successors(m)
    apart = robust.log_z_backup(ops, m, p, zeta, beta) - robust.log_z_backup(ops, m, p, other, beta)
    return Inequality(ops.norm(apart), m.gamma * m.gamma * ops.norm(zeta - other))


@twin(z_contraction, family=ENDINGS, why="of Z itself, not of its logarithm")
def z_contraction_of_z(ops: Any, m: Any, beta: Any, zeta: Any, other: Any) -> Inequality:
    p = ops.successors(m)
    apart = ops.exp(robust.log_z_backup(ops, m, p, zeta, beta)) - ops.exp(robust.log_z_backup(ops, m, p, other, beta))
    return Inequality(ops.norm(apart), m.gamma * ops.norm(ops.exp(zeta) - ops.exp(other)))


@claim(
    id="soft_robust.C6a",
    family=SMALL,
    draws=NEAR,
    assumptions=(discounted,),
    source="Zhang, Hu and Li 2024, RFZI",
    kind="identity",
    instances=(),
)
def z_fixed_point(ops: Any, m: Any, beta: Any) -> Identity:
    r"""Z = E e^{-\beta \tilde V^*} is the fixed point: \max_a (r - (\gamma/\beta) \log T_Z Z) = \tilde V^*.

    Proof: :math:`\log Z = \beta \sigma(P, \tilde V^*)`, so that :math:`r - (\gamma/\beta)\log Z` are the optimal action values.
    """
    p = ops.successors(m)
    V = robust.optimal_value(ops, m, p, Entropic(beta))
    zeta = beta * Entropic(beta).sigma(ops, p, robust.at_successors(ops, p, V))
    return Identity(robust.z_value(ops, m, robust.log_z_backup(ops, m, p, zeta, beta), beta), V, axes=("s",))


@twin(z_fixed_point, family=ENDINGS, why="r - Z / beta, without the logarithm, as in the authors' code")
def z_fixed_point_without_logarithm(ops: Any, m: Any, beta: Any) -> Identity:
    p = ops.successors(m)
    V = robust.optimal_value(ops, m, p, Entropic(beta))
    Z = ops.exp(beta * Entropic(beta).sigma(ops, p, robust.at_successors(ops, p, V)))
    return Identity(ops.max(m.R - Z / beta, where=m.mask), V, axes=("s",))


@twin(z_fixed_point, family=ENDINGS, why="the parameter gamma times beta on V, as in the authors' code")
def z_fixed_point_of_another_parameter(ops: Any, m: Any, beta: Any) -> Identity:
    p = ops.successors(m)
    V = robust.optimal_value(ops, m, p, Entropic(beta))
    return Identity(robust.optimal_value(ops, m, p, Entropic(m.gamma * beta)), V, axes=("s",))


def _two_and_their_images(ops: Any, m: Any) -> tuple[Any, Any]:
    """Distance of Z = 1/1000 and 2/1000, and that of their images, where rewards are 0."""
    free, p = m._replace(R=0 * m.R), ops.successors(m)
    Z, other = (ops.array([[Fraction(k, 1000)]], 2) for k in (1, 2))
    after = [ops.exp(robust.log_z_backup(ops, free, p, ops.log(x), 1)) for x in (Z, other)]
    return ops.norm(Z - other), ops.norm(after[0] - after[1])


@claim(
    id="soft_robust.C6b",
    family=families.self_loops(1, 1, gamma=(0.9,)),
    source="ours: the smallest counterexample to contraction of Z itself",
    kind="existence",
    instances=(),
)
def z_expansion(ops: Any, m: Any) -> Witness:
    r"""The Z-operator is no contraction in the plain sup norm: one state, r = 0, \gamma = 9/10, Z = 1/1000 and Z' = 2/1000 have
    \|T_Z Z - T_Z Z'\| > (17/10) \|Z - Z'\|.

    Proof: :math:`T_Z Z = Z^\gamma` there, whose slope is unbounded at 0; the ratio is 1.728. (The family's reward is
    replaced by 0.)
    """
    before, after = _two_and_their_images(ops, m)
    return Witness(Inequality(Fraction(17, 10) * before, after))


@twin(z_expansion, why="these two do contract")
def z_contraction_of_two(ops: Any, m: Any) -> Inequality:
    before, after = _two_and_their_images(ops, m)
    return Inequality(after, m.gamma * before)
