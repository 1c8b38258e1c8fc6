r"""MDVI: mirror-descent value iteration, exact or with a generative model.

With :math:`s_0 = 0` and :math:`w_k = \Omega^*(s_k)` (the maximum, or at finite :math:`\beta` the log-sum-exp of temperature
:math:`1/\beta`),

.. math:: v_k = w_k - \alpha w_{k-1}, \quad q_{k+1} = R + \gamma \hat P_k v_k, \quad s_{k+1} = q_{k+1} + \alpha s_k,

where :math:`\hat P_k` averages ``M`` fresh draws from each pair. The policy :math:`\pi_k` is greedy (softmax) in
:math:`s_k`; the answer is the non-stationary policy :math:`\pi'_K` that plays :math:`\pi_K, \pi_{K-1}, \ldots, \pi_1`
and then :math:`\pi_0` for ever, or the last policy alone. A KL weight ``lam`` and an entropy weight ``tau`` give
:math:`\alpha = \lambda/(\lambda+\tau)` and :math:`\beta = 1/(\lambda+\tau)`. Errors enter through their average
:math:`(1-\alpha) E_k`, :math:`E_k = \sum_j \alpha^{k-j} \varepsilon_j`, alone. Source: mdvi (Kozuno et al. 2022),
Algorithm 1; formulas and proofs: ``tabular.reference.mirror_descent`` and the claims mdvi.C1 ... C8.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from tabular import _border as border
from tabular import _validate as check
from tabular._backups import Backups
from tabular.generative_model import GenerativeModel
from tabular.mdp import MDP
from tabular.operators import evaluate_policy
from tabular.regularizers import Shannon
from tabular.solution import Run

POINTS = 32
"""Iterations recorded where none are named."""


def mdvi(
    mdp: MDP,
    *,
    alpha: float,
    K: int,
    M: int | None = None,
    beta: float = np.inf,
    seed: int | None = None,
    record: Any = None,
    keep_policies: bool = False,
    V_star: Any = None,
    threads: int | None = None,
) -> Run:
    r"""Run K iterations of MDVI on a discounted model.

    Parameters
    ----------
    alpha : in [0, 1], the weight of the past; 0 is value iteration.  beta : inverse temperature, ``inf`` for greedy policies.
    K : iterations.  M : draws from each pair in each iteration, of a ``GenerativeModel`` of ``seed``; None: exact expectations.
    record : iterations (increasing, in 1 ... K) at which history is kept; None: 32 of them, evenly in their logarithm.
    keep_policies : keep all policies: ``policies`` (K + 1, S) actions, at finite ``beta`` (K + 1, S, A).
    V_star : (S,) the optimal value, if known; solved for otherwise.
    threads : of the compiled loops; they change no bit.

    Returns
    -------
    Run with ``result``: ``s`` (S, A), ``w``, ``v`` (S,) of iteration K, ``pi`` (S, A) the last policy, ``V_output``
    (S,) the exact value of the non-stationary policy, ``V_last`` (S,) that of the last one, ``V_estimate`` (S,) = ``w
    / A_K``; ``history``, all in units of reward: ``k``, ``samples`` drawn so far, ``loss`` = max(V* - V of the
    non-stationary policy), ``last_loss`` of the last one, ``estimate_error`` = max abs(w_k / A_k - V*), with
    :math:`A_k = \sum_{j<k} \alpha^j`. At finite ``beta`` these are losses of the unregularised return.
    ``info["V_star_error"]`` bounds the error of V*, ``inf`` where it was given.

    Raises
    ------
    ValueError for arguments out of range, naming them; TypeError for wrong types.

    Cost: O(nnz) an iteration, sampled and exact alike, and a linear system for each recorded one.

    >>> mdp = MDP([[[1.0], [1.0]]], [[0.5, 1.0]], 0.5)
    >>> mdvi(mdp, alpha=0.5, K=40).result["V_output"].round(6)
    array([2.])
    """
    _check(mdp, alpha, K, M, beta, seed)
    model = None if M is None else GenerativeModel(mdp, int(seed or 0), threads=threads)
    b = Backups(mdp, None if beta == np.inf else Shannon(1.0 / beta), threads=threads)
    hard = Backups(mdp, threads=threads)
    best, best_error = _optimal(mdp, V_star)
    marks = frozenset(border.marks(record, K, POINTS))
    s = np.zeros((mdp.S, mdp.A))
    w, before = b.conjugate(_available(b, s)), np.zeros(mdp.S)
    pi = b.policy(_available(b, s))[0]
    U = evaluate_policy(mdp, pi)  # of the non-stationary policy so far: pi_k goes in front of it
    v, total = w - alpha * before, 0.0
    policies = [_kept(pi, beta)] if keep_policies else []
    rows: list[tuple[float, ...]] = []
    for k in range(1, K + 1):
        q = hard.q(v) if model is None else mdp.rewards + mdp.gamma * model.mean(v, M or 1, k)
        s = np.where(mdp.mask, q, 0.0) + alpha * s
        w, before, total = b.conjugate(_available(b, s)), w, 1.0 + alpha * total
        v = w - alpha * before
        pi = b.policy(_available(b, s))[0]
        U = hard.reward(pi) + mdp.gamma * (hard.transition(pi.argmax(axis=1) if beta == np.inf else pi) @ U)
        if keep_policies:
            policies.append(_kept(pi, beta))
        if k in marks:
            last = evaluate_policy(mdp, pi)
            drawn = 0 if model is None else k * model.pairs * int(M or 0)
            rows.append((k, drawn, (best - U).max(), (best - last).max(), np.abs(w / total - best).max()))
    result = {
        "s": s,
        "w": w,
        "v": v,
        "pi": pi,
        "V_output": U,
        "V_last": evaluate_policy(mdp, pi),
        "V_estimate": w / total,
    }
    if keep_policies:
        result["policies"] = np.stack(policies)
    names = ("k", "samples", "loss", "last_loss", "estimate_error")
    history = {name: np.array([row[i] for row in rows]) for i, name in enumerate(names)}
    info = {"alpha": alpha, "beta": beta, "K": K, "M": M, "V_star_error": best_error}
    return Run(result, history, seed, info)


class Budget(NamedTuple):
    """Iterations and draws from each pair in each of them; ``samples`` in all."""

    K: int
    M: int
    samples: int


def mdvi_budget(mdp: MDP, epsilon: float, delta: float) -> Budget:
    r"""Enough for a loss of ``epsilon`` (in units of reward) with probability at least ``1 - delta``, at alpha = gamma, beta = inf.

    Ours, with every constant, by Hoeffding's inequality: the paper's Theorem 1 is better by a factor H, up to
    constants that are not known here. With :math:`r = \max|R|`, :math:`H = 1/(1-\gamma)`: mdvi.C3 bounds the loss by
    :math:`2(K+H)\gamma^K r + 2 \max_k |E_k|`, and mdvi.C4 with probability :math:`1-\delta` every :math:`|E_k|` by
    :math:`\gamma H r \sqrt{2 \log(2SAK/\delta) / ((1-\gamma^2) M)}`. K makes the first at most half of epsilon, M the
    second.

    ValueError unless ``0 < epsilon``, ``0 < delta < 1`` and ``gamma < 1``.
    """
    border.expect(mdp, "mdvi_budget", "MDP")
    border.positive(epsilon, "epsilon", "in units of reward")
    border.positive(delta, "delta", "a probability below one")
    if delta >= 1:
        raise ValueError(f"delta is {delta}: expected a probability below one")
    _discounted(mdp)
    gamma, H, r = mdp.gamma, 1.0 / (1.0 - mdp.gamma), float(np.abs(mdp.rewards).max())
    few, K = 0, 1
    while 2.0 * (K + H) * gamma**K * r > epsilon / 2.0:
        few, K = K, 2 * K
    while K - few > 1:  # (K + H) gamma^K falls in K, since H log(1 / gamma) >= 1
        middle = (few + K) // 2
        few, K = (middle, K) if 2.0 * (middle + H) * gamma**middle * r > epsilon / 2.0 else (few, middle)
    pairs, ratio = int(mdp.mask.sum()), gamma * H * r / epsilon
    M = 32.0 * ratio * ratio * np.log(2.0 * pairs * K / delta) / (1.0 - gamma * gamma)
    if not np.isfinite(M):
        raise ValueError(f"epsilon is {epsilon}: too small for rewards up to {r} and gamma = {gamma}")
    M = max(1, int(np.ceil(M)))
    return Budget(K, M, pairs * K * M)


def _check(mdp: Any, alpha: Any, K: Any, M: Any, beta: Any, seed: Any) -> None:
    border.expect(mdp, "mdvi", "MDP")
    _discounted(mdp)
    border.positive(alpha, "alpha", "at most one", zero=True)
    if alpha > 1:
        raise ValueError(f"alpha is {alpha}: expected a number from 0 to 1")
    if beta != np.inf:
        border.positive(beta, "beta", "or inf")
    border.count(K, "K")
    if M is not None:
        border.count(M, "M")
    if (M is None) != (seed is None):
        raise ValueError(f"M is {M} and seed is {seed}: a sampled run takes both, an exact one (M=None) neither")


def _discounted(mdp: MDP) -> None:
    if mdp.gamma >= 1.0:
        raise ValueError("gamma = 1: MDVI is for discounted models, gamma < 1")


def _optimal(mdp: MDP, V_star: Any) -> tuple[np.ndarray, float]:
    if V_star is None:
        from tabular.planning._solve import solve

        solution = solve(mdp)
        return solution.V, solution.error_bound
    V = check.float_array(V_star, "V_star")
    if V.shape != (mdp.S,):
        check.fail(f"V_star has shape {V.shape}: expected ({mdp.S},)")
    check.check_finite(V, "V_star")
    return V, np.inf


def _available(b: Backups, s: np.ndarray) -> np.ndarray:
    return s if b.full else np.where(b.mask, s, -np.inf)


def _kept(pi: np.ndarray, beta: float) -> np.ndarray:
    return pi.argmax(axis=1).astype(np.int32) if beta == np.inf else pi
