"""A batch is its members: what holds for one MDP holds for each of many, and a refusal names the member."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from fractions import Fraction as F
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabular import MDP, MDPBatch, ModelError
from tabular._rows import LOST


def weights(seed: int, B: int = 5, S: int = 3, A: int = 2) -> dict[str, Any]:
    """Random integer weights with ends, unavailable actions and start distributions."""
    rng = np.random.default_rng(seed)
    w, e = rng.integers(0, 5, (B, S, A, S)), rng.integers(0, 3, (B, S, A))
    w[..., 0] += 1
    R = rng.integers(-8, 9, (B, S, A)) / 8
    R[..., 1:][rng.random((B, S, A - 1)) < 0.3] = -np.inf
    rho = rng.integers(1, 5, (B, S)).astype(float)
    return {
        "w": w,
        "R": R,
        "gamma": rng.integers(0, 9, B) / 8,
        "e": e,
        "rho": rho / rho.sum(-1, keepdims=True),
    }


def batch(seed: int = 0, **sizes: int) -> MDPBatch:
    x = weights(seed, **sizes)
    return MDPBatch.from_weights(x["w"], x["R"], x["gamma"], end_weights=x["e"], rho=x["rho"])


@given(st.integers(0, 10**6), st.integers(1, 4), st.integers(1, 4), st.integers(1, 3))
def test_members_are_the_models_of_their_weights(seed: int, B: int, S: int, A: int) -> None:
    x = weights(seed, B, S, A)
    many = MDPBatch.from_weights(x["w"], x["R"], x["gamma"], end_weights=x["e"], rho=x["rho"])
    assert (len(many), many.S, many.A) == (B, S, A)
    for i, m in enumerate(many):
        one = MDP.from_weights(x["w"][i], x["R"][i], x["gamma"][i], end_weights=x["e"][i], rho=x["rho"][i])
        assert m == one and m.P.tobytes() == one.P.tobytes() and m.end.tobytes() == one.end.tobytes()
        assert many.exact(i).weights == one.exact().weights
    assert MDPBatch.stack(list(many)) == many
    scaled = MDPBatch.from_weights(3 * x["w"], x["R"], x["gamma"], end_weights=3 * x["e"], rho=x["rho"])
    assert scaled == many  # weights are the same up to a factor of a row


@given(st.integers(0, 10**6))
def test_floats_are_the_floats(seed: int) -> None:
    b = batch(seed)
    plain = MDPBatch(b.P, b.R, b.gamma, end=b.end, rho=b.rho)
    assert not plain.is_exact and plain != b and plain.weights is None
    for i, m in enumerate(plain):
        assert m == MDP(b.P[i], b.R[i], float(b.gamma[i]), end=b.end[i], rho=b.rho[i])
    assert MDPBatch.stack(list(plain)) == plain
    assert MDPBatch(3 * b.P, b.R, b.gamma, end=3 * b.end, rho=b.rho, renormalise=True).P == pytest.approx(b.P)


def test_parts_of_a_batch() -> None:
    b = batch()
    assert b[1:4] == b[[1, 2, 3]] == b[np.array([False, True, True, True, False])]
    assert b[-1] == b[4] and b[::2][1] == b[2] and b[[3, 0]][0] == b[3]
    assert MDPBatch.concatenate([b[:2], b[2:]]) == b and pickle.loads(pickle.dumps(b)) == b
    assert hash(b) == hash(b[:]) and b != b[:4] and b != "a batch" and list(b)[2] == b[2]
    for bad in (5, -6, slice(5, 9), [], [True] * 4):
        with pytest.raises(IndexError):
            b[bad]
    with pytest.raises(TypeError, match="one axis"):
        b[[[0]]]


def test_exact_discounts_are_kept() -> None:
    b = batch()
    third = MDPBatch.from_weights(b.weights, b.R, F(1, 3), end_weights=b.end_weights)
    assert third.gamma_exact == (F(1, 3),) * 5 and third[2].gamma_exact == F(1, 3) and third.gamma[0] == 1 / 3
    assert third[1:3].gamma_exact == (F(1, 3),) * 2 and MDPBatch.stack(list(third)) == third
    assert MDPBatch.concatenate([third[:2], third[2:]]) == third
    plain = MDPBatch(b.P, b.R, [F(1, 3)] * 4 + [F(1, 2)], end=b.end)
    assert plain.is_exact and plain[4].gamma_exact == F(1, 2) and MDPBatch.stack(list(plain)) == plain
    assert MDPBatch(b.P, b.R, F(1, 2), end=b.end) == MDPBatch(b.P, b.R, 0.5, end=b.end)
    assert batch().gamma_exact == tuple(F(x) for x in batch().gamma)


def test_a_batch_is_frozen() -> None:
    b = batch()
    for key in ("P", "rewards", "mask", "end", "gamma", "rho", "weights", "end_weights", "totals"):
        assert not getattr(b, key).flags.writeable
    with pytest.raises(AttributeError, match="frozen"):
        b.gamma = 1
    with pytest.raises(AttributeError, match="frozen"):
        del b.gamma


def test_repr() -> None:
    b = MDPBatch([[[[1.0]]], [[[0.5]]]], [[[1.0]], [[2.0]]], [0.5, 1.0], end=[[[0.0]], [[0.5]]], name="two")
    assert repr(b) == "MDPBatch(B=2, S=1, A=1, gamma=0.5...1, 1 pairs may end, 'two')"
    assert repr(batch()).startswith("MDPBatch(B=5, S=3, A=2, gamma=0") and "exact" in repr(batch())


def changed(key: str, at: Any, value: Any) -> Callable[[], MDPBatch]:
    def call() -> MDPBatch:
        b = batch()
        parts = {
            "P": b.P.copy(),
            "R": b.R.copy(),
            "gamma": b.gamma.copy(),
            "end": b.end.copy(),
            "rho": b.rho.copy(),
        }
        if at is None:
            parts[key] = value
        else:
            parts[key][at] = value
        return MDPBatch(parts["P"], parts["R"], parts["gamma"], end=parts["end"], rho=parts["rho"])

    return call


def reweighed(**changes: Any) -> Callable[[], MDPBatch]:
    def call() -> MDPBatch:
        b = batch()
        parts = {
            "weights": b.weights.copy(),
            "R": b.R,
            "gamma": 0.5,
            "end_weights": b.end_weights.copy(),
        } | changes
        return MDPBatch.from_weights(parts["weights"], parts["R"], parts["gamma"], end_weights=parts["end_weights"])

    return call


def ones(at: Any, value: int) -> np.ndarray:
    x = np.ones((5, 3, 2, 3), dtype=np.int64)
    x[at] = value
    return x


def one(**options: Any) -> MDP:
    return MDP([[[1.0]]], [[0.0]], 0.5, **options)


HUGE = MDP.from_weights([[[2**60]]], [[0.0]], 0.5, end_weights=[[1]])
BAD: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "R shape": (changed("R", None, np.zeros((3, 2))), ModelError, r"R has shape \(3, 2\): expected \(B, S, A\)"),
    "R nan": (changed("R", (3, 1, 0), np.nan), ModelError, r"R\[3, 1, 0\] is nan"),
    "R none": (changed("R", (3, 1), -np.inf), ModelError, r"R\[3, 1\] is -inf for every action"),
    "P shape": (changed("P", None, np.zeros((5, 3, 2, 2))), ModelError, r"P has shape \(5, 3, 2, 2\)"),
    "P nan": (changed("P", (4, 2, 0, 1), np.nan), ModelError, r"P\[4, 2, 0, 1\] is nan"),
    "P negative": (changed("P", (4, 2, 0, 1), -1.0), ModelError, r"P\[4, 2, 0, 1\] is -1"),
    "P sum": (changed("P", (4, 2, 0, 1), 3.0), ModelError, r"P\[4, 2, 0\] sums to 3"),
    "end shape": (changed("end", None, np.zeros((3, 2))), ModelError, r"end has shape \(3, 2\)"),
    "end negative": (changed("end", (1, 2, 0), -1.0), ModelError, r"end\[1, 2, 0\] is -1"),
    "gamma": (changed("gamma", 2, 1.5), ModelError, r"gamma\[2\] is 1.5"),
    "gamma nan": (changed("gamma", 2, np.nan), ModelError, r"gamma\[2\] is nan"),
    "gamma shape": (changed("gamma", None, [0.5] * 4), ModelError, r"gamma has shape \(4,\): expected a number or \(5,\)"),
    "gamma deep": (changed("gamma", None, [[0.5]] * 5), ModelError, r"gamma has shape \(5, 1\)"),
    "gamma text": (changed("gamma", None, "x"), TypeError, r"gamma\[0\] is 'x'"),
    "gamma fraction": (changed("gamma", None, [F(1, 3)] * 4 + [F(4, 3)]), ModelError, r"gamma\[4\] is 4/3"),
    "rho shape": (changed("rho", None, [1.0]), ModelError, r"rho has shape \(1,\): expected \(5, 3\) or \(3,\)"),
    "rho sum": (changed("rho", (3, 0), 5.0), ModelError, r"rho\[3\] sums to 5"),
    "rho negative": (changed("rho", (3, 0), -5.0), ModelError, r"rho\[3, 0\] is -5"),
    "no row": (
        lambda: MDPBatch([[[[0.0]]]], [[[0.0]]], 0.5, renormalise=True), ModelError, r"P\[0, 0, 0\] sums to 0.0: no row"
    ),
    "lost": (
        lambda: MDPBatch([[[[5e-324, 1e300]], [[1.0, 1.0]]]], [[[0.0]] * 2], 0.5, renormalise=True), ModelError, LOST
    ),
    "weights dtype": (reweighed(weights=np.ones((5, 3, 2, 3))), TypeError, "weights has dtype float64"),
    "weights shape": (reweighed(weights=np.ones((5, 3, 2, 2), dtype=int)), ModelError, r"weights has shape \(5, 3, 2, 2\)"),
    "weights negative": (reweighed(weights=ones((1, 2, 0, 1), -1)), ModelError, r"weights\[1, 2, 0, 1\] is -1"),
    "weights zero": (
        reweighed(weights=ones((1, 2, 0), 0), end_weights=None), ModelError, r"weights\[1, 2, 0\] sums to 0"
    ),
    "weights large": (reweighed(weights=ones((1, 2, 0), 2**52)), ModelError, r"weights\[1, 2, 0\] sums to .*at most 2\*\*53"),
    "end weights": (reweighed(end_weights=np.ones((5, 3), dtype=int)), ModelError, r"end_weights has shape \(5, 3\)"),
    "stack nothing": (lambda: MDPBatch.stack([]), ModelError, "no models"),
    "stack types": (lambda: MDPBatch.stack([one(), 1]), TypeError, "member 1 of a batch takes an MDP, not int"),
    "stack shapes": (lambda: MDPBatch.stack([one(), batch()[0]]), ModelError, "member 1 has S=3, A=2: expected S=1, A=1"),
    "stack rho": (lambda: MDPBatch.stack([one(), one(rho=[1.0])]), ModelError, "member 1 has a start distribution"),
    "stack R": (
        lambda: MDPBatch.stack([MDP([[[1.0]]], [[F(1, 3)]], 0.5)]), ModelError, "member 0 has exact rewards"
    ),
    "stack rho exact": (
        lambda: MDPBatch.stack([MDP(np.full((3, 1, 3), 1 / 3), [[0.0]] * 3, 0.5, rho=[F(1, 3), F(1, 6), F(1, 2)])]),
        ModelError, "member 0 has an exact start distribution",
    ),
    "stack kinds": (
        lambda: MDPBatch.stack([one(), MDP.from_weights([[[1]]], [[0.0]], 0.5)]), ModelError,
        "member 1 is given in exact weights, member 0 in floats",
    ),
    "stack large": (lambda: MDPBatch.stack([HUGE]), ModelError, "member 0 has a row whose weights sum to"),
    "concatenate nothing": (lambda: MDPBatch.concatenate([]), ModelError, "no batches"),
    "concatenate shapes": (
        lambda: MDPBatch.concatenate([batch(), batch(S=4)]), ModelError, "batch 1 has S=4, A=2: expected S=3, A=2"
    ),
    "concatenate kinds": (
        lambda: MDPBatch.concatenate([batch(), MDPBatch(batch().P, batch().R, 0.5, end=batch().end)]), ModelError,
        "batch 1 and batch 0 differ",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_a_bad_input_is_refused_by_name(case: str) -> None:
    call, kind, message = BAD[case]
    with pytest.raises(kind, match=message):
        call()


def test_every_refusal_in_the_sources_is_reached_by_a_bad_input(unreached: Callable[..., list[str]]) -> None:
    assert unreached(BAD.values(), ("batch.py", "_batch_border.py")) == []


def test_sums_of_weights_do_not_wrap_around() -> None:
    """The largest weights, and their sum as it is."""
    w = np.full((1, 4, 1, 4), 2**53)
    with pytest.raises(ModelError, match=r"weights\[0, 0, 0\] sums to 36028797018963968"):
        MDPBatch.from_weights(w, np.zeros((1, 4, 1)), 0.5)
