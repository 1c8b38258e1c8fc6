"""deep: bias of critics against the exact soft value of their policy, on the pendulum's grid."""

from __future__ import annotations

from typing import Any

from figures.table import Table

QUICK: dict[str, Any] = {"quick": True}


def compute(*, quick: bool = False, **options: Any) -> Table:
    """Bias and the other measures of the oracle, by agent, seed and step.

    Columns are those of ``deep.experiments.studies.critic_bias``, whose arguments ``options`` are.
    ``quick``: seconds, and no result.
    """
    from deep.experiments.studies import columns, study

    return Table(columns(study("critic-bias", quick=quick, **options)))
