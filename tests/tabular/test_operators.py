"""The friendly face of the operators: laws, borders, and agreement of NumPy, kernels, dense and sparse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tabular import (
    CSR,
    KL,
    MDP,
    ImproperModel,
    ModelError,
    Shannon,
    ShannonKL,
    backup,
    evaluate_policy,
    greedy,
    occupancy,
    q_values,
)
from tabular._backups import COMPILE_ABOVE, DENSE_SOLVE, THREADS_ABOVE, Backups
from tabular.operators import transition_matrix

EPS = np.finfo(float).eps
S, A = 6, 3


def garnet(seed: int = 0, gamma: float = 0.9, *, ending: bool = True, masked: bool = True, rho: Any = None) -> MDP:
    rng = np.random.default_rng(seed)
    P = rng.dirichlet(np.full(S, 0.3), size=(S, A))
    R = rng.normal(size=(S, A))
    end = rng.random((S, A)) * (rng.random((S, A)) < 0.5) if ending else np.zeros((S, A))
    if masked:
        off = rng.random((S, A)) < 0.3
        off[:, seed % A] = False
        R[off] = -np.inf
    return MDP(P * (1 - end)[..., None], R, gamma, end=end, renormalise=True, rho=rho)


def random_policy(mdp: MDP, seed: int = 0) -> np.ndarray:
    w = np.random.default_rng(seed).exponential(size=(mdp.S, mdp.A)) * mdp.mask
    return w / w.sum(axis=1, keepdims=True)


def uniform(mdp: MDP) -> np.ndarray:
    return mdp.mask / mdp.mask.sum(axis=1, keepdims=True)


REGS = {
    "hard": lambda m: None,
    "shannon": lambda m: Shannon(0.4),
    "kl": lambda m: KL(0.4, random_policy(m, 9)),
    "shannon+kl": lambda m: ShannonKL(0.2, 0.3, random_policy(m, 9)),
}


@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
def test_q_values_follow_the_definition(sparse: bool) -> None:
    mdp = garnet()
    V = np.arange(S) - 2.0
    Q = q_values(mdp.to_sparse() if sparse else mdp, V)
    for s in range(S):
        for a in range(A):
            want = mdp.R[s, a] + (0.9 * sum(mdp.P[s, a, t] * V[t] for t in range(S)) if mdp.mask[s, a] else 0.0)
            assert Q[s, a] == want or abs(Q[s, a] - want) <= 8 * S * EPS


@pytest.mark.parametrize("reg", REGS)
@pytest.mark.parametrize("seed", range(3))
def test_backup_is_monotone_and_contracts(seed: int, reg: str) -> None:
    mdp = garnet(seed)
    regularizer = REGS[reg](mdp)
    rng = np.random.default_rng(seed)
    V, W = rng.normal(size=(2, S)) * 3
    TV, TW = backup(mdp, V, regularizer), backup(mdp, W, regularizer)
    assert np.abs(TV - TW).max() <= 0.9 * np.abs(V - W).max() + 64 * EPS
    assert (backup(mdp, np.maximum(V, W), regularizer) >= np.maximum(TV, TW) - 64 * EPS).all()


@pytest.mark.parametrize("reg", REGS)
@pytest.mark.parametrize("seed", range(3))
def test_the_maximiser_attains_the_backup(seed: int, reg: str) -> None:
    """<pi, Q> - Omega(pi) is the backup at the greedy policy, and no more at any other one."""
    mdp = garnet(seed)
    regularizer = REGS[reg](mdp)
    V = np.random.default_rng(seed).normal(size=S)
    Q, TV = q_values(mdp, V), backup(mdp, V, regularizer)
    b = Backups(mdp, regularizer)
    finite = np.where(mdp.mask, Q, 0.0)
    pi, log_pi = greedy(mdp, Q, regularizer)
    assert np.abs((pi * finite).sum(axis=1) - b.penalty(pi) - TV).max() <= 64 * EPS * np.abs(finite).max()
    assert np.abs(np.exp(log_pi) - pi).max() <= 64 * EPS
    for other in (uniform(mdp), random_policy(mdp, 3)):
        assert ((other * finite).sum(axis=1) - b.penalty(other) <= TV + 64 * EPS).all()
    assert all(np.array_equal(x, y) for x, y in zip((pi, log_pi), greedy(mdp, V, regularizer), strict=True))


def test_greedy_takes_the_first_maximiser() -> None:
    mdp = MDP(np.ones((1, 3, 1)), [[-np.inf, 1.0, 1.0]], 0.5)
    pi, log_pi = greedy(mdp, np.array([[9.0, 2.0, 2.0]]))
    assert pi.tolist() == [[0.0, 1.0, 0.0]] and log_pi.tolist() == [[-np.inf, 0.0, -np.inf]]


def test_backup_into_a_buffer() -> None:
    mdp, out = garnet(), np.empty(S)
    assert backup(mdp, np.zeros(S), Shannon(1.0), out=out) is out
    assert np.array_equal(out, backup(mdp, np.zeros(S), Shannon(1.0)))
    with pytest.raises(ModelError, match=r"out has shape \(2,\)"):
        backup(mdp, np.zeros(S), out=np.empty(2))


@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
@pytest.mark.parametrize("reg", REGS)
def test_the_value_of_a_policy_solves_its_equation(reg: str, sparse: bool) -> None:
    mdp = garnet(1)
    regularizer = REGS[reg](mdp)
    pi = random_policy(mdp)
    V = evaluate_policy(mdp.to_sparse() if sparse else mdp, pi, regularizer)
    Q = np.where(mdp.mask, q_values(mdp, V), 0.0)
    again = (pi * Q).sum(axis=1) - Backups(mdp, regularizer).penalty(pi)
    assert np.abs(again - V).max() <= 256 * EPS * np.abs(V).max()


@pytest.mark.parametrize("gamma", [0.0, 0.9, 1.0])
@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
def test_occupancy_and_value_are_dual(sparse: bool, gamma: float) -> None:
    """<mu, R> = <rho, V>; the mass is (1 - what ended) / (1 - gamma)."""
    rho = np.array([0.5, 0.5, 0, 0, 0, 0])
    mdp = garnet(2, gamma, rho=rho)
    mdp = mdp.to_sparse() if sparse else mdp
    pi = random_policy(mdp, 1)
    mu = occupancy(mdp, pi)
    assert (mu >= 0).all() and (mu[~mdp.mask] == 0).all()
    assert (mu * mdp.rewards).sum() == pytest.approx(rho @ evaluate_policy(mdp, pi), abs=1e-12)
    assert mu.sum() * (1 - gamma) + gamma * (mu * mdp.end).sum() == pytest.approx(1.0, abs=1e-12)
    assert np.array_equal(mu, occupancy(mdp, pi, rho))


def test_occupancy_without_end_has_mass_one_over_one_minus_gamma() -> None:
    mdp = garnet(3, ending=False, rho=np.full(S, 1 / S))
    assert occupancy(mdp, random_policy(mdp)).sum() == pytest.approx(10.0, rel=1e-13)


@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
def test_transition_matrix(sparse: bool) -> None:
    mdp = garnet(4)
    pi = random_policy(mdp)
    want = np.einsum("sa,sat->st", pi, mdp.P)
    got = transition_matrix(mdp.to_sparse() if sparse else mdp, pi)
    if sparse:
        assert isinstance(got, CSR) and (got.data > 0).all()
        dense = np.zeros((S, S))
        dense[np.repeat(np.arange(S), np.diff(got.indptr)), got.indices] = got.data
        assert all(np.all(np.diff(got.indices[i:j]) > 0) for i, j in zip(got.indptr[:-1], got.indptr[1:], strict=True))
        got = dense
    assert np.abs(got - want).max() <= 8 * EPS


def test_actions_stand_for_deterministic_policies() -> None:
    mdp = garnet(masked=False)
    actions = np.array([0, 1, 2, 0, 1, 2])
    assert np.array_equal(evaluate_policy(mdp, actions), evaluate_policy(mdp, np.eye(A)[actions]))


def test_total_reward_of_a_policy() -> None:
    """0 -> 1 -> end; 2 stays for nothing; 3 stays at a cost."""
    P = np.zeros((4, 1, 4))
    P[0, 0, 1] = P[2, 0, 2] = P[3, 0, 3] = 1.0
    end = np.array([[0.0], [1.0], [0.0], [0.0]])
    mdp = MDP(P[:3, :, :3], [[2.0], [5.0], [0.0]], 1, end=end[:3])
    pi = np.ones((3, 1))
    assert evaluate_policy(mdp, pi).tolist() == [7.0, 5.0, 0.0]
    assert occupancy(mdp, pi, [1, 0, 0]).ravel().tolist() == [1.0, 1.0, 0.0]
    with pytest.raises(ImproperModel, match="reaches state 2"):
        occupancy(mdp, pi, [0.5, 0, 0.5])
    bad = MDP(P, [[2.0], [5.0], [0.0], [-1.0]], 1, end=end)
    with pytest.raises(ImproperModel, match="state 3 is visited for ever, at -1 a step"):
        evaluate_policy(bad, np.ones((4, 1)))


BAD: dict[str, tuple[Any, str]] = {
    "shape": (np.ones((2, 2)), r"pi has shape \(2, 2\): expected \(6, 3\)"),
    "sum": (np.full((S, A), 0.4), r"pi\[0\] sums to 1.2"),
    "negative": (np.where(np.arange(A) == 0, -0.5, 0.75) * np.ones((S, 1)), r"pi\[0, 0\] is -0.5"),
    "nan": (np.full((S, A), np.nan), r"pi\[0, 0\] is nan"),
    "action": (np.array([0, 1, 2, 3, 0, 0]), r"pi\[3\] is 3: actions are 0 ... 2"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_policies_are_named(case: str) -> None:
    mdp = garnet(masked=False, rho=np.full(S, 1 / S))
    pi, message = BAD[case]
    for f in (evaluate_policy, occupancy, transition_matrix):
        with pytest.raises(ModelError, match=message):
            f(mdp, pi)


def test_more_bad_input() -> None:
    mdp = garnet(0)
    s, a = np.argwhere(~mdp.mask)[0]
    pi = uniform(mdp)
    pi[s] = np.eye(A)[a]
    with pytest.raises(ModelError, match=rf"pi\[{s}, {a}\] is 1.0, but the action is unavailable"):
        evaluate_policy(mdp, pi)
    with pytest.raises(ModelError, match=r"V has shape \(2,\): expected \(6,\)"):
        q_values(mdp, [0.0, 0.0])
    with pytest.raises(ModelError, match=r"V\[1\] is nan"):
        backup(mdp, [0, np.nan, 0, 0, 0, 0])
    with pytest.raises(ModelError, match=r"Q has shape \(1, 1\)"):
        greedy(mdp, [[0.0]])
    with pytest.raises(ModelError, match="rho is missing"):
        occupancy(mdp, uniform(mdp))
    with pytest.raises(TypeError, match="expected real numbers"):
        q_values(mdp, ["a"] * S)
    reference = np.zeros((S, A))
    first = mdp.mask.argmax(axis=1)
    reference[np.arange(S), first] = 1.0
    with pytest.raises(ModelError, match="where the reference is 0: the divergence is infinite"):
        evaluate_policy(mdp, uniform(mdp), KL(1.0, reference))


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("reg", REGS)
@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
def test_compiled_loops_agree_with_numpy(sparse: bool, reg: str, threads: int) -> None:
    mdp = garnet(5).to_sparse() if sparse else garnet(5)
    regularizer = REGS[reg](mdp)
    V = np.random.default_rng(5).normal(size=S)
    fast, plain = (
        Backups(mdp, regularizer, compiled=True, threads=threads),
        Backups(mdp, regularizer, compiled=False),
    )
    (Q, TV, low, high), (Q2, TV2, low2, high2) = fast.backup(V), plain.backup(V)
    assert np.array_equal(Q == -np.inf, Q2 == -np.inf)
    assert np.abs(TV - TV2).max() <= 64 * EPS and abs(low - low2) <= 64 * EPS and abs(high - high2) <= 64 * EPS
    assert np.array_equal(Q, fast.q(V))
    for x, y in zip(fast.policy(Q), plain.policy(Q2), strict=True):
        assert np.array_equal(np.isfinite(x), np.isfinite(y))
        assert np.abs(x[np.isfinite(x)] - y[np.isfinite(y)]).max() <= 1e-13


@pytest.mark.parametrize("reg", REGS)
@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
def test_threads_change_no_bit(sparse: bool, reg: str) -> None:
    mdp = garnet(6).to_sparse() if sparse else garnet(6)
    V = np.random.default_rng(6).normal(size=S)
    one, two = (Backups(mdp, REGS[reg](mdp), compiled=True, threads=n) for n in (1, 2))
    for x, y in zip(one.backup(V), two.backup(V), strict=True):
        assert np.array_equal(x, y)
    for x, y in zip(one.policy(one.q(V)), two.policy(two.q(V)), strict=True):
        assert np.array_equal(x, y)


@pytest.mark.parametrize("n", [DENSE_SOLVE + 100, 6_000])
def test_sparse_linear_systems(n: int) -> None:
    """Beyond the sizes of dense solves: factorised, then iterated; residuals and the dual are the check."""
    rng = np.random.default_rng(0)
    k = 3
    indices = (np.arange(n)[:, None] + rng.integers(0, 50, size=(n, 2 * k))) % n
    indices = np.sort(np.stack([(np.arange(n) + j) % n for j in (0, 1, 7, 2, 5, 11)], axis=1).reshape(n * 2, k), axis=1)
    P = CSR(
        np.arange(0, 2 * n * k + 1, k, dtype=np.int64),
        indices.ravel().astype(np.int32),
        np.full(2 * n * k, 1 / 3),
    )
    mdp = MDP(P, rng.normal(size=(n, 2)), 0.95, rho=np.full(n, 1 / n))
    pi = np.full((n, 2), 0.5)
    V = evaluate_policy(mdp, pi)
    residual = (pi * q_values(mdp, V)).sum(axis=1) - V
    assert np.abs(residual).max() <= 1e-10 * np.abs(V).max()
    assert (occupancy(mdp, pi) * mdp.R).sum() == pytest.approx(V.mean(), rel=1e-9, abs=1e-9)


def test_loops_that_are_not_compiled_ask_for_no_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model between the two limits: looking for TBB would load it for nothing."""
    from tabular import _jit

    S, A = 400, 2
    mdp = MDP(np.full((S, A, S), 1.0 / S), np.ones((S, A)), 0.9)
    assert THREADS_ABOVE < S * A * S < COMPILE_ABOVE
    asked: list[int] = []
    monkeypatch.setattr(_jit, "has_tbb", lambda: bool(asked.append(1)))
    plain = Backups(mdp)
    assert not plain.compiled and plain.threads == 1 and not asked
    assert Backups(mdp, compiled=True).compiled and asked
