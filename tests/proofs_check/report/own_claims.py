"""Claims of one's own for the report: one that is true, one that is false, and names that must be escaped."""

from __future__ import annotations

from typing import Any

from proofs_check import Inequality, Mutant, Witness, claim, families, stronger, twin, values

FAMILY = families.random_endings(2, 2)


def distance(ops: Any, V: Any, W: Any) -> Any:
    return ops.norm(V - W)


@claim(id="own.C1", family=FAMILY, draws={"V": values()}, source="<b>Nobody</b> & co.", instances=())
def lowered(ops: Any, m: Any, V: Any) -> Inequality:
    r"""TV \le V for every V, as in ``<script>alert(1)</script>``."""
    return Inequality(ops.backup(m, V), V, axes=("s",), quotient=False)


@claim(id="own.C1a", family=FAMILY, draws={"V": values(), "W": values(like="V")}, instances=())
def contraction(ops: Any, m: Any, V: Any, W: Any) -> Inequality:
    r"""\|TV - TW\|_\infty \le \gamma \|V - W\|_\infty, unlike C1.

    Proof: <i>each</i> maximum moves by at most as much as what it is taken of.
    """
    return Inequality(distance(ops, ops.backup(m, V), ops.backup(m, W)), m.gamma * distance(ops, V, W))


half = stronger(contraction, 0.5, why="half <u>of</u> the bound")


@claim(id="own.C2", family=FAMILY, draws={"V": values()}, instances=())
def exists(ops: Any, m: Any, V: Any) -> Witness:
    r"""\exists V: TV < V in every state."""
    return Witness(Inequality(ops.backup(m, V), V, axes=("s",)))


@twin(exists, why="above itself")
def above(ops: Any, m: Any, V: Any) -> Inequality:
    return Inequality(V + 1, V, axes=("s",), quotient=False)


MUTANTS = (Mutant("<em>twice</em>", __name__, "distance", "ops.norm(V - W)", "ops.norm(V) + ops.norm(W)"),)
