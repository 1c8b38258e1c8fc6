r"""Exploration by entropy, part 6: what a model within a divergence of the truth is worth. The lemmas behind RF-Explore-Ent.

The model that a claim is given is the estimate :math:`\hat p`, the truth p lies on the way to another, so that the
divergence :math:`KL(\hat p \| p)` of every row is finite: it stands for :math:`\beta(n)/n`. Two steps.
"""

from __future__ import annotations

from typing import Any

from proofs_check import Inequality, claim, families, models, policies, scalars, twin
from proofs_check.claim import all_available, no_endings
from proofs_check.claims.exploration.fast_entropy_models import PAPER
from proofs_check.claims.exploration.rf_express_errors import divergences, rows, truth
from tabular.reference import visitation
from tabular.regularizers import Shannon

PAIRS: dict[str, Any] = {
    "family": (families.garnet(2, 2), families.resets(3, 2), families.garnet(4, 2)),
    "draws": {"other": models(), "t": scalars(1 / 1024, 0.75)},
    "assumptions": (all_available, no_endings),
    "kind": "inequality",
    "instances": (),
}


def _means(ops: Any, m: Any, other: Any, t: Any, pi: Any, eta: Any, part: Any) -> Inequality:
    """Of a function in [0, 1], the probability of action 0; ``part`` of the constant."""
    Q, V = truth(ops, m, other, t), pi[:, 0]
    hat, true, k = ops.expect(m.P, V), ops.sum(Q * V[None, None, :]), divergences(ops, m, other, t)
    room = part * (1 + eta) * (1 + eta) * k / (2 * eta)
    return Inequality(
        ops.stack([true - (1 + eta) * hat, hat - (1 + eta) * true]), ops.stack([room, room]), axes=("side", "s", "a")
    )


@claim(
    id="fast_entropy.C11a",
    source="ours, for " + PAPER + " (RF-Explore-Ent)",
    **PAIRS | {"draws": PAIRS["draws"] | {"pi": policies(), "eta": scalars(1 / 64, 0.5)}},
)
def means_by_factors(ops: Any, m: Any, other: Any, t: Any, pi: Any, eta: Any) -> Inequality:
    r"""pV \le (1+\eta) \hat pV + \frac{(1+\eta)^2}{2\eta} KL(\hat p \| p) for 0 \le V \le 1, and the same with p and
    \hat p exchanged on the left.

    Attained, in the limit, by rare events. Proof: with :math:`x = \hat pV, y = pV` the divergence is at least that of two
    coins (data processing), which is at least :math:`(x-y)^2 / (2 \max\{x, y\})`. So, for y > x, :math:`y - x \le \sqrt{2yk} \le
    \alpha y + k/(2\alpha)` with :math:`\alpha = \eta/(1+\eta)`; and for x > y likewise.
    """
    return _means(ops, m, other, t, pi, eta, ops.constant(1))


@twin(means_by_factors, why="half of the constant")
def means_by_half(ops: Any, m: Any, other: Any, t: Any, pi: Any, eta: Any) -> Inequality:
    return _means(ops, m, other, t, pi, eta, ops.constant(1) / 2)


def _steps(ops: Any, rewards: Any, P: Any, mask: Any) -> Any:
    """Soft backward induction over two steps, at temperature 1: values of the second, action values and policies of both."""
    reg = Shannon(ops.constant(1))
    last, pi = reg.conjugate(ops, rewards, mask), reg.policy(ops, rewards, mask)
    Q = rewards + ops.sum(P * last[None, None, :])
    return last, [Q, rewards], [reg.policy(ops, Q, mask), pi]


def plug_in(ops: Any, m: Any, other: Any, t: Any) -> tuple[Any, Any]:
    r"""What the policy of the estimates loses of trajectory entropy (S,), the last transition included; and the most that
    :math:`\sum_h g_h^2` is on average, under a policy of one's choice. The loss is a sum of divergences (C7a).
    """
    P, Q = rows(ops, m), truth(ops, m, other, t)
    hat, true = visitation.row_entropy(ops, P), visitation.row_entropy(ops, Q)
    V, _, plan = _steps(ops, hat, P, m.mask)
    _, _, best = _steps(ops, true, Q, m.mask)
    entropies = ops.abs(hat - true)
    means = ops.abs(ops.sum(P * V[None, None, :]) - ops.sum(Q * V[None, None, :]))
    lost, most = None, None
    for pi, star, g in ((plan[1], best[1], entropies), (plan[0], best[0], entropies + means)):
        later = 0 * g if most is None else ops.sum(Q * most[None, None, :])
        most = ops.max(g * g + later)
        after = 0 * g if lost is None else ops.sum(Q * lost[None, None, :])
        lost = ops.relative_entropy(pi, star) + ops.dot(pi, after)
    return lost, most


