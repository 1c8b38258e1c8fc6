r"""Convex risk measures of the next state's value: what an adversary can make of a row of transitions.

A measure :math:`\sigma(p, x)` of values x under a distribution p falls as x rises, is convex, and moves by -c where x moves by c;
so it is 1-Lipschitz in the sup norm and has the dual form

.. math:: \sigma(p, x) = \max_{q \ll p} \{-\langle q, x\rangle - D(q, p)\},

whose maximiser q is the *worst kernel* and D its *penalty*: zero on the uncertainty set of a robust MDP, a divergence
in a regularised one. A robust backup is :math:`R - \gamma\,\sigma(P, V)`; see ``tabular.reference.risk`` and
``tabular.planning.soft_robust``. A measure is a ``NamedTuple`` of its parameters with three methods over ``ops``,
along the last axis of ``p`` and ``x`` (of one shape), p being rows that sum to one, ends included
(``ops.successors``):

* ``sigma(ops, p, x)``: (...),
* ``worst(ops, p, x)``: (..., k), a maximiser,
* ``penalty(ops, q, p)``: (...), D of a q that the measure allows.

Sets are rectangular, with q absolutely continuous to p: an adversary makes no successors that the pair does not have, except in
``Kernels``. Everything that only sorts and adds is exact in rationals. Source: soft_robust (Zhang, Hu and Li 2024), section 2;
Föllmer and Schied 2016 (duals); Rockafellar and Uryasev 2000 (CVaR); Iyengar 2005, Nilim and El Ghaoui 2005 (rectangular sets).
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

from tabular.reference.numpy_ops import relative_entropy


@runtime_checkable
class Risk(Protocol):
    """What a measure offers; p, q, x are ``Value``s of one shape (..., k)."""

    def sigma(self, ops: Any, p: Any, x: Any) -> Any:
        """The risk: (...)."""

    def worst(self, ops: Any, p: Any, x: Any) -> Any:
        """A worst distribution: (..., k)."""

    def penalty(self, ops: Any, q: Any, p: Any) -> Any:
        """D(q, p) of a distribution that is allowed: (...)."""


class Neutral(NamedTuple):
    """No risk: the negative mean."""

    def sigma(self, ops: Any, p: Any, x: Any) -> Any:
        return -ops.dot(p, x)

    def worst(self, ops: Any, p: Any, x: Any) -> Any:
        return p + 0 * x

    def penalty(self, ops: Any, q: Any, p: Any) -> Any:
        return _nothing(ops, q)


class WorstCase(NamedTuple):
    """The worst successor that has any probability: every q << p is allowed."""

    def sigma(self, ops: Any, p: Any, x: Any) -> Any:
        return ops.max(-x, where=ops.support(p))

    def worst(self, ops: Any, p: Any, x: Any) -> Any:
        return ops.first_max(-x, where=ops.support(p))

    def penalty(self, ops: Any, q: Any, p: Any) -> Any:
        return _nothing(ops, q)


class Entropic(NamedTuple):
    r""":math:`\frac1\beta \log E_p\, e^{-\beta x}`, in the unit of x; D is the divergence over ``beta``, the worst kernel
    :math:`\propto p\,e^{-\beta x}`.

    Stable for every ``beta``: shifted where beta times x is large, ``log1p`` of ``expm1`` where it is small.
    """

    beta: Any

    def sigma(self, ops: Any, p: Any, x: Any) -> Any:
        return ops.free_energy(-x, self._scale(ops), weights=p)

    def worst(self, ops: Any, p: Any, x: Any) -> Any:
        return ops.gibbs(-x, self._scale(ops), weights=p)

    def penalty(self, ops: Any, q: Any, p: Any) -> Any:
        return ops.relative_entropy(q, p, where=ops.support(p)) * self._scale(ops)

    def _scale(self, ops: Any) -> Any:
        return 1 / ops.constant(self.beta)


class CVaR(NamedTuple):
    r"""Conditional value at risk: the negative mean of the worst ``level`` of the mass; q is at most ``p / level``.

    The worst successors first, each takes what it may until the mass is spent: exact, O(k) after a sort.
    """

    level: Any

    def sigma(self, ops: Any, p: Any, x: Any) -> Any:
        return _at_midpoint(ops, self, p, x, _by_worst)

    def worst(self, ops: Any, p: Any, x: Any) -> Any:
        order = ops.order(x, where=ops.support(p))
        level = ops.constant(self.level)
        share = _greedy(ops, ops.take(p, order) / level, 1)
        return ops.take(share, np.argsort(order, axis=-1, kind="stable"))

    def penalty(self, ops: Any, q: Any, p: Any) -> Any:
        return _nothing(ops, q)


class L1Ball(NamedTuple):
    r"""All q << p with :math:`\|q - p\|_1 \le` ``radius`` (at most 2): half of it moves from the best successors to the worst."""

    radius: Any

    def sigma(self, ops: Any, p: Any, x: Any) -> Any:
        return _at_midpoint(ops, self, p, x, _by_worst)

    def worst(self, ops: Any, p: Any, x: Any) -> Any:
        order = ops.order(x, where=ops.support(p))
        moved = ops.constant(self.radius) / 2
        kept = _greedy(ops, ops.take(p, order), 1 - moved)
        first = np.broadcast_to(np.arange(order.shape[-1]) == 0, order.shape)
        share = kept + ops.where(first, moved, 0)
        return ops.take(share, np.argsort(order, axis=-1, kind="stable"))

    def penalty(self, ops: Any, q: Any, p: Any) -> Any:
        return _nothing(ops, q)


class KLBall(NamedTuple):
    r"""All q with :math:`\mathrm{KL}(q \| p) \le` ``radius``.

    The dual :math:`\min_{w \ge 0} \{w\,radius + w \log E_p e^{-x/w}\}` has one variable, found in floats by Newton's
    method. Any ``w`` bounds sigma from above, and :math:`q_w \propto p\,e^{-x/w}`, mixed with p until its divergence
    is at most the radius, from below: the value encloses both.
    """

    radius: Any

    def sigma(self, ops: Any, p: Any, x: Any) -> Any:
        return _at_midpoint(ops, self, p, x, _by_duality)

    def worst(self, ops: Any, p: Any, x: Any) -> Any:
        """Feasible in every arithmetic, and optimal up to the rounding of the multiplier."""
        q, share = self._feasible(ops, p, x, self._multiplier(ops, p, x))
        return share[..., None] * q + (1 - share[..., None]) * p

    def penalty(self, ops: Any, q: Any, p: Any) -> Any:
        return _nothing(ops, q)

    def _multiplier(self, ops: Any, p: Any, x: Any) -> Any:
        """(..., 1), proposed in floats. More digits, where there are, by Newton's method; beyond reach, a smaller one still."""
        radius = ops.midpoint(ops.constant(self.radius))
        w, reached = kl_multiplier(np.asarray(ops.midpoint(p)), np.asarray(ops.midpoint(x)), np.asarray(radius))
        found = ops.array(w, x.ndim - 1)[..., None]
        digits = getattr(ops, "precision", 0)
        if not digits:
            return found
        for _ in range(int(digits).bit_length() - 6):
            q = ops.gibbs(-x, found, weights=p)
            mean = ops.dot(q, x)
            excess = ops.relative_entropy(q, p, where=ops.support(p)) - ops.constant(self.radius)
            step = found**3 * excess[..., None] / ops.where(reached, ops.dot(q, x * x) - mean * mean, 1)[..., None]
            found = ops.inflate(found + ops.where(reached[..., None], step, 0), ops.constant(0))
        return ops.where(reached[..., None], found, found * Fraction(1, 2**digits))

    def _feasible(self, ops: Any, p: Any, x: Any, w: Any) -> tuple[Any, Any]:
        """``q_w``, and the share of it in a mixture with p: the divergence is convex. None where rounding hides it."""
        q = ops.gibbs(-x, w, weights=p)
        radius = ops.constant(self.radius)
        share = radius / ops.maximum(ops.relative_entropy(q, p, where=ops.support(p)), radius)
        size = np.asarray(ops.midpoint(radius))
        return q, ops.where(size.reshape(size.shape + (1,) * share.ndim) > HIDDEN, share, 0)


