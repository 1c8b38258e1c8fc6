r"""Regret, as the claims of several learners measure it: on RiverSwim, and on planted arms, where none can do much better.

Planted arms: one of A = 4 in each of M = 2 states is better by :math:`\sqrt{MA/K}/4`, which K episodes can hardly see.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from proofs_check import Order, Sampled
from proofs_check.claims.exploration._replay import played, shaped

STATES, ARMS = 2, 4


def river(H: int, S: int = 6) -> Any:
    """RiverSwim in episodes of H steps."""
    from tabular.exploration import episodic
    from tabular.instances import river_swim

    return episodic(river_swim(S), H)


def regret(model: Any, learner: Any, K: int, rng: Any) -> np.ndarray:
    """(trials,) of K episodes; () for one trial."""
    return shaped(rng, played(model, learner, K, rng).result["total_regret"])


def planted_regret(rng: Any, learner: Any, sizes: Sequence[tuple[int, int]]) -> Sampled:
    """Regrets on planted arms for several (H, K), and the most that an arm can cost there, by a step more."""
    from tabular.instances import planted_arm

    gaps = [float(np.sqrt(STATES * ARMS / K) / 4) for _, K in sizes]
    models = [planted_arm(STATES, ARMS, H, gap, seed=1) for (H, _), gap in zip(sizes, gaps, strict=True)]
    found = [regret(model, learner, K, rng) for model, (_, K) in zip(models, sizes, strict=True)]
    return Sampled(np.stack(found, axis=-1), [H * gap * K for (H, K), gap in zip(sizes, gaps, strict=True)])


def planted_order(
    ops: Any, rng: Any, learner: Any, sizes: Sequence[tuple[int, int]], x: list[int], constant: float, power: int = 2
) -> Order:
    r"""Expected regret on planted arms against :math:`\sqrt{H^{power} M A K}`."""
    shape = [ops.sqrt(ops.constant(H) ** power * (STATES * ARMS * K)) for H, K in sizes]
    return Order(planted_regret(rng, learner, sizes), shape, x=x, constant=constant)
