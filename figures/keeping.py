"""Tables that were finished: kept under their size, their code and their parameters, and found again as long as these are the same.

``<folder>/<name>.<size>.<digest>.npz`` holds the columns, the parameters, and the seconds that it took. The digest is of the
engine, of ``compute`` and whatever that reaches outside of it, and of its arguments: to change a drawing makes no table old.
"""

from __future__ import annotations

import io
import json
import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from figures.table import Table
from proofs_check import digests

Tables = Table | tuple[Table, ...]


class Damaged(ValueError):
    """A file that is no table; the message names it."""


@dataclass(frozen=True)
class Kept:
    """A finished table, and how long it took."""

    tables: Tables
    seconds: float


def path(folder: Path, name: str, size: str, compute: Callable[..., Tables], arguments: Mapping[str, Any]) -> Path:
    """Where the table of this code and these arguments is kept."""
    key = digests.digest(digests.engine(), digests.code_digest(compute, dict(arguments)))
    return folder / f"{name}.{size}.{key}.npz"


def load(file: Path) -> Kept:
    """What was kept. Raises `Damaged`, naming the file."""
    try:
        with np.load(file, allow_pickle=False) as stored:
            about = json.loads(str(stored["about"]))
            tables = tuple(
                Table({name: stored[f"{i}/{name}"] for name in names}, about["parameters"][i])
                for i, names in enumerate(about["columns"])
            )
    except Exception as error:
        raise Damaged(f"{file} is damaged, remove it: {error}") from error
    return Kept(tables if about["several"] else tables[0], float(about["seconds"]))


def save(file: Path, tables: Tables, seconds: float) -> None:
    """All at once; those of the same name and size that are older go. ValueError for parameters that are no JSON."""
    several = isinstance(tables, tuple)
    listed = tables if isinstance(tables, tuple) else (tables,)
    about = {
        "several": several,
        "seconds": seconds,
        "columns": [list(t.columns) for t in listed],
        "parameters": [{k: _plain(file, k, x) for k, x in t.parameters.items()} for t in listed],
    }
    arrays = {f"{i}/{name}": np.asarray(x) for i, t in enumerate(listed) for name, x in t.columns.items()}
    data = io.BytesIO()
    np.savez(data, allow_pickle=False, about=np.array(json.dumps(about)), **arrays)
    put(file, data.getvalue())
    name, size, _, _ = file.name.rsplit(".", 3)
    for old in file.parent.glob(f"{name}.{size}.*.npz"):
        if old != file:
            old.unlink()


def put(file: Path, data: bytes) -> None:
    """Write a file all at once: whoever looks finds the whole of it, or what was there before."""
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, part = tempfile.mkstemp(dir=file.parent, prefix=".", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(data)
        os.chmod(part, 0o644)
        os.replace(part, file)
    except BaseException:
        Path(part).unlink(missing_ok=True)
        raise


def took(folder: Path, name: str, size: str) -> float | None:
    """Seconds of the last table of this name and size, whatever its code was; None where there was none, or it is damaged."""
    files = sorted(folder.glob(f"{name}.{size}.*.npz"), key=lambda p: p.stat().st_mtime)
    try:
        return load(files[-1]).seconds if files else None
    except Damaged:
        return None


def _plain(file: Path, name: str, x: Any) -> Any:
    x = x.item() if isinstance(x, np.generic) else x
    if not isinstance(x, str | int | float | bool | None):
        raise ValueError(f"{file.name}: the parameter {name!r} is {x!r}: expected a number or a string")
    return x
