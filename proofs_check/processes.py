"""Pools of processes that compute with one thread each, end with their parent, and give the same results whatever their number."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any

# One thread for linear algebra and kernels, so that workers do not fight over cores and bits do not depend on their number.
ONE_THREAD = {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
}
GLANCE = 0.5  # seconds between calls of ``waiting``


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
    fresh: bool = False,
) -> list[Any]:
    """``function`` of each task in spawned processes with environment ``variables``; ``fresh``: a new process for each task."""
    context = multiprocessing.get_context("spawn")
    with environment(**variables):
        with _interrupts_held():
            pool = context.Pool(
                min(workers, max(1, len(tasks))), initializer=_ignore_interrupts, maxtasksperchild=1 if fresh else None
            )
        with pool:
            found = []
            for result in pool.imap(function, tasks):
                found.append(result)
                if progress is not None:
                    progress(result)
    return found


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
