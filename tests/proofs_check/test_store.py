"""Results on disk: nothing damaged is believed, nothing foreign is touched, and digests tell what a result rests on."""

from __future__ import annotations

import dataclasses
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable
from math import inf, nan
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from proofs_check import addresses, databases, digests, merging, runner, selection, workers
from proofs_check.claim import Claim
from proofs_check.cli import OK, USAGE, main
from proofs_check.jobs import Job, run
from proofs_check.ledger import OVERRIDES, QUICK, Cost, quick
from proofs_check.loading import load_file
from proofs_check.parts import MAGIC, PartWriter, StoreError, read_part
from proofs_check.records import Record
from proofs_check.registry import ROOMS
from proofs_check.runner import Budget
from proofs_check.store import Store
from proofs_check.verdict import Tally

SAMPLE = Path(__file__).with_name("sample_claims.py")
RECORDS = [{"a": 1}, {"b": "x" * 40}, {"c": [1.5, None, "\n"]}]
SMALL = Budget("small", 400, 0, 0, 2)


def _part(path: Path) -> Path:
    writer = PartWriter(path)
    for data in RECORDS:
        writer.append(data)
    writer.close()
    return path


def test_a_file_cut_short_anywhere_loses_its_last_record_at_most(tmp_path: Path) -> None:
    whole = _part(tmp_path / "whole.part").read_bytes()
    cut = tmp_path / "cut.part"
    seen = set()
    for n in range(len(whole) + 1):
        cut.write_bytes(whole[:n])
        found = list(read_part(cut))
        assert found == RECORDS[: len(found)]
        seen.add(len(found))
        cut.write_bytes(whole[:n] + b"\0" * 100)  # after a power failure
        assert len(list(read_part(cut))) in (len(found), len(found) + (whole[n:] == b"\n"))
    assert seen == {0, 1, 2, 3}


def test_any_changed_byte_is_refused_with_file_and_place(tmp_path: Path) -> None:
    whole = bytearray(_part(tmp_path / "whole.part").read_bytes())
    bad = tmp_path / "bad.part"
    for i in range(len(whole)):
        bad.write_bytes(whole[:i] + bytes([whole[i] ^ 1]) + whole[i + 1 :])
        with pytest.raises(StoreError, match=r"bad.part is (damaged at byte \d+|not a file of results)"):
            list(read_part(bad))
    bad.write_bytes(MAGIC + b"hello, this is something else\n")
    with pytest.raises(StoreError, match=f"byte {len(MAGIC)}"):
        list(read_part(bad))


def _tallies(n: int) -> list[Tally]:
    """Tallies with every field set to something, some of it not finite."""
    z = np.random.default_rng(5)
    found = []
    for i in range(n):
        t = Tally(
            drawn=int(z.integers(9)),
            met=i,
            identity=bool(z.integers(2)),
            informative=bool(z.integers(2)),
            resolution=[inf, 30.0, 7.25][i % 3],
            ratio=[nan, 0.1 + i / 7, 1.0][i % 3],
            ratio_at=f"x:{i}",
            open_at=["", f"y:{i}"][i % 2],
            unmet={"a": i, f"b{i % 3}": 1},
            kind="Trial",
            samples=[{"low": [inf, -0.0, 1e-300], "at": None, "k": [i, True]}],
            nonzero=i > 3,
            bare=i > 4,
            gap=[inf, 0.25 / (i + 1), -1.5][i % 3],
            gap_at=f"w:{i}",
            unsettled=[f"u:{i}"],
        )
        if i % 4:
            t.refutation(7 - i, {"address": f"z:{i}", "mdp": {"R": ["1/3"]}})
        found.append(t)
    return found


def test_a_tally_survives_json_to_the_bit() -> None:
    for t in [Tally(), *_tallies(6)]:
        text = json.dumps(merging.encode(t), allow_nan=False)
        again = merging.decode(json.loads(text))
        assert repr(again) == repr(t)
        assert json.dumps(merging.encode(again), allow_nan=False) == text
    with pytest.raises(ValueError, match="no field 'more'"):
        merging.decode({"more": 1})


