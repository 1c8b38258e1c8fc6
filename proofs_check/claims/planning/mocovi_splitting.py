r"""MoCoVI, part 3: operator splitting beside correction.

OS-VI iterates :math:`V_{k+1} = (I - \gamma\hat P_\pi)^{-1} (r_\pi + \gamma (P_\pi - \hat P_\pi) V_k)`; with
:math:`G = \gamma (I - \gamma\hat P_\pi)^{-1} (P_\pi - \hat P_\pi)` its error is multiplied by ``G``.
"""

from __future__ import annotations

from typing import Any

from proofs_check import Identity, Inequality, Witness, claim, families, models, policies, twin, values
from proofs_check.claims.planning import mocovi_parts as parts
from proofs_check.claims.planning.mocovi_corrections import PYTHAGORAS, RULES
from proofs_check.claims.planning.mocovi_parts import amounts, even_rows

RAKHSHA = "Rakhsha et al. 2024 (OS-VI: Rakhsha et al. 2022)"
SPLIT = {"other": models(), "V": values(), "W": values(like="V"), "pi": policies(), "e": amounts(2, 10)}
TWO = families.garnet(2, 1, gamma=parts.GAMMAS)


def _split(ops: Any, m: Any, other: Any, e: Any) -> tuple[Any, Any]:
    """Truth and model: the other rows, with a share ``|e|`` of the truth's, so that it dominates."""
    P = parts.rows(ops, m)
    return P, (1 - ops.abs(e)) * parts.rows(ops, other) + ops.abs(e) * P


def _step(ops: Any, m: Any, P: Any, hat: Any, pi: Any, reward: Any, V: Any) -> Any:
    """One iteration of OS-VI."""
    return parts.resolvent(ops, m, hat, pi, reward + m.gamma * parts.apply(ops, parts.chain(ops, P - hat, pi), V))


def _times(ops: Any, m: Any, P: Any, hat: Any, pi: Any, x: Any) -> Any:
    """``G x``."""
    return _step(ops, m, P, hat, pi, x * 0, x)


@claim(
    id="mocovi.C7",
    family=(families.garnet(3, 2, gamma=parts.GAMMAS), even_rows(2, 2)),
    draws=SPLIT,
    assumptions=RULES,
    source=RAKHSHA,
    kind="identity",
    instances=(),
)
def splitting(ops: Any, m: Any, other: Any, V: Any, W: Any, pi: Any, e: Any) -> Identity:
    r"""V^\pi - V_{k+1} = G (V^\pi - V_k) for OS-VI from any V_k.

    So :math:`e_k = G^k e_0`: it converges from everywhere if the spectral radius of ``G`` is below one, and diverges
    from almost everywhere if it is above. Proof: :math:`V^\pi` is a fixed point, and the iteration is affine with the
    matrix ``G``.
    """
    P, hat = _split(ops, m, other, e)
    reward = parts.reward_of(ops, m, None, pi, V)
    return Identity(V - _step(ops, m, P, hat, pi, reward, W), _times(ops, m, P, hat, pi, V - W), axes=("s",))


@twin(splitting, why="the resolvent of the truth in place of the model's")
def splitting_by_the_truth(ops: Any, m: Any, other: Any, V: Any, W: Any, pi: Any, e: Any) -> Identity:
    P, hat = _split(ops, m, other, e)
    reward = parts.reward_of(ops, m, None, pi, V)
    moved = m.gamma * parts.apply(ops, parts.chain(ops, P - hat, pi), V - W)
    left = V - _step(ops, m, P, hat, pi, reward, W)
    return Identity(left, parts.resolvent(ops, m, None, pi, moved), axes=("s",))


def _trace(ops: Any, m: Any, P: Any, hat: Any, pi: Any) -> Any:
    """The trace of ``G`` on two states; its other eigenvalue is 0, for constants are mapped to 0."""
    one, two = (ops.identity(2)[j] for j in range(2))
    return _times(ops, m, P, hat, pi, one)[0] + _times(ops, m, P, hat, pi, two)[1]


