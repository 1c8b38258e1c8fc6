"""Where figures go: widths of columns in inches, sizes of letters in points, and where these numbers come from.

What tueplots knows is asked of tueplots, as `<venue><year>`; editions that it does not know are in `OURS`, with the file of the
venue that says so. A name without a year is the newest edition.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

POINT = 1 / 72.27
"""Inches in a point of TeX's."""
SERIF, SANS = "STIXGeneral", "DejaVu Sans"
"""Both come with matplotlib; the first has the shapes of Times, in which most venues are set."""
PAGE, SLIDE = 8.0, 2.4
"""Inches that a figure may be tall: the text of a page less a caption, a slide less its title."""


@dataclass(frozen=True)
class Venue:
    """One page layout.

    Attributes
    ----------
    widths : "single" and "double" -> inches: one column of the page, and all of it; the same where the page has one column.
    tallest : inches that a figure may take.  size, small : points, of labels, and of ticks and legends.
    font : family.  source : where the widths are from.
    """

    name: str
    widths: Mapping[str, float]
    tallest: float
    size: float
    small: float
    font: str
    source: str


def _page(name: str, source: str, width: float, column: float | None = None, size: float = 9.0) -> Venue:
    widths = {"single": column or width, "double": width}
    return Venue(name, widths, PAGE, size, size - 2, SERIF, source)


OURS = {
    v.name: v
    for v in (
        _page("neurips2025", "neurips_2025.sty: textwidth=5.5in", 5.5),
        _page("neurips2026", "neurips_2026.sty: textwidth=5.5in", 5.5),
        _page("icml2025", r"icml2025.sty: \textwidth 6.75in, \columnsep 0.25in", 6.75, 3.25, 8.0),
        _page("icml2026", r"icml2026.sty: \textwidth 6.75in, \columnsep 0.25in", 6.75, 3.25, 8.0),
        _page("iclr2025", r"iclr2025_conference.sty: \textwidth 5.5in", 5.5),
        _page("iclr2026", r"iclr2026_conference.sty: \textwidth 5.5in", 5.5),
        _page("aistats2026", r"aistats2026.sty: \textwidth 6.75in, \columnsep 0.25in", 6.75, 3.25),
        _page("aaai2025", r"aaai25.sty: \textwidth 7in, \columnsep 0.375in", 7.0, 3.3125),
        _page("aaai2026", r"aaai2026.sty: \textwidth 7in, \columnsep 0.375in", 7.0, 3.3125),
        _page("uai2025", "uai2025.cls, taken to be as wide as tueplots has uai2023", 6.75, 3.25),
        _page("colt2025", r"jmlr.cls, on which colt2025.cls builds: \textwidth 6in", 6.0),
        _page("colt2026", "as colt2025", 6.0),
        _page("rlc2026", r"rlj.sty: \textwidth 5.5in", 5.5),
    )
}
TUEPLOTS = {
    "neurips": (2021, 2022, 2023, 2024),
    "icml": (2022, 2024),
    "iclr": (2023, 2024),
    "aistats": (2022, 2023, 2025),
    "aaai": (2024,),
    "uai": (2023,),
    "jmlr": (2001,),
    "tmlr": (2023,),
}
"""Editions whose sizes tueplots 0.2 has."""
BEAMER = "beamer"


def names() -> list[str]:
    """What `venue` takes: each venue, then each edition."""
    editions = [*OURS, *(f"{name}{year}" for name, years in TUEPLOTS.items() for year in years)]
    return [*sorted({re.sub(r"\d+$", "", e) for e in editions} | {BEAMER}), *sorted(editions)]


def venue(name: str) -> Venue:
    """By name, perhaps with a year. ValueError for an unknown one, with those that are alike; ImportError without tueplots, where
    the sizes are in there.
    """
    if name == BEAMER:
        return _beamer()
    known = names()
    if name not in known:
        near = get_close_matches(name, known, 3, 0.6)
        hint = f": did you mean {' or '.join(near)}?" if near else "."
        raise ValueError(f"no venue {name!r}{hint} There are {', '.join(n for n in known if not n[-1].isdigit())}")
    edition = name if name[-1].isdigit() else max(e for e in known if re.sub(r"\d+$", "", e) == name and e != name)
    return OURS[edition] if edition in OURS else _of_tueplots(edition)


def _of_tueplots(edition: str) -> Venue:
    """One column is tueplots' "half" and the page its "full", where it makes the difference."""
    sizes, letters = _tueplots()
    both = [getattr(sizes, f"{edition}_{part}", None) or getattr(sizes, edition) for part in ("half", "full")]
    # Letters of ICML and AISTATS are asked for by some of the editions whose widths are there.
    font = getattr(letters, edition)()
    widths = dict(zip(("single", "double"), (float(f()["figure.figsize"][0]) for f in both), strict=True))
    return Venue(edition, widths, PAGE, font["font.size"], font["legend.fontsize"], SERIF, f"tueplots: {edition}")


def _beamer() -> Venue:
    sizes, letters = _tueplots()
    font, width = letters.beamer(), float(sizes.beamer_169()["figure.figsize"][0])
    widths = {"single": width, "double": width}
    return Venue(
        BEAMER,
        widths,
        SLIDE,
        font["font.size"],
        font["legend.fontsize"],
        SANS,
        "tueplots: beamer_169, nine tenths of the slide",
    )


def _tueplots() -> tuple[Any, Any]:
    try:
        from tueplots import figsizes, fontsizes
    except ImportError:
        raise ImportError(
            "the sizes of this venue are those of tueplots, which is not installed: pip install tueplots"
        ) from None
    return figsizes, fontsizes
