r"""Finite horizons: a running error bound, stage by stage; and exact backward induction.

With :math:`L \le V^*_{h+1} - V_{h+1} \le U` (arrays) and advantages :math:`d_a = Q_{V_{h+1}}(\cdot, a) -
V_h`,

.. math:: \max_a [d_a + \gamma P_a L] \le V^*_h - V_h \le \max_a [d_a + \gamma P_a U]

without regulariser; with one, :math:`d + \min_a \gamma P_a L \le V^*_h - V_h \le d + \max_a \gamma P_a U`
for :math:`d = T V_{h+1} - V_h`. For a policy, :math:`V^\pi_h - V_h = T_\pi V_{h+1} - V_h + \gamma P_\pi
(V^\pi_{h+1} - V_{h+1})`, and never more than :math:`V^*_h - V_h`. Residuals are formed in doubled precision,
so that bounds are about as large as the errors, and the gap of a greedy policy about its rounding.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from tabular import _border as border
from tabular import _validate as check
from tabular._rounding import U
from tabular.certificates import balls
from tabular.certificates.doubled import UNDERFLOW, down, two_sum, up
from tabular.certificates.float_bounds import Enclosed, Pair, gap_certificate, support_of
from tabular.certificates.given import policy_of, regularizer_of, values_of
from tabular.certificates.lift import lift_error_finite
from tabular.certificates.model import Doubled
from tabular.certificates.refinement import Residual
from tabular.regularizers import Hard
from tabular.solution import Certificate

REFERENCE = "monotonicity of the backup, by induction from the last stage"


def certify_finite(
    fh: Any, V: Any, regularizer: Any = None, pi: Any = None, *, want: float | None = None
) -> dict[str, Certificate]:
    """Rigorous enclosures of ``V - V*`` and, given a policy, of ``V - V^pi`` and ``max(V* - V^pi)``, all stages.

    Parameters
    ----------
    fh : FiniteHorizonMDP.  V : (H+1, S) finite floats, any approximation of the optimal (regularised) values; or a
        ``Solution``, whose regulariser and policy are taken unless others are given.
    regularizer : as in ``solve``; a reference (S, A) serves every stage.
    pi : (H, S, A) policy, or (H, S) actions; rows are divided by their exact sums.
    want : an absolute error, in the unit of the rewards, that is good enough: bounds in float64 of at most this
        are not refined. By default everything is in doubled precision.

    Returns
    -------
    Certificates by quantity, as those of ``certify``: "V - V*", "V - V^pi" componentwise, (H+1, S);
    "V*(floats) - V*" bounds what reading floats as the exact model changes, in any stage. Nothing is said of
    ``pi`` where one's own regulariser has no ``value``. Cost: about 40 backups of each stage (with a
    regulariser, some 10 microseconds a pair, with a policy 20; beyond 40,000 pairs a stage in plain floats).
    Raises ValueError for shapes, values that are not finite and rows that are no distribution.
    """
    border.expect(fh, "certify_finite", "FiniteHorizonMDP")
    solution = V
    V, pi = check.float_array(values_of(V), "V"), policy_of(V, pi)
    if V.shape != (fh.H + 1, fh.S):
        raise ValueError(f"V has shape {V.shape}: expected ({fh.H + 1}, {fh.S})")
    if not np.isfinite(V).all():
        raise ValueError("V is not finite: only finite values have a certificate")
    pi = None if pi is None else border.staged_policy(pi, fh)
    if want is not None:
        border.positive(want, "want", "in the unit of the rewards", zero=True)
    models = {id(m): Doubled(m) for m in map(fh.stage, range(fh.H))}
    regularizers = {id(m): regularizer_of(solution, regularizer, m.mask) for m in map(fh.stage, range(fh.H))}
    stages = [(models[id(m)], regularizers[id(m)]) for m in map(fh.stage, range(fh.H))]
    rounding = 0.0 if fh._terminal_exact is None else U * np.abs(fh.terminal) + UNDERFLOW
    off = fh.terminal - V[-1]
    last = down(off - rounding), up(off + rounding)
    if want is None:
        star, own = _induction(stages, V, pi, last, in_floats=False)
    else:
        star, own = _induction(stages, V, pi, last, in_floats=True)
        if not max(_size(star), 0.0 if own is None else _size(own)) <= want:
            star, own = _induction(stages, V, pi, last, in_floats=False)
    if _is_worthless(fh, regularizers, pi):
        star, own = (0.0 - V, 0.0 - V), None if own is None else (0.0 - V, 0.0 - V)
    out = {"V - V*": Certificate("V - V*", "componentwise", -star[1], -star[0], REFERENCE)}
    size = up(np.abs(V).max(axis=1) + np.maximum(star[1], -star[0]).max(axis=1))
    lift = lift_error_finite(fh, [m for m, _ in stages], size.tolist())
    out["V*(floats) - V*"] = Certificate("V*(floats) - V*", "sup", -lift, lift, "see model_error")
    if own is not None:
        out["V - V^pi"] = Certificate("V - V^pi", "componentwise", -own[1], -own[0], REFERENCE)
        out["max(V* - V^pi)"] = gap_certificate(star, own)._replace(reference=REFERENCE)
    return out


def _is_worthless(fh: Any, regularizers: dict[int, Any], pi: np.ndarray | None) -> bool:
    """Whether all values are exactly zero, the optimal ones and those of ``pi``."""
    from tabular.certificates.nothing import stays, worthless

    terminal = fh.terminal if fh._terminal_exact is None else fh._terminal_exact
    if any(x != 0 for x in terminal):
        return False
    if not all(worthless(m, regularizers[id(m)]).all() for m in fh._distinct):
        return False
    every, models = np.ones(fh.S, dtype=bool), [fh.stage(h) for h in range(fh.H)]
    return pi is None or all(stays(pi[h], regularizers[id(m)], m.mask, every) for h, m in enumerate(models))


def _size(bounds: Pair) -> float:
    return max(float(bounds[1].max()), -float(bounds[0].min()))


def _induction(
    stages: list[tuple[Doubled, Any]], V: np.ndarray, pi: np.ndarray | None, last: Pair, in_floats: bool
) -> tuple[Pair, Pair | None]:
    """Bounds (H+1, S) on ``V* - V`` and ``V^pi - V``; None where no policy, or no value of ``Omega``, is given."""
    star, own = (np.empty_like(V), np.empty_like(V)), (np.empty_like(V), np.empty_like(V))
    for bounds in (star, own):
        bounds[0][-1], bounds[1][-1] = last
    known = pi is not None
    for h in range(len(stages) - 1, -1, -1):
        stage = Stage(*stages[h], V[h], V[h + 1], in_floats)
        low, high = stage.optimal(star[0][h + 1], star[1][h + 1])
        if known:
            try:
                below, above = stage.of_policy(pi[h], own[0][h + 1], own[1][h + 1])  # type: ignore[index]
            except NotImplementedError:  # Omega of a given policy is unknown
                known = False
            else:
                low = np.maximum(low, below)  # V^pi <= V*
                own[0][h], own[1][h] = below, np.minimum(above, high)
        star[0][h], star[1][h] = low, high
    return star, own if known else None


class Stage:
    """One step back: residuals of ``V`` against the backup of ``after``, in doubled precision or, where asked
    for or there are too many pairs for balls or numbers too large, in float64.
    """

    def __init__(self, model: Doubled, regularizer: Any, V: np.ndarray, after: np.ndarray, in_floats: bool) -> None:
        self.model, self.regularizer, self.V, self.after = model, regularizer, V, after
        self.hard = isinstance(regularizer, Hard)
        self.floats: Enclosed | None = None
        if not (in_floats or (not self.hard and model.mask.size > balls.PAIRS)):
            try:
                self.q = model.q(after, np.zeros_like(after))
                return
            except OverflowError:
                pass
        self.floats = Enclosed(model.mdp, after, V)

    def optimal(self, low: np.ndarray, high: np.ndarray) -> Pair:
        """Bounds (S,) on ``V* - V`` from those ``low``, ``high`` of the next stage."""
        P_low, P_high = -expectation_up(self.model, -low), expectation_up(self.model, high)
        d_low, d_high = self._optimal()
        mask = self.model.mask
        if self.hard:
            pick = lambda x: np.where(mask, x, -np.inf).max(axis=1)  # noqa: E731
            return pick(down(d_low + P_low)), pick(up(d_high + P_high))
        support = support_of(self.regularizer, mask)
        least, most = (
            np.where(support, P_low, np.inf).min(axis=1),
            np.where(support, P_high, -np.inf).max(axis=1),
        )
        return down(d_low + least), up(d_high + most)

    def _optimal(self) -> Pair:
        if self.floats is not None:
            return self.floats.optimal(self.regularizer)
        qh, ql, error = self.q
        if self.hard:
            s, e = two_sum(qh, -self.V[:, None])
            return down(s + down(down(e + ql) - error)), up(s + up(up(e + ql) + error))
        zero = np.zeros_like(self.V)
        d, rad = balls.conjugate_residual(self.regularizer, qh, ql, self.V, zero, self.model.mask)
        rad = up(rad + error)
        return down(d - rad), up(d + rad)

    def of_policy(self, pi: np.ndarray, low: np.ndarray, high: np.ndarray) -> Pair:
        """The same for ``V^pi - V``."""
        if self.floats is not None:
            d_low, d_high = self.floats.of_policy(self.regularizer, pi)
        else:
            d, rad = Residual(self.model, self.regularizer, pi).of_policy(*self.model.less(*self.q, self.V, 0.0))
            d_low, d_high = down(d - rad), up(d + rad)
        P_low, P_high = -expectation_up(self.model, -low), expectation_up(self.model, high)
        return down(d_low - average_up(pi, -P_low)), up(d_high + average_up(pi, P_high))


def average_up(pi: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Upper bound (S,) of the mean of ``x`` (S, A) under the rows of ``pi`` divided by their exact sums."""
    x = np.where(pi > 0, x, 0.0)
    relative = 1.01 * np.abs(pi.sum(axis=1) - 1.0) + 2.0 * (pi.shape[1] + 8) * U
    with np.errstate(over="ignore", invalid="ignore"):
        out = up((pi * x).sum(axis=1) + up((pi * np.abs(x)).sum(axis=1) * relative + pi.shape[1] * UNDERFLOW))
    return np.where(np.isnan(out), np.inf, out)


