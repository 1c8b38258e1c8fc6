r"""Exact optima of linear programs over occupancies: a basis by HiGHS, the rest in rationals (FLINT).

At a basis :math:`B` of :math:`\max c x, A x = b, x \ge 0` the vertex :math:`x_B = B^{-1} b` and the multipliers :math:`y =
B^{-\top} c_B` are rational. If :math:`x \ge 0` and :math:`c - A^\top y \le 0`, both are optimal, and :math:`c x = b y`. Where
floats were mistaken by a little, exact pivots go on from there: of the primal simplex method where the vertex is feasible, of the
dual one where the multipliers are, by Bland's rule, which ends. Slack columns may be basic in equations, at zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from tabular import _validate as check
from tabular.errors import ImproperModel, InfeasibleProgram, NotConverged
from tabular.programs._highs import maximise
from tabular.programs._models import setting_of
from tabular.programs._settings import Setting
from tabular.programs.linear import checked

LARGEST = 400
"""Rows of the largest program that is solved in rationals."""
PIVOTS = 1_000


@dataclass(frozen=True)
class ExactProgram:
    """An exact optimum.

    Attributes
    ----------
    value : the optimum.  V : Fractions of shape (S,), with a horizon (H, S): multipliers of the flow; optimal values of the
        model with the rewards ``R - multipliers * costs`` in all states that are visited, upper bounds of them elsewhere.
    mu : Fractions (S, A) or (H, S, A), optimal occupancies at a vertex: at most as many pairs as states are visited, and one more
        for each constraint.  pi : the same shape, Fractions; the first available action where nobody comes.
    multipliers : (K,) Fractions, not negative.  pivots : exact pivots after HiGHS'.
    """

    value: Fraction
    V: np.ndarray
    mu: np.ndarray
    pi: np.ndarray
    multipliers: list[Fraction]
    pivots: int


def exact_program(model: Any, costs: Any = (), bounds: Any = (), rho: Any = None) -> ExactProgram:
    r"""The exact optimum of :math:`\max \langle \mu, R \rangle` over occupancies with :math:`\langle \mu, c_k \rangle \le b_k`.

    Of the exact model: the canonical lift of floats, or the rationals given. Arguments as ``constrained_program``; without costs
    the optimum is that of ``linear_program``, of ``exact_policy_iteration`` averaged over ``rho``. Primal and dual feasibility and
    equal objectives have been checked in rationals.

    Raises
    ------
    InfeasibleProgram with exact ``weights`` and ``margin``, checked, too. ImproperModel where the optimum is infinite, or (gamma =
    1, no constraints) no policy ends. NotConverged where HiGHS' basis is neither primal nor dual feasible. ValueError (ModelError)
    for data, and beyond 400 rows. Cost: two linear systems in rationals of S + K rows, for each pivot.
    """
    setting = setting_of(model, "exact_program", rho)
    C, b = given(setting, costs, bounds)
    if setting.states + len(C) > LARGEST:
        raise ValueError(
            f"the program has {setting.states + len(C)} rows: at most {LARGEST} are solved in rationals; "
            "linear_program and constrained_program prove their gaps in floats"
        )
    program = _Program(setting, C, b)
    try:
        x, y, pivots = program.solved()
    except _Astray:
        x, y, pivots = program.in_two_phases()
    value = sum((u * v for u, v in zip(y, program.right, strict=True)), Fraction(0))
    mu = np.full(int(np.prod(setting.shape)), Fraction(0), dtype=object)
    mu[setting.pairs] = [x.get(j, Fraction(0)) for j in range(program.n)]
    mu = mu.reshape(setting.shape)
    V = np.array([*y[: setting.states], None], dtype=object)[:-1].reshape(setting.shape[:-1])
    return ExactProgram(value, V, mu, _policy(mu, setting.mask), y[setting.states :], pivots)


class _Astray(Exception):
    """A basis from which exact pivots lead nowhere."""


class _Program:
    """The program in floats for HiGHS, and in rationals."""

    def __init__(self, setting: Setting, C: list[list[Fraction]], b: list[Fraction]) -> None:
        from scipy.sparse import csr_array, vstack

        self.setting, self.K = setting, len(C)
        columns, c, start = setting.exact()
        self.n, self.rows, self.right = len(columns), setting.states + len(C), [*start, *b]
        for j, column in enumerate(columns):
            column.update({setting.states + k: row[j] for k, row in enumerate(C) if row[j]})
        self.columns = [*columns, *({i: Fraction(1)} for i in range(self.rows))]
        self.c = [*c, *[Fraction(0)] * self.rows]
        # The slack of an equation never enters, and is zero.
        self.closed = [False] * self.n + [True] * setting.states + [False] * len(C)
        self.floats = setting.system()
        if C:
            self.floats = vstack([self.floats, csr_array(np.array([[float(x) for x in row] for row in C]))]).tocsc()
        self.limits = np.array([float(x) for x in self.right])

    def solved(self) -> tuple[dict[int, Fraction], list[Fraction], int]:
        """An optimal vertex, multipliers and pivots, from HiGHS' basis."""
        found = maximise(self.setting.rewards(), self.floats, self.limits, equal=self.setting.states)
        if found.status == "infeasible":
            raise _Astray
        return Tableau(self.columns, self.c, self.right, self.closed).solve(self._completed(found.basic))

    def in_two_phases(self) -> tuple[dict[int, Fraction], list[Fraction], int]:
        """The same after the least excess over the bounds was found, exactly. InfeasibleProgram where it is positive."""
        from scipy.sparse import csc_array, hstack

        states, K, t = self.setting.states, self.K, len(self.columns)
        if K:
            over = csc_array((-np.ones(K), np.arange(states, states + K), [0, K]), shape=(self.rows, 1))
            wide, c = hstack([self.floats, over]).tocsc(), np.append(np.zeros(self.n), -1.0)
        else:
            wide, c = self.floats, np.zeros(self.n)
        found = checked(self.setting, maximise(c, wide, self.limits, equal=states))
        basic = [t if j == self.n and K else j - (j > self.n and bool(K)) for j in found.basic]
        columns = [*self.columns, {states + k: Fraction(-1) for k in range(K)}]
        excess = [*[Fraction(0)] * t, Fraction(-1)]
        try:
            basis = self._completed(basic)
            x, y, first = Tableau(columns, excess, self.right, [*self.closed, not K]).solve(basis)
            if margin := x.get(t, Fraction(0)):
                weights = y[states:]
                raise InfeasibleProgram(message(weights, margin), weights, margin)
            found_x, found_y, second = Tableau(columns, [*self.c, Fraction(0)], self.right, [*self.closed, True]).solve(
                basis
            )
        except _Astray:
            raise NotConverged("HiGHS' basis is neither primal nor dual feasible in rationals") from None
        return found_x, found_y, first + second

    def _completed(self, basic: list[int]) -> list[int]:
        """As many columns as rows."""
        spare = (j for j in range(self.n, self.n + self.rows) if j not in basic)
        out = list(basic[: self.rows])
        while len(out) < self.rows:
            out.append(next(spare))
        return out


