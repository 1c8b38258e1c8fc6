r"""MVI(q), part 1: Tsallis entropies, their maximisers, products of q-exponentials, divergences.

The convention: :math:`L_q x = (x^{q-1} - 1)/(q-1)`, :math:`e_q x = [1 + (q-1) x]_+^{1/(q-1)}`, :math:`S_q(\pi) = -\sum
\pi L_q(\pi)` and :math:`D_q(\pi\|\mu) = \sum \pi L_q(\pi/\mu)`, so that :math:`D_1` is KL and :math:`D_2 = \chi^2`.
Other papers write :math:`2 - q` for ``q``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from proofs_check import (
    Identity,
    Inequality,
    claim,
    families,
    policies,
    q_values,
    scalars,
    stronger,
    temperatures,
    twin,
)
from proofs_check.draws import Draw, Integers, Payload, Place
from tabular.regularizers import Tsallis, TsallisKL

ZHU = "Zhu, Chen, Schlegel and White 2023"
USUAL = (0.5, 1.0, 1.5, 2.0, 3.0, 10.0)
SMALL = (families.bandits(2), families.bandits(3), families.bandits(5), families.random_masks(3, 3))


def indices(*, most: float = 4.0, usual: tuple[float, ...] = USUAL) -> Draw:
    """Indices: half of them the usual ones, the others multiples of 1/64 from 1/2 to ``most``."""

    def sample(z: Integers, at: Place) -> Payload:
        drawn = z.between(32, round(64 * most), at.B) / 64
        return Payload("array", np.where(z.below(2, at.B) == 0, np.array(usual)[z.below(len(usual), at.B)], drawn), 0)

    return Draw("indices", sample)


def _dual_log(ops: Any, x: Any, q: Any, where: Any = None) -> Any:
    return ops.q_log(x, 2 - q, where=where)


def _dual_exp(ops: Any, x: Any, q: Any) -> Any:
    return ops.q_exp(x, 2 - q)


def _objective(ops: Any, m: Any, reg: Any, pi: Any, Q: Any) -> Any:
    return ops.dot(pi, Q) - reg.value(ops, pi, m.mask)


COMPETING = {
    "Q": q_values(),
    "pi": policies(),
    "mu": policies(interior=True),
    "tau": temperatures(orders=6),
    "q": indices(most=10.0),
}


@claim(
    id="tsallis_mvi.C1",
    family=SMALL,
    draws=COMPETING,
    source=ZHU + " (policies in closed form)",
    kind="identity",
    instances=(),
)
def maximisers(ops: Any, m: Any, Q: Any, pi: Any, mu: Any, tau: Any, q: Any) -> Inequality:
    r"""No policy exceeds [(q-1)(Q-\lambda)/(q\tau)]_+^{1/(q-1)}, times \mu for the divergence, in \langle\pi, Q\rangle
    + \tau S_q(\pi), or in \langle\pi, Q\rangle - \tau D_q(\pi\|\mu).

    Proof: both objectives are concave, and the two policies satisfy the first-order conditions (C1b for the
    divergence, where no action is dropped; a dropped one has a slope of at most the multiplier). What the competitor
    lacks in each is compared, state by state: the sum of the competitor's two objectives with that of the maxima.
    """
    entropy, divergence = Tsallis(tau, q), TsallisKL(tau, q, mu)
    reached = _objective(ops, m, entropy, pi, Q) + _objective(ops, m, divergence, pi, Q)
    best = [_objective(ops, m, reg, reg.policy(ops, Q, m.mask), Q) for reg in (entropy, divergence)]
    return Inequality(reached, best[0] + best[1], axes=("s",))


@twin(maximisers, why="the factor 1/q is dropped: that policy solves the problem with tau/q, and the true one beats it")
def maximisers_without_the_factor(ops: Any, m: Any, Q: Any, pi: Any, mu: Any, tau: Any, q: Any) -> Inequality:
    reg, wrong = TsallisKL(tau, q, mu), TsallisKL(tau / q, q, mu)
    return Inequality(
        reg.conjugate(ops, Q, m.mask), _objective(ops, m, reg, wrong.policy(ops, Q, m.mask), Q), axes=("s",)
    )


INSIDE = {"Q": q_values(), "mu": policies(interior=True), "room": scalars(2.0, 8.0), "q": indices(most=10.0)}


def _slopes(ops: Any, m: Any, Q: Any, mu: Any, lam: Any, q: Any) -> tuple[Any, Any]:
    r""":math:`L_q(\pi/\mu)` at the maximiser and ``Q``, less their means under the reference, where actions are available."""
    pi = TsallisKL(lam, q, mu).policy(ops, Q, m.mask)
    ell = _dual_log(ops, pi / ops.where(m.mask, mu, 1), q, m.mask)
    centred = (ops.where(m.mask, x - ops.dot(mu, x)[:, None], 0) for x in (ell, Q))
    return tuple(centred)


@claim(
    id="tsallis_mvi.C1b",
    family=SMALL[:2],
    draws=INSIDE,
    source=ZHU + " (first-order condition)",
    kind="identity",
    instances=(),
)
def stationary(ops: Any, m: Any, Q: Any, mu: Any, room: Any, q: Any) -> Identity:
    r"""L_q(\pi/\mu) = (Q - \nu)/(q\lambda) for the maximiser of \langle\pi, Q\rangle - \lambda D_q(\pi\|\mu) that
    drops no action; compared without their means under \mu.

    Proof: the derivative of :math:`\pi L_q(\pi/\mu)` in :math:`\pi` is :math:`q L_q(\pi/\mu) + 1`. No action is
    dropped, since the weight exceeds twice the range of Q: then :math:`|Q - \nu|/(q\lambda) < 1/(q-1)`.
    """
    lam = room * (ops.norm(Q) + 1) * 2
    ell, centred = _slopes(ops, m, Q, mu, lam, q)
    return Identity(ell, centred / (q * lam), axes=("s", "a"))


@twin(stationary, why="without the factor 1/q, as some papers write the policy, that of tau/q")
def stationary_without_the_factor(ops: Any, m: Any, Q: Any, mu: Any, room: Any, q: Any) -> Identity:
    lam = room * (ops.norm(Q) + 1) * 2
    ell, centred = _slopes(ops, m, Q, mu, lam, q)
    return Identity(ell, centred / lam, axes=("s", "a"))


TERMS = {name: scalars(-0.4375, 1.0) for name in ("x", "y", "z")} | {"q": indices(most=3.0, usual=USUAL[:-1])}


@claim(
    id="tsallis_mvi.C2",
    family=families.bandits(2),
    draws=TERMS,
    source=ZHU + ", theorem on the policy recursion",
    kind="identity",
    instances=(),
)
def products(ops: Any, m: Any, x: Any, y: Any, z: Any, q: Any) -> Identity:
    r"""e_q(x) e_q(y) e_q(z) = e_q(x + y + z + (q-1)(xy + yz + zx) + (q-1)^2 xyz) while each factor is positive.

    Proof: :math:`1 + (q-1)[\ldots] = \prod_j (1 + (q-1) x_j)`. So k steps of Tsallis-KL regularisation, each a factor
    :math:`e_q(Q_j/(q\lambda) - \psi_j)`, give a policy proportional to :math:`e_q` of an aggregate with product terms.
    """
    c = q - 1
    joined = x + y + z + c * (x * y + y * z + z * x) + c * c * x * y * z
    return Identity(_dual_exp(ops, x, q) * _dual_exp(ops, y, q) * _dual_exp(ops, z, q), _dual_exp(ops, joined, q))


@twin(products, why="the plain sum: product terms are missing, and of two steps (q - 1) x y already is")
def products_without_cross_terms(ops: Any, m: Any, x: Any, y: Any, z: Any, q: Any) -> Identity:
    return Identity(_dual_exp(ops, x, q) * _dual_exp(ops, y, q), _dual_exp(ops, x + y, q))


@twin(products, why="pairs alone: the product of all three is missing")
def products_without_the_last(ops: Any, m: Any, x: Any, y: Any, z: Any, q: Any) -> Identity:
    joined = x + y + z + (q - 1) * (x * y + y * z + z * x)
    return Identity(_dual_exp(ops, x, q) * _dual_exp(ops, y, q) * _dual_exp(ops, z, q), _dual_exp(ops, joined, q))


PAIR = {"pi": policies(interior=True), "mu": policies(interior=True), "q": indices(most=10.0)}


@claim(
    id="tsallis_mvi.C3", family=SMALL, draws=PAIR, source=ZHU + " (pseudo-additivity)", kind="identity", instances=()
)
def pseudo_additivity(ops: Any, m: Any, pi: Any, mu: Any, q: Any) -> Identity:
    r"""L_q(\pi/\mu) = (L_q \pi - L_q \mu) / (1 + (q-1) L_q \mu).

    Proof: the denominator is :math:`\mu^{q-1}`. So a difference of logarithms of policies, which MVI(q) has, is no
    logarithm of their quotient, which the divergence has, unless q is 1.
    """
    mu = ops.where(m.mask, mu, 1)
    quotient = _dual_log(ops, pi / mu, q, m.mask)
    below = _dual_log(ops, mu, q, m.mask)
    return Identity(quotient, (_dual_log(ops, pi, q, m.mask) - below) / (1 + (q - 1) * below), axes=("s", "a"))


@twin(pseudo_additivity, why="additivity, which is for q = 1 alone")
def additivity(ops: Any, m: Any, pi: Any, mu: Any, q: Any) -> Identity:
    mu = ops.where(m.mask, mu, 1)
    quotient = _dual_log(ops, pi / mu, q, m.mask)
    return Identity(quotient, _dual_log(ops, pi, q, m.mask) - _dual_log(ops, mu, q, m.mask), axes=("s", "a"))


RAISED = {"pi": policies(), "mu": policies(interior=True), "q": indices(), "more": scalars(0.0, 2.0)}


@claim(id="tsallis_mvi.C5", family=SMALL, draws=RAISED, source=ZHU + " (derived)", kind="inequality", instances=())
def monotone_divergence(ops: Any, m: Any, pi: Any, mu: Any, q: Any, more: Any) -> Inequality:
    r"""|D_q(\pi\|\mu)| \le D_{q'}(\pi\|\mu) for q \le q': no divergence is negative, and they do not fall with the index.

    Proof: with :math:`u = t^c` the derivative of :math:`(t^c - 1)/c` in c is :math:`(u \log u - u + 1)/c^2 \ge 0`; and
    :math:`t L_q(t) - t + 1 \ge 0`, a convex function that vanishes with its slope at 1.
    """
    first, second = (ops.tsallis_divergence(pi, mu, index, where=m.mask) for index in (q, q + more))
    return Inequality(ops.abs(first), second, axes=("s",))


monotone_divergence_almost = stronger(monotone_divergence, 0.99)


@twin(monotone_divergence, why="the wrong way round: at most the divergence of Kullback and Leibler for q above 1")
def divergence_below_kl(ops: Any, m: Any, pi: Any, mu: Any, q: Any, more: Any) -> Inequality:
    return Inequality(
        ops.tsallis_divergence(pi, mu, 1 + more, where=m.mask), ops.relative_entropy(pi, mu, where=m.mask), axes=("s",)
    )


@twin(monotone_divergence, why="the other index: 2 - q in place of q, as other papers have it")
def divergence_of_the_dual_index(ops: Any, m: Any, pi: Any, mu: Any, q: Any, more: Any) -> Inequality:
    half = 0.5 + 0 * q
    return Inequality(
        ops.tsallis_divergence(pi, mu, 2 - half, where=m.mask),
        ops.tsallis_divergence(pi, mu, half, where=m.mask),
        axes=("s",),
    )
