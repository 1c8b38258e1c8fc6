"""``Value``: what aligns, what is refused, and indexing with and without batch and enclosure planes."""

from __future__ import annotations

import operator
from contextlib import nullcontext
from fractions import Fraction

import numpy as np
import pytest

from tabular import MDP
from tabular.errors import ModelError, NoExactForm
from tabular.reference import BallOps, EnclosureOps, KernelOps, NumpyOps, RationalOps

ARITHMETICS = [NumpyOps, KernelOps, EnclosureOps, BallOps, RationalOps]
BATCHED = [NumpyOps, KernelOps, EnclosureOps]


def numbers(ops, value):
    return np.asarray(ops.midpoint(value), dtype=float)


@pytest.mark.parametrize("arithmetic", ARITHMETICS, ids=lambda c: c.__name__)
def test_arithmetic_is_that_of_numbers(arithmetic):
    ops = arithmetic()
    x, y = np.array([[1.0, -2.0], [0.5, 4.0]]), np.array([[2.0, 8.0], [-0.25, 1.0]])
    a, b = ops.array(x, 2), ops.array(y, 2)
    for op in (operator.add, operator.sub, operator.mul, operator.truediv):
        np.testing.assert_array_equal(numbers(ops, op(a, b)), op(x, y))
        np.testing.assert_array_equal(numbers(ops, op(a, 2)), op(x, 2))
        np.testing.assert_array_equal(numbers(ops, op(Fraction(1, 2), a)), op(0.5, x))
        np.testing.assert_array_equal(numbers(ops, op(np.float64(0.5), a)), op(0.5, x))
    np.testing.assert_array_equal(numbers(ops, -a), -x)
    for n in range(6):
        np.testing.assert_array_equal(numbers(ops, a**n), x**n)
    for n in (-1, 0.5, True, a):
        with pytest.raises(TypeError, match="non-negative integer power"):
            a**n


@pytest.mark.parametrize("arithmetic", ARITHMETICS, ids=lambda c: c.__name__)
def test_where_nothing_is_allowed_nothing_is_largest(arithmetic):
    ops = arithmetic()
    x = ops.array(np.arange(6.0).reshape(3, 2), 2)
    none = np.array([[True, False], [False, False], [True, True]])
    for reduce in (ops.max, ops.min, ops.first_max, lambda v, where: ops.gibbs(v, 0, where=where)):
        with pytest.raises(ValueError, match=r"allows no entry along axis -1 in row \(1,\)"):
            reduce(x, where=none)
    with pytest.raises(ValueError, match=r"axis -2 in row \(0,\)"):
        ops.max(x, where=~none & np.array([False, True]), axis=-2)
    with pytest.raises(ValueError, match="allows no entry along axis -1: nothing"):
        ops.largest(x, where=none & False)
    with pytest.raises(ValueError, match=r"nothing to compare along axis -1 of a value of shape \(0,\)"):
        ops.max(ops.array(np.zeros(0), 1))
    assert (float(numbers(ops, ops.largest(x, none))), float(numbers(ops, ops.smallest(x, ~none)))) == (5.0, 1.0)


@pytest.mark.parametrize("arithmetic", BATCHED, ids=lambda c: c.__name__)
def test_the_instance_is_named_where_nothing_is_allowed(arithmetic):
    ops = arithmetic(2)
    x, mask = ops.array(np.ones((2, 3, 2)), 2), np.ones((2, 3, 2), dtype=bool)
    mask[1, 2] = False
    with pytest.raises(ValueError, match=r"in row \(1, 2\)"):
        ops.max(x, where=mask)
    assert ops.largest(ops.array(np.ones((3, 2)), 2), mask).data.shape[-1] == 2
    with pytest.raises(ValueError, match=r"in row \(1,\)"):
        ops.largest(x, mask & np.array([True, False])[:, None, None])


