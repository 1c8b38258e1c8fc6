r"""Markov chains and what they earn: recurrent classes, stationary laws, gain and bias.

For a transition matrix ``P`` with rewards ``r``, :math:`P^* = \lim_n \frac1n \sum_{t<n} P^t`, the *gain* is :math:`g = P^* r`
and the *bias* :math:`h` is the solution of

.. math:: h = r - g + P h, \qquad P^* h = 0.

They are what is left of the discounted values next to one: :math:`V_\gamma = g / (1 - \gamma) + h + O(1 - \gamma)`. Any number
of recurrent classes is fine. They are found from which entries are positive, so that no rounding merges two of them; laws of
a class come from eliminations with sums only (``tabular._resolvent``), rows being read as distributions.
Source: Puterman 1994, appendix A and section 8.2; Grassmann, Taksar and Heyman 1985.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from tabular import _validate as check
from tabular._chain_iteration import iterated
from tabular._resolvent import SPARSE_LU, resolvent_solve
from tabular.errors import ImproperModel
from tabular.mdp import CSR


class GainBias(NamedTuple):
    """``gain`` (S,) in units of reward a step, ``bias`` (S,) in units of reward, with ``P* bias = 0``."""

    gain: np.ndarray
    bias: np.ndarray


def recurrent_classes(P: Any) -> list[np.ndarray]:
    """The closed communicating classes of a chain, as ascending states, by least state; what is in none is transient.

    P : (S, S) array, ``CSR`` or scipy matrix whose rows sum to one; ModelError names the place where they do not.
    """
    return _classes(chain(P))


def stationary_distribution(P: Any, rho: Any = None) -> np.ndarray:
    """Long-run frequencies of the states of a chain: (S,).

    P : as in ``recurrent_classes``.  rho : (S,) start distribution, which matters where there are several classes; without
    it they raise ImproperModel. Each entry has a small relative error, however rare the state. O(S^3).

    >>> stationary_distribution([[0.75, 0.25], [0.5, 0.5]]).round(15)
    array([0.66666667, 0.33333333])
    """
    matrix = chain(P)
    classes = _classes(matrix)
    S = matrix.shape[0]
    if rho is None and len(classes) > 1:
        raise ImproperModel(
            f"the chain has {len(classes)} recurrent classes, with least states {_few([c[0] for c in classes])}: "
            "its long-run frequencies depend on the start; give rho"
        )
    start = None if rho is None else check.check_distribution(rho, S)[0]
    out = np.zeros(S)
    for states, reached in zip(classes, _absorption(matrix, classes), strict=True):
        mass = 1.0 if start is None else float(start @ reached)
        out[states] = mass * _law(_block(matrix, states, states))
    return out


def limiting_matrix(P: Any) -> np.ndarray:
    """``P* = lim 1/n sum_{t<n} P^t``: (S, S)."""
    matrix = chain(P)
    classes = _classes(matrix)
    out = np.zeros(matrix.shape)
    for states, reached in zip(classes, _absorption(matrix, classes), strict=True):
        out[:, states] = reached[:, None] * _law(_block(matrix, states, states))
    return out


def deviation_matrix(P: Any) -> np.ndarray:
    """``H = (I - P + P*)^-1 - P*``, so that the bias of rewards ``r`` is ``H r``: (S, S).

    Its columns are the biases of one unit in each state, as accurate in chains that hardly leave a set of states; the inverse
    would be as wrong as that matrix is near to a singular one. O(S^3).
    """
    matrix = chain(P)
    dense = matrix if isinstance(matrix, np.ndarray) else matrix.toarray()
    return gain_bias(dense, np.eye(len(dense))).bias


def chain_gain_bias(P: Any, r: Any) -> GainBias:
    """Gain and bias of a chain with rewards ``r`` (S,). A linear system for each recurrent class and two for the rest.

    >>> chain_gain_bias([[0.0, 1.0], [1.0, 0.0]], [1.0, 0.0])
    GainBias(gain=array([0.5, 0.5]), bias=array([ 0.25, -0.25]))
    """
    matrix = chain(P)
    reward = check.float_array(r, "r")
    if reward.shape != (matrix.shape[0],):
        check.fail(f"r has shape {reward.shape}: expected ({matrix.shape[0]},)")
    check.check_finite(reward, "r")
    return gain_bias(matrix, reward)


def gain_bias(P: Any, r: np.ndarray) -> GainBias:
    """The same for an array or a scipy matrix that is known to be a chain; large sparse ones are iterated first.

    Of an array ``r`` may have columns: (S, k), as the answer then has.
    """
    classes = _classes(P)
    if len(r) > SPARSE_LU and not isinstance(P, np.ndarray):
        label = np.full(len(r), -1)
        for k, states in enumerate(classes):
            label[states] = k
        found = iterated(P, r, label)
        if found is not None:
            return GainBias(*found)
    g, h = np.zeros(r.shape), np.zeros(r.shape)
    for states in classes:
        block = _block(P, states, states)
        law = _law(block)
        g[states] = law @ r[states]
        h[states] = _bias(block, law, r[states] - g[states])
    stays = np.concatenate(classes)
    moving = np.setdiff1d(np.arange(len(r)), stays)
    if len(moving):
        inner, out = _block(P, moving, moving), _block(P, moving, stays)
        leaves = _sums(out)
        g[moving] = _solve(inner, out @ g[stays], leaves)
        h[moving] = _solve(inner, r[moving] - g[moving] + out @ h[stays], leaves)
    return GainBias(g, h)


def chain(P: Any) -> Any:
    """A transition matrix as a float array or a scipy CSR matrix. ModelError names the place of bad data."""
    if isinstance(P, CSR):
        from scipy.sparse import csr_array

        n = len(P.indptr) - 1
        P = csr_array((P.data, P.indices, P.indptr), shape=(n, n))
    if hasattr(P, "tocsr"):
        P = P.tocsr().copy()
        P.sum_duplicates()
        P.eliminate_zeros()
        data = P.data
    else:
        P = data = check.float_array(P, "P")
    if P.ndim != 2 or P.shape[0] != P.shape[1] or not P.shape[0]:
        check.fail(f"P has shape {P.shape}: expected (S, S)")
    check.check_probabilities(data, "P")
    total = _sums(P)
    off = np.abs(total - 1.0)
    if (off > check.row_tolerance(P.shape[0])).any():
        s = int(np.argmax(off))
        check.fail(f"P[{s}] sums to {total[s]:.17g}, {total[s] - 1.0:+.3g} from 1")
    return P


def _classes(P: Any) -> list[np.ndarray]:
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    src, dst = P.nonzero()
    graph = coo_array((np.ones(len(src), dtype=np.int8), (src, dst)), shape=P.shape)
    n, label = connected_components(graph, directed=True, connection="strong")
    closed = np.ones(n, dtype=bool)
    closed[label[src[label[src] != label[dst]]]] = False
    order = np.argsort(label, kind="stable")
    order = order[closed[label[order]]]
    if not len(order):
        return []
    found = np.split(order, np.flatnonzero(np.diff(label[order])) + 1)
    return sorted(found, key=lambda states: int(states[0]))


def _absorption(P: Any, classes: list[np.ndarray]) -> list[np.ndarray]:
    """For each class the probabilities (S,) of ending up in it."""
    S = P.shape[0]
    moving = np.setdiff1d(np.arange(S), np.concatenate(classes))
    inner = _block(P, moving, moving)
    leaves = _sums(_block(P, moving, np.concatenate(classes)))
    found = []
    for states in classes:
        reached = np.zeros(S)
        reached[states] = 1.0
        if len(classes) == 1:
            reached[moving] = 1.0
        elif len(moving):
            reached[moving] = _solve(inner, _sums(_block(P, moving, states)), leaves)
        found.append(reached)
    return found


def _law(block: Any) -> np.ndarray:
    """Stationary law of an irreducible chain: expected visits of each state between two of the first one."""
    n = block.shape[0]
    visits = np.ones(n)
    if n > 1:
        rest = np.arange(1, n)
        start = _sums(_block(block, np.zeros(1, dtype=int), rest), axis=None)
        visits[1:] = _solve(_block(block, rest, rest), start, _sums(_block(block, rest, np.zeros(1, dtype=int))), True)
    return visits / visits.sum()


def _bias(block: Any, law: np.ndarray, excess: np.ndarray) -> np.ndarray:
    """``h = excess + P h`` with ``law h = 0``, pinned at the likeliest state while it is computed."""
    h = np.zeros(excess.shape)
    if len(law) > 1:
        pin = int(np.argmax(law))
        rest = np.delete(np.arange(len(law)), pin)
        leaves = _sums(_block(block, rest, np.array([pin])))
        h[rest] = _solve(_block(block, rest, rest), excess[rest], leaves)
    return h - law @ h


def _solve(inner: Any, b: np.ndarray, leaves: np.ndarray, transpose: bool = False) -> np.ndarray:
    try:
        x = resolvent_solve(inner, 1.0, b, leaves, transpose)
    except np.linalg.LinAlgError:
        x = np.array(np.nan)
    if not np.isfinite(x).all():
        raise ImproperModel(
            "the expected time between two visits, or to a recurrent class, is beyond the range of floats"
        )
    return x


def _block(P: Any, rows: np.ndarray, columns: np.ndarray) -> Any:
    return P[np.ix_(rows, columns)] if isinstance(P, np.ndarray) else P[rows][:, columns]


def _sums(P: Any, axis: int | None = 1) -> np.ndarray:
    """Row sums; of a single row its entries."""
    if axis is None:
        return np.asarray(P if isinstance(P, np.ndarray) else P.toarray()).ravel()
    return np.asarray(P.sum(axis=axis)).ravel()


def _few(items: list[Any]) -> str:
    shown = ", ".join(str(int(x)) for x in items[:4])
    return f"{shown}, ..." if len(items) > 4 else shown
