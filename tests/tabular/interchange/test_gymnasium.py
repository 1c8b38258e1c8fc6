"""Gymnasium's tables: known values, exact readings, and clear refusals."""

from __future__ import annotations

from fractions import Fraction as F
from typing import Any

import gymnasium
import numpy as np
import pytest

from tabular import MDP, ModelError
from tabular.interchange.gymnasium import from_gymnasium

CLIFF, LAKE, TAXI = "CliffWalking-v1", "FrozenLake-v1", "Taxi-v4"


def start_value(m: MDP, sweeps: int = 20_000) -> float:
    """Value iteration in a few lines, from below, averaged over the start distribution."""
    P = m.csr()
    V = np.zeros(m.S)
    for _ in range(sweeps):
        product = np.zeros(m.S * m.A)
        np.add.at(product, np.repeat(np.arange(m.S * m.A), np.diff(P.indptr)), P.data * V[P.indices])
        new = (m.R + m.gamma * product.reshape(m.S, m.A)).max(axis=1)
        done = np.abs(new - V).max() < 1e-14
        V = new
        if done:
            break
    return float(m.rho @ V)


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize(
    "env, options, gamma, value",
    [
        (CLIFF, {}, 0.99, -12.247898),
        (CLIFF, {}, 1, -13),
        (TAXI, {}, 0.99, 6.327464),
        (TAXI, {}, 1, 7.93),
        (LAKE, {"map_name": "8x8"}, 0.99, 0.414640),
        (LAKE, {"map_name": "8x8"}, 1, 1),
        (LAKE, {}, 1, 14 / 17),
    ],
)
def test_known_values(env: str, options: dict[str, Any], gamma: float, value: float, exact: bool) -> None:
    m = MDP.from_gymnasium(env, gamma, exact=exact, **options)
    assert m.is_exact == exact and start_value(m) == pytest.approx(value, abs=5e-7)


@pytest.mark.parametrize(
    "env, options", [(CLIFF, {"is_slippery": True}), (LAKE, {}), (TAXI, {"is_rainy": True}), (TAXI, {})]
)
def test_rows_are_those_of_the_table(env: str, options: dict[str, Any]) -> None:
    """Each pair against its transitions, added up in another way."""
    made = gymnasium.make(env, **options)
    floats, exact = from_gymnasium(made, 0.9), from_gymnasium(made, 0.9, exact=True)
    P, end, R = floats.to_dense().P, floats.end, floats.R
    model = exact.exact()
    for s, actions in made.unwrapped.P.items():
        for a, row in actions.items():
            total = sum(p for p, *_ in row)
            expected = np.zeros(floats.S)
            for p, to, _, done in row:
                expected[to] += 0.0 if done else p
            assert np.abs(P[s, a] - expected).max() <= 1e-16
            assert end[s, a] == pytest.approx(sum(p for p, _, _, done in row if done), abs=1e-16)
            assert R[s, a] == pytest.approx(sum(p * r for p, _, r, _ in row) / total, rel=1e-15)
            assert sum(model.row(s, a).values()) + model.end(s, a) == 1
            assert all(x.denominator <= 100 for x in model.row(s, a).values())
    start = made.unwrapped.initial_state_distrib
    assert floats.rho.tolist() == start.tolist() and sum(model.rho) == 1
    assert [float(x) for x in model.rho] == pytest.approx(start.tolist(), abs=1e-16)


def test_the_lake_is_read_in_thirds() -> None:
    model = MDP.from_gymnasium(LAKE, 1, exact=True).exact()
    seen = {x for s in range(16) for a in range(4) for x in model.row(s, a).values()}
    assert seen == {F(1, 3), F(2, 3)}


def test_labels_and_storage() -> None:
    lake = MDP.from_gymnasium(LAKE, 0.9, desc=["SF", "FG"])
    assert lake.state_labels == ("0,0", "0,1", "1,0", "1,1") and lake.action_labels == (
        "left",
        "down",
        "right",
        "up",
    )
    cliff, taxi = MDP.from_gymnasium(CLIFF, 0.9), MDP.from_gymnasium(TAXI, 0.9)
    assert cliff.state_labels[36] == "3,0" and cliff.action_labels[1] == "right" and cliff.name == CLIFF
    assert taxi.state_labels[1] == "0,0 R>G" and taxi.is_sparse and not cliff.is_sparse
    assert MDP.from_gymnasium(CLIFF, 0.9, sparse=True) == cliff


class Table:
    """An environment of a table and nothing else."""

    def __init__(self, P: Any, **attributes: Any) -> None:
        self.P = P
        vars(self).update(attributes)


def row(*items: Any) -> dict[int, Any]:
    return {0: {0: list(items)}}


def test_any_object_with_a_table_will_do() -> None:
    m = from_gymnasium(Table([[[(0.5, 0, 2.0, False), (0.25, 0, 4.0, 0), (0.25, 0, 8, True)]]], isd=[1.0]), 0.5)
    assert (m.P.item(), m.end.item(), m.R.item(), m.rho.tolist()) == (0.75, 0.25, 4.0, [1.0])
    assert m.state_labels is None and m.name == "Table"
    assert from_gymnasium(Table(row((1.0, 0, 0.1, False))), 0.5, exact=True).exact().R == (F(1, 10),)
    unused = Table({0: {0: [(1.0, 1, 0, False), (0.0, 0, 0, False)]}, 1: {0: [(1.0, 1, 0, False)]}})
    assert from_gymnasium(unused, 0.5, sparse=True).nnz == 2


