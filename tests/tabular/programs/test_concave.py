"""Concave utilities of occupancies: two methods, one optimum, proved by the conjugate; and utilities of one's own."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, NamedTuple

import cvxpy as cp
import numpy as np
import pytest
from hypothesis import given, settings

from proofs_check.strategies import mdps
from tabular import MDP, FiniteHorizonMDP, ModelError, NotConverged, Status, occupancy
from tabular.exploration import episodic, max_ent
from tabular.exploration.fast_entropy import maximum_pooled_entropy
from tabular.instances import double_chain, garnet, random_masks, random_masks_endings, river_swim
from tabular.programs import Fairness, TargetDivergence, VisitationEntropy, concave_program
from tabular.programs._models import setting_of
from tabular.programs.concave import METHODS, upper
from tabular.programs.utilities import Features, Utility
from tabular.reference import EnclosureOps
from tests.tabular.programs.test_linear import spread

GARNET = garnet(5, 3, gamma=(0.9,)).member(0, 1)
MASKS = random_masks(5, 3, gamma=(0.9,)).member(0, 0)
MODELS = {"river": river_swim(), "chain": double_chain(7), "garnet": GARNET, "masks": MASKS}


def utilities(mdp: MDP) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    return {
        "states": VisitationEntropy(),
        "pairs": VisitationEntropy("pairs"),
        "target": TargetDivergence(rng.random(mdp.S) + 0.1),
        "target of pairs": TargetDivergence(rng.random((mdp.S, mdp.A)) + 0.1),
        "fair": Fairness(rng.random((3, mdp.S, mdp.A)), [1.0, 2.0, 0.5]),
    }


def placed(mdp: MDP) -> MDP:
    return mdp if mdp.rho is not None else mdp._with(rho=spread(mdp), exact=None)


@pytest.mark.parametrize("kind", utilities(GARNET))
@pytest.mark.parametrize("name", MODELS)
def test_both_methods_find_one_optimum(name: str, kind: str) -> None:
    mdp = placed(MODELS[name])
    utility = utilities(mdp)[kind]
    found = {method: concave_program(mdp, utility, method=method) for method in METHODS}
    for sol in found.values():
        assert sol.status is Status.CONVERGED and sol.gap <= 1e-5 and sol.lower <= sol.upper
        np.testing.assert_allclose(sol.mu, occupancy(mdp, sol.pi), atol=1e-9)
    first, second = found.values()
    assert max(first.lower, second.lower) <= min(first.upper, second.upper)
    assert second.info["proposed"] == pytest.approx(second.lower, abs=1e-6)
    assert first.history["gap"][-1] <= 1e-5 and first.method != second.method


def test_what_visits_say_of_the_utility_is_what_is_certified() -> None:
    mdp = placed(GARNET)
    sol = concave_program(mdp, VisitationEntropy())
    d = sol.mu.sum(axis=1) * (1 - mdp.gamma)
    assert -(d * np.log(d)).sum() == pytest.approx(sol.lower, abs=1e-10)
    np.testing.assert_allclose(sol.info["features"], d, atol=1e-12)
    imitated = concave_program(mdp, TargetDivergence(occupancy(mdp, np.full((5, 3), 1 / 3))))
    assert -1e-5 <= imitated.lower <= 0 <= imitated.upper
    np.testing.assert_allclose(imitated.pi, 1 / 3, atol=0.01)
    rewards = np.random.default_rng(1).random((2, 5, 3))
    fair = concave_program(mdp, Fairness(rewards))
    assert np.log([(fair.mu * r).sum() for r in rewards]).sum() == pytest.approx(fair.lower, abs=1e-10)
    assert (fair.info["features"] > 0).all()


def test_it_is_what_max_ent_and_pooled_entropy_approach() -> None:
    mdp = placed(MODELS["river"])
    sol = concave_program(mdp, VisitationEntropy("pairs"))
    run = max_ent(mdp, 2000, sigma=1e-4, of="pairs")
    assert float(run.result["objective"]) <= sol.upper + 12 * 1e-4 and float(run.result["objective"]) > sol.lower - 0.02
    fh = episodic(garnet(4, 2).member(7, 0), 4, rho=np.arange(1.0, 5.0) / 10)
    pooled, sol = maximum_pooled_entropy(fh), concave_program(fh, VisitationEntropy("pairs"), method="cvxpy")
    assert pooled.lower <= sol.upper and sol.lower <= pooled.upper and sol.gap < 1e-5
    by_steps = concave_program(fh, VisitationEntropy("pairs"), tol=1e-3)
    assert by_steps.gap < 1e-3 and by_steps.lower <= sol.upper


@settings(max_examples=25)
@given(mdps(endings=False, gamma=0.75))
def test_any_slope_bounds_every_policy(mdp: MDP) -> None:
    mdp = placed(mdp)
    setting, utility = setting_of(mdp, "test"), VisitationEntropy()
    pi = mdp.mask / mdp.mask.sum(axis=1, keepdims=True)
    d = occupancy(mdp, pi).sum(axis=1) * (1 - mdp.gamma)
    value = -(d[d > 0] * np.log(d[d > 0])).sum()
    for y in (np.zeros(mdp.S), -np.arange(mdp.S) / 2.0, utility.gradient(d)):
        assert value <= upper(setting, utility, utility.features(setting), y)[0] + 1e-12
    sol = concave_program(mdp, utility, method="cvxpy", throw=False)
    assert sol.lower >= value - 1e-6 and value <= sol.upper + 1e-12


def test_conjugates_are_attained_at_slopes() -> None:
    """f(x) = <y, x> + F(y) for the slope y of x, and less for others: enclosed."""
    ops, rng = EnclosureOps(), np.random.default_rng(2)
    for utility, x in (
        (VisitationEntropy(), rng.dirichlet(np.ones(4))),
        (TargetDivergence(rng.random(4)), rng.dirichlet(np.ones(4))),
        (Fairness(np.ones((4, 1, 1)), [1.0, 2, 3, 4]), rng.random(4) + 0.5),
    ):
        assert isinstance(utility, Utility)
        y = utility.gradient(x)
        both = [ops.midpoint(utility.value(ops, ops.array(x, 1)))]
        both.append(x @ y + ops.midpoint(utility.conjugate(ops, ops.array(y, 1))))
        assert both[0] == pytest.approx(both[1], abs=1e-12)
        other = y + rng.random(4)
        assert both[0] < x @ other + ops.midpoint(utility.conjugate(ops, ops.array(other, 1)))
        numeric = [(utility_at(utility, x + h) - utility_at(utility, x - h)) / 2e-6 for h in 1e-6 * np.eye(4)]
        np.testing.assert_allclose(
            np.array(numeric) - numeric[0], y - y[0], atol=1e-6
        )  # but for a constant, on the simplex


def utility_at(utility: Any, x: np.ndarray) -> float:
    if isinstance(utility, TargetDivergence):  # the formula of enclosures takes distributions alone
        t = np.asarray(utility.target) / np.sum(utility.target)
        return float(-(x * np.log(x / t)).sum())
    ops = EnclosureOps()
    return float(ops.midpoint(utility.value(ops, ops.array(x, 1))))


class Near(NamedTuple):
    """One's own: minus half the squared distance of two returns from an aim."""

    rewards: Any
    aim: Any

    def features(self, setting: Any) -> Features:
        from scipy.sparse import csr_array

        return Features(csr_array(np.stack([r.ravel() for r in self.rewards])), Fraction(1))

    def value(self, ops: Any, x: Any) -> Any:
        off = x - ops.array(self.aim, 1)
        return -ops.dot(off, off) / 2

    def gradient(self, x: np.ndarray) -> np.ndarray:
        return self.aim - x

    def conjugate(self, ops: Any, y: Any) -> Any:
        return ops.dot(y, y) / 2 - ops.dot(y, ops.array(self.aim, 1))

    def expression(self, cp: Any, x: Any) -> Any:
        return -cp.sum_squares(x - self.aim) / 2


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("ending", [False, True])
def test_a_utility_of_ones_own(ending: bool, method: str) -> None:
    mdp = placed(random_masks_endings(6, 3, gamma=(0.75,)).member(3, 1) if ending else MASKS)
    rng = np.random.default_rng(3)
    utility = Near(rng.random((2, mdp.S, mdp.A)), np.array([1.0, 3.0]))
    sol = concave_program(mdp, utility, method=method)
    mu, P = cp.Variable((mdp.S, mdp.A), nonneg=True), mdp.to_dense().P
    inflow = sum(mu[:, a] @ P[:, a, :] for a in range(mdp.A))
    flow = [cp.sum(mu, axis=1) == mdp.rho + mdp.gamma * inflow, cp.multiply(mu, ~mdp.mask) == 0]
    x = cp.hstack([cp.sum(cp.multiply(mu, r)) for r in utility.rewards])
    best = cp.Problem(cp.Maximize(-cp.sum_squares(x - utility.aim) / 2), flow).solve(solver=cp.CLARABEL)
    assert sol.lower - 1e-7 <= best <= sol.upper + 1e-7 and sol.gap <= 1e-5


