"""MaxEnt by Frank and Wolfe: its gap is a bound, its limit that of a convex program, its policy has the visits that it says."""

from __future__ import annotations

from typing import Any

import cvxpy as cp
import numpy as np
import pytest

from tabular import MDP, FiniteHorizonMDP, ModelError, occupancy
from tabular.exploration import max_ent, smoothed_entropy
from tabular.instances import double_chain, proper, river_swim


def program(mdp: MDP, sigma: float, of: str) -> float:
    """The maximum of the smoothed entropy over normalised occupancies, by cvxpy: -d log(d + sigma) as a relative entropy."""
    d = cp.Variable((mdp.S, mdp.A), nonneg=True)
    states = cp.sum(d, axis=1)
    flow = sum(mdp.P[s, a] * d[s, a] for s in range(mdp.S) for a in range(mdp.A))
    x = states if of == "states" else cp.vec(d, order="C")
    # -x log(x + sigma) = -(x + sigma) log(x + sigma) + sigma log(x + sigma)
    objective = cp.sum(cp.entr(x + sigma)) + sigma * cp.sum(cp.log(x + sigma))
    problem = cp.Problem(cp.Maximize(objective), [states == (1 - mdp.gamma) * mdp.rho + mdp.gamma * flow])
    problem.solve(solver=cp.CLARABEL)
    return float(problem.value)


@pytest.mark.parametrize("of", ["states", "pairs"])
@pytest.mark.parametrize("mdp", [river_swim(), double_chain(7)], ids=["river", "chain"])
def test_it_finds_the_maximum_and_bounds_it(mdp: MDP, of: str) -> None:
    best = program(mdp, 1e-2, of)
    run = max_ent(mdp, 3000, sigma=1e-2, of=of)
    value, gap, upper = (float(run.result[name]) for name in ("objective", "gap", "upper"))
    assert value <= best + 1e-7 and best <= upper + 1e-7 and upper - value <= gap
    assert best - value < 2e-3
    assert (run.history["objective"] + run.history["gap"] >= best - 1e-7).all() and (run.history["gap"] > -1e-12).all()
    d, pi = run.result["d"], run.result["pi"]
    np.testing.assert_allclose(occupancy(mdp, pi) * (1 - mdp.gamma), d, atol=1e-12)
    assert value == pytest.approx(smoothed_entropy(d if of == "pairs" else d.sum(1), 1e-2), abs=1e-14)


def test_the_rate_is_one_over_t() -> None:
    run = max_ent(river_swim(), 4096, sigma=0.05, record=[16, 64, 256, 1024, 4096])
    best = program(river_swim(), 0.05, "states")
    short = best - run.history["objective"]
    # Frank and Wolfe: at most 2 C / (t + 2) with C <= beta diam^2 = (2 / sigma) * 2 for d in the simplex.
    assert (short <= 2 * (2 / 0.05) * 2 / (run.history["t"] + 2)).all()
    assert short[-1] < short[0] / 100


def test_a_constant_step_stops_short() -> None:
    ends = [float(max_ent(river_swim(), 600, sigma=0.05, eta=eta).result["gap"]) for eta in (0.3, 0.01)]
    assert ends[0] > 10 * ends[1] > 0


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"T": 0}, ValueError, "T is 0"),
        ({"sigma": 0.0}, ValueError, "sigma is 0"),
        ({"eta": 1.5}, ValueError, "eta is 1.5"),
        ({"of": "actions"}, ValueError, "of is 'actions'"),
        ({"record": [7]}, ValueError, "record is"),
        ({"mdp": MDP([[[1.0]]], [[0.0]], 1, rho=[1])}, ValueError, "gamma = 1"),
        ({"mdp": MDP([[[1.0]]], [[0.0]], 0.5)}, ModelError, "rho is missing"),
        ({"mdp": proper(3, 2, ).member(0, 0)}, ValueError, "gamma = 1|may end"),
        ({"mdp": FiniteHorizonMDP([[[1.0]]], [[0.0]], H=2)}, TypeError, "takes an MDP"),
    ],
    ids=str,
)  # fmt: skip
def test_bad_input_is_refused(change: dict[str, Any], error: type[Exception], message: str) -> None:
    given: dict[str, Any] = {"mdp": river_swim(), "T": 5, "sigma": 0.1} | change
    with pytest.raises(error, match=message):
        max_ent(given.pop("mdp"), given.pop("T"), **given)
