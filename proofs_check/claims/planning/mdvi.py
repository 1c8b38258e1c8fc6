"""MDVI: Kozuno et al. 2022, KL-entropy-regularised reinforcement learning with a generative model. By subject:

the recursion and its Munchausen form (C1, C2, C7), what errors do to policies (C3, C6), sampling (C4, C5, C8), and
rates (C4a, C5b, C5c, C6b).
"""

from __future__ import annotations

from proofs_check import Mutant
from proofs_check.claims.planning import mdvi_propagation, mdvi_rates, mdvi_recursion, mdvi_sampling

PARTS = (mdvi_recursion, mdvi_propagation, mdvi_sampling, mdvi_rates)

FORMULAS, ALGORITHM = "tabular.reference.mirror_descent", "tabular.planning.mdvi"
MUNCHAUSEN = ("mdvi.C7",)  # the one claim about it
MUTANTS = (
    Mutant("the past at full weight in the sum", FORMULAS, "mdvi", "q + alpha * found.s[k]", "q + found.s[k]"),
    Mutant("the past at full weight in v", FORMULAS, "mdvi", "w - alpha * found.w[k]", "w - found.w[k]"),
    Mutant("w backed up for v", FORMULAS, "mdvi", "mean(k, found.v[k])", "mean(k, found.w[k])"),
    Mutant("stale v", FORMULAS, "mdvi", "found.v[k]", "found.v[0]"),
    Mutant("errors forgotten", FORMULAS, "averaged_errors", "error + alpha * found[-1]", "error"),
    Mutant(
        "bonus of weight tau", FORMULAS, "munchausen", "alpha * tau * log_policy", "tau * log_policy", met_by=MUNCHAUSEN
    ),
    Mutant(
        "bonus of the wrong sign",
        FORMULAS,
        "munchausen",
        "alpha * tau * log_policy",
        "-(alpha * tau * log_policy)",
        met_by=MUNCHAUSEN,
    ),
    Mutant(
        "entropy dropped from the target", FORMULAS, "munchausen", "q[k] - tau * log_policy", "q[k]", met_by=MUNCHAUSEN
    ),
    Mutant("policies played in the wrong order", FORMULAS, "sequence_value", "policies[::-1]", "policies"),
    Mutant("one term too few", FORMULAS, "geometric_sum", "range(k)", "range(1, k)"),
    Mutant("the worst action", ALGORITHM, "_available", "s", "-s"),
)
