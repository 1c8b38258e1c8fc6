"""The engine's mutants of compiled kernels, which the check of kernel values against their enclosures must notice.

Each runs with the JIT off; those of ``REPEATED`` again compiled, in a process with a cache of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from proofs_check.mutants import KERNELS, Mutant

if TYPE_CHECKING:
    from tabular import MDP

ROWS, DENSE, SPARSE = f"{KERNELS}.rows", f"{KERNELS}.dense", f"{KERNELS}.sparse"
BATCHED, ENTROPIC = f"{KERNELS}.batched", f"{KERNELS}.entropic"
UNSEEN = "solvers alone run it, and no claim runs a solver: the tests of the kernels compare it with the reference"

MUTANTS = (
    Mutant("kernel: the last for the largest", ROWS, "max_row", "q[a] > top", "q[a] != top"),
    Mutant(
        "kernel: the largest term counts twice", ROWS, "shannon_conjugate", "mask[a] and a != top", "mask[a] and a >= 0"
    ),
    Mutant("kernel: the mean for the sum", ROWS, "shannon_conjugate", "log1p(rest)", "log1p(rest) - log(q.size)"),
    Mutant(
        "kernel: mass of the weights dropped",
        ROWS,
        "tilted_conjugate",
        "log1p(excess) + log_ratio(drop / z, rest / z)",
        "log_ratio(drop / z, rest / z)",
    ),
    Mutant("kernel: the reference keeps its power", ROWS, "weight", "lam / (tau + lam) * share", "share"),
    Mutant("kernel: one not taken away", ROWS, "exp_pair", "e - 1.0", "e"),
    Mutant("kernel: policy not normalised", ROWS, "shannon_policy", "log1p(rest)", "rest", reason=UNSEEN),
    Mutant("kernel: successors in reverse", DENSE, "expect", "V[t]", "V[V.size - 1 - t]"),
    Mutant("kernel: gamma squared", DENSE, "q_row", "gamma * expect(P, s, a, V)", "gamma * gamma * expect(P, s, a, V)"),
    Mutant("kernel: transposed P", DENSE, "_assemble_policy", "P[s, a, t]", "P[t, a, s]"),
    Mutant(
        "kernel: gamma squared in the sweep",
        DENSE,
        "evaluate_row",
        "gamma * expect(P, s, a, V)",
        "gamma * gamma * expect(P, s, a, V)",
        reason=UNSEEN,
    ),
    Mutant("kernel: successors of the wrong column", SPARSE, "expect", "V[np.uint64(indices[k])]", "V[indices[k] - 1]"),
    Mutant("kernel: the row of another action", SPARSE, "q_row", "s * A + a", "s * A"),
    Mutant("kernel: elimination takes the wrong row", BATCHED, "eliminate", "factor * x[k]", "factor * x[i]"),
    Mutant("kernel: I + gamma P for I - gamma P", BATCHED, "_evaluate", "-gamma[b]", "gamma[b]"),
    Mutant(
        "kernel: temperatures of the first instance",
        ENTROPIC,
        "_soft_backup_batched",
        "b * stride + s",
        "0 * stride + s",
    ),
    Mutant(
        "kernel: tau and lam change places",
        ENTROPIC,
        "_shannon_kl_conjugate",
        "rows.tilted_conjugate(q, mask, at(reg.tau, i), at(reg.lam, i), reg.reference[i])",
        "rows.tilted_conjugate(q, mask, at(reg.lam, i), at(reg.tau, i), reg.reference[i])",
    ),
)
REPEATED = ("gamma squared in the backup", "kernel: the last for the largest", "kernel: I + gamma P for I - gamma P")


def canary(whole: bool = True) -> bytes:
    """What the kernels say on fixed models; ``whole``: those, too, that only solvers run (not to be compiled each time)."""
    from tabular import MDP
    from tabular.batch import MDPBatch
    from tabular.reference import KernelOps
    from tabular.regularizers import Hard, Shannon, ShannonKL

    rng = np.random.default_rng(0)
    weights, R = rng.integers(0, 5, (2, 3, 2, 3)) + np.eye(3, dtype=np.int64)[:, None], rng.normal(size=(2, 3, 2))
    batch = MDPBatch.from_weights(weights, R, np.array([0.5, 0.875]))
    pi = np.array([[0.25, 0.75], [1.0, 0.0], [0.5, 0.5]])
    out: list[np.ndarray] = []
    one = MDP(batch.P[0], R[0], 0.5)
    for source in (batch, one, one.to_sparse())[: 3 if whole else 1]:
        ops = KernelOps(getattr(source, "B", None))
        m, V, p = ops.model(source), ops.array(np.array([1.0, -3.0, 0.5]), 1), ops.array(pi, 2)
        tau = ops.constant(np.array([0.5, 4.0]) if source is batch else 0.5)
        values = [ops.expect(m.P, V), ops.evaluate(m, p)]
        rare = ops.array(np.array([[0.9375, 0.0625], [0.0625, 0.9375], [0.9375, 0.0625]]), 2)
        values += [
            ops.backup(m, V, reg) for reg in (Hard(), Shannon(tau), ShannonKL(tau, 0.5, p), ShannonKL(tau, 0.5, rare))
        ]
        out += [ops.midpoint(v) for v in values]
    return b"".join(x.tobytes() for x in (*out, *(_solvers(one, pi) if whole else ())))


def _solvers(mdp: MDP, pi: np.ndarray) -> list[np.ndarray]:
    """A sweep of a policy and a soft policy, which only solvers want."""
    from tabular._kernels import dense, entropic
    from tabular.regularizers import Shannon

    V, policy, log_policy = np.empty(3), np.empty((3, 2)), np.empty((3, 2))
    dense.evaluate_sweep(mdp.P, mdp.rewards, 0.5, pi, np.array([1.0, -3.0, 0.5]), V)
    entropic.policy(Shannon(0.5), mdp.rewards, mdp.mask, policy, log_policy)
    return [V, policy, log_policy]
