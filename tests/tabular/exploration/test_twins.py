"""Every learner against a twin written in plain NumPy from the formulas: the same values and actions on the same draws."""

from __future__ import annotations

from collections.abc import Callable
from math import e, log, sqrt
from typing import Any

import numpy as np
import pytest

from tabular import FiniteHorizonMDP
from tabular.exploration import (
    PSRL,
    RF_UCRL,
    UCB_B,
    UCB_H,
    UCBVI_BF,
    UCBVI_CH,
    Hoeffding,
    OptimisticPlanning,
    Play,
    RF_Express,
    SoftOptimisticPlanning,
    Weissman,
)

WORD = 2**64


def mixed(z: int) -> int:
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % WORD
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB % WORD
    return z ^ (z >> 31)


class Stream:
    """SplitMix in Python's integers."""

    def __init__(self, seed: int, step: int, row: int) -> None:
        golden = 0x9E3779B97F4A7C15
        key = [int(x) for x in np.random.SeedSequence(seed).generate_state(2, np.uint64)]
        self.z = mixed((mixed((key[0] + golden * step) % WORD) + key[1] + golden * row) % WORD)
        self.gamma = mixed(self.z ^ key[1]) | 1
        if (self.gamma ^ (self.gamma >> 1)).bit_count() < 24:
            self.gamma ^= 0xAAAAAAAAAAAAAAAA
        self.at = 0

    def word(self, i: int) -> float:
        return (mixed((self.z + (i + 1) * self.gamma) % WORD) >> 11) * 2.0**-53

    def next(self) -> float:
        """In (0, 1], one after the other."""
        self.at += 1
        return 1.0 - self.word(self.at - 1)

    def normal(self) -> float:
        u, v = self.next(), self.next()
        return sqrt(-2 * log(u)) * np.cos(2 * np.pi * v)

    def gamma_variate(self, shape: float) -> float:
        d = (shape + 1 if shape < 1 else shape) - 1 / 3
        while True:
            x = self.normal()
            v = (1 + x / sqrt(9 * d)) ** 3
            if v > 0 and log(self.next()) < 0.5 * x * x + d - d * v + d * log(v):
                return d * v * (self.next() ** (1 / shape) if shape < 1 else 1.0)


