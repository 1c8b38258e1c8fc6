"""The process of one contestant: ``python -m benchmarks.worker MODULE FOLDER OPTIONS``, run by the contestant's own Python.

It loads the task, builds its model, solves once (so that what compiles has compiled), says so, and then answers lines:

``run``    one timed solve; ``V`` is written to the file ``MODULE`` names (``OPTIONS["answer"]``);
``weigh``  one solve, untimed, that measures the peak of memory above the loaded model;
``quit``.

Every answer is a line of JSON. What libraries print goes to the error stream, which is the log.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import data
from benchmarks.contestants import Ready


def main(module: str, folder: str, options: dict[str, Any]) -> None:
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def say(**what: Any) -> None:
        print(json.dumps(what), file=out, flush=True)

    start = time.perf_counter()
    ready = importlib.import_module(f"benchmarks.contestants.{module}").prepare(data.load(Path(folder)), options)
    built = time.perf_counter() - start
    say(built=built, version=ready.version)
    say(**_run(ready, Path(options["answer"])))
    for line in sys.stdin:
        order = line.strip()
        if order == "quit":
            return
        if order == "run":
            say(**_run(ready, Path(options["answer"])))
        elif order == "weigh":
            say(**_weigh(ready))
        else:
            raise ValueError(f"order {order!r}: expected run, weigh or quit")


def _run(ready: Ready, file: Path) -> dict[str, Any]:
    ready.renew()
    gc.collect()
    cpu, start = time.process_time(), time.perf_counter()
    result = ready.solve()
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    V, facts = ready.answer(result)
    np.save(file, np.asarray(V), allow_pickle=False)
    return {"seconds": seconds, "cpu": cpu, "facts": facts}


def _weigh(ready: Ready) -> dict[str, Any]:
    """Bytes of the peak above what was there before the solve, and how they were measured."""
    ready.renew()
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):  # no glibc: freed memory may then hide a part of the peak
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        before = _status("VmRSS")
    except OSError:
        before = None
    high = _maxrss()
    result = ready.solve()
    peak = _maxrss() - high if before is None else _status("VmHWM") - before
    del result
    how = "growth of ru_maxrss (a peak below an earlier one shows as 0)" if before is None else "VmHWM, reset"
    return {"peak": max(peak, 0), "how": how}


def _status(key: str) -> int:
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1]) * 1024
    raise OSError(f"/proc/self/status has no {key}")


def _maxrss() -> int:
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak) * (1 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], json.loads(sys.argv[3]))
