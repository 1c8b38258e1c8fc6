"""Finite horizons: exact values of optima and of policies inside every certificate, gaps of good and bad policies,
and what reading floats as distributions changes.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
import pytest

from tabular import backward_induction
from tabular.certificates import certify_finite, exact_backward_induction, model_error
from tabular.certificates.finite import average_up
from tabular.finite_horizon import FiniteHorizonMDP
from tabular.mdp import MDP
from tabular.reference import BallOps, operators
from tabular.regularizers import KL, Hard, Shannon, ShannonKL, checked, regularizer

ULP = 2.0**-52


def horizon(rng: np.random.Generator, random_model: Any, kind: int) -> FiniteHorizonMDP:
    """Dense or sparse, masks, endings; stationary, with rewards by stage, or all by stage; perhaps in rationals."""
    S, A, H = int(rng.integers(1, 5)), int(rng.integers(1, 4)), int(rng.integers(1, 6))
    stages: list[MDP] = [random_model(rng, gamma=0.5, S=S, A=A) for _ in range(H)]
    sparse = bool(rng.integers(2))
    stages = [m.to_sparse() if sparse else m.to_dense() for m in stages]
    gamma: Any = [1, 1, 0.9, 0.0, 0.3, Fraction(2, 3)][int(rng.integers(6))]
    options: dict[str, Any] = {"gamma": gamma, "terminal": rng.standard_normal(S) * 10.0 ** rng.integers(-6, 7)}
    one = stages[0]
    if kind == 0:
        return FiniteHorizonMDP(one.P, one.R, H=H, end=one.end, **options)
    if kind == 1:
        R = np.stack([np.where(one.mask, rng.standard_normal((S, A)), -np.inf) for _ in range(H)])
        return FiniteHorizonMDP(one.P, R, end=one.end, **options)
    if kind == 2:
        P: Any = [m.P for m in stages]
        return FiniteHorizonMDP(P if sparse else np.stack(P), np.stack([m.R for m in stages]),
                                end=np.stack([m.end for m in stages]), **options)  # fmt: skip
    w = rng.integers(0, 4, (S, A, S))
    w[..., 0] += w.sum(-1) == 0
    P = np.array([[[Fraction(int(x), int(row.sum())) for x in row] for row in rows] for rows in w], dtype=object)
    R = np.array([[Fraction(int(rng.integers(-9, 10)), int(rng.integers(1, 8))) for _ in range(A)] for _ in range(S)])
    terminal = np.array([Fraction(int(rng.integers(-9, 10)), 7) for _ in range(S)], dtype=object)
    return FiniteHorizonMDP(P, R, H=H, gamma=gamma, terminal=terminal)


def policies(rng: np.random.Generator, fh: FiniteHorizonMDP, random_policy: Any) -> np.ndarray:
    return np.stack([random_policy(rng, fh.stage(h).mask) for h in range(fh.H)])


def exact_values(fh: FiniteHorizonMDP, pi: np.ndarray) -> list[list[Fraction]]:
    """``V^pi[h][s]`` of the exact model in Fractions, written out; rows of ``pi`` divided by their sums."""
    exact = fh.exact()
    V = [list(exact.terminal)]
    for h in reversed(range(fh.H)):
        m, row = exact.stages[h], []
        for s in range(fh.S):
            p = [Fraction(float(x)) for x in pi[h, s]]
            q = [
                m.R[s * fh.A + a] + exact.gamma * sum((x * V[0][t] for t, x in m.row(s, a).items()), Fraction(0))
                for a in range(fh.A)
            ]
            row.append(sum((x * y for x, y in zip(p, q, strict=True)), Fraction(0)) / sum(p))
        V.insert(0, row)
    return V


def inside(c: Any, V: np.ndarray, exact: list[list[Fraction]]) -> bool:
    return all(
        c.lower[h, s] <= Fraction(float(V[h, s])) - x <= c.upper[h, s]
        for h, row in enumerate(exact)
        for s, x in enumerate(row)
    )


def size(c: Any) -> float:
    return float(max(np.max(c.upper), -np.min(c.lower)))


def test_exact_values_are_inside_and_the_bounds_are_tight(random_model: Any, random_policy: Any) -> None:
    rng = np.random.Generator(np.random.PCG64(31))
    ratios, gaps, in_floats = [], [], 0
    for i in range(2400):
        fh = horizon(rng, random_model, i % 4)
        star, _ = exact_backward_induction(fh)
        sol = backward_induction(fh)
        scale = max(float(np.abs(sol.V).max()), 1e-300)
        V = sol.V + scale * (10.0 ** rng.uniform(-14, 0) if i % 3 else 0.0) * rng.standard_normal(sol.V.shape)
        pi = sol.pi if i % 5 == 0 else policies(rng, fh, random_policy)
        want = None if i % 2 else 1e-9 * scale
        found = certify_finite(fh, V, pi=pi, want=want)
        own = exact_values(fh, pi)
        assert inside(found["V - V*"], V, star), (i, fh)
        assert inside(found["V - V^pi"], V, own), (i, fh)
        gap = max(x - y for a, b in zip(star, own, strict=True) for x, y in zip(a, b, strict=True))
        c = found["max(V* - V^pi)"]
        assert c.lower <= gap <= c.upper, (i, fh)
        if want is not None:
            tight = certify_finite(fh, V, pi=pi)
            in_floats += size(tight["V - V*"]) < size(found["V - V*"])
            assert size(found["V - V*"]) <= max(want, 1.0001 * size(tight["V - V*"]))
            continue
        error = max(abs(Fraction(float(V[h, s])) - star[h][s]) for h in range(fh.H + 1) for s in range(fh.S))
        if error > 0:
            ratios.append(size(found["V - V*"]) / float(error))
        if gap > 0:
            gaps.append((c.upper / float(gap), c.lower / float(gap)))
    assert in_floats > 100  # the cheap bounds were used, and are not the tight ones
    assert len(ratios) > 600 and np.median(ratios) < 1.001
    assert len(gaps) > 500
    assert np.quantile([u for u, _ in gaps], 0.95) < 1.001 and np.quantile([lo for _, lo in gaps], 0.05) > 0.999


def test_soft_values_are_inside_and_the_bounds_are_tight(random_model: Any, random_policy: Any) -> None:
    rng = np.random.Generator(np.random.PCG64(32))
    ratios = []
    for i in range(600):
        fh = horizon(rng, random_model, i % 2)
        mask = fh.stage(0).mask
        tau, lam = (float(10.0 ** rng.uniform(-8, 8)) for _ in range(2))
        mu = random_policy(rng, mask)
        reg = [Shannon(tau), KL(lam, mu), ShannonKL(tau, lam, mu)][i % 3]
        sol = backward_induction(fh, reg)
        V = sol.V + (10.0 ** rng.uniform(-14, 0) if i % 4 else 0.0) * np.abs(sol.V).max() * rng.standard_normal(
            sol.V.shape
        )
        pi = sol.pi if i % 2 else (np.stack([mu] * fh.H) if i % 3 else policies(rng, fh, random_policy))
        want = None if i % 5 else 1e-6 * max(float(np.abs(sol.V).max()), tau, lam)
        found = certify_finite(fh, V, reg, pi, want=want)
        ops = BallOps(300)
        with ops:
            views = {id(m): ops.model(m) for m in map(fh.stage, range(fh.H))}
            best = own = [ops.array(np.array(fh.exact().terminal, dtype=object), 1)]
            for h in reversed(range(fh.H)):
                m = views[id(fh.stage(h))]
                p = ops.distribution(pi[h])
                best = [operators.backup(ops, m, best[0], checked(reg, mask)), *best]
                own = [operators.policy_backup(ops, m, p, own[0], checked(reg, mask)), *own]
            gap = max(float(ops.bounds(ops.max(x - y))[0]) for x, y in zip(best, own, strict=True))
            most = max(float(ops.bounds(ops.max(x - y))[1]) for x, y in zip(best, own, strict=True))
            for h in range(fh.H + 1):
                for values, name in ((best, "V - V*"), (own, "V - V^pi")):
                    lo, hi = ops.bounds(ops.array(V[h], 1) - values[h])
                    c = found[name]
                    assert (c.lower[h] <= hi).all() and (lo <= c.upper[h]).all(), (i, fh, reg, name, h)
            error = max(float(np.abs(ops.bounds(ops.array(V[h], 1) - best[h])).max()) for h in range(fh.H + 1))
        c = found["max(V* - V^pi)"]
        assert c.lower <= most and gap <= c.upper, (i, fh, reg)
        scale = max(float(np.abs(sol.V).max()), tau if i % 3 != 1 else 0.0, lam if i % 3 else 0.0)
        if want is None and error > 1000 * ULP * scale:
            ratios.append(size(found["V - V*"]) / error)
    assert len(ratios) > 200 and np.median(ratios) < 1.01


def test_greedy_policies_have_a_gap_of_the_size_of_rounding(random_model: Any) -> None:
    rng = np.random.Generator(np.random.PCG64(33))
    hard, soft = [], []
    for i in range(300):
        fh = horizon(rng, random_model, i % 4)
        mask = fh.stage(0).mask
        rewards = max(float(np.abs(fh.stage(h).rewards).max()) for h in range(fh.H))
        hard_sol = backward_induction(fh)
        scale = max(rewards, float(np.abs(hard_sol.V).max()), 1e-300)
        hard.append(hard_sol.policy_gap / scale)
        assert hard_sol.error_bound <= 4 * fh.H * ULP * scale
        tau = scale * 10.0 ** rng.uniform(-3, 3)
        reg = Shannon(tau) if i % 2 or i % 4 == 2 else KL(tau, mask / mask.sum(axis=1, keepdims=True))
        sol = backward_induction(fh, reg)
        soft.append(sol.policy_gap / max(scale, tau, float(np.abs(sol.V).max())))
        assert 0.0 <= sol.model_error <= 4 * fh.H * (fh.S + 1) * ULP * max(scale, float(np.abs(sol.V).max()))
    assert np.median(hard) < 1e-25 and max(hard) < 8 * ULP * 5
    assert np.median(soft) < ULP and max(soft) < 8 * ULP * 5


def test_the_gap_of_a_bad_policy_is_what_it_loses() -> None:
    """Take nothing for ``H`` steps where one could be had at each; with entropy, never mix."""
    H = 40
    fh = FiniteHorizonMDP(np.ones((1, 2, 1)), np.array([[1.0, 0.0]]), H=H)
    V = np.arange(H, -1, -1.0)[:, None]
    width = 64 * ULP * H**2  # at most H is lost, and carried through H stages of plain floats
    bad = np.tile([0.0, 1.0], (H, 1, 1))
    c = certify_finite(fh, V, pi=bad)["max(V* - V^pi)"]
    assert c.lower <= H <= c.upper and c.upper - c.lower < width
    c = certify_finite(fh, np.zeros((H + 1, 1)), pi=bad)["max(V* - V^pi)"]  # wherever V is
    assert c.lower <= H <= c.upper and c.upper - c.lower < width
    c = certify_finite(fh, V, pi=np.full((H, 1, 2), 0.5))["max(V* - V^pi)"]
    assert c.lower <= H / 2 <= c.upper and c.upper - c.lower < width
    flat = FiniteHorizonMDP(np.ones((1, 2, 1)), np.zeros((1, 2)), H=H)
    c = certify_finite(flat, np.zeros((H + 1, 1)), Shannon(0.5), bad)["max(V* - V^pi)"]
    assert c.lower == pytest.approx(H * 0.5 * np.log(2), rel=1e-12)
    assert c.upper == pytest.approx(H * 0.5 * np.log(2), rel=1e-12)


def test_model_error_bounds_what_the_lift_changes(random_model: Any) -> None:
    """The floats as they are, without regulariser, in Fractions."""
    rng = np.random.Generator(np.random.PCG64(34))
    moved, ratios = 0, []
    for i in range(400):
        fh = horizon(rng, random_model, i % 4)
        lift, _ = exact_backward_induction(fh)
        sol = backward_induction(fh)
        V = [Fraction(float(x)) for x in fh.terminal]
        change = max(abs(x - y) for x, y in zip(V, lift[-1], strict=True))
        for h in reversed(range(fh.H)):
            m = fh.stage(h).to_dense()
            V = [
                max(
                    Fraction(float(m.rewards[s, a]))
                    + Fraction(fh.gamma) * sum(Fraction(float(p)) * v for p, v in zip(m.P[s, a], V, strict=True))
                    for a in np.flatnonzero(m.mask[s])
                )
                for s in range(fh.S)
            ]
            change = max(change, *(abs(x - y) for x, y in zip(V, lift[h], strict=True)))
        assert change <= sol.model_error and change <= model_error(fh), (i, fh)
        moved += change > 0
        if change > 0:
            ratios.append(sol.model_error / float(change))
    assert moved > 100 and np.median(ratios) < 30


def test_a_regularizer_without_a_value_says_nothing_of_policies() -> None:
    @regularizer
    class Plain(NamedTuple):
        def conjugate(self, ops: Any, Q: Any, mask: Any) -> Any:
            return ops.max(Q, where=mask)

        def policy(self, ops: Any, Q: Any, mask: Any) -> Any:
            return ops.first_max(Q, where=mask)

    fh = FiniteHorizonMDP(np.full((2, 2, 2), 0.5), np.array([[1.0, 2.0], [0.0, 1.0]]), H=3)
    sol = backward_induction(fh, Plain())
    assert sol.error_bound < 1e-15 and sol.policy_gap == np.inf


def test_large_horizons_are_certified_in_floats_to_the_tolerance() -> None:
    rng = np.random.default_rng(0)
    P = rng.dirichlet(np.ones(20), size=(20, 4))
    fh = FiniteHorizonMDP(P, rng.random((20, 4)), H=60)
    for reg in (Hard(), Shannon(0.1)):
        sol = backward_induction(fh, reg)
        tight = certify_finite(fh, sol.V, reg, sol.pi)
        assert sol.error_bound <= 1e-9 * np.abs(sol.V).max() and sol.policy_gap <= 2e-9 * np.abs(sol.V).max()
        assert size(tight["V - V*"]) <= sol.error_bound and size(tight["max(V* - V^pi)"]) <= sol.policy_gap
        assert backward_induction(fh, reg, tol=1e-15).policy_gap <= 200 * ULP * np.abs(sol.V).max()


def test_bad_input_is_refused() -> None:
    R = np.array([[1.0, -np.inf], [0.0, 1.0]])
    fh = FiniteHorizonMDP(np.full((2, 2, 2), 0.5), R, H=2)
    V = np.zeros((3, 2))
    with pytest.raises(ValueError, match=r"V has shape \(2, 2\)"):
        certify_finite(fh, V[1:])
    with pytest.raises(ValueError, match="V is not finite"):
        certify_finite(fh, V + np.nan)
    with pytest.raises(ValueError, match=r"pi has shape \(2, 2\): expected \(2, 2, 2\)"):
        certify_finite(fh, V, pi=np.full((2, 2), 0.5))
    pi = np.array([[[1.0, 0.0], [0.5, 0.5]], [[0.5, 0.5], [0.5, 0.5]]])
    with pytest.raises(ValueError, match=r"stage 1: pi\[0, 1\] is 0.5, but the action is unavailable"):
        certify_finite(fh, V, pi=pi)


def test_averages_are_bounded_from_above() -> None:
    """Cancelling terms, rows that sum to one up to rounding: against Fractions."""
    rng = np.random.Generator(np.random.PCG64(35))
    for _ in range(300):
        A = int(rng.integers(1, 12))
        pi = rng.dirichlet(np.ones(A), size=4)
        x = rng.standard_normal((4, A))
        x[:, -1] -= (pi * x).sum(axis=1) / pi[:, -1]
        for p, row, bound in zip(pi.tolist(), x.tolist(), average_up(pi, x).tolist(), strict=True):
            exact = sum(Fraction(a) * Fraction(b) for a, b in zip(p, row, strict=True)) / sum(map(Fraction, p))
            assert exact <= bound <= exact + 40 * A * Fraction(ULP) * (1 + sum(abs(Fraction(b)) for b in row))
