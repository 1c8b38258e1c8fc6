"""A contestant's process as seen from here: orders in, answers out, an end where it takes too long."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


class Late(Exception):
    """No answer within the limit; the process has been ended."""


class Failed(Exception):
    """The process ended, with the last line that it wrote."""


class Worker:
    """A process of ``benchmarks.worker`` in a contestant's environment.

    ``V`` of the last run lies in ``answer``. ``log`` keeps what the library printed. POSIX only: it waits with ``select``.
    """

    def __init__(self, python: Path, module: str, folder: Path, options: dict[str, Any], scratch: Path) -> None:
        scratch.mkdir(parents=True, exist_ok=True)
        self.answer, self.log = scratch / "V.npy", scratch / "log.txt"
        told = json.dumps({**options, "answer": str(self.answer)})
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [str(python), "-m", "benchmarks.worker", module, str(folder), told],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=scratch,
                env=environment(),
                bufsize=0,
                start_new_session=True,
            )
        self._left = b""

    def ask(self, order: str, limit: float) -> dict[str, Any]:
        """One order, "run" or "weigh", and its answer."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(f"{order}\n".encode())
        except BrokenPipeError:
            raise Failed(self._last_words()) from None
        return self.hear(limit)

    def hear(self, limit: float) -> dict[str, Any]:
        """The next answer. Raises Late after ``limit`` seconds, Failed where the process has ended."""
        assert self._process.stdout is not None
        end, pipe = time.monotonic() + limit, self._process.stdout.fileno()
        while b"\n" not in self._left:
            ready, _, _ = select.select([pipe], [], [], max(0.0, end - time.monotonic()))
            if not ready:
                self.close()
                raise Late(f"not done after {limit:g} s")
            read = os.read(pipe, 65536)
            if not read:
                raise Failed(self._last_words())
            self._left += read
        line, _, self._left = self._left.partition(b"\n")
        said: dict[str, Any] = json.loads(line)
        return said

    def close(self) -> None:
        """End the process and whatever it started."""
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None and not stream.closed:
                stream.close()
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _last_words(self) -> str:
        code = self._process.wait()
        self.close()
        ended = f"signal {-code}" if code < 0 else f"exit {code}"
        return f"{last_error(self.log)} ({ended})"


def last_error(log: Path) -> str:
    """The last line of a log that names an error, else its last line."""
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    named = [line for line in lines if re.match(r"[\w.]*(Error|Exception|Unavailable)\b", line)]
    return (named or lines or ["it wrote nothing"])[-1][:200]


def environment() -> dict[str, str]:
    """Of every contestant: this checkout on the path, for the worker and its module.

    Without ``PYTHONDONTWRITEBYTECODE``: a process that compiles every source anew measures the compiler.
    """
    left_out = ("PYTHONHOME", "PYTHONWARNINGS", "PYTHONDONTWRITEBYTECODE")
    kept = {key: value for key, value in os.environ.items() if key not in left_out}
    return kept | {"PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu", "PYTHONNOUSERSITE": "1"}
