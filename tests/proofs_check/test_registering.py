"""A paper's registry file, written from its claims."""

from __future__ import annotations

import shutil
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from proofs_check import Inequality, claim, families, registry
from proofs_check.cli import OK, USAGE, main
from proofs_check.loading import load_paper
from proofs_check.registering import register

PAPERS = Path(str(resources.files("proofs_check"))) / "papers"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copy(PAPERS / "mdvi.toml", tmp_path)
    return tmp_path


def test_what_ships_is_up_to_date(folder: Path) -> None:
    before = (folder / "mdvi.toml").read_bytes()
    assert register(folder / "mdvi.toml", load_paper("planning", "mdvi")) == []
    assert (folder / "mdvi.toml").read_bytes() == before


def test_new_and_pending_claims_become_checked_and_keep_what_people_wrote(folder: Path) -> None:
    @claim(id="mdvi.C5e", family=families.bandits(2), source="a 'quoted' source", kind="rate")
    def new(ops: Any, m: Any) -> Inequality:
        r"""\gamma' \le 1, "at most", it's said."""
        return Inequality(m.gamma, 1)

    @claim(id="mdvi.C6", family=families.bandits(2), kind="inequality")
    def pending(ops: Any, m: Any) -> Inequality:
        """One is at most two."""
        return Inequality(1, 2)

    assert register(folder / "mdvi.toml", [new, pending]) == ["mdvi.C5e", "mdvi.C6"]
    shutil.copy(PAPERS / "foundations.toml", folder)
    entries = {e.id: e for e in registry.load(["mdvi"], directory=folder)[0].claims}
    names = list(entries)
    assert names.index("mdvi.C5c") < names.index("mdvi.C5e") < names.index("mdvi.C6")
    made = entries["mdvi.C5e"]
    assert (made.statement, made.source, made.kind) == (new.statement, new.source, "rate")
    assert (made.mark, made.state, made.verdict) == ("ours", "checked", "holds")
    assert (entries["mdvi.C6"].mark, entries["mdvi.C6"].state, entries["mdvi.C6"].reason) == ("mem", "checked", None)
    assert entries["mdvi.C2"].verdict == "tight"
    assert register(folder / "mdvi.toml", [new, pending]) == []


def test_the_command(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["register", "mdvi", "--papers", str(folder)]) == OK
    assert capsys.readouterr().out == "written anew: nothing\n"
    assert main(["register", "sac_v3", "--papers", str(folder)]) == USAGE
    assert "no paper 'sac_v3'" in capsys.readouterr().err
    assert main(["register", "meow", "--papers", str(PAPERS)]) == USAGE
    assert "meow has no claims yet" in capsys.readouterr().err
    assert main(["register", "mdvi", "--papers", str(folder / "nowhere")]) == USAGE
    assert "there is no mdvi.toml" in capsys.readouterr().err