@pytest.mark.parametrize("arithmetic", ARITHMETICS, ids=lambda c: c.__name__)
def test_visits_need_a_start(arithmetic):
    ops = arithmetic()
    m = ops.model(MDP(np.full((2, 1, 2), 0.5), np.ones((2, 1)), 0.5))
    pi = ops.distribution(np.ones((2, 1)))
    with pytest.raises(ModelError, match="no start distribution: pass rho"):
        ops.occupancy(m, pi)
    np.testing.assert_allclose(numbers(ops, ops.occupancy(m, pi, ops.array(np.array([0.5, 0.5]), 1))), 1.0)


def test_powers_form_no_needless_square():
    ops = NumpyOps()
    assert numbers(ops, ops.constant(1e100) ** 3) == pytest.approx(1e300, rel=1e-15)


@pytest.mark.parametrize("batched", [False, True], ids=["one", "batch"])
@pytest.mark.parametrize("arithmetic", BATCHED, ids=lambda c: c.__name__)
def test_indexing_the_event_axes(arithmetic, batched):
    B, shape = 5, (3, 4)
    ops = arithmetic(B if batched else None)
    x = np.arange(60.0).reshape(5, 3, 4) if batched else np.arange(12.0).reshape(shape)
    v = ops.array(x, 2)
    lead = (slice(None),) if batched else ()
    for key in (
        0, -1, slice(1, None), (slice(None), 2), (1, 2), None, (slice(None), None), (slice(None), None, slice(None)),
        Ellipsis, (Ellipsis, 0), (0, Ellipsis), (Ellipsis, None), (None, Ellipsis, 1), np.int64(1), (slice(None, None, -1), 0),
    ):  # fmt: skip
        got, want = v[key], x[(*lead, *(key if isinstance(key, tuple) else (key,)))]
        np.testing.assert_array_equal(numbers(ops, got), want)
        assert got.ndim == want.ndim - len(lead)
        assert got.shape == want.shape[len(lead) :]
    for key in ([0, 1], np.array([0, 1]), True, (slice(None), np.array([True] * 4)), 1.0, "a"):
        with pytest.raises(TypeError, match="indexed by"):
            v[key]
    with pytest.raises(IndexError):
        v[0, 0, 0]
    with pytest.raises(IndexError):
        v[3]


@pytest.mark.parametrize("arithmetic", [BallOps, RationalOps], ids=lambda c: c.__name__)
def test_indexing_exact_numbers(arithmetic):
    ops = arithmetic()
    v = ops.array(np.arange(12).reshape(3, 4), 2)
    assert v[1, 2].ndim == 0 and numbers(ops, v[1, 2]) == 6.0
    assert numbers(ops, v[1, 2] * v[0] + 1).tolist() == [1, 7, 13, 19]
    assert v[:, None].shape == (3, 1, 4)


@pytest.mark.parametrize("arithmetic", BATCHED, ids=lambda c: c.__name__)
def test_batch_axes_meet_batch_axes(arithmetic):
    """Sizes are equal on purpose: B == S == A."""
    n = 3
    ops = arithmetic(n)
    V, Q = np.arange(9.0).reshape(3, 3), np.arange(27.0).reshape(3, 3, 3)
    gamma = np.array([1.0, 2.0, 4.0])
    v, q, g = ops.array(V, 1), ops.array(Q, 2), ops.constant(gamma)
    np.testing.assert_array_equal(numbers(ops, g * v), gamma[:, None] * V)
    np.testing.assert_array_equal(numbers(ops, q - g), Q - gamma[:, None, None])
    np.testing.assert_array_equal(numbers(ops, q * v[:, None]), Q * V[:, :, None])
    np.testing.assert_array_equal(numbers(ops, q * v[None, :]), Q * V[:, None, :])
    assert (g * 2).shape == ()
    for op in (operator.add, operator.sub, operator.mul, operator.truediv, ops.dot, ops.maximum):
        with pytest.raises(TypeError, match="differ in rank"):
            op(v, q)
    shared = ops.array(np.array([1.0, 2.0, 3.0]), 1)  # one for all instances
    np.testing.assert_array_equal(numbers(ops, v + shared), V + np.array([1.0, 2.0, 3.0]))


