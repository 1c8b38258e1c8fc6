# mypy: allow-untyped-defs
"""Batches of dense models, each on its own: P (B, S, A, S), R, mask (B, S, A), V (B, S), gamma (B,)."""

from numba import prange

from tabular._jit import kernel
from tabular._kernels import dense


def _q_backup(P, R, mask, gamma, V, Q):
    """Q[b] = R[b] + gamma[b] P[b] V[b], -inf where the mask is false."""
    for b in prange(gamma.size):
        dense.q_backup(P[b], R[b], mask[b], gamma[b], V[b], Q[b])


def _backup_max(P, R, mask, gamma, V, Q, out, argmax, low, high):
    """As `dense.backup_max` on each instance; low, high (B,) receive the two numbers it returns."""
    for b in prange(gamma.size):
        low[b], high[b] = dense.backup_max(P[b], R[b], mask[b], gamma[b], V[b], Q[b], out[b], argmax[b])


def _evaluate_sweep(P, R, gamma, pi, V, out, low, high):
    """out[b] = r_pi + gamma[b] P_pi V[b]; low, high (B,) are the least and largest component of out - V."""
    for b in prange(gamma.size):
        low[b], high[b] = dense.evaluate_sweep(P[b], R[b], gamma[b], pi[b], V[b], out[b])


def _assemble_policy(P, R, pi, P_pi, r_pi):
    """P_pi (B, S, S) and r_pi (B, S)."""
    for b in prange(r_pi.shape[0]):
        dense.assemble_policy(P[b], R[b], pi[b], P_pi[b], r_pi[b])


def _occupancy_step(P, pi, rho, gamma, mu, out):
    """out[b] = rho[b] + gamma[b] mu[b] P_pi."""
    for b in prange(gamma.size):
        dense.occupancy_step(P[b], pi[b], rho[b], gamma[b], mu[b], out[b])


@kernel
def eliminate(M, x):
    """Solve M y = x in place (x becomes y, M its factors) without pivoting.

    For I - gamma P_pi, whose rows are diagonally dominant, so that the factors grow by at most 2 (Higham,
    Accuracy and Stability of Numerical Algorithms, 2nd ed., Theorem 9.9). A singular matrix leaves infinities
    or NaN.
    """
    n = x.size
    for k in range(n):
        for i in range(k + 1, n):
            if M[i, k] != 0.0:
                factor = M[i, k] / M[k, k]
                for j in range(k + 1, n):
                    M[i, j] -= factor * M[k, j]
                x[i] -= factor * x[k]
    for i in range(n - 1, -1, -1):
        rest = x[i]
        for j in range(i + 1, n):
            rest -= M[i, j] * x[j]
        x[i] = rest / M[i, i]


def _evaluate(P, R, gamma, pi, work, out):
    """out[b] = (I - gamma[b] P_pi)^-1 r_pi by elimination, O(B S^3); `work` (B, S, S) is scratch."""
    for b in prange(gamma.size):
        dense.assemble_policy(P[b], R[b], pi[b], work[b], out[b])
        for s in range(out.shape[1]):
            for t in range(out.shape[1]):
                work[b, s, t] *= -gamma[b]
            work[b, s, s] += 1.0
        eliminate(work[b], out[b])


q_backup, q_backup_parallel = kernel(_q_backup), kernel(_q_backup, parallel=True)
backup_max, backup_max_parallel = kernel(_backup_max), kernel(_backup_max, parallel=True)
evaluate_sweep, evaluate_sweep_parallel = kernel(_evaluate_sweep), kernel(_evaluate_sweep, parallel=True)
assemble_policy, assemble_policy_parallel = kernel(_assemble_policy), kernel(_assemble_policy, parallel=True)
occupancy_step, occupancy_step_parallel = kernel(_occupancy_step), kernel(_occupancy_step, parallel=True)
evaluate, evaluate_parallel = kernel(_evaluate), kernel(_evaluate, parallel=True)
