"""Executable theorems: claims over any arithmetic, instances for them, and verdicts that say what they rest on."""

from __future__ import annotations

from proofs_check.claim import Assumption, Claim, claim, twin
from proofs_check.draws import (
    deterministic_policies,
    distributions,
    models,
    policies,
    q_values,
    scalars,
    temperatures,
    values,
)
from proofs_check.evidence import Evidence, Identity, Inequality

__all__ = [
    "Assumption",
    "Claim",
    "Evidence",
    "Identity",
    "Inequality",
    "claim",
    "deterministic_policies",
    "distributions",
    "models",
    "policies",
    "q_values",
    "scalars",
    "temperatures",
    "twin",
    "values",
]
