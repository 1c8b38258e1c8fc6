"""The average reward's claims: their assumption, and the quantities of their bodies against solvers and simulation."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from proofs_check.claims.planning import _uniform_ergodicity as ergodic
from proofs_check.claims.planning import average_reward_bounds, average_reward_samples
from tabular import MDP, average_reward, evaluate_average, minorization_time, t_minorize
from tabular.instances import deterministic, garnet, impatience, resets, switching
from tabular.reference import NumpyOps, average
from tabular.reference.value import Value


def test_the_assumption_is_that_some_power_of_every_chain_shares_mass() -> None:
    batch = deterministic(2, 2)(0, 60)
    met = ergodic.forgets_within(9).met(batch, 60)
    for i in range(60):
        chains = [batch.P[i][np.arange(2), list(c)] for c in itertools.product(range(2), repeat=2)]
        assert met[i] == all(np.isfinite(minorization_time(P)) for P in chains)
        assert met[i] == ergodic.forgets_within(9).met(batch[i], 1)[0]
    assert 0 < met.sum() < 60


def test_unavailable_actions_do_not_count() -> None:
    mdp = MDP([[[0.5, 0.5], [0, 0]], [[0.5, 0.5], [0.5, 0.5]]], [[0, -np.inf], [0, 0]], 0.5)
    assert ergodic.forgets_within(1).met(mdp, 1)[0]


@pytest.mark.parametrize("family", [garnet(3, 2), resets(2, 2), impatience()], ids=str)
def test_gains_and_times_are_those_of_the_solvers(family: object) -> None:
    ops = NumpyOps()
    for i in range(6):
        mdp = family.member(1, i)  # type: ignore[operator, attr-defined]
        m = ops.model(mdp)
        if not ergodic.forgets_within(3).met(mdp, 1)[0]:
            continue
        assert float(ergodic.best_gain(ops, m).data) == pytest.approx(average_reward(mdp).gain[0])
        time = t_minorize(mdp).upper
        found = float(ergodic.longest_minorization(ops, m, 3).data)
        assert found >= time * (1 - 1e-12)
        if time <= 4:  # m / p_m is at least m: three steps say it all
            assert found == pytest.approx(time)


def test_the_variance_is_that_of_simulated_sums() -> None:
    mdp, ops = switching(gamma=0.75).member(0, 6), NumpyOps()
    pi = Value(ops, np.eye(2), 2)
    found = average_reward_bounds._variance(ops, ops.model(mdp), pi)[1].data
    P = mdp.P[np.arange(2), [0, 1]]
    rng = np.random.default_rng(0)
    total, s = np.zeros(40_000), np.zeros(40_000, dtype=int)
    for k in range(60):
        total += 0.75**k * (s == 0)
        s = (rng.random(40_000) >= P[s, 0]).astype(int)
    assert total.var() == pytest.approx(found[0], rel=0.05)


def test_the_samples_that_a_lazy_chain_needs_are_those_of_experiments() -> None:
    """n Var of the estimated gain, by simulation, for the lazy chain of x = 8."""
    mdp, ops = switching().member(3, 0), NumpyOps()
    pi = Value(ops, np.eye(2)[[0, 0]], 2)
    x, n = average_reward_samples.SLOW[0], 100_000
    expected = float(average_reward_samples._needed(ops, ops.model(mdp), pi)[0].data)
    leave = mdp.P[:, 0][[0, 1], [1, 0]] / x
    rng = np.random.default_rng(1)
    a, b = (rng.binomial(n, p, 20_000) / n for p in leave)
    assert n * (b / (a + b)).var() == pytest.approx(expected, rel=0.1)
    assert b.mean() / (a.mean() + b.mean()) == pytest.approx(evaluate_average(mdp, [0, 0]).gain[0], rel=0.01)


def test_all_deterministic_policies_are_there() -> None:
    assert len({p.tobytes() for p in average.deterministic_policies(3, 2)}) == 8


def test_the_mean_error_is_that_of_experiments() -> None:
    ops, n = NumpyOps(), 24
    a, b = np.random.default_rng(2).binomial(n, 0.5, (2, 200_000))
    found = float(average_reward_samples._mean_error(ops, n).data)
    assert found == pytest.approx(float(np.abs(b / (a + b) - 0.5).mean()), rel=0.02)
