r"""How near a claim comes to its bound, instance by instance: the figure of every claim that has none of its own.

The instances are those of the first chunks of the claim's families, as ``verify`` draws them, in float enclosures; the store
has the largest quotient of all instances that were ever run, and attacks the largest that was searched for. Evidence about
averages and ranges is not an instance's: there the figure has its intervals beside what the claim declares.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from figures.making import Figure
from figures.table import Table
from proofs_check import registry, runner, selection, workers
from proofs_check.claim import Claim
from proofs_check.jobs import Job
from proofs_check.report.results import Found, Known, found
from proofs_check.settle import Sides
from proofs_check.store import Store
from proofs_check.verdict import Verdict
from proofs_check.views import View

NAMES = ("group", "value", "low", "high", "open")
"""Of one instance, or of one interval: the family or what it is, the number, its interval, and whether floats leave it open."""
DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "tightness.md"
LARGE = 64  # states of fixed models that are looked at
SLOPES = ("whole range", "first half", "second half", "continued")
"""The four that a verdict of ``holds`` rests on; the last is the second half's, continued by the drift between the halves."""
_ROW = re.compile(r"^\| ([a-z0-9_]+\.[A-Za-z0-9]+) \| [^|]* \| ([^|]+) \|", re.MULTILINE)


class Unknown(ValueError):
    """A name that no claim has."""


def figures(names: Sequence[str], size: str, store: Path, attacks: Path | None) -> list[Figure]:
    """One for each claim that is named, or of papers that are; for "all", of every checked claim without a figure of its own.

    Raises `Unknown` for other names, and for a file of attacks or a store that is none.
    """
    from figures.discovery import claimed
    from figures.tightness_plot import caption, draw

    if not names:
        raise Unknown("tightness of what? A claim, a paper, or all")
    if "all" in names and len(names) > 1:
        raise Unknown("all are all: name no others beside them")
    try:
        jobs = selection.jobs([] if names[0] == "all" else names, runner.BUDGETS["quick"], 0)
    except selection.UsageError as error:
        raise Unknown(str(error)) from None
    if names[0] == "all":
        apart = claimed()
        jobs = [job for job in jobs if job.id not in apart]
    kappa, there_is = attacked(attacks), known(store)
    sources = {e.id: (paper.short, e.source or "") for paper in registry.load() for e in paper.claims}
    made = []
    for job in jobs:
        claim = job.load()
        there = found(claim, there_is, job.paper[0] if job.paper else None)
        short, source = sources.get(job.id, (str(job.file), ""))
        about = {"claim": job.id, "source": f"{short}, {source}" if source else short, "attacked": kappa.get(job.id)}
        rests_on = (workers.code_of(claim), _stored(there), about)
        made.append(
            Figure(
                name=job.id,
                title=f"Tightness of {job.id}",
                size=size,
                compute=partial(measured, claim, job, there, about, size),
                draw=draw,
                caption=caption,
                seconds=_seconds(there),
                folder="tightness",
                again=f"python -m figures tightness {job.id}",
                code=measured,
                rests_on=rests_on,
            )
        )
    return made


def attacked(file: Path | None) -> dict[str, float]:
    """κ by claim: of what ``attack --json`` printed, or of the table in ``docs/tightness.md`` where that is there; else none."""
    if file is None:
        text = DOCUMENT.read_text(encoding="utf-8") if DOCUMENT.is_file() else ""
        return {m[1]: x for m in _ROW.finditer(text) if (x := _kappa(m[2])) is not None}
    try:
        listed = json.loads(file.read_text(encoding="utf-8"))["attacks"]
        return {str(a["id"]): float(a["ratio"]) for a in listed if a.get("ratio") is not None}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise Unknown(f"--attacks {file} is not what attack --json prints: {type(error).__name__}: {error}") from None


def _kappa(text: str) -> float | None:
    """Of "0.9910", "1" or "1 - 2.2e-16"; None for a dash."""
    first, _, rest = text.strip().partition(" - ")
    try:
        return float(first) - float(rest or 0)
    except ValueError:
        return None


def known(folder: Path) -> Known:
    """What a store knows; nothing where there is none."""
    if not (folder / "results.sqlite").is_file():
        return Known.of(None)
    with Store(folder) as store:
        return Known.of(store)


def _stored(there: Found) -> tuple[Any, ...]:
    v = there.verdict
    return () if v is None else (there.state, there.budget, there.seed, v.verdict, v.rests_on, v.ratio, v.ratio_at)


def _seconds(there: Found) -> float:
    """A chunk or two of what a verdict takes; one that is not stored is not known, and most take no second."""
    return 0.05 * sum(r.cost.seconds for r in there.records) if there.records else 1.0


