r"""Bellman backups, policy evaluation and occupancies of a model: arrays in, arrays out, checked at the
border.

With :math:`Q_V(s,a) = R(s,a) + \gamma \sum_t P(t|s,a) V(t)` and a regulariser :math:`\Omega` (none: the
maximum),

.. math:: (TV)(s) = \Omega^*(Q_V(s,\cdot)), \qquad V^\pi = (I - \gamma P_\pi)^{-1} (R_\pi - \Omega(\pi)),
\qquad
          \mu = (I - \gamma P_\pi^\top)^{-1} \rho.

What ends is worth nothing afterwards. These are floats without error bounds; ``tabular.certificates``
encloses them. Small models are computed by NumPy, larger ones by compiled kernels. Source: Puterman 1994,
sections 6.1-6.2; Geist, Scherrer and Pietquin 2019.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tabular import _border as border
from tabular import _validate as check
from tabular._backups import Backups
from tabular._resolvent import resolvent_solve
from tabular.errors import ImproperModel
from tabular.finite_horizon import FiniteHorizonMDP
from tabular.mdp import CSR, MDP


def q_values(mdp: MDP, V: Any) -> np.ndarray:
    """``R + gamma P V``: (S, A), ``-inf`` where unavailable, for ``V`` (S,). O(S^2 A), sparse O(nnz)."""
    border.expect(mdp, "q_values", "MDP")
    return Backups(mdp).q(_values(mdp, V))


def backup(mdp: MDP, V: Any, regularizer: Any = None, *, out: np.ndarray | None = None) -> np.ndarray:
    """Optimality backup ``T V``: (S,), written to ``out`` if given.

    >>> from tabular import MDP, Shannon
    >>> mdp = MDP([[[1.0], [1.0]]], [[0.0, 0.0]], 0.5)
    >>> backup(mdp, [1.0], Shannon(2.0)) == 0.5 + 2 * np.log(2)
    array([ True])
    """
    border.expect(mdp, "backup", "MDP")
    V = _values(mdp, V)
    if out is not None and (out.shape != (mdp.S,) or out.dtype != np.float64):
        check.fail(f"out has shape {out.shape} and dtype {out.dtype}: expected ({mdp.S},) and float64")
    TV = Backups(mdp, regularizer).backup(V)[1]
    if out is None:
        return TV
    out[:] = TV
    return out


def greedy(mdp: MDP, Q: Any, regularizer: Any = None) -> tuple[np.ndarray, np.ndarray]:
    """The (regularised) greedy policy of action values ``Q`` (S, A), or of ``V`` (S,), and its logarithm: (S,
    A) each.

    Without a regulariser: the first maximiser. Entries of ``Q`` at unavailable actions are ignored.
    """
    border.expect(mdp, "greedy", "MDP")
    b = Backups(mdp, regularizer)
    x = check.float_array(Q, "Q")
    if x.ndim == 1:
        return b.policy(b.q(_values(mdp, x)))
    if x.shape != (mdp.S, mdp.A):
        check.fail(f"Q has shape {x.shape}: expected ({mdp.S}, {mdp.A}), or ({mdp.S},) for values of states")
    x[~mdp.mask] = 0.0
    check.check_finite(x, "Q")
    x[~mdp.mask] = -np.inf
    return b.policy(x)


def evaluate_policy(mdp: MDP | FiniteHorizonMDP, pi: Any, regularizer: Any = None) -> np.ndarray:
    """Value ``V^pi`` (S,) of a policy: ``pi`` (S, A), or actions (S,) of integers.

    Of a finite horizon: (H+1, S), for ``pi`` (H, S, A) or actions (H, S), in H backups. With ``gamma = 1`` a state
    from which the policy never ends must be worth nothing, else ImproperModel names it. Cost: a linear system of S
    equations. Raises ModelError naming the bad row of ``pi``, also where ``Omega(pi)`` is infinite.
    """
    border.expect(mdp, "evaluate_policy", "MDP", "FiniteHorizonMDP")
    if isinstance(mdp, FiniteHorizonMDP):
        return _evaluate_stages(mdp, border.staged_policy(pi, mdp), regularizer)
    b = Backups(mdp, regularizer)
    pi = border.policy(pi, mdp.mask)
    reward = _reward(b, pi)
    if mdp.gamma < 1.0:
        return _solved(b.solve, pi, reward)
    for_ever = never_ending(mdp, pi)
    if (reward[for_ever] != 0).any():
        s = int(np.flatnonzero(for_ever & (reward != 0))[0])
        raise ImproperModel(f"gamma = 1: under this policy state {s} is visited for ever, at {reward[s]:.6g} a step")
    return _on_transient(b, pi, reward, ~for_ever)


def _evaluate_stages(fh: FiniteHorizonMDP, pi: np.ndarray, regularizer: Any) -> np.ndarray:
    stages = {id(m): Backups(m, regularizer) for m in map(fh.stage, range(fh.H))}
    V = np.empty((fh.H + 1, fh.S))
    V[fh.H] = fh.terminal
    for h in reversed(range(fh.H)):
        b = stages[id(fh.stage(h))]
        V[h] = _reward(b, pi[h]) + b.gamma * (b.transition(pi[h]) @ V[h + 1])
    return V


def _reward(b: Backups, pi: np.ndarray) -> np.ndarray:
    """``R_pi - Omega(pi)``, finite: (S,)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        reward = b.reward(pi)
    reference = getattr(b.reg, "reference", None)
    outside = None if reference is None else (pi > 0) & (np.asarray(reference) == 0)
    if outside is not None and outside.any():
        i = check.first(outside)
        check.fail(f"{check.place('pi', i)} is {pi[i]} where the reference is 0: the divergence is infinite")
    check.check_finite(reward, "R_pi - Omega(pi)")
    return reward


