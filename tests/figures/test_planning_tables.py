"""The numbers behind the planning room's figures, against the reference numbers of the papers and independent oracles."""

from __future__ import annotations

from fractions import Fraction as F
from itertools import product
from math import comb

import numpy as np
import pytest

from figures.planning import (
    average_reward_scaling,
    mdvi_separation,
    mocovi_error,
    sac_iteration,
    sac_v2_temperature,
    soft_robust_ring,
    tsallis_mvi_policies,
)
from tabular import MDP, evaluate_average
from tabular.instances import garnet
from tabular.mixing import t_minorize
from tabular.planning.mdvi import mdvi

# -- mocovi -------------------------------------------------------------------------------------------------
PRINTED = {
    (0.1, "VI"): (0, [1, 0.945, 0.893]),
    (0.1, "OS-VI"): (1, [0.148, 0.0076, 4.35e-4, 3.63e-5, 3.01e-6]),
    (1.0, "OS-VI"): (1, [0.948, 0.652, 0.540, 0.454, 0.485]),
    (0.1, "MoCoVI(1)"): (0, [0.148, 0.00253, 6.68e-5, 2.46e-6]),
    (0.5, "MoCoVI(2)"): (0, [0.635, 0.0423, 0.00467, 7.97e-5]),
    (1.0, "MoCoVI(1)"): (0, [0.948, 0.505, 0.158, 0.0211, 0.0132]),
    (1.0, "MoCoVI(2)"): (0, [0.948, 0.505, 0.0655, 0.00833, 5.88e-4]),
}


def test_errors_of_model_correction_are_the_reference_numbers() -> None:
    table = mocovi_error.compute()
    for (lam, method), (start, printed) in PRINTED.items():
        found = table.where(lam=lam, method=method).columns["error"]
        np.testing.assert_allclose(found[start : start + len(printed)], printed, rtol=0.006)
    for lam, error in ((0.1, 0.148), (0.5, 0.635), (1.0, 0.948)):
        assert table.where(lam=lam, method="MBRL").columns["error"] == pytest.approx(error, rel=0.004)
        assert (table.where(lam=lam, method="MoCoVI(3)").columns["error"][3:] < 1e-14).all()
    assert table.where(lam=1.0, method="OS-VI", k=14).columns["error"] == pytest.approx(3.30, rel=0.002)


def test_control_has_losses_of_its_own() -> None:
    table = mocovi_error.compute(lams=(0.5,), ds=(2,), K=3, control=True)
    found = table.where(method="MoCoVI(2)")
    assert found.columns["error"][0] > 0.3 > found.columns["error"][-1] and found.columns["loss"][-1] < 1e-12
    assert table.parameters["control"] is True


# -- tsallis_mvi --------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("scheme", "q", "printed", "support"),
    [
        ("entropy", 2.0, [0.4333, 0.3833, 0.1833, 0, 0], 3),
        ("entropy", 10.0, [0.7653, 0.2347, 0, 0, 0], 2),
        ("divergence", 2.0, [0.272, 0.262, 0.222, 0.172, 0.072], 5),
        ("divergence", 10.0, [0.2153, 0.2141, 0.2091, 0.2009, 0.1607], 5),
    ],
)
def test_first_policies_are_the_reference_numbers(scheme: str, q: float, printed: list, support: int) -> None:
    found = tsallis_mvi_policies.compute(K=1).where(scheme=scheme, q=q, k=1).columns
    np.testing.assert_allclose(found["probability"], printed, atol=0.51e-4)
    assert (found["support"] == support).all()


def test_policies_along_the_steps() -> None:
    table = tsallis_mvi_policies.compute(alpha=1.0)
    values = np.array(tsallis_mvi_policies.VALUES)
    for k in range(9):
        plain, summed = (np.exp(n * values) / np.exp(n * values).sum() for n in (min(k, 1), k))
        for scheme, expected in (("entropy", plain), ("divergence", summed), ("mvi", summed)):
            found = table.where(scheme=scheme, q=1.0, k=k).columns
            np.testing.assert_allclose(found["probability"], expected, atol=1e-14)
            assert (found["support"] == 5).all()
    for q in tsallis_mvi_policies.INDICES:
        support = table.where(scheme="divergence", q=q, action=0).columns["support"]
        assert (np.diff(support) <= 0).all()  # what is dropped does not return
        assert (support[-1] < 5) == (q in (3.0, 10.0))
    assert len(table) == 3 * 6 * 9 * 5


