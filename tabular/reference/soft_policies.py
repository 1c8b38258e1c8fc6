r"""Soft policy iteration as formulas over ``ops``: Q-backups, scores of policies, iterates, projections onto rows.

``m.R`` and values of pairs are zero where unavailable. :math:`\mathrm{score}(\pi) = \langle \pi, Q \rangle + \tau H(\pi) =
\mathrm{lse}_\tau(Q) - \tau KL(\pi \| \mathrm{softmax}(Q/\tau))` (sac.C4), so that the projection is the row of the greatest score.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tabular.reference import operators

TIE = 2.0**-16
"""Nats: what a row's divergence must fall by, for another row to take its place."""


def soft_backup(ops: Any, m: Any, Q: Any, reg: Any) -> Any:
    r""":math:`T_\tau Q = R + \gamma P \, \Omega^*(Q)`: (S, A)."""
    return operators.q_backup(ops, m, reg.conjugate(ops, Q, m.mask))


def score(ops: Any, m: Any, pi: Any, Q: Any, reg: Any) -> Any:
    r""":math:`\langle \pi, Q \rangle - \Omega(\pi)`: (S,)."""
    return ops.dot(pi, Q) - reg.value(ops, pi, m.mask)


def policy_backup(ops: Any, m: Any, pi: Any, Q: Any, reg: Any) -> Any:
    r""":math:`T^\pi_\tau Q = R + \gamma P (\langle \pi, Q \rangle - \Omega(\pi))`: (S, A)."""
    return operators.q_backup(ops, m, score(ops, m, pi, Q, reg))


def iterates(ops: Any, m: Any, pi: Any, reg: Any, K: int) -> list[Any]:
    r""":math:`Q^{\pi_0} \ldots Q^{\pi_K}`, (S, A) each, of soft policy iteration from ``pi``."""
    Q = [operators.q_of_policy(ops, m, pi, reg)]
    for k in range(K):
        Q.append(operators.q_of_policy(ops, m, reg.policy(ops, Q[k], m.mask), reg))
    return Q


def projected(ops: Any, rows: Sequence[Any], scores: Sequence[Any], tie: Any) -> Any:
    """In each state a row (S, A) that scores no less than the first (S,), and less than any by at most ``tie``.

    One row after the other takes the place of the best so far if it scores higher by more than ``tie``: exact ties
    are decided in every arithmetic, and what is not decided stays a mixture of both.
    """
    best, top = rows[0], scores[0]
    for row, value in zip(rows[1:], scores[1:], strict=True):
        gain = value - top
        better = ops.first_max(ops.transpose(ops.stack([gain * 0 + tie, gain])))[:, 1]
        best = best + better[:, None] * (row - best)
        top = top + better * gain
    return best


def mean_row(ops: Any, m: Any, d: Any, Q: Any, tau: Any) -> Any:
    """The policy (S, A) with one row for all states, the softmax of the mean of ``Q`` over ``d`` (S,): their projection."""
    row = ops.gibbs(ops.dot(d[None, :], ops.transpose(Q)), tau)
    return m.R * 0 + row[None, :]
