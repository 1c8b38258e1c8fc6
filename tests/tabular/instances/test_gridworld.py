"""Gridworlds: cells, slips and endings, against numbers worked out by hand."""

from __future__ import annotations

from fractions import Fraction as F

import numpy as np
import pytest

from tabular import MDP, ModelError
from tabular.instances import gridworld, render

MAP = """
S..G
.#.T
....
"""
UP, RIGHT, DOWN, LEFT = range(4)


def test_cells_become_states_and_endings_do_not() -> None:
    m = gridworld(MAP, gamma=0.9)
    assert m.state_labels == ("0,0", "0,1", "0,2", "1,0", "1,2", "2,0", "2,1", "2,2", "2,3")
    assert m.action_labels == ("up", "right", "down", "left") and m.rho.tolist() == [1] + [0] * 8
    ends = {(m.state_labels[s], m.action_labels[a]) for s, a in np.argwhere(m.end == 1)}
    assert ends == {("0,2", "right"), ("1,2", "right"), ("2,3", "up")} and m.end.sum() == 3
    assert (m.R[2, RIGHT], m.R[4, RIGHT], m.R[8, UP], np.abs(m.R).sum()) == (1, -1, -1, 3)


def test_a_slip_goes_to_the_sides_and_bumps_stay() -> None:
    m = gridworld(MAP, gamma=0.5, slip=0.2, step_reward=-0.04)
    model = m.exact()
    tenth = F(1, 10)
    assert model.row(0, UP) == {0: F(9, 10), 1: tenth}  # up and left bump
    assert model.row(1, RIGHT) == {1: 2 * tenth, 2: F(8, 10)}  # wall below, border above
    assert model.row(2, RIGHT) == {2: tenth, 4: tenth} and model.end(2, RIGHT) == F(8, 10)
    assert model.row(8, UP) == {7: tenth, 8: tenth} and model.end(8, UP) == F(8, 10)
    assert model.R[2 * 4 + RIGHT] == F(8, 10) - F(1, 25) and model.R[0] == F(-1, 25)
    assert model.R[8 * 4 + UP] == -F(8, 10) - F(1, 25)


def test_a_corridor_is_worth_gamma_to_the_distance() -> None:
    m = gridworld("S...G", gamma=F(1, 3), step_reward=-1, goal_reward=10)
    V = [F(0)] * 4
    model = m.exact()
    for _ in range(4):
        V = [
            max(model.R[s * 4 + a] + model.gamma * sum(p * V[t] for t, p in model.row(s, a).items()) for a in range(4))
            for s in range(4)
        ]
    assert V[3] == 9 and V[2] == 2 and V[1] == F(-1, 3)


def test_storage_does_not_change_the_model() -> None:
    assert gridworld(MAP, gamma=0.9, sparse=True).is_sparse and not gridworld(MAP, gamma=0.9).is_sparse
    assert gridworld(MAP, gamma=0.9, slip=0.1, sparse=True) == gridworld(MAP, gamma=0.9, slip=F(1, 10))
    big = gridworld(["." * 30] * 29 + ["." * 29 + "G"], gamma=0.99, slip=0.2)
    assert big.is_sparse and big.S == 899 and big.rho is None and isinstance(big, MDP)


def test_several_starts_share_the_probability() -> None:
    m = gridworld(["SSS", "..G"], gamma=1)
    assert m.exact().rho == (*[F(1, 3)] * 3, 0, 0)


def test_render_shows_values_and_arrows() -> None:
    assert render(MAP) == "S..G\n.#.T\n...."
    assert render(["S.", "#G"], [1.5, 20.0], precision=1) == " 1.5 20.0\n   #    G"
    policy = np.eye(4)[[RIGHT, DOWN]]
    assert render(["S.", "#G"], policy) == "→↓\n#G"
    with pytest.raises(ModelError, match=r"values have shape \(3,\): expected \(2,\) or \(2, 4\)"):
        render(["S.", "#G"], [1.0, 2.0, 3.0])


@pytest.mark.parametrize(
    "rows, options, message",
    [
        ("", {}, "the map is empty"),
        ([], {}, "the map is empty"),
        (["..", "."], {}, "row 1 of the map has 1 cells: expected 2"),
        ([".x"], {}, "cell 0,1 of the map is 'x'"),
        (["#G"], {}, "the map has no free cell"),
        (["."], {"slip": 1.5}, "slip is 1.5: expected a probability"),
        (["."], {"slip": -0.5}, "slip is -0.5"),
        (["."], {"gamma": 2}, "gamma is 2"),
        (["."], {"step_reward": float("nan")}, "step_reward is nan"),
    ],
)
def test_bad_maps_are_refused(rows: object, options: dict[str, object], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        gridworld(rows, **({"gamma": 0.5} | options))
