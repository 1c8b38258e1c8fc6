"""Pools of processes that compute with one thread each, end with their parent, and give the same results whatever their number."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.pool import Pool
from typing import Any

# One thread for linear algebra and kernels, so that workers do not fight over cores and bits do not depend on their number.
ONE_THREAD = {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
}
GLANCE = 0.5  # seconds between calls of ``waiting``
COPIES = sys.platform == "linux"  # elsewhere a library may have begun threads, which a copy of a process would lack


class WorkerDied(Exception):
    """A process of the pool was killed from outside, as happens where memory runs out."""


def spread(
    function: Callable[[Any], Any],
    tasks: Sequence[Any],
    workers: int,
    each: Callable[[Any], None],
    *,
    start: Callable[..., None],
    given: tuple[Any, ...] = (),
    waiting: Callable[[], None] = lambda: None,
) -> None:
    """``each`` of the results of ``function``, as they come; ``start(*given)`` runs first in each process.

    ``waiting`` is called every now and then. On an exception, an interrupt among them, the processes are ended at once.
    Raises WorkerDied where one of them was.
    """
    if not tasks:
        return
    before = set(multiprocessing.active_children())
    context = multiprocessing.get_context("spawn")
    with environment(**ONE_THREAD):
        executor = ProcessPoolExecutor(min(workers, len(tasks)), context, _start, (start, given))
        try:
            with _interrupts_held():
                left = {executor.submit(function, task) for task in tasks}
            while left:
                done, left = wait(left, timeout=GLANCE, return_when=FIRST_COMPLETED)
                for future in done:
                    each(future.result())
                waiting()
        except BaseException as error:
            executor.shutdown(wait=False, cancel_futures=True)
            for child in set(multiprocessing.active_children()) - before:
                child.terminate()
                child.join()
            if isinstance(error, BrokenProcessPool):
                raise WorkerDied(
                    "a worker process died; if the system ended it for want of memory, fewer --workers need less"
                ) from error
            raise
        executor.shutdown()


def _start(start: Callable[..., None], given: tuple[Any, ...]) -> None:
    _ignore_interrupts()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    start(*given)


def _end_with_parent() -> None:
    """A killed parent cannot end its workers: they would wait for its next task for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def fan_out(
    function: Callable[[Any], Any],
    tasks: Sequence[Any],
    workers: int,
    progress: Callable[[Any], None] | None,
    variables: Mapping[str, str],
) -> list[Any]:
    """``function`` of each task in spawned processes with environment ``variables``."""
    with pool(min(workers, max(1, len(tasks))), variables) as made:
        return collect(made, function, tasks, progress)


@contextmanager
def pool(workers: int, variables: Mapping[str, str], fresh: bool = False) -> Iterator[Pool]:
    """Spawned processes with environment ``variables``; ``fresh``: a new one for each task."""
    context = multiprocessing.get_context("spawn")
    with environment(**variables):
        with _interrupts_held():
            made = context.Pool(workers, initializer=_ignore_interrupts, maxtasksperchild=1 if fresh else None)
        with made:
            yield made
            made.close()  # so that they end what they have begun
            made.join()


def collect(
    made: Pool, function: Callable[[Any], Any], tasks: Iterable[Any], progress: Callable[[Any], None] | None = None
) -> list[Any]:
    """``function`` of each task, in their order, in the processes of a pool."""
    found = []
    for result in made.imap(function, tasks):
        found.append(result)
        if progress is not None:
            progress(result)
    return found


def have(imported: Iterable[str]) -> None:
    """Import modules that copies of this process will want."""
    for name in imported:
        importlib.import_module(name)


def in_a_copy(function: Callable[[Any], Any], task: Any) -> Any:
    """``function(task)`` in a copy of this process, which it may spoil; see ``Copy``."""
    copy = Copy(lambda _: function(task))
    try:
        return copy.ask(None)
    finally:
        copy.close()


class Copy:
    """A copy of this process that answers one task after the other with ``function``, and ends with this one, or before.

    For processes of one thread, where there are ``COPIES``.
    """

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self._pipe, theirs = multiprocessing.Pipe()
        alive, self._end = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        self._child = os.fork()
        if not self._child:
            self._pipe.close()
            os.close(self._end)
            threading.Thread(target=_end_with_writer, args=(alive,), daemon=True).start()
            _answer(function, theirs)
        theirs.close()
        os.close(alive)

    def ask(self, task: Any) -> Any:
        """What the function gives. Raises what it raises; WorkerDied where the copy ends without a result."""
        try:
            self._pipe.send(task)
            result, error = self._pipe.recv()
        except (EOFError, ConnectionError):
            raise WorkerDied("a copy of a worker process ended without a result") from None
        if error is not None:
            raise error
        return result

    def close(self) -> None:
        """End it."""
        self._pipe.close()
        os.close(self._end)
        os.waitpid(self._child, 0)


def _answer(function: Callable[[Any], Any], asked: Any) -> None:
    """Send what the function gives or raises for each task, and end this process after the last."""
    try:
        while True:
            task = asked.recv()
            try:
                said: tuple[Any, Exception | None] = (function(task), None)
            except Exception as error:
                said = (None, error)
            asked.send(said)
            sys.stdout.flush()
            sys.stderr.flush()
    finally:
        os._exit(0)


def _end_with_writer(pipe: int) -> None:
    """Nothing is ever written: what comes is the end of the process that could."""
    os.read(pipe, 1)
    os._exit(1)


def _ignore_interrupts() -> None:
    """Ctrl-C is the parent's business."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Ctrl-C waits until the processes are made, and never reaches them.

    They have this thread's mask long before they can ignore it. It may wake any other thread of this process, whose handler
    would then run in the midst of making one.
    """
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "pthread_sigmask"):
        yield
        return
    held: list[int] = []
    handler = signal.signal(signal.SIGINT, lambda number, _: held.append(number))
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        signal.signal(signal.SIGINT, handler)
        if held:
            signal.raise_signal(signal.SIGINT)


@contextmanager
def environment(**variables: str) -> Iterator[None]:
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
