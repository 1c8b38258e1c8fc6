"""The sign of the greatest average reward of a communicating component: floats propose, bounds decide.

For any ``h``, the greatest gain ``g`` of a communicating model lies between ``min_s max_a d(s, a)`` and
``max d``, where ``d = R + P h - h`` (Odoni 1969). Value iteration, then policy iteration, in floats propose
``h``, and the two bounds, with their rounding, decide the sign unless ``g`` is zero or all but zero; then
policy iteration in rationals ends at ``max d = g`` exactly.

The iteration is that of Haviv and Puterman (1991) for communicating models: each policy has one recurrent
class, and when an improvement has several, the best is kept and the others walk to it. Gains rise, or stay
while ``h`` rises: it ends.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from tabular.planning.end_components import entries, towards

EXACT_STATES = 400
"""Components with more states are not solved in rationals."""


class Component(NamedTuple):
    """A communicating model of ``n`` states, in floats or in objects ``fmpq``.

    Pair ``k`` of state ``src[k]`` (ascending) earns ``r[k]`` and moves to ``dst[j]`` with probability
    ``p[j]`` for ``j`` in ``ptr[k]:ptr[k + 1]``; repeated destinations add up.
    """

    n: int
    src: np.ndarray
    ptr: np.ndarray
    dst: np.ndarray
    p: np.ndarray
    r: np.ndarray


def gain_sign(floats: Component, exact: Callable[[], Component]) -> int | None:
    """Sign of the greatest gain: -1, 0 or 1; None where floats cannot tell and rationals would take too long.

    ``exact()`` is the same component in ``fmpq``; ``floats`` has each of its numbers to a few ulps.
    """
    sign = 0

    def decided(h: np.ndarray) -> bool:
        nonlocal sign
        if np.isfinite(h).all():
            lower, upper = _bounds(floats, h)
            sign = int(lower > 0) - int(upper < 0)
        return sign != 0

    if not _value_iteration(floats, decided):
        tol = 64 * np.finfo(float).eps * float(np.abs(floats.r).max())
        _policy_iteration(floats, _solve_floats, 1.0, tol, 1000, decided)
    if sign or floats.n > EXACT_STATES:
        return sign or None
    from flint import fmpq

    g = _policy_iteration(exact(), _solve_exact, fmpq(1), fmpq(0), None)[0]
    return int(g > 0) - int(g < 0)


def _value_iteration(c: Component, decided: Callable[[np.ndarray], bool], steps: int = 512) -> bool:
    """Whether a few hundred steps of damped relative value iteration decide: cheap in large models."""
    start = np.searchsorted(c.src, np.arange(c.n))
    h = np.zeros(c.n)
    for k in range(steps):
        if k & (k - 1) == 0 and decided(h):  # at 0, 1, 2, 4, 8, ...
            return True
        step = np.maximum.reduceat(c.r + np.add.reduceat(c.p * h[c.dst], c.ptr[:-1]), start) - h
        h = h + 0.75 * step
        h -= h[0]
    return decided(h)


def drift_bounds(c: Component, h: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Bounds of ``R + P h - h`` of each pair of the exact model, with every rounding."""
    eps, tiny = np.finfo(float).eps, np.finfo(float).tiny
    owner = np.repeat(np.arange(len(c.r)), np.diff(c.ptr))
    step = h[c.dst] - h[c.src[owner]]
    mass = np.add.reduceat(c.p, c.ptr[:-1])  # one, but for the rounding that the exact model does not have
    drift = np.add.reduceat(c.p * step, c.ptr[:-1]) / mass
    size = np.add.reduceat(c.p * abs(step), c.ptr[:-1]) / mass + abs(c.r)
    # At most len + 16 roundings (data, differences, products, sums, quotient), each within eps / 2 of size.
    error = (np.diff(c.ptr) + 16) * eps * size + tiny * (1 + np.abs(step).max())
    d = c.r + drift
    return d - error, d + error


def _bounds(c: Component, h: np.ndarray) -> tuple[float, float]:
    """Bounds of the gain of the exact model, with every rounding."""
    low, high = drift_bounds(c, h)
    start = np.searchsorted(c.src, np.arange(c.n))
    return float(np.maximum.reduceat(low, start).min()), float(high.max())


