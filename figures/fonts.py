"""Fonts: there, or an error that names them. Matplotlib alone would take another one and say so in a log that nobody reads."""

from __future__ import annotations

from difflib import get_close_matches


class MissingFont(ValueError):
    """A font that this machine does not have."""


def require(family: str) -> str:
    """The file of a family. Raises `MissingFont` where there is none; the families that matplotlib brings are always there."""
    from matplotlib import font_manager

    names = sorted({entry.name for entry in font_manager.fontManager.ttflist})
    if family not in names:
        near = get_close_matches(family, names, 3, 0.5)
        hint = f"; near it: {', '.join(near)}" if near else ""
        raise MissingFont(
            f"the font {family!r} is not on this machine{hint}. STIXGeneral, DejaVu Sans, DejaVu Serif and cmr10 always are"
        )
    return str(font_manager.findfont(family, fallback_to_default=False))
