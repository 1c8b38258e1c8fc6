# mypy: allow-untyped-defs
"""Learners that learn nothing: uniform actions, or a policy that is given, for ever."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from tabular import _border as border
from tabular._kernels.interaction import World
from tabular.exploration.learners import register_learner
from tabular.finite_horizon import FiniteHorizonMDP


class Random(NamedTuple):
    """Uniform actions; counts are pooled over steps."""


class Fixed(NamedTuple):
    """The policy ``pi`` (H, S, A) in every episode: what an oracle would do, or a stationary policy; counts are pooled over steps.

    ModelError, TypeError where it is no policy of the model.
    """

    pi: np.ndarray


class Nothing(NamedTuple):
    """No memory: one number, so that there is an array."""

    unused: np.ndarray


def _nothing(learner: Any, world: World) -> Nothing:
    return Nothing(np.zeros(1))


def _check(learner: Fixed, model: FiniteHorizonMDP) -> None:
    if not isinstance(learner.pi, np.ndarray) or learner.pi.dtype != np.float64:
        raise TypeError(f"pi is {learner.pi!r}: expected probabilities (H, S, A), an array of float64")
    border.staged_policy(learner.pi, model)


def _plan(learner, world, counts, own, policy, key, k):
    if k > 0:
        return 0
    policy.pi[:] = 1.0 / world.A
    return world.H


def _plan_fixed(learner, world, counts, own, policy, key, k):
    if k > 0:
        return 0
    policy.pi[:] = learner.pi
    return world.H


register_learner(Random, plan=_plan, workspace=_nothing, stochastic=True)
register_learner(Fixed, plan=_plan_fixed, workspace=_nothing, stochastic=True, check=_check)
