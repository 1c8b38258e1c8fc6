"""Formulas as MathML: LaTeX, or formulas written in Unicode, checked as a whole and converted strictly.

Statements are written for people's eyes in a terminal: names of several letters bare (``sp(R)``), exponents of several
digits bare (``2^20``), and in registry entries Greek and relations as characters. ``latex`` makes LaTeX of that, and
``mathml`` MathML Core, which browsers draw without any script. What cannot be converted is an error, never shown raw.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from typing import Any

from proofs_check.report.lexicon import COMMANDS, NAMES, SUBSCRIPTS

VERBATIM = ("mathrm", "operatorname", "text", "mathcal", "mathbf", "mathbb", "mathit")

_ACCENTS = {"\u0302": "hat", "\u0303": "tilde", "\u0304": "bar", "\u0305": "bar", "\u0307": "dot", "\u0308": "ddot"}
_RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿ", "0123456789+-n")
_LOWERED = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")
_PLAIN = {
    "½": r"\tfrac12",
    "‖": r"\|",
    "µ": "μ",
    "~": r"\sim ",
    "∼": r"\sim ",
    "·": r"\cdot ",
    "ᵀ": r"^{\top}",
    "∘": r"\circ ",
    "#": r"\#",
    "%": r"\%",
    "&": r"\&",
    "$": r"\$",
}
_RUN = r"[A-Za-zÀ-ÖØ-öø-ÿ]+"
_TOKEN = re.compile(
    rf"\\[A-Za-z]+|\\.|{_RUN}|[0-9]+(?:\.[0-9]+)?|\.\.\.|\s+|.", re.DOTALL
)  # letters, numbers, and whatever stands alone


class FormulaError(ValueError):
    """A formula that is none; ``latex`` is what could not be converted, and the message says why."""

    def __init__(self, latex: str, why: str) -> None:
        super().__init__(f"{latex!r} is no formula: {why}")
        self.latex, self.why = latex, why


def latex(text: str) -> str:
    r"""LaTeX of a formula that may have Unicode characters, bare names, bare exponents.

    ``sp(R) <= 2^20`` becomes ``\operatorname{sp}(R) < = 2^{20}``. LaTeX commands stay what they are.
    """
    return _Writer(text).written()


class _Writer:
    def __init__(self, text: str) -> None:
        self._text = text
        self._commands = "\\" in text  # then braces group; else those that follow no script are a set's
        self._variation = not self._commands and "TV'" not in text  # else T applied to V
        self._tokens = _TOKEN.findall(_accented(text))
        self._at = 0

    def written(self) -> str:
        out: list[str] = []
        while self._at < len(self._tokens):
            out.append(self._next())
        return re.sub(r"\s+", " ", "".join(out)).strip()

    def _take(self) -> str:
        if self._at >= len(self._tokens):
            raise FormulaError(self._text, "it ends where more is wanted")
        self._at += 1
        return self._tokens[self._at - 1]

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _next(self) -> str:
        token = self._take()
        if token.startswith("\\"):
            return token + (self._group() if token[1:] in VERBATIM else "") + self._gap(token)
        if token == "sqrt" and self._peek() == "(":
            return r"\sqrt{" + self._radicand() + "}"
        if not self._commands and len(token) == 1 and token.isalpha() and token != "Σ" and self._peek().isdecimal():
            return f"{token}_{{{self._take()}}}"  # Q1 is Q_1
        if _is_run(token):
            if token == "KL" and self._peek() == "}":  # K times L, as in the root of KL
                return token
            return r"\operatorname{TV}" if token == "TV" and self._variation else _letters(token)
        if token in ("^", "_"):
            return token + self._script(lowered=token == "_")
        if token == "...":
            return r"\dots "
        if token == "√":
            return r"\sqrt{" + self._radicand() + "}"
        if token in "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿ":
            return "^{" + self._run(token, "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿ").translate(_RAISED) + "}"
        if token in "₀₁₂₃₄₅₆₇₈₉":
            return "_{" + self._run(token, "₀₁₂₃₄₅₆₇₈₉").translate(_LOWERED) + "}"
        if token == "*" and not self._commands:
            return self._star()
        if token == "Σ":
            return self._sigma()
        if token == "{" and not self._commands:
            return r"\{"
        if token == "}" and not self._commands:
            return r"\}"
        return _PLAIN.get(token, token)

    def _gap(self, command: str) -> str:
        """A command's name ends where a letter begins: what follows it may be a name that is rewritten."""
        return " " if command[1:].isalpha() and (self._peek()[:1].isalnum() or self._peek()[:1] in "√Σ") else ""

    def _run(self, first: str, of: str) -> str:
        while self._peek() and self._peek() in of:
            first += self._take()
        return first

    def _group(self) -> str:
        """What stands in braces, as it is written."""
        out, depth = "", 0
        while self._at < len(self._tokens):
            token = self._take()
            out += token
            depth += {"{": 1, "}": -1}.get(token, 0)
            if not depth and not token.isspace():
                break
        return out

    def _braced(self) -> str:
        """The inside of a group, rewritten; its braces are taken."""
        out: list[str] = []
        self._take()
        while self._at < len(self._tokens) and self._peek() != "}":
            if self._peek() == "{" and not self._commands:
                out.append("{" + self._braced() + "}")
            else:
                out.append(self._next())
        self._take()
        return "".join(out)

    def _script(self, lowered: bool) -> str:
        token = self._peek()
        if token == "{":
            return "{" + self._braced() + "}"
        if token[1:] in _ACCENTS.values():
            return "{" + self._take() + self._take() + self._take() + "}"
        if _is_run(token) and len(token) > 1:
            whole = next(
                (s for s in SUBSCRIPTS if token.startswith(s) and (s.isupper() or not token[len(s) :][:1].islower())),
                "",
            )
            whole = whole if lowered else ""
            part = whole or token[0]
            self._left(token[len(part) :])
            return "{" + (_letters(part) if whole else part) + "}"
        if token[:1].isdigit() and len(token) > 1:
            return "{" + self._take() + "}"
        if token in ("√", "Σ") or token.startswith("\\"):
            return self._next()
        return self._take() if token and not token.isspace() else ""

    def _left(self, rest: str) -> None:
        """Of the token at hand this is left."""
        if rest:
            self._tokens[self._at] = rest
        else:
            self._at += 1

    def _radicand(self) -> str:
        if self._peek() == "(":
            depth, inside = 0, []
            while self._at < len(self._tokens):
                depth += {"(": 1, ")": -1}.get(self._peek(), 0)
                inside.append(self._next())
                if not depth:
                    return "".join(inside[1:-1])
            raise FormulaError("√" + "".join(inside), "its bracket is not closed")
        if self._peek() == "{":
            return self._braced()
        token = self._peek()
        if _is_run(token) and 1 < len(token) and not (token.islower() and len(token) > 2):
            self._left(token[1:])
            return token[0]
        return self._next() + self._subscript()

    def _subscript(self) -> str:
        return self._next() if self._peek() == "_" else ""

    def _star(self) -> str:
        """A star behind a letter is raised; one between two functions, as in ``h*Q``, is a convolution."""
        before = self._tokens[self._at - 2] if self._at > 1 else " "
        if before == "h" and self._peek()[:1].isupper():
            return "*"
        if before.isspace() or before in "([{|,":
            return "*"
        if self._peek() == "_":
            self._take()
            return "_" + self._script(lowered=True) + "^*"
        return "^*"

    def _sigma(self) -> str:
        """A sum, unless it can only be a matrix."""
        after = self._peek()
        rest = self._tokens[self._at + 1] if self._at + 1 < len(self._tokens) else ""
        if (
            after in ("", ")", "+", "-", "−", "*", ",", ".", "^", "=")
            or after in "⁻¹"
            or (after == "_" and rest[:1].isupper())
        ):
            return r"\Sigma "
        return r"\sum "


