"""What the names on a command line mean: papers, claims, or files."""

from __future__ import annotations

import difflib
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from proofs_check import ledger, registry
from proofs_check.jobs import Job
from proofs_check.runner import Budget
from proofs_check.user_errors import explain_load


class UsageError(Exception):
    """The command line asks for something that is not there; the message says what is."""


class Unmet(UsageError):
    """An instance that a claim does not speak about: it does not meet the assumptions that the message names."""


def papers() -> dict[str, registry.Paper]:
    """All papers by key."""
    return {paper.key: paper for paper in registry.load()}


def paper(key: str) -> registry.Paper:
    """One paper. Raises UsageError with suggestions."""
    known = papers()
    if key not in known:
        raise UsageError(f"no paper {key!r}{_suggest(key, list(known))}")
    return known[key]


def jobs(names: Sequence[str], budget: Budget, seed: int) -> list[Job]:
    """The jobs of papers, claims, files and claims of files (``FILE::id``); of everything that is checked where no name is given.

    Raises UsageError for a name that is unknown (with suggestions), or has no check yet.
    """
    known = papers()
    checked = {entry.id: p for p in known.values() for entry in p.claims if entry.state == "checked"}
    states = {entry.id: entry.state for p in known.values() for entry in p.claims}
    found: dict[tuple[str, str | None], Job] = {}

    def add(claim_id: str, place: tuple[str, str] | None, file: str | None) -> None:
        size = budget
        if budget.name == "quick":
            size = replace(budget, instances=ledger.quick(place[0] if place is not None else None))
        found.setdefault((claim_id, file), Job(claim_id, place, file, size, seed))

    for name in names or [key for key, p in known.items() if any(e.state == "checked" for e in p.claims)]:
        if name in known:
            ids = [entry.id for entry in known[name].claims if entry.state == "checked"]
            if not ids:
                raise UsageError(f"{name} has no claim that is checked yet: {len(known[name].claims)} are on its card")
            for claim_id in ids:
                add(claim_id, (known[name].room, name), None)
        elif name in checked:
            add(name, (checked[name].room, checked[name].key), None)
        elif name in states:
            raise UsageError(f"{name} is {states[name].replace('_', ' ')}: it has no check")
        elif "::" in name or name.endswith(".py"):
            file, _, wanted = name.partition("::")
            for claim_id in _claims_in(file, wanted):
                add(claim_id, None, file)
        else:
            raise UsageError(f"no paper, claim or file {name!r}{_suggest(name, [*known, *states])}")
    return list(found.values())


def _claims_in(file: str, wanted: str = "") -> list[str]:
    """The ids of a file, or the one that is ``wanted``."""
    from proofs_check.loading import load_file

    if not Path(file).is_file():
        raise UsageError(f"no file {file!r}")
    try:
        ids = [claim.id for claim in load_file(file)]
    except (Exception, SystemExit) as error:  # importing a file of one's own may raise anything
        raise UsageError(explain_load(file, error)) from None
    if not ids:
        raise UsageError(f"{file} defines no claim: decorate a function with proofs_check.claim")
    if wanted and wanted not in ids:
        base = wanted.partition(".twin")[0]
        if base in ids:
            raise UsageError(f"{wanted} is a false variant, which runs with its claim: {file}::{base}")
        raise UsageError(f"{file} has no claim {wanted!r}{_suggest(wanted, ids) or '; it has ' + ', '.join(ids)}")
    return [wanted] if wanted else ids


def writable(folder: Path, option: str) -> None:
    """Raises UsageError where files could not be written to a folder, there or to be made; makes nothing."""
    there = folder
    while not there.exists() and there != there.parent:
        there = there.parent
    if not there.is_dir():
        raise UsageError(f"{option} {folder}: {there} is a file, and a folder is needed")
    if not os.access(there, os.W_OK | os.X_OK):
        raise UsageError(f"{option} {folder}: {there} cannot be written")


def _suggest(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    return f"; did you mean {' or '.join(near)}?" if near else ""
