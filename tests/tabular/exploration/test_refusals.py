"""What no learner takes: unavailable actions, endings, discounts, terminal values, models without a start. All of them say so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

from tabular import MDP, FiniteHorizonMDP, ModelError
from tabular.exploration import (
    UCB_H,
    RF_Express,
    RF_RL_Explore,
    fast_entropy_games,
    interact,
    max_ent,
    reaching,
    register_learner,
    register_width,
    smoothed_entropy,
    ucrl2,
    visits,
)
from tabular.exploration.entropy_solution import certify_entropy
from tabular.exploration.learners import _kinds


def model(**changes: Any) -> FiniteHorizonMDP:
    parts: dict[str, Any] = {"P": np.full((2, 2, 2), 0.5), "R": np.full((2, 2), 0.5), "H": 3, "rho": [1, 0]} | changes
    return FiniteHorizonMDP(parts.pop("P"), parts.pop("R"), **parts)


BAD = {
    "mask": (model(R=[[0.5, -np.inf], [0, 0]]), ModelError, "stage 0: action 1 is unavailable in state 0"),
    "end": (model(P=np.full((2, 2, 2), 0.375), end=np.full((2, 2), 0.25)), ModelError, r"stage 0: end\[0, 0\] is 0.25"),
    "gamma": (model(gamma=0.5), ValueError, "gamma is 0.5|gamma = 0.5"),
    "terminal": (model(terminal=[0, 1]), ValueError, "terminal values"),
    "rho": (model(rho=None), ValueError, "start distribution|rho is missing"),
}


GIVEN = {"Fixed": (np.eye(2)[np.zeros((3, 2), dtype=int)],)}
"""What learners without defaults are made of: always the first action."""


def learners() -> list[type]:
    """All classes that the package registers."""
    from tabular.exploration import fast_entropy_agents, fast_entropy_regular  # noqa: F401

    return sorted((cls for cls in _kinds if cls.__module__.startswith("tabular.")), key=lambda cls: cls.__name__)


def test_all_learners_are_meant() -> None:
    names = {cls.__name__ for cls in learners()}
    assert names >= {
        "EntGame",
        "PSRL",
        "RF_Explore_Ent",
        "RF_RL_Explore",
        "Random",
        "Reg_EntGame",
        "UCBVI_Ent",
        "UCB_B",
    }


@pytest.mark.parametrize("what", BAD)
def test_every_learner_refuses(what: str) -> None:
    bad, error, message = BAD[what]
    for cls in learners():
        with pytest.raises(error, match=message):
            interact(bad, cls(*GIVEN.get(cls.__name__, ())), 5)


def test_what_is_not_episodic_refuses_too() -> None:
    """MaxEnt takes masks; UCRL2 ignores the discount, for its objective has none."""
    P, end = np.full((2, 2, 2), 0.375), np.full((2, 2), 0.25)
    masked = MDP(np.full((2, 2, 2), 0.5), [[0.5, -np.inf], [0.0, 0.0]], 0.9, rho=[1, 0])
    ended = MDP(P, np.zeros((2, 2)), 0.9, rho=[1, 0], end=end)
    with pytest.raises(ModelError, match="action 1 is unavailable in state 0"):
        ucrl2(masked, 10)
    for call in (lambda: ucrl2(ended, 10), lambda: max_ent(ended, 3, sigma=0.1)):
        with pytest.raises(ModelError, match=r"end\[0, 0\] is 0.25: make the end a state"):
            call()
    with pytest.raises(ValueError, match="gamma = 1"):
        max_ent(MDP(np.full((2, 2, 2), 0.5), np.zeros((2, 2)), 1, rho=[1, 0]), 3, sigma=0.1)


class Bare(NamedTuple):
    """No learner, and no width."""

    unused: int = 0


GOOD = model()
EVEN = np.full((3, 2, 2), 0.5)
NONE = np.zeros((3, 2))
VISITS = np.full((3, 2, 2), 0.25)
plan = workspace = lambda *_: 0
REFUSED: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "objective": (lambda: certify_entropy(GOOD, EVEN, NONE, "both"), ValueError, "objective is 'both'"),
    "no policy": (lambda: certify_entropy(GOOD, 1.2 * EVEN, NONE, "pooled"), ModelError, r"stage 0: pi\[0\] sums to 1.2"),
    "steps": (lambda: certify_entropy(GOOD, EVEN[:2], NONE, "pooled"), ModelError, r"pi has shape \(2, 2, 2\)"),
    "values": (lambda: certify_entropy(GOOD, EVEN, NONE[:2], "pooled"), ModelError, r"values has shape \(2, 2\)"),
    "nan": (lambda: certify_entropy(GOOD, EVEN, NONE + np.nan, "visitation"), ModelError, r"values\[0, 0\] is nan"),
    "last": (lambda: certify_entropy(GOOD, EVEN, NONE, "trajectory", last=2), TypeError, "last is 2"),  # type: ignore[arg-type]
    "stages": (lambda: certify_entropy(GOOD.stage(0), EVEN, NONE, "pooled"), TypeError, "takes a FiniteHorizonMDP"),  # type: ignore[arg-type]
    "an end": (lambda: certify_entropy(BAD["end"][0], EVEN, NONE, "pooled"), ModelError, r"end\[0, 0\] is 0.25"),
    "a discount": (lambda: certify_entropy(BAD["gamma"][0], EVEN, NONE, "pooled"), ModelError, "gamma = 0.5"),
    "entropy of nan": (lambda: visits.entropy([0.5, np.nan]), ModelError, r"x\[1\] is nan"),
    "entropy of debts": (lambda: visits.entropy([1.5, -0.5]), ModelError, r"x\[1\] is -0.5"),
    "no steps": (lambda: visits.visitation_entropy(EVEN[:0]), ModelError, r"d has shape \(0, 2, 2\)"),
    "negative visits": (lambda: visits.pooled_entropy([[[1.5, -0.5]]]), ModelError, r"d\[0, 0, 1\] is -0.5"),
    "visits of nan": (lambda: visits.markov_policy(VISITS * np.nan, EVEN > 0), ModelError, r"d\[0, 0, 0\] is nan"),
    "no action": (lambda: visits.markov_policy(0 * VISITS, EVEN > 1), ModelError, r"mask\[0, 0\] has no action"),
    "smoothed debts": (lambda: smoothed_entropy([1.5, -0.5], 0.1), ModelError, r"d\[1\] is -0.5"),
    "not smoothed": (lambda: smoothed_entropy([0.5, 0.5], 0), ValueError, "sigma is 0: expected a positive number"),
    "both games": (lambda: fast_entropy_games.game_bound(GOOD, 2, pooled=True, regularised=True), ValueError, "both True"),
    "soft as 1": (lambda: fast_entropy_games.entropy_game(GOOD, 2, regularised=1), TypeError, "regularised is 1"),  # type: ignore[arg-type]
    "no states": (lambda: reaching.beta(0, 2, 2, 1, 0.1), ValueError, "S is 0: at least 1"),
    "fewer than no visits": (lambda: reaching.beta(2, 2, 2, -1, 0.1), ValueError, "n is -1: expected a number from 0"),
    "certainty": (lambda: reaching.beta(2, 2, 2, 1, 0), ValueError, "delta is 0"),
    "averaging": (lambda: interact(GOOD, UCB_H(averaging="yes"), 2), TypeError, "averaging is 'yes'"),  # type: ignore[arg-type]
    "an array of replays": (lambda: interact(GOOD, RF_RL_Explore(replays=np.array([1])), 2), TypeError, "replays is array"),  # type: ignore[arg-type]
    "epsilon": (lambda: interact(GOOD, RF_Express(-1.0), 2), ValueError, "epsilon is -1.0: expected a number from 0"),
    "no plan": (lambda: register_learner(Bare, plan=None, workspace=workspace), TypeError, "plan is None"),  # type: ignore[arg-type]
    "no memory": (lambda: register_learner(Bare, plan=plan, workspace=3), TypeError, "workspace is 3"),  # type: ignore[arg-type]
    "one name": (
        lambda: register_learner(Bare, plan=plan, workspace=workspace, quantities="upper"),  # type: ignore[arg-type]
        TypeError, "quantities is 'upper': expected a tuple of names",
    ),
    "no bound": (lambda: register_width(Bare, None), TypeError, "upper is None: expected a function"),  # type: ignore[arg-type]
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_wrong_is_named(what: str) -> None:
    call, error, message = REFUSED[what]
    with pytest.raises(error, match=message):
        call()
    assert Bare not in _kinds


DELTAS = (0, 1, -0.1, 1.5, np.nan, np.inf)


@pytest.mark.parametrize("delta", DELTAS)
def test_delta_is_a_probability_below_one(delta: float) -> None:
    asked = [cls for cls in learners() if {"delta", "p"} & set(getattr(cls, "_fields", ()))]
    assert len(asked) >= 12
    for cls in asked:
        name = "delta" if "delta" in cls._fields else "p"  # type: ignore[attr-defined]
        with pytest.raises(ValueError, match=f"{name} is {delta}"):
            interact(GOOD, cls(**{name: delta}), 2)
    with pytest.raises(ValueError, match=f"delta is {delta}"):
        ucrl2(GOOD.stage(0), 5, delta=delta)


def test_a_certain_policy_has_no_entropy() -> None:
    assert str(visits.entropy([1.0, 0.0])) == "0.0"
