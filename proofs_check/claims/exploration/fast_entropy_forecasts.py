r"""EntGame, part 2: what add-one forecasts lose, for all T of HORIZONS."""

from __future__ import annotations

from math import comb
from typing import Any

from proofs_check import Inequality, claim, deterministic_policies, families, policies, stronger, twin
from proofs_check.claim import all_available
from proofs_check.claims.exploration.fast_entropy_models import PAPER
from tabular.reference import visitation

HORIZONS = (2, 4, 8, 16)
CYCLE = 4  # outcomes are repeated with this period
SYMBOLS = (families.bandits(2), families.bandits(3), families.bandits(5))
OUTCOMES: dict[str, Any] = {f"d{k}": policies() for k in range(CYCLE)}
CERTAIN: dict[str, Any] = {f"d{k}": deterministic_policies() for k in range(CYCLE)}
FORECASTS: dict[str, Any] = {"family": SYMBOLS, "assumptions": (all_available,), "instances": ()}


def _regrets(ops: Any, outcomes: list[Any]) -> Any:
    """Loss of the add-one forecaster less the entropy of the mean outcome, times T, for all T of HORIZONS."""
    size = outcomes[0].shape[0]
    counts, loss, found = 0 * outcomes[0], ops.constant(0), []
    for t in range(HORIZONS[-1]):
        d = outcomes[t % CYCLE]
        loss = loss - ops.dot(d, ops.log(visitation.forecast(counts, t, size)))
        counts = counts + d
        found.append(loss - (t + 1) * visitation.entropy(ops, counts / (t + 1)))
    return ops.stack([found[T - 1] for T in HORIZONS])


def _coefficient(T: int, m: int) -> int:
    return comb(T + m - 1, m - 1)


def _sum_bound(ops: Any, m: Any, T: Any) -> Any:
    """m log(1 + T/m) + T log(1 + m/T)."""
    n, k = ops.constant(m), ops.constant(T)
    return n * ops.log(1 + k / n) + k * ops.log(1 + n / k)


@claim(id="fast_entropy.C4", draws=OUTCOMES, source="ours, for " + PAPER + " (EntGame)", kind="inequality", **FORECASTS)
def add_one(ops: Any, m: Any, d0: Any, d1: Any, d2: Any, d3: Any) -> Inequality:
    r"""Add-one forecasts of m symbols lose \sum_t \langle d^t, \log(1/q^t) \rangle - T \mathcal H(\bar d_T) \le m \log(1+T/m) + T
    \log(1+m/T) \le m (1 + \log(1+T/m)) more than the mean outcome, for outcomes d^t in the simplex.

    Proof: the loss is :math:`\sum_t \log(t-1+m) - \sum_a \sum_t d^t(a) \log(1+n^{t-1}(a))`. As :math:`d^t \le 1`, the inner sum
    is at least :math:`\int_0^{n^T(a)} \log u\,du = n \log n - n`; these add up to :math:`-T \mathcal H(\bar d) + T \log T - T`. And
    :math:`\sum_t \log(t-1+m) \le \int_m^{T+m} \log u\,du = (T+m) \log(T+m) - m \log m - T`. Last, :math:`\log(1+x) \le x`.
    """
    outcomes = [d[0] for d in (d0, d1, d2, d3)]
    size = outcomes[0].shape[0]
    return Inequality(_regrets(ops, outcomes), ops.stack([_sum_bound(ops, size, T) for T in HORIZONS]), axes=("T",))


stronger(add_one, 0.5)


@twin(add_one, why="the rate (m-1)/2 log T + log m of add-half forecasts")
def add_one_as_half(ops: Any, m: Any, d0: Any, d1: Any, d2: Any, d3: Any) -> Inequality:
    outcomes = [d[0] for d in (d0, d1, d2, d3)]
    size = ops.constant(outcomes[0].shape[0])
    rates = [(size - 1) / 2 * ops.log(ops.constant(T)) + ops.log(size) for T in HORIZONS]
    return Inequality(_regrets(ops, outcomes), ops.stack(rates), axes=("T",))


@claim(
    id="fast_entropy.C4a", draws=OUTCOMES, source="ours, for " + PAPER + " (EntGame)", kind="inequality", **FORECASTS
)
def add_one_sharply(ops: Any, m: Any, d0: Any, d1: Any, d2: Any, d3: Any) -> Inequality:
    r"""They lose at most \log \binom{T+m-1}{m-1} more, for outcomes in the simplex, too.

    Sharper than C4. Proof: :math:`\log \Gamma` being convex, :math:`\log \Gamma(n+1+x) - \log \Gamma(n+1) \le x
    \log(n+1)` for :math:`0 \le x \le 1`, so that the loss is at most :math:`\log \Gamma(T+m) - \log \Gamma(m) -
    \sum_a \log \Gamma(n_a+1)`. And :math:`\phi(x) = \log \Gamma(x+1) - x \log x` is concave, for :math:`\psi'(x+1) <
    1/x`, with :math:`\phi(0) = 0`, hence subadditive: :math:`\log \Gamma(T+1) - \sum_a \log \Gamma(n_a+1) \le T
    \mathcal H(n/T)`.
    """
    return _coefficients(ops, [d[0] for d in (d0, d1, d2, d3)])


def _coefficients(ops: Any, outcomes: list[Any]) -> Inequality:
    size = outcomes[0].shape[0]
    logs = [ops.log(ops.constant(_coefficient(T, size))) for T in HORIZONS]
    return Inequality(_regrets(ops, outcomes), ops.stack(logs), axes=("T",))


stronger(add_one_sharply, 0.8)


@claim(id="fast_entropy.C4b", draws=CERTAIN, source="ours, for " + PAPER + " (EntGame)", kind="inequality", **FORECASTS)
def add_one_of_symbols(ops: Any, m: Any, d0: Any, d1: Any, d2: Any, d3: Any) -> Inequality:
    r"""Where outcomes are symbols the bound \log \binom{T+m-1}{m-1} is attained: where one symbol always comes.

    Proof: the loss is :math:`\log \binom{T+m-1}{m-1}` and the logarithm of a multinomial coefficient, which is at most
    :math:`T \mathcal H(n/T)` and vanishes for a single symbol.
    """
    return _coefficients(ops, [d[0] for d in (d0, d1, d2, d3)])


stronger(add_one_of_symbols, 0.99)
