"""A task on disk: ``task.json`` and one .npy file for each array, readable by every contestant with NumPy alone.

Kinds of tasks and their arrays:

``dense``    P (S, A, S), R (S, A).
``sparse``   indptr (S*A + 1,), indices, data: rows ``s*A + a``; R (S, A).
``batch``    P (B, S, A, S), R (B, S, A).
``horizon``  P (S, A, S), R (S, A), and ``H`` stages.
``exact``    weights (S, A, S) integers, totals (S, A), and R = rewards (S, A) / ``unit``; ``gamma`` is text, "99/100".
``ucbvi``    P (S, A, S), R (S, A) in [0, 1], ``H`` stages; every episode starts in state 0, and its step h draws by
             uniforms[episode, h] (episodes, H) from row ``s*A + a`` of the tables indptr, indices, chance, alias (see
             ``contestants.drawn``).

No row ends the process: every peer knows such models.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np


class Task(NamedTuple):
    """Numbers and texts (``kind``, ``gamma``, sizes, ``tolerance``), and arrays by name."""

    facts: dict[str, Any]
    arrays: dict[str, np.ndarray]

    @property
    def kind(self) -> str:
        return str(self.facts["kind"])

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays."""
        return sum(x.nbytes for x in self.arrays.values())

    @property
    def digest(self) -> str:
        """Hex digest of every fact and every bit."""
        h = hashlib.blake2b(json.dumps(self.facts, sort_keys=True).encode(), digest_size=8)
        for name, x in sorted(self.arrays.items()):
            h.update(f"{name} {x.dtype.str} {x.shape}".encode())
            h.update(np.ascontiguousarray(x).tobytes())
        return h.hexdigest()


def save(task: Task, folder: Path) -> None:
    """Write a task; ``task.json`` comes last, so that a folder that has it is whole."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, x in task.arrays.items():
        np.save(folder / f"{name}.npy", x, allow_pickle=False)
    facts = task.facts | {"arrays": sorted(task.arrays)}
    (folder / "task.json").write_text(json.dumps(facts, indent=1), encoding="utf-8")


def load(folder: Path) -> Task:
    """Read a task. FileNotFoundError where there is none."""
    facts = json.loads((folder / "task.json").read_text(encoding="utf-8"))
    return Task(facts, {name: np.load(folder / f"{name}.npy", allow_pickle=False) for name in facts.pop("arrays")})
