"""A mistake in a claim of one's own is reported at its line, with the arithmetic and the instance, in a few lines."""

from __future__ import annotations

import shlex
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from proofs_check.cli import REFUTED, USAGE, main
from proofs_check.loading import load_file
from proofs_check.runner import BUDGETS, verify
from proofs_check.settle import EngineFault
from proofs_check.user_errors import explain, reported

HEAD = """\
import numpy as np
from proofs_check import Assumption, Identity, Inequality, claim, families, policies, values

F = families.garnet(2, 2)


def helper(ops, x):
    return 1 if x > 0 else 0


"""

BODY = '''@claim(id="bad.C1", family=F, draws=dict({draws}){more})
def body(ops, mdp, V):
    """V is what it is."""
    {line}
'''


def written(tmp_path: Path, line: str, draws: str = "V=values", more: str = "") -> Path:
    file = tmp_path / "my_claims.py"
    file.write_text(HEAD + BODY.format(line=line, draws=draws, more=more), encoding="utf-8")
    return file


def fault(file: Path) -> str:
    (claim,) = load_file(file)
    with pytest.raises(Exception) as raised:
        verify(claim, BUDGETS["quick"])
    return explain(claim, raised.value)


BODIES: list[tuple[str, str, str]] = [
    ("return Inequality(ops.norm(V), 1 if V[0] < 1 else 2)", "TypeError", "no truth value"),
    ("return Inequality(np.max(V), 1)", "TypeError", "no truth value"),
    ("return Inequality(max(V, V), 1)", "TypeError", "no truth value"),
    ("return Inequality(mdp.R - V, 1)", "TypeError", "write V[:, None]"),
    ("return Inequality(ops.nrom(V), 1)", "AttributeError", "did you mean norm?"),
    ("return Inequality(mdp.gama, 1)", "AttributeError", "did you mean gamma?"),
    ("return Inequality(ops.norm(V) ** 0.5, 1)", "TypeError", "non-negative integer power"),
    ("return Inequality(1 / 0, 1)", "ZeroDivisionError", "division by zero"),
    ("return Inequality(undefined, 1)", "NameError", "undefined"),
    (
        "return Inequality(ops.norm(V), ops.norm(V), quotient='no')",
        "TypeError",
        "quotient is 'no': expected True or False",
    ),
    (
        "return Inequality(ops.stack([ops.norm(V), 1]), 1, axes=('k',))",
        "TypeError",
        "ops.stack takes values, not 1: ops.constant",
    ),
    (
        "return Inequality(ops.stack([V, ops.norm(V)]), 1, axes=('k',))",
        "TypeError",
        "values of one event shape, not [(2,), ()]",
    ),
]


@pytest.mark.parametrize(("line", "kind", "text"), BODIES, ids=[b[0] for b in BODIES])
def test_the_line_of_the_body(tmp_path: Path, line: str, kind: str, text: str) -> None:
    file = written(tmp_path, line)
    told = fault(file).splitlines()
    assert told[0].startswith(f"{kind}: ") and text in told[0]
    at = HEAD.count("\n") + 4
    assert told[1] == f"  {file}:{at}, in body"
    assert told[2].strip() == line
    assert told[3] == "  in float64 enclosures, 200 instances at once"
    assert told[4] == "  on the 200 instances garnet[0]:0"
    assert (
        told[5]
        == f"  again: proofs-check show bad.C1 --file {shlex.quote(str(file))} --seed 0 --instance 'garnet[0]:0.0'"
    )
    assert len(told) == 6


def test_a_helper_of_the_author_is_shown_and_the_engine_is_not(tmp_path: Path) -> None:
    told = fault(written(tmp_path, "return Inequality(ops.norm(V), helper(ops, ops.norm(V)))"))
    assert [x.rpartition(", in ")[2] for x in told.splitlines() if ", in " in x] == ["body", "helper"]
    assert "tabular" not in told and "proofs_check/" not in told.replace("proofs_check.", "")


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("Inequality(V, V)", "returned NoneType: expected Inequality"),
        ("return True", "returned bool: expected Inequality"),
        ("return Inequality(V, V)", 'name each axis, e.g. axes=("s",)'),
    ],
)
def test_wrong_evidence_is_reported_at_the_definition(tmp_path: Path, line: str, text: str) -> None:
    file = written(tmp_path, line)
    told = fault(file)
    assert text in told.splitlines()[0]
    assert f"  {file}:{HEAD.count(chr(10)) + 2}, in body" in told
    assert "def body(ops, mdp, V):" in told