def test_tallies_merge_in_any_grouping() -> None:
    ts = _tallies(9)
    whole = repr(merging.merged(ts))
    for i in range(10):
        assert repr(merging.merged([merging.merged(ts[:i]), merging.merged(ts[i:])])) == whole


def test_every_field_of_a_tally_takes_part_in_merging() -> None:
    """A field that a merge forgot would make verdicts depend on how chunks are counted."""
    plain, a, b = Tally(), *_tallies(6)[1:3]
    for t in (a, b):
        for f in dataclasses.fields(Tally):
            if isinstance(getattr(t, f.name), int) and not isinstance(getattr(t, f.name), bool):
                setattr(t, f.name, getattr(t, f.name) + 3)
    for f in dataclasses.fields(Tally):
        one = merging.merged([a, dataclasses.replace(Tally(), **{f.name: getattr(b, f.name)})])
        if f.name not in (
            "ratio_at",
            "open_at",
            "kind",
            "identity",
            "informative",
            "resolution",
            "counterexample",
            "ratio",
            "nonzero",
            "bare",
            "gap",
            "gap_at",
        ):
            assert getattr(one, f.name) != getattr(a, f.name), f.name
        kept = merging.merged([plain, a])
        assert repr(getattr(kept, f.name)) == repr(getattr(a, f.name)), f.name


def _loaded(name: str) -> Claim:
    (found,) = (c for c in load_file(SAMPLE) if c.id == f"sample.{name}")
    return found


@pytest.mark.parametrize("name", ["tight", "false", "identity", "barely_true"])
def test_chunks_in_any_order_make_the_verdict_of_the_whole(name: str) -> None:
    claim = _loaded(name)
    labels = runner.plan(claim, SMALL)
    counted = {label: runner.count(addresses.chunk_of(claim, label, 3), SMALL, 3) for label in reversed(labels)}
    merged = runner.conclude(claim, merging.merged(counted[label] for label in labels))
    assert json.dumps(merged.as_dict()) == json.dumps(runner.verify(claim, SMALL, 3).as_dict())


# -- the folder


def _record(run: str = "r", label: str = "garnet[0]:0", drawn: int = 200) -> Record:
    tally = Tally(drawn=drawn, met=drawn, enclosure=drawn, informative=True, ratio=0.1 + 0.2, ratio_at=label)
    return Record("x.C1", "code", "engine", 0, "audit 2", label, run, (1, 2**63), "garnet", "d", tally, Cost(0.5))


def _filled(folder: Path, **changes: Any) -> Record:
    """A store with one record, by way of a run."""
    with Store(folder) as s:
        own = s.begin()
        writer = PartWriter(own.folder / "1.part")
        record = _record(own.id, **changes)
        writer.append(record.as_data())
        writer.close()
        assert s.finish(own) == 1
        assert not list((folder / "parts").iterdir())
    return record


def test_what_is_stored_comes_back(tmp_path: Path) -> None:
    record = _filled(tmp_path / "s")
    with Store(tmp_path / "s") as s:
        assert s.load([record.key, "no such key"]) == {record.key: record}
        about = s.runs()[record.run]
    assert about["versions"]["numpy"] == np.__version__
    assert about["machine"]["cores"] and about["engine"] == digests.engine()


def test_a_living_run_keeps_its_parts_and_a_dead_one_leaves_them(tmp_path: Path) -> None:
    with Store(tmp_path / "s") as one, Store(tmp_path / "s") as two:
        own = one.begin()
        writer = PartWriter(own.folder / "1.part")
        writer.append(_record(own.id).as_data())
        assert two.absorb() == 0 and own.folder.is_dir()
        own.close()
        assert two.absorb() == 1 and not own.folder.exists()
        assert len(list(one.records())) == 1


def test_a_folder_of_something_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(StoreError, match=r"holds no store, but thesis\.tex"):
        Store(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]
    with pytest.raises(StoreError, match="is a file"):
        Store(tmp_path / "thesis.tex")


def _text(path: Path) -> None:
    path.write_text("not a database, but long enough to have a header of a hundred bytes" * 3)


