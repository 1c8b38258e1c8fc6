"""What drawings of MDPs have in common: axes of their own where none are given, and colours on which arrows can be seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def own(ax: Axes | None, size: tuple[float, float]) -> Axes:
    """``ax``, or the axes of a new figure of so many inches."""
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    _, new = plt.subplots(figsize=size, layout="constrained")
    return new


def plain(ax: Axes, x: tuple[float, float], y: tuple[float, float]) -> None:
    """Nothing but the drawing, in units that are as long as they are high."""
    ax.set(xlim=x, ylim=y, aspect="equal", xticks=[], yticks=[])
    ax.set_axis_off()


def points_of(ax: Axes, units: float, width: float) -> float:
    """Points that so many of the ``width`` units of axes are, and at most the size of the figure's letters; at least 5."""
    import matplotlib

    inches = ax.figure.get_figure(root=True).get_figwidth() * ax.get_position().width
    return float(np.clip(units / width * inches * 72, 5.0, matplotlib.rcParams["font.size"]))


def shades(values: np.ndarray, cmap: Any, limits: tuple[float, float] | None) -> tuple[Any, np.ndarray]:
    """A mappable for the colour bar, and which (n,) of the values have colours so dark that letters on them are white.

    limits : values of the ends of the colours; None: the least and the largest.
    """
    import matplotlib
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    low, high = limits or (float(values.min()), float(values.max()))
    if high <= low:
        low, high = low - 0.5, high + 0.5
    mappable = ScalarMappable(Normalize(low, high), cmap or matplotlib.rcParams["image.cmap"])
    mappable.set_array(values)
    rgb = mappable.to_rgba(values)[:, :3]
    return mappable, rgb @ np.array([0.299, 0.587, 0.114]) < 0.5


def finite(values: Any, shape: tuple[int, ...], name: str) -> np.ndarray:
    """As an array. ValueError for another shape, or a number that is not finite, with its place."""
    x = np.asarray(values, dtype=np.float64)
    if x.shape != shape:
        raise ValueError(f"{name} has shape {x.shape}: expected {shape}")
    if not np.isfinite(x).all():
        at = tuple(int(i) for i in np.argwhere(~np.isfinite(x))[0])
        raise ValueError(f"{name}[{', '.join(map(str, at))}] is {x[at]}: expected finite numbers")
    return x


def distribution(values: Any, shape: tuple[int, ...], name: str) -> np.ndarray:
    """As an array (..., A). ValueError besides for a row that is no distribution, with its place and its sum."""
    x = finite(values, shape, name)
    off = (x < 0).any(axis=-1) | (np.abs(x.sum(axis=-1) - 1) > 1e-6)
    if off.any():
        s = int(np.argmax(off))
        raise ValueError(f"{name}[{s}] is {x[s].tolist()}: expected probabilities that sum to 1")
    return x
