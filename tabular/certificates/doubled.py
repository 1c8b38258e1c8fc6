"""Doubled precision in NumPy: error-free transformations, and sums with a bound on what they lose.

``two_sum`` and ``two_product`` return a rounded result and its exact rounding error (Knuth; Dekker with
Veltkamp's splitting, so that no fused multiply-add is needed): Ogita, Rump and Oishi 2005, Accurate sum and
dot product, algorithms 3.1-3.3. They are exact barring overflow; where the error of a product is subnormal
it is off by at most ``UNDERFLOW``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

UNDERFLOW = 2.0**-1069
LIMIT = 2.0**900  # magnitudes beyond which splitting might overflow: refuse before


def two_sum(a: Any, b: Any) -> tuple[Any, Any]:
    """``s + e = a + b`` exactly, ``s = fl(a + b)``."""
    s = a + b
    t = s - a
    return s, (a - (s - t)) + (b - t)


def split(a: Any) -> tuple[Any, Any]:
    """Two halves of at most 26 bits each, ``high + low = a``."""
    c = 134217729.0 * a
    high = c - (c - a)
    return high, a - high


def two_product(a: Any, b: Any) -> tuple[Any, Any]:
    """``p + e = a b`` exactly, ``p = fl(a b)``."""
    p = a * b
    (ah, al), (bh, bl) = split(a), split(b)
    return p, al * bl - (((p - ah * bh) - al * bh) - ah * bl)


def tree_sum(x: np.ndarray, low: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    r"""Sum over the last axis as an unevaluated pair, ``x`` carried without error, ``low`` in plain floats.

    With ``n`` terms, ``D = depth(n)`` levels, ``A = sum |x|`` and ``|low_i| <= c u |x_i|`` the pair is off
    by at most ``loss(n, c) A``: the errors of a level's additions add up to at most ``u (1 + u)^D A``, so
    low parts have magnitude at most ``(c + 1.01 D) u A`` in all; each takes part in ``2 D`` roundings;
    ``loss`` counts 10 more, for what callers do with the low part afterwards.
    """
    while x.shape[-1] > 1:
        n = x.shape[-1]
        k = n // 2
        s, e = two_sum(x[..., :k], x[..., k : 2 * k])
        e += low[..., :k] + low[..., k : 2 * k]
        if n % 2:
            s = np.concatenate([s, x[..., -1:]], axis=-1)
            e = np.concatenate([e, low[..., -1:]], axis=-1)
        x, low = s, e
    return x[..., 0], low[..., 0]


def depth(n: int) -> int:
    return max(int(n) - 1, 0).bit_length()


def loss(n: int, c: float = 0.0) -> float:
    """The constant of ``tree_sum``, in units of 1 (not of u)."""
    D = depth(n)
    return 1.01 * (2 * D + 10) * (c + 1.01 * D) * 2.0**-106


def up(x: Any) -> Any:
    return np.nextafter(x, np.inf)


def down(x: Any) -> Any:
    return np.nextafter(x, -np.inf)
