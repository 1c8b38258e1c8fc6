"""Chains: laws, gains and biases against their defining equations, other representations, and at the edges."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_array

from tabular import ImproperModel, ModelError, stationary_distribution
from tabular._chain_iteration import iterated
from tabular.markov_chains import (
    chain_gain_bias,
    deviation_matrix,
    limiting_matrix,
    recurrent_classes,
)
from tabular.mdp import CSR
from tabular.reference import EnclosureOps, NumpyOps, RationalOps, average


def random_chain(seed: int, S: int, sparse: float) -> np.ndarray:
    rng = np.random.default_rng(seed)
    w = rng.integers(0, 5, (S, S)) * (rng.random((S, S)) < sparse)
    w[w.sum(axis=1) == 0, rng.integers(0, S)] = 1
    return w / w.sum(axis=1, keepdims=True)


CASES = [(seed, S, sparse) for seed in range(6) for S in (1, 2, 4, 7) for sparse in (0.2, 0.5, 1.0)]


@pytest.mark.parametrize(("seed", "S", "sparse"), CASES)
def test_gain_and_bias_solve_their_equations(seed: int, S: int, sparse: float) -> None:
    P = random_chain(seed, S, sparse)
    r = np.random.default_rng(seed).normal(size=S)
    g, h = chain_gain_bias(P, r)
    limit = limiting_matrix(P)
    np.testing.assert_allclose(P @ g, g, atol=1e-13)
    np.testing.assert_allclose(h, r - g + P @ h, atol=1e-11)
    np.testing.assert_allclose(limit @ h, 0, atol=1e-11)
    np.testing.assert_allclose(limit @ r, g, atol=1e-12)
    np.testing.assert_allclose(deviation_matrix(P) @ r, h, atol=1e-10)
    np.testing.assert_allclose(limit @ P, limit, atol=1e-13)
    np.testing.assert_allclose(P @ limit, limit, atol=1e-13)
    np.testing.assert_allclose(limit.sum(axis=1), 1, atol=1e-13)


@pytest.mark.parametrize("e", [1e-6, 1e-12, 1e-18, 1e-200])
def test_deviations_of_chains_that_hardly_leave_are_accurate(e: float) -> None:
    """Two states that swap with probability e each: H = (I - P*) / (2 e)."""
    expected = np.array([[1.0, -1.0], [-1.0, 1.0]]) / (4 * e)
    np.testing.assert_allclose(deviation_matrix([[1 - e, e], [e, 1 - e]]), expected, rtol=1e-14)


@pytest.mark.parametrize(("seed", "S", "sparse"), CASES[::5])
def test_sparse_chains_are_the_same(seed: int, S: int, sparse: float) -> None:
    P = random_chain(seed, S, sparse)
    r = np.arange(S, dtype=float)
    held = csr_array(P)
    dense = chain_gain_bias(P, r)
    for other in (held, CSR(held.indptr.astype(np.int64), held.indices, held.data)):
        np.testing.assert_allclose(chain_gain_bias(other, r), dense, atol=1e-12)


@pytest.mark.parametrize(("seed", "S", "sparse"), CASES[::4])
def test_formulas_over_ops_agree_in_every_arithmetic(seed: int, S: int, sparse: float) -> None:
    P = random_chain(seed, S, sparse)
    r = np.random.default_rng(seed).integers(-3, 4, S).astype(float)
    expected = chain_gain_bias(P, r)
    classes = average.structure(P > 0)
    for ops in NumpyOps(), EnclosureOps(), RationalOps():
        rows = ops.distribution(P)
        for found, want in zip(average.gain_bias(ops, rows, ops.array(r, 1), classes), expected, strict=True):
            np.testing.assert_allclose(ops.midpoint(found), want, atol=1e-10)
    if classes.anchor[:, classes.recurrent].any(axis=0).sum() == 1:
        ops = RationalOps()
        law = ops.midpoint(average.stationary(ops, ops.distribution(P)))
        np.testing.assert_allclose(law, stationary_distribution(P), atol=1e-13)
        gain = ops.midpoint(average.unichain_gain(ops, ops.distribution(P), ops.array(r, 1)))
        np.testing.assert_allclose(gain, expected.gain[0], atol=1e-12)


@pytest.mark.parametrize(("seed", "S", "sparse"), CASES[::3])
def test_iteration_finds_the_same(seed: int, S: int, sparse: float) -> None:
    P = random_chain(seed, S, sparse)
    r = np.random.default_rng(seed).normal(size=S)
    label = np.full(S, -1)
    for k, states in enumerate(recurrent_classes(P)):
        label[states] = k
    found = iterated(csr_array(P), r, label)
    assert found is not None
    np.testing.assert_allclose(found, chain_gain_bias(P, r), atol=1e-10)


def test_iteration_gives_up_on_slow_chains() -> None:
    P = np.array([[1 - 1e-6, 1e-6], [2e-6, 1 - 2e-6]])
    assert iterated(csr_array(P), np.array([1.0, 0.0]), np.zeros(2, dtype=int)) is None


def test_structure_of_a_batch_is_that_of_its_members() -> None:
    chains = np.stack([random_chain(seed, 5, 0.3) for seed in range(8)])
    together = average.structure(chains > 0)
    for b, P in enumerate(chains):
        classes = recurrent_classes(P)
        assert together.recurrent[b].nonzero()[0].tolist() == sorted(np.concatenate(classes).tolist())
        assert set(together.anchor[b].argmax(axis=1)[together.recurrent[b]]) == {int(c[0]) for c in classes}


def test_rare_states_have_full_relative_precision() -> None:
    """A birth-death chain whose law falls by 10^-30 a state: detailed balance gives it in closed form."""
    e = 1e-30
    P = np.array([[1 - e, e, 0], [0.5, 0.5 - e, e], [0, 0.5, 0.5]])
    law = stationary_distribution(P)
    np.testing.assert_allclose(law / law[0], [1, 2 * e, (2 * e) ** 2], rtol=1e-13)


def test_periodic_chains_have_a_law_and_a_bias() -> None:
    P = np.roll(np.eye(3), 1, axis=1)
    np.testing.assert_allclose(stationary_distribution(P), [1 / 3] * 3)
    g, h = chain_gain_bias(P, [3.0, 0.0, 0.0])
    np.testing.assert_allclose(g, 1)
    np.testing.assert_allclose(h, [1, -1, 0], atol=1e-15)


def test_several_classes_need_a_start() -> None:
    P = np.array([[1, 0, 0], [0.25, 0.5, 0.25], [0, 0, 1.0]])
    with pytest.raises(ImproperModel, match="2 recurrent classes, with least states 0, 2"):
        stationary_distribution(P)
    np.testing.assert_allclose(stationary_distribution(P, [0, 1, 0]), [0.5, 0, 0.5])
    np.testing.assert_allclose(limiting_matrix(P)[1], [0.5, 0, 0.5])
    assert [c.tolist() for c in recurrent_classes(P)] == [[0], [2]]


@pytest.mark.parametrize(
    ("P", "message"),
    [
        ([[0.5, 0.4], [0, 1]], r"P\[0\] sums to 0.9"),
        ([[1.5, -0.5], [0, 1]], r"P\[0, 1\] is -0.5"),
        ([[0.5, 0.5]], r"expected \(S, S\)"),
    ],
)
def test_what_is_no_chain_is_refused_by_place(P: Any, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        recurrent_classes(np.array(P))


def test_rewards_of_the_wrong_length_are_refused() -> None:
    with pytest.raises(ModelError, match=r"r has shape \(3,\): expected \(2,\)"):
        chain_gain_bias(np.eye(2), np.zeros(3))
