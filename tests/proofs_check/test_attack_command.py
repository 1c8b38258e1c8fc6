"""``proofs-check attack`` from end to end: what is false is refuted, shrunk, saved and replayed; the table of κ is what it says."""

from __future__ import annotations

import itertools
import json
import os
import re
import shlex
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from proofs_check import counterexample, registry
from proofs_check.adversary.command import HEAD
from proofs_check.adversary.engine import EVALUATIONS
from proofs_check.cli import main, parser
from proofs_check.loading import load_file
from proofs_check.shrink import shrink

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
FILE = HERE / "attacked_claims.py"
FALSE = ("attacked.squared", "attacked.loss", "attacked.between")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("attack")


@pytest.fixture(scope="module")
def struck(folder: Path) -> subprocess.CompletedProcess[str]:
    """The claims of the file, attacked from a shell; only ``attacked.true`` is true."""
    options = ["--evaluations", "40000", "--workers", "1", "--out", str(folder), "--table", str(folder / "table.md")]
    command = [sys.executable, "-m", "proofs_check.cli", "attack", str(FILE), *options]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "200"}
    return subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment)


def test_what_is_false_is_refuted_and_saved(struck: subprocess.CompletedProcess[str], folder: Path) -> None:
    assert struck.returncode == 1, struck.stderr
    assert {p.name for p in folder.glob("*.json")} == {f"{name}.json" for name in FALSE}
    assert "found by attack" in struck.stdout and "after" in struck.stdout and "(0) --[" in struck.stdout
    assert struck.stdout.count("saved in") == len(FALSE)


