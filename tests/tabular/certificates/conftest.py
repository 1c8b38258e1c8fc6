"""Small random models for the certificates: masks, endings, ties, absorbing states, dense and sparse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tabular.mdp import MDP


def _model(
    rng: np.random.Generator,
    gamma: Any = None,
    *,
    S: int | None = None,
    A: int | None = None,
    ends: bool = True,
) -> MDP:
    S = int(rng.integers(1, 7)) if S is None else S
    A = int(rng.integers(1, 4)) if A is None else A
    kind = rng.integers(4)
    if kind == 0:  # dense floats
        w = rng.random((S, A, S))
    elif kind == 1:  # small integers: ties and zeros
        w = rng.integers(0, 3, (S, A, S)).astype(float)
    elif kind == 2:  # deterministic
        w = np.eye(S)[rng.integers(0, S, (S, A))]
    else:  # nearly decomposable, over many orders of magnitude
        w = 10.0 ** rng.uniform(-12, 0, (S, A, S))
    e = rng.random((S, A)) * (rng.random((S, A)) < 0.3) * ends
    w[..., 0] += (w.sum(-1) + e == 0) * 1.0
    total = w.sum(-1) + e
    P, e = w / total[..., None], e / total
    R = rng.standard_normal((S, A)) if rng.random() < 0.5 else rng.integers(-2, 3, (S, A)).astype(float)
    R = R * 10.0 ** rng.integers(-8, 9)
    gone = rng.random((S, A)) < 0.15
    gone[np.arange(S), rng.integers(0, A, S)] = False
    R[gone], P[gone], e[gone] = -np.inf, 0.0, 0.0
    if gamma is None:
        gamma = rng.choice([0.0, 0.3, 0.9, 0.99, 1 - 1e-4, 1 - 1e-6, 1 - 1e-9])
    mdp = MDP(P, R, gamma, end=e)
    return mdp.to_sparse() if rng.random() < 0.5 else mdp


def _policy(rng: np.random.Generator, mask: np.ndarray) -> np.ndarray:
    w = rng.random(mask.shape) * mask
    if rng.random() < 0.3:
        w = (w == w.max(axis=1, keepdims=True)) * 1.0
    return w / w.sum(axis=1, keepdims=True)


@pytest.fixture
def random_model() -> Callable[..., MDP]:
    return _model


@pytest.fixture
def random_policy() -> Callable[..., np.ndarray]:
    return _policy
