"""Figures as files: the same bytes for the same figure, fonts inside as Type 42, and no text that cannot be read.

SVG has its text as paths, so that it looks alike where the font is not installed; PDF has fonts that a printer takes. PGF is
measured by TeX, and is refused where there is none.
"""

from __future__ import annotations

import io
import shutil
import warnings
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from figures.style import Style

FORMATS = ("pdf", "svg", "png", "pgf")
TEX = ("lualatex", "xelatex", "pdflatex")
SMALLEST = 5.0  # points
LEAST = 0.4  # inches of a panel


class Unreadable(ValueError):
    """A figure with letters that its font does not have."""


class NoTeX(ValueError):
    """PGF without TeX."""


def texsystem() -> str:
    """The TeX that PGF is measured by. Raises `NoTeX` where there is none."""
    for name in TEX:
        if shutil.which(name):
            return name
    raise NoTeX(f"pgf needs one of {', '.join(TEX)} to measure its text, and none is on the path: take pdf or svg")


def as_bytes(fig: Figure, form: str, style: Style, *, title: str = "") -> bytes:
    """The file. The same figure gives the same bytes: no dates, and identifiers by a fixed salt.

    Raises `Unreadable` for a letter that is missing from the font, `MissingFont` for a font that is not there, `NoTeX`.
    """
    from matplotlib import rc_context

    from figures.fonts import used

    fonts = ", ".join(used(fig))
    data = io.BytesIO()
    pgf: dict[Any, Any] = {"pgf.texsystem": texsystem(), "pgf.rcfonts": False} if form == "pgf" else {}
    with style.context(), rc_context(pgf), warnings.catch_warnings():
        warnings.filterwarnings("error", message="Glyph .* missing")
        warnings.filterwarnings("error", message="Font .* does not have a glyph")
        try:
            fig.savefig(data, format=form, metadata=_metadata(form, title, fonts, style))
        except UserWarning as warning:
            raise Unreadable(f"{title or 'the figure'}: {warning} (the font is {style.font})") from None
    return data.getvalue()


def _metadata(form: str, title: str, fonts: str, style: Style) -> dict[str, Any] | None:
    said = f"text in {fonts}, formulas in the set {style.math}"
    match form:
        case "pdf":
            return {"Title": title, "Creator": "tabular-proofs", "Keywords": said, "CreationDate": None}
        case "svg":
            return {"Title": title, "Creator": "tabular-proofs", "Description": said, "Date": None}
        case "png":
            return {"Title": title, "Description": said, "Software": "tabular-proofs"}
    return None


def faults(fig: Figure) -> list[str]:
    """What nobody would submit: text beyond the edge or smaller than 5 points, labels of ticks that overlap, panels without room.

    Lines for people; none where all is well.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.text import Text

    fig.draw_without_rendering()
    renderer = FigureCanvasAgg(fig).get_renderer()
    found, hidden = [], _hidden(fig)
    width, height = fig.bbox.width, fig.bbox.height
    slack = fig.dpi / 72  # a point
    for text in fig.findobj(Text):
        if not (isinstance(text, Text) and _shown(text, hidden)):
            continue
        if (size := float(text.get_fontsize())) < SMALLEST:
            found.append(f"{text.get_text()!r} is set in {size:.1f} points")
        box = text.get_window_extent(renderer)
        beyond = max(-box.x0, -box.y0, box.x1 - width, box.y1 - height)
        if beyond > slack and box.width > 0:
            found.append(f"{text.get_text()!r} reaches {beyond / fig.dpi:.2f} inches beyond the edge")
    for i, ax in enumerate(fig.axes):
        box = ax.get_window_extent(renderer)
        if ax.axison and min(box.width, box.height) < LEAST * fig.dpi and not hasattr(ax, "_colorbar"):
            found.append(f"panel {i} is {box.width / fig.dpi:.2f} by {box.height / fig.dpi:.2f} inches")
        for axis, along in ((ax.xaxis, 0), (ax.yaxis, 1)):
            if overlap := _overlap([t for t in axis.get_ticklabels() if _shown(t, hidden)], renderer, along):
                found.append(f"labels of panel {i} overlap on the axis {'xy'[along]}: {overlap}")
    return found


def _hidden(fig: Figure) -> set[int]:
    """Identities of texts that are there and not drawn: of ticks beyond the limits, and of axes that are off."""
    found: set[int] = set()
    for ax in fig.axes:
        for axis in (ax.xaxis, ax.yaxis):
            low, high = sorted(axis.get_view_interval())
            for tick in (*axis.majorTicks, *axis.minorTicks):
                if not (ax.axison and ax.get_visible() and low <= tick.get_loc() <= high):
                    found |= {id(tick.label1), id(tick.label2)}
            if not ax.axison:
                found |= {id(axis.label), id(axis.offsetText)}
        if not ax.get_visible():
            found |= {id(text) for text in (*ax.texts, ax.title)}
    return found


def _shown(text: Any, hidden: set[int]) -> bool:
    return bool(text.get_visible() and text.get_text().strip() and id(text) not in hidden)


def _overlap(labels: Sequence[Any], renderer: Any, along: int) -> str:
    boxes = [label.get_window_extent(renderer) for label in labels]
    order = np.argsort([b.x0 + b.x1 if along == 0 else b.y0 + b.y1 for b in boxes], kind="stable")
    for a, b in pairwise(order):
        if boxes[a].overlaps(boxes[b]) and labels[a].get_text() != labels[b].get_text():
            return f"{labels[a].get_text()!r} and {labels[b].get_text()!r}"
    return ""
