"""Solvers on the device against exact values, against ``tabular``, and against their own certificates."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
import pytest

from deep import exact
from deep.exact import core, members, rounding
from deep.ops.models import Listed, Padded, arrays_of
from tabular import KL, MDP, FiniteHorizonMDP, ModelError, NotConverged, Shannon, Status
from tabular import solve as solve_on_host
from tabular.certificates import certify
from tabular.instances import garnet, random_masks_endings
from tabular.operators import evaluate_policy, occupancy
from tests.tabular.planning.test_contract import Quadratic, check_shape, exact_value, naive_backup

pytestmark = pytest.mark.xdist_group("deep exact")  # one worker compiles what they share

FAMILY = random_masks_endings(6, 4, gamma=0.9)
METHODS = sorted(core.LOOPS)
EPS = np.finfo(float).eps


def member(i: int = 4, gamma: float | None = None) -> MDP:
    mdp = FAMILY(1, 8)[i]
    return mdp if gamma is None else MDP(mdp.P, mdp.R, gamma, end=mdp.end)


def whole(gamma: float = 0.9) -> MDP:
    """No step ends: here the span decides."""
    mdp = garnet(6, 4, gamma=0.5)(2, 1)[0]
    return MDP(mdp.P, mdp.R, gamma)


def uneven() -> MDP:
    """Rows of very different length: a list of entries."""
    rng = np.random.default_rng(3)
    P = np.where(rng.random((6, 4, 6)) < 0.1, rng.random((6, 4, 6)), 0.0)
    P[..., 0] += 0.1
    P[0, 0] = 1.0
    return MDP(P, rng.random((6, 4)), 0.9, renormalise=True).to_sparse()


def uniform(mdp: MDP) -> np.ndarray:
    return mdp.mask / mdp.mask.sum(axis=1, keepdims=True)


def agrees(mdp: MDP, regularizer: Any, solution: Any, tol: float = 1e-9) -> None:
    """The promises of a solution, against bounds on the exact value."""
    lower, upper = exact_value(mdp, regularizer)
    scale = max(np.abs(mdp.rewards).max(), np.abs(solution.V).max())
    c = solution.certificates["V - V*"]
    assert (c.lower <= solution.V - lower + EPS * scale).all() and (c.upper >= solution.V - upper - EPS * scale).all()
    assert solution.error_bound <= tol * scale and solution.status is Status.CONVERGED
    assert solution.policy_gap <= 2 * solution.error_bound
    check_shape(mdp, regularizer, solution)
    residual = np.abs(naive_backup(mdp, solution.V, regularizer) - solution.V).max()
    assert residual <= 2 * solution.error_bound + 64 * mdp.S * EPS * scale


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", ["hard", "shannon"])
def test_endings_and_masks_at_all_discounts(name: str, method: str) -> None:
    """One compilation each; discounts of members are arguments."""
    reg = {"hard": None, "shannon": Shannon(0.7)}[name]
    gammas = (0.0, 0.5, 0.99) if method == "value_iteration" else (0.0, 0.5, 0.99, 1 - 1e-6)
    for i, gamma in enumerate(gammas):
        for mdp in (member(i, gamma), whole(gamma)):
            agrees(mdp, reg, exact.solve(mdp, reg, method))


@pytest.mark.parametrize("tau", [1e-300, 1e-12, 1e6, 1e100])
def test_extreme_temperatures(tau: float) -> None:
    mdp = member()
    agrees(mdp, Shannon(tau), exact.solve(mdp, Shannon(tau), "policy_iteration"))


@pytest.mark.parametrize("name", ["kl", "own"])
def test_other_regularisers(name: str) -> None:
    mdp = member()
    reg = {"kl": KL(0.7, uniform(mdp)), "own": Quadratic(1.5)}[name]
    agrees(mdp, reg, exact.solve(mdp, reg, "modified_policy_iteration"))


@pytest.mark.parametrize("form", ["padded", "listed"])
def test_sparse_forms_are_the_dense_model(form: str) -> None:
    mdp = {"padded": garnet(6, 4, successors=3, gamma=0.9)(5, 1)[0].to_sparse(), "listed": uneven()}[form]
    assert isinstance(arrays_of(mdp).P, {"padded": Padded, "listed": Listed}[form])
    for reg in (None, Shannon(0.3)):
        found = exact.solve(mdp, reg, "modified_policy_iteration")
        agrees(mdp, reg, found)
        np.testing.assert_allclose(found.V, solve_on_host(mdp, reg).V, rtol=3e-9)
    pi = uniform(mdp)
    V = exact.evaluate_policy(mdp, pi)
    np.testing.assert_allclose(V, evaluate_policy(mdp, pi), rtol=1e-13)
    rho = np.arange(1.0, 7.0) / 21
    np.testing.assert_allclose(exact.occupancy(mdp, pi, rho), occupancy(mdp, pi, rho), rtol=1e-12, atol=1e-15)


def test_policies_dense_many_and_certified() -> None:
    mdp, rho = member(), np.full(6, 1 / 6)
    pi = uniform(mdp)
    actions = mdp.mask.argmax(axis=1)
    for p, reg in ((pi, Shannon(0.4)), (actions, None)):
        V = exact.evaluate_policy(mdp, p, reg)
        np.testing.assert_allclose(V, evaluate_policy(mdp, p, reg), rtol=1e-13)
        c = certify(mdp, V, reg, pi=p)["V - V^pi"]
        assert max(np.abs(c.lower).max(), np.abs(c.upper).max()) <= 1e-12
    np.testing.assert_allclose(exact.evaluate_many(mdp, [pi, actions])[1], evaluate_policy(mdp, actions), rtol=1e-13)
    visits = exact.occupancy(mdp, pi, rho)
    np.testing.assert_allclose(visits, occupancy(mdp, pi, rho), rtol=1e-12, atol=1e-16)
    assert (visits * mdp.rewards).sum() == pytest.approx(rho @ evaluate_policy(mdp, pi), rel=1e-12)


def test_systems_too_large_to_eliminate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core, "DENSE_SOLVE", 8)
    mdp = garnet(9, 4, successors=3, gamma=0.9)(5, 1)[0].to_sparse()
    pi, rho = uniform(mdp), np.full(9, 1 / 9)
    np.testing.assert_allclose(exact.evaluate_policy(mdp, pi), evaluate_policy(mdp, pi), rtol=1e-12)
    np.testing.assert_allclose(exact.occupancy(mdp, pi, rho), occupancy(mdp, pi, rho), rtol=1e-11, atol=1e-15)
    agrees(mdp, Shannon(0.3), exact.solve(mdp, Shannon(0.3), "policy_iteration"))


# -- certificates from the device's residual ------------------------------------------------------------------------
def test_the_bounds_of_the_device_hold_and_are_sharp(monkeypatch: pytest.MonkeyPatch) -> None:
    """As for large models, on models whose exact values are known, from values that are far from optimal, too."""
    import deep.exact.solvers as home

    monkeypatch.setattr(home, "MODERATE", 0)
    for mdp in (member(1, 0.9), member(2, 0.9), whole(0.99), uneven()):
        for reg in (None, Shannon(0.7)):
            lower, upper = exact_value(mdp, reg)
            for max_iter in (1, 4, 100_000):
                s = exact.solve(mdp, reg, "value_iteration", tol=1e9 if max_iter < 9 else 1e-9, max_iter=max_iter)
                assert (
                    np.ptp(s.certificates["V - V*"].upper) == 0
                )  # one constant for all states: it came from the device
                c = s.certificates["V - V*"]
                assert (c.lower <= s.V - upper).all() and (c.upper >= s.V - lower).all()
                own = s.certificates["V - V^pi"]
                V = evaluate_policy(mdp, s.pi, reg)
                assert (own.lower <= s.V - V + 1e-12).all() and (own.upper >= s.V - V - 1e-12).all()
                assert (upper - V).max() <= s.policy_gap + 1e-12
                assert s.error_bound <= 40 * np.abs(s.V - lower).max() + 1e-9


def test_an_error_of_a_few_ulp_is_within_the_bounds() -> None:
    """A wrong value is caught: what the residual says must not depend on where it was formed."""
    mdp = whole(0.9)
    s = exact.solve(mdp, None, "policy_iteration")
    f = members.facts_of_model(mdp)
    TV = s.Q.max(axis=1)
    x = core.Answer(
        s.V, s.Q, s.pi, s.log_pi, (TV - s.V).min(), (TV - s.V).max(), np.abs(s.V).max(), np.abs(TV).max(), 1, 1
    )
    one = core.Answer(*(np.asarray(v)[None] for v in x))
    lower, upper, _ = members.bounds(f, members.Hard(), mdp.A, one)
    assert -1e-12 < lower[0] < 0 < upper[0] < 1e-12
    moved = one._replace(V=one.V + 1e-3, low=one.low - 1e-4, high=one.high - 1e-4)
    lower, upper, _ = members.bounds(f, members.Hard(), mdp.A, moved)
    assert lower[0] <= -1e-3 <= upper[0] and upper[0] - lower[0] < 1e-11


def test_what_the_bounds_do_not_cover_is_certified_on_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    import deep.exact.solvers as home

    monkeypatch.setattr(home, "MODERATE", 0)
    mdp = whole()
    tiny = MDP(mdp.P, mdp.R * 2.0**-950, 0.9)
    assert not members.has_bounds(members.facts_of_model(tiny), members.Hard())
    assert not rounding.covered(1.0, 2.0**-950) and rounding.covered(1.0, 0.0)
    s = exact.solve(tiny, None, "policy_iteration")
    assert np.ptp(s.certificates["V - V*"].upper) > 0 and s.error_bound <= 1e-9 * np.abs(s.V).max()


# -- horizons -------------------------------------------------------------------------------------------------------
def test_horizons() -> None:
    mdp = member()
    rho, terminal = np.full(6, 1 / 6), np.arange(6.0)
    same = FiniteHorizonMDP(mdp.P, mdp.R, H=4, gamma=0.75, end=mdp.end, terminal=terminal, rho=rho)
    P, R = np.stack([whole().P, mdp.P, whole().P]), np.stack([whole().R, mdp.R, whole().R])
    other = FiniteHorizonMDP(P, R, end=np.stack([mdp.end * 0, mdp.end, mdp.end * 0]), terminal=terminal, rho=rho)
    for fh in (same, same.to_sparse(), other):
        for reg in (None, Shannon(0.5)):
            found, want = exact.backward_induction(fh, reg), solve_on_host(fh, reg)
            scale = np.abs(want.V).max()
            assert found.V.shape == want.V.shape and found.Q.shape == want.Q.shape
            np.testing.assert_allclose(found.V, want.V, atol=1e-14 * scale)
            np.testing.assert_allclose(found.pi, want.pi, atol=1e-13)
            assert found.error_bound <= 1e-13 * scale and found.status is Status.CONVERGED
            own = exact.evaluate_horizon(fh, found.pi, reg)
            np.testing.assert_allclose(own, found.V, atol=1e-13 * scale)
        visits = exact.horizon_visits(fh, found.pi)
        assert visits.shape == found.pi.shape and visits[0].sum() == pytest.approx(1.0)
        earned = sum(fh.stage(0).gamma ** h * (visits[h] * fh.stage(h).rewards).sum() for h in range(fh.H))
        last = visits[-1] if fh is other else None
        assert last is None or earned <= rho @ exact.evaluate_horizon(fh, found.pi)[0] + 1e-9


# -- refusals -------------------------------------------------------------------------------------------------------
def test_refusals() -> None:
    mdp = whole()
    for change, error, message in (
        ({"method": "newton"}, ValueError, "method is 'newton': expected 'auto' or one of"),
        ({"tol": 0.0}, ValueError, "tol is 0"),
        ({"max_iter": 0}, ValueError, "max_iter"),
        ({"V0": np.zeros(5)}, ModelError, r"V0 has shape \(5,\): expected \(6,\)"),
        ({"V0": np.full(6, np.nan)}, ModelError, "V0"),
        ({"regularizer": Shannon(-1.0)}, ModelError, "tau is -1"),
        ({"regularizer": Shannon(5e-324)}, ModelError, "subnormal"),
        ({"regularizer": "soft"}, TypeError, "no regularizer"),
    ):
        with pytest.raises(error, match=message):
            exact.solve(mdp, **change)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="MDP"):
        exact.solve(mdp.P)
    with pytest.raises(ModelError, match="no start distribution"):
        exact.occupancy(mdp, uniform(mdp))
    with pytest.raises(ModelError, match=r"pi\[0\] sums to 2"):
        exact.evaluate_policy(mdp, 2 * uniform(mdp))
    away = np.zeros((6, 4))
    away[:, 0] = 1.0
    with pytest.raises(ModelError, match=r"pi\[0\] has an infinite divergence"):
        exact.evaluate_policy(mdp, uniform(mdp), KL(1.0, away))
    with pytest.raises(NotConverged, match="value iteration") as caught:
        exact.solve(mdp, None, "value_iteration", max_iter=3)
    s = caught.value.solution
    assert s.status is Status.MAX_ITER and np.abs(s.V - solve_on_host(mdp).V).max() <= s.error_bound < np.inf
    huge = MDP(mdp.P, mdp.R * 1e308, 0.9)
    assert exact.solve(huge, None, "value_iteration", throw=False).status is Status.NONFINITE
    assert not jax.config.jax_enable_x64


def test_warm_starts_end_at_once() -> None:
    mdp = whole()
    s = exact.solve(mdp, None, "value_iteration")
    assert exact.solve(mdp, None, "value_iteration", V0=s.V).iterations == 1
