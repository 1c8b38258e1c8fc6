"""The README keeps its word: its code runs, its table is the registry's, its commands exist."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from figures import discovery
from proofs_check.cli import OK, main, parser
from proofs_check.tables import markdown

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CODE = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def test_first_example_prints_certified_values() -> None:
    done = subprocess.run([sys.executable, "-W", "error", "-c", CODE[0]], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    bound, gap = (float(x) for x in done.stdout.split()[-2:])
    assert 0 <= bound < 1e-6
    assert 0 <= gap < 1e-6


def test_claim_of_one_s_own_is_verified(tmp_path: Path) -> None:
    file = tmp_path / "my_claims.py"
    file.write_text(CODE[1], encoding="utf-8")
    assert main(["verify", str(file), "--quick", "--workers", "1", "--no-mutants", "--no-store"]) == OK


def test_table_of_claims_is_the_registry_s() -> None:
    table = README.split("<!-- claims: begin")[1].split("-->\n")[1].split("<!-- claims: end")[0]
    assert table.strip() == markdown().strip(), "write it anew: proofs-check list --markdown"


def test_commands_exist() -> None:
    known = set(parser()._subparsers._group_actions[0].choices)  # type: ignore[union-attr, arg-type]
    assert set(re.findall(r"^proofs-check (\w+)", README, re.MULTILINE)) == known


def test_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for text in (README, (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")):
        for target in re.findall(r"^make ([\w-]+)", text, re.MULTILINE):
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_files_it_points_to_exist() -> None:
    for text in (README, (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")):
        for target in re.findall(r"\]\(([^)#]+)\)", text):
            assert target.startswith("http") or (ROOT / target).exists(), target


def test_pictures_have_words_and_a_command_that_makes_them() -> None:
    found = re.findall(r"!\[([^\]]*)\]\(([^)]+)\)\n\n`python -m figures (\w+)[^`]* --format (\w+)`", README)
    assert len(found) == README.count("![") == 3
    for words, target, name, form in found:
        file = ROOT / target
        assert len(words) > 80 and file.name == f"{name}.{form}" and 1000 < file.stat().st_size < 150_000, target
        assert [e.name for e in discovery.selected([name])] == [name]
    assert {p.name for p in (ROOT / "docs" / "images").iterdir()} == {Path(target).name for _, target, _, _ in found}
