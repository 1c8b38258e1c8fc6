"""Temperatures as dual variables: the card's numbers, duality gaps, flows, and what is refused."""

from __future__ import annotations

from decimal import Context, Decimal

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from tabular import MDP, FiniteHorizonMDP, Shannon, evaluate_policy, occupancy, solve
from tabular.errors import ImproperModel, NotConverged
from tabular.instances import garnet, random_masks_endings
from tabular.planning import sac_v2_constraints
from tabular.planning.sac_v2 import (
    entropy_temperature,
    flow_rates,
    maximum_entropy_constrained,
    temperature_flow,
    temperature_gradient,
)
from tabular.planning.sac_v2_average import constrained_policy, temperature_path
from tabular.planning.sac_v2_constraints import backward_temperatures, constrained_backward_induction

CARD = [1.0, 0.5, 0.0]


def entropy(p: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return -np.where(p > 0, p * np.log(p), 0.0).sum(axis=-1)


def softmax(x: np.ndarray, tau: float) -> np.ndarray:
    y = np.exp((x - x.max(axis=-1, keepdims=True)) / tau)
    return y / y.sum(axis=-1, keepdims=True)


def test_the_numbers_of_the_card() -> None:
    found = maximum_entropy_constrained(CARD, 0.8)
    assert f"{found.temperature:.6f}" == "0.464720"
    assert f"{found.value:.6f}" == f"{found.dual:.6f}" == "0.803217"
    assert entropy(found.policy) == pytest.approx(0.8, abs=1e-13)
    at_target = softmax(np.array(CARD), 0.8)  # a twin on the card: the softmax at temperature H-bar
    assert entropy(at_target) > 0.9


@pytest.mark.parametrize("target", [1e-6, 0.1, 0.8, 1.0986122])
@pytest.mark.parametrize("r", [CARD, [1.0, 1.0 + 1e-12, 0.0], [1e9, 1e9 - 1, 0.0], [1.0, -np.inf, 0.0, 0.2]], ids=str)
def test_roots_and_values_are_enclosed(r: list[float], target: float) -> None:
    tau, lower, upper = entropy_temperature(r, target)
    assert 0 < lower <= tau <= upper and upper - lower <= 1e-6 * tau
    found = maximum_entropy_constrained(r, target)
    value = found.certificates["value"]
    scale = max(abs(x) for x in r if np.isfinite(x))
    assert value.lower <= value.upper and value.upper - value.lower <= 1e-9 * scale
    assert value.lower - 1e-14 * scale <= found.value <= value.upper + 1e-14 * scale
    for other in (tau / 2, tau * 2):  # weak duality
        finite = np.array([x for x in r if np.isfinite(x)])
        top = finite.max()
        assert other * np.log(np.exp((finite - top) / other).sum()) + top - other * target >= value.lower


def test_ties_that_have_enough_entropy_cost_nothing() -> None:
    found = maximum_entropy_constrained([1.0, 1.0, 0.0], 0.69)
    assert found.temperature == 0 and found.value == found.dual == 1.0
    np.testing.assert_array_equal(found.policy, [0.5, 0.5, 0.0])
    binding = maximum_entropy_constrained([1.0, 1.0, 0.0], 0.7)
    assert binding.temperature > 0 and binding.value < 1.0


@pytest.mark.parametrize("m", range(1, 12))
def test_ties_and_targets_are_compared_exactly(m: int) -> None:
    """log m as a float is more or less than log m: whether m actions that tie have that entropy is decided, not rounded."""
    target = float(np.log(m))
    enough = Decimal(m).ln(Context(prec=60)) >= Decimal(target)
    tied = [1.0] * m
    if enough:
        assert maximum_entropy_constrained([*tied, 0.0], target).temperature == 0
        assert maximum_entropy_constrained(tied, target).value == 1.0
        with pytest.raises(ImproperModel, match="ties at the maximum leave"):
            entropy_temperature([*tied, 0.0], target)
    else:
        with pytest.raises(ImproperModel, match="policies have at most"):
            maximum_entropy_constrained(tied, target)
        with pytest.raises(NotConverged, match="cannot tell it from a limit"):  # there is a root, at no float
            entropy_temperature([*tied, 0.0], target)


@pytest.mark.parametrize("scale", [1e-300, 1e-200, 1e200, 1e300])
def test_the_unit_of_the_rewards_does_not_matter(scale: float) -> None:
    found, one = (maximum_entropy_constrained(unit * np.array([1.0, -1.0]), 0.3) for unit in (scale, 1.0))
    assert found.temperature / scale == pytest.approx(one.temperature, rel=1e-12)
    assert found.certificates["value"].lower / scale == pytest.approx(one.value, rel=1e-12)


def test_a_mean_over_states_leaves_some_state_below() -> None:
    """The card: reward gaps 10 and 0.1, one temperature."""
    r = np.array([[10.0, 0.0], [0.1, 0.0]])
    tau = entropy_temperature(r, 0.5, weights=[0.5, 0.5]).tau
    low, high = entropy(softmax(r, tau))
    assert low < 0.5 < high and (low + high) / 2 == pytest.approx(0.5, abs=1e-13)


def test_gradients_of_the_two_losses() -> None:
    tau, H = 0.7, float(entropy(softmax(np.array(CARD), 0.7)))
    gradient = {
        (loss, wrt): temperature_gradient(CARD, 0.8, tau, loss=loss, wrt=wrt)
        for loss in ("tau", "log tau")
        for wrt in ("tau", "log tau")
    }
    assert gradient["tau", "tau"] == pytest.approx(H - 0.8, rel=1e-13) == gradient["log tau", "log tau"]
    assert gradient["tau", "log tau"] == pytest.approx(tau * (H - 0.8), rel=1e-13)
    assert gradient["log tau", "tau"] == pytest.approx((H - 0.8) / tau, rel=1e-13)


@pytest.mark.parametrize("loss", ["tau", "log tau"])
def test_flows_rest_at_the_root_and_approach_it_at_their_rates(loss: str) -> None:
    assert temperature_flow(CARD, 0.8, 3.0, [0.0], loss=loss) == [3.0]
    root, rates = entropy_temperature(CARD, 0.8).tau, flow_rates(CARD, 0.8)
    p = softmax(np.array(CARD), root)
    variance = p @ np.square(CARD) - (p @ CARD) ** 2
    assert rates["tau"] == pytest.approx(variance / root**3, rel=1e-12)
    assert rates["log tau"] == pytest.approx(variance / root**2, rel=1e-12)
    for tau0 in (root / 4, root * 4):
        t = np.array([0.0, 12.0, 13.0])
        path = temperature_flow(CARD, 0.8, tau0, t, loss=loss)
        assert abs(path[-1] - root) < 0.05 * abs(path[0] - root)
        assert np.log((path[1] - root) / (path[2] - root)) == pytest.approx(rates[loss], rel=0.03)


def test_minimum_of_two_normals() -> None:
    """E min = -1/sqrt(pi) = -0.5642: the integral of 2 z phi(z) (1 - Phi(z))."""
    value = quad(lambda z: 2 * z * norm.pdf(z) * norm.sf(z), -12, 12, epsabs=1e-12)[0]
    assert value == pytest.approx(-1 / np.sqrt(np.pi), abs=1e-10) and f"{value:.4f}" == "-0.5642"


def horizon(seed: int, S: int = 4, A: int = 3, H: int = 4, gamma: float = 0.9) -> FiniteHorizonMDP:
    rng = np.random.default_rng(seed)
    P = rng.dirichlet(np.full(S, 0.3), size=(S, A))
    return FiniteHorizonMDP(P, rng.normal(size=(H, S, A)), rho=np.ones(S) / S, gamma=gamma, renormalise=True)


@pytest.mark.parametrize("targets", [0.8, [0.1, 0.2, 0.9, 1.05], 1e-4, 1.09], ids=str)
def test_one_temperature_a_step_closes_the_gap(targets: float) -> None:
    fh = horizon(0)
    plan = constrained_backward_induction(fh, targets)
    np.testing.assert_allclose(plan.entropies, np.broadcast_to(targets, (4,)), atol=1e-12)
    value = plan.certificates["value"]
    assert value.lower <= plan.value + 1e-12 and plan.dual <= value.upper and value.upper - value.lower < 1e-8
    assert plan.value == pytest.approx(float(fh.rho @ evaluate_policy(fh, plan.pi)[0]), abs=1e-12)


def test_steps_of_very_different_scales() -> None:
    """The stake of the second step is far below the precision of the first one's values."""
    R = np.array([[[1.0, 0.0]], [[1e-14, 0.0]]])
    plan = constrained_backward_induction(FiniteHorizonMDP(np.ones((1, 2, 1)), R, rho=[1.0]), 0.5)
    root = entropy_temperature([1.0, 0.0], 0.5).tau
    np.testing.assert_allclose(plan.temperatures, [root, root * 1e-14], rtol=1e-12)
    np.testing.assert_allclose(plan.entropies, 0.5, atol=1e-12)


def test_mixing_with_the_uniform_policy_spoils_no_constraint() -> None:
    """The second constraint holds by a little, and the uniform policy misses it: half of that one would, too."""
    best, uniform = (1.0, np.array([-0.1, 0.1])), (0.0, np.array([0.1, -0.3]))
    assert sac_v2_constraints.mixed(best, uniform, 2.0).lower == -np.inf
    assert sac_v2_constraints.mixed((1.0, np.array([0.0, 0.1])), uniform, 2.0).lower == pytest.approx(1.0)
    assert sac_v2_constraints.mixed(best, (0.0, np.array([0.1, 0.0])), 2.0).lower == pytest.approx(0.5)


def test_slopes_of_the_entropies() -> None:
    fh, tau, eps = horizon(1), np.array([0.3, 1.0, 2.0, 0.5]), 1e-6
    _, slope = sac_v2_constraints._entropies_and_slopes(fh, tau, fh.rho)
    for i in range(4):
        up, down = (
            sac_v2_constraints._entropies_and_slopes(fh, tau + s * eps * (np.arange(4) == i), fh.rho)[0]
            for s in (1, -1)
        )
        np.testing.assert_allclose(slope[:, i], (up - down) / (2 * eps), atol=1e-8)


def test_the_recursion_is_optimal_under_its_own_visits_and_not_under_others() -> None:
    fh = horizon(0)
    plan = constrained_backward_induction(fh, 0.8)
    own = sac_v2_constraints._visits(fh, fh.rho, plan.pi)[:-1]
    tau, _, pi = backward_temperatures(fh, [0.8] * 4, own)
    np.testing.assert_allclose(tau, plan.temperatures, rtol=1e-12)
    np.testing.assert_allclose(pi, plan.pi, atol=1e-12)
    uniform = sac_v2_constraints._visits(fh, fh.rho, np.full((4, 4, 3), 1 / 3))[:-1]
    pi = backward_temperatures(fh, [0.8] * 4, uniform)[2]
    entropies = sac_v2_constraints._mean_entropies(pi, sac_v2_constraints._visits(fh, fh.rho, pi))
    assert np.abs(entropies - 0.8).max() > 0.01 and entropies.min() < 0.795
    for _ in range(30):  # passes under the visits of the pass before arrive at the optimum here
        pi = backward_temperatures(fh, [0.8] * 4, sac_v2_constraints._visits(fh, fh.rho, pi)[:-1])[2]
    np.testing.assert_allclose(pi, plan.pi, atol=1e-12)


def test_where_nobody_moves_the_states_any_visits_that_are_true_serve() -> None:
    rng = np.random.default_rng(4)
    P = np.broadcast_to(rng.dirichlet(np.ones(3), size=(3, 1)), (3, 2, 3))
    fh = FiniteHorizonMDP(P, rng.normal(size=(3, 3, 2)), rho=[1, 0, 0], renormalise=True)
    visits = sac_v2_constraints._visits(fh, fh.rho, np.full((3, 3, 2), 0.5))[:-1]
    tau = backward_temperatures(fh, [0.5] * 3, visits)[0]
    np.testing.assert_allclose(tau, constrained_backward_induction(fh, 0.5).temperatures, rtol=1e-11)


@pytest.mark.parametrize("target", [1e-3, 0.1, 0.3])
def test_one_temperature_for_an_average(target: float) -> None:
    for mdp in (garnet(5, 3, gamma=0.875).member(1, 2), random_masks_endings(4, 3, gamma=0.5).member(1, 3)):
        rho = np.ones(mdp.S) / mdp.S
        plan = constrained_policy(mdp, target, rho)
        value = plan.certificates["value"]
        assert plan.entropies == pytest.approx(target, abs=1e-10)
        assert value.upper - value.lower < 1e-8 and value.lower - 1e-11 <= plan.value <= value.upper + 1e-11
        assert plan.dual == pytest.approx(plan.value, abs=1e-9)


def test_entropy_rises_and_return_falls_along_temperatures() -> None:
    mdp = garnet(5, 3, gamma=0.875).member(1, 2)
    rho = np.ones(5) / 5
    table = temperature_path(mdp, np.geomspace(0.01, 100, 9), rho)
    assert (np.diff(table["entropy"]) > 0).all() and (np.diff(table["return"]) < 0).all()
    assert (np.diff(table["soft_value"]) > 0).all()
    plan = constrained_policy(mdp, table["entropy"][4], rho)
    assert plan.temperatures == pytest.approx(table["tau"][4], rel=1e-9)
    assert plan.value == pytest.approx(table["return"][4], abs=1e-9)


def test_where_steps_may_end_the_process_only_the_sum_of_the_entropies_rises() -> None:
    """Going on costs 1/2 and is followed by steps without a choice, of entropy zero: the hotter, the more of them."""
    P, end = [[[0, 0], [0, 1]], [[0, 0.9], [0, 0]]], [[1, 0], [0.1, 0]]
    mdp = MDP(P, [[0.0, -0.5], [0.0, -np.inf]], 0.9, end=end, rho=[1, 0])
    table = temperature_path(mdp, [0.3, 1.0, 3.0, 10.0])
    assert (np.diff(table["entropy"]) < -1e-3).all()
    sums = []
    for tau in table["tau"]:
        pi = solve(mdp, Shannon(float(tau))).pi
        sums.append(float(occupancy(mdp, pi).sum(axis=1) @ entropy(pi)))
    assert (np.diff(sums) > 0).all() and (np.diff(table["return"]) < 0).all()


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: entropy_temperature(CARD, 1.2), ImproperModel, "policies have at most 1.09"),
        (lambda: entropy_temperature(CARD, np.log(3)), ImproperModel, "at no finite temperature"),
        (lambda: entropy_temperature([1, 1, 0], 0.5), ImproperModel, "ties at the maximum leave 0.693"),
        (lambda: entropy_temperature([[CARD]], 0.5), ValueError, "r has shape"),
        (lambda: entropy_temperature([CARD], 0.5, weights=[0.5]), ValueError, r"weights sums to 0\.5"),
        (lambda: entropy_temperature([1, np.nan], 0.5), ValueError, r"r\[0, 1\]"),
        (lambda: entropy_temperature(CARD, -0.5), ValueError, "target is -0.5"),
        (lambda: maximum_entropy_constrained([CARD], 0.5), ValueError, r"expected \(A,\)"),
        (lambda: temperature_gradient(CARD, 0.8, 1.0, loss="alpha"), ValueError, "loss is 'alpha'"),
        (lambda: temperature_gradient(CARD, np.nan, 1.0), ValueError, "target is nan"),
        (lambda: temperature_flow(CARD, 0.8, 1.0, [1.0, 0.5]), ValueError, "times: expected increasing"),
        (lambda: temperature_flow(CARD, 0.8, 1.0, [0.0, np.nan]), ValueError, "times: expected increasing numbers"),
        (lambda: temperature_path(garnet(2, 2).member(0, 1), 1.0, [1, 0]), ValueError, r"taus has shape \(\)"),
        (lambda: constrained_backward_induction(horizon(0), 1.2), ImproperModel, "step 0: the target is 1.2"),
        (lambda: constrained_backward_induction(horizon(0), [0.5]), ValueError, r"targets has shape \(1,\)"),
        (lambda: constrained_backward_induction(horizon(0), [0.5, 0.5, 0, 0.5]), ValueError, r"targets\[2\] is 0"),
        (lambda: backward_temperatures(horizon(0), 0.5, np.ones(4)), ValueError, r"visits has shape \(4,\)"),
        (lambda: constrained_policy(garnet(2, 2).member(0, 1), 0.5), ValueError, "rho is missing"),
        (lambda: constrained_policy(garnet(2, 2).member(0, 1), 0.7, [1, 0]), ImproperModel, "target is 0.7 nats"),
        (lambda: constrained_policy(horizon(0), 0.5), TypeError, "constrained_policy takes an MDP"),
    ],
)
def test_refusals(call, error: type, words: str) -> None:
    with pytest.raises(error, match=words):
        call()


def test_refusals_of_models() -> None:
    tied = MDP(np.ones((1, 2, 1)), [[1.0, 1.0]], 0.5, rho=[1.0])
    with pytest.raises(ImproperModel, match="the constraint does not bind"):
        constrained_policy(tied, 0.5)
    with pytest.raises(ImproperModel, match=r"step 0: ties leave more than 0\.5 nats"):
        constrained_backward_induction(FiniteHorizonMDP(tied.P, tied.R, H=2, rho=[1.0]), 0.5)
    ends = FiniteHorizonMDP(np.full((1, 2, 1), 0.5), [[1.0, 0.0]], H=2, end=[[0.5, 0.5]], rho=[1.0])
    with pytest.raises(ValueError, match="stage 0 may end the process"):
        constrained_backward_induction(ends, 0.5)
    free = FiniteHorizonMDP(tied.P, tied.R, H=2, gamma=0)
    with pytest.raises(ValueError, match="gamma = 0"):
        constrained_backward_induction(free, 0.5)
    total = MDP(np.full((1, 1, 1), 0.5), [[1.0]], 1.0, end=[[0.5]], rho=[1.0])
    with pytest.raises(ValueError, match="gamma = 1: averages"):
        constrained_policy(total, 0.1)
