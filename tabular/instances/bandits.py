"""Bandits: one state."""

from __future__ import annotations

from typing import Any

import numpy as np

from tabular.batch import MDPBatch
from tabular.instances import parts
from tabular.instances.family import Family, Tape


def bandits(A: int, *, gamma: Any = None) -> Family:
    """One state and ``A`` arms with random mean rewards; ``V* = max R / (1 - gamma)``."""
    parts.sizes(A=(A, 1))
    return Family("bandits", 1, {"A": A, "gamma": parts.discounts(gamma)}, _bandits)


def _bandits(tape: Tape, A: int, gamma: Any) -> MDPBatch:
    w = np.ones((tape.n, 1, A, 1), dtype=np.int64)
    return parts.assembled(tape, w, 1, parts.draw_rewards(tape, 1, A), parts.draw_discounts(tape, gamma), tape.key)
