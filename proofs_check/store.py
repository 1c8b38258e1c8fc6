"""Results on disk: one record for each chunk of a claim, and for each hunt of a twin.

A folder holds ``results.sqlite`` (one of no bytes is new and empty), and in ``parts/<run>`` the files to which the
workers of a run append. Anything else in a folder is refused, nothing is overwritten, and nothing is removed but
files of this module's own making. A run holds ``parts/<run>.lock`` for as long as it lives (an exclusive lock of
SQLite's, which a kill releases), so that several runs may share a folder; whoever comes next takes the parts of dead
runs over, in one transaction, and then removes them. The same key twice is the same result twice, or an error.
"""

from __future__ import annotations

import json
import re
import secrets
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from proofs_check import databases, digests, merging
from proofs_check.databases import lock_file, speaking, transaction
from proofs_check.parts import PartWriter, StoreError, read_part
from proofs_check.records import Record

DEFAULT = Path(".proofs-check")
APPLICATION = 0x70636B31  # in SQLite's header: a database of this project
FORMAT = 1
HEADER = 100  # bytes, of any database of SQLite's
_RUN = re.compile(r"\d{8}T\d{6}-[0-9a-f]{8}")
FIELDS = ("key", "claim", "code", "engine", "seed", "mode", "label", "run", "body", "checksum")
_SCHEMA = f"""
CREATE TABLE runs (run TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE records (key TEXT PRIMARY KEY, {", ".join(f"{f} NOT NULL" for f in FIELDS[1:])}) WITHOUT ROWID;
PRAGMA application_id = {APPLICATION};
PRAGMA user_version = {FORMAT};
"""


class Run:
    """A run that writes to a store; alive while its lock is held."""

    def __init__(self, folder: Path, lock: sqlite3.Connection) -> None:
        self.id, self.folder, self._lock = folder.name, folder, lock

    def close(self) -> None:
        """Release the lock: the parts are then anybody's to take over."""
        self._lock.close()


