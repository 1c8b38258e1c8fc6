"""What solvers of the average reward return."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tabular.solution import Certificate, Status


@dataclass(frozen=True)
class AverageSolution:
    """A certified answer for the average reward; ``gain``, ``bias`` and ``pi`` belong to one policy.

    Attributes
    ----------
    gain : (S,) average reward a step of ``pi`` from each state.
    bias : (S,) its bias ``h = r - g + P h``, with long-run mean zero on each recurrent class.
    pi : (S, A) the policy, deterministic.
    certificates : enclosures by quantity: ``"g - g*"`` and ``"g - g^pi"`` (componentwise), ``"max(g* - g^pi)"`` (sup), where
        ``g`` is ``gain`` as printed, ``g*`` the optimal gain and ``g^pi`` the gain of ``pi``, both of the exact model; for up to
        300 states ``"h - h^pi"`` (componentwise), the same for ``bias`` and that of ``pi``.
    status, iterations, method : why it stopped, after how many iterations, with what.
    why : the reason for the choice of method, in a sentence.
    info : numbers of the method itself.
    """

    gain: np.ndarray
    bias: np.ndarray
    pi: np.ndarray
    certificates: dict[str, Certificate]
    status: Status
    iterations: int
    method: str
    why: str = ""
    info: dict[str, Any] = field(default_factory=dict)

    @property
    def error_bound(self) -> float:
        """Bound on ``max |g - g*|`` for the exact model, rounding included; ``inf`` where there is none."""
        c = self.certificates.get("g - g*")
        return float(max(np.max(c.upper), -np.min(c.lower))) if c is not None else float("inf")

    @property
    def policy_gap(self) -> float:
        """Bound on ``max(g* - g^pi)`` for the returned policy, rounding included."""
        c = self.certificates.get("max(g* - g^pi)")
        return float(c.upper) if c is not None else float("inf")

    @property
    def bias_bound(self) -> float:
        """Bound on ``max |h - h^pi|`` for the returned policy, rounding included; ``inf`` where there is none."""
        c = self.certificates.get("h - h^pi")
        return float(max(np.max(c.upper), -np.min(c.lower))) if c is not None else float("inf")

    def __repr__(self) -> str:
        rows = [
            ("method", self.method),
            ("status", f"{self.status.name} after {self.iterations} iterations"),
            ("error_bound", f"{self.error_bound:.3g}"),
            ("policy_gap", f"{self.policy_gap:.3g}"),
            ("bias_bound", f"{self.bias_bound:.3g}"),
            ("gain", np.array2string(self.gain, precision=6, threshold=8, edgeitems=3)),
            ("bias", np.array2string(self.bias, precision=6, threshold=8, edgeitems=3)),
        ]
        return "AverageSolution\n" + "\n".join(f"  {name:<12} {text}" for name, text in rows)
