"""States that are worth exactly nothing, whatever the discount: their bounds are no estimate, and with
``gamma = 1`` the process may as well end there.

They are the largest set of states in which every (supported) pair earns nothing and leads to the set or to
the end, with a regulariser only one pair each, of which it takes nothing. A policy that stays in these pairs
earns a sum of zeros, also for rows of floats whose sums are not one. An absorbing goal is such a state.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tabular.certificates.float_bounds import Pair, support_of
from tabular.mdp import CSR, MDP
from tabular.regularizers import BUILT_IN, Hard


def worthless(mdp: MDP, regularizer: Any) -> np.ndarray:
    """(S,) bool. With ``gamma < 1``, where it matters little, only all states or none."""
    support = support_of(regularizer, mdp.mask)
    nothing: np.ndarray = ~((mdp.rewards != 0.0) & support).any(axis=1)  # none but zero rounds to zero: see the border
    if not isinstance(regularizer, Hard):
        nothing &= support.sum(axis=1) == 1
        if nothing.any():
            nothing &= _free(regularizer, mdp.mask)
    if nothing.all() or not nothing.any():
        return nothing
    if mdp.gamma_exact < 1:
        return np.zeros(mdp.S, dtype=bool)
    return nothing & ~_leading_to(mdp, support, np.flatnonzero(~nothing))


def _free(regularizer: Any, mask: np.ndarray) -> np.ndarray:
    """(S,) bool: whether a sure choice costs exactly nothing; of one's own regulariser, as balls know it."""
    if isinstance(regularizer, BUILT_IN):
        return np.ones(len(mask), dtype=bool)
    from tabular.reference import BallOps

    ops = BallOps(224)
    with ops:
        lower, upper = ops.bounds(regularizer.conjugate(ops, ops.array(np.zeros(mask.shape), 2), mask))
    return np.asarray((lower == 0) & (upper == 0))


def _leading_to(mdp: MDP, support: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """(S,) bool: states from which supported pairs may lead to the targets, which they are themselves."""
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import breadth_first_order

    S, P = mdp.S, mdp.csr()
    row = np.repeat(np.arange(S * mdp.A), np.diff(P.indptr))
    kept = support.ravel()[row]
    tails = np.concatenate([P.indices[kept], np.full(len(targets), S)])
    heads = np.concatenate([row[kept] // mdp.A, targets])
    back = csr_matrix((np.ones(len(heads), dtype=np.int8), (tails, heads)), shape=(S + 1, S + 1))
    out = np.zeros(S + 1, dtype=bool)
    out[breadth_first_order(back, S, directed=True, return_predecessors=False)] = True
    return out[:S]


def grounded_model(mdp: MDP, nothing: np.ndarray) -> MDP:
    """The same model where the pairs of these states end at once: the same values, and staying is no trap."""
    from tabular.planning.regularised_components import grounded

    P = mdp.csr()
    *parts, end = grounded(*P, mdp.end, mdp.mask, nothing)
    exact = mdp._exact
    if exact is not None and exact.weights is not None:
        w, e, t = exact.weights
        pairs = (nothing[:, None] & mdp.mask).ravel()
        kept = ~nothing[np.repeat(np.arange(len(t)), np.diff(P.indptr)) // mdp.A]
        weights = [x for x, keep in zip(w, kept.tolist(), strict=True) if keep]
        ends = [1 if p else x for p, x in zip(pairs.tolist(), e, strict=True)]
        totals = [1 if p else x for p, x in zip(pairs.tolist(), t, strict=True)]
        exact = exact._replace(weights=(weights, ends, totals))
    out = mdp._with(P=CSR(*parts), end=end, exact=exact)
    return out if mdp.is_sparse else out.to_dense()


def stays(pi: np.ndarray, regularizer: Any, mask: np.ndarray, nothing: np.ndarray) -> bool:
    """Whether a policy takes supported pairs only in these states."""
    return not (nothing[:, None] & (pi > 0) & ~support_of(regularizer, mask)).any()


def exactly(bounds: Pair, V: np.ndarray, nothing: np.ndarray) -> Pair:
    """Bounds on a value minus ``V``, of which some are known to be ``-V``."""
    low, high = (np.where(nothing, 0.0 - V, x) for x in bounds)
    return low, high
