"""Robust solvers: certificates against balls and rationals, enumeration, equivalence with the worst model, refusals."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from tabular import MDP, ImproperModel, NotConverged, Status, evaluate_policy, solve
from tabular.instances import garnet, random_masks_endings, self_loops
from tabular.planning.soft_robust import (
    risk_q_values,
    robust_evaluate,
    robust_policy_iteration,
    robust_value_iteration,
    worst_model,
)
from tabular.planning.soft_robust_gradient import robust_gradient, robust_policy_gradient
from tabular.reference import BallOps, NumpyOps, RationalOps
from tabular.reference import risk as formulas
from tabular.risk import CVaR, Entropic, Kernels, KLBall, L1Ball, Neutral, WorstCase

MEASURES = [Neutral(), WorstCase(), Entropic(1.5), Entropic(1e-6), CVaR(0.25), L1Ball(0.5), KLBall(0.25)]
IDS = [str(m) for m in MEASURES]
MODELS = {
    "garnet": garnet(6, 3, gamma=(0.75,)).member(1, 0),
    "endings": random_masks_endings(5, 3, gamma=(0.875,)).member(0, 1),
    "one": self_loops(1, 1, gamma=(0.5,)).member(0, 0),
}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("risk", MEASURES, ids=IDS)
def test_certificates_hold(name: str, risk) -> None:
    mdp = MODELS[name]
    ops = BallOps(128)
    with ops:
        m = ops.model(mdp)
        p = ops.successors(m)
        star_lo, star_hi = ops.bounds(formulas.optimal_value(ops, m, p, risk))
    for source in (mdp, mdp.to_sparse()):
        by_policies, by_values = robust_policy_iteration(source, risk), robust_value_iteration(source, risk)
        for found in (by_policies, by_values):
            c = found.certificates["V - V*"]
            assert (found.V - c.upper <= star_hi).all() and (star_lo <= found.V - c.lower).all()
            with ops:
                pi = ops.distribution(found.pi)
                own_lo, own_hi = ops.bounds(formulas.policy_value(ops, m, p, pi, risk))
            assert found.policy_gap >= (star_lo - own_hi).max()
            c = found.certificates["V - V^pi"]
            assert (found.V - c.upper <= own_hi).all() and (own_lo <= found.V - c.lower).all()
        limit = 1e-8 if isinstance(risk, KLBall) else 1e-11
        assert by_policies.error_bound < limit and by_policies.status in (Status.CONVERGED, Status.ROUNDING_FLOOR)
        assert by_values.error_bound < 1e-6


@pytest.mark.parametrize("risk", [CVaR(0.3), L1Ball(0.4), Entropic(2.0), KLBall(0.2)], ids=str)
def test_certificates_of_long_rows_are_tight(risk) -> None:
    mdp = MDP(
        np.random.default_rng(0).dirichlet(np.ones(120), size=(120, 2)), np.eye(120)[:, :2], 0.9, renormalise=True
    )
    assert robust_policy_iteration(mdp, risk).error_bound < 1e-9


def test_certificates_of_poor_values_hold_too() -> None:
    mdp = MODELS["endings"]
    exact = RationalOps()
    m = exact.model(mdp)
    star = exact.midpoint(formulas.optimal_value(exact, m, exact.successors(m), CVaR(0.25)))
    rng = np.random.default_rng(0)
    for _ in range(20):
        found = robust_value_iteration(mdp, CVaR(0.25), V0=star + rng.normal(size=mdp.S), max_iter=2, throw=False)
        assert found.status is Status.MAX_ITER
        c = found.certificates["V - V*"]
        assert (c.lower <= found.V - star).all() and (found.V - star <= c.upper).all()
        assert np.abs(found.V - star).max() <= found.error_bound <= 40 * np.abs(found.V - star).max()


@pytest.mark.parametrize("risk", MEASURES, ids=IDS)
def test_best_of_all_deterministic_policies(risk) -> None:
    mdp = garnet(3, 2, gamma=(0.75,)).member(0, 2)
    every = [robust_evaluate(mdp, np.array(a), risk).V for a in itertools.product(range(2), repeat=3)]
    np.testing.assert_allclose(robust_policy_iteration(mdp, risk).V, np.max(every, axis=0), atol=1e-9)


def test_worst_case_and_kernels_by_enumeration_of_the_adversary() -> None:
    """Two kernels in each pair: the value of a policy is the least over all the adversary's choices."""
    first, second = (garnet(3, 2, gamma=(0.75,)).member(seed, 0) for seed in (0, 1))
    rows = np.stack([np.concatenate([m.P, m.end[..., None]], axis=-1) for m in (first, second)])
    pi = np.array([[0.25, 0.75], [0.5, 0.5], [1.0, 0.0]])
    values = []
    for pick in itertools.product(range(2), repeat=6):
        chosen = np.where(np.array(pick).reshape(3, 2, 1) == 0, first.P, second.P)
        values.append(evaluate_policy(MDP(chosen, first.R, first.gamma, renormalise=True), pi))
    found = robust_evaluate(first, pi, Kernels(rows))
    np.testing.assert_allclose(found.V, np.min(values, axis=0), atol=1e-12)
    assert np.abs(found.certificates["V - V^pi"].upper).max() < 1e-12


