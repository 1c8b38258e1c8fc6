"""`python -m figures`: what is found, what is kept and found again, what is written, and what is refused with which exit code."""

from __future__ import annotations

import ast
import csv
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from figures import cli, discovery, keeping, making
from figures.discovery import Entry
from figures.making import Figure, Place
from figures.style import Style
from figures.table import Table
from proofs_check import registry

ROOT = Path(__file__).resolve().parents[2]
MODULE = '''"""mine: a line that rises."""
import numpy as np
from figures.table import Table
TITLE = "A rising line"
SECONDS = {"quick": 5, "paper": 900}
CLAIMS = ("mdvi.C1",)
QUICK = {"n": 3}
def compute(*, n=30): return Table({"x": np.arange(n)}, {"n": n})
def draw(table, style):
    fig, ax = style.figure()
    ax.plot(table.columns["x"], table.columns["x"], **style.line(0))
    return fig
def caption(table): return "A line of $n$ points."
'''


def fresh(code: str) -> str:
    """What code prints in a new interpreter."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def counted(calls: list[int], **more: Any) -> Figure:
    def compute(*, n: int) -> Table:
        calls.append(n)
        return Table({"x": np.arange(n), "name": np.array(["a"] * n)}, {"n": n, "tau": 0.5})

    def draw(table: Table, style: Style) -> Any:
        fig, ax = style.figure()
        ax.plot(table.columns["x"], table.columns["x"])
        return fig

    given: dict[str, Any] = {
        "draw": draw,
        "caption": lambda t: r"Error of 5 % at $\tau = 1$.",
        "code": draw,
        "arguments": {"n": 4},
    }
    given |= {"name": "counted", "title": "A title", "again": "python -m figures counted --quick"}
    return Figure(size="quick", compute=compute, **given | more)


@pytest.fixture
def room(tmp_path: Path) -> Path:
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "mine_line.py").write_text(MODULE)
    (folder / "mine_table.py").write_text('"""mine: numbers."""\ndef compute(): ...\n')
    (folder / "helpers.py").write_text("def other(): ...\n")
    return tmp_path


def test_figures_are_found_by_their_files_alone() -> None:
    code = (
        "import sys, figures, figures.discovery as d\nprint(len(d.entries()), [e.title for e in d.entries()][:0])\n"
        "print(*{'matplotlib', 'numba', 'scipy', 'numpy'} & set(sys.modules))"
    )
    said = fresh(code).splitlines()
    assert int(said[0].split()[0]) >= 14 and said[1] == ""


def test_import_figures_and_its_style_leave_matplotlib_out() -> None:
    code = "import figures, figures.style, figures.gridworld, figures.cli, sys; print('matplotlib' in sys.modules)"
    assert fresh(code).strip() == "False"


def test_entries_say_what_their_files_do(room: Path) -> None:
    line, table = discovery.entries(room)
    assert (line.room, line.name, line.title, line.drawn) == ("own", "mine_line", "A rising line", True)
    assert (table.name, table.title, table.drawn) == ("mine_table", "numbers", False)
    assert line.constant("SECONDS", {}) == {"quick": 5, "paper": 900} and line.constant("MISSING", 7) == 7
    assert discovery.claimed(room) == {"mdvi.C1"}
    with pytest.raises(ValueError, match="QUICK is to be written out"):
        (room / "own" / "mine_line.py").write_text(MODULE.replace('{"n": 3}', "dict(n=3)"))
        discovery.entries(room)[0].constant("QUICK", None)


def test_names_select_figures_rooms_and_papers(room: Path) -> None:
    names = lambda *words: [e.name for e in discovery.selected(words, room)]  # noqa: E731
    assert names("mine_line") == ["mine_line"] and names("own") == names("mine") == ["mine_line", "mine_table"]
    assert names("all") == ["mine_line"] and names("mine_table", "own") == ["mine_table", "mine_line"]
    with pytest.raises(discovery.Unknown, match="no figure 'mine_lime'; did you mean mine_line"):
        names("mine_lime")


@pytest.mark.parametrize("entry", discovery.entries(), ids=lambda e: e.name)
def test_modules_keep_the_contract(entry: Entry) -> None:
    names = {
        node.name
        for node in ast.parse(entry.file.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef)
    }
    assert ("draw" in names) == ("caption" in names)
    assert entry.title and not entry.title.endswith(".")
    assert isinstance(entry.constant("QUICK", None), dict)
    assert set(entry.constant("SECONDS", {})) <= {"quick", "paper"}


FIELD = {
    "fast_entropy_grid",
    "foundations_errors",
    "foundations_polytope",
    "foundations_times",
    "foundations_tightness",
}
"""Those that show no claim in particular."""


def test_figures_of_papers_name_claims_that_there_are() -> None:
    shown = {e.name: e.constant("CLAIMS", ()) for e in discovery.entries() if e.drawn and e.room != "deep"}
    known = {c.id for paper in registry.load() for c in paper.claims}
    assert {name for name, claims in shown.items() if not claims} == FIELD
    assert discovery.claimed() == {claim for claims in shown.values() for claim in claims} <= known


def test_tables_are_kept_under_code_and_arguments(tmp_path: Path) -> None:
    calls: list[int] = []
    place = Place(tmp_path, tmp_path / "store")
    assert making.estimate(counted(calls), place) == (None, "unknown")
    assert making.estimate(counted(calls, seconds=7.0), place) == (7.0, "stated")
    first = making.only(making.tables(counted(calls), place))
    assert making.estimate(counted(calls), place) == (0.0, "kept")
    again = making.only(making.tables(counted(calls), place))
    assert calls == [4]
    for name, x in first.columns.items():
        assert again.columns[name].dtype == x.dtype and again.columns[name].tolist() == x.tolist()
    assert dict(again.parameters) == {"n": 4, "tau": 0.5}
    seconds, how = making.estimate(counted(calls, arguments={"n": 5}), place)
    assert how == "earlier" and seconds is not None and seconds < 1
    making.tables(counted(calls, rests_on=("another claim",)), place)
    making.tables(counted(calls), place, fresh=True)
    assert calls == [4, 4, 4]
    assert len(list((tmp_path / ".kept").glob("counted.quick.*.npz"))) == 1  # those of other code are gone


def test_another_drawing_makes_no_table_old_and_another_computation_does(tmp_path: Path) -> None:
    def keys(source: str) -> Path:
        names: dict[str, Any] = {"__name__": "a_figure"}
        exec(source, names)
        return keeping.path(tmp_path, "mine", "quick", names["compute"], {"n": 3})

    assert keys(MODULE) == keys(MODULE.replace("ax.plot", "ax.step").replace("A line of", "One line of"))
    assert keys(MODULE) != keys(MODULE.replace("np.arange(n)", "np.arange(n) + 1"))


def test_several_tables_are_kept_and_written_by_their_names(tmp_path: Path) -> None:
    tables = (Table({"x": np.arange(2)}, {"a": 1}), Table({"y": np.array(["p", "q", "r"])}, {"b": "two"}))
    file = tmp_path / "several.quick.0.npz"
    keeping.save(file, tables, 2.5)
    found = keeping.load(file)
    assert found.seconds == 2.5 and isinstance(found.tables, tuple)
    assert [t.columns[n].tolist() for t, n in zip(found.tables, "xy", strict=True)] == [[0, 1], ["p", "q", "r"]]
    figure = SimpleNamespace(name="several", names=("numbers", "words"))
    files = making.write_tables(figure, found.tables, tmp_path)
    assert [f.name for f in files] == [
        "several_numbers.csv",
        "several_numbers.parquet",
        "several_words.csv",
        "several_words.parquet",
    ]
    figure.names = ("one",)
    with pytest.raises(ValueError, match="several has 2 tables and 1 names"):
        making.write_tables(figure, found.tables, tmp_path)


def test_a_damaged_table_is_named_and_left(tmp_path: Path) -> None:
    place, calls = Place(tmp_path, tmp_path / "store"), []
    making.tables(counted(calls), place)
    (file,) = (tmp_path / ".kept").glob("*.npz")
    file.write_bytes(b"no archive")
    with pytest.raises(keeping.Damaged, match=f"{file.name} is damaged, remove it"):
        making.tables(counted(calls), place)
    assert file.read_bytes() == b"no archive"
    assert making.estimate(counted(calls, arguments={"n": 9}), place) == (None, "unknown")


def test_parameters_are_numbers_and_strings(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="the parameter 'xs' is \\[1, 2\\]: expected a number or a string"):
        keeping.save(tmp_path / "a.quick.0.npz", Table({"x": np.arange(2)}, {"xs": [1, 2]}), 1.0)


def test_a_figure_comes_with_its_table_and_caption(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    files = making.make(counted([]), Style.of("icml", "single"), ["pdf", "svg"], Place(tmp_path, tmp_path / "store"))
    assert [f.name for f in files] == [f"counted.{x}" for x in ("csv", "parquet", "pdf", "svg", "txt", "tex")]
    assert all(f.stat().st_size for f in files) and not list(tmp_path.glob(".*.part"))
    with open(tmp_path / "counted.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    stored = pq.read_table(tmp_path / "counted.parquet").to_pylist()
    assert len(rows) == len(stored) == 4
    assert stored[3] == {"x": 3, "name": "a", "n": 4, "tau": 0.5}
    assert rows[3] == {k: str(x) for k, x in stored[3].items()}
    text, tex = ((tmp_path / f"counted.{x}").read_text(encoding="utf-8") for x in ("txt", "tex"))
    assert text.startswith("Error of 5 % at τ = 1.\n\nQuick size: python -m figures counted --quick.")
    assert (
        "icml2026, single column: 3.25 inches" in text
        and "Text in STIXGeneral, formulas in matplotlib's set stix." in text
    )
    assert tex.endswith("\nError of 5 \\% at $\\tau = 1$.\n") and tex.count("%") == 4


def test_without_pyarrow_it_is_said_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    said: list[str] = []
    files = making.make(counted([]), Style.of(), ["png"], Place(tmp_path, tmp_path / "store"), tell=said.append)
    assert [f.suffix for f in files] == [".csv", ".png", ".txt", ".tex"]
    assert said == ["no counted.parquet: Parquet needs pyarrow: pip install 'tabular-proofs[export]'"]


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    try:
        code = cli.main(words)
    except SystemExit as left:
        code = int(left.code or 0)
    out, err = capsys.readouterr()
    return code, out, err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["mdvi_averagin"], "no figure 'mdvi_averagin'; did you mean mdvi_averaging"),
        (["mdvi", "--venue", "neurps"], "no venue 'neurps': did you mean neurips"),
        (["mdvi", "--format", "pdff"], "no format 'pdff': did you mean pdf"),
        (["mdvi", "--column", "half"], "invalid choice: 'half'"),
        (["mdvi", "--font", "No Such Font"], "the font 'No Such Font' is not on this machine"),
        (["mdvi", "--quick", "--paper"], "not allowed with argument"),
        (["mdvi", "--out", str(Path(__file__))], "is a file, and a folder is needed"),
        ([], "required: NAME"),
        (["list", "mdvi"], "list takes no names"),
        (["mdvi", "--attacks", "a.json"], "--attacks is for tightness alone"),
        (["tightness"], "tightness of what? A claim, a paper, or all"),
        (["tightness", "mdvi.C999"], "no paper, claim or file 'mdvi.C999'"),
        (["tightness", "all", "mdvi"], "name no others beside them"),
        (["tightness", "mdvi.C1", "--attacks", str(Path(__file__))], "is not what attack --json prints"),
    ],
)
def test_usage_is_refused_with_3(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, *words)
    assert code == 3 and said in err and not out


def test_pgf_without_tex_is_refused_before_anything_runs(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    code, out, err = run(capsys, "mdvi", "--format", "pgf")
    assert code == 3 and "none is on the path: take pdf or svg" in err and not out


def test_list_names_every_figure(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "list")
    assert code == 0
    for e in discovery.entries():
        assert re.search(rf"^  {e.name} +\S", out, re.MULTILINE)
        assert e.drawn or f"{e.title} [table only]" in out


def test_a_figure_that_fails_does_not_stop_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*, n: int) -> Table:
        raise RuntimeError("no numbers today")

    made = iter([Figure("broken", "", "quick", broken, {"n": 1}), counted([])])
    monkeypatch.setattr(Figure, "of", classmethod(lambda cls, entry, size: next(made)))
    code, out, err = run(capsys, "mdvi", "--quick", "--out", str(tmp_path))
    assert code == 1 and "[1/2] broken: failed: no numbers today" in err and "1 of 2 failed: broken" in err
    assert out.splitlines() == [str(tmp_path / "counted.pdf")]
    assert err.startswith("2 figures: about 0 s and the drawing (2 of unknown length)")


def test_an_interrupted_run_goes_on_where_it_was(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []

    def stops(*, n: int) -> Table:
        raise KeyboardInterrupt

    def of(stop: bool) -> None:
        made = iter(
            [counted(calls), Figure("second", "", "quick", stops, {"n": 1}) if stop else counted(calls, name="second")]
        )
        monkeypatch.setattr(Figure, "of", classmethod(lambda cls, entry, size: next(made)))

    of(stop=True)
    code, _, err = run(capsys, "mdvi", "--quick", "--out", str(tmp_path))
    assert code == 130 and f"what was finished is kept in {tmp_path}" in err and calls == [4]
    of(stop=False)
    code, _, err = run(capsys, "mdvi", "--quick", "--out", str(tmp_path))
    assert code == 0 and "[1/2] counted: table kept" in err and calls == [4, 4]


def test_a_real_figure_is_made_and_repeats(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The quickest table; its files are the same from another folder."""
    files = []
    for name in ("one", "two"):
        code, _, err = run(capsys, "mdvi_averaging", "--quick", "--out", str(tmp_path / name))
        assert code == 0, err
        files.append({f.name: f.read_bytes() for f in (tmp_path / name).iterdir() if f.is_file()})
    assert files[0] == files[1] and "mdvi_averaging.csv" in files[0]


def test_the_estimate_is_said_in_words() -> None:
    assert cli.announced([(0.0, "kept"), (90.0, "earlier"), (None, "unknown")]).startswith(
        "3 figures: about 90 s and the drawing"
    )
    assert cli.time_of(600.0) == "about 10 min" and cli.time_of(None) == "nobody knows how long"
    assert json.loads(json.dumps(cli.USAGE)) == 3
