"""What a user gets wrong: names, numbers, sizes, folders. Each is refused in a line that says what is wrong, with exit code 3."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from deep.__main__ import main
from deep.experiments.config import Experiment
from deep.experiments.run import read_metrics, run
from deep.oracle import MEASURES

pytestmark = pytest.mark.xdist_group("deep runs")  # one worker compiles what they share

LAKE = "train dqn --env FrozenLake --quiet"
TINY = f"{LAKE} --seeds 2 --depth 1 --width 8 --warmup 64 --batch 16 --buffer 64 --steps 128 --evaluations 2"
SMALL = Experiment(
    "dqn", "FrozenLake", seeds=2, depth=1, width=8, warmup=64, batch=16, buffer=64, steps=128, evaluations=2
)

REFUSED = {
    "train nope --env FrozenLake": "unknown agent 'nope'",
    "train dqn --env FrozenLak": "unknown environment 'FrozenLak': did you mean FrozenLake",
    "train dqn": "the following arguments are required: --env",
    "nope": "invalid choice: 'nope'",
    f"{LAKE} --set lr": "--set 'lr': expected NAME=VALUE",
    f"{LAKE} --set lr=": "--set 'lr=': expected NAME=VALUE",
    f"{LAKE} --set lr=0.1 --set lr=0.2": "--set has lr twice: 0.1 and 0.2",
    f"{LAKE} --set lr=nan": "lr is nan: expected a finite number",
    f"{LAKE} --set lr=inf": "lr is inf: expected a finite number",
    f"{LAKE} --set tau=0.1": "dqn has no number 'tau'",
    f"{LAKE} --grid lr=0.1,": "lr is '': expected a number",
    f"{LAKE} --set gamma=1.5": "gamma is 1.5: expected a number from 0 to 1",
    f"{LAKE} --seeds 0": "seeds is 0: at least 1",
    f"{LAKE} --seeds three": "invalid int value: 'three'",
    f"{LAKE} --steps 0": "steps is 0: at least 1",
    f"{LAKE} --steps 100": "steps is 100: expected a multiple of envs times evaluations = 80, such as 160",
    f"{LAKE} --envs 0": "envs is 0: at least 1",
    f"{LAKE} --batch 0": "batch is 0: at least 1",
    f"{LAKE} --width 0": "width is 0: at least 1",
    f"{LAKE} --updates -1": "updates is -1: at least 0",
    f"{LAKE} --option N=3": "FrozenLake has no option 'N': it has gamma, size",
    f"{LAKE} --option gamma=1": "the oracle is for discounted models",
    f"{LAKE} --option size=9x9": "size is '9x9': expected '4x4' or '8x8'",
    f"{LAKE} --field colour=1": "dqn has no field 'colour'",
    f"{LAKE} --field heads=0": "heads is 0: at least 1",
    f"{LAKE} --field q=2": "a hard target has no entropy",
    "train dqn --env DeepSea --option N=0": "N is 0: expected at least 2",
    "train dqn --env DeepSea --option N=2.5": "N is 2.5: expected an integer",
    "train dqn --env CartPole-v1 --option N=3": "CartPole-v1 takes no options",
    "train sac --env FrozenLake": "sac is for boxes of actions, and FrozenLake has others",
    "train mepol --env Pendulum-v1 --steps 4000": "mepol is for finitely many actions, and Pendulum-v1 has others",
    "train mepol --env FrozenLake --steps 4008": "evaluations times mepol's horizon 50 = 4000, such as 8000",
    "train mepol --env FrozenLake --steps 4000 --set delta=0": "delta is 0.0: expected a positive number",
    "speed --seeds 0": "seeds is 0: at least 1",
    "speed --steps 12": "steps is 12: expected a multiple of 8",
    "table deep-sea --out x.csv": "unknown table 'deep-sea': did you mean deep-sea-scaling",
}


def said(words: str, capsys: pytest.CaptureFixture[str], *more: str) -> str:
    """What a refused command says, in its last line."""
    try:
        code = main([*words.split(), *more])
    except SystemExit as stop:
        code = int(str(stop.code))
    assert code == 3, words
    lines = capsys.readouterr().err.splitlines()
    assert "Traceback" not in "".join(lines)
    return lines[-1]


@pytest.mark.parametrize("words", REFUSED, ids=[w.replace(" --quiet", "")[:50] for w in REFUSED])
def test_nonsense_is_refused_in_a_line(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    line = said(words, capsys)
    assert line.startswith("deep: ") and REFUSED[words] in line, line


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kept")
    run(SMALL, folder, stop_after=1)
    return folder


def test_broken_folders_are_refused(kept: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def broken(name: str) -> Path:
        return Path(shutil.copytree(kept, tmp_path / name))

    def refused(folder: Path, words: str = TINY) -> str:
        return said(words, capsys, "--out", str(folder))

    state = (kept / "state.npz").read_bytes()
    a, b, c, d, e, f, g, h = (broken(name) for name in "abcdefgh")
    assert "holds another experiment: seeds 2, not 3" in refused(a, f"{TINY} --seeds 3")
    for bad in (b"", b"not a zip", state[:200], state[:-300]):
        (b / "state.npz").write_bytes(bad)
        assert "state.npz is no checkpoint, or a broken one" in refused(b)
    (c / "config.json").write_text("{", encoding="utf-8")
    assert "config.json holds no experiment" in refused(c)
    (d / "config.json").unlink()
    assert "has a state.npz and no config.json" in refused(d)
    (e / "metrics.csv").unlink()
    assert "has a state.npz and no metrics.csv: the rows of 1 evaluations are lost" in refused(e)
    with np.load(f / "state.npz") as data:
        arrays = {name: data[name] for name in data.files}
    np.savez(f / "state.npz", **(arrays | {"fact.done": np.asarray(7)}))
    assert "says that 7 of 2 evaluations are done" in refused(f)
    first, row, other = (g / "metrics.csv").read_text(encoding="utf-8").splitlines()
    (g / "metrics.csv").write_text(f"{first}\n{row},spare\n{other}\n", encoding="utf-8")
    assert f"metrics.csv, line 2: expected {len(first.split(','))} numbers" in refused(g)
    (g / "metrics.csv").write_text(first + "\n", encoding="utf-8")
    assert "has 0 rows until step 64: expected 2" in refused(g)
    (tmp_path / "file").write_text("", encoding="utf-8")
    assert "file" in refused(tmp_path / "file")
    assert main([*TINY.split(), "--out", str(h)]) == 0  # and what is whole goes on
    assert len(read_metrics(h / "metrics.csv")) == 4


def test_learners_that_diverge_are_told_apart_and_stop_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    """One of two rates makes everything infinite: its measures are no numbers, those of the other are; JSON stays JSON."""
    assert main([*TINY.replace("--seeds 2", "").split(), "--grid", "lr=0.001,1e30"]) == 0
    means = json.loads(capsys.readouterr().out)
    assert means["return"] is None and means["learners"] == 2
    from dataclasses import replace

    told: list[str] = []
    c = run(replace(SMALL, seeds=1, grid={"lr": (0.001, 1e30)}), tell=told.append).columns
    last = c["step"] == 128
    good, bad = (np.array([c[name][last & (c["lr"] == lr)][0] for name in MEASURES]) for lr in (0.001, 1e30))
    assert np.isfinite(good).all() and np.isnan(bad).all()
    assert "1 of 2 learners diverged" in told[-1]


def test_interruptions_and_missing_parts_are_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import deep.experiments.run as home

    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    def missing(*_: object, **__: object) -> None:
        raise ModuleNotFoundError("No module named 'optax'", name="optax")

    monkeypatch.setattr(home, "run", stopped)
    assert main([*TINY.split(), "--out", "runs/x"]) == 130
    assert "interrupted; the same command goes on from runs/x" in capsys.readouterr().err.replace("\\", "/")
    monkeypatch.setattr(home, "run", missing)
    assert main(TINY.split()) == 3
    assert "optax is not installed: pip install 'tabular-proofs[deep]'" in capsys.readouterr().err
