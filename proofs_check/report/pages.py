"""What the pages say: one entry for each claim, one for each paper, gathered from registry, code and store."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from markupsafe import Markup

from proofs_check import expected, registry, selection
from proofs_check.claim import Claim
from proofs_check.loading import load_file, load_paper, paper_module
from proofs_check.mutants import Mutant, mutants_of
from proofs_check.report import figures, marks, results
from proofs_check.report.results import Found, Known
from proofs_check.user_errors import explain_load

OWN = "own"
"""The room of claims of files of one's own."""
NOT_RUN, PENDING, NOT_CHECKED = "not run", "pending", "not checked"
WORDS = ("tight", "holds", "refuted", "vacuous", "undecided", NOT_RUN, NOT_CHECKED, PENDING)
"""What the status of a claim may be, in the order in which pages list them."""


@dataclass
class ClaimPage:
    """One claim. ``claim`` is None where no code states it; ``found`` is what the store knows; ``figures`` show it, and the
    plot of its tightness is among them where it was drawn."""

    entry: registry.ClaimEntry
    paper: PaperPage
    claim: Claim | None
    found: Found
    statement: Markup = field(default_factory=Markup)
    figures: list[figures.Figure] = field(default_factory=list)

    @property
    def id(self) -> str:
        return self.entry.id

    @property
    def label(self) -> str:
        """Behind the paper's key."""
        return self.id.partition(".")[2]

    @property
    def href(self) -> str:
        """From the top."""
        return f"claims/{self.id}.html"

    @property
    def status(self) -> str:
        """The verdict of the store, or why there is none: one of ``WORDS``."""
        if self.found.verdict is not None:
            return self.found.verdict.verdict
        return {"checked": NOT_RUN, "not_checked": NOT_CHECKED, "pending": PENDING}[self.entry.state]

    @property
    def drift(self) -> str:
        """Where the verdict is not the one on record."""
        if self.found.verdict is None or self.entry.verdict is None:
            return ""
        same = self.found.budget == "default" and self.found.seed == 0
        return expected.drift(self.id, self.found.verdict.verdict, {self.id: self.entry.verdict}, same_run=same)

    @property
    def refuted_twins(self) -> int:
        return sum(t.verdict is not None and t.verdict.verdict == "refuted" for t in self.found.twins)

    @property
    def source(self) -> str:
        """The statement as LaTeX."""
        return marks.source(self.entry.statement)

    @property
    def proof(self) -> str:
        """What the docstring says besides the statement."""
        doc = inspect.getdoc(self.claim.body) if self.claim is not None else None
        return (doc or "").partition("\n\n")[2].strip()

    @property
    def variants(self) -> list[ClaimPage]:
        """Of an erratum, the claims of the same number: what is printed, and what is right."""
        number = self.label.rstrip("abcdefghijklmnopqrstuvwxyz")
        return [
            c for c in self.paper.claims if c.label.rstrip("abcdefghijklmnopqrstuvwxyz") == number and c is not self
        ]


@dataclass
class PaperPage:
    """One paper, or one file of one's own; ``mutants`` are those that it lists."""

    paper: registry.Paper
    file: str = ""
    claims: list[ClaimPage] = field(default_factory=list)
    mutants: dict[str, Mutant] = field(default_factory=dict)
    figures: list[figures.Figure] = field(default_factory=list)

    @property
    def key(self) -> str:
        return self.paper.key

    @property
    def href(self) -> str:
        return f"papers/{self.key}.html"

    @property
    def counts(self) -> dict[str, int]:
        """Claims of each status."""
        return {word: sum(c.status == word for c in self.claims) for word in WORDS}


def gather(names: Sequence[str], known: Known) -> list[PaperPage]:
    """Papers by name, files of one's own, or all papers. Raises UsageError for what is neither, StatementError."""
    papers = selection.papers()
    pages = []
    for name in names or list(papers):
        if name in papers:
            pages.append(_paper(papers[name], known, list(papers)))
        elif name.endswith(".py"):
            pages.append(_file(name, known, 1 + sum(p.paper.room == OWN for p in pages)))
        else:
            selection.paper(name)  # raises, with suggestions
    for page in pages:
        links = {c.label: f"{c.id}.html" for c in page.claims}
        for c in page.claims:
            plot = figures.tightness(c.id, page.file)
            c.figures = figures.showing(c.id) + [plot] * (c.claim is not None and plot.made is not None)
            c.statement = marks.statement(c.entry.statement, c.id, {k: v for k, v in links.items() if k != c.label})
    return pages


def _paper(paper: registry.Paper, known: Known, keys: Sequence[str]) -> PaperPage:
    page = PaperPage(paper)
    checked = any(e.state == "checked" for e in paper.claims)
    claims = {c.id: c for c in load_paper(paper.room, paper.key)} if checked else {}
    if checked:
        page.mutants = {m.name: m for m in mutants_of(paper_module(paper.room, paper.key))}
    for entry in paper.claims:
        claim = claims.get(entry.id)
        page.claims.append(ClaimPage(entry, page, claim, _found(claim, known, paper.room)))
    page.figures = figures.of(paper.room, paper.key, keys)
    return page


def _file(name: str, known: Known, number: int) -> PaperPage:
    from proofs_check.loading import file_module

    if not Path(name).is_file():
        raise selection.UsageError(f"no file {name!r}")
    try:
        claims = load_file(name)
        mutants = mutants_of(file_module(name))
    except (Exception, SystemExit) as error:  # importing a file of one's own may raise anything
        raise selection.UsageError(explain_load(name, error)) from None
    entries = tuple(
        registry.ClaimEntry(c.id, c.kind, c.statement, "ours", "checked", source=c.source or None) for c in claims
    )
    short = Path(name).name
    page = PaperPage(registry.Paper(0, f"file-{number}", short, f"Claims of {short}", OWN, "", entries), file=name)
    page.mutants = {m.name: m for m in mutants}
    page.claims = [ClaimPage(e, page, c, _found(c, known, None)) for e, c in zip(entries, claims, strict=True)]
    return page


def _found(claim: Claim | None, known: Known, room: str | None) -> Found:
    return Found() if claim is None else results.found(claim, known, room)
