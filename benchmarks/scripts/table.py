"""A Gymnasium table as arrays, for the scripts of libraries that read arrays."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np

from benchmarks.scripts import ENVIRONMENTS


def arrays(name: str) -> tuple[np.ndarray, np.ndarray]:
    """``P`` (S, A, S), whose rows lack the probability of ending, and mean rewards ``R`` (S, A)."""
    environment, options = ENVIRONMENTS[name]
    table: Any = gymnasium.make(environment, **options).get_wrapper_attr("P")
    S, A = len(table), len(table[0])
    P, R = np.zeros((S, A, S)), np.zeros((S, A))
    for s, actions in table.items():
        for a, outcomes in actions.items():
            for p, t, reward, done in outcomes:
                R[s, a] += p * reward
                if not done:
                    P[s, a, t] += p
    return P, R


def with_end(P: np.ndarray, R: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same with the end as a last state, for libraries whose rows must sum to one."""
    S, A, _ = P.shape
    whole, rewards = np.zeros((S + 1, A, S + 1)), np.zeros((S + 1, A))
    whole[:S, :, :S], whole[:S, :, S], whole[S, :, S] = P, 1 - P.sum(axis=-1), 1
    rewards[:S] = R
    return whole, rewards