@pytest.mark.parametrize("name", FALSE)
def test_a_false_theorem_from_attack_to_replay(
    name: str, struck: subprocess.CompletedProcess[str], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Random instances stay below the bound (but for the plainly false one); what is saved is minimal, and wrong in fractions."""
    (again,) = (line for line in struck.stdout.splitlines() if f"saved in {folder / name}.json" in line)
    command = shlex.split(again.partition("again: ")[2])
    assert command[0] == "proofs-check" and main(command[1:]) == 1
    assert "refuted, settled exactly" in " ".join(capsys.readouterr().out.split())
    data = counterexample.load(folder / f"{name}.json")
    left, right = SIDES[name](data)
    assert left > right > 0
    c = next(c for c in load_file(FILE) if c.id == name)
    mdp, payloads = counterexample.replay(data)
    assert shrink(c, mdp, payloads).taken == 0  # nothing simpler that shrinking knows of refutes it
    assert (mdp.S, mdp.A) == ((1, 1) if name == "attacked.squared" else (2, 2))
    cells = row(folder / "table.md", name)
    assert cells[1].startswith("1.") == (name == "attacked.squared") and float(cells[2]) > 1


def row(table: Path, name: str) -> list[str]:
    (line,) = (line for line in table.read_text(encoding="utf-8").splitlines() if line.startswith(f"| {name} |"))
    return [cell.strip() for cell in line.strip("|").split(" | ")]


def backups(data: dict[str, Any], V: list[Fraction]) -> list[dict[int, Fraction]]:
    """Q of each available action, in fractions, from the file alone."""
    m = data["mdp"]
    gamma, S, A = Fraction(m["gamma"]), m["S"], m["A"]
    return [
        {
            a: Fraction(m["R"][s * A + a])
            + gamma * sum((Fraction(p) * V[t] for t, p in m["P"][s * A + a]), Fraction(0))
            for a in range(A)
            if m["mask"][s][a]
        }
        for s in range(S)
    ]


def value(data: dict[str, Any], policy: tuple[int, ...]) -> list[Fraction]:
    """Of a deterministic policy: (I - gamma P) V = R, by elimination."""
    m = data["mdp"]
    gamma, S, A = Fraction(m["gamma"]), m["S"], m["A"]
    rows = []
    for s, a in enumerate(policy):
        left = [Fraction(int(s == t)) for t in range(S)]
        for t, p in m["P"][s * A + a]:
            left[t] -= gamma * Fraction(p)
        rows.append([*left, Fraction(m["R"][s * A + a])])
    for i in range(S):
        rows[i] = [x / rows[i][i] for x in rows[i]]
        for j in range(S):
            if j != i:
                rows[j] = [x - rows[j][i] * y for x, y in zip(rows[j], rows[i], strict=True)]
    return [r[-1] for r in rows]


def norm(x: list[Fraction], y: list[Fraction]) -> Fraction:
    return max(abs(a - b) for a, b in zip(x, y, strict=True))


def drawn(data: dict[str, Any], name: str) -> list[Fraction]:
    return [Fraction(x) for x in data["draws"][name]["data"]]


def squared(data: dict[str, Any]) -> tuple[Fraction, Fraction]:
    V, W = drawn(data, "V"), drawn(data, "W")
    TV, TW = ([max(q.values()) for q in backups(data, x)] for x in (V, W))
    return norm(TV, TW), Fraction(data["mdp"]["gamma"]) ** 2 * norm(V, W)


def losses(data: dict[str, Any]) -> tuple[Fraction, Fraction, Fraction]:
    """gamma, the loss of the greedy policy of V, and the distance of V from the optimum."""
    m, V = data["mdp"], drawn(data, "V")
    choices = itertools.product(*([a for a in range(m["A"]) if m["mask"][s][a]] for s in range(m["S"])))
    best = [max(column) for column in zip(*(value(data, policy) for policy in choices), strict=True)]
    greedy = tuple(min(a for a, x in q.items() if x == max(q.values())) for q in backups(data, V))
    return Fraction(m["gamma"]), norm(best, value(data, greedy)), norm(V, best)


def loss(data: dict[str, Any]) -> tuple[Fraction, Fraction]:
    gamma, lost, far = losses(data)
    return lost, Fraction(1.96) * gamma / (1 - gamma) * far


def between(data: dict[str, Any]) -> tuple[Fraction, Fraction]:
    gamma, lost, far = losses(data)
    return gamma * (1 - gamma) ** 2 * lost, Fraction(0.29) * far


SIDES = {"attacked.squared": squared, "attacked.loss": loss, "attacked.between": between}


def test_a_counterexample_that_was_edited_is_refused(
    struck: subprocess.CompletedProcess[str], folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert struck.returncode == 1
    text = (folder / "attacked.loss.json").read_text(encoding="utf-8")
    path = tmp_path / "edited.json"
    path.write_text(text.replace('"gamma": "', '"gamma": "0', 1), encoding="utf-8")
    assert main(["show", "attacked.loss", "--file", str(FILE), "--replay", str(path)]) == 3
    assert "was changed" in capsys.readouterr().err


def test_command_in_json_and_its_usage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    common = ["--evaluations", "500", "--workers", "1", "--out", str(tmp_path / "none")]
    assert main(["attack", "foundations.C24", "--json", *common]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["attacks"][0]["id"] == "foundations.C24" and data["attacks"][0]["status"] == "stands"
    assert not (tmp_path / "none").exists()
    assert main(["attack", "foundations.C1.twin1", *common]) == 1
    assert main(["attack", "foundations.C1.twin7", *common]) == 3
    assert main(["attack", *common]) == 3
    assert main(["attack", "nothing.C1", *common]) == 3


def test_a_witness_is_saved_and_no_refutation(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "mine.py"
    file.write_text(
        "from proofs_check import Inequality, Witness, claim, families, values\n\n"
        '@claim(id="mine.W", family=families.garnet(2, 2), draws={"V": values()}, instances=())\n'
        'def found(ops, m, V):\n    "Some norm exceeds 1."\n    return Witness(Inequality(1, ops.norm(V)))\n',
        encoding="utf-8",
    )
    assert main(["attack", str(file), "--evaluations", "300", "--workers", "1", "--out", str(tmp_path / "out")]) == 0
    out = capsys.readouterr().out
    assert "witness found" in out and "  witness, found by attack" in out
    replay = ["show", "mine.W", "--file", str(file), "--replay", str(tmp_path / "out" / "mine.W.json")]
    assert main(replay) == 0


def test_the_table_depends_on_no_process_and_on_the_seed(tmp_path: Path) -> None:
    def table(workers: str, seed: str) -> bytes:
        path = tmp_path / "tables" / f"{workers}-{seed}.md"  # in a folder that the first one makes
        names = ["foundations.C11", "foundations.C24"]
        options = ["--evaluations", "600", "--seed", seed, "--workers", workers, "--out", str(tmp_path / "out")]
        assert main(["attack", *names, "--json", *options, "--table", str(path)]) == 0
        return path.read_bytes()

    one = table("1", "0")
    assert one == table("2", "0")
    assert one.partition(b"| --- |")[2] != table("1", "1").partition(b"| --- |")[2]
    head, _, rows = one.decode().rpartition("| --- |\n")
    assert len(rows.splitlines()) == 2 and "600 evaluations" in head


def test_a_table_that_could_not_be_written_is_refused_before_the_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    options = ["--out", str(tmp_path / "out"), "--table", str(tmp_path / "file" / "table.md")]
    assert main(["attack", "foundations.C11", *options]) == 3
    assert f"{tmp_path / 'file'} is a file, and a folder is needed" in capsys.readouterr().err


def test_the_table_on_record_is_of_claims_that_are_checked() -> None:
    """Its head is that of today's program, each claim has one row, and no quotient is above 1."""
    text = (ROOT / "docs" / "tightness.md").read_text(encoding="utf-8")
    assert text.startswith(HEAD.format(evaluations=EVALUATIONS, seed=0))
    assert parser().parse_args(["attack", "--all"]).evaluations == EVALUATIONS
    rows = [
        line.strip("|").split(" | ") for line in text[len(HEAD.format(evaluations=EVALUATIONS, seed=0)) :].splitlines()
    ]
    ids = [cells[0].strip() for cells in rows]
    checked = [entry.id for paper in registry.load() for entry in paper.claims if entry.state == "checked"]
    assert len(set(ids)) == len(ids) > 0 and set(ids) <= set(checked)
    assert "(tightness.md)" in (ROOT / "docs" / "claims.md").read_text(encoding="utf-8")
    for cells in rows:
        assert len(cells) == 6 and "fault" not in cells[3]
        for kappa in cells[1:3]:
            assert re.fullmatch(r"—|0|0\.\d+|\d\.\d+e-\d+|1 - \d\.\de-\d\d|1", kappa.strip()), cells
