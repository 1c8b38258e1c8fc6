"""soft_robust: entropic values and policies of the ring, state by state, for rising aversion to risk."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from figures.table import Table
from tabular.instances import ring
from tabular.planning.soft_robust import robust_policy_iteration
from tabular.risk import Entropic

BETAS = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0)
QUICK: dict[str, Any] = {"slips": (0.01,), "betas": (0.0, 0.1, 3.0)}


def compute(*, slips: Sequence[float] = (0.01, 0.15), betas: Sequence[float] = BETAS) -> Table:
    """Columns ``slip``, ``beta`` (per unit of reward; 0 is neutral), ``state``, ``V`` and ``error_bound``, its
    certified bound over all states, in units of reward, ``action`` (-1 left, 0 stay, 1 right) and ``mean``, that of V
    over the states.

    The discount is the source's, 19/20. Nothing is drawn.
    """
    rows = []
    for slip in slips:
        mdp = ring(slip)
        for beta in betas:
            sol = robust_policy_iteration(mdp, Entropic(beta))
            actions, mean = sol.pi.argmax(axis=1) - 1, sol.V.mean()
            rows += [(slip, beta, s, sol.V[s], sol.error_bound, actions[s], mean) for s in range(mdp.S)]
    return Table.of_rows(("slip", "beta", "state", "V", "error_bound", "action", "mean"), rows, gamma=0.95)
