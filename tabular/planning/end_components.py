"""End components: where a policy can stay for ever, and how to walk inside them.

An *end component* is a set of states with pairs that keep the process in it and connect its states. The
maximal ones are found in the usual way (de Alfaro 1997): strongly connected components, and removal of the
pairs that leave them. Structure alone counts: which transitions are possible, and whether a step may end.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class EndComponent(NamedTuple):
    """``states`` (n,) int64 and ``pairs`` (m,) int64 as ``s * A + a``, both ascending."""

    states: np.ndarray
    pairs: np.ndarray


def maximal_end_components(
    indptr: np.ndarray,
    indices: np.ndarray,
    end: np.ndarray,
    mask: np.ndarray,
    restrict: np.ndarray | None = None,
) -> list[EndComponent]:
    """Maximal end components, by least state.

    Parameters
    ----------
    indptr, indices : CSR structure of the pairs ``s * A + a``; every stored entry is a possible transition.
    end : (S, A) probabilities of ending; a pair that may end belongs to no end component.
    mask : (S, A) bool, available pairs.  restrict : (S, A) bool, pairs to which the search is restricted.

    Notes
    -----
    O(nnz) for each round of strongly connected components; rounds are few in practice and at most S.
    """
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import connected_components

    S, A = mask.shape
    owner = np.repeat(np.arange(S * A), np.diff(indptr))
    alive = (mask & (end == 0)).ravel() & (np.diff(indptr) > 0)
    if restrict is not None:
        alive &= np.asarray(restrict, dtype=bool).ravel()
    kill = _Removal(owner, indices, alive, S, A)
    kill.states(np.flatnonzero(kill.count == 0))
    while True:
        alive = kill.alive()
        keep = alive[owner]
        src, dst = owner[keep] // A, indices[keep]
        ptr = np.concatenate([[0], np.cumsum(np.bincount(src, minlength=S))])
        graph = csr_matrix((np.ones(len(dst), dtype=np.int8), dst, ptr), shape=(S, S))
        label = connected_components(graph, directed=True, connection="strong")[1]
        leaving = label[src] != label[dst]
        if not leaving.any():
            break
        kill.pairs(np.unique(owner[keep][leaving]))
    pairs = np.flatnonzero(alive)
    pairs = pairs[np.argsort(label[pairs // A], kind="stable")]
    cuts = np.flatnonzero(np.diff(label[pairs // A])) + 1
    found = [EndComponent(np.unique(part // A), part) for part in np.split(pairs, cuts) if len(part)]
    return sorted(found, key=lambda c: int(c.states[0]))


class _Removal:
    """Removal of pairs; a state without pairs goes, and with it every pair that may lead there. O(nnz) over
    its life.
    """

    def __init__(self, owner: np.ndarray, indices: np.ndarray, alive: np.ndarray, S: int, A: int) -> None:
        order = np.argsort(indices, kind="stable")
        self.A = A
        # Lists: the loop visits single entries, where NumPy's scalars are several times slower.
        self._into = owner[order].tolist()
        self._start = np.concatenate([[0], np.cumsum(np.bincount(indices, minlength=S))]).tolist()
        self._alive: list[bool] = alive.tolist()
        self.count = np.bincount(np.flatnonzero(alive) // A, minlength=S)
        self._count: list[int] = self.count.tolist()

    def alive(self) -> np.ndarray:
        return np.array(self._alive)

    def pairs(self, pairs: np.ndarray) -> None:
        self._spread(self._drop(pairs.tolist()))

    def states(self, states: np.ndarray) -> None:
        self._spread(states.tolist())

    def _drop(self, pairs: list[int]) -> list[int]:
        empty = []
        for k in pairs:
            if self._alive[k]:
                self._alive[k] = False
                s = k // self.A
                self._count[s] -= 1
                if not self._count[s]:
                    empty.append(s)
        return empty

    def _spread(self, gone: list[int]) -> None:
        while gone:
            s = gone.pop()
            gone += self._drop(self._into[self._start[s] : self._start[s + 1]])


def towards(n: int, src: np.ndarray, dst: np.ndarray, pair: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """(n,) for each node, a pair one of whose entries leads one step nearer to the targets.

    Entries ``src -> dst`` belong to ``pair`` (ascending: the least pair is taken). -1 at targets and where
    there is no path. Where pairs stay within a set from which targets can be reached, following them reaches
    a target with probability one.
    """
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import breadth_first_order

    step = np.full(n, -1)
    if not len(targets):
        return step
    tails = np.concatenate([dst, np.full(len(targets), n)])
    heads = np.concatenate([src, targets])
    back = csr_matrix((np.ones(len(heads), dtype=np.int8), (tails, heads)), shape=(n + 1, n + 1))
    nearer = breadth_first_order(back, n, directed=True, return_predecessors=True)[1]
    hit = np.flatnonzero(nearer[src] == dst)
    where, at = np.unique(src[hit], return_index=True)
    step[where] = pair[hit[at]]
    return step


def entries(indptr: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the entries of the rows, and for each the number of its row in ``rows``."""
    count = indptr[rows + 1] - indptr[rows]
    owner = np.repeat(np.arange(len(rows)), count)
    before = np.cumsum(count) - count
    return np.arange(len(owner)) - before[owner] + indptr[rows][owner], owner


def named_states(states: np.ndarray, labels: Sequence[str] | None) -> str:
    """The first few of the states, by number or label."""
    shown = [str(s) if labels is None else f"{s} ({labels[s]})" for s in states[:4].tolist()]
    rest = f", ... ({len(states)} states)" if len(states) > 4 else ""
    return f"state{'s' if len(states) > 1 else ''} {', '.join(shown)}{rest}"
