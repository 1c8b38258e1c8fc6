"""The data of the benchmarks: the same bits for ever, models as they are said to be, and answers that no solver vouches for."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import data, oracle, workloads
from benchmarks.contestants import ours
from benchmarks.contestants.table import METHODS, REFUSALS
from benchmarks.data import Task
from tabular import CSR, MDP, Shannon, Tsallis, exact_policy_iteration, solve
from tabular.instances import gridworld

TASKS = {
    "dense": lambda: workloads.dense(12, 3, 0.9, 1),
    "sparse": lambda: workloads.sparse(40, 3, 4, 0.9, 2),
    "grid": lambda: workloads.grid(5, 0.9, "pairs", 3),
    "goal": lambda: workloads.grid(5, 0.9, "goal", 3),
    "terrain": lambda: workloads.grid(4, 0.9, "terrain", 3),
    "batch": lambda: workloads.batch(4, 5, 2, 0.9, 4),
    "horizon": lambda: workloads.horizon(6, 2, 7, 5),
    "exact": lambda: workloads.exact(5, 2, 8),
    "ucbvi": lambda: workloads.ucbvi(4, 2, 3, 6, 6),
}
DIGESTS = {
    "dense": "65a1c31e3d45b513",
    "sparse": "b19c8cc36ee3c8f7",
    "grid": "87cef1ae96bb79df",
    "goal": "adb20de3a9dd9449",
    "terrain": "3969720aa11628b1",
    "batch": "ffd1abf8f605ef8e",
    "horizon": "dc4922ca9a80f653",
    "exact": "850e5a9a5c543bc2",
    "ucbvi": "8cacfd839b5a3e69",
}


@pytest.mark.parametrize("name", TASKS)
def test_tasks_are_the_same_bits_for_ever(name: str) -> None:
    assert TASKS[name]().digest == DIGESTS[name]


def test_another_seed_is_another_task() -> None:
    assert workloads.dense(12, 3, 0.9, 2).digest != DIGESTS["dense"]


@pytest.mark.parametrize("name", TASKS)
def test_a_task_is_read_as_it_was_written(name: str, tmp_path: Path) -> None:
    task = TASKS[name]()
    data.save(task, tmp_path / "task")
    assert data.load(tmp_path / "task").digest == task.digest


def model(task: Task) -> MDP:
    x = task.arrays
    P: Any = CSR(x["indptr"], x["indices"], x["data"]) if task.kind == "sparse" else x["P"]
    return MDP(P, x["R"], task.facts["gamma"])


def test_rows_sum_to_exactly_one() -> None:
    for name in ("dense", "horizon", "batch", "ucbvi"):
        assert (TASKS[name]().arrays["P"].sum(axis=-1) == 1).all(), name
    for name in ("sparse", "grid", "goal", "terrain"):
        assert not model(TASKS[name]()).has_end
        x = TASKS[name]().arrays
        assert (np.add.reduceat(x["data"], x["indptr"][:-1]) == 1).all(), name


@pytest.mark.parametrize("n", [5, 6])
def test_the_grid_is_the_gridworld_of_the_instances(n: int) -> None:
    """There the goal is no state, and entering it ends; here it is one, and absorbing."""
    mine = model(workloads.grid(n, 0.9, "goal", 3, slip=0.25))
    cells = [["."] * n for _ in range(n)]
    cells[n // 2][n // 2] = "G"
    theirs = gridworld(["".join(row) for row in cells], gamma=0.9, slip=0.25)
    goal = n // 2 * n + n // 2
    free = [s for s in range(n * n) if s != goal]
    P = mine.to_dense().P
    assert np.array_equal(P[free][:, :, free], theirs.to_dense().P)
    assert np.array_equal(P[free][:, :, goal], theirs.end)
    assert np.array_equal(mine.rewards[free], theirs.rewards)
    assert (P[goal, :, goal] == 1).all() and (mine.rewards[goal] == 0).all()


def test_terrain_costs_something_everywhere_but_at_the_goal() -> None:
    R = TASKS["terrain"]().arrays["R"]
    assert (R[10] == 0).all() and (np.delete(R, 10, axis=0) < 0).all() and (R >= -1).all()


def test_another_reward_is_refused() -> None:
    with pytest.raises(ValueError, match="reward is 'coins': expected pairs, goal or terrain"):
        workloads.grid(3, 0.9, "coins", 1)


@pytest.mark.parametrize("name", ["dense", "sparse", "grid", "goal", "terrain"])
def test_the_oracle_is_the_exact_optimum(name: str) -> None:
    """From a start that is no answer at all: what it says rests on its own arithmetic."""
    task = TASKS[name]()
    found = oracle.certified(task, np.zeros(task.facts["S"]), {})
    exact = np.array([float(v) for v in exact_policy_iteration(model(task)).V])
    assert found.bound <= oracle.GOAL * 10
    assert np.abs(found.V - exact).max() <= found.bound + 1e-13
    assert found.scale >= np.abs(exact).max()


def test_the_oracle_of_a_batch_is_that_of_its_members() -> None:
    task = TASKS["batch"]()
    found = oracle.certified(task, np.zeros((4, 5)), {})
    members = [MDP(P, R, 0.9) for P, R in zip(task.arrays["P"], task.arrays["R"], strict=True)]
    exact = np.array([[float(v) for v in exact_policy_iteration(m).V] for m in members])
    assert np.abs(found.V - exact).max() <= found.bound + 1e-13 <= 1e-9


def test_the_oracle_of_a_horizon_is_backward_induction_in_rationals() -> None:
    task = TASKS["horizon"]()
    P, R = ([[Fraction(x) for x in row] for row in task.arrays[k].reshape(12, -1).tolist()] for k in ("P", "R"))
    rewards = [r for row in task.arrays["R"].tolist() for r in map(Fraction, row)]
    V = [[Fraction(0)] * 6]
    for _ in range(7):
        Q = [r + sum(p * v for p, v in zip(row, V[0], strict=True)) for row, r in zip(P, rewards, strict=True)]
        V.insert(0, [max(Q[2 * s : 2 * s + 2]) for s in range(6)])
    found = oracle.certified(task, np.zeros(0), {})
    assert np.abs(found.V - np.array(V, dtype=float)).max() <= found.bound <= 1e-14
    assert R


@pytest.mark.parametrize("tau", [0.01, 1.0])
@pytest.mark.parametrize("kind", ["shannon", "tsallis"])
def test_soft_oracles_agree_with_certified_solutions(kind: str, tau: float) -> None:
    task = TASKS["dense"]()
    found = oracle.certified(task, np.zeros(12), {"regularizer": kind, "tau": tau})
    solution = solve(model(task), Shannon(tau) if kind == "shannon" else Tsallis(tau, 2.0))
    assert found.bound <= 1e-9
    assert np.abs(found.V - solution.V).max() <= found.bound + solution.error_bound


def test_errors_add_the_bound_and_refuse_other_shapes() -> None:
    found = oracle.Oracle(np.array([1.0, 2.0]), 1e-3, 2.0)
    assert found.error(np.array([1.0, 2.5])) == 0.5 + 1e-3
    assert found.error(np.array([1.0])) == np.inf == found.error(np.array([1.0, np.nan]))
    exact = oracle.Oracle(np.array(["1/3", "2"]), 0.0, 2.0)
    assert exact.error(np.array(["1/3", "2"])) == 0
    assert exact.error(np.array(["1/3", "7/3"])) == 1 / 3


def test_an_oracle_is_kept(tmp_path: Path) -> None:
    task = TASKS["dense"]()
    starts = []

    def start() -> np.ndarray:
        starts.append(1)
        return np.zeros(12)

    first = oracle.kept(task, tmp_path, {}, start)
    again = oracle.kept(task, tmp_path, {}, start)
    assert len(starts) == 1 and (first.V == again.V).all() and first.bound == again.bound
    oracle.kept(task, tmp_path, {"regularizer": "shannon", "tau": 1.0}, start)
    assert len(starts) == 2


def test_an_unknown_kind_has_no_oracle() -> None:
    task = TASKS["dense"]()
    with pytest.raises(ValueError, match="no oracle for a task of kind 'bandit'"):
        oracle.certified(Task(task.facts | {"kind": "bandit"}, task.arrays), np.zeros(4), {})


@pytest.mark.parametrize("S, A", [(6, 3), (3, 2), (11, 4), (20, 5)])
def test_the_loop_and_the_plain_program_play_the_same_episodes(S: int, A: int) -> None:
    task = workloads.ucbvi(S, A, 5, 60, 6)
    ready = ours.prepare(task, {})
    found, facts = ready.answer(ready.solve())
    known = oracle.certified(task, np.zeros(0), {})
    assert known.error(found) <= 1e-12 and facts["episodes"] == 60
    x = dict(task.arrays)
    x["uniforms"] = x["uniforms"][::-1]
    assert oracle.certified(Task(task.facts, x), np.zeros(0), {}).error(found) > 1e-3


KINDS = {task().kind for task in TASKS.values()}


@pytest.mark.parametrize("module", METHODS)
def test_every_contestant_does_or_refuses_every_kind_with_a_reason(module: str) -> None:
    assert set(METHODS[module]) | set(REFUSALS[module]) == KINDS
    assert not set(METHODS[module]) & set(REFUSALS[module])
    assert all([*METHODS[module].values(), *REFUSALS[module].values()])


def test_every_entry_has_a_contestant_and_every_peer_its_pins() -> None:
    from benchmarks.environments import PINS

    assert {e.module for w in workloads.WORKLOADS.values() for e in w.entries} <= set(METHODS)
    assert {file.stem for file in PINS.glob("*.txt")} == {*workloads.ALL, "numpy"}
    for file in PINS.glob("*.txt"):
        lines = file.read_text(encoding="utf-8").splitlines()
        assert all(line.count("==") == 1 for line in lines), file.name
        assert any(line.partition("==")[0] == file.stem for line in lines), file.name