def _policy_iteration(
    c: Component,
    solve: Any,
    one: Any,
    tol: Any,
    max_iter: int | None,
    decided: Callable[[np.ndarray], bool] = lambda h: False,
) -> tuple[Any, Any]:
    """Gain and bias of an optimal policy, or of the first whose bias decides, or of the last of ``max_iter``.

    The bias is None where a system was singular.
    """
    owner = np.repeat(np.arange(len(c.r)), np.diff(c.ptr))
    start = np.searchsorted(c.src, np.arange(c.n))
    best_pair = int(np.argmax(c.r))
    ref = int(c.src[best_pair])
    policy = towards(c.n, c.src[owner], c.dst, owner, np.array([ref]))
    policy[ref] = best_pair
    done = 0
    while True:
        g, h = _evaluate(c, policy, np.arange(c.n), ref, solve, one)
        if h is None or decided(h):
            return g, h
        d = c.r + np.add.reduceat(c.p * h[c.dst], c.ptr[:-1]) - h[c.src]
        best = np.maximum.reduceat(d, start)
        better = (best > g + tol).astype(bool)
        done += 1
        if not better.any() or done == max_iter:
            return g, h
        hit = np.flatnonzero((d == best[c.src]).astype(bool))
        policy = np.where(better, hit[np.unique(c.src[hit], return_index=True)[1]], policy)
        classes = _recurrent_classes(c, policy)
        ref = int(classes[0][0])
        if len(classes) > 1:
            gains = [_evaluate(c, policy, states, int(states[0]), solve, one)[0] for states in classes]
            if any(gain is None for gain in gains):
                return None, None
            states = classes[max(range(len(gains)), key=gains.__getitem__)]
            ref = int(states[0])
            walk = towards(c.n, c.src[owner], c.dst, owner, states)
            policy = np.where(walk >= 0, walk, policy)


def _evaluate(c: Component, policy: np.ndarray, states: np.ndarray, ref: int, solve: Any, one: Any) -> tuple[Any, Any]:
    """Gain, and bias with ``h[ref] = 0``, on a closed set of states with one recurrent class, which holds
    ``ref``.
    """
    n, pairs = len(states), policy[states]
    entry, row = entries(c.ptr, pairs)
    col = np.searchsorted(states, c.dst[entry])
    at = int(np.searchsorted(states, ref))
    keep = col != at  # the column of h[ref] = 0 is the gain's
    rows = np.concatenate([row[keep], np.delete(np.arange(n), at), np.arange(n)])
    cols = np.concatenate([col[keep], np.delete(np.arange(n), at), np.full(n, at)])
    ones = np.full(2 * n - 1, one, dtype=c.p.dtype)
    x = solve(n, rows, cols, np.concatenate([-c.p[entry][keep], ones]), c.r[pairs])
    if x is None:
        return None, None
    g = x[at]
    h = x.copy()
    h[at] = one - one
    return g, h


def _solve_floats(n: int, rows: np.ndarray, cols: np.ndarray, values: np.ndarray, b: np.ndarray) -> np.ndarray | None:
    from scipy.sparse import csc_matrix
    from scipy.sparse.linalg import splu

    try:
        return splu(csc_matrix((values, (rows, cols)), shape=(n, n))).solve(b)
    except RuntimeError:  # singular in floats: the caller goes on to rationals
        return None


def _solve_exact(n: int, rows: np.ndarray, cols: np.ndarray, values: np.ndarray, b: np.ndarray) -> np.ndarray:
    from flint import fmpq_mat

    matrix = fmpq_mat(n, n)
    for i, j, x in zip(rows.tolist(), cols.tolist(), values, strict=True):
        matrix[i, j] += x
    x = matrix.solve(fmpq_mat(n, 1, list(b)))
    return np.array([x[i, 0] for i in range(n)], dtype=object)


def _recurrent_classes(c: Component, policy: np.ndarray) -> list[np.ndarray]:
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import connected_components

    entry, src = entries(c.ptr, policy)
    dst = c.dst[entry]
    graph = csr_matrix((np.ones(len(dst), dtype=np.int8), (src, dst)), shape=(c.n, c.n))
    n, label = connected_components(graph, directed=True, connection="strong")
    closed = np.ones(n, dtype=bool)
    closed[label[src[label[src] != label[dst]]]] = False
    return [np.flatnonzero(label == k) for k in np.flatnonzero(closed)]