@pytest.mark.parametrize("risk", MEASURES, ids=IDS)
@pytest.mark.parametrize("name", MODELS)
def test_worst_model_is_equivalent(name: str, risk) -> None:
    mdp = MODELS[name]
    pi = mdp.mask / mdp.mask.sum(axis=1, keepdims=True)
    for source in (mdp, mdp.to_sparse()):
        V = robust_evaluate(source, pi, risk).V
        worst = worst_model(source, V, risk)
        assert worst.is_sparse == source.is_sparse
        np.testing.assert_allclose(evaluate_policy(worst, pi), V, atol=1e-9)
        np.testing.assert_allclose(
            worst.R + worst.gamma * worst.to_dense().P @ V, risk_q_values(mdp, V, risk), atol=1e-9
        )


def test_neutral_is_the_plain_problem() -> None:
    mdp = MODELS["endings"]
    np.testing.assert_allclose(robust_policy_iteration(mdp, Entropic(0.0)).V, solve(mdp).V, atol=1e-12)
    assert isinstance(robust_policy_iteration(mdp, CVaR(1)).info["risk"], Neutral)
    assert isinstance(robust_policy_iteration(mdp, Entropic(np.inf)).info["risk"], WorstCase)
    assert isinstance(robust_policy_iteration(mdp, KLBall(np.inf)).info["risk"], WorstCase)


def test_the_end_is_a_successor_worth_nothing() -> None:
    """One state, reward -1, ending with probability 1/2: the worst case never ends, the best neither shortens it."""
    mdp = MDP([[[0.5]]], [[-1.0]], 0.5, end=[[0.5]])
    assert robust_policy_iteration(mdp, WorstCase()).V[0] == pytest.approx(-2.0, abs=1e-14)
    gain = MDP([[[0.5]]], [[1.0]], 0.5, end=[[0.5]])
    assert robust_policy_iteration(gain, WorstCase()).V[0] == 1.0


@pytest.mark.parametrize("risk", [Entropic(1.5), CVaR(0.3), KLBall(0.1), L1Ball(0.3), Neutral()], ids=str)
@pytest.mark.parametrize("name", ["garnet", "endings"])
def test_gradient_is_that_of_finite_differences(name: str, risk) -> None:
    mdp = MODELS[name]
    rng = np.random.default_rng(3)
    draw = lambda: np.where(mdp.mask, rng.random(mdp.mask.shape) + 0.1, 0.0)  # noqa: E731
    pi, other, rho = (x / x.sum(axis=-1, keepdims=True) for x in (draw(), draw(), rng.random(mdp.S)))
    step = 1e-6 * (other - pi)
    values = [rho @ robust_evaluate(mdp, pi + sign * step, risk, tol=1e-14).V for sign in (1, -1)]
    slope = (robust_gradient(mdp, pi, risk, rho) * (other - pi)).sum()
    assert (values[0] - values[1]) / 2e-6 == pytest.approx(slope, rel=1e-6, abs=1e-8)


def test_policy_gradient_rises_to_the_optimum() -> None:
    mdp = MODELS["garnet"]
    run = robust_policy_gradient(mdp, Entropic(2.0), eta=0.25, K=400)
    assert (np.diff(run.history["value"]) >= -1e-12).all()
    assert run.history["gap"][0] > 0.01 and run.history["gap"][-1] < 1e-12
    assert run.history["stationarity"][-1] < 1e-12
    start = np.full(mdp.S, 1 / mdp.S)
    assert run.history["value"][-1] == pytest.approx(start @ robust_policy_iteration(mdp, Entropic(2.0)).V)
    short = robust_policy_gradient(
        mdp, Entropic(2.0), eta=0.05, K=7, record=[0, 7], V_star=np.zeros(6), rho=np.eye(6)[2]
    )
    np.testing.assert_array_equal(short.history["k"], [0, 7])
    assert short.history["gap"][1] == -short.result["V"][2]


def test_the_operator_of_z_expands_in_the_plain_norm() -> None:
    """The card's counterexample, r = 0 and gamma = 9/10: Z of 1/1000 and 2/1000 come apart by 1.73."""
    mdp = MDP([[[1.0]]], [[0.0]], 0.9)
    ops = NumpyOps()
    m = ops.model(mdp)
    p = ops.successors(m)
    after = [np.exp(formulas.log_z_backup(ops, m, p, ops.array([[np.log(z)]], 2), 1.0).data) for z in (1e-3, 2e-3)]
    assert ((after[1] - after[0]) / 1e-3).item() == pytest.approx(1.73, abs=5e-3)


