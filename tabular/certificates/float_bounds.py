r"""Certificates of values and policies: rigorous in floating point, tight where doubled precision is
affordable.

Notation: exact model, exact regulariser, :math:`m(s,a) = \gamma (1 - end(s,a))`, residual :math:`d = TV -
V` and advantages :math:`d_a = Q_V(\cdot, a) - V`. All that is used of :math:`T V = \Omega^*(Q_V)` is that
:math:`\Omega^*` is monotone and that

.. math:: Q_{V+c} = Q_V + c\,m, \qquad \Omega^*(Q + x) - \Omega^*(Q) \in [\min_a x_a, \max_a x_a].

**Bounds with a constant** (MacQueen 1966; Porteus 1971 for rows of different mass). If :math:`T(V+c) \le
V+c` then :math:`T^k(V+c)` decreases to :math:`V^*`, so :math:`V^* \le V + c`; likewise from below. Without
regulariser, :math:`T(V+c)(s) = V(s) + \max_a [d_a(s) + c\,m(s,a)]`, hence

.. math:: \min_s \max_a \frac{d_a(s)}{1 - m(s,a)} \le V^* - V \le \max_{s,a} \frac{d_a(s)}{1 - m(s,a)},

for both signs of either side (textbook bounds with :math:`\gamma/(1-\gamma)` are wrong where rows lose
mass). With one, :math:`T(V+c) \le TV + c \max_a m` for :math:`c \ge 0`, :math:`\le TV + c \min_a m` for
:math:`c < 0`, and conversely from below, which gives :math:`d(s)/(1 - m)` with the mass that is worst for
the sign. For a policy, :math:`T_\pi(V + c) = T_\pi V + c\,m_\pi` exactly.

**One more backup.** With such :math:`c`, :math:`V^* \le T(V+c) \le V + \max_a [d_a + c\,m]`, a bound for
each state that is never worse.

**Rounding.** ``d`` is enclosed: by ``EnclosureOps`` (every rounding of the backup; ``P`` against the lift;
exact ``gamma``, ``R``), or in doubled precision (``tabular.certificates.refinement``). What follows is
rounded outwards, operation by operation.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tabular import _border as border
from tabular import _validate as check
from tabular._rounding import U
from tabular.certificates.doubled import down, two_sum, up
from tabular.certificates.given import policy_of, regularizer_of, values_of
from tabular.certificates.lift import lift_error
from tabular.certificates.model import Doubled
from tabular.regularizers import KL, Hard, ShannonKL, TsallisKL
from tabular.solution import Certificate

MODERATE = 200_000  # transitions up to which doubled precision is a matter of a tenth of a second
Pair = tuple[np.ndarray, np.ndarray]
REFERENCE = "MacQueen 1966; Porteus 1971 (row masses); rounding: Higham 2002"


def quotient_up(x: np.ndarray, lo: np.ndarray, hi: np.ndarray) -> np.ndarray:
    """Upper bound of ``x / g`` for every ``g`` in ``[lo, hi]``, ``lo >= 0``; ``inf`` where that is
    unbounded.
    """
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        out = np.where(x > 0, up(x / lo), np.where(x < 0, up(x / hi), 0.0))
    return np.where(np.isnan(out), np.inf, out)


def quotient_down(x: np.ndarray, lo: np.ndarray, hi: np.ndarray) -> np.ndarray:
    return -quotient_up(-x, lo, hi)


def shift_up(c: float, gap_lo: np.ndarray, gap_hi: np.ndarray) -> np.ndarray:
    """Upper bound of ``c m = c - c (1 - m)``."""
    if not np.isfinite(c):
        return np.full(gap_lo.shape, np.inf)
    return up(c - down(c * (gap_lo if c >= 0 else gap_hi)))


def span_hard(lo: np.ndarray, hi: np.ndarray, model: Doubled) -> tuple[np.ndarray, np.ndarray]:
    """Bounds (S,) on ``V* - V`` from bounds (S, A) on the advantages."""
    keep = model.mask
    top = float(np.where(keep, quotient_up(hi, model.gap_lo, model.gap_hi), -np.inf).max())
    bottom = float(np.where(keep, quotient_down(lo, model.gap_lo, model.gap_hi), -np.inf).max(axis=1).min())
    high = up(hi + shift_up(top, model.gap_lo, model.gap_hi))
    low = down(lo - shift_up(-bottom, model.gap_lo, model.gap_hi))
    with_all = lambda x: np.where(keep, x, -np.inf).max(axis=1)  # noqa: E731
    return np.maximum(with_all(low), bottom), np.minimum(with_all(high), top)


def span_rows(lo: np.ndarray, hi: np.ndarray, gaps: tuple[np.ndarray, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Bounds (S,) on ``V* - V`` (or ``V^pi - V``) from bounds (S,) on the residual.

    ``gaps`` are (S,) bounds ``(least_lo, least_hi, greatest_lo, greatest_hi)`` of ``1 - m`` over the actions, or (1,) for all.
    """
    least_lo, least_hi, most_lo, most_hi = gaps

    def above(d: np.ndarray) -> np.ndarray:
        x = d.max(keepdims=True) if least_lo.size == 1 else d  # of one gap the largest quotient is that of the largest
        positive = quotient_up(x, least_lo, least_hi)
        c = float(np.where(x > 0, positive, quotient_up(x, most_lo, most_hi)).max())
        shift = shift_up(c, least_lo, least_hi) if c >= 0 else shift_up(c, most_lo, most_hi)
        return np.minimum(up(d + shift), c)

    return -above(-lo), above(hi)


