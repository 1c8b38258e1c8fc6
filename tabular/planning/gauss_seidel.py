r"""Gauss-Seidel value iteration, up and down the order of the states in turn.

A state is backed up with the values that the states before it have already. Where transitions are local, as on a map,
a sweep carries a value along a whole path; alternating orders serve paths of both directions (as in fast sweeping,
Zhao 2005). Between two sweeps over all actions come cheap ones of the policy they found (modified policy iteration).
It starts from below, at :math:`\min_s \max_a R / (1 - m)` with :math:`m = \gamma (1 - end)`, so that values grow from
where reward is. Once the policy has settled, what is left is to evaluate it, and modified policy iteration goes on:
where it keeps to many places that do not reach each other, sweeps alone shrink the error of each by no more than the
discount. Source: Puterman 1994, section 6.3.3; Bertsekas 2012, section 2.2.2.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tabular._backups import Backups
from tabular._border import expect
from tabular._policy_rows import packed
from tabular.errors import ModelError
from tabular.mdp import CSR, MDP
from tabular.planning._finish import TOL, check_options, delivered, finish, start
from tabular.planning._loops import Iterate, Stop, improved, modified_loop
from tabular.solution import Solution, Status

NEAR_ONE = 1.0 - 1e-6
"""Discount beyond which values lose the digits that the bounds need, unless they are kept centred."""
EVERY = 8
"""Rounds after which the residual is looked at though values still change: it costs a backup."""
SETTLED, PATIENCE = 1000, 6
"""The policy has settled where fewer than one state in so many changes its action, for so many rounds."""


def gauss_seidel(
    mdp: MDP,
    regularizer: Any = None,
    *,
    tol: float = TOL,
    max_iter: int = 100_000,
    sweeps: int = 4,
    V0: Any = None,
    pi0: Any = None,
    threads: int | None = None,
    throw: bool = True,
    why: str = "",
) -> Solution:
    """Solve a discounted model by Gauss-Seidel value iteration.

    Parameters and results as in ``value_iteration``; ``max_iter`` counts rounds, a sweep up and one down over all
    actions, ``sweeps`` are those of the policy after each pair of them (without regulariser). The order is that of
    the states' numbers. Sweeps are compiled whatever the size (of a regulariser of one's own without compiled rows:
    plain backups); they run on one thread, ``threads`` are those of the residuals.

    Raises ModelError where ``gamma = 1``, else as ``value_iteration``.
    """
    expect(mdp, "gauss_seidel", "MDP")
    check_options(tol, throw, threads, max_iter=max_iter, sweeps=sweeps)
    if mdp.gamma == 1.0:
        raise ModelError("gamma is 1: Gauss-Seidel sweeps are for discounted models; policy_iteration solves this one")
    b = Backups(mdp, regularizer, compiled=True, threads=threads)
    V = start(b, V0, pi0)
    iterate = _loop(b, _below(b) if V is None else np.array(V, dtype=np.float64), tol, max_iter, sweeps)
    return delivered(finish(b, iterate, "Gauss-Seidel value iteration", tol, why=why), throw, tol)


def _below(b: Backups) -> np.ndarray:
    """A constant that a backup only raises (with a reference measure, that is near one)."""
    gap = (1.0 - b.gamma) + b.gamma * b.mdp.end
    worth = np.where(b.mask, b.mdp.rewards / gap, -np.inf).max(axis=1)
    return np.full(b.S, worth.min())


def _loop(b: Backups, V: np.ndarray, tol: float, max_iter: int, sweeps: int) -> Iterate:
    from tabular._kernels import gauss_seidel as kernels

    sparse = isinstance(b.mdp.P, CSR)
    P = tuple(b.mdp.P) if sparse else (b.mdp.P,)
    kind = "sparse" if sparse else "dense"
    full, own = getattr(kernels, f"sweep_{kind}"), getattr(kernels, f"policy_{kind}")
    soft = getattr(kernels, f"soft_sweep_{kind}")
    R, mask, gamma = b.mdp.rewards, b.mask, b.gamma
    stop, actions, Q = Stop(b, tol), np.zeros(b.S, dtype=np.int64), np.empty((b.S, b.A))
    compiled_rows = b.hard or b._rows
    k = settled = 0
    before = actions.copy()
    while True:
        most = 0.0
        for down in (False, True):
            if b.hard:
                most = full(*P, R, mask, gamma, V, actions, down)
            elif compiled_rows:
                most = soft(*P, R, mask, gamma, b.reg, V, Q, down)
            else:
                V, old = b.backup(V)[1], V
                most = float(np.abs(V - old).max())
        k += 1
        if b.hard:
            settled = settled + 1 if np.count_nonzero(actions != before) * SETTLED <= b.S else 0
            before[:] = actions
            rows = packed(b, actions) if sparse else (b.transition(actions),)
            r = R[np.arange(b.S), actions]
            for _ in range(sweeps):
                for down in (False, True):
                    change = own(*rows, r, gamma, V, down)
                if change <= most / 30:
                    break
        target = (1.0 - gamma) * tol * max(b.reward_scale, float(np.abs(V).max()))
        if most <= target or k % EVERY == 0 or k >= max_iter or not np.isfinite(most):
            found, TV, low, high = improved(b, V)
            status = stop(TV, low, high) or (Status.MAX_ITER if k >= max_iter else None)
            if status:
                return stop.result(V, found, TV, status, k)
            if stop.by_span and low * high > 0.0:  # the optimum lies farther on that side everywhere
                V = V + (low if low > 0.0 else high) / (1.0 - gamma)
        if settled >= PATIENCE or (gamma > NEAR_ONE and k >= PATIENCE):
            rest = modified_loop(b, stop.centred(V), tol, max(max_iter - k, 1), 200)
            return rest._replace(iterations=k + rest.iterations)
