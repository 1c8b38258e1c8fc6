"""What claims cost, and what they may: seconds and instances for each claim and phase, and the budgets of rooms."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields

from proofs_check.registry import ROOMS

PHASES = ("drawing", "screening", "settling", "twins", "mutants")

# Instances of each claim at --quick: QUICK, for claims of papers and of one's own files alike, except in rooms where an
# instance costs much more. They are the first of those of the default budget, fewer than a chunk or not.
QUICK = 200
OVERRIDES: dict[str, int] = {}


def quick(room: str | None) -> int:
    """Instances of a claim of ``room`` at --quick; None: of a file of one's own. ValueError where there is no such room."""
    if room is not None and room not in ROOMS:
        raise ValueError(f"there is no room {room!r}: rooms are {', '.join(ROOMS)}")
    return QUICK if room is None else OVERRIDES.get(room, QUICK)


@dataclass
class Cost:
    """Seconds of one claim by phase, and the instances that they went to (of its own families; twins and mutants apart)."""

    drawing: float = 0.0
    screening: float = 0.0
    settling: float = 0.0
    twins: float = 0.0
    mutants: float = 0.0
    instances: int = 0

    @property
    def seconds(self) -> float:
        """All phases together."""
        return sum(getattr(self, phase) for phase in PHASES)

    def __add__(self, other: Cost) -> Cost:
        return Cost(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(Cost)))

    def as_dict(self) -> dict[str, float | int]:
        """For JSON, in milliseconds of resolution."""
        return {phase: round(getattr(self, phase), 3) for phase in PHASES} | {"instances": self.instances}


def total(costs: Iterable[Cost]) -> Cost:
    """The sum."""
    found = Cost()
    for cost in costs:
        found = found + cost
    return found


@contextmanager
def timed(cost: Cost, phase: str) -> Iterator[None]:
    """Add the time inside to a phase."""
    start = time.perf_counter()
    try:
        yield
    finally:
        setattr(cost, phase, getattr(cost, phase) + time.perf_counter() - start)
