"""From which discount on: closed forms."""

from __future__ import annotations

from fractions import Fraction as F

import numpy as np
import pytest

from tabular import MDP, ModelError
from tabular.instances import impatience
from tabular.planning.blackwell import blackwell_bracket


def test_one_now_against_a_quarter_for_ever() -> None:
    """Action 0 earns 1 once, action 1 a quarter from the next step on: gamma / (4 (1 - gamma)) > 1 beyond 4/5."""
    P = np.zeros((3, 2, 3))
    P[0, 0, 1] = P[0, 1, 2] = P[1, :, 1] = P[2, :, 2] = 1
    R = np.array([[1, 0], [0, 0], [0.25, 0.25]])
    below, above = blackwell_bracket(MDP(P, R, 0.5), bits=30)
    assert below is not None and below <= F(4, 5) <= above and above - below <= F(1, 2**30)
    exact = MDP.from_weights(P.astype(int), R * 3, F(1, 2))
    assert blackwell_bracket(exact, bits=8).above >= F(4, 5)


def test_a_model_without_conflict() -> None:
    assert blackwell_bracket(MDP([[[1], [1]]], [[0, 1]], 0.5)) == (None, 0)


def test_the_impatient_change_their_mind_where_it_is_said() -> None:
    """x = (1 - gamma + gamma q) / (1 + gamma q) solves to gamma = (1 - x) / (1 - q + x q)."""
    mdp = impatience().member(0, 5)
    q, x = F(float(mdp.P[1, 0, 0])), F(float(mdp.rewards[0, 1]))
    below, above = blackwell_bracket(mdp, bits=24)
    assert below is not None and below <= (1 - x) / (1 - q + x * q) <= above


def test_bad_input_is_refused() -> None:
    with pytest.raises(ModelError, match="a process that ends"):
        blackwell_bracket(MDP([[[0.5]]], [[0.0]], 0.5, end=[[0.5]]))
    with pytest.raises(ValueError, match="bits is 0"):
        blackwell_bracket(MDP([[[1.0]]], [[0.0]], 0.5), bits=0)
