"""Captions as text and as TeX: nothing of TeX is left in the one, and nothing that TeX would misread in the other."""

from __future__ import annotations

import pytest

from figures.captions import CaptionError, plain, tex


@pytest.mark.parametrize(
    ("formula", "text"),
    [
        (r"\|V^* - V_k\|_\infty", "‖V* - V_k‖_∞"),
        (r"\bar\pi_{t+1}", "π\u0304_(t+1)"),
        (r"\frac{1}{2}", "1/2"),
        (r"\frac12", "1/2"),
        (r"\frac{S A}{n}", "(S A)/(n)"),
        (r"10^{-3} \le \tau \le 2^{8}", "10^(-3) ≤ τ ≤ 2^8"),
        (r"\sqrt{MA/K}/4", "√(MA/K)/4"),
        (r"\mathcal{H}(\hat d) \cdot \log 2", "H(d\u0302) · log 2"),
        (r"\{0, 1\}", "{0, 1}"),
        (r"\lambda = 0.1", "λ = 0.1"),
    ],
)
def test_formulas_are_said_in_letters(formula: str, text: str) -> None:
    assert plain(f"x ${formula}$ y") == f"x {text} y"
    assert tex(f"x ${formula}$ y") == f"x ${formula}$ y"


def test_what_stands_outside_is_escaped() -> None:
    said = "5 % of A_b & {c} #1, “so” – ‖"
    assert tex(said) == r"5 \% of A\_b \& \{c\} \#1, ``so'' -- ‖"
    assert plain(said) == said


@pytest.mark.parametrize("caption", ["a $x", "$a$ and $b", "$"])
def test_formulas_are_closed(caption: str) -> None:
    for convert in (plain, tex):
        with pytest.raises(CaptionError, match="a formula is not closed"):
            convert(caption)


def test_what_is_not_known_is_refused() -> None:
    with pytest.raises(CaptionError, match=r"\\unknown in \$\\unknown x\$ is no command"):
        plain(r"$\unknown x$")
    with pytest.raises(CaptionError, match="a backslash outside of a formula"):
        tex(r"see \tau")
