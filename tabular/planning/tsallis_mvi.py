r"""MVI(q): Munchausen value iteration with the logarithm of index q, and value iteration regularised by a moving
Tsallis divergence.

MVI(q), with :math:`L_q x = (x^{q-1} - 1)/(q-1)`, its inverse :math:`e_q` on the positive part, and a constant
:math:`\psi` that makes each row a distribution:

.. math:: \pi_{k+1} = e_q(Q_k/\tau - \psi), \qquad
          Q_{k+1} = R + \alpha\tau L_q(\pi_{k+1}) + \gamma P \langle \pi_{k+1}, Q_k - \tau L_q(\pi_{k+1}) \rangle.

The policy maximises :math:`\langle\pi, Q\rangle + (\tau/q) S_q(\pi)`, whereas :math:`-\langle\pi, \tau L_q(\pi)\rangle
= \tau S_q(\pi)`: the factor ``1/q`` of the stationarity condition is *absorbed* in the temperature. So for ``q != 1``
this is no regularised value iteration, not even at ``alpha = 0``, unless the policy is that of the weight ``tau``
(``absorbed=False``; claims ``tsallis_mvi.C9``, ``tsallis_mvi.C4``). At ``q = 1`` it is the Munchausen value iteration
of Vieillard, Pietquin and Geist, which is value iteration regularised by a KL term of weight ``alpha tau`` to the last
policy and an entropy term of weight ``(1 - alpha) tau``.

The exact scheme with a Tsallis divergence to the last policy is ``tsallis_kl_value_iteration``:

.. math:: \pi_{k+1} = \arg\max_\pi \langle\pi, Q_k\rangle - \lambda D_q(\pi\|\pi_k), \qquad
          Q_{k+1} = R + \gamma P\, (\langle\pi_{k+1}, Q_k\rangle - \lambda D_q(\pi_{k+1}\|\pi_k)).

Its policies are products of q-exponentials, hence of an aggregate of past action values with product terms, and for
``q > 1`` an action that was dropped never returns. Source: Zhu, Chen, Schlegel and White 2023 (paper ``tsallis_mvi``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tabular import _border as border
from tabular import _validate as check
from tabular.mdp import MDP
from tabular.operators import evaluate_policy
from tabular.reference import NumpyOps
from tabular.reference.value import Value
from tabular.regularizers import KL, Shannon, Tsallis, TsallisKL, checked
from tabular.solution import Run


def mvi_policy(ops: Any, m: Any, Q: Any, tau: Any, q: Any, absorbed: Any = 1) -> Any:
    """:math:`e_q(Q/\\tau - \\psi)`: (S, A); with ``absorbed`` 0 that of :math:`e_q(Q/(q\\tau) - \\psi)`."""
    weight = ops.constant(tau) * (1 - absorbed + absorbed / ops.constant(q))
    return Tsallis(weight, q).policy(ops, Q, m.mask)


def mvi_values(ops: Any, m: Any, pi: Any, Q: Any, tau: Any, q: Any) -> Any:
    r""":math:`\langle\pi, Q - \tau L_q(\pi)\rangle`: (S,)."""
    return ops.dot(pi, Q) + ops.constant(tau) * ops.tsallis_entropy(pi, q)


def mvi_step(ops: Any, m: Any, Q: Any, pi: Any, tau: Any, q: Any, alpha: Any) -> Any:
    """``Q_{k+1}`` from ``Q_k`` and ``pi_{k+1}``: (S, A), zero where unavailable."""
    index = ops.constant(q)
    bonus = ops.constant(alpha) * ops.constant(tau) * ops.q_log(pi, 2 - index, where=m.mask)
    return ops.where(m.mask, m.R + bonus, 0) + m.gamma * ops.expect(m.P, mvi_values(ops, m, pi, Q, tau, q))


def tsallis_mvi(
    mdp: MDP,
    q: float = 2.0,
    *,
    tau: float = 0.03,
    alpha: float = 0.9,
    K: int = 100,
    sigma: float = 0.0,
    seed: int = 0,
    clip: float | None = None,
    absorbed: bool = True,
    losses: bool = False,
) -> Run:
    """MVI(q) for ``K`` iterations from ``Q = 0``, with Gaussian errors of standard deviation ``sigma`` added to each ``Q``.

    Parameters
    ----------
    mdp : MDP.  q : index, as in ``Tsallis``; 1 is Munchausen value iteration.  tau : temperature, in the unit of the rewards.
    alpha : weight of the Munchausen term, in [0, 1].
    sigma, seed : of the errors, in the unit of the rewards.  clip : lower bound of :math:`\\tau L_q(\\pi)` in that
        term (deep versions use -1 at ``q = 1``), or None; for ``q > 1`` it is at least ``-tau/(q-1)`` by itself.
    absorbed : whether the policy is :math:`e_q(Q/\\tau - \\psi)`, as in the paper, or that of the weight ``tau``.
    losses : whether to evaluate each policy, at the cost of a linear system.

    Returns
    -------
    Run with ``result`` Q (S, A), ``-inf`` where unavailable, and pi (S, A), the last policy; ``history``: ``change``
    (K,), the largest change of Q; with ``losses`` also ``value`` (K, S) of the policies, without regulariser. Cost: K
    backups.

    Raises ModelError, ValueError and TypeError for what is no such number.

    >>> from tabular import MDP
    >>> two = MDP([[[1.0], [1.0]]], [[0.0, 1.0]], 0.5)
    >>> tsallis_mvi(two, 2.0, tau=1.0, alpha=0.0, K=60).result["pi"]
    array([[0., 1.]])
    """
    border.expect(mdp, "tsallis_mvi", "MDP")
    alpha = check.to_float(check.to_fraction(alpha, "alpha"), "alpha")
    if not 0.0 <= alpha <= 1.0:
        raise ValueError(f"alpha is {alpha}: expected a number in [0, 1]")
    border.flag(absorbed, "absorbed")
    if clip is not None:
        clip = check.to_float(check.to_fraction(clip, "clip"), "clip")
        if clip > 0.0:
            raise ValueError(f"clip is {clip}: expected a number that is not positive")
    border.positive(tau, "tau", "in the unit of the rewards")
    checked(Tsallis(tau, q), mdp.mask)
    share = float(tau) if not absorbed else float(tau) / float(q)
    greedy = Shannon(float(tau)) if float(q) == 1.0 else Tsallis(share, float(q))
    ops = NumpyOps()
    m = ops.model(mdp)

    def step(Q: np.ndarray, _: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        value = Value(ops, Q, 2)
        pi = greedy.policy(ops, value, m.mask)
        if isinstance(greedy, Shannon):  # the logarithm of what underflows
            logs = np.where(m.mask, greedy.log_policy(ops, value, m.mask).data, 0.0)
        else:
            logs = ops.q_log(pi, 2 - float(q), where=m.mask).data
        bonus = float(tau) * logs
        if float(q) < 1.0:  # no probability is zero, and tau L_q(pi) linear in Q: also where floats lose a probability
            at = pi.data.argmax(axis=1)[:, None]
            above = (Q - np.take_along_axis(Q, at, axis=1)) / (1.0 if absorbed else float(q))
            bonus = np.where(m.mask, np.take_along_axis(bonus, at, axis=1) + above, 0.0)
        if clip is not None:
            bonus = np.maximum(bonus, clip)
        after = ops.expect(m.P, mvi_values(ops, m, pi, value, float(tau), float(q)))
        return pi.data, np.where(m.mask, m.R.data + alpha * bonus, 0.0) + mdp.gamma * after.data

    uniform = mdp.mask / mdp.mask.sum(axis=1, keepdims=True)
    info = {"q": float(q), "tau": float(tau), "alpha": alpha, "sigma": sigma, "absorbed": absorbed}
    return _iterate(mdp, step, uniform, K, sigma, seed, losses, info)


def tsallis_kl_value_iteration(
    mdp: MDP,
    q: float = 2.0,
    *,
    lam: float,
    pi0: Any = None,
    K: int = 100,
    sigma: float = 0.0,
    seed: int = 0,
    losses: bool = False,
) -> Run:
    """Value iteration whose regulariser is ``lam`` times the Tsallis divergence of index ``q`` from the last policy.

    Parameters, results and errors as in ``tsallis_mvi``; ``pi0`` (S, A) is the first reference, uniform by default.
    ``history`` has ``support`` (K,), too: the number of pairs with positive probability, which never grows.
    """
    border.expect(mdp, "tsallis_kl_value_iteration", "MDP")
    border.positive(lam, "lam", "in the unit of the rewards")
    start = mdp.mask / mdp.mask.sum(axis=1, keepdims=True) if pi0 is None else border.policy(pi0, mdp.mask)
    checked(TsallisKL(lam, q, start), mdp.mask)
    ops = NumpyOps()
    m = ops.model(mdp)

    def step(Q: np.ndarray, last: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        reg = KL(float(lam), last) if float(q) == 1.0 else TsallisKL(float(lam), float(q), last)
        value = Value(ops, Q, 2)
        after = ops.expect(m.P, reg.conjugate(ops, value, m.mask))
        return reg.policy(ops, value, m.mask).data, np.where(m.mask, m.R.data, 0.0) + mdp.gamma * after.data

    info = {"q": float(q), "lam": float(lam), "sigma": sigma}
    return _iterate(mdp, step, start, K, sigma, seed, losses, info)


def _iterate(
    mdp: MDP,
    step: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]],
    pi: np.ndarray,
    K: int,
    sigma: float,
    seed: int,
    losses: bool,
    info: dict[str, Any],
) -> Run:
    border.count(K, "K")
    border.positive(sigma, "sigma", "in the unit of the rewards", zero=True)
    border.flag(losses, "losses")
    border.count(seed, "seed", 0)
    chance = np.random.default_rng(np.random.SeedSequence(seed))
    Q = np.zeros((mdp.S, mdp.A))
    history: dict[str, list[Any]] = {"change": [], "support": []} | ({"value": []} if losses else {})
    for _ in range(K):
        pi, new = step(Q, pi)
        if sigma > 0:
            new = new + np.where(mdp.mask, sigma * chance.standard_normal(new.shape), 0.0)
        history["change"].append(np.abs(new - Q)[mdp.mask].max())
        history["support"].append(int((pi > 0).sum()))
        if losses:
            history["value"].append(evaluate_policy(mdp, pi))
        Q = new
    result = {"Q": np.where(mdp.mask, Q, -np.inf), "pi": pi}
    return Run(result, {name: np.array(curve) for name, curve in history.items()}, seed, info)
