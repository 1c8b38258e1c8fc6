r"""MDVI, part 2: what errors do to policies. Four iterations with arbitrary errors :math:`\varepsilon_k = \gamma
e_k`, :math:`\alpha < 1`.

With :math:`u_k = (1-\alpha) w_k` and :math:`\bar E_k = (1-\alpha) E_k`, C1 says :math:`(1-\alpha) s_k = (1-\alpha^k)
R + \gamma P u_{k-1} + \bar E_k`: value iteration whose reward is still growing, with averaged errors. :math:`r =
\|R\|`, :math:`H = 1/(1-\gamma)`.
"""

from __future__ import annotations

from typing import Any

from proofs_check import Inequality, claim, families, policies, q_values, scalars, twin
from proofs_check.claim import discounted
from proofs_check.claims.planning.mdvi_recursion import ERRORS, TAU, K, noisy
from tabular.reference.mirror_descent import Iterates, averaged_errors, mdvi, sequence_value
from tabular.reference.operators import policy_of
from tabular.regularizers import Hard, Shannon

ALPHA = {"alpha": scalars(0.0, 0.875)}
LAST = {"e4": q_values()}  # an error of the last iteration alone, at alpha = 0
LOOPS = families.self_loops(2, 2, gamma=(0.5, 0.75, 0.875))
SMALL = (families.garnet(3, 2), families.random_endings(3, 2), families.two_armed(), families.wrong_turns(), LOOPS)


def _averages(m: Any, errors: list[Any], alpha: Any) -> list[Any]:
    r""":math:`\bar E_1 \ldots \bar E_K`."""
    return [(1 - alpha) * E for E in averaged_errors([m.gamma * e for e in errors], alpha)]


def _start_up(ops: Any, m: Any, alpha: Any) -> Any:
    r""":math:`[\sum_{j<K} \gamma^j \alpha^{K-j} + H \gamma^K] r`."""
    total = sum((m.gamma**j * alpha ** (K - j) for j in range(1, K)), alpha**K)
    return (total + m.gamma**K / (1 - m.gamma)) * ops.norm(m.R)


def propagated(ops: Any, m: Any, found: Iterates, averages: list[Any], optimal: Any) -> Any:
    r""":math:`\sum_{j<K} \gamma^j (\Pi_j \bar E_{K-j}(\cdot, \pi_{K-j}) - P_*^j \bar E_{K-j}(\cdot, \pi_*))`, by Horner's rule."""
    played = at_best = 0 * ops.dot(optimal, m.R)
    for k in range(1, K + 1):
        E = averages[k - 1]
        played = ops.dot(found.pi[k], E + m.gamma * ops.expect(m.P, played))
        at_best = ops.dot(optimal, E + m.gamma * ops.expect(m.P, at_best))
    return played - at_best


def output_value(ops: Any, m: Any, found: Iterates) -> Any:
    r"""Value of :math:`\pi'_K = (\pi_K, \ldots, \pi_1, \pi_0, \pi_0, \ldots)`."""
    return sequence_value(ops, m, found.pi[:0:-1], ops.evaluate(m, found.pi[0]))


@claim(
    id="mdvi.C3",
    family=SMALL,
    draws=ERRORS | ALPHA,
    assumptions=(discounted,),
    source="Kozuno et al. 2022, the error propagation behind Theorem 1",
    kind="inequality",
    instances=(),
)
def error_propagation(ops: Any, m: Any, e1: Any, e2: Any, e3: Any, e4: Any, alpha: Any) -> Inequality:
    r"""V^* - V^{\pi'_k} \le 2 [\sum_{j<k} \gamma^j \alpha^{k-j} + H \gamma^k] \|R\| + \sum_{j<k} \gamma^j (\Pi_j \bar
    E_{k-j}(\cdot, \pi_{k-j}) - P_*^j \bar E_{k-j}(\cdot, \pi_*)), state by state, \beta = \infty: averaged errors
    alone enter.

    Proof: :math:`u_k = \langle \pi_k, (1-\alpha) s_k \rangle \ge \langle \pi_*, (1-\alpha) s_k \rangle`. Unroll
    :math:`u_k - V^{\pi'_k} = \pi_k (-\alpha^k R + \bar E_k) + \gamma P_{\pi_k} (u_{k-1} - V^{\pi'_{k-1}})` and
    :math:`V^* - u_k \le \pi_* (\alpha^k R - \bar E_k) + \gamma P_* (V^* - u_{k-1})` down to :math:`u_0 = 0`, and add.
    The errors may be any.
    """
    errors = [e1, e2, e3, e4]
    found = mdvi(ops, m, K, alpha, Hard(), noisy(ops, m, errors))
    best = ops.optimal_value(m)
    bound = 2 * _start_up(ops, m, alpha) + propagated(
        ops, m, found, _averages(m, errors, alpha), policy_of(ops, m, best)
    )
    return Inequality(best - output_value(ops, m, found), bound, axes=("s",))


