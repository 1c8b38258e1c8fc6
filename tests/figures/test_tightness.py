"""The figure of a claim has the numbers that it was judged by, of every kind of evidence, and the marks of store and attack."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from figures import making, saving, tightness
from figures.captions import plain, tex
from figures.making import Place
from figures.style import Style
from figures.table import Table
from figures.tightness_plot import caption, draw, logarithmic
from proofs_check import runner, selection
from proofs_check.cli import main as proofs_check

WEIGHED = Path(__file__).resolve().parents[1] / "proofs_check" / "weighed_claims.py"


def table(name: str, tmp_path: Path, **more: Path | None) -> Table:
    (figure,) = tightness.figures([name], "quick", more.get("store") or tmp_path / "none", more.get("attacks"))
    return making.only(making.tables(figure, Place(tmp_path, tmp_path / "none")))


def weighed(name: str, tmp_path: Path) -> Table:
    return table(f"{WEIGHED}::weighed.{name}", tmp_path)


def test_dots_are_the_quotients_of_the_instances(tmp_path: Path) -> None:
    t = table("best_of_n.C7", tmp_path)
    claim = selection.jobs(["best_of_n.C7"], runner.BUDGETS["quick"], 0)[0].load()
    expected = np.concatenate(
        [runner.screened(claim, f"{family.name}[{f}]:0", 0).ratio for f, family in enumerate(claim.family)]
    )
    assert t.columns["value"].tolist() == expected[np.isfinite(expected)].tolist() and len(t) > 100
    assert t.parameters["dropped"] == (~np.isfinite(expected)).sum()
    assert t.parameters["quantity"] == "ratio" and t.parameters["bound"] == 1
    assert set(t.columns["group"]) == {f"bandits[{f}]" for f in range(4)}
    # No store: nothing is said of other instances. The attack is that of the table in docs.
    assert not t.parameters["stored"] and np.isnan(t.parameters["random"])
    assert 0.99 < t.parameters["attacked"] < 1 and not logarithmic(t)


def test_the_square_is_the_stored_run_s_and_the_diamond_the_attack_s(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store, attacks = tmp_path / "store", tmp_path / "attacks.json"
    assert proofs_check(["verify", "best_of_n.C7", "--quick", "--store", str(store)]) == 0
    attacks.write_text(json.dumps({"attacks": [{"id": "best_of_n.C7", "ratio": 0.5}, {"id": "other", "ratio": None}]}))
    capsys.readouterr()
    t = table("best_of_n.C7", tmp_path, store=store, attacks=attacks)
    assert t.parameters["stored"] and t.parameters["verdict"] == "holds" and t.parameters["attacked"] == 0.5
    # A quick run is the same first instances, some of which were settled more narrowly.
    assert t.parameters["random"] >= t.columns["value"].max() > t.parameters["random"] - 1e-9
    style = Style.of("icml", "single")
    with style.context():
        (ax,) = draw(t, style).axes
    marks = {
        line.get_label(): float(line.get_xdata()[0])
        for line in ax.lines
        if line.get_label() in ("largest drawn", "reached by attack")
    }
    assert marks == {"largest drawn": t.parameters["random"], "reached by attack": 0.5}
    said = caption(t)
    assert (
        "The square is the largest of the stored run" in said
        and "reached, 0.5000." in said
        and "Verdict: holds" in said
    )


def test_fixed_models_and_families_have_rows(tmp_path: Path) -> None:
    t = table("foundations.C1", tmp_path)
    groups = list(dict.fromkeys(t.columns["group"].tolist()))
    assert "fixed models" in groups and "two_armed" in groups and "garnet[6]" in groups and "garnet[7]" in groups
    assert t.parameters["attacked"] == 1 and t.columns["value"].max() <= 1


def test_gaps_and_differences_where_a_quotient_means_nothing(tmp_path: Path) -> None:
    gap, difference = table("foundations.C4", tmp_path), table("foundations.C6", tmp_path)
    assert gap.parameters["quantity"] == "gap" and (gap.columns["value"] >= 0).all() and gap.columns["value"].max() > 1
    assert difference.parameters["quantity"] == "difference" and difference.columns["value"].max() < 1e-6
    for t in (gap, difference):
        assert logarithmic(t) and np.isnan(t.parameters["attacked"])


def test_evidence_about_averages_has_its_intervals(tmp_path: Path) -> None:
    t = weighed("trial_true", tmp_path)
    (rate,), (low,), (high,) = (t.columns[c] for c in ("value", "low", "high"))
    assert t.parameters["quantity"] == "rate" and low == 0 <= rate < high < t.parameters["bound"]
    t = weighed("beats", tmp_path)
    (mean,), (low,), (high,) = (t.columns[c] for c in ("value", "low", "high"))
    assert t.parameters["quantity"] == "mean" and t.parameters["lower"] == 0 < low < mean < high


def test_evidence_about_ranges_has_its_intervals(tmp_path: Path) -> None:
    t = weighed("scaling_true", tmp_path)
    assert t.parameters["quantity"] == "slope" and t.columns["group"].tolist() == [
        "whole range",
        "first half",
        "second half",
        "continued",
    ]
    assert (t.parameters["lower"] <= t.columns["low"]).all() and (t.columns["high"] <= t.parameters["bound"]).all()
    t = weighed("order_constant", tmp_path)
    assert t.parameters["quantity"] == "constant" and t.parameters["verdict"] == "refuted"
    assert t.columns["high"].max() > t.parameters["bound"] == 1.5
    t = weighed("witness", tmp_path)
    assert t.parameters["quantity"] == "margin" and (t.columns["value"] > 0).any()


@pytest.mark.parametrize("name", ["trial_true", "beats", "scaling_true", "order_constant", "order_flat", "witness"])
def test_every_kind_is_drawn_without_faults(name: str, tmp_path: Path) -> None:
    t, style = weighed(name, tmp_path), Style.of("icml", "single")
    with style.context():
        assert saving.faults(draw(t, style)) == []
    assert plain(caption(t)) and tex(caption(t))


@pytest.mark.parametrize("values", [[], [0.0, 0.0], [0.0, 1e-9, 1e-3], [1.5, 0.2], [1e-30, 1e-9]])
def test_whatever_the_numbers_they_are_all_seen(values: list[float]) -> None:
    n = len(values)
    columns = {"group": np.array(["family"] * n, dtype="U6"), "value": np.array(values)}
    columns |= {name: np.full(n, np.nan) for name in ("low", "high")} | {"open": np.zeros(n, dtype=bool)}
    told = {"claim": "a.C1", "source": "A", "quantity": "ratio", "lower": np.nan, "bound": 1.0, "seed": 0, "dropped": 0}
    t = Table(columns, told | {"attacked": np.nan, "random": np.nan, "verdict": "", "rests_on": "", "stored": False})
    style = Style.of()
    with style.context():
        fig = draw(t, style)
        (ax,) = fig.axes
        assert saving.faults(fig) == []
    low, high = ax.get_xlim()
    drawn = [x for line in ax.lines if line.get_marker() == "o" for x in line.get_xdata()]
    assert len(drawn) == n and all(low <= x <= high for x in drawn)


def test_kappa_is_read_as_it_is_printed(tmp_path: Path) -> None:
    found = tightness.attacked(None)
    assert found["foundations.C1"] == 1 and found["foundations.C18"] == 1 - 3.1e-5 and found["best_of_n.C7"] == 0.9910
    assert "foundations.C4" not in found
    with pytest.raises(tightness.Unknown, match="is not what attack --json prints: FileNotFoundError"):
        tightness.attacked(tmp_path / "none.json")


def test_claims_with_a_figure_of_their_own_get_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from figures import discovery

    monkeypatch.setattr(discovery, "claimed", lambda: {"best_of_n.C7"})
    names = [f.name for f in tightness.figures(["all"], "quick", tmp_path, None)]
    assert "foundations.C1" in names and "best_of_n.C7" not in names and len(names) > 200
    assert [f.name for f in tightness.figures(["best_of_n"], "quick", tmp_path, None)][:1] == ["best_of_n.C7"]
