"""What a format can say of a model: everything else is refused, unless the caller says what may be left out."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from tabular import _border as border
from tabular import _validate as check
from tabular.mdp import MDP

# What may be left out, since it can be given again beside the file; what is left out otherwise would be another process.
DROPPABLE = ("discount", "start", "exact")


def settle(mdp: MDP, who: str, what: str, says: Collection[str], drop: Collection[str] = ()) -> bool:
    """Refuse what a format cannot say; whether the numbers are written as rationals.

    ``who`` is the function, ``what`` the format in words, ``says`` what it can say of ``discount``, ``start``, ``exact``, ``ends``
    and ``unavailable``, and ``drop`` what the caller leaves out. ModelError naming what stands in the way and the way round;
    TypeError for no MDP; ValueError for an unknown word in ``drop``.
    """
    border.expect(mdp, who, "MDP")
    dropped = {drop} if isinstance(drop, str) else set(drop)
    if unknown := sorted(dropped - set(DROPPABLE)):
        raise ValueError(f"drop names {unknown[0]!r}: what can be left out is {', '.join(DROPPABLE)}")
    able = dropped | set(says)
    if mdp.gamma_exact != 1 and "discount" not in able:
        check.fail(
            f"{what} has no discount, and the model's is {border.discount(mdp.gamma)}: write undiscounted(model), which ends with "
            f"probability 1 - gamma instead, or leave it out with drop=['discount'] and give it again when reading"
        )
    if mdp.rho is not None and "start" not in able:
        check.fail(f"{what} has no start distribution: leave it out with drop=['start']")
    rational = holds_rationals(mdp)
    if rational and "exact" not in able:
        check.fail(f"{what} holds floats, and the model is exact: drop=['exact'] writes the nearest floats")
    if mdp.has_end and "ends" not in able:
        check.fail(f"{what} cannot say that a step ends the process: write model.augmented(), where the end is a state")
    if not mdp.mask.all() and "unavailable" not in able:
        s, a = check.first(np.logical_not(mdp.mask))
        check.fail(f"{what} has every action in every state, and action {a} is unavailable in state {s}")
    return rational and "exact" not in dropped


def holds_rationals(mdp: MDP) -> bool:
    """Whether anything but the discount was given in rationals that no floats are."""
    return mdp._exact is not None and any(x is not None for x in (mdp._exact.weights, mdp._exact.R, mdp._exact.rho))


def listed_actions(mdp: MDP, what: str) -> None:
    """Refuse an action that is available nowhere, where a format lists available pairs alone."""
    never = np.logical_not(mdp.mask.any(axis=0))
    if never.any():
        check.fail(f"{what} lists available pairs alone, and action {check.first(never)[0]} is available in no state")
