r"""MDVI, part 1: its recursion, in four iterations with arbitrary errors :math:`\varepsilon_k = \gamma e_k` of the expectations.

A sampled run is the case :math:`e_k = (\hat P_{k-1} - P) v_{k-1}`; what holds for every error holds for it.
"""

from __future__ import annotations

from typing import Any

from proofs_check import Identity, Inequality, claim, families, models, q_values, scalars, stronger, temperatures, twin
from proofs_check.claim import discounted
from tabular.reference.mirror_descent import Iterates, Mean, averaged_errors, geometric_sum, mdvi, munchausen
from tabular.regularizers import Hard, Shannon

K = 4
ALGORITHM = "Kozuno et al. 2022, Algorithm 1"
ERRORS = {"e1": q_values(), "e2": q_values(like="e1"), "e3": q_values(like="e1"), "e4": q_values(like="e1")}
ALPHA = {"alpha": scalars(0.0, 1.0)}
TAU = {"tau": temperatures(orders=8)}
SMALL = (
    families.garnet(3, 2),
    families.random_endings(3, 2),
    families.random_masks(4, 3),
    families.deterministic(3, 2),
)


def noisy(ops: Any, m: Any, errors: list[Any]) -> Mean:
    """Expectations that are wrong by ``errors[k]`` in iteration k."""
    return lambda k, V: ops.expect(m.P, V) + errors[k]


def summed(ops: Any, m: Any, found: Iterates, errors: list[Any], alpha: Any, later: int = 0) -> Identity:
    """``s_K`` against its closed form with ``w_{K - 1 + later}``."""
    E = averaged_errors([m.gamma * e for e in errors], alpha)[-1]
    right = geometric_sum(alpha, K) * m.R + m.gamma * ops.expect(m.P, found.w[K - 1 + later]) + E
    return Identity(found.s[K], right, axes=("s", "a"))


@claim(id="mdvi.C1", family=SMALL, draws=ERRORS | ALPHA, source=ALGORITHM, kind="identity")
def sum_of_action_values(ops: Any, m: Any, e1: Any, e2: Any, e3: Any, e4: Any, alpha: Any) -> Identity:
    r"""s_k = A_k R + \gamma P w_{k-1} + E_k, for \beta = \infty and every \alpha \in [0, 1], with A_k = \sum_{j<k} \alpha^j and
    E_k = \sum_{j \le k} \alpha^{k-j} \varepsilon_j.

    Proof: :math:`\sum_{j<k} \alpha^{k-1-j} v_j` telescopes to :math:`w_{k-1} - \alpha^k w_{-1}`, and :math:`w_{-1} = 0`.
    """
    errors = [e1, e2, e3, e4]
    return summed(ops, m, mdvi(ops, m, K, alpha, Hard(), noisy(ops, m, errors)), errors, alpha)


@twin(sum_of_action_values, why="w_k in the place of w_{k-1}")
def sum_with_the_next(ops: Any, m: Any, e1: Any, e2: Any, e3: Any, e4: Any, alpha: Any) -> Identity:
    errors = [e1, e2, e3, e4]
    return summed(ops, m, mdvi(ops, m, K, alpha, Hard(), noisy(ops, m, errors)), errors, alpha, later=1)


@claim(id="mdvi.C1a", family=SMALL, draws=ERRORS | ALPHA | TAU, source=ALGORITHM, kind="identity")
def soft_sum_of_action_values(ops: Any, m: Any, e1: Any, e2: Any, e3: Any, e4: Any, alpha: Any, tau: Any) -> Identity:
    r"""The same at finite \beta = 1 / \tau.

    Proof: the same; nothing was asked of :math:`w`.
    """
    errors = [e1, e2, e3, e4]
    return summed(ops, m, mdvi(ops, m, K, alpha, Shannon(tau), noisy(ops, m, errors)), errors, alpha)


@twin(soft_sum_of_action_values, why="the sum of the weights is as if alpha were one less step old")
def soft_sum_of_fewer_rewards(ops: Any, m: Any, e1: Any, e2: Any, e3: Any, e4: Any, alpha: Any, tau: Any) -> Identity:
    errors = [e1, e2, e3, e4]
    found = mdvi(ops, m, K, alpha, Shannon(tau), noisy(ops, m, errors))
    E = averaged_errors([m.gamma * e for e in errors], alpha)[-1]
    right = geometric_sum(alpha, K - 1) * m.R + m.gamma * ops.expect(m.P, found.w[K - 1]) + E
    return Identity(found.s[K], right, axes=("s", "a"))