BAD: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"utility": VisitationEntropy("actions")}, ValueError, "of is 'actions'"),
    ({"utility": "entropy"}, TypeError, "'entropy' is no utility"),
    ({"utility": VisitationEntropy}, TypeError, "is no utility"),
    ({"utility": TargetDivergence([1.0])}, ModelError, r"target has shape \(1,\)"),
    ({"utility": TargetDivergence([1.0, 0, 1, 1, 1])}, ModelError, r"target\[1\] is 0"),
    ({"utility": TargetDivergence([1.0, -1, 1, 1, 1])}, ModelError, r"target\[1\] is -1"),
    ({"utility": TargetDivergence([1.0, np.nan, 1, 1, 1])}, ModelError, r"target\[1\]"),
    ({"utility": Fairness(np.ones((2, 5, 3)), [1.0])}, ModelError, "2 rewards and the weights"),
    ({"utility": Fairness(np.ones((2, 5, 2)))}, ModelError, r"rewards\[0\] has shape \(5, 2\)"),
    ({"utility": Fairness([np.full((5, 3), Fraction(1, 3), dtype=object)])}, TypeError, "floats"),
    ({"method": "newton"}, ValueError, "method is 'newton'"),
    ({"tol": 0.0}, ValueError, "tol is 0"),
    ({"max_iter": 0}, ValueError, "max_iter is 0"),
    ({"throw": None}, TypeError, "throw is None"),
    ({"rho": None}, ModelError, "rho is missing"),
    ({"model": placed(random_masks_endings(6, 3, gamma=(0.5,)).member(3, 1))}, ModelError, "a pair may end"),
    ({"model": MDP([[[1.0]]], [[0.0]], 1), "rho": [1]}, ValueError, "gamma = 1"),
]


