"""From claims to verdicts: budgets, screening and settling.

What instances there are is a matter of ``addresses``; a budget below a chunk takes the first of it. What a chunk comes to
(``count``) is a function of the claim, the chunk's label and ``how`` much of it is counted and audited; a verdict is that of
its chunks' tallies, merged in the order of ``plan``. So verdicts and their bits depend on neither the number of processes, nor
the order, nor on interruptions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from proofs_check import families, kinds, views
from proofs_check.addresses import CHUNK, LATER, Chunk, chunk_of, chunk_size, key
from proofs_check.claim import Claim
from proofs_check.draws import Integers, Payload
from proofs_check.ledger import Cost, timed
from proofs_check.merging import merged
from proofs_check.settle import RATIONAL_STATES, Settled, Settler, Sides, one, screen
from proofs_check.shrink import recorded
from proofs_check.verdict import Tally, Verdict, judge

COARSE = 30  # identities that the screening encloses to fewer bits than this are settled
CONFIRMED = 20  # refutation candidates settled for each chunk: enough for the count to say many
ALONE = ("identity", "inequality")  # kinds of claims that are judged instance by instance
RUNS = "streams"  # the draw of claims whose instances are runs of learners
FEW = 8  # runs that a hunt makes before the rest: most refutations are among them


Saw = Callable[[str, Any], None]  # is told the label of a chunk, and what the screening sees of it


@dataclass(frozen=True)
class Budget:
    """How many instances a claim gets.

    ``instances`` from its families, ``fixed`` draws on each fixed model (``large`` on each of ``families.LARGE``);
    ``audit`` of ``CHUNK`` are settled although the screening decided them.
    """

    name: str
    instances: int
    fixed: int
    large: int
    audit: int


BUDGETS = {
    "quick": Budget("quick", 200, 1, 0, 2),
    "default": Budget("default", 2000, 2, 1, 2),
    "thorough": Budget("thorough", 20000, 8, 2, 2),
}
TEETH = Budget("teeth", 200, 0, 0, 0)


def instances(claim: Claim, budget: Budget) -> int:
    """How many a claim gets from its families."""
    return max(budget.instances, claim.least) if budget.instances else 0


def plan(claim: Claim, budget: Budget) -> list[str]:
    """The labels of all chunks of a budget, in order: each family in turn, then the fixed models."""
    n = instances(claim, budget)
    count = int(n > 0) + max(0, -(-(n - CHUNK) // LATER))
    labels = [f"{family.name}[{f}]:{c}" for c in range(count) for f, family in enumerate(claim.family)]
    for name in claim.instances:
        labels += [f"{name}:{k}" for k in range(budget.large if name in families.LARGE else budget.fixed)]
    return labels


def chunks(claim: Claim, budget: Budget, seed: int) -> Iterator[Chunk]:
    """All chunks of a budget, in order."""
    for label in plan(claim, budget):
        yield chunk_of(claim, label, seed)


def verify(
    claim: Claim,
    budget: Budget,
    seed: int = 0,
    *,
    hunt: bool = False,
    probed: bool | None = None,
    cost: Cost | None = None,
    saw: Saw | None = None,
) -> Verdict:
    """The verdict of one claim.

    ``hunt`` looks for one refutation and nothing else, for mutants and twins: it settles only what the screening
    separates the wrong way, leaves the compiled kernels alone (unless ``probed``), and stops at the first that is
    confirmed. What it costs is added to ``cost``; ``saw`` is told what the screening sees, as ``screened`` gives it. Raises
    EngineFault where two arithmetics exclude each other.
    """
    tally = tallied(claim, budget, seed, hunt=hunt, probed=probed, cost=cost, saw=saw)
    return conclude(claim, tally, shrunk=not hunt)


def conclude(claim: Claim, tally: Tally, *, shrunk: bool = True) -> Verdict:
    """The verdict of all chunks together: what is done once for a claim belongs here.

    ``shrunk``: its smallest counterexample is made smaller (``shrink.recorded``); a hunt needs the word alone.
    """
    if shrunk and tally.counterexample is not None:
        tally.counterexample = recorded(claim, tally.counterexample)
    return judge(claim.id, tally)


def tallied(
    claim: Claim,
    budget: Budget,
    seed: int = 0,
    *,
    hunt: bool = False,
    probed: bool | None = None,
    cost: Cost | None = None,
    saw: Saw | None = None,
) -> Tally:
    """The tally of a claim, in this process; see ``verify``."""
    probed = not hunt if probed is None else probed
    return merged(_counted(claim, budget, seed, hunt, probed, Cost() if cost is None else cost, saw))


def _counted(
    claim: Claim, budget: Budget, seed: int, hunt: bool, probed: bool, cost: Cost, saw: Saw | None
) -> Iterator[Tally]:
    for label in plan(claim, budget):
        with timed(cost, "drawing"):
            chunk = chunk_of(claim, label, seed)
        tally = count(chunk, budget, seed, hunt=hunt, probed=probed, cost=cost, saw=saw)
        yield tally
        if hunt and tally.refuted:
            return


def how(budget: Budget) -> str:
    """What of a budget decides what its chunks come to: how many are audited, and whether the first chunk is cut short."""
    return f"audit {budget.audit}" + (f", first {budget.instances}" if budget.instances < CHUNK else "")


def count(
    chunk: Chunk,
    budget: Budget,
    seed: int,
    *,
    hunt: bool = False,
    probed: bool = True,
    cost: Cost | None = None,
    saw: Saw | None = None,
) -> Tally:
    """What one chunk comes to: a function of the claim, the chunk's label, ``how(budget)`` and the seed, and of nothing else."""
    tally, cost = Tally(), Cost() if cost is None else cost
    settler = Settler(chunk.claim, full_ties=int(chunk.first))
    counted = _met(chunk.claim, chunk, tally, instances(chunk.claim, budget))
    cost.instances += tally.drawn
    screening = _screenings(chunk, counted, hunt=hunt, probed=probed)
    while True:
        with timed(cost, "screening"):
            some, found = next(screening, (counted, None))
        if found is None:
            return tally
        if saw is not None:
            saw(chunk.label, found)
        with timed(cost, "settling"):
            if isinstance(found, views.View):
                kinds.record(chunk, some, found, tally, hunt=hunt)
            elif hunt:
                _hunt(chunk, some, found, tally, settler)
            else:
                _classify(chunk, some, found, _audited(chunk, some.size, budget.audit, seed), tally, settler)
        if hunt and tally.refuted:
            return tally


