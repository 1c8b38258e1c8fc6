"""What goes into an ``MDP``: the right model, or an error that names the place; never a crash or a silent wrong answer.

``BAD`` is a table of bad inputs with what the message must say; every refusal in the sources is reached by some entry of
it. Random models are compared with an oracle that computes in Fractions and shares nothing with the code.
"""

from __future__ import annotations

import inspect
import pickle
from collections.abc import Callable
from fractions import Fraction as F
from typing import Any

import numpy as np
import pytest
import scipy.sparse
from flint import fmpq
from hypothesis import example, given
from hypothesis import strategies as st

from tabular import CSR, MDP, ModelError
from tabular._rows import LOST
from tabular.exact_model import ExactModel

INF, NAN = np.inf, np.nan
I2 = [[[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [0.5, 0.5]]]
R2 = [[0.0, 1.0], [2.0, 3.0]]


def put(x: Any, at: tuple[int, ...], value: Any, dtype: Any = float) -> np.ndarray:
    out = np.array(x, dtype=dtype)
    out[at] = value
    return out


def obj(x: Any) -> np.ndarray:
    return np.array(x, dtype=object)


def csr(indptr: Any = (0, 1, 2, 3, 4), indices: Any = (0, 1, 1, 0), data: Any = (1.0, 1.0, 1.0, 1.0)) -> CSR:
    return CSR(np.array(indptr), np.array(indices), np.array(data))


def exact(**changes: Any) -> ExactModel:
    """One state, two actions: one stays or ends, the other is unavailable."""
    one = ExactModel(
        1, 2, np.array([[True, False]]), np.array([0, 1, 1]), np.array([0]), [2], [1, 0], [3, 1], [F(1), F(0)], F(1, 2), None
    )  # fmt: skip
    return one._replace(**changes)


TINY = F(1, 10**400)

# name: (call, exception, what the message says)
BAD: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "P too small": (lambda: MDP(I2[:1], R2, 0.9), ModelError, r"P has shape \(1, 2, 2\): expected \(2, 2, 2\)"),
    "P flat": (lambda: MDP([1.0], R2, 0.9), ModelError, r"P has shape \(1,\)"),
    "P scalar": (lambda: MDP(1.0, R2, 0.9), ModelError, r"P has shape \(\)"),
    "P ragged": (lambda: MDP([[[1.0]], [[1.0, 0.0]]], R2, 0.9), ModelError, "P is ragged"),
    "P None": (lambda: MDP(None, R2, 0.9), TypeError, "P is a NoneType: expected real numbers"),
    "P text": (lambda: MDP("P", R2, 0.9), TypeError, "P has dtype <U1"),
    "P complex": (lambda: MDP(np.array(I2) + 0j, R2, 0.9), TypeError, "P has dtype complex128"),
    "P masked": (lambda: MDP(np.ma.masked_array(I2), R2, 0.9), TypeError, "P is a masked array"),
    "P nan": (lambda: MDP(put(I2, (1, 0, 1), NAN), R2, 0.9), ModelError, r"P\[1, 0, 1\] is nan: not a finite"),
    "P inf": (lambda: MDP(put(I2, (1, 1, 0), INF), R2, 0.9), ModelError, r"P\[1, 1, 0\] is inf"),
    "P negative": (lambda: MDP(put(I2, (0, 1, 0), -0.25), R2, 0.9), ModelError, r"P\[0, 1, 0\] is -0.25: a prob"),
    "P sum": (lambda: MDP(put(I2, (1, 1, 0), 0.52), R2, 0.9), ModelError, r"P\[1, 1\] sums to 1.02, \+0.02 from 1"),
    "P sum, end": (
        lambda: MDP(I2, R2, 0.9, end=[[0.0, 0.0], [0.0, 0.5]]), ModelError, r"P\[1, 1\] sums to 1.5 with its end"
    ),
    "P sum low": (lambda: MDP(put(I2, (1, 1, 0), 0.25), R2, 0.9), ModelError, "or declare the ending with end="),
    "P huge": (lambda: MDP(put(I2, (0, 0), 1.7e308), R2, 0.9), ModelError, r"P\[0, 0\] sums to inf"),
    "P unavailable": (
        lambda: MDP(put(I2, (0, 0, 0), 0.5), put(R2, (0, 0), -INF), 0.9), ModelError, r"P\[0, 0\] .*leave its row zero"
    ),
    "P no row": (
        lambda: MDP(put(I2, (0, 1), 0.0), R2, 0.9, renormalise=True), ModelError, r"P\[0, 1\] sums to 0.0: no row"
    ),
    "P scaled by inf": (
        lambda: MDP(put(I2, (0, 1), 1.7e308), R2, 0.9, renormalise=True), ModelError, r"P\[0, 1\] sums to inf: no row"
    ),
    "P lost": (lambda: MDP(put(I2, (0, 1), (5e-324, 1e300)), R2, 0.9, renormalise=True), ModelError, LOST),
    "R ragged": (lambda: MDP(I2, [[1.0], [1.0, 2.0]], 0.9), ModelError, "R is ragged"),
    "R flat": (lambda: MDP(I2, [1.0, 2.0], 0.9), ModelError, r"R has shape \(2,\): expected \(S, A\)"),
    "R empty": (lambda: MDP(np.zeros((0, 1, 0)), np.zeros((0, 1)), 0.9), ModelError, r"R has shape \(0, 1\)"),
    "R nan": (lambda: MDP(I2, put(R2, (1, 0), NAN), 0.9), ModelError, r"R\[1, 0\] is nan: rewards are finite"),
    "R inf": (lambda: MDP(I2, put(R2, (0, 1), INF), 0.9), ModelError, r"R\[0, 1\] is inf"),
    "R no action": (lambda: MDP(I2, put(R2, 1, -INF), 0.9), ModelError, r"R\[1\] is -inf for every action"),
    "R text": (lambda: MDP(I2, [["a", "b"], ["c", "d"]], 0.9), TypeError, "R has dtype <U1"),
    "R exact text": (lambda: MDP(I2, put(R2, (1, 0), "x", object), 0.9), TypeError, r"R\[1, 0\] is 'x'"),
    "R exact nan": (lambda: MDP(I2, put(R2, (1, 0), NAN, object), 0.9), ModelError, r"R\[1, 0\] is nan: not a fin"),
    "R exact list": (lambda: MDP(I2, put(R2, (1, 0), (), object), 0.9), TypeError, r"R\[1, 0\] has type tuple"),
    "R exact huge": (lambda: MDP(I2, put(R2, (1, 0), 10**400, object), 0.9), ModelError, r"R\[1, 0\] is beyond"),
    "R exact tiny": (lambda: MDP(I2, put(R2, (1, 0), TINY, object), 0.9), ModelError, r"R\[1, 0\] is not zero but below"),
    "R int64": (lambda: MDP(I2, np.full((2, 2), 2**53 + 1), 0.9), ModelError, r"R\[0, 0\] is 9007199254740993, which no"),
    "R long": (lambda: MDP(I2, np.full((2, 2), 1) / np.longdouble(3), 0.9), ModelError, r"R\[0, 0\] is 0.33.*which no float64"),
    "R by next, mean": (
        lambda: MDP([[[0.5, 0.5 + 2**-50]], [[0.0, 1.0]]], np.full((2, 1, 2), -np.finfo(float).max), 0.9),
        ModelError, "mean of R",
    ),
    "R by next, inf": (
        lambda: MDP(I2, put(I2, (1, 0, 1), INF), 0.9), ModelError, r"R\[1, 0, 1\] is inf: a transition that can happen"
    ),
    "R by next, shape": (lambda: MDP(I2, np.zeros((2, 2, 3)), 0.9), ModelError, r"R has shape \(2, 2, 3\)"),
    "R by next, sparse": (lambda: MDP(csr(), np.zeros((2, 2, 2)), 0.9), ModelError, "beside a dense P"),
    "R by next, exact": (lambda: MDP(I2, obj(np.full((2, 2, 2), F(1, 3))), 0.9), ModelError, "needs exact P"),
    "R by next, exact P": (
        lambda: MDP(obj(I2), put(np.zeros((2, 2, 2)), (0, 1, 1), NAN), 0.9), ModelError, r"R\[0, 1, 1\] is nan: a trans"
    ),
    "R by next, exact P, shape": (lambda: MDP(obj(I2), np.zeros((2, 2, 3)), 0.9), ModelError, r"R has shape \(2, 2, 3\)"),
    "R by next, end": (
        lambda: MDP([[[0.5]]], [[[1.0]]], 0.5, end=[[0.5]]), ModelError, "says nothing of the steps that end: give end_"
    ),
    "R by next, end, exact": (
        lambda: MDP.from_weights([[[1]]], [[[1.0]]], 0.5, end_weights=[[1]]), ModelError, "says nothing of the steps that"
    ),
    "end_reward, R": (
        lambda: MDP([[[0.5]]], [[1.0]], 0.5, end=[[0.5]], end_reward=[[1.0]]), ModelError, "end_reward goes with R of"
    ),
    "end_reward shape": (
        lambda: MDP([[[0.5]]], [[[1.0]]], 0.5, end=[[0.5]], end_reward=[1.0]), ModelError, r"end_reward has shape \(1,\)"
    ),
    "end shape": (lambda: MDP(I2, R2, 0.9, end=[0.0, 0.0]), ModelError, r"end has shape \(2,\): expected \(2, 2\)"),
    "end negative": (
        lambda: MDP(I2, R2, 0.9, end=put(np.zeros((2, 2)), (1, 0), -1.0)), ModelError, r"end\[1, 0\] is -1.0"
    ),
    "end nan": (lambda: MDP(I2, R2, 0.9, end=put(np.zeros((2, 2)), (0, 0), NAN)), ModelError, r"end\[0, 0\] is nan"),
    "gamma big": (lambda: MDP(I2, R2, 1.5), ModelError, "gamma is 1.5: a discount lies in"),
    "gamma negative": (lambda: MDP(I2, R2, -0.1), ModelError, "gamma is -0.1"),
    "gamma nan": (lambda: MDP(I2, R2, NAN), ModelError, "gamma is nan: not a finite number"),
    "gamma inf": (lambda: MDP(I2, R2, INF), ModelError, "gamma is inf: not a finite number"),
    "gamma list": (lambda: MDP(I2, R2, [0.9, [1]]), TypeError, "gamma is a list: expected a number"),
    "gamma text": (lambda: MDP(I2, R2, "0.9"), TypeError, "gamma is '0.9': expected a rational number"),
    "gamma bool": (lambda: MDP(I2, R2, True), TypeError, "gamma is True"),
    "gamma None": (lambda: MDP(I2, R2, None), TypeError, "gamma has type NoneType"),
    "gamma near 1": (lambda: MDP(I2, R2, 1 - TINY), ModelError, "gamma is below 1 but rounds to 1.0"),
    "rho shape": (lambda: MDP(I2, R2, 0.9, rho=[1.0]), ModelError, r"rho has shape \(1,\): expected \(2,\)"),
    "rho sum": (lambda: MDP(I2, R2, 0.9, rho=[0.5, 0.6]), ModelError, r"rho sums to 1.1"),
    "rho huge": (lambda: MDP(I2, R2, 0.9, rho=[1.7e308] * 2), ModelError, "rho sums to inf"),
    "rho negative": (lambda: MDP(I2, R2, 0.9, rho=[1.5, -0.5]), ModelError, r"rho\[1\] is -0.5"),
    "rho exact shape": (lambda: MDP(I2, R2, 0.9, rho=[[F(1, 2), F(1, 2)]]), ModelError, r"rho has shape \(1, 2\)"),
    "rho exact sum": (lambda: MDP(I2, R2, 0.9, rho=[F(1, 3), F(1, 3)]), ModelError, "rho sums to 2/3, not to 1"),
    "rho exact negative": (lambda: MDP(I2, R2, 0.9, rho=[F(3, 2), F(-1, 2)]), ModelError, r"rho\[1\] is -1/2"),
    "labels short": (lambda: MDP(I2, R2, 0.9, state_labels=["a"]), ModelError, "state_labels has 1 entries: expected 2"),
    "labels twice": (lambda: MDP(I2, R2, 0.9, action_labels=["a", "a"]), ModelError, "action_labels names 'a' twice"),
    "labels number": (lambda: MDP(I2, R2, 0.9, state_labels=2), TypeError, "state_labels is a int: expected 2 names"),
    "csr dtype": (lambda: MDP(csr(indices=[0.0, 1, 1, 0]), R2, 0.9), TypeError, "have dtypes int64 and float64"),
    "csr lengths": (lambda: MDP(csr(indices=[0, 1]), R2, 0.9), ModelError, r"indptr of shape \(5,\), indices \(2,\)"),
    "csr falls": (lambda: MDP(csr(indptr=[0, 2, 1, 3, 4]), R2, 0.9), ModelError, "P.indptr must rise from 0 to 4"),
    "csr start": (lambda: MDP(csr(indptr=[1, 1, 2, 3, 4]), R2, 0.9), ModelError, "it starts at 1"),
    "csr range": (lambda: MDP(csr(indices=[0, 1, 2, 0]), R2, 0.9), ModelError, r"P.indices\[2\] is 2: states are 0 ... 1"),
    "csr under": (lambda: MDP(csr(indices=[0, -1, 1, 0]), R2, 0.9), ModelError, r"P.indices\[1\] is -1"),
    "csr twice": (
        lambda: MDP(csr([0, 1, 3, 4, 5], [0, 1, 1, 1, 0], [1, 0.5, 0.5, 1, 1]), R2, 0.9),
        ModelError, r"P\[0, 1, 1\] is given twice",
    ),
    "csr nan": (lambda: MDP(csr(data=[1, 1, NAN, 1]), R2, 0.9), ModelError, r"P\[1, 0, 1\] is nan: not a finite"),
    "csr negative": (lambda: MDP(csr(data=[1, 1, 1, -1]), R2, 0.9), ModelError, r"P\[1, 1, 0\] is -1.0: a prob"),
    "csr sum": (lambda: MDP(csr(data=[1, 1, 0.5, 1]), R2, 0.9), ModelError, r"P\[1, 0\] sums to 0.5"),
    "csr exact": (lambda: MDP(CSR(*csr()[:2], obj([1, 1, 1, 1])), R2, 0.9), ModelError, "come as a dense"),
    "csr no row": (
        lambda: MDP(csr(data=[1, 1, 0, 1]), R2, 0.9, renormalise=True), ModelError, r"P\[1, 0\] sums to 0.0: no row"
    ),
    "scipy shape": (lambda: MDP(scipy.sparse.eye(3).tocsr(), R2, 0.9), ModelError, r"P has shape \(3, 3\): expected \(4, 2\)"),
    "exact shape": (lambda: MDP(obj([[[1]]]), R2, 0.9), ModelError, r"P has shape \(1, 1, 1\)"),
    "exact end shape": (lambda: MDP(obj(I2), R2, 0.9, end=obj([1])), ModelError, r"end has shape \(1,\)"),
    "exact negative": (
        lambda: MDP(put(I2, (0, 1), (F(-1, 3), F(4, 3)), object), R2, 0.9), ModelError, r"P\[0, 1, 0\] is -1/3"
    ),
    "exact end negative": (
        lambda: MDP(obj(I2), R2, 0.9, end=put(np.zeros((2, 2)), (1, 0), F(-1, 7), object)), ModelError, r"end\[1, 0\] is -1/7"
    ),
    "exact sum": (
        lambda: MDP(put(I2, (1, 1), F(1, 3), object), R2, 0.9), ModelError, r"P\[1, 1\] sums to 2/3: exact rows"
    ),
    "exact inf": (lambda: MDP(put(I2, (1, 1, 0), INF, object), R2, 0.9), ModelError, r"P\[1, 1, 0\] is inf: not a finite"),
    "exact lost": (lambda: MDP(put(I2, (1, 1), (TINY, 1 - TINY), object), R2, 0.9), ModelError, LOST),
    "exact end lost": (
        lambda: MDP(put(I2, (1, 1), (F(1, 2), F(1, 2) - TINY), object), R2, 0.9, end=put(np.zeros((2, 2)), (1, 1), TINY, object)),
        ModelError, LOST,
    ),
    "weights float": (lambda: MDP.from_weights(I2, R2, 0.9), TypeError, "weights has dtype float64: expected integers"),
    "weights half": (
        lambda: MDP.from_weights(put(I2, (0, 0, 0), F(1, 2), object), R2, 0.9), TypeError, r"weights\[0, 0, 0\] is Fraction"
    ),
    "weights negative": (
        lambda: MDP.from_weights(-np.array(np.ones((2, 2, 2)), dtype=int), R2, 0.9), ModelError, r"weights\[0, 0, 0\] is -1"
    ),
    "weights ragged": (lambda: MDP.from_weights([[1], [1, 2]], R2, 0.9), ModelError, "weights is ragged"),
    "weights flat": (lambda: MDP.from_weights([[1, 2]], R2, 0.9), ModelError, r"weights has shape \(1, 2\)"),
    "end weights float": (
        lambda: MDP.from_weights(np.ones((2, 2, 2), dtype=int), R2, 0.9, end_weights=np.full((2, 2), 0.5)),
        TypeError, "end_weights has dtype float64",
    ),
    "end weights shape": (
        lambda: MDP.from_weights(np.ones((2, 2, 2), dtype=int), R2, 0.9, end_weights=[1]),
        ModelError, r"end_weights has shape \(1,\): expected \(2, 2\)",
    ),
    "model empty": (lambda: MDP.from_exact(exact(S=0)), ModelError, "the model has S=0, A=2"),
    "model mask": (lambda: MDP.from_exact(exact(mask=np.ones(2))), ModelError, r"mask has shape \(2,\)"),
    "model no action": (lambda: MDP.from_exact(exact(mask=np.zeros((1, 2)))), ModelError, r"mask\[0\] is False"),
    "model lengths": (lambda: MDP.from_exact(exact(weights=[])), ModelError, "0 weights, 2 end weights and 2 totals"),
    "model dtype": (lambda: MDP.from_exact(exact(indices=np.array([0.0]))), TypeError, "dtypes int64 and float64"),
    "model indptr": (lambda: MDP.from_exact(exact(indptr=np.array([0, 1]))), ModelError, r"indptr has shape \(2,\)"),
    "model falls": (lambda: MDP.from_exact(exact(indptr=np.array([0, 2, 1]))), ModelError, "indptr must rise from 0 to 1"),
    "model weight": (lambda: MDP.from_exact(exact(weights=[2.0])), TypeError, r"weights\[0\] is 2.0: expected an integer"),
    "model twice": (
        lambda: MDP.from_exact(exact(indptr=np.array([0, 2, 2]), indices=np.array([0, 0]), weights=[1, 1])),
        ModelError, r"P\[0, 0\] gives a successor twice",
    ),
    "model range": (lambda: MDP.from_exact(exact(indices=np.array([1]))), ModelError, r"P\[0, 0\] has successor 1"),
    "model negative": (lambda: MDP.from_exact(exact(weights=[-2])), ModelError, r"P\[0, 0, 0\] has weight -2"),
    "model end": (lambda: MDP.from_exact(exact(end_weights=[-1, 0])), ModelError, r"end\[0, 0\] has weight -1"),
    "model total": (lambda: MDP.from_exact(exact(totals=[4, 1])), ModelError, r"P\[0, 0\] has weights that add up to 3"),
    "model lost": (
        lambda: MDP.from_exact(exact(weights=[10**400], totals=[10**400 + 1, 1])), ModelError, LOST
    ),
    "model R": (lambda: MDP.from_exact(exact(R=[1])), ModelError, "R has 1 entries: expected 2"),
    "model R tiny": (lambda: MDP.from_exact(exact(R=[TINY, 0])), ModelError, r"R\[0, 0\] is not zero but below"),
    "model R huge": (lambda: MDP.from_exact(exact(R=[10**400, 0])), ModelError, r"R\[0, 0\] is beyond"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_a_bad_input_is_refused_by_name(case: str) -> None:
    call, kind, message = BAD[case]
    with pytest.raises(kind, match=message):
        call()


def test_every_refusal_in_the_sources_is_reached_by_a_bad_input(unreached: Callable[..., list[str]]) -> None:
    assert unreached(BAD.values(), ("mdp.py", "_ingest.py", "_rows.py", "_validate.py", "from_exact.py")) == []


# An oracle in Fractions, from the definition alone.

weight = st.one_of(st.integers(0, 3), st.integers(0, 2**40))
number = st.one_of(st.integers(-3, 3).map(float), st.floats(-1e6, 1e6), st.sampled_from([0.0, -0.0, 5e-324, 1e300]))


@st.composite
def raw_models(draw: Any) -> dict[str, Any]:
    S, A = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    free = [[a == draw(st.integers(0, A - 1)) or draw(st.booleans()) for a in range(A)] for _ in range(S)]
    free = [row if any(row) else [True] * A for row in free]
    ends = draw(st.booleans())
    w = [[[draw(weight) for _ in range(S)] for _ in range(A)] for _ in range(S)]
    e = [[draw(weight) if ends else 0 for _ in range(A)] for _ in range(S)]
    for s in range(S):
        for a in range(A):
            if sum(w[s][a]) + e[s][a] == 0:
                w[s][a][draw(st.integers(0, S - 1))] = 1
    R = [[draw(number) if free[s][a] else -INF for a in range(A)] for s in range(S)]
    rho = draw(st.none() | st.lists(st.integers(1, 9), min_size=S, max_size=S))
    return {
        "S": S,
        "A": A,
        "w": w,
        "e": e,
        "ends": ends,
        "R": R,
        "free": free,
        "rho": rho,
        "gamma": draw(st.floats(0, 1)),
    }


def floats(raw: dict[str, Any]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """P, end and R as floats, rows divided by their float sums."""
    w, e = np.array(raw["w"], dtype=float), np.array(raw["e"], dtype=float)
    total = w.sum(axis=-1) + e
    return w / total[..., None], e / total, np.array(raw["R"])


def lifted(P: np.ndarray, end: np.ndarray, s: int, a: int) -> tuple[dict[int, F], F]:
    row = [F(x) for x in P[s, a].tolist()]
    total = sum(row) + F(float(end[s, a]))
    return {t: x / total for t, x in enumerate(row) if x}, F(float(end[s, a])) / total


@given(raw_models())
def test_floats_give_their_canonical_lift(raw: dict[str, Any]) -> None:
    P, end, R = floats(raw)
    options = {"end": end if raw["ends"] else None}
    if raw["rho"] is not None:
        options["rho"] = np.array(raw["rho"]) / sum(raw["rho"])
    dense = MDP(P, R, raw["gamma"], **options)
    flat = P.reshape(-1, raw["S"])
    for m in (dense, dense.to_sparse(), MDP(scipy.sparse.csr_matrix(flat), R, raw["gamma"], **options)):
        model = m.exact()
        assert model.gamma == F(raw["gamma"]) and m.gamma == raw["gamma"]
        assert np.array_equal(m.R, np.where(np.isfinite(R), R, -INF)) and np.array_equal(m.mask, np.isfinite(R))
        for s in range(m.S):
            for a in range(m.A):
                if m.mask[s, a]:
                    assert (model.row(s, a), model.end(s, a)) == lifted(P, end, s, a)
                    assert model.R[s * m.A + a] == F(R[s, a])
                else:
                    assert (model.row(s, a), model.end(s, a), model.R[s * m.A + a]) == ({}, 0, 0)
        if raw["rho"] is not None:
            start = [F(x) for x in options["rho"].tolist()]
            assert list(model.rho) == [x / sum(start) for x in start]
        assert m == dense and m.content_hash == dense.content_hash and hash(m) == hash(dense)
        assert m.to_dense().P.tobytes() == np.where(m.mask[..., None], P, 0.0).tobytes()
        assert pickle.loads(pickle.dumps(m)) == m


@given(raw_models(), st.sampled_from([F, lambda n, d: fmpq(n, d)]))
def test_rationals_stay_exact(raw: dict[str, Any], number: Callable[[int, int], Any]) -> None:
    S, A = raw["S"], raw["A"]
    total = [[sum(raw["w"][s][a]) + raw["e"][s][a] for a in range(A)] for s in range(S)]
    P = obj([[[F(x, total[s][a]) for x in raw["w"][s][a]] for a in range(A)] for s in range(S)])
    end = obj([[F(raw["e"][s][a], total[s][a]) for a in range(A)] for s in range(S)])
    convert = np.vectorize(lambda x: number(x.numerator, x.denominator), otypes=[object])
    m = MDP(convert(P), raw["R"], raw["gamma"], end=convert(end) if raw["ends"] else None)
    model = m.exact()
    for s in range(S):
        for a in range(A):
            if raw["free"][s][a]:
                assert model.row(s, a) == {t: x for t, x in enumerate(P[s, a]) if x} and model.end(s, a) == end[s, a]
                assert m.P[s, a].tolist() == [float(x) for x in P[s, a]] and m.end[s, a] == float(end[s, a])
    same = MDP.from_weights(raw["w"], raw["R"], raw["gamma"], end_weights=raw["e"])
    assert same == m and MDP.from_exact(model) == m and MDP.from_exact(model).to_dense() == m
    assert m.is_exact and m.to_sparse().exact().weights == model.weights


@given(raw_models())
def test_augmented_sends_the_end_to_a_last_state(raw: dict[str, Any]) -> None:
    P, end, R = floats(raw)
    exact_m = MDP.from_weights(raw["w"], R, raw["gamma"], end_weights=raw["e"])
    for m in (MDP(P, R, raw["gamma"], end=end), exact_m, exact_m.to_sparse()):
        plus, old, new = m.augmented(), m.exact(), m.augmented().exact()
        assert (plus.S, plus.has_end, plus.is_sparse, plus.is_exact) == (
            m.S + 1,
            False,
            m.is_sparse,
            m.is_exact,
        )
        for s in range(m.S):
            for a in range(m.A):
                row = old.row(s, a) | ({m.S: old.end(s, a)} if old.end(s, a) else {})
                assert (new.row(s, a), new.end(s, a), new.R[s * m.A + a]) == (row, 0, old.R[s * m.A + a])
        for a in range(m.A):
            assert new.row(m.S, a) == {m.S: 1} and plus.R[m.S, a] == 0
        assert plus == MDP.from_exact(new).to_dense() or not m.is_exact


@given(raw_models(), st.data())
def test_one_wrong_number_is_named(raw: dict[str, Any], data: st.DataObject) -> None:
    P, end, R = floats(raw)
    s = data.draw(st.integers(0, raw["S"] - 1))
    a = data.draw(st.sampled_from([a for a in range(raw["A"]) if raw["free"][s][a]]))
    t = data.draw(st.integers(0, raw["S"] - 1))
    wrong = data.draw(
        st.sampled_from(["nan", "inf", "negative", "more", "less", "R nan", "R inf", "end nan", "end negative"])
    )
    at = f"P[{s}, {a}]"
    match wrong:
        case "nan" | "inf":
            P[s, a, t] = float(wrong)
            at = f"P[{s}, {a}, {t}]"
        case "negative":
            P[s, a, t] = -data.draw(st.floats(1e-300, 1.0))
            at = f"P[{s}, {a}, {t}]"
        case "more":
            P[s, a, t] += data.draw(st.floats(1e-9, 1e9))
        case "less":
            P[s, a] *= 1 - data.draw(st.floats(1e-9, 1))
            end[s, a] *= 0.5
        case "R nan" | "R inf":
            R[s, a] = float(wrong[2:])
            at = f"R[{s}, {a}]"
        case "end nan":
            end[s, a] = NAN
            at = f"end[{s}, {a}]"
        case "end negative":
            end[s, a] = -data.draw(st.floats(1e-300, 1.0))
            at = f"end[{s}, {a}]"
    for given_P in (P, scipy.sparse.csr_matrix(P.reshape(-1, raw["S"]))):
        with pytest.raises(ModelError) as error:
            MDP(given_P, R, raw["gamma"], end=end)
        assert str(error.value).startswith(at), str(error.value)


scalar = st.one_of(
    st.none(), st.booleans(), st.integers(-2, 2), st.integers(), st.floats(), st.fractions(max_denominator=4), st.text(max_size=2),
    st.complex_numbers(), st.just(10**400), st.just(fmpq(1, 2)), st.just(object()),
)  # fmt: skip
nested = st.recursive(scalar, lambda x: st.lists(x, max_size=3), max_leaves=12)
array = st.builds(
    lambda shape, x, dtype: np.full(shape, x).astype(dtype),
    st.lists(st.integers(0, 2), max_size=4).map(tuple),
    st.sampled_from([0, 1, -1]),
    st.sampled_from([float, int, object, np.float32, bool, complex, np.uint8]),
)
anything = st.one_of(nested, array, st.builds(CSR, array, array, array), st.just(I2), st.just(R2), st.just(obj(I2)))


@given(
    anything,
    anything,
    st.one_of(st.just(0.5), scalar),
    st.none() | anything,
    st.none() | anything,
    st.booleans(),
)
@example([[[1.0]]], [[[F(1, 3)]]], 0.5, None, None, False)
@example(obj([[[1]]]), np.zeros((1, 1, 2)), 0.5, None, None, False)
@example([[[2.0]]], [[3.0]], 0.5, None, None, True)
def test_anything_else_is_a_model_or_refused(P: Any, R: Any, gamma: Any, end: Any, rho: Any, renormalise: bool) -> None:
    try:
        m = MDP(P, R, gamma, end=end, rho=rho, renormalise=renormalise)
    except (ModelError, TypeError) as error:
        assert str(error)
        return
    model = m.exact()
    for s in range(m.S):
        for a in range(m.A):
            if m.mask[s, a]:
                row = model.row(s, a)
                assert sum(row.values()) + model.end(s, a) == 1 and min([*row.values(), model.end(s, a)]) >= 0


def test_rewards_by_next_state_are_averaged_over_the_transitions() -> None:
    P = np.array([[[0.25, 0.75]], [[0.0, 1.0]]])
    R3 = np.array([[[4.0, 8.0]], [[NAN, -2.0]]])  # what cannot happen does not matter
    assert MDP(P, R3, 0.9).R.tolist() == [[7.0], [-2.0]]
    assert MDP(2 * P, R3, 0.9, renormalise=True).R.tolist() == [[7.0], [-2.0]]
    m = MDP(obj([[[F(1, 3), F(2, 3)]], [[0, 1]]]), R3, 0.9)
    assert m.exact().R == (F(20, 3), F(-2)) and MDP(2 * obj(P), R3, 0.9, renormalise=True).R.tolist() == [
        [7.0],
        [-2.0],
    ]


def test_renormalise_divides_rows_with_their_ends() -> None:
    m = MDP([[[1.0]]], [[0.0]], 0.5, end=[[3.0]], renormalise=True)
    assert m.P.item() == 0.25 and m.end.item() == 0.75
    m = MDP(obj([[[1]]]), [[0.0]], 0.5, end=obj([[2]]), renormalise=True)
    assert m.exact().row(0, 0) == {0: F(1, 3)} and m.exact().end(0, 0) == F(2, 3)


def test_the_tolerance_of_a_row_sum_is_that_of_honest_rounding() -> None:
    """Rows within a few ulps pass; a row off by more is refused: both sides of the tolerance."""
    u = 2.0**-53
    for n in (1, 2, 10):
        P = np.full((n, 1, n), 1.0 / n)
        P[0, 0, 0] += 4 * n * u
        MDP(P, np.zeros((n, 1)), 0.5)
        P[0, 0, 0] += 8 * n * u
        with pytest.raises(ModelError, match=r"P\[0, 0\] sums to"):
            MDP(P, np.zeros((n, 1)), 0.5)


def test_numbers_that_floats_hold_are_no_different_from_the_floats() -> None:
    plain = MDP(I2, R2, 0.5, rho=[0.5, 0.5])
    given_exactly = MDP(I2, obj([[F(0), F(1)], [2, 3]]), F(1, 2), rho=[F(1, 2), F(1, 2)])
    assert plain == given_exactly and not given_exactly.is_exact
    assert MDP(I2, obj([[F(1, 3), 1], [2, 3]]), 0.5) != MDP(I2, [[1 / 3, 1], [2, 3]], 0.5)


def test_a_model_is_frozen_and_owns_its_arrays() -> None:
    P, R = np.array(I2), np.array(R2)
    m = MDP(P, R, 0.9, rho=np.array([0.5, 0.5]))
    P[0, 0], R[0, 0] = 0.5, 9.0
    assert m.P[0, 0].tolist() == [1.0, 0.0] and m.R[0, 0] == 0.0 and P.flags.writeable
    for x in (m.P, m.rewards, m.mask, m.end, m.rho):
        assert not x.flags.writeable
    with pytest.raises(AttributeError, match="frozen"):
        m.gamma = 0.5
    with pytest.raises(AttributeError, match="frozen"):
        del m.gamma
    kept = MDP(P := np.array(I2), R2, 0.9, copy=False)
    assert np.shares_memory(kept.P, P) and not P.flags.writeable
    for x in (m.P, m.rewards, m.mask, m.end, m.rho, kept.P, m.to_sparse().P.data, m.to_sparse().to_dense().P):
        assert x.base is None or not x.base.flags.writeable
        with pytest.raises(ValueError, match="WRITEABLE"):
            x.setflags(write=True)
    third = MDP(obj(np.full((2, 1, 2), F(1, 2))), obj([[F(1, 3)], [F(1)]]), F(1, 3)).exact()
    assert all(isinstance(x, tuple) for x in (third.R, third.weights, third.end_weights, third.totals))
    part = MDP((many := np.array([I2, I2]))[0], R2, 0.9, copy=False)
    assert many.flags.writeable and not np.shares_memory(part.P, many)


@pytest.mark.parametrize("key", ["P", "R", "end", "gamma", "rho", "mask"])
def test_the_content_hash_sees_every_number(key: str) -> None:
    base = {"P": np.array([[[0.5, 0.25]], [[0.0, 1.0]]]), "R": np.array([[1.0], [2.0]]), "gamma": 0.5}
    base |= {"end": np.array([[0.25], [0.0]]), "rho": np.array([0.5, 0.5])}
    other = dict(base)
    match key:
        case "P":
            other["P"] = np.array([[[0.25, 0.5]], [[0.0, 1.0]]])
        case "R":
            other["R"] = np.array([[np.nextafter(1.0, 2)], [2.0]])
        case "end":
            other |= {"end": np.array([[0.5], [0.0]]), "P": np.array([[[0.25, 0.25]], [[0.0, 1.0]]])}
        case "gamma":
            other["gamma"] = F(1, 2) + F(1, 2**80)
        case "rho":
            other["rho"] = None
        case "mask":
            two = {k: np.concatenate([base[k], base[k]], axis=1) for k in ("P", "R", "end")}
            base, other = base | two, base | two | {"R": np.array([[1.0, -INF], [2.0, 2.0]])}
    args = inspect.signature(MDP).parameters
    first, second = (MDP(**{k: v for k, v in x.items() if k in args}) for x in (base, other))
    assert first != second and first == MDP(**base) and first != "a model"


def test_repr_says_what_a_model_is() -> None:
    m = MDP(csr(), put(R2, (0, 1), -INF), F(1, 3), end=None, name="small")
    assert repr(m) == "MDP(S=2, A=2, gamma=0.333333, sparse (0.38 non-zero), 1 pairs unavailable, exact, 'small')"
