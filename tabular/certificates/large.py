r"""Certificates of large models from one compiled backup, without another pass over the transitions.

The kernels round at most as ``tabular._rounding`` says, and rows of floats that are off by at most ``row_error`` change
:math:`P V` by at most :math:`1.01\,\mathrm{row\_error} \max|V|` when they are divided by their sums: action values are within one
radius ``r`` of those of the exact model, and :math:`TV` within ``r`` and the conjugate's own rounding. With these residuals
the bounds are those of ``tabular.certificates.float_bounds``.

The maximiser ``pi`` of computed action values :math:`\hat Q` has :math:`T_\pi V = \langle\pi, Q\rangle - \Omega(\pi) \ge
\Omega^*(\hat Q) - F - r \ge TV - F - 2r`, where ``F`` is what rounding ``pi`` costs: nothing for a plain maximum. For
Shannon's entropy it is :math:`\tau\,\mathrm{KL}(\pi \| \pi^*)`, at most ``tau`` times the mean of
:math:`|\log \pi/\pi^*|`, where a weight :math:`e^t / Z` has relative error :math:`(2|t| + F + 2 \log n + F + n + 4) u`
(``_rounding.shannon_error``), :math:`E|t| \le \log n`, and normalising adds the mean of that once more. For Tsallis' entropies
what :math:`\langle\pi, \hat Q\rangle - \Omega(\pi)` is less than the computed :math:`\hat T V` by is evaluated, row by row, with
a bound of its rounding (``_rounding.tsallis_shortfall_error``), for whatever ``pi`` is: :math:`T_\pi V \ge \hat T V - F - r`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from tabular._rounding import F, U, backup_error, shannon_error, tsallis_error, tsallis_shortfall_error
from tabular.certificates.doubled import UNDERFLOW, up
from tabular.certificates.float_bounds import (
    REFERENCE,
    Enclosed,
    Pair,
    action_gaps,
    gap_certificate,
    policy_gaps,
    span_hard,
    span_rows,
    support_of,
)
from tabular.certificates.model import Doubled
from tabular.regularizers import Hard, Shannon, Tsallis
from tabular.solution import Certificate, Later

REFERENCE_STAGES = "monotonicity of the backup, by induction from the last stage; rounding: Higham 2002"


def certify_backup(b: Any, V: np.ndarray, backup: Any, pi: np.ndarray | Later) -> dict[str, Certificate]:
    """As ``certify`` in float64: of ``V`` (S,), and of ``pi`` (S, A), the maximiser at ``backup.Q``.

    ``b`` are the ``Backups`` of a discounted model of floats, ``backup`` is the ``Backup`` of ``V``.
    """
    mdp, reg, TV = b.mdp, b.reg, backup.TV
    largest = max(float(TV.max()), -float(TV.min()))
    size = 1.001 * max(backup.size, float(V.max()), -float(V.min()))
    off = mdp.row_error
    r = radius(b.longest, b.reward_scale, size, off) + 8 * U * (size + b.reward_scale)
    conjugate, spare = conjugate_error(reg, b.A, largest), _spare(b, backup, pi, largest, r)
    change = V - TV
    wide = None if conjugate is None else 1.001 * (r + conjugate) + 4 * U * float(np.abs(change).max())
    if not mdp.has_end and wide is not None and spare is not None:
        star, own, gap = _one_gap(change, mdp.gamma, wide, float(np.max(spare)))
        least = (1.0 - mdp.gamma) * (1 - 2 * U)
    else:
        star, own, least = _rows(b, V, backup, pi, change, r, wide, spare)
        gap = gap_certificate((-star[1], -star[0]), (-own[1], -own[0]))
    out = {
        "V - V*": Certificate("V - V*", "componentwise", *star, REFERENCE),
        "V - V^pi": Certificate("V - V^pi", "componentwise", *own, REFERENCE),
        "max(V* - V^pi)": gap,
    }
    bound = size + max(float(star[1].max()), -float(star[0].min()))
    moved = _floats_change(off, mdp.gamma, bound, least)
    return out | {"V*(floats) - V*": Certificate("V*(floats) - V*", "sup", -moved, moved, "see model_error")}


def _spare(b: Any, backup: Any, pi: np.ndarray | Later, largest: float, r: float) -> Any:
    """By how much ``T_pi V`` is at most less than the computed ``TV``, all but its first ``r`` included: a number, or (S,).

    None where nothing is at hand.
    """
    cost = cost_of_rounding(b.reg, b.A)
    if cost is not None:
        return 1.001 * (cost + 2 * r)
    if backup.Q is None or not isinstance(b.reg, Tsallis):
        return None
    found = b.shortfall(backup.Q, backup.TV, pi.form() if isinstance(pi, Later) else pi)
    if found is None:
        return None
    lost, size = found
    lost += tsallis_shortfall_error(b.A, b.reg.q, b.reg.tau, size, largest)
    return np.where(lost < np.inf, 1.001 * np.maximum(lost, 0.0), np.inf)  # of a policy that is none nothing is known


@np.errstate(invalid="ignore")  # of an infinite ``spare``
def _one_gap(change: np.ndarray, gamma: float, wide: float, spare: float) -> tuple[Pair, Pair, Certificate]:
    r"""Bounds of ``V - V*`` and ``V - V^pi``, and the policy gap, where no row ends: one gap :math:`1 - \gamma` for all.

    With :math:`d = TV - V` known within ``wide``, ``change`` being :math:`-d`, :math:`V^* - V` is at most :math:`c = \max(d +
    w)/(1 - \gamma)`, and at most :math:`d + w + \gamma c`; from below alike, and for the policy with ``spare`` more.
    """
    (lo,), (hi,) = _gap(gamma)
    least, most = float(change.min()), float(change.max())

    def bounds(top: float, wide: float) -> tuple[float, float]:
        """``c`` of the largest residual, and ``w + gamma c``; what is added covers these roundings and that of the next sum."""
        c = top / (lo if top > 0.0 else hi)
        c += 4 * U * abs(c)
        rest = c - c * (lo if c >= 0.0 else hi) + wide + 16 * U * (abs(c) + wide + max(most, -least))
        return c, rest if np.isfinite(c) else np.inf

    (c, more), (d, less) = bounds(wide - least, wide), bounds(wide + most, wide)
    worse, lost = bounds(wide + spare + most, wide + spare)
    below = np.maximum(change - more, -c)
    above, own = np.minimum(change + less, d), np.minimum(change + lost, worse)
    gap = max(min(c + worse, more + lost) * (1 + 4 * U), 0.0)
    return (below, above), (below, own), Certificate("max(V* - V^pi)", "sup", 0.0, gap, REFERENCE)


def _rows(
    b: Any, V: np.ndarray, backup: Any, pi: Any, change: np.ndarray, r: float, wide: float | None, spare: Any
) -> tuple[Pair, Pair, float]:
    """Bounds of ``V - V*`` and ``V - V^pi`` in general, and the least ``1 - m``."""
    mdp, reg = b.mdp, b.reg
    pi = pi.form() if isinstance(pi, Later) else pi
    model = Doubled(mdp) if mdp.has_end else None
    Q = b.q(V) if backup.Q is None and model is not None else backup.Q
    gap = _gap(mdp.gamma)
    if wide is None:
        low, high = Enclosed.around(b.mask, Q, r, V).optimal(reg)
    else:
        low, high = -change - wide, wide - change
    if model is None:
        star = span_rows(low, high, (gap[0], gap[1], gap[0], gap[1]))
    elif b.hard:
        d = np.where(b.mask, Q, 0.0) - V[:, None]
        each = 1.001 * (r + U * np.abs(d))
        star = span_hard(d - each, d + each, model)
    else:
        star = span_rows(low, high, action_gaps(model, support_of(reg, b.mask)))
    gaps = (gap[0], gap[1], gap[0], gap[1]) if model is None else policy_gaps(model, pi)
    near = None if spare is None else (low - spare, high)
    low, high = near or Enclosed.around(b.mask, Q, r, V).of_policy(reg, pi)
    own = span_rows(low, high, gaps)
    least = float(gap[0][0]) if model is None else float(model.gap_lo[b.mask].min())
    return (-star[1], -star[0]), (-own[1], -own[0]), least


def certify_stages(stages: list[Any], V: np.ndarray) -> dict[str, Certificate]:
    r"""As ``certify_finite`` without regulariser, of backward induction's own ``V`` (H+1, S) and its greedy policy.

    ``stages`` are the ``Backups`` of the H stages, of floats. A stage adds its rounding ``r``, and passes on at most
    ``gamma`` of the error after it: :math:`e_h = r_h + \gamma e_{h+1}` bounds :math:`|V_h - V^*_h|`, and
    :math:`|V_h - V^\pi_h|` as well, the policy being greedy in the computed values. Both errors add to its gap.
    """
    H = len(stages)
    size = np.abs(V).max(axis=1)
    e, change, offs = np.zeros(H + 1), np.zeros(H + 1), {id(b): b.mdp.row_error for b in dict.fromkeys(stages)}
    for h in range(H - 1, -1, -1):
        b = stages[h]
        off, top = offs[id(b)], 1.001 * float(size[h + 1])
        r = radius(b.longest, b.reward_scale, top, off)
        e[h] = (r + b.gamma * e[h + 1]) * (1 + 4 * U)
        change[h] = (1.01 * off * (top + e[h + 1]) + (1 + 1.01 * off) * b.gamma * change[h + 1]) * (
            1 + 8 * U
        ) + UNDERFLOW
    wide = np.broadcast_to(e[:, None], V.shape)
    gap = 2 * float(e.max())
    return {
        "V - V*": Certificate("V - V*", "componentwise", -wide, wide, REFERENCE_STAGES),
        "V - V^pi": Certificate("V - V^pi", "componentwise", -wide, wide, REFERENCE_STAGES),
        "max(V* - V^pi)": Certificate("max(V* - V^pi)", "sup", 0.0, gap, REFERENCE_STAGES),
        "V*(floats) - V*": Certificate("V*(floats) - V*", "sup", -change.max(), change.max(), "see model_error"),
    }


class Residual(NamedTuple):
    """What is known of ``TV - V``, each (B,) or a number: of many members, or of one model.

    Attributes
    ----------
    low, high : its least and largest component in floats.  wide : what rounding may have changed in them.
    spare : how much less than ``TV`` the backup of the policy at hand may be, rounding included; ``inf`` where unknown.
    """

    low: Any
    high: Any
    wide: Any
    spare: Any


def constant_bounds(
    d: Residual, gamma: Any, least: Any, most: Any, row: Any, gamma_error: Any
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """``lower <= V* - V <= upper`` in every state, and the policy gap, each (B,): MacQueen's bracket with Porteus' masses.

    ``least``, ``most`` (B,): of the ends; ``row`` bounds the deviation of rows from one, ``gamma_error`` is the unit roundoff
    where the discount was rounded, else 0.
    """
    slack = 8 * U + 2 * row
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        gaps = [(1.0 - gamma) + gamma * end for end in (least, most)]
        near = np.maximum(gaps[0] * (1 - slack) - 2 * gamma_error, 0.0)  # the least 1 - gamma m, and the greatest
        far = np.minimum(gaps[1] * (1 + slack) + 2 * gamma_error, 1.0)
        upper = _over(up(d.high + 1.001 * d.wide), near, far)
        lower = -_over(up(1.001 * d.wide - d.low), near, far)
        own = -_over(up(1.001 * (d.wide + d.spare) - d.low), near, far)
        return lower, upper, np.maximum(up(upper - own), 0.0)


def _over(d: np.ndarray, near: np.ndarray, far: np.ndarray) -> np.ndarray:
    """Upper bound of ``d / gap`` for the gap in ``[near, far]`` that is worst for its sign."""
    return np.asarray(up(d / np.where(d > 0, near, far)))


def _gap(gamma: float) -> Pair:
    """Bounds of ``1 - gamma``, as arrays of one entry."""
    return np.array([(1.0 - gamma) * (1 - 2 * U)]), np.array([(1.0 - gamma) * (1 + 2 * U)])


def radius(longest: int, reward: Any, size: Any, off: Any) -> Any:
    """Bound on what separates compiled action values of ``|V| <= size`` from those of the exact model."""
    return backup_error(longest, reward, size) + 1.01 * off * size


def conjugate_error(reg: Any, n: int, TV: Any) -> Any:
    """Bound on the rounding of the compiled conjugate of at most ``TV``; None where none is at hand."""
    if isinstance(reg, Hard):
        return 0.0
    if isinstance(reg, Shannon):
        return shannon_error(n, reg.tau, TV)
    if isinstance(reg, Tsallis) and np.ndim(reg.q) == 0 and reg.q != 1:
        return tsallis_error(n, reg.q, reg.tau, TV)
    return None


def cost_of_rounding(reg: Any, n: int) -> Any:
    """``F`` above; None where none is at hand."""
    if isinstance(reg, Hard):
        return 0.0
    if isinstance(reg, Shannon):
        return 1.01 * reg.tau * 2 * (4 * np.log(n) + 2 * F + n + 4) * U
    return None


def _floats_change(off: float, gamma: float, bound: float, gap: float) -> float:
    """As ``lift_error``, with one bound for the deviations of all rows."""
    if not np.isfinite(bound):
        return float("inf")
    contraction = gap * (1 - 4 * U) - 2.02 * off
    change = 1.01 * gamma * off * bound * (1 + 8 * U) + UNDERFLOW
    return change / contraction * (1 + 32 * U) if contraction > 0 else float("inf")
