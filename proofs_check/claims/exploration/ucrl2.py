r"""UCRL2: Jaksch, Ortner and Auer 2010, optimism for the average reward. By subject:

sets of plausible models and extended value iteration in them (C3, C4, C6), epochs (C2a, C5), and the loop's backups
(C6r). Extended value iteration has :math:`\tilde L u(s) = \max_a \tilde r(s,a) + \max \{q u : \|q - \hat p(s,a)\|_1
\le w(s,a)\}`.
"""

from __future__ import annotations

from proofs_check import Mutant
from proofs_check.claims.exploration import ucrl2_algorithm, ucrl2_epochs, ucrl2_sets

PARTS = (ucrl2_sets, ucrl2_epochs, ucrl2_algorithm)

SETS, EPOCHS = "proofs_check.claims.exploration.ucrl2_sets", "proofs_check.claims.exploration.ucrl2_epochs"
MUTANTS = (
    Mutant("all of the width on the best state", SETS, "greedy_row", "radius / 2", "radius"),
    Mutant("no cap at one", SETS, "greedy_row", "ops.minimum(radius / 2, 1 - p[..., -1])", "radius / 2"),
    Mutant("the worst state for the best", SETS, "plausible_mean", "ops.max(u)", "ops.min(u)"),
    Mutant("an epoch ends at once", EPOCHS, "_ends", "inside >= needed", "inside >= 0 * needed"),
)
