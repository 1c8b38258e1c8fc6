"""MoCoVI: maximum-entropy model correction. The claims are in the parts, by subject."""

from __future__ import annotations

from proofs_check import Mutant
from proofs_check.claims.planning import mocovi_corrections, mocovi_noise, mocovi_runs, mocovi_splitting, mocovi_values

PARTS = (mocovi_corrections, mocovi_values, mocovi_noise, mocovi_runs, mocovi_splitting)

INSTANCES, RUNS = "proofs_check.claims.planning.mocovi_parts", "proofs_check.claims.planning.mocovi_runs"
SPLITTING, MOMENTS = "proofs_check.claims.planning.mocovi_splitting", "tabular.reference.moments"
MUTANTS = (
    Mutant(
        "tilt of the wrong sign",
        INSTANCES,
        "tilted",
        "x + c[:, :, None] * f[None, None, :]",
        "x - c[:, :, None] * f[None, None, :]",
    ),
    Mutant("tilt not normalised", INSTANCES, "tilted", "ops.gibbs(x, 1, weights=P, where=where)", "P * ops.exp(x)"),
    Mutant(
        "stale tilt: the first function's dual variables alone",
        INSTANCES,
        "tilted",
        "x + c[:, :, None] * f[None, None, :]",
        "x + lam[0][:, :, None] * f[None, None, :]",
    ),
    Mutant(
        "moments not kept: a projection not divided by the square",
        INSTANCES,
        "corrected",
        "ops.dot(bar, u * v) / ops.maximum(ops.dot(bar, v * v), SMALL)",
        "ops.dot(bar, u * v)",
    ),
    Mutant(
        "mass not kept: means not taken off",
        INSTANCES,
        "corrected",
        "f[None, None, :] - ops.dot(bar, f[None, None, :])[:, :, None]",
        "f[None, None, :] + 0 * bar",
    ),
    Mutant(
        "divergence the other way round",
        INSTANCES,
        "divergence",
        "ops.relative_entropy(p, q, where=where)",
        "ops.relative_entropy(q, p, where=where)",
    ),
    Mutant("the smallest divergence", INSTANCES, "model_error", "ops.largest", "ops.smallest"),
    Mutant(
        "the divergence for its root",
        INSTANCES,
        "model_error",
        "ops.sqrt(ops.largest(divergence(ops, P, hat, where)))",
        "ops.largest(divergence(ops, P, hat, where))",
    ),
    Mutant("transposed chain", INSTANCES, "apply", "ops.dot(M, V[None, :])", "ops.dot(ops.transpose(M), V[None, :])"),
    Mutant("gamma squared in the system", INSTANCES, "system", "m.gamma", "m.gamma * m.gamma"),
    Mutant("the root of 2 dropped", INSTANCES, "c_1", "ops.constant(2)", "ops.constant(1)"),
    Mutant("the worst policy's values", INSTANCES, "optimal", "ops.maximum(best, V)", "ops.minimum(best, V)"),
    Mutant("split with the wrong sign", SPLITTING, "_step", "P - hat", "hat - P"),
    Mutant(
        "gamma dropped from the split",
        SPLITTING,
        "_step",
        "m.gamma * parts.apply(ops, parts.chain(ops, P - hat, pi), V)",
        "parts.apply(ops, parts.chain(ops, P - hat, pi), V)",
    ),
    Mutant(
        "one entry twice in the trace",
        SPLITTING,
        "_trace",
        "_times(ops, m, P, hat, pi, two)[1]",
        "_times(ops, m, P, hat, pi, two)[0]",
    ),
    Mutant("moments asked of the model", RUNS, "_run", "parts.apply(ops, P, V)", "parts.apply(ops, hat, V)"),
    Mutant("the first state's moments for all", RUNS, "_run", "asked[s : s + 1]", "asked[:1]"),
    Mutant(
        "proposal returned for the tilt",
        MOMENTS,
        "corrected_row",
        "found.q * ops.exp(ops.inflate(found.spread * 0, found.spread))",
        "p",
    ),
)
