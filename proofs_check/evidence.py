"""What a claim returns: two values, and what is said of them. Never a bare boolean.

The sides are ``Value``s of the arithmetic in which the body ran (or plain numbers, taken exactly), with event shape ``()``, or with
event axes that ``axes`` names, e.g. ``axes=("s",)`` for a statement about every state.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Inequality:
    """``measured <= bound``, at every index of the named axes.

    ``trivial``, where given, is a bound that holds without the theorem: a bound that never goes below it says
    nothing, and the claim is ``vacuous``. The ratio ``measured / bound`` is formed where the bound is positive.
    """

    measured: Any
    bound: Any
    trivial: Any = None
    axes: tuple[str, ...] = ()

    @property
    def sides(self) -> tuple[Any, Any]:
        """Left and right of the sign."""
        return self.measured, self.bound


@dataclass(frozen=True)
class Identity:
    """``left = right``, at every index of the named axes."""

    left: Any
    right: Any
    axes: tuple[str, ...] = ()

    @property
    def sides(self) -> tuple[Any, Any]:
        """Left and right of the sign."""
        return self.left, self.right


Evidence = Inequality | Identity


def values(ops: Any, evidence: Any, claim_id: str) -> tuple[Any, Any, Any]:
    """Left, right and trivial of an evidence as ``Value``s of ``ops``; trivial may be None.

    Raises TypeError where a body returned something else, or event axes that it does not name.
    """
    if not isinstance(evidence, (Inequality, Identity)):
        raise TypeError(f"{claim_id} returned {type(evidence).__name__}: expected Inequality or Identity")
    sides = (*evidence.sides, getattr(evidence, "trivial", None))
    lifted = [None if x is None else _value(ops, x) for x in sides]
    for x in _present(lifted):
        if x.ndim not in (0, len(evidence.axes)):
            raise TypeError(
                f"{claim_id} returned a value of event shape {x.shape} with axes={evidence.axes!r}: name each axis, "
                f'e.g. axes=("s",), or reduce it with ops.max, ops.sum or ops.norm'
            )
    return lifted[0], lifted[1], lifted[2]


def _value(ops: Any, x: Any) -> Any:
    from tabular.reference.value import Value

    return x if isinstance(x, Value) else ops.constant(x)


def _present(items: list[Any]) -> Iterator[Any]:
    return (x for x in items if x is not None)
