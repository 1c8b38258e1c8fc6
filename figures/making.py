"""One figure after the other: the table, taken as it was kept or computed; its files; the drawing; the caption."""

from __future__ import annotations

import inspect
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from figures import keeping
from figures.captions import plain, tex
from figures.keeping import Tables
from figures.table import Table

if TYPE_CHECKING:
    from figures.discovery import Entry
    from figures.style import Style

KEPT = ".kept"
"""Folder of tables and pieces, in that of the figures."""
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Figure:
    """What there is to make: ``compute(**arguments)``, and how to draw and describe what it returns (None: a table only).

    ``seconds``: a rough estimate; None where nobody said one. ``names`` of the tables of a tuple; ``again``: the command;
    ``code``: what a kept table is a result of (None: of ``compute``), ``rests_on``: what decides it besides that and the arguments.
    """

    name: str
    title: str
    size: str
    compute: Callable[..., Tables]
    arguments: dict[str, Any] = field(default_factory=dict)
    draw: Callable[[Any, Style], Any] | None = None
    caption: Callable[[Any], str] | None = None
    seconds: float | None = None
    names: tuple[str, ...] = ()
    folder: str = ""
    again: str = ""
    code: Callable[..., Any] | None = None
    rests_on: tuple[Any, ...] = ()

    @classmethod
    def of(cls, entry: Entry, size: str) -> Figure:
        """Of a module. TypeError where ``draw`` has no ``caption`` beside it."""
        module = entry.load()
        draw, caption = getattr(module, "draw", None), getattr(module, "caption", None)
        if (draw is None) != (caption is None):
            raise TypeError(f"{entry.file}: draw and caption go together")
        arguments = dict(getattr(module, size.upper(), {}))
        seconds = entry.constant("SECONDS", {}).get(size)
        again = f"python -m figures {entry.name} --{size}"
        names = tuple(getattr(module, "TABLES", ()))
        return cls(entry.name, entry.title, size, module.compute, arguments, draw, caption, seconds, names, again=again)


@dataclass(frozen=True)
class Place:
    """Where files go, and where tables and pieces are kept; ``store`` has the results of claims."""

    out: Path
    store: Path

    @property
    def kept(self) -> Path:
        return self.out / KEPT

    def pieces(self, figure: Figure) -> Path:
        return self.kept / "pieces" / f"{figure.name}.{figure.size}"


def estimate(figure: Figure, place: Place, *, fresh: bool = False) -> tuple[float | None, str]:
    """Seconds that its table will take, and how that is known: "kept", "earlier", "stated" or "unknown"."""
    if not fresh and _path(figure, place).is_file():
        return 0.0, "kept"
    before = keeping.took(place.kept, figure.name, figure.size)
    if before is not None:
        return before, "earlier"
    return figure.seconds, "unknown" if figure.seconds is None else "stated"


def tables(figure: Figure, place: Place, *, fresh: bool = False, tell: Tell | None = None) -> Tables:
    """As they were kept under the same code and arguments, or computed; kept as soon as they are there.

    ``fresh``: computed anew, pieces included. Raises `keeping.Damaged`, naming the file.
    """
    file, pieces = _path(figure, place), place.pieces(figure)
    if fresh:
        shutil.rmtree(pieces, ignore_errors=True)
    elif file.is_file():
        return keeping.load(file).tables
    offered = {"keep": pieces, "tell": tell, "store": place.store}
    wanted = inspect.signature(figure.compute).parameters
    begun = time.perf_counter()
    made = figure.compute(**figure.arguments, **{k: x for k, x in offered.items() if k in wanted})
    keeping.save(file, made, time.perf_counter() - begun)
    return made


def _path(figure: Figure, place: Place) -> Path:
    rests_on = figure.arguments | {"rests_on": figure.rests_on}
    if "store" in inspect.signature(figure.compute).parameters:
        file = place.store / "results.sqlite"
        rests_on["store"] = (file.stat().st_size, file.stat().st_mtime_ns) if file.is_file() else None
    return keeping.path(place.kept, figure.name, figure.size, figure.code or figure.compute, rests_on)


def write_tables(figure: Figure, made: Tables, folder: Path, tell: Tell | None = None) -> list[Path]:
    """CSV, and Parquet where pyarrow is there; else ``tell`` is told what is missing."""
    listed = made if isinstance(made, tuple) else (made,)
    names = figure.names or tuple(str(i + 1) for i in range(len(listed)))
    if isinstance(made, tuple) and len(names) != len(made):
        raise ValueError(f"{figure.name} has {len(made)} tables and {len(names)} names in TABLES")
    files = []
    folder.mkdir(parents=True, exist_ok=True)
    for table, name in zip(listed, names, strict=False):
        stem = f"{figure.name}_{name}" if isinstance(made, tuple) else figure.name
        files.append(folder / f"{stem}.csv")
        _through(table.to_csv, files[-1])
        try:
            _through(table.to_parquet, folder / f"{stem}.parquet")
            files.append(folder / f"{stem}.parquet")
        except ImportError as error:
            if tell is not None:
                tell(f"no {stem}.parquet: {error}")
    return files


def _through(write: Callable[[Path], None], file: Path) -> None:
    """Write beside, then move: an interruption leaves no half of a file."""
    part = file.with_name(f".{file.name}.part")
    write(part)
    part.replace(file)


def make(
    figure: Figure, style: Style, formats: Sequence[str], place: Place, *, fresh: bool = False, tell: Tell | None = None
) -> list[Path]:
    """All files of a figure. ``tell`` is told of what nobody would submit, too.

    Raises whatever ``compute`` and ``draw`` raise, and what `saving.as_bytes` and `captions` do.
    """
    from figures import fonts, saving

    made = tables(figure, place, fresh=fresh, tell=tell)
    folder = place.out / figure.folder
    files = write_tables(figure, made, folder, tell)
    if figure.draw is None or figure.caption is None:
        return files
    said = figure.caption(made)
    with style.context():
        fig = figure.draw(made, style)
        for fault in saving.faults(fig) if tell is not None else ():
            tell(f"look at it: {fault}")  # type: ignore[misc]
        for form in formats:
            files.append(folder / f"{figure.name}.{form}")
            keeping.put(files[-1], saving.as_bytes(fig, form, style, title=figure.title))
        set_in = f"Text in {', '.join(fonts.used(fig))}, formulas in matplotlib's set {style.math}."
    about = [
        f"{figure.size.capitalize()} size: {figure.again}.",
        f"{style.venue.name}, {style.column} column: {style.width:.4g} inches ({style.venue.source}).",
        set_in,
    ]
    files += [folder / f"{figure.name}.txt", folder / f"{figure.name}.tex"]
    keeping.put(files[-2], "\n".join([plain(said), "", *about, ""]).encode())
    keeping.put(files[-1], "".join([*(f"% {line}\n" for line in about), tex(said), "\n"]).encode())
    return files


def only(made: Tables) -> Table:
    """The first of a tuple, or the table."""
    return made[0] if isinstance(made, tuple) else made
