r"""UCBVI-Ent, part 4: what n draws say, exactly: expectations over all outcomes, of entropies and of what policies lose.

:math:`E \mathcal H(\hat p_n) = \sum_i E \phi(N_i / n)` with :math:`\phi(x) = -x \log x` and binomial :math:`N_i`, so that only
marginals are summed. The laws are those of the arms of a bandit.
"""

from __future__ import annotations

from fractions import Fraction
from math import comb, isqrt
from typing import Any

from proofs_check import Identity, Inequality, Scaling, claim, families, policies, scalars, stronger, twin
from proofs_check.claim import all_available
from proofs_check.claims.exploration.fast_entropy_models import PAPER, even
from tabular.reference import visitation

DRAWS = (1, 2, 3, 5, 8)
LAWS: dict[str, Any] = {
    "family": (families.bandits(2), families.bandits(3), families.bandits(5)),
    "draws": {"p": policies()},
    "assumptions": (all_available,),
    "instances": (),
}


def _coefficients(n: int) -> list[int]:
    return [comb(n, k) for k in range(n + 1)]


def expected_entropy(ops: Any, p: Any, n: int) -> Any:
    """Mean entropy of the frequencies of n draws from ``p`` (m,): the sum over all counts of each symbol."""
    total = ops.constant(0)
    for k in range(1, n):
        value = -ops.xlogx(ops.constant(k) / n)
        total = total + _coefficients(n)[k] * value * ops.sum(p**k * (1 - p) ** (n - k))
    return total


def _means(ops: Any, p: Any) -> tuple[Any, Any]:
    """Mean entropies for all of DRAWS, and the entropy as often."""
    H = visitation.entropy(ops, p)
    return ops.stack([expected_entropy(ops, p, n) for n in DRAWS]), ops.stack([H] * len(DRAWS))


@claim(id="fast_entropy.C10a", source=PAPER + ", appendix (entropy estimates)", kind="inequality", **LAWS)
def biased_low(ops: Any, m: Any, p: Any) -> Inequality:
    r"""E \mathcal H(\hat p_n) \le \mathcal H(p): the plug-in entropy is biased low. n = 1 ... 8.

    Proof: Jensen's inequality.
    """
    mean, H = _means(ops, p[0])
    return Inequality(mean, H, axes=("n",), quotient=False)


@twin(biased_low, why="unbiased")
def unbiased(ops: Any, m: Any, p: Any) -> Identity:
    mean, H = _means(ops, p[0])
    return Identity(mean, H, axes=("n",))


@claim(id="fast_entropy.C10b", source=PAPER + ", appendix (entropy estimates)", kind="inequality", **LAWS)
def bias_bound(ops: Any, m: Any, p: Any) -> Inequality:
    r"""\mathcal H(p) - E \mathcal H(\hat p_n) \le \log(1 + (m-1)/n) for m symbols; with equality for the uniform law and n = 1.

    Proof: the bias is :math:`E\,KL(\hat p_n \| p) \le E \log(1 + \chi^2) \le \log(1 + E \chi^2)`, where :math:`\chi^2
    = \sum_i (\hat p_i - p_i)^2 / p_i` has the mean :math:`(m-1)/n`.
    """
    mean, H = _means(ops, p[0])
    return Inequality(H - mean, _bounds(ops, p.shape[1]), axes=("n",))


def _bounds(ops: Any, symbols: int) -> Any:
    return ops.stack([ops.log(1 + ops.constant(symbols - 1) / n) for n in DRAWS])


stronger(bias_bound, 0.99)


@twin(bias_bound, why="the leading term of the expansion, (m-1)/(2n): too little where draws are few")
def leading_term(ops: Any, m: Any, p: Any) -> Inequality:
    mean, H = _means(ops, p[0])
    half = ops.stack([ops.constant(p.shape[1] - 1) / (2 * n) for n in DRAWS])
    return Inequality(H - mean, half, axes=("n",))


