"""Executable theorems: claims over any arithmetic, instances for them, and verdicts that say what they rest on."""

from __future__ import annotations

from proofs_check.claim import Assumption, Claim, claim, stronger, twin
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
from proofs_check.evidence import (
    Comparison,
    Evidence,
    Identity,
    Inequality,
    Order,
    Sampled,
    Scaling,
    Trial,
    Witness,
)
from proofs_check.mutants import Mutant
from proofs_check.sampling import streams

__all__ = [
    "Assumption",
    "Claim",
    "Comparison",
    "Evidence",
    "Identity",
    "Inequality",
    "Mutant",
    "Order",
    "Sampled",
    "Scaling",
    "Trial",
    "Witness",
    "claim",
    "deterministic_policies",
    "distributions",
    "models",
    "policies",
    "q_values",
    "scalars",
    "streams",
    "stronger",
    "temperatures",
    "twin",
    "values",
]
