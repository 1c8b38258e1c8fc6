"""What people read on a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from proofs_check.claim import Claim
    from proofs_check.jobs import Done
    from proofs_check.outcome import Outcome
    from proofs_check.registry import Paper
    from proofs_check.settle import Settled
    from proofs_check.teeth import Bite
    from proofs_check.verdict import Verdict

COLOURS = {
    "holds": "green",
    "tight": "green",
    "refuted": "red",
    "vacuous": "yellow",
    "undecided": "yellow",
    "fault": "red",
}
SHOWN = 48  # pairs: instances beyond are not printed row by row


def terminal() -> Console:
    """Standard output; wide enough for tables where it is no terminal."""
    console = Console()
    return console if console.is_terminal else Console(width=max(console.width, 150))


def listing(keys: Sequence[str]) -> None:
    """Papers with the states of their claims; for named papers, the claims themselves."""
    from proofs_check import expected, registry, selection

    known = expected.load()
    console = terminal()
    if keys:
        for paper in [selection.paper(key) for key in keys]:
            table = Table("claim", "kind", "state", "verdict", "statement", title=f"{paper.short}: {paper.title}")
            for entry in paper.claims:
                table.add_row(entry.id, entry.kind, entry.state, known.get(entry.id, ""), Text(entry.statement))
            console.print(table)
        return
    table = Table("no.", "key", "room", "checked", "pending", "not checked", "title")
    papers = registry.load()
    for paper in papers:
        n = registry.coverage([paper])
        table.add_row(
            paper.label,
            paper.key,
            paper.room,
            *(str(n[s]) for s in registry.STATES[1::-1] + registry.STATES[2:]),
            Text(paper.title),
        )
    console.print(table)
    n = registry.coverage(papers)
    console.print(
        f"{len(papers)} papers; claims: {n['checked']} checked, {n['pending']} pending, {n['not_checked']} not checked"
    )


def markdown(keys: Sequence[str] = ()) -> str:
    """What is covered, a line for each paper that has been taken up; for named papers, a line for each of their claims."""
    from proofs_check import registry, selection

    if keys:
        return "\n\n".join(_claims_of(selection.paper(key)) for key in keys)
    lines = [
        "| no. | paper | on its card | checked | holds | tight | refuted as printed | not checked | pending |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for paper in registry.load():
        found = registry.counts(paper)
        if found["checked"] or found["not_checked"]:
            numbers = (found[x] for x in ("card", "checked", "holds", "tight", "refuted", "not_checked", "pending"))
            lines.append(f"| {paper.label} | {paper.short} `{paper.key}` | {' | '.join(map(str, numbers))} |")
    return "\n".join(lines)


def _claims_of(paper: Paper) -> str:
    lines = [
        f"**{paper.short}** ({paper.title})",
        "",
        "| claim | statement | verdict | source |",
        "| --- | --- | --- | --- |",
    ]
    for e in paper.claims:
        statement = e.statement.replace("|", "\\|")
        said = e.verdict or (f"not checked: {e.reason}" if e.reason else e.state)
        lines.append(f"| {e.id} | `{statement}` | {said} | {e.source or paper.short} |")
    return "\n".join(lines)


def verdicts(outcome: Outcome, seconds: float) -> None:
    """The table of a run, and what is wrong."""
    console = terminal()
    table = Table("claim", "verdict", "rests on", "largest ratio, or least gap", "teeth")
    for d in outcome.done:
        word = "fault" if d.verdict is None else d.verdict.verdict
        table.add_row(
            d.job.id,
            Text(word, style=COLOURS[word]),
            "" if d.verdict is None else d.verdict.rests_on + from_store(d),
            Text("" if d.verdict is None else nearest(d.verdict)),
            teeth(outcome.kills(d.job), [t.verdict for t in d.twins]),
        )
    console.print(table)
    if outcome.bites:
        console.print(bitten(outcome.bites), soft_wrap=True)
    for _, text in outcome.problems():
        console.print(Text(text, style="red"), soft_wrap=True)
    console.print(
        f"{len(outcome.done)} claim{'' if len(outcome.done) == 1 else 's'} in {seconds:.1f} s{pace(outcome)}; "
        f"the planted false claim was {outcome.planted.verdict}; exit {outcome.code}"
    )


def from_store(done: Done) -> str:
    """Says where a verdict was not computed in this run, or not all of it."""
    if not done.reused:
        return ""
    return (
        " (from the store)" if done.reused == done.units else f" ({done.reused} of {done.units} chunks from the store)"
    )


def pace(outcome: Outcome) -> str:
    """Instances on which a claim was evaluated, for each second, and how much came from the store instead."""
    reused, units = sum(d.reused for d in outcome.done), sum(d.units for d in outcome.done)
    text = (
        f", {outcome.computed:,} instances at {outcome.computed / outcome.took:,.0f} a second"
        if outcome.computed
        else ""
    )
    return text + (f", {reused:,} of {units:,} chunks from the store (--fresh computes them again)" if reused else "")


def teeth(killed: int | None, twins: Sequence[str]) -> str:
    """E.g. "5 mutants, 1/1 twins"."""
    parts = [] if killed is None else [f"{killed} mutant{'' if killed == 1 else 's'}"]
    if twins:
        parts.append(f"{sum(t == 'refuted' for t in twins)}/{len(twins)} twin{'' if len(twins) == 1 else 's'}")
    return ", ".join(parts)


def rounded_down(ratio: float) -> str:
    """Four decimals, towards zero: a printed ratio was reached."""
    return f"{np.floor(ratio * 1e4) / 1e4:.4f}"


def ratio(x: float | None) -> str:
    """Towards zero, with the digits that tell it from one; "1" where it is exactly that."""
    if x is None:
        return ""
    if x == 1:
        return "1"
    if 0.9999 <= x < 1:
        return f"1 - {1 - x:.1e}"
    return rounded_down(x)


def nearest(v: Verdict) -> str:
    """How near a claim comes to its bound, and where: a ratio that was reached, or a gap that is at most as wide."""
    from proofs_check.weighing import up

    if v.gap is not None:
        return f"gap {up(v.gap)} at {v.gap_at}"
    if v.ratio is None:
        return ""
    return f"{'at least ' if v.verdict == 'refuted' else ''}{rounded_down(v.ratio)} at {v.ratio_at}"


def mutants(bites: Sequence[Bite], toothless: Mapping[str, str], wrong: Sequence[str]) -> None:
    """Which claims kill which mutant, which survive and why, which claims kill none, and what is wrong."""
    console = terminal()
    table = Table("mutant", "of", "noticed by", "raises in", "s")
    for b in bites:
        name = b.mutant + (" (compiled)" if b.compiled else "")
        seconds = f"{b.cost.seconds:.1f}{' (stored)' if b.reused else ''}"
        table.add_row(name, b.of, Text(noticed(b), style="" if b.noticed else "red"), ", ".join(b.crashed), seconds)
    console.print(table)
    for b in bites:
        if b.canary and not b.noticed and b.reason:
            console.print(Text(f"survives: {b.mutant}: {b.reason}"), soft_wrap=True)
        elif b.noticed and b.reason:
            console.print(Text(f"{b.mutant} is noticed: it needs no reason"), soft_wrap=True)
    for claim_id, note in toothless.items():
        console.print(Text(f"toothless: {claim_id}: {note}"), soft_wrap=True)
    for text in wrong:
        console.print(Text(text, style="red"), soft_wrap=True)
    console.print(bitten(bites))


def noticed(b: Bite) -> str:
    """E.g. "mine.C1, mine.C2; killed by the kernel check"."""
    if not b.noticed:
        return "SURVIVES" if b.canary else "CHANGES NOTHING"
    parts = [", ".join(b.killed_by)] if b.killed_by else []
    return "; ".join([*parts, f"killed by the kernel check, on {b.checked_by[0]}"] if b.checked_by else parts)


def bitten(bites: Sequence[Bite]) -> str:
    """E.g. "mutants: 22 of 39 killed by claims, 15 by the kernel check, 2 by none"."""
    killed = sum(bool(b.killed_by) for b in bites)
    checked = sum(bool(b.checked_by) and not b.killed_by for b in bites)
    left = len(bites) - killed - checked
    text = f"mutants: {killed} of {len(bites)} killed by claims"
    return text + (f", {checked} by the kernel check" if checked else "") + (f", {left} by none" if left else "")


def claim(c: Claim) -> None:
    """Statement and circumstances of a claim."""
    console = terminal()
    table = Table(show_header=False, box=None)
    rows = [
        ("claim", c.id),
        ("states", c.statement),
        ("source", c.source),
        ("assumes", "; ".join(a.name for a in c.assumptions) or "nothing"),
        ("families", "; ".join(f"{f.name}[{i}] = {f.key}" for i, f in enumerate(c.family))),
        ("models", ", ".join(c.instances) or "none"),
        ("draws", ", ".join(f"{name}: {draw.name}" for name, draw in c.draws.items()) or "nothing"),
        ("code", f"{c.file}:{c.body.__code__.co_firstlineno}"),
    ]
    if c.of is not None:
        rows.insert(1, ("false variant", f"of {c.of}: {c.why}"))
    for name, text in rows:
        table.add_row(Text(name, style="bold"), Text(text))
    console.print(table)


def verdict(v: Verdict) -> None:
    """One verdict in lines."""
    console = terminal()
    console.print(Text(f"{v.verdict} {v.rests_on}", style=COLOURS[v.verdict]), soft_wrap=True)
    if v.reason:
        console.print(Text(v.reason), soft_wrap=True)
    if v.gap is not None:
        console.print(Text(f"least bound - measured: {nearest(v)}"), soft_wrap=True)
    elif v.ratio is not None:
        console.print(Text(f"largest measured / bound: {nearest(v)}"), soft_wrap=True)


def counterexample(data: Mapping[str, Any]) -> None:
    """A counterexample that was made smaller, as a graph."""
    from proofs_check.counterexample import replay
    from proofs_check.drawing import draw

    console = terminal()
    steps = f"{data['steps']} step{'' if data['steps'] == 1 else 's'}"
    console.print(Text(f"counterexample, from {data['address']} in {steps}", style="bold"), soft_wrap=True)
    for line in draw(*replay(data)):
        console.print(Text("  " + line), soft_wrap=True)


def model(name: str, mdp: Any, payloads: Mapping[str, Any]) -> None:
    """An instance in exact numbers, on which nothing was evaluated."""
    console = terminal()
    console.print(Text(name, style="bold"), soft_wrap=True)
    _numbers(console, mdp, payloads)


def _numbers(console: Console, mdp: Any, payloads: Mapping[str, Any]) -> None:
    from proofs_check.counterexample import describe

    for line in describe(mdp, payloads) if mdp.S * mdp.A <= SHOWN else [repr(mdp)]:
        console.print(Text("  " + line), soft_wrap=True)


def instance(address: str, mdp: Any, payloads: Mapping[str, Any], settled: Settled) -> None:
    """An instance in exact numbers, and both sides on it."""
    console = terminal()
    console.print(
        Text(
            f"instance {address}: {settled.status}, settled {'exactly' if settled.arithmetic == 'exact' else 'by balls'}",
            style="bold",
        ),
        soft_wrap=True,
    )
    _numbers(console, mdp, payloads)
    s = settled.sides
    names = ("left", "right") if s.identity else ("measured", "bound")
    for name, (low, high) in zip(names, (s.left, s.right), strict=True):
        console.print(
            Text(f"  {name} in {[[float(a), float(b)] for a, b in zip(low[0], high[0], strict=True)]}"), soft_wrap=True
        )


def view(address: str, mdp: Any, payloads: Mapping[str, Any], arithmetic: str, found: Any) -> None:
    """An instance in exact numbers, and what its evidence says of it, where that is neither an inequality nor an identity."""
    console = terminal()
    said = {1: "as stated", -1: "refuted", 0: "neither as stated nor refuted", 2: "open", None: "one of a sample"}
    status = said[None if found.status is None else int(found.status[0])]
    console.print(Text(f"{found.kind} on {address}: {status}, by {arithmetic}", style="bold"), soft_wrap=True)
    _numbers(console, mdp, payloads)
    for name, (low, high) in found.numbers.items():
        console.print(Text(f"  {name} in {np.stack([low[0], high[0]], axis=-1).tolist()}"), soft_wrap=True)
    for name, values in (found.outcomes | found.plain).items():
        console.print(Text(f"  {name}: {values}"), soft_wrap=True)
