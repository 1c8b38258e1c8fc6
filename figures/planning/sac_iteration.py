"""sac: error of soft policy iteration, whose tail is quadratic, and of soft value iteration, against iterations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from figures.table import Table
from tabular.instances import garnet
from tabular.planning.sac import iteration_errors, soft_policy_iteration

QUICK: dict[str, Any] = {"taus": (0.25,), "K": 6, "seeds": 2}


def compute(
    *,
    S: int = 20,
    A: int = 5,
    gamma: float = 0.875,
    taus: Sequence[float] = (0.0625, 0.25, 1.0),
    K: int = 12,
    seeds: int = 16,
) -> Table:
    r"""Columns ``tau``, ``seed``, ``k``, ``policy_iteration`` and ``value_iteration``: :math:`\max |Q^* - Q_k|`,
    ``quadratic_bound`` (NaN at ``k = 0``), and ``floor``, below which errors are rounding: the certified error of Q*
    and that of a linear system of this size. All in units of reward.

    A seed is a Garnet; both start from the soft values of its uniform policy.
    """
    family, rows = garnet(S, A, gamma=(gamma,)), []
    names = ("k", "policy_iteration", "value_iteration", "quadratic_bound")
    for seed in range(seeds):
        mdp = family.member(0, seed)
        for tau in taus:
            errors = iteration_errors(mdp, tau, K)
            run = soft_policy_iteration(mdp, tau, K=1)
            size = float(np.abs(run.result["Q"][:, mdp.mask]).max())
            floor = run.info["Q_star_error"] + (S + 8) * np.finfo(float).eps * size / (1.0 - gamma)
            rows += [(tau, seed, *row, floor) for row in zip(*(errors[name] for name in names), strict=True)]
    return Table.of_rows(("tau", "seed", *names, "floor"), rows, S=S, A=A, gamma=gamma, K=K, seeds=seeds)
