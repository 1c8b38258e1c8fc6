r"""Many small models at once: policy iteration of each member, certificates included.

A member is solved by Newton's method on :math:`TV = V` (policy iteration; Puterman and Brumelle 1979), compiled, in the
cache of one core, and bounded by MacQueen's bracket (Porteus 1971 for its masses) with every rounding inside, as in
``tabular.certificates.large``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tabular import _border as border
from tabular._rounding import U
from tabular.errors import ModelError, NotConverged
from tabular.planning._finish import TOL, check_options
from tabular.regularizers import BUILT_IN, Hard, checked

if TYPE_CHECKING:
    from tabular.batch import MDPBatch

BLOCKS = 16
"""Pieces that the members are dealt to: more than threads, so that none waits long."""


@dataclass(frozen=True)
class BatchSolution:
    """The answers of a batch; ``V``, ``Q``, ``pi`` of a member belong together.

    Attributes
    ----------
    V : (B, S).  Q : (B, S, A) backup of ``V``, ``-inf`` where unavailable.  pi, log_pi : (B, S, A) its maximiser.
    lower, upper : (B,) with ``lower <= V* - V <= upper`` in every state, rounding included, in the unit of the rewards.
    policy_gap : (B,) bound on ``max(V* - V^pi)``; infinite for regularisers other than Shannon's or none.
    converged : (B,) whether the bound is within the tolerance.  iterations : (B,) backups.
    """

    V: np.ndarray
    Q: np.ndarray
    pi: np.ndarray
    log_pi: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    policy_gap: np.ndarray
    converged: np.ndarray
    iterations: np.ndarray
    regularizer: Any = None

    @property
    def error_bound(self) -> np.ndarray:
        """(B,) bound on ``max |V - V*|`` of each member."""
        return np.maximum(np.abs(self.lower), np.abs(self.upper))


def solve_batch(
    batch: MDPBatch,
    regularizer: Any = None,
    *,
    tol: float = TOL,
    max_iter: int = 1_000,
    threads: int | None = None,
    throw: bool = True,
) -> BatchSolution:
    """Solve every member of a batch of discounted models.

    Parameters
    ----------
    regularizer : None, or a built-in one, shared by the members: a reference (S, A) is positive only where all of them have
        the action.
    tol : relative to the largest of ``|R|`` and ``|V|`` of a member.  max_iter : backups of a member.
    threads : None: all that Numba has. They change no bit.

    Raises
    ------
    ModelError where a member has ``gamma = 1``; NotConverged where one misses the tolerance and rounding is not
    the reason (``throw=False`` returns what there is); TypeError, ValueError for other arguments.

    Cost: some five backups and eliminations, O(S^2 A + S^3) each.

    >>> from tabular.instances import garnet
    >>> float(solve_batch(garnet(S=4, A=2, gamma=0.5)(seed=0, n=3)).error_bound.max()) < 1e-8
    True
    """
    border.expect(batch, "solve_batch", "MDPBatch")
    check_options(tol, throw, threads, max_iter=max_iter)
    if (batch.gamma >= 1.0).any():
        b = int(np.argmax(batch.gamma >= 1.0))
        raise ModelError(f"gamma[{b}] is 1: solve_batch is for discounted models; solve(batch[{b}]) takes total reward")
    B, S, A = batch.B, batch.S, batch.A
    if regularizer is not None and not isinstance(regularizer, BUILT_IN):
        raise TypeError(f"{regularizer!r} is no built-in regulariser: solve takes your own, member by member")
    reg = checked(regularizer, np.asarray(batch.mask.all(axis=0)))
    V, TV = np.zeros((B, S)), np.empty((B, S))
    Q, pi, log_pi = (np.empty((B, S, A)) for _ in range(3))
    low, high, least, most, off = (np.empty(B) for _ in range(5))
    steps = np.zeros(B, dtype=np.int64)
    from tabular._jit import threads as allowed
    from tabular._kernels import batch_newton

    work, x = np.empty((min(BLOCKS, B), S, S)), np.empty((min(BLOCKS, B), S))
    kernel = batch_newton.newton if threads == 1 else batch_newton.newton_parallel
    with allowed(threads):
        kernel(
            batch.P, batch.rewards, batch.mask, batch.end, batch.gamma, reg, tol, max_iter, work, x,
            V, Q, TV, pi, log_pi, low, high, least, most, off, steps,
        )  # fmt: skip
    lower, upper, gap = _bounds(batch, reg, V, TV, low, high, least, most, off)
    scale = np.maximum(np.abs(batch.rewards).max(axis=(1, 2)), np.abs(V).max(axis=1))
    with np.errstate(invalid="ignore"):
        converged = np.maximum(np.abs(lower), np.abs(upper)) <= tol * scale
    failed = ~np.isfinite(V).all(axis=1) | (~converged & (steps >= max_iter))
    solution = BatchSolution(
        V, Q, pi, log_pi, lower, upper, gap, converged, steps, None if isinstance(reg, Hard) else reg
    )
    if throw and failed.any():
        b = int(np.argmax(failed))
        raise NotConverged(
            f"solve_batch: {int(failed.sum())} of {B} members miss a relative tolerance of {tol:g}, member {b} after "
            f"{int(steps[b])} backups first. throw=False returns what there is",
            solution,
        )
    return solution


def _bounds(
    batch: MDPBatch, reg: Any, V: np.ndarray, TV: np.ndarray, low: np.ndarray, high: np.ndarray,
    least: np.ndarray, most: np.ndarray, off: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    """``lower <= V* - V <= upper`` and the policy gap, each (B,); ``least``, ``most``: of the ends of a member."""
    from tabular.certificates.large import Residual, conjugate_error, constant_bounds, cost_of_rounding, radius

    reward, size = np.abs(batch.rewards).max(axis=(1, 2)), 1.001 * np.abs(V).max(axis=1)
    row = np.full(batch.B, 4.0 * U) if batch.totals is not None else off + 2.0 * (batch.S + 1) * U
    gamma_error = 0.0 if batch._gamma_exact is None else U
    r = radius(batch.S, reward, size, row) + 8 * U * (size + reward) + gamma_error * size
    conjugate, cost = conjugate_error(reg, batch.A, np.abs(TV).max(axis=1)), cost_of_rounding(reg, batch.A)
    cost = np.inf if cost is None else cost
    if conjugate is not None:
        wide = r + conjugate
    else:
        from tabular.reference import EnclosureOps, operators

        ops = EnclosureOps(batch.B)
        model = ops.model(batch)
        lo, hi = ops.bounds(operators.residual(ops, model, ops.array(V, 1), reg))
        low, high, wide = lo.min(axis=1), hi.max(axis=1), np.zeros(batch.B)
    found = constant_bounds(Residual(low, high, wide, cost + 2 * r), batch.gamma, least, most, row, gamma_error)
    lower, upper, policy_gap = found
    bad = ~np.isfinite(V).all(axis=1)
    return (
        np.where(bad | np.isnan(lower), -np.inf, lower),
        np.where(bad | np.isnan(upper), np.inf, upper),
        np.where(bad | np.isnan(policy_gap), np.inf, policy_gap),
    )
