"""Files of figures: the same bytes twice, fonts as Type 42, no letters that are missing; and what nobody would submit is found."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from figures import saving
from figures.style import Style

ROOT = Path(__file__).resolve().parents[2]
FORMS = ("pdf", "svg", "png")


def sample(style: Style):
    with style.context():
        fig, axes = style.figure(1, 2)
        x = np.arange(1, 30)
        for i in range(3):
            style.errors(axes[0], x, 2.0 ** (-x * (i + 1)), 1e-12, i, label=f"method {i}")
            style.band(axes[1], x, x - 1, x + 1, i)
            axes[1].plot(x, x, **style.line(i), label=f"method {i}")
        axes[0].set(xlabel="iterations $k$", ylabel=r"$\|V^* - V_k\|_\infty$")
        style.legend(fig, axes)
    return fig


def test_the_same_figure_is_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one process and another, and whatever day SOURCE_DATE_EPOCH says it is."""
    style = Style.of("icml")
    first = {form: saving.as_bytes(sample(style), form, style, title="a figure") for form in FORMS}
    assert all(len(data) > 5000 for data in first.values())
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\nfrom pathlib import Path\nfrom test_saving import sample\n"
        "from figures import saving\nfrom figures.style import Style\nstyle = Style.of('icml')\n"
        "for form in sys.argv[3:]:\n"
        "    Path(sys.argv[2], form).write_bytes(saving.as_bytes(sample(style), form, style, title='a figure'))"
    )
    day = {"SOURCE_DATE_EPOCH": "86400"}
    done = subprocess.run(
        [sys.executable, "-c", code, str(Path(__file__).parent), str(tmp_path), *FORMS],
        env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo"} | day,
        capture_output=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr.decode()
    for form, data in first.items():
        assert (tmp_path / form).read_bytes() == data, form
    monkeypatch.setenv(*day.popitem())
    assert saving.as_bytes(sample(style), "pdf", style, title="a figure") == first["pdf"]


def test_pdf_has_its_fonts_inside_as_type_42_and_says_which() -> None:
    style = Style.of()
    data = saving.as_bytes(sample(style), "pdf", style, title="Named")
    assert b"/Type3" not in data and b"/CIDFontType2" in data and b"/FontFile2" in data
    assert b"STIXGeneral" in data and b"/Title (Named)" in data and b"CreationDate" not in data


def test_svg_has_its_text_as_paths() -> None:
    style = Style.of()
    data = saving.as_bytes(sample(style), "svg", style, title="Named").decode()
    assert "<text" not in data and "<dc:date>" not in data and "text in STIXGeneral" in data


def test_a_letter_that_the_font_lacks_is_an_error() -> None:
    style = Style.of(font="cmr10")
    with style.context():
        fig, ax = style.figure()
        ax.set_title("ж")
    with pytest.raises(saving.Unreadable, match=r"Glyph 1078.*the font is cmr10"):
        saving.as_bytes(fig, "pdf", style)


def test_pgf_without_tex_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    style = Style.of()
    with pytest.raises(saving.NoTeX, match="pgf needs one of lualatex, xelatex, pdflatex to measure its text"):
        saving.as_bytes(sample(style), "pgf", style)


def test_a_good_figure_has_no_faults() -> None:
    assert saving.faults(sample(Style.of("icml"))) == []


def test_faults_are_found() -> None:
    style = Style.of("icml", "single")
    with style.context():
        fig, ax = style.figure()
        ax.text(1.2, 0.5, "far out", transform=ax.transAxes).set_in_layout(False)
        ax.text(0.5, 0.5, "tiny", fontsize=4)
        ax.set_xticks([0.5, 0.505], ["first label", "second label"])
        small = fig.add_axes((0.3, 0.3, 0.05, 0.05))
        small.set(xticks=[], yticks=[])
    said = "\n".join(saving.faults(fig))
    assert "'far out' reaches" in said and "'tiny' is set in 4.0 points" in said
    assert "labels of panel 0 overlap on the axis x: 'first label' and 'second label'" in said
    assert "panel 1 is 0.16 by 0.10 inches" in said


def test_what_is_not_drawn_is_no_fault() -> None:
    style = Style.of()
    with style.context():
        fig, axes = style.figure(1, 2)
        axes[0].set(xticks=[0, 0.1, 5], xticklabels=["0", "0.1", "a label far beyond the limits"])
        axes[0].set_xlim(0, 0.1)
        axes[1].set_axis_off()
        axes[1].set_xlabel("not seen", fontsize=2)
    assert saving.faults(fig) == []
