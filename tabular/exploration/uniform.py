# mypy: allow-untyped-defs
"""The random learner: every action with the same probability, for ever."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from tabular._kernels.interaction import World
from tabular.exploration.learners import register_learner


class Random(NamedTuple):
    """Uniform actions; counts are pooled over steps."""


class Nothing(NamedTuple):
    """No memory: one number, so that there is an array."""

    unused: np.ndarray


def _nothing(learner: Any, world: World) -> Nothing:
    return Nothing(np.zeros(1))


def _plan(learner, world, counts, own, policy, key, k):
    if k > 0:
        return 0
    policy.pi[:] = 1.0 / world.A
    return world.H


register_learner(Random, plan=_plan, workspace=_nothing, stochastic=True)
