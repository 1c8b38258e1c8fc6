"""Fonts: there, or an error that names them. Matplotlib alone would take another one and say so in a log that nobody reads."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ALWAYS = ("STIXGeneral", "DejaVu Sans", "DejaVu Serif", "cmr10")
"""Families that come with matplotlib."""
GENERIC = ("serif", "sans-serif", "sans serif", "cursive", "fantasy", "monospace", "sans")


class MissingFont(ValueError):
    """A font that this machine does not have."""


def require(family: str) -> str:
    """The file of a family. Raises `MissingFont` where there is none, naming those that are alike, or that are always there."""
    from matplotlib import font_manager

    names = sorted({entry.name for entry in font_manager.fontManager.ttflist})
    if family not in names:
        near = get_close_matches(family, names, 3, 0.6)
        hint = f"; near it: {', '.join(near)}" if near else ""
        kind = "a kind of font, not one" if family.lower() in GENERIC else "not on this machine"
        raise MissingFont(f"the font {family!r} is {kind}{hint}. Always there: {', '.join(ALWAYS)}")
    return str(font_manager.findfont(family, fallback_to_default=False))


def used(fig: Figure) -> list[str]:
    """The families in which a figure's text is set. Raises `MissingFont` for text that asks for one that is not there."""
    from matplotlib import font_manager
    from matplotlib.text import Text

    found = set()
    for text in fig.findobj(Text):
        if isinstance(text, Text) and text.get_visible():  # that of ticks comes with the drawing
            family = text.get_fontfamily()
            file = require(family if isinstance(family, str) else family[0])
            found.add(font_manager.get_font(file).family_name)
    return sorted(found)