def _foreign(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE holidays (day)")
    database.close()


def _newer(path: Path) -> None:
    Store(path.parent).close()
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()


def _torn(path: Path) -> None:
    _filled(path.parent)
    data = bytearray(path.read_bytes())
    data[4096:8192] = b"\x07" * 4096
    path.write_bytes(data)


def _one_byte(path: Path) -> None:
    path.write_bytes(b"S")


def _cut(path: Path) -> None:
    _filled(path.parent)
    path.write_bytes(path.read_bytes()[:511])


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (_text, "not a database"),
        (_foreign, "something else"),
        (_newer, "format 99"),
        (_torn, "damaged"),
        (_one_byte, "it ends after 1 of the 100 bytes of a header"),
        (_cut, "damaged"),
    ],
)
def test_a_database_that_is_not_ours_or_damaged_is_refused_and_left_alone(
    tmp_path: Path, spoil: Callable[[Path], None], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "results.sqlite"
    spoil(file)
    before = file.read_bytes()
    with pytest.raises(StoreError, match=said) as error:
        Store(tmp_path).close()
    assert str(file) in str(error.value)
    assert main(["verify", str(SAMPLE), "--quick", "--no-mutants", "--store", str(tmp_path)]) == USAGE
    assert said in capsys.readouterr().err
    assert file.read_bytes() == before


def test_a_database_of_no_bytes_is_a_new_one(tmp_path: Path) -> None:
    (tmp_path / "results.sqlite").touch()
    with Store(tmp_path) as s:
        assert list(s.records()) == []


@pytest.mark.parametrize("column", ["body", "key", "checksum"])
def test_a_changed_record_is_not_believed(tmp_path: Path, column: str) -> None:
    _filled(tmp_path)
    with sqlite3.connect(tmp_path / "results.sqlite") as database:
        database.execute(f"UPDATE records SET {column} = substr({column}, 1, 8) || 'x' || substr({column}, 10)")
    database.close()
    with Store(tmp_path) as s, pytest.raises(StoreError, match=r"damaged: record"):
        list(s.records())


def test_one_result_under_another_s_key_is_not_believed(tmp_path: Path) -> None:
    _filled(tmp_path)
    other = dataclasses.replace(_record(), label="garnet[0]:1")
    with sqlite3.connect(tmp_path / "results.sqlite") as database:
        (body,) = database.execute("SELECT body FROM records").fetchone()
        database.execute("UPDATE records SET key = ?, checksum = ?", (other.key, digests.digest(other.key, body)))
    database.close()
    with Store(tmp_path) as s, pytest.raises(StoreError, match=r"is one of x\.C1 garnet\[0\]:0"):
        s.load([other.key])


def test_a_database_in_use_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Store(tmp_path).close()
    monkeypatch.setattr(databases, "PATIENCE", 0.05)
    busy = sqlite3.connect(tmp_path / "results.sqlite", isolation_level=None)
    busy.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreError, match="in use by another process"):
        Store(tmp_path)
    busy.close()


def test_two_results_of_one_key_agree_or_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _filled(tmp_path / "a")
    _filled(tmp_path / "b")
    _filled(tmp_path / "c", drawn=199)
    with Store(tmp_path / "a") as a:
        assert a.merge(tmp_path / "b") == (1, 0)
        with pytest.raises(StoreError, match="computed twice"):
            a.merge(tmp_path / "c")
        assert [r.tally.drawn for r in a.records()] == [200]
    monkeypatch.setattr(digests, "machine", lambda: {"cpu": "another", "cores": 1})
    _filled(tmp_path / "d", drawn=199)
    with Store(tmp_path / "a") as a:  # of another processor: the first stays
        assert a.merge(tmp_path / "d") == (1, 0)
        assert [r.tally.drawn for r in a.records()] == [200]


def test_results_of_edited_sources_are_not_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = workers._Desk(str(tmp_path), "r", digests.engine())
    assert desk.record(_record())
    monkeypatch.setattr(digests, "engine_state", lambda: ((1, 1),))
    assert desk.record(_record(label="garnet[0]:2"))  # what runs was imported before the edit
    monkeypatch.setitem(sys.modules, "imported_after_the_edit", sys)
    assert not desk.record(_record(label="garnet[0]:1"))
    (file,) = tmp_path.glob("*.part")
    assert len(list(read_part(file))) == 2
    assert not workers._Desk(None, "r", "another engine").record(_record())


