"""Models made from a model, exactly: restricted to some pairs, or divided by its zero-reward end components.

With ``gamma = 1`` a policy may stay for ever, for nothing, in an end component of zero-reward pairs.
Bellman's equation then has many solutions; the quotient, where staying is an action that ends, has one, and
the same optimal values.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from tabular.exact_model import ExactModel, rounded
from tabular.mdp import CSR, MDP


class Piece(NamedTuple):
    """A model, its exact numbers (None: those of ``mdp``), and where the states of the original are: (S,)
    ints.

    ``quotient`` is the ``Collapsed`` it came from, None where nothing was collapsed.
    """

    mdp: MDP
    exact: ExactModel | None
    state_of: np.ndarray
    quotient: Any


def total_reward_piece(mdp: MDP, keep: np.ndarray | None = None) -> Piece:
    """The quotient of ``mdp`` (``gamma = 1``) restricted to the pairs ``keep`` (S, A); ``mdp`` itself where
    nothing collapses.
    """
    from tabular.planning.collapse import STAY, collapse

    P = mdp.csr()
    mask = mdp.mask if keep is None else mdp.mask & keep
    rewards = mdp.rewards
    exact = mdp.exact() if keep is not None or mdp.is_exact else None
    if exact is not None and mdp.is_exact:  # a tiny rational reward may round to zero
        zero = np.array([x == 0 for x in exact.R]).reshape(mask.shape)
        rewards = np.where(zero, 0.0, np.where(rewards == 0.0, 2.0**-1074, rewards))
    q = collapse(P.indptr, P.indices, P.data, rewards, mdp.end, mask)
    if not q.components and keep is None:
        return Piece(mdp, None, np.arange(mdp.S), None)
    exact = exact if exact is not None else mdp.exact()
    indptr, indices, weights, ends, totals, R = [0], [], [], [], [], []
    for code in q.pair_of.ravel().tolist():
        row: dict[int, int] = {}
        end, reward = 0, Fraction(0)
        if code >= 0:
            for j in range(int(exact.indptr[code]), int(exact.indptr[code + 1])):
                t = int(q.state_of[exact.indices[j]])
                row[t] = row.get(t, 0) + exact.weights[j]
            end, reward = exact.end_weights[code], exact.R[code]
        elif code == STAY:
            end = 1
        elif code <= -3:
            row[-3 - code] = 1
        for t in sorted(row):
            indices.append(t)
            weights.append(row[t])
        ends.append(end)
        totals.append(end + sum(row.values()) or 1)
        R.append(reward)
        indptr.append(len(indices))
    ptr, columns = np.array(indptr, dtype=np.int64), np.array(indices, dtype=np.int32)
    n, B = q.R.shape
    model = ExactModel(n, B, q.mask, ptr, columns, weights, ends, totals, R, exact.gamma, None)
    owner = np.repeat(np.arange(len(totals)), np.diff(ptr))
    data = rounded(weights, [totals[i] for i in owner.tolist()])
    rewards = np.where(q.mask, np.array([float(x) for x in R]).reshape(n, B), -np.inf)
    floats = MDP(CSR(ptr, columns, data), rewards, 1, end=rounded(ends, totals).reshape(n, B))
    return Piece(floats, model, q.state_of, q)
