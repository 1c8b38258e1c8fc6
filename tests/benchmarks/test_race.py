"""Contestants in their processes: what is asked, what is answered, and what becomes of those that fail or take too long."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import data, oracle, workloads
from benchmarks.contestants.table import METHODS, REFUSALS
from benchmarks.environments import Unavailable
from benchmarks.pool import Failed, Late, Worker, last_error
from benchmarks.race import race
from benchmarks.workloads import Entry

PYTHON = Path(sys.executable)


def written(task: data.Task, folder: Path) -> Path:
    data.save(task, folder)
    return folder


@pytest.mark.parametrize(
    "task",
    [
        workloads.dense(8, 2, 0.9, 1),
        workloads.sparse(30, 2, 3, 0.9, 2),
        workloads.batch(3, 4, 2, 0.9, 4),
        workloads.horizon(5, 2, 6, 5),
        workloads.exact(4, 2, 8),
    ],
    ids=lambda task: task.kind,
)
def test_the_project_answers_every_kind(task: data.Task, tmp_path: Path) -> None:
    folder = written(task, tmp_path / "task")
    worker = Worker(PYTHON, "ours", folder, {"scale": 2.0}, tmp_path / "run")
    try:
        about, first = worker.hear(60), worker.hear(60)
        told, weighed = worker.ask("run", 60), worker.ask("weigh", 60)
        V = np.load(worker.answer)
    finally:
        worker.close()
    assert about["version"] and about["built"] > 0
    assert first["seconds"] > 0 and told["seconds"] > 0 and told["cpu"] >= 0
    assert told["facts"]["iterations"] > 0
    assert weighed["peak"] >= 0 and weighed["how"]
    start = V if task.kind == "exact" else np.zeros(V.shape)
    assert oracle.certified(task, start, {}).error(V) <= told["facts"].get("error_bound", 0) + 1e-9


@pytest.mark.parametrize("kind", ["shannon", "tsallis"])
def test_the_project_answers_soft_tasks(kind: str, tmp_path: Path) -> None:
    task = workloads.dense(8, 2, 0.9, 1)
    folder, options = written(task, tmp_path / "task"), {"regularizer": kind, "tau": 0.5}
    worker = Worker(PYTHON, "ours", folder, options, tmp_path / "run")
    try:
        worker.hear(60)
        worker.hear(60)
        V = np.load(worker.answer)
    finally:
        worker.close()
    assert oracle.certified(task, np.zeros(8), options).error(V) <= 1e-6
    assert oracle.certified(task, np.zeros(8), {}).error(V) > 1e-3


def test_another_order_ends_the_process(tmp_path: Path) -> None:
    worker = Worker(PYTHON, "ours", written(workloads.dense(4, 2, 0.5, 1), tmp_path / "task"), {}, tmp_path / "run")
    worker.hear(60)
    worker.hear(60)
    with pytest.raises(Failed, match="order 'jump': expected run, weigh or quit"):
        worker.ask("jump", 60)


def test_quit_ends_the_process_in_order(tmp_path: Path) -> None:
    folder = written(workloads.dense(4, 2, 0.5, 1), tmp_path / "task")
    command = [
        sys.executable,
        "-m",
        "benchmarks.worker",
        "ours",
        str(folder),
        json.dumps({"answer": str(tmp_path / "V.npy")}),
    ]
    done = subprocess.run(command, input="quit\n", capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert [sorted(json.loads(line)) for line in done.stdout.splitlines()] == [
        ["built", "version"],
        ["cpu", "facts", "seconds"],
    ]


SIDES = {
    "steady": "return Ready('1.0', lambda: print('chatter') or np.full(4, 2.0), lambda V: (V, {'passes': 3}))",
    "broken": "raise KeyError('no such key')",
    "fails_later": """
        calls = []
        def solve():
            calls.append(1)
            if len(calls) > 2:
                raise ArithmeticError('third time')
            return np.zeros(4)
        return Ready('1.0', solve, lambda V: (V, {}))""",
    "endless": "return Ready('1.0', lambda: time.sleep(60), lambda V: (V, {}))",
    "dies": "os.kill(os.getpid(), 9)",
}


@pytest.fixture
def sides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Contestants for the test: modules that the package finds in a folder of their own, there and in their processes."""
    home = tmp_path / "sides"
    home.mkdir()
    for name, body in SIDES.items():
        head = "import os, time\nimport numpy as np\nfrom benchmarks.contestants import Ready\n\ndef prepare(task, options):\n"
        (home / f"{name}.py").write_text(
            head + textwrap.indent(textwrap.dedent(body).strip(), "    "), encoding="utf-8"
        )
        monkeypatch.setitem(METHODS, name, {"dense": f"method of {name}"})
        monkeypatch.setitem(REFUSALS, name, {"batch": "only one at a time"})
    # A sitecustomize of the process adds the folder to the package, without importing it.
    hook = (
        "import importlib.abc, importlib.util, sys\n"
        "class Sides(importlib.abc.MetaPathFinder):\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        here, top = {str(home)!r}, 'benchmarks.contestants.'\n"
        f"        if name.startswith(top) and name[len(top):] in {sorted(SIDES)!r}:\n"
        "            return importlib.util.spec_from_file_location(name, f'{here}/{name[len(top):]}.py')\n"
        "sys.meta_path.insert(0, Sides())\n"
    )
    (home / "sitecustomize.py").write_text(hook, encoding="utf-8")
    from benchmarks import pool

    plain = pool.environment
    monkeypatch.setattr(
        pool, "environment", lambda: plain() | {"PYTHONPATH": os.pathsep.join([str(home), plain()["PYTHONPATH"]])}
    )
    yield home


