"""A policy that is given and played for ever."""

from __future__ import annotations

import numpy as np
import pytest

from tabular.errors import ModelError
from tabular.exploration import Fixed, Random, interact
from tabular.exploration.fast_entropy import maximum_visitation_entropy
from tabular.exploration.visits import visits
from tabular.instances.exploration import deep_sea


def test_uniform_probabilities_are_the_random_learner() -> None:
    model = deep_sea(4)
    one, two = (interact(model, x, 50, seeds=3) for x in (Fixed(np.full((4, 4, 2), 0.5)), Random()))
    np.testing.assert_array_equal(one.result["visits"], two.result["visits"])
    np.testing.assert_array_equal(one.history["regret"], two.history["regret"])


def test_an_oracle_visits_what_it_should_and_is_evaluated_exactly() -> None:
    model = deep_sea(5, slip=0.1)
    pi = maximum_visitation_entropy(model).pi
    found = interact(model, Fixed(pi), 4000, seeds=2)
    shares = found.result["visits"].sum(axis=(0, 1)) / 8000
    np.testing.assert_allclose(shares, visits(model, pi).sum(axis=0), atol=5 * np.sqrt(5 / 8000))
    assert (found.result["evaluations"] == 1).all()
    d = visits(model, pi)
    value = sum((d[h] * model.stage(h).rewards).sum() for h in range(5))
    np.testing.assert_allclose(found.history["value"], value, rtol=1e-12)


def test_refusals() -> None:
    model = deep_sea(3)
    with pytest.raises(TypeError, match="pi is None: expected probabilities"):
        interact(model, Fixed(None), 5)
    with pytest.raises(ModelError, match=r"pi has shape \(2, 3, 2\)"):
        interact(model, Fixed(np.full((2, 3, 2), 0.5)), 5)
    with pytest.raises(ModelError, match=r"stage 1: pi\[2\]"):
        pi = np.full((3, 3, 2), 0.5)
        pi[1, 2] = 0.7
        interact(model, Fixed(pi), 5)
