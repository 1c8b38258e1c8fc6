"""From evidence to a verdict, and what the verdict rests on."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from math import inf, isfinite, nan
from typing import Any

TIGHT = 0.999  # a ratio measured / bound from here on counts as attained
NAMED = 3  # instances not settled that a reason names; JSON has all


@dataclass
class Tally:
    """Counts of one claim; ``runner`` adds instance by instance, in the order of their addresses."""

    drawn: int = 0
    met: int = 0  # of these, instances that meet the assumptions
    enclosure: int = 0
    exact: int = 0
    balls: int = 0
    audited: int = 0  # decided by enclosure, and settled besides
    open: int = 0
    ties: int = 0  # exact equalities with sides that are not zero, and overlaps to the end of the ladder
    apart: int = 0  # instances with an entry where measured is less than bound
    nonzero: bool = False  # some side of some instance is not zero
    bare: bool = False  # the quotient of the sides means nothing
    identity: bool = False
    informative: bool = False
    resolution: float = inf  # bits; the coarsest among overlapping sides
    ratio: float = nan
    ratio_at: str = ""
    gap: float = inf  # at least as large as the least bound - measured
    gap_at: str = ""
    refuted: int = 0
    unsettled: list[str] = field(default_factory=list)  # separated the wrong way by enclosure, and not settled
    open_at: str = ""
    counterexample: dict[str, Any] | None = None  # the smallest by S * A
    unmet: dict[str, int] = field(default_factory=dict)
    kind: str = ""  # of evidence that is neither an inequality nor an identity
    samples: list[dict[str, Any]] = field(default_factory=list)  # what such evidence is weighed by, chunk by chunk

    def ratio_seen(self, ratio: float, address: str) -> None:
        """Keep the largest; the first in the order of addresses among equals."""
        if isfinite(ratio) and not ratio <= self.ratio:
            self.ratio, self.ratio_at = ratio, address

    def gap_seen(self, gap: float, address: str) -> None:
        """Keep the least; the first in the order of addresses among equals."""
        if gap < self.gap:
            self.gap, self.gap_at = gap, address

    def refutation(self, size: int, counterexample: dict[str, Any]) -> None:
        """Keep the smallest, the first among equals."""
        self.refuted += 1
        if self.counterexample is None or size < self.counterexample["size"]:
            self.counterexample = {"size": size} | counterexample


@dataclass(frozen=True)
class Verdict:
    """One claim's result.

    ``rests_on`` says in words how many instances decided it and in which arithmetic; ``ratio`` is the largest measured / bound with
    the address of its instance, over what was settled or decided by enclosure (so of a refuted claim the largest is at least that);
    ``gap`` bounds the least bound - measured from above, where a ratio means nothing; ``resolution`` is in bits; ``evidence``
    holds the numbers of evidence that is weighed.
    """

    id: str
    verdict: str
    rests_on: str
    reason: str
    ratio: float | None
    ratio_at: str
    resolution: float | None
    tally: Tally
    evidence: dict[str, Any] = field(default_factory=dict)
    gap: float | None = None
    gap_at: str = ""

    def as_dict(self) -> dict[str, Any]:
        """For JSON; no timing, so that equal runs give equal bytes."""
        out = asdict(self)
        tally = out.pop("tally")
        out["counterexample"] = tally.pop("counterexample")
        keep = ("drawn", "met", "enclosure", "exact", "balls", "audited", "open", "ties", "apart", "refuted", "unmet")
        return out | {"counts": {key: tally[key] for key in keep}, "unsettled": tally["unsettled"]}


def judge(claim_id: str, tally: Tally) -> Verdict:
    """The verdict of a tally: that of ``weighing`` for evidence of another kind.

    Refuted beats all: it was confirmed exactly. Then undecided, where an instance stayed open; vacuous, where no
    instance met the assumptions, an inequality was 0 <= 0 on all of them, or the bound never went below the trivial one;
    tight, where an inequality was attained; holds otherwise.
    """
    if tally.kind and tally.met:
        return _weighed(claim_id, tally)
    reason = ""
    if tally.refuted:
        verdict = "refuted"
        reason = _refuted(tally)
    elif tally.met == 0:
        verdict = "vacuous"
        reason = "no instance met the assumptions: " + (", ".join(tally.unmet) or "none was drawn")
    elif tally.open:
        verdict = "undecided"
        reason = f"{_count(tally.open, 'instance')} not enclosed at any precision, e.g. {tally.open_at}"
    elif not tally.identity and not tally.nonzero:
        verdict = "vacuous"
        exactly = f" (to 2^-{int(tally.resolution)})" if isfinite(tally.resolution) else ""
        reason = f"both sides always zero{exactly}"
    elif not tally.informative:
        verdict = "vacuous"
        reason = "the bound never goes below the trivial one"
    elif not tally.identity and attained(tally):
        verdict = "tight"
    else:
        verdict = "holds"
    return Verdict(
        id=claim_id,
        verdict=verdict,
        rests_on=rests_on(tally),
        reason=reason,
        ratio=tally.ratio if isfinite(tally.ratio) else None,
        ratio_at=tally.ratio_at,
        resolution=tally.resolution if isfinite(tally.resolution) else None,
        tally=tally,
        gap=tally.gap if tally.bare and isfinite(tally.gap) else None,
        gap_at=tally.gap_at if tally.bare else "",
    )


def attained(tally: Tally) -> bool:
    """Whether an inequality is tight: by its ratio or an equality; without a quotient, by an exact equality that is no rule."""
    if tally.bare:
        return tally.ties > 0 and tally.apart > 0
    return tally.ratio >= TIGHT or tally.ties > 0


def _refuted(tally: Tally) -> str:
    """On how many instances that was confirmed, and on which others the enclosures say the same."""
    at = f"e.g. {tally.counterexample['address']}"  # type: ignore[index]
    if not tally.unsettled:
        return f"separated the wrong way on {_count(tally.refuted, 'instance')}, {at}"
    more = ", ".join(tally.unsettled[:NAMED]) + (", ..." if len(tally.unsettled) > NAMED else "")
    return (
        f"separated the wrong way on at least {_count(tally.refuted, 'instance')}, confirmed, {at}; by enclosure alone, "
        f"and not settled, on {len(tally.unsettled):,} more: {more}"
    )


def _weighed(claim_id: str, tally: Tally) -> Verdict:
    from proofs_check.weighing import weigh

    w = weigh(tally.kind, tally.samples, tally)
    return Verdict(claim_id, w.verdict, w.rests_on, w.reason, w.ratio, w.ratio_at, None, tally, w.details)


def rests_on(tally: Tally) -> str:
    """E.g. "on 2,004 instances; 1,960 by enclosure, 40 exactly, 4 by balls; resolution 2^-128"."""
    parts = [
        (tally.enclosure, "by enclosure"),
        (tally.exact, "exactly"),
        (tally.balls, "by balls"),
        (tally.open, "open"),
        (len(tally.unsettled), "not settled"),
    ]
    text = f"on {_count(tally.met, 'instance')}"
    if counted := ", ".join(f"{n:,} {how}" for n, how in parts if n):
        text += f"; {counted}"
    if tally.audited:
        text += f"; {tally.audited:,} audited"
    if isfinite(tally.resolution):
        text += f"; resolution 2^-{int(tally.resolution)}"
    return text


def _count(n: int, noun: str) -> str:
    return f"{n:,} {noun}{'' if n == 1 else 's'}"
