"""The best deterministic answer to rewards, again and again for one model: policy iteration from the last answer, in floats."""

from __future__ import annotations

import numpy as np

from tabular._backups import Backups


def improved(b: Backups, R: np.ndarray, actions: np.ndarray) -> np.ndarray:
    """Policy iteration with rewards R (S, A) from ``actions`` (S,), ``gamma < 1``; an action gives way only to
    what is better beyond rounding."""
    mdp, states = b.mdp, np.arange(b.mdp.S)
    scale = 1e-12 * np.abs(R).max() / (1.0 - mdp.gamma)
    while True:
        pi = np.zeros((mdp.S, mdp.A))
        pi[states, actions] = 1.0
        V = np.asarray(b.solve(pi, R[states, actions]))
        Q = np.where(mdp.mask, R + b.q(V) - mdp.rewards, -np.inf)
        better = Q.max(axis=1) > Q[states, actions] + scale
        if not better.any():
            return actions
        actions = np.where(better, Q.argmax(axis=1), actions)
