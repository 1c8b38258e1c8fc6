"""MDVI against its formulas over ``ops``, against value iteration, and what it promises of bits and borders."""

from __future__ import annotations

import numpy as np
import pytest

from proofs_check.claims.planning import mdvi_sampling
from tabular import MDP, evaluate_policy, solve
from tabular.generative_model import GenerativeModel
from tabular.instances import garnet, hidden_path, random_masks_endings
from tabular.planning.mdvi import mdvi, mdvi_budget
from tabular.reference import NumpyOps, mirror_descent
from tabular.regularizers import Hard, Shannon

CLOSE = {"rtol": 1e-12, "atol": 1e-12}  # some hundred roundings of numbers of order one


def formulas(mdp: MDP, K: int, alpha: float, beta: float, mean):
    ops = NumpyOps()
    m = ops.model(mdp)
    reg = Hard() if beta == np.inf else Shannon(1 / beta)
    return ops, m, mirror_descent.mdvi(ops, m, K, alpha, reg, mean(ops, m))


@pytest.mark.parametrize("alpha", [0.0, 0.7, 1.0])
@pytest.mark.parametrize("beta", [np.inf, 3.0])
@pytest.mark.parametrize("sparse", [False, True])
def test_exact_run_is_the_formula(alpha: float, beta: float, sparse: bool) -> None:
    mdp = random_masks_endings(5, 3).member(1, 4)
    K = 9
    run = mdvi(mdp.to_sparse() if sparse else mdp, alpha=alpha, beta=beta, K=K, keep_policies=True)
    ops, m, found = formulas(mdp, K, alpha, beta, lambda ops, m: lambda k, V: ops.expect(m.P, V))
    for name in ("s", "w", "v", "pi"):
        np.testing.assert_allclose(run.result[name], getattr(found, name)[K].data, **CLOSE)
    output = mirror_descent.sequence_value(ops, m, found.pi[:0:-1], ops.evaluate(m, found.pi[0]))
    np.testing.assert_allclose(run.result["V_output"], output.data, **CLOSE)
    np.testing.assert_allclose(run.result["V_last"], ops.evaluate(m, found.pi[K]).data, **CLOSE)
    assert len(run.result["policies"]) == K + 1


@pytest.mark.parametrize("beta", [np.inf, 2.0])
def test_sampled_run_is_the_formula_on_its_draws(beta: float) -> None:
    mdp, K, M = random_masks_endings(5, 3).member(1, 4), 6, 17
    run = mdvi(mdp, alpha=0.9, beta=beta, K=K, M=M, seed=5)
    model = GenerativeModel(mdp, 5)

    def mean(ops, m):
        return lambda k, V: ops.array((model.counts(M, k + 1)[..., : mdp.S] / M) @ V.data, 2)

    found = formulas(mdp, K, 0.9, beta, mean)[2]
    np.testing.assert_allclose(run.result["s"], found.s[K].data, **CLOSE)
    assert run.history["samples"][-1] == K * M * mdp.mask.sum()


def test_without_a_past_it_is_value_iteration() -> None:
    mdp = garnet(6, 3).member(0, 0)
    V = np.zeros(6)
    for _ in range(25):
        V = (mdp.rewards + mdp.gamma * mdp.P @ V).max(1)
    np.testing.assert_allclose(mdvi(mdp, alpha=0.0, K=25).result["v"], V, **CLOSE)


def test_losses_are_those_of_the_policies() -> None:
    mdp = garnet(6, 3).member(2, 1)
    run = mdvi(mdp, alpha=0.95, K=40, M=3, seed=1, keep_policies=True, record=[1, 7, 40])
    best, policies = solve(mdp).V, run.result["policies"]
    np.testing.assert_array_equal(run.history["k"], [1, 7, 40])
    for k, loss, last in zip((1, 7, 40), run.history["loss"], run.history["last_loss"], strict=True):
        V = evaluate_policy(mdp, policies[0])
        for pi in policies[1 : k + 1]:
            V = (mdp.rewards + mdp.gamma * mdp.P @ V)[np.arange(6), pi]
        assert loss == pytest.approx((best - V).max(), abs=1e-12)
        assert last == pytest.approx((best - evaluate_policy(mdp, policies[k])).max(), abs=1e-12)


def test_it_finds_a_hidden_path_exactly() -> None:
    mdp = hidden_path(6, 3, gamma=0.9).member(0, 0)
    run = mdvi(mdp, alpha=0.9, K=300)
    np.testing.assert_allclose(run.result["V_output"], solve(mdp).V, rtol=0, atol=1e-10)
    assert run.history["estimate_error"][-1] < 1e-9  # 2 K gamma^K is 1e-11


def test_one_draw_a_pair_separates_it_from_value_iteration() -> None:
    """The card's experiment: 6 states, 10 actions, gamma .9, rewards in [0, .3], 6400 iterations of one draw."""
    rng = np.random.default_rng(3)
    for seed in range(3):
        mdp = MDP(rng.dirichlet(np.ones(6), size=(6, 10)), 0.3 * rng.random((6, 10)), 0.9, renormalise=True)
        losses = {a: mdvi(mdp, alpha=a, K=6400, M=1, seed=seed, record=[6400]) for a in (0.0, 0.99, 0.999, 1.0)}
        assert losses[0.0].history["loss"][0] > 0.02
        assert all(losses[a].history["last_loss"][0] <= 0.001 for a in (0.99, 0.999, 1.0))


