"""Entropy without discounting: finite or not, against Perron roots, closed forms and Gymnasium's tables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.sparse.csgraph import connected_components

from tabular.errors import ImproperModel
from tabular.mdp import MDP
from tabular.planning.regularised_components import check_regularised, grounded

Conjugate = Callable[[np.ndarray, np.ndarray], np.ndarray]


def shannon(tau: float) -> Conjugate:
    return lambda Q, mask: tau * np.logaddexp.reduce(np.where(mask, Q / tau, -np.inf), axis=1)


def kl_to_uniform(lam: float) -> Conjugate:
    return lambda Q, mask: shannon(lam)(Q, mask) - lam * np.log(mask.sum(axis=1))


def check(mdp: MDP, conjugate: Conjugate, **options: Any) -> np.ndarray:
    return check_regularised(*mdp.csr(), mdp.rewards, mdp.end, mdp.mask, conjugate, **options)


def deterministic(to: Any, R: Any) -> MDP:
    """``to[s, a]`` is the next state; -1 ends."""
    to = np.asarray(to)
    return MDP((to[..., None] == np.arange(len(to))).astype(float), R, 1, end=(to < 0).astype(float))


def spectral_verdict(to: np.ndarray, R: np.ndarray, tau: float) -> tuple[bool, np.ndarray, np.ndarray]:
    """Finite or not; the states worth nothing; and ``exp(V / tau)``, which solves a linear system."""
    S = len(to)
    M, b = np.zeros((S, S)), np.zeros(S)
    for s, a in np.argwhere(np.isfinite(R)):
        if to[s, a] < 0:
            b[s] += np.exp(R[s, a] / tau)
        else:
            M[s, to[s, a]] += np.exp(R[s, a] / tau)
    nothing = np.zeros(S, dtype=bool)
    label = connected_components(M > 0, connection="strong")[1]
    for k in np.unique(label):
        block = np.flatnonzero(label == k)
        # Irreducible: its Perron root is simple, so eigenvalues of floats are good to rounding.
        if max(abs(np.linalg.eigvals(M[np.ix_(block, block)]))) >= 1 - 1e-9:
            single = (np.isfinite(R[block]).sum(axis=1) == 1).all()
            if not (single and (R[block][np.isfinite(R[block])] == 0).all()):
                return False, nothing, b
            nothing[block] = True
    M[nothing], b[nothing] = 0.0, 1.0
    z = np.linalg.solve(np.eye(S) - M, b)
    return bool((z > 1e-12).all()), nothing, z


def test_deterministic_models_are_finite_where_perron_roots_are_below_one() -> None:
    rng = np.random.default_rng(11)
    finite = chains = 0
    for _ in range(1500):
        S, A = int(rng.integers(1, 6)), int(rng.integers(1, 4))
        to = rng.integers(-1, S, (S, A))
        R = rng.choice([-3.0, -2.0, -1.0, 0.0, 1.0], (S, A), p=[0.2, 0.3, 0.3, 0.15, 0.05])
        out = rng.random((S, A)) < 0.3
        out[np.arange(S), rng.integers(0, A, S)] = False
        R[out] = -np.inf
        P = ((to[..., None] == np.arange(S)) & ~out[..., None]).astype(float)
        mdp = MDP(P, R, 1, end=((to < 0) & ~out).astype(float))
        tau = float(rng.choice([0.5, 1.0, 2.0]))
        expected, nothing, z = spectral_verdict(to, R, tau)
        if not expected:
            with pytest.raises(ImproperModel):
                check(mdp, shannon(tau))
            continue
        got = check(mdp, shannon(tau))
        assert got.tolist() == nothing.tolist()
        finite += 1
        chains += bool(nothing.any())
        # the value that the linear system gives is a fixed point of the backup of the grounded model
        P = mdp.csr()
        indptr, indices, data, end = grounded(*P, mdp.end, mdp.mask, got)
        V = tau * np.log(z)
        row = np.repeat(np.arange(S * A), np.diff(indptr))
        Q = mdp.rewards + np.bincount(row, weights=data * V[indices], minlength=S * A).reshape(S, A)
        assert shannon(tau)(Q, mdp.mask) == pytest.approx(V, abs=1e-9 * (1 + np.abs(V).max()))
        assert (end[got][mdp.mask[got]] == 1).all()
    assert finite > 150
    assert chains > 20


def _half_choice(tau: float) -> tuple[MDP, Conjugate]:
    """Two of three steps offer two equal choices: the gain is ``-1 + (2/3) tau log 2``."""
    P = np.zeros((2, 2, 2))
    P[0, :] = 0.5
    P[1, 0, 0] = 1.0
    return MDP(P, [[-1.0, -1.0], [-1.0, 0.0]], 1, end=[[0.0, 0.0], [0.0, 1.0]]), shannon(tau)


def test_the_critical_temperature_is_found_on_both_sides() -> None:
    critical = 1.5 / np.log(2)
    assert not check(*_half_choice(critical * (1 - 1e-9))).any()
    with pytest.raises(ImproperModel, match="non-negative regularised gain"):
        check(*_half_choice(critical * (1 + 1e-9)))
    with pytest.raises(ImproperModel, match="undecided"):
        check(*_half_choice(critical))


def test_periods_do_not_stop_the_iteration() -> None:
    """A circle of two states with two equal ways each: ``g = (r0 + r1) / 2 + tau log 2``."""
    R = np.array([[-5.0, -5.0, -5.0], [1.0, 1.0, -np.inf]])
    to = np.array([[1, 1, -1], [0, 0, -1]])
    P = (to[..., None] == np.arange(2)).astype(float)
    P[1, 2] = 0.0
    mdp = MDP(P, R, 1, end=np.array([[0, 0, 1.0], [0, 0, 0]]))
    assert not check(mdp, shannon(2 / np.log(2) * 0.999)).any()
    with pytest.raises(ImproperModel, match="non-negative"):
        check(mdp, shannon(2 / np.log(2) * 1.001))


@pytest.mark.parametrize(
    ("to", "R", "why"),
    [
        ([[0, -1]], [[0.0, -5.0]], "leaving is a choice: its regularised gain is zero"),
        ([[0, 0]], [[0.0, 0.0]], "non-negative regularised gain"),
        ([[0, 0]], [[-9.0, -9.0]], "negative and inescapable"),
        ([[0]], [[-1.0]], "rewards that do not vanish"),
        ([[1], [0]], [[1.0], [-1.0]], "rewards that do not vanish"),
    ],
    ids=["stay-for-nothing", "entropy", "trap", "losing-chain", "balanced-chain"],
)
def test_refusals(to: list[list[int]], R: list[list[float]], why: str) -> None:
    with pytest.raises(ImproperModel, match=rf"hall.*{why}"):
        check(deterministic(to, R), shannon(1.0), labels=["hall", "yard"])


def test_a_closed_chain_without_choice_or_reward_is_worth_nothing() -> None:
    mdp = MDP(
        [[[0, 0, 0], [0, 1, 0]], [[0, 0, 1.0], [0, 0, 0]], [[0, 1.0, 0], [0, 0, 0]]],
        [[-1, 0], [0, -np.inf], [0, -np.inf]],
        1,
        end=[[1, 0], [0, 0], [0, 0]],
    )
    nothing = check(mdp, shannon(1.0))
    assert nothing.tolist() == [False, True, True]
    indptr, indices, _, end = grounded(*mdp.csr(), mdp.end, mdp.mask, nothing)
    assert indptr.tolist() == [0, 0, 1, 1, 1, 1, 1]
    assert indices.tolist() == [1]
    assert end.tolist() == [[1, 0], [1, 0], [1, 0]]


def test_relative_entropy_pays_nothing_for_uniform_choice() -> None:
    """KL to the uniform policy: gain is at most the reward's, so -1 a step is finite at every temperature; 0
    is not.
    """
    for lam in (0.1, 1.0, 100.0):
        assert not check(deterministic([[0, 0, -1]], [[-1.0, -1.0, 0.0]]), kl_to_uniform(lam)).any()
        with pytest.raises(ImproperModel):
            check(deterministic([[0, 0, -1]], [[0.0, 0.0, 0.0]]), kl_to_uniform(lam))


@pytest.mark.parametrize("tau", [0.01, 0.72], ids=str)
def test_cliff_walking_is_finite_when_cool(tau: float) -> None:
    assert not check(MDP.from_gymnasium("CliffWalking-v1", gamma=1), shannon(tau)).any()


@pytest.mark.parametrize(
    ("name", "tau"),
    [("CliffWalking-v1", 0.8), ("FrozenLake-v1", 1e-3), ("FrozenLake-v1", 10.0), ("Taxi-v4", 0.72)],
    ids=["cliff-hot", "lake-cool", "lake-hot", "taxi"],
)
def test_entropy_makes_gymnasium_models_infinite(name: str, tau: float) -> None:
    """Lakes pay for staying at any temperature; Taxi offers a fifth action for -1 where a passenger waits."""
    with pytest.raises(ImproperModel, match=r"regularised gain|leaving is a choice"):
        check(MDP.from_gymnasium(name, gamma=1), shannon(tau))
