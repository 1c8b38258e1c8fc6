"""What solvers return: ``Solution`` with certificates, ``Run`` without."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from enum import Enum
from typing import Any, NamedTuple

import numpy as np


class Status(Enum):
    """Why a solver stopped."""

    CONVERGED = "converged to the tolerance"
    ROUNDING_FLOOR = "rounding errors forbid a better answer"
    MAX_ITER = "iteration limit reached"
    NONFINITE = "a value became infinite or NaN"
    UNCERTIFIED = "the changes fell below the tolerance, but no bound on the error was found"


class Certificate(NamedTuple):
    """A rigorous enclosure, rounding included: ``lower <= quantity <= upper``.

    Attributes
    ----------
    quantity : what is enclosed, e.g. ``"V - V*"`` or ``"max(V* - V^pi)"``.
    norm : ``"sup"`` for a bound on a sup norm, ``"componentwise"`` for arrays.
    lower, upper : numbers or arrays, in the unit of the rewards.
    reference : theorem the bound rests on.
    """

    quantity: str
    norm: str
    lower: Any
    upper: Any
    reference: str


class Later:
    """An array that is formed when it is first read, and once."""

    def __init__(self, how: Callable[[], np.ndarray]) -> None:
        self._how: Callable[[], np.ndarray] | None = how
        self._array: Any = None

    def form(self) -> np.ndarray:
        if self._how is not None:
            self._array, self._how = self._how(), None
        return np.asarray(self._array)


class _Array:
    """A field that takes arrays and ``Later`` ones, and gives arrays."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, solution: Any, owner: type | None = None) -> Any:
        if solution is None:
            return self
        value = solution.__dict__[self.name]
        if isinstance(value, Later):
            value = solution.__dict__[self.name] = value.form()
        return value

    def __set__(self, solution: Any, value: Any) -> None:
        solution.__dict__[self.name] = value


@dataclass(frozen=True)
class Solution:
    """A certified answer; ``V``, ``Q``, ``pi`` belong to the same iterate. Of large models ``Q`` and the policy are formed when
    they are first read.

    Attributes
    ----------
    V : (S,) values (finite horizon: (H+1, S)).  Q : (S, A) backup of ``V``, ``-inf`` where unavailable.
    pi, log_pi : (S, A) greedy (regularised: maximising) policy of ``Q``.
    certificates : enclosures, by quantity.
    regularizer : what was solved for, as checked; None for the plain maximum.
    status, iterations, method : why it stopped, after how many iterations, with what.
    model_error : bound on ``|V*(lift) - V*(floats)|``, the part of the error that comes from reading rows of floats as
        distributions (finite horizon: in any stage). ``inf`` where ``gamma = 1`` and zero-reward end components were
        divided out, or nothing is certified.
    why : the reason for the choice of method, in a sentence.
    info : numbers of the method itself.
    """

    V: np.ndarray
    Q: np.ndarray
    pi: np.ndarray
    log_pi: np.ndarray
    certificates: dict[str, Certificate]
    status: Status
    iterations: int
    method: str
    model_error: float = 0.0
    why: str = ""
    info: dict[str, Any] = field(default_factory=dict)
    regularizer: Any = None

    @property
    def error_bound(self) -> float:
        """Bound on ``max |V - V*|`` for the exact model, rounding included; ``inf`` where there is none."""
        c = self.certificates.get("V - V*")
        return float(max(abs(np.min(c.lower)), abs(np.max(c.upper)))) if c is not None else float("inf")

    @property
    def policy_gap(self) -> float:
        """Bound on ``max(V* - V^pi)`` for the returned policy, rounding included."""
        c = self.certificates.get("max(V* - V^pi)")
        return float(np.max(c.upper)) if c is not None else float("inf")

    def asdict(self) -> dict[str, Any]:
        return {f.name: getattr(self, f.name) for f in fields(self)}

    def with_(self, **changes: Any) -> Solution:
        """A copy with other fields; what is formed later still is."""
        return Solution(**{f.name: self.__dict__[f.name] for f in fields(self)} | changes)

    def __getstate__(self) -> dict[str, Any]:
        return self.asdict()

    def _facts(self) -> list[tuple[str, str]]:
        """What people are shown, line by line."""
        return [
            ("method", self.method),
            *([] if self.regularizer is None else [("regularizer", _shown(self.regularizer))]),
            ("status", f"{self.status.name} after {self.iterations} iterations"),
            ("error_bound", f"{self.error_bound:.3g}"),
            ("policy_gap", f"{self.policy_gap:.3g}"),
            ("V", np.array2string(self.V, precision=6, threshold=8, edgeitems=3)),
        ]

    def __repr__(self) -> str:
        return "Solution\n" + "\n".join(f"  {name:<12} {text}" for name, text in self._facts())

    def _repr_html_(self) -> str:
        """For notebooks: the same as a table."""
        from tabular._html import table

        return table("Solution", self._facts())


for _name in ("Q", "pi", "log_pi"):
    setattr(Solution, _name, _Array(_name))


def _shown(regularizer: Any) -> str:
    """Parameters, but not arrays."""
    if not hasattr(regularizer, "_asdict"):
        return type(regularizer).__name__
    parts = (f"{k}={'...' if np.ndim(v) else v}" for k, v in regularizer._asdict().items())
    return f"{type(regularizer).__name__}({', '.join(parts)})"


@dataclass(frozen=True)
class Run:
    """An answer without a certificate (learners, gradient iterates, sampled runs).

    Attributes
    ----------
    result : named arrays.  history : named curves.  seed : root seed, if any.
    """

    result: dict[str, np.ndarray]
    history: dict[str, np.ndarray] = field(default_factory=dict)
    seed: int | None = None
    info: dict[str, Any] = field(default_factory=dict)