@claim(
    id="mocovi.C7a",
    family=TWO,
    draws=SPLIT,
    assumptions=RULES,
    source="derived from " + RAKHSHA,
    kind="identity",
    instances=(),
)
def two_states(ops: Any, m: Any, other: Any, V: Any, W: Any, pi: Any, e: Any) -> Identity:
    r"""On two states, e_{k+2} = tr(G) e_{k+1}: OS-VI diverges if and only if |tr(G)|, the spectral radius, exceeds 1
    (or stays, at 1).

    But for :math:`e_1 = 0`. Proof: rows of :math:`P_\pi - \hat P_\pi` sum to zero, so ``G`` has rank at most one, and
    :math:`G^2 = tr(G)\, G`.
    """
    P, hat = _split(ops, m, other, e)
    reward = parts.reward_of(ops, m, None, pi, V)
    first = _step(ops, m, P, hat, pi, reward, W)
    second = _step(ops, m, P, hat, pi, reward, first)
    return Identity(V - second, _trace(ops, m, P, hat, pi) * (V - first), axes=("s",))


@twin(two_states, why="from the first error on, which has a part along the constants")
def two_states_at_once(ops: Any, m: Any, other: Any, V: Any, W: Any, pi: Any, e: Any) -> Identity:
    P, hat = _split(ops, m, other, e)
    first = _step(ops, m, P, hat, pi, parts.reward_of(ops, m, None, pi, V), W)
    return Identity(V - first, _trace(ops, m, P, hat, pi) * (V - W), axes=("s",))


@claim(
    id="mocovi.C7b",
    family=TWO,
    draws=SPLIT,
    assumptions=RULES,
    source="derived from " + RAKHSHA,
    kind="existence",
    instances=(),
)
def diverges(ops: Any, m: Any, other: Any, V: Any, W: Any, pi: Any, e: Any) -> Witness:
    r"""There are a chain of two states and a model that dominates it with |tr(G)| > 2: the error of OS-VI doubles at
    each step, for ever.

    By C8 MoCoVI(1) has the exact value there after one query, unless its first value is constant: two successors, one
    function. Proof: C7a, and the witness.
    """
    P, hat = _split(ops, m, other, e)
    return Witness(Inequality(2, ops.abs(_trace(ops, m, P, hat, pi))))


@twin(diverges, why="beyond 2 gamma / (1 - gamma), the largest norm of G")
def diverges_too_fast(ops: Any, m: Any, other: Any, V: Any, W: Any, pi: Any, e: Any) -> Inequality:
    P, hat = _split(ops, m, other, e)
    return Inequality(2 * m.gamma / (1 - m.gamma), ops.abs(_trace(ops, m, P, hat, pi)))


@claim(
    id="mocovi.C7c",
    family=(even_rows(4, 2), families.self_loops(2, 2, gamma=parts.GAMMAS)),
    draws={name: PYTHAGORAS[name] for name in ("f1", "f2", "l1", "l2")} | {"pi": policies()},
    assumptions=RULES,
    source=RAKHSHA,
    kind="inequality",
    instances=(),
)
def bounded(ops: Any, m: Any, f1: Any, f2: Any, l1: Any, l2: Any, pi: Any) -> Inequality:
    r"""\|\bar V\| \le \|r\| / (1 - \gamma) for the value in any corrected model, whatever the functions and the dual
    variables.

    Proof: corrected rows are distributions. Attained by rewards of one absolute value that is never left.
    """
    P = parts.rows(ops, m)
    bar = parts.tilted(ops, P, ops.support(P), [f1, f2], [l1, l2])
    return Inequality(ops.norm(parts.resolvent(ops, m, bar, pi, ops.dot(pi, m.R))), ops.norm(m.R) / (1 - m.gamma))


@twin(bounded, why="the second value of OS-VI", family=TWO, draws=SPLIT)
def bounded_splitting(ops: Any, m: Any, other: Any, V: Any, W: Any, pi: Any, e: Any) -> Inequality:
    P, hat = _split(ops, m, other, e)
    reward = ops.dot(pi, m.R)
    first = _step(ops, m, P, hat, pi, reward, reward * 0)
    second = _step(ops, m, P, hat, pi, reward, first)
    return Inequality(ops.norm(second), ops.norm(m.R) / (1 - m.gamma))


@twin(bounded, why="a hundredth less")
def bounded_by_less(ops: Any, m: Any, f1: Any, f2: Any, l1: Any, l2: Any, pi: Any) -> Inequality:
    P = parts.rows(ops, m)
    bar = parts.tilted(ops, P, ops.support(P), [f1, f2], [l1, l2])
    value = ops.norm(parts.resolvent(ops, m, bar, pi, ops.dot(pi, m.R)))
    return Inequality(value, 0.99 * ops.norm(m.R) / (1 - m.gamma))
