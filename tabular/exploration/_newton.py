r"""Newton's method for the dual of the largest visitation entropy.

The dual function is :math:`D(V) = \rho V_0 + \sum_h \log \sum e^{g_h}`, :math:`g_h = P_h V_{h+1} - V_h` over the
pairs that can be met (``visitation.dual``); its minimum is the largest visitation entropy. With :math:`d_h` the
softmax of :math:`g_h` its gradient in :math:`V_{h+1}` is what flows in less what flows out, :math:`P_h^\top d_h -
E^\top d_{h+1}`. Adding a constant to a :math:`V_h` changes nothing; constants are chosen so that every sum is one.
Then :math:`\rho V_0 + \sum_h (\sum e^{g_h} - 1)` has the same value, gradient and minimisers, and its Hessian
:math:`\sum_h (P_h - E)^\top \mathrm{diag}(d_h) (P_h - E)` is block tridiagonal: a block for each step, of the states
that can be met there. Steps are shortened until D falls. Where probabilities :math:`d_h` do not flow, the policy
:math:`\pi_h \propto d_h` does, so every iterate has a lower bound, too.

Cost of an iteration: a Cholesky factor for each step, O(sum of n_h^3), memory O(sum of n_h^2).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tabular.exploration._layers import Layers

WARM = 30  # rounds of the soft game before Newton's steps
SUFFICIENT = 1e-4  # Armijo
RIDGE = 2.0**-43  # relative, of the diagonal
SMALLEST_STEP = 2.0**-30


def exponents(layers: Layers, V: list[np.ndarray]) -> list[np.ndarray]:
    """``P_h V_{h+1} - V_h`` for each pair."""
    return [layers.expected(h, V) - V[h][layers.owner[h]] for h in range(layers.H)]


def normalised(layers: Layers, V: list[np.ndarray]) -> list[np.ndarray]:
    """With constants added, so that every ``sum exp(P_h V_{h+1} - V_h)`` is one."""
    V = list(V)
    for h in reversed(range(layers.H)):
        x = layers.expected(h, V) - V[h][layers.owner[h]]
        V[h] = V[h] + x.max() + np.log(np.exp(x - x.max()).sum())
    return V


def warm_start(layers: Layers) -> list[np.ndarray]:
    """Values after some rounds of soft responses to what was visited, the later rounds with more weight."""
    V: list[np.ndarray] = [np.empty(0)] * layers.H
    pi = [1.0 / np.bincount(owner)[owner] for owner in layers.owner]
    mean = layers.flow(pi)
    for k in range(WARM):
        for h in reversed(range(layers.H)):
            total, log_pi = layers.softmax(h, layers.expected(h, V))
            V[h], pi[h] = total - np.log(np.maximum(layers.at_states(h, mean[h]), 1e-300)), np.exp(log_pi)
        weight = 2.0 / (k + 3.0)
        mean = [(1.0 - weight) * x + weight * y for x, y in zip(mean, layers.flow(pi), strict=True)]
    return normalised(layers, V)


def policy(layers: Layers, g: list[np.ndarray]) -> list[np.ndarray]:
    """The conditional probabilities of ``exp(g)``."""
    return [np.exp(layers.softmax(h, x)[1]) for h, x in enumerate(g)]


def value(layers: Layers, V: list[np.ndarray]) -> float:
    """D at normalised values."""
    return float(layers.start @ V[0])


def entropy(d: list[np.ndarray]) -> float:
    """Of all steps together."""
    return float(sum(-(x[x > 0] * np.log(x[x > 0])).sum() for x in d))


def minimise(layers: Layers, tol: float, max_iter: int) -> tuple[list[np.ndarray], list[np.ndarray], int, list[float]]:
    """Values, policy of the pairs, iterations, and the gap before each of them; stops where it is at most ``tol``, or D stays."""
    V, gaps = warm_start(layers), []
    for k in range(max_iter + 1):
        g = exponents(layers, V)
        pi = policy(layers, g)
        gaps.append(value(layers, V) - entropy(layers.flow(pi)))
        if gaps[-1] <= tol or k == max_iter:
            break
        d = [np.exp(x) for x in g]
        gradient = _gradient(layers, d)
        step = _step(layers, d, gradient)
        slope = sum(float(x @ y) for x, y in zip(gradient, step, strict=True))
        after = _searched(layers, V, step, slope)
        if after is None:
            break
        V = after
    return V, pi, k, gaps


def _gradient(layers: Layers, d: list[np.ndarray]) -> list[np.ndarray]:
    arriving = [layers.start, *(layers.P[h].T @ d[h] for h in range(layers.H - 1))]
    return [x - layers.at_states(h, d[h]) for h, x in enumerate(arriving)]


def _searched(layers: Layers, V: list[np.ndarray], step: list[np.ndarray], slope: float) -> list[np.ndarray] | None:
    """The first of the halved steps that lowers D enough; None where none does: rounding errors are larger."""
    at, size = value(layers, V), 1.0
    while slope < 0 and size > SMALLEST_STEP:
        trial = normalised(layers, [x + size * y for x, y in zip(V, step, strict=True)])
        if value(layers, trial) <= at + SUFFICIENT * size * slope and value(layers, trial) < at:
            return trial
        size /= 2.0
    return None


def _step(layers: Layers, d: list[np.ndarray], gradient: list[np.ndarray]) -> list[np.ndarray]:
    """The solution of Hessian x = -gradient, by a block Cholesky factorisation from the first step to the last."""
    from scipy.linalg import solve_triangular
    from scipy.sparse import csr_array

    factors: list[np.ndarray] = []
    links: list[np.ndarray] = []
    z: list[np.ndarray] = []
    for h in range(layers.H):
        n = len(layers.states[h])
        block, right = np.zeros((n, n)), -gradient[h]
        if h:
            P = layers.P[h - 1]
            block += (P.T @ (csr_array((d[h - 1], (range(len(d[h - 1])),) * 2)) @ P)).toarray()
            block -= links[-1].T @ links[-1]
            right = right - links[-1].T @ z[-1]
        block[np.diag_indices(n)] += layers.at_states(h, d[h])
        factor = _cholesky(block)
        factors.append(factor)
        z.append(solve_triangular(factor, right, lower=True))
        if h < layers.H - 1:
            leaving = csr_array((d[h], (layers.owner[h], np.arange(len(d[h])))), shape=(n, len(d[h])))
            links.append(solve_triangular(factor, -(leaving @ layers.P[h]).toarray(), lower=True))
    x: list[Any] = [None] * layers.H
    for h in reversed(range(layers.H)):
        right = z[h] - links[h] @ x[h + 1] if h < layers.H - 1 else z[h]
        x[h] = solve_triangular(factors[h], right, lower=True, trans="T")
    return x


def _cholesky(block: np.ndarray) -> np.ndarray:
    """With as small a multiple of the diagonal added as makes it positive definite in floats: it shortens steps, no more."""
    diagonal = np.abs(np.diagonal(block).copy())
    diagonal = np.maximum(diagonal, 2.0**-1000)
    ridge = RIDGE
    while True:
        try:
            return np.linalg.cholesky(block + np.diag(ridge * diagonal))
        except np.linalg.LinAlgError:
            ridge *= 2.0**8
