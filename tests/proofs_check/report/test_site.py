"""The site as files: well-formed, no link into nothing, nothing from a network, the same bytes for the same store."""

from __future__ import annotations

import re
import shlex
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from proofs_check import digests, registry, runner, settle
from proofs_check.cli import OK, main
from proofs_check.report import command as report_command
from proofs_check.store import Store

if TYPE_CHECKING:
    from conftest import Made
else:
    Made = Any

pytestmark = pytest.mark.xdist_group("report")
FILTERS = {"q", "room", "verdict", "paper", "teeth"}


def attributes(made: Made, file: Path, *names: str) -> list[tuple[str, str, str]]:
    """Tag, attribute and value of all attributes of those names."""
    found = []
    for element in made.parse(file).iter():
        tag = str(element.tag).rpartition("}")[2]
        found += [(tag, name, element.attrib[name]) for name in names if name in element.attrib]
    return found


def broken(made: Made, site: Path) -> list[str]:
    """Every link of a site that leads nowhere, with the page that it stands on."""
    ids = {page: {v for _, _, v in attributes(made, page, "id")} for page in site.rglob("*.html")}
    options = {v for tag, _, v in attributes(made, site / "index.html", "value") if tag == "option"}
    wrong = []
    for page in ids:
        for tag, name, value in attributes(made, page, "href", "src"):
            url = urlsplit(value)
            if value == "data:,":  # no icon, and none asked for
                continue
            target = (page.parent / unquote(url.path)).resolve() if url.path else page
            if url.scheme or url.netloc or not target.is_file():
                wrong.append(f"{page.relative_to(site)}: <{tag} {name}={value!r}>")
            elif target.name == "index.html" and (given := parse_qs(url.fragment)):
                if not (given.keys() <= FILTERS and all(v[0] in options for v in given.values())):
                    wrong.append(f"{page.relative_to(site)}: no filter {value!r}")
            elif url.fragment and url.fragment not in ids[target]:
                wrong.append(f"{page.relative_to(site)}: no anchor {value!r}")
    return wrong


def test_every_page_is_html_that_a_strict_parser_takes(made: Made) -> None:
    assert len(made.pages()) > 60
    for page in made.pages():
        made.parse(page)


def test_no_link_is_broken_and_none_leads_out(made: Made) -> None:
    assert broken(made, made.site) == []


