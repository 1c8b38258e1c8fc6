r"""O(.) on a finite range: the least constant, and whether it still grows.

That :math:`f(k) = O(g(k))` can be refuted by no finite range, nor proved by one. What a range k_1 < ... < k_n does show:

* the least constant :math:`C = \max_k f(k)/g(k)` on it;
* its trend: ``early`` and ``late``, the largest ratio up to the middle of the range and beyond it, the middle being
  :math:`k_m = \sqrt{k_1 k_n}`, or the point before. Where late <= early, the ratio has not grown for half of the
  range (in log k), and the statement *holds on its range* with the constant C. Else it grows, at the rate
  :math:`\log(late/early) / \log(k_n/k_m)`, and the verdict is *undecided*, with the rate as its reason: a ratio that
  tends to a constant from below, one that gains a logarithm and one that gains a small power all look so.

Two declarations make the statement one about the range, which can be refuted there: a ``constant`` (f <= constant g
at every k), and a ``growth``, the rate beyond which late may not exceed early: late <= early (k_n/k_m)^growth.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


def ratios(measured: Sequence[Any], shape: Sequence[Any]) -> list[Any]:
    """measured / shape, point by point."""
    return [a / b for a, b in zip(measured, shape, strict=True)]


def middle(x: np.ndarray) -> int:
    """How many points lie in the first half of the range, in log x: at least one, and not all."""
    return int(np.searchsorted(np.log(x), (np.log(x[0]) + np.log(x[-1])) / 2, side="right"))


def early_late(ops: Any, x: np.ndarray, ratio: Sequence[Any]) -> tuple[Any, Any]:
    """The largest ratios of the first half of the range and of the rest."""
    m = middle(x)
    return _largest(ops, ratio[:m]), _largest(ops, ratio[m:])


def _largest(ops: Any, items: Sequence[Any]) -> Any:
    top = items[0]
    for item in items[1:]:
        top = ops.maximum(top, item)
    return top


def allowed(ops: Any, x: np.ndarray, growth: Any) -> Any:
    """(k_n / k_m)^growth, 1 without growth."""
    if growth is None or growth == 0:
        return ops.constant(1)
    last, before = ops.constant(float(x[-1])), ops.constant(float(x[middle(x) - 1]))
    return ops.exp(ops.constant(growth) * ops.log(last / before))


def rate(x: np.ndarray, early: Any, late: Any) -> Any:
    """The growth rate late/early comes to, in float64: for people."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log(np.asarray(late) / np.asarray(early)) / np.log(x[-1] / x[middle(x) - 1])
