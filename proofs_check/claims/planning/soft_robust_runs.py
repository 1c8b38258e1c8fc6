"""RFZI on estimated models for many trials at once, in float64: what the claims about chance measure.

Rounding here is of the order 1e-13, the chances are estimated to no better than 1e-3.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from proofs_check.sampling import Streams, transition_counts
from tabular.reference import risk as robust
from tabular.reference.numpy_ops import NumpyOps
from tabular.reference.value import Value
from tabular.risk import Entropic


def estimated_values(source: Any, rng: Streams, N: int, beta: Any) -> np.ndarray:
    """(..., S) optimal risk values of the models estimated from N draws of each pair: the fixed points of RFZI."""
    batch = rng.batch
    ops = NumpyOps(batch[0] if batch else None)
    counts = transition_counts(source, rng, N)
    ends = np.arange(source.S + 1) == source.S
    p = Value(ops, np.where(np.asarray(source.mask)[..., None], counts / N, ends), 3)
    b = ops.constant(np.reshape(beta, batch))
    return np.asarray(robust.optimal_value(ops, ops.model(source), p, Entropic(b)).data)
