"""What pages say in words: verdicts by the kind of evidence, marks of formulas, outcomes of mutants, and what a κ is of."""

from __future__ import annotations

from proofs_check.verdict import Verdict

MEANINGS = {
    "tight": "No instance separates the wrong way, and on some instance the bound is attained: a ratio of 0.999 or more, "
    "or an equality that is no triviality.",
    "holds": "No instance that was drawn separates the wrong way. It is proved for each of these, and for no others.",
    "refuted": "An instance separates the wrong way, decided in rationals or balls; or, of an average, the evidence against "
    "it is e ≥ 10⁶.",
    "vacuous": "Nothing was said: no instance met the assumptions, both sides were always zero, or the bound never went "
    "below the trivial one.",
    "undecided": "On some instance the sides overlap at every precision; or, of an average, the evidence is too weak either way.",
    "not run": "There is a check, and the store has no complete result of it.",
    "not checked": "No check, for the reason given.",
    "pending": "No check yet.",
}
MARKS = {
    "seen": "seen in the paper, its code or a published account of it",
    "mem": "recalled only; nothing is refuted on its strength",
    "derived": "proved or recomputed from the definitions",
    "ours": "not a statement of the paper",
}
OUTCOMES = {
    "killed": "killed by this claim",
    "checked": "noticed by the check of kernels",
    "missed": "not noticed",
    "crashed": "raised, which kills nothing",
    "untried": "not tried: no side moved",
}
AVERAGE = "average"
HOLDS = {
    AVERAGE: "Of the average over its families: the evidence for it is e ≥ 20, or its limits at 19/20 are as stated. It says "
    "nothing of one instance, and nothing of other families.",
    "identity": "On every instance that was drawn both sides are equal, exactly or to the resolution. It is proved for each of "
    "these, and for no others.",
    "Scaling": "On every instance that was drawn the exponents of the range, of its halves and of what continues them lie where "
    "they should. Of what lies beyond the range it says nothing.",
    "Order": "On the range printed the ratio to the stated shape stays below the declared constant, or grows no faster than "
    "declared. Of what lies beyond it says nothing.",
    "Witness": "An instance is as stated: it was found, decided exactly, and is shown below.",
}


def kind(v: Verdict) -> str:
    """What a verdict is of: an average, an identity, an inequality (empty), or the name of the evidence."""
    if v.tally.kind in ("Trial", "Comparison") or "trials" in v.evidence:
        return AVERAGE
    return "identity" if v.tally.identity else v.tally.kind


def meaning(word: str, v: Verdict | None) -> str:
    """What the word says, of evidence of this kind."""
    return HOLDS.get(kind(v), MEANINGS[word]) if v is not None and word == "holds" else MEANINGS[word]


def reached(v: Verdict) -> tuple[str, str]:
    """What the ratio of a verdict is called, and what it is of."""
    if v.tally.kind == "Trial":
        return (
            "κ, of its trials",
            "the least delta that they do not refute (e < 10^6), over the stated one; nothing was selected",
        )
    if v.tally.kind == "Order":
        return "κ, on the range", "the least constant that was enough, over the declared one, rounded down"
    return "κ, on random instances", "the largest measured / bound that was reached, rounded down"


def pictured(v: Verdict) -> str:
    """What the instance at the address of the ratio, or of the gap, is."""
    if v.tally.kind == "Trial":
        return "A trial that failed"
    if v.tally.kind == "Order":
        return "Instance of the largest constant"
    return "Tightest instance" if v.ratio is not None else "Instance of the least gap"
