r"""Soft policy iteration: exact evaluation, then a projection onto a class of policies, with a history of errors.

With :math:`T_\tau Q = R + \gamma P\,\mathrm{lse}_\tau(Q)`, :math:`\mathrm{lse}_\tau(x) = \tau \log \sum_a
e^{x_a/\tau}`, and :math:`Q^\pi` the fixed point of :math:`T^\pi_\tau Q = R + \gamma P \langle \pi, Q - \tau \log \pi
\rangle`, one iteration is

.. math:: \pi_{k+1} = \arg\min_{\pi \in \Pi} KL(\pi(\cdot|s) \,\|\, \mathrm{softmax}(Q^{\pi_k}(s,\cdot)/\tau)), \qquad Q^{\pi_{k+1}}
          \text{ by a linear system.}

Over all policies this is ``policy_iteration`` under ``Shannon(tau)``, which certifies its answer and keeps no
history. Values never fall, :math:`Q^{\pi_{k+1}} \ge T_\tau Q^{\pi_k}`, and :math:`\|Q^* - Q^{\pi_{k+1}}\| \le
\frac{\gamma}{2\tau} \|Q^* - Q^{\pi_k}\|^2` (claims sac.C2, C3, C3b). Source: sac (Haarnoja et al. 2018), Lemmas 1 and
2, Theorem 1; their alpha is ``tau``.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from tabular import _border as border
from tabular import _validate as check
from tabular._backups import EPS, Backups
from tabular.mdp import MDP
from tabular.operators import evaluate_policy
from tabular.regularizers import Shannon
from tabular.solution import Run

TIE = 64 * EPS
"""Divergences closer than this, relative to the largest term in them, tie: the row at hand is kept, else the first."""


class Rows(NamedTuple):
    """A class of policies, state by state: in each state any of ``n`` rows. candidates : (n, S, A)."""

    candidates: Any


class Shared(NamedTuple):
    """A class whose parameter all states share: ``n`` whole policies, (n, S, A).

    The projection minimises the mean divergence over ``weights`` (S,), a distribution; None is the uniform one. Improvement
    is not promised (sac.C5).
    """

    members: Any
    weights: Any = None


class SharedRow(NamedTuple):
    r"""The policies that play one row in all states, whose actions must be the same.

    The projection in the mean over ``weights`` (S,), None for uniform ones, has a closed form: :math:`\sum_s w_s
    (\langle p, Q(s,\cdot) \rangle + \tau H(p))` is greatest at the softmax of the mean :math:`\sum_s w_s Q(s,\cdot)`.
    """

    weights: Any = None


def soft_q_backup(mdp: MDP, Q: Any, tau: float, pi: Any = None) -> np.ndarray:
    """``R + gamma P lse_tau(Q)``, or of a policy ``R + gamma P <pi, Q - tau log pi>``: (S, A), ``-inf`` where unavailable.

    Entries of ``Q`` (S, A) at unavailable actions are ignored. A gamma-contraction in the sup norm (sac.C1). O(S^2 A).
    ValueError for data, naming the place.
    """
    b, q = _prepared(mdp, "soft_q_backup", tau), _q(mdp, Q)
    if pi is None:
        return b.q(b.conjugate(q))
    p = border.policy(pi, mdp.mask)
    return b.q((p * np.where(mdp.mask, q, 0.0)).sum(axis=1) - b.penalty(p))


def project(
    mdp: MDP, Q: Any, tau: float, policies: Any = None, *, current: Any = None, forward: bool = False
) -> np.ndarray:
    r"""The policy (S, A) of a class that is closest to ``softmax(Q / tau)``.

    Parameters
    ----------
    Q : (S, A), in units of reward.  tau : > 0, in the same.
    policies : None (all), ``Rows``, ``Shared`` or ``SharedRow``.
    current : (S, A) policy that is kept where it ties with the best.
    forward : measure :math:`KL(\mathrm{softmax} \| \pi)` instead of :math:`KL(\pi \| \mathrm{softmax})`. Then policies need not
        improve (a twin of sac.C2).

    Raises ValueError for data, naming the place, TypeError for what is no class of policies. O(n S A).
    """
    b, q = _prepared(mdp, "project", tau), _q(mdp, Q)
    border.flag(forward, "forward")
    return _projected(b, q, _checked_class(policies, mdp), None if current is None else _policy(current, mdp), forward)


def soft_policy_iteration(
    mdp: MDP, tau: float, *, pi0: Any = None, policies: Any = None, K: int = 50, forward: bool = False
) -> Run:
    r"""At most K iterations of soft policy iteration on a discounted model, with the action values of all of them.

    Parameters
    ----------
    tau : > 0, entropy temperature in units of reward.
    pi0 : (S, A) first policy, a member of the class; None: uniform, or the first of the class.
    policies, forward : as in ``project``.  K : iterations; it stops where the policy is the one before.

    Returns
    -------
    Run with ``result``: ``Q`` (k + 1, S, A) of all policies, ``-inf`` where unavailable, ``policies`` (k + 1, S, A),
    ``pi``, ``V`` of the last; ``history``: ``k``, ``error`` = max(Q* - Q_k) with the unrestricted Q*, ``gain`` =
    min(Q_k - Q_{k-1}), ``moved`` = max|pi_k - pi_{k-1}| (both NaN at first). ``info["Q_star_error"]`` bounds the
    error of Q*.

    Cost: a linear system of S equations an iteration. Raises as ``project`` does, ValueError at ``gamma = 1``.

    >>> mdp = MDP([[[1.0], [1.0]]], [[0.0, 1.0]], 0.5)
    >>> soft_policy_iteration(mdp, 1.0).history["k"]
    array([0., 1., 2.])
    """
    b = _prepared(mdp, "soft_policy_iteration", tau)
    border.count(K, "K")
    border.flag(forward, "forward")
    allowed = _checked_class(policies, mdp)
    pi = _first(mdp, allowed, pi0)
    best, error = _optimal_q(mdp, tau)
    Q = _q_of(b, pi)
    found, values, rows = [pi], [Q], [(0.0, _gap(mdp, best, Q), np.nan, np.nan)]
    for k in range(1, K + 1):
        after = _projected(b, Q, allowed, pi, forward)
        moved = float(np.abs(after - pi).max())
        pi, before = after, Q
        Q = _q_of(b, pi)
        found.append(pi)
        values.append(Q)
        rows.append((float(k), _gap(mdp, best, Q), float((Q[mdp.mask] - before[mdp.mask]).min()), moved))
        if moved <= 4 * EPS:
            break
    history = {name: np.array([row[i] for row in rows]) for i, name in enumerate(("k", "error", "gain", "moved"))}
    result = {
        "Q": np.stack(values),
        "policies": np.stack(found),
        "pi": pi,
        "V": evaluate_policy(mdp, pi, Shannon(tau)),
    }
    return Run(result, history, None, {"tau": tau, "Q_star_error": error, "forward": forward})


def iteration_errors(mdp: MDP, tau: float, K: int, *, pi0: Any = None) -> dict[str, np.ndarray]:
    """Errors max|Q* - Q_k| for k = 0 ... K of soft policy iteration and of soft value iteration from the same ``Q^{pi0}``: a table.

    Columns ``k``, ``policy_iteration``, ``value_iteration`` and ``quadratic_bound`` (gamma / (2 tau) times the
    squared error before of policy iteration, NaN at k = 0), in units of reward. Below
    ``soft_policy_iteration(...).info["Q_star_error"]`` they are rounding. Raises as that does.
    """
    run = soft_policy_iteration(mdp, tau, pi0=pi0, K=K)
    best, _ = _optimal_q(mdp, tau)
    error = np.concatenate([run.history["error"], np.full(K + 1 - len(run.history["error"]), run.history["error"][-1])])
    b, Q, swept = Backups(mdp, Shannon(tau)), run.result["Q"][0], []
    for _ in range(K + 1):
        swept.append(_gap(mdp, best, Q))
        Q = b.q(b.conjugate(Q))
    bound = np.concatenate([[np.nan], mdp.gamma / (2.0 * tau) * error[:-1] ** 2])
    return {
        "k": np.arange(K + 1),
        "policy_iteration": error,
        "value_iteration": np.array(swept),
        "quadratic_bound": bound,
    }


def _prepared(mdp: Any, who: str, tau: Any) -> Backups:
    border.expect(mdp, who, "MDP")
    border.positive(tau, "tau", "an entropy temperature in units of reward")
    if mdp.gamma >= 1.0:
        raise ValueError(f"gamma = 1: {who} is for discounted models, gamma < 1")
    return Backups(mdp, Shannon(float(tau)))


def _q(mdp: MDP, Q: Any) -> np.ndarray:
    x = check.float_array(Q, "Q")
    if x.shape != (mdp.S, mdp.A):
        check.fail(f"Q has shape {x.shape}: expected ({mdp.S}, {mdp.A})")
    x[~mdp.mask] = 0.0
    check.check_finite(x, "Q")
    x[~mdp.mask] = -np.inf
    return x


def _policy(pi: Any, mdp: MDP) -> np.ndarray:
    return border.policy(pi, mdp.mask)


def _checked_class(policies: Any, mdp: MDP) -> Any:
    if policies is None:
        return None
    if isinstance(policies, (Rows, Shared)):
        name = policies._fields[0]
        items = list(policies[0])
        if not items:
            check.fail(f"{name} is empty: a class has a policy")
        stacked = np.stack([border.policy(p, mdp.mask, f"{name}[{i}]") for i, p in enumerate(items)])
        return Rows(stacked) if isinstance(policies, Rows) else Shared(stacked, _weights(policies.weights, mdp))
    if isinstance(policies, SharedRow):
        if (mdp.mask != mdp.mask[0]).any():
            s = int(np.argmax((mdp.mask != mdp.mask[0]).any(axis=1)))
            check.fail(f"state {s} has other actions than state 0: no row serves all states")
        return SharedRow(_weights(policies.weights, mdp))
    raise TypeError(f"{policies!r} is no class of policies: expected None, Rows, Shared or SharedRow")


def _weights(weights: Any, mdp: MDP) -> np.ndarray:
    return np.full(mdp.S, 1.0 / mdp.S) if weights is None else check.check_distribution(weights, mdp.S, "weights")[0]


def _first(mdp: MDP, allowed: Any, pi0: Any) -> np.ndarray:
    if pi0 is None:
        uniform = mdp.mask / mdp.mask.sum(axis=1, keepdims=True)
        return uniform if allowed is None or isinstance(allowed, SharedRow) else np.asarray(allowed[0][0])
    pi = _policy(pi0, mdp)
    if isinstance(allowed, SharedRow):
        outside = (pi != pi[0]).any(axis=1)
    elif allowed is None:
        outside = np.zeros(mdp.S, dtype=bool)
    else:
        same = (allowed[0] == pi).all(axis=2)
        outside = ~same.any(axis=0) if isinstance(allowed, Rows) else ~np.broadcast_to(same.all(axis=1).any(), mdp.S)
    if outside.any():
        check.fail(f"pi0[{int(np.argmax(outside))}] is not in the class of policies: improvement starts inside of it")
    return pi


def _projected(b: Backups, Q: np.ndarray, allowed: Any, current: np.ndarray | None, forward: bool) -> np.ndarray:
    target, log_target = b.policy(Q)
    if allowed is None:
        return target
    if isinstance(allowed, SharedRow):
        mean = target if forward else np.where(b.mask, Q, 0.0)
        row = np.broadcast_to(allowed.weights @ mean, b.mask.shape)
        return np.array(row if forward else b.policy(np.where(b.mask, row, -np.inf))[0])
    # Unavailable actions have logarithm zero here, and no mass anywhere.
    log_target = np.where(b.mask, log_target, 0.0)
    candidates = allowed[0] if current is None else np.concatenate([current[None], allowed[0]])
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.where(candidates > 0, np.log(candidates), -np.inf if forward else 0.0)
        terms = np.where(target > 0, target * (log_target - logs), 0.0) if forward else candidates * (logs - log_target)
    divergence, size = terms.sum(axis=2), np.abs(terms).max(axis=2)
    if isinstance(allowed, Rows):
        return candidates[_least(divergence, size), np.arange(b.S)]
    mean, size = divergence @ allowed.weights, size @ allowed.weights
    return np.array(candidates[_least(mean[:, None], size[:, None])[0]])


def _least(x: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Index of the first entry along axis 0 that ties with the least one."""
    at = np.argmin(x, axis=0)
    low = np.take_along_axis(x, at[None], axis=0)
    room = np.take_along_axis(size, at[None], axis=0)
    return np.asarray(np.argmax(x <= low + TIE * np.where(np.isfinite(room), room, 0.0), axis=0))


def _q_of(b: Backups, pi: np.ndarray) -> np.ndarray:
    return b.q(evaluate_policy(b.mdp, pi, b.reg))


def _optimal_q(mdp: MDP, tau: float) -> tuple[np.ndarray, float]:
    from tabular.planning.policy_iteration import policy_iteration

    solution = policy_iteration(mdp, Shannon(tau))
    return solution.Q, mdp.gamma * solution.error_bound


def _gap(mdp: MDP, best: np.ndarray, Q: np.ndarray) -> float:
    return float(np.abs(best[mdp.mask] - Q[mdp.mask]).max())
