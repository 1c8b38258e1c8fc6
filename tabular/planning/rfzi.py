r"""RFZI: robust fitted Z-iteration for the entropic measure, tabular, exact or from draws.

With :math:`Z(s,a) = E\,e^{-\beta V(s')}` the robust backup needs one expectation and no inner optimisation:

.. math:: Z \leftarrow \hat E\big[e^{-\beta \max_{a'} (R(s',a') - (\gamma/\beta) \log Z(s',a'))}\big], \qquad Q = R -
(\gamma/\beta) \log Z.

The regression of the sampled form is an average over one data set of N draws from each pair. Only :math:`\log Z` is
kept: Z itself leaves the floats already at :math:`\beta V \approx 700`. Source: soft_robust (Zhang, Hu and Li 2024),
Algorithm 1, with the entropic parameter of its definitions; their code has :math:`\gamma\beta` in the place of
:math:`\beta`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tabular import _border as border
from tabular.generative_model import GenerativeModel
from tabular.mdp import MDP
from tabular.operators import _values
from tabular.planning.mdvi import POINTS
from tabular.planning.soft_robust import backups, robust_evaluate, robust_policy_iteration
from tabular.risk import Entropic
from tabular.solution import Run


def rfzi(
    mdp: MDP,
    beta: float,
    *,
    K: int,
    N: int | None = None,
    seed: int | None = None,
    record: Any = None,
    V_star: Any = None,
) -> Run:
    """Run K iterations from Z = 1.

    Parameters
    ----------
    beta : positive, in units of 1 / reward.  K : iterations.
    N : draws from each pair, made once by a ``GenerativeModel`` of ``seed``; None: exact expectations.
    record : iterations (increasing, in 1 ... K) at which history is kept; None: 32 of them.
    V_star : (S,) the optimal risk value, if known; solved for otherwise.

    Returns
    -------
    Run with ``result``: ``log_Z``, ``Q`` (S, A), ``pi`` (S, A) greedy in Q, ``V`` (S,) its risk value in the true
    model; ``history``, in units of reward: ``k``, ``loss`` = max(V* - V of the greedy policy), ``estimate_error`` =
    max abs(max_a Q - V*). ``info["samples"]`` counts the draws.

    Raises
    ------
    ValueError, TypeError for bad arguments, naming them; ImproperModel at ``gamma = 1``.
    Cost: O(n) an iteration for n transitions.
    """
    true = backups(mdp, Entropic(1.0), "rfzi")
    border.positive(beta, "beta", "in units of 1 / reward")
    border.count(K, "K")
    if N is not None:
        border.count(N, "N")
    if (N is None) != (seed is None):
        raise ValueError(f"N is {N} and seed is {seed}: a sampled run takes both, an exact one (N=None) neither")
    risk = Entropic(beta)
    model = None if N is None else GenerativeModel(mdp, int(seed or 0))
    b = backups(mdp if model is None else model.empirical(int(N or 0)), risk, "rfzi")
    best = robust_policy_iteration(mdp, risk).V if V_star is None else _values(mdp, V_star)
    marks, rows = border.marks(record, K, POINTS), []
    log_Z = np.zeros((mdp.S, mdp.A))
    Q = _q(mdp, log_Z, beta)
    for k in range(1, K + 1):
        log_Z = beta * b.sigma(Q.max(axis=1))
        Q = _q(mdp, log_Z, beta)
        if k in marks:
            V = robust_evaluate(mdp, Q.argmax(axis=1), risk).V
            rows.append((k, (best - V).max(), np.abs(Q.max(axis=1) - best).max()))
    actions = Q.argmax(axis=1)
    result = {"log_Z": log_Z, "Q": Q, "pi": true.one_hot(actions)[0], "V": robust_evaluate(mdp, actions, risk).V}
    history = {name: np.array([row[i] for row in rows]) for i, name in enumerate(("k", "loss", "estimate_error"))}
    samples = 0 if model is None else model.pairs * int(N or 0)
    return Run(result, history, seed, {"beta": beta, "K": K, "N": N, "samples": samples})


def _q(mdp: MDP, log_Z: np.ndarray, beta: float) -> np.ndarray:
    return np.where(mdp.mask, mdp.rewards - mdp.gamma / beta * log_Z, -np.inf)