@claim(id="fast_entropy.C11b", source="ours, for " + PAPER + " (RF-Explore-Ent)", **PAIRS)
def plug_in_gap(ops: Any, m: Any, other: Any, t: Any) -> Inequality:
    r"""V^* - V^{\hat\pi} \le \frac{H(H+1)}{4} \max_\pi E_\pi \sum_h g_h^2 for the soft policy \hat\pi of an estimated model, g =
    |\mathcal H(\hat p) - \mathcal H(p)| + |(\hat p - p) \hat V_{h+1}|. Here H = 2: 3/2.

    Proof: C7, with :math:`e_h = |\hat Q_h - Q^*_h| \le g_h + p \max_a e_{h+1}`, so that :math:`\max_a e_h \le
    \max_\pi E_\pi \sum_{j \ge h} g_j` and its square is at most :math:`(H - h) \max_\pi E_\pi \sum_{j \ge h} g_j^2`;
    the policies up to h and from h on together are one. The sum of 1 ... H, halved.
    """
    lost, most = plug_in(ops, m, other, t)
    return Inequality(lost, 3 * most / 2, axes=("s",))


@twin(plug_in_gap, why="a fiftieth of the constant")
def plug_in_gap_of_less(ops: Any, m: Any, other: Any, t: Any) -> Inequality:
    lost, most = plug_in(ops, m, other, t)
    return Inequality(lost, 3 * most / 100, axes=("s",))


@twin(plug_in_gap, why="cubes in the place of squares: a faster rate")
def plug_in_gap_of_cubes(ops: Any, m: Any, other: Any, t: Any) -> Inequality:
    lost, most = plug_in(ops, m, other, t)
    return Inequality(lost, most * ops.sqrt(most), axes=("s",))


LAWS: dict[str, Any] = {
    "family": (families.bandits(2), families.bandits(3), families.bandits(5)),
    "draws": {"p": policies(), "q": policies()},
    "assumptions": (all_available,),
    "kind": "inequality",
    "instances": (),
}


def _continuity(ops: Any, p: Any, q: Any) -> tuple[Any, Any, Any]:
    """The difference of entropies, Audenaert's bound, and the simpler one."""
    far = ops.sum(ops.abs(p - q)) / 2
    n = ops.constant(p.shape[0])
    coin = -ops.xlogx(far) - ops.xlogx(1 - far)
    apart = ops.abs(visitation.entropy(ops, p) - visitation.entropy(ops, q))
    return apart, far * ops.log(n - 1) + coin, far * ops.log(n) + far - ops.xlogx(far)


@claim(id="fast_entropy.C11d", source="Audenaert 2007, Theorem 1, for distributions", **LAWS)
def entropies_are_close(ops: Any, m: Any, p: Any, q: Any) -> Inequality:
    r"""|\mathcal H(p) - \mathcal H(q)| \le T \log(S-1) + h_2(T) \le T \log(eS/T) for distributions on S symbols at total variation
    T, h_2 the entropy of a coin.

    Proof: couple them so that they differ with probability T (Fano): :math:`\mathcal H(X) \le \mathcal H(Y) + \mathcal H(X | Y)
    \le \mathcal H(Y) + h_2(T) + T \log(S-1)`. And :math:`h_2(T) \le T \log(e/T)`, as :math:`-(1-T) \log(1-T) \le T`.
    """
    apart, sharp, simple = _continuity(ops, p[0], q[0])
    return Inequality(ops.stack([apart, sharp]), ops.stack([sharp, simple]), axes=("bound",))


@twin(entropies_are_close, why="without the entropy of the coin")
def entropies_are_closer(ops: Any, m: Any, p: Any, q: Any) -> Inequality:
    far = ops.sum(ops.abs(p[0] - q[0])) / 2
    return Inequality(_continuity(ops, p[0], q[0])[0], far * ops.log(ops.constant(p.shape[1] - 1)))


@twin(entropies_are_close, why="0.9 of the first bound")
def entropies_are_nearly_so_close(ops: Any, m: Any, p: Any, q: Any) -> Inequality:
    apart, sharp, _ = _continuity(ops, p[0], q[0])
    return Inequality(apart, 9 * sharp / 10)
