r"""SAC-v2, part 4: the minimum of two estimates."""

from __future__ import annotations

from fractions import Fraction
from math import comb
from typing import Any

from proofs_check import Inequality, claim, distributions, families, stronger, twin, values

PI = Fraction("3.14159265358979323846264338327950288419716939937510")
COINS = tuple(range(1, 9))


@claim(
    id="sac_v2.C6",
    family=(families.garnet(1, 2), families.garnet(3, 2), families.garnet(8, 2)),
    draws={"first": values(), "second": values(like="first"), "chance": distributions()},
    source="Fujimoto et al. 2018; Haarnoja et al. 2018b",
    kind="inequality",
    instances=(),
)
def minimum(ops: Any, m: Any, first: Any, second: Any, chance: Any) -> Inequality:
    r"""E min(Q_1, Q_2) \le min(E Q_1, E Q_2), however the two depend on each other.

    Here they are functions of a state drawn from a distribution. Proof: the minimum is at most either.
    """
    return Inequality(*_minima(ops, first, second, chance))


def _minima(ops: Any, first: Any, second: Any, chance: Any) -> tuple[Any, Any]:
    """The mean of the minimum, and the minimum of the means."""
    least = ops.dot(chance, ops.minimum(first, second))
    return least, ops.minimum(ops.dot(chance, first), ops.dot(chance, second))


@twin(minimum, why="less by a hundredth of the mean distance: not so where one of the two is always the smaller")
def minimum_with_margin(ops: Any, m: Any, first: Any, second: Any, chance: Any) -> Inequality:
    mean, least = _minima(ops, first, second, chance)
    return Inequality(mean + ops.dot(chance, ops.abs(first - second)) / 100, least)


@twin(minimum, why="the other way round")
def minimum_of_means(ops: Any, m: Any, first: Any, second: Any, chance: Any) -> Inequality:
    return Inequality(*_minima(ops, first, second, chance)[::-1])


def _fewer_heads(n: int) -> Fraction:
    """E min(i, j) - n/2 of the numbers of heads of two players with n coins each, by enumeration."""
    total = sum(comb(n, i) * comb(n, j) * min(i, j) for i in range(n + 1) for j in range(n + 1))
    return Fraction(total, 4**n) - Fraction(n, 2)


@claim(
    id="sac_v2.C6a",
    family=families.bandits(2),
    source="ours",
    kind="identity",
    instances=(),
)
def normals(ops: Any, m: Any) -> Inequality:
    r"""E min(X_n, Y_n) \to -1/\sqrt\pi, within 1 / (8 n \sqrt\pi), for standardised sums of n coins; so it is for two
    standard normals.

    Proof: :math:`E \min(X, Y) = -\frac12 E|X - Y|`, and :math:`X_n - Y_n` is a sum of 2n signs over :math:`\sqrt n`: this is
    :math:`-\sqrt n \binom{2n}{n} 4^{-n}`, which falls to :math:`-1/\sqrt\pi` (Wallis). By the central limit theorem
    and uniform integrability (second moments are 1) the limit is the value of two independent standard normals. Here
    n = 1 ... 8, the left side by enumeration.
    """
    return _normals(ops, 1)


def _normals(ops: Any, scale: Any) -> Inequality:
    """``scale``: of pi in the limit."""
    roots = [ops.sqrt(ops.constant(n)) for n in COINS]
    pi = ops.inflate(ops.constant(PI), ops.constant(Fraction(1, 10**50)))
    limit, unit = 1 / ops.sqrt(scale * pi), 1 / ops.sqrt(pi)
    found = [ops.abs(2 * _fewer_heads(n) / root + limit) for n, root in zip(COINS, roots, strict=True)]
    return Inequality(ops.stack(found), ops.stack([unit / (8 * n) for n in COINS]), axes=("n",))


normals_closer = stronger(normals, 0.9)


@twin(normals, why="-1 / sqrt(2 pi)")
def normals_by_the_density(ops: Any, m: Any) -> Inequality:
    return _normals(ops, 2)
