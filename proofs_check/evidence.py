"""What a claim returns: seven kinds of evidence. Never a bare boolean.

Values are ``Value``s of the arithmetic in which the body ran (or plain numbers, taken exactly), with event shape
``()``, or with event axes that ``axes`` names, e.g. ``axes=("s",)`` for a statement about every state.
``Inequality``, ``Identity``, ``Scaling`` and ``Order`` are about each instance, ``Witness`` about some instance.
``Trial`` and ``Comparison`` are about the average over the claim's family, its draws and its seeds: each instance is
one trial, with a stream of random numbers of its own where the claim draws ``sampling.streams()``. ``Scaling`` and
``Order`` are so, too, where what they measure is ``Sampled``. A family of one's own must draw the instances of a batch
independently: what a batch shared would count 200 times, and refute what is true.
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

    ``quotient=False`` says that the ratio means nothing, as for two values V <= W, which a constant shifts (10^6 <= 10^6 + 1
    is not nearly attained). The least gap ``bound - measured`` is printed in its place, and the claim is ``tight`` by exact
    equalities alone, each beside an entry of the same instance, or, without ``axes``, an instance, where the sides differ.
    """

    measured: Any
    bound: Any
    trivial: Any = None
    axes: tuple[str, ...] = ()
    quotient: bool = True

    def __post_init__(self) -> None:
        if not isinstance(self.quotient, bool):
            raise TypeError(f"quotient is {self.quotient!r}: expected True or False")

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


@dataclass(frozen=True)
class Trial:
    """``failed`` has probability at most ``delta``.

    ``failed`` is an array of truth values, one for each instance, or the ``Inequality`` (or ``Identity``) whose failure is the
    failure; where its enclosures overlap, the trial fails for ``holds`` and does not for ``refuted``. ``delta`` in (0, 1) may be
    drawn. Refuted at e >= 10^6 against "the family's average failure rate is at most delta"; holds at e >= 20 against "it is at
    least delta"; see ``statistics.eprocess``.
    """

    failed: Any
    delta: Any


@dataclass(frozen=True)
class Comparison:
    """A beats B: on average over the family, ``a > b``, the two being paired on each instance.

    ``bound`` is at least ``|a - b|`` whatever the chance, and is computed from the model (``sampling.return_bound``),
    never from the sample: without it no finite sample says anything of a mean. Where it differs between instances,
    the statement is about the mean of ``(a - b) / bound``. Holds at e >= 20 against "the mean is at most 0", refuted
    at e >= 10^6 against "at least 0".
    """

    a: Any
    b: Any
    bound: Any


@dataclass(frozen=True)
class Sampled:
    """Outcomes (B, n) in [0, high], of which the means over the family are meant; ``high`` is a number or (n,)."""

    values: Any
    high: Any = 1.0


@dataclass(frozen=True)
class Scaling:
    """``y`` is of order ``x**p`` on the range of ``x``, with ``low <= p <= high``.

    ``x`` are n >= 4 increasing positive numbers; ``y`` n positive values (one event axis, or a list), or ``Sampled``.
    Holds where the slopes of the range and of its halves, and the last one continued by its drift, lie in [low,
    high]; refuted where all lie on one side of it, and would after twice the drift; undecided otherwise. See
    ``statistics.slopes``, also for when that bounds the exponent at infinity. The range is printed. Use the family on
    which the rate is attained.
    """

    x: Any
    y: Any
    low: Any
    high: Any


@dataclass(frozen=True)
class Order:
    """``measured[k] = O(shape[k])`` along ``x`` (1, 2, ..., n by default).

    Without a ``constant`` or a ``growth`` it is never refuted: it holds with the least constant on the range where
    the ratio has not grown for half of it, and is undecided, with the rate, where it grows. ``constant``: at every k,
    measured <= constant * shape. ``growth``: the ratio grows no faster than ``x**growth`` (0: not at all). See
    ``statistics.orders``.
    """

    measured: Any
    shape: Any
    x: Any = None
    constant: Any = None
    growth: Any = None


@dataclass(frozen=True)
class Witness:
    """There is an instance on which ``holds``, an ``Inequality`` (strictly, unless ``strict=False``) or an ``Identity``.

    Holds where one was found, whose signs were decided exactly: it is kept. Undecided otherwise: what was not found
    may be elsewhere. ``instance`` is the ``MDP`` that the body built itself, if it did not use the one it was given.
    """

    holds: Any
    instance: Any = None
    strict: bool = True


Evidence = Inequality | Identity | Trial | Comparison | Scaling | Order | Witness


def values(ops: Any, evidence: Any, claim_id: str) -> tuple[Any, Any, Any]:
    """Left, right and trivial of an ``Inequality`` or ``Identity`` as ``Value``s of ``ops``; trivial may be None.

    Raises TypeError where a body returned something else, or event axes that it does not name.
    """
    if not isinstance(evidence, (Inequality, Identity)):
        raise TypeError(f"{claim_id} returned {type(evidence).__name__}: expected {', '.join(_names())}")
    sides = (*evidence.sides, getattr(evidence, "trivial", None))
    lifted = [None if x is None else _value(ops, x) for x in sides]
    for x in _present(lifted):
        if x.ndim not in (0, len(evidence.axes)):
            raise TypeError(
                f"{claim_id} returned a value of event shape {x.shape} with axes={evidence.axes!r}: name each axis, "
                f'e.g. axes=("s",), or reduce it with ops.max, ops.sum or ops.norm'
            )
    return lifted[0], lifted[1], lifted[2]


def _names() -> list[str]:
    return [kind.__name__ for kind in Evidence.__args__]


def _value(ops: Any, x: Any) -> Any:
    from tabular.reference.value import Value

    return x if isinstance(x, Value) else ops.constant(x)


def _present(items: list[Any]) -> Iterator[Any]:
    return (x for x in items if x is not None)