@pytest.mark.parametrize(("change", "error", "message"), BAD, ids=[f"{i}: {m}" for i, (*_, m) in enumerate(BAD)])
def test_bad_input_is_refused(change: dict[str, Any], error: type[Exception], message: str) -> None:
    bare = GARNET._with(rho=None, exact=None)
    given: dict[str, Any] = {"model": bare, "utility": VisitationEntropy(), "rho": spread(bare)} | change
    if "model" in change and "rho" not in change:
        given["rho"] = change["model"].rho
    with pytest.raises(error, match=message):
        concave_program(given.pop("model"), given.pop("utility"), **given)


def test_too_few_steps_raise_with_the_solution() -> None:
    with pytest.raises(NotConverged, match="iteration limit") as caught:
        concave_program(placed(GARNET), VisitationEntropy("pairs"), max_iter=2)
    assert caught.value.solution.gap > 1e-5 and caught.value.solution.iterations == 2


def test_unreachable_states_need_no_target() -> None:
    P = np.zeros((3, 2, 3))
    P[0, 0, 0] = P[0, 1, 1] = P[1, :, 0] = P[2, :, 0] = 1
    mdp = MDP(P, np.zeros((3, 2)), 0.9, rho=[1, 0, 0])
    sol = concave_program(mdp, TargetDivergence([0.5, 0.5, 0.0]))
    assert sol.gap <= 1e-5
    fh = FiniteHorizonMDP(P, np.zeros((3, 2)), H=4, rho=[1, 0, 0])
    most = concave_program(fh, VisitationEntropy())
    assert most.gap <= 1e-5 and most.upper <= np.log(2) + 1e-5 and most.mu.shape == (4, 3, 2)