def screened(claim: Claim, label: str, seed: int) -> Any:
    """What the screening sees of a chunk: sides or a view of its instances that meet the assumptions; None where none does."""
    return next(seen_of(claim, label, seed, hunt=False), None)


def seen_of(claim: Claim, label: str, seed: int, *, hunt: bool) -> Iterator[Any]:
    """What ``saw`` is told of a chunk, one after the other, where nothing is refuted."""
    chunk = chunk_of(claim, label, seed)
    for _, found in _screenings(chunk, _met(claim, chunk, Tally(), CHUNK), hunt=hunt, probed=False):
        yield found


def _screenings(chunk: Chunk, counted: np.ndarray, *, hunt: bool, probed: bool) -> Iterator[tuple[np.ndarray, Any]]:
    """Places of instances, and what the screening sees of these: of all at once, or, where a hunt may end with the first runs,
    of ``FEW`` before the rest. A view is of all."""
    claim = chunk.claim
    runs = claim.kind in ALONE and any(draw.name == RUNS for draw in claim.draws.values())
    cut = FEW if hunt and runs and counted.size > 2 * FEW else counted.size
    for some in (counted[:cut], counted[cut:]):
        if not some.size:
            return
        found = screen(claim, *_screened(chunk, some), probed=probed)
        if isinstance(found, views.View) and some.size < counted.size:
            yield counted, screen(claim, *_screened(chunk, counted), probed=probed)
            return
        yield some, found


def _screened(chunk: Chunk, counted: np.ndarray) -> tuple[Any, Mapping[str, Payload]]:
    """What the screening evaluates at once: the counted instances of a batch, or the fixed model."""
    if chunk.model is not None:
        return chunk.model, {name: p.take(0) for name, p in chunk.payloads.items()}
    if counted.size == chunk.batch.B:
        return chunk.batch, chunk.payloads
    return chunk.batch[counted], {name: p.take(counted) for name, p in chunk.payloads.items()}


