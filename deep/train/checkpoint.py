"""The state of a run in one file: the leaves of a tree in an .npz, never pickled, the same bytes for the same numbers."""

from __future__ import annotations

import os
import zipfile
import zlib
from pathlib import Path
from typing import Any

import jax
import numpy as np

VERSION = 1


def save(path: str | Path, tree: Any, **facts: Any) -> None:
    """Writes a tree of arrays, and facts (numbers or text) beside it; a file that is there is replaced at once or not at all."""
    leaves: dict[str, Any] = {f"leaf{name}": np.asarray(leaf) for name, leaf in _named(tree)}
    extra: dict[str, Any] = {
        f"fact.{name}": np.asarray(value) for name, value in (facts | {"version": VERSION}).items()
    }
    part = Path(f"{path}.part")
    with open(part, "wb") as file:
        np.savez(file, **leaves, **extra)
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, path)


def load(path: str | Path, like: Any) -> tuple[Any, dict[str, Any]]:
    """The tree and the facts of a file. ``like``: a tree of arrays, or of their shapes, that it must be like.

    ValueError for a file that is no checkpoint, and naming a leaf that is missing, left over, or of another shape or type.
    """
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as data:
            found = {name: data[name] for name in data.files}
    except (ValueError, EOFError, KeyError, AttributeError, zlib.error, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} is no checkpoint, or a broken one: {error}") from None
    facts = {name.removeprefix("fact."): x.item() for name, x in found.items() if name.startswith("fact.")}
    if facts.pop("version", None) != VERSION:
        raise ValueError(f"{path} is no checkpoint of version {VERSION}")
    wanted = dict(_named(like))
    stored = {name.removeprefix("leaf"): x for name, x in found.items() if name.startswith("leaf")}
    if odd := sorted(set(wanted) ^ set(stored)):
        raise ValueError(f"{path}: {odd[0]} is {'missing' if odd[0] in wanted else 'unknown to this run'}")
    for name, leaf in wanted.items():
        x = stored[name]
        if x.shape != leaf.shape or x.dtype != leaf.dtype:
            raise ValueError(f"{path}: {name} is {x.dtype}{x.shape}, expected {leaf.dtype}{leaf.shape}")
    structure = jax.tree.structure(like)
    return jax.tree.unflatten(structure, [jax.numpy.asarray(stored[name]) for name, _ in _named(like)]), facts


def _named(tree: Any) -> list[tuple[str, Any]]:
    return [(jax.tree_util.keystr(path), leaf) for path, leaf in jax.tree_util.tree_leaves_with_path(tree)]
