"""mocovi: normalised error of values against queries, for models of the cliff walk of rising error."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from figures.table import Table
from tabular.planning.mocovi.table import Row, table

QUICK: dict[str, Any] = {"lams": (0.1, 1), "ds": (1, 2), "K": 5}


def compute(
    *, lams: Sequence[float] = (0.1, 0.5, 1), ds: Sequence[int] = (1, 2, 3), K: int = 15, control: bool = False
) -> Table:
    """Columns ``lam`` (share of the uniform law in the model), ``method``, ``k``, ``queries`` of each pair, ``error``
    = ``|V_k - V|_1 / |V|_1`` and ``loss``, the same of the true value of the k-th policy: no units.

    Queries are exact, so that nothing is drawn. Values of the optimal policy, or with ``control`` optimal ones; there VI, the
    model alone, OS-VI and MoCoVI(d) as in ``tabular.planning.mocovi.table``.
    """
    return Table.of_rows(Row._fields, table(lams=lams, ds=ds, K=K, control=control), K=K, control=control)
