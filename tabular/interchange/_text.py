"""Text files of models, read as hostile: refusals name file, line and column, and no number can fill memory or time.

A file is read whole, up to a limit; it must be UTF-8 without zeros. A number is an integer, a decimal or a fraction of at most
``LARGEST_DIGITS`` digits in each part, with an exponent of at most ``LARGEST_EXPONENT``: never ``1e999999999``.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO, NoReturn

from tabular import _border as border
from tabular.errors import FormatError

LARGEST_FILE = 2**26  # bytes; what is made of a file takes some forty times that
LARGEST_DIGITS = 4300
LARGEST_EXPONENT = 400
LARGEST_UNIT = 2**16  # bits of the common denominator of a row: sums of longer ones take minutes
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[+-]?[0-9]+/[0-9]+", re.ASCII)
_INDEX = re.compile(r"[0-9]{1,18}", re.ASCII)
_PACKED = {b"\x1f\x8b": "gzip", b"\xfd7zXZ\0": "xz", b"BZh": "bzip2", b"PK\x03\x04": "zip", b"\x28\xb5\x2f\xfd": "zstd"}


class Source:
    """A text file by its lines, counted from 0 here and from 1 in messages."""

    def __init__(self, path: str | os.PathLike[str], max_bytes: int = LARGEST_FILE) -> None:
        border.count(max_bytes, "max_bytes")
        self.name = os.fspath(path)
        data = read_bytes(path, max_bytes)
        self.size = len(data)
        for magic, kind in _PACKED.items():
            if data.startswith(magic):
                raise FormatError(f"{self.name} is compressed ({kind}): decompress it first")
        try:
            text = data.decode("utf-8")
            bad = text.find("\0")
            why = "a zero byte: this is no text file"
        except UnicodeDecodeError as error:
            text, bad = data[: error.start].decode("utf-8"), error.start
            bad, why = len(text), f"byte 0x{data[error.start]:02x}: this is not UTF-8"
        if text.startswith("\ufeff"):
            bad, why = 0, "a byte order mark: save the file as UTF-8 without one"
        if bad >= 0:
            self.fail(text.count("\n", 0, bad), bad - text.rfind("\n", 0, bad), why)
        self.lines = [line.removesuffix("\r") for line in text.split("\n")]
        self._numbers: dict[str, Fraction] = {}

    def fail(self, line: int, column: int, message: str) -> NoReturn:
        """Refuse what stands at a line (from 0) and a column (from 1; 0: the whole line)."""
        where = f", column {column}" if column else ""
        raise FormatError(f"{self.name}, line {line + 1}{where}: {message}")

    def number(self, text: str, line: int, column: int) -> Fraction:
        """The exact value of a number."""
        if (known := self._numbers.get(text)) is not None:
            return known
        if len(text) > 2 * LARGEST_DIGITS + 8 or not _NUMBER.fullmatch(text):
            self.fail(line, column, f"{shown(text)} is no number: expected an integer, a decimal or a fraction n/d")
        value = self._value(text, line, column)
        if len(self._numbers) < 10**5 and len(text) <= 32:
            self._numbers[text] = value
        return value

    def _value(self, text: str, line: int, column: int) -> Fraction:
        if "/" in text:
            n, _, d = text.partition("/")
            if max(len(n), len(d)) > LARGEST_DIGITS:
                self.fail(line, column, f"a fraction of more than {LARGEST_DIGITS} digits")
            if int(d) == 0:
                self.fail(line, column, f"{shown(text)} divides by zero")
            return Fraction(int(n), int(d))
        mantissa, _, power = text.lower().partition("e")
        whole, _, part = mantissa.partition(".")
        if len(power) > 6 or abs(int(power or 0)) > LARGEST_EXPONENT:
            self.fail(line, column, f"the exponent of {shown(text)} is beyond {LARGEST_EXPONENT}")
        if len(whole) + len(part) > LARGEST_DIGITS:
            self.fail(line, column, f"a number of more than {LARGEST_DIGITS} digits")
        digits, scale = int(whole + part), int(power or 0) - len(part)
        return Fraction(digits * 10**scale) if scale >= 0 else Fraction(digits, 10**-scale)

    def index(self, text: str, line: int, column: int, what: str, n: int | None = None) -> int:
        """A number of a state, choice or label; below ``n`` where that is known."""
        if not _INDEX.fullmatch(text):
            self.fail(line, column, f"{shown(text)} is no {what}: expected an integer from 0")
        if n is not None and int(text) >= n:
            self.fail(line, column, f"{what} {shown(text)}: they are 0 ... {n - 1}")
        return int(text)

    def words(self, line: int) -> list[tuple[str, int]]:
        """The words of a line with their columns."""
        return [(m[0], m.start() + 1) for m in re.finditer(r"[^ \t]+", self.lines[line])]


def total(terms: Iterable[Fraction], refuse: Callable[[str], NoReturn]) -> Fraction:
    """Their sum, unless its denominator grows beyond ``LARGEST_UNIT``: it may, to the product of all."""
    found = Fraction(0)
    for x in terms:
        found += x
        if found.denominator.bit_length() > LARGEST_UNIT:
            refuse(f"numbers with a common denominator of more than {LARGEST_UNIT} bits")
    return found


def read_bytes(path: str | os.PathLike[str], max_bytes: int) -> bytes:
    """A whole file of at most ``max_bytes``. FormatError beyond; OSError from the file system."""
    with open(path, "rb") as file:
        data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise FormatError(f"{os.fspath(path)} has more than {max_bytes} bytes: pass max_bytes to allow more")
    return data


def shown(text: str) -> str:
    """A piece of a file for a message."""
    return repr(text if len(text) <= 40 else f"{text[:37]}...")


def said(x: Fraction | float) -> str:
    """A number as these formats write it: ``n/d`` or ``n``, a float by its shortest digits."""
    try:
        return repr(x + 0.0) if isinstance(x, float) else str(x)
    except ValueError as error:  # beyond Python's limit of digits
        raise FormatError(f"a number is too long to write: {error}") from None


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """All or nothing: a new file beside ``path`` to write to, which takes its name at the end."""
    path = Path(path)
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        with open(beside, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def write_bytes(path: str | os.PathLike[str], data: bytes) -> None:
    """A whole file, all or nothing."""
    with replacing(path) as file:
        file.write(data)
