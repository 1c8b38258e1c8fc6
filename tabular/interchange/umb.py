"""The unified Markov binary format (UMB, version 1): ``write_umb(path, mdp)`` and ``read_umb(path, gamma)``.

A tar archive, as it is or compressed with gzip or xz: an index in JSON, and arrays for the choices of states, the branches of
choices, their targets and probabilities, the names of actions, rewards and labels. Probabilities and rewards are doubles or
rationals of any fixed width. The specification is at https://github.com/pmc-tools/umb; what it says of players, time,
observations and valuations beyond MDPs is refused or left aside.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import re
import tarfile
from collections.abc import Collection, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from tabular import _border as border
from tabular.interchange._explicit import Options, written
from tabular.interchange._tar import members
from tabular.interchange._text import read_bytes, write_bytes
from tabular.interchange._umb_reader import F8, U4, U8, Reader
from tabular.mdp import MDP

WHAT = "the UMB format"
LARGEST = 2**28
NAME = re.compile(r"[^\x00-\x1f\x7f]{1,200}")


def write_umb(
    path: str | os.PathLike[str],
    mdp: MDP,
    *,
    end_label: str | None = None,
    drop: Collection[str] = (),
    reward: str = "r",
    compress: bool = True,
) -> None:
    """Write a model; an existing file is replaced at once or left as it was.

    ``end_label``, ``drop``, ``reward`` as in ``write_drn``; ``compress`` with gzip. Rationals have the width that the longest of
    them needs. State labels are not written. Raises ModelError for what the format cannot say.
    """
    compress = border.flag(compress, "compress")
    for text, what in ((reward, "reward"), (end_label, "end_label")):
        if text is not None and not NAME.fullmatch(text):
            raise ValueError(f"{what} is {text!r}: expected a name without control characters")
    out = written(mdp, "write_umb", WHAT, end_label, drop)
    flat = [choice for _, choices in out.rows for choice in choices]
    targets = [t for _, _, row in flat for t in row]
    files: dict[str, bytes] = {
        "state-to-choices.bin": _starts(len(choices) for _, choices in out.rows),
        "choice-to-branches.bin": _starts(len(row) for _, _, row in flat),
        "branch-to-target.bin": np.array(targets, dtype=U8).tobytes(),
        "actions/choices/values.bin": np.array([a for a, _, _ in flat], dtype=U4).tobytes(),
    }
    if mdp.action_labels is not None:
        names = [label.encode("utf-8") for label in mdp.action_labels]
        files["actions/choices/string-mapping.bin"] = _starts(map(len, names))
        files["actions/choices/strings.bin"] = b"".join(names)
    kind, files["branch-to-probability.bin"] = _packed([p for _, _, row in flat for p in row.values()], out.exact)
    reward_kind, files["annotations/rewards/reward/choices/values.bin"] = _packed([r for _, r, _ in flat], out.exact)
    if out.initial is not None:
        files["state-is-initial.bin"] = _bits(out.S, out.initial)
    notes: dict[str, Any] = {"rewards": {"reward": {"alias": reward, "applies-to": ["choices"], "type": reward_kind}}}
    if out.ended:
        notes["aps"] = {"end": {"alias": end_label, "applies-to": ["states"], "type": {"type": "bool", "size": 1}}}
        files["annotations/aps/end/states/values.bin"] = _bits(out.S, out.S - 1)
    system = {
        "time": "discrete", "#players": 1, "#states": out.S, "#initial-states": int(out.initial is not None),
        "#choices": len(flat), "#choice-actions": mdp.A, "#branches": len(targets), "#branch-actions": 0, "#observations": 0,
        "branch-probability-type": kind,
    }  # fmt: skip
    index = {"format-version": 1, "format-revision": 0, "transition-system": system, "annotations": notes}
    if mdp.name:
        index["model-data"] = {"name": mdp.name}
    packed = _archive({"index.json": json.dumps(index, indent=1).encode("utf-8")} | files)
    write_bytes(path, gzip.compress(packed, mtime=0) if compress else packed)


def _archive(files: dict[str, bytes]) -> bytes:
    """A tar of files, the index first; the same bytes at any time."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return stream.getvalue()


def _starts(lengths: Any) -> bytes:
    return np.concatenate([[0], np.cumsum(np.fromiter(lengths, dtype=np.int64))]).astype(U8).tobytes()


def _bits(n: int, one: int) -> bytes:
    return (1 << one).to_bytes(-(-n // 64) * 8, "little")


def _packed(values: Sequence[Any], exact: bool) -> tuple[dict[str, Any], bytes]:
    """The type of numbers, and their bytes: numerator and denominator of rationals have the same width."""
    if not exact:
        return {"type": "double", "size": 64}, np.array(values, dtype=F8).tobytes()
    given = [Fraction(x) for x in values]
    longest = max((max(x.numerator.bit_length() + 1, x.denominator.bit_length()) for x in given), default=1)
    half = -(-longest // 64) * 8
    parts = [x.numerator.to_bytes(half, "little", signed=True) + x.denominator.to_bytes(half, "little") for x in given]
    return {"type": "rational", "size": 16 * half}, b"".join(parts)


def read_umb(
    path: str | os.PathLike[str],
    gamma: Any,
    *,
    reward: str | None = None,
    end_label: str | None = None,
    rho: Any = None,
    exact: bool | None = None,
    sparse: bool | None = None,
    renormalise: bool = False,
    action_labels: Sequence[str] | None = None,
    max_bytes: int = LARGEST,
) -> MDP:
    """Read an MDP (or a DTMC, whose one choice is the action).

    Parameters as in ``read_drn``; ``reward`` and ``end_label`` are aliases or identifiers of annotations. ``exact``: None: where
    probabilities are rationals. Actions are the columns of their numbers, with their names where they have any, unless
    ``action_labels`` gives another order. ``max_bytes`` limits the file and what it unpacks to, and eight times that the model.

    Raises FormatError naming the member and the place for what is no such archive; ModelError for numbers that are no model.
    """
    border.count(max_bytes, "max_bytes")
    name = os.fspath(path)
    options = Options(gamma, rho, bool(exact), sparse, renormalise, action_labels, 8 * max_bytes)
    return Reader(name, members(read_bytes(path, max_bytes), name, max_bytes)).model(options, reward, end_label, exact)