@pytest.mark.parametrize("arithmetic", ARITHMETICS, ids=lambda c: c.__name__)
def test_a_value_is_no_truth_value_and_no_array(arithmetic):
    ops = arithmetic()
    v = ops.array(np.array([1.0, 2.0]), 1)
    refused = [
        lambda: v < 1, lambda: v <= 1, lambda: v > 1, lambda: v >= 1, lambda: v == 1, lambda: v != 1, lambda: 1 < v, lambda: v == v,
        lambda: bool(v), lambda: float(v[0]), lambda: int(v[0]), lambda: len(v), lambda: list(v), lambda: 1 in v, lambda: max(v),
        lambda: sum(v), lambda: hash(v), lambda: np.exp(v), lambda: np.max(v), lambda: np.maximum(v, 1), lambda: np.sum(v),
        lambda: np.asarray(v), lambda: np.dot(v, v), lambda: np.add(1, v), lambda: np.stack([v, v]), lambda: np.where(True, v, v),
        lambda: operator.setitem(v, 0, 1), lambda: abs(v), lambda: v @ v, lambda: round(v), lambda: v // 2, lambda: v % 2,
    ]  # fmt: skip
    for i, f in enumerate(refused):
        with pytest.raises(TypeError):
            f()
            pytest.fail(f"number {i} went through")
    with pytest.raises(TypeError, match="no truth value"):
        if v[0] < v[1]:
            pass


def test_two_arithmetics_do_not_meet():
    one, other, wide = NumpyOps(), EnclosureOps(), NumpyOps(2)
    x, y, z = one.array(np.ones(2), 1), other.array(np.ones(2), 1), wide.array(np.ones((2, 2)), 1)
    for f in (
        lambda: x + y, lambda: y * x, lambda: x - z, lambda: one.dot(x, y), lambda: one.maximum(x, y), lambda: one.exp(y),
        lambda: one.sum(y), lambda: one.max(y), lambda: one.constant(y), lambda: one.array(y, 1), lambda: one.gibbs(x, y[0]),
        lambda: one.free_energy(x, 1, weights=y), lambda: one.relative_entropy(x, y),
        lambda: one.where(np.array([True, False]), x, y),
        lambda: one.distribution(y, 1), lambda: other.bounds(x), lambda: one.norm(y), lambda: other.first_max(x),
    ):  # fmt: skip
        with pytest.raises(TypeError, match="two arithmetics"):
            f()


@pytest.mark.parametrize("arithmetic", [NumpyOps, EnclosureOps, BallOps])
def test_functions_of_one_entry_take_numbers(arithmetic):
    with arithmetic() if arithmetic is BallOps else nullcontext(arithmetic()) as ops:
        for x, y in (
            (ops.log(2), np.log(2)), (ops.exp(Fraction(1, 2)), np.exp(0.5)), (ops.sqrt(2.0), np.sqrt(2)), (ops.abs(-3), 3),
            (ops.xlogx(2), 2 * np.log(2)), (ops.xlogy(3, 2), 3 * np.log(2)), (ops.q_log(2, 2), 0.5), (ops.q_exp(0.5, 2), 2),
            (ops.norm(-2), 2),
        ):  # fmt: skip
            assert x.shape == () and abs(ops.midpoint(x).item() - y) < 1e-15 * (1 + y)
            assert arithmetic is NumpyOps or all(abs(b.item() - y) < 1e-14 for b in ops.bounds(x))