def test_the_checker_of_links_notices_what_is_broken(made: Made, tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text(
        '<!DOCTYPE html><html lang="en"><title>t</title><a href="gone.html">a</a><a href="#gone">b</a>'
        '<a href="https://example.org">c</a><img src="x.png" alt=""><a href="index.html#room=nowhere">d</a></html>',
        encoding="utf-8",
    )
    assert len(broken(made, tmp_path)) == 5


def test_pages_are_whole_and_say_what_they_show(made: Made) -> None:
    for page in made.pages():
        tree = made.parse(page)
        tags = [str(e.tag).rpartition("}")[2] for e in tree.iter()]
        assert tags.count("h1") == 1 and tags.count("main") == 1, page
        ids = [v for _, _, v in attributes(made, page, "id")]
        assert len(ids) == len(set(ids)), page
        for e in tree.iter():
            tag = str(e.tag).rpartition("}")[2]
            assert tag != "img" or e.attrib.get("alt"), page
            assert tag != "svg" or (e.attrib["role"] == "img" and e.attrib["aria-labelledby"].split()[0] in ids), page
            assert tag not in ("input", "select") or f'for="{e.attrib["id"]}"' in page.read_text(encoding="utf-8"), page
            assert not [name for name in e.attrib if str(name).startswith("on")], page
        named = [v for tag, _, v in attributes(made, page, "aria-labelledby") for v in v.split()]
        assert set(named) <= set(ids), page


def test_headings_descend_one_level_at_a_time(made: Made) -> None:
    for page in made.pages():
        levels = [int(m) for m in re.findall(r"<h([1-6])\b", page.read_text(encoding="utf-8"))]
        assert levels[0] == 1 and all(b <= a + 1 for a, b in pairwise(levels)), page


def test_what_users_wrote_is_text(made: Made) -> None:
    for page in (made.site / "claims/own.C1.html", made.site / "papers/file-1.html", made.site / "index.html"):
        text = page.read_text(encoding="utf-8")
        assert "alert(1)" in text and "<script>alert" not in text
        assert text.count("<script") == 1  # our own, by its file
    claim = (made.site / "claims/own.C1.html").read_text(encoding="utf-8")
    assert "&lt;b&gt;Nobody&lt;/b&gt; &amp; co." in claim
    other = (made.site / "claims/own.C1a.html").read_text(encoding="utf-8")
    assert "&lt;i&gt;each&lt;/i&gt;" in other and "half &lt;u&gt;of&lt;/u&gt; the bound" in other
    assert "&lt;em&gt;twice&lt;/em&gt;" in (made.site / "papers/file-1.html").read_text(encoding="utf-8")
    for page in made.pages():
        assert not re.search(r"<(b|i|u|em)>(Nobody|each|of|twice)", page.read_text(encoding="utf-8"))


def test_a_refuted_claim_shows_its_counterexample_and_what_is_right(made: Made) -> None:
    said = made.text(made.site / "claims/own.C1.html")
    assert "Refuted on 200 instances" in said and "What is false" in said and "C1a" in said
    assert "Counterexample, made smaller" in said and "MDP of 1 state and 1 state-action pair" in said


def test_a_tight_claim_shows_kappa_twins_mutants_and_how_to_repeat_it(made: Made) -> None:
    said = made.text(made.site / "claims/own.C1a.html")
    for part in (
        "Tight on 200 instances",
        "κ, on random instances",
        "κ, by attack",
        "Tightest instance",
        "Extremal instance of the attack",
        "half <u>of</u> the bound. Refuted at random_endings[0]:",
        "<em>twice</em>",
        f"proofs-check verify {shlex.quote(f'{made.own}::own.C1a')} --quick --seed 0",
        "--instance 'random_endings[0]:",
        "assumes nothing",
    ):
        assert part in said, part


def test_a_witness_is_drawn_and_a_claim_never_run_says_so(made: Made) -> None:
    assert "Witness, random_endings[0]:" in made.text(made.site / "claims/own.C2.html")
    said = made.text(made.site / "claims/mdvi.C1.html")
    assert "Not run. On record: holds." in said and "proofs-check verify mdvi.C1" in said
    assert "Pending." in made.text(made.site / "claims/best_of_n.C1.html")
    assert "The constants of K and M" in made.text(made.site / "claims/mdvi.C6.html")


def test_a_paper_has_its_claims_mutants_figures_and_bibtex(made: Made) -> None:
    page = made.site / "papers/mdvi.html"
    said = made.text(page)
    (paper,) = registry.load(["mdvi"])
    assert all(f"{e.id}.html" in page.read_text(encoding="utf-8") for e in paper.claims)
    assert "@" in said and paper.title in said and "mdvi_averaging" in said and "Mutants of its functions" in said


def test_results_of_before_and_counterexamples_as_drawn_are_shown_as_such(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(digests, "engine", lambda: "another")
    assert main(["report", str(made.own), "--store", str(made.store), "--out", str(tmp_path / "site")]) == OK
    said = made.text(tmp_path / "site/claims/own.C1a.html")
    assert "This is a result of before: the engine has changed since." in said
    assert "is not drawn" in said and "MDP of" not in said
    said = made.text(tmp_path / "site/claims/own.C1.html")
    assert "Smallest counterexample among those drawn" in said and "proofs-check show makes it smaller" in said
    assert "(an earlier one)" in made.text(tmp_path / "site/provenance.html")
    assert broken(made, tmp_path / "site") == []


def test_the_whole_registry_makes_a_page_of_each_paper_and_claim(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["report"]) == OK
    papers = registry.load()
    for paper in papers:
        assert (tmp_path / "report" / "papers" / f"{paper.key}.html").is_file()
        for entry in paper.claims:
            assert (tmp_path / "report" / "claims" / f"{entry.id}.html").is_file()
    index = (tmp_path / "report" / "index.html").read_text(encoding="utf-8")
    assert index.count("<li data-verdict") == sum(len(p.claims) for p in papers)
    assert "119 papers, 6 baselines and the foundations" in index
    assert "nothing was run yet" in index


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_the_same_store_gives_the_same_bytes_at_any_time_and_place(made: Made, tmp_path: Path) -> None:
    elsewhere = {"PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo"}
    done = made.command("report", *made.shown, *made.more, "--out", tmp_path / "b", cwd=tmp_path, **elsewhere)
    assert done.returncode == 0, done.stderr
    assert files(tmp_path / "b") == files(made.site)


def test_nothing_runs_and_no_clock_is_read(made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("the report ran something")

    for module, name in ((runner, "count"), (runner, "verify"), (runner, "recorded"), (settle.Settler, "__call__")):
        monkeypatch.setattr(module, name, never)
    monkeypatch.setattr("time.time", never)
    out = str(tmp_path / "site")
    assert main(["report", str(made.own), "foundations", "--store", str(made.store), "--out", out]) == OK


def test_the_date_is_that_of_the_store(made: Made) -> None:
    with Store(made.store) as store:
        began = max(float(run["began"]) for run in store.runs().values())
    day = datetime.fromtimestamp(began, UTC)
    assert f"Results of {day.day} {day:%B %Y}" in (made.site / "index.html").read_text(encoding="utf-8")


def test_a_report_replaces_one_and_touches_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["report", "mdvi", "sac", "--out", "site"]) == OK
    (tmp_path / "site" / "notes.txt").write_text("mine", encoding="utf-8")
    assert main(["report", "sac", "--out", "site"]) == OK
    assert not (tmp_path / "site/papers/mdvi.html").exists() and (tmp_path / "site/papers/sac.html").exists()
    assert (tmp_path / "site/notes.txt").read_text(encoding="utf-8") == "mine"


BAD = '''
from proofs_check import Inequality, claim, families, values

@claim(id="bad.C1", family=families.garnet(2, 2), draws={"V": values()})
def bad(ops, m, V):
    r"""V \\lessgtreqqless V."""
    return Inequality(V, V, axes=("s",))
'''


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("mdiv",), "did you mean mdvi"),
        (("nowhere.py",), "no file 'nowhere.py'"),
        (("bad.py",), r"the statement of bad.C1: 'V \\lessgtreqqless V' is no formula"),
        (("sac", "--store", "empty"), "--store empty holds no store"),
        (("sac", "--out", "full"), "something else than a report"),
        (("sac", "--out", "bad.py"), "a folder is needed"),
        (("sac", "--attacks", "bad.py"), "--attacks bad.py"),
        (("sac", "--attacks", "list.json"), "--attacks list.json"),
        (("sac", "--attacks", "damaged.json"), "holds no instance"),
        (("sac", "--results", "empty"), "no folder counterexamples"),
        (("sac", "--results", "damaged"), "--results"),
    ],
)
def test_what_will_not_do_is_said_before_anything_is_written(
    arguments: tuple[str, ...],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.py").write_text(BAD, encoding="utf-8")
    (tmp_path / "empty").mkdir()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("x", encoding="utf-8")
    (tmp_path / "list.json").write_text("[]", encoding="utf-8")
    damaged = '{"attacks": [{"id": "sac.C1", "instance": {"mdp": {"S": 2}, "draws": {}}}]}'
    (tmp_path / "damaged.json").write_text(damaged, encoding="utf-8")
    (tmp_path / "damaged" / "counterexamples").mkdir(parents=True)
    (tmp_path / "damaged" / "counterexamples" / "sac.C1.json").write_text("{}", encoding="utf-8")
    assert main(["report", *arguments]) == 3
    assert said in capsys.readouterr().err
    assert not (tmp_path / "report").exists() and files(tmp_path / "full") == {"thesis.tex": b"x"}


def test_without_its_libraries_it_says_which_extra_has_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(report_command, "NEEDED", ("jinja2", "no_such_module"))
    assert main(["report", "sac"]) == 3
    assert "report needs no_such_module: pip install 'tabular-proofs[report]'" in capsys.readouterr().err