# -- average_reward -----------------------------------------------------------------------------------------
def enumerated(t: int, n: int, gap: F) -> F:
    """Mean loss over all counts of departures, in rationals; a tie is half of either choice."""
    leave = [F(1, 2 * t), F(1, 2 * t) * (1 - gap)]

    def law(p: F) -> list[F]:
        return [comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(n + 1)]

    laws, total = [law(p) for p in leave], F(0)
    best = leave[0] / (leave[0] + leave[1])
    for i, j, k, m in product(range(n + 1), repeat=4):
        chance = laws[0][i] * laws[1][j] * laws[0][k] * laws[1][m]
        less = [0] if i < j else [1] if j < i else [0, 1]  # in the state that pays
        more = [0] if k > m else [1] if m > k else [0, 1]
        for x, y in product(less, more):
            total += chance / (len(less) * len(more)) * (best - leave[y] / (leave[x] + leave[y]))
    return total


def test_exact_losses_of_planning_are_those_of_all_counts() -> None:
    found = average_reward_scaling.losses(times=(1,), multiples=(4,), runs=1).columns
    assert found["n"] == 4 and found["gap"] == 0.5
    assert found["exact"][0] == pytest.approx(float(enumerated(1, 4, F(1, 2))), rel=1e-12)
    three = average_reward_scaling._expected(3, 3, 0.25, lambda loss: loss)
    assert three == pytest.approx(float(enumerated(3, 3, F(1, 4))), rel=1e-12)


def test_sampled_losses_agree_and_fall_with_the_root_of_samples_over_time() -> None:
    table = average_reward_scaling.losses(times=(1, 8), multiples=(16, 64), runs=600).columns
    assert (np.abs(table["exact"] - table["sampled"]) < 5 * table["error"]).all() and (table["error"] > 0).all()
    many = average_reward_scaling.losses(times=(16, 64), multiples=(64, 256, 1024, 4096), runs=1)
    for t in (16, 64):
        c = many.where(t=t).columns
        assert np.polyfit(np.log(c["n"]), np.log(c["exact"]), 1)[0] == pytest.approx(-0.5, abs=0.02)
    # Samples for the same loss are proportional to the time.
    np.testing.assert_allclose(many.where(t=16).columns["exact"], many.where(t=64).columns["exact"], rtol=0.02)


def test_gains_and_times_of_the_chain_are_those_of_the_solvers() -> None:
    leave = np.array([1.0, 0.75]) / 16
    P = np.zeros((2, 2, 2))
    P[0, :, 1] = P[1, :, 0] = leave
    P[0, :, 0] = P[1, :, 1] = 1 - leave
    mdp = MDP(P, [[1.0, 1.0], [0.0, 0.0]], 0.5)
    for a, b in product(range(2), repeat=2):
        assert average_reward_scaling._gain(8, 0.25, a, b) == pytest.approx(evaluate_average(mdp, [a, b]).gain[0])
    assert t_minorize(MDP(P[:, :1], [[1.0], [0.0]], 0.5)).lower == pytest.approx(8)


def test_samples_needed_are_linear_in_the_time() -> None:
    found = average_reward_scaling.needed(times=(4, 8, 16, 32)).columns
    assert np.polyfit(np.log(found["t"]), np.log(found["n"]), 1)[0] == pytest.approx(1, abs=0.06)
    for t, n, failure in zip(found["t"], found["n"], found["failure"], strict=True):
        assert failure <= 0.05 < average_reward_scaling._failure(t, n - 1, 0.25)


# -- sac ----------------------------------------------------------------------------------------------------
def test_soft_policy_iteration_is_quadratic_in_its_tail() -> None:
    table = sac_iteration.compute(S=6, A=3, taus=(0.25,), K=8, seeds=4)
    for seed in range(4):
        c = table.where(seed=seed).columns
        error, floor = c["policy_iteration"], c["floor"]
        assert np.isnan(c["quadratic_bound"][0]) and error[0] == c["value_iteration"][0] > 0.1
        assert (error[1:] <= c["quadratic_bound"][1:] + floor[1:]).all() and error[-1] <= floor[-1] < 1e-11
        assert (error <= c["value_iteration"] + floor).all()
        tail = c["value_iteration"]
        assert (tail[1:] <= 0.875 * tail[:-1] + floor[1:]).all() and tail[-1] > 1e6 * error[-1]


