"""Claims in processes: jobs that can be sent, and a pool that gives the same results whatever its size."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from proofs_check.claim import Claim, load_file, load_paper
from proofs_check.runner import TEETH, Budget, verify
from proofs_check.settle import EngineFault
from proofs_check.verdict import Verdict

# One thread for linear algebra, so that workers do not fight over cores and bits do not depend on their number.
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


@dataclass(frozen=True)
class Job:
    """A claim by the place to import it from, so that it can be sent to a process.

    Its twins are hunted with ``TEETH`` at seed 0.
    """

    id: str
    paper: tuple[str, str] | None  # room and key
    file: str | None
    budget: Budget
    seed: int

    def load(self) -> Claim:
        """The claim of this job."""
        found = load_paper(*self.paper) if self.paper is not None else load_file(str(self.file))
        for claim in found:
            if claim.id == self.id:
                return claim
        raise ValueError(f"no claim {self.id!r} in {self.file or '.'.join(self.paper or ())}")


@dataclass(frozen=True)
class Done:
    """What a job came to; ``fault`` says why there is no verdict: two arithmetics exclude each other, or the body raised."""

    job: Job
    verdict: Verdict | None
    twins: tuple[Verdict, ...]
    fault: str
    seconds: float


def work(job: Job) -> Done:
    """Run one job, in this process."""
    start = time.perf_counter()
    claim, verdict, twins, fault = job.load(), None, [], ""
    try:
        verdict = verify(claim, job.budget, job.seed)
        twins = [verify(twin, TEETH, hunt=True) for twin in claim.twins]
    except EngineFault as error:
        fault = f"the engine is at fault: {error}"
    except Exception:  # a body of one's own may raise anything; the run goes on, and reports it
        fault = f"it raised\n{traceback.format_exc(limit=-4)}"
    return Done(job, verdict, tuple(twins), fault, time.perf_counter() - start)


def run(jobs: Sequence[Job], workers: int = 2, progress: Callable[[Done], None] | None = None) -> list[Done]:
    """All jobs, each in one of ``workers`` processes; results in the order of ``jobs``."""
    return fan_out(work, jobs, workers, progress, ONE_THREAD)


def fan_out(
    function: Callable[[Any], Any],
    tasks: Sequence[Any],
    workers: int,
    progress: Callable[[Any], None] | None,
    variables: Mapping[str, str],
    fresh: bool = False,
) -> list[Any]:
    """``function`` of each task in spawned processes with environment ``variables``; ``fresh``: a new process for each task."""
    found = []
    context = multiprocessing.get_context("spawn")
    with (
        _environment(**variables),
        context.Pool(
            min(workers, max(1, len(tasks))), initializer=_ignore_interrupts, maxtasksperchild=1 if fresh else None
        ) as pool,
    ):
        for result in pool.imap(function, tasks):
            found.append(result)
            if progress is not None:
                progress(result)
    return found


def _ignore_interrupts() -> None:
    """Ctrl-C is the parent's business."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def _environment(**variables: str) -> Iterator[None]:
    """Environment of the processes that start inside; put back afterwards."""
    saved = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in saved.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
