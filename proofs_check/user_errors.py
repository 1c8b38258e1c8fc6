"""What the author of a claim is told when its body raises: the line, the arithmetic and the instance, not the engine's frames."""

from __future__ import annotations

import contextlib
import difflib
import linecache
import shlex
import site
import sysconfig
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from proofs_check.claim import Claim

_HERE = Path(__file__).resolve().parent
_LIBRARIES = (sysconfig.get_path("stdlib"), sysconfig.get_path("purelib"), *site.getsitepackages())
_ENGINE = (str(_HERE), str(_HERE.parent / "tabular"), *(str(Path(p).resolve()) for p in _LIBRARIES))


def explain(claim: Claim, error: BaseException, seed: int = 0) -> str:
    """An exception of ``runner.verify`` in a few lines: what, where in the author's file, in which arithmetic, on what instance.

    Where the author's code is not on the stack (it returned what is no evidence) the place is the body's definition.
    """
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    places = [(f.f_code.co_filename, line, f.f_code.co_name) for f, line in traceback.walk_tb(error.__traceback__)]
    authors = [_is_authors(file, claim.file) for file, _, _ in places]
    called = authors.index(False) if False in authors else 0  # before it: who called the engine
    shown = [place for place, own in zip(places[called:], authors[called:], strict=True) if own]
    if not shown:
        code = claim.body.__code__
        shown = [(claim.file, _def_line(claim), code.co_name)]
    lines = [f"{type(error).__name__}: {error}{_suggestion(error)}"]
    for file, line, name in shown:
        lines += [f"  {file}:{line}, in {name}", f"    {linecache.getline(file, line).strip()}"]
    if arithmetic := _arithmetic(frames, claim):
        lines.append(f"  {arithmetic}")
    where, address = _instance(frames)
    if where:
        lines.append(f"  {where}")
    if address:
        lines.append(f"  again: {command(claim, address, seed)}")
    return "\n".join(lines)


def explain_load(file: str, error: BaseException) -> str:
    """An exception at the import of a file of claims: what, and the author's line."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}: {type(error).__name__}: {error.msg}"
    inside = [
        x for x in traceback.extract_tb(error.__traceback__) if _is_authors(x.filename, str(Path(file).resolve()))
    ]
    at = f"{inside[-1].filename}:{inside[-1].lineno}: " if inside else f"{file}: "
    line = f"\n    {inside[-1].line}" if inside and inside[-1].line else ""
    return f"{at}{type(error).__name__}: {error}{_suggestion(error)}{line}"


@contextlib.contextmanager
def reported(claim: Claim, seed: int, as_error: Callable[[str], BaseException]) -> Iterator[None]:
    """Turn what the body raises into ``as_error(explanation)``; the engine's own faults pass, and so does what is one already."""
    from proofs_check.selection import UsageError
    from proofs_check.settle import EngineFault

    try:
        yield
    except (EngineFault, UsageError):
        raise
    except Exception as error:
        raise as_error(f"{claim.id} raised {explain(claim, error, seed)}") from None


def command(claim: Claim, address: str, seed: int = 0) -> str:
    """The command that shows an instance of a claim again."""
    file = None if claim.module.startswith("proofs_check.claims.") else claim.file
    return show_command(claim.id, file, "--seed", seed, "--instance", address)


def show_command(claim_id: str, file: object, *arguments: object) -> str:
    """``proofs-check show`` of a claim, from a claims file or (``file`` empty) of the project's, quoted for a shell."""
    words = ["proofs-check", "show", claim_id, *(["--file", file] if file else []), *arguments]
    return shlex.join(map(str, words))


def _is_authors(file: str, claims: str) -> bool:
    """Whether a frame is the author's: in the file of the claim, or in no library."""
    return file == claims or not (file.startswith("<") or str(Path(file).resolve()).startswith(_ENGINE))


def _def_line(claim: Claim) -> int:
    """Line of the body's ``def``, below its decorators."""
    first = int(claim.body.__code__.co_firstlineno)
    for line in range(first, first + 50):
        if linecache.getline(claim.file, line).lstrip().startswith("def "):
            return line
    return first


def _suggestion(error: BaseException) -> str:
    """The nearest public name, for an attribute that is not there."""
    if not isinstance(error, (AttributeError, NameError)) or not error.name:
        return ""
    there = dir(error.obj) if isinstance(error, AttributeError) else []
    near = difflib.get_close_matches(error.name, [x for x in there if not x.startswith("_")], n=3)
    return f"; did you mean {' or '.join(near)}?" if near else ""


def _arithmetic(frames: list[FrameType], claim: Claim) -> str:
    """The arithmetic in which the body ran."""
    from tabular.reference.ops import Ops

    for frame in frames:
        for x in frame.f_locals.values():
            if isinstance(x, Ops) and (
                frame.f_code is claim.body.__code__ or frame.f_code.co_name in ("evaluate", "view")
            ):
                return _in_words(x)
    return ""


def _in_words(ops: Any) -> str:
    from tabular.reference import BallOps, EnclosureOps, RationalOps

    if isinstance(ops, EnclosureOps):
        return "in float64 enclosures" + (f", {ops.batch} instances at once" if ops.batch else "")
    if isinstance(ops, BallOps):
        return f"in balls: {ops!r}"
    return "in rationals" if isinstance(ops, RationalOps) else f"in {ops!r}"


def _instance(frames: list[FrameType]) -> tuple[str, str]:
    """What the engine was doing, and the address of an instance to see it again, from the locals of ``runner``'s frames."""
    from proofs_check.addresses import Chunk

    found: Any = None
    for frame in frames:
        own = frame.f_locals
        if frame.f_code.co_name == "_draw" and "draw" in own:
            before = ", ".join(own.get("drawn", {})) or "nothing"
            return f"while drawing {own['name']!r} ({own['draw'].name}), after {before}", ""
        if frame.f_code.co_name == "met" and hasattr(own.get("self"), "holds"):
            return f"in the assumption {own['self'].name!r}", ""
        if isinstance(own.get("chunk"), Chunk):
            found = own["chunk"]
            if isinstance(own.get("address"), str) and frame.f_code.co_name != "count":
                return f"on the instance {own['address']}", own["address"]
    if found is None:
        return "", ""
    first = found.address(0)
    return (
        (f"on {first}", first)
        if found.model is not None
        else (f"on the {found.batch.B} instances {found.label}", first)
    )
