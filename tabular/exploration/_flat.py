"""The layers of a finite horizon laid end to end, as kernels take them."""

from __future__ import annotations

import numpy as np

from tabular.exploration._layers import Layers


class Flat:
    """States and pairs numbered through all steps.

    Attributes
    ----------
    graph : ``first, indptr, indices, data`` (see ``tabular._kernels.entropy_games``).  start : law of the first states.
    symbol : of each pair, ``s * A + a``, the same at all steps.  step, state : of each pair.
    """

    def __init__(self, layers: Layers) -> None:
        H = layers.H
        self.symbols = layers.S * layers.A
        self._pairs = np.cumsum([0, *map(len, layers.pairs)])
        self._states = np.cumsum([0, *map(len, layers.states)])
        owner = np.concatenate([x + n for x, n in zip(layers.owner, self._states[:-1], strict=True)])
        self.first = np.searchsorted(owner, np.arange(self._states[-1] + 1)).astype(np.int64)
        counts = [np.diff(layers.P[h].indptr) if h < H - 1 else np.zeros(len(layers.pairs[h])) for h in range(H)]
        self.indptr = np.cumsum([0, *np.concatenate(counts)]).astype(np.int64)
        indices = [layers.P[h].indices + self._states[h + 1] for h in range(H - 1)]
        self.indices = np.concatenate([np.empty(0), *indices]).astype(np.int64)
        self.data = np.concatenate([np.empty(0), *(P.data for P in layers.P)])
        self.start = layers.start
        self.symbol = np.concatenate(layers.pairs).astype(np.int64)
        self.step = np.repeat(np.arange(H), list(map(len, layers.pairs)))
        self.state = owner

    @property
    def graph(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        return self.first, self.indptr, self.indices, self.data

    def split(self, x: np.ndarray) -> list[np.ndarray]:
        """Entries of the pairs, step by step."""
        return np.split(x, self._pairs[1:-1])

    def split_states(self, x: np.ndarray) -> list[np.ndarray]:
        """Entries of the states, step by step."""
        return np.split(x, self._states[1:-1])
