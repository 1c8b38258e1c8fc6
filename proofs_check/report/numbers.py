"""Numbers of a verdict in words and cells: what was printed is rounded outwards, as everywhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from proofs_check.tables import ratio
from proofs_check.verdict import Verdict
from proofs_check.weighing import down, up

__all__ = ["counted", "gap", "ratio", "weighed"]

_E = {"log10_e_holds": "evidence for it", "log10_e_refutes": "evidence against it"}


def counted(v: Verdict) -> list[tuple[str, str]]:
    """How the instances were decided; rows of zeros are left out."""
    t = v.tally
    rows = [
        ("drawn", t.drawn),
        ("met the assumptions", t.met),
        ("decided by enclosure in float64", t.enclosure),
        ("decided exactly, in rationals", t.exact),
        ("decided by balls", t.balls),
        ("audited besides", t.audited),
        ("open", t.open),
        ("equalities and ties", t.ties),
        ("refuting", t.refuted),
        ("separated the wrong way, not settled", len(t.unsettled)),
    ]
    out = [(name, f"{n:,}") for name, n in rows if n]
    if v.resolution is not None:
        out.append(("resolution", f"2^-{int(v.resolution)}"))
    return out


def weighed(v: Verdict) -> list[tuple[str, str]]:
    """The numbers of evidence about averages, exponents and orders."""
    out = []
    for key, x in v.evidence.items():
        if key in _E:
            out.append((_E[key], f"e = 10^{x:.2f}"))
        elif key in ("trials", "failures", "pairs") or (key == "open" and x):
            out.append((key, f"{int(x):,}"))
        elif key == "delta":
            out.append(("delta", _span(x)))
        elif key == "upper_limit":
            out.append(("rate of failure at most (19/20, at any time)", up(x)))
        elif key == "mean":
            out.append(("mean difference", f"{x:.4g}"))
        elif key == "interval":
            out.append(("the mean lies in (each limit 19/20)", f"[{down(x[0])}, {up(x[1])}]"))
        elif key == "range":
            out.append(("range", f"{x[0]:g} to {x[1]:g}"))
        elif key == "least" and None not in x:
            out.append(("least constant on the range", f"[{down(x[0])}, {up(x[1])}]"))
        elif key == "declared":
            out += [(f"declared {name}", f"{value:g}") for name, value in _items(x) if value is not None]
    return out


def _items(x: Any) -> list[tuple[str, Any]]:
    return list(x.items()) if isinstance(x, Mapping) else []


def _span(x: Any) -> str:
    low, high = (float(y) for y in x)
    return f"{low:g}" if f"{low:g}" == f"{high:g}" else f"{down(low)} to {up(high)}"


def gap(x: float) -> str:
    """A gap, upwards."""
    return up(x).replace("-", "−")
