"""mdvi: root mean square of (1 - alpha) E_K against 1 - alpha on the lower-bound chain, exactly and sampled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from figures.table import Table
from proofs_check.claims.planning.mdvi_rates import moments
from tabular.reference import NumpyOps

LENGTHS = (2, 4, 8, 16, 32, 64, 128)
QUICK: dict[str, Any] = {"lengths": (2, 8, 32), "runs": 500}


def compute(
    *, H: float = 8.0, c: float = 0.375, M: int = 1, lengths: Sequence[int] = LENGTHS, runs: int = 2000
) -> Table:
    """Columns ``one_minus_alpha``, ``exact`` and ``sampled`` root mean squares in units of reward, ``error``: the standard error of
    the sampled mean square, carried over to its root.
    """
    ops, rng, rows = NumpyOps(), np.random.default_rng(np.random.SeedSequence(75)), []
    for n in lengths:
        doublings = int(np.ceil(np.log2(8 * n)))
        square = moments(ops, ops.constant(c), H, float(M), 1 - 1 / n, doublings, entering=0)[0][0, 0]
        exact = np.sqrt(float(square.data)) / n
        found = _sampled(rng, H, c, M, 1 - 1 / n, 2**doublings, runs) ** 2
        root = np.sqrt(found.mean())
        rows.append((1 / n, exact, root / n, found.std() / np.sqrt(runs) / (2 * root) / n))
    return Table.of_rows(("one_minus_alpha", "exact", "sampled", "error"), rows, H=H, c=c, M=M, runs=runs)


def _sampled(rng: np.random.Generator, H: float, c: float, M: int, alpha: float, K: int, runs: int) -> np.ndarray:
    gamma, p = 1 - 1 / H, 1 - c / H
    E, v = np.zeros(runs), np.zeros(runs)
    for _ in range(K):
        p_hat = rng.binomial(M, p, runs) / M
        E = alpha * E + gamma * (p_hat - p) * v
        v = 1 + gamma * p_hat * v
    return E
