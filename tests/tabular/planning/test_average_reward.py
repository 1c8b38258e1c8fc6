"""The average reward: every solver against enumeration, a linear program and rationals, with its certificates."""

from __future__ import annotations

import itertools
from fractions import Fraction as F
from typing import Any

import numpy as np
import pytest
from scipy.optimize import linprog
from scipy.sparse import csr_array

from tabular import (
    MDP,
    AverageSolution,
    ModelError,
    NotConverged,
    Status,
    average_policy_iteration,
    average_reward,
    evaluate_average,
    exact_average_reward,
    policy_iteration,
    relative_value_iteration,
)
from tabular.certificates.exact_gain import gain_bias_of
from tabular.instances import garnet_sparse
from tabular.operators import transition_matrix
from tabular.planning.average_reward import AVERAGE_SOLVERS
from tabular.reference import RationalOps

SOLVERS = list(AVERAGE_SOLVERS)


def random_model(seed: int, exact: bool = False) -> MDP:
    """Up to five states, often with several end components, ties and masks; weights are small integers."""
    rng = np.random.default_rng(seed)
    S, A = int(rng.integers(1, 6)), int(rng.integers(1, 4))
    w = rng.integers(0, 4, (S, A, S)) * (rng.random((S, A, S)) < rng.choice([0.2, 0.5, 1.0]))
    w[w.sum(axis=-1) == 0, int(rng.integers(0, S))] = 1
    mask = rng.random((S, A)) < 0.8
    mask[np.arange(S), rng.integers(0, A, S)] = True
    R = np.where(mask, rng.integers(-3, 4, (S, A)), -np.inf)
    w = w * mask[..., None] + (~mask)[..., None]
    if exact:
        return MDP.from_weights(w, R, F(9, 10))
    return MDP(w / w.sum(axis=-1, keepdims=True), R, 0.9)


def enumerated(mdp: MDP) -> np.ndarray:
    choices = itertools.product(*[np.flatnonzero(row) for row in mdp.mask])
    return np.max([evaluate_average(mdp, np.array(c)).gain for c in choices], axis=0)


def programmed(mdp: MDP) -> np.ndarray:
    """Least (g, h) with g >= P g and g + h >= R + P h (Puterman 1994, section 9.3)."""
    S, P = mdp.S, mdp.to_dense().P
    rows, limits = [], []
    for s, a in np.argwhere(mdp.mask):
        e = np.eye(S)[s]
        rows += [np.concatenate([P[s, a] - e, np.zeros(S)]), np.concatenate([-e, P[s, a] - e])]
        limits += [0.0, -mdp.rewards[s, a]]
    cost = np.concatenate([np.ones(S), np.zeros(S)])
    found = linprog(cost, A_ub=np.array(rows), b_ub=limits, bounds=(None, None), method="highs")
    return np.asarray(found.x[:S])


def check_certificates(sol: AverageSolution, gain: list[F]) -> None:
    c = sol.certificates["g - g*"]
    for low, g, best, high in zip(c.lower, sol.gain, gain, c.upper, strict=True):
        assert F(low) <= F(g) - best <= F(high)
    assert sol.error_bound >= max(abs(F(g) - best) for g, best in zip(sol.gain, gain, strict=True))


@pytest.mark.parametrize("method", SOLVERS)
@pytest.mark.parametrize("seed", range(40))
def test_gains_are_those_of_oracles_and_within_their_certificates(seed: int, method: str) -> None:
    mdp = random_model(seed)
    mdp = mdp.to_sparse() if seed % 2 else mdp
    sol = average_reward(mdp, method)
    assert sol.status is Status.CONVERGED
    np.testing.assert_allclose(sol.gain, enumerated(mdp), atol=1e-8)
    np.testing.assert_allclose(sol.gain, programmed(mdp), atol=1e-7)
    exact = exact_average_reward(mdp, mdp.R.argmax(axis=1))
    check_certificates(sol, exact.gain)
    g, h = evaluate_average(mdp, sol.pi)
    np.testing.assert_allclose(sol.gain, g, atol=1e-13)
    np.testing.assert_allclose(sol.bias, h, atol=1e-10)
    assert sol.policy_gap <= 1e-8 * max(1.0, float(np.abs(mdp.rewards).max()))