@twin(error_propagation, why="for the last policy, played for ever", family=LOOPS, draws=LAST)
def error_propagation_of_the_last(ops: Any, m: Any, e4: Any) -> Inequality:
    errors, alpha = [0 * e4, 0 * e4, 0 * e4, e4], 0 * m.gamma
    found = mdvi(ops, m, K, alpha, Hard(), noisy(ops, m, errors))
    best = ops.optimal_value(m)
    bound = 2 * _start_up(ops, m, alpha) + propagated(
        ops, m, found, _averages(m, errors, alpha), policy_of(ops, m, best)
    )
    return Inequality(best - ops.evaluate(m, found.pi[K]), bound, axes=("s",))


@twin(error_propagation, why="a start-up term once in the place of twice")
def error_propagation_started_once(ops: Any, m: Any, e1: Any, e2: Any, e3: Any, e4: Any, alpha: Any) -> Inequality:
    errors = [e1, e2, e3, e4]
    found = mdvi(ops, m, K, alpha, Hard(), noisy(ops, m, errors))
    best = ops.optimal_value(m)
    bound = _start_up(ops, m, alpha) + propagated(ops, m, found, _averages(m, errors, alpha), policy_of(ops, m, best))
    return Inequality(best - output_value(ops, m, found), bound, axes=("s",))


@twin(error_propagation, why="the errors of the optimal policy left out")
def error_propagation_of_the_played(ops: Any, m: Any, e1: Any, e2: Any, e3: Any, e4: Any, alpha: Any) -> Inequality:
    errors = [e1, e2, e3, e4]
    found = mdvi(ops, m, K, alpha, Hard(), noisy(ops, m, errors))
    averages, best = _averages(m, errors, alpha), ops.optimal_value(m)
    played = 0 * best
    for k in range(1, K + 1):
        played = ops.dot(found.pi[k], averages[k - 1] + m.gamma * ops.expect(m.P, played))
    return Inequality(best - output_value(ops, m, found), 2 * _start_up(ops, m, alpha) + played, axes=("s",))


@claim(
    id="mdvi.C3a",
    family=SMALL,
    draws=ERRORS | ALPHA | TAU | {"other": policies()},
    assumptions=(discounted,),
    source="Kozuno et al. 2022, the error propagation behind Theorem 1, at finite beta",
    kind="inequality",
    instances=(),
)
def soft_error_propagation(
    ops: Any, m: Any, e1: Any, e2: Any, e3: Any, e4: Any, alpha: Any, tau: Any, other: Any
) -> Inequality:
    r"""The same at \tau = 1 / \beta with (1-\alpha) H \tau \max_s \log A(s) more, for the plain return of the softmax
    policies, against any policy in the place of \pi_*: V^\pi - V^{\pi'_k} \le ...

    Proof: :math:`\langle \pi_k, s_k \rangle \ge w_k - \tau \log A`, once in each of at most :math:`H` discounted
    steps, :math:`u_0` among them; :math:`w_k \ge \langle \pi, s_k \rangle` as before.
    """
    bound, found = _soft_bound(ops, m, [e1, e2, e3, e4], alpha, tau, other)
    entropy = (1 - alpha) * ops.norm(found.w[0]) / (1 - m.gamma)
    return Inequality(ops.evaluate(m, other) - output_value(ops, m, found), bound + entropy, axes=("s",))


