"""``FiniteHorizonMDP``: shapes, shared stages, places in messages, exact numbers."""

from __future__ import annotations

import pickle
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import scipy.sparse

from tabular import CSR, MDP, FiniteHorizonMDP, ModelError, Shannon, backward_induction, certificates

H, S, A = 4, 3, 2
INF = float("inf")


def arrays(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    w = rng.integers(1, 5, size=(H, S, A, S)).astype(float)
    return w / w.sum(axis=-1, keepdims=True), rng.integers(-4, 5, size=(H, S, A)).astype(float)


P4, R3 = arrays()


def test_stationary_stages_are_one_model() -> None:
    fh = FiniteHorizonMDP(P4[0], R3[0], H=5)
    assert (fh.H, fh.S, fh.A, fh.gamma) == (5, S, A, 1.0)
    assert fh.is_stationary and all(fh.stage(h) is fh.stage(0) for h in range(5))
    assert isinstance(fh.stage(2), MDP) and fh.stage(-1) is fh.stage(4)
    with pytest.raises(IndexError, match="stage 5: there are 5"):
        fh.stage(5)


def test_stages_share_their_transitions() -> None:
    fh = FiniteHorizonMDP(P4[0], R3)
    assert fh.H == H and not fh.is_stationary
    assert all(np.shares_memory(fh.stage(h).P, fh.stage(0).P) for h in range(H))
    assert all((fh.stage(h).R == R3[h]).all() for h in range(H))
    sparse = FiniteHorizonMDP(fh.stage(0).csr(), R3)
    assert all(np.shares_memory(sparse.stage(h).P.data, sparse.stage(0).P.data) for h in range(H))


@pytest.mark.parametrize("form", ["array", "csr", "scipy"])
def test_transitions_by_stage(form: str) -> None:
    models = [MDP(P4[h], R3[0], 1) for h in range(H)]
    given: Any = {
        "array": lambda: P4,
        "csr": lambda: [m.csr() for m in models],
        "scipy": lambda: [scipy.sparse.csr_array(P4[h].reshape(S * A, S)) for h in range(H)],
    }[form]()
    fh = FiniteHorizonMDP(given, R3[0])
    assert fh.is_sparse == (form != "array")
    for h in range(H):
        assert np.array_equal(fh.to_dense().stage(h).P, P4[h])
    assert fh.content_hash == FiniteHorizonMDP(P4, R3[0]).content_hash


def test_the_callers_arrays_stay_his() -> None:
    P, R = P4[0].copy(), R3.copy()
    fh = FiniteHorizonMDP(P, R)
    P[:], R[:] = 0.0, 99.0
    assert np.array_equal(fh.stage(1).P, P4[0]) and np.array_equal(fh.R, R3)
    P, R = P4.copy(), R3.copy()
    fh = FiniteHorizonMDP(P, R)
    P[:], R[:] = 0.0, 99.0
    assert all(np.array_equal(fh.stage(h).P, P4[h]) for h in range(H)) and np.array_equal(fh.R, R3)
    with pytest.raises(ValueError, match="read-only"):
        fh.stage(0).P[0, 0, 0] = 1.0
    with pytest.raises(ValueError, match="read-only"):
        fh.terminal[0] = 1.0


def test_actions_may_be_available_at_some_stages_only() -> None:
    R = R3.copy()
    R[1, 2, 0] = R[3, 0, 1] = -INF
    fh = FiniteHorizonMDP(P4[0], R)
    assert np.array_equal(fh.mask, R > -INF) and np.array_equal(fh.R, R)
    assert (fh.stage(1).P[2, 0] == 0).all() and (fh.stage(0).P[2, 0] == P4[0, 2, 0]).all()


def test_endings_by_stage() -> None:
    end = np.zeros((H, S, A))
    end[2, 1, 0] = 1.0
    P = P4.copy()
    P[2, 1, 0] = 0.0
    fh = FiniteHorizonMDP(P, R3, end=end)
    assert fh.stage(2).has_end and not fh.stage(1).has_end
    assert "may end early" in repr(fh)


MESSAGES: dict[str, tuple[dict[str, Any], str]] = {
    "row": (
        {"P": np.where(np.arange(H)[:, None, None, None] == 2, P4 * 1.5, P4), "R": R3},
        r"P\[2, 0, 0\] sums to 1\.5",
    ),
    "shared-row": ({"P": P4[0] * 1.5, "R": R3}, r"P\[0, 1\] sums to 1\.5"),
    "nan": (
        {"P": P4[0], "R": np.where(np.arange(H)[:, None, None] == 3, np.nan, R3)},
        r"R\[3, 0, 0\] is nan",
    ),
    "none-available": (
        {"P": P4[0], "R": np.where(np.arange(H)[:, None, None] == 1, -INF, R3)},
        r"R\[1, 0\] is -inf",
    ),
    "negative-end": ({"P": P4[0], "R": R3, "end": np.full((H, S, A), -0.5)}, r"end\[0, 0, 0\] is -0\.5"),
    "lengths": ({"P": P4, "R": R3[:2]}, "number of stages differs: P says 4, R says 2"),
    "H": ({"P": P4, "R": R3, "H": 5}, "number of stages differs: H says 5, P says 4, R says 4"),
    "no-H": ({"P": P4[0], "R": R3[0]}, "H is missing"),
    "H0": ({"P": P4[0], "R": R3[0], "H": 0}, "H is 0"),
    "P-shape": ({"P": P4[0, 0], "R": R3}, r"P has shape \(2, 3\)"),
    "R-shape": ({"P": P4, "R": R3[0, 0]}, r"R has shape \(2,\)"),
    "sizes": ({"P": P4, "R": R3[:, :2]}, r"stage 0: P has shape \(3, 2, 3\): expected \(2, 2, 2\)"),
    "terminal": ({"P": P4, "R": R3, "terminal": [0.0]}, r"terminal has shape \(1,\): expected \(3,\)"),
    "terminal-inf": ({"P": P4, "R": R3, "terminal": [0.0, INF, 0.0]}, r"terminal\[1\] is inf"),
    "rho": ({"P": P4, "R": R3, "rho": [0.5, 0.25, 0.0]}, "rho sums to 0.75"),
    "gamma": ({"P": P4, "R": R3, "gamma": 1.5}, "gamma is 1.5"),
    "labels": ({"P": P4, "R": R3, "state_labels": ["a", "a", "b"]}, "names 'a' twice"),
}


@pytest.mark.parametrize("case", MESSAGES)
def test_bad_data_is_named_with_its_stage(case: str) -> None:
    arguments, message = MESSAGES[case]
    with pytest.raises(ModelError, match=message):
        FiniteHorizonMDP(**arguments)


def test_bad_types() -> None:
    with pytest.raises(TypeError, match=r"H is 2\.5"):
        FiniteHorizonMDP(P4[0], R3[0], H=2.5)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="expected real numbers"):
        FiniteHorizonMDP(P4.astype(complex), R3)


