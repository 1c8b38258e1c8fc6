"""Pages show the figures that `python -m figures` made: those that name a claim, and the plot of its tightness."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from figures import discovery
from figures.cli import main as make
from proofs_check.cli import OK, main
from proofs_check.report import figures

if TYPE_CHECKING:
    from conftest import Made
else:
    Made = Any

pytestmark = pytest.mark.xdist_group("report")
ROOT = Path(__file__).resolve().parents[3]


def images(made: Made, page: Path) -> dict[str, str]:
    """Alternative texts by source."""
    return {e.attrib["src"]: e.attrib["alt"] for e in made.parse(page).iter() if str(e.tag).endswith("}img")}


def test_figures_say_which_claims_they_show() -> None:
    for entry in discovery.entries():
        for claim in entry.constant("CLAIMS", ()):
            assert entry.name in [f.name for f in figures.showing(claim)], claim
    assert [f.name for f in figures.showing("mdvi.C8")] == ["mdvi_separation"] and figures.showing("mdvi.C1") == []


def test_a_figure_of_a_longer_key_is_not_that_of_the_shorter() -> None:
    keys = ["sac", "sac_v2", "mdvi"]
    assert [f.name for f in figures.of("planning", "sac", keys)] == ["sac_iteration"]
    assert [f.name for f in figures.of("planning", "sac_v2", keys)] == ["sac_v2_temperature"]
    assert [f.name for f in figures.of("planning", "sac", ["sac"])] == ["sac_iteration", "sac_v2_temperature"]


def test_pages_show_what_was_drawn(made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A figure, and a plot of tightness, as the command of figures writes them; a page has them with their captions."""
    monkeypatch.chdir(tmp_path)
    assert make(["best_of_n_divergence", "--quick", "--format", "svg"]) == 0
    assert make(["tightness", "best_of_n.C7", "--quick", "--format", "png"]) == 0
    assert main(["report", "best_of_n", "--out", "site"]) == OK
    site, drawn = tmp_path / "site", tmp_path / "results" / "figures"
    figure, plot = site / "figures/best_of_n_divergence.svg", site / "figures/best_of_n.C7.png"
    assert figure.read_bytes() == (drawn / figure.name).read_bytes()
    assert plot.read_bytes() == (drawn / "tightness" / plot.name).read_bytes()
    caption = (drawn / "best_of_n_divergence.txt").read_text(encoding="utf-8").partition("\n\n")[0]
    for page in ("papers/best_of_n.html", "claims/best_of_n.C1.html"):
        ((source, alt),) = images(made, site / page).items()
        assert source == "../figures/best_of_n_divergence.svg"
        assert alt.startswith("Divergence of the best of n") and alt.endswith(".")
        assert caption in made.text(site / page) and "python -m figures best_of_n_divergence" in made.text(site / page)
    page = site / "claims/best_of_n.C7.html"
    assert images(made, page) == {"../figures/best_of_n.C7.png": "How near best_of_n.C7 comes to its bound."}
    said = made.text(page)
    assert "Tightness of best_of_n.C7" in said and said.count("python -m figures tightness best_of_n.C7") == 1
    assert images(made, site / "claims/best_of_n.C4.html") == {}


def test_of_what_was_not_drawn_there_is_the_command(made: Made) -> None:
    page = made.site / "claims/mdvi.C8.html"
    assert images(made, page) == {} and "mdvi_separation : not drawn yet." in made.text(page)
    assert "python -m figures tightness mdvi.C8" in made.text(page)
    own = shlex.quote(f"{made.own}::own.C1")
    assert f"python -m figures tightness {own}" in made.text(made.site / "claims/own.C1.html")


def test_sharp_pictures_come_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "MADE", tmp_path)
    (tmp_path / "tightness").mkdir()
    for form in ("pdf", "png", "svg"):
        (tmp_path / "tightness" / f"mdvi.C1.{form}").touch()
        found = figures.tightness("mdvi.C1")
        assert found.href == {"pdf": "", "png": "figures/mdvi.C1.png", "svg": "figures/mdvi.C1.svg"}[form]
    assert found.caption == ""


def test_make_draws_what_pages_can_show() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    formats = re.findall(r"-m figures (?:all|tightness all) .*--format (\S+)", makefile)
    assert len(formats) == 2 and all(set(x.split(",")) & set(figures.FORMATS) for x in formats)
