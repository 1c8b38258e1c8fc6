"""The numbers behind MDVI's figures."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from figures.planning import mdvi_averaging, mdvi_separation
from figures.table import Table


def test_one_draw_separates() -> None:
    table = mdvi_separation.compute(K=1600, seeds=6, alphas=(0.0, 0.99))
    last = {a: table.where(alpha=a, k=1600).columns["last_loss"].mean() for a in (0.0, 0.99)}
    assert last[0.99] < 0.01 < 0.05 < last[0.0]
    assert (table.columns["samples"] == 60 * table.columns["k"]).all()


def test_losses_that_are_rounding_stand_on_the_floor() -> None:
    """As at the size of the paper, where a mean is no more than rounding."""
    from figures.style import Style

    table = mdvi_separation.compute(K=50, seeds=2, alphas=(0.0, 0.9))
    assert "No mean" in mdvi_separation.caption(table)
    low = Table(
        dict(table.columns) | {"mean": np.where(table.columns["k"] == 50, 0.0, table.columns["mean"])}, table.parameters
    )
    assert "Hatched" in mdvi_separation.caption(low)
    for t, floors in ((table, 0), (low, 1)):
        style = Style.of()
        with style.context():
            axes = mdvi_separation.draw(t, style).axes
        assert sum(line.get_gid() == "floor" for line in axes[1].lines) == floors and axes[1].get_ylim()[0] > 0


def test_exact_and_sampled_averages_agree_and_fall_with_the_root() -> None:
    table = mdvi_averaging.compute(lengths=(8, 16, 32), runs=4000).columns
    assert (np.abs(table["exact"] - table["sampled"]) < 6 * table["error"]).all()
    slope = np.polyfit(np.log(table["one_minus_alpha"]), np.log(table["exact"]), 1)[0]
    assert slope == pytest.approx(0.5, abs=0.05)


def test_tables(tmp_path) -> None:
    table = Table.of_rows(("a", "b"), [(1, 0.1), (2, 1 / 3)], gamma=0.9)
    table.to_csv(tmp_path / "t.csv")
    with open(tmp_path / "t.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert float(rows[1]["b"]) == 1 / 3 and rows[0]["gamma"] == "0.9" and len(table) == 2
    assert table.where(a=2).columns["b"].tolist() == [1 / 3]
    with pytest.raises(ValueError, match="different lengths"):
        Table({"a": np.zeros(2), "b": np.zeros(3)})
    with pytest.raises(ValueError, match="'a' is both"):
        Table({"a": np.zeros(2)}, {"a": 1})
