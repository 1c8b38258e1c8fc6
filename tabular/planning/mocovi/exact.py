r"""Exact queries: MoCoVI, OS-VI, value iteration and the model alone, for evaluation and control.

A query asks for :math:`P\phi` at all pairs; planning in a model is free. Values :math:`V_k` are compared with
:math:`V^\pi` (or :math:`V^*`) by :math:`\|V_k - V\|_1 / \|V\|_1`. Source: mocovi; OS-VI: Rakhsha et al. 2022.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tabular import _border as border
from tabular.mdp import CSR, MDP
from tabular.moment_projection import RANK_TOL, project_moments
from tabular.planning.mocovi._common import Pair, available_rows
from tabular.solution import Run

K = 15


def corrected_model(
    model: MDP, phi: Any, psi: Any, *, beta: float = 0.0, rank_tol: float = RANK_TOL, threads: int | None = 1
) -> CSR:
    """Rows of a model corrected by moments: ``psi`` (d, S, A) are the means of ``phi`` (d, S) under the rows wanted.

    Earlier functions take precedence where they become collinear. Raises as ``tabular.moment_projection.project_moments``.
    """
    border.expect(model, "corrected_model", "MDP")
    rows, free = available_rows(model)
    F = np.asarray(phi, dtype=np.float64).reshape(-1, model.S)
    targets = np.asarray(psi, dtype=np.float64).reshape(len(F), model.S * model.A)[:, free].T
    q = project_moments(rows, F, targets, beta=beta, rank_tol=rank_tol, threads=threads).q
    return CSR(model.csr().indptr, rows.indices, q.data)


def mocovi(
    mdp: MDP, model: MDP, d: int = 1, *, pi: Any = None, K: int = K, beta: float = 0.0, rank_tol: float = RANK_TOL
) -> Run:
    """MoCoVI(d): correct ``model`` by the last ``d`` values, plan in it, repeat.

    Parameters
    ----------
    mdp : the true model, asked once an iteration.  model : what planning knows; it must dominate ``mdp``.
    d : number of values kept as a basis, the newest first.
    pi : (S, A) or (S,) policy to evaluate; None: control.
    K : iterations after ``V_0``, the value of the uncorrected model.
    beta, rank_tol : as in ``project_moments``; 0: exact corrections.

    Returns
    -------
    Run with ``V`` (S,), ``pi`` (S, A); history ``V`` (K+1, S), ``error``, ``loss``, ``queries`` (K+1,).

    Raises ModelError where the two models do not belong together or a step ends, InfeasibleMoments where ``model`` does not
    dominate ``mdp``. Cost of an iteration: one query, S A projections, one plan. Source: mocovi, algorithm MoCoVI.
    """
    border.count(d, "d")
    border.count(K, "K", 0)
    two = Pair(mdp, model, pi, "mocovi")
    V, policy = two.solved(model.P, mdp.rewards)
    Vs, policies = [V], [policy]
    basis: list[np.ndarray] = []
    answers: list[np.ndarray] = []
    for _ in range(K):
        basis, answers = [V, *basis][:d], [two.expect(V), *answers][:d]
        corrected = corrected_model(model, basis, answers, beta=beta, rank_tol=rank_tol)
        V, policy = two.solved(corrected, mdp.rewards)
        Vs.append(V)
        policies.append(policy)
    return _run(two, Vs, policies, list(range(K + 1)), f"MoCoVI({d})")


def os_vi(mdp: MDP, model: MDP, *, pi: Any = None, K: int = K) -> Run:
    """OS-VI: the value of ``model`` with the reward ``R + gamma (P - P_hat) V_k``, from ``V_0 = 0``.

    Its error is ``e_{k+1} = G e_k`` with ``G = gamma (I - gamma P_hat_pi)^-1 (P_pi - P_hat_pi)``: it diverges where the
    spectral radius of ``G`` exceeds one (``mocovi.C7``). Results as of ``mocovi``; ``V_1``, the model's value, costs no
    query. Source: Rakhsha et al. 2022; mocovi, baselines.
    """
    border.count(K, "K", 0)
    two = Pair(mdp, model, pi, "os_vi")
    V, policy = np.zeros(mdp.S), two.solved(model.P, mdp.rewards)[1]
    Vs, policies = [V], [policy]
    for _ in range(K):
        V, policy = two.solved(model.P, mdp.rewards + two.gamma * (two.expect(V) - two.modelled(V)))
        Vs.append(V)
        policies.append(policy)
    return _run(two, Vs, policies, _after_zero(K), "OS-VI")


def vi(mdp: MDP, *, pi: Any = None, K: int = K) -> Run:
    """Value iteration ``V_{k+1} = R + gamma P V_k`` from ``V_0 = 0`` (of a policy, or its maximum); results as of ``mocovi``."""
    border.count(K, "K", 0)
    two = Pair(mdp, mdp, pi, "vi")
    Vs, policies = [np.zeros(mdp.S)], []
    for _ in range(K + 1):
        Q = np.where(mdp.mask, mdp.rewards + two.gamma * two.expect(Vs[-1]), -np.inf)
        greedy = two.pi if two.pi is not None else (Q.argmax(axis=1)[:, None] == np.arange(mdp.A)).astype(float)
        policies.append(greedy)
        Vs.append((greedy * np.where(mdp.mask, Q, 0.0)).sum(axis=1))
    return _run(two, Vs[:-1], policies, _after_zero(K), "VI")


def model_based(mdp: MDP, model: MDP, *, pi: Any = None) -> Run:
    """The value (and optimal policy) of ``model`` with the true rewards: no query. Results as of ``mocovi``, with K = 0."""
    two = Pair(mdp, model, pi, "model_based")
    V, policy = two.solved(model.P, mdp.rewards)
    return _run(two, [V], [policy], [0], "model-based")


def _after_zero(K: int) -> list[int]:
    """Queries behind ``V_0 ... V_K`` where ``V_0 = 0``, whose means need none."""
    return [max(k - 1, 0) for k in range(K + 1)]


def _run(two: Pair, Vs: list[np.ndarray], policies: list[np.ndarray], queries: list[int], name: str) -> Run:
    info = {"method": name, "control": two.pi is None}
    return Run({"V": Vs[-1], "pi": policies[-1]}, two.history(Vs, policies, queries), info=info)
