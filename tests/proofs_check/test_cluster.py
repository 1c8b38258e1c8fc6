"""Claims on a real scheduler and workers, processes of this machine: the same verdicts, bits and store, even if one is killed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import distributed
import pytest

from proofs_check import cluster as module
from proofs_check import merging
from proofs_check.cli import OK, REFUTED, USAGE, main
from proofs_check.cluster import THREADS, ClusterError, connected
from proofs_check.store import Store

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = Path(__file__).with_name("sample_claims.py")
PICKED = ("true", "tight", "false", "identity")
HOST = "tcp://127.0.0.1"

pytestmark = pytest.mark.xdist_group("cluster")


def _wait(condition: Callable[[], Any], seconds: float = 120) -> Any:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.01)
    raise AssertionError("it did not happen in time")


class Machines:
    """A scheduler and workers, each a process of this machine."""

    def __init__(self, folder: Path, path: Path = ROOT) -> None:
        self.folder, self.processes = folder, list[subprocess.Popen[bytes]]()
        file = folder / "scheduler.json"
        options = ("--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(file))
        self.scheduler = self._start("scheduler", *options, env={"PYTHONPATH": str(path)})
        self.address = str(
            _wait(lambda: file.exists() and file.read_text() and json.loads(file.read_text())["address"])
        )

    def worker(self, *options: str, path: Path = ROOT, **variables: str) -> subprocess.Popen[bytes]:
        """A worker without a nanny: a kill ends it for good."""
        env = dict.fromkeys(THREADS, "1") | {"PYTHONPATH": str(path)} | variables
        given = ("--nthreads", "1") if "--nthreads" not in options else ()
        return self._start("worker", self.address, "--no-nanny", "--no-dashboard", *given, *options, env=env)

    def nanny(self, n: int) -> subprocess.Popen[bytes]:
        """``n`` workers as docs/cluster.md starts them, under a nanny, without any variable set."""
        return self._start(
            "worker", self.address, "--nworkers", str(n), "--nthreads", "1", "--no-dashboard", env={"PYTHONPATH": str(ROOT)}
        )  # fmt: skip

    def _start(self, kind: str, *arguments: str, env: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", f"distributed.cli.dask_{kind}", *arguments]
        clean = {name: value for name, value in os.environ.items() if name not in THREADS}
        with (self.folder / f"{kind}{len(self.processes)}.log").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, env=clean | (env or {}), cwd=self.folder)
        self.processes.append(process)
        return process

    def stop(self) -> None:
        for process in reversed(self.processes):
            process.terminate()  # a nanny ends its workers first
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@pytest.fixture
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    """A scheduler, without workers."""
    found = Machines(tmp_path_factory.mktemp("machines"))
    yield found
    found.stop()


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    """A scheduler and two workers, for tests that kill none."""
    found = Machines(tmp_path_factory.mktemp("pair"))
    found.worker()
    found.worker()
    yield found
    found.stop()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Some claims of the sample, and their twins."""
    head, *blocks = SAMPLE.read_text(encoding="utf-8").split("\n\n\n")
    kept = [b for b in blocks if any(f'sample.{name}"' in b or b.startswith(f"@twin({name},") for name in PICKED)]
    path = tmp_path_factory.mktemp("claims") / "mine.py"
    path.write_text("\n\n\n".join([head, *kept]) + "\n", encoding="utf-8")
    return str(path)


def _verify(file: str, *more: str) -> int:
    return main(["verify", file, "--no-mutants", *more])


def _tallies(folder: Path) -> dict[str, Any]:
    """Everything of a store that does not depend on when and where: tallies and seed paths by key."""
    with Store(folder) as store:
        return {r.key: (r.claim, r.label, r.path, r.instances, merging.encode(r.tally)) for r in store.records()}


