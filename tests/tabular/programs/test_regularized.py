"""Entropic and Tsallis programs over occupancies: the optimum and the policy of regularised value iteration."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest

from tabular import (
    KL,
    MDP,
    FiniteHorizonMDP,
    ModelError,
    NotConverged,
    Shannon,
    ShannonKL,
    Tsallis,
    TsallisKL,
    backward_induction,
    solve,
)
from tabular.instances import garnet, random_masks_endings
from tabular.programs import regularized_program
from tabular.regularizers import regularizer
from tests.tabular.programs.test_linear import horizon, spread

MODELS = {
    "dense": garnet(5, 3, gamma=(0.9,)).member(3, 0),
    "masks+ending": random_masks_endings(6, 3, gamma=(0.95,)).member(3, 1),
}


def reference(mask: np.ndarray) -> np.ndarray:
    """Skewed, and without the last of three available actions."""
    w = np.where(mask, 1.0 + np.arange(mask.shape[-1]), 0.0)
    w[mask.all(axis=-1), -1] = 0.0
    return w / w.sum(axis=-1, keepdims=True)


REGULARIZERS: dict[str, Any] = {
    "hard": lambda mu: None,
    "shannon": lambda mu: Shannon(0.3),
    "cold": lambda mu: Shannon(0.01),
    "hot": lambda mu: Shannon(30.0),
    "kl": lambda mu: KL(0.3, mu),
    "shannon+kl": lambda mu: ShannonKL(0.1, 0.2, mu),
    **{f"tsallis-{q}": lambda mu, q=q: Tsallis(0.3, q) for q in (0.5, 1, 1.5, 2, 3)},
    **{f"tsallis-kl-{q}": lambda mu, q=q: TsallisKL(0.3, q, mu) for q in (0.5, 1, 2)},
}
SHAPES = {"shannon": Shannon(0.3), "tsallis": Tsallis(0.3, 2)}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("kind", REGULARIZERS)
def test_the_program_is_regularised_value_iteration(kind: str, name: str) -> None:
    mdp, rho = MODELS[name], spread(MODELS[name])
    reg = REGULARIZERS[kind](reference(mdp.mask))
    sol, other = regularized_program(mdp, reg, rho), solve(mdp, reg)
    best = float(rho @ other.V)
    assert sol.lower - 1e-11 <= best <= sol.upper + 1e-11
    assert sol.info["proposed"] == pytest.approx(best, rel=1e-6, abs=1e-7)
    np.testing.assert_allclose(sol.V, other.V, rtol=1e-6, atol=1e-6)  # multipliers of the flow are the values
    if kind not in ("hard", "cold"):  # whose policies may be settled by less than eight digits
        np.testing.assert_allclose(sol.pi, other.pi, atol=2e-3)
    assert sol.certificates["V - V*"].lower.shape == (mdp.S,)


def test_sparse_models_and_horizons() -> None:
    mdp = MODELS["dense"]
    first, second = (regularized_program(m, Shannon(0.5), spread(mdp)) for m in (mdp, mdp.to_sparse()))
    assert first.upper == pytest.approx(second.upper, abs=1e-9)
    for reg in (*SHAPES.values(), None):
        fh = horizon(3)
        sol, other = regularized_program(fh, reg), backward_induction(fh, reg)
        assert sol.lower - 1e-12 <= fh.rho @ other.V[0] <= sol.upper + 1e-12 and sol.gap < 1e-7
        assert sol.V.shape == (6, 4) and sol.mu.shape == (5, 4, 3)


class Own(NamedTuple):
    w: float

    def conjugate(self, ops: Any, Q: Any, mask: Any) -> Any:
        return ops.max(Q, where=mask)

    def policy(self, ops: Any, Q: Any, mask: Any) -> Any:
        return ops.first_max(Q, where=mask)


def test_what_it_cannot_say_is_refused() -> None:
    mdp, rho = MODELS["dense"], spread(MODELS["dense"])
    with pytest.raises(TypeError, match="Own is no regularizer with cones"):
        regularized_program(mdp, regularizer(Own)(1.0), rho)
    with pytest.raises(ValueError, match="gamma = 1"):
        regularized_program(MDP([[[0.0]]], [[0.0]], 1, end=[[1.0]], rho=[1]), Shannon(1.0))
    with pytest.raises(ModelError, match="tau is -1"):
        regularized_program(mdp, Shannon(-1.0), rho)
    with pytest.raises(ModelError, match="rho is missing"):
        regularized_program(MDP([[[1.0]]], [[0.0]], 0.5), Shannon(1.0))
    with pytest.raises(NotConverged, match="gap is at most") as caught:
        regularized_program(mdp, Shannon(0.5), rho, tol=1e-300)
    assert caught.value.solution.gap < 1e-6
    with pytest.raises(TypeError, match="takes an MDP"):
        regularized_program(3, Shannon(0.5))


def test_a_single_state_in_closed_form() -> None:
    mdp = MDP(np.zeros((1, 2, 1)), [[1.0, 0.0]], 0.5, end=np.ones((1, 2)), rho=[1])
    sol = regularized_program(mdp, Shannon(1.0))
    assert sol.lower <= np.log(np.e + 1) <= sol.upper and sol.gap < 1e-8
    fh = FiniteHorizonMDP(np.ones((1, 2, 1)), [[1.0, 0.0]], H=2, rho=[1])
    assert regularized_program(fh, Shannon(1.0)).upper == pytest.approx(2 * np.log(np.e + 1))
