"""Claims in processes: jobs that can be sent, cut into units, recorded in a store, and put together in one order.

Verdicts and their bits are the same whatever the number of processes, and whichever units come from a store.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import ModuleType

from proofs_check import addresses, digests, runner
from proofs_check.claim import Claim
from proofs_check.cluster import Cluster
from proofs_check.families import LARGE
from proofs_check.ledger import Cost, total
from proofs_check.loading import file_module, load_file, load_paper, paper_module
from proofs_check.merging import merged
from proofs_check.processes import ONE_THREAD, fan_out, spread
from proofs_check.progress import Monitor
from proofs_check.records import Record
from proofs_check.runner import Budget
from proofs_check.store import Store
from proofs_check.verdict import Verdict
from proofs_check.workers import HUNT, Finished, Task, Unit, start, units, work

__all__ = ["ONE_THREAD", "Done", "Job", "Shard", "fan_out", "run", "run_shard"]

GROUP = 8  # units in a task: enough for the sending to cost nothing, few enough to keep all processes busy to the end


@dataclass(frozen=True)
class Job:
    """A claim by the place to import it from, so that it can be sent to a process.

    Its twins are hunted with ``TEETH`` at seed 0.
    """

    id: str
    paper: tuple[str, str] | None  # room and key
    file: str | None
    budget: Budget
    seed: int

    def load(self) -> Claim:
        """The claim of this job."""
        found = load_paper(*self.paper) if self.paper is not None else load_file(str(self.file))
        for claim in found:
            if claim.id == self.id:
                return claim
        raise ValueError(f"no claim {self.id!r} in {self.file or '.'.join(self.paper or ())}")

    def module(self) -> ModuleType:
        """The module that its paper or file is."""
        return paper_module(*self.paper) if self.paper is not None else file_module(str(self.file))


@dataclass(frozen=True)
class Done:
    """What a job came to; ``fault`` says why there is no verdict: two arithmetics exclude each other, or the body raised.

    ``seconds`` and ``cost`` are those of all its units, ``reused`` of which came from the store.
    """

    job: Job
    verdict: Verdict | None
    twins: tuple[Verdict, ...]
    fault: str
    seconds: float
    cost: Cost = field(default_factory=Cost, compare=False)
    units: int = field(default=0, compare=False)
    reused: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Shard:
    """Part ``i`` of ``n`` (1 <= i <= n) of all units, by their addresses alone."""

    i: int
    n: int

    def has(self, unit: Unit) -> bool:
        """Whether the unit belongs to this part."""
        return addresses.key(f"{unit.claim}/{unit.label}") % self.n == self.i - 1


@dataclass
class _Plan:
    """A job on its way: its units, and what is known of them."""

    job: Job
    claim: Claim
    units: list[Unit]
    found: dict[str, Record] = field(default_factory=dict)
    reused: int = 0
    faults: dict[int, str] = field(default_factory=dict)
    left: int = 0  # tasks

    def missing(self, shard: Shard | None) -> list[int]:
        """Places of the units to be computed."""
        wanted = [i for i, unit in enumerate(self.units) if shard is None or shard.has(unit)]
        return [i for i in wanted if self.units[i].key not in self.found]

    def done(self) -> Done:
        """The verdict, of tallies merged in the order of the units; the first fault in that order stands for all."""
        cost = total(record.cost for record in self.found.values())
        numbers = (cost.seconds, cost, len(self.units), self.reused)
        if self.faults:
            return Done(self.job, None, (), self.faults[min(self.faults)], *numbers)
        own = [self.found[unit.key].tally for unit in self.units if unit.label != HUNT]
        hunted = {unit.claim: self.found[unit.key].tally for unit in self.units if unit.label == HUNT}
        twins = tuple(runner.conclude(twin, merged([hunted[twin.id]]), shrunk=False) for twin in self.claim.twins)
        verdict = runner.conclude(self.claim, merged(own))
        return Done(self.job, verdict, twins, "", *numbers)


def run(
    jobs: Sequence[Job],
    workers: int = 2,
    progress: Callable[[Done], None] | None = None,
    *,
    store: Store | None = None,
    fresh: bool = False,
    monitor: Monitor | None = None,
    cluster: Cluster | None = None,
) -> list[Done]:
    """All jobs, in ``workers`` processes, or on the workers of ``cluster``; results in the order of ``jobs``.

    What ``store`` has is taken from there, unless ``fresh``; what it has not is recorded as it comes, and kept when the run
    is interrupted. Raises StoreError where it cannot be, WorkerDied where a process was killed, ClusterError where a cluster is
    lost or a worker of it differs.
    """
    found: dict[int, Done] = {}

    def conclude(i: int, plan: _Plan) -> None:
        found[i] = plan.done()
        if progress is not None:
            progress(found[i])

    _execute(jobs, workers, store, fresh, None, monitor or Monitor(), conclude, cluster)
    return [found[i] for i in range(len(jobs))]


def run_shard(
    jobs: Sequence[Job],
    workers: int,
    store: Store,
    shard: Shard,
    *,
    fresh: bool = False,
    monitor: Monitor | None = None,
    cluster: Cluster | None = None,
) -> tuple[int, int, dict[str, str]]:
    """The units of one shard into a store: how many there are, how many were there before, and faults by claim."""
    plans = _execute(jobs, workers, store, fresh, shard, monitor or Monitor(), lambda i, plan: None, cluster)
    mine = sum(shard.has(unit) for plan in plans for unit in plan.units)
    faults = {plan.job.id: plan.faults[min(plan.faults)] for plan in plans if plan.faults}
    return mine, sum(plan.reused for plan in plans), faults


def _execute(
    jobs: Sequence[Job],
    workers: int,
    store: Store | None,
    fresh: bool,
    shard: Shard | None,
    monitor: Monitor,
    conclude: Callable[[int, _Plan], None],
    cluster: Cluster | None,
) -> list[_Plan]:
    """Compute what is missing; ``conclude`` each job as soon as it is complete."""
    plans = [_Plan(job, claim, units(job, claim)) for job in jobs for claim in (job.load(),)]
    if store is not None:
        store.absorb()
        known = {} if fresh else store.load(unit.key for plan in plans for unit in plan.units)
        for plan in plans:
            plan.found = {unit.key: known[unit.key] for unit in plan.units if unit.key in known}
            plan.reused = sum(shard is None or shard.has(unit) for unit in plan.units if unit.key in plan.found)
    tasks = _tasks(plans, shard)
    monitor.begin(sum(len(task.units) for task in tasks), sum(plan.reused for plan in plans))
    for task in tasks:
        plans[task.of].left += 1
    for i, plan in enumerate(plans):
        if not plan.left:
            conclude(i, plan)

    def take(finished: Finished) -> None:
        task, plan = finished.task, plans[finished.task.of]
        done = task.places[: len(finished.records)]
        plan.found |= {plan.units[i].key: record for i, record in zip(done, finished.records, strict=True)}
        if finished.fault:
            plan.faults[task.places[len(finished.records)]] = finished.fault
        plan.left -= 1
        monitor.took(finished)
        if not plan.left:
            conclude(task.of, plan)

    if cluster is not None:
        cluster.spread(tasks, take, store, monitor.waiting)
        return plans
    own = store.begin() if store is not None and tasks else None
    given = (None, "", "") if own is None else (str(own.folder), own.id, digests.engine())
    try:
        spread(work, tasks, workers, take, start=start, given=given, waiting=monitor.waiting)
    finally:
        if store is not None and own is not None:
            store.finish(own)
    return plans


def _tasks(plans: Sequence[_Plan], shard: Shard | None) -> list[Task]:
    """What is missing, in pieces; those that take longest first, so that no process is left with one at the end."""
    tasks = []
    for of, plan in enumerate(plans):
        missing = plan.missing(shard)
        weights = {i: weight(plan.claim, plan.units[i].label) for i in missing}
        for size in sorted(set(weights.values())):
            alike = [i for i in missing if weights[i] == size]
            each = max(1, GROUP // size)
            for places in (tuple(alike[k : k + each]) for k in range(0, len(alike), each)):
                tasks.append((size, Task(of, plan.job, places, tuple(plan.units[i] for i in places))))
    return [task for _, task in sorted(tasks, key=lambda pair: -pair[0])]


def weight(claim: Claim, label: str) -> int:
    """About how much longer than a chunk of a family a unit takes."""
    name = label.partition(":")[0]
    return 1 if name not in claim.instances else 8 if name in LARGE else 2