def between(ops: Any, m: Any, found: Iterates, above: Any) -> Inequality:
    """``min q_k <= v_k <= max q_k + above`` for k = 1 ... K, as a distance from the middle."""
    gaps, halves = [], []
    for q, v in zip(found.q[1:], found.v[1:], strict=True):
        low, high = ops.min(q, where=m.mask), ops.max(q, where=m.mask) + above
        gaps.append(ops.abs(v - (low + high) / 2))
        halves.append((high - low) / 2)
    return Inequality(ops.stack(gaps), ops.stack(halves), axes=("k", "s"))


@claim(id="mdvi.C2", family=SMALL, draws=ERRORS | ALPHA, source=ALGORITHM, kind="inequality")
def values_between_action_values(ops: Any, m: Any, e1: Any, e2: Any, e3: Any, e4: Any, alpha: Any) -> Inequality:
    r"""\min_a q_k \le v_k \le \max_a q_k for k = 1, ..., K at \beta = \infty (as |v_k - mid| \le half the range).

    Proof: :math:`s_k = q_k + \alpha s_{k-1}`, so :math:`\max s_k` lies between :math:`\min q_k + \alpha \max s_{k-1}` and
    :math:`\max q_k + \alpha \max s_{k-1}`.
    """
    return between(ops, m, mdvi(ops, m, K, alpha, Hard(), noisy(ops, m, [e1, e2, e3, e4])), 0)


stronger(values_between_action_values, 0.99)


@claim(id="mdvi.C2a", family=SMALL, draws=ERRORS | ALPHA | TAU, source=ALGORITHM, kind="inequality")
def soft_values_between_action_values(
    ops: Any, m: Any, e1: Any, e2: Any, e3: Any, e4: Any, alpha: Any, tau: Any
) -> Inequality:
    r"""\min_a q_k \le v_k \le \max_a q_k + (1-\alpha) \tau \log A(s) at \tau = 1 / \beta, started at w_0 = \tau \log A(s).

    Proof: :math:`v_k = \tau \log \sum_a \pi_{k-1}(a)^\alpha e^{q_k(a)/\tau}`, and :math:`1 \le \sum_a \pi^\alpha \le A^{1-\alpha}`.
    """
    found = mdvi(ops, m, K, alpha, Shannon(tau), noisy(ops, m, [e1, e2, e3, e4]))
    return between(ops, m, found, (1 - alpha) * found.w[0])


@twin(soft_values_between_action_values, why="without the entropy's share (1 - alpha) tau log A")
def soft_values_between_hard_ones(
    ops: Any, m: Any, e1: Any, e2: Any, e3: Any, e4: Any, alpha: Any, tau: Any
) -> Inequality:
    return between(ops, m, mdvi(ops, m, K, alpha, Shannon(tau), noisy(ops, m, [e1, e2, e3, e4])), 0)


@twin(soft_values_between_action_values, why="started at w_0 = 0, which is not the log-sum-exp of s_0 = 0")
def soft_values_from_zero(ops: Any, m: Any, e1: Any, e2: Any, e3: Any, e4: Any, alpha: Any, tau: Any) -> Inequality:
    mean = noisy(ops, m, [e1, e2, e3, e4])
    found = mdvi(ops, m, K, alpha, Shannon(tau), mean, w0=ops.sum(m.R * 0))
    entropy = Shannon(tau).conjugate(ops, m.R * 0, m.mask)
    return between(ops, m, found, (1 - alpha) * entropy)


@claim(
    id="mdvi.C2b",
    family=(families.garnet(3, 2), families.random_masks(4, 3), families.self_loops(2, 2), families.switches(3, 2)),
    draws={"p1": models(), "p2": models(), "p3": models()} | ALPHA,
    assumptions=(discounted,),
    source=ALGORITHM,
    kind="inequality",
    instances=(),
)
def values_within_the_horizon(ops: Any, m: Any, p1: Any, p2: Any, p3: Any, alpha: Any) -> Inequality:
    r"""\|v_k\| \le (1 + \gamma + ... + \gamma^{k-1}) \|R\| \le H \|R\| at \beta = \infty, where each iteration
    averages with any kernel of its own, as samples do.

    Proof: :math:`\|q_{k+1}\| \le \|R\| + \gamma \|v_k\|`, and C2.
    """
    estimates = [p1.P, p2.P, p3.P]
    found = mdvi(ops, m, 3, alpha, Hard(), lambda k, V: ops.expect(estimates[k], V))
    return Inequality(ops.norm(found.v[3]), geometric_sum(m.gamma, 3) * ops.norm(m.R))


