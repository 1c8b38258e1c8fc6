"""SQLite for the store: transactions, locks that a kill releases, and errors in words."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from proofs_check.parts import StoreError

PATIENCE = 30.0  # seconds for which another process may hold the database


def lock_file(folder: Path) -> Path:
    return folder.with_name(folder.name + ".lock")


def lock(folder: Path) -> sqlite3.Connection | None:
    """The lock of a run, held until it is closed; None where another process holds it."""
    lock = None
    try:
        lock = sqlite3.connect(lock_file(folder), timeout=0, isolation_level=None)
        lock.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as error:
        if lock is not None:
            lock.close()
        if error.sqlite_errorcode in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return None
        raise OSError(str(error)) from error
    return lock


@contextmanager
def transaction(database: sqlite3.Connection) -> Iterator[None]:
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        if database.in_transaction:  # a full disk ends it
            database.execute("ROLLBACK")
        raise
    database.execute("COMMIT")


@contextmanager
def speaking(file: Path) -> Iterator[None]:
    """SQLite's errors in words."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
            raise StoreError(f"{file} has been in use by another process for {PATIENCE:.0f} s") from error
        if error.sqlite_errorcode == sqlite3.SQLITE_FULL:
            raise StoreError(f"{file}: the disk is full; what was done before is kept") from error
        raise StoreError(f"{file} cannot be used: {error}") from error
    except sqlite3.DatabaseError as error:
        raise StoreError(f"{file} is damaged, or not a database of results: {error}; it is left as it is") from error
