r"""Constrained MDPs: the largest reward of policies whose costs stay within bounds.

.. math:: \max \{\langle \mu, R \rangle : \mu \text{ occupancies}, \langle \mu, c_k \rangle \le b_k\} \;=\; \min_{\lambda \ge 0}
          \rho V^*_{R - \lambda c} + \lambda b,

with :math:`V^*_{R - \lambda c}` the optimal values for the rewards :math:`R - \sum_k \lambda_k c_k`. Any :math:`\lambda \ge 0`
bounds the optimum from above; HiGHS' multipliers are nearly the best ones. At a vertex at most one more pair for each constraint is
taken than states are visited: so many randomisations a policy needs. And if :math:`\rho V^*_{-yc} < -yb` for some :math:`y \ge 0`,
no policy meets the constraints. Source: Derman and Klein 1965; Altman 1999, chapters 3 and 9; claims foundations.C38, C39.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, NamedTuple, NoReturn

import numpy as np

from tabular import _border as border
from tabular.errors import InfeasibleProgram, NotConverged
from tabular.programs._highs import Proposal, maximise
from tabular.programs._models import setting_of
from tabular.programs._settings import Setting
from tabular.programs.exact import LARGEST, exact_program, given, message
from tabular.programs.linear import TOL, checked, grounded, scale
from tabular.programs.solution import CONSTRAINTS, DUALITY, GAP, ProgramSolution, bounds, delivered, judged
from tabular.solution import Certificate, Status

TIGHTER = (0.0, 2.0**-46, 2.0**-40, 2.0**-34, 2.0**-28)
"""By how much of a constraint's size it is tightened, until the policy is proved to meet it in spite of rounding."""


def constrained_program(
    model: Any, costs: Any, limits: Any, rho: Any = None, *, tol: float = TOL, throw: bool = True
) -> ProgramSolution:
    r"""The best policy under constraints on expected costs, with multipliers and a proved gap.

    Parameters
    ----------
    model : MDP or FiniteHorizonMDP, as ``linear_program`` takes it. Other than there, with ``gamma = 1`` every end component of
        non-zero reward must lose.
    costs : (K, S, A), with a horizon (K, H, S, A): cost of a step, where available; counted as rewards are, from ``rho``,
        discounted.  limits : (K,) the largest allowed :math:`\langle \mu, c_k \rangle`.
    rho, tol, throw : as for ``linear_program``.

    Returns
    -------
    ProgramSolution. ``pi`` randomises in at most K states, and is proved to meet every constraint where ``violation <= 0``;
    ``lower`` is ``-inf`` otherwise, as where constraints leave no room for rounding: ``exact_program`` decides those.
    ``multipliers`` are what a unit of each limit is worth; ``V`` the optimal values at these prices.

    Raises
    ------
    InfeasibleProgram where no policy meets the constraints, proved: ``weights`` and ``margin``, also by ``exact_program`` where
    floats cannot tell. ImproperModel, NotConverged, ValueError (ModelError), TypeError as ``linear_program``.
    """
    setting = setting_of(model, "constrained_program", rho)
    border.positive(tol, "tol", "relative to the objective")
    border.flag(throw, "throw")
    limited = Constraints(setting, costs, limits)
    grounded(setting)
    found = limited.proposed(limited.b)
    if found.status == "infeasible":
        _refuse(setting, limited, found)
    made = limited.kept(checked(setting, found))
    multipliers = np.maximum(found.y[setting.states :], 0.0)
    bought, V = limited.priced(multipliers, made.pi)
    low, high = setting.worth(setting.model, made.pi)
    feasible = bool((made.over[1] <= 0).all())
    certificates = bounds((low if feasible else -np.inf, high), bought)
    certificates[CONSTRAINTS] = Certificate(CONSTRAINTS, "componentwise", *made.over, DUALITY)
    allowed = tol * scale(setting, bought)
    status = judged(certificates[GAP].upper, allowed) if feasible else Status.ROUNDING_FLOOR
    info = {
        "proposed": found.value,
        "tightened": made.tighter,
        "randomisations": int(((made.pi > 0).sum(-1) - 1).sum()),
    }
    solution = ProgramSolution(
        "reward from rho under constraints", made.pi, setting.visits(made.pi), V, multipliers, certificates, status,
        "simplex method (HiGHS)", found.iterations, {}, info,
    )  # fmt: skip
    return delivered(solution, throw, allowed)


