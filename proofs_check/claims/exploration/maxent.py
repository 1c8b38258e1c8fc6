r"""MaxEnt: Hazan, Kakade, Singh and Van Soest 2019, entropy of visits maximised by Frank and Wolfe's method. By subject:

its rounds and rates (C1, C2, C6), the smoothed entropy (C3), policies with given visits (C4, C5), and what runs
return (C1r). Visits are those of states, discounted, :math:`d_\pi = (1-\gamma) \sum_t \gamma^t P(s_t = \cdot)`.
"""

from __future__ import annotations

from proofs_check import Mutant
from proofs_check.claims.exploration import maxent_algorithm, maxent_entropy, maxent_rounds

PARTS = (maxent_rounds, maxent_entropy, maxent_algorithm)

ROUNDS, ENTROPY = "proofs_check.claims.exploration.maxent_rounds", "proofs_check.claims.exploration.maxent_entropy"
MUTANTS = (
    Mutant("the worst vertex", ROUNDS, "answered", "ops.order(scores)", "ops.order(-scores)"),
    Mutant("the weight of the past", ROUNDS, "mixed", "(1 - eta) * d", "(1 + eta) * d"),
    Mutant("slope without its second term", ENTROPY, "slope", "d / (d + sigma)", "0 * d"),
    Mutant("the policy not divided by the visits of states", ENTROPY, "policy_with", "ops.sum(d)[:, None]", "1"),
)
