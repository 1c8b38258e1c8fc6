"""MoCoVI and OS-VI with exact queries: the card's numbers to all their digits, and what theory promises."""

from __future__ import annotations

from fractions import Fraction as F

import numpy as np
import pytest

from tabular import MDP, ModelError, evaluate_policy, policy_iteration
from tabular.instances.absorbing_cliff import absorbing_cliff, garnet_of_states, smoothed
from tabular.instances.garnet import garnet
from tabular.moment_projection import InfeasibleMoments
from tabular.planning.mocovi import corrected_model, mocovi, model_based, os_vi, vi
from tabular.reference import RationalOps


@pytest.fixture(scope="module")
def cliff():
    mdp = absorbing_cliff()
    return mdp, policy_iteration(mdp).pi, {lam: smoothed(mdp, lam) for lam in (0.1, 0.5, 1)}


def same(found, printed):
    """Every printed digit: a number of n significant digits is the found one rounded to n."""
    for x, text in zip(found, printed.split(), strict=True):
        digits = len(text.partition("e")[0].replace(".", "").lstrip("0"))
        assert f"{x:.{digits - 1}e}" == f"{float(text):.{digits - 1}e}", (x, text)


def test_value_iteration(cliff):
    mdp, pi, _ = cliff
    same(vi(mdp, pi=pi).history["error"][[1, 2, 5, 10, 14]], ".945 .893 .741 .485 .322")
    assert vi(mdp, pi=pi).history["error"][0] == 1.0


def test_the_model_alone(cliff):
    mdp, pi, models = cliff
    same([model_based(mdp, models[lam], pi=pi).history["error"][0] for lam in models], ".148 .635 .948")


@pytest.mark.parametrize(
    ("lam", "printed"),
    [
        (0.1, ".148 .0076 4.35e-4 3.63e-5 3.01e-6"),
        (0.5, ".635 .214 .0673 .0375 .0146"),
        (1, ".948 .652 .540 .454 .485"),
    ],
)
def test_operator_splitting(cliff, lam, printed):
    mdp, pi, models = cliff
    error = os_vi(mdp, models[lam], pi=pi).history["error"]
    same(error[1:6], printed)
    if lam == 1:
        same(error[14:15], "3.30")


@pytest.mark.parametrize(
    ("lam", "d", "printed"),
    [
        (0.1, 1, ".148 .00253 6.68e-5 2.46e-6"),
        (0.1, 2, ".148 .00253 3.36e-5 3.99e-7"),
        (0.5, 1, ".635 .0423 .00743 .00167"),
        (0.5, 2, ".635 .0423 .00467 7.97e-5"),
        (1, 1, ".948 .505 .158 .0211 .0132"),
        (1, 2, ".948 .505 .0655 .00833 5.88e-4"),
    ],
)
def test_mocovi(cliff, lam, d, printed):
    mdp, pi, models = cliff
    found = mocovi(mdp, models[lam], d, pi=pi).history
    same(found["error"][: len(printed.split())], printed)
    assert found["queries"].tolist() == list(range(16))


@pytest.mark.parametrize("lam", [0.1, 0.5, 1])
def test_three_functions_are_exact_on_four_successors(cliff, lam):
    """mocovi.C8; and it stays so, though the values then coincide and their functions are collinear."""
    mdp, pi, models = cliff
    error = mocovi(mdp, models[lam], 3, pi=pi).history["error"]
    assert error[2] > 1e-5 and error[3:].max() < 5e-15


def test_spectral_radii(cliff):
    mdp, pi, models = cliff
    P = np.einsum("sa,sat->st", pi, mdp.to_dense().P)
    radii = []
    for lam in models:
        P_hat = np.einsum("sa,sat->st", pi, models[lam].to_dense().P)
        radii.append(np.abs(np.linalg.eigvals(0.9 * np.linalg.solve(np.eye(36) - 0.9 * P_hat, P - P_hat))).max())
    same(radii, ".083 .520 1.183")


@pytest.mark.parametrize("lam", [0.5, 1])
def test_control_finds_the_optimum(cliff, lam):
    mdp, _, models = cliff
    run = mocovi(mdp, models[lam], 2)
    assert run.history["error"][-1] < 1e-9 and run.history["loss"][-1] < 1e-13
    assert run.history["error"][0] > 0.3
    assert os_vi(mdp, models[0.5]).history["error"][-1] < 1e-3
    assert model_based(mdp, models[lam]).history["loss"][0] > 1e-3


