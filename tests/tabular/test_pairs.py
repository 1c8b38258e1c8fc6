"""Models from state-action pairs: the same as from arrays, whatever the order, and refusals by record."""

from __future__ import annotations

from fractions import Fraction as F
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from proofs_check import strategies
from tabular import MDP, ModelError
from tabular.instances import random_endings, random_masks


def records(m: MDP) -> list[tuple[Any, ...]]:
    P = m.to_dense().P
    return [
        (s, a, {t: p for t, p in enumerate(P[s, a].tolist()) if p}, float(m.rewards[s, a]), float(m.end[s, a]))
        for s, a in zip(*np.nonzero(m.mask), strict=True)
    ]


def exact_records(m: MDP) -> list[tuple[Any, ...]]:
    x = m.exact()
    pairs = [(int(s), int(a)) for s, a in zip(*np.nonzero(m.mask), strict=True)]
    return [(s, a, x.row(s, a), x.R[s * m.A + a], x.end(s, a)) for s, a in pairs]


@given(strategies.mdps(exact=False), st.randoms(use_true_random=False))
def test_pairs_in_any_order_are_the_product_form(m: MDP, random: Any) -> None:
    listed = records(m)
    random.shuffle(listed)
    n = MDP.from_pairs(listed, m.gamma, S=m.S, A=m.A, rho=m.rho)
    assert n == MDP(m.P, m.R, m.gamma, end=m.end if m.has_end else None, rho=m.rho)
    assert not n.is_exact and not n.is_sparse


@given(strategies.mdps(exact=True))
def test_rationals_stay_what_they_are(m: MDP) -> None:
    rho = None if m.rho is None else list(m.exact().rho)
    n = MDP.from_pairs(exact_records(m), m.gamma_exact, S=m.S, A=m.A, rho=rho, sparse=True)
    assert n.exact()._replace(indptr=0, indices=0, mask=0) == m.exact()._replace(indptr=0, indices=0, mask=0)
    assert n.is_sparse and np.array_equal(n.mask, m.mask) and np.array_equal(n.exact().indices, m.exact().indices)


@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
def test_arrays_over_pairs(sparse: bool) -> None:
    m = random_masks(5, 3).member(1, 4)
    s, a = np.nonzero(m.mask)
    order = np.random.default_rng(0).permutation(len(s))
    s, a = s[order], a[order]
    P = sp.csr_matrix(m.P[s, a]) if sparse else m.P[s, a]
    n = MDP.from_pair_arrays(s, a, P, m.rewards[s, a], 0.75, A=3, rho=m.rho, name="n", action_labels=list("xyz"))
    assert n == MDP(m.P, m.R, 0.75, rho=m.rho) and n.name == "n" and n.action_labels == ("x", "y", "z")
    e = random_endings(4, 2).member(0, 0)
    s, a = np.nonzero(e.mask)
    assert MDP.from_pair_arrays(s, a, e.P[s, a], e.rewards[s, a], 0.5, end=e.end[s, a]) == MDP(e.P, e.R, 0.5, end=e.end)


def test_exact_arrays_and_floats_among_rationals() -> None:
    P = np.array([[F(1, 3), F(2, 3)], [F(1), F(0)]], dtype=object)
    n = MDP.from_pair_arrays([0, 1], [0, 1], P, [0.5, 1], F(1, 3))
    assert n.exact().row(0, 0) == {0: F(1, 3), 1: F(2, 3)} and n.R.tolist() == [[0.5, -np.inf], [-np.inf, 1.0]]
    m = MDP.from_pairs([(0, 0, [F(2), F(1)], 0.25), (1, 0, {1: 1}, 0)], 1, renormalise=True, rho=[F(1, 3), F(2, 3)])
    assert m.exact().row(0, 0) == {0: F(2, 3), 1: F(1, 3)} and m.exact().rho == (F(1, 3), F(2, 3))


def test_sizes_are_those_that_occur() -> None:
    m = MDP.from_pairs([(0, 2, {1: 1.0}, 0.0), (1, 0, {0: 0.5}, 1.0, 0.5)], 0.9)
    assert (m.S, m.A) == (2, 3) and m.end[1, 0] == 0.5
    assert MDP.from_pairs([(0, 0, {0: 1.0}, 0.0)], 0.9, A=4).A == 4