def _soft_bound(ops: Any, m: Any, errors: list[Any], alpha: Any, tau: Any, other: Any) -> tuple[Any, Iterates]:
    found = mdvi(ops, m, K, alpha, Shannon(tau), noisy(ops, m, errors))
    return 2 * _start_up(ops, m, alpha) + propagated(ops, m, found, _averages(m, errors, alpha), other), found


@twin(soft_error_propagation, why="without the entropy's share")
def soft_error_propagation_of_greedy(
    ops: Any, m: Any, e1: Any, e2: Any, e3: Any, e4: Any, alpha: Any, tau: Any, other: Any
) -> Inequality:
    bound, found = _soft_bound(ops, m, [e1, e2, e3, e4], alpha, tau, other)
    return Inequality(ops.evaluate(m, other) - output_value(ops, m, found), bound, axes=("s",))


def _distance(ops: Any, m: Any, averages: list[Any], alpha: Any) -> Any:
    r""":math:`d_{K-1}`, where :math:`d_k = \alpha^k r + \|\bar E_k\| + \gamma d_{k-1}` and :math:`d_0 = H r`."""
    r = ops.norm(m.R)
    d = r / (1 - m.gamma)
    for k in range(1, K):
        d = alpha**k * r + ops.norm(averages[k - 1]) + m.gamma * d
    return d


@claim(
    id="mdvi.C6a",
    family=SMALL,
    draws=ERRORS | ALPHA,
    assumptions=(discounted,),
    source="ours",
    kind="inequality",
    instances=(),
)
def last_policy(ops: Any, m: Any, e1: Any, e2: Any, e3: Any, e4: Any, alpha: Any) -> Inequality:
    r"""\|V^* - V^{\pi_k}\| \le 2 H (\gamma d_{k-1} + \alpha^k \|R\| + \|\bar E_k\|) for the last policy played for
    ever, with d_0 = H \|R\| and d_k = \alpha^k \|R\| + \|\bar E_k\| + \gamma d_{k-1}.

    Proof: :math:`\|V^* - u_k\| \le d_k`, since :math:`u_k` is within :math:`\alpha^k r + \|\bar E_k\|` of :math:`T
    u_{k-1}`. Within that of :math:`T_{\pi_k} u_{k-1}`, too, so :math:`V^* - V^{\pi_k} \le \gamma P_* (V^* - u_{k-1})
    + 2 (\ldots) + \gamma P_{\pi_k} (u_{k-1} - V^*) + \gamma P_{\pi_k} (V^* - V^{\pi_k})`.
    """
    errors = [e1, e2, e3, e4]
    found = mdvi(ops, m, K, alpha, Hard(), noisy(ops, m, errors))
    averages = _averages(m, errors, alpha)
    now = alpha**K * ops.norm(m.R) + ops.norm(averages[-1])
    bound = 2 * (m.gamma * _distance(ops, m, averages, alpha) + now) / (1 - m.gamma)
    return Inequality(
        ops.norm(ops.optimal_value(m) - ops.evaluate(m, found.pi[K])), bound, trivial=2 * ops.norm(m.R) / (1 - m.gamma)
    )


@twin(last_policy, why="the factor H of a policy played for ever left out", family=LOOPS, draws=LAST)
def last_policy_of_one_step(ops: Any, m: Any, e4: Any) -> Inequality:
    errors, alpha = [0 * e4, 0 * e4, 0 * e4, e4], 0 * m.gamma
    found = mdvi(ops, m, K, alpha, Hard(), noisy(ops, m, errors))
    averages = _averages(m, errors, alpha)
    bound = 2 * (m.gamma * _distance(ops, m, averages, alpha) + ops.norm(averages[-1]))
    return Inequality(ops.norm(ops.optimal_value(m) - ops.evaluate(m, found.pi[K])), bound)