def _accented(text: str) -> str:
    """Letters with an accent, composed or not, as LaTeX's."""
    out: list[str] = []
    for character in text:
        parts = unicodedata.normalize("NFD", character) if character.isalpha() else character
        if len(parts) == 2 and parts[1] in _ACCENTS:
            out.append(f"\\{_ACCENTS[parts[1]]} {parts[0]}")
        elif character in _ACCENTS and out:
            out.append(f"\\{_ACCENTS[character]} {out.pop()}")
        else:
            out.append(character)
    return "".join(out)


def _is_run(token: str) -> bool:
    return re.fullmatch(_RUN, token) is not None


def _letters(run: str) -> str:
    """One letter, a name, or a product of letters."""
    if len(run) == 1:
        return run
    if not run.isascii():
        return f"\\text{{{run}}}"
    if run in COMMANDS:
        return f"\\{run} "
    if run in NAMES or run in SUBSCRIPTS or (run.islower() and len(run) > 2 and run != "xyz"):
        return f"\\operatorname{{{run}}}" if run in NAMES else f"\\mathrm{{{run}}}"
    for name in sorted(NAMES, key=len, reverse=True):  # nVar is n times Var
        if len(name) > 2 and run.endswith(name):
            return " ".join(run[: -len(name)]) + " " + _letters(name)
    return f"\\mathrm{{{run}}}" if re.search("[a-z]{2}", run) and len(run) > 3 else run


@functools.cache
def _converter() -> Any:
    from math_core import LatexToMathML

    return LatexToMathML(annotation=False, fancy_error=False)


@functools.lru_cache(maxsize=16_384)
def mathml(tex: str, *, display: bool = False) -> str:
    """A ``<math>`` element of LaTeX, its source kept as an annotation. FormulaError where it is no formula."""
    from html import escape

    from math_core import LatexError

    try:
        made: str = _converter().convert_with_local_state(tex, displaystyle=display)
    except LatexError as error:
        raise FormulaError(tex, " ".join(str(error).split())) from None
    head, inside = made.split(">", 1)
    inside = inside.removesuffix("</math>")
    if "\\" in inside or "<merror" in inside:
        raise FormulaError(tex, "a command was left over")
    note = f'<annotation encoding="application/x-tex">{escape(tex, quote=False)}</annotation>'
    return f"{head}><semantics><mrow>{inside}</mrow>{note}</semantics></math>"
