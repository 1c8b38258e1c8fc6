"""A store with results of a few claims, and the site made of it, once for all tests of the report."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import html5lib
import pytest

ROOT = Path(__file__).resolve().parents[3]
OWN = Path(__file__).with_name("own_claims.py")
SHOWN = (str(OWN), "foundations", "best_of_n", "mdvi")


def command(*arguments: str | Path, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command line, from outside."""
    return subprocess.run(
        [sys.executable, "-m", "proofs_check.cli", *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=600,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
    )


def parse(page: Path) -> Any:
    """The tree of a page; html5lib raises where a browser would have to guess."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return html5lib.HTMLParser(strict=True).parse(page.read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Made:
    """A home with the folders of a store, of the results that verify wrote and of the site, and an attack's JSON."""

    home: Path
    own: Path = OWN
    shown: tuple[str, ...] = SHOWN

    @property
    def store(self) -> Path:
        return self.home / "store"

    @property
    def results(self) -> Path:
        return self.home / "out"

    @property
    def attacks(self) -> Path:
        return self.home / "attacks.json"

    @property
    def site(self) -> Path:
        return self.home / "site"

    @property
    def more(self) -> tuple[str | Path, ...]:
        """The options with which the site was made."""
        return ("--store", self.store, "--results", self.results, "--attacks", self.attacks)

    def pages(self) -> list[Path]:
        return sorted(self.site.rglob("*.html"))

    command = staticmethod(command)
    parse = staticmethod(parse)

    @staticmethod
    def text(page: Path) -> str:
        """What a reader reads."""
        tree = parse(page)
        for note in tree.iter("{http://www.w3.org/1998/Math/MathML}annotation"):
            note.text = ""
        return re.sub(r"\s+", " ", " ".join(tree.itertext())).replace(" ,", ",")


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    home = tmp_path_factory.mktemp("report")
    made = Made(home)
    quick = ("--quick", "--workers", "1", "--store", made.store)
    done = command("verify", OWN, *quick, "--out", made.results, cwd=home)
    assert done.returncode == 1, done.stderr  # own.C1 is false
    done = command("verify", "foundations.C1", "foundations.C27", *quick, "--no-mutants", cwd=home)
    assert done.returncode == 0, done.stderr
    done = command("attack", f"{OWN}::own.C1a", "--evaluations", "300", "--workers", "1", "--json", cwd=home)
    assert done.returncode == 0, done.stderr
    made.attacks.write_text(done.stdout, encoding="utf-8")
    done = command("report", *SHOWN, *made.more, "--out", made.site, cwd=home)
    assert done.returncode == 0, done.stderr
    return made