def test_renormalise() -> None:
    fh = FiniteHorizonMDP(P4 * 3, R3, renormalise=True)
    assert np.abs(fh.stage(1).P - P4[1]).max() <= 1e-15


def test_frozen() -> None:
    fh = FiniteHorizonMDP(P4, R3)
    with pytest.raises(AttributeError, match="frozen"):
        fh.H = 3
    with pytest.raises(AttributeError, match="frozen"):
        del fh.H


def test_content_hash_sees_numbers_only() -> None:
    fh = FiniteHorizonMDP(P4[0], R3[0], H=3, terminal=[1, 2, 3])
    same = FiniteHorizonMDP(
        np.stack([P4[0]] * 3), R3[0], terminal=[1.0, 2.0, 3.0], name="other", state_labels=list("abc")
    )
    assert fh == same and hash(fh) == hash(same) and fh == fh.to_sparse() == fh.to_sparse().to_dense()
    for other in (
        FiniteHorizonMDP(P4[0], R3[0], H=4, terminal=[1, 2, 3]),
        FiniteHorizonMDP(P4[0], R3[0], H=3, terminal=[1, 2, 4]),
        FiniteHorizonMDP(P4[0], R3[0], H=3, terminal=[1, 2, 3], gamma=0.5),
        FiniteHorizonMDP(P4[0], R3[1], H=3, terminal=[1, 2, 3]),
        FiniteHorizonMDP(P4[0], R3[0], H=3, terminal=[1, 2, 3], rho=[1, 0, 0]),
    ):
        assert fh != other
    assert pickle.loads(pickle.dumps(fh)) == fh


