"""SoftRobust: Zhang, Hu and Li 2024, regularised robust MDPs and risk-sensitive MDPs. By subject:

operators (C2, C6, C7), the equivalence with a robust MDP (C1), policy gradients (C3, C4), risk of the action's draw
(C5), and draws (C8).
"""

from __future__ import annotations

from proofs_check import Mutant
from proofs_check.claims.planning import (
    soft_robust_actions,
    soft_robust_equivalence,
    soft_robust_gradients,
    soft_robust_limits,
    soft_robust_operators,
    soft_robust_sampling,
)

PARTS = (
    soft_robust_equivalence,
    soft_robust_operators,
    soft_robust_limits,
    soft_robust_gradients,
    soft_robust_actions,
    soft_robust_sampling,
)

FORMULAS, RISK = "tabular.reference.risk", "tabular.risk"
AFTER = "at_successors(ops, p, V)"
MUTANTS = (
    Mutant(
        "risk not discounted",
        FORMULAS,
        "q_values",
        f"m.gamma * risk.sigma(ops, p, {AFTER})",
        f"risk.sigma(ops, p, {AFTER})",
    ),
    Mutant(
        "an end that is worth something", FORMULAS, "at_successors", "np.arange(S + 1) < S", "np.arange(S + 1) >= 0"
    ),
    Mutant("the best kernel for the worst", FORMULAS, "worst", AFTER, f"-{AFTER}"),
    Mutant(
        "the end for a state",
        FORMULAS,
        "chain",
        "ops.sum(pi[:, :, None] * q, axis=-2)[:, :-1]",
        "ops.sum(pi[:, :, None] * q, axis=-2)[:, 1:]",
    ),
    Mutant(
        "a chain not discounted",
        FORMULAS,
        "resolvent",
        "m.gamma * chain(ops, q, pi)",
        "m.gamma * m.gamma * chain(ops, q, pi)",
    ),
    Mutant(
        "visits of the transposed chain",
        FORMULAS,
        "visits",
        "ops.transpose(resolvent(ops, m, q, pi))",
        "resolvent(ops, m, q, pi)",
    ),
    Mutant("log Z not multiplied by beta", FORMULAS, "log_z_backup", "ops.constant(beta)", "ops.constant(1)"),
    Mutant(
        "Q without the discount of log Z", FORMULAS, "z_value", "m.gamma / ops.constant(beta)", "1 / ops.constant(beta)"
    ),
    Mutant("actions drawn by the best case", FORMULAS, "_nested", "-risk.sigma(ops, pi, Q)", "risk.sigma(ops, pi, -Q)"),
    Mutant(
        "a fixed point as near as its residual",
        FORMULAS,
        "fixed_point",
        "ops.norm(d) / (1 - m.gamma)",
        "ops.norm(d)",
        reason="the residual's enclosure is wide of its rounding by more than the horizons that are tried",
    ),
    Mutant(
        "the first actions for the best",
        FORMULAS,
        "_improved",
        "better.any()",
        "False",
        reason="a proposal is certified by its residual, whatever it is: a poor one widens the enclosure",
    ),
    Mutant(
        "beta for its reciprocal", RISK, "Entropic._scale", "1 / ops.constant(self.beta)", "ops.constant(self.beta)"
    ),
    Mutant("a penalty not divided by beta", RISK, "Entropic.penalty", "self._scale(ops)", "1"),
    Mutant("the level ignored", RISK, "CVaR.worst", "ops.take(p, order) / level", "ops.take(p, order)"),
    Mutant("mass that appears", RISK, "L1Ball.worst", "1 - moved", "1"),
    Mutant(
        "a KL dual without its radius",
        RISK,
        "_by_duality",
        "w[..., 0] * ops.constant(risk.radius)",
        "0 * w[..., 0]",
        reason="the hull with the feasible kernel encloses what it did, less tightly",
    ),
    Mutant("the first of the kernels alone", RISK, "Kernels._rows", "self.rows", "self.rows[:1]"),
    Mutant("the best successor for the worst", RISK, "WorstCase.sigma", "-x", "x"),
)
