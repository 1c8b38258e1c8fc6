"""A discount as a probability of ending: how formats without a discount hold discounted models."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from tabular import _border as border
from tabular.exact_model import ExactModel
from tabular.from_exact import from_exact, stored
from tabular.mdp import MDP


def undiscounted(mdp: MDP) -> MDP:
    """The model of total reward whose values are those of ``mdp``: each step ends with probability ``1 - gamma`` first.

    ``gamma' = 1``, ``P' = gamma P`` and ``end' = 1 - gamma + gamma end``; rewards are earned as before, since they come before the
    end. The result is exact: values are those of ``mdp.exact()``, and the model itself is returned where ``gamma`` is one already.
    TypeError for anything but an MDP. Cost: linear in the transitions.
    """
    border.expect(mdp, "undiscounted", "MDP")
    if mdp.gamma_exact == 1:
        return mdp
    model = mdp.exact()
    n, d = model.gamma.numerator, model.gamma.denominator
    ends = [e * n + t * (d - n) for e, t in zip(model.end_weights, model.totals, strict=True)]
    free = np.asarray(model.mask).ravel().tolist()
    survives: ExactModel = model._replace(
        weights=[w * n for w in model.weights],
        end_weights=[e if ok else 0 for e, ok in zip(ends, free, strict=True)],
        totals=[t * d for t in model.totals],
        gamma=Fraction(1),
    )
    out = from_exact(survives, state_labels=mdp.state_labels, action_labels=mdp.action_labels, name=mdp.name)
    return stored(out, mdp.is_sparse)
