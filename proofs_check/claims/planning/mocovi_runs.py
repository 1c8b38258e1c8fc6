r"""MoCoVI, part 4: runs from their first value, with corrections enclosed as they are made.

Chains of three states (one action: evaluation); the model mixes the truth with other rows, so that it dominates.
"""

from __future__ import annotations

from typing import Any

from proofs_check import Inequality, claim, families, models, twin
from proofs_check.claims.planning import mocovi_parts as parts
from proofs_check.claims.planning.mocovi_corrections import RULES
from proofs_check.claims.planning.mocovi_parts import amounts, functions
from tabular.reference.moments import corrected_row

STEPS = 2
DRAWN = {"other": models(), "f": functions(2), "e": amounts(0, 4)}
CHAINS = families.garnet(3, 1, gamma=(0.5, 0.75, 0.9375))


def _models(ops: Any, m: Any, other: Any, e: Any) -> tuple[Any, Any, Any]:
    """Truth and model (S, S), both of full support, and that support of one row."""
    even = ops.array([[1] * m.S] * m.S, 2) / m.S
    P = (3 * parts.rows(ops, m)[:, 0] + even) / 4
    hat = (1 - ops.abs(e)) * P + ops.abs(e) * (7 * parts.rows(ops, other)[:, 0] + even) / 8
    return P, hat, ops.support(hat)


def _value(ops: Any, m: Any, M: Any, reward: Any) -> Any:
    return ops.solve(ops.identity(m.S) - m.gamma * M, reward)


def _run(ops: Any, m: Any, P: Any, hat: Any, where: Any, reward: Any) -> list[Any]:
    """Errors (S,) of MoCoVI(1), from the model's own value on."""
    truth = _value(ops, m, P, reward)
    V = _value(ops, m, hat, reward)
    errors = [truth - V]
    for _ in range(STEPS):
        asked, corrected = parts.apply(ops, P, V), P * 0
        for s in range(m.S):
            row = corrected_row(ops, hat[s], V[None, :], asked[s : s + 1], where[..., s, :])
            corrected = corrected + ops.identity(m.S)[s][:, None] * row[None, :]
        V = _value(ops, m, corrected, reward)
        errors.append(truth - V)
    return errors


def _stacked(ops: Any, items: list[Any]) -> Any:
    """Scalars as one value (K,)."""
    total = None
    for k, x in enumerate(items):
        one = x * ops.identity(len(items))[k]
        total = one if total is None else total + one
    return total


def _reward(ops: Any, m: Any, f: Any) -> Any:
    """A reward that is not constant, so that no first value is."""
    return f + ops.array([5, 0, -5], 1)


@claim(
    id="mocovi.C6a",
    family=CHAINS,
    draws=DRAWN,
    assumptions=RULES,
    source="Rakhsha et al. 2024, Theorem 2, for exact queries",
    kind="rate",
    instances=(),
)
def runs(ops: Any, m: Any, other: Any, f: Any, e: Any) -> Inequality:
    r"""e_k \le c_1 \|\varepsilon\| e_{k-1} for k = 1, 2 of MoCoVI(1) from the value V_0 in the model, with e_k =
    \|V^\pi - V_k\|.

    Proof: C6, along the run.
    """
    P, hat, where = _models(ops, m, other, e)
    sizes = [ops.norm(x) for x in _run(ops, m, P, hat, where, _reward(ops, m, f))]
    rate = parts.c_1(ops, m) * ops.sqrt(ops.largest(ops.relative_entropy(P, hat, where=where)))
    return Inequality(_stacked(ops, sizes[1:]), rate * _stacked(ops, sizes[:-1]), axes=("k",))


@twin(runs, why="a rate of value iteration, gamma, whatever the model")
def runs_at_gamma(ops: Any, m: Any, other: Any, f: Any, e: Any) -> Inequality:
    P, hat, where = _models(ops, m, other, e)
    sizes = [ops.norm(x) for x in _run(ops, m, P, hat, where, _reward(ops, m, f))]
    return Inequality(_stacked(ops, sizes[1:]), m.gamma * _stacked(ops, sizes[:-1]), axes=("k",))


@twin(runs, why="a tenth of the rate")
def runs_at_a_tenth(ops: Any, m: Any, other: Any, f: Any, e: Any) -> Inequality:
    P, hat, where = _models(ops, m, other, e)
    sizes = [ops.norm(x) for x in _run(ops, m, P, hat, where, _reward(ops, m, f))]
    rate = parts.c_1(ops, m) * ops.sqrt(ops.largest(ops.relative_entropy(P, hat, where=where))) / 10
    return Inequality(_stacked(ops, sizes[1:]), rate * _stacked(ops, sizes[:-1]), axes=("k",))
