"""Work in a copy of a process: it spoils nothing, what it raises comes back, and it outlives nobody."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from proofs_check.processes import Copy, WorkerDied, collect, in_a_copy, pool

STATE = [0]


def add(n: int) -> int:
    STATE[0] += n
    return STATE[0]


def fail(_: Any) -> None:
    raise KeyError("mine")


def die(_: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def spoiling(_: Any) -> None:
    assert [in_a_copy(add, 2), in_a_copy(add, 3)] == [2, 3] and STATE == [0]
    copy = Copy(add)
    assert [copy.ask(2), copy.ask(3), in_a_copy(add, 4)] == [2, 5, 4] and STATE == [0]
    copy.close()


def raising(_: Any) -> None:
    with pytest.raises(KeyError, match="mine"):
        in_a_copy(fail, None)
    with pytest.raises(WorkerDied, match="without a result"):
        in_a_copy(die, None)
    copy = Copy(fail)
    for _ in range(2):
        with pytest.raises(KeyError, match="mine"):
            copy.ask(None)
    copy.close()
    assert in_a_copy(add, 1) == 1


def opening(_: Any) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for n in range(3):
        in_a_copy(add, n)
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("what", [spoiling, raising, opening])
def test_a_copy_spoils_nothing_raises_and_leaves_no_file_open(what: Callable[[Any], None]) -> None:
    """In a process of one thread, which this one is not once a test before has begun some."""
    with pool(1, {}) as made:
        assert collect(made, what, [None]) == [None]


def where(_: int) -> tuple[int, int]:
    return os.getpid(), in_a_copy(_pid, None)


def _pid(_: Any) -> int:
    return os.getpid()


def test_workers_make_copies() -> None:
    with pool(1, {"MINE": "1"}) as made:
        found = collect(made, where, range(3))
    assert len({parent for parent, _ in found}) == 1 and len({child for _, child in found}) == 3


_SLEEPS = """
import os, sys, time
from proofs_check.processes import in_a_copy
def sleep(path):
    open(path, "w").write(str(os.getpid()))
    time.sleep(60)
in_a_copy(sleep, sys.argv[1])
"""


def test_a_copy_ends_with_its_process(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    parent = subprocess.Popen([sys.executable, "-c", _SLEEPS, str(file)])
    try:
        _until(lambda: file.exists() and file.read_text() != "")
    finally:
        parent.kill()
        parent.wait()
    child = Path("/proc") / file.read_text()
    _until(lambda: not child.exists() or "\nState:\tZ" in (child / "status").read_text())


def _until(there: Any, seconds: float = 30.0) -> None:
    limit = time.monotonic() + seconds
    while not there():
        assert time.monotonic() < limit
        time.sleep(0.02)
