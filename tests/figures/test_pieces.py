"""Simultaneous bands, and tables whose pieces are kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import t

from figures.bands import simultaneous_band
from figures.pieces import Runs, results, seconds


def test_one_point_has_the_interval_of_student() -> None:
    x = np.random.default_rng(1).normal(size=(9, 1))
    band = simultaneous_band(x, 0.9)
    half = t.ppf(0.95, 8) * x.std(ddof=1) / 3
    np.testing.assert_allclose([band.lower[0], band.upper[0]], x.mean() + np.array([-half, half]), rtol=1e-12)


def test_points_that_go_together_need_no_more_and_others_do() -> None:
    """Critical values lie between Student's and Bonferroni's; for ten points that are one, at the former (up to the draws)."""
    x = np.random.default_rng(2).normal(size=(12, 10))
    student, bonferroni = (t.ppf(1 - 0.025 / m, 11) for m in (1, 10))
    same = simultaneous_band(np.repeat(x[:, :1], 10, axis=1)).critical
    assert same == pytest.approx(student, rel=0.02)
    assert 1.02 * student < simultaneous_band(x).critical < bonferroni


def test_bands_cover_whole_curves_as_often_as_they_say() -> None:
    """200 random walks of 20 steps, ten seeds each. Three deviations are 4.6 of 100, and correlations are estimated: two more."""
    rng, inside = np.random.default_rng(3), 0
    for _ in range(200):
        band = simultaneous_band(np.cumsum(rng.normal(size=(10, 20)), axis=1))
        inside += bool(((band.lower <= 0) & (0 <= band.upper)).all())
    assert inside / 200 >= 0.95 - 0.046 - 0.02


def test_points_without_variation_have_no_width() -> None:
    band = simultaneous_band(np.array([[1.0, 2.0], [1.0, 3.0]]))
    assert band.lower[0] == band.upper[0] == 1 and band.lower[1] < 2.5 < band.upper[1]
    assert simultaneous_band(np.ones((3, 4))).critical == 0


@pytest.mark.parametrize(
    ("curves", "level", "message"),
    [
        (np.ones((1, 3)), 0.9, r"shape \(1, 3\)"),
        (np.ones(3), 0.9, r"shape \(3,\)"),
        ([[0, np.nan], [0, 1]], 0.9, r"curves\[0, 1\] is nan"),
        (np.ones((2, 3)), 1.0, "level is 1"),
    ],
)
def test_bands_refuse(curves, level: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        simultaneous_band(curves, level)


def counted(calls: list[int], broken: int = -1, seeds: tuple[int, ...] | None = None) -> Runs:
    def run(seed: int) -> dict[str, np.ndarray]:
        if seed == broken:
            raise RuntimeError("interrupted")
        calls.append(seed)
        return {"x": np.arange(3) + seed}

    return Runs("counted", run, lambda: 0.5, seeds)


def test_what_was_finished_is_not_played_again(tmp_path: Path) -> None:
    calls: list[int] = []
    with pytest.raises(RuntimeError, match="interrupted"):
        results([counted(calls, broken=2)], [0, 1, 2], keep=tmp_path)
    done = sorted(calls)
    assert set(done) <= {0, 1} and len(list(tmp_path.glob("*.npz"))) == len(done)
    calls.clear()
    found = results([counted(calls)], [0, 1, 2], keep=tmp_path)["counted"]["x"]
    assert sorted(calls) == [s for s in (0, 1, 2) if s not in done]
    np.testing.assert_array_equal(found, results([counted([])], [0, 1, 2])["counted"]["x"])
    calls.clear()
    results([counted(calls)], [0, 2], keep=tmp_path)
    assert calls == [] and not list(tmp_path.glob("*.part"))


def test_the_time_is_said_first_and_counts_what_is_missing(tmp_path: Path) -> None:
    said: list[str] = []
    results([counted([])], [0, 1], keep=tmp_path, tell=said.append)
    assert said[0].startswith("about ") and said[1].startswith("counted: ") and len(said) == 2
    assert seconds([counted([])], [0, 1], keep=tmp_path) == 0.0


def test_experiments_may_have_seeds_of_their_own() -> None:
    assert results([counted([], seeds=(7,))], [0, 1])["counted"]["x"].tolist() == [[7, 8, 9]]


def test_pieces_refuse(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'counted' is used twice"):
        results([counted([]), counted([])], [0])
    results([counted([])], [0], keep=tmp_path)
    (file,) = tmp_path.glob("*.npz")
    file.write_bytes(b"no archive")
    with pytest.raises(ValueError, match="is damaged"):
        results([counted([])], [0], keep=tmp_path)
