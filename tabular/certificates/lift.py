"""What reading rows of floats as distributions changes: the floats' optimal values against those of the exact model."""

from __future__ import annotations

from typing import Any

import numpy as np

from tabular._rounding import U
from tabular.certificates.doubled import UNDERFLOW
from tabular.certificates.model import Doubled


def model_error(mdp: Any, value_bound: float | None = None) -> float:
    r"""Bound on :math:`\max |V^*(lift) - V^*(floats)|`, what dividing rows of floats by their sums changes.

    With :math:`|V^*(lift)| \le B` the two backups of it differ by at most :math:`\gamma |\delta(s,a)| B`,
    plus what rounding ``gamma`` and ``R`` changed; the backup of the floats contracts by the greatest
    :math:`\gamma (1-end)(1+|\delta|)`. ``value_bound`` is :math:`B`; by default :math:`\max |R| / (1 - \max
    m)`, without regulariser. ``inf`` where the floats' operator need not contract (``certify`` has a bound for
    many models with ``gamma = 1``). For a FiniteHorizonMDP the bound is of all stages, and finite; by default
    :math:`B` is the sum of the largest rewards.
    """
    from tabular._border import expect
    from tabular.finite_horizon import FiniteHorizonMDP

    expect(mdp, "model_error", "MDP", "FiniteHorizonMDP")

    if isinstance(mdp, FiniteHorizonMDP):
        models = {id(m): Doubled(m) for m in map(mdp.stage, range(mdp.H))}
        stages = [models[id(m)] for m in map(mdp.stage, range(mdp.H))]
        sizes = [float(np.abs(mdp.terminal).max())]
        for m in reversed(stages):
            sizes.append((float(np.abs(m.R).max()) + sizes[-1]) * (1.0 + 16.0 * U))
        sizes = sizes[::-1] if value_bound is None else [float(value_bound)] * (mdp.H + 1)
        return lift_error_finite(mdp, stages, sizes)
    model = Doubled(mdp)
    reward = float(np.abs(mdp.rewards).max())
    gap = float(model.gap_lo[mdp.mask].min())
    if value_bound is None and gap <= 0:
        return float("inf")
    return lift_error(model, reward / gap * (1 + 8 * U) if value_bound is None else float(value_bound))


def lift_error(model: Doubled, B: float) -> float:
    """``model_error`` of a model prepared for doubled precision."""
    change, off = lift_change(model, B)
    gap = float(model.gap_lo[model.mask].min())
    contraction = gap * (1 - 4 * U) - 2 * (off + abs(model.gamma_low))
    return change / contraction * (1 + 32 * U) if contraction > 0 else float("inf")


def lift_change(model: Doubled, B: float) -> tuple[float, float]:
    r"""Bounds on :math:`|Q_V(lift) - Q_V(floats)|` for :math:`|V| \le B`, and on the relative change of rows."""
    off = 1.001 * float(np.abs(model.c).max()) + 2 * model.c_error  # |delta| = |c / (1 + c)|, |c| < 2^-20
    if model.P_low is not None:
        off = 1.001 * model.second * U
    change = model.gamma * off * B + abs(model.gamma_low) * B
    if model.R_low is not None:
        change += float(np.abs(model.R_low).max())
    return change * (1 + 8 * U) + (UNDERFLOW if B > 0 or model.R_low is not None else 0.0), off


def lift_error_finite(fh: Any, models: list[Doubled], sizes: list[float]) -> float:
    """Bound on ``|V*(lift) - V*(floats)|`` in any stage, where ``|V*(lift)|`` is at most ``sizes`` (H+1): what a
    stage's backup changes, and what the mass of its rows of floats makes of the change after it.
    """
    if not np.isfinite(sizes).all():
        return float("inf")
    error = 0.0 if fh._terminal_exact is None else U * float(np.abs(fh.terminal).max()) + UNDERFLOW
    worst = error
    for h in range(len(models) - 1, -1, -1):
        m = models[h]
        change, off = lift_change(m, sizes[h + 1])
        mass = (1.0 - float(m.gap_lo[m.mask].min()) + abs(m.gamma_low)) * (1.0 + 2.0 * off)
        error = (change + mass * error) * (1.0 + 16.0 * U)
        worst = max(worst, error)
    return worst
