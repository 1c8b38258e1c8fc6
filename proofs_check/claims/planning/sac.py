"""SAC: soft policy iteration. The claims are in the parts, by subject."""

from __future__ import annotations

from proofs_check import Mutant
from proofs_check.claims.planning import sac_classes, sac_improvement, sac_rates

PARTS = (sac_improvement, sac_classes, sac_rates)

FORMULAS = "tabular.reference.soft_policies"
IMPROVEMENT, CLASSES, RATES = (
    f"proofs_check.claims.planning.sac_{part}" for part in ("improvement", "classes", "rates")
)
SOFTMAX = "reg.policy(ops, Q[k], m.mask)"
MUTANTS = (
    Mutant("hard backup", FORMULAS, "soft_backup", "reg.conjugate(ops, Q, m.mask)", "ops.max(Q, where=m.mask)"),
    Mutant("backup over all actions", FORMULAS, "soft_backup", "m.mask", "None"),
    Mutant(
        "penalty added to the score", FORMULAS, "score", "reg.value(ops, pi, m.mask)", "-reg.value(ops, pi, m.mask)"
    ),
    Mutant("score without entropy", FORMULAS, "score", "reg.value(ops, pi, m.mask)", "0"),
    Mutant("policy backup without entropy", FORMULAS, "policy_backup", "score(ops, m, pi, Q, reg)", "ops.dot(pi, Q)"),
    Mutant(
        "optimality backup for the policy's",
        FORMULAS,
        "policy_backup",
        "score(ops, m, pi, Q, reg)",
        "reg.conjugate(ops, Q, m.mask)",
    ),
    Mutant("stale action values", FORMULAS, "iterates", "Q[k]", "Q[0]"),
    Mutant("greedy for soft improvement", FORMULAS, "iterates", SOFTMAX, "ops.first_max(Q[k], where=m.mask)"),
    Mutant("iterates without entropy", FORMULAS, "iterates", "reg", "type(reg)(0 * reg.tau)"),
    Mutant(
        "the worst of the rows",
        FORMULAS,
        "projected",
        "ops.stack([gain * 0 + tie, gain])",
        "ops.stack([gain * 0 + tie, -gain])",
    ),
    Mutant(
        "every row measured by the first",
        FORMULAS,
        "projected",
        "top + better * gain",
        "top",
        reason="whatever scores more than the old row improves: Lemma 2 needs no best one",
    ),
    Mutant("a mean over states without weights", FORMULAS, "mean_row", "d[None, :]", "d[None, :] * 0 + d[-1]"),
    Mutant(
        "divergence without its temperature",
        IMPROVEMENT,
        "_cross",
        "tau * (ops.sum(ops.xlogx(pi)) - ops.dot(pi, log_target))",
        "ops.sum(ops.xlogx(pi)) - ops.dot(pi, log_target)",
    ),
    Mutant("the loss discounted twice", CLASSES, "_up_to", "m.gamma", "m.gamma**2"),
    Mutant("half the constant of the quadratic rate", RATES, "_quadratic", "constant * e**2", "constant * e**2 / 2"),
)