def test_a_body_that_exits_ends_no_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It would end with the body's own code, 0 for one, and no verdict."""
    file = written(tmp_path, "raise SystemExit(0)")
    told = fault(file)
    assert (
        told.startswith("RuntimeError: the body exits: SystemExit(0)") and f"{file}:{HEAD.count(chr(10)) + 4}" in told
    )
    assert main(["verify", str(file), "--quick", "--workers", "1", "--no-mutants", "--no-store"]) == REFUTED
    assert "the body exits" in capsys.readouterr().out


def test_two_claims_of_one_id_are_named_with_their_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = written(tmp_path, "return V")
    file.write_text(
        file.read_text() + BODY.format(line="return V", draws="V=values", more="").replace("def body", "def other")
    )
    assert main(["verify", str(file), "--quick"]) == USAGE
    first = HEAD.count("\n") + 1
    assert f"is used twice: {file}:{first} and {file}:{first + 4}" in capsys.readouterr().err


def test_an_error_while_settling_names_the_instance(tmp_path: Path) -> None:
    told = fault(written(tmp_path, "return Inequality(ops.norm(V) * (1 if ops.batch else None), ops.norm(V))"))
    assert "  in rationals" in told
    assert "  on the instance garnet[0]:0." in told


def test_assumptions_and_draws(tmp_path: Path) -> None:
    told = fault(
        written(tmp_path, "return Inequality(V[0], V[0])", more=', assumptions=[Assumption("A", lambda m: m.gama < 1)]')
    )
    assert "in the assumption 'A'" in told and "lambda m: m.gama < 1" in told and "did you mean gamma?" in told
    told = fault(written(tmp_path.joinpath("b").mkdir() or tmp_path / "b", "return V", draws='V=values(like="W")'))
    assert "like='W' names no draw before this one" in told
    assert "while drawing 'V' (values), after nothing" in told


@pytest.mark.parametrize(
    ("source", "line", "text"),
    [
        (HEAD + BODY.format(line="return V", draws="W=values", more=""), 11, "takes ['V']"),
        (HEAD + BODY.format(line="return V", draws="V=valuess", more=""), 11, "valuess"),
        (HEAD + BODY.format(line="return V", draws="V=3", more=""), 11, "V=3 is no draw"),
        (
            HEAD + BODY.format(line="return V", draws="V=values", more=", least=-1"),
            11,
            "least is -1: expected how many",
        ),
        (
            HEAD + BODY.format(line="return V", draws="V=values", more=", least='x'"),
            11,
            "least is 'x': expected how many",
        ),
        (HEAD + BODY.format(line="return V", draws="V=values", more=", least=True"), 11, "least is True"),
        (HEAD + BODY.format(line="return V", draws="V=values", more=", assumptions=(len,)"), 11, "assumptions holds"),
        (HEAD + BODY.format(line="return V", draws="V=values", more=", assumptions=helper"), 11, "assumptions holds"),
        (
            HEAD + BODY.format(line="return V", draws="V=values", more="").replace("dict(V=values)", "('V',)"),
            11,
            "draws is ('V',)",
        ),
        (
            HEAD + BODY.format(line="return V", draws="V=values", more="").replace("=F", "=()"),
            11,
            "bad.C1: no family is given",
        ),
        (
            HEAD + "from proofs_check import twin\ntwin('bad.C1', why='a name')\n",
            12,
            "expected the claim whose false variant",
        ),
        (HEAD + "raise SystemExit(0)\n", 11, "SystemExit"),
        (HEAD + BODY.format(line="return V", draws="V=values", more=', instances=["frozen"]'), 11, "no fixed model"),
        (HEAD + "def f(:\n", 11, "SyntaxError"),
        (HEAD + "1 / 0\n", 11, "ZeroDivisionError"),
    ],
)
def test_a_file_that_cannot_be_imported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], source: str, line: int, text: str
) -> None:
    file = tmp_path / "broken.py"
    file.write_text(source, encoding="utf-8")
    assert main(["verify", str(file), "--quick", "--workers", "1", "--no-mutants"]) == USAGE
    told = capsys.readouterr().err
    assert f"{file}:{line}: " in told and text in told
    assert "Traceback" not in told


def test_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = written(tmp_path, "return Inequality(ops.nrom(V), 1)")
    assert main(["verify", str(file), "--quick", "--workers", "1", "--no-mutants"]) == REFUTED
    assert "did you mean norm?" in capsys.readouterr().out
    for more in ([], ["--instance", "garnet[0]:0.3"]):
        assert main(["show", "bad.C1", "--file", str(file), *more]) == USAGE
        told = capsys.readouterr().err
        assert "did you mean norm?" in told and f"{file}:{HEAD.count(chr(10)) + 4}" in told
        assert "Traceback" not in told


def test_faults_of_the_engine_pass() -> None:
    claim: Any = SimpleNamespace(id="x.C1")
    with pytest.raises(EngineFault), reported(claim, 0, ValueError):
        raise EngineFault("two arithmetics")
