"""The registry as shipped is complete and consistent, and each fault of a file is named with its place."""

from __future__ import annotations

import ast
import sys
from importlib import resources
from pathlib import Path

import pytest

from proofs_check import registry
from proofs_check.registry import BASELINES, ClaimEntry, Paper, RegistryError, bibtex_keys, coverage, load

PAPER = {
    "number": "7",
    "key": '"demo"',
    "short": '"DEMO"',
    "title": '"A demonstration"',
    "room": '"planning"',
    "bibtex": '"@misc{demo, title={A {Demonstration}}, year={2020}}"',
}
CLAIM = {
    "id": '"demo.C1"',
    "kind": '"identity"',
    "statement": '"One is one."',
    "mark": '"derived"',
    "state": '"pending"',
}


def _write(folder: Path, paper: dict[str, str], *claims: dict[str, str], name: str = "demo.toml") -> Path:
    lines = [f"{field} = {value}" for field, value in paper.items()]
    for claim in claims:
        lines += ["", "[[claims]]", *(f"{field} = {value}" for field, value in claim.items())]
    path = folder / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _without(table: dict[str, str], field: str) -> dict[str, str]:
    return {name: value for name, value in table.items() if name != field}


@pytest.fixture(scope="module")
def papers() -> list[Paper]:
    return load()


# The registry as shipped


def test_numbers_are_complete_and_in_order(papers: list[Paper]) -> None:
    assert [paper.number for paper in papers[:BASELINES]] == list(range(BASELINES))
    assert {paper.label for paper in papers[BASELINES:]} <= {f"B{i}" for i in range(1, 7)}
    assert papers[0].key == registry.FOUNDATIONS


def test_every_file_is_a_paper_and_named_by_its_key(papers: list[Paper]) -> None:
    names = {entry.name for entry in resources.files("proofs_check").joinpath("papers").iterdir()}
    assert {f"{paper.key}.toml" for paper in papers} == names


def test_every_paper_but_the_foundations_has_claims_with_unique_ids(papers: list[Paper]) -> None:
    assert [paper.key for paper in papers[1:] if not paper.claims] == []
    ids = [entry.id for paper in papers for entry in paper.claims]
    assert len(ids) == len(set(ids))
    assert sum(coverage(papers).values()) == len(ids)


def test_claims_of_a_paper_are_numbered_without_gaps(papers: list[Paper]) -> None:
    """Ids are never reused and none is left out; a letter marks a companion of the number before it."""
    for paper in papers[1:]:
        labels = [entry.id.partition(".C")[2] for entry in paper.claims]
        numbers = [int(label) for label in labels if label.isdigit()]
        assert numbers == list(range(1, len(numbers) + 1)), paper.key
        assert {int(label[:-1]) for label in labels if not label.isdigit()} <= set(numbers), paper.key


def test_statements_are_one_short_line(papers: list[Paper]) -> None:
    for paper in papers:
        for entry in paper.claims:
            assert "\n" not in entry.statement and entry.statement.endswith("."), entry.id
            assert len(entry.statement) <= 300, entry.id


def test_bibtex_cites_the_paper_and_its_title(papers: list[Paper]) -> None:
    for paper in papers[1:]:
        assert bibtex_keys(paper.bibtex) == [paper.key]
        assert f"title={{{paper.title}}}" in paper.bibtex, paper.key
    foundations = bibtex_keys(papers[0].bibtex)
    assert len(foundations) == len(set(foundations)) >= 7


def test_titles_and_short_names_are_distinct(papers: list[Paper]) -> None:
    assert len({paper.title for paper in papers}) == len({paper.short for paper in papers}) == len(papers)


def test_every_room_has_a_paper(papers: list[Paper]) -> None:
    assert {paper.room for paper in papers} == set(registry.ROOMS)


def test_reading_the_registry_needs_the_standard_library_alone() -> None:
    tree = ast.parse(Path(registry.__file__).read_text(encoding="utf-8"))
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0 and node.module is not None
            names.add(node.module)
    assert {name.partition(".")[0] for name in names} <= set(sys.stdlib_module_names)


# The reader


def test_fields_arrive_as_written(tmp_path: Path) -> None:
    claim = {**CLAIM, "source": '"Theorem 1"', "state": '"not_checked"', "reason": '"Recalled only."'}
    _write(tmp_path, PAPER, CLAIM, {**claim, "id": '"demo.C1b"'})
    (paper,) = load(directory=tmp_path)
    first = ClaimEntry("demo.C1", "identity", "One is one.", "derived", "pending")
    second = ClaimEntry(
        "demo.C1b", "identity", "One is one.", "derived", "not_checked", "Theorem 1", None, "Recalled only."
    )
    bibtex = "@misc{demo, title={A {Demonstration}}, year={2020}}"
    assert paper == Paper(7, "demo", "DEMO", "A demonstration", "planning", bibtex, (first, second))