def test_threads_change_no_bit() -> None:
    mdp = garnet(30, 4).member(0, 0)
    one, two = (mdvi(mdp, alpha=0.9, K=20, M=500, seed=3, threads=n) for n in (1, 2))
    for name in one.result:
        np.testing.assert_array_equal(one.result[name], two.result[name])


def test_budget_keeps_its_promise_and_is_the_one_that_the_claim_uses() -> None:
    mdp = mdvi_sampling.GARNETS.member(0, 0)
    widest = MDP(
        mdp.P, np.where(np.arange(2) == 0, 1.0, mdp.rewards), mdp.gamma
    )  # the largest reward that the family has
    K, M, samples = mdvi_budget(widest, mdvi_sampling.EPSILON, mdvi_sampling.DELTA)
    assert (K, M) == mdvi_sampling.BUDGET and samples == 6 * K * M
    losses = [mdvi(mdp, alpha=mdp.gamma, K=K, M=M, seed=s, record=[K]).history["loss"][0] for s in range(20)]
    assert max(losses) <= mdvi_sampling.EPSILON


@pytest.mark.parametrize("gamma", [0.0, 0.5, 0.99, 1 - 2.0**-30])
@pytest.mark.parametrize("epsilon", [8.0, 1e-2])
def test_budget_has_no_iteration_too_many(gamma: float, epsilon: float) -> None:
    mdp = MDP(np.ones((1, 1, 1)), [[1.0]], gamma)
    K, H = mdvi_budget(mdp, epsilon, 0.1).K, 1 / (1 - gamma)
    start_up = [2 * (k + H) * gamma**k for k in (K - 1, K)]
    assert start_up[1] <= epsilon / 2 and (K == 1 or start_up[0] > epsilon / 2)


def test_known_values_and_their_error() -> None:
    mdp = garnet(6, 3).member(0, 0)
    solution = solve(mdp)
    assert mdvi(mdp, alpha=0.5, K=3).info["V_star_error"] == solution.error_bound
    given = mdvi(mdp, alpha=0.5, K=3, V_star=solution.V)
    assert given.info["V_star_error"] == np.inf
    np.testing.assert_array_equal(given.history["loss"], mdvi(mdp, alpha=0.5, K=3).history["loss"])


GOOD = garnet(3, 2).member(0, 0)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"alpha": 1.5}, ValueError, "alpha is 1.5: expected a number from 0 to 1"),
        ({"alpha": -0.5}, ValueError, "alpha is -0.5"),
        ({"alpha": "1"}, TypeError, "alpha is '1'"),
        ({"beta": 0.0}, ValueError, "beta is 0.0"),
        ({"K": 0}, ValueError, "K is 0"),
        ({"M": 0, "seed": 1}, ValueError, "M is 0"),
        ({"M": 5}, ValueError, "M is 5 and seed is None"),
        ({"seed": 5}, ValueError, "M is None and seed is 5"),
        ({"record": [3, 2]}, ValueError, r"record is \[3, 2\]"),
        ({"record": [99]}, ValueError, r"record is \[99\]: expected increasing iterations in 1 ... 4"),
        ({"record": [1.5]}, TypeError, "record is 1.5"),
        ({"record": 3}, TypeError, "record is 3: expected increasing iterations in 1 ... 4, or None"),
        ({"V_star": [0.0]}, ValueError, r"V_star has shape \(1,\): expected \(3,\)"),
        ({"V_star": [0.0, np.nan, 0.0]}, ValueError, r"V_star\[1\]"),
    ],
)
def test_refusals(change: dict, error: type, words: str) -> None:
    with pytest.raises(error, match=words):
        mdvi(GOOD, **{"alpha": 0.5, "K": 4} | change)


def test_refusals_of_models_and_budgets() -> None:
    with pytest.raises(TypeError, match="mdvi takes an MDP"):
        mdvi(np.eye(3), alpha=0.5, K=1)  # type: ignore[arg-type]
    total = MDP(np.full((1, 1, 1), 0.5), [[1.0]], 1.0, end=[[0.5]])
    for call in (lambda: mdvi(total, alpha=0.5, K=1), lambda: mdvi_budget(total, 1.0, 0.1)):
        with pytest.raises(ValueError, match="gamma = 1: MDVI is for discounted models"):
            call()
    with pytest.raises(ValueError, match="epsilon is 1e-200: too small for rewards up to"):
        mdvi_budget(GOOD, 1e-200, 0.1)
    with pytest.raises(ValueError, match="epsilon is 0"):
        mdvi_budget(GOOD, 0, 0.1)
    with pytest.raises(ValueError, match=r"delta is 1\.0: expected a probability below one"):
        mdvi_budget(GOOD, 1, 1.0)
