"""Drawings of MDPs: every wall, state, move and number is there, and arrows are as long as probabilities."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.quiver import Quiver

from figures import saving
from figures.chains import chain
from figures.graphs import graph
from figures.gridworld import REACH, gridworld
from figures.style import Style
from proofs_check.report import graph as places
from tabular import MDP
from tabular.instances import gridworld as grid_mdp
from tabular.instances import river_swim
from tabular.instances.exploration import double_chain

ROWS = ["S.#G", "..#.", "T..."]
FREE = 8
RING = MDP(
    np.array([[[Fraction(1, 4), Fraction(1, 2)], [0, 1]], [[1, 0], [0, 1]]], dtype=object),
    np.array([[1, Fraction(-1, 3)], [2, -np.inf]], dtype=object),
    Fraction(1, 2),
    end=np.array([[Fraction(1, 4), 0], [0, 0]], dtype=object),
    state_labels=["start", "b"],
    action_labels=["stay", "go"],
)


def said(ax: Any) -> list[str]:
    return [text.get_text() for text in ax.texts]


def arrows(ax: Any) -> list[Quiver]:
    return [c for c in ax.collections if isinstance(c, Quiver)]


def test_walls_goals_traps_and_starts_are_drawn_where_the_map_has_them() -> None:
    ax = gridworld(ROWS, Figure().add_subplot())
    assert {(t.get_text(), *t.get_position()) for t in ax.texts} == {("S", 0, 0), ("G", 3, 0), ("T", 0, 2)}
    (cells,) = ax.collections
    faces = cells.get_facecolors()
    assert len(faces) == 12 and [i for i, c in enumerate(faces) if c[0] < 0.5] == [2, 6]
    assert ax.get_ylim() == (2.5, -0.5)  # the first row is on top


def test_arrows_are_as_long_as_the_probability_and_go_where_the_move_goes() -> None:
    pi = np.zeros((FREE, 4))
    pi[:, 1], pi[:, 2] = 0.75, 0.25
    pi[0] = [0.99, 0.01, 0, 0]
    ax = gridworld(ROWS, Figure().add_subplot(), pi=pi)
    up, right, down = arrows(ax)
    assert up.U.tolist() == [0] and up.V.tolist() == [-REACH * 0.99]  # the axis of y points down
    assert right.N == FREE - 1 and set(right.U) == {REACH * 0.75} and set(right.V) == {0}
    assert down.N == FREE - 1 and set(down.V) == {REACH * 0.25}
    assert (right.X[0], right.Y[0]) == (1, 0)
    assert up.scale == 1 and up.scale_units == up.angles == "xy"


def test_values_are_colours_with_a_bar_and_arrows_can_be_seen_on_them() -> None:
    V = np.arange(FREE, dtype=float)
    fig = Figure()
    ax = gridworld(ROWS, fig.add_subplot(), V=V, pi=np.full((FREE, 4), 0.25), label="V", cmap="gray", limits=(0, 7))
    bar = next(a for a in fig.axes if a is not ax)
    assert bar.get_ylabel() == "V" and bar.get_ylim() == (0, 7)
    white, black = (
        sum(a.N for a in arrows(ax) if tuple(a.get_facecolors()[0][:3]) == c) for c in ((1, 1, 1), (0, 0, 0))
    )
    assert white == black == 2 * FREE  # half of the greys are dark
    assert len(gridworld(ROWS, Figure().add_subplot(), V=V, colorbar=False).figure.axes) == 1


def test_goals_and_traps_may_be_states() -> None:
    """As Gymnasium has them: as many values as cells that are no walls."""
    ax = gridworld(ROWS, Figure().add_subplot(), V=np.arange(10.0), colorbar=False)
    assert {"G", "T"} <= set(said(ax))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"V": np.zeros(9)}, "V has 9 rows: the map has 8 free cells, and 10 with goals and traps"),
        ({"V": [0.0] * 7 + [np.nan]}, r"V\[7\] is nan: expected finite numbers"),
        ({"pi": np.full((8, 3), 1 / 3)}, r"pi has shape \(8, 3\): expected \(8, 4\)"),
        ({"pi": np.full((8, 4), 0.5)}, r"pi\[0\] is \[0.5, 0.5, 0.5, 0.5\]: expected probabilities that sum to 1"),
        ({"V": np.zeros(8), "pi": np.full((10, 4), 0.25)}, "V has 8 rows and pi 10"),
    ],
)
def test_grids_refuse_what_does_not_fit(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        gridworld(ROWS, Figure().add_subplot(), **given)


def test_a_grid_without_axes_gets_some() -> None:
    import matplotlib.pyplot as plt

    ax = gridworld(ROWS)
    assert ax.figure.number in plt.get_fignums()
    plt.close(ax.figure)


def test_the_model_of_a_map_fits_its_drawing() -> None:
    m = grid_mdp(ROWS, gamma=0.9)
    gridworld(ROWS, Figure().add_subplot(), V=np.zeros(m.S), pi=np.full((m.S, m.A), 0.25))


def test_graphs_have_all_that_the_report_draws_in_the_same_places() -> None:
    ax = graph(RING, Figure().add_subplot())
    words = said(ax)
    assert words.count("start") == 2 and words.count("b") == 2 and words.count("end") == 1
    assert {"stay, r = 1", "go, r = −1/3", "stay, r = 2"} <= set(words)
    assert [words.count(p) for p in ("1/4", "1/2", "1")] == [2, 1, 2]
    at = places.layout(RING)
    heights = {round(t.get_position()[1], 9) for t in ax.texts if t.get_text() == "start"}
    assert heights == {round(at.left[0], 9), round(at.right[0], 9)}
    dots = [line.get_ydata()[0] for line in ax.lines if line.get_marker() == "o"]
    assert dots == [middle for _, middle in at.rows]


def test_graphs_show_what_a_policy_does() -> None:
    ax = graph(RING, Figure().add_subplot(), pi=[[1, 0], [1, 0]])
    colours = [line.get_color() for line in ax.lines if line.get_marker() == "o"]
    assert colours == ["#0072B2", "#BBBBBB", "#0072B2"]
    with pytest.raises(ValueError, match=r"pi has shape \(2,\): expected \(2, 2\)"):
        graph(RING, Figure().add_subplot(), pi=[1, 0])


def test_graphs_of_large_models_are_refused() -> None:
    with pytest.raises(ValueError, match="31 states and 2 actions are too many to draw"):
        graph(double_chain(31), Figure().add_subplot())


def test_chains_have_states_moves_probabilities_and_rewards() -> None:
    ax = chain(river_swim(4), Figure(figsize=(5, 2)).add_subplot())
    words = said(ax)
    assert [words.count(str(s)) for s in range(4)] == [1, 5, 1, 1]  # "1" is a probability, too
    assert [words.count(p) for p in ("2/5", "3/5", "7/20", "1/20")] == [2, 3 + 1, 2, 2]
    assert {"r(0) = 1/200", "r(1) = 1"} <= set(words)
    assert len(ax.patches) == 4 + 4 + 10  # states; left; right


def test_chains_leave_out_what_a_policy_never_does() -> None:
    ax = chain(river_swim(4), Figure().add_subplot(), pi=[[0, 1]] * 4, V=np.arange(4.0), colorbar=False)
    assert len(ax.patches) == 4 + 10 and "r(0) = 1/200" not in said(ax) and "r = 1" in said(ax)


@pytest.mark.parametrize(
    ("mdp", "given", "message"),
    [
        (double_chain(41), {}, "41 states and 2 actions: a chain has at most 40 and 4"),
        (
            MDP(np.eye(5)[None, [4, 0, 1, 2, 3]].transpose(1, 0, 2), np.zeros((5, 1)), 0.5),
            {},
            "state 0 goes to 4 by action 0",
        ),
        (river_swim(4), {"V": np.zeros(3)}, r"V has shape \(3,\)"),
        (river_swim(4), {"pi": np.ones((4, 2))}, r"pi\[0\] is \[1.0, 1.0\]"),
    ],
    ids=["long", "far", "values", "policy"],
)
def test_chains_refuse(mdp: MDP, given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        chain(mdp, Figure().add_subplot(), **given)


@pytest.mark.parametrize("column", ["single", "double"])
def test_drawings_can_be_read_at_print_size(column: str) -> None:
    style = Style.of("icml", column)
    with style.context():
        fig, axes = style.figure(3, 1, 0.5)
        gridworld(ROWS, axes[0], V=np.arange(float(FREE)), pi=np.full((FREE, 4), 0.25))
        chain(river_swim(6), axes[1])
        graph(RING, axes[2])
    assert saving.faults(fig) == []
