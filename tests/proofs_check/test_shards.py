"""Parts of a run on several machines, put together: the same verdicts, the same bits."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from proofs_check.cli import OK, REFUTED, USAGE, main
from proofs_check.jobs import Job, Shard, run
from proofs_check.runner import Budget
from proofs_check.store import Store
from proofs_check.workers import units

SAMPLE = Path(__file__).with_name("sample_claims.py")
HEAD, *BLOCKS = SAMPLE.read_text(encoding="utf-8").split("\n\n\n")
PICKED = ("true", "tight", "false", "identity")


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Some claims of the sample, and their twins."""
    kept = [b for b in BLOCKS if any(f'sample.{name}"' in b or b.startswith(f"@twin({name},") for name in PICKED)]
    path = tmp_path_factory.mktemp("claims") / "mine.py"
    path.write_text("\n\n\n".join([HEAD, *kept]) + "\n", encoding="utf-8")
    return str(path)


def _verify(file: str, *more: str) -> int:
    return main(["verify", file, "--no-mutants", *more])


def test_every_unit_belongs_to_one_shard() -> None:
    job = Job("sample.tight", None, str(SAMPLE), Budget("large", 20_000, 0, 0, 2), 0)
    found = units(job, job.load())
    for n in (1, 2, 7):
        parts = [[u for u in found if Shard(i, n).has(u)] for i in range(1, n + 1)]
        assert sorted(u.key for part in parts for u in part) == sorted(u.key for u in found)
        assert min(len(part) for part in parts) >= len(found) // (2 * n)


def test_shards_put_together_are_the_whole(tmp_path: Path, file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert _verify(file, "--no-store", "--out", str(tmp_path / "whole")) == REFUTED  # one claim is false
    stores = [str(tmp_path / f"s{i}") for i in (1, 2, 3)]
    for i in (1, 3, 2):
        assert _verify(file, "--shard", f"{i}/3", "--store", stores[i - 1], "--workers", "1") == OK
    capsys.readouterr()
    assert main(["merge", *stores, "--into", str(tmp_path / "all")]) == OK
    said = capsys.readouterr().out
    assert said.count("of them new") == 3
    assert _verify(file, "--store", str(tmp_path / "all"), "--out", str(tmp_path / "merged"), "--json") == REFUTED
    costs = json.loads(capsys.readouterr().out)["costs"]
    assert all(c["from_store"] == c["chunks"] > 0 for c in costs["claims"].values()) and costs["instances"] == 0
    whole, merged = ((tmp_path / name / "results.json").read_bytes() for name in ("whole", "merged"))
    assert whole == merged
    counterexample = "counterexamples/sample.false.json"
    assert (tmp_path / "whole" / counterexample).read_bytes() == (tmp_path / "merged" / counterexample).read_bytes()
    assert main(["merge", *stores, "--into", str(tmp_path / "all")]) == OK
    assert capsys.readouterr().out.count(" 0 of them new") == 3


def test_a_missing_shard_is_computed(tmp_path: Path, file: str, capsys: pytest.CaptureFixture[str]) -> None:
    store = str(tmp_path / "s")
    assert _verify(file, "--shard", "1/2", "--store", store, "--json") == OK
    assert json.loads(capsys.readouterr().out)["from_store"] == 0
    assert _verify(file, "--store", store, "--json") == REFUTED
    claims = json.loads(capsys.readouterr().out)["costs"]["claims"].values()
    assert 0 < sum(c["from_store"] for c in claims) < sum(c["chunks"] for c in claims)


def test_a_merge_takes_the_parts_of_a_killed_run_too(tmp_path: Path) -> None:
    job = Job("sample.true", None, str(SAMPLE), Budget("small", 400, 0, 0, 2), 0)
    with Store(tmp_path / "a") as a:
        run([job], workers=1, store=a)
    with Store(tmp_path / "b") as b:
        own = b.begin()
        from proofs_check.parts import PartWriter

        with Store(tmp_path / "a") as a:
            record = next(iter(a.records()))
        writer = PartWriter(own.folder / "7.part")
        writer.append(record.as_data())
        writer.close()
        own.close()
    before = sorted((p.name, p.stat().st_size) for p in (tmp_path / "b").rglob("*"))
    with Store(tmp_path / "c") as c:
        assert c.merge(tmp_path / "b") == (1, 1)
    assert sorted((p.name, p.stat().st_size) for p in (tmp_path / "b").rglob("*")) == before


@pytest.mark.parametrize("workers", [2, 3])
def test_workers_change_no_bit(tmp_path: Path, file: str, workers: int) -> None:
    for n in (1, workers):
        assert _verify(
            file, "--quick", "--store", str(tmp_path / f"s{n}"), "--workers", str(n), "--out", str(tmp_path / f"o{n}")
        )
    assert (tmp_path / "o1" / "results.json").read_bytes() == (tmp_path / f"o{workers}" / "results.json").read_bytes()


@pytest.mark.parametrize("shard", ["0/3", "4/3", "1", "1/0", "a/b", "-1/2"])
def test_shards_that_there_are_not(shard: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", f"--shard={shard}"]) == USAGE
    assert "expected I/N" in capsys.readouterr().err


def test_a_shard_needs_a_store(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "--shard", "1/2", "--no-store"]) == USAGE
    assert "needs a store" in capsys.readouterr().err


def test_a_store_that_there_is_not_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["merge", str(tmp_path / "no"), "--into", str(tmp_path / "all")]) == USAGE
    assert "no holds no store" in capsys.readouterr().err
    shutil.rmtree(tmp_path / "all")
