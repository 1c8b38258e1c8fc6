r"""UCBVI-Ent, part 4: the entropy of empirical distributions, exactly: its expectation over all outcomes of n draws.

:math:`E \mathcal H(\hat p_n) = \sum_i E \phi(N_i / n)` with :math:`\phi(x) = -x \log x` and binomial :math:`N_i`, so that only
marginals are summed. The laws are those of the arms of a bandit.
"""

from __future__ import annotations

from math import comb
from typing import Any

from proofs_check import Identity, Inequality, claim, families, policies, stronger, twin
from proofs_check.claim import all_available
from proofs_check.claims.exploration.fast_entropy_models import PAPER
from tabular.reference import visitation

DRAWS = (1, 2, 3, 5, 8)
LAWS: dict[str, Any] = {
    "family": (families.bandits(2), families.bandits(3), families.bandits(5)),
    "draws": {"p": policies()},
    "assumptions": (all_available,),
    "instances": (),
}


def expected_entropy(ops: Any, p: Any, n: int) -> Any:
    """Mean entropy of the frequencies of n draws from ``p`` (m,): the sum over all counts of each symbol."""
    total = ops.constant(0)
    for k in range(1, n):
        value = -ops.xlogx(ops.constant(k) / n)
        total = total + comb(n, k) * value * ops.sum(p**k * (1 - p) ** (n - k))
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