class Kernels(NamedTuple):
    """Finitely many kernels, of which the adversary picks one in each pair: ``rows`` (n, S, A, S + 1), the end last.

    The nominal transitions play no part: list them to allow them.
    """

    rows: Any

    def sigma(self, ops: Any, p: Any, x: Any) -> Any:
        return ops.max(self._each(ops, x), axis=-x.ndim)

    def worst(self, ops: Any, p: Any, x: Any) -> Any:
        chosen = np.argmax(ops.midpoint(self._each(ops, x)), axis=-x.ndim)
        rows = self._rows(ops, x)
        return sum(
            ops.where((chosen == i)[..., None], rows[i], 0) for i in range(rows.shape[0])
        )  # a choice, so that the row is exactly one of them

    def penalty(self, ops: Any, q: Any, p: Any) -> Any:
        return _nothing(ops, q)

    def _rows(self, ops: Any, x: Any) -> Any:
        return ops.distribution(self.rows, x.ndim + 1)

    def _each(self, ops: Any, x: Any) -> Any:
        return -ops.dot(self._rows(ops, x), x[None])


def _nothing(ops: Any, q: Any) -> Any:
    return ops.sum(0 * q)


def _greedy(ops: Any, most: Any, mass: Any) -> Any:
    """Each place in turn takes the most it may (..., k) until ``mass`` (a scalar) is spent: (..., k).

    What is left is formed from sums, not by taking away: there radii would double with every place.
    """
    before, taken = 0 * most[..., 0], []
    for j in range(most.shape[-1]):
        taken.append(ops.minimum(most[..., j], ops.maximum(mass - before, 0)))
        before = before + most[..., j]
    return _last(ops, taken)


