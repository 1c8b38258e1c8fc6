r"""PSRL: Osband, Russo and Van Roy 2013, posterior sampling. By subject:

what a draw from the posterior has in common with the truth (C1, C2) and how its errors add up (C3), on a prior of two models, and
counts of visits in episodes (C4a, C4b), and runs (C1r, C1s).
"""

from __future__ import annotations

from proofs_check import Mutant
from proofs_check.claims.exploration import psrl_algorithm, psrl_counts, psrl_posterior

PARTS = (psrl_posterior, psrl_counts, psrl_algorithm)

POSTERIOR, COUNTS = "proofs_check.claims.exploration.psrl_posterior", "proofs_check.claims.exploration.psrl_counts"
MET = tuple(f"psrl.{label}" for label in ["C1", "C2", "C2a", "C3", "C4a", "C4b", "C4c"])
"""What meets faults in formulas: all claims but those that play runs, which take long without compiled loops."""


def _planted(name: str, module: str, function: str, old: str, new: str) -> Mutant:
    return Mutant(name, module, function, old, new, met_by=MET)


MUTANTS = (
    _planted("draws from the prior", POSTERIOR, "joint", "weight[j]", "prior[j]"),
    _planted("the least value planned for", POSTERIOR, "plan_of", "ops.first_max(Q)", "ops.first_max(-Q)"),
    _planted("values without what comes later", POSTERIOR, "value_of", "ops.dot(P, V[None, None, :])", "0 * R"),
    _planted("visits counted twice", COUNTS, "visited", "total + place", "total + 2 * place"),
)