def test_keys_choose_papers_and_leave_other_files_unread(tmp_path: Path) -> None:
    _write(tmp_path, PAPER, CLAIM)
    (tmp_path / "broken.toml").write_text("= nonsense", encoding="utf-8")
    (tmp_path / "README.md").write_text("not a paper", encoding="utf-8")
    assert [paper.key for paper in load(["demo", "demo"], directory=tmp_path)] == ["demo"]
    assert load([], directory=tmp_path) == []


def test_papers_come_sorted_by_number() -> None:
    assert [paper.key for paper in load(["mdvi", "sac", "mocovi"])] == ["sac", "mocovi", "mdvi"]


def test_a_single_string_is_no_collection_of_keys() -> None:
    with pytest.raises(TypeError, match="'mdvi'"):
        load("mdvi")


def test_coverage_keeps_pending_and_not_checked_apart(tmp_path: Path) -> None:
    refused = {**CLAIM, "id": '"demo.C3"', "state": '"not_checked"', "reason": '"Needs a robot."'}
    _write(
        tmp_path,
        PAPER,
        CLAIM,
        {**CLAIM, "id": '"demo.C2"'},
        refused,
        {**CLAIM, "id": '"demo.C4"', "state": '"checked"', "verdict": '"tight"'},
    )
    assert coverage(load(directory=tmp_path)) == {"pending": 2, "checked": 1, "not_checked": 1}
    assert coverage([]) == {"pending": 0, "checked": 0, "not_checked": 0}


# Malformed files


def _rejects(folder: Path, field: str, problem: str, file: str = "demo.toml") -> None:
    with pytest.raises(RegistryError, match=problem) as caught:
        load(directory=folder)
    assert (caught.value.file, caught.value.field) == (file, field)
    assert str(caught.value).startswith(f"{file}: {field}: " if field else f"{file}: ")


@pytest.mark.parametrize("field", [*PAPER])
def test_a_missing_field_of_the_paper_is_named(tmp_path: Path, field: str) -> None:
    _write(tmp_path, _without(PAPER, field), CLAIM)
    _rejects(tmp_path, field, "missing field")


def test_a_paper_without_claims_says_so_by_an_empty_list(tmp_path: Path) -> None:
    _write(tmp_path, PAPER)
    _rejects(tmp_path, "claims", "missing field")
    _write(tmp_path, {**PAPER, "claims": "[]"})
    assert load(directory=tmp_path)[0].claims == ()


@pytest.mark.parametrize("field", [*CLAIM])
def test_a_missing_field_of_a_claim_is_named(tmp_path: Path, field: str) -> None:
    _write(tmp_path, PAPER, CLAIM, _without({**CLAIM, "id": '"demo.C2"'}, field))
    _rejects(tmp_path, f"claims[1].{field}", "missing field")


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("number", '"7"', "integer"),
        ("number", "true", "integer"),
        ("number", "-1", "integer"),
        ("number", "0", "foundations"),
        ("key", '"other"', "name of the file"),
        ("key", "3", "non-empty string"),
        ("short", '" "', "non-empty string"),
        ("title", "1", "non-empty string"),
        ("room", '"kitchen"', "'kitchen' is none of planning"),
        ("room", "[]", "none of"),
        ("bibtex", '""', "non-empty string"),
        ("bibtex", '"@misc{demo, title={A}"', "unbalanced braces"),
        ("bibtex", '"@misc{demo, title={A}} }"', "no BibTeX entry begins"),
        ("bibtex", '"@misc{other, title={A}}"', "one entry of key 'demo'"),
        ("bibtex", '"@misc{demo, a={A}} @misc{more, a={B}}"', "one entry of key 'demo'"),
        ("claims", '"none"', "array of tables"),
        ("claims", "[1]", "a table is wanted"),
        ("venue", '"somewhere"', "unknown field"),
    ],
)
def test_a_wrong_field_of_the_paper_is_named(tmp_path: Path, field: str, value: str, problem: str) -> None:
    claims = () if field == "claims" else (CLAIM,)
    _write(tmp_path, {**PAPER, field: value}, *claims)
    _rejects(tmp_path, "claims[0]" if value == "[1]" else field, problem)


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("id", "1", "non-empty string"),
        ("id", '"other.C1"', "does not start with 'demo.'"),
        ("id", '"demoC1"', "does not start with 'demo.'"),
        ("id", '"demo_x.C1"', "does not start with 'demo.'"),
        ("id", '"demo.C0"', "label"),
        ("id", '"demo.1"', "label"),
        ("id", '"demo.C1 "', "label"),
        ("kind", '"theorem"', "'theorem' is none of identity"),
        ("statement", '""', "non-empty string"),
        ("mark", '"(mem)"', "none of seen"),
        ("state", '"done"', "'done' is none of pending"),
        ("source", "1", "non-empty string"),
        ("reason", '"because"', "given, though demo.C1 is pending"),
        ("proof", '"obvious"', "unknown field"),
    ],
)
def test_a_wrong_field_of_a_claim_is_named(tmp_path: Path, field: str, value: str, problem: str) -> None:
    _write(tmp_path, PAPER, {**CLAIM, field: value})
    _rejects(tmp_path, f"claims[0].{field}", problem)


