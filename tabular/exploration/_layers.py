"""The states and pairs that can be met at each step of a finite horizon, in the order of the steps.

What cannot be met is left out: it has no probability under any policy, and at the start of a large model it is nearly everything.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tabular import _border as border
from tabular import _validate as check
from tabular.errors import ModelError
from tabular.finite_horizon import FiniteHorizonMDP


def checked(fh: Any, who: str) -> FiniteHorizonMDP:
    """A finite horizon that has entropies. TypeError for other models; ModelError where it discounts, ends or has no start."""
    border.expect(fh, who, "FiniteHorizonMDP")
    if fh.gamma_exact != 1:
        raise ModelError(f"gamma = {border.discount(fh.gamma)}: {who} is for undiscounted horizons, gamma = 1")
    if fh.rho is None:
        raise ModelError(f"rho is missing: {who} asks where a trajectory starts")
    for h in range(fh.H):
        m = fh.stage(h)
        if m.has_end:
            s, a = check.first(m.end > 0)
            raise ModelError(
                f"stage {h}: end[{s}, {a}] is {m.end[s, a]:g}: an entropy counts the end as a state; "
                "tabular.exploration.visits.end_as_state makes it one"
            )
    return fh


class Layers:
    """The layers of a model: lists with an entry for each step.

    Attributes
    ----------
    states : (n_h,) states that can be met.  pairs : (m_h,) their available pairs, as ``s * A + a``, in order.
    owner : (m_h,) places in ``states`` of the pairs.  P : sparse (m_h, n_{h+1}) transitions, H - 1 of them.
    start : (n_0,) the law of the first state.
    """

    def __init__(self, fh: FiniteHorizonMDP) -> None:
        from scipy.sparse import csr_array

        self.S, self.A, self.H = fh.S, fh.A, fh.H
        assert fh.rho is not None
        reached = fh.rho > 0
        self.start = fh.rho[reached]
        self.states: list[np.ndarray] = []
        self.pairs: list[np.ndarray] = []
        self.owner: list[np.ndarray] = []
        self.P: list[Any] = []
        whole: dict[int, Any] = {}
        for h in range(fh.H):
            m = fh.stage(h)
            pairs = np.flatnonzero((reached[:, None] & m.mask).ravel())
            place = np.cumsum(reached) - 1
            self.states.append(np.flatnonzero(reached))
            self.pairs.append(pairs)
            self.owner.append(place[pairs // self.A])
            if h == fh.H - 1:
                break
            if id(m) not in whole:
                P = m.csr()
                whole[id(m)] = csr_array((P.data, P.indices, P.indptr), shape=(self.S * self.A, self.S))
            rows = whole[id(m)][pairs]
            rows.eliminate_zeros()
            reached = np.zeros(self.S, dtype=bool)
            reached[rows.indices] = True
            self.P.append(rows[:, np.flatnonzero(reached)])

    @property
    def masks(self) -> np.ndarray:
        """(H, S, A) bool: the pairs that can be met."""
        return self.spread([np.ones(len(x), dtype=bool) for x in self.pairs], False)

    def spread(self, x: list[np.ndarray], fill: Any = 0.0) -> np.ndarray:
        """(H, S, A) from entries for each pair."""
        out = np.full((self.H, self.S * self.A), fill)
        for h, entries in enumerate(x):
            out[h, self.pairs[h]] = entries
        return out.reshape(self.H, self.S, self.A)

    def spread_states(self, x: list[np.ndarray]) -> np.ndarray:
        """(H, S) from entries for each state, zero elsewhere."""
        out = np.zeros((self.H, self.S))
        for h, entries in enumerate(x):
            out[h, self.states[h]] = entries
        return out

    def at_states(self, h: int, x: np.ndarray) -> np.ndarray:
        """Sums of ``x`` (m_h,) over the pairs of each state."""
        return np.bincount(self.owner[h], weights=x, minlength=len(self.states[h]))

    def expected(self, h: int, V: list[np.ndarray]) -> np.ndarray:
        """``P_h V_{h+1}`` for each pair; zero after the last step."""
        return self.P[h] @ V[h + 1] if h < self.H - 1 else np.zeros(len(self.pairs[h]))

    def flow(self, pi: list[np.ndarray]) -> list[np.ndarray]:
        """Occupancies of each pair under the probabilities ``pi`` of the pairs."""
        mu, d = self.start, []
        for h in range(self.H):
            d.append(mu[self.owner[h]] * pi[h])
            if h < self.H - 1:
                mu = self.P[h].T @ d[h]
        return d

    def softmax(self, h: int, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Log-sum-exp of ``x`` (m_h,) over the actions of each state, and the logarithm of the softmax."""
        first = np.searchsorted(self.owner[h], np.arange(len(self.states[h])))
        top = np.maximum.reduceat(x, first)
        total = np.log(np.add.reduceat(np.exp(x - top[self.owner[h]]), first)) + top
        return total, x - total[self.owner[h]]

    def policy(self, pi: list[np.ndarray], mask: np.ndarray) -> np.ndarray:
        """(H, S, A) from probabilities of the pairs, uniform over ``mask`` (H, S, A) where nobody comes."""
        out = self.spread(pi)
        met = self.masks.any(axis=2, keepdims=True)
        out = np.where(met, out, mask)
        return np.asarray(out / out.sum(axis=2, keepdims=True))
