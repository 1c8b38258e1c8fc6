r"""Mirror-descent value iteration as formulas over ``ops``: MDVI and its Munchausen form.

Both take the expected value of the next state from a function ``mean(k, V)``, exact or estimated, so that one recursion
serves the exact algorithm, any sampled one, and any sequence of errors. Source: mdvi (Kozuno et al. 2022),
Algorithm 1; tsallis_mvi, whose case q = 1 is ``munchausen``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

Mean = Callable[[int, Any], Any]


class Iterates(NamedTuple):
    r"""Values of all iterations; ``s, w, pi`` from index 0, ``q`` too, of which the first is None.

    Attributes
    ----------
    q : (S, A) action values :math:`q_k`, k = 1 ... K.  s : (S, A) their discounted sums :math:`s_k = q_k + \alpha
    s_{k-1}`. w : (S,) the conjugate of :math:`s_k`.  v : (S,) :math:`v_k = w_k - \alpha w_{k-1}`, k = 0 ... K.  pi :
    (S, A) the policy of :math:`s_k`.
    """

    q: list[Any]
    s: list[Any]
    w: list[Any]
    v: list[Any]
    pi: list[Any]


def mdvi(ops: Any, m: Any, K: int, alpha: Any, regularizer: Any, mean: Mean, w0: Any = None) -> Iterates:
    r"""MDVI: :math:`q_{k+1} = R + \gamma \hat E[v_k]`, :math:`s_{k+1} = q_{k+1} + \alpha s_k`, :math:`v_k = w_k - \alpha w_{k-1}`.

    regularizer : ``Hard()`` (:math:`\beta = \infty`) or ``Shannon(1 / beta)``; :math:`w_k = \Omega^*(s_k)`.
    mean : ``(k, v_k) ->`` (S, A) expected (or estimated) value of the next state in iteration k = 0 ... K - 1.
    w0 : (S,) the first :math:`w_0`; None: the conjugate of :math:`s_0 = 0`, with which :math:`v_k` keeps its bounds (mdvi.C2).
    """
    s = m.R * 0
    w = regularizer.conjugate(ops, s, m.mask) if w0 is None else w0
    found = Iterates([None], [s], [w], [w], [regularizer.policy(ops, s, m.mask)])
    for k in range(K):
        q = m.R + m.gamma * mean(k, found.v[k])
        s = q + alpha * found.s[k]
        w = regularizer.conjugate(ops, s, m.mask)
        found.q.append(q)
        found.s.append(s)
        found.w.append(w)
        found.v.append(w - alpha * found.w[k])
        found.pi.append(regularizer.policy(ops, s, m.mask))
    return found


def munchausen(
    ops: Any, m: Any, K: int, alpha: Any, regularizer: Any, tau: Any, mean: Mean
) -> tuple[list[Any], list[Any]]:
    r"""Munchausen value iteration: action values :math:`q^M_0 = 0 \ldots q^M_K` and policies :math:`\pi_1 \ldots \pi_K`.

    :math:`\pi_{k+1} = \mathrm{softmax}(q^M_k / \tau)` and :math:`q^M_{k+1} = R + \alpha\tau \log\pi_{k+1} + \gamma
    \hat E \langle \pi_{k+1}, q^M_k - \tau \log\pi_{k+1} \rangle`. ``regularizer`` is ``Shannon(tau)``; its logarithm
    of a policy is zero where unavailable here.
    """
    q, pi = [m.R * 0], []
    for k in range(K):
        policy = regularizer.policy(ops, q[k], m.mask)
        log_policy = ops.where(m.mask, regularizer.log_policy(ops, q[k], m.mask), 0)
        V = ops.dot(policy, q[k] - tau * log_policy)
        q.append(m.R + alpha * tau * log_policy + m.gamma * mean(k, V))
        pi.append(policy)
    return q, pi


def averaged_errors(errors: Sequence[Any], alpha: Any) -> list[Any]:
    r""":math:`E_k = \sum_{j=1}^k \alpha^{k-j} \varepsilon_j` for k = 1 ... K, from :math:`\varepsilon_1 \ldots \varepsilon_K`."""
    found = [errors[0]]
    for error in errors[1:]:
        found.append(error + alpha * found[-1])
    return found


def geometric_sum(alpha: Any, k: int) -> Any:
    r""":math:`A_k = \sum_{j<k} \alpha^j`."""
    total = alpha * 0
    for _ in range(k):
        total = 1 + alpha * total
    return total


def sequence_value(ops: Any, m: Any, policies: Sequence[Any], V: Any, regularizer: Any = None) -> Any:
    """Value (S,) of playing ``policies[0]``, then ``policies[1]``, ..., and after the last being worth ``V``."""
    for pi in policies[::-1]:
        V = ops.policy_backup(m, pi, V, regularizer)
    return V
