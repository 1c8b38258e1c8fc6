"""Figures of papers and claims: found by their names beside this package; embedded if they were drawn, or else how to."""

from __future__ import annotations

import ast
import shlex
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

SOURCES = Path(__file__).resolve().parents[2] / "figures"
MADE = Path("results") / "figures"
"""Where drawn figures are looked for, in the current folder."""
FORMATS = ("svg", "png")
"""What a page can show, the best first."""


@dataclass(frozen=True)
class Figure:
    """One figure: its name, the first line of its module, the picture if it was drawn, and the command that makes it.

    ``claims`` that it shows, ``caption`` as it was written beside the picture, "" where there is none.
    """

    name: str
    title: str
    made: Path | None
    command: str
    claims: tuple[str, ...] = ()

    @property
    def caption(self) -> str:
        """The first paragraph of the text beside the picture: the rest is of the file, not of what it shows."""
        text = None if self.made is None else self.made.with_suffix(".txt")
        if text is None or not text.is_file():
            return ""
        return text.read_text(encoding="utf-8").partition("\n\n")[0].strip()

    @property
    def href(self) -> str:
        """Of the picture, from the top of the site."""
        return "" if self.made is None else f"figures/{self.name}{self.made.suffix}"


@dataclass(frozen=True)
class _Source:
    """What the file of a figure says, read and not run."""

    room: str
    name: str
    title: str
    claims: tuple[str, ...]


def of(room: str, key: str, keys: Collection[str]) -> list[Figure]:
    """Those in ``figures/<room>/<key>_*.py``, unless another of the registry's ``keys`` begins with this one and names it."""
    longer = tuple(f"{k}_" for k in keys if len(k) > len(key))
    mine = [s for s in _sources() if s.room == room and s.name.startswith(f"{key}_")]
    return [_figure(s) for s in mine if not s.name.startswith(longer)]


def showing(claim: str) -> list[Figure]:
    """Those that name a claim in ``CLAIMS``, of whatever paper."""
    return [_figure(s) for s in _sources() if claim in s.claims]


def tightness(claim: str, file: str = "") -> Figure:
    """How near a claim, perhaps of a ``file`` of one's own, comes to its bound, instance by instance."""
    title = f"How near {claim} comes to its bound"
    command = ["python", "-m", "figures", "tightness", f"{file}::{claim}" if file else claim]
    return Figure(claim, title, _made(claim, "tightness"), shlex.join(command), (claim,))


@cache
def _sources() -> Sequence[_Source]:
    files = sorted(SOURCES.glob("*/*.py"))
    return [_read(file) for file in files if not file.name.startswith("_")]


def _read(file: Path) -> _Source:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    title = (ast.get_docstring(tree) or file.stem).partition("\n")[0].partition(": ")
    claims: tuple[str, ...] = ()
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "CLAIMS" for t in node.targets):
            claims = tuple(ast.literal_eval(node.value))
    return _Source(file.parent.name, file.stem, title[2] or title[0], claims)


def _figure(s: _Source) -> Figure:
    return Figure(s.name, s.title, _made(s.name), f"python -m figures {s.name}", s.claims)


def _made(name: str, folder: str = "") -> Path | None:
    found = (MADE / folder / f"{name}.{form}" for form in FORMATS)
    return next((file for file in found if file.is_file()), None)