@pytest.mark.parametrize("seed", range(40, 60))
def test_exact_answers_solve_the_optimality_equations(seed: int) -> None:
    mdp = random_model(seed, exact=True)
    found, m = exact_average_reward(mdp), mdp.exact()
    g, h = found.gain, found.bias
    for s in range(m.S):
        later = {a: sum(p * g[t] for t, p in m.row(s, a).items()) for a in np.flatnonzero(m.mask[s]).tolist()}
        assert max(later.values()) == g[s]
        value = {a: m.R[s * m.A + a] + sum(p * h[t] for t, p in m.row(s, a).items()) for a in later if later[a] == g[s]}
        assert max(value.values()) == g[s] + h[s] == value[int(found.pi[s])]
    for method in SOLVERS:
        check_certificates(average_reward(mdp, method), g)


@pytest.mark.parametrize("seed", range(60, 75))
def test_biases_are_within_their_certificates(seed: int) -> None:
    mdp = random_model(seed, exact=bool(seed % 2))
    for method in SOLVERS:
        sol = average_reward(mdp, method)
        ops = RationalOps()
        bias = ops.fractions(gain_bias_of(ops, ops.model(mdp), sol.pi.argmax(axis=1))[1])
        c = sol.certificates["h - h^pi"]
        for low, h, true, high in zip(c.lower, sol.bias, bias, c.upper, strict=True):
            assert F(low) <= F(h) - true <= F(high)
        assert sol.bias_bound < 1e-10


def test_gains_that_differ_between_states() -> None:
    """State 0 chooses between two rooms, for 1 or 2 a step; from state 3 the better one is reached half of the time."""
    P = np.zeros((4, 2, 4))
    P[0, 0, 1] = P[0, 1, 2] = P[1, :, 1] = P[2, :, 2] = 1
    P[3, :, 1] = P[3, :, 2] = 0.5
    R = np.array([[9.0, 0], [1, 1], [2, 2], [0, 0]])
    for method in SOLVERS:
        sol = average_reward(MDP(P, R, 0.5), method)
        np.testing.assert_allclose(sol.gain, [2, 1, 2, 1.5], atol=1e-9)
        assert sol.pi[0].tolist() == [0, 1]
        assert sol.info["end_components"] == 2


@pytest.mark.parametrize("method", SOLVERS)
def test_a_component_is_left_where_that_pays(method: str) -> None:
    """Both states of a component earn 1; one may leave, for 3 a step after a loss of 100."""
    P = np.zeros((3, 2, 3))
    P[0, :, 1] = P[1, 0, 0] = P[1, 1, 2] = P[2, :, 2] = 1
    R = np.array([[1.0, 1], [1, -100], [3, 3]])
    sol = average_reward(MDP(P, R, 0.5), method)
    np.testing.assert_allclose(sol.gain, 3, atol=1e-9)
    assert sol.error_bound < 1e-8


@pytest.mark.parametrize("method", SOLVERS)
@pytest.mark.parametrize("e", [1e-3, 1e-8, 1e-14])
def test_rare_moves_cost_no_digits(method: str, e: float) -> None:
    """Two states that hardly communicate: certificates see differences of values, not their size."""
    mdp = MDP([[[1 - e, e], [1, 0]], [[e / 2, 1 - e / 2], [0, 1]]], [[1, 0], [0.5, 1.25]], 0.9, renormalise=True)
    sol = average_reward(mdp, method, throw=False, **({"max_iter": 2000} if method.startswith("rel") else {}))
    np.testing.assert_allclose(sol.gain, 1.25)
    assert sol.error_bound < 1e-13


