r"""A claim to copy: to ``claims/<room>/<key>.py`` for a paper of the registry, or to any file for one's own.

Run it with ``proofs-check verify FILE``. The body is written once, over ``ops``: no NumPy function, no ``if`` and no
assignment to items of values, and no tolerance anywhere. Its docstring's first paragraph is the
statement, and what it returns says how that is judged: an ``Inequality`` or ``Identity`` on every instance; ``Scaling``
and ``Order`` along a range; a ``Witness``; or, on average over the family, a ``Trial`` or ``Comparison``, with chance
from ``draws={"rng": streams}`` (``proofs_check.evidence``, ``proofs_check.sampling``).
"""

from __future__ import annotations

from typing import Any

from proofs_check import Inequality, claim, families, twin, values


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
    return Inequality(ops.norm(ops.backup(m, V) - ops.backup(m, W)), m.gamma * ops.norm(V - W))


@twin(contraction, why="the constant is squared: this must come out refuted")
def contraction_squared(ops: Any, m: Any, V: Any, W: Any) -> Inequality:
    return Inequality(ops.norm(ops.backup(m, V) - ops.backup(m, W)), m.gamma**2 * ops.norm(V - W))
