"""Where claims are found: in the namespace of a module and of its ``PARTS``, of a registered paper or of a file of one's own.

Nothing is registered anywhere else, and importing one claim imports no other paper's.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.machinery
import importlib.util
import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from proofs_check.claim import NOTES, Claim


def _refuse_hidden(module: ModuleType) -> None:
    """Raises ValueError where a claim of a module was decorated and another definition took its name."""
    there = vars(module)
    kept = {id(x) for x in there.values() if isinstance(x, Claim)}
    for hidden in there.get(NOTES, (None, []))[1]:
        name, by = hidden.body.__name__, there.get(hidden.body.__name__)
        same = isinstance(by, Claim) and by.body is hidden.body  # changed, not hidden
        if id(hidden) not in kept and by is not None and not same:
            raise ValueError(
                f"{hidden.id}, at {hidden.file}:{_line(hidden)}, is hidden by {_called(by)}: "
                f"two definitions have the name {name!r}, so give one another"
            )


def _called(x: Any) -> str:
    """A claim or a function with its place, for messages."""
    if isinstance(x, Claim):
        return f"{x.id}, at {x.file}:{_line(x)}"
    code = getattr(inspect.unwrap(x) if callable(x) else x, "__code__", None)
    return repr(x) if code is None else f"{x.__name__}, at {code.co_filename}:{code.co_firstlineno}"


def _line(of: Claim) -> int:
    return int(inspect.unwrap(of.body).__code__.co_firstlineno)


def claims_of(module: ModuleType) -> list[Claim]:
    """The claims of a module and of its ``PARTS``, in the order of their definition, twins apart.

    Raises ValueError for an id used twice, and for a claim that a later definition of the same name hides.
    """
    found: dict[str, Claim] = {}
    for item in _members(module):
        if item.of is None and found.setdefault(item.id, item) is not item:
            first = found[item.id]
            raise ValueError(
                f"claim id {item.id!r} is used twice: {first.file}:{_line(first)} and {item.file}:{_line(item)}"
            )
    return list(found.values())


def _members(module: ModuleType) -> Iterator[Claim]:
    _refuse_hidden(module)
    for part in getattr(module, "PARTS", ()):
        yield from _members(part)
    yield from (x for x in vars(module).values() if isinstance(x, Claim))


def load_paper(room: str, key: str) -> list[Claim]:
    """The claims of a registered paper: imports its module, and no other's."""
    found = claims_of(paper_module(room, key))
    if stray := [c.id for c in found if c.id.partition(".")[0] != key]:
        raise ValueError(f"{stray[0]}: ids of claims of {key} start with {key!r} and a dot")
    return found


def paper_module(room: str, key: str) -> ModuleType:
    """The module of claims of a registered paper."""
    with contextlib.redirect_stdout(sys.stderr):
        return importlib.import_module(f"proofs_check.claims.{room}.{key}")


def load_file(path: str | Path) -> list[Claim]:
    """The claims of a file of one's own."""
    return claims_of(file_module(path))


class _Source(importlib.machinery.SourceFileLoader):
    """Reads the source every time: Python takes bytecode for current after an edit within the same second that keeps the length."""

    def get_code(self, fullname: str) -> Any:
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)


def file_module(path: str | Path) -> ModuleType:
    """A file of one's own as a module, imported once. ValueError where it is no Python file."""
    path = Path(path).resolve()
    name = "proofs_check_file_" + re.sub(r"\W", "_", str(path))
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        if spec is None or spec.loader is None:
            raise ValueError(f"{path} is not a Python file")
        if isinstance(spec.loader, importlib.machinery.SourceFileLoader):
            spec.loader = _Source(name, str(path))
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        try:
            with contextlib.redirect_stdout(sys.stderr):
                spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[name]
            raise
    return sys.modules[name]
