r"""ucbvi: regret where one arm of each state is better by a gap that K episodes can hardly see, against K."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import Any

import numpy as np

from figures.bands import simultaneous_band
from figures.exploration.ucbvi_regret import PLAYERS, lower_bound_gap
from figures.table import Table
from tabular.exploration import interact
from tabular.instances.regret_bounds import planted_arm

CHOSEN = {("UCBVI-CH", 0.01), ("UCBVI-BF", 0.01), ("UCB-H", 0.02), ("OptimisticPlanning Hoeffding", 0.1), ("PSRL", 0.0)}
NAMED = {("UCBVI-CH", 1.0), ("Random", 0.0)}
QUICK: dict[str, Any] = {"Ks": (64, 256, 1024), "seeds": 16}


def compute(
    *,
    M: int = 4,
    A: int = 4,
    H: int = 10,
    Ks: Sequence[int] = (64, 256, 1024, 4096, 16384),
    seeds: int = 64,
    level: float = 0.95,
) -> Table:
    r"""Columns ``learner``, ``bonus``, ``scale``, ``K``, ``mean`` of :math:`Regret(K) / (H \sqrt{MAK})`, ``lower``
    and ``upper``: an interval that holds for all K of a learner at once; ``uniform``: what uniform actions lose,
    exactly, in the same unit.

    The gap is :math:`\sqrt{MA/K}/4`, a model of its own for each K, and the planted arms change with the seed. Every
    learner's curve should be flat: no one can fall below a constant, and who has the minimax rate does not rise.
    """
    rows: list[tuple[Any, ...]] = []
    unit = {K: H * sqrt(M * A * K) for K in Ks}
    for p in (p for p in PLAYERS if (p.learner, p.scale) in CHOSEN | NAMED):
        lost = []
        for seed in range(seeds):
            models = {K: planted_arm(M, A, H, lower_bound_gap(M, A, K), seed=seed) for K in Ks}
            lost.append(
                [
                    interact(m, p.make, K, seeds=[seed], record=[K], threads=1).result["total_regret"][0] / unit[K]
                    for K, m in models.items()
                ]
            )
        band = simultaneous_band(np.array(lost), level)
        for i, K in enumerate(Ks):
            uniform = K * (H - 1) * lower_bound_gap(M, A, K) * (1 - 1 / A) / unit[K]
            rows.append((p.learner, p.bonus, p.scale, K, band.mean[i], band.lower[i], band.upper[i], uniform))
    names = ("learner", "bonus", "scale", "K", "mean", "lower", "upper", "uniform")
    return Table.of_rows(names, rows, M=M, A=A, H=H, seeds=seeds, level=level)
