"""Where a long formula may be broken: before its outer relations, then before the signs of its sums."""

from __future__ import annotations

import re

BREAK, TERMS, BRACKETS = 18, 26, 40
"""Characters from which on a formula may be broken before its relations, its signs, and those in one pair of brackets."""
_RELATION = re.compile(r"\\(?:le|ge|to|propto|approx|sim|ne|equiv|in|mapsto)(?![A-Za-z])|[=<>≤≥→≈≡≠∝↦]")
_MARK = r"\\[A-Za-z]+|\\.|[(){}\[\]⟨⟩⌈⌉]"
_OPENS = frozenset(("(", "[", "{", "⟨", "⌈", r"\{", r"\langle", r"\lceil", r"\lfloor"))
_CLOSES = frozenset((")", "]", "}", "⟩", "⌉", r"\}", r"\rangle", r"\rceil", r"\rfloor"))


def pieces(tex: str) -> list[str]:
    """A long formula in pieces that begin with its outer relations, between which a line may end."""
    if size(tex) < BREAK:
        return [tex]
    cuts, depth, at = [], 0, 0
    for found in re.finditer(_RELATION.pattern + "|" + _MARK, tex):
        mark = found[0]
        depth += (mark in _OPENS) - (mark in _CLOSES)
        if _RELATION.fullmatch(mark) and not depth and found.start() > at:
            cuts.append(found.start())
            at = found.start()
    cuts = [c for c in cuts if _outside(tex, c)]
    out: list[str] = []
    for a, b in zip([0, *cuts], [*cuts, len(tex)], strict=True):
        out += _terms(tex[a:b].strip())
    return [p for p in out if p]


def _outside(tex: str, at: int) -> bool:
    """Whether a place lies in no pair of bars; behind an odd one, which is a condition's, nothing does."""
    single, double = tex.replace(r"\|", "\0\0"), tex.count(r"\|", 0, at)
    bars = single.count("|")
    if bars % 2:
        return not double % 2 and (at < single.index("|") or at > single.rindex("|"))
    return not double % 2 and not single.count("|", 0, at) % 2


def _terms(tex: str) -> list[str]:
    """What is very long is cut before the signs of its outer sum, too, and then before those in one pair of brackets."""
    out = [tex]
    for brackets, least in ((0, TERMS), (1, BRACKETS)):
        out = [part for each in out for part in (_cut(each, brackets) if size(each) >= least else [each])]
    return out


def _cut(tex: str, brackets: int) -> list[str]:
    """At the signs of a sum: the outer one, or the long ones in ``brackets`` pairs of brackets."""
    depth, braces, opened = 0, 0, 0
    cuts: list[int] = []
    inner: list[int] = []
    for found in re.finditer(r"(?<=[^\s=<>(]) [+−-] |" + _MARK, tex):
        mark, place = found[0], found.start()
        if mark in _OPENS:
            depth, opened, inner = depth + 1, (place if not depth else opened), (inner if depth else [])
        elif mark in _CLOSES:
            depth -= 1
            if not depth and size(tex[opened:place]) >= TERMS:
                cuts += inner
        elif mark[0] == " " and not braces and _outside(tex, place):
            (cuts if not depth else inner if depth == brackets else []).append(place + 1)
        braces += (mark == "{") - (mark == "}")
    return [tex[a:b].strip() for a, b in zip([0, *sorted(cuts)], [*sorted(cuts), len(tex)], strict=True)]


def size(tex: str) -> int:
    """About how many characters wide a formula is."""
    wide = re.sub(r"\\(?:log|exp|max|min|sup|inf|sqrt|sum)(?![A-Za-z])", "xxx", tex)
    bare = re.sub(r"\\[A-Za-z]+|\\.", "x", re.sub(r"\\(?:mathrm|operatorname|text|frac)(?![A-Za-z])", "", wide))
    return len(re.sub(r"[{}^_ ]", "", bare))
