"""Samples of a model: a stand-in with the interface of ``tabular.generative_model.GenerativeModel``."""

from __future__ import annotations

import numpy as np

from tabular.mdp import MDP


class GenerativeModel:
    """Counts of successors drawn from each available pair; a function of the model, the seed and the step."""

    def __init__(self, mdp: MDP, seed: int) -> None:
        self.mdp, self.seed = mdp, seed

    def counts(self, n: int, step: int) -> np.ndarray:
        """(S, A, S + 1) int64: how often each successor came in ``n`` draws, the last one being the end."""
        rng = np.random.default_rng(np.random.SeedSequence([self.seed, step]))
        rows = np.concatenate([self.mdp.to_dense().P, self.mdp.end[..., None]], axis=-1)
        rows = np.where(self.mdp.mask[..., None], rows, np.eye(self.mdp.S + 1)[-1])
        drawn = rng.multinomial(n, rows / rows.sum(axis=-1, keepdims=True))
        return np.where(self.mdp.mask[..., None], drawn, 0)
