"""Statements as prose and formulas: where one ends and the other begins is read off the words.

Docstrings state theorems without marks around their formulas. A word of two letters or more is prose; whatever has an
operator, a command, a script or a single letter is a formula; numbers, abbreviations and names such as ``log`` belong to
whatever formula stands next to them. Who wants it otherwise writes dollars: ``$a$``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from proofs_check.report.breaks import pieces
from proofs_check.report.formulas import FormulaError, latex
from proofs_check.report.lexicon import FUNCTION_WORDS, NAMES, NOUNS, SIGNS

TEXT, MATH, CODE = "text", "math", "code"

_WORD = re.compile(r"[A-Za-zÀ-ſ][A-Za-zÀ-ſ0-9]*(?:['’./–-][A-Za-zÀ-ſ0-9]+)*['’]?")
_NUMBER = re.compile(r"[+−]?[0-9.,]*[0-9](?:[/:–-][0-9.]+)?%?")
_CAPITALS = re.compile(r"[A-Z]{2,4}")
_COMPOUND = re.compile(r"(.*[^\sA-Za-z–-].*|[A-Za-z])[-–]([a-zA-Z]*[a-z]{3}[a-zA-Z-]*)")
_PRODUCT = re.compile(r"[xyz]{2,3}|d[A-Za-z](?:/d[A-Za-z]?)?|[a-z][A-Z][0-9]")  # xy, dz, dH/d, aV1
_LABEL = re.compile(r"C[1-9][0-9]*[a-z]?")
_OPEN, _CLOSE = "([⟨⌈⌊", ")]⟩⌉⌋"
_PUNCTUATION = ".,;:?!"


@dataclass(frozen=True)
class Run:
    """A piece of a statement: ``text`` as it is read; of a formula its LaTeX. ``glued``: no line ends before it."""

    kind: str
    text: str
    glued: bool = False


@dataclass
class _Token:
    text: str
    space: str  # before it
    kind: str  # "p" prose, "m" math, "a" whatever its neighbours are, "c" code, "d" in dollars


def runs(statement: str) -> list[Run]:
    """A statement in pieces, whose texts with their spaces make it up. FormulaError where a formula's brackets are wrong."""
    tokens = list(_tokens(statement))
    _settle(tokens)
    found: list[Run] = []
    i = 0
    while i < len(tokens):
        token = tokens[i]
        if token.kind == "m":
            j = _end(tokens, i)
            found += _formula(tokens[i:j])
            i = j
            continue
        if token.kind == "d":
            found += [Run(TEXT, token.space), Run(MATH, latex(token.text))]
        elif token.kind == "c":
            found += [Run(TEXT, token.space), Run(CODE, token.text)]
        else:
            found.append(Run(TEXT, token.space + _quoted(token.text)))
        i += 1
    return _joined(found)


def plain_latex(statement: str) -> str:
    """A statement to be pasted into a paper: its formulas between dollars."""
    marks = {
        TEXT: lambda t: re.sub(r"([%&#_$])", r"\\\1", t),
        MATH: lambda t: f"${t}$",
        CODE: lambda t: rf"\texttt{{{t}}}",
    }
    out = "".join(marks[run.kind](run.text) for run in _whole(runs(statement)))
    return out.strip()


def _whole(pieces: list[Run]) -> Iterator[Run]:
    """Formulas that were broken for the screen alone are one again."""
    held: Run | None = None
    for run in pieces:
        if held is not None and run.kind == MATH and run.glued is False and held.kind == MATH:
            held = Run(MATH, f"{held.text} {run.text}")
            continue
        if held is not None:
            yield held
        held = run
    if held is not None:
        yield held


def _tokens(statement: str) -> Iterator[_Token]:
    """Words at spaces outside of braces; what stands in dollars or double backquotes is one."""
    pattern = re.compile(r"(\s*)(?:\$([^$]+)\$|``([^`]+)``([^\s]*))")
    at = 0
    for found in pattern.finditer(statement):
        yield from _split(statement[at : found.start()])
        space, dollars, code, after = found.groups()
        yield _Token(dollars, space, "d") if dollars is not None else _Token(code, space, "c")
        if after:
            yield _Token(after, "", "p")
        at = found.end()
    yield from _split(statement[at:])


