"""The trainer as a whole: it learns, compiles once for each shape, resumes bit for bit, and refuses what makes no sense."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deep.__main__ import main
from deep.experiments.config import Experiment
from deep.experiments.run import Result, read_metrics, run
from deep.experiments.speed import compare
from deep.train import checkpoint, replay, trainer
from figures.deep.deep_against_tabular import compute

pytestmark = pytest.mark.xdist_group("deep runs")  # one worker compiles what they share

SMOKE = Experiment(
    "mdqn", "FrozenLake", seeds=3, steps=24_000, evaluations=6, numbers={"lr": 3e-3}, depth=1, warmup=480
)  # fmt: skip


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    folder = tmp_path_factory.mktemp("finished")
    return folder, run(SMOKE, folder)


@contextmanager
def compilations() -> Iterator[list[str]]:
    """Names of what XLA compiles meanwhile."""
    seen: list[str] = []

    def note(event: str, duration: float, **facts: Any) -> None:
        if event == "/jax/core/compile/backend_compile_duration":
            seen.append(event)

    jax.monitoring.register_event_duration_secs_listener(note)
    try:
        yield seen
    finally:
        jax.monitoring.unregister_event_duration_listener(note)


def test_munchausen_dqn_solves_the_lake(finished: tuple[Path, Result]) -> None:
    """The optimum is 0.180 at the start; the uniform policy earns 0.006. Two of three seeds within 0.05 of the optimum."""
    c = finished[1].columns
    last = c["step"] == SMOKE.steps
    assert (np.sort(c["suboptimality"][last])[:2] < 0.05).all()
    assert (c["suboptimality"] > -1e-9).all() and (c["soft_gap"] > -1e-7).all()  # nobody beats the exact optimum
    assert c["suboptimality"][c["step"] == c["step"].min()].mean() > c["suboptimality"][last].mean()


def test_an_interrupted_run_ends_with_the_same_bytes(finished: tuple[Path, Result], tmp_path: Path) -> None:
    run(SMOKE, tmp_path, stop_after=2)
    assert {row["step"] for row in read_metrics(tmp_path / "metrics.csv")} == {4000, 8000}
    halfway = (tmp_path / "state.npz").read_bytes()
    with open(tmp_path / "metrics.csv", "a", encoding="utf-8") as file:  # rows of an evaluation whose state was lost
        last = (tmp_path / "metrics.csv").read_text(encoding="utf-8").splitlines()[-1]
        file.write("12000" + last.removeprefix("8000") + "\n")
    run(SMOKE, tmp_path)
    for name in ("config.json", "metrics.csv", "state.npz"):
        assert (tmp_path / name).read_bytes() == (finished[0] / name).read_bytes(), name
    assert halfway != (tmp_path / "state.npz").read_bytes()
    other = replace(SMOKE, seed=1)
    with pytest.raises(ValueError, match="another experiment"):
        run(other, tmp_path)


def test_seeds_do_not_depend_on_each_other(finished: tuple[Path, Result]) -> None:
    """The same seed among other company learns the same to rounding: nothing is shared between learners."""
    c = finished[1].columns
    again = run(replace(SMOKE, seed=1), stop_after=1).columns
    mine, other = (c["step"] == 4000) & (c["seed"] == 1), again["seed"] == 1
    assert c["episodes"][mine] == again["episodes"][other]
    assert np.allclose(c["td_error"][mine], again["td_error"][other], rtol=1e-3)
    assert c["td_error"][mine] != c["td_error"][(c["step"] == 4000) & (c["seed"] == 2)]


def test_one_shape_compiles_once(finished: tuple[Path, Result]) -> None:
    before = trainer.advance._cache_size()
    with compilations() as seen:  # another seed, other numbers, another discount: the same program
        run(replace(SMOKE, seed=5, numbers={"lr": 1e-3, "tau": 0.1, "gamma": 0.9}), stop_after=2)
    assert trainer.advance._cache_size() == before
    assert not seen
    with compilations() as seen:
        jax.jit(lambda x: x * 3.0 + before)(jnp.ones(7))
    assert seen  # the listener hears


def test_what_was_saved_is_what_is_loaded(tmp_path: Path) -> None:
    tree = {"a": jnp.arange(3), "b": (jnp.ones((2, 2)), None)}
    checkpoint.save(tmp_path / "x.npz", tree, done=4)
    found, facts = checkpoint.load(tmp_path / "x.npz", tree)
    assert facts == {"done": 4} and (found["b"][0] == 1).all() and found["a"].dtype == tree["a"].dtype
    with pytest.raises(ValueError, match=r"\['a'\] is int32\(3,\), expected int32\(4,\)"):
        checkpoint.load(tmp_path / "x.npz", tree | {"a": jnp.arange(4)})
    with pytest.raises(ValueError, match=r"\['c'\] is missing"):
        checkpoint.load(tmp_path / "x.npz", tree | {"c": jnp.ones(1)})


def test_a_ring_forgets_the_oldest() -> None:
    ring = replay.empty(jnp.zeros(()), 4)
    for start in (0, 2, 4):
        ring = replay.add(ring, jnp.array([start, start + 1], float))
    assert sorted(np.asarray(ring.data).tolist()) == [2, 3, 4, 5] and int(ring.full) == 4
    drawn = np.asarray(replay.sample(ring, jax.random.PRNGKey(0), 400))
    assert set(drawn.tolist()) == {2, 3, 4, 5}


REFUSED = [
    ({"agent": "mdqm"}, "unknown agent 'mdqm': did you mean mdqn"),
    ({"steps": 1000}, "steps is 1000: expected a multiple of envs times evaluations = 48, such as 1008"),
    ({"numbers": {"lr": -1.0}}, "lr is -1.0"),
    ({"numbers": {"taw": 1.0}}, "mdqn has no number 'taw': did you mean tau"),
    ({"numbers": {"tau": 0.0}}, "tau is 0.0: expected a positive number"),
    ({"numbers": {"alpha": 1.5}}, "alpha is 1.5: expected a number from 0 to 1"),
    ({"numbers": {"floor": 1.0}}, "floor is 1.0"),
    ({"numbers": {"gamma": float("nan")}}, "gamma is nan"),
    ({"grid": {"tau": ()}}, "the grid of tau is empty"),
    ({"numbers": {"tau": 0.1}, "grid": {"tau": (0.1, 0.2)}}, "tau is both a number and in the grid"),
    ({"seeds": 0}, "seeds is 0: at least 1"),
    ({"batch": 0}, "batch is 0: at least 1"),
    ({"buffer": 4}, "buffer is 4: it holds a step of all 8 environments"),
]


@pytest.mark.parametrize("change, message", REFUSED, ids=[m[:24] for _, m in REFUSED])
def test_bad_experiments_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as caught:
        replace(SMOKE, **change)
    assert message in str(caught.value)


def test_fields_of_agents_can_be_changed() -> None:
    agent = replace(SMOKE, agent="mvi-dqn", fields={"q": 1.5, "loss": "huber", "heads": 2}).make()
    assert agent.target.q == 1.5 and agent.loss == "huber" and agent.heads == 2 and agent.net.depth == 1
    with pytest.raises(TypeError, match="mdqn has no field 'colour': it has heads, loss"):
        replace(SMOKE, fields={"colour": 1})
    with pytest.raises(ValueError, match="loss is 'cubed': expected one of"):
        replace(SMOKE, fields={"loss": "cubed"})
    with pytest.raises(ValueError, match="a hard target has no entropy"):
        replace(SMOKE, agent="dqn", numbers={}, fields={"q": 2.0})
    points = replace(SMOKE, grid={"tau": (0.1, 0.2), "alpha": (0.0, 0.5, 0.9)}).settings()
    assert [(p["tau"], p["alpha"]) for p in points] == [(t, a) for t in (0.1, 0.2) for a in (0.0, 0.5, 0.9)]


def test_tables_hold_what_the_oracle_said(finished: tuple[Path, Result], tmp_path: Path) -> None:
    """The quick table shares the program of the smoke run, and its numbers: the same seeds and rates until step 8000."""
    table = compute(quick=True)
    c = finished[1].columns
    early = c["step"] <= 8000
    same = table.columns["step"] == 8000
    assert len(table) == 6 and set(table.columns["agent"]) == {"mdqn"}
    assert table.columns["return"][same].shape == (3,) and early.sum() == 6
    assert main(["table", "deep-against-tabular", "--quick", "--out", str(tmp_path / "x.csv")]) == 0
    assert len((tmp_path / "x.csv").read_text(encoding="utf-8").splitlines()) == 7
    assert main(["table", "deep-agains-tabular", "--out", str(tmp_path / "y.csv")]) == 3
    with pytest.raises(ValueError, match="steps is 12: expected a multiple of 8"):
        compare(1, 12)


def test_bad_types_and_pairs_are_refused() -> None:
    with pytest.raises(TypeError, match="seeds is True: expected an integer"):
        replace(SMOKE, seeds=True)
    with pytest.raises(TypeError, match="tau is 'hot': expected a number"):
        replace(SMOKE, numbers={"tau": "hot"})
    with pytest.raises(ValueError, match="unknown environment 'FrozenLak': did you mean"):
        run(replace(SMOKE, env="FrozenLak"))
    with pytest.raises(ValueError, match="sac is for boxes of actions, and FrozenLake has others"):
        run(replace(SMOKE, agent="sac", numbers={}))


def test_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = "train mdqn --env FrozenLake --seeds 3 --steps 24000 --evaluations 6 --set lr=3e-3 --depth 1 --warmup 480"
    assert main([*words.split(), "--quiet", "--out", str(tmp_path)]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["learners"] == 3 and said["step"] == 24_000 and said["suboptimality"] < 0.1
    assert Experiment.from_json((tmp_path / "config.json").read_text(encoding="utf-8")) == SMOKE
    assert main(["train", "mdqn", "--env", "DepSea"]) == 3
    assert "did you mean DeepSea" in capsys.readouterr().err
    assert main(["train", "mdqn", "--env", "FrozenLake", "--set", "lr=fast"]) == 3
    assert "lr is 'fast': expected a number" in capsys.readouterr().err
    assert main(["list"]) == 0
    assert "bootstrapped-dqn" in capsys.readouterr().out
