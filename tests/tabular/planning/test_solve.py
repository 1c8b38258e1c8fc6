"""``solve``: the choice of a method, its reason, and what a first answer costs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tabular import CSR, MDP, FiniteHorizonMDP, Shannon, solve
from tabular._backups import DENSE_SOLVE
from tabular.planning import SOLVERS
from tabular.planning._solve import TINY

ROOT = Path(__file__).resolve().parents[3]


def ring(n: int, gamma: float) -> MDP:
    """Forward for nothing, or stay for a reward that grows."""
    indices = np.stack([np.roll(np.arange(n), -1), np.arange(n)], axis=1).ravel().astype(np.int32)
    P = CSR(np.arange(2 * n + 1, dtype=np.int64), indices, np.ones(2 * n))
    return MDP(P, np.stack([np.zeros(n), np.arange(n) / n], axis=1), gamma)


def test_small_models_go_to_policy_iteration() -> None:
    sol = solve(ring(50, 0.99))
    assert sol.method == "policy iteration" and "50 equations" in sol.why


def test_large_models_go_to_modified_policy_iteration() -> None:
    sol = solve(ring(DENSE_SOLVE + 1, 0.9), Shannon(0.1))
    assert sol.method == "modified policy iteration" and "sweeps" in sol.why
    same = solve(ring(DENSE_SOLVE + 1, 0.9), Shannon(0.1), "policy_iteration")
    assert np.abs(sol.V - same.V).max() <= sol.error_bound + same.error_bound
    assert same.why == "asked for by name"


def test_strong_discounts_go_to_value_iteration() -> None:
    sol = solve(ring(TINY + 1, 0.3))
    assert sol.method == "value iteration" and "few sweeps" in sol.why


def test_finite_horizons_go_to_backward_induction() -> None:
    one = ring(5, 0.5)
    sol = solve(FiniteHorizonMDP(one.P, one.R, H=3))
    assert sol.method == "backward induction" and sol.V.shape == (4, 5)
    assert sol.V[:, 4].tolist() == pytest.approx([2.4, 1.6, 0.8, 0.0])


def test_what_solve_refuses() -> None:
    mdp = ring(5, 0.5)
    with pytest.raises(ValueError, match="method is 'magic': expected 'auto' or one of 'value_iteration'"):
        solve(mdp, method="magic")
    with pytest.raises(TypeError, match="MDP or a FiniteHorizonMDP, not ndarray"):
        solve(np.zeros((2, 2)))
    with pytest.raises(TypeError, match="backward_induction does not take an MDP"):
        solve(mdp, method="backward_induction")
    with pytest.raises(TypeError, match="policy_iteration does not take a FiniteHorizonMDP"):
        solve(FiniteHorizonMDP(mdp.P, mdp.R, H=2), method="policy_iteration")
    with pytest.raises(TypeError, match="no regularizer"):
        solve(mdp, 0.1)
    with pytest.raises(ValueError, match="tau is -1"):
        solve(mdp, Shannon(-1))


def test_model_error_bounds_what_the_lift_changes() -> None:
    """Thirds as floats: rows that sum to less than one, read as distributions."""
    P = np.full((3, 1, 3), np.nextafter(1 / 3, 0))
    mdp = MDP(P, [[1.0], [2.0], [6.0]], 0.999)
    sol = solve(mdp)
    lifted, floats = 3.0 * 0.999 / 0.001, 3.0 * 0.999 * 3 * P[0, 0, 0] / (1 - 0.999 * 3 * P[0, 0, 0])
    assert 0 < abs(lifted - floats) <= 2 * sol.model_error <= 1e-7
    assert solve(MDP([[[0.5, 0.5]], [[1.0, 0.0]]], [[1.0], [2.0]], 0.5)).model_error <= 1e-15


def test_registered_names_are_the_functions() -> None:
    import tabular

    for name, solver in SOLVERS.items():
        assert getattr(tabular, name) is solver.function is getattr(tabular.planning, name)


def test_a_first_answer_imports_neither_numba_nor_jax() -> None:
    code = (
        "import sys\nfrom tabular import MDP, Shannon, solve\n"
        "mdp = MDP.from_gymnasium('FrozenLake-v1', gamma=0.99, map_name='8x8')\n"
        "for reg in (None, Shannon(0.1)):\n    assert solve(mdp, reg).error_bound < 1e-6\n"
        "bad = {'numba', 'llvmlite', 'jax', 'matplotlib'} & set(sys.modules)\nassert not bad, bad\n"
    )
    env = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
