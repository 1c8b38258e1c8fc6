r"""MDVI, part 4: its rates, from exact second moments: no run is sampled.

One state that pays 1 a step and stays with probability :math:`p = 1 - c/H`, else the process ends, worth nothing;
:math:`\gamma = 1 - 1/H` and c is drawn from [1/4, 1]. This is the chain of Azar, Munos and Kappen (2013), whose c is
1/3 up to a factor :math:`\gamma`: no method estimates its value better than :math:`H^{3/2} N^{-1/2}`. With one action
:math:`w_k = s_k`, so :math:`v_{k+1} = 1 + \gamma (p + \xi_k) v_k` and :math:`s_{k+1} = v_{k+1} + \alpha s_k`, where
the :math:`\xi_k` are independent, of mean zero and variance :math:`p (1-p) / M`. So

.. math:: y_{k+1} = (F + \xi_k G) y_k, \qquad E y_{k+1} y_{k+1}^\top = F (E y_k y_k^\top) F^\top + \frac{p (1-p)}{M} G
(E y_k y_k^\top) G^\top

for :math:`y_k = (x_k, v_k, 1)`, with :math:`x_k` the sum :math:`s_k` or the averaged error :math:`E_{k+1} = \alpha
E_k + \gamma \xi_k v_k`. K is a power of two, and the map of second moments is squared. The models that claims are
given play no part.
"""

from __future__ import annotations

from typing import Any

from proofs_check import Scaling, claim, families, scalars, twin
from proofs_check.claims.planning.mdvi_sampling import THEOREM

CHAIN: dict[str, Any] = {
    "family": families.bandits(2),
    "draws": {"c": scalars(0.25, 1.0)},
    "kind": "rate",
    "instances": (),
}


def _matrix(ops: Any, rows: list[list[Any]]) -> Any:
    return ops.stack([ops.stack([ops.constant(x) for x in row]) for row in rows])


PAIRS = ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))  # entries of a symmetric matrix
PLACES = [sorted({(i, j), (j, i)}) for i, j in PAIRS]  # where each of them stands


def _both(F: Any, G: Any) -> Any:
    """The map X -> F X G^T, as its coefficients [i, j, k, l]."""
    return F[:, None, :, None] * G[None, :, None, :]


def _on_pairs(ops: Any, T: Any) -> Any:
    """A map of symmetric matrices by its coefficients on ``PAIRS``: [ij, st]."""
    rows = [[ops.sum(ops.stack([T[i, j, s, t] for s, t in places])) for places in PLACES] for i, j in PAIRS]
    return ops.stack([ops.stack(row) for row in rows])


def _squared(ops: Any, T: Any) -> Any:
    """The map twice."""
    return ops.sum(T[:, :, None] * T[None, :, :], axis=-2)


def moments(ops: Any, c: Any, H: float, M: float, alpha: float, doublings: int, entering: int) -> tuple[Any, Any]:
    """E y y^T on ``PAIRS`` after ``2**doublings`` iterations from y = (0, 0, 1), and the value of the state.

    entering : 1 where x is the sum, which takes all of v, 0 where it is the error, which takes its noise alone.
    """
    gamma, p = 1 - 1 / ops.constant(H), 1 - c / ops.constant(H)
    spread = ops.sqrt(p * (1 - p) / ops.constant(M))
    F = _matrix(ops, [[alpha, entering * gamma * p, entering], [0, gamma * p, 1], [0, 0, 1]])
    G = _matrix(ops, [[0, gamma * spread, 0], [0, gamma * spread, 0], [0, 0, 0]])
    T = _on_pairs(ops, _both(F, F) + _both(G, G))
    T = ops.fori(doublings, lambda _, power: _squared(ops, power), T)
    return T[:, 5], 1 / (1 - gamma * p)


def _estimate_error(ops: Any, c: Any, H: float, M: float, alpha: float, doublings: int) -> Any:
    """Root mean square of ``s_K / A_K - V``."""
    X, V = moments(ops, c, H, M, alpha, doublings, entering=1)
    a = ops.constant(alpha)
    A = (1 - a ** (2**doublings)) / (1 - a)
    return ops.sqrt(X[0] / (A * A) - 2 * V * X[2] / A + V * V)


DRAWS = [4.0, 8.0, 16.0, 32.0, 64.0]


def _over_draws(ops: Any, c: Any, low: float, high: float) -> Scaling:
    return Scaling(DRAWS, [_estimate_error(ops, c, 8.0, M, 7 / 8, 7) for M in DRAWS], low, high)


