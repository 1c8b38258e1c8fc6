"""How far a run is, how fast it goes, and when it will end: a bar on a terminal, elsewhere a line every ten seconds."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from proofs_check.workers import Finished

INTERVAL = 10.0  # seconds between lines


class Monitor:
    """Counts what is done, in silence. A subclass shows it."""

    def __init__(self) -> None:
        self.total = self.done = self.reused = self.instances = self.unstored = 0
        self.began = time.monotonic()
        self.phase, self.unit, self.last = "", "units", ""

    def begin(self, total: int, reused: int = 0, phase: str = "claims", unit: str = "chunks") -> None:
        """A phase of ``total`` pieces of work, ``reused`` more of which were done before."""
        self.total, self.reused, self.done = total, reused, 0
        self.phase, self.unit, self.last = phase, unit, ""
        self.began = time.monotonic()

    def took(self, finished: Finished) -> None:
        """A task of claims is done."""
        self.instances += sum(record.cost.instances for record in finished.records)
        self.unstored += 0 if finished.stored else len(finished.records)
        self.advance(finished.task.job.id, len(finished.task.units))

    def advance(self, name: str, n: int = 1) -> None:
        """``n`` pieces are done, of ``name``."""
        self.done += n
        self.last = name
        self.waiting()

    def waiting(self) -> None:
        """Called often."""

    @property
    def rate(self) -> float:
        """Pieces a second; 0 before the first."""
        return self.done / max(1e-9, time.monotonic() - self.began)

    @property
    def remaining(self) -> float | None:
        """Seconds to the end of the phase, at the rate so far; None before the first piece."""
        return (self.total - self.done) / self.rate if self.done else None

    def says(self) -> str:
        """E.g. "claims: 120 of 1,531 chunks (32 more from the store), 31.2 chunks/s, ends about 14:02:11 (in 45 s): mdvi.C3"."""
        before = f" ({self.reused:,} more from the store)" if self.reused else ""
        text = f"{self.phase}: {self.done:,} of {self.total:,} {self.unit}{before}"
        if self.remaining is not None:
            end = time.strftime("%H:%M:%S", time.localtime(time.time() + self.remaining))
            text += f", {self.rate:.1f} {self.unit}/s, ends about {end} (in {duration(self.remaining)})"
        return text + (f": {self.last}" if self.last else "")


class Lines(Monitor):
    """A line now and then."""

    def __init__(self, stream: TextIO, interval: float = INTERVAL) -> None:
        super().__init__()
        self._stream, self._interval = stream, interval
        self._said = self.began

    def waiting(self) -> None:
        now = time.monotonic()
        if self.total and now - max(self._said, self.began) >= self._interval:
            print(f"proofs-check: {self.says()}", file=self._stream, flush=True)
            self._said = now


class Bar(Monitor):
    """A bar of rich's."""

    def __init__(self, bar: Any) -> None:
        super().__init__()
        self._bar, self._task = bar, bar.add_task("starting", total=None)

    def waiting(self) -> None:
        if self.total:
            self._bar.update(self._task, total=self.total, completed=self.done, description=self.says())


@contextmanager
def shown(stream: TextIO | None = None) -> Iterator[Monitor]:
    """A monitor that shows itself on ``stream`` (standard error)."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    stream = stream or sys.stderr
    console = Console(file=stream)
    if not console.is_terminal:
        yield Lines(stream)
        return
    columns = (BarColumn(20), TimeElapsedColumn(), TextColumn("{task.description}", markup=False))
    with Progress(*columns, console=console, transient=True) as bar:
        yield Bar(bar)


def duration(seconds: float) -> str:
    """E.g. "42 s", "3 min", "2.5 h"."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
