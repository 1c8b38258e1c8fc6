"""Tallies of chunks into the tally of a claim, and to JSON and back, bit by bit.

A tally is a monoid: that of a claim is the merge of its chunks' in the order of their addresses, whoever computed them and
when. Fields merge by their type (counts add, flags and texts keep what is there, lists go one after the other) unless
``_APART`` names them; a field of a class of its own needs ``merge(later)``, ``as_data()`` and a classmethod ``of_data(data)``.
"""

from __future__ import annotations

import math
import typing
from collections.abc import Iterable, Mapping
from dataclasses import fields
from functools import cache
from typing import Any

from proofs_check.verdict import Tally

_FLOAT = "float"  # {"float": "inf"}: what JSON has no number for
# Merged by ``Tally``'s own methods, or by a rule that their type does not tell.
_APART = ("refuted", "counterexample", "ratio", "ratio_at", "gap", "gap_at", "resolution")


def merged(tallies: Iterable[Tally]) -> Tally:
    """The tally of all, in the order given."""
    total = Tally()
    for tally in tallies:
        add(total, tally)
    return total


def add(total: Tally, later: Tally) -> None:
    """Put the tally of later instances on top of ``total``."""
    total.resolution = min(total.resolution, later.resolution)
    total.ratio_seen(later.ratio, later.ratio_at)
    total.gap_seen(later.gap, later.gap_at)
    refuted = total.refuted + later.refuted
    if later.counterexample is not None:
        found = dict(later.counterexample)
        total.refutation(found.pop("size"), found)
    total.refuted = refuted
    for field in fields(Tally):
        if field.name not in _APART:
            setattr(total, field.name, _add(field.name, getattr(total, field.name), getattr(later, field.name)))


def _add(name: str, a: Any, b: Any) -> Any:
    match a:
        case None:
            return b
        case bool() | str():
            return a or b
        case int():
            return a + b
        case list() | tuple():
            return a + b
        case dict():
            return a | {k: _add(name, a[k], x) if k in a else x for k, x in b.items()}
    if hasattr(a, "merge"):
        return a if b is None else a.merge(b)
    raise TypeError(f"no rule merges Tally.{name}, of type {type(a).__name__}: give it a method merge(later)")


def encode(tally: Tally) -> dict[str, Any]:
    """JSON-able data without NaN or infinities; fields at their defaults are left out."""
    plain = Tally()
    given = {f.name: getattr(tally, f.name) for f in fields(Tally)}
    return {name: _data(name, x) for name, x in given.items() if not _same(x, getattr(plain, name))}


def decode(data: Mapping[str, Any]) -> Tally:
    """The tally of ``encode``. ValueError for a field that there is not."""
    tally, types = Tally(), _types()
    for name, x in data.items():
        if name not in types:
            raise ValueError(f"a tally has no field {name!r}")
        setattr(tally, name, _value(types[name], x))
    return tally


def _same(a: Any, b: Any) -> bool:
    return type(a) is type(b) and (a == b or (isinstance(a, float) and math.isnan(a) and math.isnan(b)))


def _data(name: str, x: Any) -> Any:
    match x:
        case None | bool() | int() | str():
            return x
        case float():  # JSON writes repr, which is exact
            return x if math.isfinite(x) else {_FLOAT: repr(x)}
        case list() | tuple():
            return [_data(name, y) for y in x]
        case dict():
            return {str(k): _data(name, y) for k, y in x.items()}
    if hasattr(x, "as_data"):
        return x.as_data()
    raise TypeError(f"Tally.{name} of type {type(x).__name__} cannot be stored: give it as_data() and of_data(data)")


@cache
def _types() -> dict[str, Any]:
    return typing.get_type_hints(Tally)


def _value(kind: Any, x: Any) -> Any:
    """``x`` as the annotation ``kind`` says."""
    if isinstance(x, dict) and x.keys() == {_FLOAT}:
        return float(x[_FLOAT])
    if typing.get_origin(kind) in (typing.Union, type(int | None)):
        if x is None:
            return None
        (kind,) = (k for k in typing.get_args(kind) if k is not type(None))
    if kind is float:
        return float(x)
    arguments = typing.get_args(kind)
    match typing.get_origin(kind):
        case t if t is list:
            return [_value(arguments[0], y) for y in x]
        case t if t is tuple:
            each = arguments[:1] * len(x) if arguments[1:] == (...,) else arguments
            return tuple(_value(k, y) for k, y in zip(each, x, strict=True))
        case t if t is dict:
            return {k: _value(arguments[1], y) for k, y in x.items()}
    if isinstance(x, list):
        return [_value(Any, y) for y in x]
    if isinstance(x, dict) and not hasattr(kind, "of_data"):
        return {k: _value(Any, y) for k, y in x.items()}
    return kind.of_data(x) if hasattr(kind, "of_data") else x