def test_a_garnet_of_the_source():
    mdp = garnet_of_states().member(0, 0)
    runs = [mocovi(mdp, smoothed(mdp, 0.5), d, K=6).history["error"] for d in (1, 3)]
    assert runs[1][-1] < runs[0][-1] < runs[0][0] and runs[1][-1] < 1e-6


def test_corrected_rows_have_the_moments():
    mdp = garnet(5, 3, gamma=0.5).member(1, 0)
    model, phi = smoothed(mdp, 1), np.arange(10.0).reshape(2, 5) ** 2
    psi = np.stack([mdp.P @ f for f in phi])
    rows = corrected_model(model, phi, psi)
    P = np.zeros((15, 5))
    P[np.repeat(np.arange(15), np.diff(rows.indptr)), rows.indices] = rows.data
    np.testing.assert_allclose(P @ phi.T, psi.reshape(2, 15).T, atol=1e-11)
    np.testing.assert_allclose(P.sum(axis=1), 1, atol=1e-14)


def test_masked_actions_are_left_alone():
    mdp = MDP([[[0.5, 0.5], [0.0, 0.0]], [[0.25, 0.75], [1.0, 0.0]]], [[1.0, -np.inf], [0.0, 0.5]], 0.5)
    run = mocovi(mdp, smoothed(mdp, 1), 1)
    assert run.history["error"][1:].max() < 1e-15
    np.testing.assert_allclose(run.result["V"], policy_iteration(mdp).V, atol=1e-14)
    pi = [0, 1]
    np.testing.assert_allclose(
        mocovi(mdp, smoothed(mdp, 1), 1, pi=pi).result["V"], evaluate_policy(mdp, pi), atol=1e-14
    )


def test_refusals():
    mdp = garnet(3, 2, gamma=0.5).member(0, 0)
    with pytest.raises(ModelError, match="S=4"):
        mocovi(mdp, garnet(4, 2, gamma=0.5).member(0, 0))
    less = MDP(mdp.P, np.where([[True, True], [True, False], [True, True]], mdp.R, -np.inf), 0.5)
    with pytest.raises(ModelError, match="action 1 in state 1 is available in one of the two models only"):
        mocovi(mdp, less)
    with pytest.raises(ValueError, match="d is 0"):
        mocovi(mdp, mdp, 0)
    ends = MDP([[[0.5]]], [[1.0]], 0.5, end=[[0.5]])
    with pytest.raises(ModelError, match="augmented"):
        os_vi(ends, ends)
    with pytest.raises(TypeError, match="takes an MDP"):
        vi(np.eye(2))
    total = MDP([[[1.0]]], [[0.0]], 1)
    with pytest.raises(ModelError, match="below 1"):
        vi(total)
    known = MDP([[[1.0, 0.0]], [[0.0, 1.0]]], [[0.0], [1.0]], 0.5)
    truth = MDP([[[0.5, 0.5]], [[0.0, 1.0]]], [[0.0], [1.0]], 0.5)
    with pytest.raises(InfeasibleMoments, match="row 0"):
        mocovi(truth, known)


def test_operator_splitting_diverges_in_exact_arithmetic(cliff):
    """No rounding is behind it: in rationals the 14th value is off by more than three times the first one's error."""
    mdp, pi, models = cliff
    ops = RationalOps()
    P, P_hat = (ops.distribution(_exact_rows(x, pi), 2) for x in (mdp, models[1]))
    reward = ops.array([F(x) for x in mdp.rewards[:, 0].tolist()], 1)
    gamma, one = ops.constant(F(9, 10)), ops.identity(36)
    V = ops.solve(one - gamma * P, reward)
    W, sizes = reward * 0, []
    for _ in range(14):
        W = ops.solve(one - gamma * P_hat, reward + gamma * ops.dot(P - P_hat, W[None, :]))
        sizes.append(ops.sum(ops.abs(V - W)))
    assert ops.sign(sizes[-1] - 3 * sizes[0])[()] == 1
    same([float(ops.midpoint(sizes[-1] / ops.sum(ops.abs(V))))], "3.30")


def _exact_rows(mdp, pi):
    e = mdp.exact()
    return [[e.row(s, int(pi[s].argmax())).get(t, F(0)) for t in range(36)] for s in range(36)]