def given(setting: Setting, costs: Any, bounds: Any) -> tuple[list[list[Fraction]], list[Fraction]]:
    """Costs of the available pairs and bounds, exactly. ModelError naming what is wrong."""
    if isinstance(costs, (str, dict)) or np.ndim(bounds) != 1:
        raise TypeError("costs are arrays, one for each constraint, and bounds as many numbers")
    arrays = [setting.array(x, f"costs[{k}]") for k, x in enumerate(costs)]
    limits = [check.to_fraction(x, f"bounds[{k}]") for k, x in enumerate(bounds)]
    if len(arrays) != len(limits):
        check.fail(f"there are {len(arrays)} costs and {len(limits)} bounds")
    return [[Fraction(x) for x in a.ravel()[setting.pairs].tolist()] for a in arrays], limits


def _policy(mu: np.ndarray, mask: np.ndarray) -> np.ndarray:
    pi = np.full(mu.shape, Fraction(0), dtype=object)
    for s in np.ndindex(mu.shape[:-1]):
        total = sum(mu[s], Fraction(0))
        if total:
            pi[s] = [x / total for x in mu[s]]
        else:
            pi[(*s, int(mask[s].argmax()))] = Fraction(1)
    return pi


class Tableau:
    """``max c x, A x = b, x >= 0`` in rationals, sparse columns {row: entry}; ``closed`` columns never enter, and must be zero."""

    def __init__(
        self,
        columns: Sequence[dict[int, Fraction]],
        c: Sequence[Fraction],
        b: Sequence[Fraction],
        closed: Sequence[bool],
    ) -> None:
        self.columns, self.c, self.b, self.closed = columns, c, b, closed

    def solve(self, basis: list[int]) -> tuple[dict[int, Fraction], list[Fraction], int]:
        """A vertex {place: entry}, multipliers, and the number of pivots; ``basis`` becomes the last one."""
        for pivots in range(PIVOTS):
            x = self._system(basis, self.b, False)
            y = self._system(basis, [self.c[j] for j in basis], True)
            if x is None or y is None:
                raise _Astray
            wrong = [i for i, v in enumerate(x) if v < 0 or (v != 0 and self.closed[basis[i]])]
            reduced = self._reduced(self.c, y)
            better = [j for j, d in reduced.items() if d > 0 and not self.closed[j]]
            if not wrong and not better:
                return {j: v for j, v in zip(basis, x, strict=True) if v}, y, pivots
            if not wrong:
                self._primal(basis, x, min(better))
            elif not better:
                self._dual(basis, x, min(wrong, key=lambda i: basis[i]), reduced)
            else:
                raise _Astray
        raise NotConverged(f"no optimum after {PIVOTS} exact pivots")

    def _reduced(self, c: Sequence[Fraction], y: Sequence[Fraction]) -> dict[int, Fraction]:
        return {
            j: c[j] - sum((y[i] * a for i, a in column.items()), Fraction(0)) for j, column in enumerate(self.columns)
        }

    def _primal(self, basis: list[int], x: list[Fraction], j: int) -> None:
        d = self._system(basis, [self.columns[j].get(i, Fraction(0)) for i in range(len(self.b))], False)
        assert d is not None
        ratios = []
        for i, v in enumerate(d):
            if v > 0 or (v != 0 and self.closed[basis[i]]):  # a closed column stays at zero, whatever the sign
                ratios.append((x[i] / abs(v), basis[i], i))
        if not ratios:
            raise ImproperModel("the optimum is infinite: visits may grow without end, at a profit (gamma = 1)")
        basis[min(ratios)[2]] = j

    def _dual(self, basis: list[int], x: list[Fraction], i: int, reduced: dict[int, Fraction]) -> None:
        unit = [Fraction(int(k == i)) for k in range(len(basis))]
        row = self._system(basis, unit, True)
        assert row is not None
        sign = 1 if x[i] < 0 else -1
        entries = self._reduced([Fraction(0)] * len(self.columns), [-sign * v for v in row])
        ratios = [(reduced[j] / v, j) for j, v in entries.items() if v < 0 and not self.closed[j] and j not in basis]
        if not ratios:
            raise _Astray
        basis[i] = min(ratios)[1]

    def _system(self, basis: list[int], right: Sequence[Fraction], transpose: bool) -> list[Fraction] | None:
        from flint import fmpq, fmpq_mat

        n = len(basis)
        M = fmpq_mat(n, n)
        for k, j in enumerate(basis):
            for i, a in self.columns[j].items():
                M[(k, i) if transpose else (i, k)] = fmpq(a.numerator, a.denominator)
        try:
            x = M.solve(fmpq_mat(n, 1, [fmpq(v.numerator, v.denominator) for v in right]))
        except ZeroDivisionError:
            return None
        return [Fraction(int(x[i, 0].p), int(x[i, 0].q)) for i in range(n)]


def message(weights: Sequence[Any], margin: Any) -> str:
    shown = ", ".join(f"{float(w):.4g}" for w in weights[:6]) + (", ..." if len(weights) > 6 else "")
    return (
        f"no policy meets all constraints: with the weights ({shown}) on them, every policy's cost exceeds its bound by at least "
        f"{float(margin):.6g}"
    )
