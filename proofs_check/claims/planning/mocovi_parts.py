r"""Instances of model correction, made backwards, so that no solver is needed and every arithmetic has them.

Draw the corrected rows :math:`\bar P` and dual variables :math:`\lambda(s,a)`; the model is their tilt back,
:math:`\hat P \propto \bar P e^{-\lambda\cdot\phi}`; the truth is :math:`P = \bar P (1 + e\,n)` with ``n`` of mean
zero and orthogonal to every :math:`\phi_i` under :math:`\bar P`, so that it has the moments of :math:`\bar P`. Then
:math:`\bar P` is the correction of :math:`\hat P` by the moments of ``P``: it is feasible and of the form that
Lagrange's conditions ask for, and divergences are convex. Every triple whose dual has a minimiser arises so. With
noisy queries the conditions of the penalised problem say :math:`\psi = E_{\bar P}\phi + (\beta^2/2) \lambda`.

Values are drawn, too: the reward :math:`V - \gamma P_\pi V` makes ``V`` the value of the policy.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from proofs_check.draws import Draw, Integers, Payload, Place
from tabular.batch import MDPBatch
from tabular.instances import parts
from tabular.instances.family import Family, Tape
from tabular.instances.garnet import garnet_weights
from tabular.reference import operators

GAMMAS = (0.5, 0.75, 0.9375, 0.9921875)
RESOLUTION = 1024
SMALL = 2.0**-52


def even_rows(S: int, A: int, *, only: bool = False) -> Family:
    """Garnets, of which half (``only``: all) have uniform rows, where the inequality of Pinsker is nearly attained."""
    given = parts.row_sizes(S, A, RESOLUTION) | {"gamma": parts.discounts(GAMMAS), "only": int(only)}
    return Family("mocovi_even_rows", 1, given, _even_rows)


def _even_rows(tape: Tape, S: int, A: int, gamma: Any, only: int) -> MDPBatch:
    w = garnet_weights(tape, S, A, None, RESOLUTION * S)
    even = (tape.integers("even", (), 2) == 0) | bool(only)
    w[even] = RESOLUTION
    R = parts.draw_rewards(tape, S, A)
    return parts.assembled(tape, w, RESOLUTION * S, R, parts.draw_discounts(tape, gamma), tape.key)


def functions(k: int, *, extremal: bool = False) -> Draw:
    """(S,) functions: half (``extremal``: all) the k-th row of a Hadamard matrix, the rest multiples of 1/8 in [-2,
    2], small integers, signs.

    Rows of that matrix are orthogonal under a uniform distribution where ``S`` is a power of two.
    """

    def sample(z: Integers, at: Place) -> Payload:
        odd = np.array([(k & t).bit_count() % 2 for t in range(at.S)])
        fine = z.between(-16, 16, at.B, at.S) / 8
        coarse = z.between(-1, 1, at.B, at.S).astype(np.float64)
        signs = 2.0 * z.below(2, at.B, at.S) - 1.0
        kind = z.below(6, at.B)[:, None] * (not extremal)
        return Payload("array", np.select([kind < 3, kind < 4, kind < 5], [1.0 - 2.0 * odd, fine, coarse], signs), 1)

    return Draw(f"functions_{k}_{extremal}", sample)


def tilts(*, none: bool = False) -> Draw:
    """(S, A) dual variables, multiples of 1/16 in [-3, 3]; half (``none``: all) are zero."""

    def sample(z: Integers, at: Place) -> Payload:
        x = z.between(-48, 48, at.B, at.S, at.A) / 16
        flat = z.below(2, at.B)[:, None, None] == 0
        return Payload("array", np.where(flat | none, 0.0, x), 2)

    return Draw(f"tilts_{none}", sample)


def amounts(most: int = 0, least: int = 10) -> Draw:
    """Scalars ``+-2^-k``, k = most ... least, a quarter of them ``+-2^-most``."""

    def sample(z: Integers, at: Place) -> Payload:
        k = np.where(z.below(4, at.B) == 0, most, z.between(most, least, at.B))
        return Payload("array", np.ldexp(2.0 * z.below(2, at.B) - 1.0, -k), 0)

    return Draw(f"amounts_{most}_{least}", sample)


def weights(source: Any) -> np.ndarray:
    """Rows of transitions as exact numbers up to a factor for each row: (batch +) (S, A, S)."""
    if isinstance(source, MDPBatch):
        return source.P if source.weights is None else source.weights
    e = source.exact()
    out = np.full((e.S, e.A, e.S), Fraction(0), dtype=object)
    for s, a in product(range(e.S), range(e.A)):
        for t, p in e.row(s, a).items():
            out[s, a, t] = p
    return out


class Corrected(NamedTuple):
    """True, corrected and approximate rows (S, A, S), and their known support."""

    P: Any
    bar: Any
    hat: Any
    where: Any


def rows(ops: Any, m: Any) -> Any:
    """Transitions of a model without endings as a value (S, A, S), zeros exact."""
    return ops.distribution(weights(m.source), 3)


def tilted(ops: Any, P: Any, where: Any, phi: Any, lam: Any) -> Any:
    """``P exp(sum_i lam_i phi_i)``, normalised; ``phi`` and ``lam`` are lists of (S,) and (S, A)."""
    x = P * 0
    for f, c in zip(phi, lam, strict=True):
        x = x + c[:, :, None] * f[None, None, :]
    return ops.gibbs(x, 1, weights=P, where=where)


def corrected(ops: Any, m: Any, phi: Any, lam: Any, g: Any, e: Any) -> Corrected:
    """The instance of the module's docstring: ``n`` is what is left of ``g``, scaled to at most one in each row.

    Gram-Schmidt under the row; functions that add nothing are zero and divided by ``SMALL``. Other squares are at
    least that: by Cauchy and Binet the Gram determinant of 1 and two functions in eighths is at least ``(resolution
    S)^-3 / 64^2``, their variance at most 4.
    """
    bar = rows(ops, m)
    where = ops.support(bar)
    hat = tilted(ops, bar, where, phi, [-c for c in lam])
    before: list[Any] = []
    for f in [*phi, g]:
        u = f[None, None, :] - ops.dot(bar, f[None, None, :])[:, :, None]
        for v in before:
            u = u - (ops.dot(bar, u * v) / ops.maximum(ops.dot(bar, v * v), SMALL))[:, :, None] * v
        before = [*before, ops.where(where, u, 0)]
    n = before[-1]
    n = n / ops.maximum(ops.max(ops.abs(n)), 2.0**-20)[:, :, None]
    return Corrected(bar * (1 + e * n), bar, hat, where)


def divergence(ops: Any, p: Any, q: Any, where: Any) -> Any:
    """Relative entropies of rows: (S, A)."""
    return ops.relative_entropy(p, q, where=where)


def model_error(ops: Any, P: Any, hat: Any, where: Any) -> Any:
    """The root of the largest divergence of a true row from its model."""
    return ops.sqrt(ops.largest(divergence(ops, P, hat, where)))


def chain(ops: Any, P: Any, pi: Any) -> Any:
    """``P_pi``: (S, S)."""
    return ops.sum(pi[:, :, None] * P, axis=-2)


def means(ops: Any, P: Any, f: Any) -> Any:
    """``E_P f``: (S, A)."""
    return ops.dot(P, f[None, None, :])


def apply(ops: Any, M: Any, V: Any) -> Any:
    """A matrix times a vector."""
    return ops.dot(M, V[None, :])


def system(ops: Any, m: Any, P: Any, pi: Any) -> Any:
    """``I - gamma P_pi``: (S, S). None stands for the rows of the model ``m`` itself, here and below."""
    return operators.resolvent(ops, m, pi) if P is None else ops.identity(m.S) - m.gamma * chain(ops, P, pi)


def resolvent(ops: Any, m: Any, P: Any, pi: Any, b: Any) -> Any:
    """``(I - gamma P_pi)^-1 b``: (S,)."""
    return ops.solve(system(ops, m, P, pi), b)


def reward_of(ops: Any, m: Any, P: Any, pi: Any, V: Any) -> Any:
    """The reward (S,) that makes ``V`` the value of ``pi`` under ``P``."""
    return apply(ops, system(ops, m, P, pi), V)


def value_error(ops: Any, m: Any, P: Any, other: Any, pi: Any, V: Any) -> Any:
    """``V - V'``: the value ``V`` of ``pi`` under ``P`` less that under other rows, at the same rewards."""
    return V - resolvent(ops, m, other, pi, reward_of(ops, m, P, pi, V))


def deterministic(S: int, A: int) -> list[np.ndarray]:
    """Every deterministic policy, (S, A) each."""
    return [np.eye(A)[list(actions)] for actions in product(range(A), repeat=S)]


def optimal(ops: Any, m: Any, P: Any, R: Any) -> Any:
    """Optimal values (S,) by evaluating every deterministic policy: some policy has the largest value in all states."""
    best = None
    for table in deterministic(m.S, m.A):
        pi = ops.array(table, 2)
        V = resolvent(ops, m, P, pi, ops.dot(pi, R))
        best = V if best is None else ops.maximum(best, V)
    return best


def c_1(ops: Any, m: Any) -> Any:
    r""":math:`\sqrt 2 \gamma / (1 - \gamma)`."""
    return ops.sqrt(ops.constant(2)) * m.gamma / (1 - m.gamma)
