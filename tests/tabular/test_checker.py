"""The checker accepts true proofs, rejects corrupted ones, and survives hostile input in bounded time."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from copy import deepcopy
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tabular.certificates import exact_policy_iteration, rational_certificate
from tabular.checker import check, main
from tabular.errors import ImproperModel
from tabular.mdp import MDP


def by_hand(gamma: str = "1/2") -> dict[str, Any]:
    """Two states: V* = (2, 1) at gamma = 1/2; state 0 earns 1 and stays, state 1 earns nothing and moves to
    0.
    """
    return {
        "format": "tabular-rational-certificate",
        "version": 1,
        "states": 2,
        "gamma": gamma,
        "pairs": [[0, 0, "1", "0", [[0, "3"]]], [1, 0, "0", "0", [[0, "7"]]], [1, 1, "-1", "1", [[1, "1"]]]],
        "V_lo": ["2", "1"],
        "V_hi": ["2", "1"],
    }


def proof(seed: int, gamma: float) -> tuple[MDP, dict[str, Any]]:
    """A chain with one action and no zeros, where every number matters."""
    rng = np.random.Generator(np.random.PCG64(seed))
    w = rng.integers(1, 9, (3, 1, 3))
    mdp = MDP.from_weights(w, rng.integers(1, 9, (3, 1)) * 1.0, gamma, end_weights=rng.integers(1, 3, (3, 1)))
    return mdp, rational_certificate(mdp, np.array([float(v) for v in exact_policy_iteration(mdp).V]))


def test_exact_values_are_their_own_bounds() -> None:
    verdict = check(by_hand())
    assert verdict.accepted and verdict.gap == 0


def test_total_reward_needs_strict_inequality() -> None:
    c = by_hand("1")
    c["pairs"] = [[0, 0, "1", "1", []], [1, 0, "0", "0", [[0, "7"]]]]
    c["V_lo"] = ["1", "1"]
    c["V_hi"] = ["1", "1"]
    assert "T V_hi is not below V_hi" in check(c).reason
    c["V_hi"] = ["3/2", "2"]
    verdict = check(c)
    assert verdict.accepted and verdict.gap == 1
    c["pairs"].append(
        [1, 1, "0", "0", [[1, "1"]]]
    )  # waiting for nothing: V = V_lo would no longer be the only solution
    assert not check(c).accepted


@pytest.mark.parametrize("gamma", [0.5, 0.999, 1.0])
def test_every_number_matters(gamma: float) -> None:
    for seed in range(5):
        _, good = proof(seed, gamma)
        assert check(good).accepted
        for name in ("V_lo", "V_hi"):
            for s in range(3):
                for change in (Fraction(1, 100), Fraction(-1, 100)):
                    bad = deepcopy(good)
                    bad[name][s] = str(Fraction(bad[name][s]) + change)
                    assert not check(bad).accepted, (name, s, change)
        for k in range(3):
            for change in (Fraction(1, 10**6), Fraction(-1, 10**6)):
                bad = deepcopy(good)
                bad["pairs"][k][2] = str(Fraction(bad["pairs"][k][2]) + change)
                assert not check(bad).accepted
            for j in range(3):
                bad = deepcopy(good)
                bad["pairs"][k][4][j][1] = str(int(bad["pairs"][k][4][j][1]) + 1)
                assert not check(bad).accepted
            bad = deepcopy(good)
            bad["pairs"][k][3] = str(int(bad["pairs"][k][3]) + 1)
            assert not check(bad).accepted
        bad = deepcopy(good)
        bad["gamma"] = str(Fraction(good["gamma"]) * Fraction(999, 1000))
        assert not check(bad).accepted


def test_what_is_accepted_is_true() -> None:
    """Random corruptions that happen to be accepted are true of the corrupted model."""
    rng = np.random.Generator(np.random.PCG64(3))
    accepted = 0
    for i in range(600):
        _, c = proof(i % 7, 0.9 if i % 2 else 1.0)
        for _ in range(int(rng.integers(1, 4))):
            k = int(rng.integers(3))
            match int(rng.integers(5)):
                case 0:
                    c["pairs"][k][2] = str(Fraction(c["pairs"][k][2]) + int(rng.integers(-1, 2)))
                case 1:
                    c["pairs"].append(
                        [
                            k,
                            len(c["pairs"]),
                            str(int(rng.integers(-3, 1))),
                            "1",
                            [[int(rng.integers(3)), "1"]],
                        ]
                    )
                case 2:
                    c["V_lo"][k] = str(Fraction(c["V_lo"][k]) - int(rng.integers(-1, 4)))
                case 3:
                    c["V_hi"] = [str(Fraction(x) + int(rng.integers(0, 30))) for x in c["V_hi"]]
                case 4:
                    c["V_lo"] = [str(Fraction(x) - int(rng.integers(0, 30))) for x in c["V_lo"]]
        verdict = check(c)
        if not verdict.accepted:
            continue
        accepted += 1
        A = max(pair[1] for pair in c["pairs"]) + 1
        P, end = np.full((3, A, 3), Fraction(0), dtype=object), np.full((3, A), Fraction(0), dtype=object)
        R = np.full((3, A), -np.inf, dtype=object)
        for s, a, r, e, row in c["pairs"]:
            W = int(e) + sum(int(w) for _, w in row)
            R[s, a], end[s, a] = Fraction(r), Fraction(int(e), W)
            for t, w in row:
                P[s, a, t] = Fraction(int(w), W)
        try:
            exact = exact_policy_iteration(MDP(P, R, Fraction(c["gamma"]), end=end)).V
        except ImproperModel as error:  # an accepted model has a value
            raise AssertionError(c) from error
        assert all(Fraction(x) <= v <= Fraction(y) for x, v, y in zip(c["V_lo"], exact, c["V_hi"], strict=True))
    assert accepted > 60


def changed(**changes: Any) -> dict[str, Any]:
    return by_hand() | changes


def pairs(*first: Any) -> dict[str, Any]:
    return changed(pairs=[list(first), *by_hand()["pairs"][1:]])


HOSTILE: list[tuple[Any, str]] = [
    (None, "not a certificate"),
    (3, "not a certificate"),
    ([], "not a certificate"),
    ("", "not readable"),
    ("{", "not readable"),
    ("[" * 200_000, "not readable"),
    ('{"a": 1, "a": 1}', "a key appears twice"),
    ('{"gamma": NaN}', "not an exact number"),
    ('{"gamma": 1e999999999}', "not an exact number"),
    ('{"states": ' + "9" * 10_000 + "}", "not readable"),
    (changed(format="other"), "format"),
    (changed(version=2), "version"),
    (changed(version=True), "version"),
    (changed(states=True), "number of states"),
    (changed(states=10**9), "number of states"),
    (changed(states=0), "no states"),
    (changed(states=3), "V_lo does not have length 3"),
    (changed(gamma=0.5), "gamma is not a rational"),
    (changed(gamma="1/0"), "gamma has denominator 0"),
    (changed(gamma="3/2"), "gamma is not in"),
    (changed(gamma="-1/2"), "gamma is not in"),
    (changed(gamma="1e9"), "gamma is not a rational"),
    (changed(gamma="1/2\n"), "gamma is not a rational"),
    (changed(gamma="\u0661"), "gamma is not a rational"),
    (changed(gamma="9" * 5000), "gamma is not a rational"),
    (changed(V_lo=["2", None]), r"V_lo[1]"),
    (changed(V_lo={"0": "2"}), "V_lo is not a list"),
    (changed(V_lo=["3", "1"]), "V_lo exceeds V_hi"),
    (changed(V_hi=["2", "1/" + "7" * 1200], V_lo=["2", "0"]), "state"),
    (changed(pairs=None), "pairs is not a list"),
    (changed(pairs=by_hand()["pairs"][:1]), "a state has no action"),
    (changed(pairs=by_hand()["pairs"][:1] * 2), "appears twice"),
    (pairs(0, 0, "1", "0"), "pair 0 does not have length 5"),
    (pairs(2, 0, "1", "0", [[0, "3"]]), "the state of pair 0"),
    (pairs(0, -1, "1", "0", [[0, "3"]]), "the action of pair 0"),
    (pairs(0, 0, 1, "0", [[0, "3"]]), "reward"),
    (pairs(0, 0, "1", "0", [[0, "-3"]]), "non-negative"),
    (pairs(0, 0, "1", "-1", [[0, "3"]]), "non-negative"),
    (pairs(0, 0, "1", "0", [[0, "1/3"]]), "non-negative integer"),
    (pairs(0, 0, "1", "0", [[0, "1"], [0, "1"]]), "successor 0 twice"),
    (pairs(0, 0, "1", "0", [[5, "1"]]), "index below 2"),
    (pairs(0, 0, "1", "0", [[None, "1"]]), "index below 2"),
    (pairs(0, 0, "1", "0", [[0.0, "1"]]), "index below 2"),
    (pairs(0, 0, "1", "0", []), "all zero"),
    (pairs(0, 0, "1", "0", "abc"), "not a list"),
]


@pytest.mark.parametrize(("certificate", "reason"), HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_input_is_rejected_with_a_reason(certificate: Any, reason: str) -> None:
    started = time.perf_counter()
    verdict = check(certificate)
    assert not verdict.accepted and verdict.gap is None
    assert reason in verdict.reason
    assert time.perf_counter() - started < 2.0


def test_growing_denominators_are_cut_short() -> None:
    n = 5000
    denominators = [str(10**1100 + 2 * k + 1) for k in range(n)]
    c = changed(states=n, V_lo=[f"1/{d}" for d in denominators], V_hi=["1"] * n)
    started = time.perf_counter()
    assert "common denominator" in check(c).reason
    assert time.perf_counter() - started < 2.0


def test_too_many_successors_are_refused() -> None:
    c = pairs(0, 0, "1", "0", [[0, "1"]] * (10**6 + 1))
    assert "too many successors" in check(c).reason


def test_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, bad, binary = tmp_path / "good.json", tmp_path / "bad.json", tmp_path / "binary"
    good.write_text(json.dumps(by_hand()))
    bad.write_text(json.dumps(changed(V_lo=["2", "2"], V_hi=["2", "2"])))
    binary.write_bytes(b"\xff\xfe\x00")
    assert main([str(good)]) == 0
    assert main([str(bad)]) == 1
    assert main([str(binary)]) == 1
    assert main([str(tmp_path / "none")]) == 3
    assert main([]) == 3
    out = capsys.readouterr()
    assert out.out.startswith("accepted: V_lo <= V* <= V_hi is proved, gap 0\nrejected: state 1")
    run = subprocess.run(
        [sys.executable, "-m", "tabular.checker", str(good)], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr


def test_the_checker_stands_alone() -> None:
    others = "('numpy', 'flint', 'scipy')"
    code = f"import sys, tabular.checker; print([m for m in sys.modules if m.split('.')[0] in {others}])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
