"""Where figures go: widths of columns in inches, sizes of letters in points, and where these numbers come from.

What tueplots knows is asked of tueplots; venues and years that it does not know are here. A name without a year is the newest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches


@dataclass(frozen=True)
class Venue:
    """One page layout.

    Attributes
    ----------
    widths : "single" and "double" -> inches, the same where the page has one column.  tallest : inches that a figure may take.
    size : points of labels; the text of the page has one or two more.  font : family.  source : of the widths.
    """

    name: str
    widths: Mapping[str, float]
    tallest: float
    size: float
    font: str
    source: str


def _of(
    name: str,
    single: float,
    double: float,
    source: str,
    *,
    tallest: float = 8.0,
    size: float = 9.0,
    font: str = "STIXGeneral",
) -> Venue:
    return Venue(name, {"single": single, "double": double}, tallest, size, font, source)


VENUES = {
    v.name: v
    for v in (
        _of("neurips", 5.5, 5.5, "neurips_2025.sty"),
        _of("icml", 3.25, 6.75, "icml2025.sty", size=8.0),
        _of("iclr", 5.5, 5.5, "iclr2026_conference.sty"),
        _of("jmlr", 6.0, 6.0, "jmlr2e.sty"),
        _of("tmlr", 6.5, 6.5, "tmlr.sty"),
        _of("aistats", 3.25, 6.75, "aistats2025.sty"),
        _of("colt", 6.0, 6.0, "colt2025.cls"),
        _of("uai", 3.25, 6.75, "uai2025.cls"),
        _of("aaai", 3.3, 6.975, "aaai2026.sty"),
        _of(
            "beamer",
            398.3386 / 72.27 * 0.9,
            398.3386 / 72.27 * 0.9,
            "beamer, aspectratio=169",
            tallest=2.4,
            font="DejaVu Sans",
        ),
    )
}


def venue(name: str) -> Venue:
    """By name. ValueError for an unknown one, with those that are alike."""
    if name not in VENUES:
        near = get_close_matches(name, VENUES, 3, 0.5)
        raise ValueError(
            f"no venue {name!r}"
            + (f": did you mean {' or '.join(near)}?" if near else "")
            + f" Known: {', '.join(VENUES)}"
        )
    return VENUES[name]
