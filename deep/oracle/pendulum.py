r"""The soft value of the continuous pendulum, from its grid: what the critics of SAC should know.

With densities on :math:`[-1, 1]` the soft backup is :math:`\tau \log \int e^{Q/\tau} da`, and with n torques on a grid of
that interval about :math:`\tau \log 2 + \tau \log \frac1n \sum_a e^{Q/\tau}`: the backup under ``KL`` to the uniform policy, and a
constant a step. So :math:`V \approx V_{KL} + \tau \log 2 / (1 - \gamma)`, up to the errors of the grids, not bounded here.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from deep.envs.models import SPEED, pendulum_model
from tabular import _border as border
from tabular.planning import policy_iteration
from tabular.regularizers import KL


def soft_pendulum(
    tau: float, gamma: float = 0.99, *, angles: int = 51, speeds: int = 51, torques: int = 15
) -> tuple[np.ndarray, np.ndarray]:
    """Soft values (S,) at temperature ``tau`` > 0, in units of reward, and what gymnax observes there: (S, 3) cos, sin, speed."""
    border.positive(tau, "tau", "a temperature in units of reward")
    mdp, features = pendulum_model(angles, speeds, torques, gamma)
    solution = policy_iteration(mdp, KL(tau, np.full((mdp.S, mdp.A), 1.0 / mdp.A)))
    return solution.V + tau * np.log(2.0) / (1.0 - gamma), features * np.array([1.0, 1.0, SPEED])


def compare_critic(V: np.ndarray, found: Any) -> dict[str, float]:
    """Of values ``found`` (S,) against the truth: rank correlation, and mean and mean absolute difference, over the grid."""
    from scipy.stats import spearmanr

    x = np.asarray(found, dtype=np.float64)
    if x.shape != V.shape:
        raise ValueError(f"found has shape {x.shape}: expected {V.shape}")
    gap = x - V
    return {
        "rank_correlation": float(spearmanr(x, V).statistic),
        "bias": float(gap.mean()),
        "error": float(np.abs(gap).mean()),
    }
