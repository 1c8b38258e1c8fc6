"""Optimal sample complexity for average reward MDPs (Wang, Blanchet and Glynn 2024), in two parts."""

from __future__ import annotations

from proofs_check import Mutant
from proofs_check.claims.planning import average_reward_bounds, average_reward_samples

PARTS = (average_reward_bounds, average_reward_samples)

FORMULAS, PLANNING = "tabular.reference.average", "tabular.planning.perturbed_planning"
BOUNDS, SAMPLES = (f"proofs_check.claims.planning.average_reward_{part}" for part in ("bounds", "samples"))
SYSTEM = "eye - P + eye[:1]"
MUTANTS = (
    Mutant("gain of the transposed chain", FORMULAS, "unichain_gain", SYSTEM, "ops.transpose(eye - P) + eye[:1]"),
    Mutant(
        "bias for gain",
        FORMULAS,
        "unichain_gain",
        "ops.solve(eye - P + eye[:1], r)[0]",
        "ops.solve(eye - P + eye[:1], r)[-1]",
    ),
    Mutant("law of the transposed chain", FORMULAS, "stationary", "ops.transpose(eye - P + eye[:1])", SYSTEM),
    Mutant("law not normalised", FORMULAS, "stationary", "eye[0]", "2 * eye[0]"),
    Mutant(
        "what one state shares for what all share",
        FORMULAS,
        "overlaps",
        "ops.min(power, axis=-2)",
        "ops.max(power, axis=-2)",
    ),
    Mutant("powers doubled", FORMULAS, "overlaps", "product_of(ops, power, P)", "product_of(ops, power, power)"),
    Mutant("a factor transposed", FORMULAS, "product_of", "ops.transpose(B)[None, :, :]", "B[None, :, :]"),
    Mutant("gamma for its square", BOUNDS, "_variance", "m.gamma * m.gamma", "m.gamma"),
    Mutant(
        "a loss that the discount does not limit",
        BOUNDS,
        "_spoilt",
        "most * (1 - m.gamma) * t / (1 + t)",
        "most * t / (1 + t)",
    ),
    Mutant(
        "discount without the time",
        PLANNING,
        "reduction_parameters",
        "epsilon / (19.0 * t)",
        "epsilon / 19.0",
        reason="on the hard chain of C5 the same actions are best at every discount",
    ),
    Mutant("noise of the size of the time", PLANNING, "reduction_parameters", "(1.0 - gamma) * t / 4.0", "t / 4.0"),
    Mutant("accuracy dropped", PLANNING, "reduction_parameters", "epsilon**2", "1"),
    Mutant("rewards dropped", PLANNING, "perturbed_planning", "mdp.rewards + Z", "Z"),
    Mutant("bias that grows with the square", SAMPLES, "_needed", "x * spread", "x * x * spread"),
    Mutant("error not divided by the sum", SAMPLES, "_mean_error", "2 * ops.maximum(both, Fraction(1, 2))", "2"),
    Mutant("noise twice", SAMPLES, "_misled", "ops.dot(pi, noise)", "2 * ops.dot(pi, noise)"),
)
