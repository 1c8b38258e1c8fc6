"""How fast this machine reads memory: the roof under which a solver that streams its model stays."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import Any

import numpy as np

SIZE = 32_000_000
"""Numbers of 8 bytes in each array: 256 MB, several times any cache."""
TRIES = 5


def loops() -> tuple[Any, Any]:
    """``total(x)``, and ``combine(a, b, c)``, which sets ``a = b + 3 c``, on one thread."""
    from numba import njit

    # The loops are functions of their own: inside a parallel one the sum would be strictly ordered, at a third of the speed.
    # By unsigned numbers: a negative one would count from the end, and an iterator gathers numbers one by one.
    @njit(fastmath={"reassoc", "contract"})
    def total(x: Any) -> Any:
        found = 0.0
        for i in range(np.uint64(x.size)):
            found += x[i]
        return found

    @njit
    def combine(a: Any, b: Any, c: Any) -> Any:
        for i in range(len(a)):
            a[i] = b[i] + 3.0 * c[i]

    return total, combine


def kernels() -> tuple[Any, Any]:
    """``read(x, parts)``: the sum; ``triad(a, b, c, parts)``: ``a = b + 3 c``. Compiled on the first call."""
    from numba import njit, prange

    total, combine = loops()

    @njit(parallel=True)
    def read(x: Any, parts: Any) -> Any:
        sums, n = np.zeros(parts), len(x)
        for p in prange(parts):
            sums[p] = total(x[p * n // parts : (p + 1) * n // parts])
        return sums.sum()

    @njit(parallel=True)
    def triad(a: Any, b: Any, c: Any, parts: Any) -> Any:
        n = len(a)
        for p in prange(parts):
            i, j = p * n // parts, (p + 1) * n // parts
            combine(a[i:j], b[i:j], c[i:j])

    return read, triad


def measure(size: int = SIZE, tries: int = TRIES) -> dict[str, float]:
    """Bytes a second, the best of some tries: ``read 1``, ``triad 1``, and the same on all threads.

    The triad counts 24 bytes a number; hardware that reads a line before it writes it moves 32.
    """
    import numba

    read, triad = kernels()
    x, y, z = np.ones(size), np.ones(size), np.empty(size)
    found: dict[str, float] = {}
    most = numba.get_num_threads()
    for threads in sorted({1, most}):
        numba.set_num_threads(threads)
        for name, call, nbytes in (
            ("read", lambda n=threads: read(x, n), 8 * size),
            ("triad", lambda n=threads: triad(z, x, y, n), 24 * size),
        ):
            call()
            times = []
            for _ in range(tries):
                start = time.perf_counter()
                call()
                times.append(time.perf_counter() - start)
            found[f"{name} {threads}"] = nbytes / min(times)
    numba.set_num_threads(most)
    return found | {"threads": float(most)}


def elsewhere(tries: int = TRIES) -> dict[str, float]:
    """``measure`` in a process of its own, so that this one stays small."""
    from benchmarks.pool import environment

    command = [sys.executable, "-m", "benchmarks.bandwidth", str(tries)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment())
    found: dict[str, float] = json.loads(done.stdout)
    return found


if __name__ == "__main__":
    print(json.dumps(measure(tries=int(sys.argv[1]))))
