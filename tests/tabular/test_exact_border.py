"""Numbers at the edge of float64 that enter exactly: none is rounded where that would matter."""

from __future__ import annotations

import json
import subprocess
import sys
from fractions import Fraction as F
from pathlib import Path

import numpy as np
import pytest

from tabular import MDP, FiniteHorizonMDP, ModelError, Shannon, checker, solve
from tabular.certificates import certify
from tabular.errors import FormatError
from tabular.interchange.npz import load, save


def rational(values: object) -> np.ndarray:
    return np.array(values, dtype=object)


def test_rows_of_floats_beside_rational_rewards_are_divided_by_their_sums() -> None:
    S, off = 200, 1580 * 2.0**-53
    m = MDP(np.zeros((S, 1, S)), rational([[F(1, 3)]] * S), 0.5, end=np.full((S, 1), 1 - off))
    V = np.ones(S)
    c = certify(m, V)["V - V*"]
    assert (c.lower <= 2 / 3 + 1e-15).all()
    for lower, upper in zip(c.lower.tolist(), c.upper.tolist(), strict=True):
        assert F(lower) <= 1 - F(1, 3) <= F(upper)


def test_a_temperature_is_a_float() -> None:
    with pytest.raises(ModelError, match="tau is 1/3, which no float64 is"):
        solve(MDP([[[1.0]]], [[1.0]], 0.5), Shannon(F(1, 3)))
    assert solve(MDP([[[1.0]]], [[1.0]], 0.5), Shannon(F(1, 4))).V[0] == 2


def test_an_extended_discount_is_kept() -> None:
    gamma = np.longdouble(1) / 3
    assert MDP([[[1.0]]], [[1.0]], gamma).gamma_exact == F(*gamma.as_integer_ratio())


def test_equal_numbers_make_equal_models() -> None:
    a = FiniteHorizonMDP([[[1.0]]], rational([[[F(1)]], [[F(1)]]]), terminal=[F(1, 2)])
    b = FiniteHorizonMDP([[[1.0]]], [[1.0]], H=2, terminal=[0.5])
    assert a == b and not a.is_exact


def test_a_terminal_value_beyond_floats_is_refused() -> None:
    with pytest.raises(ModelError, match=r"terminal\[0\] is beyond"):
        FiniteHorizonMDP([[[1.0]]], [[1.0]], H=1, terminal=[F(10**400)])


def test_a_file_cannot_ask_for_minutes(tmp_path: Path) -> None:
    S = 200
    rho = rational([F(i + 1, S * (S + 1) // 2) for i in range(S)])
    save(tmp_path / "m.npz", MDP(np.eye(S)[:, None, :], np.zeros((S, 1)), 0.5, rho=rho))
    with np.load(tmp_path / "m.npz") as z:
        arrays = dict(z)
    numbers = json.loads(arrays["exact"].tobytes())
    numbers["rho"] = [f"1/{10**4000 + 2 * i + 1}" for i in range(S)]
    arrays["exact"] = np.frombuffer(json.dumps(numbers).encode(), dtype=np.uint8)
    np.savez(tmp_path / "long.npz", **arrays)
    with pytest.raises(FormatError, match="common denominator"):
        load(tmp_path / "long.npz")


def test_a_dense_model_of_weights_counts_as_dense(tmp_path: Path) -> None:
    m = MDP.from_weights(np.eye(60, dtype=int)[:, None, :], np.zeros((60, 1)), 0.5)
    save(tmp_path / "m.npz", m)
    assert load(tmp_path / "m.npz") == m
    with pytest.raises(FormatError, match="max_bytes"):
        load(tmp_path / "m.npz", max_bytes=8 * 60 * 60 + 10_000)


@pytest.mark.parametrize("version", [True, 1.0])
def test_a_version_is_an_integer(tmp_path: Path, version: object) -> None:
    save(tmp_path / "m.npz", MDP([[[1.0]]], [[1.0]], 0.5))
    with np.load(tmp_path / "m.npz") as z:
        arrays = dict(z)
    header = json.loads(arrays["header"].tobytes()) | {"version": version}
    arrays["header"] = np.frombuffer(json.dumps(header).encode(), dtype=np.uint8)
    np.savez(tmp_path / "v.npz", **arrays)
    with pytest.raises(FormatError, match="version"):
        load(tmp_path / "v.npz")


def test_the_checker_prints_what_floats_cannot_hold(tmp_path: Path) -> None:
    big = {
        "format": checker.FORMAT, "version": checker.VERSION, "states": 1, "gamma": "0",
        "pairs": [[0, 0, "0", "1", []]], "V_lo": [f"-{10**400}"], "V_hi": [f"{10**400}"],
    }  # fmt: skip
    (tmp_path / "c.json").write_text(json.dumps(big))
    out = subprocess.run([sys.executable, "-m", "tabular.checker", tmp_path / "c.json"], capture_output=True, text=True)
    assert out.returncode == 0 and "gap about 1e400" in out.stdout and not out.stderr
    assert checker.main(["a\0b"]) == 3


def test_the_checker_bounds_its_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checker, "MAX_VALUE_BITS", 100)
    c = {
        "format": checker.FORMAT, "version": checker.VERSION, "states": 2, "gamma": "0",
        "pairs": [[s, 0, "0", "1", []] for s in range(2)], "V_lo": ["0", "0"], "V_hi": [f"1/{2**60}", "1"],
    }  # fmt: skip
    assert "too many bits" in checker.check(c).reason