def occupancy(mdp: MDP, pi: Any, rho: Any = None) -> np.ndarray:
    """Expected discounted visits ``mu`` (S, A) of each pair from ``rho`` (S,), the model's if None; not
    normalised.

    ``mu.sum()`` is the expected discounted number of steps: ``1 / (1 - gamma)`` where nothing ends. With
    ``gamma = 1`` raises ImproperModel where the policy may go on for ever.
    """
    border.expect(mdp, "occupancy", "MDP")
    pi = border.policy(pi, mdp.mask)
    start = mdp.rho if rho is None else check.check_distribution(rho, mdp.S)[0]
    if start is None:
        check.fail("rho is missing: the model has no start distribution")
    b = Backups(mdp)
    if mdp.gamma < 1.0:
        return np.asarray(_solved(b.solve, pi, start, transpose=True)[:, None] * pi)
    for_ever = never_ending(mdp, pi)
    reached = _reachable(_graph(mdp, pi), start > 0)
    if (reached & for_ever).any():
        s = int(np.flatnonzero(reached & for_ever)[0])
        raise ImproperModel(f"gamma = 1: from rho this policy reaches state {s} and visits it infinitely often")
    return np.asarray(_on_transient(b, pi, start, reached, transpose=True)[:, None] * pi)


def transition_matrix(mdp: MDP, pi: Any) -> Any:
    """``P_pi``: an (S, S) array for a dense model, ``CSR`` with one row a state for a sparse one."""
    border.expect(mdp, "transition_matrix", "MDP")
    pi = border.policy(pi, mdp.mask)
    if not isinstance(mdp.P, CSR):
        return Backups(mdp).transition(pi)
    P = mdp.P
    owner = np.repeat(np.arange(mdp.S * mdp.A), np.diff(P.indptr))
    flow = pi.ravel()[owner] * P.data
    used = flow > 0
    key, where = np.unique((owner[used] // mdp.A) * mdp.S + P.indices[used], return_inverse=True)
    indptr = np.concatenate([[0], np.cumsum(np.bincount(key // mdp.S, minlength=mdp.S))]).astype(np.int64)
    return CSR(indptr, (key % mdp.S).astype(np.int32), np.bincount(where, weights=flow[used], minlength=len(key)))


def _values(mdp: MDP, V: Any) -> np.ndarray:
    out = check.float_array(V, "V")
    if out.shape != (mdp.S,):
        check.fail(f"V has shape {out.shape}: expected ({mdp.S},)")
    check.check_finite(out, "V")
    return out


def never_ending(mdp: MDP, pi: np.ndarray) -> np.ndarray:
    """(S,) bool: states of closed classes of the chain of ``pi`` that never end."""
    from scipy.sparse.csgraph import connected_components

    graph = _graph(mdp, pi)
    n, label = connected_components(graph, directed=True, connection="strong")
    row, col = graph.nonzero()
    leaks = np.zeros(n, dtype=bool)
    leaks[label[row[label[row] != label[col]]]] = True
    leaks[label[((pi > 0) & (mdp.end > 0)).any(axis=1)]] = True
    return np.asarray(~leaks[label])


def _graph(mdp: MDP, pi: np.ndarray) -> Any:
    """Which states follow which, as a sparse (S, S) matrix: not from products of probabilities, which may underflow."""
    from scipy.sparse import csr_array

    P = mdp.csr()
    owner = np.repeat(np.arange(mdp.S * mdp.A), np.diff(P.indptr))
    used = (pi.ravel()[owner] > 0) & (P.data > 0)
    return csr_array((np.ones(int(used.sum())), (owner[used] // mdp.A, P.indices[used])), shape=(mdp.S, mdp.S))


def _reachable(graph: Any, start: np.ndarray) -> np.ndarray:
    row, col = graph.nonzero()
    reached, size = start.copy(), -1
    while size != (size := int(reached.sum())):
        reached[col[reached[row]]] = True
    return reached


def _on_transient(b: Backups, pi: np.ndarray, x: np.ndarray, where: np.ndarray, transpose: bool = False) -> np.ndarray:
    """The resolvent applied to ``x`` on some of the states, zero elsewhere."""
    out = np.zeros(b.S)
    keep = np.flatnonzero(where)
    if len(keep):
        P_pi = b.transition(pi)
        inner = P_pi[np.ix_(keep, keep)] if isinstance(P_pi, np.ndarray) else P_pi[keep][:, keep]
        aside = P_pi[:, np.flatnonzero(~where)]  # what leaves these states for others leaves them
        end = b.ends(pi)[keep] + np.asarray(aside.sum(axis=1)).ravel()[keep]
        out[keep] = _solved(resolvent_solve, inner, b.gamma, x[keep], end, transpose)
    return out


def _solved(solve: Any, *arguments: Any, **options: Any) -> np.ndarray:
    """The solution of a linear system; ImproperModel where floats have none."""
    try:
        x = np.asarray(solve(*arguments, **options))
    except np.linalg.LinAlgError:
        x = np.array(np.nan)
    if not np.isfinite(x).all():
        raise ImproperModel("under this policy the expected number of steps, or a value, is beyond the range of floats")
    return x