@claim(id="mdvi.C5b", source=THEOREM, **CHAIN)
def rate_in_draws(ops: Any, m: Any, c: Any) -> Scaling:
    r"""The root mean square error of w_K / A_K falls as N^{-1/2} with the number of draws, at \alpha = \gamma: H = 8,
    K = 128, M = 4 ... 64.

    Proof: here by computation; to first order the error is a sum of the effects of independent draws.
    """
    return _over_draws(ops, c, -0.55, -0.45)


@twin(rate_in_draws, why="exponent -1")
def fast_rate_in_draws(ops: Any, m: Any, c: Any) -> Scaling:
    return _over_draws(ops, c, -1.05, -0.95)


@twin(rate_in_draws, why="exponent -1/3")
def slow_rate_in_draws(ops: Any, m: Any, c: Any) -> Scaling:
    return _over_draws(ops, c, -0.38, -0.28)


def _over_horizons(ops: Any, c: Any, low: float, high: float) -> Scaling:
    """All with 2^17 draws."""
    x = [16.0, 32.0, 64.0, 128.0]
    y = [_estimate_error(ops, c, H, 2**17 / (16 * H), 1 - 1 / H, 4 + i) for i, H in zip((4, 5, 6, 7), x, strict=True)]
    return Scaling(x, y, low, high)


@claim(id="mdvi.C5c", source=THEOREM, **CHAIN)
def rate_in_horizon(ops: Any, m: Any, c: Any) -> Scaling:
    r"""The root mean square error of w_K / A_K grows as H^{3/2} for a fixed number of draws, at \alpha = \gamma and K
    = 16 H: H = 16 ... 128.

    Proof: here by computation. So N of the order H^3 / \varepsilon^2 gives an error \varepsilon, as Theorem 1 says.
    """
    return _over_horizons(ops, c, 1.4, 1.6)


@twin(rate_in_horizon, why="H^2: as Hoeffding's inequality for the whole horizon has it")
def slow_rate_in_horizon(ops: Any, m: Any, c: Any) -> Scaling:
    return _over_horizons(ops, c, 1.9, 2.1)


@twin(rate_in_horizon, why="H: less than the lower bound")
def fast_rate_in_horizon(ops: Any, m: Any, c: Any) -> Scaling:
    return _over_horizons(ops, c, 0.9, 1.1)


def _slow_average(ops: Any, c: Any, low: float, high: float) -> Scaling:
    """All with 2^22 draws."""
    x = [16.0, 16 * 2**0.5, 32.0, 32 * 2**0.5, 64.0]
    y = [_estimate_error(ops, c, H, 1024.0 / 2**i, 1 - 1 / H**2, 12 + i) for i, H in enumerate(x)]
    return Scaling(x, y, low, high)


@claim(id="mdvi.C6b", source="Kozuno et al. 2022, Theorem 2", **CHAIN)
def rate_of_the_slow_average(ops: Any, m: Any, c: Any) -> Scaling:
    r"""The same at \alpha = 1 - (1-\gamma)^2, which Theorem 2 has for the last policy, and K = 16 H^2: H = 16 ... 64.

    Proof: here by computation.
    """
    return _slow_average(ops, c, 1.4, 1.6)


@twin(rate_of_the_slow_average, why="H^2")
def slow_rate_of_the_slow_average(ops: Any, m: Any, c: Any) -> Scaling:
    return _slow_average(ops, c, 1.9, 2.1)


def _averaging(ops: Any, c: Any, low: float, high: float) -> Scaling:
    x = [8.0, 16.0, 32.0, 64.0, 128.0]
    roots = [ops.sqrt(moments(ops, c, 8.0, 1.0, 1 - 1 / n, 10, entering=0)[0][0]) / n for n in x]
    return Scaling(x, roots, low, high)


@claim(id="mdvi.C4a", source="ours, after " + THEOREM, **CHAIN)
def averaging_gain(ops: Any, m: Any, c: Any) -> Scaling:
    r"""The root mean square of (1-\alpha) E_K is of order (1-\alpha)^{1/2}: averaging divides the error of an
    iteration by the root of the number of iterations averaged. Here 1 / (1-\alpha) = 8 ... 128, K = 1024, M = 1, H =
    8.

    Proof: :math:`E E_K^2 = \sum_j \alpha^{2(K-j)} E \varepsilon_j^2`, errors being uncorrelated; so it is between constants times
    :math:`1 / (1 - \alpha^2)`.
    """
    return _averaging(ops, c, -0.55, -0.45)


@twin(averaging_gain, why="exponent 1: as if errors of different iterations cancelled")
def averaging_gain_of_order_one(ops: Any, m: Any, c: Any) -> Scaling:
    return _averaging(ops, c, -1.05, -0.95)


@twin(averaging_gain, why="exponent 0: as if they did not average at all")
def averaging_gain_of_order_zero(ops: Any, m: Any, c: Any) -> Scaling:
    return _averaging(ops, c, -0.05, 0.05)