def action_gaps(model: Doubled, support: np.ndarray) -> tuple[np.ndarray, ...]:
    """Least and greatest ``1 - m`` over the actions of ``support`` (S, A), with bounds."""
    pick = lambda f, x, fill: f(np.where(support, x, fill), axis=1)  # noqa: E731
    return (
        pick(np.min, model.gap_lo, np.inf), pick(np.min, model.gap_hi, np.inf),
        pick(np.max, model.gap_lo, -np.inf), pick(np.max, model.gap_hi, -np.inf),
    )  # fmt: skip


def policy_gaps(model: Doubled, pi: np.ndarray) -> tuple[np.ndarray, ...]:
    """``1 - m_pi`` with bounds; rows of ``pi`` are divided by their sums."""
    slack = 8.0 * (model.A + 4) * U
    mass = pi.sum(axis=1)
    lo = (pi * model.gap_lo).sum(axis=1) / mass * (1 - slack)
    hi = np.minimum((pi * model.gap_hi).sum(axis=1) / mass * (1 + slack), 1.0)
    return lo, hi, lo, hi


def support_of(regularizer: Any, mask: np.ndarray) -> np.ndarray:
    """The actions on whose values the conjugate depends: those of positive reference where there is one."""
    return mask & (regularizer.reference > 0) if isinstance(regularizer, (KL, ShannonKL, TsallisKL)) else mask


