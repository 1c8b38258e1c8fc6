"""Bands over seeds as columns beside the runs that they are of: `draw` then makes no numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from figures.bands import simultaneous_band


def with_bands(
    columns: dict[str, np.ndarray], by: Sequence[str], x: str, quantities: Sequence[str], level: float
) -> dict[str, np.ndarray]:
    """``columns`` and, of each quantity y, ``y_mean``, ``y_lower``, ``y_upper``: the sup-t band over the points ``x`` of a curve.

    A curve is what has the same values of ``by``; its runs have columns ``seed`` and ``x``, all the same points. What is not
    finite for a seed of a curve is NaN for all of it. ValueError for fewer than two seeds.
    """
    out = dict(columns)
    for name in quantities:
        for part in ("mean", "lower", "upper"):
            out[f"{name}_{part}"] = np.full(len(columns[x]), np.nan)
    for curve in dict.fromkeys(zip(*(columns[name].tolist() for name in by), strict=True)):
        rows = np.flatnonzero(np.all([columns[n] == v for n, v in zip(by, curve, strict=True)], axis=0))
        points, seeds = np.unique(columns[x][rows]), np.unique(columns["seed"][rows])
        order = np.lexsort((columns[x][rows], columns["seed"][rows]))
        grid = rows[order].reshape(len(seeds), len(points))
        for name in quantities:
            y = np.asarray(columns[name], dtype=np.float64)[grid]
            if not np.isfinite(y).all():
                continue
            band = simultaneous_band(y, level)
            for part, value in (("mean", band.mean), ("lower", band.lower), ("upper", band.upper)):
                out[f"{name}_{part}"][grid] = value
    return out


def curve(part: Any, name: str) -> dict[str, np.ndarray]:
    """Columns ``mean``, ``lower``, ``upper`` of a quantity, for ``figures.panels.banded``."""
    return {end: part[f"{name}_{end}"] for end in ("mean", "lower", "upper")}


LEARNERS = {
    "dqn": "DQN", "soft-dqn": "soft DQN", "sparse-dqn": "sparse DQN", "mdqn": "Munchausen", "mvi-dqn": "MVI(2)",
    "sac-discrete": "discrete SAC", "bootstrapped-dqn": "bootstrapped", "optimistic-dqn": "optimistic",
    "entropy-dqn": "kernel", "apt-dqn": "neighbours", "mepol": "MEPOL", "mepol-counts": "MEPOL",
}  # fmt: skip
"""Agents as figures call them."""
