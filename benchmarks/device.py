"""The solvers of ``deep.exact`` on the device at hand, beside the CPU's and beside mdpax and jaxdp.

::

    python -m benchmarks.device grid --side 3163                       # 10^7 states
    python -m benchmarks.device batch --members 10000 --states 200 --actions 10 --block 2500

Each contestant runs in a process of its own, with the same draws: it builds its model, solves once (with whatever it
compiles), and is then timed. mdpax and jaxdp are installed at their pins, for the CPU, as in ``python -m benchmarks``; with
``--here`` they are those of this interpreter, on whatever device JAX has. The device's time ends when values, policies and
certificates are NumPy arrays on the host; that of copying the model to the device is told apart. ``cpu`` is the project's own
solver with ``--threads`` threads; to hold it to two cores, run it under ``taskset -c 0,1``. Where a contestant is given fewer
members than the device, the table says how many, and seconds are by member too.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import environments, workloads
from benchmarks.data import Task

WHO = ("device", "cpu", "mdpax", "jaxdp")
SEED = 0
ROOT = Path(__file__).resolve().parents[1]


def task_of(a: argparse.Namespace, members: int) -> Task:
    """The grid, or a batch of so many members."""
    if a.kind == "grid":
        return workloads.grid(a.side, a.gamma, "pairs", SEED)
    return workloads.batch(members, a.states, a.actions, a.gamma, SEED)


def timed(run: Callable[[], Any], rounds: int) -> tuple[Any, float, list[float]]:
    """The last result, the seconds of the first run, and those of the others."""
    start = time.perf_counter()
    found = run()
    first, seconds = time.perf_counter() - start, []
    for _ in range(rounds):
        start = time.perf_counter()
        found = run()
        seconds.append(time.perf_counter() - start)
    return found, first, seconds


def device(a: argparse.Namespace) -> dict[str, Any]:
    """``deep.exact`` with its arrays on the device."""
    import jax

    from deep import exact
    from tabular import CSR, MDP, MDPBatch, Shannon

    reg, told = Shannon(a.tau) if a.tau else None, str(jax.devices()[0].device_kind)
    if a.kind == "grid":
        x = task_of(a, 0)
        mdp = MDP(CSR(x.arrays["indptr"], x.arrays["indices"], x.arrays["data"]), x.arrays["R"], a.gamma, copy=False)
        start = time.perf_counter()
        placed = exact.placed(mdp)
        jax.block_until_ready(placed.arrays)
        copying = time.perf_counter() - start
        s, first, seconds = timed(lambda: exact.solve(placed, reg, tol=a.tol), a.rounds)
        return {"device": told, "copying": copying, "first": first, "seconds": seconds, "bound": s.error_bound,
                "members": 1, "iterations": int(s.iterations), "values": s.V[:: max(1, len(s.V) // 100)].tolist()}  # fmt: skip
    blocks, copying = [], 0.0
    for i in range(0, a.members, a.block):
        # A block of members has a seed of its own, so that each contestant draws as many blocks as it solves.
        x = workloads.batch(min(a.block, a.members - i), a.states, a.actions, a.gamma, SEED + i)
        batch = MDPBatch(x.arrays["P"], x.arrays["R"], a.gamma)
        start = time.perf_counter()
        blocks.append(exact.placed_batch(batch))
        jax.block_until_ready(blocks[-1].arrays)
        copying += time.perf_counter() - start
    found, first, seconds = timed(lambda: [exact.solve_batch(b, reg, tol=a.tol) for b in blocks], a.rounds)
    return {"device": told, "copying": copying, "first": first, "seconds": seconds, "members": a.members,
            "bound": max(float(s.error_bound.max()) for s in found), "values": found[0].V[:, 0][:100].tolist(),
            "iterations": max(int(s.iterations.max()) for s in found)}  # fmt: skip


def other(a: argparse.Namespace, who: str) -> dict[str, Any]:
    """A contestant of the other benchmarks on the same draws."""
    home = import_module(f"benchmarks.contestants.{'ours' if who == 'cpu' else who}")
    kind, members = ("sparse", 1) if a.kind == "grid" else ("batch", min(a.members, a.block, a.cpu_members))
    if kind in home.REFUSALS:
        return {"refused": home.REFUSALS[kind]}
    task = task_of(a, members)
    task.facts["tolerance"] = a.tol / (1.0 - a.gamma)  # absolute: values reach about 1 / (1 - gamma)
    options = {"threads": a.threads, "scale": 1.0 / (1.0 - a.gamma)}
    if a.tau and who == "cpu":
        options |= {"regularizer": "shannon", "tau": a.tau}
    elif a.tau:
        return {"refused": "no regularisers"}
    ready = home.prepare(task, options)

    def run() -> Any:
        ready.renew()
        return ready.solve()

    found, first, seconds = timed(run, a.rounds)
    V, facts = ready.answer(found)
    values = V[:: max(1, len(V) // 100)] if V.ndim == 1 else V[:, 0][:100]
    return {"device": f"{a.threads} threads" if who == "cpu" else "as the library chooses", "first": first, "seconds": seconds,
            "members": members, "values": np.asarray(values).tolist(), **{k: facts[k] for k in ("iterations",) if k in facts},
            "bound": facts.get("error_bound")}  # fmt: skip


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="python -m benchmarks.device", description=__doc__.splitlines()[0] if __doc__ else ""
    )
    p.add_argument("kind", choices=("grid", "batch"))
    p.add_argument("--side", type=int, default=100, help="of the grid: side^2 states (default %(default)s)")
    p.add_argument("--members", type=int, default=100, help="of the batch (default %(default)s)")
    p.add_argument("--states", type=int, default=200)
    p.add_argument("--actions", type=int, default=10)
    p.add_argument(
        "--block", type=int, default=2_500, help="members solved at once on the device (default %(default)s)"
    )
    p.add_argument("--cpu-members", type=int, default=500, help="members that the others solve, of the first block")
    p.add_argument("--gamma", type=float, default=0.99)
    p.add_argument("--tau", type=float, default=0.0, help="temperature of Shannon's entropy; 0: none")
    p.add_argument("--tol", type=float, default=1e-9, help="relative to the values")
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--threads", type=int, default=2, help="of the CPU's solvers")
    p.add_argument("--who", nargs="+", choices=WHO, default=list(WHO))
    p.add_argument(
        "--here", action="store_true", help="mdpax and jaxdp as installed here (for a GPU), not at their pins"
    )
    p.add_argument("--cache", type=Path, default=Path(".benchmarks"), help="folder of their environments (%(default)s)")
    p.add_argument("--json", action="store_true", help="the raw numbers of each contestant, a line each")
    p.add_argument("--child", choices=WHO, help=argparse.SUPPRESS)
    return p


def reported(found: dict[str, dict[str, Any]]) -> list[str]:
    """Lines of a table: seconds by member (or of the grid), over those of the device."""
    base = found.get("device", {})
    ours = statistics.median(base["seconds"]) / base["members"] if base.get("seconds") else None
    lines = ["| who | on | members | median s | s a member | over the device | first run | copying | bound | V differs |",
             "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"]  # fmt: skip
    for who, x in found.items():
        if not x.get("seconds"):
            lines.append(f"| {who} | - | - | {x.get('refused') or x.get('failed')} | | | | | | |")
            continue
        each = statistics.median(x["seconds"]) / x["members"]
        same = min(len(x["values"]), len(base.get("values", ())))
        apart = np.abs(np.subtract(x["values"][:same], base["values"][:same])).max() if same else float("nan")
        number = lambda v: "" if v is None else f"{v:.3g}"  # noqa: E731
        seconds = [statistics.median(x["seconds"]), each, each / ours if ours else None, x["first"], x.get("copying")]
        cells = [who, x["device"], x["members"], *map(number, [*seconds, x["bound"], apart])]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return lines


def main(argv: list[str] | None = None) -> int:
    """0, or 1 where a contestant failed."""
    given = sys.argv[1:] if argv is None else argv
    a = parser().parse_args(given)
    if a.child:
        print(json.dumps(device(a) if a.child == "device" else other(a, a.child)))
        return 0
    found: dict[str, dict[str, Any]] = {}
    for who in a.who:
        try:
            own = a.here or who in ("device", "cpu")
            python = sys.executable if own else str(environments.make(who, a.cache.resolve()))
        except environments.Unavailable as error:
            found[who] = {"failed": str(error)}
            continue
        done = subprocess.run(
            [python, "-m", "benchmarks.device", *given, "--child", who], capture_output=True, text=True, cwd=ROOT
        )
        lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
        failure = (done.stderr.strip().splitlines() or ["no output"])[-1]
        found[who] = json.loads(lines[-1]) if lines and done.returncode == 0 else {"failed": failure}
        if a.json:
            print(json.dumps({"who": who} | found[who]))
    print("\n".join(reported(found)))
    return int(any("failed" in x for x in found.values()))


if __name__ == "__main__":
    raise SystemExit(main())
