"""Files that one process appends records to, and from which a kill takes the last record at most.

A file is a line of ``MAGIC``, then records: ``<length> <checksum of the data> <checksum of these two> <data>`` and a newline,
with the numbers as eight hexadecimal digits and the data as JSON. A record is handed to the operating system whole before the
next is begun, and to the disk every few seconds. What a kill cuts short is a proper beginning of a record at the end of the file
(or, after a power failure, zeros): that is dropped. Anything else that does not fit is damage, and refused.
"""

from __future__ import annotations

import json
import os
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

MAGIC = b"proofs-check part 1\n"
HEAD = 27  # bytes before the data
SYNC = 2.0  # seconds between hand-overs to the disk


class StoreError(Exception):
    """The store cannot be used: damaged, foreign, full, or in use; the message says what and where."""


class PartWriter:
    """Appends records to a new file. OSError where the disk is full or the file exists."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o644)
        self._synced = time.monotonic()
        self._write(MAGIC)

    def append(self, data: dict[str, Any]) -> None:
        """One record."""
        self._write(frame(json.dumps(data, allow_nan=False, separators=(",", ":")).encode()))
        if time.monotonic() - self._synced > SYNC:
            os.fsync(self._file)
            self._synced = time.monotonic()

    def close(self) -> None:
        """Hand everything to the disk."""
        os.fsync(self._file)
        os.close(self._file)

    def _write(self, data: bytes) -> None:
        left = memoryview(data)
        while left:
            left = left[os.write(self._file, left) :]


def frame(data: bytes) -> bytes:
    """A record with its length and checksums."""
    head = b"%08x %08x" % (len(data), zlib.crc32(data))
    return head + b" %08x " % zlib.crc32(head) + data + b"\n"


def read_part(path: Path) -> Iterator[dict[str, Any]]:
    """The records of a file, without one that was cut short at the end. StoreError names file and offset of any damage."""
    found = path.read_bytes().rstrip(b"\0")  # no record ends with a zero
    if not found.startswith(MAGIC):
        if MAGIC.startswith(found):
            return  # killed before anything was recorded
        raise StoreError(f"{path} is not a file of results: it begins with {found[:20]!r}")
    at = len(MAGIC)
    while at < len(found):
        record = _record(found, at, path)
        if record is None:
            return
        data, at = record
        yield data


def _record(found: bytes, at: int, path: Path) -> tuple[dict[str, Any], int] | None:
    """The record at an offset and the next offset; None where the file ends within it."""
    head = found[at : at + HEAD]
    if len(head) < HEAD:
        return None if b"\n" not in head else _damaged(path, at)
    if head[17:] != b" %08x " % zlib.crc32(head[:17]):
        return _damaged(path, at)
    length, checksum = int(head[:8], 16), int(head[9:17], 16)
    end = at + HEAD + length
    if end + 1 > len(found):
        return None
    data = found[at + HEAD : end]
    if zlib.crc32(data) != checksum or found[end : end + 1] != b"\n":
        return _damaged(path, at)
    return json.loads(data), end + 1


def _damaged(path: Path, at: int) -> Any:
    raise StoreError(
        f"{path} is damaged at byte {at}: the record there does not fit its checksum; "
        f"without that file its results are computed again"
    )
