"""``attack``: search, settle exactly, shrink, and say how near it came."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from proofs_check import counterexample
from proofs_check.addresses import CHUNK, key
from proofs_check.adversary.measure import NOTHING, Measured, measure
from proofs_check.adversary.search import climb
from proofs_check.adversary.starts import gather, spaces
from proofs_check.claim import Claim
from proofs_check.draws import Integers, Payload
from proofs_check.runner import Budget, verify
from proofs_check.settle import Settled, Settler, Sides
from proofs_check.shrink import shrink
from proofs_check.statements import NoStatement, Statement, statement

EVALUATIONS = 60_000
TRIALS = 10  # of a ``Trial``, one for so many evaluations
TRIES = 200  # instances settled that might be a witness
TOLD = 1.01  # the history has a line where the best ratio came this much nearer to one (or grew)
CLEAR = 2.0**-6  # a refutation by less of the larger side is pushed further: it shrinks badly
ATTAINED = 1e-12
READABLE = (
    0.99  # the extremal instance is simplified as long as it keeps this part of its ratio, an attained one all of it
)


@dataclass(frozen=True)
class Attack:
    """What the attack on one claim came to; picklable, and the same for a claim, a seed and a number of evaluations.

    Attributes
    ----------
    status : "refuted", "stands", "witness found", "no witness", or "not attacked" with a reason.
    ratio : the largest measured / bound, a lower bound that an exact settling gave; None where no bound was positive, or where
        the quotient means nothing. Of a ``Trial``, the least delta that survives (e < 10^6) over its delta.
    gap : of an inequality with ``quotient=False``, at least bound - measured on the extremal instance; None for others.
    random : the same among the claim's own random instances (screened only). At an identity both are None.
    difference : for an identity, the largest relative difference that enclosures could not exclude to be real; 0 if true.
    source : where the extremal instance came from: selected, hence labelled.
    history : (evaluations, ratio, source) where the best ratio grew.
    instance : the extremal instance, simplified, or the smallest counterexample or witness found, as a record.
    size, reached : (S, A) of that instance, and of the one that it was simplified from, which has the ratio.
    numbers : what there is instead of a quotient, by name: exponents, a least constant, a least delta.
    """

    id: str
    status: str
    identity: bool
    ratio: float | None
    random: float | None
    difference: float
    source: str
    evaluations: int
    history: tuple[tuple[int, float, str], ...]
    instance: dict[str, Any] | None
    size: tuple[int, int] | None = None
    reached: tuple[int, int] | None = None
    reason: str = ""
    left: tuple[float, float] | None = None
    right: tuple[float, float] | None = None
    kind: str = ""
    numbers: dict[str, float] = field(default_factory=dict)
    gap: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


@dataclass
class _Best:
    """An instance worth settling."""

    value: float = -np.inf
    source: str = ""
    mdp: Any = None
    payloads: Mapping[str, Payload] | None = None


class _Watch:
    """Sees all that is measured: keeps the best by ratio and by margin, settles what separates the wrong way, or is wanted."""

    def __init__(self, said: Statement, further: int) -> None:
        self.said, self.settler = said, Settler(said.claim)
        self.ratio, self.margin, self.worst, self.random = _Best(), _Best(), _Best(), float("nan")
        self.further, self.until = further, 0
        self.refuted: tuple[Any, Mapping[str, Payload], Settled, str] | None = None
        self.spent = 0
        self.tries = TRIES
        self.slopes = (np.inf, -np.inf)
        self.history: list[tuple[int, float, str]] = []

    def __call__(self, sources: Sequence[str], batch: Any, payloads: Mapping[str, Payload], m: Measured) -> None:
        self.spent += len(m.margin)
        self.slopes = min(self.slopes[0], m.slopes[0]), max(self.slopes[1], m.slopes[1])
        if np.isfinite(m.ratio).any():
            i = int(np.nanargmax(m.ratio))
            if sources[i] == "random":
                self.random = float(np.fmax(self.random, m.ratio[i]))
            if m.ratio[i] > self.ratio.value:
                self._tell(float(m.ratio[i]), sources[i])
                self.ratio = _Best(float(m.ratio[i]), sources[i], *_instance(batch, payloads, i))
        i = int(np.argmax(m.margin))
        if m.margin[i] > max(self.margin.value, NOTHING):
            self.margin = _Best(float(m.margin[i]), sources[i], *_instance(batch, payloads, i))
        if self.said.wanted:
            self._try(sources, batch, payloads, m)
        elif m.wrong.any():
            i = int(np.argmax(np.where(m.wrong, m.margin, -np.inf)))
            if self.refuted is None:
                self._settle(sources[i], *_instance(batch, payloads, i), m.screened[i])
                self.until = self.spent + self.further
            if m.margin[i] > self.worst.value:
                self.worst = _Best(float(m.margin[i]), sources[i], *_instance(batch, payloads, i))

    def _try(self, sources: Sequence[str], batch: Any, payloads: Mapping[str, Payload], m: Measured) -> None:
        """Settle what may be a witness, the likeliest first, until one is."""
        possible = np.flatnonzero(m.wrong)
        for i in possible[np.argsort(-m.margin[possible], kind="stable")].tolist():
            if self.refuted is not None or self.tries == 0:
                return
            self.tries -= 1
            self._settle(sources[i], *_instance(batch, payloads, i), m.screened[i])

    def done(self) -> bool:
        """Whether a witness is found, or the claim refuted, by a clear margin or after the further search for one."""
        clear = self.said.wanted or self.worst.value >= CLEAR or self.spent >= self.until
        return self.refuted is not None and clear

    def _tell(self, ratio: float, source: str) -> None:
        last = self.history[-1][1] if self.history else 0.0
        if not self.history or ratio > TOLD * last or abs(1 - ratio) < abs(1 - last) / 2:
            self.history.append((self.spent, ratio, source))

    def _settle(self, source: str, mdp: Any, payloads: Mapping[str, Payload], screened: Sides | None = None) -> Settled:
        settled = self.settler(mdp, payloads, screened)
        if self.said.claimed(settled):
            self.refuted = mdp, payloads, settled, source
        return settled

    def settle(self, best: _Best) -> Settled | None:
        """Settle an instance that was kept."""
        return None if best.payloads is None else self._settle(best.source, best.mdp, best.payloads)


def _instance(batch: Any, payloads: Mapping[str, Payload], i: int) -> tuple[Any, dict[str, Payload]]:
    return batch[i], {name: p.take(i) for name, p in payloads.items()}


def attack(claim: Claim, evaluations: int = EVALUATIONS, seed: int = 0) -> Attack:
    """Search for the worst instance of a claim among models of its families' shapes that meet its assumptions.

    ``evaluations`` of the search proper, most of them on small shapes; starts are measured besides. The found instance is
    settled exactly: no ratio is reported, and nothing refuted, on the strength of floating point. What is searched is the
    claim's statement of one instance (``statements``); a ``Trial`` has none, and is tried on ``evaluations / 10`` of its own.
    """
    try:
        said = statement(claim)
    except NoStatement as none:
        if none.trial:
            return _trial(claim, evaluations, seed)
        return Attack(claim.id, "not attacked", False, None, None, 0.0, "", 0, (), None, reason=str(none))
    watch = _Watch(said, evaluations // 4)
    found = spaces(claim)
    starts = gather(said, found, seed, watch)
    random = Integers(seed, key(claim.id), key("attack"))
    for space in found:
        if watch.done():
            break

        def score(labels: Sequence[str], X: np.ndarray, space: Any = space) -> Measured:
            batch, payloads = space.decode(X)
            m = measure(said, batch, payloads)
            watch(labels, batch, payloads, m)
            return m

        climb(
            space,
            starts[space.S, space.A],
            score,
            int(evaluations / space.size / sum(1 / other.size for other in found)),
            lambda: int(random.below(2**31, 1)[0]),
            watch.done,
        )
    return _report(said, watch)


def _trial(claim: Claim, evaluations: int, seed: int) -> Attack:
    """The least delta that survives among the family's own trials: chosen ones would say nothing of the average."""
    budget = Budget("attack", max(CHUNK, evaluations // TRIALS), 0, 0, 0)
    v = verify(claim, budget, seed)
    status = "refuted" if v.verdict == "refuted" else "stands"
    if not v.evidence:  # no instance met the assumptions
        return Attack(
            claim.id, status, False, None, None, 0.0, "", v.tally.met, (), None, reason=v.reason, kind="Trial"
        )
    low, high = v.evidence["delta"]
    least = float(v.evidence["least_delta"])
    numbers = {"least delta": least, "delta": high, "trials": v.evidence["trials"]}
    ratio = least / high if low == high else None
    reason = v.reason if status == "refuted" else "" if low == high else "delta is drawn: none of it is the least"
    return Attack(
        claim.id, status, False, ratio, None, 0.0, "the family's own trials", v.evidence["trials"], (), None,
        reason=reason, kind="Trial", numbers=numbers,
    )  # fmt: skip


def _report(said: Statement, watch: _Watch) -> Attack:
    claim, extremal = said.claim, watch.ratio
    quotient = said.quotient or not said.refutable
    watch.settle(watch.worst)  # takes the place of the first refutation where it is one, too
    settled = None if watch.refuted is not None else watch.settle(extremal)
    if watch.refuted is None:  # the margin also looks at entries without a ratio, where both sides are negative
        by_margin = watch.settle(watch.margin)
        settled, extremal = (settled, extremal) if settled is not None else (by_margin, watch.margin)
    if watch.refuted is not None:
        mdp, payloads, settled, source = watch.refuted
        keep: Callable[[Settled], bool] = said.claimed
    else:
        mdp, payloads, source = extremal.mdp, extremal.payloads or {}, extremal.source
        best = (_ratio(settled) if quotient else None) or np.inf
        least = best - ATTAINED if said.refutable and best > 1 - ATTAINED else READABLE * best
        keep = lambda s: s.status != "open" and (_ratio(s) or 0.0) >= least  # noqa: E731
        if (gap := _gap(settled)) is not None:
            keep = lambda s: s.status != "open" and bool(s.sides.least[0] <= gap)  # noqa: E731
    instance, size, reached = None, None, None
    if mdp is not None and settled is not None:
        reached = (mdp.S, mdp.A)
        small = shrink(claim, mdp, payloads, keep, settled=settled)
        mdp, payloads, settled = small.mdp, small.payloads, small.settled
        instance = counterexample.record(mdp, payloads, f"found by attack, {source}")
        size = (mdp.S, mdp.A)
    s = None if settled is None else settled.sides
    worst = 0 if s is None else _worst_entry(s, said.refutable)
    ratios = [r for r in (_ratio(settled), watch.ratio.value) if quotient and r is not None and np.isfinite(r)]
    identity = bool(s is not None and s.identity)
    largest = max(ratios) if ratios and not identity else None
    numbers, reason = {}, ""
    if said.kind == "Scaling" and np.isfinite(watch.slopes).all():
        numbers = {"lowest slope": watch.slopes[0], "highest slope": watch.slopes[1]}
    if not said.refutable:
        largest, numbers = None, {} if largest is None else {"least constant": largest}
        reason = "it names no constant that an instance could exceed"
    elif largest is None and said.kind == "Inequality":
        reason = "no bound was positive" if said.quotient else "it compares values whose quotient means nothing"
    decided = watch.refuted is not None
    words = ("witness found", "no witness") if said.wanted else ("refuted", "stands")
    return Attack(
        id=claim.id,
        status=words[not decided],
        identity=identity,
        ratio=largest,
        random=float(watch.random) if np.isfinite(watch.random) and said.refutable else None,
        difference=max(watch.margin.value, 0.0) if identity and not said.wanted else 0.0,
        source=source,
        evaluations=watch.spent,
        history=tuple(watch.history),
        instance=instance,
        size=size,
        reached=reached,
        kind=said.kind,
        numbers=numbers,
        reason=reason,
        left=None if s is None else (float(s.left[0][0, worst]), float(s.left[1][0, worst])),
        right=None if s is None else (float(s.right[0][0, worst]), float(s.right[1][0, worst])),
        gap=_gap(settled),
    )


def _ratio(settled: Settled | None) -> float | None:
    if settled is None or settled.sides.identity:
        return None
    r = float(settled.sides.ratio[0])
    return r if np.isfinite(r) else None


def _gap(settled: Settled | None) -> float | None:
    if settled is None or settled.sides.quotient or not np.isfinite(settled.sides.least[0]):
        return None
    return float(settled.sides.least[0])


def _worst_entry(s: Sides, refutable: bool) -> int:
    """The entry that is wrong, or else has the largest ratio, or the least gap where there are no ratios."""
    if s.identity or (s.wrong[0] and refutable):
        return int(np.argmax((s.sign[0] == -1) | (s.identity & (s.sign[0] == 1))))
    if not s.quotient:
        return int(np.argmin(np.where(s.null[0], np.inf, s.gap[0])))
    with np.errstate(divide="ignore", invalid="ignore"):
        r = np.where(s.right[0][0] > 0, s.left[0][0] / s.right[1][0], -np.inf)
    return int(np.argmax(np.where(np.isnan(r), -np.inf, r)))