class Enclosed:
    """Residuals in float64 enclosures: ``T after - V`` and ``T_pi after - V``; the action values are formed once."""

    def __init__(self, mdp: Any, after: np.ndarray, V: np.ndarray) -> None:
        from tabular.reference.enclosure_ops import EnclosureOps

        self.ops = EnclosureOps()
        m = self.ops.model(mdp)
        self.mask, self.V = m.mask, self.ops.array(V, 1)
        self.Q = self.ops.q_backup(m, self.ops.array(after, 1))

    @classmethod
    def around(cls, mask: np.ndarray, Q: np.ndarray, radius: float, V: np.ndarray) -> Enclosed:
        """The same from action values (S, A) that are known within ``radius``."""
        from tabular.reference.enclosure_ops import EnclosureOps
        from tabular.reference.enclosures import pack
        from tabular.reference.value import Value

        out = cls.__new__(cls)
        out.ops, out.mask = EnclosureOps(), mask
        out.V = out.ops.array(V, 1)
        out.Q = Value(out.ops, pack(np.where(mask, Q, 0.0), radius), 2)
        return out

    def optimal(self, regularizer: Any) -> tuple[np.ndarray, np.ndarray]:
        """Bounds (S,), or (S, A) on the advantages without regulariser."""
        if isinstance(regularizer, Hard):
            return self.ops.bounds(self.Q - self.V[:, None])
        return self.ops.bounds(regularizer.conjugate(self.ops, self.Q, self.mask) - self.V)

    def of_policy(self, regularizer: Any, pi: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Bounds (S,); ``<pi, Q> - V`` as ``<pi, Q - V>``, which rounds less: rows of pi sum to one exactly."""
        ops = self.ops
        value = ops.distribution(pi)
        d = ops.dot(value, ops.where(self.mask, self.Q - self.V[:, None], 0))
        return ops.bounds(d - regularizer.value(ops, value, self.mask))


def plain(model: Doubled, floats: Enclosed, regularizer: Any, pi: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Bounds (S,) on ``V* - V``, or ``V^pi - V``, with residuals in float64."""
    if pi is not None:
        return span_rows(*floats.of_policy(regularizer, pi), policy_gaps(model, pi))
    bounds = floats.optimal(regularizer)
    if isinstance(regularizer, Hard):
        return span_hard(*bounds, model)
    return span_rows(*bounds, action_gaps(model, support_of(regularizer, model.mask)))


def _is_enough(model: Doubled, lo: np.ndarray, hi: np.ndarray, V: np.ndarray, want: float) -> bool:
    """Whether the enclosure proves itself good: the error is at most ``want``, a few ulp, or known within a
    factor of 3 in sup norm.

    In a large model ten digits are enough, since doubled precision then costs as much as a solve.
    """
    bound = max(float(hi.max()), -float(lo.min()))
    if bound <= want:
        return True
    proved = max(float(lo.max()), -float(hi.min()), 0.0)
    scale = float(np.abs(V).max())
    return bound <= 3 * proved or bound <= (4 * U if model.mdp.nnz <= MODERATE else 1e-10) * scale


def certify(
    mdp: Any, V: Any, regularizer: Any = None, pi: Any = None, *, precision: str = "auto", want: float | None = None
) -> dict[str, Certificate]:
    """Rigorous enclosures of ``V - V*`` and, given a policy, of ``V - V^pi`` and ``max(V* - V^pi)``.

    Parameters
    ----------
    mdp : MDP. With ``gamma = 1`` see ``certify_total``, which is called.
    V : (S,) finite floats, any approximation of the optimal (regularised) values; or a ``Solution``, whose
        regulariser and policy are taken unless others are given.
    regularizer : as in ``solve``.  pi : (S, A) policy, or (S,) actions; rows are divided by their exact sums.
    precision : "double" bounds the residual in float64 only; "auto" goes on in doubled precision where that
        is not tight (``V`` then gets the distance from a refined value) and the model is small enough;
        "doubled" always tries.
    want : an absolute error, in the unit of the rewards, that is good enough: with "auto", an enclosure in
        float64 of at most this is not refined. By default bounds are as tight as is affordable.

    Returns
    -------
    Certificates by quantity. "V - V*", "V - V^pi" are componentwise, (S,) arrays in the unit of the rewards,
    infinite where nothing is known. They hold for the exact model: canonical lift, or the rationals given.
    "V*(floats) - V*" is what reading rows of floats as they are would change (see ``model_error``). Nothing
    is said of ``pi`` where one's own regulariser has no ``value``.
    """
    border.expect(mdp, "certify", "MDP")
    regularizer, pi = regularizer_of(V, regularizer, mdp.mask), policy_of(V, pi)
    V = _values(V, mdp.S)
    if pi is not None:
        pi = border.policy(pi, mdp.mask)
    if want is not None:
        border.positive(want, "want", "in the unit of the rewards", zero=True)
    if precision not in ("auto", "double", "doubled"):
        raise ValueError(f"precision is {precision!r}: expected 'auto', 'double' or 'doubled'")
    if mdp.gamma_exact == 1:
        from tabular.certificates.total import certify_total

        return certify_total(mdp, V, pi, regularizer=regularizer)
    from tabular.certificates.nothing import exactly, stays, worthless

    model = Doubled(mdp)
    floats = Enclosed(mdp, V, V)
    good = -np.inf if want is None else float(want)
    star, near = _bounds(model, floats, V, regularizer, None, precision, good, None)
    nothing = worthless(mdp, regularizer)
    star = exactly(star, V, nothing)
    out = {"V - V*": Certificate("V - V*", "componentwise", -star[1], -star[0], REFERENCE)}
    size = float(np.abs(V).max()) + max(float(star[1].max()), -float(star[0].min()))
    lift = lift_error(model, size) if np.isfinite(size) else float("inf")
    if nothing.all():
        lift = 0.0
    out["V*(floats) - V*"] = Certificate("V*(floats) - V*", "sup", -lift, lift, "see model_error")
    if pi is not None:
        try:
            own, _ = _bounds(model, floats, V, regularizer, pi, precision, good, near)
        except NotImplementedError:  # Omega of a given policy is unknown
            return out
        own = exactly(own, V, nothing & stays(pi, regularizer, mdp.mask, nothing))
        out["V - V^pi"] = Certificate("V - V^pi", "componentwise", -own[1], -own[0], REFERENCE)
        out["max(V* - V^pi)"] = gap_certificate(star, own)
    return out


def gap_certificate(star: tuple[np.ndarray, np.ndarray], own: tuple[np.ndarray, np.ndarray]) -> Certificate:
    """``max(V* - V^pi)`` from bounds on ``V* - V`` and ``V^pi - V``."""
    with np.errstate(invalid="ignore"):
        high, low = up(star[1] - own[0]), down(star[0] - own[1])
    high = np.where(np.isfinite(own[0]) & (star[1] == own[0]), 0.0, high)  # nothing was rounded
    top = float(np.where(np.isnan(high), np.inf, high).max())
    bottom = max(float(np.where(np.isnan(low), 0.0, low).max()), 0.0)
    return Certificate("max(V* - V^pi)", "sup", bottom, max(top, 0.0), REFERENCE)


def _bounds(
    model: Doubled,
    floats: Enclosed,
    V: np.ndarray,
    regularizer: Any,
    pi: np.ndarray | None,
    precision: str,
    want: float,
    near: Pair | None,
) -> tuple[Pair, Pair | None]:
    """Bounds (S,) on ``V* - V`` or ``V^pi - V``, and the refined value if one was sought; ``near`` is a pair to
    start from.
    """
    from tabular.certificates.refinement import affordable, refined

    lo, hi = plain(model, floats, regularizer, pi)
    enough = precision == "double" or (precision == "auto" and _is_enough(model, lo, hi, V, want))
    if enough or not affordable(model, regularizer):
        return (lo, hi), None
    found = refined(model, *(near or (V, np.zeros_like(V))), regularizer, pi)
    if found is None:
        return (lo, hi), None
    h, low, below, above = found
    x, e = two_sum(h, -V)
    below, above = down(x + down(down(e + low) + below)), up(x + up(up(e + low) + above))
    return (np.maximum(lo, below), np.minimum(hi, above)), (h, low)


def _values(V: Any, S: int) -> np.ndarray:
    V = check.float_array(values_of(V), "V")
    if V.shape != (S,):
        raise ValueError(f"V has shape {V.shape}: expected ({S},)")
    if not np.isfinite(V).all():
        s = int(np.argmin(np.isfinite(V)))
        raise ValueError(f"V[{s}] is {V[s]}: only finite values have a certificate")
    return V
