"""The pages as bytes: templates filled with what was gathered. Equal stores and sources give equal bytes; no clock is read."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jinja2

from proofs_check import digests, registry
from proofs_check.report import figures, marks, numbers, wording
from proofs_check.report.pages import OWN, WORDS, ClaimPage, PaperPage
from proofs_check.report.pictures import Extras, pictures
from proofs_check.report.results import Known
from tabular import __version__

HERE = Path(__file__).parent
ROOMS = (*registry.ROOMS, OWN)
STATIC = ("style.css", "report.js")


def build(papers: Sequence[PaperPage], known: Known, more: Extras) -> dict[str, bytes]:
    """All files by path. Raises StatementError for a formula that does not convert, UsageError for a damaged instance."""
    claims = [c for p in papers for c in p.claims]
    common = {
        "words": WORDS,
        "wording": wording,
        "columns": [w for w in WORDS if w == "refuted" or any(c.status == w for c in claims)],
        "origin": origin(claims, known),
        "statement": marks.statement,
        "numbers": numbers,
    }
    environment = _environment()
    files = {f"static/{name}": (HERE / "static" / name).read_bytes() for name in STATIC}

    def page(path: str, template: str, **given: Any) -> None:
        top = "../" * path.count("/")
        text = environment.get_template(template).render(common | given | {"top": top, "path": path})
        files[path] = text.encode()

    rooms = [(room, [p for p in papers if p.paper.room == room]) for room in ROOMS]
    rooms = [(room, each) for room, each in rooms if each]
    page("index.html", "index.html", papers=papers, claims=claims, rooms=rooms)
    page("papers.html", "papers.html", papers=papers, rooms=rooms)
    page("verdicts.html", "verdicts.html")
    page("provenance.html", "provenance.html", claims=claims)
    for paper in papers:
        for figure in (*paper.figures, *(f for c in paper.claims for f in c.figures)):
            if figure.made is not None:
                files[figure.href] = figure.made.read_bytes()
        page(paper.href, "paper.html", paper=paper)
        for i, c in enumerate(paper.claims):
            near = {"before": paper.claims[i - 1] if i else None, "after": next(iter(paper.claims[i + 1 :]), None)}
            shown = pictures(c.claim, c.found, more) if c.claim is not None else []
            page(c.href, "claim.html", c=c, pictures=shown, commands=commands(c), attack=more.attacks.get(c.id), **near)
    return files


def _environment() -> jinja2.Environment:
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters["powers"] = marks.powers
    made.filters["upper_first"] = lambda text: text[:1].upper() + text[1:]
    made.filters["count"] = lambda n: f"{n:,}"
    made.filters["plural"] = lambda n, one, many="": f"{n:,} {one if n == 1 else many or one + 's'}"
    made.filters["title_of"] = lambda room: (
        room.replace("_", " ").capitalize() if room != OWN else "Claims of one’s own"
    )
    return made


def origin(claims: Sequence[ClaimPage], known: Known) -> dict[str, Any]:
    """What the pages rest on: the runs whose results they show, from the store, never from the clock."""
    records = {r.key: r for c in claims for r in c.found.records}
    used = sorted({r.run for r in records.values()})
    runs = [known.runs[run] for run in used if run in known.runs]
    began = sorted(float(run["began"]) for run in runs)
    about = [{"id": run, **_about(known.runs.get(run, {}))} for run in used]
    return {
        "date": _day(began[-1]) if began else "",
        "first": _day(began[0]) if began else "",
        "project": sorted({_installed(str(run.get("project", ""))) for run in runs}),
        "version": __version__,
        "engine": digests.engine(),
        "engines": sorted({r.engine for r in records.values()}),
        "digest": digests.digest(*sorted(records)) if records else "",
        "results": len(records),
        "runs": about,
        "versions": [dict(pairs) for pairs in sorted({tuple(sorted(run["versions"].items())) for run in about})],
        "others": sorted(known.records.keys() - {c.id for c in claims}),
    }


def _installed(version: str) -> str:
    return "sources that were not installed" if version == "not installed" else version


def _about(run: Mapping[str, Any]) -> dict[str, Any]:
    versions = {str(k): str(v) for k, v in dict(run.get("versions", {})).items()}
    machine = dict(run.get("machine", {}))
    return {
        "began": _second(float(run["began"])) if "began" in run else "unknown",
        "versions": versions,
        "cpu": str(machine.get("cpu", "unknown")),
        "engine": str(run.get("engine", "")),
    }


def _day(seconds: float) -> str:
    day = datetime.fromtimestamp(seconds, UTC)
    return f"{day.day} {day:%B %Y}" if seconds else ""


def _second(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def commands(c: ClaimPage) -> list[tuple[str, str]]:
    """What to type, and what it does; nothing for a claim without a check."""
    if c.claim is None:
        return []
    name = f"{c.paper.file}::{c.id}" if c.paper.file else c.id
    budget = {"quick": ["--quick"], "thorough": ["--thorough"]}.get(c.found.budget, [])
    seed = ["--seed", str(c.found.seed)]
    out = [("the verdict", ["verify", name, *budget, *seed])]
    v = c.found.verdict
    witness = v.evidence.get("witness", {}).get("address") if v is not None else None
    worst = v.tally.counterexample.get("address") if v is not None and v.tally.counterexample else None
    if v is not None and (address := worst or witness or v.ratio_at or v.gap_at):
        out.append(("the instance below, with both sides", ["show", name, *seed, "--instance", str(address)]))
    out.append(("a search for a worse one", ["attack", name]))
    out.append(("the mutants", ["mutants", c.paper.file or c.paper.key]))
    listed = [(what, shlex.join(["proofs-check", *words])) for what, words in out]
    plot = figures.tightness(c.id, c.paper.file)
    return listed if plot in c.figures else [*listed, ("a plot of its tightness", plot.command)]
