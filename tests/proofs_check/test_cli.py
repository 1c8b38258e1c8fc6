"""The command line, from outside: exit codes, JSON, and what is written to disk."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = Path(__file__).with_name("sample_claims.py")
TEMPLATE = str(ROOT / "proofs_check" / "claims" / "_template.py")


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test has a folder of its own, and so a store of its own."""
    monkeypatch.chdir(tmp_path)


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "proofs_check.cli", *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )


def only(tmp_path: Path, name: str) -> str:
    """A file with one claim of the sample (and its twin)."""
    head, *blocks = SAMPLE.read_text(encoding="utf-8").split("\n\n\n")
    kept = [b for b in blocks if f'sample.{name}"' in b or b.startswith(f"@twin({name},")]
    assert kept
    path = tmp_path / f"{name}_claim.py"
    path.write_text("\n\n\n".join([head, *kept]) + "\n", encoding="utf-8")
    return str(path)


def test_a_true_claim_of_a_file_exits_0() -> None:
    done = run("verify", TEMPLATE, "--quick", "--no-mutants")
    assert done.returncode == 0, done.stderr
    assert "tight" in done.stdout and "1/1 twin" in done.stdout


def test_a_false_claim_exits_1_and_its_counterexample_replays(tmp_path: Path) -> None:
    file = only(tmp_path, "false")
    done = run("verify", file, "--quick", "--no-mutants", "--json", "--out", str(tmp_path / "out"))
    assert done.returncode == 1, done.stderr
    data = json.loads(done.stdout)
    assert data["exit"] == 1 and data["claims"][0]["verdict"] == "refuted"
    saved = tmp_path / "out" / "counterexamples" / "sample.false.json"
    again = run("show", "sample.false", "--file", file, "--replay", str(saved))
    assert again.returncode == 1
    assert "refuted, settled exactly" in again.stdout
    stored = json.loads((tmp_path / "out" / "results.json").read_text(encoding="utf-8"))
    assert {k: v for k, v in data.items() if k != "costs"} == stored


@pytest.mark.parametrize("name", ["unmet", "unknown", "trivial"])
def test_vacuous_and_undecided_exit_2(tmp_path: Path, name: str) -> None:
    done = run("verify", only(tmp_path, name), "--quick", "--no-mutants")
    assert done.returncode == 2, done.stdout + done.stderr


def test_a_surviving_twin_exits_1(tmp_path: Path) -> None:
    file = Path(only(tmp_path, "tight"))
    file.write_text(file.read_text(encoding="utf-8").replace("m.gamma**2", "m.gamma"), encoding="utf-8")
    done = run("verify", str(file), "--quick", "--no-mutants")
    assert done.returncode == 1
    assert "survives" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("cite", "foundatoins"), "did you mean foundations"),
        (("verify", "foundations.C99"), "foundations.C9"),
        (("verify", "meow.C1"), "no check"),
        (("verify", "nowhere.py"), "no file"),
        (("verify", "--workers", "0"), "at least 1"),
        (("verify", "--quick", "--thorough"), "not allowed"),
        (("show", "foundations.C1", "--instance", "garnet[9]:0.0"), "no instance"),
        ((), "COMMAND"),
        (("prove",), "invalid choice"),
    ],
)
def test_usage_errors_exit_3_and_say_what_is_there(arguments: tuple[str, ...], said: str) -> None:
    done = run(*arguments)
    assert done.returncode == 3
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_show_prints_the_statement_and_an_instance_that_can_be_asked_for_again() -> None:
    done = run("show", "foundations.C1")
    assert done.returncode == 0, done.stderr
    address = done.stdout.rpartition("--instance ")[2].strip().strip("'")
    again = run("show", "foundations.C1", "--instance", address)
    assert again.returncode == 0
    assert f"instance {address}" in again.stdout


def test_a_twin_is_shown_with_its_fault() -> None:
    done = run("show", "foundations.C1.twin1")
    assert done.returncode == 0, done.stderr
    assert "false variant" in done.stdout and "refuted" in done.stdout


def test_an_interrupt_ends_the_run_cleanly() -> None:
    command = [sys.executable, "-m", "proofs_check.cli", "verify", "--thorough"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, start_new_session=True
    ) as process:
        time.sleep(5)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the workers as well
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted; what was done is kept in .proofs-check" in err
    assert "Traceback" not in err


def test_cite_and_list() -> None:
    assert "@book{puterman1994" in run("cite", "foundations").stdout
    listed = run("list", "foundations")
    assert listed.returncode == 0
    assert "foundations.C29" in listed.stdout


def test_coverage_and_a_paper_s_claims_as_markdown() -> None:
    lines = run("list", "--markdown").stdout.splitlines()
    assert lines[0].startswith("| no. | paper |") and any("`foundations`" in line for line in lines)
    table = run("list", "--markdown", "mdvi").stdout
    assert "| mdvi.C1 |" in table and "| not checked: The constants" in table and "foundations" not in table


def test_a_closed_pipe_is_no_error() -> None:
    command = f"PYTHONPATH='{ROOT}' {sys.executable} -m proofs_check.cli list | head -1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=True)
    assert "Traceback" not in done.stderr
