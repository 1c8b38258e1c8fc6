r"""The linear programs of a decision process: values, and occupancies, each the other's dual.

.. math:: \min \{\rho V : V \ge R + \gamma P V\} \;=\; \max \{\langle \mu, R \rangle : \mu \ge 0, \text{ flow}\}.

A basic solution of the second has one action in each state that is visited: a policy. Source: Manne 1960; d'Epenoux 1963;
Puterman 1994, sections 6.9 and 7.2; claims foundations.C30-C34.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tabular import _border as border
from tabular.errors import ImproperModel, NotConverged
from tabular.programs._highs import NEVER_ENDS, Proposal, maximise
from tabular.programs._models import setting_of
from tabular.programs._settings import Setting
from tabular.programs.solution import GAP, ProgramSolution, bounds, delivered, judged

TOL = 1e-9
"""Default tolerance of a gap, relative to the objective or the largest reward."""


def linear_program(
    model: Any, rho: Any = None, *, form: str = "occupancies", tol: float = TOL, throw: bool = True
) -> ProgramSolution:
    r"""An optimal policy by linear programming (HiGHS, simplex), with a proved duality gap.

    Parameters
    ----------
    model : MDP or FiniteHorizonMDP, dense or sparse. With ``gamma = 1`` ends must be declared, and what is maximised is over
        policies under which the process ends: staying for ever has no occupancy, even where it is worth nothing.
    rho : (S,) start distribution; the model's if None.
    form : which of the two programs is handed to HiGHS, "occupancies" or "values". The other is its dual: answers agree.
    tol : largest gap, relative to the larger of the objective and the largest reward.  throw : raise NotConverged above it.

    Returns
    -------
    ProgramSolution: ``pi`` is the policy of the occupancies, greedy where nobody comes, ``mu`` its visits by a linear system;
    ``V`` the optimal values, found from there by policy iteration, which the LP leaves open in states without visits.
    ``certificates`` has those of ``V`` and ``pi``, too. ``info``: ``proposed``, and HiGHS' ``mu`` and ``V`` as they came.

    Raises
    ------
    ImproperModel with ``gamma = 1`` where no policy ends from the start, or the optimum is infinite; NotConverged; ModelError
    (a ValueError), ValueError and TypeError for arguments. Cost: that of the simplex method, some S to 3 S pivots.
    """
    setting = setting_of(model, "linear_program", rho)
    border.positive(tol, "tol", "relative to the objective")
    border.flag(throw, "throw")
    if form not in ("occupancies", "values"):
        raise ValueError(f"form is {form!r}: expected 'occupancies' or 'values'")
    grounded(setting)
    system, start, r = setting.system(), setting.start, setting.rewards()
    if form == "occupancies":
        found = checked(setting, maximise(r, system, start))
        x, y, value = found.x, found.y, found.value
    else:  # max -rho V, flow^T V >= r: multipliers of these rows are occupancies, with the sign of a maximum turned
        every, unit = np.ones(setting.states, dtype=bool), 2.0 ** np.floor(np.log2(scale(setting, 0.0)))
        found = maximise(-start, system.T, r / unit, equal=0, free=every, lower=True)
        if found.status != "optimal":  # weak duality: what is infinite here has no policy there
            swap = {"infeasible": "unbounded", "unbounded": "infeasible"}
            found = checked(setting, found._replace(status=swap[found.status]))
        x, y, value = -found.y, found.x * unit, -found.value * unit
    mu, W = setting.spread(np.maximum(x, 0.0)), y.reshape(setting.shape[:-1])
    pi = setting.policy(mu, setting.elsewhere(r - system.T @ y))
    sol = setting.best(setting.model, pi)
    most = setting.returned(sol.V, sol.certificates["V - V*"].lower, True)
    certificates = bounds(setting.worth(setting.model, pi), most)
    for name in ("V - V*", "V*(floats) - V*"):
        certificates[name] = sol.certificates[name]
    allowed = tol * scale(setting, most)
    status = judged(certificates[GAP].upper, allowed)
    info = {"proposed": value, "mu": mu, "V": W, "form": form}
    solution = ProgramSolution(
        "total reward from rho" if setting.gamma == 1 else "discounted reward from rho",
        pi, setting.visits(pi), sol.V, None, certificates, status, f"simplex method (HiGHS), {form}", found.iterations, {}, info,
    )  # fmt: skip
    return delivered(solution, throw, allowed)


def grounded(setting: Setting) -> None:
    """ImproperModel where the optimal total reward is not finite, as ``solve`` finds."""
    if setting.gamma == 1 and len(setting.shape) == 2:
        from tabular._backups import Backups
        from tabular.planning._total import total_reward

        total_reward(Backups(setting.model))


def checked(setting: Setting, found: Proposal) -> Proposal:
    """ImproperModel where the program has no optimum; NotConverged where HiGHS is mistaken, for ``gamma < 1`` or a horizon."""
    if found.status != "optimal" and (setting.gamma < 1 or len(setting.shape) == 3):
        raise NotConverged(
            f"HiGHS takes a program with an optimum for {found.status}: gamma = {border.discount(setting.gamma)} may be too near "
            "one, or the numbers too far apart, for its tolerances; solve has no such limits"
        )
    if found.status == "infeasible":
        raise ImproperModel(NEVER_ENDS)
    if found.status == "unbounded":
        raise ImproperModel("gamma = 1: the optimal total reward is infinite")
    return found


def scale(setting: Setting, value: float) -> float:
    """What a tolerance is relative to."""
    rewards = float(np.abs(setting.rewards()).max(initial=0.0))
    return max(rewards, abs(value) if np.isfinite(value) else 0.0, 2.0**-1000)
