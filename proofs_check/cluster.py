"""Claims on the workers of a Dask cluster: the same units, verdicts and bits as in processes of this machine.

A worker computes and returns; this process records, so that no worker needs the store. A unit is a function of its claim's code,
the engine and its address alone: a worker that dies takes nothing with it, since the scheduler gives what it had to another, and
what was recorded stays. Before any work the sources and versions of the scheduler, which reads the tasks, and of the workers are
compared with those here, and again in each task; one that differs is refused. docs/cluster.md says how to start a cluster.
"""

from __future__ import annotations

import os
import queue
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proofs_check import digests, workers
from proofs_check.parts import PartWriter, StoreError
from proofs_check.processes import GLANCE, ONE_THREAD, WorkerDied

if TYPE_CHECKING:
    from proofs_check.jobs import Job
    from proofs_check.store import Run, Store

PATIENCE = 15.0  # seconds to wait for a scheduler, and for its first worker
ALONE = 60.0  # seconds without any worker after which a run gives up
THREADS = tuple(
    name for name in ONE_THREAD if not name.startswith("NUMBA")
)  # kernels take their number of threads as an argument
HOW = "start workers with: dask worker ADDRESS --nworkers N --nthreads 1"


class ClusterError(Exception):
    """The cluster cannot be used: not there, other code, too many threads; the message says which worker and what to do."""


@contextmanager
def connected(address: str) -> Iterator[Cluster]:
    """A cluster by the address of its scheduler (``tcp://host:8786``), every worker of which is as it must be.

    Raises ClusterError where there is none, where it has no worker, or where a worker differs from this process.
    """
    try:
        import distributed
    except ImportError as error:
        raise ClusterError(
            f"--cluster needs dask.distributed: pip install 'tabular-proofs[cluster]' ({error})"
        ) from error
    try:
        client = distributed.Client(address, timeout=PATIENCE, set_as_default=False, name="proofs-check")
    except (OSError, ValueError, TypeError, ImportError) as error:
        raise ClusterError(f"no scheduler answers at {address!r}: {str(error)[:200] or type(error).__name__}") from None
    try:
        _same_dask(client, address)
        _wait_for_one(client, address)
        cluster = Cluster(client, address)
        cluster.examine()
        yield cluster
    finally:
        client.close(timeout=PATIENCE)


def _same_dask(client: Any, address: str) -> None:
    packages = {
        side: found["packages"].get("distributed") for side, found in client.get_versions().items() if side != "workers"
    }
    if packages["scheduler"] != packages["client"]:
        raise ClusterError(
            f"the scheduler at {address} runs distributed {packages['scheduler']}, and this is {packages['client']}: use one"
        )


def _wait_for_one(client: Any, address: str) -> None:
    try:
        client.wait_for_workers(1, timeout=PATIENCE)
    except TimeoutError:
        raise ClusterError(f"the scheduler at {address} has no worker after {PATIENCE:.0f} s: {HOW}") from None


class Cluster:
    """Workers that were found to be the same as this process."""

    def __init__(self, client: Any, address: str) -> None:
        self.client, self.address = client, address

    def examine(self) -> None:
        """Raises ClusterError where the scheduler differs, or naming the first worker that does, and in what."""
        here = digests.engine(), digests.versions()
        try:
            why = self.client.run_on_scheduler(differs, *here)
        except (OSError, TimeoutError) as error:
            raise self.lost(error) from error
        except Exception as error:  # whatever it cannot import, or read
            raise ClusterError(
                f"the scheduler at {self.address} cannot run this project: {str(error)[:300]}; install the same there"
            ) from error
        if why:
            raise ClusterError(f"the scheduler at {self.address} {why}")
        found = self.client.run(refusal, *here, on_error="return")
        for worker in sorted(found):
            if isinstance(found[worker], BaseException):
                raise ClusterError(
                    f"worker {worker} cannot run this project: {str(found[worker])[:300]}; install the same there"
                )
            if found[worker]:
                raise ClusterError(f"worker {worker} {found[worker]}")

    def each(
        self,
        function: Callable[[Any], Any],
        items: Sequence[Any],
        take: Callable[[Any, dict[str, Any]], None],
        waiting: Callable[[], None] = lambda: None,
    ) -> None:
        """``take`` of the results of ``function`` on the workers, as they come, and of the machines they come from.

        What a worker leaves undone when it dies is done by another. ``waiting`` is called every now and then. Raises ClusterError
        where the scheduler or the last worker is lost, WorkerDied where a task ends one worker after another.
        """  # fmt: skip
        if not items:
            return
        done: queue.SimpleQueue[Any] = queue.SimpleQueue()
        bound = partial(remote, function, engine=digests.engine(), versions=digests.versions())
        futures = self.client.map(bound, items, pure=False, key="proofs-check")
        try:
            for future in futures:
                future.add_done_callback(done.put)
            left, seen = len(futures), time.monotonic()
            while left:
                try:
                    future = done.get(timeout=GLANCE)
                except queue.Empty:
                    seen = self._watched(seen)
                    waiting()
                    continue
                take(*self._result(future))
                future.release()
                left -= 1
                waiting()
        except BaseException:
            if self.client.status == "running":
                self.client.cancel(futures, force=True)
            raise

    def _watched(self, seen: float) -> float:
        """When a worker was last there. ClusterError where none was for long, or the scheduler is gone."""
        if self.client.status != "running":
            raise self.lost(self.client.status)
        try:
            there = bool(self.client.nthreads())
        except (OSError, TimeoutError) as error:
            raise self.lost(error) from error
        if not there and time.monotonic() - seen > ALONE:
            raise ClusterError(
                f"the scheduler at {self.address} has had no worker for {ALONE:.0f} s; what was done is kept"
            )
        return time.monotonic() if there else seen

    def _result(self, future: Any) -> Any:
        from concurrent.futures import CancelledError

        from distributed import KilledWorker

        try:
            return future.result()
        except KilledWorker as error:
            raise WorkerDied(
                f"a task ended the workers it ran on, one after another ({str(error)[:200]}); if for want of memory, let each "
                "have more"
            ) from error
        except (CancelledError, OSError, TimeoutError) as error:
            if isinstance(error, StoreError):
                raise
            raise self.lost(error) from error

    def lost(self, error: object) -> ClusterError:
        """What is said where the scheduler does not answer any more."""
        return ClusterError(
            f"the scheduler at {self.address} is lost ({str(error)[:200] or type(error).__name__}); what was done is kept"
        )

    def spread(
        self, tasks: Sequence[Any], take: Callable[[Any], None], store: Store | None, waiting: Callable[[], None]
    ) -> None:
        """``take`` of what tasks come to, each recorded in ``store`` first, if there is one; see ``jobs.run``."""
        if not tasks:
            return
        book = _Book(store)
        try:
            self.each(
                tasked,
                [replace(task, job=anywhere(task.job)) for task in tasks],
                lambda finished, machine: take(book.kept(finished, machine)),
                waiting,
            )
        finally:
            book.close()