class Store:
    """A folder of results. StoreError where the folder is foreign, damaged, or cannot be written."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._parts = folder / "parts"
        self._file = folder / "results.sqlite"
        self.new = 0  # records that this object brought in
        try:
            _make(folder)
            self._database = self._connect()
        except OSError as error:
            raise StoreError(f"{folder} cannot hold results: {error}") from error

    def _connect(self) -> sqlite3.Connection:
        # A file of no bytes is a new database: SQLite's own rule, by which it takes a single byte for one as well.
        if self._file.exists() and 0 < (size := self._file.stat().st_size) < HEADER:
            raise StoreError(
                f"{self._file} is damaged, or not a database of results: it ends after {size} of the {HEADER} bytes of a header; "
                "it is left as it is"
            )
        database = sqlite3.connect(self._file, timeout=databases.PATIENCE, isolation_level=None)
        with speaking(self._file):
            database.execute("PRAGMA synchronous = FULL")
            with transaction(database):
                (tables,) = database.execute("SELECT count(*) FROM sqlite_master").fetchone()
                (application,) = database.execute("PRAGMA application_id").fetchone()
                (version,) = database.execute("PRAGMA user_version").fetchone()
                if not tables and not application:
                    for statement in _SCHEMA.strip().split(";\n"):
                        database.execute(statement)
                elif application != APPLICATION:
                    raise StoreError(f"{self._file} is a database of something else; it is left as it is")
                elif version != FORMAT:
                    raise StoreError(f"{self._file} has format {version}, and this version reads {FORMAT}")
            (health,) = database.execute("PRAGMA quick_check(1)").fetchone()
        if health != "ok":
            raise StoreError(f"{self._file} is damaged: {health}")
        return database

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def load(self, keys: Iterable[str]) -> dict[str, Record]:
        """The records of those keys that are there."""
        wanted, found = list(keys), {}
        for i in range(0, len(wanted), 500):
            some = wanted[i : i + 500]
            marks = ",".join("?" * len(some))
            for record in self._select(f"WHERE key IN ({marks})", some):
                found[record.key] = record
        return found

    def records(self, engine: str | None = None) -> Iterator[Record]:
        """All records in the order of their keys, or those of one engine."""
        return self._select(*(("ORDER BY key", []) if engine is None else ("WHERE engine = ? ORDER BY key", [engine])))

    def headers(self) -> Iterator[tuple[str, str, str, str]]:
        """Key, claim, code and engine of every record, unchecked."""
        with speaking(self._file):
            yield from self._database.execute("SELECT key, claim, code, engine FROM records ORDER BY key")

    def remove(self, keys: Sequence[str]) -> None:
        """Remove records and whatever is known of runs that have none left, in one transaction; then give the room back."""
        with speaking(self._file):
            with transaction(self._database):
                self._database.executemany("DELETE FROM records WHERE key = ?", [(k,) for k in keys])
                self._database.execute("DELETE FROM runs WHERE run NOT IN (SELECT run FROM records)")
            self._database.execute("VACUUM")

    def runs(self) -> dict[str, dict[str, Any]]:
        """What is known of each run: versions, machine, when it began."""
        with speaking(self._file):
            return {run: json.loads(body) for run, body in self._database.execute("SELECT run, body FROM runs")}

    def _select(self, where: str, values: Sequence[Any]) -> Iterator[Record]:
        with speaking(self._file):
            for row in self._database.execute(f"SELECT {', '.join(FIELDS)} FROM records {where}", values):
                yield self._checked(dict(zip(FIELDS, row, strict=True)))

    def _checked(self, row: dict[str, Any]) -> Record:
        if row["checksum"] != digests.digest(row["key"], str(row["body"])):
            raise StoreError(f"{self._file} is damaged: record {row['key']} ({row['claim']}) does not fit its checksum")
        with _named(self._file):
            record = Record.of_data(json.loads(row["body"]))
        if record.key != row["key"]:
            raise StoreError(f"{self._file} is damaged: record {row['key']} is one of {record.claim} {record.label}")
        return record

    def begin(self, machine: dict[str, Any] | None = None) -> Run:
        """Start a run: its workers append to files in ``Run.folder``. ``machine``: where it computes; None: here."""
        folder = self._parts / f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}-{secrets.token_hex(4)}"
        try:
            self._parts.mkdir(exist_ok=True)
            lock = databases.lock(folder)
            if lock is None:
                raise StoreError(f"{folder} is taken")
            folder.mkdir()  # after its lock: a run without one is dead
            writer = PartWriter(folder / "run.part")
            writer.append(
                {
                    "run": folder.name,
                    "began": time.time(),
                    "engine": digests.engine(),
                    "versions": digests.versions(),
                    "project": digests.project(),
                    "machine": machine or digests.machine(),
                }
            )
            writer.close()
        except OSError as error:
            raise StoreError(f"{folder} cannot be written: {error}") from error
        return Run(folder, lock)

    def finish(self, run: Run) -> int:
        """End a run and take over what its workers recorded; how many records are new."""
        run.close()
        return self.absorb()

    def absorb(self) -> int:
        """Take over the parts of runs that are over; how many records are new."""
        new = 0
        for folder in _runs(self._parts):
            try:
                lock = databases.lock(folder)
                if lock is None:
                    continue  # alive
                try:
                    if folder.is_dir():  # or else another process was faster
                        new += self._insert(*_contents(folder))
                        _remove(folder)
                finally:
                    lock.close()
                lock_file(folder).unlink(missing_ok=True)
            except OSError as error:
                raise StoreError(f"{folder} cannot be taken over: {error}") from error
        return new

    def merge(self, other: Path) -> tuple[int, int]:
        """Take over all records of another store, which is left as it is; how many there are, and how many are new."""
        if not (other / "results.sqlite").is_file():
            raise StoreError(f"{other} holds no store")
        with Store(other) as source:
            records, runs = list(source.records()), source.runs()
        for folder in _runs(other / "parts"):
            more_runs, more = _contents(folder)
            records, runs = records + more, runs | more_runs
        return len({r.key for r in records}), self._insert(runs, records)

    def _insert(self, runs: dict[str, dict[str, Any]], records: Sequence[Record]) -> int:
        """In one transaction. StoreError where a key is there with another tally, of the same kind of processor.

        Between processors the last bits of a float may differ, all enclosures being right: there the first stays.
        """
        new = 0
        with speaking(self._file), transaction(self._database):
            for name, about in runs.items():
                self._database.execute("INSERT OR IGNORE INTO runs VALUES (?, ?)", (name, json.dumps(about)))
            cpus = {name: about["machine"]["cpu"] for name, about in self.runs().items()}
            for record in records:
                before = list(self._select("WHERE key = ?", [record.key]))
                if before:
                    if cpus.get(before[0].run) == cpus.get(record.run):
                        _agree(before[0], record)
                    continue
                body = json.dumps(record.as_data(), allow_nan=False, separators=(",", ":"))
                row = {"key": record.key, "body": body, "checksum": digests.digest(record.key, body)}
                values = [row[f] if f in row else getattr(record, f) for f in FIELDS]
                self._database.execute(f"INSERT INTO records VALUES ({','.join('?' * len(FIELDS))})", values)
                new += 1
        self.new += new
        return new


def _agree(a: Record, b: Record) -> None:
    one, two = merging.encode(a.tally), merging.encode(b.tally)
    if one != two:
        what = next(k for k in one | two if one.get(k) != two.get(k))
        raise StoreError(
            f"{a.claim} on {a.label} was computed twice, in runs {a.run} and {b.run}, and {what} differs: "
            f"{one.get(what)!r} and {two.get(what)!r}; the results depend on something that no digest covers"
        )


def _contents(folder: Path) -> tuple[dict[str, dict[str, Any]], list[Record]]:
    """What the parts of a run hold."""
    runs, records = {}, []
    for file in sorted(folder.glob("*.part")):
        for data in read_part(file):
            if file.name == "run.part":
                runs[str(data["run"])] = data
            else:
                with _named(file):
                    records.append(Record.of_data(data))
    return runs, records


def _runs(parts: Path) -> list[Path]:
    """The folders of runs, in order; what is named otherwise is not ours."""
    return sorted(p for p in parts.glob("*/") if _RUN.fullmatch(p.name) and not p.is_symlink())


def _remove(folder: Path) -> None:
    """The parts of a run, and its folder, unless somebody put something else there."""
    for file in sorted(folder.glob("*.part")):
        file.unlink()
    if not any(folder.iterdir()):
        folder.rmdir()


@contextmanager
def _named(file: Path) -> Iterator[None]:
    """Say which file an unreadable record is in, and what to do."""
    try:
        yield
    except StoreError as error:
        raise StoreError(f"{file}: {error}; use the version that wrote it, or do without that file") from error


def _make(folder: Path) -> None:
    """The folder of a store; one that holds anything else is refused."""
    if folder.exists() and not folder.is_dir():
        raise StoreError(f"{folder} is a file: a store is a folder")
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "results.sqlite").exists():
        foreign = sorted(p.name for p in folder.iterdir() if p.name != ".gitignore" and not _left_over(p))
        if foreign:
            raise StoreError(f"{folder} holds no store, but {foreign[0]}: name a folder that is empty or not there yet")
    ignored = folder / ".gitignore"
    if not ignored.exists():
        ignored.write_text("*\n", encoding="utf-8")


def _left_over(path: Path) -> bool:
    """Whether it is the ``parts`` of a store whose database is gone."""
    names = [p.name.removesuffix(".lock") for p in path.iterdir()] if path.name == "parts" and path.is_dir() else [""]
    return all(_RUN.fullmatch(name) for name in names)
