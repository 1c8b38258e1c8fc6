"""Models that formats are tried with, by what is special about them."""

from __future__ import annotations

from fractions import Fraction as F
from functools import cache

import pytest

from tabular import MDP
from tabular.instances import garnet, gridworld, random_masks


@cache
def models() -> dict[str, MDP]:
    b = garnet(4, 3)(0, 2)
    masks = random_masks(4, 3).member(5, 2)
    return {
        "floats": MDP(b.P[0], b.R[0], 0.9),
        "floats sparse": MDP(b.P[1], b.R[1], 0.5).to_sparse(),
        "floats that end": MDP.from_gymnasium("FrozenLake-v1", 0.9),
        "exact that ends": gridworld("S.G\n.#T", gamma=F(1, 3), slip=0.1, step_reward=-0.04),
        "exact lake": MDP.from_gymnasium("FrozenLake-v1", F(99, 100), exact=True),
        "masks": MDP(masks.P, masks.R, 0.9),
        "exact masks": masks,
        "one": MDP([[[1.0]]], [[-2.5]], 0),
        "tiny numbers": MDP([[[1.0, 0.0]], [[1e-300, 1.0]]], [[5e-324], [1e308]], 0.5),
    }


NAMES = tuple(models())


@pytest.fixture(params=NAMES, ids=[name.replace(" ", "-") for name in NAMES])
def model(request: pytest.FixtureRequest) -> MDP:
    """One of them."""
    return models()[request.param]