def test_a_full_disk_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = workers._Desk(str(tmp_path), "r", digests.engine())

    def full(*_: Any) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.write", full)
    with pytest.raises(StoreError, match="No space left on device; what was done before is kept"):
        desk.record(_record())


def test_a_full_database_is_said_and_costs_nothing(tmp_path: Path) -> None:
    """SQLite ends the transaction itself when it is full: that is what is said, and the parts stay for whoever has room."""
    with Store(tmp_path) as s:
        own = s.begin()
        writer = PartWriter(own.folder / "1.part")
        for i in range(100):
            writer.append(_record(own.id, label=f"garnet[0]:{i}").as_data())
        writer.close()
        s._database.execute("PRAGMA max_page_count = 4")
        with pytest.raises(StoreError, match="the disk is full; what was done before is kept"):
            s.finish(own)
    with Store(tmp_path) as s:
        assert s.absorb() == len(list(s.records())) == 100


def test_folders_of_somebody_else_are_neither_read_nor_removed(tmp_path: Path) -> None:
    """Neither beside the database, nor among the runs, nor inside one."""
    (tmp_path / "a" / "parts" / "thesis").mkdir(parents=True)
    with pytest.raises(StoreError, match="holds no store, but parts"):
        Store(tmp_path / "a")
    _filled(tmp_path / "b")
    mine = tmp_path / "b" / "parts" / "thesis" / "chapter.tex"
    mine.parent.mkdir()
    mine.write_text("precious")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "1.part").write_text("precious")
    (tmp_path / "b" / "parts" / "20200101T000000-00000000").symlink_to(outside)
    with Store(tmp_path / "b") as s:
        own = s.begin()
        note = own.folder / "note.txt"
        note.write_text("precious")
        assert s.finish(own) == 0 and s.absorb() == 0
        assert [p.name for p in own.folder.iterdir()] == ["note.txt"]
    assert mine.read_text() == note.read_text() == (outside / "1.part").read_text() == "precious"
    assert Store(tmp_path / "c").merge(tmp_path / "b") == (1, 1)


def test_the_parts_of_a_store_without_its_database_are_taken_over(tmp_path: Path) -> None:
    with Store(tmp_path) as s:
        own = s.begin()
        writer = PartWriter(own.folder / "1.part")
        writer.append(_record(own.id).as_data())
        writer.close()
        own.close()
    (tmp_path / "results.sqlite").unlink()
    with Store(tmp_path) as s:
        assert s.absorb() == 1 and len(list(s.records())) == 1