def test_newton_alone_would_cycle() -> None:
    """Policy and adversary improved at once may go round in circles: a model where they did."""
    mdp = random_masks_endings(3, 2).member(0, 5)
    for risk in (WorstCase(), CVaR(0.25), Entropic(1e9)):
        exact = RationalOps() if not isinstance(risk, Entropic) else BallOps(128)
        m = exact.model(mdp)
        V = formulas.optimal_value(exact, m, exact.successors(m), risk)
        np.testing.assert_allclose(exact.midpoint(V), [1.2109375, 0.625, 1.2109375], atol=1e-8)
        np.testing.assert_allclose(robust_policy_iteration(mdp, risk).V, [1.2109375, 0.625, 1.2109375], atol=1e-8)


GOOD = MODELS["garnet"]
ROWS = np.concatenate([GOOD.P, GOOD.end[..., None]], axis=-1)[None]


@pytest.mark.parametrize(
    ("risk", "error", "words"),
    [
        (2.0, TypeError, "2.0 is no risk measure"),
        (Entropic, TypeError, "no risk measure"),
        (Entropic(-1.0), ValueError, "beta is -1.0: expected a number from 0"),
        (Entropic(np.nan), ValueError, "beta is nan"),
        (Entropic("1"), TypeError, "beta is '1': expected a float or an integer"),
        (Entropic(1e-320), ValueError, r"beta is 1e-320: too small to divide by; Neutral\(\) is the limit"),
        (CVaR(1e-320), ValueError, r"level is 1e-320: too small to divide by; WorstCase\(\) is the limit"),
        (CVaR(0.0), ValueError, r"level is 0.0: expected a share of the mass in \(0, 1\]"),
        (CVaR(1.5), ValueError, "level is 1.5"),
        (L1Ball(2.5), ValueError, "radius is 2.5: expected a number from 0 to 2"),
        (KLBall(-1), ValueError, "radius is -1"),
        (KLBall(1e-320), ValueError, r"radius is 1e-320: too small to divide by; Neutral\(\) is the limit"),
        (KLBall(True), TypeError, "radius is True"),
        (Kernels(ROWS[0]), ValueError, r"rows has shape \(6, 3, 7\): expected \(n, 6, 3, 7\), the end last"),
        (Kernels(ROWS * 0.5), ValueError, r"rows\[0, 0, 0\] sums to 0.5"),
        (Kernels(-ROWS), ValueError, r"rows\["),
    ],
)
def test_measures_are_refused(risk, error: type, words: str) -> None:
    with pytest.raises(error, match=words):
        robust_value_iteration(GOOD, risk)


@pytest.mark.parametrize("solver", [robust_value_iteration, robust_policy_iteration])
def test_refusals_of_models_and_options(solver) -> None:
    with pytest.raises(TypeError, match=f"{solver.__name__} takes an MDP"):
        solver(np.eye(2), Neutral())
    total = MDP(np.full((1, 1, 1), 0.5), [[1.0]], 1.0, end=[[0.5]])
    with pytest.raises(ImproperModel, match="gamma = 1"):
        solver(total, Neutral())
    with pytest.raises(ValueError, match="tol is 0"):
        solver(GOOD, Neutral(), tol=0)
    with pytest.raises(ValueError, match=r"V has shape \(1,\)"):
        solver(GOOD, Neutral(), V0=[0.0])
    with pytest.raises(NotConverged, match="iteration limit"):
        solver(GOOD, Entropic(2.0), max_iter=1) if solver is robust_value_iteration else solver(
            MDP(GOOD.P, -GOOD.rewards, GOOD.gamma), CVaR(0.1), max_iter=1, V0=solve(GOOD).V * 100
        )


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"eta": 0.0}, ValueError, "eta is 0.0"),
        ({"K": 0}, ValueError, "K is 0"),
        ({"record": [3, 2]}, ValueError, r"record is \[3, 2\]: expected increasing iterations in 0 ... 4"),
        ({"record": [9]}, ValueError, r"record is \[9\]"),
        ({"record": 5}, TypeError, "record is 5: expected increasing iterations in 0 ... 4, or None"),
        ({"record": "01"}, TypeError, "record is '01'"),
        (
            {"eta": 1e308, "rho": [0.0] * 5 + [1.0]},
            ValueError,
            r"eta is 1e\+308: its product with the gradient of step 1",
        ),
        ({"rho": [1.0]}, ValueError, "rho"),
        ({"V_star": [0.0]}, ValueError, "V has shape"),
        ({"pi0": [9] * 6}, ValueError, r"pi0\[0\] is 9"),
    ],
)
def test_refusals_of_the_gradient(change: dict, error: type, words: str) -> None:
    with pytest.raises(error, match=words):
        robust_policy_gradient(GOOD, Entropic(1.0), **{"eta": 0.1, "K": 4} | change)
    with pytest.raises(ValueError, match="rho is missing"):
        robust_gradient(GOOD, [0] * 6, Entropic(1.0))
