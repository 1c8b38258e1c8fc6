"""The engine's mutants of operators and regularisers, with the canary that says that they are faults."""

from __future__ import annotations

import numpy as np

from proofs_check.mutants import Mutant

OPERATORS = "tabular.reference.operators"
REGULARIZERS = "tabular.regularizers"

MUTANTS = (
    Mutant("gamma squared in the backup", OPERATORS, "q_backup", "m.gamma", "m.gamma * m.gamma"),
    Mutant(
        "gamma dropped from the backup", OPERATORS, "q_backup", "m.gamma * ops.expect(m.P, V)", "ops.expect(m.P, V)"
    ),
    Mutant(
        "minus for plus in the backup",
        OPERATORS,
        "q_backup",
        "m.R + m.gamma * ops.expect(m.P, V)",
        "m.R - m.gamma * ops.expect(m.P, V)",
    ),
    Mutant("reward dropped", OPERATORS, "q_backup", "m.R", "m.R * 0"),
    Mutant(
        "stale V: the backup reads the values of other states",
        OPERATORS,
        "q_backup",
        "ops.expect(m.P, V)",
        "ops.expect(m.P, V[::-1])",
    ),
    Mutant(
        "policy backup reads a shifted index",
        OPERATORS,
        "policy_backup",
        "q_backup(ops, m, V)",
        "q_backup(ops, m, V)[::-1]",
    ),
    Mutant("transposed P", OPERATORS, "resolvent", "ops.transition(m.P, pi)", "ops.transpose(ops.transition(m.P, pi))"),
    Mutant("gamma squared in the resolvent", OPERATORS, "resolvent", "m.gamma", "m.gamma * m.gamma"),
    Mutant(
        "visits solve the wrong system",
        OPERATORS,
        "state_visits",
        "ops.transpose(resolvent(ops, m, pi))",
        "resolvent(ops, m, pi)",
    ),
    Mutant("occupancy normalised, and not said so", OPERATORS, "occupancy", "pi", "pi * (1 - m.gamma)"),
    Mutant("end dropped from the mass", OPERATORS, "successor_mass", "m.end", "m.end * 0"),
    Mutant(
        "regulariser dropped from the reward",
        OPERATORS,
        "policy_reward",
        "ops.dot(pi, m.R) - _regularizer(regularizer).value(ops, pi, m.mask)",
        "ops.dot(pi, m.R)",
    ),
    Mutant(
        "wrong sign of the entropy", REGULARIZERS, "Shannon.value", "ops.constant(self.tau)", "-ops.constant(self.tau)"
    ),
    Mutant("min for max", REGULARIZERS, "Hard.conjugate", "ops.max(Q, where=mask)", "ops.min(Q, where=mask)"),
    Mutant("mean for max", REGULARIZERS, "Hard.conjugate", "ops.max(Q, where=mask)", "ops.sum(Q) / Q.shape[-1]"),
    Mutant("temperature doubled", REGULARIZERS, "Shannon.conjugate", "self.tau", "2 * self.tau"),
    Mutant(
        "reference dropped from the policy",
        REGULARIZERS,
        "ShannonKL.policy",
        "ops.gibbs(x, w, weights=mu, where=where)",
        "ops.gibbs(x, w, where=where)",
    ),
    Mutant(
        "residual halved",
        OPERATORS,
        "residual",
        "backup(ops, m, V, regularizer) - V",
        "(backup(ops, m, V, regularizer) - V) / 2",
    ),
    Mutant(
        "stale V in backward induction",
        OPERATORS,
        "backward_induction",
        "backup(ops, m, V, regularizer)",
        "backup(ops, m, terminal, regularizer)",
    ),
    Mutant("horizon off by one", OPERATORS, "backward_induction", "list(stages)[::-1]", "list(stages)[:0:-1]"),
    Mutant(
        "terminal value dropped",
        OPERATORS,
        "policy_induction",
        "ops.scan(step, terminal, list(zip(stages, policies, strict=True))[::-1])",
        "ops.scan(step, terminal * 0, list(zip(stages, policies, strict=True))[::-1])",
    ),
    Mutant(
        "forward visits go backwards",
        OPERATORS,
        "forward_visits",
        "ops.sum(ops.transpose(d[:, None] * ops.transition(stage[0].P, stage[1])))",
        "ops.sum(d[:, None] * ops.transition(stage[0].P, stage[1]))",
    ),
)


def canary() -> bytes:
    """What the operators say on two fixed models, in float64: a mutant that changes none of this is no mutant."""
    from tabular.mdp import MDP
    from tabular.reference import NumpyOps, operators
    from tabular.regularizers import KL, Hard, Shannon, ShannonKL

    ops = NumpyOps()
    out: list[np.ndarray] = []
    weights = np.array([[[3, 1, 2], [1, 0, 1]], [[0, 5, 1], [2, 2, 2]], [[1, 1, 4], [7, 0, 0]]])
    for end in (np.zeros((3, 2), dtype=np.int64), np.array([[1, 0], [2, 0], [0, 3]])):
        m = ops.model(
            MDP.from_weights(weights, np.array([[1.0, -2.0], [0.5, 0.25], [3.0, -1.0]]), 0.75, end_weights=end)
        )
        V, rho = ops.array(np.array([1.0, -3.0, 0.5]), 1), ops.array(np.array([0.5, 0.25, 0.25]), 1)
        pi, ref = (
            ops.array(np.array(x), 2)
            for x in ([[0.25, 0.75], [1.0, 0.0], [0.5, 0.5]], [[0.5, 0.5], [0.125, 0.875], [0.75, 0.25]])
        )
        values = []
        for reg in (Hard(), Shannon(0.5), KL(0.5, ref), ShannonKL(0.5, 2.0, ref)):
            values += [
                operators.backup(ops, m, V, reg),
                operators.policy_backup(ops, m, pi, V, reg),
                operators.evaluate(ops, m, pi, reg),
            ]
            values += [operators.policy_of(ops, m, V, reg), *operators.backward_induction(ops, [m] * 3, V, reg)]
            values += operators.policy_induction(ops, [m] * 3, V, [pi, ref, pi], reg)
        values += [
            operators.residual(ops, m, V),
            operators.occupancy(ops, m, pi, rho),
            operators.successor_mass(ops, m),
            operators.q_of_policy(ops, m, pi),
        ]
        values += operators.forward_visits(ops, [m] * 3, rho, [pi, ref, pi])
        out += [np.asarray(ops.midpoint(v)) for v in values]
    return b"".join(x.tobytes() for x in out)