def expectation_up(model: Doubled, x: np.ndarray) -> np.ndarray:
    """Upper bound (S, A) of ``gamma P x`` in the exact model: a float64 product and its rounding (Higham
    2002, section 3.1).
    """
    from tabular.reference.numpy_ops import row_expectation

    P = model.mdp.P
    width = model.S if not model.mdp.is_sparse else int(np.diff(P.indptr).max(initial=0))
    relative = 2.0 * (width + 8 + model.second) * U + 2.0 * model.c_bound
    with np.errstate(over="ignore", invalid="ignore"):
        size = row_expectation(P, np.abs(x), model.S, model.A)
        out = up(
            model.gamma * row_expectation(P, x, model.S, model.A)
            + up(model.gamma * size * relative + (width + 4) * UNDERFLOW)
        )
    return np.where(np.isnan(out), np.inf, out)


def exact_backward_induction(fh: Any) -> tuple[list[list[Fraction]], np.ndarray]:
    """Optimal values ``V[h][s]`` (H+1 lists of S Fractions) and the first optimal actions (H, S) of a
    finite horizon, exactly.

    Numbers grow by about 60 bits a stage where rows are floats. O(H nnz) rational operations.
    """
    border.expect(fh, "exact_backward_induction", "FiniteHorizonMDP")
    from flint import fmpq

    from tabular.certificates.exact_rows import ExactRows, as_fraction

    exact = fh.exact()
    V: list[Any] = [fmpq(x.numerator, x.denominator) for x in exact.terminal]
    values, actions = [V], np.empty((fh.H, fh.S), dtype=np.int64)
    stages: dict[int, ExactRows] = {}
    for h in range(fh.H - 1, -1, -1):
        stage = exact.stages[h]
        rows = stages.get(id(stage))
        if rows is None:
            rows = stages[id(stage)] = ExactRows(stage)
        new = []
        for s in range(fh.S):
            best: Any = None
            for a in np.flatnonzero(stage.mask[s]).tolist():
                i = s * fh.A + a
                q = rows.action_value(i, V)
                if best is None or q > best:
                    best, actions[h, s] = q, a
            new.append(best)
        V = new
        values.append(V)
    return [[as_fraction(x) for x in row] for row in reversed(values)], actions
