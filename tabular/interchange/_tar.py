"""The files of a tar archive, plain or compressed, in memory: bounded before it is unpacked, and nothing is written anywhere.

The standard library's ``tarfile`` follows links, sparse files and extended headers, and old releases of it loop for ever on some of
them; here a member is a plain file with its bytes, or the archive is refused.
"""

from __future__ import annotations

import lzma
import zlib
from typing import NoReturn

from tabular.errors import FormatError

BLOCK = 512
LARGEST_MEMORY = 2**27  # of the decoder of xz
MOST_MEMBERS = 10_000
_FILE, _FOLDER, _NOTE = (b"0", b"\0"), b"5", (b"x", b"g")


def members(data: bytes, name: str, limit: int) -> dict[str, bytes]:
    """Members by name. FormatError for what is no archive, or unpacks to more than ``limit`` bytes."""
    data = _unpacked(data, name, limit)
    found: dict[str, bytes] = {}
    at = 0
    while at + BLOCK <= len(data):
        head = data[at : at + BLOCK]
        if not head.strip(b"\0"):
            break
        if len(found) >= MOST_MEMBERS:
            _fail(name, at, f"there are more than {MOST_MEMBERS} members")
        size, kind = _size(head, name, at), head[156:157]
        body = at + BLOCK
        if body + size > len(data):
            _fail(name, at, f"a member of {size} bytes: the archive ends after {len(data) - body}")
        if kind in _FILE:
            member = _name(head, name, at)
            if member in found:
                _fail(name, at, f"member {member!r} occurs twice")
            found[member] = data[body : body + size]
        elif kind in _NOTE:
            if any(word in data[body : body + size] for word in (b" path=", b" size=", b" GNU.sparse")):
                _fail(name, at, "an extended header that renames or resizes a member")
        elif kind != _FOLDER:
            _fail(name, at, f"a member of kind {kind!r}: expected plain files")
        at = body + -(-size // BLOCK) * BLOCK
    if not found:
        _fail(name, 0, "this is no tar archive")
    return found


def _fail(name: str, at: int, message: str) -> NoReturn:
    raise FormatError(f"{name}, byte {at} of the archive: {message}")


def _size(head: bytes, name: str, at: int) -> int:
    if head[257:262] != b"ustar":
        _fail(name, at, "this is no header of a POSIX tar archive")
    try:
        checksum = int(head[148:156].strip(b"\0 "), 8)
        size = int(head[124:136].strip(b"\0 ") or b"0", 8)
    except ValueError:
        _fail(name, at, "the header's numbers are not octal")
    if sum(head[:148]) + 8 * 32 + sum(head[156:]) != checksum:
        _fail(name, at, "the header does not fit its checksum")
    if size < 0:
        _fail(name, at, "a member of negative size")
    return size


def _name(head: bytes, name: str, at: int) -> str:
    parts = [
        part.split(b"\0", 1)[0] for part in ((head[345:500], head[:100]) if head[263:265] == b"00" else (head[:100],))
    ]
    try:
        member = b"/".join(part for part in parts if part).decode("ascii")
    except UnicodeDecodeError:
        _fail(name, at, "a member's name is not ASCII")
    return member.removeprefix("./").lstrip("/")


def _unpacked(data: bytes, name: str, limit: int) -> bytes:
    """What gzip or xz packed, and no byte more than ``limit``."""
    if not data.startswith((b"\x1f\x8b", b"\xfd7zXZ\0")):
        return data
    out, size = [], 0
    try:
        while data:
            left = limit + 1 - size
            if data.startswith(b"\x1f\x8b"):
                unzip = zlib.decompressobj(wbits=31)
                out.append(unzip.decompress(data, left))
                whole, data = unzip.eof, unzip.unused_data
            else:
                unxz = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=LARGEST_MEMORY)
                out.append(unxz.decompress(data, left))
                whole, data = unxz.eof, unxz.unused_data
            size += len(out[-1])
            if size > limit:
                raise FormatError(f"{name} unpacks to more than {limit} bytes: pass max_bytes to allow more")
            if not whole:
                raise FormatError(f"{name} is cut short: its compressed data do not end")
            if len(out) > MOST_MEMBERS:
                raise FormatError(f"{name} has more than {MOST_MEMBERS} compressed streams")
            data = data.lstrip(b"\0")
            if data and not data.startswith((b"\x1f\x8b", b"\xfd7zXZ\0")):
                raise FormatError(f"{name} has {len(data)} bytes after its compressed data")
    except (zlib.error, lzma.LZMAError, EOFError) as error:
        raise FormatError(f"{name} is damaged: {str(error)[:200]}") from None
    return b"".join(out)
