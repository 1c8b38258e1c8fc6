"""What programs over occupancies return: a policy, multipliers, and a proved duality gap."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tabular.errors import NotConverged
from tabular.solution import Certificate, Status

OWN, BEST, GAP, CONSTRAINTS = (
    "objective of pi",
    "optimal objective",
    "optimal objective - objective of pi",
    "constraints",
)
DUALITY = "weak duality of occupancies (foundations.C30); rounding: enclosures and doubled precision"


@dataclass(frozen=True)
class ProgramSolution:
    """A policy, and proofs of what it is worth and of what any can be.

    Attributes
    ----------
    objective : what is maximised, in words.
    pi : (S, A) policy, with a horizon (H, S, A).  mu : its expected discounted visits, unnormalised, in floats; same shape.
    V : (S,) values that prove the upper bound, of the model with the rewards that the multipliers make; (H+1, S).
    multipliers : (K,) of the constraints, or of the features of a utility; None where there are none.
    certificates : enclosures by quantity, of the exact model: "objective of pi", "optimal objective", "optimal objective -
        objective of pi", where there are constraints "constraints": values less bounds, (K,); what else is known.
    status, method, iterations : why and with what it stopped.  history : named curves.
    info : numbers of the method itself; ``proposed`` is the objective that the solver of programs reported.
    """

    objective: str
    pi: np.ndarray
    mu: np.ndarray
    V: np.ndarray
    multipliers: np.ndarray | None
    certificates: dict[str, Certificate]
    status: Status
    method: str
    iterations: int
    history: dict[str, np.ndarray] = field(default_factory=dict)
    info: dict[str, Any] = field(default_factory=dict)

    @property
    def lower(self) -> float:
        """Proved to be at most the objective of ``pi``; ``-inf`` where ``pi`` is not proved feasible."""
        return float(self.certificates[OWN].lower)

    @property
    def upper(self) -> float:
        """Proved to be at least the objective of every policy that meets the constraints."""
        return float(self.certificates[BEST].upper)

    @property
    def gap(self) -> float:
        """Bound on what ``pi`` falls short of the optimum by."""
        return float(self.certificates[GAP].upper)

    @property
    def violation(self) -> float:
        """Bound on how far ``pi`` exceeds any of the constraints; at most zero where it is proved to meet them all."""
        c = self.certificates.get(CONSTRAINTS)
        return float(np.max(c.upper)) if c is not None else 0.0

    def __repr__(self) -> str:
        rows = [
            ("objective", self.objective),
            ("method", self.method),
            ("status", f"{self.status.name} after {self.iterations} iterations"),
            ("lower", f"{self.lower:.12g}"),
            ("upper", f"{self.upper:.12g}"),
            ("gap", f"{self.gap:.3g}"),
        ]
        if self.multipliers is not None and len(self.multipliers) <= 8:
            rows.append(("multipliers", np.array2string(self.multipliers, precision=6)))
        if CONSTRAINTS in self.certificates:
            rows.append(("violation", f"{self.violation:.3g}"))
        return "ProgramSolution\n" + "\n".join(f"  {name:<12} {text}" for name, text in rows)


def bounds(own: tuple[float, float], most: float, reference: str = DUALITY) -> dict[str, Certificate]:
    """Certificates of an objective between ``own`` whose optimum is at most ``most``."""
    low, high = own
    gap = float(np.nextafter(most - low, np.inf)) if np.isfinite(most) and np.isfinite(low) else np.inf
    return {
        OWN: Certificate(OWN, "sup", low, min(high, most), reference),
        BEST: Certificate(BEST, "sup", low, most, reference),
        GAP: Certificate(GAP, "sup", 0.0, max(gap, 0.0), reference),
    }


def judged(gap: float, allowed: float, exhausted: bool = False) -> Status:
    """The certificate has the last word."""
    if gap <= allowed:
        return Status.CONVERGED
    if not np.isfinite(gap):
        return Status.UNCERTIFIED
    return Status.MAX_ITER if exhausted else Status.ROUNDING_FLOOR


def delivered(solution: ProgramSolution, throw: bool, allowed: float) -> ProgramSolution:
    """The solution, or NotConverged with it."""
    if throw and solution.status is not Status.CONVERGED:
        raise NotConverged(
            f"{solution.method}: {solution.status.value}; the gap is at most {solution.gap:.3g} where {allowed:.3g} was asked for. "
            "throw=False returns what there is",
            solution,
        )
    return solution