def _last(ops: Any, items: list[Any]) -> Any:
    """Values (...) side by side along a new last axis."""
    out = ops.stack(items)
    return type(out)(ops, np.moveaxis(out.data, ops.planes + ops.nbatch, -1), out.ndim)


def _at_midpoint(ops: Any, risk: Any, p: Any, x: Any, formula: Any) -> Any:
    """A formula at the midpoint of x: sigma is 1-Lipschitz in it, so that orders and multipliers may be chosen there."""
    middle = ops.inflate(x, ops.constant(0))
    far = ops.max(ops.abs(x - middle))
    return formula(ops, risk, p, middle) + ops.hull(-far, far)


def _by_worst(ops: Any, risk: Any, p: Any, x: Any) -> Any:
    return -ops.dot(risk.worst(ops, p, x), x)


def _by_duality(ops: Any, risk: KLBall, p: Any, x: Any) -> Any:
    w = risk._multiplier(ops, p, x)
    q, share = risk._feasible(ops, p, x, w)
    below = -ops.dot(p, x) - share * ops.dot(q - p, x)  # the radius of the share times what it moves, no more
    dual = w[..., 0] * ops.constant(risk.radius) + ops.free_energy(-x, w, weights=p)
    return ops.hull(below, ops.minimum(dual, ops.max(-x, where=ops.support(p))))


STEPS = 80
SMALL, MOST, HIDDEN = 2.0**-24, 2.0**1000, 2.0**-96
LEAST = 2.0**-60
"""Smallest multiplier of a KL ball relative to the spread of the values: there its part of the dual is below rounding."""


def kl_multiplier(p: np.ndarray, x: np.ndarray, radius: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    r"""The ``w > 0`` (...) of which :math:`q_w \propto p\,e^{-x/w}` has divergence ``radius`` from p; tiny where none
    has as much. And whether one has.

    The divergence rises with :math:`\theta = spread/w` from 0, is at most :math:`\theta^2/8` (Hoeffding's lemma) and has slope
    :math:`\theta\,\mathrm{Var}_{q_w}(x)/spread^2`: Newton's steps for its logarithm in that of theta, halving a bracket where they
    leave it, on rows (..., k) of p and x. A divergence near or below the rounding of its terms is taken for its first
    term :math:`\theta^2 \mathrm{Var}_p(x)/(2\,spread^2)`. Floats, without a bound on the error.
    """
    radius = radius.reshape(radius.shape + (1,) * (x.ndim - radius.ndim))[..., 0]
    allow = p > 0
    least = np.where(allow, x, np.inf).min(axis=-1, keepdims=True)
    spread = np.where(allow, x - least, 0.0).max(axis=-1, keepdims=True)
    z = np.where(allow, x - least, 0.0) / np.where(spread > 0, spread, 1.0)
    spread, target = spread[..., 0], np.log(radius)
    top = high = np.broadcast_to(np.log(np.maximum(radius, 1.0) / LEAST), z.shape[:-1])
    low = np.minimum(np.broadcast_to(0.5 * np.log(8.0 * radius), z.shape[:-1]), high)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        beyond = (spread == 0) | (_tilted(p, z, np.exp(top))[0] < radius)
        slight = 0.5 * (np.log(2.0 * radius) - np.log(_tilted(p, z, np.zeros(z.shape[:-1]))[1]))
        closed = ~beyond & (radius < SMALL**2) & (slight < np.log(SMALL))
        u = np.where(beyond, top, np.where(closed, slight, low))
        for _ in range(STEPS):
            theta = np.exp(u)
            divergence, variance = _tilted(p, z, theta)
            short = divergence < radius
            low, high = np.where(short, u, low), np.where(short, high, u)
            v = u - (np.log(divergence) - target) * divergence / (theta * theta * variance)
            v = np.where((v > low) & (v < high), v, 0.5 * (low + high))
            settled = beyond | closed | (np.abs(v - u) <= 2.0**-52 * np.maximum(np.abs(u), 1.0))
            u = np.where(beyond | closed, u, v)
            if settled.all():
                break
        w = np.minimum(spread * np.exp(-u), MOST)
    return np.where(spread > 0, w, 1.0), ~beyond


def _tilted(p: np.ndarray, z: np.ndarray, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Divergence from p and variance of z under the distribution proportional to ``p exp(-theta z)``."""
    e = p * np.exp(-theta[..., None] * z)
    mass = e.sum(axis=-1)
    mean = (e * z).sum(axis=-1) / mass
    variance = (e * (z - mean[..., None]) ** 2).sum(axis=-1) / mass
    return relative_entropy(e / mass[..., None], p, p > 0), np.asarray(variance)
