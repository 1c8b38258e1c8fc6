"""The tables of the figures at tiny sizes: they agree with the exact solvers, and learning shows where seconds allow it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deep import envs
from deep.experiments import studies
from deep.experiments.studies import columns, study, write
from figures.deep import alpha_by_index, critic_bias, deep_against_tabular, deep_sea_scaling
from figures.deep._seeds import with_bands
from tabular.planning import policy_iteration

pytestmark = pytest.mark.xdist_group("deep runs")  # one worker compiles what they share


def best(env: str, **options: Any) -> float:
    """The largest return from the start, by tabular."""
    mdp = envs.make(env, **options).mdp
    assert mdp is not None and mdp.rho is not None
    return float(mdp.rho @ policy_iteration(mdp).V)


@pytest.fixture(scope="module")
def lake() -> dict[str, np.ndarray]:
    return dict(deep_against_tabular.compute(quick=True).columns)


def test_learning_curves_meet_their_truth(lake: dict[str, np.ndarray]) -> None:
    assert np.abs(lake["return"] + lake["suboptimality"] - best("FrozenLake")).max() < 1e-12
    assert (lake["suboptimality"] >= -1e-12).all() and (lake["worst"] >= lake["suboptimality"] - 1e-12).all()
    assert (lake["soft_gap"] >= -1e-9).all() and (lake["residual"] >= 0).all()
    assert (lake["residual"] <= lake["worst_residual"] + 1e-12).all()
    assert (lake["policy_entropy"] <= np.log(4) + 1e-9).all() and (lake["entropy"] <= np.log(16) + 1e-9).all()
    first, last = (lake["suboptimality"][lake["step"] == step].mean() for step in (4000, 8000))
    assert last < first < best("FrozenLake")  # they learn: on average a later policy is a better one


def test_bands_are_those_of_the_runs(lake: dict[str, np.ndarray]) -> None:
    for step in (4000, 8000):
        rows = lake["step"] == step
        for name in deep_against_tabular.SHOWN:
            y = lake[name][rows]
            assert np.allclose(lake[f"{name}_mean"][rows], y.mean(), rtol=1e-12)
            low, high = lake[f"{name}_lower"][rows], lake[f"{name}_upper"][rows]
            # Simultaneous for two points: at least Student's half-width at 95 per cent of three seeds, 4.30 standard errors.
            half = 4.30 * y.std(ddof=1) / np.sqrt(3)
            assert (high - y.mean() >= 0.97 * half).all() and np.allclose(high + low, 2 * y.mean())
    given = {"g": np.array([0, 0, 1, 1]), "x": np.array([5, 5, 5, 5]), "seed": np.array([0, 1, 0, 1])}
    with_gap = with_bands(given | {"y": np.array([1.0, 3.0, np.nan, 1.0])}, ("g",), "x", ("y",), 0.95)
    assert with_gap["y_mean"][:2].tolist() == [2.0, 2.0] and np.isnan(with_gap["y_mean"][2:]).all()


def test_munchausen_weights_share_a_program_and_differ_in_what_they_do() -> None:
    c = alpha_by_index.compute(quick=True).columns
    assert set(c["alpha"]) == {0.0, 0.9} and set(c["q"]) == {2.0} and len(c["q"]) == 4
    assert np.abs(c["optimum"] - best("FrozenLake")).max() < 1e-12
    assert ((c["policy_entropy"] > 0) & (c["policy_entropy"] < np.log(4))).all()
    same = c["seed"] == 0
    assert c["td_error"][same & (c["alpha"] == 0.0)] != c["td_error"][same & (c["alpha"] == 0.9)]


def test_the_sea_is_solved_and_what_is_not_is_said() -> None:
    """Size 4 within 200 episodes by both seeds; two episodes are not enough, and count as the budget."""
    c = deep_sea_scaling.compute(quick=True).columns
    assert c["solved"].all() and (c["episodes"] <= 200).all() and (c["suboptimality"] < 1e-6).all()
    assert (c["shown"] == c["episodes"]).all() and (c["share"] == 1.0).all() and (c["guide"] == 16.0).all()
    assert (c["least"] <= c["median"]).all() and (c["median"] <= c["most"]).all()
    few = deep_sea_scaling.compute(sizes=(4,), agents=("dqn",), seeds=2, episodes=2, evaluations=1).columns
    assert not few["solved"].any() and (few["shown"] == 2).all() and np.isinf(few["episodes"]).all()


def test_critics_are_compared_with_the_exact_soft_value() -> None:
    c = critic_bias.compute(quick=True).columns
    assert set(c["agent"]) == {"sac-discrete"} and len(c["step"]) == 4
    assert np.isfinite(c["bias"]).all() and (c["soft_gap"] > 0).all()
    # Values are about -100 at first and critics about zero: the bias is nearly the whole value, and shrinks.
    assert (c["bias"] > 0).all()
    assert c["bias"][c["step"] == 1600].mean() < c["bias"][c["step"] == 800].mean()


def test_visits_stay_below_the_certified_optimum() -> None:
    rows = study("visit-entropy", quick=True)
    c = columns(rows)
    assert (c["entropy"] <= c["optimum"]).all() and (c["reached"] <= c["optimum"]).all()
    assert c["entropy"][-1] > c["entropy"][0] + 0.05


def test_every_study_has_a_quick_size_and_a_file(tmp_path: Path) -> None:
    assert set(studies.QUICK) == set(studies.STUDIES)
    rows = [{"a": 1, "b": 0.1, "only": 2}, {"a": 3, "b": float("inf")}]
    write(tmp_path / "x.csv", rows)
    assert (tmp_path / "x.csv").read_text(encoding="utf-8") == "a,b\n1,0.1\n3,inf\n"
