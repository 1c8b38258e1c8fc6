"""Runs that are killed, interrupted, starved or edited under way, and what the next one makes of it."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = Path(__file__).with_name("sample_claims.py")
KILLS = 10


def _command(store: Path, *more: str, file: Path = SAMPLE) -> list[str]:
    options = ("--store", str(store), "--no-mutants", "--workers", "2", *more)
    return [sys.executable, "-m", "proofs_check.cli", "verify", str(file), *options]


def _environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT)}


def _start(command: list[str]) -> subprocess.Popen[str]:
    """In a process group of its own, so that its workers are signalled with it."""
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=_environment(),
        start_new_session=True,
    )


def _recorded(store: Path, before: Collection[str] = ()) -> int:
    """How many results the workers of runs have written that nobody has taken over; without runs ``before``."""
    found = 0
    try:
        for file in [f for f in store.glob("parts/*/*.part") if f.parent.name not in before and f.name != "run.part"]:
            found += file.read_bytes().count(b"\n") - 1
    except FileNotFoundError:  # being taken over just now
        return 0
    return found


def _wait(condition: Callable[[], bool], seconds: float = 120) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.01)
    return False


def _result(done: subprocess.CompletedProcess[str] | tuple[str, str]) -> tuple[str, dict[str, Any]]:
    """The bytes of the verdicts, and the costs beside them."""
    data = json.loads(done[0] if isinstance(done, tuple) else done.stdout)
    costs = data.pop("costs")
    return json.dumps(data), costs


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=300, env=_environment())


def _from_store(costs: dict[str, Any]) -> tuple[int, int]:
    """Units taken from the store, and all."""
    return sum(c["from_store"] for c in costs["claims"].values()), sum(c["chunks"] for c in costs["claims"].values())


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The verdicts of a run that nothing disturbs."""
    verdicts, costs = _result(_run(_command(tmp_path_factory.mktemp("whole") / "s", "--json")))
    assert _from_store(costs)[0] == 0
    return verdicts


def test_a_run_killed_ten_times_ends_as_one_that_was_not(tmp_path: Path, whole: str) -> None:
    """SIGKILL, to the run and its workers at once, after a random number of further records and a random moment."""
    chance, store = random.Random(20), tmp_path / "s"
    for _ in range(KILLS):
        before = [p.name for p in store.glob("parts/*")]
        process = _start(_command(store, "--json"))
        more, moment = chance.randrange(1, 6), chance.random() / 20
        assert _wait(lambda p=process, old=before, n=more: _recorded(store, old) >= n or p.poll() is not None)
        time.sleep(moment)
        assert process.poll() is None, process.communicate()
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        assert process.returncode == -signal.SIGKILL
    verdicts, costs = _result(_run(_command(store, "--json")))
    reused, units = _from_store(costs)
    assert KILLS <= reused < units
    assert verdicts == whole
    verdicts, costs = _result(_run(_command(store, "--json")))
    assert _from_store(costs) == (units, units)
    assert verdicts == whole


def test_workers_do_not_outlive_a_killed_parent(tmp_path: Path) -> None:
    store = tmp_path / "s"
    process = _start(_command(store))
    assert _wait(lambda: _recorded(store) > 0)
    children = [int(p) for p in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]
    assert len(children) >= 2
    process.kill()
    process.communicate()
    assert _wait(lambda: not any(_alive(child) for child in children), 20)


@pytest.mark.parametrize("later", [0.0, 0.05, 0.3])
def test_an_interrupt_while_processes_start_reaches_none_of_them(tmp_path: Path, later: float) -> None:
    """They would say so in a traceback each, before they can ignore it."""
    process = _start(_command(tmp_path / "s", "--thorough"))
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    assert _wait(lambda: len(children.read_text().split()) >= 2)
    time.sleep(later)
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130 and "Traceback" not in err, err


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_an_interrupt_keeps_what_is_done_and_says_how_to_go_on(tmp_path: Path, whole: str) -> None:
    store = tmp_path / "s"
    process = _start(_command(store, "--json"))
    assert _wait(lambda: _recorded(store) > 3)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted; what was done is kept" in err and "the same command goes on from there" in err
    assert "Traceback" not in err and not out
    assert not list((store / "parts").iterdir())
    verdicts, costs = _result(_run(_command(store, "--json")))
    assert 3 < _from_store(costs)[0] < _from_store(costs)[1]
    assert verdicts == whole