def _rewritten(file: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    with sqlite3.connect(file) as database:
        key, body = database.execute("SELECT key, body FROM records").fetchone()
        data = json.loads(body)
        change(data)
        text = json.dumps(data)
        database.execute("UPDATE records SET body = ?, checksum = ?", (text, digests.digest(key, text)))
    database.close()


@pytest.mark.parametrize(
    "change",
    [lambda d: d["tally"].update(more=1), lambda d: d["cost"].update(more=1), lambda d: d.pop("family")],
    ids=["tally", "cost", "record"],
)
def test_records_of_another_version_are_named(
    tmp_path: Path, change: Callable[[dict[str, Any]], Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """In the database, where a run never asks for them, and in the parts of a run that was killed before an update."""
    record = _filled(tmp_path / "s")
    _rewritten(tmp_path / "s" / "results.sqlite", change)
    with Store(tmp_path / "s") as s:
        assert s.load(["another key"]) == {}
        with pytest.raises(StoreError, match=r"results\.sqlite: a record of 'x\.C1' is of another version"):
            s.load([record.key])
    assert main(["merge", str(tmp_path / "s"), "--into", str(tmp_path / "t")]) == USAGE
    assert "another version" in capsys.readouterr().err
    with Store(tmp_path / "u") as s:
        own = s.begin()
        data = _record(own.id).as_data()
        change(data)
        writer = PartWriter(own.folder / "1.part")
        writer.append(data)
        writer.close()
        own.close()
        with pytest.raises(StoreError, match=r"1\.part: .*another version.*or do without that file"):
            s.absorb()


@pytest.mark.parametrize("kept", [100, 4096, 0.5, -4096, -1])
def test_a_database_cut_short_is_refused_and_left_alone(tmp_path: Path, kept: float) -> None:
    with Store(tmp_path) as s:
        own = s.begin()
        writer = PartWriter(own.folder / "1.part")
        for i in range(60):
            writer.append(_record(own.id, label=f"garnet[0]:{i}").as_data())
        writer.close()
        s.finish(own)
    file = tmp_path / "results.sqlite"
    whole = file.read_bytes()
    cut = whole[: int(kept * len(whole)) if kept == 0.5 else int(kept)]
    file.write_bytes(cut)
    with pytest.raises(StoreError, match="damaged"), Store(tmp_path) as s:
        list(s.records())
    assert file.read_bytes() == cut


READ_ONLY = """
import os, sys
from pathlib import Path
from proofs_check.parts import StoreError
from proofs_check.store import Store
if os.geteuid() == 0:
    os.setuid(65534)
store = Store(Path(sys.argv[1]))
print(len(list(store.records())), store.absorb())
for attempt in (store.begin, lambda: Store(Path(sys.argv[2]) / "s")):
    try:
        print("done", attempt())
    except StoreError as error:
        print("said", error)
"""


def test_a_folder_that_cannot_be_written_is_read_and_said() -> None:
    with (
        tempfile.TemporaryDirectory() as name
    ):  # not tmp_path: root's tests are run as another user, who cannot enter that
        open_to_all = Path(name)
        _filled(open_to_all / "s")
        (open_to_all / "empty").mkdir()
        folders = [open_to_all / "s", open_to_all / "s" / "parts", open_to_all / "empty"]
        try:
            for p in [open_to_all, *folders]:
                p.chmod(0o755 if p == open_to_all else 0o555)
            (open_to_all / "s" / "results.sqlite").chmod(0o444)
            command = [sys.executable, "-c", READ_ONLY, str(open_to_all / "s"), str(open_to_all / "empty")]
            environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
            done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment)
        finally:
            for p in folders:
                p.chmod(0o755)
    assert done.returncode == 0, done.stderr
    count, begun, made = done.stdout.splitlines()
    assert count == "1 0" and begun.startswith("said") and "cannot be written" in begun
    assert made.startswith("said") and "cannot hold results" in made


# -- digests

TEXT = '''
from proofs_check import Assumption, Inequality, claim, families, twin, values
from tabular.regularizers import Shannon

FAMILY = families.garnet(2, 2, gamma=0.5)
FACTOR = 4

def helper(ops, x):
    return FACTOR * x

some = Assumption("some", lambda m: m.mask.any(axis=(-2, -1)))

@claim(id="my.A", family=FAMILY, draws={"V": values(), "W": values(like="V")}, assumptions=(some,), instances=())
def first(ops, m, V, W):
    """Contraction."""
    return Inequality(ops.norm(ops.backup(m, V) - ops.backup(m, W)), helper(ops, m.gamma * ops.norm(V - W)))

@claim(id="my.B", family=FAMILY, draws={"V": values()}, instances=())
def backup(ops, m, V):
    """Its name is that of an operator that the first one calls."""
    return Inequality(ops.norm(V), 2 * ops.norm(V))

@twin(first, why="half")
def wrong(ops, m, V, W):
    return Inequality(ops.norm(ops.backup(m, V) - ops.backup(m, W)), m.gamma * ops.norm(V - W) / 2)
'''


def _digests(path: Path, text: str) -> dict[str, str]:
    path.write_text(text, encoding="utf-8")
    for name in [n for n in sys.modules if n.startswith("proofs_check_file_") and n.endswith(path.stem + "_py")]:
        del sys.modules[name]
    return {c.id: digests.claim_digest(c) for given in load_file(path) for c in (given, *given.twins)}


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        ("FACTOR = 4", "FACTOR = 4  # a comment\n\n", set()),
        ("FACTOR = 4", "FACTOR = 5", {"my.A"}),
        ("return FACTOR * x", "return x * FACTOR", {"my.A"}),
        ('values(like="V")', "values()", {"my.A", "my.A.twin1"}),
        ("m.mask.any(", "m.mask.all(", {"my.A", "my.A.twin1"}),
        ("2 * ops.norm(V))", "3 * ops.norm(V))", {"my.B"}),
        ("/ 2)", "/ 3)", {"my.A.twin1"}),
        ("gamma=0.5", "gamma=0.25", {"my.A", "my.A.twin1", "my.B"}),
        ("import Shannon", "import KL", set()),
        ('id="my.B"', 'id="my.C"', {"my.B", "my.C"}),
        ("assumptions=(some,)", "assumptions=(some,), least=300", {"my.A", "my.A.twin1"}),
    ],
)
def test_an_edit_changes_the_digests_of_what_it_concerns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: str, new: str, changed: set[str]
) -> None:
    """Also one within a second of the first import that keeps the file's length: bytecode would hide it."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    assert TEXT.count(old) >= 1
    before = _digests(tmp_path / "mine.py", TEXT)
    after = _digests(tmp_path / "mine.py", TEXT.replace(old, new))
    assert {k for k in before | after if before.get(k) != after.get(k)} == changed
    (tmp_path / "elsewhere").mkdir()
    assert _digests(tmp_path / "elsewhere" / "other.py", TEXT) == before


def test_what_cannot_be_digested_is_never_met_again(tmp_path: Path) -> None:
    text = TEXT.replace("FACTOR = 4", "FACTOR = (lambda: (yield))()").replace("FACTOR * x", "(FACTOR, 4)[1] * x")
    one, two = (_digests(tmp_path / "odd.py", text) for _ in range(2))
    assert one["my.A"] != two["my.A"] and one["my.B"] == two["my.B"]


def test_the_engine_is_all_sources_but_those_of_claims(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    names = {"/".join(p.parts[-2:]) for p in digests.engine_files()}
    assert {"proofs_check/settle.py", "tabular/mdp.py", "reference/operators.py", "_kernels/__init__.py"} <= names
    assert not [n for n in names if "foundations" in n]
    file = tmp_path / "mdp.py"
    file.write_text("x = 1")
    monkeypatch.setattr(digests, "engine_files", lambda: (file,))
    one = digests.engine.__wrapped__()
    file.write_text("x = 2")
    two = digests.engine.__wrapped__()
    monkeypatch.setattr(digests, "versions", lambda: {"numpy": "9.9"})
    assert len({one, two, digests.engine.__wrapped__()}) == 3


# -- runs


def test_a_second_run_takes_its_results_from_the_store(tmp_path: Path) -> None:
    jobs = [Job(f"sample.{name}", None, str(SAMPLE), SMALL, 0) for name in ("tight", "false", "identity")]
    bare = run(jobs, workers=1)
    with Store(tmp_path) as s:
        first, second = (run(jobs, workers=1, store=s) for _ in range(2))
        records = list(s.records())
    assert [d.reused for d in first] == [0, 0, 0]
    assert [(d.reused, d.units) for d in second] == [(d.units, d.units) for d in first]
    assert len(records) == sum(d.units for d in first)
    for a, b, c in zip(bare, first, second, strict=True):
        assert a.verdict is not None and b.verdict is not None and c.verdict is not None
        assert json.dumps(a.verdict.as_dict()) == json.dumps(b.verdict.as_dict()) == json.dumps(c.verdict.as_dict())
        assert [t.as_dict() for t in a.twins] == [t.as_dict() for t in b.twins] == [t.as_dict() for t in c.twins]
    assert second[0].cost.instances == first[0].cost.instances == 800
    # A larger budget computes what is new.
    more = dataclasses.replace(jobs[0], budget=dataclasses.replace(SMALL, instances=1400))
    with Store(tmp_path) as s:
        (third,) = run([more], workers=1, store=s)
    assert (third.units, third.reused) == (first[0].units + 1, first[0].units)


def test_a_lie_in_the_store_is_found_by_a_fresh_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    job = Job("sample.true", None, str(SAMPLE), SMALL, 0)
    with Store(tmp_path) as s:
        run([job], workers=1, store=s)
    with sqlite3.connect(tmp_path / "results.sqlite") as database:
        (key, text) = database.execute("SELECT key, body FROM records ORDER BY label LIMIT 1").fetchone()
        body = json.loads(text)
        body["tally"]["enclosure"] -= 1
        text = json.dumps(body)
        database.execute(
            "UPDATE records SET body = ?, checksum = ? WHERE key = ?", (text, digests.digest(key, text), key)
        )
    database.close()
    with Store(tmp_path) as s, pytest.raises(StoreError, match=r"sample\.true on garnet\[0\]:0 was computed twice"):
        run([job], workers=1, store=s, fresh=True)


def test_costs_and_export(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    import pyarrow.parquet as pq

    folder = str(tmp_path / "s")
    with Store(Path(folder)) as s:
        run([Job("sample.tight", None, str(SAMPLE), SMALL, 0)], workers=1, store=s)
    assert main(["costs", "--store", folder]) == OK
    assert "sample.tight" in capsys.readouterr().out
    assert main(["costs", "--store", folder, "--json"]) == OK
    ledger = json.loads(capsys.readouterr().out)["sample.tight"]
    assert ledger["instances"] == 800 and ledger["screening"] > 0 and ledger["twins"] > 0 and ledger["results"] == 3
    assert main(["export", "--store", folder, str(tmp_path / "t.parquet")]) == OK
    rows = pq.read_table(tmp_path / "t.parquet").to_pylist()
    assert sorted(r["drawn"] for r in rows if r["mode"] == "audit 2") == [200, 600]
    assert {r["version_numpy"] for r in rows} == {np.__version__}
    assert len({r["instances"] for r in rows}) == 3
    assert main(["costs", "--store", str(tmp_path / "none")]) == USAGE
    capsys.readouterr()
    assert main(["export", "--store", folder, str(tmp_path / "to" / "be" / "made" / "t.parquet")]) == OK
    assert pq.read_table(tmp_path / "to" / "be" / "made" / "t.parquet").num_rows == len(rows)
    capsys.readouterr()
    assert main(["export", "--store", folder, str(tmp_path / "t.parquet" / "x" / "t.parquet")]) == USAGE
    said = f"export into {tmp_path / 't.parquet' / 'x'}: {tmp_path / 't.parquet'} is a file, and a folder is needed"
    assert said in capsys.readouterr().err
    (tmp_path / "v.parquet").mkdir()
    assert main(["export", "--store", folder, str(tmp_path / "v.parquet")]) == USAGE
    assert "v.parquet cannot be written" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert main(["export", "--store", folder, str(tmp_path / "u.parquet")]) == USAGE
    assert "tabular-proofs[export]" in capsys.readouterr().err


def test_rooms_have_budgets() -> None:
    assert {quick(room) for room in {*ROOMS} - {*OVERRIDES}} | {quick(None)} == {QUICK}
    assert all(quick(room) == n for room, n in OVERRIDES.items()) and {*OVERRIDES} <= {*ROOMS}
    with pytest.raises(ValueError, match="no room 'planing'"):
        quick("planing")


def test_a_room_of_its_own_budget_takes_the_first_of_the_instances(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(OVERRIDES, "preferences", 50)
    (small,) = selection.jobs(["best_of_n.C7"], runner.BUDGETS["quick"], 0)
    (other,) = selection.jobs(["foundations.C6"], runner.BUDGETS["quick"], 0)
    (whole,) = selection.jobs(["best_of_n.C7"], runner.BUDGETS["default"], 0)
    assert (small.budget.instances, other.budget.instances, whole.budget.instances) == (50, QUICK, 2000)
    claim = small.load()
    few = dataclasses.replace(small.budget, fixed=0, large=0)
    found = runner.verify(claim, few)
    assert found.tally.drawn == 50 // len(claim.family) * len(claim.family)
    assert runner.plan(claim, few) == [f"{family.name}[{f}]:0" for f, family in enumerate(claim.family)]
    assert runner.how(few) != runner.how(dataclasses.replace(few, instances=QUICK)) == "audit 2"
