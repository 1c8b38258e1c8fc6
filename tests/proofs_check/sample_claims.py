"""Claims for the tests of the engine: true, false, tight, vacuous, broken."""

from __future__ import annotations

from typing import Any

from proofs_check import (
    Assumption,
    Identity,
    Inequality,
    claim,
    families,
    policies,
    scalars,
    temperatures,
    twin,
    values,
)
from tabular.regularizers import Shannon

FAMILY = families.garnet(2, 2, gamma=(0.5, 0.75))
PAIR = {"V": values(), "W": values(like="V")}


@claim(id="sample.true", family=FAMILY, draws=PAIR, instances=())
def true(ops: Any, m: Any, V: Any, W: Any) -> Inequality:
    """Contraction with room to spare."""
    return Inequality(ops.norm(ops.backup(m, V) - ops.backup(m, W)), 4 * m.gamma * ops.norm(V - W))


@claim(id="sample.tight", family=FAMILY, draws=PAIR | {"tau": temperatures()}, instances=())
def tight(ops: Any, m: Any, V: Any, W: Any, tau: Any) -> Inequality:
    """Soft contraction: attained by shifts, which balls can never separate."""
    reg = Shannon(tau)
    return Inequality(ops.norm(ops.backup(m, V, reg) - ops.backup(m, W, reg)), m.gamma * ops.norm(V - W))


@twin(tight, why="gamma squared")
def tight_squared(ops: Any, m: Any, V: Any, W: Any, tau: Any) -> Inequality:
    reg = Shannon(tau)
    return Inequality(ops.norm(ops.backup(m, V, reg) - ops.backup(m, W, reg)), m.gamma**2 * ops.norm(V - W))


@claim(id="sample.of_policy", family=FAMILY, draws={"pi": policies()}, instances=())
def of_policy(ops: Any, m: Any, pi: Any) -> Identity:
    """A policy's value is the fixed point of its backup."""
    V = ops.evaluate(m, pi)
    return Identity(ops.policy_backup(m, pi, V), V, axes=("s",))


@claim(id="sample.false", family=FAMILY, draws={"V": values()}, instances=())
def false(ops: Any, m: Any, V: Any) -> Inequality:
    """Every backup lowers every value."""
    return Inequality(ops.backup(m, V), V, axes=("s",))


@claim(id="sample.barely_false", family=FAMILY, draws={"c": scalars(1.0, 2.0)}, instances=())
def barely_false(ops: Any, m: Any, c: Any) -> Inequality:
    """c (1 + 2^-80) <= c: far below the rounding of float64."""
    return Inequality(c * (1 + ops.constant(2.0**-80)), c)


@claim(id="sample.barely_true", family=FAMILY, draws={"c": scalars(1.0, 2.0)}, instances=())
def barely_true(ops: Any, m: Any, c: Any) -> Inequality:
    """exp(c) (1 - 2^-80) <= exp(c): balls must climb to decide it."""
    return Inequality(ops.exp(c) * (1 - ops.constant(2.0**-80)), ops.exp(c))


@claim(id="sample.identity", family=FAMILY, draws={"c": scalars(1.0, 2.0)}, instances=())
def identity(ops: Any, m: Any, c: Any) -> Identity:
    """exp(c) exp(-c) = 1."""
    return Identity(ops.exp(c) * ops.exp(-c), 1)


@claim(id="sample.false_identity", family=FAMILY, draws={"c": scalars(1.0, 2.0)}, instances=())
def false_identity(ops: Any, m: Any, c: Any) -> Identity:
    """exp(c) = exp(c) + 2^-20."""
    return Identity(ops.exp(c), ops.exp(c) + ops.constant(2.0**-20))


@claim(id="sample.null", family=FAMILY, draws={"V": values()}, instances=())
def null(ops: Any, m: Any, V: Any) -> Inequality:
    """0 <= 0."""
    return Inequality(ops.norm(V - V), ops.norm(V - V))


@claim(
    id="sample.unmet",
    family=FAMILY,
    draws={"V": values()},
    assumptions=(Assumption("gamma = 1", lambda m: m.gamma == 1),),
    instances=(),
)
def unmet(ops: Any, m: Any, V: Any) -> Inequality:
    """Assumes what no instance meets."""
    return Inequality(ops.norm(V), ops.norm(V))


@claim(id="sample.trivial", family=FAMILY, draws={"V": values()}, instances=())
def trivial(ops: Any, m: Any, V: Any) -> Inequality:
    """A bound that never goes below the trivial one."""
    return Inequality(ops.norm(V), 2 * ops.norm(V) + 1, trivial=ops.norm(V))


@claim(id="sample.unknown", family=FAMILY, draws={"c": scalars(0.0, 1.0)}, instances=())
def unknown(ops: Any, m: Any, c: Any) -> Inequality:
    """log(c - c) <= 0 is about no number."""
    return Inequality(ops.log(c - c), 0)
