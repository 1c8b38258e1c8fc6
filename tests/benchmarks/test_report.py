"""Tables are what the records say, and raw numbers survive the way to disk."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import claims, cli, exponents, report, workloads
from benchmarks.processes import spawn
from benchmarks.race import Record

MACHINE = {
    "cpu": "a cpu",
    "cores": 2,
    "python": "3.11",
    "load": "0 0 0",
    "bandwidth": {"read 1": 10e9, "read 2": 20e9, "triad 1": 9e9, "triad 2": 18e9, "threads": 2.0},
}
OURS = Record(
    "ours",
    "solve",
    version="1",
    first=0.5,
    seconds=[0.01, 0.02, 0.03],
    cpu=[0.01, 0.01, 0.01],
    ratios=[1.0, 1.0, 1.0],
    error=2e-7,
    peak=5_000_000,
    facts={"passes": 4.0},
)
PEER = Record("peer", "its best", seconds=[0.1, 0.1, 0.1], cpu=[0.1] * 3, ratios=[10.0, 5.0, 3.0], error=3e-6)
GONE = Record("gone", "", status="refused", reason="dense arrays only")
RESULT = report.Result("W0", "a title", {"S": 3, "kind": "dense"}, 10_000_000, 1e-6, 1e-12, [OURS, PEER, GONE])


def rows(text: str) -> dict[str, list[str]]:
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return {cells[0]: cells[1:] for cells in ([c.strip() for c in line.strip("|").split("|")] for line in lines)}


def test_a_row_has_medians_ratios_errors_memory_and_bandwidth() -> None:
    text = report.markdown([RESULT], MACHINE)
    table = rows(text)
    # 10 MB read 4 times in 20 ms are 2 GB/s: a tenth of what two threads read
    assert table["ours"] == [
        "20 ms",
        "1 (1 ... 1)",
        "500 ms",
        "10 ms (1)",
        "2.0e-07",
        "5.0 MB (0.50 models)",
        "10% (4 passes)",
    ]
    assert table["peer"][3] == "100 ms (10)" and "the same to 3.2e-06: see the errors." in text
    assert table["peer"][1] == "5 (3 ... 10)" and table["peer"][4] == "3.0e-06 **missed**"
    assert table["gone"][0] == "refused"
    assert "* gone: refused: dense arrays only" in text and "* ours 1: solve" in text
    assert "certified to 1.0e-12." in text and "S=3" in text


def test_entries_with_problems_of_their_own_are_not_said_to_agree() -> None:
    assert "the same to" not in report.markdown([RESULT._replace(one_answer=False)], MACHINE)


def test_an_exact_answer_is_called_that() -> None:
    assert report.error(0.0, 1e-6) == "0 (exact)" and report.error(np.nan, 1e-6) == ""
    assert "an answer exact" in report.markdown([RESULT._replace(oracle_bound=0.0)], MACHINE)


@pytest.mark.parametrize("seconds, text", [(2.5, "2.5 s"), (0.0123, "12.3 ms"), (4.56e-5, "45.6 us")])
def test_durations_have_units(seconds: float, text: str) -> None:
    assert report.duration(seconds) == text


def test_raw_numbers_are_written_exactly(tmp_path: Path) -> None:
    report.write([RESULT], MACHINE, tmp_path)
    data = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert data["results"][0]["records"][0]["seconds"] == OURS.seconds
    with (tmp_path / "results.csv").open(newline="", encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    assert [float(r["seconds"]) for r in table if r["contestant"] == "ours"] == OURS.seconds
    assert [r["status"] for r in table if r["contestant"] == "gone"] == ["refused"]
    assert (tmp_path / "results.md").exists()


def test_slopes_are_those_of_powers() -> None:
    sizes = np.array([10.0, 100.0, 1000.0])
    assert exponents.slope(sizes, 3 * sizes**1.5) == pytest.approx(1.5)
    assert np.isnan(exponents.slope(sizes[:1], sizes[:1]))


def test_every_solver_is_fitted_over_two_decades() -> None:
    for curve in exponents.CURVES:
        assert curve.sizes[-1] >= 0.9 * 50 * curve.sizes[0] and len(curve.sizes) >= 6, curve.label
        assert curve.sizes[-1] / curve.sizes[0] >= 100 or curve.label == "backward induction"


def test_exponents_are_measured_and_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = exponents.Curve("tiny", {"method": "policy_iteration"}, exponents._dense, (4, 8, 16), (4, 8), "3")
    (fit,) = exponents.run(tmp_path, quick=True, say=lambda text: None, curves=[one])
    assert fit.sizes.tolist() == [4, 8] and (fit.seconds > 0).all() and np.isfinite(fit.exponent)
    assert "| tiny | 4 ... 8 |" in capsys.readouterr().out
    assert (tmp_path / "exponents.pdf").stat().st_size > 1000
    assert len((tmp_path / "exponents.csv").read_text(encoding="utf-8").splitlines()) == 3


def test_claims_are_listed_the_dearest_first() -> None:
    rows = [
        {"paper": "p", "claim": f"p.C{i}", "seconds": float(20 - i)} | dict.fromkeys(claims.PHASES, 1.0)
        for i in range(12)
    ]
    text = claims.markdown(rows, [("p", 1.0, 2.0), ("q", 3.0, 4.0)])
    assert text.index("| q |") < text.index("| p |") and "| all | 4.0 s | 6.0 s |" in text
    assert "p.C9 " in text and "p.C10 " not in text


def test_papers_with_checked_claims_are_found() -> None:
    found = claims.papers()
    assert {"mdvi", "best_of_n"} <= set(found) and found == sorted(found)


def test_a_paper_s_ledger_is_read() -> None:
    costs, cpu = claims.verify("best_of_n")
    assert costs["claims"] and cpu > 0


def test_the_project_s_script_is_a_whole_process(tmp_path: Path) -> None:
    import sys

    from benchmarks.processes import optimum

    told = spawn(Path(sys.executable), "ours", "lake", tmp_path, 120)
    assert isinstance(told, dict) and told["seconds"] > 0 < told["cpu"] and told["peak"] > 10e6
    assert optimum("lake").error(np.load(tmp_path / "V.npy")) <= 1e-6


def test_a_script_that_fails_is_reported(tmp_path: Path) -> None:
    import sys

    status, reason = spawn(Path(sys.executable), "ours", "no such lake", tmp_path, 120)
    assert status == "failed" and reason.startswith("KeyError: 'no such lake'")


@pytest.mark.parametrize("words", [["W99"], ["--peers", "nobody"], ["W1", "W10"]])
def test_wrong_names_are_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(words) == 3
    assert "error" in capsys.readouterr().err


def test_a_run_of_the_project_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tiny = workloads.WORKLOADS["W1"]._replace(quick={"S": 6, "A": 2, "gamma": 0.9, "seed": 1})
    monkeypatch.setitem(workloads.WORKLOADS, "W1", tiny)
    monkeypatch.setattr(cli.bandwidth, "elsewhere", lambda tries: MACHINE["bandwidth"])
    words = ["W1", "--quick", "--peers", "none", "--rounds", "1"]
    assert cli.main([*words, "--out", str(tmp_path / "out"), "--cache", str(tmp_path / "cache")]) == 0
    table = rows((tmp_path / "out" / "results.md").read_text(encoding="utf-8"))
    assert {"ours", "ours, 1 thread"} < set(table)
    assert "W1: dense Garnet" in capsys.readouterr().out
    assert cli.main(["--clean", "--cache", str(tmp_path / "cache")]) == 0
    assert not list((tmp_path / "cache").iterdir())
