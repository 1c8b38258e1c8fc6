"""mdvi: loss of the last policy against iterations of one draw from each pair, for several alpha; 0 is value iteration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from figures.table import Table
from tabular.instances import garnet
from tabular.planning.mdvi import mdvi

ALPHAS = (0.0, 0.9, 0.99, 1.0)
QUICK: dict[str, Any] = {"K": 400, "alphas": (0.0, 0.99), "seeds": 3}


def compute(
    *, S: int = 6, A: int = 10, gamma: float = 0.875, K: int = 6400, alphas: Sequence[float] = ALPHAS, seeds: int = 16
) -> Table:
    """Columns ``alpha``, ``seed``, ``k``, ``samples``, ``last_loss``, ``loss`` (of the non-stationary policy) in units of reward.

    A seed is a Garnet and its draws; all alphas meet the same draws.
    """
    family, rows = garnet(S, A, gamma=(gamma,)), []
    for seed in range(seeds):
        mdp = family.member(0, seed)
        for alpha in alphas:
            history = mdvi(mdp, alpha=alpha, K=K, M=1, seed=seed).history
            columns = (history[name] for name in ("k", "samples", "last_loss", "loss"))
            rows += [(alpha, seed, *row) for row in zip(*columns, strict=True)]
    return Table.of_rows(
        ("alpha", "seed", "k", "samples", "last_loss", "loss"), rows, S=S, A=A, gamma=gamma, K=K, seeds=seeds
    )