class Kept(NamedTuple):
    """A policy, bounds on its costs less the limits (two arrays (K,)), and by what share of their sizes these were tightened."""

    pi: np.ndarray
    over: tuple[np.ndarray, np.ndarray]
    tighter: float


class Constraints:
    """Costs and limits, exactly and in floats.

    Attributes
    ----------
    arrays : K arrays over pairs.  limits : K Fractions.  C, b : (K, m) and (K,) in floats.
    """

    def __init__(self, setting: Setting, costs: Any, limits: Any) -> None:
        from scipy.sparse import csr_array, vstack

        self.setting = setting
        exact, self.limits = given(setting, costs, limits)
        self.arrays = [setting.array(x, f"costs[{k}]") for k, x in enumerate(costs)]
        self.C = np.array([[float(x) for x in row] for row in exact]).reshape(len(exact), len(setting.pairs))
        self.b = np.array([float(x) for x in self.limits])
        self.system = vstack([setting.system(), csr_array(self.C)]).tocsc() if len(exact) else setting.system()

    def proposed(self, b: np.ndarray) -> Proposal:
        """By HiGHS, with these limits."""
        s = self.setting
        return maximise(s.rewards(), self.system, np.concatenate([s.start, b]), equal=s.states)

    def kept(self, found: Proposal) -> Kept:
        """The policy of a proposal that is proved to keep to the limits; where none of those tried is, the first."""
        s, sizes = self.setting, np.maximum(np.abs(self.b), np.abs(self.C).max(axis=1, initial=0.0))
        first: Kept | None = None
        for tighter in TIGHTER:
            if tighter:
                found = self.proposed(self.b - tighter * sizes)
                if found.status != "optimal":
                    break
            y = found.y
            pi = s.policy(s.spread(found.x), s.elsewhere(s.rewards() - self.system.T @ y))
            made = Kept(pi, self.excess(pi), tighter)
            first = first or made
            if (made.over[1] <= 0).all():
                return made
        assert first is not None
        return first

    def excess(self, pi: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Proved bounds on the costs of a policy, less the limits."""
        s, found = self.setting, []
        for x, b in zip(self.arrays, self.limits, strict=True):
            low, high = s.worth(s.priced([(Fraction(1), x)], own=False), pi)
            found.append((_rounded(low, -b, False), _rounded(high, -b, True)))
        low_high = np.array(found).reshape(len(found), 2)
        return low_high[:, 0], low_high[:, 1]

    def priced(self, multipliers: np.ndarray, pi: np.ndarray | None, own: bool = True) -> tuple[float, np.ndarray]:
        r"""A proved bound on :math:`\rho V^*_{R - \lambda c} + \lambda b`, and the values; ``own``: whether R counts."""
        exact = [Fraction(x) for x in multipliers.tolist()]
        model = self.setting.priced([(-x, c) for x, c in zip(exact, self.arrays, strict=True)], own)
        most, V = self.setting.most(model, pi)
        return _rounded(most, sum((x * b for x, b in zip(exact, self.limits, strict=True)), Fraction(0)), True), V


def _rounded(x: float, off: Fraction, up: bool) -> float:
    """``x + off``, rounded upwards or downwards."""
    if not np.isfinite(x):
        return x
    exact = Fraction(x) + off
    out = float(exact)
    if Fraction(out) < exact and up:
        return float(np.nextafter(out, np.inf))
    return float(np.nextafter(out, -np.inf)) if Fraction(out) > exact and not up else out


def _refuse(setting: Setting, limited: Constraints, found: Proposal) -> NoReturn:
    """Raise InfeasibleProgram with a proof, in floats or else in rationals."""
    from scipy.sparse import csc_array, hstack

    K, states = len(limited.b), setting.states
    if K == 0:
        checked(setting, found)
    over = csc_array((-np.ones(K), np.arange(states, states + K), [0, K]), shape=(states + K, 1))
    right = np.concatenate([setting.start, limited.b])
    least = maximise(
        np.append(np.zeros(len(setting.pairs)), -1.0), hstack([limited.system, over]).tocsc(), right, equal=states
    )
    checked(setting, least)
    weights = np.maximum(least.y[states:], 0.0)
    if weights.any():
        weights /= weights.sum()
        margin = -limited.priced(weights, None, own=False)[0]
        if margin > 0:
            raise InfeasibleProgram(message(weights, margin), weights, margin)
    if states + K <= LARGEST:
        exact_program(setting.model, limited.arrays, limited.limits)
    raise NotConverged(
        "the constraints leave no policy, as floats see it, or hardly one: no proof was found either way"
    )
