"""deep: episodes until DeepSea is solved, by size."""

from __future__ import annotations

from typing import Any

from figures.table import Table

QUICK: dict[str, Any] = {"quick": True}


def compute(*, quick: bool = False, **options: Any) -> Table:
    """``episodes`` until the greedy policy is optimal from the start (inf: never), by size, agent and seed.

    Columns are those of ``deep.experiments.studies.deep_sea_scaling``, whose arguments ``options`` are.
    ``quick``: seconds, and no result.
    """
    from deep.experiments.studies import columns, study

    return Table(columns(study("deep-sea-scaling", quick=quick, **options)))
