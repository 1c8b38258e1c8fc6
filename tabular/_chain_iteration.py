"""Gain and bias of large sparse chains by iteration, where factorising a system would fill the memory.

All recurrent classes at once: a lazy step of the law of each, then of the absorption, then of the bias. It gives up
where a chain mixes or is absorbed too slowly for that; rounding stops each iteration at a few units of it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

STEPS = 2_000
STEP = 0.75  # lazy, so that periods do no harm
CLOSE = 2.0**-44


def iterated(P: Any, r: np.ndarray, label: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Gain and bias (S,) of a scipy CSR chain, ``label`` (S,) the recurrent class of each state, -1 if transient.

    None where ``STEPS`` do not suffice.
    """
    inside = label >= 0
    owner, sizes = label[inside], np.bincount(label[inside])
    back = P.T.tocsr()
    law = np.zeros(len(r))
    law[inside] = 1.0 / sizes[owner]

    def spread(x: np.ndarray) -> np.ndarray:
        y = x + STEP * (back @ x - x)
        y[inside] /= np.bincount(owner, weights=y[inside])[owner]
        return y

    settled = _settle(law, spread, lambda x, y: float(np.bincount(owner, weights=np.abs(y - x)[inside]).max()) <= CLOSE)
    if settled is None:
        return None
    law = settled
    scale = max(float(np.abs(r).max()), 2.0**-1000)
    g = np.zeros(len(r))
    g[inside] = np.bincount(owner, weights=(law * r)[inside])[owner]

    def absorbed(x: np.ndarray) -> np.ndarray:
        return np.where(inside, x, P @ x)

    gain = _settle(g, absorbed, lambda x, y: float(np.abs(y - x).max()) <= CLOSE * scale)
    if gain is None:
        return None

    def improved(x: np.ndarray) -> np.ndarray:
        y = x + STEP * (r - gain + P @ x - x)
        y[inside] -= np.bincount(owner, weights=(law * y)[inside])[owner]
        return y

    def still(x: np.ndarray, y: np.ndarray) -> bool:
        return float(np.abs(y - x).max()) <= CLOSE * max(scale, float(np.abs(y).max()))

    bias = _settle(np.zeros(len(r)), improved, still)
    return None if bias is None else (gain, bias)


def _settle(x: np.ndarray, step: Any, close: Any) -> np.ndarray | None:
    for _ in range(STEPS):
        y: np.ndarray = step(x)
        if close(x, y):
            return y
        x = y
    return None
