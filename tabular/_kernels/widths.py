# mypy: allow-untyped-defs
r"""Upper confidence bounds on the mean of a function over an unknown row, by the class of the width.

`upper(width, world, counts, row, V, top, span, L)` bounds :math:`\sum_t P(t) V(t)` from the n > 0 draws of a row, where V
(S,) is at most `top`; `span` bounds the range of the function that has to be covered (V itself, or the optimal value below
it), and L is the logarithm of 1 over the probability of error, as each width takes it. No bound exceeds `top`.
"""

from math import exp, log, sqrt

import numpy as np
from numba.core.errors import TypingError
from numba.extending import overload

from tabular._jit import kernel, rests_on
from tabular._kernels.interaction import estimated

_registered: dict[type, object] = {}
HALVINGS = 48
"""Of the interval, in logarithms, in which a KL bound is minimised; any point of it gives a bound."""


def register_bound(cls, bound):
    """Let planners take widths of class `cls`, a NamedTuple; refusals as for learners."""
    if not (isinstance(cls, type) and issubclass(cls, tuple) and hasattr(cls, "_fields")):
        raise TypeError(f"a bound is registered for a NamedTuple class, not {cls!r}")
    if cls in _registered:
        raise ValueError(f"{cls.__name__} has a bound already")
    rests_on(cls, bound)
    _registered[cls] = bound if hasattr(bound, "py_func") else kernel(bound)


def has_bound(cls):
    return cls in _registered


def _bound_of(cls):
    if cls not in _registered:
        raise TypingError(f"no bound is registered for {cls}: call register_width")
    return _registered[cls]


def upper(width, world, counts, row, V, top, span, L):
    """The width's bound; see the top of the module."""
    return _bound_of(type(width))(width, world, counts, row, V, top, span, L)


@overload(upper)
def _upper(width, world, counts, row, V, top, span, L):
    chosen = _bound_of(getattr(width, "instance_class", width))
    return lambda width, world, counts, row, V, top, span, L: chosen(width, world, counts, row, V, top, span, L)


@kernel
def hoeffding(width, world, counts, row, V, top, span, L):
    bonus = width.scale * span * sqrt(0.5 * L * counts.share[row])
    return min(top, estimated(world, counts, row, V) + bonus)


@kernel
def bernstein(width, world, counts, row, V, top, span, L):
    n = counts.visits[row]
    if n < 2:
        return top
    mean, square = 0.0, 0.0
    for i in range(np.uint64(world.indptr[row]), np.uint64(world.indptr[row + 1])):
        v = V[world.indices[i]]
        mean += counts.seen[i] * v
        square += counts.seen[i] * v * v
    mean /= n
    variance = max(0.0, square / n - mean * mean) * n / (n - 1.0)
    bonus = sqrt(2.0 * variance * L / n) + 7.0 * span * L / (3.0 * (n - 1.0))
    return min(top, mean + width.scale * bonus)


@kernel
def l1_ball(world, counts, row, V, top, radius):
    """The largest mean of V over distributions within `radius` of the frequencies: from the worst successors to the best state."""
    share, mean, at_top = counts.share[row], 0.0, 0.0
    start, stop = np.uint64(world.indptr[row]), np.uint64(world.indptr[row + 1])
    for i in range(start, stop):
        v = V[world.indices[i]]
        mean += counts.seen[i] * v
        if v >= top:
            at_top += counts.seen[i]
    mean *= share
    left = min(0.5 * radius, 1.0 - at_top * share)
    last = -1e300
    while left > 0.0:
        worst, n = top, 0.0  # the least value above the last one, and how often it came
        for i in range(start, stop):
            if counts.seen[i] > 0.0:
                v = V[world.indices[i]]
                if last < v < worst:
                    worst, n = v, counts.seen[i]
                elif v == worst:
                    n += counts.seen[i]
        if worst >= top:
            break
        moved = min(left, n * share)
        mean += moved * (top - worst)
        left -= moved
        last = worst
    return min(top, mean)


@kernel
def weissman(width, world, counts, row, V, top, span, L):
    radius = sqrt(2.0 * (world.S * log(2.0) + L) * counts.share[row])
    return l1_ball(world, counts, row, V, top, width.scale * radius)


@kernel
def jaksch(width, world, counts, row, V, top, span, L):
    return l1_ball(world, counts, row, V, top, width.scale * sqrt(14.0 * world.S * L * counts.share[row]))


@kernel
def slope_and_value(world, counts, row, V, top, x, c):
    """At nu = top + x: the sign of the derivative of nu - exp(E log(nu - V) - c), and its value."""
    logs, inverse, share = 0.0, 0.0, counts.share[row]
    for i in range(np.uint64(world.indptr[row]), np.uint64(world.indptr[row + 1])):
        if counts.seen[i] > 0.0:
            d = x + (top - V[world.indices[i]])
            logs += counts.seen[i] * log(d)
            inverse += counts.seen[i] / d
    mean = exp(logs * share - c)
    return 1.0 - mean * inverse * share, top + x - mean


@kernel
def kullback_leibler(width, world, counts, row, V, top, span, L):
    n = counts.visits[row]
    others = max(world.S - 1.0, 1.0)
    c = width.scale * (L + others * (1.0 + log(1.0 + n / others))) / n
    low = top
    for i in range(np.uint64(world.indptr[row]), np.uint64(world.indptr[row + 1])):
        if counts.seen[i] > 0.0:
            low = min(low, V[world.indices[i]])
    if low >= top:
        return top
    left, right = 1e-13 * (top - low), top - low
    slope, value = slope_and_value(world, counts, row, V, top, left, c)
    if slope >= 0.0:
        return min(top, value)
    while slope_and_value(world, counts, row, V, top, right, c)[0] < 0.0:
        right *= 4.0
    for _ in range(HALVINGS):
        middle = sqrt(left * right)
        if slope_and_value(world, counts, row, V, top, middle, c)[0] < 0.0:
            left = middle
        else:
            right = middle
    return min(top, slope_and_value(world, counts, row, V, top, right, c)[1])
