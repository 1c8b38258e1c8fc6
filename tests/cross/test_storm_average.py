"""Storm's long-run averages beside the exact ones: the same rationals, digit for digit."""

from __future__ import annotations

from fractions import Fraction as F
from pathlib import Path

import numpy as np
import pytest
import stormpy

from tabular import MDP, exact_average_reward
from tabular.instances import deterministic, garnet, random_masks


def drn(mdp: MDP) -> str:
    """The model as text; its discount plays no part."""
    model, lines = mdp.exact(), []
    for s in range(model.S):
        lines.append(f"state {s} [0] {'init' if s == 0 else ''}")
        for a in np.flatnonzero(model.mask[s]).tolist():
            lines.append(f"\taction {a} [{model.R[s * model.A + a]}]")
            lines += [f"\t\t{t} : {p}" for t, p in model.row(s, a).items() if p]
    head = ["@type: MDP", "@value_type: rational", "@parameters", "", "@reward_models", "r", "@nr_states", str(model.S)]
    return "\n".join([*head, "@nr_choices", str(int(model.mask.sum())), "@model", *lines]) + "\n"


@pytest.mark.parametrize("family", [garnet(4, 2), garnet(5, 3, 2), random_masks(4, 3), deterministic(5, 2)], ids=str)
@pytest.mark.parametrize("i", range(3))
def test_gains_are_those_of_storm(family: object, i: int, tmp_path: Path) -> None:
    mdp = family.member(7, i)  # type: ignore[attr-defined]
    file = tmp_path / "model.drn"
    file.write_text(drn(mdp), encoding="ascii")
    built = stormpy.build_model_from_drn[stormpy.Rational](str(file))
    result = stormpy.model_checking(built, stormpy.parse_properties('R{"r"}max=? [LRA]')[0])
    assert [F(str(result.get_value(s))) for s in range(mdp.S)] == exact_average_reward(mdp).gain