def test_checked_wants_a_verdict(tmp_path: Path) -> None:
    checked = {**CLAIM, "state": '"checked"'}
    _write(tmp_path, PAPER, checked)
    _rejects(tmp_path, "claims[0].verdict", r"missing, though demo\.C1 is checked")
    _write(tmp_path, PAPER, {**checked, "verdict": '"true"'})
    _rejects(tmp_path, "claims[0].verdict", "'true' is none of")


def test_not_checked_wants_a_reason(tmp_path: Path) -> None:
    refused = {**CLAIM, "state": '"not_checked"'}
    _write(tmp_path, PAPER, refused)
    _rejects(tmp_path, "claims[0].reason", r"missing, though demo\.C1 is not_checked")
    _write(tmp_path, PAPER, {**refused, "reason": '"  "'})
    _rejects(tmp_path, "claims[0].reason", "non-empty string")


def test_an_id_is_used_once(tmp_path: Path) -> None:
    _write(tmp_path, PAPER, CLAIM, {**CLAIM, "kind": '"rate"'})
    _rejects(tmp_path, "claims[1].id", r"duplicate id 'demo\.C1'")


def test_a_number_is_used_once(tmp_path: Path) -> None:
    _write(tmp_path, PAPER, CLAIM)
    second = {**PAPER, "key": '"more"', "bibtex": '"@misc{more, title={B}}"'}
    _write(tmp_path, {**second, "claims": "[]"}, name="more.toml")
    _rejects(tmp_path, "number", r"7 is taken by demo\.toml", file="more.toml")


def test_the_foundations_alone_have_number_zero_and_several_references(tmp_path: Path) -> None:
    entry = {**PAPER, "key": '"foundations"', "claims": "[]", "bibtex": '"@book{a, b={c}}\\n@book{d, e={f}}"'}
    _write(tmp_path, entry, name="foundations.toml")
    _rejects(tmp_path, "number", "0 belongs to", file="foundations.toml")
    _write(tmp_path, {**entry, "number": "0"}, name="foundations.toml")
    assert [paper.number for paper in load(directory=tmp_path)] == [0]


def test_a_key_is_an_identifier(tmp_path: Path) -> None:
    _write(tmp_path, {**PAPER, "key": '"a-b"'}, CLAIM, name="a-b.toml")
    _rejects(tmp_path, "key", "not a Python identifier", file="a-b.toml")


@pytest.mark.parametrize("content", [b"number = ", b'short = "\xff"'], ids=["syntax", "encoding"])
def test_an_unreadable_file_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "demo.toml").write_bytes(content)
    _rejects(tmp_path, "", "not readable as TOML")


def test_an_unknown_key_is_named(tmp_path: Path) -> None:
    _write(tmp_path, PAPER, CLAIM)
    with pytest.raises(RegistryError, match=r"^demon\.toml: no such paper"):
        load(["demo", "demon"], directory=tmp_path)


@pytest.mark.parametrize(
    ("source", "keys"),
    [
        ("", []),
        ("@misc{a,}", ["a"]),
        ("\n@Book{a:1, t={x {y} z}}\n\n@misc{b-2, t={}}\n", ["a:1", "b-2"]),
    ],
    ids=["none", "one", "two"],
)
def test_bibtex_keys_reads_nested_braces(source: str, keys: list[str]) -> None:
    assert bibtex_keys(source) == keys


@pytest.mark.parametrize("source", ["words", "@misc{}", "@misc{a}", "@misc{a, t={}}}", "@misc{a, t={"])
def test_bibtex_keys_refuses_anything_else(source: str) -> None:
    with pytest.raises(ValueError, match="BibTeX entr"):
        bibtex_keys(source)


def test_counts_of_a_paper_tell_the_card_s_claims_from_companions() -> None:
    paper = registry.load(["mdvi"])[0]
    found = registry.counts(paper)
    assert found["card"] == sum(e.id[-1].isdigit() for e in paper.claims) < len(paper.claims)
    assert sum(found[s] for s in registry.STATES) == len(paper.claims)
    assert sum(found[v] for v in registry.VERDICTS) == found["checked"]


def test_a_file_that_changes_is_read_again(tmp_path: Path) -> None:
    _write(tmp_path, PAPER, CLAIM)
    before = load(directory=tmp_path)
    assert load(directory=tmp_path) == before
    file = tmp_path / "demo.toml"
    file.write_text(file.read_text(encoding="utf-8").replace("title = ", 'title = "Later: " # '), encoding="utf-8")
    (paper,) = load(directory=tmp_path)
    assert paper.title == "Later: " and paper.claims == before[0].claims
