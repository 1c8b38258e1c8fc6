"""Pieces that families share: discounts, rewards, rows of integer weights."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from tabular import _validate as check
from tabular.batch import MDPBatch
from tabular.instances.family import Tape

# 1 - gamma = 1, 1/2, ..., 2**-30: from 1 to 9e-10, evenly on a log scale, each exact in float64.
DISCOUNTS = tuple(1.0 - 2.0**-j for j in range(31))

# Rewards are multiples of 2**-k; the coarse grids make ties common.
GRIDS = (0, 1, 3, 10)


def discounts(gamma: Any) -> tuple[float, ...] | None:
    """The discounts to draw from, as floats: None (for ``DISCOUNTS``), a number or numbers."""
    if gamma is None:
        return None
    given = gamma if isinstance(gamma, Sequence) else (gamma,)
    if not len(given):
        check.fail("gamma is empty: expected a number or numbers in [0, 1]")
    for x in given:
        value, exact = check.check_gamma(x)
        if Fraction(value) != exact:
            check.fail(f"gamma is {x}: families take discounts that float64 holds exactly")
    return tuple(float(x) for x in given)


def sizes(**least: tuple[Any, int]) -> None:
    """Check integers against their least values: ``sizes(S=(S, 1))``."""
    for name, (x, low) in least.items():
        if isinstance(x, bool) or not isinstance(x, (int, np.integer)):
            raise TypeError(f"{name} is {x!r}: expected an integer")
        if x < low:
            check.fail(f"{name} is {x}: expected at least {low}")


def row_sizes(S: int, A: int, resolution: int = 1, successors: int | None = None) -> dict[str, Any]:
    """Check the sizes of random rows; S and A as parameters of a family."""
    sizes(
        S=(S, 1),
        A=(A, 1),
        resolution=(resolution, 1),
        successors=(1 if successors is None else successors, 1),
    )
    if successors is not None and successors > S:
        check.fail(f"successors is {successors}: there are {S} states")
    if resolution >= 2**32 - 1:
        check.fail(f"resolution is {resolution}: expected less than 2**32 - 1")
    return {"S": S, "A": A}


def draw_discounts(tape: Tape, gamma: tuple[float, ...] | None) -> np.ndarray:
    """(n,) discounts, uniformly from the list (None: ``DISCOUNTS``)."""
    gamma = DISCOUNTS if gamma is None else gamma
    if len(gamma) == 1:
        return np.full(tape.n, gamma[0])
    drawn: np.ndarray = np.array(gamma)[tape.integers("gamma", (), len(gamma))]
    return drawn


def draw_rewards(tape: Tape, S: int, A: int, stream: str = "R") -> np.ndarray:
    """(n, S, A) multiples of 2**-k in [-1, 1], with k drawn from ``GRIDS`` for each member."""
    one = np.int64(1) << np.array(GRIDS)[tape.integers(f"{stream} grid", (), len(GRIDS))].reshape(-1, 1, 1)
    R: np.ndarray = (tape.integers(stream, (S, A), 2 * one + 1) - one) / one
    return R


def spacings(tape: Tape, shape: tuple[int, ...], k: int, resolution: int, stream: str = "weights") -> np.ndarray:
    """(n, *shape, k) weights that add up to ``resolution``: the gaps of k - 1 uniform cuts, sorted by a
    network.

    The integer form of a uniform draw from the simplex (Dirichlet with ones), zeros included.
    """
    small = np.int32 if resolution < 2**31 else np.int64
    cuts = tape.integers(stream, (k - 1, *shape), resolution + 1).astype(small)
    columns = [np.ascontiguousarray(cuts[:, j]) for j in range(k - 1)]
    for pairs in _network(k - 1):
        for i, j in pairs:
            columns[i], columns[j] = np.minimum(columns[i], columns[j]), np.maximum(columns[i], columns[j])
    out = np.empty((tape.n, *shape, k), dtype=np.int64)
    below: Any = 0
    for j, cut in enumerate([*columns, small(resolution)]):
        np.subtract(cut, below, out=out[..., j])
        below = cut
    return out


def _network(k: int) -> list[list[tuple[int, int]]]:
    """Batcher's merge exchange (Knuth, TAOCP 3, 5.2.2, Algorithm M): compares that sort ``k`` numbers."""
    rounds = []
    top = 1 << max(k - 1, 0).bit_length() >> 1
    p = top
    while p > 0:
        q, r, d = top, 0, p
        while True:
            rounds.append([(i, i + d) for i in range(k - d) if i & p == r])
            if q == p:
                break
            d, q, r = q - p, q >> 1, p
        p >>= 1
    return rounds


def subsets(tape: Tape, shape: tuple[int, ...], k: int, S: int, stream: str = "successors") -> np.ndarray:
    """(n, *shape, k) distinct states, each subset equally likely, in an order that may depend on the states.

    Floyd's algorithm (Bentley and Floyd 1987): the j-th draw is of ``S - k + j + 1`` states; a state taken
    before gives way to the last one.
    """
    last = np.arange(S - k, S)
    bound = np.broadcast_to((last + 1).reshape(k, *[1] * len(shape)), (k, *shape))
    out = tape.integers(stream, (k, *shape), bound)
    for j in range(1, k):
        taken = (out[:, :j] == out[:, j : j + 1]).any(axis=1)
        out[:, j][taken] = last[j]
    return np.moveaxis(out, 1, -1)


def scattered(weights: np.ndarray, successors: np.ndarray, S: int) -> np.ndarray:
    """Dense (..., S) from weights (..., k) of distinct states (..., k)."""
    out = np.zeros((*weights.shape[:-1], S), dtype=np.int64)
    np.put_along_axis(out, successors, weights, axis=-1)
    return out


def assembled(
    tape: Tape,
    weights: np.ndarray,
    total: Any,
    R: np.ndarray,
    gamma: np.ndarray,
    name: str,
    end_weights: np.ndarray | None = None,
    mask: np.ndarray | None = None,
) -> MDPBatch:
    """A batch of weights that add up, by construction, to ``total`` (broadcast to (n, S, A))."""
    shape = R.shape
    end = np.zeros(shape, dtype=np.int64) if end_weights is None else end_weights
    totals = np.array(np.broadcast_to(total, shape), dtype=np.int64)
    if mask is None:
        mask = np.ones(shape, dtype=bool)
    else:
        weights[~mask] = 0
        end[~mask] = 0
        totals[~mask] = 1
        R = np.where(mask, R, 0.0)
    return MDPBatch._trusted(
        P=weights / (float(total) if np.ndim(total) == 0 else totals[..., None]),
        rewards=R,
        mask=mask,
        end=end / totals,
        gamma=gamma,
        gamma_exact=None,
        weights=weights,
        end_weights=end,
        totals=totals,
        name=name,
    )
