"""The table behind a figure: named columns of equal length, and the parameters under which they were computed."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Table:
    """Tidy: one observation a row.

    Attributes
    ----------
    columns : name -> (n,) array.  parameters : name -> number or string, the same for all rows.

    Raises
    ------
    ValueError where columns differ in length, or a name is both a column and a parameter.
    """

    columns: Mapping[str, np.ndarray]
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        lengths = {name: len(x) for name, x in self.columns.items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"columns of different lengths: {lengths}")
        if both := set(self.columns) & set(self.parameters):
            raise ValueError(f"{sorted(both)[0]!r} is both a column and a parameter")

    @classmethod
    def of_rows(cls, names: Sequence[str], rows: Sequence[Sequence[Any]], **parameters: Any) -> Table:
        """From rows of values in the order of ``names``."""
        columns = {name: np.array([row[i] for row in rows]) for i, name in enumerate(names)}
        return cls(columns, parameters)

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), ()))

    def where(self, **values: Any) -> Table:
        """The rows in which columns have these values."""
        keep = np.ones(len(self), dtype=bool)
        for name, value in values.items():
            keep &= self.columns[name] == value
        return Table({name: x[keep] for name, x in self.columns.items()}, self.parameters)

    def to_csv(self, path: str | Path) -> None:
        """As CSV with a header; parameters are columns of one value. Floats are written so that they are read back exactly."""
        names = [*self.columns, *self.parameters]
        with open(path, "w", newline="", encoding="utf-8") as file:
            out = csv.writer(file, lineterminator="\n")
            out.writerow(names)
            for i in range(len(self)):
                row = [*(x[i] for x in self.columns.values()), *self.parameters.values()]
                out.writerow([_plain(x) for x in row])

    def to_parquet(self, path: str | Path) -> None:
        """The same as Parquet, with the types of the columns. ImportError without pyarrow; the message says what installs it."""
        try:
            import pyarrow as pa
            import pyarrow.parquet as pq
        except ImportError:
            raise ImportError("Parquet needs pyarrow: pip install 'tabular-proofs[export]'") from None
        columns = {name: np.asarray(x) for name, x in self.columns.items()}
        columns |= {name: np.full(len(self), x) for name, x in self.parameters.items()}
        arrays = {name: pa.array(x.tolist() if x.dtype.kind == "U" else x) for name, x in columns.items()}
        pq.write_table(pa.table(arrays), path)


def _plain(x: Any) -> Any:
    return x.item() if isinstance(x, np.generic) else x
