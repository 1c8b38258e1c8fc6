"""What solvers and games of maximum entropy return, and the certificates of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tabular import _border as border
from tabular import _validate as check
from tabular.errors import NotConverged
from tabular.exploration._layers import Layers, checked
from tabular.finite_horizon import FiniteHorizonMDP
from tabular.reference import EnclosureOps, visitation
from tabular.solution import Certificate, Status

VISITATION, POOLED, TRAJECTORY = "visitation", "pooled", "trajectory"
DUAL = "fast_entropy, dual function (Gibbs' inequality); rounding: enclosures"


@dataclass(frozen=True)
class EntropySolution:
    """A policy of large entropy, with proofs of how large it is and how large any can be; all in nats.

    Attributes
    ----------
    objective : "visitation", "pooled" or "trajectory".
    pi : (H, S, A) Markov policy, uniform where nobody comes.  visits : (H, S, A) its occupancies, in floats.
    values : (H, S) the point of the dual function that proves the upper bound (trajectory: the optimal values).
    certificates : enclosures by quantity, rounding included and of the exact model: "entropy of pi", "max entropy",
        "max entropy - entropy of pi".
    status, iterations, method : why it stopped, after how many iterations, with what.
    history : named curves.  info : numbers of the method itself.
    """

    objective: str
    pi: np.ndarray
    visits: np.ndarray
    values: np.ndarray
    certificates: dict[str, Certificate]
    status: Status
    iterations: int
    method: str
    history: dict[str, np.ndarray] = field(default_factory=dict)
    info: dict[str, Any] = field(default_factory=dict)

    @property
    def lower(self) -> float:
        """Proved to be at most the entropy of ``pi``."""
        return float(self.certificates["entropy of pi"].lower)

    @property
    def upper(self) -> float:
        """Proved to be at least the entropy of every policy."""
        return float(self.certificates["max entropy"].upper)

    @property
    def gap(self) -> float:
        """Bound on what ``pi`` falls short of the maximum by."""
        return float(self.certificates["max entropy - entropy of pi"].upper)

    def __repr__(self) -> str:
        rows = [
            ("objective", self.objective),
            ("method", self.method),
            ("status", f"{self.status.name} after {self.iterations} iterations"),
            ("lower", f"{self.lower:.12g}"),
            ("upper", f"{self.upper:.12g}"),
            ("gap", f"{self.gap:.3g}"),
        ]
        return "EntropySolution\n" + "\n".join(f"  {name:<10} {text}" for name, text in rows)


def certify_entropy(
    fh: FiniteHorizonMDP, pi: Any, values: Any, objective: str, *, last: bool = False
) -> dict[str, Certificate]:
    """Rigorous bounds on the entropy of ``pi`` (H, S, A) and on the largest one, the latter by ``values`` (H, S).

    Formulas in enclosures: every rounding is bounded, and rows of floats are divided by their exact sums. ``values`` are
    any; for trajectories they are not used. O(H S^2 A).

    TypeError, ValueError (ModelError) for a model that has no entropies, what is no policy of it, and other values or objectives.
    """
    checked(fh, "certify_entropy")
    pi, last = border.staged_policy(pi, fh), border.flag(last, "last")
    if objective not in (VISITATION, POOLED, TRAJECTORY):
        raise ValueError(f"objective is {objective!r}: expected {VISITATION!r}, {POOLED!r} or {TRAJECTORY!r}")
    if objective != TRAJECTORY:
        values = check.float_array(values, "values")
        if values.shape != (fh.H, fh.S):
            check.fail(f"values has shape {values.shape}: expected ({fh.H}, {fh.S})")
        check.check_finite(values, "values")
    ops = EnclosureOps()
    models = {id(m): ops.model(m) for m in map(fh.stage, range(fh.H))}
    stages = [models[id(fh.stage(h))] for h in range(fh.H)]
    rho = fh.rho if fh._rho_exact is None else np.array(fh._rho_exact, dtype=object)
    start = ops.distribution(rho, 1) if fh._rho_exact is None else ops.array(rho, 1)
    plan = [ops.distribution(x) for x in pi]
    if objective == TRAJECTORY:
        own = visitation.trajectory_entropy(ops, stages, start, plan, int(last))
        best = visitation.trajectory_plan(ops, stages, int(last)).V[0]
        most = visitation.entropy(ops, start) + ops.dot(start, best)
    else:
        of, dual = {
            VISITATION: (visitation.visitation_entropy, visitation.dual),
            POOLED: (visitation.pooled_entropy, visitation.pooled_dual),
        }[objective]
        own = of(ops, visitation.occupancies(ops, stages, start, plan))
        most = dual(ops, stages, start, [ops.array(V, 1) for V in values], list(Layers(fh).masks))
    low, high = (float(x) for x in ops.bounds(own))
    top = float(ops.bounds(most)[1])
    gap = float(np.nextafter(top - low, np.inf))
    return {
        "entropy of pi": Certificate("entropy of pi", "sup", low, min(high, top), DUAL),
        "max entropy": Certificate("max entropy", "sup", low, top, DUAL),
        "max entropy - entropy of pi": Certificate("max entropy - entropy of pi", "sup", 0.0, gap, DUAL),
    }


def delivered(solution: EntropySolution, throw: bool, tol: float) -> EntropySolution:
    """The solution, or NotConverged with it."""
    if throw and solution.status is Status.MAX_ITER:
        raise NotConverged(
            f"{solution.method}: {solution.status.value} after {solution.iterations} iterations, with a gap of at most "
            f"{solution.gap:.3g} nats where {tol:g} was asked for. throw=False returns what there is",
            solution,
        )
    return solution


def judged(status: Status, gap: float, tol: float) -> Status:
    """The certificate has the last word."""
    if gap <= tol:
        return Status.CONVERGED
    return Status.ROUNDING_FLOOR if status is Status.CONVERGED else status