def _split(text: str) -> Iterator[_Token]:
    depth, word, space = 0, "", ""
    previous = ""
    for character in text:
        if character.isspace() and depth <= 0:
            if word:
                yield from _compound(word, space)
                word, space = "", ""
            space += character
        else:
            if previous != "\\":
                depth += {"{": 1, "}": -1}.get(character, 0)
            word += character
        previous = "" if previous == "\\" else character
    if word:
        yield from _compound(word, space)
    elif space:
        yield _Token("", space, "p")


def _compound(word: str, space: str) -> Iterator[_Token]:
    """``γ-contraction`` is a formula and a word."""
    core = word.rstrip(_PUNCTUATION + ")")
    found = _COMPOUND.fullmatch(core)
    if (found and not _WORD.fullmatch(core)) or (found and len(found[1]) == 1):
        yield _Token(found[1], space, "m")
        yield _Token("-" + found[2] + word[len(core) :], "", "p")
    else:
        yield _Token(word, space, _kind(word))


def _kind(word: str) -> str:
    core = word.strip(_PUNCTUATION).lstrip("(\"'“").rstrip(")\"'”").strip(_PUNCTUATION)
    core = core[:-1] if len(core) > 3 and core.endswith("-") else core  # token- and response-level
    if word in ("–", "—"):
        return "a"
    if not core or core == "...":
        return (
            "a" if core or word.strip("()") == "..." else "p" if word.strip("()") == "" or word in _PUNCTUATION else "m"
        )
    if _LABEL.fullmatch(core):
        return "p"
    if _NUMBER.fullmatch(core) or core in NAMES or (_CAPITALS.fullmatch(core)):
        return "a"
    if core in ("s)", "e.g", "i.e", "vs"):
        return "p"
    if _PRODUCT.fullmatch(core) and core != "do":
        return "m"
    if (
        _WORD.fullmatch(core)
        and len(core) > 1
        and not re.fullmatch(r"[A-Za-z](?:['’./–-][A-Za-z0-9])*['’]?|[a-zA-Z][0-9]'?", core)
    ):
        return "p"
    return "m"


def _settle(tokens: list[_Token]) -> None:
    """Articles and whatever has the kind of its neighbours."""
    for i, token in enumerate(tokens):
        if token.kind == "m" and token.text in ("a", "A", "(a", "(A"):
            after = tokens[i + 1] if i + 1 < len(tokens) else None
            noun = (
                after is not None
                and after.space != ""
                and (
                    (after.kind == "p" and after.text not in FUNCTION_WORDS)
                    or (after.kind == "a" and after.text.isupper())
                    or (
                        after.kind == "a"
                        and after.text[:1].isdigit()
                        and tokens[i + 2 : i + 3]
                        and tokens[i + 2].kind == "p"
                    )
                    or (
                        after.kind == "m"
                        and i + 2 < len(tokens)
                        and tokens[i + 2].text.startswith("-")
                        and not tokens[i + 2].space
                    )
                )
            )
            starts = i == 0 or tokens[i - 1].text[-1:] in ".:;"
            if noun and (token.text.endswith("a") or starts):
                token.kind = "p"
    latex_statement = any("\\" in t.text for t in tokens if t.kind == "m")
    for step in (range(len(tokens)), range(len(tokens) - 1, -1, -1)):
        for i in step:
            if tokens[i].kind == "a" and _beside(tokens, i, latex_statement):
                tokens[i].kind = "m"
    depth = 0  # of brackets that a formula opened: what stands in them is its own
    before = ""
    for token in tokens:
        if token.kind == "a":
            token.kind = "m" if depth > 0 else "p"
        last = re.fullmatch(r"[a-z]+\)+[.,;:]*", token.text) or (before in SIGNS and token.text[-1:] == ",")
        if token.kind == "p" and depth > 0 and (last or token.text in _PUNCTUATION):
            token.kind = "m"  # a name as an argument
        before = token.text
        depth = depth + _depth(token.text) if token.kind == "m" else 0