def entered(task: data.Task, names: list[str], tmp_path: Path, **options: Any) -> list[Any]:
    def python(module: str) -> Path:
        if module == "absent":
            raise Unavailable("not installed: no such version")
        return PYTHON

    optimum = oracle.Oracle(np.full(4, 2.0), 1e-12, 2.0)
    return race(
        task,
        written(task, tmp_path / "task"),
        [Entry(name, name) for name in names],
        python,
        lambda entry: optimum,
        tmp_path / "run",
        **({"rounds": 2, "limit": 30.0} | options),
    )


def test_failures_are_records_and_do_not_end_the_race(
    sides: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(METHODS, "absent", {"dense": "none"})
    monkeypatch.setitem(REFUSALS, "absent", {})
    task = workloads.dense(4, 2, 0.5, 1)
    names = ["steady", "broken", "fails_later", "dies", "absent"]
    steady, broken, later, dies, absent = entered(task, names, tmp_path)
    assert steady.status == "done" and len(steady.seconds) == 2 and steady.ratios == [1.0, 1.0]
    assert steady.error == 1e-12 and steady.facts == {"passes": 3} and steady.peak is not None
    assert (broken.status, broken.reason) == ("failed", "KeyError: 'no such key' (exit 1)")
    assert (later.status, later.reason) == ("failed", "ArithmeticError: third time (exit 1)")
    assert len(later.seconds) == 1 == len(later.ratios) and later.error == 2.0 + 1e-12
    assert (dies.status, dies.reason) == ("failed", "it wrote nothing (signal 9)")
    assert (absent.status, absent.reason) == ("not installed", "not installed: no such version")


def test_what_takes_too_long_is_ended(sides: Path, tmp_path: Path) -> None:
    steady, endless = entered(workloads.dense(4, 2, 0.5, 1), ["steady", "endless"], tmp_path, limit=3.0, rounds=1)
    assert (endless.status, endless.reason) == ("not done", "not done after 3 s")
    assert steady.status == "done" and endless.seconds == []


def test_what_a_library_cannot_do_is_said(sides: Path, tmp_path: Path) -> None:
    (record,) = entered(workloads.batch(2, 4, 2, 0.5, 1), ["steady"], tmp_path)
    assert (record.status, record.reason, record.seconds) == ("refused", "only one at a time", [])


def test_a_late_worker_is_closed(sides: Path, tmp_path: Path) -> None:
    folder = written(workloads.dense(4, 2, 0.5, 1), tmp_path / "task")
    worker = Worker(PYTHON, "endless", folder, {}, tmp_path / "run")
    worker.hear(60)
    with pytest.raises(Late, match=r"not done after 0\.2 s"):
        worker.hear(0.2)
    with pytest.raises((Failed, ValueError)):
        worker.ask("run", 1)


def test_the_last_error_of_a_log(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    log.write_text("start\nmodule.SomeError: reason\n----\nmore at a site\n", encoding="utf-8")
    assert last_error(log) == "module.SomeError: reason"
    log.write_text("a\nb\n\n", encoding="utf-8")
    assert last_error(log) == "b"
