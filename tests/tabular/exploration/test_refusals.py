"""What no learner takes: unavailable actions, endings, discounts, terminal values, models without a start. All of them say so."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tabular import MDP, FiniteHorizonMDP, ModelError
from tabular.exploration import interact, max_ent, ucrl2
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
            interact(bad, cls(), 5)


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
