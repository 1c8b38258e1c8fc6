"""The ring of the soft-robust paper: a large reward between two deep pits, and a small one out of their reach."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from tabular import _validate as check
from tabular.from_exact import decimal
from tabular.mdp import MDP

REWARDS = (0, 0, -1, 2, -1, 0, 0, -10, 5, -10, 0, Fraction(9, 10), 1, 0)


def ring(slip: Any = Fraction(1, 100), *, gamma: Any = Fraction(19, 20)) -> MDP:
    """Fourteen states in a circle ("Toy-10"); actions left, stay, right, in exact numbers.

    A move goes where it is meant to with probability ``1 - 2 slip``, else one state too far to the left or to the
    right, ``slip`` each; floats are read as the decimals that they print as. A step pays by the state it starts from:
    2 in state 3, 5 in state 8, whose neighbours cost 10, 1 in state 12. The start is uniform. Raises ModelError for a
    slip outside [0, 1/2]. Source: soft_robust (Zhang, Hu and Li 2024), their code.
    """
    p = decimal(slip, "slip")
    if not 0 <= p <= Fraction(1, 2):
        check.fail(f"slip is {slip}: expected a probability up to 1/2")
    S = len(REWARDS)
    P = np.full((S, 3, S), Fraction(0), dtype=object)
    for s in range(S):
        for a in range(3):
            for turn, mass in ((-1, p), (0, 1 - 2 * p), (1, p)):
                P[s, a, (s + a - 1 + turn) % S] += mass
    R = np.array([[Fraction(r)] * 3 for r in REWARDS], dtype=object)
    return MDP(
        P, R, decimal(gamma, "gamma"), rho=[Fraction(1, S)] * S, action_labels=("left", "stay", "right"), name=f"ring({slip})"
    )  # fmt: skip