def test_numbers_are_taken_exactly():
    with BallOps(200) as ops:
        third = ops.log(Fraction(1, 3)) + ops.log(3)
        assert ops.radius(third) < 1e-50 and ops.bounds(third)[0] <= 0 <= ops.bounds(third)[1]
    ops = RationalOps()
    assert ops.fractions(ops.abs(Fraction(-1, 3))).item() == Fraction(1, 3)
    with pytest.raises(NoExactForm):
        ops.log(2)
    wide = EnclosureOps(2)
    assert wide.midpoint(wide.sqrt(np.array([4.0, 9.0]))).tolist() == [2.0, 3.0]


@pytest.mark.parametrize("x", [2, 0.5, [1.0, 2.0], np.ones(2), "a"])
def test_what_is_no_value_is_named(x):
    ops = NumpyOps()
    v = ops.array(np.ones(2), 1)
    for f in (
        lambda: ops.sum(x), lambda: ops.max(x), lambda: ops.dot(x, v), lambda: ops.dot(v, x), lambda: ops.gibbs(x, 1),
        lambda: ops.free_energy(v, 1, weights=x), lambda: ops.relative_entropy(v, x), lambda: ops.transpose(x),
        lambda: ops.first_max(x), lambda: ops.largest(x), lambda: ops.tsallis_entropy(x, 2), lambda: ops.order(x),
        lambda: ops.tsallis_energy(x, 1, 2),
    ):  # fmt: skip
        with pytest.raises(
            TypeError, match=r"expected a value, not .*: ops\.constant makes one of a number, ops\.array"
        ):
            f()
    if np.ndim(x) or not isinstance(x, (int, float)):
        with pytest.raises(TypeError, match=r"is no number|expected a number"):
            ops.log(x)


@pytest.mark.parametrize("arithmetic", BATCHED, ids=lambda c: c.__name__)
def test_shapes_at_the_border(arithmetic):
    ops = arithmetic(3)
    for bad in (np.ones(2), np.ones((3, 1)), "a", True, 1j, None):
        with pytest.raises(TypeError):
            ops.constant(bad)
    for shape in ((), (3, 3, 3), (2, 3, 3, 3)):
        with pytest.raises(TypeError, match="event axes"):
            ops.array(np.ones(shape), 1)
    with pytest.raises(TypeError, match="event axes"):
        ops.array(ops.array(np.ones((3, 2)), 1), 2)
    with pytest.raises(TypeError, match="axis"):
        ops.sum(ops.array(np.ones((3, 2)), 1), axis=-2)
    with pytest.raises(TypeError, match="axis"):
        ops.sum(ops.array(np.ones((3, 2)), 1), axis=0)


@pytest.mark.parametrize("arithmetic", ARITHMETICS, ids=lambda c: c.__name__)
def test_where_takes_its_rank_from_values_or_mask(arithmetic):
    ops = arithmetic()
    mask = np.array([[True, False], [False, True]])
    assert numbers(ops, ops.where(mask, 1, 0)).tolist() == [[1, 0], [0, 1]]
    assert ops.where(mask, 1, 0).shape == (2, 2)
    q = ops.array(np.array([[1.0, 2.0], [3.0, 4.0]]), 2)
    assert numbers(ops, ops.where(mask, q, -1)).tolist() == [[1, -1], [-1, 4]]
    assert numbers(ops, ops.where(mask[0], q[0], q[1])).tolist() == [1, 4]


@pytest.mark.parametrize("arithmetic", BATCHED, ids=lambda c: c.__name__)
def test_where_in_a_batch(arithmetic):
    ops = arithmetic(2)
    mask = np.array([[[True, False]], [[False, True]]])
    q = ops.array(np.array([[[1.0, 2.0]], [[3.0, 4.0]]]), 2)
    assert numbers(ops, ops.where(mask, q, ops.constant(np.array([7.0, 8.0])))).tolist() == [[[1, 7]], [[8, 4]]]
    assert numbers(ops, ops.where(mask[0], q, 0)).tolist() == [[[1, 0]], [[3, 0]]]
    assert ops.where(mask, 1, 0).shape == (1, 2)
