"""Compiled backups of entropies that leave weights behind: what NumPy finds, in blocks and on any threads; their own exponentials
and logarithms; rows mixed on the way; rough backups, which nothing ends with.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from flint import arb, ctx

from tabular import MDP, Shannon, Tsallis, solve
from tabular._backups import Backups
from tabular._kernels import policy_rows as kernels
from tabular._kernels.elementary import exp_below, log1p_above
from tabular._policy_rows import CUT, FLOOR
from tabular._rounding import EXP_ULP, LOG_ULP
from tabular._soft import closed_form, improved_rows
from tabular.planning._loops import modified_loop

REGS = [Shannon(1e-3), Shannon(0.1), Shannon(10.0), Tsallis(0.01, 2.0), Tsallis(1.0, 2.0)]


def model(S: int = 300, A: int = 4, *, masks: bool = False, gamma: float = 0.95, seed: int = 0) -> MDP:
    """Dense rows of four successors or more, more states than a block, rewards of some size."""
    rng = np.random.default_rng([seed, S, A])
    P = rng.random((S, A, S)) * (rng.random((S, A, S)) < 4 / S)
    P[np.arange(S), :, rng.integers(0, S, S)] += 0.1
    mask = rng.random((S, A)) < (0.6 if masks else 1.1)
    mask[np.arange(S), rng.integers(0, A, S)] = True
    P[~mask] = 0.0
    P /= np.where(mask, P.sum(-1), 1.0)[..., None]
    return MDP(P, np.where(mask, rng.normal(size=(S, A)), -np.inf), gamma)


@pytest.mark.parametrize(
    ("function", "true", "ulps"), [(exp_below, arb.exp, EXP_ULP), (log1p_above, arb.log1p, LOG_ULP)]
)
def test_elementary_functions_are_accurate(function: Any, true: Any, ulps: int) -> None:
    """Within an ulp, where a quarter of one more would be within what error bounds take for granted."""
    rng = np.random.default_rng(1)
    x = np.concatenate(
        [rng.random(4000) * 40, 10.0 ** rng.uniform(-20, 2.85, 4000), [0.0, 1e-320, 0.5, math.log(2), 1.0]]
    )
    sign = -1.0 if function is exp_below else 1.0
    before, ctx.prec = ctx.prec, 200
    try:
        for v in sign * x:
            got, want = float(function(v)), true(arb(float(v)))
            ulp = max(math.ulp(abs(float(want.mid()))), 5e-324)
            assert abs(arb(got) - want) <= arb(ulp), v
    finally:
        ctx.prec = before
    assert ulps >= 1


def test_elementary_functions_at_the_ends() -> None:
    assert exp_below(-0.0) == exp_below(0.0) == 1.0 and log1p_above(0.0) == 0.0
    assert exp_below(-np.inf) == exp_below(-1e300) == 0.0 and exp_below(-745.0) == 5e-324
    assert np.isnan(exp_below(np.nan)) and np.isnan(log1p_above(np.nan))
    assert log1p_above(1e300) == pytest.approx(math.log(1e300), rel=1e-15)


@pytest.mark.parametrize("masks", [False, True])
@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("reg", REGS, ids=str)
def test_backups_are_those_of_numpy(reg: Any, sparse: bool, masks: bool) -> None:
    mdp = model(masks=masks)
    mdp = mdp.to_sparse() if sparse else mdp
    plain, fast = Backups(mdp, reg, compiled=False), Backups(mdp, reg, compiled=True, threads=1)
    for V in (np.zeros(300), np.random.default_rng(3).normal(size=300)):
        Q, TV, low, high = plain.backup(V)
        got = fast.backup(V)
        np.testing.assert_allclose(got[0], Q, rtol=0, atol=1e-14)
        np.testing.assert_allclose(got[1], TV, rtol=1e-14, atol=1e-14)
        assert got[2:] == ((got[1] - V).min(), (got[1] - V).max())
        np.testing.assert_allclose((low, high), got[2:], rtol=1e-13)
        W = fast.soft.weights
        np.testing.assert_allclose(W / W.sum(axis=1, keepdims=True), plain.policy(Q)[0], rtol=0, atol=1e-11)
        np.testing.assert_allclose(fast.maximiser(Q), plain.policy(Q)[0], rtol=0, atol=1e-11)


@pytest.mark.parametrize("reg", [Shannon(0.1), Tsallis(0.5, 2.0)], ids=str)
def test_what_is_not_finite_stays_in_its_rows(reg: Any) -> None:
    b = Backups(model(), reg, compiled=True, threads=1)
    Q = b.q(np.ones(300))
    Q[7, 1], Q[200, 2] = np.nan, np.inf
    W, TV, rest = np.empty_like(Q), np.empty(300), np.ones(300, dtype=bool)
    b.soft.conjugate(Q, W, TV)
    rest[[7, 200]] = False
    assert np.isnan(TV[7]) and TV[200] == np.inf
    assert np.isfinite(TV[rest]).all() and np.isfinite(W[rest]).all()


def test_which_regularisers_have_a_closed_form() -> None:
    assert closed_form(Shannon(0.5)) == (0.5, 1.0) and closed_form(Tsallis(0.5, 2)) == (0.5, 2.0)
    for reg in (
        Shannon(0.0),
        Tsallis(3, 0.5),
        Tsallis(2, 0.0),
        Shannon(1e-300),
        Shannon(np.ones(3)),
        Tsallis(1.0, np.ones(3)),
    ):
        assert closed_form(reg) is None


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("reg", REGS, ids=str)
def test_rows_mixed_on_the_way(reg: Any, threads: int) -> None:
    """They are those of the policy at the same values, all but what is cut off."""
    mdp = model(masks=True)
    b = Backups(mdp, reg, compiled=True, threads=threads)
    Q, *_ = b.backup(np.random.default_rng(0).normal(size=300), True)
    mixed = b.soft.mixed
    assert mixed is not None and mixed.dtype == np.float32
    want = np.einsum("sa,sat->st", b.policy(Q)[0], np.asarray(mdp.P))
    np.testing.assert_allclose(mixed, want, rtol=0, atol=2 * CUT * 4)
    assert improved_rows(b, Q, None)._rows[0] is mixed  # type: ignore[union-attr]
    b.backup(np.ones(300))
    assert improved_rows(b, Q, None) is None  # none were formed on the way


def test_a_rough_backup_leaves_what_is_hardly_ever_chosen() -> None:
    b, mdp = Backups(model(), Shannon(0.01), compiled=True, threads=1), model()
    before = b.backup(np.zeros(300))[0].copy()
    W, V = b.soft.weights.copy(), np.random.default_rng(0).normal(size=300)
    after = b.backup(V, True, True)[0]
    kept = W < CUT
    assert 0 < kept.sum() < kept.size
    np.testing.assert_array_equal(after[kept], before[kept])
    np.testing.assert_allclose(after[~kept], Backups(mdp, compiled=True, threads=1).q(V)[~kept], rtol=1e-14)


@pytest.mark.parametrize("tol", [10.0, 1e-2, 1e-9])
@pytest.mark.parametrize("most", [1, 2, 3, 50])
def test_nothing_ends_with_a_rough_backup(most: int, tol: float) -> None:
    """Whenever a loop ends, the action values it returns are those of its values."""
    for reg in REGS:
        b = Backups(model(gamma=0.6), reg, compiled=True, threads=1)
        found = modified_loop(b, np.zeros(300), tol, most, 200)
        assert found.backup is not None and found.backup.Q is not None
        np.testing.assert_allclose(found.backup.Q, b.q(found.V), rtol=0, atol=1e-12)


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("reg", REGS, ids=str)
def test_loops_find_what_they_find_uncompiled_with_any_threads(reg: Any, sparse: bool) -> None:
    mdp = model(masks=True, seed=2)
    mdp = mdp.to_sparse() if sparse else mdp
    want = solve(mdp, reg, tol=1e-12)
    found = [modified_loop(Backups(mdp, reg, compiled=True, threads=n), np.zeros(300), 1e-11, 100, 200) for n in (1, 2)]
    assert found[0].V.tobytes() == found[1].V.tobytes() and found[0].iterations == found[1].iterations
    np.testing.assert_allclose(found[0].V, want.V, rtol=0, atol=1e-9)
    assert found[0].iterations < 20


def test_steps_in_single_precision_end_at_its_rounding() -> None:
    """A target below it is not waited for."""
    b = Backups(model().to_sparse(), Shannon(0.1), compiled=True, threads=1)
    Q, *_ = b.backup(np.random.default_rng(0).normal(size=300))
    rows, V, calls = improved_rows(b, Q, None), np.zeros(300), 0
    assert rows is not None
    original = rows._advance

    def counted(*arrays: Any) -> Any:
        nonlocal calls
        calls += 1
        return original(*arrays)

    rows._advance = counted  # type: ignore[method-assign]
    step = np.random.default_rng(1).normal(size=300)
    left = rows.sweep(step - step.mean(), V, 0.0, 200, True)
    assert calls < 100 and left <= FLOOR * np.abs(step).max() * 1.01


def test_rows_of_few_actions_are_packed_and_others_share_indices() -> None:
    mdp = model().to_sparse()
    few, rows = np.zeros((300, 4)), None
    few[:, 1] = 1.0
    step = np.random.default_rng(0).normal(size=300)
    b = Backups(mdp, Shannon(0.1), compiled=True, threads=1)
    for W, shared in ((few, False), (np.ones((300, 4)), True), (few, False)):
        rows = b.policy_rows(W, rows)
        assert (rows._rows[3] is mdp.P.indices) == shared
        V = np.zeros(300)
        rows.sweep(step, V, 0.0, 1, False)
        P = np.asarray(model().P)
        want = mdp.gamma * np.einsum("sa,sat,t->s", W / W.sum(axis=1, keepdims=True), P, step)
        np.testing.assert_allclose(V, want, rtol=0, atol=1e-5)
    assert kernels.BLOCK < 300
