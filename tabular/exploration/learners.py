"""What makes a class of NamedTuples a learner: its functions, by one call.

A learner is a small value: a NamedTuple of numbers (arrays, and tuples of the same, may be among them). What it does is a
few functions that Numba compiles, found by the class; docs/exploration.md makes one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from tabular import _border as border
from tabular import _validate as check
from tabular._kernels import interaction as kernels
from tabular.finite_horizon import FiniteHorizonMDP


class Kind(NamedTuple):
    """What Python knows of a class of learners; see ``register_learner``."""

    workspace: Callable[..., Any]
    quantities: tuple[str, ...]
    per_step: bool
    stochastic: bool
    check: Callable[..., None] | None
    prepare: Callable[..., Any] | None


_kinds: dict[type, Kind] = {}


def register_learner(
    cls: type,
    *,
    plan: Callable[..., Any],
    workspace: Callable[..., Any],
    observe: Callable[..., Any] | None = None,
    stop: Callable[..., Any] | None = None,
    report: Callable[..., Any] | None = None,
    payoff: Callable[..., Any] | None = None,
    quantities: tuple[str, ...] = (),
    per_step: bool = False,
    stochastic: bool = False,
    check: Callable[..., None] | None = None,
    prepare: Callable[..., Any] | None = None,
) -> None:
    """Let ``interact`` and ``Play`` take learners of class ``cls``, a NamedTuple.

    Parameters
    ----------
    workspace : Python, ``(learner, world) -> NamedTuple`` of arrays, fresh for each seed: the learner's memory ``own``.
    plan : compiled, ``(learner, world, counts, own, policy, key, k) -> int``: fill ``policy.act`` (H, S), or ``policy.pi``
        (H, S, A) if ``stochastic``, for episode k = 0, 1, ...; how many of the first stages to evaluate anew, 0 where
        nothing changed (H is always right).
    observe : compiled, ``(learner, world, counts, own, policy, k, h, s, a, r, t) -> None``, after each step was counted.
    stop : compiled, ``(learner, world, counts, own, k) -> bool``, asked after ``plan``: end the run before episode k.
    report : compiled, ``(learner, world, counts, own, policy, out) -> None``: fill ``out``, one place for each of ``quantities``.
    payoff : compiled, ``(learner, world, policy, h, s) -> float``: what its objective pays besides rewards (an entropy of
        ``policy.pi[h, s]``); the exact values have it. ``prepare`` then gives the optimal values that belong to it.
    prepare : Python, ``(learner, world, model) -> world``: the world with another ``R``, ``V_star`` (H + 1, S) and ``best``.
    per_step : counts for each step (True), or pooled over steps, for models whose stages agree.
    check : Python, ``(learner, model) -> None``: raises ValueError where parameters or model are not what it is for.

    Raises TypeError where ``cls`` is no NamedTuple class and for what are no functions, names or flags; ValueError where the
    class is registered already.
    """
    optional = {
        "observe": observe,
        "stop": stop,
        "report": report,
        "payoff": payoff,
        "check": check,
        "prepare": prepare,
    }
    given = {"plan": plan, "workspace": workspace} | {name: f for name, f in optional.items() if f is not None}
    for name, f in given.items():
        function(f, name)
    if isinstance(quantities, str) or not all(isinstance(x, str) for x in quantities):
        raise TypeError(f"quantities is {quantities!r}: expected a tuple of names")
    flags = border.flag(per_step, "per_step"), border.flag(stochastic, "stochastic")
    kernels.register_functions(cls, plan, observe, stop, report, payoff, stochastic)
    _kinds[cls] = Kind(workspace, tuple(quantities), *flags, check, prepare)


def kind_of(learner: Any) -> Kind:
    """TypeError for what is no learner."""
    if type(learner) not in _kinds:
        shown = f"the class {learner.__name__}" if isinstance(learner, type) else repr(learner)
        names = ", ".join(sorted(cls.__name__ for cls in _kinds))
        raise TypeError(f"{shown} is no learner: expected an instance of a registered class, such as {names}")
    return _kinds[type(learner)]


def function(f: Any, name: str) -> None:
    """TypeError for what cannot be called."""
    if not callable(f):
        raise TypeError(f"{name} is {f!r}: expected a function")


def probability(x: Any, name: str = "delta") -> None:
    """ValueError unless 0 < x < 1."""
    border.positive(x, name, "a probability below one")
    if x >= 1:
        raise ValueError(f"{name} is {x}: expected a probability below one")


def unit_rewards(model: FiniteHorizonMDP, who: str) -> None:
    """ModelError naming the first mean reward outside [0, 1]."""
    for h in range(model.H):
        R = model.stage(h).rewards
        if (bad := (R < 0) | (R > 1)).any():
            i = check.first(bad)
            check.fail(f"stage {h}: {check.place('R', i)} is {R[i]}: {who} is for rewards in [0, 1]")
        if model.is_stationary:
            return


def greedy_start(world: kernels.World) -> tuple[np.ndarray, np.ndarray]:
    """Q (H, S*A) and V (H + 1, S) at the most that rewards of [0, 1] can add up to, H; zero after the last step."""
    Q = np.full((world.H, world.S * world.A), float(world.H))
    V = np.full((world.H + 1, world.S), float(world.H))
    V[world.H] = 0.0
    return Q, V