def _hunt(chunk: Chunk, counted: np.ndarray, found: Sides, tally: Tally, settler: Settler) -> None:
    tally.identity = found.identity
    for j in np.flatnonzero(found.wrong):
        i = int(counted[j])
        mdp, payloads = chunk.instance(i)
        _settled(tally, settler(mdp, payloads, one(found, int(j))), chunk.address(i), mdp, payloads)
        if tally.refuted:
            return
    tally.informative = tally.nonzero = True  # what a hunt does not ask


def _met(claim: Claim, chunk: Chunk, tally: Tally, instances: int) -> np.ndarray:
    """Indices of the instances that meet every assumption, among the first of a chunk where the budget is less than one."""
    source = chunk.batch if chunk.model is None else chunk.model
    n = chunk.batch.B
    if chunk.model is None and instances < CHUNK:
        n = max(1, instances // len(claim.family))
    met = np.arange(chunk.batch.B) < n
    for assumption in claim.assumptions:
        holds = assumption.met(source, chunk.batch.B)
        if not holds[:n].all():
            tally.unmet[assumption.name] = tally.unmet.get(assumption.name, 0) + int((~holds[:n]).sum())
        met &= holds
    tally.drawn += n
    tally.met += int(met.sum())
    return np.flatnonzero(met)


def _audited(chunk: Chunk, n: int, audit: int, seed: int) -> set[int]:
    """Places of those that are settled whatever the screening says of them: ``audit`` of ``CHUNK``."""
    if chunk.model is not None:
        return set()
    picked = min(audit * chunk_size(chunk.path[-1]) // CHUNK, n)
    return set(Integers(seed, key(chunk.claim.id), key(chunk.label), key("audit")).below(n, picked).tolist())


def _classify(
    chunk: Chunk,
    counted: np.ndarray,
    found: Sides,
    picked: set[int],
    tally: Tally,
    settler: Settler,
) -> None:
    tally.identity, tally.bare = found.identity, not found.quotient
    wrong, undecided, finite, resolution = found.wrong, found.open, found.finite, found.resolution
    marks = _marks(found, found.equal)
    # A large model is settled only where the screening says too little: its exact solutions take minutes.
    large = chunk.model is not None and chunk.model.S > RATIONAL_STATES
    confirmed = 0
    for j, i in enumerate(counted):
        address = chunk.address(int(i))
        agrees = (found.identity or large) and bool(finite[j]) and not wrong[j] and resolution[j] >= COARSE
        decided = not wrong[j] and (agrees or not undecided[j])
        if decided and j not in picked:
            tally.enclosure += 1
            if undecided[j]:
                tally.resolution = min(tally.resolution, float(resolution[j]))
            _credit(tally, marks, j, address)
            continue
        if wrong[j]:
            confirmed += 1
            if confirmed > CONFIRMED:
                tally.unsettled.append(address)
                continue
        mdp, payloads = chunk.instance(int(i))
        settled = settler(mdp, payloads, one(found, j))
        _settled(tally, settled, address, mdp, payloads)
        tally.audited += bool(decided)


def _settled(tally: Tally, settled: Settled, address: str, mdp: Any, payloads: Mapping[str, Payload]) -> None:
    if settled.status == "refuted":
        from proofs_check.counterexample import record

        tally.refutation(mdp.S * mdp.A, record(mdp, payloads, address))
    if settled.status == "open":
        tally.open += 1
        tally.open_at = tally.open_at or address
        return
    if settled.arithmetic == "exact":
        tally.exact += 1
    else:
        tally.balls += 1
    if settled.status == "tie":
        tally.resolution = min(tally.resolution, settled.bits)
    _credit(tally, _marks(settled.sides, settled.sides.attained & (settled.status != "refuted")), 0, address)


def _marks(found: Sides, ties: np.ndarray) -> tuple[np.ndarray, ...]:
    """What a chunk is credited with, a column each; ``ties``: equalities, overlapping sides of the screening not among them."""
    return found.informative, np.asarray(~found.null.all(axis=-1)), ties, found.apart, found.ratio, found.least


def _credit(tally: Tally, marks: tuple[np.ndarray, ...], j: int, address: str) -> None:
    informative, nonzero, ties, apart, ratio, least = (column[j] for column in marks)
    tally.informative |= bool(informative)
    tally.nonzero |= bool(nonzero)
    if not tally.identity:
        tally.ties += bool(ties)
        tally.apart += bool(apart)
        tally.ratio_seen(float(ratio), address)
        tally.gap_seen(float(least), address)
