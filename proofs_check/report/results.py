"""What a store knows of a claim: its verdict again from the stored tallies, its twins and the mutants that it met.

Nothing is run: tallies are merged and judged as they were when they were computed. Results of the engine and of the claim
as they are now come first; of older ones the latest are taken, and said to be such.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from proofs_check import digests, ledger, runner
from proofs_check.claim import Claim
from proofs_check.merging import merged
from proofs_check.records import Record
from proofs_check.runner import BUDGETS, Budget
from proofs_check.store import Store
from proofs_check.verdict import Verdict
from proofs_check.workers import HUNT, code_of

CURRENT, EARLIER, PART, NONE = "current", "earlier", "part", "none"


@dataclass(frozen=True)
class Twin:
    """A false variant: what it came to, the address that refuted it, and whether that is of the engine and claim as they are."""

    claim: Claim
    verdict: Verdict | None
    current: bool

    @property
    def at(self) -> str:
        """Address of what refuted it."""
        found = None if self.verdict is None else self.verdict.tally.counterexample
        return "" if found is None else str(found.get("address", ""))


@dataclass(frozen=True)
class Met:
    """A mutant that a claim met, and the outcome: killed, checked, missed, crashed or untried."""

    name: str
    outcome: str
    compiled: bool
    current: bool


@dataclass(frozen=True)
class Found:
    """What a store knows of one claim; ``state`` is one of the four above, ``changed`` what has changed since, in words."""

    state: str = NONE
    verdict: Verdict | None = None
    budget: str = ""
    seed: int = 0
    chunks: tuple[int, int] = (0, 0)
    changed: tuple[str, ...] = ()
    twins: tuple[Twin, ...] = ()
    mutants: tuple[Met, ...] = ()
    records: tuple[Record, ...] = field(default=(), repr=False)

    @property
    def killed(self) -> tuple[Met, ...]:
        """The mutants that it killed, or in whose run the check of kernels noticed them."""
        return tuple(m for m in self.mutants if m.outcome in ("killed", "checked"))


@dataclass(frozen=True)
class Known:
    """All records of a store by the claim that they are of (twins with theirs), and the runs that made them."""

    records: dict[str, tuple[Record, ...]]
    runs: dict[str, dict[str, Any]]

    @classmethod
    def of(cls, store: Store | None) -> Known:
        """Of a store, whose finished runs are taken over first; of none, nothing."""
        if store is None:
            return cls({}, {})
        store.absorb()
        found: dict[str, list[Record]] = defaultdict(list)
        for record in store.records():
            found[record.claim.partition(".twin")[0]].append(record)
        return cls({claim: tuple(each) for claim, each in found.items()}, store.runs())

    def began(self, record: Record) -> float:
        """When its run began, in seconds since 1970; 0 where nobody knows."""
        return float(self.runs.get(record.run, {}).get("began", 0.0))


def found(claim: Claim, known: Known, room: str | None) -> Found:
    """What is known of ``claim``, of a paper in ``room`` (None: of a file of one's own)."""
    records = known.records.get(claim.id, ())
    own = [r for r in records if r.claim == claim.id and not r.mode.startswith(("mutant ", HUNT))]
    twins = tuple(_twin(t, [r for r in records if r.claim == t.id], known) for t in claim.twins)
    mutants = _mutants(claim, [r for r in records if r.claim == claim.id and r.mode.startswith("mutant ")], known)
    used = tuple(r for r in records if r.mode.startswith(("mutant ", HUNT)))
    made = _current(claim, own, room)
    if made is None or made.verdict is None:  # a result of before says more than a part of one
        made = _earlier(claim, own, known, room) or made or Found()
    return replace(made, twins=twins, mutants=mutants, records=(*made.records, *used))


def _budgets(room: str | None) -> list[Budget]:
    """From the largest."""
    quick = replace(BUDGETS["quick"], instances=ledger.quick(room))
    return [BUDGETS["thorough"], BUDGETS["default"], quick]


def _now(record: Record, claim: Claim) -> bool:
    return record.engine == digests.engine() and record.code == code_of(claim)


def _current(claim: Claim, own: Sequence[Record], room: str | None) -> Found | None:
    """Of the engine and the claim as they are: the largest budget that is complete, at the least seed."""
    mine = [r for r in own if _now(r, claim)]
    best: Found | None = None
    for budget in _budgets(room):
        for seed in sorted({r.seed for r in mine}):
            labels = runner.plan(claim, budget)
            there = {r.label: r for r in mine if r.seed == seed and r.mode == runner.how(budget)}
            chunks = (sum(label in there for label in labels), len(labels))
            if chunks[0] == chunks[1]:
                taken = tuple(there[label] for label in labels)
                return Found(CURRENT, _judged(claim, taken), budget.name, seed, chunks, records=taken)
            if chunks[0]:
                best = Found(PART, None, budget.name, seed, chunks)
    return best


def _earlier(claim: Claim, own: Sequence[Record], known: Known, room: str | None) -> Found | None:
    """The latest of what an earlier engine, or an earlier form of the claim, came to."""
    groups: dict[tuple[str, str, int, str], list[Record]] = defaultdict(list)
    for r in own:
        if not _now(r, claim):
            groups[r.engine, r.code, r.seed, r.mode].append(r)
    if not groups:
        return None
    (engine, code, seed, mode), taken = max(groups.items(), key=lambda g: (max(map(known.began, g[1])), g[0]))
    there = {r.label: r for r in taken}
    name = ""
    for budget in _budgets(room):
        labels = runner.plan(claim, budget)
        if mode == runner.how(budget) and there.keys() >= set(labels):
            there, name = {label: there[label] for label in labels}, budget.name
            break
    changed = tuple(
        what
        for what, is_other in (("engine", engine != digests.engine()), ("claim", code != code_of(claim)))
        if is_other
    )
    records = tuple(there.values())
    return Found(EARLIER, _judged(claim, records), name, seed, (len(records), len(records)), changed, records=records)


def _judged(claim: Claim, records: Iterable[Record]) -> Verdict:
    return runner.conclude(claim, merged([r.tally for r in records]), shrunk=False)


def _latest(records: Sequence[Record], claim: Claim, known: Known) -> Record | None:
    """One that is of now, or else the latest."""
    return max(records, key=lambda r: (_now(r, claim), known.began(r), r.key), default=None)


def _twin(twin: Claim, records: Sequence[Record], known: Known) -> Twin:
    record = _latest(records, twin, known)
    return Twin(twin, None if record is None else _judged(twin, [record]), record is not None and _now(record, twin))


def _mutants(claim: Claim, records: Sequence[Record], known: Known) -> tuple[Met, ...]:
    by_name: dict[tuple[str, bool], list[Record]] = defaultdict(list)
    for r in records:
        by_name[r.label, " compiled " in r.mode].append(r)
    out = []
    for (name, compiled), each in sorted(by_name.items()):
        record = _latest(each, claim, known)
        if record is not None:
            (said,) = record.tally.samples
            out.append(Met(name, str(said["outcome"]), compiled, _now(record, claim)))
    return tuple(out)
