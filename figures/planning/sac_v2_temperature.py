"""sac_v2: entropy and return of soft-optimal policies along temperatures; where nothing ends, the best return for its entropy."""

from __future__ import annotations

from typing import Any

import numpy as np

from figures.table import Table
from tabular import MDP
from tabular.instances import garnet
from tabular.planning.sac_v2_average import temperature_path

REWARDS = (1.0, 0.5, 0.0)
QUICK: dict[str, Any] = {"points": 9, "seeds": 2}


def compute(
    *,
    lowest: float = 2.0**-6,
    highest: float = 2.0**6,
    points: int = 49,
    S: int = 10,
    A: int = 4,
    gamma: float = 0.875,
    seeds: int = 8,
) -> Table:
    """Columns ``model`` ("bandit" or "garnet"), ``seed``, ``tau`` in units of reward, ``entropy`` in nats a step, ``return`` and
    ``soft_value`` in units of reward, discounted.

    The bandit pays 1, 1/2 and 0 and has seed 0; a seed of the others is a Garnet, from a uniform start. ``points``
    temperatures in geometric progression from ``lowest`` to ``highest``.
    """
    taus = np.geomspace(lowest, highest, points)
    models = [("bandit", 0, MDP(np.ones((1, len(REWARDS), 1)), [list(REWARDS)], 0.0))]
    family, rows = garnet(S, A, gamma=(gamma,)), []
    models += [("garnet", seed, family.member(0, seed)) for seed in range(seeds)]
    for name, seed, mdp in models:
        path = temperature_path(mdp, taus, np.full(mdp.S, 1.0 / mdp.S))
        columns = (path[c] for c in ("tau", "entropy", "return", "soft_value"))
        rows += [(name, seed, *row) for row in zip(*columns, strict=True)]
    names = ("model", "seed", "tau", "entropy", "return", "soft_value")
    return Table.of_rows(names, rows, S=S, A=A, gamma=gamma, seeds=seeds)