def _beside(tokens: list[_Token], i: int, latex_statement: bool) -> bool:
    """Whether a formula stands directly beside, with no punctuation between."""
    before = tokens[i - 1] if i else None
    after = tokens[i + 1] if i + 1 < len(tokens) else None
    near = [t for t in (before, after) if t is not None and t.kind == "m"]
    if before in near and before is not None and before.text[-1:] in _PUNCTUATION and before.text not in (":", "..."):
        near.remove(before)
    opened = _depth(tokens[i].text) > 0
    if after in near and tokens[i].text[-1:] in _PUNCTUATION and tokens[i].text != "..." and not opened:
        near = [t for t in near if t is not after]
    if not near:
        return False
    text = tokens[i].text.strip("()" + _PUNCTUATION)
    if text in ("–", "—"):
        return len(near) == 2
    if text.isupper() and len(text) > 2 and not latex_statement and text not in NAMES:
        return any(t.text in SIGNS for t in near)
    if text in NOUNS:
        return any(t.text in SIGNS for t in near)
    if text in ("max", "min", "sup", "inf") and after not in near:
        return any(t.text in SIGNS for t in near)
    return True


def _depth(text: str) -> int:
    plain = re.sub(r"\\[{}]", lambda m: "(" if m[0] == r"\{" else ")", text)
    plain = re.sub(
        r"\\(?:langle|lceil|lfloor)(?![A-Za-z])", "(", re.sub(r"\\(?:rangle|rceil|rfloor)(?![A-Za-z])", ")", plain)
    )
    return sum((c in _OPEN) - (c in _CLOSE) for c in plain)


def _end(tokens: list[_Token], i: int) -> int:
    """One past the last token of the formula that begins at ``i``: it ends at prose, and at punctuation outside of brackets."""
    depth = 0
    for j in range(i, len(tokens)):
        if tokens[j].kind != "m":
            return j
        depth += _depth(tokens[j].text)
        text = tokens[j].text
        if depth <= 0 and len(text) > 1 and text[-1] in _PUNCTUATION and not text.endswith("..."):
            return j + 1
    return len(tokens)


def _formula(tokens: list[_Token]) -> Iterator[Run]:
    """The formula of some tokens, with the punctuation and brackets around it that are prose."""
    space, text = tokens[0].space, "".join((t.space if k else "") + t.text for k, t in enumerate(tokens))
    before, after = "", ""
    while True:
        if text[-1:] in _PUNCTUATION and not text.endswith(("...", "\\;", "\\,")) and len(text) > 1:
            text, after = text[:-1].rstrip(), text[-1] + after
        elif text[-1:] == ")" and _depth(text) < 0:
            text, after = text[:-1], ")" + after
        elif text[:1] == "(" and _depth(text) > 0:
            text, before = text[1:], before + "("
        else:
            break
    if space or before:
        yield Run(TEXT, space + before)
    made = latex(text)
    if not made:
        raise FormulaError(text, "nothing is left of it")
    for k, piece in enumerate(pieces(made)):
        yield Run(MATH, piece, glued=bool(k == 0 and (before or not space)))
    if after:
        yield Run(TEXT, after, glued=True)


def _quoted(text: str) -> str:
    """Typographic apostrophes."""
    return re.sub(r"(?<=\w)'", "’", text)


def _joined(found: list[Run]) -> list[Run]:
    """Neighbouring texts in one."""
    out: list[Run] = []
    for run in found:
        if not run.text:
            continue
        if out and out[-1].kind == TEXT == run.kind:
            out[-1] = Run(TEXT, out[-1].text + run.text, out[-1].glued)
        else:
            out.append(run)
    return out
