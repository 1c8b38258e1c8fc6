r"""Best of n: draw n outcomes from a reference law and keep the one of highest reward.

Outcomes are the arms of a bandit in the order of their rewards, which are distinct; ``p`` is the reference law, a policy of its one
state. With :math:`F(y) = \sum_{z \le y} p(z)`, :math:`F^-(y) = F(y) - p(y)` and
:math:`H_n(a, b) = \sum_{j<n} a^j b^{n-1-j}` the law is
:math:`\pi_n(y) = F(y)^n - F^-(y)^n = p(y) H_n(F(y), F^-(y))`, of which nothing cancels.
"""

from __future__ import annotations

from typing import Any

from proofs_check import Inequality, claim, families, policies, twin
from proofs_check.claim import all_available
from proofs_check.draws import integers

DIGITS = 7
MOST = 64  # the largest n
LAWS = (families.bandits(2), families.bandits(3), families.bandits(5), families.bandits(8))
DRAWN = {"p": policies(interior=True), "n": integers(2, MOST)}  # at n = 1, or a single outcome, both sides vanish


def _digits(ops: Any, n: Any) -> Any:
    """The binary digits of the integer n, the leading one first: exactly zeros and ones in every arithmetic."""
    each = ops.maximum(0, 1 - 2 * ops.abs(n - ops.array(list(range(1, MOST + 1)), 1)))  # one where it is n
    table = ops.array([[k >> (DIGITS - 1 - i) & 1 for k in range(1, MOST + 1)] for i in range(DIGITS)], 2)
    rough = ops.dot(table, each[None, :])
    return ops.maximum(0, ops.minimum(1, 2 * rough - 0.5))


def _before(size: int, own: int) -> list[list[int]]:
    """Row y has ones at the outcomes before y, and at y itself where ``own`` is 1."""
    return [[1] * (y + own) + [0] * (size - y - own) for y in range(size)]


def _cumulative(ops: Any, p: Any, own: int) -> Any:
    """Sums of p over the outcomes before each one, and over itself where ``own`` is 1."""
    return ops.dot(p[None, :], ops.array(_before(p.shape[0], own), 2))


def _powers(ops: Any, n: Any, a: Any, b: Any) -> tuple[Any, Any]:
    r""":math:`H_n(a, b)` and :math:`a^n`, of which nothing cancels.

    By :math:`H_{2k} = H_k (a^k + b^k)` and :math:`H_{k+1} = a H_k + b^k`.
    """
    digits = _digits(ops, n)

    def step(i: int, state: Any) -> Any:
        H, A, B = state
        H, A, B = H * (A + B), A * A, B * B
        one = digits[i]
        return one * (a * H + B) + (1 - one) * H, one * A * a + (1 - one) * A, one * B * b + (1 - one) * B

    H, A, _ = ops.fori(DIGITS, step, (a * 0, a * 0 + 1, b * 0 + 1))
    return H, A


def _homogeneous(ops: Any, n: Any, p: Any) -> Any:
    r""":math:`H_n(F, F^-) = \pi_n / p`."""
    return _powers(ops, n, _cumulative(ops, p, 1), _cumulative(ops, p, 0))[0]


def _never(ops: Any, n: Any, p: Any) -> Any:
    r""":math:`(1-\varepsilon)^n (\log n + (n-1) \log(1-\varepsilon) - (n-1)/n)`, zero at :math:`\varepsilon = 1`."""
    missed = _powers(ops, n, 1 - p, p * 0 + 1)[1]
    return missed * (ops.log(n) - (n - 1) / n) + (n - 1) / n * ops.xlogx(missed)


def _once(ops: Any, n: Any, p: Any) -> Any:
    r""":math:`(1 - (1-\varepsilon)^n) \log((1 - (1-\varepsilon)^n) / \varepsilon)`, where the quotient is a geometric sum."""
    return p * ops.xlogx(_powers(ops, n, 1 - p, p * 0 + 1)[0])


def _law(ops: Any, n: Any, p: Any) -> Any:
    r""":math:`\pi_n`."""
    return p * _homogeneous(ops, n, p)


def estimate(ops: Any, n: Any, p: Any) -> Any:
    r""":math:`E_{\pi_n} \hat D(p(y))`, as the paper has it."""
    return ops.dot(_law(ops, n, p), _never(ops, n, p) + _once(ops, n, p))


def divergence(ops: Any, n: Any, p: Any) -> Any:
    r""":math:`KL(\pi_n \| p) = \sum_y p(y) H \log H`."""
    return ops.dot(p, ops.xlogx(_homogeneous(ops, n, p)))


@claim(
    id="best_of_n.C7",
    family=LAWS,
    draws=DRAWN,
    assumptions=(all_available,),
    source="Beirami et al. 2025, Conjecture 4.4 (open)",
    kind="inequality",
    instances=(),
)
def estimator(ops: Any, m: Any, p: Any, n: Any) -> Inequality:
    r"""KL(\pi_n \| p) \le E_{\pi_n} \hat D(p(y)) with \hat D(\varepsilon) = (1-\varepsilon)^n (\log n + (n-1) \log(1-\varepsilon)
    - (n-1)/n) + (1-(1-\varepsilon)^n) \log((1-(1-\varepsilon)^n) / \varepsilon).

    Open: here for at most eight outcomes and n up to 64. For a fixed law and growing n the sides agree to ever more digits, so that
    their ratio says nothing; what they share is taken away. With :math:`G = (1 - (1-\varepsilon)^n) / \varepsilon \ge H_n` and
    :math:`L` the bracket after :math:`(1-\varepsilon)^n`, the difference of the sides is that of
    :math:`E (1-\varepsilon)^n (\log G - L) \le E \log(G / H_n)`, neither of which is negative.
    """
    p = p[0]
    H = _homogeneous(ops, n, p)
    G, missed = _powers(ops, n, 1 - p, p * 0 + 1)
    log_G = ops.log(G)
    lost = missed * log_G - _never(ops, n, p)
    return Inequality(ops.dot(p * H, lost), ops.dot(p, H * log_G - ops.xlogx(H)))


@twin(estimator, why="without the second term, which is all that is left for likely outcomes")
def estimator_without_second_term(ops: Any, m: Any, p: Any, n: Any) -> Inequality:
    return Inequality(divergence(ops, n, p[0]), ops.dot(_law(ops, n, p[0]), _never(ops, n, p[0])))


@twin(estimator, why="the wrong way round")
def estimator_reversed(ops: Any, m: Any, p: Any, n: Any) -> Inequality:
    return Inequality(estimate(ops, n, p[0]), divergence(ops, n, p[0]))


@twin(estimator, why="the estimator for one draw less")
def estimator_of_one_draw_less(ops: Any, m: Any, p: Any, n: Any) -> Inequality:
    fewer = ops.maximum(1, n - 1)
    found = ops.dot(_law(ops, n, p[0]), _never(ops, fewer, p[0]) + _once(ops, fewer, p[0]))
    return Inequality(divergence(ops, n, p[0]), found)
