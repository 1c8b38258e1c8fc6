"""Statements become prose and MathML: where formulas begin, what they become, and that nothing slips through raw."""

from __future__ import annotations

import re
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofs_check import registry
from proofs_check.report.breaks import pieces
from proofs_check.report.formulas import FormulaError, latex, mathml
from proofs_check.report.marks import StatementError, powers, source, statement
from proofs_check.report.prose import MATH, runs

ENTRIES = [entry for paper in registry.load() for entry in paper.claims]


def parsed(html: str) -> object:
    import html5lib

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return html5lib.HTMLParser(strict=True).parse(
            f"<!DOCTYPE html><html><title>t</title><body><p>{html}</p></html>"
        )


def read(text: str) -> str:
    """Formulas in brackets, those that are broken in one."""
    return "".join(f"[{r.text}]" if r.kind == MATH else r.text for r in runs(text)).replace("][", " ")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sp(R)", r"\operatorname{sp}(R)"),
        ("2^20", "2^{20}"),
        ("γ²", "γ^{2}"),
        ("V*(s)", "V^*(s)"),
        ("V*_0", "V_0^*"),
        ("h*Q", "h*Q"),
        ("π_old", r"π_{\mathrm{old}}"),
        ("π_0q^{kτ}", "π_0q^{kτ}"),
        ("√(SAK)", r"\sqrt{SAK}"),
        ("√T", r"\sqrt{T}"),
        ("Õ(H³)", r"\tilde O(H^{3})"),
        ("H̄", r"\bar H"),
        ("Σ_{t}r", r"\sum _{t}r"),
        ("(a−µ)ᵀΣ⁻¹", r"(a−μ)^{\top}\Sigma ^{-1}"),
        ("{0,1}^k", r"\{0,1\}^k"),
        (r"\hat D(x)", r"\hat D(x)"),
        (r"\mathrm{span}(v)", r"\mathrm{span}(v)"),
        (r"\frac12", r"\frac 12"),
        (r"\sqrt{KL}", r"\sqrt{KL}"),
        (r"KL(p \| q)", r"\operatorname{KL}(p \| q)"),
        ("k + ... + n", r"k + \dots + n"),
        ("Q1", "Q_{1}"),
        ("nVar(x)", r"n \operatorname{Var}(x)"),
    ],
)
def test_latex_of_what_is_written(text: str, expected: str) -> None:
    assert latex(text) == expected
    mathml(latex(text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r"V \le W implies TV \le TW, state by state.", r"[V \le W] implies [TV \le TW], state by state."),
        (r"With probability 1 - \delta, for all k.", r"With probability [1 - \delta], for all [k]."),
        (r"\gamma-contraction and a \gamma-contraction", r"[\gamma]-contraction and a [\gamma]-contraction"),
        (r"for every s and a, with M = 2 states", "for every [s] and [a], with [M = 2] states"),
        (r"A policy of A actions. A = 4.", "A policy of [A] actions. [A = 4]."),
        (r"at most 34 D S \sqrt{A T} epochs, 19 of 20", r"at most [34 D S \sqrt{A T}] epochs, 19 of 20"),
        (r"(both sides: 2/\delta).", r"(both sides: [2/\delta])."),
        (r"uniform on (0, \zeta), here", r"uniform on [(0, \zeta)], here"),
        (r"r = (1, 1/2, 0) and \tau", r"[r = (1, 1/2, 0)] and [\tau]"),
        (r"the root H(x) = \bar H, C2a and KL alone", r"the root [H(x) = \bar H], C2a and KL alone"),
        (r"\max \{q u : q \le w\} of the set's end", r"[\max \{q u : q \le w\}] of the set’s end"),
        (
            "For π_a < e^{−h} the UCBVI-CH regret is Õ(√(SAT)).",
            r"For [π_a < e^{−h}] the UCBVI-CH regret is [\tilde O(\sqrt{SAT})].",
        ),
        ("the gap is 0.5 and $a$ or $the \\alpha$ b", r"the gap is 0.5 and [a] or [\mathrm{the} \alpha] [b]"),
        ("k = 1, ..., K", r"[k = 1], [\dots], [K]"),
    ],
)
def test_where_formulas_begin_and_end(text: str, expected: str) -> None:
    assert read(text) == expected


