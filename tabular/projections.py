r"""Euclidean projections of rows onto the simplex: what projected gradients of policies step back with."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from tabular import _validate as check


def project_simplex(x: Any, mask: Any = None) -> np.ndarray:
    r"""The nearest distribution to each row: :math:`\max(x - t, 0)` with the t for which it sums to one.

    Parameters
    ----------
    x : (..., n) finite floats, or an object array of integers and ``Fraction``s, which gives exact ``Fraction``s.
    mask : (..., n) bool, or None; entries where it is False get zero.

    Returns
    -------
    (..., n) rows of non-negative entries that sum to one: exactly for Fractions, for floats to a few ulp.

    Raises
    ------
    ModelError (a ValueError) for entries that are not finite and for rows without an allowed entry, naming the place.
    Cost: a sort of each row. Source: Held, Wolfe and Crowder 1974; Condat 2016.

    >>> project_simplex([0.5, 1.5, -1.0])
    array([0., 1., 0.])
    >>> project_simplex([[Fraction(1, 3), Fraction(1, 2), 0]])
    array([[Fraction(7, 18), Fraction(5, 9), Fraction(1, 18)]], dtype=object)
    """
    rows = np.asarray(x)
    exact = rows.dtype == object
    if exact:
        flat = [check.to_fraction(v, "x", i) for i, v in np.ndenumerate(rows)]
        rows = np.array([*flat, None], dtype=object)[:-1].reshape(rows.shape)
    else:
        rows = check.float_array(rows, "x")
        check.check_finite(rows, "x")
    if rows.ndim == 0 or rows.shape[-1] == 0:
        check.fail(f"x has shape {rows.shape}: a row needs an entry")
    allow = np.ones(rows.shape, dtype=bool) if mask is None else np.broadcast_to(np.asarray(mask, bool), rows.shape)
    if not allow.any(axis=-1).all():
        i = check.first(np.asarray(~allow.any(axis=-1))) if rows.ndim > 1 else ()
        check.fail(f"{check.place('x', i)} has no entry that the mask allows")
    return _projected(rows, allow, Fraction(0) if exact else 0.0)


def _projected(x: np.ndarray, allow: np.ndarray, zero: Any) -> np.ndarray:
    """A shift moves nothing, so the largest entry counts as zero; t is then at least -1, and what is excluded lies below."""
    with np.errstate(over="ignore"):
        z = x - np.where(allow, x, x.min(initial=zero)).max(axis=-1, keepdims=True)
    z = np.maximum(np.where(allow, z, zero - 2), zero - 2)
    ordered = -np.sort(-z, axis=-1)
    excess = np.cumsum(ordered, axis=-1) - 1
    kept = (ordered * np.arange(1, z.shape[-1] + 1) > excess).sum(axis=-1, keepdims=True)
    t = np.take_along_axis(excess, kept - 1, axis=-1) / kept
    return np.asarray(np.maximum(z - t, zero))
