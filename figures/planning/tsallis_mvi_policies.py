"""tsallis_mvi: policies and their supports after k steps at fixed action values, for several indices q; 1 is KL and Shannon."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from figures.table import Table
from tabular import MDP
from tabular.planning.tsallis_mvi import tsallis_kl_value_iteration, tsallis_mvi

INDICES = (0.5, 1.0, 1.5, 2.0, 3.0, 10.0)
VALUES = (1.0, 0.9, 0.5, 0.0, -1.0)
QUICK: dict[str, Any] = {"indices": (1.0, 2.0), "K": 3}


def compute(
    *,
    values: Sequence[float] = VALUES,
    tau: float = 1.0,
    alpha: float = 0.9,
    indices: Sequence[float] = INDICES,
    K: int = 8,
) -> Table:
    """Columns ``scheme``, ``q``, ``k``, ``action``, ``value`` in units of reward, ``probability``, ``support``: how
    many actions have any.

    A bandit, so that the k-th step meets the rewards ``values`` whatever the scheme did before; at ``k = 0`` all are
    uniform. ``entropy`` maximises ``<pi, Q>`` plus ``tau`` times the Tsallis entropy, ``divergence`` the same less
    ``tau`` times the divergence from the policy before, ``mvi`` is MVI(q), whose factor ``1/q`` is absorbed. Nothing
    is drawn.
    """
    bandit = MDP(np.ones((1, len(values), 1)), [list(values)], 0.0)
    rows: list[tuple[Any, ...]] = []
    for q in indices:
        for k in range(K + 1):
            policies = {
                "entropy": tsallis_mvi(bandit, q, tau=tau, alpha=0.0, K=k + 1, absorbed=False),
                "divergence": tsallis_kl_value_iteration(bandit, q, lam=tau, K=k + 1),
                "mvi": tsallis_mvi(bandit, q, tau=tau, alpha=alpha, K=k + 1),
            }
            for scheme, run in policies.items():
                pi = run.result["pi"][0]
                support = int((pi > 0).sum())
                rows += [(scheme, q, k, a, values[a], pi[a], support) for a in range(len(values))]
    names = ("scheme", "q", "k", "action", "value", "probability", "support")
    return Table.of_rows(names, rows, tau=tau, alpha=alpha)
