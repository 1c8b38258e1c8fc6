"""Maximal end components against the definition, and walks inside them."""

from __future__ import annotations

from itertools import combinations
from time import perf_counter

import numpy as np
import pytest

from tabular.planning.end_components import maximal_end_components, named_states, towards


def _random(
    rng: np.random.Generator,
) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray, np.ndarray, list[list[set[int]]]]:
    """CSR structure, ends, mask and successor sets of a random model of at most five states and three
    actions.
    """
    S, A = int(rng.integers(1, 6)), int(rng.integers(1, 4))
    sets = [
        [set(rng.choice(S, min(S, int(rng.integers(1, 3))), replace=False).tolist()) for _ in range(A)]
        for _ in range(S)
    ]
    end = (rng.random((S, A)) < 0.15).astype(float) / 2
    mask = rng.random((S, A)) < 0.8
    mask[np.arange(S), rng.integers(0, A, S)] = True
    rows = [sorted(sets[s][a]) if mask[s, a] else [] for s in range(S) for a in range(A)]
    indptr = np.concatenate([[0], np.cumsum([len(row) for row in rows])])
    return (indptr, np.array([t for row in rows for t in row], dtype=np.int32)), end, mask, sets


def _by_definition(end: np.ndarray, mask: np.ndarray, sets: list[list[set[int]]]) -> list[tuple[list[int], list[int]]]:
    S, A = mask.shape
    found: list[tuple[set[int], list[int]]] = []
    for size in range(S, 0, -1):
        for subset in combinations(range(S), size):
            states = set(subset)
            pairs = [
                s * A + a for s in subset for a in range(A) if mask[s, a] and not end[s, a] and sets[s][a] <= states
            ]
            edges = {s: set().union(*(sets[k // A][k % A] for k in pairs if k // A == s)) for s in subset}
            if all(_reached(edges, s) == states for s in subset) and not any(states <= other for other, _ in found):
                found.append((states, pairs))
    return sorted((sorted(states), pairs) for states, pairs in found)


def _reached(edges: dict[int, set[int]], s: int) -> set[int]:
    """States that one or more steps lead to."""
    seen: set[int] = set()
    todo = [s]
    while todo:
        for t in edges[todo.pop()] - seen:
            seen.add(t)
            todo.append(t)
    return seen


def test_components_are_those_of_the_definition() -> None:
    rng = np.random.default_rng(0)
    several = 0
    for _ in range(2000):
        (indptr, indices), end, mask, sets = _random(rng)
        got = maximal_end_components(indptr, indices, end, mask)
        expected = _by_definition(end, mask, sets)
        assert [(c.states.tolist(), c.pairs.tolist()) for c in got] == expected
        several += len(got) > 1
    assert several > 100


def test_restriction_is_the_same_as_unavailability() -> None:
    rng = np.random.default_rng(1)
    for _ in range(300):
        (indptr, indices), end, mask, sets = _random(rng)
        restrict = rng.random(mask.shape) < 0.6
        got = maximal_end_components(indptr, indices, end, mask, restrict)
        assert [(c.states.tolist(), c.pairs.tolist()) for c in got] == _by_definition(end, mask & restrict, sets)


def test_a_long_walk_that_may_end_has_no_component_and_takes_linear_time() -> None:
    """The removal runs along the whole line inside one strongly connected component."""
    S = 100_000
    left, right = np.maximum(np.arange(S) - 1, 0), np.minimum(np.arange(S) + 1, S - 1)
    indices = np.stack([left, right], axis=1).astype(np.int32)
    end = np.zeros((S, 1))
    indptr, mask = np.arange(S + 1) * 2, np.ones((S, 1), dtype=bool)
    (whole,) = maximal_end_components(indptr, indices.ravel(), end, mask)
    assert len(whole.states) == S
    end[-1] = 0.5
    begun = perf_counter()
    assert maximal_end_components(indptr, indices.ravel(), end, mask) == []
    assert perf_counter() - begun < 10  # a round a state would take half an hour


def test_towards_takes_the_least_pair_of_a_shortest_walk() -> None:
    # 0 -> 1 by pair 0, 0 -> 2 by pair 1, 1 -> 2 by pair 3 (which may also stay), 3 has no way
    src, dst, pair = np.array([0, 0, 1, 1, 3]), np.array([1, 2, 1, 2, 3]), np.array([0, 1, 3, 3, 6])
    assert towards(4, src, dst, pair, np.array([2])).tolist() == [1, 3, -1, -1]
    assert towards(4, src, dst, pair, np.array([], dtype=int)).tolist() == [-1] * 4


@pytest.mark.parametrize(
    ("states", "labels", "text"),
    [
        ([3], None, "state 3"),
        ([0, 2], ["a", "b", "c"], "states 0 (a), 2 (c)"),
        (list(range(6)), None, "states 0, 1, 2, 3, ... (6 states)"),
    ],
    ids=["one", "labels", "many"],
)
def test_names(states: list[int], labels: list[str] | None, text: str) -> None:
    assert named_states(np.array(states), labels) == text
