"""Certificates from one compiled backup: truth inside, next to the truth, and nothing read twice."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tabular import KL, MDP, FiniteHorizonMDP, Shannon, Tsallis, backward_induction, evaluate_policy, solve
from tabular._backups import Backups
from tabular._maxima import stages
from tabular.certificates import certify, certify_finite, model_error, refine
from tabular.certificates.large import certify_backup, certify_stages
from tabular.instances.garnet import garnet_sparse
from tabular.planning._finish import finish
from tabular.planning._loops import Iterate, modified_loop, value_loop, zeros

KINDS = ["plain", "masks", "ending", "masks+ending"]
REGULARISERS = {
    "hard": None, "shannon": Shannon(0.3), "kl": "reference",
    "tsallis": Tsallis(0.5, 1.5), "tsallis-2": Tsallis(0.5, 2), "tsallis-1/2": Tsallis(0.5, 0.5), "tsallis-3": Tsallis(0.5, 3),
    "tsallis-5/4": Tsallis(0.5, 1.25), "tsallis-2-tiny": Tsallis(1e-6, 2), "tsallis-2-large": Tsallis(1e3, 2),
    "tsallis-1/2-tiny": Tsallis(1e-6, 0.5), "tsallis-3-large": Tsallis(1e3, 3),
}  # fmt: skip
TSALLIS = [name for name in REGULARISERS if name.startswith("tsallis")]


def drawn(kind: str, seed: int, *, sparse: bool, S: int = 7, A: int = 3, gamma: float = 0.93) -> MDP:
    """A model of floats whose rows do not sum to one exactly."""
    rng = np.random.default_rng([seed, KINDS.index(kind)])
    P = rng.random((S, A, S)) * (rng.random((S, A, S)) < 0.6)
    P[..., 0] += 0.1
    R = rng.normal(size=(S, A)) * 10.0 ** rng.integers(-3, 4)
    end = rng.random((S, A)) * (rng.random((S, A)) < 0.5) if "ending" in kind else np.zeros((S, A))
    if "masks" in kind:
        mask = rng.random((S, A)) < 0.6
        mask[:, 0] = True
        R[~mask] = -np.inf
        end[~mask] = 0.0
    total = P.sum(-1) + end
    P, end = P / total[..., None], end / total
    P[~np.isfinite(R)] = 0.0
    mdp = MDP(P, R, gamma, end=end if end.any() else None)
    return mdp.to_sparse() if sparse else mdp


def regulariser(name: str, mdp: MDP) -> Any:
    reg = REGULARISERS[name]
    return KL(0.4, mdp.mask / mdp.mask.sum(axis=1, keepdims=True)) if reg == "reference" else reg


def kept(mdp: MDP, reg: Any, loop: Any, tol: float = 1e-6, compiled: bool = True) -> tuple[Backups, Iterate]:
    b = Backups(mdp, reg, compiled=compiled)
    extra = (200,) if loop is modified_loop else ()
    return b, loop(b, zeros(b, None), tol, 10_000, *extra)


@pytest.mark.parametrize("loop", [value_loop, modified_loop])
@pytest.mark.parametrize("name", [*REGULARISERS, "hard, by NumPy"])
@pytest.mark.parametrize("kind", KINDS)
def test_truth_is_inside(kind: str, name: str, loop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tabular._backups.TIGHT_UP_TO", 0)
    for seed in range(4):
        mdp = drawn(kind, seed, sparse=bool(seed % 2))
        reg = regulariser(name.partition(",")[0], mdp)
        b, iterate = kept(mdp, reg, loop, compiled="NumPy" not in name)
        assert iterate.backup is not None
        solution = finish(b, iterate, "test", 1e-6)
        found = solution.certificates
        high, low, near = refine(mdp, solution.V, reg)
        off = (solution.V - high) - low
        assert (found["V - V*"].lower <= off + near).all() and (off - near <= found["V - V*"].upper).all()
        own = solution.V - evaluate_policy(mdp, solution.pi, reg)
        slack = 1e-12 * np.abs(solution.V).max()  # of the evaluation
        assert (found["V - V^pi"].lower <= own + slack).all() and (own - slack <= found["V - V^pi"].upper).all()
        lost = float((high - evaluate_policy(mdp, solution.pi, reg)).max())
        assert found["max(V* - V^pi)"].lower - slack <= lost <= found["max(V* - V^pi)"].upper + slack
        assert solution.error_bound <= 2e-6 * max(np.abs(solution.V).max(), b.reward_scale)


@pytest.mark.parametrize("name", REGULARISERS)
@pytest.mark.parametrize("kind", KINDS)
def test_bounds_are_those_of_a_second_pass(kind: str, name: str) -> None:
    """Up to rounding, the same bounds as from enclosures of every entry."""
    mdp = drawn(kind, 11, sparse=False)
    reg = regulariser(name, mdp)
    b, iterate = kept(mdp, reg, value_loop, 1e-5)
    assert iterate.backup is not None
    pi = b.policy(b.q(iterate.V))[0]
    quick, slow = certify_backup(b, iterate.V, iterate.backup, pi), certify(mdp, iterate.V, reg, pi, precision="double")
    size = np.abs(iterate.V).max()
    for key in ("V - V*", "V - V^pi", "max(V* - V^pi)"):
        for side in ("lower", "upper"):
            np.testing.assert_allclose(getattr(quick[key], side), getattr(slow[key], side), rtol=0, atol=1e-10 * size)
    assert model_error(mdp, float(size)) <= quick["V*(floats) - V*"].upper <= 1e-11 * size


@pytest.mark.parametrize("name", TSALLIS)
@pytest.mark.parametrize(("kind", "S"), [("plain", 1), ("ending", 1), ("plain", 7), ("masks+ending", 7)])
def test_a_policy_that_is_a_little_wrong_is_noticed(kind: str, S: int, name: str) -> None:
    """What is said of a policy is of that very policy, however large its fault: truth inside, and next to the truth; of one state
    what it loses at each step is all there is.
    """
    mdp = drawn(kind, 4, sparse=True, S=S, A=4)
    reg = regulariser(name, mdp)
    b, iterate = kept(mdp, reg, modified_loop, 1e-10)
    assert iterate.backup is not None
    best = b.maximiser(iterate.backup.Q)
    size = max(np.abs(iterate.V).max(), reg.tau)
    honest = float(certify_backup(b, iterate.V, iterate.backup, best)["max(V* - V^pi)"].upper)
    s = int(np.argmax(mdp.mask.sum(axis=1)))
    for part in (1e-3, 1e-2, 0.5):
        pi = best.copy()
        worst = mdp.mask[s] & (pi[s] == pi[s][mdp.mask[s]].min())
        pi[s] = (1 - part) * pi[s] + part * worst / worst.sum()
        found = certify_backup(b, iterate.V, iterate.backup, pi)
        slow = certify(mdp, iterate.V, reg, pi, precision="doubled")
        for key in ("V - V^pi", "max(V* - V^pi)"):
            low, high, tight = found[key].lower, found[key].upper, slow[key]
            assert np.all(low <= tight.upper) and np.all(tight.lower <= high)
        lost = float(slow["max(V* - V^pi)"].lower)
        assert honest < 1e-9 * size and (part < 0.5 or lost > honest)
        more = 1.002 if kind == "plain" and S == 1 else 20.0
        assert found["max(V* - V^pi)"].upper <= more * lost + 1e-9 * size


def test_what_is_no_policy_has_no_bound() -> None:
    mdp = drawn("masks", 4, sparse=True)
    b, iterate = kept(mdp, Tsallis(0.5, 2), modified_loop)
    assert iterate.backup is not None
    good = b.maximiser(iterate.backup.Q)
    s, a = np.argwhere(~mdp.mask)[0]
    for entry in (np.nan, -0.1, 0.1):  # of an action that is not available
        pi = good.copy()
        pi[s, a] = entry
        found = certify_backup(b, iterate.V, iterate.backup, pi)
        assert found["max(V* - V^pi)"].upper == np.inf and (found["V - V^pi"].upper == np.inf).all()
    pi = good.copy()
    pi[s] = 0.0
    assert certify_backup(b, iterate.V, iterate.backup, pi)["max(V* - V^pi)"].upper == np.inf
    assert certify_backup(b, iterate.V, iterate.backup, good)["max(V* - V^pi)"].upper < np.inf


def test_the_backup_that_is_kept_is_that_of_the_values() -> None:
    for kind in KINDS:
        mdp = drawn(kind, 5, sparse=True)
        b, iterate = kept(mdp, None, value_loop, 1e-4)
        assert iterate.backup is not None
        Q = b.q(iterate.V)
        slack = 1e-12 * np.abs(iterate.V).max()
        np.testing.assert_allclose(iterate.backup.TV, Q.max(axis=1), rtol=1e-13, atol=slack)
        assert iterate.backup.Q is None and iterate.backup.actions is not None
        np.testing.assert_array_equal(iterate.backup.actions, Q.argmax(axis=1))
        b, iterate = kept(mdp, Shannon(0.3), value_loop, 1e-4)
        assert iterate.backup is not None and iterate.backup.Q is not None
        found = b.q(iterate.V)[mdp.mask]
        np.testing.assert_allclose(iterate.backup.Q[mdp.mask], found, rtol=1e-13, atol=slack)


def test_a_damaged_backup_is_not_certified() -> None:
    """The bound moves with what it is given: nothing in it is a constant."""
    mdp = drawn("plain", 3, sparse=False)
    b, iterate = kept(mdp, None, value_loop)
    backup = iterate.backup
    assert backup is not None
    pi = b.policy(b.q(iterate.V))[0]
    honest = certify_backup(b, iterate.V, backup, pi)["V - V*"].upper.max()
    moved = certify_backup(b, iterate.V, backup._replace(TV=backup.TV + 1.0), pi)["V - V*"]
    assert honest < 0.1 and abs(moved.lower.min() + 1.0 / (1.0 - mdp.gamma)) < 0.1
    wider = certify_backup(b, iterate.V, backup._replace(size=1e10 * backup.size), pi)["V - V*"].upper.max()
    assert wider > honest + 1e-7


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_stages_add_up_their_rounding(kind: str, threads: int) -> None:
    """Truth inside the bounds of backward induction, which are above those in doubled precision and not by much."""
    for sparse in (False, True):
        one = drawn(kind, 20, sparse=sparse)
        fh = FiniteHorizonMDP(one.P, one.R, H=6, end=one.end if one.has_end else None, gamma=0.95)
        slow = backward_induction(fh)
        b = [Backups(fh.stage(h), compiled=True, threads=threads) for h in range(6)]
        V, actions = np.full((7, fh.S), np.nan), np.full((6, fh.S), -1, dtype=np.int32)
        V[6] = 0.0
        stages(b[0], V, actions)
        pi, log_pi = b[0].one_hot(actions)
        np.testing.assert_allclose(V, slow.V, rtol=1e-13, atol=1e-13 * np.abs(V).max())
        np.testing.assert_array_equal(pi, slow.pi)
        np.testing.assert_array_equal(log_pi, slow.log_pi)
        quick, tight = certify_stages(b, V), certify_finite(fh, V, None, pi)
        for key in ("V - V*", "V - V^pi"):
            low, high = quick[key].lower, quick[key].upper
            assert (low[:-1] <= tight[key].lower[:-1]).all() and (high[:-1] >= tight[key].upper[:-1]).all()
            assert not low[-1].any() and not high[-1].any()  # zero is the terminal value exactly
            assert quick[key].upper.max() <= 1e-12 * max(np.abs(V).max(), np.abs(fh.stage(0).rewards).max())
        assert quick["max(V* - V^pi)"].upper >= tight["max(V* - V^pi)"].upper
        assert quick["V*(floats) - V*"].upper >= tight["V*(floats) - V*"].upper


def test_exact_and_rewardless_models_take_the_long_way() -> None:
    exact = MDP.from_weights([[[1, 1]], [[1, 2]]], [[1.0], [0.0]], 0.5)
    assert not Backups(exact, compiled=True).large
    assert not Backups(MDP([[[1.0]]], [[0.0]], 0.5), compiled=True).large
    assert Backups(MDP([[[1.0]]], [[2.0]], 0.5), compiled=True).large


def test_row_error() -> None:
    """Known at once for floats, looked up for models made from them."""
    P = np.array([[[0.1] * 10 + [0.0]], *[[[0.0] * 10 + [1.0]]] * 10])
    mdp = MDP(P, np.ones((11, 1)), 0.9)
    off = float(abs(10 * np.longdouble(0.1) - 1))
    assert off <= mdp.row_error <= off + 12 * 2.3e-16
    assert mdp.to_sparse().row_error <= mdp.row_error
    assert mdp._with(rewards=mdp.rewards * 2).row_error == mdp.row_error


def test_large_models_meet_their_tolerance() -> None:
    rng = np.random.default_rng(0)
    P = rng.random((220, 25, 220))
    mdp = MDP(P / P.sum(-1, keepdims=True), rng.random((220, 25)), 0.99)
    for method in ("value_iteration", "modified_policy_iteration", "gauss_seidel"):
        solution = solve(mdp, method=method, tol=1e-8)
        assert solution.error_bound <= 1e-8 * np.abs(solution.V).max()


def test_middling_models_are_certified_to_the_tolerance() -> None:
    """Where loops are NumPy's, a bound in doubled precision comes from asking for it."""
    mdp = garnet_sparse(3, 2_000, 4, 5, gamma=0.9)
    found = solve(mdp, tol=1e-8)
    size = np.abs(found.V).max()
    tight = certify(mdp, found.V, None, found.pi)["V - V*"]
    assert not Backups(mdp).compiled and 1e-12 * size < found.error_bound <= 1e-8 * size
    wide = found.certificates["V - V*"]
    assert (wide.lower <= tight.lower).all() and (tight.upper <= wide.upper).all()
    assert float((tight.upper - tight.lower).max()) < 1e-3 * found.error_bound