def test_verdicts_bits_and_store_are_those_of_a_run_here(pair: Machines, file: str, tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    assert _verify(file, "--store", str(here / "s"), "--out", str(here)) == REFUTED  # one claim is false
    assert _verify(file, "--store", str(there / "s"), "--out", str(there), "--cluster", pair.address) == REFUTED
    assert (here / "results.json").read_bytes() == (there / "results.json").read_bytes()
    counterexample = "counterexamples/sample.false.json"
    assert (here / counterexample).read_bytes() == (there / counterexample).read_bytes()
    assert _tallies(here / "s") == _tallies(there / "s") != {}
    with Store(here / "s") as store:
        assert store.merge(there / "s")[1] == 0  # which compares them, bit by bit
    assert not list((there / "s" / "parts").iterdir())


def test_what_is_stored_is_not_computed_again(
    pair: Machines, file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for reused in (False, True):
        capsys.readouterr()
        assert _verify(file, "--quick", "--store", str(tmp_path), "--cluster", pair.address, "--json") == REFUTED
        costs = json.loads(capsys.readouterr().out)["costs"]["claims"].values()
        assert all((c["from_store"] == c["chunks"]) if reused else (c["from_store"] == 0) for c in costs)
    assert _verify(file, "--quick", "--store", str(tmp_path), "--workers", "1") == REFUTED


def test_shards_and_runs_without_a_store(pair: Machines, file: str, tmp_path: Path) -> None:
    stores = [str(tmp_path / name) for name in "ab"]
    for i, store in enumerate(stores, 1):
        assert _verify(file, "--quick", "--shard", f"{i}/2", "--store", store, "--cluster", pair.address) == OK
    assert main(["merge", *stores, "--into", str(tmp_path / "all")]) == OK
    assert _verify(file, "--quick", "--store", str(tmp_path / "all"), "--out", str(tmp_path / "one")) == REFUTED
    assert _verify(file, "--quick", "--no-store", "--cluster", pair.address, "--out", str(tmp_path / "two")) == REFUTED
    assert (tmp_path / "one" / "results.json").read_bytes() == (tmp_path / "two" / "results.json").read_bytes()


def test_attacks_are_the_same(pair: Machines, file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = []
    for more in ([], ["--cluster", pair.address]):
        assert (
            main(["attack", f"{file}::sample.tight", "--evaluations", "100", "--json", "--out", str(tmp_path), *more])
            == OK
        )
        data = json.loads(capsys.readouterr().out)
        said.append({key: value for key, value in data.items() if "seconds" not in key})
    assert json.dumps(_timeless(said[0])) == json.dumps(_timeless(said[1]))


def _timeless(x: Any) -> Any:
    if isinstance(x, dict):
        return {key: _timeless(value) for key, value in x.items() if "seconds" not in key}
    return [_timeless(y) for y in x] if isinstance(x, list) else x


def test_a_worker_killed_at_work_loses_nothing(machines: Machines, file: str, tmp_path: Path) -> None:
    """SIGKILL to one of two workers while it computes: the other does what it had, and verdicts, bits and store are the same."""
    claims = [f"{file}::sample.tight", f"{file}::sample.true", "--no-mutants", "--thorough"]  # 69 units, in 9 tasks
    assert main(["verify", *claims, "--store", str(tmp_path / "whole"), "--out", str(tmp_path / "a")]) == OK
    victim, other = machines.worker("--name", "victim"), machines.worker("--name", "other")
    store = tmp_path / "s"
    command = ["verify", *claims, "--store", str(store), "--out", str(tmp_path / "b")]
    with distributed.Client(machines.address, set_as_default=False, timeout=30) as client:
        client.wait_for_workers(2, timeout=60)
        address = next(a for a, w in client.scheduler_info(n_workers=-1)["workers"].items() if w["name"] == "victim")
        run = subprocess.Popen(
            [sys.executable, "-m", "proofs_check.cli", *command, "--cluster", machines.address],
            env=os.environ | {"PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        parts = lambda: sum(f.read_bytes().count(b"\n") - 1 for f in store.glob("parts/*/cluster.part"))  # noqa: E731
        _wait(lambda: (parts() >= 4 and client.processing().get(address)) or run.poll() is not None)
        assert run.poll() is None, run.communicate()
        before = parts()
        victim.send_signal(signal.SIGKILL)
        assert victim.wait() == -signal.SIGKILL
        _, err = run.communicate(timeout=300)
        assert len(client.nthreads()) == 1
    assert run.returncode == OK, err
    assert other.poll() is None and "Traceback" not in err, err
    assert (tmp_path / "a" / "results.json").read_bytes() == (tmp_path / "b" / "results.json").read_bytes()
    whole = _tallies(tmp_path / "whole")
    assert _tallies(store) == whole and 4 <= before < len(whole)


def test_workers_started_as_the_page_says_are_accepted_and_come_back(machines: Machines) -> None:
    """A nanny keeps linear algebra to one thread, and starts a worker again that was killed."""
    machines.nanny(2)
    with connected(machines.address) as cluster:
        cluster.client.wait_for_workers(2, timeout=60)
        cluster.examine()
        pids = list(cluster.client.run(os.getpid).values())
        found: list[int] = []
        os.kill(pids[0], signal.SIGKILL)
        cluster.each(abs, [-1, -2, -3], lambda x, _: found.append(x))
        assert sorted(found) == [1, 2, 3]
        _wait(lambda: len(set(cluster.client.run(os.getpid, on_error="ignore").values()) - {pids[0]}) == 2, 60)
        cluster.examine()


def test_an_address_without_a_scheduler(
    file: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(module, "PATIENCE", 1.0)
    for address in (f"{HOST}:1", "no-such-host.invalid:8786", "nonsense://x"):
        assert _verify(file, "--no-store", "--cluster", address) == USAGE
        assert f"no scheduler answers at {address!r}" in capsys.readouterr().err


def test_a_scheduler_without_workers(
    machines: Machines, file: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(module, "PATIENCE", 3.0)
    assert _verify(file, "--no-store", "--cluster", machines.address) == USAGE
    assert "has no worker after 3 s: start workers with: dask worker ADDRESS" in capsys.readouterr().err


@pytest.fixture
def older(tmp_path: Path) -> Path:
    """A folder with the project's sources, one of them changed."""
    for package in ("tabular", "proofs_check"):
        shutil.copytree(
            ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__", "*.nbi", "*.nbc")
        )
    with (tmp_path / "tabular" / "risk.py").open("a", encoding="utf-8") as source:
        source.write("\n# another version\n")
    return tmp_path


def test_a_worker_with_other_sources_is_refused(
    machines: Machines, older: Path, file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    machines.worker()
    machines.worker(path=older)
    with distributed.Client(machines.address, set_as_default=False, timeout=30) as client:
        client.wait_for_workers(2, timeout=60)
    assert _verify(file, "--no-store", "--cluster", machines.address) == USAGE
    err = capsys.readouterr().err
    assert (
        "worker tcp://" in err
        and "has other sources of this project (digest" in err
        and "update it, and start it again" in err
    )


def test_a_worker_with_other_sources_that_comes_late_is_refused(machines: Machines, older: Path) -> None:
    machines.worker()
    with connected(machines.address) as cluster:
        machines.worker(path=older)
        cluster.client.wait_for_workers(2, timeout=60)
        with pytest.raises(ClusterError, match=r"worker tcp://.* has other sources of this project"):
            cluster.each(time.sleep, [0.3] * 40, lambda *_: None)


def test_a_scheduler_with_other_sources_or_none_is_refused(
    older: Path, file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for path, why in (
        (older, "has other sources of this project (digest"),
        (Path("/nowhere"), "cannot run this project"),
    ):
        folder = older / why.split()[0]
        folder.mkdir()
        found = Machines(folder, path)
        try:
            found.worker()
            assert _verify(file, "--no-store", "--cluster", found.address) == USAGE
            assert f"the scheduler at {found.address} {why}" in capsys.readouterr().err
        finally:
            found.stop()


@pytest.mark.parametrize(
    "options, variables, message",
    [
        (("--nthreads", "2"), {}, "has 2 threads, and claims need a process each: start workers with"),
        (
            (),
            {"OMP_NUM_THREADS": "4"},
            "lets linear algebra use many threads, whose bits are others: set OMP_NUM_THREADS=1 before",
        ),
    ],
    ids=["threads", "algebra"],
)
def test_a_worker_with_many_threads_is_refused(
    options: tuple[str, ...], variables: dict[str, str], message: str, machines: Machines
) -> None:
    machines.worker(*options, **variables)
    with pytest.raises(ClusterError, match=message), connected(machines.address):
        pass


def test_a_worker_that_kept_other_code_of_a_claim_is_refused(
    machines: Machines, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A worker imports a file once: after an edit it would compute what is not there any more."""
    mine = tmp_path / "mine.py"
    text = SAMPLE.read_text(encoding="utf-8").split("\n\n\n")[:2]
    mine.write_text("\n\n\n".join(text) + "\n", encoding="utf-8")
    machines.worker()
    assert _run(mine, machines) == (OK, "")
    mine.write_text(mine.read_text(encoding="utf-8").replace("4 * m.gamma", "5 * m.gamma"), encoding="utf-8")
    code, err = _run(mine, machines)
    assert code == USAGE and f"has other code of sample.true: update {mine} there, and start the worker again" in err
    mine.unlink()
    with pytest.raises(ClusterError, match=r"cannot load sample\.true: .* must be there under the same path"):
        _absent(mine, text, machines)


def _run(file: Path, machines: Machines) -> tuple[int, str]:
    """In a process of its own, which imports the file anew."""
    command = ["verify", str(file), "--no-mutants", "--quick", "--no-store", "--cluster", machines.address]
    done = subprocess.run(
        [sys.executable, "-m", "proofs_check.cli", *command],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stderr if done.returncode else ""


def _absent(mine: Path, text: list[str], machines: Machines) -> None:
    """A file that is here, and gone when the worker looks for it."""
    from proofs_check.jobs import Job, run
    from proofs_check.runner import BUDGETS

    other = mine.with_name("other.py")
    other.write_text("\n\n\n".join(text) + "\n", encoding="utf-8")
    job = Job("sample.true", None, str(other), BUDGETS["quick"], 0)
    job.load()
    other.unlink()
    with connected(machines.address) as cluster:
        run([job], cluster=cluster)


def test_without_any_worker_a_run_ends(machines: Machines, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ALONE", 2.0)
    worker = machines.worker()
    with connected(machines.address) as cluster:
        threading.Timer(1.0, worker.kill).start()
        with pytest.raises(ClusterError, match="has had no worker for 2 s; what was done is kept"):
            cluster.each(time.sleep, [60.0], lambda *_: None)


def test_without_its_scheduler_a_run_ends(machines: Machines) -> None:
    machines.worker()
    with connected(machines.address) as cluster:
        threading.Timer(1.0, machines.scheduler.kill).start()
        with pytest.raises(ClusterError, match=r"is lost .*; what was done is kept"):
            cluster.each(time.sleep, [60.0], lambda *_: None)


def test_dask_is_imported_for_a_cluster_alone() -> None:
    code = "import sys, proofs_check.commands; print(any(m.partition('.')[0] in ('dask', 'distributed') for m in sys.modules))"
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    assert (
        subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True).stdout
        == "False\n"
    )
