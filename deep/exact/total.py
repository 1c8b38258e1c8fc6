"""Total reward, ``gamma = 1``, on the device: prepared, lifted and certified as ``tabular`` does it, iterated here.

End components are found on the host; those that earn nothing become one state each, with a choice to stay; what has no finite
value is refused, naming the component. In the model that is left Bellman's equation has one solution, and value iteration or
modified policy iteration go up to it from the value of a policy that ends. At ``gamma = 1`` changes say nothing about errors:
the loop ends where they are small, ``tabular``'s certificate is asked, and the loop goes on where that is not enough.
"""

from __future__ import annotations

from typing import Any

from jax.sharding import Mesh

from deep.exact import core, members, solvers
from deep.exact.placing import fetched, place
from tabular._backups import Backups
from tabular.errors import ModelError
from tabular.mdp import MDP
from tabular.planning._finish import delivered
from tabular.planning._finish import start as started
from tabular.planning._loops import Iterate
from tabular.planning._total import TotalReward
from tabular.planning._total_solve import solve_total
from tabular.planning.modified_policy_iteration import proper_value
from tabular.regularizers import checked
from tabular.solution import Solution


def solve_total_reward(
    mdp: MDP,
    regularizer: Any,
    method: str,
    V0: Any,
    tol: float,
    max_iter: int,
    sweeps: int,
    on: Mesh | None,
    throw: bool,
) -> Solution:
    """``deep.exact.solve`` at ``gamma = 1``; call it in float64. Its analysis, first policy and certificate are the host's.

    Raises ImproperModel naming the component where the optimal total reward is not finite, ModelError for policy iteration.
    """
    if method == "auto":
        method, why = "modified_policy_iteration", "total reward, from the value of a policy that ends"
    else:
        method, why = solvers.chosen(method, mdp)
    if method == "policy_iteration":
        raise ModelError(
            "gamma = 1: policy iteration has to keep to policies that end, as tabular.planning.policy_iteration does; "
            "here total reward is solved by 'modified_policy_iteration' or 'value_iteration'"
        )
    b = Backups(mdp, regularizer)
    solvers.check_weights(b.reg)
    held: list[solvers.Placed] = []

    def loop(inner: Backups, W: Any, view: TotalReward, target: float) -> Iterate:
        if not held:
            held.append(solvers.put(view.mdp, on))
        model = held[0]
        V = solvers.start(model, proper_value(inner, view) if W is None else W)
        f = members.one_setting(model.facts, target, max_iter, sweeps)
        reg = solvers.spread_regularizer(checked(inner.given, view.mdp.mask), model.arrays.S)
        answer = fetched(core.solve_one(method, model.arrays, *place((reg, f), on, None), V))
        return Iterate(answer.V[: view.mdp.S], solvers.STATUS[int(answer.status)], int(answer.iterations))

    name = solvers.NAMES[method] + " (jax)"
    return delivered(solve_total(b, loop, started(b, V0, None), name, tol, why), throw, tol)
