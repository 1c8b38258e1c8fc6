r"""How fast chains forget: minorisation times and mixing times.

With :math:`p_m = \sum_t \min_s P^m(s, t)`, the largest p for which :math:`P^m(s, \cdot) \ge p \psi` for some law :math:`\psi`
and every s, the *minorisation time* is :math:`t_{min}(P) = \inf_m m / p_m` (at least 1), and the *mixing time* the least
:math:`m \ge 1` from which every start is within 1/4 of the stationary law in total variation. Of a model they are the largest
over its deterministic policies. These are floats, without error bounds.
Source: Wang, Blanchet and Glynn (2024), section 2.
"""

from __future__ import annotations

from itertools import product
from typing import Any, NamedTuple

import numpy as np

from tabular import _border as border
from tabular.errors import ImproperModel
from tabular.markov_chains import chain, recurrent_classes, stationary_distribution
from tabular.mdp import MDP

ENUMERATED = 4096
"""Deterministic policies up to which those of a model are enumerated."""
LONGEST = 1_000_000
"""Steps after which a time that is still open is called unknown."""


class MinorizationBounds(NamedTuple):
    """``lower <= t_minorize <= upper``, equal where ``exact``: then ``actions`` (S,) is a policy that attains it."""

    lower: float
    upper: float
    exact: bool
    actions: np.ndarray


def minorization_time(P: Any) -> float:
    """``inf_m m / p_m`` of a chain (S, S); ``inf`` where no power has a column without zeros.

    It costs as many products of (S, S) matrices as the answer has steps: since ``m / p_m >= m``, later ones cannot be better.

    >>> minorization_time([[0.75, 0.25], [0.25, 0.75]])
    2.0
    """
    matrix = _dense(P)
    return _minorization(matrix) if _forgets(matrix) else np.inf


def _minorization(P: np.ndarray, below: float = np.inf) -> float:
    """``inf_m m / p_m`` of a chain that forgets; at most ``below``, from which on it is not sought any further."""
    power, best, m = P, np.inf, 1
    while True:
        shared = float(power.min(axis=0).sum())
        best = min(best, m / shared) if shared > 0 else best
        m += 1
        if m >= best or best <= below < np.inf:
            return best
        if m > LONGEST:
            raise ImproperModel(f"after {LONGEST} steps the chain shares no {1 / LONGEST:g} of its mass")
        power = power @ P


def mixing_time(P: Any, distance: float = 0.25) -> float:
    """Least ``m >= 1`` with ``max_s TV(P^m(s, .), stationary law) <= distance``; ``inf`` for periodic or multichain ones.

    The distance never rises with m, so that m is found by squaring and bisection: O(S^3 log m).

    >>> mixing_time([[0.75, 0.25], [0.25, 0.75]])
    1.0
    """
    border.positive(distance, "distance", "in total variation, below one")
    if distance >= 1:
        raise ValueError(f"distance is {distance}: expected a number below one, which no two laws exceed")
    matrix = _dense(P)
    if not _forgets(matrix):
        return np.inf
    law = stationary_distribution(matrix)
    far = lambda X: 0.5 * float(np.abs(X - law).sum(axis=1).max()) > distance  # noqa: E731
    squares = [matrix]
    while far(squares[-1]):
        if len(squares) > 60:
            raise ImproperModel("the chain has not mixed after 2^60 steps, as far as floats tell")
        squares.append(squares[-1] @ squares[-1])
    if len(squares) == 1:
        return 1.0
    m, reached = 2 ** (len(squares) - 2), squares[-2]
    for k in reversed(range(len(squares) - 2)):
        longer = reached @ squares[k]
        if far(longer):
            m, reached = m + 2**k, longer
    return float(m + 1)


def t_minorize(mdp: MDP) -> MinorizationBounds:
    """The largest minorisation time over the deterministic policies of a model without endings.

    Policies that randomise may take a little longer: their powers mix products of different deterministic chains.

    Exact (up to rounding) where there are at most ``ENUMERATED`` of them. Else the upper bound takes the worst action in
    each step and for each target, ``u_m(s, t) = min_a sum_x P(x | s, a) u_{m-1}(x, t)``, so that ``p_m >= sum_t min_s
    u_m(s, t)`` for every policy; the lower bound is the largest of the policies that minimise one such target.
    """
    border.expect(mdp, "t_minorize", "MDP")
    if mdp.has_end:
        raise ImproperModel("a process that ends has no minorisation time: mdp.augmented() makes the end a state")
    P = mdp.to_dense().P
    states = np.arange(mdp.S)
    allowed = [np.flatnonzero(row) for row in mdp.mask]
    count = float(np.prod([float(len(a)) for a in allowed]))
    if count <= ENUMERATED:
        best, worst = 0.0, np.array([a[0] for a in allowed])
        for choice in product(*allowed):
            actions = np.array(choice)
            own = P[states, actions]
            t = _minorization(own, best) if _forgets(own) else np.inf
            if t > best:
                best, worst = t, actions
            if best == np.inf:
                break
        return MinorizationBounds(best, best, True, worst)
    lower, upper, worst = 0.0, np.inf, np.array([a[0] for a in allowed])
    least, m = np.eye(mdp.S), 1
    while m < upper and m <= 64 * mdp.S:
        Q = np.where(mdp.mask[..., None], P @ least, np.inf)
        least = Q.min(axis=1)
        shared = float(least.min(axis=0).sum())
        upper = min(upper, m / shared) if shared > 0 else upper
        m += 1
    for target in range(mdp.S):
        actions = Q[..., target].argmin(axis=1)
        own = P[states, actions]
        t = _minorization(own, lower) if _forgets(own) else np.inf
        if t > lower:
            lower, worst = t, actions
    return MinorizationBounds(lower, upper, lower == np.inf, worst)


def _dense(P: Any) -> np.ndarray:
    matrix = chain(P)
    return matrix if isinstance(matrix, np.ndarray) else np.asarray(matrix.toarray())


def _forgets(P: np.ndarray) -> bool:
    """Whether some power has a column without zeros: one recurrent class, without a period.

    Once a column is full it stays so, and by Wielandt's bound it is by the power ``S^2``.
    """
    if len(recurrent_classes(P)) > 1:
        return False
    reach = P > 0
    for _ in range(max(2 * (len(P) - 1).bit_length(), 1)):
        reach = np.matmul(reach.astype(np.float32), reach.astype(np.float32)) > 0
    return bool(reach.all(axis=0).any())
