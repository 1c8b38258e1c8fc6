"""What goes into an ``MDPBatch``, checked; messages name the member first (``P[b, s, a]``)."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import Any

import numpy as np

from tabular import _validate as check
from tabular.mdp import MDP

# Weights and totals up to here are exact in float64, so that one division rounds correctly.
LARGEST_TOTAL = 2**53


def rewards(R: Any) -> tuple[np.ndarray, np.ndarray, tuple[int, int, int]]:
    """Rewards with zeros where unavailable, the mask, and the shape (B, S, A)."""
    R = check.float_array(R, "R")
    if R.ndim != 3 or 0 in R.shape:
        check.fail(f"R has shape {R.shape}: expected (B, S, A) with B, S, A >= 1")
    mask = check.check_rewards(R)
    return np.where(mask, R, 0.0) + 0.0, mask, R.shape


def members(models: Any, what: str) -> list[Any]:
    """The models of a sequence of them."""
    if isinstance(models, (str, bytes)) or not isinstance(models, Iterable):
        raise TypeError(f"expected a sequence of {what}, not {type(models).__name__}")
    return list(models)


def integers(x: Any, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """int64 copy of non-negative integers of the given shape."""
    x = np.asarray(x)
    if x.dtype.kind not in "iu":
        raise TypeError(f"{name} has dtype {x.dtype}: expected integers")
    if x.shape != shape:
        check.fail(f"{name} has shape {x.shape}: expected {shape}")
    if x.min() < 0 or x.max() > LARGEST_TOTAL:
        i = check.first((x < 0) | (x > LARGEST_TOTAL))
        check.fail(f"{check.place(name, i)} is {x[i]}: weights lie in [0, 2**53]")
    return np.array(x, dtype=np.int64, order="C")


def gammas(gamma: Any, B: int) -> tuple[np.ndarray, tuple[Fraction, ...] | None]:
    """(B,) discounts as floats, and exactly where they are no floats."""
    items = [gamma] * B if np.ndim(gamma) == 0 else list(gamma)
    if len(items) != B or any(np.ndim(x) for x in items):
        check.fail(f"gamma has shape {np.shape(gamma)}: expected a number or ({B},)")
    out = np.asarray(items)
    if out.dtype == np.float64:
        if (bad := ~((out >= 0.0) & (out <= 1.0))).any():
            i = check.first(bad)
            check.fail(f"{check.place('gamma', i)} is {out[i]}: a discount lies in [0, 1]")
        return out + 0.0, None
    pairs = [check.check_gamma(x, check.place("gamma", (i,))) for i, x in enumerate(items)]
    floats = np.array([x for x, _ in pairs])
    same = all(Fraction(x) == y for x, y in pairs)
    return floats, None if same else tuple(y for _, y in pairs)


def starts(rho: Any, B: int, S: int) -> np.ndarray | None:
    if rho is None:
        return None
    out = check.float_array(rho, "rho") + 0.0
    if out.shape not in ((B, S), (S,)):
        check.fail(f"rho has shape {out.shape}: expected ({B}, {S}) or ({S},)")
    check.check_probabilities(out, "rho")
    total = check.row_sums(out)
    if (bad := np.abs(total - 1.0) > check.row_tolerance(S)).any():
        i = check.first(bad)
        check.fail(f"{check.place('rho', i)} sums to {total[i]:.17g}, {total[i] - 1.0:+.3g} from 1")
    return np.array(np.broadcast_to(out, (B, S)))


def has_weights(m: MDP) -> bool:
    return m._exact is not None and m._exact.weights is not None


def dense_weights(m: MDP, i: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Exact weights of member ``i`` as int64 arrays."""
    w, e, t = m._exact.weights
    if max(t) > LARGEST_TOTAL:
        check.fail(f"member {i} has a row whose weights sum to {max(t)}: at most 2**53 in a batch")
    dense = np.zeros((m.S, m.A, m.S), dtype=np.int64)
    dense[m.to_dense().P > 0] = w
    shape = (m.S, m.A)
    return dense, np.array(e, dtype=np.int64).reshape(shape), np.array(t, dtype=np.int64).reshape(shape)