SAMPLES = (4, 8, 12, 20)
SQUARES = (4, 16, 36, 64)
ARMS: dict[str, Any] = {
    "family": even(),
    "draws": {"c": scalars(0.25, 1.0)},
    "source": PAPER + ", section 4 (fast rates), for two arms and n draws of each",
    "kind": "rate",
    "instances": (),
}


def _binomial(ops: Any, p: Any, n: int) -> Any:
    """Probabilities (n + 1,) of the counts of n draws."""
    k = ops.array(list(range(n + 1)), 1)
    logs = k * ops.log(p) + (n - k) * ops.log(1 - p)
    return ops.array(_coefficients(n), 1) * ops.exp(logs)


def _expected(ops: Any, lead: Any, n: int, loss: Any) -> Any:
    """Mean of a loss (n + 1, n + 1) over the counts of two arms, of chances 1/2 + lead and 1/2."""
    half = ops.constant(Fraction(1, 2))
    first, second = _binomial(ops, half + lead, n), _binomial(ops, half, n)
    return ops.dot(first, ops.dot(loss, second[None, :]))


def _soft(ops: Any, c: Any, n: int) -> Any:
    """What the softmax of the frequencies loses of reward plus entropy, beside that of the chances: a divergence."""
    found = [[[Fraction(i, n), Fraction(j, n)] for j in range(n + 1)] for i in range(n + 1)]
    true = ops.stack([ops.constant(Fraction(1, 2)) + c / 4, 0 * c + Fraction(1, 2)])
    loss = ops.relative_entropy(ops.gibbs(ops.array(found, 3), 1), ops.gibbs(true, 1)[None, None, :])
    return _expected(ops, c / 4, n, loss)


def _root(n: int) -> int:
    return isqrt(n)


def _wrong(n: int) -> list[list[Fraction]]:
    """One where the second arm has more, a half where both have as many."""
    return [[Fraction((i < j) + (i <= j), 2) for j in range(n + 1)] for i in range(n + 1)]


def _greedy(ops: Any, c: Any, n: int) -> Any:
    """What the better frequency loses, a tie half, where the better arm leads by c / (2 sqrt n): the worst case for n draws."""
    lead = c / (2 * _root(n))
    return lead * _expected(ops, lead, n, ops.array(_wrong(n), 2))


@claim(id="fast_entropy.C9a", **ARMS)
def soft_samples(ops: Any, m: Any, c: Any) -> Scaling:
    r"""With n draws of each of two arms the plug-in softmax policy loses of the order of 1/n: n = 4 ... 20, all outcomes.

    Proof: C7, and the variance of a frequency; here by computation.
    """
    return Scaling(list(map(float, SAMPLES)), [_soft(ops, c, n) for n in SAMPLES], -1.1, -0.9)


@twin(soft_samples, why="the rate -1/2 of greedy policies")
def soft_samples_as_greedy(ops: Any, m: Any, c: Any) -> Scaling:
    return Scaling(list(map(float, SAMPLES)), [_soft(ops, c, n) for n in SAMPLES], -0.6, -0.4)


@claim(id="fast_entropy.C9b", **ARMS)
def greedy_samples(ops: Any, m: Any, c: Any) -> Scaling:
    r"""Without entropy the greedy plug-in policy loses of the order of n^{-1/2} where the action gap is of that
    order: n = 4 ... 64, all outcomes.

    Proof: the wrong arm is chosen with a probability that tends to that of a Gaussian, between 0 and 1/2.
    """
    return Scaling(list(map(float, SQUARES)), [_greedy(ops, c, n) for n in SQUARES], -0.6, -0.4)


@twin(greedy_samples, why="the rate -1 of softmax policies")
def greedy_samples_as_soft(ops: Any, m: Any, c: Any) -> Scaling:
    return Scaling(list(map(float, SQUARES)), [_greedy(ops, c, n) for n in SQUARES], -1.1, -0.9)
