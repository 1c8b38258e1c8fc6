"""The projection onto the simplex: exact for fractions, optimal by its variational inequality, careful with masks."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from tabular.projections import project_simplex


def test_fractions_are_projected_exactly() -> None:
    """p is the projection of x iff <x - p, e_i - p> <= 0 for every corner."""
    rng = np.random.default_rng(0)
    x = np.array([[Fraction(int(n), 7) for n in row] for row in rng.integers(-9, 10, size=(50, 4))], dtype=object)
    p = project_simplex(x)
    assert all(type(v) is Fraction for v in p.ravel())
    assert (p.sum(axis=1) == 1).all() and (p >= 0).all()
    inner = (x - p) - ((x - p) * p).sum(axis=1)[:, None]
    assert (inner <= 0).all()


def test_floats_are_near_the_fractions() -> None:
    rng = np.random.default_rng(1)
    x = rng.integers(-1000, 1000, size=(3, 20, 6)) / 64
    exact = project_simplex(np.vectorize(Fraction, otypes=[object])(x))
    np.testing.assert_allclose(project_simplex(x), exact.astype(float), atol=4e-16)


def test_distributions_stay_and_shifts_do_not_count() -> None:
    p = np.array([[0.25, 0.75, 0.0], [1.0, 0.0, 0.0]])
    np.testing.assert_array_equal(project_simplex(p), p)
    np.testing.assert_array_equal(project_simplex(p + 2.0**40), p)
    np.testing.assert_array_equal(project_simplex([1e300, -1e300]), [1.0, 0.0])


def test_the_ends_of_the_floats_and_no_rows() -> None:
    with np.errstate(all="raise"):
        np.testing.assert_array_equal(project_simplex([1.7e308, -1.7e308, 1.7e308]), [0.5, 0.0, 0.5])
    for dtype in (float, object):
        assert project_simplex(np.zeros((0, 3), dtype=dtype)).shape == (0, 3)


def test_masked_entries_get_nothing() -> None:
    x, mask = np.array([[5.0, 0.25, 0.25], [9.0, 1.0, 7.0]]), np.array([[False, True, True], [False, True, False]])
    np.testing.assert_array_equal(project_simplex(x, mask), [[0.0, 0.5, 0.5], [0.0, 1.0, 0.0]])
    exact = project_simplex(np.vectorize(Fraction, otypes=[object])(x), mask)
    assert exact.tolist() == [[0, Fraction(1, 2), Fraction(1, 2)], [0, 1, 0]]


@pytest.mark.parametrize(
    ("x", "mask", "words"),
    [
        ([[0.0, np.inf]], None, r"x\[0, 1\]"),
        (1.0, None, "x has shape"),
        ([[]], None, "x has shape"),
        ([[0.5, 0.5], [1.0, 2.0]], [[True, True], [False, False]], r"x\[1\] has no entry"),
        ([0.5, 0.5], [False, False], "has no entry"),
    ],
)
def test_refusals(x, mask, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        project_simplex(x, mask)
