"""Colours: every ink on every paper that it is used on has the contrast of WCAG AA, in both themes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import proofs_check

CSS = (Path(proofs_check.__file__).parent / "report/static/style.css").read_text(encoding="utf-8")
PAIRS = {name: pair for name, *pair in re.findall(r"--([\w-]+): light-dark\((#\w{6}), (#\w{6})\);", CSS)}
PAPERS = ("paper", "sheet")
TEXTS = ("ink", "soft", "link", "visited")
VERDICTS = ("tight", "holds", "refuted", "open", "none")


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(a: str, b: str) -> float:
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_the_formula_is_wcag_s() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.478, abs=1e-3)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_texts_have_the_contrast_of_aa(theme: int) -> None:
    used = [(ink, paper) for ink in TEXTS for paper in PAPERS]
    used += [(word, f"{word}-paper") for word in VERDICTS]
    used += [(word, paper) for word in ("refuted", "open") for paper in PAPERS]  # headings of errata, notes
    for ink, paper in used:
        found = contrast(PAIRS[ink][theme], PAIRS[paper][theme])
        assert found >= 4.5, (ink, paper, found)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_borders_of_controls_focus_and_drawings_have_that_of_graphics(theme: int) -> None:
    for ink in ("edge", "focus", "tight", "holds", "refuted", "open", "link", "soft"):
        for paper in PAPERS:
            assert contrast(PAIRS[ink][theme], PAIRS[paper][theme]) >= 3, (ink, paper)


def test_every_colour_is_one_of_the_pairs() -> None:
    rules = CSS.partition("*, *::before")[2]
    assert set(re.findall(r"#[0-9a-fA-F]{3,8}\b", rules)) <= {"#fff", "#list"}  # under figures, and in print
    assert set(re.findall(r"var\(--([\w-]+)\)", rules)) <= PAIRS.keys() | {"serif", "sans", "mono", "math"}
    assert set(PAIRS) == set(re.findall(r"var\(--([\w-]+)\)", rules)) - {"serif", "sans", "mono", "math"}


def test_inks_of_verdicts_stand_on_their_own_papers() -> None:
    for ink, paper in re.findall(r"color: var\(--([\w-]+)\);[^}]*background: var\(--([\w-]+)\)", CSS):
        assert paper in PAPERS or paper == f"{ink}-paper", (ink, paper)


def test_nothing_is_fetched_and_focus_is_seen() -> None:
    assert "url(" not in CSS and "@import" not in CSS
    assert ":focus-visible" in CSS and "@media print" in CSS and "prefers-reduced-motion" in CSS
