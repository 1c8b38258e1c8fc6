"""The commands of ``proofs-check`` about stores, and what they print."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proofs_check import digests, merging, teeth
from proofs_check.cli import OK, REFUTED
from proofs_check.ledger import PHASES, Cost, total
from proofs_check.parts import StoreError
from proofs_check.records import Record
from proofs_check.selection import UsageError, writable
from proofs_check.store import DEFAULT, Store

if TYPE_CHECKING:
    from proofs_check.cluster import Cluster
    from proofs_check.jobs import Job
    from proofs_check.outcome import Outcome


@contextmanager
def opened(options: argparse.Namespace) -> Iterator[Store | None]:
    """The store of a run: the one named, else ``.proofs-check`` here, if this folder can be written; None for ``--no-store``."""
    if options.no_store:
        if options.shard is not None:
            raise UsageError("a shard gives no verdicts but records: it needs a store")
        yield None
        return
    folder = options.store or DEFAULT
    if options.store is None and not folder.exists() and not os.access(".", os.W_OK):
        print("proofs-check: this folder cannot be written: nothing is kept (--store DIR)", file=sys.stderr)
        yield None
        return
    with Store(folder) as store:
        try:
            yield store
        except KeyboardInterrupt:
            raise KeyboardInterrupt(
                f"what was done is kept in {folder} ({store.new:,} new results); the same command goes on from there"
            ) from None


def shard(jobs: Sequence[Job], store: Store | None, options: argparse.Namespace, cluster: Cluster | None = None) -> int:
    """``proofs-check verify --shard``: results into the store, and no verdicts."""
    from proofs_check.jobs import Shard, run_shard
    from proofs_check.progress import shown
    from proofs_check.runner import BUDGETS, verify

    if store is None:
        raise UsageError("a shard needs a store that can be written")
    part = Shard(*options.shard)
    planted = verify(teeth.planted_falsehood(), BUDGETS["quick"], hunt=True)
    with shown() as monitor:
        units, reused, faults = run_shard(
            jobs, options.workers, store, part, fresh=options.fresh, monitor=monitor, cluster=cluster
        )
    said = {
        "shard": f"{part.i}/{part.n}",
        "chunks": units,
        "from_store": reused,
        "not_stored": monitor.unstored,
        "faults": faults,
        "planted": planted.verdict,
    }
    if options.json:
        print(json.dumps(said, indent=1))
    else:
        print(f"shard {part.i}/{part.n}: {units:,} chunks of {len(jobs)} claims, {reused:,} of them from the store")
        print(
            f"then: proofs-check merge STORE... --into DIR; proofs-check verify --store DIR   (this one: {store.folder})"
        )
    for claim, fault in faults.items():
        print(f"{claim}: {fault}", file=sys.stderr)
    warn_unstored(monitor.unstored)
    return REFUTED if faults or planted.verdict != "refuted" else OK


def warn_unstored(n: int) -> None:
    """Say that sources were edited while the run went on."""
    if n:
        print(
            f"proofs-check: sources changed during the run: {n:,} results were not stored, since nobody knows what they rest on",
            file=sys.stderr,
        )


def costs_of(outcome: Outcome, seconds: float) -> dict[str, Any]:
    """The ledger of a run, for JSON: unlike the rest, it differs from run to run."""
    claims = {
        d.job.id: (d.cost + total(b.costs[d.job.id] for b in outcome.bites if d.job.id in b.costs)).as_dict()
        | {"chunks": d.units, "from_store": d.reused}
        for d in outcome.done
    }
    return {
        "claims": claims,
        "seconds": round(seconds, 3),
        "instances": outcome.computed,
        "instances_per_second": round(outcome.computed / outcome.took, 1) if outcome.took else None,
    }


def merge(options: argparse.Namespace) -> int:
    """``proofs-check merge``."""
    if not options.stores and not options.prune:
        raise UsageError("merge takes stores to take results from, or --prune")
    with _existing(options.into) if not options.stores else Store(options.into) as store:
        for source in options.stores:
            if source.resolve() == options.into.resolve():
                store.absorb()
                continue
            there, new = store.merge(source)
            print(f"{source}: {there:,} results, {new:,} of them new to {options.into}")
        if options.prune:
            store.absorb()
            print(f"{options.into}: {_prune(store)}")
    print(f"verdicts: proofs-check verify --store {options.into}")
    return OK


def _prune(store: Store) -> str:
    """Remove what no run would use again; says how much of what, and what is left.

    Claims of files are not known here: theirs stay while the engine is the one that computed them.
    """
    engine, current = digests.engine(), _current()
    old, changed, files, kept = [], [], 0, 0
    for key, claim, code, of in store.headers():
        if of != engine:
            old.append(key)
        elif claim in current and code != current[claim]:
            changed.append(key)
        else:
            kept += 1
            files += claim not in current
    store.remove(old + changed)
    return (
        f"{len(old) + len(changed):,} results removed, {len(old):,} of an earlier engine and {len(changed):,} of earlier "
        f"claims; {kept:,} kept, {files:,} of them of claims in no paper"
    )


def _current() -> dict[str, str]:
    """The digest of every claim of the papers, and of its twins."""
    from proofs_check import selection
    from proofs_check.runner import BUDGETS

    jobs = selection.jobs([], BUDGETS["quick"], 0)
    return {c.id: digests.claim_digest(c) for job in jobs for each in (job.load(),) for c in (each, *each.twins)}


def export(options: argparse.Namespace) -> int:
    """``proofs-check export``: Parquet, one row for each result. Folders that are missing are made."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise UsageError("export needs pyarrow: pip install 'tabular-proofs[export]'") from None
    writable(options.file.parent, "export into")
    with _existing(options.store) as store:
        store.absorb()
        runs = store.runs()
        rows = [_row(record, runs.get(record.run, {})) for record in store.records()]
    if not rows:
        raise UsageError(f"{options.store} has no results")
    partial = options.file.with_name(options.file.name + ".partial")
    try:
        options.file.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pylist(rows), partial)
        partial.replace(options.file)
    except OSError as error:
        raise UsageError(f"{options.file} cannot be written: {error}") from None
    print(f"{options.file}: {len(rows):,} results")
    return OK


