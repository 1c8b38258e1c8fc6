"""General Munchausen reinforcement learning with Tsallis divergences. The claims are in the parts, by subject."""

from __future__ import annotations

from proofs_check import Mutant
from proofs_check.claims.planning import tsallis_mvi_calculus, tsallis_mvi_iteration

PARTS = (tsallis_mvi_calculus, tsallis_mvi_iteration)

CALCULUS, FORMULAS, ITERATION = "tabular.reference.ops", "tabular.regularizers", "tabular.planning.tsallis_mvi"
UNNORMALISED = "ops.where(m.mask, ops.q_exp(Q / tau, 2 - ops.constant(q)), 0)"
MUTANTS = (
    Mutant("2 - q for q in the logarithm", CALCULUS, "Ops.q_log", "1 - self.constant(q)", "self.constant(q) - 1"),
    Mutant("2 - q for q in the exponential", CALCULUS, "Ops.q_exp", "1 - self.constant(q)", "self.constant(q) - 1"),
    Mutant("entropy of index q + 1", CALCULUS, "Ops.tsallis_entropy", "self.constant(q) - 1", "self.constant(q)"),
    Mutant(
        "divergence of index 2 - q",
        CALCULUS,
        "Ops.tsallis_divergence",
        "self.constant(q) - 1",
        "1 - self.constant(q)",
    ),
    Mutant("weight tau/q in the entropy's policy", FORMULAS, "Tsallis.policy", "self.tau", "self.tau / self.q"),
    Mutant(
        "the entropy for its negative", FORMULAS, "Tsallis.value", "-ops.constant(self.tau)", "ops.constant(self.tau)"
    ),
    Mutant("weight lam q in the conjugate", FORMULAS, "TsallisKL.conjugate", "self.lam", "self.lam * self.q"),
    Mutant("reference dropped from the conjugate", FORMULAS, "TsallisKL.conjugate", "mu", "None"),
    Mutant("reference dropped from the policy", FORMULAS, "TsallisKL.policy", "mu", "None"),
    Mutant("weight dropped from the divergence", FORMULAS, "TsallisKL.value", "ops.constant(self.lam)", "1"),
    Mutant("1/q never absorbed", ITERATION, "mvi_policy", "absorbed / ops.constant(q)", "absorbed"),
    Mutant("1/q always absorbed", ITERATION, "mvi_policy", "1 - absorbed", "(1 - absorbed) / ops.constant(q)"),
    Mutant("policy not normalised", ITERATION, "mvi_policy", "Tsallis(weight, q).policy(ops, Q, m.mask)", UNNORMALISED),
    Mutant("entropy as a cost", ITERATION, "mvi_values", "ops.constant(tau)", "-ops.constant(tau)"),
    Mutant("alpha dropped", ITERATION, "mvi_step", "ops.constant(alpha) * ops.constant(tau)", "ops.constant(tau)"),
    Mutant("bonus of the wrong sign", ITERATION, "mvi_step", "m.R + bonus", "m.R - bonus"),
    Mutant("bonus of index 2 - q", ITERATION, "mvi_step", "2 - index", "index"),
    Mutant("gamma squared", ITERATION, "mvi_step", "m.gamma", "m.gamma * m.gamma"),
)
