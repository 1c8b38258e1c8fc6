"""deep: learning curves of the DQN family and discrete SAC, with their tabular truth."""

from __future__ import annotations

from typing import Any

from figures.table import Table

QUICK: dict[str, Any] = {"quick": True}


def compute(*, quick: bool = False, **options: Any) -> Table:
    """Suboptimality, soft gap, critic bias, residual and entropies, by agent, seed and step.

    Columns are those of ``deep.experiments.studies.deep_against_tabular``, whose arguments ``options`` are.
    ``quick``: seconds, and no result.
    """
    from deep.experiments.studies import columns, study

    return Table(columns(study("deep-against-tabular", quick=quick, **options)))