def _row(record: Record, run: dict[str, Any]) -> dict[str, Any]:
    """A result and its circumstances, flat."""
    t, versions = record.tally, run.get("versions", {})
    names = ("claim", "label", "mode", "seed", "family", "instances", "code", "engine", "run")
    counts = ("drawn", "met", "enclosure", "exact", "balls", "audited", "open", "ties", "refuted")
    return (
        {name: getattr(record, name) for name in names}
        | {"path": ".".join(str(word) for word in record.path)}
        | {name: getattr(t, name) for name in counts}
        | {"resolution": t.resolution, "ratio": t.ratio, "ratio_at": t.ratio_at}
        | {"gap": t.gap, "gap_at": t.gap_at, "bare": t.bare, "unsettled": len(t.unsettled)}
        | {"tally": json.dumps(merging.encode(t)), "instances_drawn": record.cost.instances}
        | {f"seconds_{phase}": getattr(record.cost, phase) for phase in PHASES}
        | {
            f"version_{name.replace('-', '_')}": versions.get(name, "")
            for name in ("python", "platform", *digests.LIBRARIES)
        }
        | {"project": run.get("project", ""), "cpu": run.get("machine", {}).get("cpu", ""), "began": run.get("began")}
    )


def costs(options: argparse.Namespace) -> int:
    """``proofs-check costs``: the ledger of the results that the engine as it is now would use."""
    with _existing(options.store) as store:
        store.absorb()
        found: dict[str, list[Cost]] = {}
        for record in store.records(digests.engine()):
            found.setdefault(record.claim.partition(".twin")[0], []).append(record.cost)
    ledger = {
        claim: (total(each), len(each)) for claim, each in sorted(found.items(), key=lambda item: _natural(item[0]))
    }
    if options.json:
        print(json.dumps({claim: cost.as_dict() | {"results": n} for claim, (cost, n) in ledger.items()}, indent=1))
        return OK
    if not ledger:
        print(f"{options.store} has no results of the engine as it is now: proofs-check verify")
        return OK
    _table(ledger)
    return OK


def _table(ledger: dict[str, tuple[Cost, int]]) -> None:
    from rich.table import Table

    from proofs_check.tables import terminal

    table = Table("claim", *(f"{phase}, s" for phase in PHASES), "all, s", "instances", "instances/s", "results")
    for column in table.columns[1:]:
        column.justify = "right"
    whole = (total(cost for cost, _ in ledger.values()), sum(n for _, n in ledger.values()))
    for claim, (cost, n) in [*ledger.items(), ("all", whole)]:
        own = cost.seconds - cost.twins - cost.mutants
        pace = f"{cost.instances / own:,.0f}" if own > 0 else ""
        times = (f"{getattr(cost, phase):.2f}" for phase in PHASES)
        table.add_row(
            claim, *times, f"{cost.seconds:.2f}", f"{cost.instances:,}", pace, f"{n:,}", end_section=n == whole[1]
        )
    terminal().print(table)


def _natural(claim: str) -> list[tuple[int, Any]]:
    """C2 before C10."""
    import re

    return [(1, int(x)) if x.isdecimal() else (0, x) for x in re.split(r"(\d+)", claim)]


@contextmanager
def _existing(folder: Path) -> Iterator[Store]:
    if not (folder / "results.sqlite").is_file():
        raise StoreError(f"{folder} holds no store: proofs-check verify makes one")
    with Store(folder) as store:
        yield store