def anywhere(job: Job) -> Job:
    """A job whose file, if it is one's own, is found from any folder."""
    return job if job.file is None else replace(job, file=str(Path(job.file).resolve()))


class _Book:
    """Records what comes, under one run for each kind of processor: between processors the last bits of a float may differ."""

    def __init__(self, store: Store | None) -> None:
        self._store = store
        self._runs: dict[str, tuple[Run, PartWriter]] = {}

    def kept(self, finished: workers.Finished, machine: dict[str, Any]) -> workers.Finished:
        """The same, recorded, with the run that it belongs to."""
        if self._store is None or not finished.stored:
            return finished
        if machine["cpu"] not in self._runs:
            run = self._store.begin(machine)
            self._runs[machine["cpu"]] = run, PartWriter(run.folder / "cluster.part")
        run, writer = self._runs[machine["cpu"]]
        records = tuple(replace(record, run=run.id) for record in finished.records)
        for record in records:
            try:
                writer.append(record.as_data())
            except OSError as error:
                raise StoreError(
                    f"{writer.path} cannot be written: {error.strerror}; what was done before is kept"
                ) from error
        return replace(finished, records=records)

    def close(self) -> None:
        """Hand over to the store."""
        for run, writer in self._runs.values():
            writer.close()
            if self._store is not None:
                self._store.finish(run)


def differs(engine: str, versions: dict[str, str]) -> str:
    """Elsewhere: in what that process differs from one of this engine and these versions; "" where it is the same."""
    mine = digests.versions()
    if other := [
        f"{name} {mine.get(name)}, and here it is {versions[name]}"
        for name in versions
        if mine.get(name) != versions[name]
    ]:
        return f"has other versions: {'; '.join(other)}"
    if digests.engine() != engine:
        two = f"digest {digests.engine()[:12]}, and here it is {engine[:12]}"
        return f"has other sources of this project ({two}): update it, and start it again"
    return ""


def refusal(engine: str, versions: dict[str, str], dask_worker: Any = None) -> str:
    """On a worker: why it must not compute for a process of this engine and these versions; "" where it may."""
    if why := differs(engine, versions):
        return why
    if dask_worker is not None and dask_worker.state.nthreads != 1:
        return f"has {dask_worker.state.nthreads} threads, and claims need a process each: {HOW}"
    if loose := [name for name in THREADS if os.environ.get(name) != "1"]:
        return (
            f"lets linear algebra use many threads, whose bits are others: set {'=1 '.join(loose)}=1 before it starts"
        )
    return ""


def remote(
    function: Callable[[Any], Any], item: Any, *, engine: str, versions: dict[str, str]
) -> tuple[Any, dict[str, Any]]:
    """On a worker: ``function(item)``, and what machine this is. ClusterError where the worker came later, and differs."""
    from distributed import get_worker

    worker = get_worker()
    if why := refusal(engine, versions, worker):
        raise ClusterError(f"worker {worker.address} {why}")
    return function(item), digests.machine()


def tasked(task: workers.Task) -> workers.Finished:
    """On a worker: a task of claims, which must be the same claims here as where they were planned."""
    from distributed import get_worker

    where = get_worker().address
    try:
        claim = task.job.load()
    except (ImportError, OSError) as error:
        raise ClusterError(
            f"worker {where} cannot load {task.job.id}: {error}; a file of one's own must be there under the same path"
        ) from error
    for mine in (claim, *claim.twins):
        given = {unit.code for unit in task.units if unit.claim == mine.id}
        # What has another digest each time cannot be compared: its results are used, and not stored.
        if given - {workers.code_of(mine)} and digests.claim_digest(mine) == workers.code_of(mine):
            what = task.job.file or "the project"
            raise ClusterError(
                f"worker {where} has other code of {mine.id}: update {what} there, and start the worker again"
            )
    workers.start_once()
    return workers.work(task)
