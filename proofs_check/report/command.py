"""``proofs-check report``: read the store and the registry, make the pages, write them."""

from __future__ import annotations

import argparse
import sys
from importlib.util import find_spec
from pathlib import Path

from proofs_check.cli import OK
from proofs_check.report.results import Known
from proofs_check.selection import UsageError, writable
from proofs_check.store import DEFAULT, Store

NEEDED = ("jinja2", "math_core")
MANIFEST = ".report"
"""In a folder of a report: the files that are its own, one a line."""


def report(options: argparse.Namespace) -> int:
    """The command. Raises UsageError for names, folders and files that will not do, before anything is written."""
    for module in NEEDED:
        if find_spec(module) is None:
            raise UsageError(f"report needs {module}: pip install 'tabular-proofs[report]'")
    from proofs_check.report import marks, pages, pictures, site

    writable(options.out, "--out")
    before = _owned(options.out)
    more = pictures.extras(options.attacks, options.results)
    known = _known(options.store)
    try:
        gathered = pages.gather(options.names, known)
        files = site.build(gathered, known, more)
    except marks.StatementError as error:
        raise UsageError(str(error)) from None
    try:
        write(options.out, files, before)
    except OSError as error:
        raise UsageError(f"--out {options.out}: {error}") from None
    claims = [c for p in gathered for c in p.claims]
    shown = sum(c.found.verdict is not None for c in claims)
    print(f"{options.out / 'index.html'}: {len(files)} files, {len(claims)} claims, {shown} of them with results")
    if not shown:
        print("proofs-check: nothing was run yet, or not into this store: proofs-check verify", file=sys.stderr)
    return OK


def _known(folder: Path | None) -> Known:
    """Of the store named, which must be one; of ``.proofs-check`` where it is one; or nothing."""
    place = folder or DEFAULT
    if not (place / "results.sqlite").is_file():
        if folder is not None:
            raise UsageError(f"--store {folder} holds no store: proofs-check verify makes one")
        return Known.of(None)
    with Store(place) as store:
        return Known.of(store)


def _owned(out: Path) -> set[str]:
    """What a report before this one wrote there. UsageError where the folder holds anything else."""
    if not out.exists() or not any(out.iterdir()):
        return set()
    manifest = out / MANIFEST
    if not manifest.is_file():
        raise UsageError(
            f"--out {out} holds something else than a report: name a folder that is empty or not there yet"
        )
    return {line for line in manifest.read_text(encoding="utf-8").splitlines() if line and ".." not in Path(line).parts}


def write(out: Path, files: dict[str, bytes], before: set[str]) -> None:
    """Write the files, by path below ``out``, and remove what was a report's and is not any more. Raises OSError."""
    out.mkdir(parents=True, exist_ok=True)
    (out / MANIFEST).write_text("".join(f"{name}\n" for name in sorted(before | files.keys())), encoding="utf-8")
    for name in sorted(before - files.keys()):
        (out / name).unlink(missing_ok=True)
    for name, data in files.items():
        path = out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.is_file() or path.read_bytes() != data:
            path.write_bytes(data)
    (out / MANIFEST).write_text("".join(f"{name}\n" for name in sorted(files)), encoding="utf-8")
