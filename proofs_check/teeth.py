"""Teeth: whether the claims would notice a fault in the operators, and whether a false statement is refuted at all.

Each mutant runs in a process of its own, the JIT off, on small instances screened in enclosures and confirmed
exactly. A mutant is killed by a claim that becomes refuted, or whose arithmetics come to exclude each other; an
exception kills nothing. Mutants of kernels run beside the check of kernel values against their enclosures, and what that
notices is told apart; the first claim in whose run it does is enough. A few are repeated compiled, against claims that killed
them. Teeth have their own seed, so that a run's seed does not change them; what a mutant does to a claim is a result like others,
stored under the digests of both.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from multiprocessing.util import Finalize
from typing import Any

from proofs_check import digests, kernel_mutants, operator_mutants
from proofs_check.claim import Claim, claim
from proofs_check.evidence import Inequality
from proofs_check.jobs import ONE_THREAD, Job
from proofs_check.ledger import Cost, total
from proofs_check.loading import claims_of
from proofs_check.mutants import Mutant, check, mutants_of
from proofs_check.parts import PartWriter
from proofs_check.planted import CHECKED, CRASHED, KILLED, NOTICED, Looked, Planted, Seen, look, prepare, tried
from proofs_check.processes import COPIES, Copy, collect, have, in_a_copy, pool
from proofs_check.records import Record, key
from proofs_check.registry import FOUNDATIONS
from proofs_check.runner import TEETH, verify
from proofs_check.store import Store
from proofs_check.verdict import Tally

TOGETHER = 4  # claims that meet a mutant in one copy of a process, where the first that notices it is enough
REPEATS = 2  # claims that a mutant meets again compiled
Look = tuple[Job, tuple[int, ...], tuple[Mutant, ...]]  # what ``look`` takes
# To import them takes longer than most mutants do: where a copy of a process has wanted one, the process imports it for the next.
SHARED = ("numba", "scipy.sparse", "tabular._jit", "tabular.reference.rational_ops", "tabular.reference.ball_ops",
          "tabular.reference.optimal", "proofs_check.weighing")  # fmt: skip


@dataclass(frozen=True)
class Bite:
    """What one mutant met.

    ``canary``: whether any output changed; ``killed_by``, ``crashed``: ids of claims that were refuted, that raised;
    ``checked_by``: in whose run a kernel left its enclosure; ``moved``: whose sides changed; ``of``: the paper or file that
    lists it; ``reason``: why it may survive; ``costs``: of each claim that met it.
    """

    mutant: str
    canary: bool
    killed_by: tuple[str, ...]
    crashed: tuple[str, ...]
    checked_by: tuple[str, ...] = ()
    moved: tuple[str, ...] = ()
    of: str = ""
    compiled: bool = False
    reason: str = ""
    costs: Mapping[str, Cost] = field(default_factory=dict, compare=False)
    reused: bool = field(default=False, compare=False)

    @property
    def cost(self) -> Cost:
        """Of all claims that met it."""
        return total(self.costs.values())

    @property
    def noticed(self) -> bool:
        """Killed by a claim, or by the check of the kernels."""
        return bool(self.killed_by or self.checked_by)

    def as_dict(self) -> dict[str, Any]:
        """For JSON; no timing."""
        names = ("mutant", "of", "compiled", "canary", "killed_by", "checked_by", "crashed", "moved", "reason")
        return {name: getattr(self, name) for name in names}


def planted_falsehood() -> Claim:
    """A false claim, which every run must refute: otherwise its verdicts mean nothing."""
    from proofs_check.draws import values
    from proofs_check.families import garnet

    @claim(id="engine.planted", family=garnet(2, 2, gamma=0.5), draws={"V": values()}, instances=())
    def body(ops: Any, m: Any, V: Any) -> Inequality:
        r"""TV \le V for every V: false, planted."""
        return Inequality(ops.backup(m, V), V, axes=("s",))

    return body


def plans(jobs: Sequence[Job], *, kernels: bool = True, every: bool = True) -> list[Planted]:
    """All mutants and the claims that each meets: a paper's (or a file's) its own, the engine's all of them, or, unless
    ``every``, the foundations, which are about the engine's operators. Unless ``every``, too, the first claim that notices a
    mutant is enough.

    ``kernels``: those of the compiled loops among them, which are about the engine rather than the claims. Raises
    StaleMutant where one cannot be planted any more, before any work starts.
    """
    met = tuple(job for job in jobs if every or (job.paper is not None and job.paper[1] == FOUNDATIONS))
    first = not every
    found = [Planted(m, met, first=first) for m in operator_mutants.MUTANTS] if met else []
    for of, own in _by_origin(jobs):
        known = {c.id for c in claims_of(own[0].module())}
        found += [Planted(m, _meeting(m, own, known), of=of, first=first) for m in mutants_of(own[0].module())]
    if kernels and met:
        found += [Planted(m, met) for m in kernel_mutants.MUTANTS]
    for each in found:
        check(each.mutant)
    return found


def _meeting(mutant: Mutant, own: tuple[Job, ...], known: set[str]) -> tuple[Job, ...]:
    if strange := set(mutant.met_by) - known:
        raise ValueError(f"the mutant {mutant.name!r} is to meet {sorted(strange)[0]}, which is no claim beside it")
    return tuple(job for job in own if job.id in mutant.met_by) if mutant.met_by else own


def in_part(jobs: Sequence[Job]) -> frozenset[str]:
    """The papers and files of which the jobs leave claims out: what notices none of their mutants may be one of those."""
    return frozenset(
        of for of, own in _by_origin(jobs) if {c.id for c in claims_of(own[0].module())} - {job.id for job in own}
    )


def _by_origin(jobs: Sequence[Job]) -> Iterator[tuple[str, tuple[Job, ...]]]:
    """Papers and files with their jobs."""
    origins = {job.paper[1] if job.paper is not None else str(job.file): job for job in jobs}
    for of, one in origins.items():
        yield of, tuple(job for job in jobs if (job.paper, job.file) == (one.paper, one.file))


def bite(
    planted: Sequence[Planted],
    workers: int = 2,
    progress: Callable[[Bite], None] | None = None,
    *,
    store: Store | None = None,
    fresh: bool = False,
) -> list[Bite]:
    """What each mutant does to its claims; those of ``kernel_mutants.REPEATED`` once more, compiled.

    What ``store`` knows is taken from there, unless ``fresh``, and what it does not know is kept there.
    """
    interpreted = _bitten(planted, workers, progress, store, fresh)
    again = [
        replace(plan, jobs=_noticing(plan, bitten), compiled=True)
        for plan, bitten in zip(planted, interpreted, strict=True)
        if plan.mutant.name in kernel_mutants.REPEATED and not plan.of and bitten.noticed
    ]
    return interpreted + _bitten(again, workers, progress, store, fresh)


def repeats(planted: Sequence[Planted]) -> int:
    """How many are to be repeated."""
    return sum(plan.mutant.name in kernel_mutants.REPEATED and not plan.of for plan in planted)


def _noticing(plan: Planted, bitten: Bite) -> tuple[Job, ...]:
    return tuple(job for job in plan.jobs if job.id in (*bitten.checked_by, *bitten.killed_by))[:REPEATS]


def _bitten(
    planted: Sequence[Planted],
    workers: int,
    progress: Callable[[Bite], None] | None,
    store: Store | None,
    fresh: bool,
) -> list[Bite]:
    keys = [{job.id: _key(plan, job) for job in plan.jobs} for plan in planted]
    if store is not None:
        store.absorb()
    known = {} if store is None or fresh else store.load(k for each in keys for k in each.values())
    stored = [
        {job.id: _seen(known[ks[job.id]]) for job in plan.jobs if ks[job.id] in known}
        for plan, ks in zip(planted, keys, strict=True)
    ]
    missing = [plan.without(seen) for plan, seen in zip(planted, stored, strict=True)]
    found: dict[int, Bite] = {}

    def put(i: int, fresh_ones: dict[str, Seen]) -> None:
        found[i] = _merged(planted[i], stored[i] | fresh_ones, reused=not fresh_ones)
        if progress is not None:
            progress(found[i])

    for i, plan in enumerate(missing):
        if not plan.jobs:
            put(i, {})
    tasks = [(i, plan) for i, plan in enumerate(missing) if plan.jobs]
    if not tasks:
        return [found[i] for i in range(len(planted))]
    run = store.begin() if store is not None else None
    writer = None if run is None else PartWriter(run.folder / "mutants.part")

    def took(result: tuple[int, dict[str, Seen]]) -> None:
        i, seen = result
        if run is not None and writer is not None:
            for job in planted[i].jobs:
                if job.id in seen:
                    writer.append(_record(planted[i], job, seen[job.id], run.id).as_data())
        put(i, seen)

    environment = ONE_THREAD | {"NUMBA_DISABLE_JIT": "0" if planted[0].compiled else "1"}
    looks = _looks([plan for _, plan in tasks])
    many = min(workers, max(len(looks), len(tasks)))
    try:
        with ExitStack() as pools:
            made = pools.enter_context(pool(many, environment))
            if COPIES:
                collect(
                    made,
                    _bit,
                    [(*task, {job: looks[job] for job in task[1].jobs if job in looks}) for task in tasks],
                    took,
                )
            else:
                looking = pools.enter_context(pool(many, environment, fresh=True))
                before = dict(collect(looking, look, list(looks.values())))
                made = pools.enter_context(pool(many, environment, fresh=True))
                collect(
                    made,
                    _bit_here,
                    [(*task, {j.id: before[j] for j in task[1].jobs if j in before}) for task in tasks],
                    took,
                )
    finally:
        if store is not None and run is not None and writer is not None:
            writer.close()
            store.finish(run)
    return [found[i] for i in range(len(planted))]


def _looks(planted: Sequence[Planted]) -> dict[Job, Look]:
    """The looks at the claims of these mutants that are of use, by claim."""
    families: dict[Job, set[int]] = {}
    # Those of all claims of a paper, so that one process looks at them.
    mutants: dict[Any, dict[tuple[str, str], Mutant]] = {}
    for plan in planted:
        for job in plan.jobs if plan.glimpsed else ():
            families.setdefault(job, set()).update(plan.glimpsed)
            met = mutants.setdefault((job.paper, job.file), {})
            met.setdefault((plan.mutant.module, plan.mutant.function), plan.mutant)
    all_of = {origin: tuple(met.values()) for origin, met in mutants.items()}
    return {job: (job, tuple(sorted(ns)), all_of[job.paper, job.file]) for job, ns in families.items()}


def _bit(task: tuple[int, Planted, dict[Job, Look]]) -> tuple[int, dict[str, Seen]]:
    """A mutant in copies of this process, which looks at the claims as they come: where the first to notice is enough, that is
    nearly always the first that may, and a copy for it spares the looks at all others. The next copies have more that may."""
    i, plan, looks = task
    for job in plan.jobs:
        if job.paper is not None:
            job.module()  # imported once for all copies; files of one's own may begin threads
    if not plan.of or plan.jobs[0].paper is not None:
        prepare(plan)
    seen: dict[str, Seen] = {}
    changed = None
    left, many = list(plan.jobs), 1
    if plan.first_is_enough and left[0] in looks and left[0] not in _before:
        seen = _met(replace(plan, jobs=(left[0],)), {})
        if seen[left[0].id].outcome in NOTICED:
            return i, seen  # whatever it does without
        changed, seen = seen[left[0].id].canary, {}
    while left:
        some: list[Job] = []
        meeting = 0
        while left and (meeting < many or not (plan.first_is_enough and looks)):
            job = left.pop(0)
            some.append(job)
            if job in looks:
                if job not in _before:
                    _before[job] = _looked(looks[job])
                meeting += _before[job].meets(plan.mutant)
        known = {job.id: _before[job] for job in some if job in looks}
        found = _met(replace(plan, jobs=tuple(some)), known, changed)
        seen |= found
        changed = any(one.canary for one in found.values())
        if plan.first_is_enough and any(one.outcome in NOTICED for one in found.values()):
            break
        many = min(2 * many, TOGETHER)
    return i, seen


_before: dict[Job, Looked] = {}  # of a process of one run


def _looked(what: Look) -> Looked:
    """By a copy of this process, one for all claims that ask of the same mutants."""
    *_, mutants = what
    if mutants not in _looker:
        _end_looking()
        _looker[mutants] = Copy(look)
        Finalize(None, _end_looking, exitpriority=1)
    found: Looked = _looker[mutants].ask(what)[1]
    return found


_looker: dict[tuple[Mutant, ...], Copy] = {}  # at most one, of a process of one run


def _end_looking() -> None:
    while _looker:
        _looker.popitem()[1].close()


def _bit_here(task: tuple[int, Planted, dict[str, Looked]]) -> tuple[int, dict[str, Seen]]:
    """A mutant in this process."""
    i, plan, before = task
    return i, tried(plan, before)


def _met(*given: Any) -> dict[str, Seen]:
    """What a mutant does to claims, in a copy of this process."""
    seen, wanted = in_a_copy(_tried, given)
    have(wanted)
    found: dict[str, Seen] = seen
    return found


def _tried(given: Any) -> tuple[dict[str, Seen], list[str]]:
    return tried(*given), [name for name in SHARED if name in sys.modules]


def _merged(plan: Planted, seen: dict[str, Seen], reused: bool) -> Bite:
    """In the order of the claims, up to the first that notices where one is enough."""
    ids = [job.id for job in plan.decisive(seen)]
    with_outcome = lambda word: tuple(i for i in ids if seen[i].outcome == word)  # noqa: E731
    return Bite(
        mutant=plan.mutant.name,
        canary=any(seen[i].canary for i in ids),
        killed_by=with_outcome(KILLED),
        crashed=with_outcome(CRASHED),
        checked_by=with_outcome(CHECKED),
        moved=tuple(i for i in ids if seen[i].moved),
        of=plan.of,
        compiled=plan.compiled,
        reason=plan.mutant.reason,
        costs={i: seen[i].cost for i in ids},
        reused=reused,
    )


def _mode(plan: Planted) -> str:
    m = plan.mutant
    how = "compiled" if plan.compiled else "interpreted"
    return f"mutant {digests.digest(m.module, m.function, m.old, m.new)} {how} {TEETH.instances}"


def _key(plan: Planted, job: Job) -> str:
    return key(job.id, _code(job), digests.engine(), 0, _mode(plan), plan.mutant.name)


def _code(job: Job) -> str:
    from proofs_check.workers import code_of

    return code_of(job.load())


def _record(plan: Planted, job: Job, seen: Seen, run: str) -> Record:
    said = {"outcome": seen.outcome, "canary": seen.canary, "moved": seen.moved}
    tally = Tally(kind="mutant", samples=[said])
    return Record(
        job.id, _code(job), digests.engine(), 0, _mode(plan), plan.mutant.name, run, (), "", "", tally, seen.cost
    )


def _seen(record: Record) -> Seen:
    (said,) = record.tally.samples
    return Seen(said["outcome"], said["canary"], said["moved"], record.cost)


def refuted(job: Job) -> bool:
    """Whether a claim is refuted with no mutant planted: what is false anyway notices nothing."""
    try:
        return verify(replace(job.load(), instances=()), TEETH, hunt=True).verdict == "refuted"
    except Exception:  # a body that raises does so under every mutant, and is listed there
        return False


def toothless(jobs: Sequence[Job], bites: Sequence[Bite]) -> dict[str, str]:
    """Claims that kill no mutant, each with a note: whether any changes what it computes, and what twins it has."""
    notes: dict[str, str] = {}
    for job in jobs:
        if any(job.id in b.killed_by for b in bites):
            continue
        moving = sum(job.id in b.moved for b in bites)
        change = "mutant changes" if moving == 1 else "mutants change"
        note = f"{moving} {change} its sides, none beyond its bound" if moving else "no mutant changes its sides"
        twins = len(job.load().twins)
        notes[job.id] = f"{note}; {twins} twin{'' if twins == 1 else 's'} of its own"
    return notes
