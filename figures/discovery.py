"""Which figures there are: found by the names of their files, and read without running them."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

HERE = Path(__file__).resolve().parent


class Unknown(ValueError):
    """A name that no figure has; the message says which are alike."""


@dataclass(frozen=True)
class Entry:
    """A figure as its file says: nothing of it is imported until `load`."""

    room: str
    name: str
    file: Path

    @cached_property
    def _tree(self) -> ast.Module:
        return ast.parse(self.file.read_text(encoding="utf-8"), str(self.file))

    @property
    def title(self) -> str:
        """``TITLE``, else the first line of the docstring without the key."""
        first = (ast.get_docstring(self._tree) or self.name).partition("\n")[0]
        return str(self.constant("TITLE", re.sub(r"^[a-z0-9_]+(, [a-z0-9_]+)*: ", "", first).rstrip(".")))

    @property
    def drawn(self) -> bool:
        """Whether there is a drawing, or a table only."""
        return any(isinstance(node, ast.FunctionDef) and node.name == "draw" for node in self._tree.body)

    def constant(self, name: str, default: Any) -> Any:
        """What the module assigns to a name, where that is written out; ``default`` where it is not there.

        Raises ValueError for one that has to be computed.
        """
        for node in self._tree.body:
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
            if any(isinstance(t, ast.Name) and t.id == name for t in targets):
                try:
                    return ast.literal_eval(node.value)  # type: ignore[attr-defined]
                except ValueError:
                    raise ValueError(f"{self.file}: {name} is to be written out, not computed") from None
        return default

    def load(self) -> ModuleType:
        """The module."""
        return import_module(f"figures.{self.room}.{self.name}")


def entries(folder: Path = HERE) -> list[Entry]:
    """All figures, by room and name."""
    files = (
        p for p in sorted(folder.glob("*/*.py")) if not p.name.startswith("_") and (p.parent / "__init__.py").is_file()
    )
    return [Entry(p.parent.name, p.stem, p) for p in files if _computes(p)]


def _computes(file: Path) -> bool:
    tree = ast.parse(file.read_text(encoding="utf-8"), str(file))
    return any(isinstance(node, ast.FunctionDef) and node.name == "compute" for node in tree.body)


def selected(names: Sequence[str], folder: Path = HERE) -> list[Entry]:
    """The figures of names, rooms and keys of papers, each once; all that are drawn for ``all``. Raises `Unknown`."""
    there = entries(folder)
    found: dict[str, Entry] = {}
    for name in names:
        mine = [
            e for e in there if (name == "all" and e.drawn) or name in (e.name, e.room) or e.name.startswith(f"{name}_")
        ]
        if not mine:
            known = sorted({word for e in there for word in (e.name, e.room)})
            near = get_close_matches(name, known, 3, 0.5)
            hint = f"; did you mean {' or '.join(near)}?" if near else ""
            raise Unknown(f"no figure {name!r}{hint} (python -m figures list shows all)")
        found |= {e.name: e for e in mine}
    return list(found.values())


def claimed(folder: Path = HERE) -> set[str]:
    """Claims that have a figure of their own."""
    return {claim for e in entries(folder) if e.drawn for claim in e.constant("CLAIMS", ())}
