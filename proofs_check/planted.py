"""One mutant in this process, which it spoils: what it does to the claims that meet it."""

from __future__ import annotations

import functools
import hashlib
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from proofs_check import kernel_mutants, operator_mutants, runner
from proofs_check.addresses import CHUNK
from proofs_check.claim import Claim
from proofs_check.jobs import Job
from proofs_check.kernels import KernelFault
from proofs_check.ledger import Cost
from proofs_check.mutants import Mutant, note_calls, plant, rewritten
from proofs_check.runner import TEETH, Budget
from proofs_check.settle import EngineFault
from proofs_check.views import View

KILLED, CHECKED, CRASHED, MISSED, UNTRIED = "killed", "checked", "crashed", "missed", "untried"
NOTICED = (KILLED, CHECKED)
SPARSE_MODEL = "taxi"  # the fixed model whose kernels are those of sparse models


@dataclass(frozen=True)
class Seen:
    """What a mutant did to a claim: an outcome, whether a canary changed, and whether the claim's sides did."""

    outcome: str
    canary: bool
    moved: bool
    cost: Cost = field(default_factory=Cost, compare=False)


@dataclass(frozen=True)
class Planted:
    """A mutant, the claims that meet it, the paper or file that lists it (none: the engine), and whether kernels are compiled.

    ``first``: the first claim that notices it is enough.
    """

    mutant: Mutant
    jobs: tuple[Job, ...]
    of: str = ""
    compiled: bool = False
    first: bool = False

    @property
    def kernels_checked(self) -> bool:
        """Whether it is for the check of kernel values to notice, which is one and the same in the run of every claim."""
        return (self.mutant.of_kernels and not self.of) or self.compiled

    @property
    def first_is_enough(self) -> bool:
        return self.kernels_checked or self.first

    @property
    def glimpsed(self) -> tuple[int, ...]:
        """How many families of each claim tell whether its sides move: 0 for all of them, none for kernels."""
        return () if self.kernels_checked else (0,) if self.of else (1,)

    def decisive(self, seen: Mapping[str, Seen]) -> list[Job]:
        """The claims whose results count: all that were tried, or those up to the first that noticed."""
        counted = []
        for job in self.jobs:
            if job.id not in seen:
                break
            counted.append(job)
            if self.first_is_enough and seen[job.id].outcome in NOTICED:
                break
        return counted

    def without(self, seen: Mapping[str, Seen]) -> Planted:
        """What is left to be tried, given what is known."""
        known = self.decisive(seen)
        if self.first_is_enough and known and seen[known[-1].id].outcome in NOTICED:
            return replace(self, jobs=())
        return replace(self, jobs=tuple(job for job in self.jobs if job.id not in seen))


@dataclass(frozen=True)
class Looked:
    """A claim where no mutant is planted: digests of its sides on the budget of teeth, by how many of its families they are of
    (0 for all), and what it calls of the functions that mutants rewrite; None where that says nothing of a hunt."""

    sides: Mapping[int, bytes]
    calls: frozenset[tuple[str, str]] | None = None

    def meets(self, mutant: Mutant) -> bool:
        """Whether the claim may compute anything else with the mutant planted. Kernels are made anew, and tell nothing."""
        return self.calls is None or mutant.of_kernels or (mutant.module, mutant.function) in self.calls


def look(task: tuple[Job, tuple[int, ...], tuple[Mutant, ...]]) -> tuple[Job, Looked]:
    """A claim's sides in enclosures, and its calls among the functions of these mutants. Spoils this process for all but looks
    that ask of the same mutants.

    A hunt that refutes nothing sees the same instances as those with mutants do: one of whose function it calls nothing is
    the same hunt. Claims with more instances than a chunk cost too much to hunt without need.
    """
    job, families, mutants = task
    claim = replace(job.load(), instances=())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        calls = _noted(mutants)
        if claim.least <= CHUNK:
            seen = {n: _Sides(claim, n) for n in families}
            try:
                found = runner.verify(claim, TEETH, hunt=True, probed=False, saw=_teller(seen.values()))
            except Exception:  # whoever meets a mutant says so
                calls.clear()
            else:
                if found.verdict != "refuted":
                    return job, Looked({n: one.digest() for n, one in seen.items()}, frozenset(calls))
        return job, Looked({n: _glimpse(claim, n) for n in families})


def _noted(mutants: tuple[Mutant, ...]) -> set[tuple[str, str]]:
    """Where calls of the functions that these rewrite are noted from now on."""
    if mutants not in _noting:
        _noting[mutants] = set()
        note_calls(mutants, _noting[mutants].add)
    _noting[mutants].clear()
    return _noting[mutants]


_noting: dict[tuple[Mutant, ...], set[tuple[str, str]]] = {}


def prepare(plan: Planted) -> None:
    """Have at hand what all copies of this process want that try the mutant."""
    if not plan.mutant.of_kernels:
        rewritten(plan.mutant)
        if not plan.of:
            _clean()


_clean = functools.cache(operator_mutants.canary)  # called before a mutant is planted, and not after