@pytest.mark.parametrize("text", [r"\foo x", r"\frac{1}{2", "x^2^3", r"\begin{matrix} a", r"a_{b", r"\left( x"])
def test_what_is_no_formula_is_an_error_that_names_the_claim(text: str) -> None:
    with pytest.raises(StatementError, match=r"own\.C7"):
        statement(f"It is ${text}$.", "own.C7")


def test_no_statement_of_the_registry_is_left_raw() -> None:
    assert len(ENTRIES) > 900
    for entry in ENTRIES:
        made = str(statement(entry.statement, entry.id))
        shown = re.sub(r"<annotation.*?</annotation>", "", made)
        assert not re.search(r"[\\^$]|_\{", re.sub(r"<code>.*?</code>|<[^>]+>", "", shown)), (entry.id, shown)
        assert made.count("<math") == sum(run.kind == MATH for run in runs(entry.statement))


def test_every_statement_is_html_that_a_strict_parser_takes() -> None:
    parsed("</p><p>".join(str(statement(entry.statement, entry.id)) for entry in ENTRIES))


def test_sources_have_balanced_dollars_and_braces() -> None:
    for entry in ENTRIES:
        tex = source(entry.statement)
        assert len(re.findall(r"(?<!\\)\$", tex)) % 2 == 0, tex
        bare = re.sub(r"\\[{}]", "", tex)
        assert bare.count("{") == bare.count("}"), tex


def test_long_formulas_break_before_relations_and_nothing_is_lost() -> None:
    tex = r"\|V^\pi - \bar V\| \le 2 (\sum_{j \le k} \gamma^j + H) \|R\| + \sum_{j<k} \gamma^j (a - b) = c"
    found = pieces(tex)
    assert found[1].startswith(r"\le") and len(found) > 2
    assert " ".join(found) == tex
    assert not any(p.startswith(r"\le k") for p in found)


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=60))
def test_whatever_is_written_becomes_safe_html_or_an_error(text: str) -> None:
    try:
        made = str(statement(text, "own.C1"))
    except StatementError:
        return
    allowed = r"span|math|semantics|annotation|m[a-z]+|code|sup|sub|a"
    assert all(re.fullmatch(allowed, tag) for tag in re.findall(r"<([a-zA-Z]+)", made)), made
    assert not re.search(r"<(script|img|iframe|maction)", made)


@given(st.text(alphabet=r"ab\{}^_|()[]$ VWγΣ√*12,.;-+=≤<>&'\"", max_size=24))
def test_whatever_looks_like_a_formula_becomes_safe_html_or_an_error(text: str) -> None:
    try:
        made = str(statement(text, "own.C1"))
    except (StatementError, FormulaError):
        return
    parsed(made)


def test_markup_in_statements_is_text() -> None:
    made = str(statement('Each <script>alert("x")</script> and ``<b>`` holds & stays.', "own.C1"))
    assert "<script" not in made and "<b>" not in made and "&amp;" in made


def test_labels_become_links_only_where_the_paper_has_them() -> None:
    made = statement("C2 for C3, as in C4.", "own.C1", {"C2": "own.C2.html"})
    assert made.count("<a ") == 1 and '<a href="own.C2.html">C2</a>' in made


def test_powers_are_raised() -> None:
    assert powers("resolution 2^-211; e = 3.5e+08 <") == "resolution 2<sup>−211</sup>; e = 3.5 × 10<sup>8</sup> &lt;"
    assert powers("at 10^-6, garnet[0]:1e") == "at 10<sup>−6</sup>, garnet[0]:1e"


def test_small_powers_are_multiplied_out_and_differences_have_a_minus() -> None:
    assert powers("7.2e+01, 1.0e+00, 9.1e-01, 1 - 2^-24") == "72, 1.0, 0.91, 1 − 2<sup>−24</sup>"