LIMITED = """import os, resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (12 * 1024, 12 * 1024))
os.execv(sys.argv[1], sys.argv[1:])"""


def test_a_full_disk_ends_the_run_in_words_and_costs_nothing_that_was_done(tmp_path: Path, whole: str) -> None:
    """No file may grow beyond 12 kB: to the run it is as if the disk were full."""
    store = tmp_path / "s"
    assert _run([*_command(store, "--quick", file=_only(tmp_path, "unmet"))]).returncode == 2  # makes the database
    process = _start([sys.executable, "-c", LIMITED, *_command(store, "--json")])
    out, err = process.communicate(timeout=120)
    assert process.returncode == 3, err
    assert str(store) in err and "Traceback" not in err and not out
    verdicts, costs = _result(_run(_command(store, "--json")))
    assert 0 < _from_store(costs)[0] < _from_store(costs)[1]
    assert verdicts == whole


def _only(tmp_path: Path, name: str) -> Path:
    """A file with one claim of the sample."""
    head, *blocks = SAMPLE.read_text(encoding="utf-8").split("\n\n\n")
    path = tmp_path / f"{name}_claim.py"
    path.write_text("\n\n\n".join([head, *(b for b in blocks if f'sample.{name}"' in b)]) + "\n", encoding="utf-8")
    return path


def test_an_edited_claim_is_computed_anew_and_the_others_are_not(tmp_path: Path) -> None:
    file, store = tmp_path / "mine.py", tmp_path / "s"
    text = SAMPLE.read_text(encoding="utf-8")
    file.write_text(text, encoding="utf-8")
    _, before = _result(_run(_command(store, "--json", "--quick", file=file)))
    assert text.count("4 * m.gamma") == 1
    file.write_text(text.replace("4 * m.gamma", "5 * m.gamma"), encoding="utf-8")
    _, after = _result(_run(_command(store, "--json", "--quick", file=file)))
    for claim, cost in after["claims"].items():
        assert cost["from_store"] == (
            0 if claim == "sample.true" else cost["chunks"] if claim in before["claims"] else None
        )


def test_what_comes_from_the_store_is_said_and_fresh_computes_it_again(tmp_path: Path) -> None:
    file, store = _only(tmp_path, "true"), tmp_path / "s"
    assert "from the store" not in _run(_command(store, "--quick", file=file)).stdout
    again = _run(_command(store, "--quick", file=file)).stdout
    assert "(from the store)" in again and "1 of 1 chunks from the store (--fresh computes them again)" in again
    assert "from the store" not in _run(_command(store, "--quick", "--fresh", file=file)).stdout


def test_two_runs_may_share_a_store(tmp_path: Path, whole: str) -> None:
    store = tmp_path / "s"
    both = [_start(_command(store, "--json")) for _ in range(2)]
    for process in both:
        verdicts, _ = _result(process.communicate(timeout=300))
        assert verdicts == whole


def test_without_a_terminal_a_line_now_and_then(tmp_path: Path) -> None:
    """Said by the monitor that a run without a terminal gets."""
    code = (
        "import sys, time\nfrom proofs_check.progress import Lines\n"
        "m = Lines(sys.stderr, interval=0.05)\nm.begin(4, reused=3)\n"
        "for name in 'abcd':\n    time.sleep(0.06)\n    m.advance(name)\n"
    )
    lines = _run([sys.executable, "-c", code]).stderr.splitlines()
    assert len(lines) == 4
    assert lines[1].startswith("proofs-check: claims: 2 of 4 chunks (3 more from the store), ")
    assert "chunks/s, ends about " in lines[1]
