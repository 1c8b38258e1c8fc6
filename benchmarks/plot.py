"""Time against size, both logarithmic. It makes no numbers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benchmarks.exponents import Fit

# Okabe and Ito's colours, and markers besides, for those who do not see them.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = "osD^v<>PX"


def draw(fits: Sequence[Fit], file: Path) -> None:
    """Measured medians as points, the fitted power of all sizes as a line, its exponent in the legend."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    import numpy as np

    style: dict[Any, Any] = {"pdf.fonttype": 42, "font.size": 8, "svg.hashsalt": "benchmarks"}
    with plt.rc_context(style):
        figure, axes = plt.subplots(figsize=(5.5, 3.8), layout="constrained")
        for i, f in enumerate(f for f in fits if len(f.sizes)):
            colour, marker = COLOURS[i % len(COLOURS)], MARKERS[i % len(MARKERS)]
            label = f"{f.label}: S^{f.exponent:.2f}"
            axes.loglog(f.sizes, f.seconds, linestyle="none", marker=marker, markersize=4, color=colour, label=label)
            if len(f.sizes) > 1:
                middle = np.exp(np.log(f.seconds).mean() + f.exponent * (np.log(f.sizes) - np.log(f.sizes).mean()))
                axes.loglog(f.sizes, middle, linewidth=0.8, color=colour)
        axes.set_xlabel("states S")
        axes.set_ylabel("seconds (median)")
        axes.legend(fontsize=6, frameon=False)
        figure.savefig(file, metadata={"CreationDate": None} if file.suffix == ".pdf" else None)
        plt.close(figure)
