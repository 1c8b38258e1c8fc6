"""A strict reader and writer of ``.npz`` archives: every array is announced, its type and shape are checked
before it is read.

Reading is safe on hostile files: names, dtypes and shapes are compared with what the header announces, and
the announced sizes with a limit, before a byte is decompressed; no pickle is ever loaded; decompression stops
at the announced size.
"""

from __future__ import annotations

import io
import json
import os
import struct
import zipfile
import zlib
from collections.abc import Mapping
from math import prod
from typing import Any, NoReturn

import numpy as np

from tabular.errors import FormatError
from tabular.interchange._text import replacing

HEADER = "header"
LARGEST_HEADER = 2**26
LARGEST_NPY_HEADER = 2**12
LARGEST_BYTES = 2**31
JSON_FACTOR = 32  # memory of parsed JSON beside its bytes

_BROKEN = (
    zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError, OSError, OverflowError,
    RuntimeError, UnicodeError, ValueError,
)  # fmt: skip


def refuse(message: str) -> NoReturn:
    raise FormatError(message)


def to_json(value: Any) -> np.ndarray:
    """JSON as the bytes of a uint8 array."""
    try:
        text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    except ValueError as error:  # integers beyond Python's limit of digits
        raise FormatError(f"a number is too long to write: {error}") from None
    return np.frombuffer(text.encode("ascii"), dtype=np.uint8)


def from_json(x: np.ndarray, name: str) -> Any:
    try:
        return json.loads(x.tobytes().decode("ascii"), parse_constant=lambda c: refuse(f"{name} holds {c}"))
    except (ValueError, RecursionError) as error:
        if isinstance(error, FormatError):
            raise
        raise FormatError(f"{name} is no JSON: {str(error)[:200]}") from None


def write(path: str | os.PathLike[str], header: dict[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
    """Write all or nothing: to a new file beside ``path``, which then takes its name."""
    with replacing(path) as file, zipfile.ZipFile(file, "w") as archive:
        for name, x in ({HEADER: to_json(header)} | dict(arrays)).items():
            info = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(info, "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.ascontiguousarray(x), version=(1, 0), allow_pickle=False)


class Archive:
    """The members of an open file; ``close`` is the caller's (use ``with open(...) as file``)."""

    def __init__(self, file: Any, max_bytes: int) -> None:
        self.left = max_bytes
        try:
            self.zip = zipfile.ZipFile(file)
            infos = self.zip.infolist()
        except _BROKEN as error:
            raise FormatError(f"not an .npz file: {error}") from None
        self.members = {info.filename: info for info in infos}
        if len(self.members) < len(infos):
            refuse("a member occurs twice")
        for info in infos:
            if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or info.flag_bits & 1:
                refuse(f"member {info.filename!r} is encrypted or compressed in an unknown way")

    def header(self) -> dict[str, Any]:
        size = self._info(HEADER).file_size
        if size > LARGEST_HEADER:
            refuse(f"the header has {size} bytes: at most {LARGEST_HEADER} are read")
        value = from_json(self._array(HEADER, np.dtype(np.uint8), None), HEADER)
        if not isinstance(value, dict):
            refuse("the header is no JSON object")
        return value

    def expect(
        self, shapes: Mapping[str, tuple[np.dtype, tuple[int, ...] | None]], more: int = 0
    ) -> dict[str, np.ndarray]:
        """All other members, which must be exactly these; shape None: one axis of any length. ``more`` bytes are needed
        for what is made of them.
        """
        wanted = {f"{name}.npy" for name in (HEADER, *shapes)}
        if missing := sorted(wanted - set(self.members)):
            refuse(f"member {missing[0]!r} is missing")
        if foreign := sorted(set(self.members) - wanted):
            refuse(f"member {foreign[0]!r} does not belong to this model")
        need = more
        for name, (dtype, shape) in shapes.items():
            size = self._info(name).file_size
            if shape is None:
                need += JSON_FACTOR * size
                continue
            expected = dtype.itemsize * prod(shape)
            if not expected < size <= expected + LARGEST_NPY_HEADER:
                refuse(f"{name} has {size} bytes: expected {expected} and a header for shape {shape}")
            need += expected
        if need > self.left:
            refuse(f"the model needs {need} bytes, the limit is {self.left}: pass max_bytes to allow more")
        return {name: self._array(name, dtype, shape) for name, (dtype, shape) in shapes.items()}

    def _info(self, name: str) -> zipfile.ZipInfo:
        info = self.members.get(f"{name}.npy")
        if info is None:
            refuse(f"member '{name}.npy' is missing")
        return info

    def _array(self, name: str, dtype: np.dtype, shape: tuple[int, ...] | None) -> np.ndarray:
        info = self._info(name)
        try:
            with self.zip.open(info) as member:
                raw = member.read(info.file_size)
                member.read(1)  # reaches the end, where the checksum is compared
            stream = io.BytesIO(raw)
            version = np.lib.format.read_magic(stream)
            if version != (1, 0):
                refuse(f"{name} has .npy version {version}: expected 1.0")
            found, fortran, kind = np.lib.format.read_array_header_1_0(stream, max_header_size=LARGEST_NPY_HEADER)
        except FormatError:
            raise
        except (*_BROKEN, SyntaxError, TypeError, RecursionError) as error:
            raise FormatError(f"{name} is damaged: {str(error)[:200]}") from None
        if kind != dtype:
            refuse(f"{name} has dtype {kind}: expected {dtype}")
        if fortran or len(found) != (1 if shape is None else len(shape)) or found != (shape or found):
            order = " in Fortran order" if fortran else ""
            refuse(f"{name} has shape {found}{order}: expected {shape or 'one axis'}")
        body = memoryview(raw)[stream.tell() :]
        if min(found) < 0 or len(body) != dtype.itemsize * prod(found):
            refuse(f"{name} has {len(body)} bytes of data: not those of shape {found}")
        return np.frombuffer(body, dtype=dtype).reshape(found).copy()
