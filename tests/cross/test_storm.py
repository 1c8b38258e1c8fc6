"""Storm's exact engine beside exact policy iteration: the same rationals, digit for digit.

A discount is a probability ``1 - gamma`` of ending at each step, which keeps values; the end is a state.
"""

from __future__ import annotations

from fractions import Fraction as F
from pathlib import Path

import numpy as np
import pytest
import stormpy

from tabular import MDP
from tabular.certificates import exact_policy_iteration
from tabular.exact_model import ExactModel
from tabular.instances import gridworld, random_endings, random_masks


def drn(model: ExactModel, reached: bool = False) -> str:
    """The model as text; states S and S+1 are the end and the goal.

    The goal is reached with probability R (for rewards that are one and end the process) if ``reached``.
    """
    S, A, gamma = model.S, model.A, model.gamma
    lines = []
    pairs = [(s, a) for s in range(S) for a in range(A) if model.mask[s, a]]
    for s, a in pairs:
        if (s, a) == next(x for x in pairs if x[0] == s):
            lines.append(f"state {s} [0] {'init' if s == 0 else ''}")
        reward = model.R[s * A + a]
        lines.append(f"\taction {a} [{0 if reached else reward}]")
        row = {t: gamma * p for t, p in model.row(s, a).items() if gamma}
        goal = reward if reached else F(0)
        row |= {t: p for t, p in ((S, 1 - sum(row.values()) - goal), (S + 1, goal)) if p}
        lines += [f"\t\t{t} : {p}" for t, p in row.items()]
    for s, name in ((S, "done"), (S + 1, "goal")):
        lines += [f"state {s} [0] {name}", "\taction 0 [0]", f"\t\t{s} : 1"]
    head = ["@type: MDP", "@value_type: rational", "@parameters", "", "@reward_models", "r", "@nr_states", str(S + 2)]
    return "\n".join([*head, "@nr_choices", str(len(pairs) + 2), "@model", *lines]) + "\n"


def storm(model: ExactModel, path: Path, formula: str, reached: bool = False) -> list[F]:
    """Values of all states by Storm, in rationals."""
    file = path / "model.drn"
    file.write_text(drn(model, reached), encoding="ascii")
    built = stormpy.build_model_from_drn[stormpy.Rational](str(file))
    result = stormpy.model_checking(built, stormpy.parse_properties(formula)[0])
    return [F(str(result.get_value(s))) for s in range(model.S)]


MODELS = {
    "lake 8x8": lambda: MDP.from_gymnasium("FrozenLake-v1", F(99, 100), exact=True, map_name="8x8"),
    "cliff": lambda: MDP.from_gymnasium("CliffWalking-v1", F(99, 100), exact=True),
    "slippery cliff": lambda: MDP.from_gymnasium("CliffWalking-v1", F(9, 10), exact=True, is_slippery=True),
    "taxi": lambda: MDP.from_gymnasium("Taxi-v4", F(99, 100), exact=True),
    "grid": lambda: gridworld("S..G\n.#.T\n....", gamma=F(9, 10), slip=0.2, step_reward=-0.04),
    "endings": lambda: random_endings(6, 3, gamma=(0.5, 0.75, 0.984375)).member(0, 1),
    "masks": lambda: random_masks(6, 3, 2, gamma=(0.5, 0.75, 0.984375)).member(0, 4),
}


@pytest.mark.parametrize("name", MODELS)
def test_optimal_values_are_those_of_storm(name: str, tmp_path: Path) -> None:
    mdp = MODELS[name]()
    assert exact_policy_iteration(mdp).V == storm(mdp.exact(), tmp_path, 'R{"r"}max=? [F "done"]')


@pytest.mark.parametrize("size, value", [("4x4", F(14, 17)), ("8x8", F(1))])
def test_without_a_discount_the_lake_is_a_probability(size: str, value: F, tmp_path: Path) -> None:
    mdp = MDP.from_gymnasium("FrozenLake-v1", 1, exact=True, map_name=size)
    V = storm(mdp.exact(), tmp_path, 'Pmax=? [F "goal"]', reached=True)
    assert V[0] == value and exact_policy_iteration(mdp).V == V


def test_the_printed_values_of_known_models(tmp_path: Path) -> None:
    """Start values at gamma = 0.99, from Storm alone: the tables were read as they are meant."""
    for name, value in (("lake 8x8", 0.414640), ("cliff", -12.247898), ("taxi", 6.327464)):
        model = MODELS[name]().exact()
        V = storm(model, tmp_path, 'R{"r"}max=? [F "done"]')
        assert float(np.dot(V, model.rho)) == pytest.approx(value, abs=5e-7)