def test_representation() -> None:
    fh = FiniteHorizonMDP(P4, R3, name="toy")
    assert repr(fh) == "FiniteHorizonMDP(H=4, S=3, A=2, gamma=1, dense, 4 distinct stages, 'toy')"
    assert "stationary" in repr(FiniteHorizonMDP(P4[0], R3[0], H=9).to_sparse())


def rationals() -> tuple[np.ndarray, np.ndarray]:
    third = Fraction(1, 3)
    P = np.array([[[third, 1 - third], [0, 1]], [[1, 0], [third, 1 - third]]], dtype=object)
    return P, np.array([[Fraction(1, 7), 0], [1, Fraction(-2, 7)]], dtype=object)


def test_exact_rationals_stay_exact() -> None:
    P, R = rationals()
    fh = FiniteHorizonMDP(P, np.stack([R, R * 2]), terminal=[Fraction(1, 3), 0], rho=[Fraction(1, 3), Fraction(2, 3)])
    assert fh.is_exact and "exact" in repr(fh)
    m = fh.exact()
    assert m.stages[1].row(0, 0) == {0: Fraction(1, 3), 1: Fraction(2, 3)}
    assert list(m.stages[1].R) == [Fraction(2, 7), 0, 2, Fraction(-4, 7)]
    assert m.terminal == (Fraction(1, 3), 0) and m.rho == (Fraction(1, 3), Fraction(2, 3)) and m.gamma == 1
    with pytest.raises(ModelError, match=r"P\[1, 0, 0\] sums to 4/3"):
        bad = np.stack([P, P])
        bad[1, 0, 0, 0] = Fraction(2, 3)
        FiniteHorizonMDP(bad, R)


def test_floats_have_the_canonical_lift() -> None:
    fh = FiniteHorizonMDP(P4, R3, rho=[0.1, 0.2, 0.7])
    m = fh.exact()
    assert len(m.stages) == H and sum(m.stages[3].row(1, 1).values()) == 1
    assert sum(m.rho) == 1  # type: ignore[arg-type]


def test_a_csr_is_no_list_of_stages() -> None:
    fh = FiniteHorizonMDP(MDP(P4[0], R3[0], 1).csr(), R3[0], H=2)
    assert isinstance(fh.stage(0).P, CSR) and fh.is_stationary


def test_backward_induction_by_hand() -> None:
    """Two stages, rationals: each value is a fraction one can check."""
    P, R = rationals()
    fh = FiniteHorizonMDP(P, R, H=2, terminal=[Fraction(1), Fraction(0)])
    # V1 = (max(1/7 + 1/3, 0), max(1 + 1, -2/7 + 1/3)) = (10/21, 2)
    # V0 = (max(1/7 + 10/63 + 4/3, 0 + 2), max(1 + 10/21, -2/7 + 10/63 + 4/3)) = (2, 31/21)
    sol = backward_induction(fh)
    assert sol.V[2].tolist() == [1.0, 0.0]
    assert sol.V[1] == pytest.approx([10 / 21, 2.0], abs=1e-15)
    assert sol.V[0] == pytest.approx([2.0, 31 / 21], abs=1e-15)
    assert sol.error_bound < 1e-14


@pytest.mark.parametrize("reg", [None, Shannon(0.5)], ids=["hard", "shannon"])
def test_a_long_horizon_tends_to_the_discounted_value(reg: Any) -> None:
    from tabular import solve

    fh = FiniteHorizonMDP(P4[0], R3[0], H=200, gamma=0.8)
    endless = solve(MDP(P4[0], R3[0], 0.8), reg)
    sol = backward_induction(fh, reg)
    assert np.abs(sol.V[0] - endless.V).max() <= 0.8**200 * 1e3 + 1e-12 + endless.error_bound
    assert np.abs(sol.pi[0] - endless.pi).max() <= 1e-8


def test_backward_induction_wants_a_finite_horizon() -> None:
    with pytest.raises(TypeError, match="takes a FiniteHorizonMDP, not MDP"):
        backward_induction(MDP(P4[0], R3[0], 0.5))  # type: ignore[arg-type]
    assert certificates  # the module that judges is imported lazily
