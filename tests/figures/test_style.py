"""Styles: what an eye that sees no colours, or a printer that has none, still tells apart; sizes, fonts and floors."""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import pytest

from figures import floors, fonts, venues
from figures.style import DASHES, MARKERS, MOST, PALETTE, Style

# Machado, Oliveira and Fernandes (2009), severity 1: what linear RGB becomes for who lacks one kind of cone.
DEFICIENT = {
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
WHITE = XYZ @ np.ones(3)


def linear(color: str) -> np.ndarray:
    """Linear RGB of sRGB."""
    x = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)


def lab(rgb: np.ndarray) -> np.ndarray:
    """CIE 1976 L*a*b*, white of D65."""
    t = XYZ @ np.clip(rgb, 0, 1) / WHITE
    f = np.where(t > (6 / 29) ** 3, np.cbrt(t), t / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def test_lightness_is_measured_right() -> None:
    np.testing.assert_allclose(lab(np.ones(3)), [100, 0, 0], atol=1e-3)
    np.testing.assert_allclose(lab(np.zeros(3)), [0, 0, 0], atol=1e-9)
    np.testing.assert_allclose(lab(linear("#FF0000")), [53.24, 80.09, 67.20], atol=0.05)


@pytest.mark.parametrize("eye", DEFICIENT)
def test_colours_differ_for_the_colour_blind(eye: str) -> None:
    """Fifteen units of CIELAB between any two, six times what is just noticed, whichever kind of cone is missing."""
    seen = [lab(np.array(DEFICIENT[eye]) @ linear(c)) for c in PALETTE]
    least = min(float(np.linalg.norm(a - b)) for a, b in combinations(seen, 2))
    assert least > 15, (eye, least)


def test_neighbours_and_the_first_three_differ_in_grey() -> None:
    """By lightness alone; the rest is told apart by dashes and markers."""
    light = [lab(linear(c))[0] for c in PALETTE]
    assert min(abs(a - b) for a, b in combinations(light[:3], 2)) > 20
    assert min(abs(a - b) for a, b in pairwise(light)) > 6
    assert max(light) < 75  # on white


def test_every_curve_has_a_look_of_its_own_without_colour() -> None:
    style = Style.of()
    looks = [style.line(i) for i in range(MOST)]
    assert len({x["marker"] for x in looks}) == MOST == len(MARKERS)
    assert len({str(x["linestyle"]) for x in looks[: len(PALETTE)]}) == len(DASHES) == len(PALETTE)
    assert len({(x["color"], str(x["linestyle"])) for x in looks}) == MOST
    assert "marker" not in style.line(0, marker=False)
    for i in (-1, MOST):
        with pytest.raises(ValueError, match=f"curve {i}: a figure tells {MOST} curves apart"):
            style.line(i)


@pytest.mark.parametrize(
    ("name", "single", "double"),
    [
        ("neurips", 5.5, 5.5),
        ("icml", 3.25, 6.75),
        ("iclr", 5.5, 5.5),
        ("jmlr", 6.0, 6.0),
        ("tmlr", 6.5, 6.5),
        ("aistats", 3.25, 6.75),
        ("colt", 6.0, 6.0),
        ("uai", 3.25, 6.75),
        ("aaai", 3.3125, 7.0),
        ("aaai2024", 3.3, 6.975),
        ("rlc", 5.5, 5.5),
        ("beamer", 4.96, 4.96),
    ],
)
def test_figures_are_as_wide_as_the_column(name: str, single: float, double: float) -> None:
    for column, width in (("single", single), ("double", double)):
        style = Style.of(name, column)
        fig, axes = style.figure(1, 2)
        assert fig.get_figwidth() == pytest.approx(width, abs=0.01) and axes.shape == (2,)
        assert fig.get_figheight() <= style.tallest
        assert style.venue.source and 5 < style.small <= style.size <= 10


def test_every_venue_and_edition_has_a_style() -> None:
    for name in venues.names():
        assert Style.of(name).width > 3
    assert Style.of("neurips").venue.name == "neurips2026"


def test_what_is_no_venue_or_column_is_refused() -> None:
    with pytest.raises(ValueError, match="no venue 'neurps': did you mean neurips"):
        Style.of("neurps")
    with pytest.raises(ValueError, match=r"no venue 'xyzzy'\. There are aaai, aistats, beamer"):
        Style.of("xyzzy")
    with pytest.raises(ValueError, match="column is 'half': expected one of single, double"):
        Style.of("icml", "half")


def test_panels_get_the_room_that_there_is() -> None:
    style = Style.of("neurips")
    assert [style.grid(n) for n in (1, 2, 3, 4, 7)] == [(1, 1), (1, 2), (1, 3), (2, 2), (3, 3)]
    assert Style.of("icml", "single").grid(3) == (2, 2)
    fig, _ = style.figure(30, 1, 1.0)
    assert fig.get_figheight() == style.tallest


def test_a_missing_font_is_an_error_that_names_it() -> None:
    style = Style.of(font="Tmes New Roman No9 L")
    with pytest.raises(
        fonts.MissingFont, match=r"'Tmes New Roman No9 L' is not on this machine.* Always there: STIXGeneral"
    ):
        style.figure()
    with pytest.raises(fonts.MissingFont, match="'serif' is a kind of font, not one"):
        fonts.require("serif")
    with pytest.raises(fonts.MissingFont, match="near it: DejaVu Sans"):
        fonts.require("DejaVu San")


def test_text_in_another_font_is_noticed() -> None:
    fig, ax = Style.of().figure()
    ax.set_title("a title", fontfamily="cmr10")
    assert fonts.used(fig) == ["STIXGeneral", "cmr10"]
    ax.set_title("a title", fontfamily="No Such Font")
    with pytest.raises(fonts.MissingFont, match="No Such Font"):
        fonts.used(fig)


def test_a_style_changes_nothing_outside() -> None:
    import matplotlib

    before = dict(matplotlib.rcParams)
    with matplotlib.rc_context({"lines.linewidth": 9.0, "text.color": "red"}), Style.of().context():
        assert matplotlib.rcParams["lines.linewidth"] == 1.1 and matplotlib.rcParams["text.color"] == "black"
        assert matplotlib.rcParams["pdf.fonttype"] == 42 == matplotlib.rcParams["ps.fonttype"]
    assert dict(matplotlib.rcParams) == before


def test_zeros_stand_on_the_rounding_floor() -> None:
    style = Style.of()
    with style.context():
        _, ax = style.figure()
        style.errors(ax, range(5), [1, 1e-3, 1e-16, 0, 0], 1e-12, 2, label="error")
        style.errors(ax, range(5), [1, 1e-1, 1e-2, 1e-3, 1e-4], 1e-14, 3)
    curve, hollow = ax.lines[0], ax.lines[1]
    assert curve.get_ydata().tolist() == [1, 1e-3, 1e-12, 1e-12, 1e-12]
    assert hollow.get_xdata().tolist() == [2, 3, 4] and hollow.get_markerfacecolor() == "white"
    drawn = [x for x in ax.lines if x.get_gid() == "floor"]
    assert len(drawn) == 1 and drawn[0].get_ydata()[0] == 1e-12  # the higher of two
    assert ax.get_yscale() == "log" and 0 < ax.get_ylim()[0] < 1e-12
    assert [t.get_text() for t in ax.texts] == ["rounding"]


@pytest.mark.parametrize(
    ("errors", "floor", "message"),
    [
        ([1.0, -1e-20], 1e-12, r"errors\[1\] is -1e-20: expected none below zero"),
        ([1.0], 0.0, "the rounding floor is 0.0: expected positive"),
        ([1.0], np.nan, "the rounding floor is nan"),
        ([[1.0]], 1e-12, r"errors have shape \(1, 1\)"),
    ],
)
def test_floors_refuse(errors, floor: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        floors.pin(errors, floor)


def test_one_legend_has_each_label_once_and_fits() -> None:
    style = Style.of("icml", "single")
    with style.context():
        fig, axes = style.figure(2, 1)
        for ax in axes:
            for i in range(6):
                ax.plot([0, 1], [i, 0], label=f"a method of some length {i}", **style.line(i))
        legend = style.legend(fig, axes)
        fig.draw_without_rendering()
    assert [t.get_text()[-1] for t in legend.get_texts()] == list("012345")
    assert legend.get_window_extent().width <= fig.bbox.width
    with pytest.raises(ValueError, match="no curve has the label 'x'"):
        style.legend(fig, axes, titles=["x"])
    assert style.legend(*style.figure()) is None
