"""How figures look: sizes of the venue, fonts that are there or an error, colours for all eyes, dashes and markers for grey print.

A style changes nothing global: `context()` lends its settings to whatever is drawn inside. Nothing of matplotlib is imported
before the first figure is made.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np

from figures.venues import Venue, venue

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

GOLDEN = (5.0**0.5 - 1.0) / 2.0

PALETTE = ("#0072B2", "#E69F00", "#000000", "#009E73", "#56B4E9", "#D55E00", "#CC79A7")
"""Okabe and Ito (2008) without yellow, which is lost on white; neighbours differ in lightness, too."""

DASHES: tuple[Any, ...] = (
    "solid",
    (0, (5, 1.6)),
    (0, (1, 1.2)),
    (0, (6, 1.4, 1, 1.4)),
    (0, (8, 2)),
    (0, (4, 1.3, 1, 1.3, 1, 1.3)),
    (0, (2.4, 1.2)),
)
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p", "h", "*", "d", "8")
MOST = len(MARKERS)
"""Curves that a figure tells apart."""

GREY, FAINT = "#666666", "#BBBBBB"
"""For what is no curve: bounds, references, the rounding floor."""

MATH = {"STIXGeneral": "stix", "DejaVu Sans": "dejavusans", "DejaVu Serif": "dejavuserif", "cmr10": "cm"}
"""Fonts that have formulas of their own; others get those of STIX."""


@dataclass(frozen=True)
class Style:
    """Sizes, fonts and colours of one venue and column.

    Attributes
    ----------
    venue : sizes and their source.  column : "single" or "double": across one column of the page, or all of them.
    width, tallest : inches.  size, small : points, of labels and of ticks and legends.  font : family of all text.
    palette, dashes, markers : of curve 0, 1, ...; `line(i)` has all three.
    """

    venue: Venue
    column: str
    width: float
    tallest: float
    size: float
    small: float
    font: str
    palette: tuple[str, ...] = PALETTE
    dashes: tuple[Any, ...] = DASHES
    markers: tuple[str, ...] = MARKERS
    rc: dict[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, name: str = "neurips", column: str = "double", font: str | None = None) -> Style:
        """The style of a venue, perhaps with a year ("icml2026"). ValueError for unknown ones, with those that are alike."""
        place = venue(name)
        if column not in place.widths:
            raise ValueError(f"column is {column!r}: expected one of {', '.join(place.widths)}")
        return cls(place, column, place.widths[column], place.tallest, place.size, place.small, font or place.font)

    @property
    def math(self) -> str:
        """The set of fonts of formulas, as matplotlib calls it."""
        return MATH.get(self.font, "stix")

    def settings(self) -> dict[str, Any]:
        """All of matplotlib's parameters that differ from its defaults."""
        return {
            "font.family": [self.font],
            "mathtext.fontset": self.math,
            "font.size": self.size,
            "axes.labelsize": self.size,
            "axes.titlesize": self.size,
            "figure.titlesize": self.size,
            "legend.fontsize": self.small,
            "xtick.labelsize": self.small,
            "ytick.labelsize": self.small,
            "axes.formatter.use_mathtext": True,
            "axes.unicode_minus": self.font != "cmr10",
            "text.usetex": False,
            "pdf.fonttype": 42,
            "ps.fonttype": 42,
            "svg.fonttype": "path",
            "svg.hashsalt": "figures",
            "savefig.dpi": 300,
            "savefig.pad_inches": 0.0,
            "lines.linewidth": 1.1,
            "lines.markersize": 3.2,
            "axes.linewidth": 0.6,
            "grid.linewidth": 0.4,
            "grid.color": "#DDDDDD",
            "axes.grid": False,
            "axes.axisbelow": True,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "xtick.major.width": 0.6,
            "ytick.major.width": 0.6,
            "xtick.minor.width": 0.4,
            "ytick.minor.width": 0.4,
            "xtick.major.size": 2.6,
            "ytick.major.size": 2.6,
            "xtick.minor.size": 1.5,
            "ytick.minor.size": 1.5,
            "hatch.linewidth": 0.4,
            "legend.frameon": False,
            "legend.handlelength": 2.6,
            "legend.handletextpad": 0.5,
            "legend.columnspacing": 1.2,
            "legend.labelspacing": 0.3,
            "figure.constrained_layout.w_pad": 0.03,
            "figure.constrained_layout.h_pad": 0.03,
            "figure.constrained_layout.wspace": 0.04,
            "image.cmap": "cividis",
        } | self.rc

    @contextmanager
    def context(self) -> Iterator[None]:
        """Settings while the block runs, from matplotlib's defaults on: nobody's own settings shine through.

        Raises `MissingFont` where the font is not on this machine.
        """
        import matplotlib

        from figures.fonts import require

        require(self.font)
        with matplotlib.rc_context():
            defaults: dict[Any, Any] = {
                k: v for k, v in matplotlib.rcParamsDefault.items() if not k.startswith("backend")
            }
            matplotlib.rcParams.update(defaults | self.settings())
            yield

    def figure(self, rows: int = 1, cols: int = 1, ratio: float = GOLDEN, **subplots: Any) -> tuple[Figure, Any]:
        """A figure as wide as the column and its axes: one `Axes`, or an array of them as `subplots` makes it.

        ratio : height over width of each panel with its labels. The whole is never taller than the page allows.
        subplots : e.g. ``sharey=True``, ``squeeze=False``.
        """
        from matplotlib.figure import Figure

        height = min(self.width / cols * ratio * rows, self.tallest)
        with self.context():
            fig = Figure(figsize=(self.width, height), layout="constrained")
            axes = fig.subplots(rows, cols, **subplots)
        return fig, axes

    def grid(self, panels: int, least: float = 1.5) -> tuple[int, int]:
        """Rows and columns for so many panels, each at least so many inches wide."""
        cols = max(1, min(panels, int(self.width / least)))
        rows = ceil(panels / cols)
        return rows, ceil(panels / rows)

    def line(self, i: int, *, marker: bool = True) -> dict[str, Any]:
        """Colour, dash and marker of curve i, as arguments of `Axes.plot`; no two of the first 14 are alike."""
        if not 0 <= i < MOST:
            raise ValueError(f"curve {i}: a figure tells {MOST} curves apart, 0 to {MOST - 1}")
        n, turn = len(self.palette), i // len(self.palette)
        look = {"color": self.palette[i % n], "linestyle": self.dashes[(i + turn) % len(self.dashes)]}
        return look | ({"marker": self.markers[i]} if marker else {})

    def band(self, ax: Axes, x: Any, lower: Any, upper: Any, i: int = 0) -> Any:
        """The band of curve i: its colour, faint, behind the curves."""
        return ax.fill_between(
            x, lower, upper, color=self.palette[i % len(self.palette)], alpha=0.2, linewidth=0, zorder=1
        )

    def errors(
        self,
        ax: Axes,
        x: Any,
        y: Any,
        floor: Any,
        i: int = 0,
        *,
        label: str | None = None,
        every: int | None = None,
        **look: Any,
    ) -> Any:
        """An error on a logarithmic axis: what is at or below ``floor``, zeros included, stands on it, hollow.

        floor : positive, a number or one a point; it is drawn, and what lies below is hatched.  every : a marker each so
        many points; None: about 12 in all. ValueError for negative errors.
        """
        from figures.floors import curve

        return curve(ax, x, y, floor, self.line(i) | look, label=label, every=every)

    def legend(
        self, fig: Figure, axes: Any, *, titles: Sequence[str] = (), columns: int | None = None, **where: Any
    ) -> Any:
        """One legend above all panels, each label once, in as many columns as fit. None where nothing has a label."""
        found: dict[str, Any] = {}
        for ax in np.ravel(np.asarray(axes, dtype=object)):
            for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
                found.setdefault(label, handle)
        for label in titles:
            if label not in found:
                raise ValueError(f"no curve has the label {label!r}: there are {', '.join(map(repr, found))}")
        labels = list(titles) or list(found)
        if not labels:
            return None
        columns = columns or self._columns(labels)
        with self.context():
            return fig.legend([found[x] for x in labels], labels, loc="outside upper center", ncols=columns, **where)

    def _columns(self, labels: Sequence[str]) -> int:
        """As many as fit: a handle and its gaps are five ems, and a letter is about half a one."""
        em = self.small / 72.27
        for n in range(len(labels), 1, -1):
            widths = [max(len(x.replace("$", "").replace("\\", "")) for x in labels[k::n]) for k in range(n)]
            if sum((4.4 + 0.52 * w) * em for w in widths) <= self.width:
                return ceil(len(labels) / ceil(len(labels) / n))  # no row much shorter than the others
        return 1
