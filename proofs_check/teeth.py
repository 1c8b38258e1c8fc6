"""Teeth: whether the claims would notice a fault in the operators, and whether a false statement is refuted at all.

Each mutant runs in a process of its own, the JIT off, on small instances screened in enclosures and confirmed
exactly. A mutant is killed by a claim that becomes refuted, or whose arithmetics come to exclude each other; an
exception kills nothing. A claim that kills none is toothless. Teeth have their own seed, so that a run's seed does
not change them.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from proofs_check import runner
from proofs_check.claim import Claim, claim
from proofs_check.evidence import Inequality
from proofs_check.jobs import ONE_THREAD, Job, fan_out
from proofs_check.mutants import MUTANTS, Mutant, canary, plant
from proofs_check.settle import EngineFault


@dataclass(frozen=True)
class Bite:
    """What one mutant met.

    ``canary``: whether any output changed; ``killed_by``, ``crashed``: ids of claims that were refuted, that raised.
    """

    mutant: str
    canary: bool
    killed_by: tuple[str, ...]
    crashed: tuple[str, ...]


def planted_falsehood() -> Claim:
    """A false claim, which every run must refute: otherwise its verdicts mean nothing."""
    from proofs_check.draws import values
    from proofs_check.families import garnet

    @claim(id="engine.planted", family=garnet(2, 2, gamma=0.5), draws={"V": values()}, instances=())
    def body(ops: Any, m: Any, V: Any) -> Inequality:
        r"""TV \le V for every V: false, planted."""
        return Inequality(ops.backup(m, V), V, axes=("s",))

    return body


def bite(
    jobs: Sequence[Job],
    workers: int = 2,
    mutants: Iterable[Mutant] = MUTANTS,
    progress: Callable[[Bite], None] | None = None,
) -> list[Bite]:
    """Every mutant against every claim of ``jobs``."""
    tasks = [(mutant, tuple(jobs)) for mutant in mutants]
    return fan_out(_bite, tasks, workers, progress, ONE_THREAD | {"NUMBA_DISABLE_JIT": "1"}, fresh=True)


def _bite(task: tuple[Mutant, tuple[Job, ...]]) -> Bite:
    """One mutant, in this process, which it spoils."""
    mutant, jobs = task
    claims = [job.load() for job in jobs]
    before = canary()
    plant(mutant)
    killed, crashed = [], []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a mutant overflows and divides by zero as it likes
        changed = canary() != before
        for each in claims if changed else ():
            try:
                refuted = runner.verify(replace(each, instances=()), runner.TEETH, hunt=True).verdict == "refuted"
            except EngineFault:
                refuted = True
            except Exception:  # whatever a mutant breaks is listed, and kills nothing
                crashed.append(each.id)
                continue
            if refuted:
                killed.append(each.id)
    return Bite(mutant.name, changed, tuple(killed), tuple(crashed))
