"""Statements that are equal in the end, or differ by one part in 2^80: far below float64, for the calibration of exact verdicts."""

from __future__ import annotations

from typing import Any

from proofs_check import Identity, Inequality, Witness, claim, families, scalars

TINY = 2.0**-80
_WHERE: dict[str, Any] = {
    "family": families.garnet(2, 2, gamma=(0.5,)),
    "draws": {"c": scalars(1.0, 2.0)},
    "instances": (),
}


@claim(id="calibration.equal", **_WHERE)
def equal(ops: Any, m: Any, c: Any) -> Inequality:
    """(c/3) 3 <= c."""
    return Inequality(c / 3 * 3, c)


@claim(id="calibration.more", **_WHERE)
def more(ops: Any, m: Any, c: Any) -> Inequality:
    """c (1 + 2^-80) <= c."""
    return Inequality(c * (1 + ops.constant(TINY)), c)


@claim(id="calibration.same", **_WHERE)
def same(ops: Any, m: Any, c: Any) -> Identity:
    """(c/3) 3 = c."""
    return Identity(c / 3 * 3, c)


@claim(id="calibration.other", **_WHERE)
def other(ops: Any, m: Any, c: Any) -> Identity:
    """c = c + 2^-20."""
    return Identity(c, c + ops.constant(2.0**-20))


@claim(id="calibration.none", **_WHERE)
def none(ops: Any, m: Any, c: Any) -> Witness:
    """(c/3) 3 < c somewhere."""
    return Witness(Inequality(c / 3 * 3, c))


@claim(id="calibration.some", **_WHERE)
def some(ops: Any, m: Any, c: Any) -> Witness:
    """c < c (1 + 2^-80) somewhere."""
    return Witness(Inequality(c, c * (1 + ops.constant(TINY))))


ALL = (
    ("equal sides", "true", equal),
    ("false by one part in 2^80", "false", more),
    ("equal sides", "true", same),
    ("false by 2^-20", "false", other),
    ("equal sides, strictly", "false", none),
    ("true by one part in 2^80", "true", some),
)
