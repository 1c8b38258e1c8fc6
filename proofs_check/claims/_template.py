r"""A claim to copy: to ``claims/<room>/<key>.py`` for a paper of the registry, or to any file for one's own.

Run it with ``proofs-check verify FILE``. The body is written once, over ``ops``: no NumPy function, no ``if`` and no
assignment to items of values, and no tolerance anywhere. Its docstring's first paragraph is the
statement, and what it returns says how that is judged: an ``Inequality`` or ``Identity`` on every instance; ``Scaling``
and ``Order`` along a range; a ``Witness``; or, on average over the family, a ``Trial`` or ``Comparison``, with chance
from ``draws={"rng": streams}`` (``proofs_check.evidence``, ``proofs_check.sampling``). ``MUTANTS`` are faults to be planted
in the functions that the claims rest on, here or in the paper's module of ``tabular``: each must be killed by a claim.
"""

from __future__ import annotations

from typing import Any

from proofs_check import Inequality, Mutant, claim, families, twin, values


def distance(ops: Any, V: Any, W: Any) -> Any:
    """A function that the claim rests on; a solver of the paper would be imported instead."""
    return ops.norm(V - W)


@claim(
    id="template.C1",
    family=families.garnet(S=4, A=3),
    draws={"V": values(), "W": values(like="V")},
    source="author and year, Theorem 1",
    kind="inequality",
)
def contraction(ops: Any, m: Any, V: Any, W: Any) -> Inequality:
    r"""\|TV - TW\|_\infty \le \gamma \|V - W\|_\infty.

    Proof: in a line or two, so that a reader knows why it is true.
    """
    return Inequality(distance(ops, ops.backup(m, V), ops.backup(m, W)), m.gamma * distance(ops, V, W))


@twin(contraction, why="the constant is squared: this must come out refuted")
def contraction_squared(ops: Any, m: Any, V: Any, W: Any) -> Inequality:
    return Inequality(distance(ops, ops.backup(m, V), ops.backup(m, W)), m.gamma**2 * distance(ops, V, W))


MUTANTS = (Mutant("plus for minus in the distance", __name__, "distance", "V - W", "V + W"),)