def test_periodic_models_need_the_lazy_step() -> None:
    mdp = MDP(np.roll(np.eye(3), 1, axis=1)[:, None], [[3.0], [0.0], [0.0]], 0.5)
    assert relative_value_iteration(mdp).gain.tolist() == pytest.approx([1.0] * 3)
    stuck = relative_value_iteration(mdp, lazy=0.0, max_iter=500, throw=False)
    assert stuck.iterations == 500 and stuck.error_bound < 1e-9  # one policy: evaluating it says it all
    with pytest.raises(NotConverged, match="relative value iteration: iteration limit") as caught:
        relative_value_iteration(garnet_sparse(0, 50, 3, 4), max_iter=1)
    assert caught.value.solution.status is Status.MAX_ITER
    assert np.isfinite(caught.value.solution.error_bound)


def test_the_discount_is_ignored_and_blackwell_holds() -> None:
    mdp = random_model(7)
    other = mdp._with(gamma=1.0, gamma_exact=F(1))
    assert average_reward(mdp).gain.tolist() == average_reward(other).gain.tolist()
    patient = mdp._with(gamma=1 - 2.0**-20, gamma_exact=F(2**20 - 1, 2**20))
    pi = policy_iteration(patient).pi
    np.testing.assert_allclose(evaluate_average(mdp, pi).gain, average_reward(mdp).gain, atol=1e-9)


def test_starts_do_not_change_the_answer() -> None:
    for seed in range(8):
        mdp = random_model(seed)
        first = average_reward(mdp)
        again = average_policy_iteration(mdp, pi0=first.pi)
        assert again.iterations == 1 and again.gain.tolist() == first.gain.tolist()
        worst = np.where(mdp.mask, -mdp.rewards, -np.inf).argmax(axis=1)
        np.testing.assert_allclose(average_policy_iteration(mdp, pi0=worst).gain, first.gain, atol=1e-10)
        np.testing.assert_allclose(relative_value_iteration(mdp, h0=first.bias).gain, first.gain, atol=1e-8)


def test_larger_sparse_models_and_the_choice_of_method() -> None:
    mdp = garnet_sparse(0, 400, 3, 4)
    one, two = average_policy_iteration(mdp), relative_value_iteration(mdp)
    np.testing.assert_allclose(one.gain, two.gain, atol=1e-8)
    assert "equations are cheap" in average_reward(mdp).why
    assert average_reward(mdp, "relative_value_iteration").why == "asked for by name"


def test_twenty_thousand_states_take_a_second_or_two() -> None:
    """Evaluating the policy by factorisation would take minutes and gigabytes."""
    sol = average_reward(garnet_sparse(0, 20_000, 3, 4))
    assert sol.method == "relative value iteration" and sol.error_bound < 1e-9
    P, r = transition_matrix(garnet_sparse(0, 20_000, 3, 4), sol.pi), sol.info["recurrent_classes"]
    drift = np.bincount(np.repeat(np.arange(20_000), np.diff(P.indptr)), weights=P.data * sol.bias[P.indices])
    reward = garnet_sparse(0, 20_000, 3, 4).rewards[np.arange(20_000), sol.pi.argmax(axis=1)]
    np.testing.assert_allclose(reward + drift, sol.gain + sol.bias, atol=1e-9)
    assert r == 1


@pytest.mark.parametrize("method", SOLVERS)
@pytest.mark.parametrize("size", [1e-290, 1e-30, 1e30, 1e290])
def test_rewards_of_any_size(method: str, size: float) -> None:
    mdp = random_model(5)
    scaled = MDP(mdp.P, mdp.R * size, 0.9)
    sol = average_reward(scaled, method)
    np.testing.assert_allclose(sol.gain / size, average_reward(mdp).gain, atol=1e-8)
    assert sol.status is Status.CONVERGED