def tried(plan: Planted, before: Mapping[str, Looked], changed: bool | None = None) -> dict[str, Seen]:
    """What the mutant does to each of its claims, by id. Spoils this process. ``before``: what ``look`` says of them; of one that
    it has not looked at nobody knows whether its sides move. ``changed``: whether the canary changes, where that is known.

    Of a paper's mutant the claims' own sides are the canary, and one that moves none of a claim's cannot be refuted by it: the
    budget of teeth is what was looked at.
    """
    claims = [job.load() for job in plan.jobs]
    with ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")  # a mutant overflows and divides by zero as it likes
        started = time.perf_counter()
        asked = not plan.of and changed is None
        canary = b"" if not asked else _canary(plan) if plan.mutant.of_kernels else _clean()
        if plan.compiled and plan.mutant.module != operator_mutants.OPERATORS:  # nothing compiled contains those
            _compile_into(stack.enter_context(tempfile.TemporaryDirectory(prefix="proofs-check-")))
        plant(plan.mutant)
        changed = _canary(plan) != canary if asked else bool(changed) and not plan.of
        overhead = (time.perf_counter() - started) / len(claims)
        found: dict[str, Seen] = {}
        for each in claims:
            started = time.perf_counter()
            known = before.get(each.id)
            calls = known is None or known.meets(plan.mutant)
            if (changed or plan.of) and calls:
                outcome, moved = _outcome(plan, each, known)
            else:
                outcome = MISSED if changed or plan.of else UNTRIED
                moved = (
                    known is not None
                    and calls
                    and any(_glimpse(each, n) != x for n, x in known.sides.items() if n in plan.glimpsed)
                )
            cost = Cost(mutants=overhead + time.perf_counter() - started)
            found[each.id] = Seen(outcome, changed or (bool(plan.of) and moved), moved, cost)
            if plan.first_is_enough and outcome in NOTICED:
                break
        return found


def _teller(digests: Iterable[_Sides]) -> Callable[[str, Any], None]:
    """Tells all of them what the screening sees."""
    kept = tuple(digests)

    def saw(label: str, found: Any) -> None:
        for one in kept:
            one.add(label, found)

    return saw


def _outcome(plan: Planted, claim: Claim, known: Looked | None) -> tuple[str, bool]:
    """What becomes of a claim that holds, and whether its sides move: a hunt sees what the digests of a look are of."""
    instances, budget = _instances(plan)
    claim = replace(claim, instances=instances)
    seen = {n: _Sides(claim, n) for n in plan.glimpsed}
    try:
        found = runner.verify(claim, budget, hunt=True, probed=plan.kernels_checked, saw=_teller(seen.values()))
    except KernelFault:
        return CHECKED, bool(seen)
    except EngineFault:
        return KILLED, bool(seen)
    except Exception:  # whatever a mutant breaks is listed, and kills nothing
        return CRASHED, bool(seen)
    if found.verdict == "refuted":
        return KILLED, bool(seen)
    return MISSED, known is not None and any(one.digest() != known.sides[n] for n, one in seen.items())


def _instances(plan: Planted) -> tuple[tuple[str, ...], Budget]:
    """Fixed models and the budget: families, unless only a sparse model runs the function."""
    if plan.mutant.module == kernel_mutants.SPARSE:
        return (SPARSE_MODEL,), replace(TEETH, instances=0, large=1)
    return (), TEETH


def _compile_into(folder: str) -> None:
    """Kernels made from here on are cached there, and none that was compiled before is met again."""
    import numba

    config: Any = numba.config
    config.CACHE_DIR = folder


def _canary(plan: Planted) -> bytes:
    """What the engine says on fixed models."""
    if plan.mutant.of_kernels:
        return kernel_mutants.canary(whole=not plan.compiled)
    return operator_mutants.canary()


class _Sides:
    """A digest of what the screening sees of the first chunks of so many of a claim's families, of all for 0."""

    def __init__(self, claim: Claim, families: int) -> None:
        first = claim.family[: families or None]
        self.labels = [f"{family.name}[{f}]:0" for f, family in enumerate(first)]
        self._hash = hashlib.blake2b(digest_size=16)

    def add(self, label: str, found: Any) -> None:
        if label in self.labels:
            for x in _numbers(found):
                self._hash.update(np.ascontiguousarray(x).tobytes())

    def broke(self, error: Exception) -> None:
        self._hash.update(repr(error).encode())

    def digest(self) -> bytes:
        return self._hash.digest()


def _glimpse(claim: Claim, families: int) -> bytes:
    seen = _Sides(claim, families)
    for label in seen.labels:
        try:
            for found in runner.seen_of(claim, label, 0, hunt=True):
                seen.add(label, found)
        except Exception as error:  # a mutant may break anything, and that is a change
            seen.broke(error)
    return seen.digest()


def _numbers(found: Any) -> Sequence[Any]:
    if found is None:
        return ()
    if isinstance(found, View):
        given = [x for pair in found.numbers.values() for x in pair]
        return [*given, np.frombuffer(repr((found.status, found.outcomes, found.plain)).encode(), dtype=np.uint8)]
    return (*found.left, *found.right)