GOOD = (0, 0, {0: 1.0}, 0.0)
BAD: dict[str, tuple[Any, dict[str, Any], type[Exception], str]] = {
    "none": ([], {}, ModelError, "pairs is empty"),
    "no record": ([GOOD, 7], {}, TypeError, r"pairs\[1\] is 7: expected \(s, a, row, reward\)"),
    "too short": ([(0, 0, {0: 1.0})], {}, TypeError, r"pairs\[0\] is"),
    "state": ([(0.0, 0, {0: 1.0}, 0.0)], {}, TypeError, r"pairs\[0\] has state 0.0: expected an integer"),
    "negative": ([(0, -1, {0: 1.0}, 0.0)], {}, ModelError, r"pairs\[0\] has action -1"),
    "huge": ([(0, 0, {2**40: 1.0}, 0.0)], {}, ModelError, r"pairs\[0\] has successor 1099511627776"),
    "row": ([(0, 0, 1.0, 0.0)], {}, TypeError, r"pairs\[0\] has a row of type float"),
    "probability": ([(0, 0, {0: -1.0}, 0.0)], {}, ModelError, r"pairs\[0\] has probability -1.0 of 0"),
    "nan": ([(0, 0, {0: np.nan}, 0.0)], {}, ModelError, r"the probability of 0 in pairs\[0\] is nan"),
    "text": ([(0, 0, {0: "1"}, 0.0)], {}, TypeError, r"the probability of 0 in pairs\[0\] is '1'"),
    "reward": ([(0, 0, {0: 1.0}, np.inf)], {}, ModelError, r"the reward of pairs\[0\] is inf"),
    "end": ([(0, 0, {0: 1.0}, 0.0, -0.5)], {}, ModelError, r"pairs\[0\] has end -0.5"),
    "twice": ([GOOD, GOOD], {}, ModelError, r"pairs\[1\] is state 0, action 0, as is pairs\[0\]"),
    "a state without": ([(0, 0, {1: 1.0}, 0.0)], {}, ModelError, "state 1 has no pair"),
    "S": ([(0, 0, {1: 1.0}, 0.0)], {"S": 1}, ModelError, "S is 1, but there are states up to 1"),
    "A": ([GOOD], {"A": 0.5}, TypeError, "A is 0.5: expected an integer"),
    "sum": ([(0, 0, {0: 0.5}, 0.0)], {}, ModelError, r"P\[0, 0\] sums to 0.5"),
    "exact sum": ([(0, 0, {0: F(1, 3)}, 0.0)], {}, ModelError, r"P\[0, 0\] sums to 1/3 with its end: exact rows"),
    "exact zero": ([(0, 0, {0: F(0)}, F(1, 3))], {"renormalise": True}, ModelError, r"P\[0, 0\] sums to 0"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_no_model_is_refused_by_record(case: str) -> None:
    pairs, options, kind, message = BAD[case]
    with pytest.raises(kind, match=message):
        MDP.from_pairs(pairs, 0.9, **options)


ARRAYS: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "length": ({"s_indices": [0]}, ModelError, r"s_indices has shape \(1,\): expected \(2,\)"),
    "type": ({"a_indices": [0.0, 1.0]}, TypeError, "a_indices has dtype float64"),
    "range": ({"a_indices": [0, 2**40]}, ModelError, r"a_indices\[1\] is 1099511627776"),
    "P": ({"P": [1.0, 0.0]}, ModelError, r"P has shape \(2,\): expected \(L, S\)"),
    "R": ({"R": [[1.0, 0.0]]}, ModelError, r"R has shape \(1, 2\): expected \(2,\)"),
    "end": ({"end": [1.0]}, ModelError, r"end has shape \(1,\)"),
    "state": ({"s_indices": [0, 2]}, ModelError, "S is 2, but there are states up to 2"),
}


@pytest.mark.parametrize("case", ARRAYS)
def test_arrays_of_other_shapes_are_refused(case: str) -> None:
    change, kind, message = ARRAYS[case]
    given: dict[str, Any] = {"s_indices": [0, 1], "a_indices": [0, 0], "P": np.eye(2), "R": [0.0, 1.0]}
    with pytest.raises(kind, match=message):
        MDP.from_pair_arrays(gamma=0.9, **(given | change))
