"""The numbers behind the figures for the field, and of best of n: against formulas of their own and independent oracles."""

from __future__ import annotations

import json
import re
from fractions import Fraction as F
from math import log
from pathlib import Path

import numpy as np
import pytest

from figures.planning import foundations_errors, foundations_polytope, foundations_tightness, foundations_times
from figures.preferences import best_of_n_divergence
from proofs_check.claims.preferences import best_of_n
from proofs_check.cli import main as proofs_check
from tabular import Shannon, solve
from tabular.instances import garnet
from tabular.reference import NumpyOps


# -- best of n ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("L", "n", "divergence", "bound", "estimate"),
    [
        (10, 10, 1.3611, 1.4026, 1.3789),
        (10, 100, 2.3023, 3.6152, 2.3023),
        (100, 100, 3.5745, 3.6152, 3.5897),
        (100, 1000, 4.6047, 5.9088, 4.6047),
        (1000, 1000, 5.8681, 5.9088, 5.8831),
    ],
)
def test_divergences_are_the_reference_numbers(
    L: int, n: int, divergence: float, bound: float, estimate: float
) -> None:
    c = best_of_n_divergence.compute(sizes=(L,), most=n, points=2).where(n=n).columns
    for name, expected in (("divergence", divergence), ("bound", bound), ("estimate", estimate)):
        assert c[name][0] == pytest.approx(expected, abs=0.51e-4)


def test_divergences_written_out_in_rationals() -> None:
    p = [F(1, 2), F(1, 5), F(3, 10)]
    before = [F(0), F(1, 2), F(7, 10)]
    for n in (1, 2, 7):
        law = [(b + x) ** n - b**n for b, x in zip(before, p, strict=True)]
        assert sum(law) == 1
        kl = sum(float(w) * log(w / x) for w, x in zip(law, p, strict=True))
        assert best_of_n_divergence.divergence(np.array([float(x) for x in p]), n) == pytest.approx(kl, abs=1e-14)


def test_divergences_are_those_of_the_claim() -> None:
    ops, p = NumpyOps(), np.array([0.05, 0.3, 0.15, 0.5])
    for n in (2, 5, 64):
        found = float(best_of_n.divergence(ops, ops.constant(n), ops.array(p.tolist(), 1)).data)
        assert best_of_n_divergence.divergence(p, n) == pytest.approx(found, rel=1e-12)


def test_the_bound_and_what_it_gives_away() -> None:
    table = best_of_n_divergence.compute()
    c = table.columns
    assert (c["gap"] > 0).all() and (c["gap"] >= c["least"] - 1e-12).all() and (c["gap"] <= c["largest"]).all()
    assert (c["estimate"] >= c["divergence"] - 1e-12).all() and (c["divergence"] <= np.log(c["outcomes"]) + 1e-12).all()
    for L in best_of_n_divergence.SIZES:
        assert (np.diff(table.where(outcomes=L).columns["divergence"]) >= -1e-12).all()


# -- errors -------------------------------------------------------------------------------------------------
def test_certified_bounds_hold_and_methods_have_their_rates() -> None:
    table = foundations_errors.compute(points=30)
    c = table.columns
    assert (c["bound"] >= c["error"]).all() and (c["floor"] < 1e-14).all()
    for tau in (0.0, 0.1):
        steps = {m: table.where(tau=tau, method=m).columns for m in foundations_errors.METHODS}
        slow, modified, fast = steps.values()
        first = slow["k"] <= 5
        ratios = slow["error"][first][1:] / slow["error"][first][:-1]
        assert (ratios <= 0.9 + 1e-12).all()
        assert fast["k"][-1] < 10 < modified["k"][-1] < slow["k"][-1] / 3
        assert all(s["error"][-1] < 1e-13 for s in steps.values())


def test_errors_written_out() -> None:
    """Plain loops with logarithms of sums of exponentials, the optimum by a thousand sweeps."""
    mdp, tau = garnet(20, 5, gamma=(0.9,)).member(0, 0), 0.1
    P, R = mdp.to_dense().P, mdp.rewards

    def swept(V: np.ndarray) -> np.ndarray:
        return tau * np.log(np.exp((R + 0.9 * P @ V) / tau).sum(axis=1))

    best = np.zeros(20)
    for _ in range(1000):
        best = swept(best)
    V = swept(swept(np.zeros(20)))
    found = foundations_errors.compute(taus=(tau,), K=3).where(method="value iteration", k=2).columns
    assert found["error"][0] == pytest.approx(np.abs(V - best).max(), abs=1e-12)


# -- polytope -----------------------------------------------------------------------------------------------
def test_all_values_lie_in_the_polytope() -> None:
    from matplotlib.path import Path as Outline

    table, mdp = foundations_polytope.compute(K=5), foundations_polytope.two_states()
    cells = table.where(kind="cell")
    outlines = [
        Outline(np.stack([c["V0"], c["V1"]], axis=1))
        for c in (cells.where(start=i).columns for i in dict.fromkeys(cells.columns["start"]))
    ]
    P, R = mdp.to_dense().P, mdp.rewards
    for pi in np.random.default_rng(4).dirichlet([0.4] * 3, (400, 2)):
        V = np.linalg.solve(np.eye(2) - 0.9 * np.einsum("sa,sat->st", pi, P), (pi * R).sum(axis=1))
        assert any(o.contains_point(V, radius=r) for o in outlines for r in (1e-9, -1e-9))


