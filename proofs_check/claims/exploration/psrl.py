r"""PSRL: Osband, Russo and Van Roy 2013, posterior sampling. By subject:

what a draw from the posterior has in common with the truth (C1, C2) and how its errors add up (C3), on a prior of two models, and
counts of visits in episodes (C4a, C4b), and runs (C1r, C1s).
"""

from __future__ import annotations

from proofs_check import Mutant
from proofs_check.claims.exploration import psrl_algorithm, psrl_counts, psrl_posterior

PARTS = (psrl_posterior, psrl_counts, psrl_algorithm)

POSTERIOR, COUNTS = "proofs_check.claims.exploration.psrl_posterior", "proofs_check.claims.exploration.psrl_counts"
MUTANTS = (
    Mutant("draws from the prior", POSTERIOR, "joint", "weight[j]", "prior[j]"),
    Mutant("the least value planned for", POSTERIOR, "plan_of", "ops.first_max(Q)", "ops.first_max(-Q)"),
    Mutant("values without what comes later", POSTERIOR, "value_of", "ops.dot(P, V[None, None, :])", "0 * R"),
    Mutant("visits counted twice", COUNTS, "visited", "total + place", "total + 2 * place"),
)
