"""MDPtoolbox's arrays: layouts that shapes cannot tell apart must be named, and the rest is refused by what is wrong."""

from __future__ import annotations

from fractions import Fraction as F
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from tabular import MDP, ModelError
from tabular.instances import garnet, random_masks
from tabular.interchange import from_mdptoolbox, to_mdptoolbox

RNG = np.random.default_rng(0)
SQUARE = RNG.dirichlet(np.ones(3), size=(3, 3))  # as many actions as states
WIDE = RNG.dirichlet(np.ones(3), size=(2, 3))  # two actions, three states
R2, R3 = RNG.normal(size=(3, 2)), RNG.normal(size=(2, 3, 3))


def test_as_many_actions_as_states_must_be_said_which_is_which() -> None:
    R = RNG.normal(size=(3, 3))
    with pytest.raises(ModelError, match=r"P has shape \(3, 3, 3\), with as many actions as states: axes='ass' says"):
        from_mdptoolbox(SQUARE, R, 0.9)
    first = from_mdptoolbox(SQUARE, R, 0.9, axes="ass")
    second = from_mdptoolbox(SQUARE, R, 0.9, axes="sas")
    assert np.array_equal(first.P, SQUARE.transpose(1, 0, 2)) and np.array_equal(second.P, SQUARE)
    assert np.array_equal(first.R, R) and np.array_equal(second.R, R) and first != second
    three = RNG.normal(size=(3, 3, 3))
    for axes, m in (("ass", first), ("sas", second)):
        placed = three.transpose(1, 0, 2) if axes == "ass" else three
        got = from_mdptoolbox(SQUARE, three, 0.9, axes=axes).R
        assert got == pytest.approx((m.P * placed).sum(-1), abs=1e-15)
    matrices = [sp.csr_matrix(x) for x in SQUARE]  # a list of matrices says which is which, but not of what R is
    assert from_mdptoolbox(matrices, R, 0.9) == first
    with pytest.raises(ModelError, match=r"R has shape \(3, 3, 3\), with as many actions as states"):
        from_mdptoolbox(matrices, three, 0.9)


def test_one_action_and_one_state_read_the_same_both_ways() -> None:
    assert from_mdptoolbox([[[1.0]]], [2.0], 0.5) == MDP([[[1.0]]], [[2.0]], 0.5)


def test_the_other_order_is_noticed_and_taken_when_said() -> None:
    with pytest.raises(ModelError, match=r"P has shape \(3, 2, 3\), where the state seems to come first"):
        from_mdptoolbox(WIDE.transpose(1, 0, 2), R2, 0.9)
    m = from_mdptoolbox(WIDE, R2, 0.9)
    assert from_mdptoolbox(WIDE.transpose(1, 0, 2), R2, 0.9, axes="sas") == m
    assert from_mdptoolbox(WIDE.transpose(1, 0, 2), R3.transpose(1, 0, 2), 0.9, axes="sas") == from_mdptoolbox(
        WIDE, R3, 0.9
    )


def test_rewards_of_states_and_sparse_rewards() -> None:
    assert from_mdptoolbox(WIDE, [1.0, 2.0, 3.0], 0.9).R.tolist() == [[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]]
    sparse = from_mdptoolbox([sp.csr_matrix(x) for x in WIDE], [sp.csr_matrix(x) for x in R3], 0.9)
    assert sparse.R == pytest.approx(from_mdptoolbox(WIDE, R3, 0.9).R, abs=1e-15)
    assert from_mdptoolbox(WIDE, sp.csr_matrix(R2), 0.9) == from_mdptoolbox(WIDE, R2, 0.9)


BAD: dict[str, tuple[Any, Any, dict[str, Any], type[Exception], str]] = {
    "two axes": (np.eye(3), R2, {}, ModelError, r"P has shape \(3, 3\): expected \(A, S, S\)"),
    "not square": (np.ones((2, 3, 4)), R2, {}, ModelError, r"P has shape \(2, 3, 4\): expected \(A, S, S\)"),
    "not square here": (
        np.ones((2, 3, 4)),
        R2,
        {"axes": "sas"},
        ModelError,
        r"P has shape \(2, 3, 4\): expected \(S, A, S\)",
    ),
    "matrices": ([sp.eye(2), sp.eye(3)], R2, {}, ModelError, r"the matrices of P have shapes \[\(2, 2\), \(3, 3\)\]"),
    "rewards": (WIDE, R2.T, {}, ModelError, r"R has shape \(2, 3\): expected \(3,\), \(3, 2\) or \(2, 3, 3\)"),
    "minus infinity": (
        WIDE,
        np.where(R2 > 0, R2, -np.inf),
        {},
        ModelError,
        r"R\[\d, \d\] is -inf: not a finite number",
    ),
    "sum": (2 * WIDE, R2, {}, ModelError, r"P\[\d, \d\] sums to 2"),
    "axes": (WIDE, R2, {"axes": "asas"}, ValueError, "axes is 'asas': expected 'ass' or 'sas'"),
    "text": ("P", R2, {}, TypeError, "P has dtype"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_no_model_is_refused(case: str) -> None:
    P, R, options, kind, message = BAD[case]
    with pytest.raises(kind, match=message):
        from_mdptoolbox(P, R, 0.9, **options)


def test_what_the_arrays_cannot_say_is_refused() -> None:
    b = garnet(3, 2)(0, 2)
    m = MDP(b.P[0], b.R[0], 0.9)
    assert to_mdptoolbox(m)[0].shape == (2, 3, 3)
    with pytest.raises(ModelError, match="MDPtoolbox has every action in every state, and action"):
        to_mdptoolbox(random_masks(4, 3).member(5, 2), drop=["exact"])
    with pytest.raises(ModelError, match="MDPtoolbox cannot say that a step ends the process"):
        to_mdptoolbox(MDP([[[0.5]]], [[1.0]], 0.9, end=[[0.5]]))
    with pytest.raises(ModelError, match="MDPtoolbox has no start distribution"):
        to_mdptoolbox(MDP(b.P[0], b.R[0], 0.9, rho=[1.0, 0.0, 0.0]))
    with pytest.raises(ModelError, match="MDPtoolbox holds floats, and the model is exact"):
        to_mdptoolbox(MDP([[[F(1)]]], [[F(1, 3)]], 0.9))
