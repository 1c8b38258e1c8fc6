"""Several devices in one process, and two processes on loopback: the answers of one device."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deep import exact
from deep.exact.placing import filled
from deep.ops.models import Listed, Padded, arrays_of
from tabular import Shannon
from tests.deep.exact.test_many import BATCH
from tests.deep.exact.test_solvers import garnet, uneven

ROOT = Path(__file__).resolve().parents[3]

PROGRAM = """
import json, os, sys
process, processes, port, devices = map(int, sys.argv[1:5])
os.environ["XLA_FLAGS"] = f"--xla_force_host_platform_device_count={devices} --xla_backend_optimization_level=0"
os.environ["JAX_PLATFORMS"] = "cpu"
from deep import exact
if processes > 1:
    exact.initialize(f"127.0.0.1:{port}", processes, process)
import jax
from tabular import Shannon
from tests.deep.exact.test_devices import models
on, found = exact.mesh(), {}
for name in sys.argv[5:]:
    mdp = models()[name]
    placed = exact.placed(mdp, on)
    s = exact.solve(placed, Shannon(0.3), "value_iteration")
    found[name] = [s.V.tolist(), s.error_bound, len(placed.arrays.R.sharding.device_set)]
batch = exact.solve_batch(models.batch[:6], method="value_iteration", on=on)
found["batch"] = [batch.V.tolist(), batch.error_bound.tolist(), 0]
print(json.dumps({"devices": on.size, "processes": jax.process_count(), "found": found}))
"""


def models() -> dict[str, Any]:
    """Seven states, on four devices."""
    mdp = garnet(7, 4, successors=3, gamma=0.9)(5, 1)[0]
    return {"dense": mdp, "padded": mdp.to_sparse(), "listed": uneven()}


models.batch = BATCH  # type: ignore[attr-defined]


def started(process: int, processes: int, port: int, devices: int, *names: str) -> subprocess.Popen[str]:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))}
    arguments = [sys.executable, "-c", PROGRAM, *map(str, (process, processes, port, devices)), *names]
    return subprocess.Popen(arguments, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finished(runs: list[subprocess.Popen[str]]) -> list[dict[str, Any]]:
    try:
        done = [run.communicate(timeout=400) for run in runs]
    finally:
        for run in runs:
            run.kill()
    for run, (_, error) in zip(runs, done, strict=True):
        assert run.returncode == 0, error[-3000:]
    return [json.loads(next(line for line in out.splitlines() if line.startswith("{"))) for out, _ in done]


def check(report: dict[str, Any], devices: int, processes: int) -> None:
    assert (report["devices"], report["processes"]) == (devices, processes)
    found = report["found"]
    V, bound, _ = found.pop("batch")
    own = exact.solve_batch(BATCH[:6], method="value_iteration")
    np.testing.assert_allclose(V, own.V, rtol=1e-13)
    np.testing.assert_allclose(bound, own.error_bound, rtol=1e-3, atol=1e-14)
    for name, (V, bound, spread) in found.items():
        mdp = models()[name]
        own = exact.solve(mdp, Shannon(0.3), "value_iteration")
        assert spread == devices and bound <= 1e-9 * np.abs(own.V).max()
        np.testing.assert_allclose(V, own.V, rtol=1e-13)


def test_four_devices_and_two_processes() -> None:
    """The two programs side by side: most of their time is waiting and compiling."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    one, first, second = finished([started(0, 1, 0, 4, *models()), *(started(i, 2, port, 2, "padded") for i in (0, 1))])
    check(one, 4, 1)
    assert first["found"] == second["found"]
    check(first, 4, 2)


def test_what_fills_up_changes_nothing() -> None:
    for mdp, kind in ((models()["dense"], np.ndarray), (models()["padded"], Padded), (models()["listed"], Listed)):
        d = filled(arrays_of(mdp), 4)
        assert isinstance(d.P, kind) and d.S == 8 and d.R.shape == (8, 4)
        assert (d.R[7] == d.R[mdp.S - 1]).all() and (d.mask[7] == d.mask[mdp.S - 1]).all()
        if kind is Listed:
            assert len(d.P.data) % 4 == 0 and (np.diff(d.P.owner) >= 0).all() and d.P.data.sum() == pytest.approx(8 * 4)
        same = filled(arrays_of(mdp), 1)
        assert same.S == mdp.S


def test_refusals() -> None:
    for arguments, message in (
        (("nowhere", 2, 0), "coordinator is 'nowhere': expected 'host:port'"),
        (("localhost:1", 0, 0), "processes"),
        (("localhost:1", 2, 2), "process is 2: expected a number from 0 to 1"),
    ):
        with pytest.raises(ValueError, match=message):
            exact.initialize(*arguments)
    with pytest.raises(ValueError, match="a mesh needs a device"):
        exact.mesh([])
