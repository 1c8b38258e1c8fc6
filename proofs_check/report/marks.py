"""Statements as HTML: prose escaped, formulas as MathML, both so that no line ends where none may."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache

from markupsafe import Markup, escape

from proofs_check.report.breaks import size
from proofs_check.report.formulas import FormulaError, mathml
from proofs_check.report.prose import CODE, MATH, TEXT, Run, plain_latex, runs

LONG = 24  # characters of a formula from which on it may have to be scrolled on a phone
_LABEL = re.compile(r"\bC[1-9][0-9]*[a-z]?\b")
_STICKS = re.compile(r"[)\].,;:!?’]+|-[A-Za-z-]+")


class StatementError(ValueError):
    """A statement with a formula that does not convert; the message names whose it is."""


def statement(text: str, of: str, links: Mapping[str, str] | None = None) -> Markup:
    """A statement as HTML. ``links``: labels such as ``C2`` that it may name, and where they lead. Raises StatementError."""
    try:
        return Markup("").join(_pieces(runs(text), links or {}))
    except FormulaError as error:
        raise StatementError(f"the statement of {of}: {error}") from None


@lru_cache(maxsize=4096)
def source(text: str) -> str:
    """A statement as LaTeX, formulas in dollars."""
    return plain_latex(text)


def powers(text: str) -> Markup:
    """Text in which ``2^-211`` and ``3.5e+08`` are written as powers are."""
    said = str(escape(text)).replace("&#39;", "’")
    said = re.sub(r"(?<=[0-9]) - (?=[0-9])", " − ", said)
    said = re.sub(r"\b([0-9]+(?:\.[0-9]+)?)e([+-])0*([0-9]+)\b", _scientific, said)
    return Markup(
        re.sub(r"\b([0-9]+)\^(-?)([0-9.]*[0-9])", lambda m: f"{m[1]}<sup>{'−' * bool(m[2])}{m[3]}</sup>", said)
    )


def _scientific(found: re.Match[str]) -> str:
    """A small power is multiplied out: the digits are the same."""
    digits, sign, power = found.groups()
    if int(power or 0) <= 3:
        return f"{Decimal(digits).scaleb(int(sign + power)):f}"
    return f"{digits} × 10<sup>{'−' * (sign == '-')}{power}</sup>"


def _pieces(pieces: list[Run], links: Mapping[str, str]) -> list[Markup]:
    out: list[Markup] = []
    taken = ""  # of the next text, what was put beside a formula
    for i, run in enumerate(pieces):
        if run.kind == TEXT:
            out.append(_text(run.text.removeprefix(taken), links))
            taken = ""
        elif run.kind == CODE:
            out.append(Markup("<code>{}</code>").format(run.text))
        else:
            after = pieces[i + 1].text if i + 1 < len(pieces) and pieces[i + 1].kind == TEXT else ""
            sticks = _STICKS.match(after)
            taken = sticks[0] if sticks else ""
            if i and pieces[i - 1].kind == MATH and not run.glued:
                out.append(Markup(" "))
            out.append(_formula(run.text, taken))
    return out


def _formula(tex: str, sticks: str) -> Markup:
    leading = tex[:1] in "+-−"  # a sign behind a broken line is one of a sum
    made = Markup(mathml("{}" + tex if leading else tex))
    kind = "f long" if size(tex) > LONG else "f"
    return Markup('<span class="{}">{}{}</span>').format(kind, made, sticks)


def _text(text: str, links: Mapping[str, str]) -> Markup:
    """Escaped, labels of other claims as links."""
    out, at = Markup(""), 0
    for found in _LABEL.finditer(text):
        if found[0] in links:
            out += escape(text[at : found.start()]) + Markup('<a href="{}">{}</a>').format(links[found[0]], found[0])
            at = found.end()
    return out + escape(text[at:])