class Space:
    def __init__(self, n: int) -> None:
        self.n = n


GOOD = (1.0, 0, 0.0, False)
BAD: dict[str, tuple[Any, dict[str, Any], type[Exception], str]] = {
    "no table": (object(), {}, ModelError, "object has no table P"),
    "a table of text": (Table("P"), {}, ModelError, "Table has no table P"),
    "empty": (Table({}), {}, ModelError, "P is empty"),
    "no actions": (Table({0: {}}), {}, ModelError, r"P\[0\] is empty"),
    "missing state": (Table({0: {0: [GOOD]}, 2: {0: [GOOD]}}), {}, ModelError, r"P\[1\] is missing: .* 0 ... 1"),
    "missing states": (Table(row(GOOD), observation_space=Space(3)), {}, ModelError, r"P\[1\] is missing"),
    "states too many": (Table([[[GOOD]]] * 2, observation_space=Space(1)), {}, ModelError, "P has 2 states: expected 1"),
    "missing action": (Table({0: {0: [GOOD], 1: [GOOD]}, 1: {0: [GOOD]}}), {}, ModelError, r"P\[1\]\[1\] is missing"),
    "actions too many": (Table({0: {0: [GOOD]}, 1: [[GOOD]] * 2}), {}, ModelError, r"P\[1\] has 2 actions: expected 1"),
    "a state of a number": (Table([1]), {}, TypeError, r"P\[0\] is a int"),
    "a pair of a number": (Table([[1]]), {}, TypeError, r"P\[0\]\[0\] is a int"),
    "three of four": (Table(row(GOOD, (1.0, 0, 0.0))), {}, ModelError, r"P\[0\]\[0\]\[1\] is \(1.0, 0, 0.0\)"),
    "no transition": (Table(row("abcd")), {}, ModelError, r"P\[0\]\[0\]\[0\] is 'abcd'"),
    "no transitions": (Table(row()), {}, ModelError, r"P\[0\]\[0\] sums to 0"),
    "sum": (Table(row((0.5, 0, 0, False))), {}, ModelError, r"P\[0\]\[0\] sums to 0.5, -0.5 from 1"),
    "probability text": (Table(row(("1", 0, 0, False))), {}, TypeError, r"P\[0\]\[0\]\[0\] probability is '1'"),
    "probability nan": (Table(row((np.nan, 0, 0, False))), {}, ModelError, r"P\[0\]\[0\]\[0\] probability is nan"),
    "probability negative": (Table(row((-1.0, 0, 0, False))), {}, ModelError, "has probability -1.0"),
    "next float": (Table(row((1.0, 0.0, 0, False))), {}, TypeError, r"P\[0\]\[0\]\[0\] has next state 0.0"),
    "next range": (Table(row((1.0, 1, 0, False))), {}, ModelError, r"P\[0\]\[0\]\[0\] has next state 1: states are 0 ... 0"),
    "next negative": (Table(row((1.0, -1, 0, False))), {}, ModelError, "has next state -1"),
    "reward None": (Table(row((1.0, 0, None, False))), {}, TypeError, r"P\[0\]\[0\]\[0\] reward has type NoneType"),
    "reward inf": (Table(row((1.0, 0, np.inf, False))), {}, ModelError, r"P\[0\]\[0\]\[0\] reward is inf"),
    "terminated None": (Table(row((1.0, 0, 0, None))), {}, TypeError, "has terminated = None"),
    "terminated array": (Table(row((1.0, 0, 0, np.zeros(2)))), {}, TypeError, "has terminated = "),
    "start": (Table(row(GOOD), isd=[0.5, 0.5]), {}, ModelError, r"rho has shape \(2,\)"),
    "irrational": (Table(row((0.5**0.5, 0, 0, False))), {"exact": True}, ModelError, "no rational of denominator up to"),
    "exact sum": (
        Table(row((1 / 3, 0, 0, False), (1 / 3, 0, 0, True))), {"exact": True}, ModelError,
        r"P\[0\]\[0\] sums to 2/3 in the nearest small rationals",
    ),
    "exact start": (Table(row(GOOD), isd=[0.5**0.5]), {"exact": True}, ModelError, r"initial_state_distrib\[0\] is"),
    "options": (Table(row(GOOD)), {"map_name": "4x4"}, TypeError, "map_name: options of gymnasium.make"),
    "passenger": (TAXI, {"fickle_passenger": True}, ModelError, "TaxiEnv has a fickle passenger"),
    "continuous": ("CartPole-v1", {}, ModelError, "CartPoleEnv has no table P of transitions"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_what_is_no_table_is_refused_by_place(case: str) -> None:
    env, options, kind, message = BAD[case]
    with pytest.raises(kind, match=message):
        from_gymnasium(env, 0.9, **options)


def test_wrappers_that_may_change_the_process_are_refused() -> None:
    made = gymnasium.wrappers.TransformReward(gymnasium.make(LAKE), lambda r: 2 * r)
    with pytest.raises(ModelError, match="wrapper TransformReward may change the process"):
        from_gymnasium(made, 0.9)
    assert from_gymnasium(made.unwrapped, 0.9) == MDP.from_gymnasium(LAKE, 0.9)


def test_the_environment_is_left_alone() -> None:
    made = gymnasium.make(LAKE)
    made.reset(seed=0)
    before = made.unwrapped.s
    from_gymnasium(made, 0.9)
    assert made.unwrapped.s == before
