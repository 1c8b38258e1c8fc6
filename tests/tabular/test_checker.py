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
from tabular.checker import _exp, _minus_log, check, main
from tabular.errors import ImproperModel, TabularError
from tabular.mdp import MDP


def by_hand(gamma: str = "1/2") -> dict[str, Any]:
    """Two states: V* = (2, 1) at gamma = 1/2; state 0 earns 1 and stays, state 1 earns nothing and moves to
    0.
    """
    return {
        "format": "tabular-rational-certificate",
        "version": 2,
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


def waiting() -> dict[str, Any]:
    """Total reward: state 0 earns 1 and ends; states 1 and 2 lead to each other for nothing, and 1 to 0."""
    return by_hand("1") | {
        "states": 3,
        "pairs": [
            [0, 0, "1", "1", []], [1, 0, "0", "0", [[0, "7"]]], [1, 1, "0", "0", [[2, "1"]]],
            [2, 0, "0", "0", [[1, "1"], [2, "1"], [0, "0"]]],
        ],
        "V_lo": ["1", "1", "1"],
        "V_hi": ["3/2", "2", "2"],
        "component": [0, 2, 2],
    }  # fmt: skip


def test_free_pairs_of_a_component() -> None:
    """Waiting for nothing has many fixed points; the component singles out the value."""
    good = waiting()
    verdict = check(good)
    assert verdict.accepted and verdict.gap == 1
    assert "T V_hi" in check(good | {"component": None}).reason
    assert "T V_hi" in check(good | {"component": [0, 1, 2]}).reason
    assert "two values" in check(good | {"component": [1, 1, 1]}).reason
    # 2 waits for ever, and 1 cannot leave with more than 1
    assert "T V_lo" in check(good | {"V_lo": ["1", "3/2", "3/2"]}).reason
    cut = deepcopy(good)
    cut["pairs"][1][4] = [[1, "1"]]  # nothing leaves: worth nothing
    assert "state 1: T V_lo" in check(cut).reason
    assert check(cut | {"V_lo": ["1", "0", "0"], "V_hi": ["2", "0", "0"]}).accepted
    assert not check(cut | {"V_lo": ["1", "-1", "-1"], "V_hi": ["2", "-1/2", "-1/2"]}).accepted
    alone = deepcopy(good)  # 2 stays where it is and cannot reach 1
    alone["pairs"][3][4] = [[2, "1"]]
    assert "state 2: T V_lo" in check(alone).reason
    assert "two values" in check(good | {"V_lo": ["1", "1", "3/2"]}).reason
    for money in ("1", "-1"):
        loop = deepcopy(good)
        loop["pairs"][2][2] = money  # circling is not free
        assert check(loop).accepted == (money == "-1")
    for bad in ([1, 1, "-1", "0", [[2, "1"]]], [1, 1, "0", "1", [[2, "1"]]], [1, 1, "0", "0", [[2, "1"], [0, "1"]]]):
        other = deepcopy(good)
        other["pairs"][2] = bad  # earns, ends or leaves: no longer free
        assert check(other).accepted
        assert not check(other | {"V_hi": ["3/2", "3/2", "3/2"]}).accepted  # as T V_hi = V_hi there or at (1, 0)
    assert "components are for" in check(good | {"gamma": "1/2"}).reason


def test_accepted_components_are_true() -> None:
    """Random changes of proofs with free pairs, components among them: what is accepted is true."""
    rng = np.random.Generator(np.random.PCG64(11))
    accepted = free = 0
    for i in range(400):
        S = 4
        P = np.eye(S)[rng.integers(0, S, (S, 2))]
        R = rng.integers(-2, 2, (S, 2)) * (rng.random((S, 2)) < 0.5) * 1.0
        end = (rng.random((S, 2)) < 0.25) * 0.5
        try:
            mdp = MDP(P * (1 - end)[..., None], R, 1, end=end)
            c = rational_certificate(mdp, np.array([float(v) for v in exact_policy_iteration(mdp).V]))
        except TabularError:
            continue
        c.setdefault("component", list(range(S)))
        for _ in range(int(rng.integers(0, 3))):
            s, t, step = int(rng.integers(S)), int(rng.integers(S)), Fraction(int(rng.integers(-2, 3)), 2)
            match int(rng.integers(5)):
                case 0:
                    c["component"][s] = t
                    for name in ("V_lo", "V_hi"):
                        c[name][s] = c[name][t]
                case 1:
                    for name, sign in (("V_lo", -1), ("V_hi", 1)):
                        c[name] = [str(Fraction(x) + sign * abs(step)) for x in c[name]]
                case 2:
                    for k in (k for k in range(S) if c["component"][k] == c["component"][s]):
                        for name in ("V_lo", "V_hi"):
                            c[name][k] = str(Fraction(c[name][k]) + step)
                case 3:
                    c["pairs"].append([s, len(c["pairs"]), "0", "0", [[t, "1"]]])
                case 4:
                    for name in ("V_lo", "V_hi"):
                        c[name] = [str(Fraction(x) * 2) for x in c[name]]
        if not check(c).accepted:
            continue
        accepted += 1
        free += len(set(c["component"])) < S
        exact = exact_policy_iteration(stated(c)).V
        assert all(Fraction(x) <= v <= Fraction(y) for x, v, y in zip(c["V_lo"], exact, c["V_hi"], strict=True)), i
    assert accepted > 50 and free > 10


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


def stated(c: dict[str, Any]) -> MDP:
    """The model that a certificate states."""
    S, A = c["states"], max(pair[1] for pair in c["pairs"]) + 1
    P, end = np.full((S, A, S), Fraction(0), dtype=object), np.full((S, A), Fraction(0), dtype=object)
    R = np.full((S, A), -np.inf, dtype=object)
    for s, a, r, e, row in c["pairs"]:
        W = int(e) + sum(int(w) for _, w in row)
        R[s, a], end[s, a] = Fraction(r), Fraction(int(e), W)
        for t, w in row:
            P[s, a, t] = Fraction(int(w), W)
    return MDP(P, R, Fraction(c["gamma"]), end=end)


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
        try:
            exact = exact_policy_iteration(stated(c)).V
        except ImproperModel as error:  # an accepted model has a value
            raise AssertionError(c) from error
        assert all(Fraction(x) <= v <= Fraction(y) for x, v, y in zip(c["V_lo"], exact, c["V_hi"], strict=True))
    assert accepted > 60


def soft(tau: str = "1", lam: str = "0", reference: Any = None, **changes: Any) -> dict[str, Any]:
    """One state, two actions that earn nothing, gamma = 1/2: V* = 2 log 2 with Shannon's entropy, 0 with KL."""
    return {
        "format": "tabular-rational-certificate",
        "version": 2,
        "states": 1,
        "gamma": "1/2",
        "pairs": [[0, 0, "0", "0", [[0, "1"]]], [0, 1, "0", "0", [[0, "1"]]]],
        "V_lo": ["13862943611198906188/10000000000000000000"],
        "V_hi": ["13862943611198906189/10000000000000000000"],
        "regularizer": {"tau": tau, "lam": lam, "reference": reference},
    } | changes


def test_regularised_by_hand() -> None:
    verdict = check(soft())
    assert verdict.accepted and verdict.gap == Fraction(1, 10**19) and "V*_Omega" in verdict.reason
    assert "T V_lo" in check(soft(V_lo=["13862943611198906189/10000000000000000000"])).reason
    assert "T V_hi" in check(soft(V_hi=["13862943611198906188/10000000000000000000"])).reason
    zero = {"V_lo": ["0"], "V_hi": ["0"]}
    for mu in (["1", "1"], ["1", "2"], ["0", "5"], ["1", "9" * 1000]):  # equality, exactly
        assert check(soft("0", "1", mu, **zero)).gap == 0
    assert not check(soft("1", "1", ["1", "2"], **zero)).accepted
    assert check(soft("1", "1", ["0", "5"], **zero)).accepted  # a single action has no entropy
    assert "T V_hi" in check(soft("0", "1", ["1", "1"], gamma="1", **zero)).reason  # total reward: not strictly
    faint = soft(**zero)
    faint["pairs"][1][2] = "-1000000"  # log(1 + exp(-10^6)) is not zero
    assert "T V_hi" in check(faint).reason
    assert check(faint | {"V_hi": ["1/" + "9" * 30]}).accepted


EXTREME = ["1/" + "9" * 1200, "1/" + "7" * 40, "3/7", "9" * 40, "9" * 1200]


@pytest.mark.parametrize("w", EXTREME, ids=range(len(EXTREME)))
def test_any_weight_is_decided_in_bounded_time(w: str) -> None:
    started = time.perf_counter()
    entropy = Fraction(w) * 4 * Fraction(13862943611198906188, 2 * 10**19)  # 2 w log 2 = 4 w log 2 / 2
    assert check(soft(w, V_lo=["0"], V_hi=[str(entropy)])).accepted == (len(w) < 1000)  # beyond: numbers too long
    assert not check(soft(w, V_lo=["0"], V_hi=["0"])).accepted
    assert check(soft("0", w, ["1", "3"], V_lo=["0"], V_hi=["0"])).accepted
    assert check(soft("0", w, ["1", "3"], V_lo=["-1/" + "3" * 30], V_hi=["1/" + "3" * 30])).accepted
    assert not check(soft("0", w, ["1", "3"], V_lo=["-1"], V_hi=["-1/2"])).accepted
    assert time.perf_counter() - started < 5.0


def test_enclosures_of_exp_and_log() -> None:
    """Directed, and at most a few units wide, against balls."""
    from flint import arb, ctx, fmpz  # type: ignore[import-not-found]

    rng, saved = np.random.Generator(np.random.PCG64(4)), ctx.prec
    ctx.prec = 8000
    try:
        for i in range(400):
            q = int(rng.choice([128, 256, 512]))
            z = int(rng.integers(1, 2**62)) << (q - 62)
            z = (z << int(rng.integers(0, 12)) if i % 2 else z >> int(rng.integers(0, q))) or 1
            one = arb(fmpz(1 << q))
            for x in (z, -z):
                low, high = _exp(x, q, False), _exp(x, q, True)
                true = (arb(fmpz(x)) / one).exp() * one
                assert low <= true <= high
                assert high - low <= 2 + (high >> (q + 8))
            M = int(rng.integers(1, 2**62)) ** int(rng.integers(1, 9)) + 1
            m = max(1, (M - int(rng.integers(1, 5))) >> int(rng.integers(0, 80)))
            low, high = _minus_log(m, M, q, False), _minus_log(m, M, q, True)
            assert low <= -(arb(fmpz(m)) / arb(fmpz(M))).log() * one <= high
            assert high - low <= 2
        assert _exp(0, 128, True) == _exp(0, 128, False) == 1 << 128
        assert _minus_log(7, 7, 128, True) == _minus_log(7, 7, 128, False) == 0
    finally:
        ctx.prec = saved


def test_work_is_bounded() -> None:
    """Values to thousands of bits, for thousands of actions: refused rather than computed for an hour."""
    from flint import arb, ctx, fmpz

    saved, n = ctx.prec, 3000
    ctx.prec = 4300
    try:
        V = int((2 * arb(n).log() * arb(fmpz(1 << 3900))).floor().unique_fmpz())
    finally:
        ctx.prec = saved
    pairs_ = [[0, a, "0", "0", [[0, "1"]]] for a in range(n)]
    started = time.perf_counter()
    verdict = check(soft(pairs=pairs_, V_lo=[f"{V}/{1 << 3900}"], V_hi=[f"{V + 1}/{1 << 3900}"]))
    assert "too long to decide" in verdict.reason
    assert time.perf_counter() - started < 30.0
    few = check(soft(pairs=pairs_, V_lo=[str(Fraction(V, 1 << 3900) - 1)], V_hi=[str(Fraction(V, 1 << 3900) + 1)]))
    assert few.accepted
    many = [[0, a, "0", "0", [[0, "1"]]] for a in range(50_001)]
    assert "too many pairs for a regularizer" in check(soft(pairs=many)).reason


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
    (changed(version=1), "version"),
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
    (changed(gamma="1", component=[0]), "component does not have length 2"),
    (changed(gamma="1", component=[0, 2]), "a component is not an index below 2"),
    (changed(component=[0, 1]), "components are for total reward"),
    (soft(regularizer=[]), "the regularizer is not an object"),
    (soft(regularizer={}), "tau is not a rational"),
    (soft("0"), "one of them positive"),
    (soft("-1"), "one of them positive"),
    (soft("2", "-1"), "one of them positive"),
    (soft("1/0"), "denominator 0"),
    (soft(reference=["1", "1"]), "there is a reference, but lam is 0"),
    (soft("0", "1"), "reference is not a list"),
    (soft("0", "1", ["1"]), "reference does not have length 2"),
    (soft("0", "1", ["1", "-1"]), "a weight of the reference"),
    (soft("0", "1", ["1/2", "1/2"]), "a weight of the reference"),
    (soft("0", "1", ["0", "0"]), "state 0: the reference is zero"),
    (soft(gamma="1", component=[0]), "components are for total reward without a regularizer"),
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
