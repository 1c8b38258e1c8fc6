"""Tables made of pieces, one for each run and seed: kept on disk as they are finished, and timed before they are begun."""

from __future__ import annotations

import io
import os
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import FunctionType

import numpy as np

from proofs_check import digests
from tabular.exploration.play import over_seeds

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Runs:
    """One experiment, on any seed.

    Attributes
    ----------
    name : whatever decides the numbers, as text: the key of what is kept, with the sources of the package, of the engine and of the
        folder in which ``run`` is defined.  run : of a seed, named arrays; a plain function.
    trial : plays a part of it, and returns which share; for the estimate of the time. None: the whole is for one seed and short.
    seeds : None for those of the table; experiments in which nothing is drawn have one.
    """

    name: str
    run: FunctionType
    trial: Callable[[], float] | None = None
    seeds: tuple[int, ...] | None = None


def results(
    runs: Sequence[Runs], seeds: Sequence[int], *, keep: str | Path | None = None, tell: Tell | None = None
) -> dict[str, dict[str, np.ndarray]]:
    """By name, the arrays of all seeds, stacked in their order.

    keep : a folder in which each piece is stored as soon as it is finished, and from which those of the same sources,
    versions and name are taken: an interrupted table goes on where it was.  tell : is told the estimated time before
    anything is played, then each experiment as it ends. Seeds run beside each other on all processors; neither that
    nor interruptions change a bit.

    Raises ValueError where a name is used twice, or a kept piece is damaged (it is named, and left as it is).
    """
    names = [r.name for r in runs]
    if len(set(names)) < len(names):
        raise ValueError(f"the name {next(n for n in names if names.count(n) > 1)!r} is used twice")
    folder = None if keep is None else Path(keep)
    if tell is not None:
        tell(f"about {seconds(runs, seeds, keep=keep):.0f} s of one processor, of which {os.cpu_count()} are here")
    found = {}
    for one in runs:
        begun = time.perf_counter()
        parts = over_seeds(_piece(one, folder), list(one.seeds or seeds), None)
        found[one.name] = {field: np.stack([part[field] for part in parts]) for field in parts[0]}
        if tell is not None:
            tell(f"{one.name}: {time.perf_counter() - begun:.1f} s")
    return found


def seconds(runs: Sequence[Runs], seeds: Sequence[int], *, keep: str | Path | None = None) -> float:
    """Estimated seconds of one processor that are still to do: trials, scaled up; an experiment without one counts nothing."""
    total = 0.0
    for one in runs:
        missing = [s for s in one.seeds or seeds if keep is None or not _file(Path(keep), one, s).is_file()]
        if one.trial is not None and missing:
            one.trial()  # compiles
            begun = time.process_time()
            share = one.trial()
            total += (time.process_time() - begun) / share * len(missing)
    return total


def _piece(one: Runs, folder: Path | None) -> Callable[[int], dict[str, np.ndarray]]:
    def piece(seed: int) -> dict[str, np.ndarray]:
        if folder is None:
            return {name: np.asarray(x) for name, x in one.run(seed).items()}
        file = _file(folder, one, seed)
        if not file.is_file():
            _save(file, one.run(seed))
        try:
            with np.load(file, allow_pickle=False) as stored:
                return dict(stored)
        except (OSError, ValueError) as error:
            raise ValueError(f"{file} is damaged, remove it: {error}") from error

    return piece


def _file(folder: Path, one: Runs, seed: int) -> Path:
    sources = _sources(Path(one.run.__code__.co_filename).parent)
    return folder / f"{digests.digest(digests.engine(), sources, one.name, str(seed))}.npz"


@cache
def _sources(folder: Path) -> str:
    """Digest of a folder of figures as it was when first asked for."""
    return digests.digest(*(path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.py"))))


def _save(file: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """All at once: whoever looks finds the whole file, or none."""
    file.parent.mkdir(parents=True, exist_ok=True)
    data = io.BytesIO()
    np.savez(data, **dict(arrays))
    handle, name = tempfile.mkstemp(dir=file.parent, suffix=".part")
    with os.fdopen(handle, "wb") as out:
        out.write(data.getbuffer())
    os.replace(name, file)