def test_its_errors_written_out() -> None:
    """Plain loops with exponentials, Q* by a thousand sweeps."""
    mdp, tau = garnet(6, 3, gamma=(0.875,)).member(0, 1), 0.25
    P = mdp.to_dense().P

    def swept(Q: np.ndarray) -> np.ndarray:
        return mdp.R + 0.875 * P @ (tau * np.log(np.exp(Q / tau).sum(axis=1)))

    best = np.zeros((6, 3))
    for _ in range(1000):
        best = swept(best)
    pi, errors = np.full((6, 3), 1 / 3), []
    for _ in range(4):
        own = (pi * (mdp.R - tau * np.log(pi))).sum(axis=1)
        V = np.linalg.solve(np.eye(6) - 0.875 * np.einsum("sa,sat->st", pi, P), own)
        Q = mdp.R + 0.875 * P @ V
        errors.append(np.abs(best - Q).max())
        pi = np.exp((Q - Q.max(axis=1, keepdims=True)) / tau)
        pi /= pi.sum(axis=1, keepdims=True)
    found = sac_iteration.compute(S=6, A=3, taus=(0.25,), K=3, seeds=2).where(seed=1).columns
    np.testing.assert_allclose(found["policy_iteration"], errors, atol=1e-12)


# -- sac_v2 -------------------------------------------------------------------------------------------------
def test_the_bandit_of_the_reference_numbers() -> None:
    """Entropy .8 at the temperature .464720, where the return is the constrained optimum .803217."""
    c = sac_v2_temperature.compute(lowest=0.464720, highest=1.0, points=2, seeds=0).columns
    assert c["tau"][0] == pytest.approx(0.464720) and c["entropy"][0] == pytest.approx(0.8, abs=2e-6)
    assert c["return"][0] == pytest.approx(0.803217, abs=1e-6)
    np.testing.assert_allclose(c["soft_value"], c["return"] + c["tau"] * c["entropy"], atol=1e-12)


def test_entropy_rises_and_return_falls() -> None:
    table = sac_v2_temperature.compute(points=9, seeds=2)
    for model, seed in (("bandit", 0), ("garnet", 0), ("garnet", 1)):
        c = table.where(model=model, seed=seed).columns
        assert len(c["tau"]) == 9 and (np.diff(c["entropy"]) > 0).all() and (np.diff(c["return"]) < 0).all()
        most = np.log(3 if model == "bandit" else 4)
        assert 0 < c["entropy"][0] < 0.1 < 0.99 * most < c["entropy"][-1] < most
        horizon = 1 if model == "bandit" else 8  # what a nat each step is worth
        np.testing.assert_allclose(c["soft_value"], c["return"] + horizon * c["tau"] * c["entropy"], rtol=1e-11)


# -- soft_robust --------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("slip", "means"),
    [(0.01, [71.5568, 71.1601, 65.2450, -0.7815, -24.7702]), (0.15, [16.9144, 16.6973, 14.6657, -24.5811, -37.5045])],
)
def test_the_ring_has_the_reference_numbers(slip: float, means: list[float]) -> None:
    betas = (0.0, 0.01, 0.1, 1.0, 3.0)
    table = soft_robust_ring.compute(slips=(slip,), betas=betas)
    for beta, mean in zip(betas, means, strict=True):
        c = table.where(beta=beta).columns
        assert c["state"].tolist() == list(range(14)) and (c["error_bound"] < 1e-10).all()
        assert np.abs(c["mean"] - mean).max() <= 0.51e-4 and c["V"].mean() == pytest.approx(c["mean"][0])
    V = table.columns["V"].reshape(5, 14)
    assert (np.diff(V, axis=0) <= 1e-9).all()  # the warier, the less


def test_on_the_ring_the_bold_walk_to_the_large_reward_and_the_wary_do_not() -> None:
    table = soft_robust_ring.compute(slips=(0.01,), betas=(0.1, 3.0))
    for beta, arrive in ((0.1, True), (3.0, False)):
        step = table.where(beta=beta).columns["action"]
        for s in set(range(14)) - {8}:
            for _ in range(14):
                s = (s + step[s]) % 14
            assert (s == 8) == arrive


def test_separation_of_mdvi_is_that_of_its_own_runs() -> None:
    c = mdvi_separation.compute(K=20, seeds=2, alphas=(0.9,)).where(seed=1).columns
    run = mdvi(garnet(6, 10, gamma=(0.875,)).member(0, 1), alpha=0.9, K=20, M=1, seed=1)
    np.testing.assert_array_equal(c["last_loss"], run.history["last_loss"])
