"""Throw-away virtual environments of the peers, at the versions in ``pins/``, made by the bench and removed by ``--clean``.

The files name every distribution that a peer needs to solve a model, and are installed without their dependencies: msdm and
mdpax would bring gigabytes of GPU libraries that no workload touches.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

PINS = Path(__file__).with_name("pins")
SECONDS = 900
"""For all downloads of one environment."""


class Unavailable(Exception):
    """A peer that could not be installed, with the reason."""


def make(name: str, cache: Path) -> Path:
    """The Python of a peer's environment, made where it is not there yet.

    Raises Unavailable with the last error that pip gave. Pins that change make another environment.
    """
    pins = PINS / f"{name}.txt"
    digest = hashlib.blake2b(pins.read_bytes() + sys.version.encode(), digest_size=4).hexdigest()
    home = cache / "peers" / f"{name}-{digest}"
    python = home / ("Scripts" if os.name == "nt" else "bin") / "python"
    if (home / "ready").exists():
        return python
    shutil.rmtree(home, ignore_errors=True)
    venv.create(home, with_pip=True, symlinks=os.name != "nt")
    command = [
        str(python),
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
        "-r",
        str(pins),
    ]
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "PYTHONHOME")}
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, env=environment)
    except subprocess.TimeoutExpired:
        raise Unavailable(f"not installed: pip was not done after {SECONDS} s") from None
    if done.returncode != 0:
        said = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or done.stderr.splitlines()
        raise Unavailable(f"not installed: {said[-1] if said else 'pip gave no reason'}")
    shutil.copy(pins, home / "ready")
    return python


def clean(cache: Path) -> None:
    """Remove everything that the bench has made in its cache folder."""
    for folder in ("peers", "data", "run"):
        shutil.rmtree(cache / folder, ignore_errors=True)
