"""Minorisation and mixing times against their definitions, closed forms, and each other."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from tabular import MDP, ImproperModel, minorization_time, mixing_time, stationary_distribution, t_minorize
from tabular.instances import garnet
from tabular.mixing import ENUMERATED


def slow_definitions(P: np.ndarray, most: int = 400) -> tuple[float, float]:
    law, power = stationary_distribution(P), np.eye(len(P))
    t_min, t_mix = math.inf, math.inf
    for m in range(1, most):
        power = power @ P
        shared = power.min(axis=0).sum()
        t_min = min(t_min, m / shared if shared > 0 else math.inf)
        if 0.5 * np.abs(power - law).sum(axis=1).max() <= 0.25:
            t_mix = min(t_mix, m)
    return t_min, t_mix


@pytest.mark.parametrize("seed", range(12))
def test_times_are_those_of_the_definitions(seed: int) -> None:
    rng = np.random.default_rng(seed)
    P = rng.dirichlet(np.full(4, 0.3), size=4)
    P = 0.5 * P + 0.5 * np.eye(4) if seed % 2 else P
    t_min, t_mix = slow_definitions(P)
    assert minorization_time(P) == pytest.approx(t_min, rel=1e-9)
    assert mixing_time(P) == t_mix
    assert t_min <= 22 * t_mix <= 22 * math.log(16) * t_min  # the equivalence that the authors quote


@pytest.mark.parametrize("p", [1.0, 0.5, 0.125, 2.0**-10])
def test_resetting_chains_have_time_one_over_p(p: float) -> None:
    law = np.array([0.25, 0.5, 0.25])
    assert minorization_time((1 - p) * np.eye(3) + p * law) == pytest.approx(1 / p, rel=1e-9)


def test_switching_chains_have_the_authors_time() -> None:
    for p in (0.5, 0.25, 0.01):
        assert minorization_time([[1 - p, p], [p, 1 - p]]) == pytest.approx(1 / (2 * p))


def test_what_never_forgets_has_infinite_times() -> None:
    for P in (np.roll(np.eye(3), 1, axis=1), np.eye(2)):
        assert minorization_time(P) == math.inf and mixing_time(P) == math.inf


def test_a_transient_start_is_forgotten() -> None:
    P = np.array([[0.0, 1.0], [0.0, 1.0]])
    assert minorization_time(P) == 1 and mixing_time(P) == 1


def test_the_time_of_a_model_is_the_largest_of_its_policies() -> None:
    for i in range(6):
        mdp = garnet(3, 2).member(3, i)
        found = t_minorize(mdp)
        every = [minorization_time(mdp.P[np.arange(3), list(c)]) for c in itertools.product(range(2), repeat=3)]
        assert found.exact and found.lower == found.upper == max(every)
        if math.isfinite(found.upper):
            assert minorization_time(mdp.P[np.arange(3), found.actions]) == pytest.approx(found.upper)


def test_a_policy_that_randomises_may_take_longer() -> None:
    """Products of different deterministic chains share less than powers of each of them."""
    w = [[[0, 2, 1], [1, 2, 0]], [[1, 1, 1], [0, 0, 1]], [[1, 1, 1], [2, 2, 2]]]
    mdp = MDP.from_weights(w, np.zeros((3, 2)), 0.5)
    pi = np.array([[0.535, 0.465], [0.083, 0.917], [0.375, 0.625]])
    assert minorization_time((pi[..., None] * mdp.P).sum(axis=1)) > 1.05 * t_minorize(mdp).upper


def test_masked_actions_are_no_policies() -> None:
    P = np.array([[[0.5, 0.5], [0.0, 0.0]], [[0.5, 0.5], [0.5, 0.5]]])
    mdp = MDP(P, [[0, -np.inf], [0, 0]], 0.5)
    assert t_minorize(mdp).upper == pytest.approx(1) and t_minorize(mdp.to_sparse()).upper == pytest.approx(1)


def test_large_models_have_bounds() -> None:
    mdp = garnet(7, 4).member(0, 0)
    assert 4**7 > ENUMERATED
    found = t_minorize(mdp)
    assert not found.exact and 1 <= found.lower <= found.upper < math.inf
    rng = np.random.default_rng(0)
    for _ in range(200):
        assert minorization_time(mdp.P[np.arange(7), rng.integers(0, 4, 7)]) <= found.upper * (1 + 1e-12)
    assert minorization_time(mdp.P[np.arange(7), found.actions]) == pytest.approx(found.lower)


def test_endings_and_bad_distances_are_refused() -> None:
    with pytest.raises(ImproperModel, match="augmented"):
        t_minorize(MDP([[[0.5]]], [[0.0]], 1, end=[[0.5]]))
    with pytest.raises(ValueError, match="distance is 0"):
        mixing_time(np.eye(1), 0.0)
    with pytest.raises(ValueError, match="distance is 1: expected a number below one"):
        mixing_time(np.eye(1), 1)
