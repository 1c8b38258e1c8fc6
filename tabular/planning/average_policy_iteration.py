r"""Howard's policy iteration for the average reward, with any number of recurrent classes.

Each policy is evaluated for its gain ``g`` and bias ``h``. An action is exchanged for one that leads to a larger gain,
:math:`P_a g > g`; or, the gains being equal, for one with :math:`R_a + P_a h > g + h`. In exact arithmetic this ends: with the
bias, discounted values next to one are :math:`V_\gamma = g / (1 - \gamma) + h + O(1 - \gamma)`, so that such an exchange
raises :math:`V_\gamma` for every discount near enough to one, and no policy returns. At the end ``(g, h)`` solves the
optimality equations of multichain models. In floats an action is exchanged where it is better by more than rounding can
feign, and the certificate has the last word.
Source: Howard 1960; Blackwell 1962; Puterman 1994, section 9.2.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tabular import _border as border
from tabular._backups import Backups
from tabular.errors import ImproperModel
from tabular.mdp import MDP
from tabular.planning._average_finish import delivered, finish, of_no_use, of_policy
from tabular.planning._finish import TOL, check_options
from tabular.planning._gain_bounds import components, undiscounted
from tabular.planning.average_solution import AverageSolution
from tabular.solution import Status


@np.errstate(over="ignore", invalid="ignore")  # the status says it
def average_policy_iteration(
    mdp: MDP, *, tol: float = TOL, max_iter: int = 1_000, pi0: Any = None, throw: bool = True, why: str = ""
) -> AverageSolution:
    """Optimal average reward by multichain policy iteration.

    Parameters
    ----------
    mdp : MDP without endings; its discount is ignored.
    tol : only names the result: the iteration ends at a policy that nothing improves.  max_iter : policies evaluated.
    pi0 : (S,) actions, or (S, A) policy, of which the likeliest actions are taken; the most rewarding ones if None.

    Raises as ``relative_value_iteration``. Cost of a step: a linear system for each recurrent class, two for the rest.
    """
    border.expect(mdp, "average_policy_iteration", "MDP")
    check_options(tol, throw, None, max_iter=max_iter)
    model = undiscounted(mdp)
    b = Backups(model)
    actions = (model.R if pi0 is None else border.policy(pi0, mdp.mask)).argmax(axis=1)
    try:
        actions, status, k = _loop(b, actions, max_iter)
        parts = components(model)
        solution = finish(model, parts, actions, None, status, k, "average policy iteration", tol, why)
    except ImproperModel as error:
        of_no_use(error)
    return delivered(solution, throw, tol)


def _loop(b: Backups, actions: np.ndarray, max_iter: int) -> tuple[np.ndarray, Status, int]:
    seen = set()
    for k in range(1, max_iter + 1):
        g, h = of_policy(b, actions)
        seen.add(actions.tobytes())
        new = improved(b, actions, g, h)
        if new.tobytes() in seen:  # itself, or one that only rounding brings back
            return actions, Status.CONVERGED, k
        actions = new
    return actions, Status.MAX_ITER, max_iter


def improved(b: Backups, actions: np.ndarray, g: np.ndarray, h: np.ndarray) -> np.ndarray:
    """(S,) actions after one improvement, by gain first; an action that is not clearly beaten stays."""
    states = np.arange(b.S)
    later = np.where(b.mask, b.q(g) - b.mdp.rewards, -np.inf)
    value = b.q(h)
    own_later, own_value = later[states, actions], value[states, actions]
    feigned = 2 * b.noise(float(np.abs(g).max())) + float(np.abs(own_later - g).max())
    size = max(b.reward_scale, float(np.abs(h).max()))
    feigned_value = 2 * b.noise(size) + float(np.abs(own_value - h - g).max())
    by_gain = later.max(axis=1) > own_later + feigned
    conserving = later >= (np.where(by_gain, later.max(axis=1), own_later) - feigned)[:, None]
    value = np.where(conserving, value, -np.inf)
    by_bias = value.max(axis=1) > own_value + feigned_value
    return np.where(by_gain | by_bias, value.argmax(axis=1), actions)
