"""Small models as text."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from proofs_check.drawing import draw, number
from proofs_check.draws import Payload
from tabular.mdp import MDP


def test_a_small_model() -> None:
    P = np.array([[[0, 1], [0.25, 0]], [[0, 1], [0, 0]]], dtype=float)
    end = np.array([[0, 0.75], [0, 0]])
    mdp = MDP(P, np.array([[1.0, 0], [0, -np.inf]]), 0.5, end=end)
    drawn = {
        "V": Payload("array", np.array([0.0, 1.0]), 1),
        "pi": Payload("distribution", np.array([[1, 2], [1, 0]]), 2),
        "tau": Payload("array", np.float64(0.125), 0),
        "other": Payload("model", MDP([[[1.0]]], [[2.0]], 0.5)),
    }
    assert draw(mdp, drawn) == [
        "2 states, gamma = 1/2",
        "(0) --[action 0, reward 1]--> (1)",
        "    --[action 1, reward 0]--> 1/4 itself, 3/4 end",
        "(1) --[action 0, reward 0]--> itself",
        "V = (0, 1)",
        "pi(0) = (1/3, 2/3)",
        "pi(1) = (1, 0)",
        "tau = 1/8",
        "other:",
        "  1 state, gamma = 1/2",
        "  (0) --[reward 2]--> itself",
    ]


def test_a_large_model_is_not_drawn() -> None:
    n = 30
    assert draw(MDP(np.eye(n)[:, None, :], np.zeros((n, 1)), 0.5)) == [
        "30 states, gamma = 1/2, 1 actions: too large to draw"
    ]


@pytest.mark.parametrize(
    ("x", "text"),
    [
        (Fraction(0), "0"),
        (Fraction(-3, 7), "-3/7"),
        (1e300, "~1e+300"),
        (Fraction(1234567890123, 2**40), "~1.12283"),
        (1 - 2.0**-30, "1 - 2^-30"),
        (1 - 3 * 2.0**-40, "~1 - 2.72848e-12"),
    ],
)
def test_numbers(x: Fraction | float, text: str) -> None:
    assert number(x) == text
