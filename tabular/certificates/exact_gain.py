"""The average reward in rationals (FLINT): multichain policy iteration, exact to the end.

Floats propose a policy; from there each exchange of actions is decided in rationals, by gain first and then by bias, and
none is made without a strict improvement, so that no policy returns (see ``tabular.planning.average_policy_iteration``). At
the end gain and bias solve the optimality equations of multichain models exactly.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from tabular import _border as border
from tabular.mdp import MDP


class ExactAverage(NamedTuple):
    """An exact answer for the exact model.

    Attributes
    ----------
    gain : S Fractions, the optimal gains.  bias : S Fractions, the bias of ``pi``, with ``P* bias = 0``.
    pi : (S,) int64, an optimal action of each state.  iterations : policies evaluated exactly.
    """

    gain: list[Fraction]
    bias: list[Fraction]
    pi: np.ndarray
    iterations: int


def exact_average_reward(mdp: MDP, pi0: Any = None) -> ExactAverage:
    """Optimal gains and a policy in rationals; the discount is ignored.

    pi0 : (S,) actions or (S, A) policy to start from; that of ``average_policy_iteration`` if None. Dense systems of S
    equations in rationals: seconds for 60 states of small integer weights, less than half as many of floats.
    Raises ModelError where a pair may end.

    >>> exact_average_reward(MDP([[[0, 1], [1, 0]], [[1, 0], [1, 0]]], [[0, 0.25], [1, 1]], 0.5)).gain
    [Fraction(1, 2), Fraction(1, 2)]
    """
    from tabular.planning._gain_bounds import undiscounted
    from tabular.planning.average_policy_iteration import average_policy_iteration
    from tabular.reference import RationalOps

    border.expect(mdp, "exact_average_reward", "MDP")
    model = undiscounted(mdp)
    pi = average_policy_iteration(model, throw=False).pi if pi0 is None else border.policy(pi0, mdp.mask)
    ops, states, actions = RationalOps(), np.arange(mdp.S), pi.argmax(axis=1)
    m, allowed = ops.model(model), model.mask
    k = 0
    while True:
        k += 1
        g, h = gain_bias_of(ops, m, actions)
        later = ops.expect(m.P, g).data - g.data[:, None]
        value = ops.q_backup(m, h).data - (g.data + h.data)[:, None]
        new = actions.copy()
        for s in states.tolist():
            choices = np.flatnonzero(allowed[s]).tolist()
            most = max(later[s, a] for a in choices)
            best = max((a for a in choices if later[s, a] == most), key=lambda a: value[s, a])
            if most > 0 or value[s, best] > 0:
                new[s] = best
        if (new == actions).all():
            return ExactAverage(list(ops.fractions(g)), list(ops.fractions(h)), actions.astype(np.int64), k)
        actions = new


def gain_bias_of(ops: Any, m: Any, actions: np.ndarray) -> tuple[Any, Any]:
    """Gain and bias of a deterministic policy (S,), as values of ``ops``: any arithmetic of one model."""
    from tabular.reference import average

    chosen = actions[:, None] == np.arange(m.A)
    pi = ops.distribution(chosen.astype(np.int64))
    P = m.source.to_dense().P
    classes = average.structure(average.chain_support(P, chosen))
    return average.gain_bias(ops, ops.transition(m.P, pi), ops.dot(pi, m.R), classes)
