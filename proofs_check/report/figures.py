"""The figures of a paper: found by their names beside this package; embedded if they were drawn, or else how to."""

from __future__ import annotations

import ast
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

SOURCES = Path(__file__).resolve().parents[2] / "figures"
MADE = Path("results") / "figures"
"""Where drawn figures are looked for, in the current folder."""


@dataclass(frozen=True)
class Figure:
    """One figure: its name, the first line of its module, the picture if it was drawn, and the command that makes it."""

    name: str
    title: str
    made: Path | None
    command: str


def of(room: str, key: str, keys: Collection[str]) -> list[Figure]:
    """Those in ``figures/<room>/<key>_*.py``, unless another of the registry's ``keys`` begins with this one and names it."""
    found = []
    for file in sorted((SOURCES / room).glob(f"{key}_*.py")):
        if not any(len(k) > len(key) and file.stem.startswith(f"{k}_") for k in keys):
            found.append(_figure(room, file))
    return found


def _figure(room: str, file: Path) -> Figure:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    title = (ast.get_docstring(tree) or file.stem).partition("\n")[0].partition(": ")
    names = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    made = sorted(MADE.rglob(f"{file.stem}.svg")) if MADE.is_dir() else []
    return Figure(file.stem, title[2] or title[0], made[0] if made else None, _command(room, file.stem, names))


def _command(room: str, name: str, functions: set[str]) -> str:
    """The shortest that there is: the command of figures, a drawing, or the table of numbers."""
    if (SOURCES / "__main__.py").is_file():
        return f"python -m figures {name}"
    module = f"figures.{room}.{name}"
    if "draw" in functions:
        return f"python -c \"from {module} import compute, draw; draw(compute()).savefig('{name}.svg')\""
    return f"python -c \"from {module} import compute; compute().to_csv('{name}.csv')\""
