"""Backups that skip actions, and sweeps of one policy: the same numbers as from all action values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tabular import MDP, Shannon, solve
from tabular._backups import Backups
from tabular._kernels import maxima as kernels
from tabular._maxima import Maxima, stages
from tabular._policy_rows import SINGLE
from tabular.planning._loops import Stop, modified_loop


def drawn(seed: int, S: int, A: int, width: int, *, masks: bool, ends: bool) -> MDP:
    """Rows of at most ``width`` successors, and rewards of any size."""
    rng = np.random.default_rng([seed, S, A, width, masks, ends])
    P = np.zeros((S, A, S))
    for s in range(S):
        for a in range(A):
            P[s, a, rng.choice(S, size=rng.integers(1, width + 1), replace=False)] = 1.0
    P *= rng.random(P.shape) + 0.01
    end = rng.random((S, A)) * ends * (rng.random((S, A)) < 0.5)
    total = P.sum(-1) + end
    R = rng.normal(size=(S, A)) * 10.0 ** rng.integers(-3, 4)
    mask = np.ones((S, A), dtype=bool)
    if masks:
        mask = rng.random((S, A)) < 0.6
        mask[np.arange(S), rng.integers(0, A, S)] = True
    P, end, R = P / total[..., None], end / total, np.where(mask, R, -np.inf)
    P[~mask], end[~mask] = 0.0, 0.0
    return MDP(P, R, 0.95, end=end if ends else None)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("ends", [False, True])
@pytest.mark.parametrize("masks", [False, True])
@pytest.mark.parametrize(("width", "sparse"), [(4, False), (30, False), (4, True), (30, True)])
def test_maxima_have_the_bits_of_a_full_backup(
    width: int, sparse: bool, masks: bool, ends: bool, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever values come after one another: nearer and nearer ones, lower ones, and far ones again."""
    read = 0
    original = Maxima.__call__

    def counted(self: Maxima, V: np.ndarray, TV: np.ndarray) -> Any:
        nonlocal read
        before = None if self._bound is None else self._bound.copy()
        found = original(self, V, TV)
        if before is not None:
            read += int((before != self._bound).sum())
        return found

    monkeypatch.setattr(Maxima, "__call__", counted)
    for seed in range(3):
        mdp = drawn(seed, 40, 6, width, masks=masks, ends=ends)
        mdp = mdp.to_sparse() if sparse else mdp
        lazily, fully = (Backups(mdp, compiled=True, threads=threads) for _ in range(2))
        rng = np.random.default_rng(seed)
        V = np.zeros(40) if seed else rng.normal(size=40)
        for k in range(14):
            actions, TV, low, high = lazily.maxima(V)
            Q, want, least, most = fully.backup(V)
            assert TV.tobytes() == want.tobytes() and (low, high) == (least, most)
            np.testing.assert_array_equal(actions, Q.argmax(axis=1))
            V = TV - TV.max() if k == 7 else V + 1e3 * rng.normal(size=40) if k == 10 else TV
    looks = 3 * 13 * 40 * (1 if sparse and width < 16 else 6)  # at states, where rows are short
    assert 0 < read < (1.0 if ends else 0.8) * looks  # what ends loosens the bounds