class Twin:
    """Counts (H or 1, S, A, S) and, of each learner, the bounds Q and V of the next episode."""

    def __init__(self, model: FiniteHorizonMDP, learner: Any, K: int, seed: int) -> None:
        self.model, self.learner, self.K, self.seed = model, learner, K, seed
        self.H, self.S, self.A = model.H, model.S, model.A
        self.P = np.stack([model.stage(h).to_dense().P for h in range(self.H)])
        self.R = np.stack([model.stage(h).rewards for h in range(self.H)])
        self.pooled = not isinstance(learner, (UCB_H, UCB_B, RF_Express, RF_UCRL))
        self.N = np.zeros((self.H, self.S, self.A, self.S))
        self.Q = np.full((self.H, self.S, self.A), float(self.H))
        self.V = np.full((self.H + 1, self.S), float(self.H))
        self.V[self.H] = 0
        self.reached = np.zeros((self.H + 1, self.S))
        self.beta, self.moments = np.zeros(self.Q.shape), np.zeros((2, *self.Q.shape))
        self.act = np.zeros((self.H, self.S), dtype=int)
        self.pi: Any = None

    def counts(self, h: int) -> tuple[np.ndarray, np.ndarray]:
        """Visits (S, A) and frequencies (S, A, S), zero where there are no visits."""
        N = self.N.sum(0) if self.pooled else self.N[h]
        n = N.sum(-1)
        return n, N / np.maximum(n, 1)[..., None]

    def greedy(self, h: int) -> None:
        visits = self.counts(h)[0]
        for s in range(self.S):
            q = self.Q[h, s]
            self.act[h, s] = min(range(self.A), key=lambda a: (-q[a], visits[s, a], a))

    def plan(self, k: int) -> None:
        if isinstance(self.learner, (UCB_H, UCB_B)):
            for h in range(self.H):
                self.greedy(h)
            return
        if isinstance(self.learner, PSRL):
            self.draw(k)
        rule = RULES[type(self.learner)]
        for h in reversed(range(self.H)):
            n, p = self.counts(h)
            with np.errstate(divide="ignore", invalid="ignore"):
                q = rule(self, self.learner, h, n, p, self.V[h + 1])
            if isinstance(self.learner, (UCBVI_CH, UCBVI_BF)):
                q = np.minimum(np.where(n > 0, q, self.H), self.Q[h])
            self.Q[h] = q
            if isinstance(self.learner, SoftOptimisticPlanning):
                x = np.exp((q - q.max(-1, keepdims=True)) / self.learner.tau)
                self.pi[h] = x / x.sum(-1, keepdims=True)
                self.V[h] = q.max(-1) + self.learner.tau * np.log(x.sum(-1))
            else:
                self.V[h] = q.max(-1)
                self.greedy(h)

    def draw(self, k: int) -> None:
        n = self.N.sum((0, 3))
        self.drawn, self.means = np.zeros((self.S, self.A, self.S)), self.R[0].copy()
        for row in range(self.S * self.A):
            s, a = divmod(row, self.A)
            stream = Stream(self.seed, k, 1 + row)
            x = [stream.gamma_variate(y) for y in self.learner.prior / self.S + self.N[:, s, a].sum(0)]
            self.drawn[s, a] = np.array(x) / sum(x)
            if not self.learner.known_rewards:
                m, r = n[s, a], self.R[0, s, a]  # rewards are their means
                rate = 1 + 0.5 * m * (r - 1) ** 2 / (1 + m)
                y = stream.gamma_variate(1 + m / 2)
                self.means[s, a] = (1 + m * r) / (1 + m) + stream.normal() * sqrt(rate / (y * (1 + m)))

    def episode(self, k: int, tables: Any) -> None:
        """Play the policy, and learn from the steps; successors by the tables of the loop, which other tests check."""
        stream = Stream(self.seed, k, 0)
        s = pick(tables.rho_chance, tables.rho_alias, stream.word(0))
        for h in range(self.H):
            a = self.act[h, s]
            if self.pi is not None:
                a = int((stream.word(1 + 4 * h) >= np.cumsum(self.pi[h, s])).sum())
            row = h * tables.stride + s * self.A + a
            of = slice(tables.indptr[row], tables.indptr[row + 1])
            t = int(tables.indices[of][pick(tables.chance[of], tables.alias[of], stream.word(2 + 4 * h))])
            self.N[h, s, a, t] += 1
            self.reached[h + 1, t] += 1
            if isinstance(self.learner, (UCB_H, UCB_B)):
                self.update(h, s, a, t)
            s = t

    def update(self, h: int, s: int, a: int, t: int) -> None:
        x, H, n = self.learner, self.H, self.N[h, s, a].sum()
        alpha, iota = (H + 1) / (H + n), log(self.S * self.A * self.K * H / x.p)
        if isinstance(x, UCB_H):
            bonus = x.c * sqrt(H**3 * iota / n)
        else:
            self.moments[:, h, s, a] += self.V[h + 1, t] ** np.array([1, 2])
            one, two = self.moments[:, h, s, a] / n
            beta = x.c1 * (sqrt(H / n * (two - one**2 + H) * iota) + sqrt(H**7 * self.S * self.A) * iota / n)
            beta = min(beta, x.c2 * sqrt(H**3 * iota / n))
            bonus = (beta - (1 - alpha) * self.beta[h, s, a]) / (2 * alpha)
            self.beta[h, s, a] = beta
        target = self.R[h, s, a] + self.V[h + 1, t] + bonus
        self.Q[h, s, a] = (1 - alpha) * self.Q[h, s, a] + alpha * target
        self.V[h, s] = min(H, self.Q[h, s].max())


def pick(chance: np.ndarray, alias: np.ndarray, u: float) -> int:
    column = min(int(u * len(chance)), len(chance) - 1)
    return column if u * len(chance) - column < chance[column] else int(alias[column])


def hoeffding_bonus(t: Twin, x: Any, h: int, n: Any, p: Any, V: Any) -> Any:
    return t.R[0] + p @ V + x.bonus_scale * 7 * t.H * log(5 * t.S * t.A * t.K * t.H / x.delta) / np.sqrt(n)


def bernstein_bonus(t: Twin, x: Any, h: int, n: Any, p: Any, V: Any) -> Any:
    L, H = log(5 * t.S * t.A * t.K * t.H / x.delta), t.H
    variance = np.maximum(p @ V**2 - (p @ V) ** 2, 0)
    far = np.minimum(100**2 * H**3 * t.S**2 * t.A * L**2 / t.reached[h + 1], H**2)
    bonus = np.sqrt(8 * L * variance / n) + 14 * H * L / (3 * n) + np.sqrt(8 / n * (p @ far))
    return t.R[0] + p @ V + x.bonus_scale * bonus


def rf_express(t: Twin, x: Any, h: int, n: Any, p: Any, V: Any) -> Any:
    H, beta = t.H, log(3 * t.S * t.A * t.H / x.delta) + t.S * np.log(8 * e * (n + 1))
    return np.where(n > 0, np.minimum(H, x.bonus_scale * 15 * H**2 * beta / n + (1 + 1 / H) * (p @ V)), H)


def rf_ucrl(t: Twin, x: Any, h: int, n: Any, p: Any, V: Any) -> Any:
    H, beta = t.H, log(2 * t.S * t.A * t.H / x.delta) + (t.S - 1) * np.log(e * (1 + n / (t.S - 1)))
    return np.where(n > 0, np.minimum(H, x.bonus_scale * H * np.sqrt(2 * beta / n) + p @ V), H)