def measured(claim: Claim, job: Job, there: Found, about: Mapping[str, Any], size: str) -> Table:
    """The table of one claim: columns `NAMES`; parameters say what the numbers are, and what they rest on.

    Instances: the first chunk of each family and small fixed model; of the size "paper" two chunks of each.
    """
    rows: list[tuple[Any, ...]] = []
    quantity, view = "", None
    for label in _labels(claim, size):
        seen = runner.screened(claim, label, there.seed)
        if isinstance(seen, View):
            view = seen
            break
        if seen is not None:
            quantity, more = _instances(seen)
            rows += [(_group(claim, label), *row) for row in more]
    verdict = there.verdict
    if view is not None:
        if verdict is None:
            verdict = runner.verify(claim, job.budget, job.seed)
        quantity, rows, marks = _weighed(view, verdict)
    else:
        marks = {"lower": np.nan, "bound": 1.0 if quantity == "ratio" else 0.0}
    given = {k: ("" if x is None else x) for k, x in about.items() if k != "attacked"}
    ratios = {
        "attacked": np.nan if about["attacked"] is None else about["attacked"],
        "random": np.nan if verdict is None or verdict.ratio is None else verdict.ratio,
    }
    rests_on = "" if verdict is None else verdict.rests_on
    said = {
        "verdict": "" if verdict is None else verdict.verdict,
        "rests_on": rests_on,
        "stored": there.verdict is not None,
        "seed": there.seed,
    }
    dropped = sum(not np.isfinite(row[1]) for row in rows)
    kept = [row for row in rows if np.isfinite(row[1])]
    columns = {name: np.array([row[i] for row in kept]) for i, name in enumerate(NAMES)}
    if not kept:
        columns = {name: np.array([], dtype="U1" if name == "group" else float) for name in NAMES}
    return Table(columns, given | said | ratios | marks | {"quantity": quantity, "dropped": dropped})


def _labels(claim: Claim, size: str) -> list[str]:
    """Of the chunks that are looked at: the first of each family, or two, and small fixed models."""
    from proofs_check import families

    many = range(1 if size == "quick" else 2)
    labels = [f"{family.name}[{f}]:{c}" for c in many for f, family in enumerate(claim.family)]
    return labels + [f"{m}:0" for m in claim.instances if m not in families.LARGE and families.fixed(m)[0].S <= LARGE]


def _group(claim: Claim, label: str) -> str:
    """The family of a chunk, with its number where another has the same name; fixed models stand together."""
    name = label.partition(":")[0]
    if name in claim.instances:
        return "fixed models"
    family = name.rpartition("[")[0]
    return family if sum(f.name == family for f in claim.family) == 1 else name


def _instances(sides: Sides) -> tuple[str, list[tuple[float, float, float, bool]]]:
    """One number for each instance: the quotient, or the gap where that means nothing, or by how much two sides may differ."""
    open_ = sides.open
    if sides.identity:
        each = np.where(sides.sign == 0, 0.0, sides.width).max(axis=-1)
        return "difference", [(x, np.nan, np.nan, o) for x, o in zip(each.tolist(), open_.tolist(), strict=True)]
    x = sides.ratio if sides.quotient else sides.least
    name = "ratio" if sides.quotient else "gap"
    return name, [(v, np.nan, np.nan, o) for v, o in zip(x.tolist(), open_.tolist(), strict=True)]


def _weighed(view: View, v: Verdict) -> tuple[str, list[tuple[Any, ...]], dict[str, float]]:
    """The intervals on which a verdict rests, and what the claim declares."""
    e: dict[str, Any] = v.evidence
    match view.kind:
        case "Trial":
            rate = e["failures"] / e["trials"]
            rows = [("rate of failures", rate, 0.0, e["upper_limit"], False)]
            return "rate", rows, {"lower": np.nan, "bound": e["delta"][1]}
        case "Comparison":
            low, high = e["interval"]
            return "mean", [("mean difference", e["mean"], low, high, False)], {"lower": 0.0, "bound": np.nan}
        case "Scaling":
            ends = [[np.nan if x is None else x for x in end] for end in e["slopes"]]
            rows = [(name, (a + b) / 2, a, b, False) for name, a, b in zip(SLOPES, *ends, strict=False)]
            low, high = view.plain["exponents"]
            return "slope", rows, {"lower": low, "bound": high}
        case "Order":
            rows = []
            for name, said in (("early", "first half"), ("late", "second half"), ("least", "whole range")):
                a, b = (np.nan if x is None else float(x) for x in e[name])
                rows.append((said, a if np.isnan(b) else (a + b) / 2, a, b, False))
            constant = e["declared"]["constant"]
            return "constant", rows, {"lower": np.nan, "bound": np.nan if constant is None else constant}
    left, right = view.numbers["left"], view.numbers["right"]
    margin = (right[0] + right[1] - left[0] - left[1]) / 2
    size = np.maximum(np.abs([*left, *right]).max(axis=0), np.finfo(float).tiny)
    each = (margin / size).reshape(len(margin), -1).min(axis=-1)
    rows = [("instances", x, np.nan, np.nan, False) for x in each.tolist()]
    return "margin", rows, {"lower": 0.0, "bound": np.nan}
