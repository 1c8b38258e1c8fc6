"""One workload, all contestants in turns: A B C A B C ..., each in its process, on the same arrays."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.contestants.table import METHODS, REFUSALS
from benchmarks.data import Task
from benchmarks.environments import Unavailable
from benchmarks.oracle import Oracle
from benchmarks.pool import Failed, Late, Worker
from benchmarks.workloads import Entry

REST = 0.05
"""Seconds between runs: thread pools that spin after a run have gone to sleep by then."""
SLOW = 20.0
"""A contestant whose first run takes longer is timed once more, and no more often."""
BUILD = 600.0
"""Seconds to import the library and build the model."""


@dataclass
class Record:
    """What came of a contestant.

    Attributes
    ----------
    status : "done", "refused", "not installed", "not done" or "failed", with the ``reason``.
    first : seconds of the first solve, compilation included.  seconds, cpu : of each round.
    ratios : time over that of the first entry in the same round.  error : the largest of all rounds, in sup norm.
    peak : bytes above the loaded model, measured as ``how`` says.  facts : what the contestant told of its last run.
    """

    label: str
    method: str
    status: str = "done"
    reason: str = ""
    version: str = ""
    built: float = float("nan")
    first: float = float("nan")
    seconds: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    ratios: list[float] = field(default_factory=list)
    error: float = float("nan")
    peak: int | None = None
    how: str = ""
    facts: dict[str, Any] = field(default_factory=dict)
    same_bits: bool | None = None

    @property
    def median(self) -> float:
        return statistics.median(self.seconds) if self.seconds else float("nan")

    def asdict(self) -> dict[str, Any]:
        return asdict(self)


def race(
    task: Task,
    folder: Path,
    entries: Sequence[Entry],
    python: Callable[[str], Path],
    oracle: Callable[[Entry], Oracle],
    scratch: Path,
    *,
    rounds: int,
    limit: float,
    say: Callable[[str], None] = lambda text: None,
) -> list[Record]:
    """Run every entry; ``python(module)`` finds or makes its environment (Unavailable where it cannot), ``oracle`` its answer.

    ``limit`` seconds for one run. The first entry is what ``ratios`` compare with. Nothing that a contestant does ends the
    race: it is in its record.
    """
    records, running = [], {}
    for i, entry in enumerate(entries):
        record = Record(entry.label, METHODS[entry.module].get(task.kind, ""))
        records.append(record)
        if (reason := REFUSALS[entry.module].get(task.kind)) is not None:
            record.status, record.reason = "refused", reason
            continue
        say(f"{entry.label} ...")
        try:
            options = {**entry.options, "scale": oracle(entry).scale}
            worker = Worker(python(entry.module), entry.module, folder, options, scratch / f"{i}")
        except Unavailable as error:
            record.status, record.reason = "not installed", str(error)
            continue
        if _first(record, worker, oracle(entry), limit):
            running[i] = worker
    try:
        _rounds(records, running, [oracle(e) for e in entries], rounds, limit, say)
    finally:
        for worker in running.values():
            worker.close()
    return records


def _first(record: Record, worker: Worker, oracle: Oracle, limit: float) -> bool:
    """Wait for the model and the first solve; whether there is anything to time."""
    try:
        about = worker.hear(BUILD)
    except Late as error:
        record.status, record.reason = "not done", f"model not built: {error}"
        return False
    except Failed as error:
        record.status, record.reason = "failed", str(error)
        return False
    record.built, record.version = about["built"], about["version"]
    told = _guarded(record, lambda: worker.hear(limit))
    if told is None:
        return False
    record.first, record.facts = told["seconds"], told["facts"]
    record.error = oracle.error(np.load(worker.answer, allow_pickle=False))
    return True


def _rounds(
    records: list[Record],
    running: dict[int, Worker],
    oracles: list[Oracle],
    rounds: int,
    limit: float,
    say: Callable[[str], None],
) -> None:
    bits: dict[int, bytes] = {}
    for k in range(rounds):
        say(f"round {k + 1} of {rounds}")
        times: dict[int, float] = {}
        for i in list(running):
            record, worker = records[i], running[i]
            if k > 0 and record.first > SLOW:
                continue
            time.sleep(REST)
            told = _guarded(record, lambda worker=worker: worker.ask("run", limit))  # type: ignore[misc]
            if told is None:
                del running[i]
                continue
            times[i] = told["seconds"]
            record.seconds.append(told["seconds"])
            record.cpu.append(told["cpu"])
            record.facts = told["facts"]
            V = np.load(worker.answer, allow_pickle=False)
            record.error = float(np.maximum(record.error, oracles[i].error(V)))
            bits[i] = V.tobytes()
        for i, seconds in times.items():
            if 0 in times:
                records[i].ratios.append(seconds / times[0])
    for i, worker in running.items():
        records[i].same_bits = bits[i] == bits[0] if i and i in bits and 0 in bits else None
        told = _guarded(records[i], lambda worker=worker: worker.ask("weigh", limit))  # type: ignore[misc]
        if told is not None:
            records[i].peak, records[i].how = told["peak"], told["how"]


def _guarded(record: Record, call: Callable[[], dict[str, Any]]) -> dict[str, Any] | None:
    """An answer, or None and the reason in the record."""
    try:
        return call()
    except Late as error:
        record.status, record.reason = "not done", str(error)
    except Failed as error:
        record.status, record.reason = "failed", str(error)
    return None
