"""Instances of exploration: optimal values in closed form, families that are the same for ever, and what is refused."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from fractions import Fraction as F
from typing import Any

import numpy as np
import pytest

from tabular import (
    FiniteHorizonMDP,
    MDPBatch,
    ModelError,
    average_reward,
    backward_induction,
    evaluate_average,
    evaluate_policy,
)
from tabular.exploration import episodic
from tabular.instances import (
    combination_lock,
    deep_sea,
    deep_seas,
    double_chain,
    double_chains,
    fan,
    four_rooms,
    gadgets,
    locks,
    planted_arm,
    planted_arms,
    river_swim,
    river_swims,
    two_state_gadget,
    waiting_tree,
)

FAMILIES = {
    "river_swims": river_swims(5),
    "deep_seas": deep_seas(5),
    "locks": locks(4, 3),
    "double_chains": double_chains(7),
    "planted_arms": planted_arms(3, 4),
    "gadgets": gadgets(3),
}
# Digests of 100 members of seed 2024. A change here is a change of what is drawn: a new version of the family.
DIGESTS = {
    "river_swims": "3c959dffa7156a10",
    "deep_seas": "4b0691b17ecf179c",
    "locks": "9ea914d3e4c330b5",
    "double_chains": "91f1aeb1b4bb67d5",
    "planted_arms": "ad0668da9130fdeb",
    "gadgets": "bd66d6b1a40854d6",
}


def value(model: FiniteHorizonMDP) -> float:
    sol = backward_induction(model)
    assert sol.error_bound < 1e-12 and model.rho is not None
    return float(model.rho @ sol.V[0])


@pytest.mark.parametrize("name", FAMILIES)
def test_the_bits_are_the_same_for_ever(name: str, digest: Callable[[MDPBatch], str]) -> None:
    assert digest(FAMILIES[name](2024, 100)) == DIGESTS[name]


@pytest.mark.parametrize("name", FAMILIES)
def test_members_are_valid_exact_models(name: str) -> None:
    family = FAMILIES[name]
    b = family(7, 200)
    assert MDPBatch.from_weights(b.weights, b.R, b.gamma) == b and not b.has_end
    assert family(7, 50)[49] == b[49] and family.member(7, 11) == b[11]
    assert (b.rewards >= 0).all() and (b.rewards <= 1).all() and len({m.content_hash for m in b[:50]}) > 5


@pytest.mark.parametrize("S", [2, 3, 6, 9])
def test_river_swim(S: int) -> None:
    x = [F(1), *(12 * F(7) ** (i - 1) for i in range(1, S - 1))]
    x.append(F(3, 2) if S == 2 else F(7, 8) * x[-1])
    mdp = river_swim(S)
    gain = float(x[-1] / sum(x))
    assert average_reward(mdp).gain == pytest.approx(gain, rel=1e-9)
    assert evaluate_average(mdp, np.ones(S, dtype=int)).gain == pytest.approx(gain, rel=1e-9)
    assert mdp.is_exact and mdp.exact().row(0, 1) == {0: F(2, 5), 1: F(3, 5)}


@pytest.mark.parametrize(
    ("N", "p", "c"), [(2, 0, F(1, 100)), (7, 0, F(1, 2)), (6, F(1, 6), F(1, 100)), (12, F(1, 50), 0)]
)
@pytest.mark.parametrize("seed", [None, 4])
def test_deep_sea(N: int, p: Any, c: Any, seed: int | None) -> None:
    model = deep_sea(N, slip=p, cost=c, seed=seed)
    q = 1 - F(p)
    expected = q ** (N - 1) + sum(q**j * p * (N - 1 - j) * F(c) / N for j in range(N - 1))
    assert value(model) == pytest.approx(float(expected), abs=1e-12)
    uniform = evaluate_policy(model, np.full((N, N, 2), 0.5))
    assert uniform[0, 0] <= 2.0**-N + float(c)


def test_combination_lock() -> None:
    model = combination_lock(6, 3, slip=0.1, seed=2)
    assert value(model) == pytest.approx(0.9**5, abs=1e-12)
    assert evaluate_policy(model, np.full((6, 7, 3), 1 / 3))[0, 0] == pytest.approx(3.0**-6 * 0.9**5, abs=1e-12)
    assert combination_lock(6, 3, seed=2) == combination_lock(6, 3, seed=2) != combination_lock(6, 3, seed=3)


@pytest.mark.parametrize(("L", "fail"), [(2, 0.25), (5, 0), (31, F(1, 10))])
def test_double_chain(L: int, fail: Any) -> None:
    mdp, p = double_chain(L, fail=fail), F(str(fail))
    shares = [((1 - p) ** i) * p ** (L - 1 - i) for i in range(L)]  # detailed balance, multiplied by p^(L-1)
    assert average_reward(mdp).gain == pytest.approx(float(shares[-1] / sum(shares)), abs=1e-12)
    assert mdp.rho is not None and mdp.rho[L // 2] == 1
    mirrored = evaluate_average(double_chain(L, fail=fail, ends=(1, 0)), np.zeros(L, dtype=int)).gain
    assert mirrored == pytest.approx(float(shares[-1] / sum(shares)), abs=1e-12)


@pytest.mark.parametrize("H", [3, 20, 40])
def test_four_rooms(H: int) -> None:
    mdp = four_rooms()
    assert (mdp.S, mdp.A) == (104, 4)
    sol = backward_induction(episodic(mdp, H))
    distance = {mdp.state_labels.index("11,11"): 0}  # type: ignore[union-attr]
    queue = deque(distance)
    while queue:  # deterministic moves that can be undone
        s = queue.popleft()
        for a in range(4):
            t = int(mdp.P[s, a].argmax())
            if t not in distance:
                distance[t] = distance[s] + 1
                queue.append(t)
    assert distance[0] == 20
    np.testing.assert_array_equal(sol.V[0], [max(0, H - distance[s]) for s in range(104)])


@pytest.mark.parametrize(("M", "A", "H", "e"), [(1, 2, 2, 0.5), (4, 3, 7, 0.125), (2, 5, 5, 0)])
def test_planted_arm(M: int, A: int, H: int, e: float) -> None:
    model = planted_arm(M, A, H, e, seed=3)
    assert value(model) == pytest.approx((H - 1) * (0.5 + e), abs=1e-12)
    assert model.rho @ evaluate_policy(model, np.full((H, M + 2, A), 1 / A))[0] == pytest.approx(
        (H - 1) * (0.5 + e / A)
    )
    pays = model.stage(0).P[:M, :, M]
    assert ((pays == 0.5 + e).sum(1) == (1 if e else A)).all()


@pytest.mark.parametrize(("depth", "A", "H", "wait"), [(1, 2, 4, 1), (2, 2, 8, None), (3, 3, 12, 4), (2, 3, 5, 0)])
def test_waiting_tree(depth: int, A: int, H: int, wait: int | None) -> None:
    W = H // 3 if wait is None else wait
    left = H - W - depth - 1
    for seed in range(6):
        model = waiting_tree(depth, A, H, 0.25, wait=wait, seed=seed)
        assert model.S == 3 + (A**depth - 1) // (A - 1)
        assert value(model) == pytest.approx(left * 0.75, abs=1e-12)
        rng = np.random.default_rng(seed)
        V = evaluate_policy(model, rng.integers(A, size=(H, model.S)))[0, 0]
        assert V == pytest.approx(left * 0.5, abs=1e-12) or V == pytest.approx(left * 0.75, abs=1e-12)
        better = sum((model.stage(h).P == 0.75).sum() for h in range(H))
        assert better == 1


def test_two_state_gadget() -> None:
    mdp = two_state_gadget(4, F(1, 5), F(1, 10), planted=2)
    assert average_reward(mdp).gain == pytest.approx(0.3 / 0.5, abs=1e-12)
    for a in range(4):
        gain = evaluate_average(mdp, np.full(2, a)).gain[0]
        assert gain == pytest.approx(0.6 if a == 2 else 0.5, abs=1e-12)


@pytest.mark.parametrize(
    "call",
    [
        lambda: river_swim(1),
        lambda: deep_sea(1),
        lambda: deep_sea(4, slip=1),
        lambda: deep_sea(4, cost=-1),
        lambda: combination_lock(3, 1),
        lambda: combination_lock(3, seed=-1),
        lambda: double_chain(5, fail=1),
        lambda: four_rooms(goal="0,0"),
        lambda: planted_arm(2, 2, 3, 0.6),
        lambda: waiting_tree(2, 2, 5, 0.1, wait=2),
        lambda: two_state_gadget(2, 0.9, 0.2),
        lambda: two_state_gadget(2, 0, 0.2),
        lambda: two_state_gadget(2, 0.1, 0.2, planted=2),
        lambda: locks(3, 1),
        lambda: planted_arms(0, 2),
    ],
    ids=range(15),
)
def test_bad_parameters_are_refused(call: Any) -> None:
    with pytest.raises(ModelError, match=r"expected|actions are"):
        call()


def test_sizes_are_integers() -> None:
    with pytest.raises(TypeError, match=r"S is 2\.5"):
        river_swims(2.5)  # type: ignore[arg-type]


def test_fans_lead_through_every_room_to_the_ends() -> None:
    for m in (2, 3, 6):
        model = fan(m, seed=3)
        P, rooms = np.asarray(model.stage(0).P), np.arange(m - 1, 2 * m - 1)
        assert model.S == 3 * m - 1 and model.H == int(np.ceil(np.log2(m))) + 2
        assert (np.sort(P[: m - 1].max(axis=2)) == 1).all() and (P[rooms, :, 2 * m - 1 :] > 0).all()
        assert (P[rooms, 0, 2 * m - 1] > 0.6).all() and (P[2 * m - 1 :, :, :].max(axis=2) == 1).all()
        d = np.eye(model.S)[0]
        for _ in range(model.H - 1):
            d = np.einsum("s,sat->t", d / 2, P)
        assert d[2 * m - 1 :].sum() == pytest.approx(1)
    assert (np.asarray(fan(4, seed=1).stage(0).P) != np.asarray(fan(4).stage(0).P)).any()
    with pytest.raises(ValueError, match="m is 1"):
        fan(1)
