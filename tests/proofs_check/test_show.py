"""``show`` on instances that say nothing, claims that hide each other, what bodies print, and places that cannot be written."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from proofs_check.addresses import instance
from proofs_check.cli import OK, REFUTED, USAGE, main
from proofs_check.counterexample import record, save
from proofs_check.loading import load_file
from proofs_check.store import Store

HEAD = """\
from proofs_check import Assumption, Inequality, Trial, claim, families, policies, streams, twin, values

F = families.garnet(2, 2, gamma=(0.5, 0.75))
half = Assumption("gamma = 1/2", lambda m: m.gamma == 0.5)
calm = Assumption("no step ends the process", lambda m: ~(m.end > 0).any(axis=(-2, -1)))
"""
LOWER = '''

@claim(id="mine.C1", family=F, draws={"V": values}, assumptions=(half, calm), instances=())
def lower(ops, m, V):
    r"""\\gamma \\le 1/2."""
    return Inequality(m.gamma, 0.5)


@twin(lower, why="strictly less")
def strictly(ops, m, V):
    return Inequality(m.gamma, 0.25)
'''
OTHER = '''

@claim(id="mine.C2", family=F, draws=dict(V=values), instances=())
def {name}(ops, m, V):
    r"""|V| \\le 2 |V|."""
    {line}
    return Inequality(ops.norm(V), 2 * ops.norm(V))
'''
VERIFY = ("--quick", "--no-store", "--workers", "1")


def written(tmp_path: Path, *parts: str) -> str:
    file = tmp_path / "my_claims.py"
    file.write_text(HEAD + "".join(parts), encoding="utf-8")
    return str(file)


def other(name: str = "other", line: str = "") -> str:
    return OTHER.format(name=name, line=line)


@pytest.fixture
def unmet(tmp_path: Path) -> tuple[str, str, Path]:
    """A file with a true claim, the address of an instance with gamma = 3/4, and the same saved as if it were a counterexample."""
    file = written(tmp_path, LOWER)
    (claim,) = load_file(file)
    address = next(a for a in (f"garnet[0]:0.{i}" for i in range(50)) if instance(claim, a, 0)[0].gamma == 0.75)
    path = tmp_path / "x.json"
    save(path, claim.id, claim.statement, record(*instance(claim, address, 0), address))
    return file, address, path


@pytest.mark.parametrize("way", ["--instance", "--replay"])
def test_an_instance_that_the_assumptions_exclude_refutes_nothing(
    unmet: tuple[str, str, Path], way: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file, address, path = unmet
    assert main(["verify", file, *VERIFY]) == OK
    capsys.readouterr()
    given = address if way == "--instance" else str(path)
    assert main(["show", "mine.C1", "--file", file, way, given]) == USAGE
    said = capsys.readouterr()
    assert "does not meet: gamma = 1/2. It says nothing about mine.C1" in said.err
    assert "gamma=3/4" in said.out and "refuted" not in said.out + said.err
    assert "no step ends" not in said.err  # which it meets


def test_an_instance_that_meets_them_is_evaluated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = written(tmp_path, LOWER)
    (claim,) = load_file(file)
    address = next(a for a in (f"garnet[0]:0.{i}" for i in range(50)) if instance(claim, a, 0)[0].gamma == 0.5)
    assert main(["show", f"{file}::mine.C1", "--instance", address]) == OK
    assert f"instance {address}" in capsys.readouterr().out
    twin = claim.twins[0]
    save(tmp_path / "t.json", twin.id, twin.statement, record(*instance(twin, address, 0), address))
    assert main(["show", twin.id, "--file", file, "--replay", str(tmp_path / "t.json")]) == REFUTED


def test_the_counterexample_is_drawn_small(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", f"{written(tmp_path, LOWER)}::mine.C1.twin1"]) == OK
    said = capsys.readouterr().out
    assert "refuted on" in said and "largest measured / bound: at least 1.9999 at garnet[0]:0." in said
    assert "counterexample, from garnet[0]:0." in said and "1 state, gamma = 1/2" in said


def test_a_counterexample_of_other_draws_is_refused(
    unmet: tuple[str, str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    file, _, path = unmet
    data = json.loads(path.read_text(encoding="utf-8"))
    save(path, "mine.C1", "", {"address": "", "mdp": data["mdp"], "draws": {"W": data["draws"]["V"]}})
    assert main(["show", "mine.C1", "--file", file, "--replay", str(path)]) == USAGE
    said = capsys.readouterr()
    assert "has drawn W, and mine.C1 draws V now" in said.err and said.out == ""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "No such file"),
        ("{", "cannot be read"),
        ("[1]", "is no counterexample"),
        ('{"claim": "mine.C1", "mdp": 1, "draws": 2}', "has no 'digest'"),
        ('{"claim": "mine.C1", "mdp": 1, "draws": 2, "digest": "?"}', "was changed"),
    ],
)
def test_a_bad_file_is_refused_before_anything_is_printed(
    tmp_path: Path, text: str | None, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.json"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    assert main(["show", "mine.C1", "--file", "nowhere.py", "--replay", str(path)]) == USAGE
    told = capsys.readouterr()
    assert said in told.err and str(path) in told.err and told.out == ""


def test_an_instance_and_a_file_exclude_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "foundations.C1", "--instance", "garnet[0]:0.0", "--replay", "x.json"]) == USAGE
    assert "not allowed with" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("second", "by"),
    [
        (other("lower"), "mine.C2"),
        (LOWER.partition("\n\n\n@twin")[0].replace("values}", "values}, kind='again'"), "mine.C1"),
        ("\n\n@twin(lower, why='less')\ndef lower(ops, m, V):\n    return Inequality(m.gamma, 0.1)\n", "mine.C1.twin2"),
        ("\n\ndef lower(x):\n    return x\n", "lower"),
    ],
    ids=["another claim", "the same id", "its twin", "a helper"],
)
def test_a_claim_that_a_later_definition_hides_is_refused(
    tmp_path: Path, second: str, by: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = written(tmp_path, LOWER, second)
    assert main(["verify", file, *VERIFY]) == USAGE
    first = 1 + HEAD.count("\n") + 2
    line = 1 + (HEAD + LOWER).count("\n") + 2
    said = capsys.readouterr().err
    assert f"mine.C1, at {file}:{first}, is hidden by {by}, at {file}:{line}" in said
    assert "'lower'" in said


def test_a_reload_and_a_changed_copy_hide_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from proofs_check.loading import claims_of

    more = "\n\nimport dataclasses\n\nother = dataclasses.replace(other, kind='lemma')\n"
    (tmp_path / "reloaded_claims.py").write_text(HEAD + LOWER + other() + more, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    module: Any = importlib.import_module("reloaded_claims")
    assert [c.id for c in claims_of(importlib.reload(module))] == ["mine.C1", "mine.C2"]
    del sys.modules["reloaded_claims"]


@pytest.mark.parametrize("place", ["in the body", "in an assumption", "at the top"])
def test_what_an_author_prints_does_not_spoil_json(
    tmp_path: Path, place: str, capfd: pytest.CaptureFixture[str]
) -> None:
    printing = LOWER.replace("lambda m: m.gamma", "lambda m: print('here') or m.gamma")
    head = HEAD.replace("lambda m: m.gamma", "lambda m: print('here') or m.gamma")
    parts = {
        "in the body": HEAD + LOWER + other(line="print('here')"),
        "in an assumption": head + printing,
        "at the top": HEAD + "print('here')\n" + LOWER,
    }[place]
    (tmp_path / "my_claims.py").write_text(parts, encoding="utf-8")
    assert main(["verify", str(tmp_path / "my_claims.py"), *VERIFY, "--json"]) == OK
    said = capfd.readouterr()
    assert json.loads(said.out)["exit"] == 0
    assert "here" in said.err


@pytest.mark.parametrize("out", ["file", "file/below", "folder-with-file", "folder-with-folder"])
def test_places_that_cannot_be_written_are_named_before_work_starts(
    tmp_path: Path, out: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    (tmp_path / "folder-with-file").mkdir()
    (tmp_path / "folder-with-file" / "counterexamples").write_text("mine", encoding="utf-8")
    (tmp_path / "folder-with-folder" / "results.json").mkdir(parents=True)
    assert main(["verify", "nowhere.py", "--out", str(tmp_path / out)]) == USAGE
    said = capsys.readouterr().err
    assert f"--out {tmp_path / out}" in said and ("is a file" in said or "is a folder" in said)
    if not out.startswith("folder"):
        assert main(["attack", "nowhere.py", "--out", str(tmp_path / out)]) == USAGE
        assert "is a file, and a folder is needed" in capsys.readouterr().err
    assert main(["verify", "nowhere.py", "--record", str(tmp_path / "file")]) == USAGE
    assert "--record" in capsys.readouterr().err
    assert (tmp_path / "file").read_text(encoding="utf-8") == "mine"


def test_an_unwritable_folder_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from proofs_check import selection

    monkeypatch.setattr(selection.os, "access", lambda path, mode: False)
    assert main(["verify", "nowhere.py", "--out", str(tmp_path / "a" / "b")]) == USAGE
    assert f"{tmp_path} cannot be written" in capsys.readouterr().err


def test_one_claim_of_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = written(tmp_path, LOWER, other())
    assert main(["verify", f"{file}::mine.C2", *VERIFY, "--json"]) == OK
    assert [c["id"] for c in json.loads(capsys.readouterr().out)["claims"]] == ["mine.C2"]
    assert main(["verify", f"{file}::mine.C3", *VERIFY]) == USAGE
    assert "has no claim 'mine.C3'; did you mean mine.C" in capsys.readouterr().err
    assert main(["verify", f"{file}::mine.C1.twin1", *VERIFY]) == USAGE
    assert f"a false variant, which runs with its claim: {file}::mine.C1" in capsys.readouterr().err
    assert main(["verify", "nowhere.py::mine.C1", *VERIFY]) == USAGE
    assert "no file 'nowhere.py'" in capsys.readouterr().err


def test_claims_of_files_meet_their_twins_and_no_mutants(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", written(tmp_path, LOWER), *VERIFY]) == OK
    said = capsys.readouterr().out
    assert "1/1 twin" in said and "mutant" not in said and "toothless" not in said


def test_pruning_removes_what_no_run_would_use_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from proofs_check import storing

    store = str(tmp_path / "store")
    file = written(tmp_path, LOWER)

    def verify() -> list[tuple[str, str, str, str]]:
        for name in (file, "foundations.C6"):
            assert main(["verify", name, "--quick", "--no-mutants", "--workers", "1", "--store", store]) == OK
        with Store(Path(store)) as there:
            return list(there.headers())

    before = verify()
    capsys.readouterr()
    assert main(["merge", "--prune", "--into", store]) == OK
    mine = sum(claim.startswith("mine.") for _, claim, _, _ in before)
    assert f"0 results removed, 0 of an earlier engine and 0 of earlier claims; {len(before)} kept, {mine} of them" in (
        capsys.readouterr().out
    )
    assert verify() == before  # all of it taken from there

    monkeypatch.setattr(storing, "_current", lambda: {"foundations.C6": "another"})
    capsys.readouterr()
    assert main(["merge", "--prune", "--into", store]) == OK
    changed = sum(claim == "foundations.C6" for _, claim, _, _ in before)
    assert f"{changed} results removed, 0 of an earlier engine and {changed} of earlier" in capsys.readouterr().out

    monkeypatch.setattr(storing.digests, "engine", lambda: "another")
    assert main(["merge", "--prune", "--into", store]) == OK
    left = len(before) - changed
    assert f"{left} results removed, {left} of an earlier engine" in capsys.readouterr().out
    with Store(Path(store)) as there:
        assert not list(there.headers()) and not there.runs()


def test_merging_nothing_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["merge", "--into", str(tmp_path / "s")]) == USAGE
    assert "--prune" in capsys.readouterr().err
    assert main(["merge", "--prune", "--into", str(tmp_path / "s")]) == USAGE
    assert "holds no store" in capsys.readouterr().err
    assert not (tmp_path / "s").exists()
