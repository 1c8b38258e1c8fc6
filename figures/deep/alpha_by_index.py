"""deep: entropy and return of MVI(q)-DQN over the Munchausen weight and the index."""

from __future__ import annotations

from typing import Any

from figures.table import Table

QUICK: dict[str, Any] = {"quick": True}


def compute(*, quick: bool = False, **options: Any) -> Table:
    """Measures of the oracle at the end of training, by index, weight and seed.

    Columns are those of ``deep.experiments.studies.alpha_by_index``, whose arguments ``options`` are.
    ``quick``: seconds, and no result.
    """
    from deep.experiments.studies import columns, study

    return Table(columns(study("alpha-by-index", quick=quick, **options)))
