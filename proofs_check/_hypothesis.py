"""Hypothesis calls ``setup`` when it is imported (entry point), so that ``from_type(MDP)`` works in users' tests.

A module of its own, which imports no Hypothesis: importing ``proofs_check.strategies`` first imports Hypothesis, which comes
here before the strategies are there.
"""

from __future__ import annotations

from typing import Any


def setup() -> None:
    """Register strategies for ``MDP`` and ``FiniteHorizonMDP``, each made when it is first asked for."""
    from hypothesis.strategies import register_type_strategy

    from tabular.finite_horizon import FiniteHorizonMDP
    from tabular.mdp import MDP

    register_type_strategy(MDP, lambda _: _strategies().mdps())
    register_type_strategy(FiniteHorizonMDP, lambda _: _strategies().finite_horizon_mdps())


def _strategies() -> Any:
    import proofs_check.strategies

    return proofs_check.strategies