@pytest.mark.parametrize("method", SOLVERS)
def test_rewards_at_the_end_of_the_range_are_no_certificates_of_anything(method: str) -> None:
    big = 1.7e308
    mdp = MDP([[[0.9, 0.1], [0, 1]], [[0.5, 0.5], [1e-3, 0.999]]], [[big, -big], [-big, big]], 0.9)
    sol = average_reward(mdp, method, throw=False)
    c = sol.certificates["g - g*"]
    assert not np.isnan(sol.error_bound) and (c.lower <= 0).all() and (c.upper >= 0).all()


def test_dense_and_sparse_are_the_same() -> None:
    for seed in range(10):
        mdp = random_model(seed)
        for method in SOLVERS:
            one, two = (average_reward(m, method) for m in (mdp, mdp.to_sparse()))
            np.testing.assert_allclose(one.gain, two.gain, atol=1e-9)


def test_many_rooms_are_solved_at_once() -> None:
    """A thousand rooms that nobody leaves, of two states each."""
    rng = np.random.default_rng(0)
    n = 1000
    P = csr_array(
        (np.ones(4 * n), (np.arange(4 * n), np.repeat(np.arange(2 * n) // 2 * 2, 2) + np.tile([0, 1], 2 * n)))
    )
    R = rng.integers(0, 9, (2 * n, 2)).astype(float)
    stay = R[0::2, 0], R[1::2, 1]
    best = np.max([*stay, (R[0::2, 1] + R[1::2, 0]) / 2], axis=0)
    for method in SOLVERS:
        np.testing.assert_allclose(average_reward(MDP(P, R, 0.5), method).gain[::2], best, atol=1e-8)


def test_all_rewards_zero() -> None:
    for method in SOLVERS:
        sol = average_reward(MDP([[[1.0]]], [[0.0]], 0.5), method)
        assert sol.status is Status.CONVERGED and sol.gain.tolist() == [0.0] and sol.bias.tolist() == [0.0]


def test_policies_of_probabilities_are_evaluated() -> None:
    mdp = MDP([[[1, 0], [0, 1]], [[1, 0], [0, 1]]], [[1, 0], [0, 3]], 0.5)
    for model in (mdp, mdp.to_sparse()):
        gain, bias = evaluate_average(model, [[0.5, 0.5], [0.5, 0.5]])
        np.testing.assert_allclose(gain, 1)
        np.testing.assert_allclose(bias, [-0.5, 0.5])


def ending() -> MDP:
    return MDP([[[0.5, 0.25], [1, 0]], [[1, 0], [0, 1]]], np.ones((2, 2)), 0.9, end=[[0.25, 0], [0, 0]])


@pytest.mark.parametrize(
    "call", [average_reward, average_policy_iteration, relative_value_iteration, exact_average_reward]
)
def test_endings_are_refused_by_place(call: Any) -> None:
    with pytest.raises(ModelError, match=r"end\[0, 0\] is 0.25: .*; mdp.augmented"):
        call(ending())
    with pytest.raises(TypeError, match="takes an MDP"):
        call(np.eye(2))


def test_the_end_as_a_state_earns_nothing() -> None:
    assert average_reward(ending().augmented()).gain.tolist() == pytest.approx([1, 1, 0])


def test_bad_options_are_refused() -> None:
    mdp = random_model(0)
    with pytest.raises(ValueError, match="method is 'howard'"):
        average_reward(mdp, "howard")
    with pytest.raises(ValueError, match="lazy is 1"):
        relative_value_iteration(mdp, lazy=1.0)
    with pytest.raises(ModelError, match="h0 has shape"):
        relative_value_iteration(mdp, h0=np.zeros(9))
    with pytest.raises(ValueError, match="tol"):
        average_policy_iteration(mdp, tol=0.0)


def test_a_solution_shows_itself() -> None:
    text = repr(average_reward(random_model(3)))
    assert text.startswith("AverageSolution") and "policy_gap" in text and "gain" in text