def test_a_bound_that_forgets_what_values_have_gained_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the clock an action that has come to win is overlooked."""
    plain = kernels.maxima_dense

    def stopped(P: Any, R: Any, gamma: Any, V: Any, bound: Any, clock: Any, *rest: Any) -> Any:
        return plain(P, R, gamma, V, bound, -1e9, *rest)

    monkeypatch.setattr(kernels, "maxima_dense", stopped)
    P = np.zeros((2, 2, 2))
    P[:, 0, 0] = P[:, 1, 1] = 1.0
    b = Backups(MDP(P, [[1.0, 0.0], [1.0, 0.0]], 0.9), compiled=True, threads=1)
    b.maxima(np.zeros(2))
    actions, TV, _, _ = b.maxima(np.array([0.0, 100.0]))
    assert TV[0] == 1.0 and actions[0] == 0  # the truth is 90, by action 1
    monkeypatch.undo()
    b = Backups(b.mdp, compiled=True, threads=1)
    b.maxima(np.zeros(2))
    assert b.maxima(np.array([0.0, 100.0]))[1][0] == 90.0


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("ends", [False, True])
@pytest.mark.parametrize("masks", [False, True])
@pytest.mark.parametrize(("width", "sparse"), [(30, False), (4, True), (30, True)])
def test_stages_have_the_bits_of_full_backups(width: int, sparse: bool, masks: bool, ends: bool, threads: int) -> None:
    """Backward induction at once through all stages of a model, from terminal values of any size."""
    H = 60
    for seed in range(4):
        mdp = drawn(seed, 30, 5, width, masks=masks, ends=ends)
        b = Backups(mdp.to_sparse() if sparse else mdp, compiled=True, threads=threads)
        rng = np.random.default_rng(seed)
        V, actions = np.full((H + 1, 30), np.nan), np.full((H, 30), -1, dtype=np.int32)
        V[H] = rng.normal(size=30) * (0.0, 1.0, 1e6, -1e6)[seed]
        stages(b, V, actions)
        after = V[H]
        for h in range(H - 1, -1, -1):
            Q = b.q(after)
            after = Q.max(axis=1)
            assert after.tobytes() == V[h].tobytes()
            np.testing.assert_array_equal(actions[h], Q.argmax(axis=1))


def test_stages_skip_rows_and_not_those_that_come_to_win(monkeypatch: pytest.MonkeyPatch) -> None:
    """An action that is best at one stage alone, and one that never is: its row is read at the last stage only."""
    from tabular._kernels import stages as home

    kept: list[np.ndarray] = []
    plain = home.stages_dense

    def watched(P: Any, R: Any, gamma: Any, rates: Any, V: Any, bound: Any, *rest: Any) -> Any:
        kept.append(bound)
        return plain(P, R, gamma, rates, V, bound, *rest)

    monkeypatch.setattr(home, "stages_dense", watched)
    P = np.zeros((3, 2, 3))
    P[0, 0, 0] = P[0, 1, 1] = P[1, :, 2] = P[2, :, 2] = 1.0
    b = Backups(MDP(P, [[1.0, 0.0], [50.0, 50.0], [0.0, -1000.0]], 1), compiled=True, threads=1)
    V, actions = np.zeros((101, 3)), np.zeros((100, 3), dtype=np.int32)
    stages(b, V, actions)
    np.testing.assert_array_equal(actions[:, 0], np.arange(100) == 98)  # one before the end
    assert V[0].tolist() == [148.0, 50.0, 0.0]
    (bound,) = kept
    assert bound[2, 1] == -1000.0  # as it was when nothing had been gained
    assert home.tick(0.0, np.array([3.0, 1.0]), np.array([1.0, 2.0]), 0.5, 0.5, 1.0, 1e-3) == 1.002
    assert home.tick(1.0, np.array([1.0, 1.0]), np.array([3.0, 2.0]), 0.5, 0.5, 1.0, 0.0) == 0.75


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(("width", "sparse"), [(30, False), (4, True), (30, True)])
@pytest.mark.parametrize("mixed", [False, True])
def test_sweeps_of_a_policy(mixed: bool, width: int, sparse: bool, threads: int) -> None:
    """Powers of ``gamma P_pi`` on a step, added up, whatever form its rows have; padded ones in single precision."""
    for seed in range(3):
        mdp = drawn(seed, 40, 3, width, masks=False, ends=bool(seed % 2))
        P = mdp.P
        mdp = mdp.to_sparse() if sparse else mdp
        b, rng = Backups(mdp, compiled=True, threads=threads), np.random.default_rng(seed)
        rows = None
        for _ in range(3):
            actions = rng.integers(0, 3, 40).astype(np.int32)
            pi = rng.random((40, 3)) * (rng.random((40, 3)) < 0.8) + 0.01 if mixed else np.eye(3)[actions]
            pi /= pi.sum(axis=1, keepdims=True)
            matrix = mdp.gamma * np.einsum("sa,sat->st", pi, P)
            step, V, x = (10.0 ** rng.integers(-200, 200) * v for v in rng.normal(size=(3, 40)))
            x, want = step, V.copy()
            rows = b.policy_rows(pi.copy() if mixed else actions, rows)
            for _ in range(4):
                x = matrix @ x
                want += x
            got = V.copy()
            left = rows.sweep(step, got, 0.0, 4, False)
            single = 1e-6 if rows._kernel in SINGLE else 1e-13
            size = np.abs(step).max()
            np.testing.assert_allclose(got, want, rtol=1e-13, atol=single * size)
            np.testing.assert_allclose(left, max(x.max(), -x.min()), rtol=0, atol=single * size)
            assert rows.sweep(step, got, 10.0 * size, 4, True) == pytest.approx(np.ptp(matrix @ step), rel=1e-5)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("form", ["dense", "padded", "numpy"])
@pytest.mark.parametrize("kind", ["classes", "period", "one rate", "many rates"])
def test_what_is_extrapolated_is_what_sweeps_would_have_added(kind: str, form: str, threads: int) -> None:
    """Whatever is skipped, ``V`` and the sweeps that are left add up to the same; and little is left where steps have a rate."""
    S, gamma = 40, 0.999
    P, rng = np.zeros((S, 1, S)), np.random.default_rng(3)
    if kind == "classes":  # two states to stay in, and all others on the way to one of them
        P[:, 0, 0], P[:, 0, 1], P[:2, 0] = 0.3, 0.7, np.eye(S)[:2]
        P[2:20, 0, :2] = 0.5
    elif kind == "period":  # pairs of states that change places
        P[np.arange(S), 0, np.arange(S) ^ 1] = 1.0
    elif kind == "one rate":  # halves that are left now and then
        P[: S // 2, 0, 0], P[: S // 2, 0, S // 2] = 0.996, 0.004
        P[S // 2 :, 0, S // 2], P[S // 2 :, 0, 0] = 0.996, 0.004
    else:
        stay = 1 - 0.1 * rng.random(S)
        P[np.arange(S), 0, np.arange(S)], P[np.arange(S), 0, (np.arange(S) + 1) % S] = stay, 1 - stay
    mdp = MDP(P, np.zeros((S, 1)), gamma)
    b = Backups(mdp.to_sparse() if form == "padded" else mdp, compiled=form != "numpy", threads=threads)
    matrix = gamma * P[:, 0]
    for by_span in (True, False):
        step, V = rng.normal(size=S), rng.normal(size=S)
        want = V + np.linalg.solve(np.eye(S) - matrix, matrix @ step)
        rows, got, seen = b.policy_rows(np.zeros(S, dtype=np.int32)), V.copy(), []
        plain = rows._advance

        def watched(x: np.ndarray, *rest: Any, seen: Any = seen, plain: Any = plain) -> Any:
            seen.append(plain(x, *rest))
            return seen[-1]

        rows._advance = watched  # type: ignore[method-assign]
        size = np.ptp(step) if by_span else np.abs(step).max()
        left = rows.sweep(step, got, 1e-3 * size, 100_000, by_span)
        assert left <= 1e-3 * size
        off = want - got
        off -= 0.5 * (off.max() + off.min()) if by_span else 0.0  # what is left over decays at the discount or faster
        assert np.abs(off).max() <= 1.01 * left * gamma / (1 - gamma) + 1e-3 * size
        ordinary = np.log(1e3) / -np.log(gamma)
        rates = (
            3 if kind == "many rates" else 1 + (kind == "one rate" and not by_span)
        )  # constants have one of their own
        assert len(seen) < (0.05, 0.5, 1.0)[rates - 1] * ordinary


def test_sweeps_have_the_same_bits_with_any_threads() -> None:
    found = []
    for threads in (1, 2):
        b = Backups(drawn(5, 60, 4, 5, masks=False, ends=False).to_sparse(), compiled=True, threads=threads)
        found.append(modified_loop(b, np.zeros(60), 1e-10, 100, 200))
    assert found[0].V.tobytes() == found[1].V.tobytes() and found[0].iterations == found[1].iterations


def test_what_is_formed_later() -> None:
    """``Q`` and the policy of a large model, once read, are those of ``V``; copies and pickles have them as well."""
    import copy
    import pickle

    mdp = drawn(1, 120, 60, 120, masks=True, ends=False)
    assert Backups(mdp, compiled=None).compiled is False
    big = MDP(np.tile(mdp.P, (1, 2, 1)), np.tile(mdp.R, (1, 2)), 0.95)
    found = solve(big)
    assert found.method == "modified policy iteration"
    waiting = [name for name in ("Q", "pi", "log_pi") if not isinstance(found.__dict__[name], np.ndarray)]
    assert waiting == ["Q", "pi", "log_pi"]
    again = pickle.loads(pickle.dumps(found.with_(iterations=1)))
    np.testing.assert_array_equal(found.Q, Backups(big).q(found.V))
    np.testing.assert_array_equal(found.pi.argmax(axis=1), found.Q.argmax(axis=1))
    np.testing.assert_array_equal(found.pi, np.exp(found.log_pi))
    for other in (again, copy.deepcopy(found)):
        for name in waiting:
            assert isinstance(other.__dict__[name], np.ndarray)
            np.testing.assert_array_equal(getattr(other, name), getattr(found, name))
    assert found.Q is found.Q and again.iterations == 1


def test_a_stop_is_not_spoilt_by_what_it_centres() -> None:
    b = Backups(drawn(0, 20, 2, 20, masks=False, ends=False), Shannon(0.1))
    stop, x = Stop(b, 1e-6), np.arange(20.0)
    assert stop.centred(x) is x and x[0] == -9.5 and x[-1] == 9.5
