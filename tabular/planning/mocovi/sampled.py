r"""Samples instead of queries: MoCoDyna, OS-Dyna, Dyna, Q-learning and TD, from one uniform pair a step.

A step draws an available pair uniformly and a successor from the true model; rewards are those of the pair. To evaluate a
policy, all of them run on the chain of the policy, a model of one action. Planning is free. Errors are normalised as with
exact queries. Source: mocovi, section on sampled experiments; OS-Dyna: Rakhsha et al. 2022.

What the source leaves open is settled so: a running mean of a query counts the samples since its function joined; a pair
never seen has reward 0 and successors uniform over all states; OS-Dyna tracks :math:`(P - \hat P)V` by steps ``eta``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tabular import _border as border
from tabular.mdp import MDP
from tabular.moment_projection import project_moments
from tabular.planning.mocovi._common import Pair, chain
from tabular.solution import Run

NORM = 1000.0


class Learner:
    """An empirical model of ``mdp`` (of its chain under ``pi``), which samples fill; plans and their errors."""

    def __init__(self, mdp: MDP, pi: Any, N: int, seed: int, smoothing: float, who: str) -> None:
        border.expect(mdp, who, "MDP")
        border.count(N, "N")
        border.count(seed, "seed", 0)
        if not 0.0 <= smoothing <= 1.0:
            raise ValueError(f"smoothing is {smoothing}: expected a number from 0 to 1")
        self.control, self.seed, self.N, self.smoothing, self.who = pi is None, int(seed), int(N), smoothing, who
        self.mdp = mdp if pi is None else chain(mdp, pi)
        self.true = Pair(self.mdp, self.mdp, None, who)
        self.S, self.A = self.mdp.S, self.mdp.A
        self.pair, self.next = draw(self.mdp, self.N, self.seed)
        self.counts = np.zeros((self.S * self.A, self.S))
        self.samples: list[int] = []
        self.values: list[np.ndarray] = []
        self.policies: list[np.ndarray] = []

    def take(self, lo: int, hi: int) -> tuple[np.ndarray, np.ndarray]:
        """Count samples lo ... hi - 1; their pairs and successors."""
        i, t = self.pair[lo:hi], self.next[lo:hi]
        np.add.at(self.counts, (i, t), 1.0)
        return i, t

    def model(self) -> np.ndarray:
        """(S*A, S) the empirical rows, smoothed towards uniform on their supports."""
        total = self.counts.sum(axis=1, keepdims=True)
        P = np.where(total > 0, self.counts / np.maximum(total, 1.0), 1.0 / self.S)
        even = (P > 0) / (P > 0).sum(axis=1, keepdims=True)
        return np.asarray((1.0 - self.smoothing) * P + self.smoothing * even)

    def rewards(self) -> np.ndarray:
        return np.where(self.counts.any(axis=1).reshape(self.S, self.A), self.mdp.rewards, 0.0)

    def plan(self, P: np.ndarray, extra: Any = 0.0) -> tuple[np.ndarray, np.ndarray]:
        """Optimal value and policy of rows ``P`` (S*A, S) with the learned rewards plus ``extra`` (S, A)."""
        rows = np.where(self.mdp.mask[..., None], P.reshape(self.S, self.A, self.S), 0.0)
        return self.true.solved(rows, self.rewards() + extra)

    def note(self, n: int, V: np.ndarray, pi: np.ndarray) -> None:
        self.samples.append(n)
        self.values.append(V)
        self.policies.append(pi)

    def done(self, **info: Any) -> Run:
        """The run: history ``samples``, ``V``, ``error``, ``loss`` at each plan."""
        history = self.true.history(self.values, self.policies, self.samples)
        history["samples"] = history.pop("queries")
        result = {"V": self.values[-1]} | ({"pi": self.policies[-1]} if self.control else {})
        return Run(result, history, self.seed, {"method": self.who, "control": self.control} | info)


def draw(mdp: MDP, N: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """N uniform available pairs (as ``s A + a``) and a successor of each, the same on every release of NumPy."""
    bits = np.random.PCG64(np.random.SeedSequence(seed))
    u = (bits.random_raw(2 * N) >> np.uint64(11)) * 2.0**-53
    free = np.flatnonzero(mdp.mask.ravel())
    pair = free[np.minimum((u[:N] * len(free)).astype(np.int64), len(free) - 1)]
    P = mdp.csr()
    cumulative = np.cumsum(P.data)
    start = np.where(P.indptr[pair] > 0, cumulative[np.maximum(P.indptr[pair] - 1, 0)], 0.0)
    mass = cumulative[P.indptr[pair + 1] - 1] - start
    at = np.searchsorted(cumulative, start + u[N:] * mass, side="right")
    at = np.clip(at, P.indptr[pair], P.indptr[pair + 1] - 1)
    return pair, np.asarray(P.indices[at], dtype=np.int64)


def mocodyna(
    mdp: MDP,
    d: int = 1,
    c: int = 2,
    *,
    pi: Any = None,
    N: int = 150_000,
    plan_every: int = 2_000,
    basis_every: int = 10_000,
    beta: float = 0.02,
    smoothing: float = 0.0,
    seed: int = 0,
) -> Run:
    """MoCoDyna(d, c): plan in the empirical model corrected by the ``d`` oldest of ``d + c`` functions.

    Every ``plan_every`` samples the model is corrected with the penalty ``beta`` (the unit of the functions, whose 2-norm
    is 1000) and solved; every ``basis_every`` samples the current value joins the functions, orthogonal to the last
    ``d - 1``, and the oldest leaves. The first ones are random. ``beta`` here is the paper's: its authors' parameter is
    ``4 / beta^2``. For evaluation they take N = 10,000, plan_every = 100, basis_every = 250 to 750.

    Returns a Run: ``V`` (and ``pi``); history ``samples``, ``V``, ``error``, ``loss``. Raises ValueError, TypeError and
    ModelError as the arguments deserve. Source: mocovi, algorithm MoCoDyna.
    """
    border.count(d, "d")
    border.count(c, "c", 0)
    border.count(plan_every, "plan_every")
    border.count(basis_every, "basis_every")
    border.positive(beta, "beta", "the weight of exactness")
    it = Learner(mdp, pi, N, seed, smoothing, "mocodyna")
    basis = _random_basis(it.S, d + c, it.seed)
    mean, seen = np.zeros((d + c, it.S * it.A)), np.zeros((d + c, it.S * it.A))
    V = np.zeros(it.S)
    for lo, hi in _pieces(it.N, plan_every, basis_every):
        i, t = it.take(lo, hi)
        new = np.bincount(i, minlength=it.S * it.A).astype(np.float64)
        for j in range(d + c):
            total = np.bincount(i, weights=basis[j][t], minlength=len(new))
            mean[j] = np.where(new > 0, (mean[j] * seen[j] + total) / np.maximum(seen[j] + new, 1.0), mean[j])
            seen[j] += new
        if hi % plan_every == 0:
            V, policy = it.plan(_corrected(it, basis[:d], mean[:d], seen[:d], beta))
            it.note(hi, V, policy)
        if hi % basis_every == 0:
            added = _orthogonal(V, basis[len(basis) - d + 1 :] if d > 1 else basis[:0])
            if added is not None:
                basis = np.vstack([basis[1:], added])
                mean, seen = np.vstack([mean[1:], mean[-1:]]), np.vstack([seen[1:], np.zeros((1, seen.shape[1]))])
    if not it.values:
        it.note(it.N, *it.plan(_corrected(it, basis[:d], mean[:d], seen[:d], beta)))
    return it.done(d=d, c=c, beta=beta)


def _corrected(it: Learner, phi: np.ndarray, mean: np.ndarray, seen: np.ndarray, beta: float) -> np.ndarray:
    P = it.model()
    psi = np.where(seen > 0, mean, (P @ phi.T).T).T
    return np.asarray(project_moments(P, phi, psi, beta=beta).q)


def _random_basis(S: int, count: int, seed: int) -> np.ndarray:
    """Uniform vectors made orthogonal in turn, of 2-norm 1000; where they outnumber the states, as they come."""
    bits = np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(1,)))
    raw = ((bits.random_raw(S * count) >> np.uint64(11)) * 2.0**-53).reshape(count, S)
    out = np.zeros((count, S))
    for j in range(count):
        added = _orthogonal(raw[j], out[:j])
        out[j] = raw[j] * (NORM / np.linalg.norm(raw[j])) if added is None else added
    return out


def _orthogonal(V: np.ndarray, others: np.ndarray) -> np.ndarray | None:
    """``V`` without its part in the span of the rows of ``others``, of 2-norm 1000; None where nothing is left."""
    Q = np.linalg.qr(others.T)[0] if len(others) else np.zeros((len(V), 0))
    rest = V - Q @ (Q.T @ V)
    size = np.linalg.norm(rest)
    return None if size <= 1e-9 * np.linalg.norm(V) or size == 0 else rest * (NORM / size)


def os_dyna(
    mdp: MDP,
    *,
    pi: Any = None,
    N: int = 150_000,
    plan_every: int = 2_000,
    eta: float = 0.02,
    smoothing: float = 0.0,
    seed: int = 0,
) -> Run:
    """OS-Dyna: plan with the reward ``R + gamma W``, ``W`` tracking ``(P - P_hat)V`` by ``W += eta (V(x') - P_hat V - W)``.

    Between plans ``V`` and ``P_hat`` stand still. Results and refusals as of ``mocodyna``. Source: Rakhsha et al. 2022.
    """
    border.count(plan_every, "plan_every")
    border.positive(eta, "eta", "a step size")
    it = Learner(mdp, pi, N, seed, smoothing, "os_dyna")
    V, W = np.zeros(it.S), np.zeros(it.S * it.A)
    for lo, hi in _pieces(it.N, plan_every):
        modelled = it.model() @ V
        i, t = it.take(lo, hi)
        _track(W, i, V[t] - modelled[i], eta)
        V, policy = it.plan(it.model(), it.mdp.gamma * W.reshape(it.S, it.A))
        it.note(hi, V, policy)
    return it.done(eta=eta)


def _track(W: np.ndarray, at: np.ndarray, target: np.ndarray, eta: float) -> None:
    """``W[i] += eta (target - W[i])`` along the samples, in their order: a geometric mean of each place's targets."""
    order = np.argsort(at, kind="stable")
    places, first, count = np.unique(at[order], return_index=True, return_counts=True)
    rank = np.arange(len(at)) - np.repeat(first, count)
    weight = eta * (1.0 - eta) ** (np.repeat(count, count) - 1 - rank)
    added = np.add.reduceat(weight * target[order], first)
    W[places] = W[places] * (1.0 - eta) ** count + added


def dyna(
    mdp: MDP, *, pi: Any = None, N: int = 150_000, plan_every: int = 2_000, smoothing: float = 0.0, seed: int = 0
) -> Run:
    """Dyna with planning to the end: the value of the empirical model. Results as of ``mocodyna``."""
    border.count(plan_every, "plan_every")
    it = Learner(mdp, pi, N, seed, smoothing, "dyna")
    for lo, hi in _pieces(it.N, plan_every):
        it.take(lo, hi)
        it.note(hi, *it.plan(it.model()))
    return it.done()


def q_learning(
    mdp: MDP,
    *,
    N: int = 150_000,
    note_every: int = 2_000,
    eta: Callable[[int], float] | float = 0.02,
    seed: int = 0,
) -> Run:
    """Q-learning from ``Q = 0``: ``Q(x,a) += eta (R + gamma max Q(x',.) - Q(x,a))``.

    ``eta``: a number, or a function of the sample's number from 0. Results as of ``mocodyna``. Source: Watkins 1989.
    """
    return _learned(mdp, None, N, note_every, eta, seed, "q_learning")


def td(
    mdp: MDP,
    pi: Any,
    *,
    N: int = 10_000,
    note_every: int = 100,
    eta: Callable[[int], float] | float = 0.2,
    seed: int = 0,
) -> Run:
    """TD(0) from ``V = 0`` on the chain of a policy: ``V(x) += eta (R + gamma V(x') - V(x))``. Source: Sutton 1988."""
    return _learned(mdp, pi, N, note_every, eta, seed, "td")


def _learned(mdp: MDP, pi: Any, N: int, note_every: int, eta: Any, seed: int, who: str) -> Run:
    from tabular._kernels.tabular_td import updates

    border.count(note_every, "note_every")
    it = Learner(mdp, pi, N, seed, 0.0, who)
    steps = np.array([float(eta(k)) for k in range(it.N)]) if callable(eta) else np.full(it.N, float(eta))
    if not ((steps > 0) & (steps <= 1)).all():
        raise ValueError(f"eta is {steps[(steps <= 0) | (steps > 1)][0]}: expected a step size in (0, 1]")
    Q = np.where(it.mdp.mask, 0.0, -np.inf)
    for lo, hi in _pieces(it.N, note_every):
        updates(Q, it.pair[lo:hi], it.next[lo:hi], it.mdp.rewards, it.mdp.gamma, steps[lo:hi])
        best = Q.argmax(axis=1)
        it.note(hi, Q.max(axis=1), (best[:, None] == np.arange(it.A)).astype(np.float64))
    return it.done()


def _pieces(N: int, *every: int) -> Iterator[tuple[int, int]]:
    """Consecutive pieces of 0 ... N that end at each multiple of each number, and at N."""
    ends = sorted({N, *(k for step in every for k in range(step, N + 1, step))})
    yield from zip([0, *ends[:-1]], ends, strict=True)