stronger(values_within_the_horizon, 0.99)


@claim(
    id="mdvi.C7", family=SMALL, draws=ERRORS | ALPHA | TAU, source="Vieillard et al. 2020, restated", kind="identity"
)
def munchausen_form(ops: Any, m: Any, e1: Any, e2: Any, e3: Any, e4: Any, alpha: Any, tau: Any) -> Identity:
    r"""q^M_k = s_k - \alpha w_{k-1}, k = 1, ..., K: Munchausen value iteration (\alpha, \tau) from q^M_0 = 0 is MDVI
    with \beta = 1 / \tau from w_{-1} = 0 and w_0 = \tau \log A, with the same errors.

    Proof: where it holds for k, the softmax of :math:`q^M_k / \tau` is :math:`\pi_k`, its free energy is :math:`v_k`,
    and :math:`\tau \log \pi_k = s_k - w_k`.
    """
    mean = noisy(ops, m, [e1, e2, e3, e4])
    found = mdvi(ops, m, K, alpha, Shannon(tau), mean)
    left = munchausen(ops, m, K, alpha, Shannon(tau), tau, mean)[0][1:]
    right = [s - ops.where(m.mask, alpha * w[:, None], 0) for s, w in zip(found.s[1:], found.w[:-1], strict=True)]
    return Identity(ops.stack(left), ops.stack(right), axes=("k", "s", "a"))


@twin(munchausen_form, why="started at w_0 = 0")
def munchausen_from_zero(ops: Any, m: Any, e1: Any, e2: Any, e3: Any, e4: Any, alpha: Any, tau: Any) -> Identity:
    mean = noisy(ops, m, [e1, e2, e3, e4])
    found = mdvi(ops, m, K, alpha, Shannon(tau), mean, w0=ops.sum(m.R * 0))
    left = munchausen(ops, m, K, alpha, Shannon(tau), tau, mean)[0][1:]
    right = [s - ops.where(m.mask, alpha * w[:, None], 0) for s, w in zip(found.s[1:], found.w[:-1], strict=True)]
    return Identity(ops.stack(left), ops.stack(right), axes=("k", "s", "a"))


@claim(
    id="mdvi.C7a", family=SMALL, draws=ERRORS | ALPHA | TAU, source="Vieillard et al. 2020, restated", kind="identity"
)
def munchausen_policies(ops: Any, m: Any, e1: Any, e2: Any, e3: Any, e4: Any, alpha: Any, tau: Any) -> Identity:
    r"""The policies are the same: \mathrm{softmax}(q^M_k / \tau) = \pi_k for k = 0, ..., K - 1.

    Proof: C7; a constant in each state does not move a softmax. (So the policies agree from w_0 = 0, too, where all states have
    as many actions and no step ends: what :math:`s_k` lacks is then one constant. Elsewhere it depends on the pair, from k = 1 on.)
    """
    mean = noisy(ops, m, [e1, e2, e3, e4])
    left = munchausen(ops, m, K, alpha, Shannon(tau), tau, mean)[1]
    return Identity(
        ops.stack(left), ops.stack(mdvi(ops, m, K, alpha, Shannon(tau), mean).pi[:-1]), axes=("k", "s", "a")
    )


@twin(munchausen_policies, why="the policies of MDVI one iteration later")
def munchausen_policies_later(ops: Any, m: Any, e1: Any, e2: Any, e3: Any, e4: Any, alpha: Any, tau: Any) -> Identity:
    mean = noisy(ops, m, [e1, e2, e3, e4])
    left = munchausen(ops, m, K, alpha, Shannon(tau), tau, mean)[1]
    return Identity(ops.stack(left), ops.stack(mdvi(ops, m, K, alpha, Shannon(tau), mean).pi[1:]), axes=("k", "s", "a"))
