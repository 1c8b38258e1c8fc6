"""What a worker process does: the units of its tasks, each recorded before the next is begun.

A unit is one chunk of a claim, or the hunt of one of its twins: a function of the claim's code, the engine and the unit's address,
and of nothing else. So it can be computed anywhere, once, and in any order.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from proofs_check import addresses, digests, runner
from proofs_check.ledger import Cost, timed
from proofs_check.parts import PartWriter, StoreError
from proofs_check.records import Record, key
from proofs_check.settle import EngineFault
from proofs_check.user_errors import explain

if TYPE_CHECKING:
    from proofs_check.claim import Claim
    from proofs_check.jobs import Job

HUNT = "hunt"  # label of the unit of a twin


@dataclass(frozen=True)
class Unit:
    """One piece of work: the claim or twin, the label of its chunk (``HUNT`` for a twin), and the key of its result."""

    claim: str
    label: str
    mode: str
    code: str
    key: str


@dataclass(frozen=True)
class Task:
    """Some units of one job."""

    of: int  # which job it is
    job: Job
    places: tuple[int, ...]  # of the units among all of the job
    units: tuple[Unit, ...]


@dataclass(frozen=True)
class Finished:
    """What a task came to: results up to the first fault. ``stored``: they were recorded, or may be by whoever gets them."""

    task: Task
    records: tuple[Record, ...]
    fault: str
    stored: bool


def units(job: Job, claim: Claim) -> list[Unit]:
    """All units of a job in the order in which their tallies merge, then its twins."""

    def unit(c: Claim, label: str, mode: str, seed: int) -> Unit:
        code = code_of(c)
        return Unit(c.id, label, mode, code, key(c.id, code, digests.engine(), seed, mode, label))

    found = [unit(claim, label, runner.how(job.budget), job.seed) for label in runner.plan(claim, job.budget)]
    return found + [unit(twin, HUNT, f"{HUNT} {runner.TEETH.instances}", 0) for twin in claim.twins]


def code_of(claim: Claim) -> str:
    """The digest of a claim, once in each process."""
    if id(claim) not in _codes:
        _codes[id(claim)] = (claim, digests.claim_digest(claim))
    return _codes[id(claim)][1]


_codes: dict[int, tuple[Claim, str]] = {}


class _Desk:
    """Where this process records; set when it starts."""

    def __init__(self, folder: str | None, run: str, engine: str) -> None:
        self.run, self._state = run, digests.engine_state()
        self._same = digests.engine() == engine
        self._modules = len(sys.modules)
        self._writer: PartWriter | None = None
        if folder is not None and self._same:
            self._writer = PartWriter(Path(folder) / f"{os.getpid()}.part")

    def record(self, record: Record) -> bool:
        """Write it down, unless a module was imported whose source has changed since: then nobody knows what it is a result of.

        Without a folder, whether it could be.
        """
        if not self._same:
            return False
        if len(sys.modules) != self._modules:
            self._modules, self._same = len(sys.modules), digests.engine_state() == self._state
        if self._same and self._writer is not None:
            try:
                self._writer.append(record.as_data())
            except OSError as error:
                raise StoreError(
                    f"{self._writer.path} cannot be written: {error.strerror}; what was done before is kept"
                ) from error
        return self._same


_desk: list[_Desk] = []


def start(folder: str | None, run: str, engine: str) -> None:
    """Called in each process before its first task."""
    try:
        _desk[:] = [_Desk(folder, run, engine)]
    except OSError as error:
        # An exception here would end the whole pool, without a word: the first task raises it instead.
        _desk[:] = []
        _broken[:] = [f"{folder} cannot be written: {error.strerror}"]


_broken: list[str] = []


def start_once() -> None:
    """In a process that works for others, who record: it watches its sources from its first task to its last."""
    if not _desk:
        start(None, "", digests.engine())


def work(task: Task) -> Finished:
    """Do a task, in this process."""
    if _broken:
        raise StoreError(_broken[0])
    (desk,) = _desk
    claim = task.job.load()
    claims = {c.id: c for c in (claim, *claim.twins)}
    records: list[Record] = []
    fault, stored = "", True
    for unit in task.units:
        mine = claims[unit.claim]
        try:
            record = compute(mine, unit, task.job, desk.run)
        except EngineFault as error:
            fault = f"the engine is at fault: {error}"
            break
        except Exception as error:  # a body of one's own may raise anything; the run goes on, and reports it
            fault = f"it raised {explain(mine, error, task.job.seed)}"
            break
        stored &= code_of(mine) == unit.code and desk.record(record)
        records.append(record)
    return Finished(task, tuple(records), fault, stored)


def compute(claim: Claim, unit: Unit, job: Job, run: str) -> Record:
    """The result of one unit. Raises EngineFault, and whatever the body does."""
    cost = Cost()
    if unit.label == HUNT:
        seed, source, drawn = 0, ", ".join(family.key for family in claim.family), ""
        path: tuple[int, ...] = ()
        with timed(cost, "twins"):
            tally = runner.tallied(claim, runner.TEETH, seed, hunt=True)
    else:
        seed = job.seed
        with timed(cost, "drawing"):
            chunk = addresses.chunk_of(claim, unit.label, seed)
            path, source, drawn = chunk.path, chunk.source, _drawn(chunk)
        tally = runner.count(chunk, job.budget, seed, cost=cost)
    place = (unit.claim, unit.code, digests.engine(), seed, unit.mode, unit.label, run)
    return Record(*place, path, source, drawn, tally, cost)


def _drawn(chunk: addresses.Chunk) -> str:
    """Digest of every number of a chunk: models and draws."""
    h = hashlib.blake2b(chunk.batch.content_hash.encode(), digest_size=16)
    for part in _numbers(chunk):
        h.update(part)
    return h.hexdigest()


def _numbers(chunk: addresses.Chunk) -> Iterator[bytes]:
    for name, payload in chunk.payloads.items():
        yield f"{name} {payload.form} {payload.ndim} ".encode()
        for data in (payload.data, payload.unit):
            if data is None:
                continue
            if hasattr(data, "content_hash"):
                yield str(data.content_hash).encode()
            else:
                x = np.ascontiguousarray(data)
                yield f"{x.dtype.str} {x.shape} ".encode() + x.tobytes()
