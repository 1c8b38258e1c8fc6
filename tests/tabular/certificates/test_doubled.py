"""Error-free transformations are free of error; action values in doubled precision are within their bound."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from tabular.certificates.doubled import loss, tree_sum, two_product, two_sum
from tabular.certificates.model import Doubled
from tabular.mdp import MDP


def test_two_sum_and_two_product_are_exact() -> None:
    rng = np.random.Generator(np.random.PCG64(1))
    a, b = (rng.standard_normal(2000) * 10.0 ** rng.uniform(-100, 100, 2000) for _ in range(2))
    for f, exact in ((two_sum, Fraction.__add__), (two_product, Fraction.__mul__)):
        high, low = f(a, b)
        for x, y, h, e in zip(a.tolist(), b.tolist(), high.tolist(), low.tolist(), strict=True):
            assert Fraction(h) + Fraction(e) == exact(Fraction(x), Fraction(y))


def test_tree_sum_loses_less_than_it_says() -> None:
    rng = np.random.Generator(np.random.PCG64(2))
    for n in (1, 2, 3, 7, 64, 1000):
        x = rng.standard_normal((20, n)) * 10.0 ** rng.uniform(-20, 0, (20, n))
        high, low = tree_sum(x, np.zeros_like(x))
        for row, h, e in zip(x.tolist(), high.tolist(), low.tolist(), strict=True):
            exact = sum(Fraction(v) for v in row)
            assert abs(Fraction(h) + Fraction(e) - exact) <= Fraction(loss(n)) * sum(abs(Fraction(v)) for v in row)


def exact_q(mdp: MDP, h: np.ndarray, low: np.ndarray) -> list[list[Fraction]]:
    m = mdp.exact()
    V = [Fraction(float(x)) + Fraction(float(y)) for x, y in zip(h, low, strict=True)]
    return [
        [m.R[s * m.A + a] + m.gamma * sum(p * V[t] for t, p in m.row(s, a).items()) for a in range(m.A)]
        for s in range(m.S)
    ]


def with_exact_parts(rng: np.random.Generator, mdp: MDP) -> MDP:
    """The same model with some of its numbers given as rationals that are no floats."""
    kind = rng.integers(3)
    if kind == 0:
        return MDP(mdp.P, mdp.R, Fraction(mdp.gamma) * Fraction(2, 3), end=mdp.end)
    if kind == 1:
        R = np.array([[Fraction(float(x)) / 3 if x > -np.inf else x for x in row] for row in mdp.R], dtype=object)
        return MDP(mdp.P, R, mdp.gamma, end=mdp.end)
    w = rng.integers(0, 10, (mdp.S, mdp.A, mdp.S))
    w[..., 0] += 1
    made = MDP.from_weights(w, np.where(mdp.mask, mdp.rewards, 0.0), mdp.gamma)
    return made.to_sparse() if mdp.is_sparse else made


def test_action_values_are_within_their_bound(random_model: Any) -> None:
    rng = np.random.Generator(np.random.PCG64(3))
    worst = Fraction(0)
    for i in range(300):
        mdp = random_model(rng)
        if i % 2:
            mdp = with_exact_parts(rng, mdp)
        model = Doubled(mdp)
        h = rng.standard_normal(mdp.S) * 10.0 ** rng.integers(-8, 9)
        low = h * 2.0**-54 * rng.random(mdp.S)
        qh, ql, error = model.q(h, low)
        exact, m = exact_q(mdp, h, low), mdp.exact()
        for s, a in zip(*np.nonzero(mdp.mask), strict=True):
            off = abs(Fraction(float(qh[s, a])) + Fraction(float(ql[s, a])) - exact[s][a])
            assert off <= Fraction(error)
            worst = max(worst, off / Fraction(error))
            gap = 1 - m.gamma * (1 - m.end(s, a))
            assert Fraction(float(model.gap_lo[s, a])) <= gap <= Fraction(float(model.gap_hi[s, a]))
    assert worst > Fraction(1, 1000)  # the bound is not idle


def test_wide_rows(random_model: Any) -> None:
    rng = np.random.Generator(np.random.PCG64(4))
    for sparse in (False, True):
        w = rng.random((40, 2, 40)) * (rng.random((40, 2, 40)) < rng.random((40, 2, 1)))
        w[..., 0] += 1e-3
        mdp = MDP(w / w.sum(-1, keepdims=True), rng.standard_normal((40, 2)), 0.999)
        mdp = mdp.to_sparse() if sparse else mdp
        h = rng.standard_normal(40)
        qh, ql, error = Doubled(mdp).q(h, np.zeros(40))
        exact = exact_q(mdp, h, np.zeros(40))
        for s in range(40):
            for a in range(2):
                assert abs(Fraction(float(qh[s, a])) + Fraction(float(ql[s, a])) - exact[s][a]) <= Fraction(error)
