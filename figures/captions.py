r"""Captions: sentences with formulas of TeX between dollars, as text for reading and as TeX for a paper.

The text knows the commands of this project's captions; another is an error, so that no backslash is printed.
"""

from __future__ import annotations

import re

_TABLE = """
alpha α beta β gamma γ delta δ epsilon ε varepsilon ε zeta ζ eta η theta θ iota ι kappa κ lambda λ mu μ nu ν xi ξ pi π rho ρ sigma σ
tau τ upsilon υ phi φ varphi φ chi χ psi ψ omega ω Gamma Γ Delta Δ Theta Θ Lambda Λ Xi Ξ Pi Π Sigma Σ Phi Φ Psi Ψ Omega Ω ell ℓ
infty ∞ star * ast * cdot · times × pm ± mp ∓ le ≤ leq ≤ ge ≥ geq ≥ ne ≠ neq ≠ ll ≪ gg ≫ approx ≈ sim ~ equiv ≡ propto ∝ to →
mapsto ↦ in ∈ subset ⊂ cup ∪ cap ∩ sum Σ prod Π int ∫ nabla ∇ partial ∂ langle ⟨ rangle ⟩ lfloor ⌊ rfloor ⌋ lceil ⌈ rceil ⌉ mid |
vert | Vert ‖ | ‖ ldots ... dots ... cdots ··· colon : circ ∘ top ⊤ prime ′ max max min min sup sup inf inf log log exp exp Pr Pr
argmax argmax { ⦃ } ⦄ % % & & _ _ # #
"""
SYMBOLS = dict(zip(_TABLE.split()[::2], _TABLE.split()[1::2], strict=True))
_SILENT = (
    "mathcal mathrm mathbb mathbf mathsf text operatorname left right big Big bigl bigr Bigl Bigr displaystyle limits !"
)
NOTHING = frozenset(_SILENT.split())
SPACES = ("quad", "qquad", ",", ";", ":", " ")
ACCENTS = {
    "bar": "\u0304",
    "hat": "\u0302",
    "tilde": "\u0303",
    "widehat": "\u0302",
    "widetilde": "\u0303",
    "overline": "\u0305",
}
SPECIAL = {
    "%": r"\%",
    "&": r"\&",
    "#": r"\#",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "{": r"\{",
    "}": r"\}",
}
UNICODE = {
    "–": "--",
    "—": "---",
    "‘": "`",
    "’": "'",
    "“": "``",
    "”": "''",
    "…": r"\ldots{}",
    "κ": r"$\kappa$",
    "×": r"$\times$",
}
_BRACES = str.maketrans({"{": "", "}": "", "⦃": "{", "⦄": "}"})
"""Of TeX's own, which group, nothing is left; those that are meant waited as others."""
_TOKEN = re.compile(r"\\(?:([A-Za-z]+)(?:\s+(?=[A-Za-z]))?|(.))")


class CaptionError(ValueError):
    """A caption that cannot be set; the message says where."""


def plain(caption: str) -> str:
    """With formulas in letters of Unicode. Raises `CaptionError` for a dollar too many, or a command that is unknown."""
    return "".join(_said(part) if formula else part for part, formula in _parts(caption))


def tex(caption: str) -> str:
    """As LaTeX: what stands outside of formulas is escaped. `CaptionError` for a backslash out there, or a dollar too many."""
    out = []
    for part, formula in _parts(caption):
        if formula:
            out.append(f"${part}$")
            continue
        if "\\" in part:
            raise CaptionError(
                f"a backslash outside of a formula: ...{part[max(0, part.index(chr(92)) - 20) :][:40]!r}"
            )
        out.append("".join(UNICODE.get(c) or SPECIAL.get(c, c) for c in part))
    return "".join(out)


def _parts(caption: str) -> list[tuple[str, bool]]:
    parts = caption.split("$")
    if len(parts) % 2 == 0:
        raise CaptionError(f"{len(parts) - 1} dollars: a formula is not closed in {caption!r}")
    return [(part, i % 2 == 1) for i, part in enumerate(parts) if part]


def _said(formula: str) -> str:
    text = re.sub(r"\\[td]?frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}", r"(\1)/(\2)", formula)
    text = re.sub(r"\\[td]?frac\s*(\d)\s*(\d)", r"\1/\2", text)
    text = re.sub(r"\((\w+)\)/\((\w+)\)", r"\1/\2", text)
    text = re.sub(r"\\sqrt\s*\{([^{}]*)\}", r"√(\1)", text)
    for name, mark in ACCENTS.items():
        marked = rf"\g<1>\g<2>{mark}"
        text = re.sub(rf"\\{name}\s*(?:\{{(\\?\w+)\}}|(\\[A-Za-z]+|[A-Za-z]))", marked, text)

    def symbol(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        if name in NOTHING or name in SPACES:
            return " " if name in SPACES else ""
        if name not in SYMBOLS:
            raise CaptionError(f"\\{name} in ${formula}$ is no command that captions know")
        return SYMBOLS[name]

    text = _TOKEN.sub(symbol, text)
    text = re.sub(r"([_^])\{([^{}])\}", r"\1\2", text)
    text = re.sub(r"([_^])\{([^{}]*)\}", r"\1(\2)", text)
    return re.sub(r"\s+", " ", text.translate(_BRACES)).replace("^*", "*").replace("^' ", "'")
