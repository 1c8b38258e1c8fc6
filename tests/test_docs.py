"""The pages of docs/ keep their word: their examples run, and they know every operator, draw, family, verdict and exit code."""

from __future__ import annotations

import argparse
import ast
import doctest
import inspect
import math
import re
from pathlib import Path
from types import ModuleType

import pytest

import proofs_check
from proofs_check import (
    addresses,
    cli,
    draws,
    evidence,
    families,
    kinds,
    runner,
    settle,
    shrink,
    verdict,
    weighing,
    weighing_ranges,
)
from proofs_check.statistics import eprocess
from proofs_check.tables import COLOURS
from tabular.reference import BallOps, Ops, RationalOps, operators

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs").glob("*.md"))
WITH_EXAMPLES = [page for page in PAGES if "\n>>> " in page.read_text(encoding="utf-8")]


def text(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def public(cls: type | ModuleType) -> set[str]:
    """Names of the functions that a class or a module defines for others."""
    home = cls.__name__ if isinstance(cls, ModuleType) else cls.__module__
    return {
        name
        for name, x in vars(cls).items()
        if not name.startswith("_") and inspect.isfunction(x) and x.__module__ == home
    }


def first_cells(page: str, headings: str) -> set[str]:
    """The names in the first column of the table below a row of headings, arguments apart."""
    rows = text(page).split(f"{headings}\n", 1)[1].split("\n\n", 1)[0].splitlines()[1:]
    return {row.split("|")[1].strip().strip("`").split("(")[0] for row in rows}


def test_there_are_pages_with_examples() -> None:
    assert {"ops.md", "regularizers.md", "verdicts.md", "claims.md"} <= {page.name for page in WITH_EXAMPLES}


@pytest.mark.parametrize("page", WITH_EXAMPLES, ids=lambda page: page.name)
def test_examples_run(page: Path) -> None:
    result = doctest.testfile(str(page), module_relative=False, encoding="utf-8", optionflags=doctest.ELLIPSIS)
    assert result.attempted > 10
    assert result.failed == 0


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_resolve(page: Path) -> None:
    content = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", content):
        file, _, anchor = target.partition("#")
        assert target.startswith("http") or (page.parent / file).exists(), target
        if anchor and not target.startswith("http"):
            linked = content if not file else (page.parent / file).read_text(encoding="utf-8")
            titles = re.findall(r"^#+ (.*)$", linked, re.MULTILINE)
            assert anchor in {re.sub(r"[^\w\- ]", "", t).lower().replace(" ", "-") for t in titles}, target


def test_every_operator_is_on_the_page_and_nothing_else() -> None:
    named = set(re.findall(r"\bops\.([a-z]\w*)", text("ops.md")))
    extra = {name for cls in (BallOps, RationalOps) for name in ("radius", "fractions") if hasattr(cls, name)}
    assert public(Ops) <= named, public(Ops) - named
    assert named <= public(Ops) | extra, named - public(Ops) - extra


def test_every_operator_has_a_row() -> None:
    rows = [line for line in text("ops.md").splitlines() if line.startswith("| `ops.")]
    cells = {name for row in rows for name in re.findall(r"\bops\.(\w+)", row.split(" | ")[0])}
    assert public(Ops) <= cells, public(Ops) - cells


def test_every_formula_is_on_the_page() -> None:
    missing = [name for name in public(operators) if not re.search(rf"`(ops\.)?{name}[`(]", text("ops.md"))]
    assert not missing


@pytest.mark.parametrize("source", [Ops, operators, draws, families], ids=lambda x: x.__name__)
def test_public_functions_say_what_they_do(source: type | ModuleType) -> None:
    assert [name for name in public(source) if not inspect.getdoc(getattr(source, name))] == []


def test_draws_and_families_are_listed() -> None:
    drawn = {name for name in proofs_check.__all__ if _returns(getattr(proofs_check, name), "Draw")}
    assert drawn and first_cells("ops.md", "| draw | shape | meaning |") == drawn
    made = {name for name in families.__all__ if _returns(getattr(families, name), "Family")}
    assert made and first_cells("ops.md", "| family | models |") == made


def _returns(x: object, annotation: str) -> bool:
    return inspect.isfunction(x) and x.__annotations__.get("return") == annotation


def test_every_verdict_is_explained() -> None:
    headings = "| verdict | of an inequality or an identity |"
    assert first_cells("verdicts.md", headings) == set(COLOURS)


def test_the_code_knows_no_other_verdict() -> None:
    said: set[str] = set()
    for name in ("verdict", "weighing", "weighing_ranges"):
        tree = ast.parse((ROOT / "proofs_check" / f"{name}.py").read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign) and [getattr(t, "id", "") for t in node.targets] == ["verdict"]:
                said |= _strings(node.value)
            elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Weighed":
                said |= _strings(node.args[0])
    assert said | {"fault"} == set(COLOURS)


def _strings(node: ast.expr) -> set[str]:
    """The constants that an expression may come to."""
    if isinstance(node, ast.IfExp):
        return _strings(node.body) | _strings(node.orelse)
    return {node.value} if isinstance(node, ast.Constant) and isinstance(node.value, str) else set()


def test_every_kind_of_evidence_is_explained() -> None:
    weighed = {kind.__name__ for kind in evidence.Evidence.__args__} - {"Inequality", "Identity"}
    assert first_cells("verdicts.md", "| evidence | `holds` | `refuted` | else `undecided` |") == weighed


def test_every_kind_of_evidence_has_an_example_that_runs() -> None:
    examples = text("claims.md").split("## Seven kinds of evidence", 1)[1].split("\n## ", 1)[0].split("\n**`")[1:]
    kinds = {kind.__name__ for kind in evidence.Evidence.__args__}
    assert {e.split("(")[0] for e in examples} == kinds and len(kinds) == 7
    for example in examples:
        assert re.search(rf">>> @claim(.|\n)*\n\.\.\. .*return {example.split('(')[0]}\((.|\n)*said\(", example), (
            example
        )
        fields = set(inspect.signature(getattr(evidence, example.split("(")[0])).parameters) - {"axes"}
        missing = [f for f in fields if not re.search(rf"\b{f}\b", example)]
        assert not set(missing) - {"instance", "x"}, missing


# Modules whose constants decide verdicts, and how the page writes those that are no plain numbers.
DECIDE = {
    "addresses": addresses,
    "verdict": verdict,
    "runner": runner,
    "settle": settle,
    "kinds": kinds,
    "eprocess": eprocess,
    "weighing": weighing,
    "weighing_ranges": weighing_ranges,
    "shrink": shrink,
}
WRITTEN = {"log 20": math.log(20), "log 10⁶": math.log(1e6), "1/20": 1 / 20, "10⁻⁶": 1e-6}
INSIDE = {  # codes, rounding, the steps of shrinking and the order of a hunt: nothing that a verdict's reader could ask for
    "kinds": {"GOOD", "BAD", "NEITHER", "OPEN"},
    "eprocess": {"RUIN", "U"},
    "shrink": {"COARSE", "SIGNIFICANT"},
    "weighing": {"HOLDS", "REFUTES"},
    "weighing_ranges": {"BAD", "GOOD", "NEITHER", "LEVEL", "SAME"},
    "runner": {"CHUNK", "LATER", "RATIONAL_STATES", "ALONE", "FEW"},
}


def test_every_constant_that_decides_is_on_the_page_with_its_value() -> None:
    rows = (
        text("verdicts.md").split("| constant | value | what it decides |\n", 1)[1].split("\n\n", 1)[0].splitlines()[1:]
    )
    said = {cells[1].strip().strip("`"): cells[2].strip() for cells in (row.split("|") for row in rows)}
    there = {
        f"{name}.{constant}": value
        for name, module in DECIDE.items()
        for constant, value in vars(module).items()
        if constant.isupper()
        and not constant.startswith("_")
        and not isinstance(value, bool)
        and isinstance(value, (int, float, tuple))
        and constant not in INSIDE.get(name, ())
    }
    assert said.keys() == there.keys()
    for name, value in there.items():
        numbers = [WRITTEN[said[name]]] if said[name] in WRITTEN else _numbers(said[name])
        assert numbers == (list(value) if isinstance(value, tuple) else [value]), name


def _numbers(cell: str) -> list[float]:
    return [float(x.replace(",", "")) for x in cell.split(", ")]


def test_every_command_and_option_is_on_the_page_and_nothing_else() -> None:
    table = text("verdicts.md").split("| command | option | meaning |\n", 1)[1].split("\n\n", 1)[0].splitlines()[1:]
    said: dict[str, set[str]] = {}
    command = ""
    for row in table:
        cells = row.split("|")
        command = cells[1].strip().strip("`") or command
        said.setdefault(command, set()).update(re.findall(r"`(--[\w-]+)", cells[2]))
    (commands,) = (a for a in cli.parser()._actions if isinstance(a, argparse._SubParsersAction))
    there = {
        name: {o for a in sub._actions for o in a.option_strings if o.startswith("--")} - {"--help"}
        for name, sub in commands.choices.items()
    }
    assert said == there
    every = {o for a in cli.parser()._actions for o in a.option_strings if o.startswith("--")}
    assert all(f"`{o}`" in text("verdicts.md") for o in every)


def test_exit_codes_are_explained_everywhere() -> None:
    codes = {str(c) for c in (cli.OK, cli.REFUTED, cli.UNDECIDED, cli.USAGE, cli.INTERRUPTED)}
    assert first_cells("verdicts.md", "| code | meaning |") == codes
    assert set(re.findall(r"^  (\d+)  ", cli.EXITS, re.MULTILINE)) == codes


def test_budgets_are_the_runner_s() -> None:
    for budget in runner.BUDGETS.values():
        row = f"| {budget.instances:,} | {budget.fixed} | {budget.large} |"
        assert row in text("verdicts.md"), row


def test_precisions_are_the_settler_s() -> None:
    page = " ".join(text("verdicts.md").split())
    assert f"balls** of {settle.LADDER[0]} to {settle.LADDER[-1]} bits" in page
    assert f"followed to {settle.TIE_PRECISION} bits, the first of each family to {settle.LADDER[-1]}" in page
    assert f"more than {settle.RATIONAL_STATES} states" in page
    assert f"a chunk of at most {addresses.LATER} instances" in page


@pytest.mark.parametrize("arguments", [["--help"], ["verify", "--help"]], ids=" ".join)
def test_help_names_the_exit_codes(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(arguments) == cli.OK
    assert cli.EXITS.strip() in capsys.readouterr().out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    from tabular import __version__

    assert cli.main(["--version"]) == cli.OK
    assert capsys.readouterr().out == f"proofs-check {__version__}\n"