def optimistic(t: Twin, x: Any, h: int, n: Any, p: Any, V: Any) -> Any:
    L, left = log(2 * t.S * t.A * t.H * t.K / x.delta), t.H - h
    soft = isinstance(x, SoftOptimisticPlanning)
    left = 1 + (t.H - h - 1) * (1 + x.tau * log(t.A)) if soft else left
    if isinstance(x.width, Hoeffding):
        mean = np.minimum(V.max(), p @ V + x.width.scale * (left - 1) * np.sqrt(L / (2 * n)))
    else:
        mean = np.array([[ball(q, V, x.width.scale * sqrt(2 * (t.S * log(2) + L) / m)) if m else 0 for q, m in zip(*z, strict=True)]
                         for z in zip(p, n, strict=True)])  # fmt: skip
    return np.where(n > 0, np.minimum(left, t.R[0] + mean), left)


def ball(p: np.ndarray, V: np.ndarray, radius: float) -> float:
    """The procedure of Jaksch, Ortner and Auer: give to the best state, take from the worst."""
    order, q = np.argsort(V), p.copy()
    q[order[-1]] = min(1, p[order[-1]] + radius / 2)
    for s in order:
        q[s] = max(0, 1 - (q.sum() - q[s])) if q.sum() > 1 else q[s]
    return float(q @ V)


def posterior(t: Twin, x: Any, h: int, n: Any, p: Any, V: Any) -> Any:
    return t.means + t.drawn @ V


RULES: dict[type, Callable[..., Any]] = {
    UCBVI_CH: hoeffding_bonus, UCBVI_BF: bernstein_bonus, RF_Express: rf_express, RF_UCRL: rf_ucrl, PSRL: posterior,
    OptimisticPlanning: optimistic, SoftOptimisticPlanning: optimistic,
}  # fmt: skip


def random_model(S: int, A: int, H: int, staged: bool = False, seed: int = 0) -> FiniteHorizonMDP:
    rng = np.random.default_rng(seed)
    shape = (H, S, A) if staged else (S, A)
    P = rng.dirichlet(np.full(S, 0.4), size=shape)
    P[P < 0.02] = 0
    return FiniteHorizonMDP(P, rng.random(shape), H=H, rho=np.full(S, 1 / S), renormalise=True)


LEARNERS = {
    "UCBVI-CH": UCBVI_CH(0.1, 0.01),
    "UCBVI-CH as printed": UCBVI_CH(0.1, 1.0),
    "UCBVI-BF": UCBVI_BF(0.1, 0.01),
    "UCB-H": UCB_H(0.1, 0.05),
    "UCB-B": UCB_B(0.1, 0.02, 0.05),
    "PSRL": PSRL(1.0),
    "PSRL with rewards": PSRL(0.5, False),
    "RF-Express": RF_Express(0.0, 0.1, 0.002),
    "RF-UCRL": RF_UCRL(0.0, 0.1, 0.1),
    "Hoeffding": OptimisticPlanning(Hoeffding(0.2)),
    "Weissman": OptimisticPlanning(Weissman(0.3)),
    "soft": SoftOptimisticPlanning(0.3, Weissman(0.3)),
}


@pytest.mark.parametrize("name", LEARNERS)
def test_a_learner_is_its_twin(name: str) -> None:
    learner, K, seed = LEARNERS[name], 200, 5
    staged = isinstance(learner, (UCB_H, UCB_B, RF_Express, RF_UCRL))
    model = random_model(4, 3, 4, staged)
    play, twin = Play(model, learner, K, seed), Twin(model, learner, K, seed)
    if isinstance(learner, SoftOptimisticPlanning):
        twin.pi = np.zeros((model.H, model.S, model.A))
    seen, ties = set(), 0
    for k in range(K):
        twin.plan(k)
        tables = play.world
        act = twin.act.copy()
        V = twin.V.copy()
        before = play.own.V.copy()
        assert play.advance(1) == 1
        if isinstance(learner, (UCB_H, UCB_B)):
            np.testing.assert_allclose(before, V, rtol=0, atol=1e-10)
        else:
            np.testing.assert_allclose(play.own.V, V, rtol=0, atol=1e-10)
            if twin.pi is None:
                other = np.argwhere(play.policy.act != act)
                for h, s in other:  # none but where two values are equal up to rounding
                    assert twin.Q[h, s, act[h, s]] == pytest.approx(twin.Q[h, s, play.policy.act[h, s]], abs=1e-12)
                ties += len(other)
                twin.act[:] = play.policy.act
            else:
                np.testing.assert_allclose(play.policy.pi, twin.pi, rtol=0, atol=1e-10)
        twin.episode(k, tables)
        N = twin.N.sum((0, 3))[None] if twin.pooled else twin.N.sum(3)
        np.testing.assert_array_equal(play.visits, N)
        seen.add(play.policy.act.tobytes() if twin.pi is None else play.policy.pi.tobytes())
    assert ties == 0 or name.startswith("RF")  # where bonuses depend on counts alone, and no reward tells actions apart
    assert ties < 0.05 * K * model.H * model.S
    assert len(seen) > 5, "the learner hardly learnt: this test sees nothing"
