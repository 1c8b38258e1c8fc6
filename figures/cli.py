"""The command line: ``python -m figures list | NAME ... | all | tightness CLAIM ...``.

Exit codes: 0 all were made; 1 one of them failed; 3 the command asks for something that is not there.
"""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from figures import discovery

if TYPE_CHECKING:
    from figures.making import Figure, Place
    from figures.style import Style

OK, FAILED, USAGE, INTERRUPTED = 0, 1, 3, 130
OUT, STORE = Path("results") / "figures", Path(".proofs-check")


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(USAGE, f"figures: {message}\n")


def parser() -> argparse.ArgumentParser:
    """The options."""
    p = _Parser(
        prog="python -m figures",
        description="Figures with their tables and captions. Finished tables are kept: an interrupted run goes on where it was.",
        epilog="list: what there is. tightness CLAIM|PAPER|all: how near claims come to their bounds.",
    )
    p.add_argument(
        "names", nargs="+", metavar="NAME", help="figures, papers or rooms; all; list; tightness CLAIM|PAPER|all ..."
    )
    p.add_argument(
        "--venue", default="neurips", help="page layout, perhaps with a year: neurips, icml2025, beamer, ... (neurips)"
    )
    p.add_argument(
        "--column", default="double", choices=("single", "double"), help="one column of the page, or all of it (double)"
    )
    p.add_argument("--format", action="append", dest="formats", metavar="pdf|svg|png|pgf", help="may be repeated (pdf)")
    p.add_argument("--out", type=Path, default=OUT, metavar="DIR", help=f"where files and kept tables go ({OUT})")
    p.add_argument("--font", help="family of all text, instead of the venue's")
    p.add_argument("--store", type=Path, default=STORE, metavar="DIR", help=f"results of claims ({STORE})")
    p.add_argument(
        "--attacks", type=Path, metavar="FILE", help="for tightness: what `proofs-check attack --json` printed"
    )
    size = p.add_mutually_exclusive_group()
    size.add_argument("--quick", dest="size", action="store_const", const="quick", help="smaller tables")
    size.add_argument(
        "--paper", dest="size", action="store_const", const="paper", help="the size of the papers (the default)"
    )
    p.add_argument("--fresh", action="store_true", help="compute tables anew, although they were kept")
    p.set_defaults(size="paper")
    return p


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code."""
    options = parser().parse_args(argv)
    try:
        return _run(options)
    except _Usage as error:
        print(f"figures: {error}", file=sys.stderr)
        return USAGE
    except KeyboardInterrupt:
        print(
            f"\nfigures: interrupted; what was finished is kept in {options.out}: the same command goes on",
            file=sys.stderr,
        )
        return INTERRUPTED


class _Usage(Exception):
    """The command asks for something that is not there."""


def _run(options: argparse.Namespace) -> int:
    first, *rest = options.names
    if first == "list":
        if rest:
            raise _Usage(f"list takes no names: {' '.join(rest)}")
        return _list()
    if options.attacks is not None and first != "tightness":
        raise _Usage("--attacks is for tightness alone")
    try:
        chosen = None if first == "tightness" else discovery.selected(options.names)
    except discovery.Unknown as error:
        raise _Usage(str(error)) from None
    formats = _formats(options.formats)
    style = _style(options)
    _writable(options.out)
    from figures.making import Figure, Place

    place = Place(options.out, options.store)
    if chosen is None:
        from figures import tightness

        try:
            figures = tightness.figures(rest, options.size, options.store, options.attacks)
        except tightness.Unknown as error:
            raise _Usage(str(error)) from None
    else:
        figures = [Figure.of(entry, options.size) for entry in chosen]
    return _make(figures, style, formats, place, options)


def _list() -> int:
    found = discovery.entries()
    wide = max(len(e.name) for e in found)
    room = ""
    for e in found:
        if e.room != room:
            room = e.room
            print(f"{room}")
        print(f"  {e.name:<{wide}}  {e.title}{'' if e.drawn else ' [table only]'}")
    drawn = sum(e.drawn for e in found)
    print(
        f"{len(found)} figures, {drawn} of them drawn, the others tables only; every checked claim has one by `tightness CLAIM`"
    )
    return OK


def _formats(given: Sequence[str] | None) -> list[str]:
    from difflib import get_close_matches

    from figures.saving import FORMATS, NoTeX, texsystem

    asked = list(dict.fromkeys(word for words in given or ["pdf"] for word in words.split(",")))
    for form in asked:
        if form not in FORMATS:
            near = get_close_matches(form, FORMATS, 2, 0.5)
            hint = f": did you mean {' or '.join(near)}?" if near else "."
            raise _Usage(f"no format {form!r}{hint} There are {', '.join(FORMATS)}")
    try:
        if "pgf" in asked:
            texsystem()
    except NoTeX as error:
        raise _Usage(str(error)) from None
    return asked


def _style(options: argparse.Namespace) -> Style:
    from figures.fonts import require
    from figures.style import Style

    try:
        style = Style.of(options.venue, options.column, options.font)
        require(style.font)
    except (ValueError, ImportError) as error:
        raise _Usage(str(error)) from None
    return style


def _writable(out: Path) -> None:
    from proofs_check.selection import UsageError, writable

    try:
        writable(out, "--out")
    except UsageError as error:
        raise _Usage(str(error)) from None


def _make(
    figures: Sequence[Figure], style: Style, formats: Sequence[str], place: Place, options: argparse.Namespace
) -> int:
    from figures.making import estimate, make

    guesses = [estimate(f, place, fresh=options.fresh) for f in figures]
    print(announced(guesses), file=sys.stderr)
    failed = []
    for i, (figure, (seconds, how)) in enumerate(zip(figures, guesses, strict=True)):
        label = f"[{i + 1}/{len(figures)}] {figure.name}"
        print(f"{label}: {'table kept' if how == 'kept' else time_of(seconds)}", file=sys.stderr, flush=True)
        begun = time.perf_counter()

        def tell(line: str, name: str = figure.name) -> None:
            print(f"  {name}: {line}", file=sys.stderr, flush=True)

        try:
            files = make(figure, style, formats, place, fresh=options.fresh, tell=tell)
        except Exception as error:  # the others are made all the same
            failed.append(figure.name)
            traceback.print_exc()
            print(f"{label}: failed: {error}", file=sys.stderr)
            continue
        only = "" if figure.draw is not None else " (table only)"
        shown = next((f for f in files if f.suffix[1:] in formats), files[0])
        print(f"{shown}{only}", flush=True)
        print(f"{label}: {time.perf_counter() - begun:.1f} s", file=sys.stderr)
    if failed:
        print(f"figures: {len(failed)} of {len(figures)} failed: {', '.join(failed)}", file=sys.stderr)
    return FAILED if failed else OK


def announced(guesses: Sequence[tuple[float | None, str]]) -> str:
    """How long all of it will take, and how that is known."""
    known = sum(s for s, _ in guesses if s is not None)
    counts = {how: sum(h == how for _, h in guesses) for how in ("kept", "earlier", "stated", "unknown")}
    words = {
        "kept": "tables kept",
        "earlier": "timed in earlier runs",
        "stated": "as their modules say",
        "unknown": "of unknown length",
    }
    parts = ", ".join(f"{n} {words[how]}" for how, n in counts.items() if n)
    return f"{len(guesses)} figure{'' if len(guesses) == 1 else 's'}: {time_of(known)} and the drawing ({parts})"


def time_of(seconds: float | None) -> str:
    """E.g. "about 12 s" or "about 3 min"."""
    if seconds is None:
        return "nobody knows how long"
    return f"about {seconds:.0f} s" if seconds < 100 else f"about {seconds / 60:.0f} min"