def test_where_the_three_iterations_go() -> None:
    table, mdp = foundations_polytope.compute(), foundations_polytope.two_states()
    best = solve(mdp).V
    for start in (0, 1):
        c = table.where(kind="policy iteration", start=start).columns
        path = np.stack([c["V0"], c["V1"]], axis=1)
        assert len(path) == (4, 2)[start] and (np.diff(path, axis=0) >= -1e-12).all()
        np.testing.assert_allclose(path[-1], best, atol=1e-12)
        for eta in (0.5, 4.0):
            c = table.where(kind="natural policy gradient", parameter=eta, start=start).columns
            path = np.stack([c["V0"], c["V1"]], axis=1)
            assert (np.diff(path, axis=0) >= -1e-9).all() and len(path) == 201 and (best - path[-1] < 1e-3).all()
        for tau in (0.05, 0.5):
            c = table.where(kind="soft policy iteration", parameter=tau, start=start).columns
            pi, P, R = solve(mdp, regularizer=Shannon(tau)).pi, mdp.to_dense().P, mdp.rewards
            V = np.linalg.solve(np.eye(2) - 0.9 * np.einsum("sa,sat->st", pi, P), (pi * R).sum(axis=1))
            np.testing.assert_allclose([c["V0"][-1], c["V1"][-1]], V, atol=1e-9)


# -- tightness ----------------------------------------------------------------------------------------------
def test_a_claim_without_quotients_is_refused() -> None:
    with pytest.raises(ValueError, match=r"foundations\.C6 has no quotients"):
        foundations_tightness.compute(claims=("foundations.C6",), evaluations=50)


def test_attacks_reach_no_less_than_instances_and_the_store(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """That of a complete run of the claim as it is; and an attack is not repeated because the store has changed."""
    size = {"claims": ("best_of_n.C7",), "evaluations": 100, "keep": tmp_path / "keep"}
    before = foundations_tightness.compute(**size, store=tmp_path / "store")
    found = before.where(kind="instance").columns["ratio"]
    top, middle = (before.where(kind=kind).columns["ratio"] for kind in ("attacked", "median"))
    assert len(found) > 100 and found.max() <= top[0] <= 1 and middle[0] == np.median(found)
    (kept,) = (tmp_path / "keep").glob("*.npz")
    written = kept.stat().st_mtime_ns
    assert len(before.where(kind="drawn")) == 0 and "square" not in foundations_tightness.caption(before)
    command = ["verify", "best_of_n.C7", "--quick", "--no-mutants", "--json", "--store", str(tmp_path / "store")]
    assert proofs_check(command) == 0
    (stored,) = re.findall(r'"ratio": ([0-9.e-]+)', capsys.readouterr().out)
    after = foundations_tightness.compute(**size, store=tmp_path / "store")
    (drawn,) = after.where(kind="drawn").columns["ratio"]
    assert (kept.stat().st_mtime_ns, drawn) == (written, float(stored))
    assert (
        after.where(kind="instance").columns["ratio"].max() <= drawn <= after.where(kind="attacked").columns["ratio"][0]
    )
    assert "stored runs of 1 of the claims" in foundations_tightness.caption(after)


# -- times --------------------------------------------------------------------------------------------------
def test_times_are_read_where_benchmarks_left_them(tmp_path: Path) -> None:
    (tmp_path / "exponents.csv").write_text(
        'solver,S,seconds\n"value iteration, dense",20,0.001\n"backward induction",20,0.5\n"policy iteration, sparse",2000,0.25\n'
    )
    done = {"label": "other", "seconds": [3.0, 1.0, 2.0]}
    facts = {"kind": "dense", "S": 1000}
    results = [
        {
            "facts": facts,
            "records": [done, {"label": "ours, 1 thread", "seconds": [1.0]}, {"label": "late", "seconds": []}],
        }
    ]
    (tmp_path / "results.json").write_text(json.dumps({"machine": {"cpu": "some"}, "results": results}))
    table = foundations_times.compute(results=tmp_path)
    rows = set(zip(*(table.columns[n].tolist() for n in ("kind", "solver", "ours", "S", "seconds")), strict=True))
    assert rows == {
        ("dense", "value iteration", True, 20, 0.001),
        ("sparse", "policy iteration", True, 2000, 0.25),
        ("dense", "other", False, 1000, 2.0),
    }
    assert table.where(solver="other").columns["largest"] == 3.0 and table.parameters["where"] == "benchmarks"
    assert "some" in foundations_times.caption(table) and "other libraries" in foundations_times.caption(table)


def test_times_are_taken_where_there_are_none(tmp_path: Path) -> None:
    table = foundations_times.compute(results=tmp_path, dense=(5,), sparse=(50,), rounds=2)
    c = table.columns
    assert len(c["S"]) == 6 and (0 < c["least"]).all() and (c["least"] <= c["seconds"]).all() and c["ours"].all()
    assert "shown alone" in foundations_times.caption(table) and table.parameters["where"] == "here"
