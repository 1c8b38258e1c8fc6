r"""SoftRobust, part 6: RFZI from draws (C8). One data set of N draws from each pair; its fixed point is the optimal
risk value of the estimated model.
"""

from __future__ import annotations

from math import comb
from typing import Any

from proofs_check import Inequality, Scaling, Trial, claim, families, scalars, streams, twin
from proofs_check.claim import discounted
from proofs_check.claims.planning import soft_robust_runs as runs
from tabular.reference import risk as robust
from tabular.risk import Entropic

SOURCE = "ours, after Zhang, Hu and Li 2024, the sample complexity of RFZI"
DRAWS = (16, 32, 64, 128)


def _ways(N: int) -> list[int]:
    """Binomial coefficients."""
    return [comb(N, i) for i in range(N + 1)]


def _error(ops: Any, beta: Any, chance: Any, N: int) -> Any:
    """Root mean square of log Z / beta for N draws of a successor worth 1 with a chance, else 0: a sum over the binomial law."""
    k = ops.array(list(range(N + 1)), 1)
    ways = ops.array(_ways(N), 1)
    law = ops.exp(ops.log(ways) + k * ops.log(chance) + (N - k) * ops.log(1 - chance))
    down = ops.exp(-beta) - 1
    off = (ops.log(1 + k / N * down) - ops.log(1 + chance * down)) / beta
    return ops.sqrt(ops.dot(law, off * off))


def _rate(ops: Any, beta: Any, chance: Any, low: float, high: float) -> Scaling:
    return Scaling(DRAWS, [_error(ops, beta, chance, N) for N in DRAWS], low, high)


RATE: dict[str, Any] = {
    "family": families.bandits(2),
    "draws": {"beta": scalars(0.125, 1.0), "chance": scalars(0.25, 0.75)},
    "source": SOURCE,
    "kind": "rate",
    "instances": (),
}


@claim(id="soft_robust.C8a", **RATE)
def rate_in_draws(ops: Any, m: Any, beta: Any, chance: Any) -> Scaling:
    r"""The root mean square error of \log \hat Z / \beta falls as N^{-1/2} with the draws: exact second moments where
    the successor is worth 1 or 0, N = 16 ... 128.

    Proof: the delta method; \hat Z is a mean of N independent terms.
    """
    return _rate(ops, beta, chance, -0.55, -0.45)


@twin(rate_in_draws, why="exponent -1")
def fast_rate_in_draws(ops: Any, m: Any, beta: Any, chance: Any) -> Scaling:
    return _rate(ops, beta, chance, -1.05, -0.95)


@twin(rate_in_draws, why="exponent -1/3")
def slow_rate_in_draws(ops: Any, m: Any, beta: Any, chance: Any) -> Scaling:
    return _rate(ops, beta, chance, -0.38, -0.28)


DELTA = 0.05
N = 64
GARNETS = families.garnet(3, 2, gamma=(0.5, 0.75))


def _deviation(ops: Any, m: Any, beta: Any, rng: Any) -> tuple[Any, Any, Any]:
    """Error of the fixed point, ``span(V*)`` with the end's 0, and ``log(2 S A / delta) / (2 N)``."""
    V = robust.optimal_value(ops, m, ops.successors(m), Entropic(beta))
    found = ops.array(runs.estimated_values(m.source, rng, N, ops.midpoint(beta)), 1)
    span = ops.maximum(ops.max(V), 0) - ops.minimum(ops.min(V), 0)
    return ops.norm(found - V), span, ops.log(ops.constant(2 * m.S * m.A / DELTA)) / (2 * N)


@claim(
    id="soft_robust.C8b",
    family=(GARNETS, families.random_endings(3, 2, gamma=(0.5, 0.75))),
    draws={"beta": scalars(0.125, 1.0), "rng": streams()},
    assumptions=(discounted,),
    source=SOURCE,
    kind="probability",
    instances=(),
    least=1000,
)
def estimates_concentrate(ops: Any, m: Any, beta: Any, rng: Any) -> Trial:
    r"""With probability 1 - \delta RFZI's fixed point errs by at most \gamma (e^{\beta span} - 1) / (\beta
    (1-\gamma)) \sqrt{\log(2 S A / \delta) / (2 N)}, with the span of \tilde V^* and the end's 0. Here N = 64, \delta
    = 1/20.

    Proof: Hoeffding's inequality for :math:`e^{-\beta \tilde V^*}`, a function that no draw depends on, in each pair;
    :math:`|\log \hat Z - \log Z| \le |\hat Z - Z| / \min`; and :math:`\|\hat V - \tilde V^*\| \le \|\hat T \tilde V^*
    - \tilde V^*\| / (1-\gamma)`.
    """
    error, span, rate = _deviation(ops, m, beta, rng)
    constant = m.gamma * (ops.exp(beta * span) - 1) / (beta * (1 - m.gamma))
    return Trial(Inequality(error, constant * ops.sqrt(rate)), delta=DELTA)


@twin(estimates_concentrate, why="rate 1 / N", family=GARNETS)
def estimates_concentrate_fast(ops: Any, m: Any, beta: Any, rng: Any) -> Trial:
    error, span, rate = _deviation(ops, m, beta, rng)
    constant = m.gamma * (ops.exp(beta * span) - 1) / (beta * (1 - m.gamma))
    return Trial(Inequality(error, constant * rate / 8), delta=DELTA)
