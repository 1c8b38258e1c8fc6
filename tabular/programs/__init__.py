"""Decision problems as linear and convex programs over occupancies, each answer with a proved duality gap.

Solvers of programs (HiGHS, Clarabel) and the method of Frank and Wolfe propose; policies and weak duality prove. What an LP of a
small model proposes is also made exact, in rationals. See ``docs/programs.md``.
"""

from __future__ import annotations

from typing import Any

from tabular import _lazy

_HOME = {
    "ExactProgram": "exact",
    "Fairness": "utilities",
    "ProgramSolution": "solution",
    "TargetDivergence": "utilities",
    "Utility": "utilities",
    "VisitationEntropy": "utilities",
    "average_program": "average",
    "concave_program": "concave",
    "constrained_program": "constrained",
    "exact_program": "exact",
    "linear_program": "linear",
    "regularized_program": "regularized",
}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    return _lazy.attribute(__name__, _HOME, name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
