r"""The linear program of the average reward: stationary laws, and a gain with a bias as its dual.

.. math:: \max \{\langle d, R \rangle : d \ge 0,\ \textstyle\sum d = 1,\ \sum_a d(s,a) = \sum_{s',a} d(s',a) P(s|s',a)\}
          = \min \{g : g \ge R + P h - h\},

the largest gain that any start may have. Both sides bound without a tolerance: any h from above, and on a recurrent class of a
policy from below (Odoni 1969). Source: Manne 1960; Puterman 1994, section 8.8.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tabular import _border as border
from tabular.programs._highs import maximise
from tabular.programs._models import Stationary
from tabular.programs.linear import TOL, checked
from tabular.programs.solution import GAP, ProgramSolution, bounds, delivered, judged
from tabular.reference import operators
from tabular.reference.enclosure_ops import EnclosureOps

REFERENCE = "Odoni 1969: residuals of any bias"


def average_program(mdp: Any, *, tol: float = TOL, throw: bool = True) -> ProgramSolution:
    r"""The largest average reward over all starts and policies, by linear programming (HiGHS), with a proved gap.

    ``mdp``: without ends; its discount and start are ignored.  ``tol`` relative to the largest ``|R|``; ``throw`` as elsewhere.

    Returns ProgramSolution: ``mu`` (S, A) a stationary law that earns it, of one recurrent class of ``pi`` (outside of it, greedy
    for ``V``); ``V`` (S,) a bias h that proves the upper bound. In a model whose states all reach one another this is the optimal
    average reward of each state; ``average_reward`` has it state by state in any model.

    Raises ModelError where a pair may end, NotConverged, TypeError, ValueError. Cost: a simplex method with S + 1 rows.
    """
    from scipy.sparse import csr_array, vstack

    from tabular.planning._gain_bounds import undiscounted

    border.expect(mdp, "average_program", "MDP")
    border.positive(tol, "tol", "relative to the largest reward")
    border.flag(throw, "throw")
    model = undiscounted(mdp)._with(rho=np.full(mdp.S, 1.0 / mdp.S))
    setting = Stationary(model)
    r, system = setting.rewards(), setting.system()
    rows = vstack([system, csr_array(np.ones((1, len(r))))]).tocsc()
    found = checked(setting, maximise(r, rows, np.append(np.zeros(mdp.S), 1.0)))
    d, h = setting.spread(np.maximum(found.x, 0.0)), found.y[: mdp.S]
    greedy = np.zeros(setting.shape)
    ahead = np.where(mdp.mask, setting.spread(r - system.T @ h), -np.inf)
    greedy[np.arange(mdp.S), ahead.argmax(axis=1)] = 1.0
    pi = setting.policy(d, greedy)
    ops = EnclosureOps()
    m = ops.model(model)
    high = ops.bounds(operators.q_backup(ops, m, ops.array(h, 1)) - ops.array(h, 1)[:, None])[1]
    most = float(high[mdp.mask].max())
    certificates = bounds(_on_class(model, pi, d.sum(axis=1) > 0), most, REFERENCE)
    unit = max(float(np.abs(r).max()), 2.0**-1000)
    solution = ProgramSolution(
        "average reward, from the best start", pi, d, h, None, certificates, judged(certificates[GAP].upper, tol * unit),
        "simplex method (HiGHS)", found.iterations, {}, {"proposed": found.value},
    )  # fmt: skip
    return delivered(solution, throw, tol * unit)


def _on_class(model: Any, pi: np.ndarray, inside: np.ndarray) -> tuple[float, float]:
    """Bounds on the gain of a policy from states that it never leaves; nothing is known where it does."""
    from tabular.planning.average_reward import evaluate_average

    P = model.csr()
    owner = np.repeat(np.arange(model.S * model.A), np.diff(P.indptr))
    used = (pi.ravel()[owner] > 0) & (P.data > 0) & inside[owner // model.A]
    if not inside.any() or not inside[P.indices[used]].all():
        return -np.inf, np.inf
    ops = EnclosureOps()
    h = ops.array(evaluate_average(model, pi).bias, 1)
    low, high = ops.bounds(ops.policy_backup(ops.model(model), ops.distribution(pi), h) - h)
    return float(low[inside].min()), float(high[inside].max())
