"""Total reward: every verdict and every value against all stationary deterministic policies, in fractions."""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
import pytest

import tabular.planning.gain_sign as gain_sign
from tabular.errors import ImproperModel
from tabular.mdp import MDP
from tabular.planning.collapse import STAY, UNAVAILABLE, Collapsed, collapse
from tabular.planning.total_reward import total_reward_quotient

INF = float("inf")
POSITIVE, VANISH, NEGATIVE = "positive gain", "do not vanish", "negative and inescapable"


def quotient_of(mdp: MDP, **options: Any) -> Collapsed:
    P = mdp.csr()
    return total_reward_quotient(
        P.indptr,
        P.indices,
        P.data,
        mdp.rewards,
        mdp.end,
        mdp.mask,
        exact=mdp.exact() if mdp.is_exact else None,
        **options,
    )


def model(rows: dict[tuple[int, int], tuple[dict[int, Any], Any]], **options: Any) -> MDP:
    """A model from ``(s, a) -> (successors, reward)``; what the successors lack of one ends."""
    S, A = (max(k[i] for k in rows) + 1 for i in range(2))
    P = np.zeros((S, A, S), dtype=object)
    R = np.full((S, A), -INF, dtype=object)
    E = np.zeros((S, A), dtype=object)
    for (s, a), (to, r) in rows.items():
        for t, p in to.items():
            P[s, a, t] = p
        E[s, a] = 1 - sum(to.values())
        R[s, a] = r
    if not any(isinstance(x, Fraction) for x in [*P.ravel(), *R.ravel()]):
        P, R, E = P.astype(float), R.astype(float), E.astype(float)
    return MDP(P, R, 1, end=E, **options)


# ---- the oracle: a chain at a time, in fractions ----


def solve(M: list[list[Fraction]], b: list[Fraction]) -> list[Fraction]:
    rows = [[*row, x] for row, x in zip(M, b, strict=True)]
    n = len(rows)
    for i in range(n):
        k = next(j for j in range(i, n) if rows[j][i])
        rows[i], rows[k] = rows[k], rows[i]
        rows[i] = [x / rows[i][i] for x in rows[i]]
        for j in range(n):
            if j != i and rows[j][i]:
                rows[j] = [x - rows[j][i] * y for x, y in zip(rows[j], rows[i], strict=True)]
    return [row[-1] for row in rows]


def chain_value(P: list[dict[int, Fraction]], r: list[Fraction]) -> tuple[str | None, list[Any]]:
    """Total reward of a chain, or the kind of its worst recurrent class where it has none (minus infinity is
    a value).
    """
    n = len(P)
    reach = []
    for s in range(n):
        seen, todo = {s}, [s]
        while todo:
            new = set(P[todo.pop()]) - seen
            seen |= new
            todo += new
        reach.append(seen)
    ends = {s for s in range(n) if sum(P[s].values()) < 1}
    kinds, lost, rest = set(), set(), set()
    for s in range(n):
        if all(s in reach[t] for t in reach[s]) and not reach[s] & ends:
            states = sorted(reach[s])
            rest |= reach[s]
            balance = [[P[t].get(u, Fraction(0)) - (t == u) for t in states] for u in states[1:]] + [
                [Fraction(1)] * len(states)
            ]
            weight = solve(balance, [Fraction(0)] * (len(states) - 1) + [Fraction(1)])
            gain = sum(w * r[t] for w, t in zip(weight, states, strict=True))
            if gain > 0:
                kinds.add(POSITIVE)
            elif gain == 0 and any(r[t] for t in states):
                kinds.add(VANISH)
            elif gain < 0:
                lost |= reach[s]
    if kinds:
        return (POSITIVE if POSITIVE in kinds else VANISH), []
    free = [s for s in range(n) if s not in rest and not reach[s] & lost]
    M = [[(s == t) - P[s].get(t, Fraction(0)) for t in free] for s in free]
    value = dict(zip(free, solve(M, [r[s] for s in free]), strict=True))
    return None, [value[s] if s in value else (-INF if reach[s] & lost else Fraction(0)) for s in range(n)]


def policy_value(mdp: MDP, policy: Any) -> tuple[str | None, list[Any]]:
    exact = mdp.exact()
    return chain_value(
        [exact.row(s, int(a)) for s, a in enumerate(policy)],
        [exact.R[s * mdp.A + int(a)] for s, a in enumerate(policy)],
    )


def brute_force(mdp: MDP) -> tuple[str | None, list[Any]]:
    kinds, best = set(), [-INF] * mdp.S
    for policy in product(*(np.flatnonzero(row).tolist() for row in mdp.mask)):
        kind, V = policy_value(mdp, policy)
        kinds.add(kind)
        if kind is None:
            best = [max(x, y) for x, y in zip(best, V, strict=True)]
    for kind in (POSITIVE, VANISH):
        if kind in kinds:
            return kind, []
    return (NEGATIVE, []) if -INF in best else (None, best)


def solve_quotient(q: Collapsed) -> tuple[np.ndarray, list[Fraction]]:
    """Policy iteration in fractions from the proper policy."""
    n, B = q.R.shape
    rows = [
        [
            {int(q.indices[j]): Fraction(q.data[j]) for j in range(q.indptr[s * B + b], q.indptr[s * B + b + 1])}
            for b in range(B)
        ]
        for s in range(n)
    ]
    choice = q.proper_policy()
    while True:
        kind, V = chain_value([rows[s][choice[s]] for s in range(n)], [Fraction(q.R[s, choice[s]]) for s in range(n)])
        assert kind is None
        assert all(isinstance(v, Fraction) for v in V)
        changed = False
        for s in range(n):
            Q = {
                b: Fraction(q.R[s, b]) + sum(p * V[t] for t, p in rows[s][b].items())
                for b in np.flatnonzero(q.mask[s]).tolist()
            }
            if max(Q.values()) > Q[choice[s]]:
                choice[s] = max(Q, key=Q.__getitem__)
                changed = True
        if not changed:
            return choice, V


def random_model(rng: np.random.Generator) -> MDP:
    """At most four states and three actions, rewards in {-1, 0, 1}, probabilities in quarters: floats hold it
    exactly.
    """
    S, A = int(rng.integers(1, 5)), int(rng.choice([1, 2, 2, 3]))
    stochastic, stop = rng.random() < 0.5, rng.choice([0.03, 0.2])
    weights = rng.choice([[0.1, 0.8, 0.1], [0.7, 0.2, 0.1], [0.6, 0.4, 0.0], [0.6, 0.1, 0.3], [0.0, 0.9, 0.1]])
    P, R, E = np.zeros((S, A, S)), rng.choice([-1.0, 0.0, 1.0], (S, A), p=weights), np.zeros((S, A))
    for s, a in np.ndindex(S, A):
        for _ in range(4):
            if rng.random() < stop:
                E[s, a] += 0.25
            else:
                P[s, a, rng.integers(S)] += 0.25
        if not stochastic:
            t = S if rng.random() < stop else int(rng.integers(S))
            P[s, a], E[s, a] = np.arange(S) == t, t == S
    out = rng.random((S, A)) < 0.15
    out[np.arange(S), rng.integers(0, A, S)] = False
    R[out], P[out], E[out] = -INF, 0.0, 0.0
    return MDP(P, R, 1, end=E)


@pytest.mark.parametrize("width", [None, 2], ids=["wide", "relays"])
def test_verdicts_values_and_policies_are_those_of_all_policies(width: int | None) -> None:
    rng = np.random.default_rng(2024)
    seen = dict.fromkeys([None, POSITIVE, VANISH, NEGATIVE], 0)
    collapsed = improper = 0
    for _ in range(1500):
        mdp = random_model(rng)
        kind, V = brute_force(mdp)
        seen[kind] += 1
        if kind is not None:
            with pytest.raises(ImproperModel, match=kind):
                quotient_of(mdp, width=width)
            continue
        q = quotient_of(mdp, width=width)
        choice, value = solve_quotient(q)
        assert [value[i] for i in q.state_of] == V
        policy = q.lift_policy(choice)
        assert mdp.mask[np.arange(mdp.S), policy].all()
        assert policy_value(mdp, policy) == (None, V)
        collapsed += bool(q.components)
        improper += not q.is_transient_hint
    assert min(seen.values()) >= 30
    assert collapsed >= 100
    assert improper >= 50


# ---- each branch by hand ----


def test_zero_reward_circle_may_stay_or_leave_by_any_member() -> None:
    # 0 <-> 1 for nothing; 0 may end for -1, 1 may end for 5 or go on to 2, which pays 1
    q = quotient_of(
        model(
            {
                (0, 0): ({1: 1}, 0),
                (0, 1): ({}, -1),
                (1, 0): ({0: 1}, 0),
                (1, 1): ({}, 5),
                (1, 2): ({2: 0.5, 0: 0.5}, 0),
                (2, 0): ({}, 1),
            }
        )
    )
    assert q.state_of.tolist() == [0, 0, 1]
    assert q.pair_of.tolist() == [[1, 4, 5, STAY], [6, UNAVAILABLE, UNAVAILABLE, UNAVAILABLE]]
    assert q.end[0].tolist() == [1, 1, 0, 1]
    assert q.is_transient_hint
    assert q.lift_values(np.array([5.0, 1.0])).tolist() == [5.0, 5.0, 1.0]
    assert q.lift_policy(np.array([1, 0])).tolist() == [0, 1, 0]
    assert q.lift_policy(np.array([0, 0])).tolist() == [1, 0, 0]
    assert q.lift_policy(np.array([3, 0])).tolist() == [0, 0, 0]
    with pytest.raises(ValueError, match=r"choice\[1\]"):
        q.lift_policy(np.array([0, 1]))


def test_staying_for_nothing_beats_leaving_at_a_loss() -> None:
    q = quotient_of(model({(0, 0): ({0: 1}, 0), (0, 1): ({}, -3)}))
    choice, V = solve_quotient(q)
    assert V == [0]
    assert q.pair_of[0, choice[0]] == STAY


def test_a_zero_reward_loop_inside_a_losing_component_is_collapsed() -> None:
    """Rewards <= 0, gain zero: only the loop attains it; the way between the states stays a move."""
    q = quotient_of(model({(0, 0): ({1: 1}, -2), (1, 0): ({1: 1}, 0), (1, 1): ({0: 1}, -1)}))
    assert [c.states.tolist() for c in q.components] == [[1]]
    assert not q.is_transient_hint
    assert solve_quotient(q)[1] == [-2, 0]


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ({(0, 0): ({0: 1}, 1), (0, 1): ({}, 0)}, POSITIVE),
        ({(0, 0): ({1: 1}, 3), (1, 0): ({0: 1}, -2)}, POSITIVE),
        ({(0, 0): ({0: 0.5, 1: 0.5}, 1), (1, 0): ({0: 1}, -2), (1, 1): ({}, 0)}, VANISH),
        ({(0, 0): ({1: 1}, 1), (1, 0): ({0: 1}, -1), (1, 1): ({}, 0)}, VANISH),
        ({(0, 0): ({0: 1}, -1)}, NEGATIVE),
        ({(0, 0): ({1: 1}, 1), (1, 0): ({0: 1}, -2)}, NEGATIVE),
        ({(0, 0): ({1: 0.5}, 0), (1, 0): ({1: 1}, -1)}, NEGATIVE),
    ],
    ids=["loop", "circle", "stochastic-zero", "circle-zero", "trap", "mixed-trap", "reachable-trap"],
)
def test_refusals_name_component_and_reason(rows: dict[Any, Any], reason: str) -> None:
    last = max(s for s, _ in rows)
    with pytest.raises(ImproperModel, match=rf"(?s)gamma = 1.*{last} \(room {last}\).*{reason}"):
        quotient_of(model(rows), labels=[f"room {s}" for s in range(last + 1)])


def test_mixed_signs_with_negative_gain_are_a_shortest_path_problem() -> None:
    q = quotient_of(model({(0, 0): ({1: 1}, 1), (1, 0): ({0: 1}, -2), (1, 1): ({}, -7)}))
    assert solve_quotient(q)[1] == [-6, -7]
    assert [c.states.tolist() for c in q.remaining] == [[0, 1]]


def _circle(rewards: list[Any]) -> MDP:
    n = len(rewards)
    rows: dict[Any, Any] = {(s, 0): ({(s + 1) % n: 1}, r) for s, r in enumerate(rewards)}
    rows[0, 1] = ({}, 0 * rewards[0])
    return model(rows)


def test_a_gain_below_the_rounding_of_floats_is_decided_exactly() -> None:
    quotient_of(_circle([1.0, -1.0 - 2.0**-52]))
    with pytest.raises(ImproperModel, match=POSITIVE):
        quotient_of(_circle([1.0, -1.0 + 2.0**-53]))


def test_rationals_are_what_they_say_not_their_floats() -> None:
    """0.1 + 0.2 - 0.3 is positive in floats' exact values, zero in tenths."""
    with pytest.raises(ImproperModel, match=POSITIVE):
        quotient_of(_circle([0.1, 0.2, -0.3]))
    with pytest.raises(ImproperModel, match=VANISH):
        quotient_of(_circle([Fraction(1, 10), Fraction(2, 10), Fraction(-3, 10)]))


def test_float_rows_are_lifted_not_read() -> None:
    """Thirds as floats sum to less than one; their lift earns zero on average, exactly."""
    third = 1 / 3
    P = np.full((3, 2, 3), third)
    R = np.array([[1.0, -INF], [1.0, -INF], [-2.0, 0.0]])
    P[:, 1] = 0.0
    end = np.zeros((3, 2))
    end[2, 1] = 1.0
    with pytest.raises(ImproperModel, match=VANISH):
        quotient_of(MDP(P, R, 1, end=end))


def test_what_is_too_large_for_rationals_is_refused_as_undecided(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gain_sign, "EXACT_STATES", 1)
    with pytest.raises(ImproperModel, match="undecided"):
        quotient_of(_circle([1.0, -1.0]))
    quotient_of(_circle([1.0, -1.5]))  # floats tell


def test_relays_hold_the_choices_of_a_wide_component() -> None:
    """A circle of 20 states for nothing, each of which may end for its number."""
    rows: dict[Any, Any] = {(s, 0): ({(s + 1) % 20: 1}, 0) for s in range(20)}
    rows |= {(s, 1): ({}, float(s)) for s in range(20)}
    mdp = model(rows)
    P = mdp.csr()
    wide, narrow = (collapse(*P, mdp.rewards, mdp.end, mdp.mask, width=w) for w in (None, 3))
    assert wide.R.shape == (1, 21)
    assert narrow.R.shape == (1 + 7 + 3, 3)
    choice, V = solve_quotient(narrow)
    assert V[0] == 19
    policy = narrow.lift_policy(choice)
    assert policy.tolist() == [0] * 19 + [1]
    with pytest.raises(ValueError, match="width"):
        collapse(*P, mdp.rewards, mdp.end, mdp.mask, width=1)


def test_a_proper_policy_is_refused_where_there_is_none() -> None:
    mdp = model({(0, 0): ({0: 1}, -1), (1, 0): ({}, 0)})
    with pytest.raises(ImproperModel, match="state 0"):
        collapse(*mdp.csr(), mdp.rewards, mdp.end, mdp.mask).proper_policy()


@pytest.mark.parametrize(
    ("name", "options", "value"),
    [
        ("CliffWalking-v1", {}, -13),
        ("Taxi-v4", {}, 7.93),
        ("FrozenLake-v1", {"map_name": "4x4"}, 14 / 17),
        ("FrozenLake-v1", {"map_name": "8x8"}, 1),
    ],
    ids=["cliff", "taxi", "lake4", "lake8"],
)
def test_gymnasium_values_without_discounting(name: str, options: dict[str, Any], value: float) -> None:
    """Value iteration on the quotient, from zero."""
    mdp = MDP.from_gymnasium(name, gamma=1, **options)
    q = quotient_of(mdp)
    V = np.zeros(len(q.R))
    owner = np.repeat(np.arange(q.R.size), np.diff(q.indptr))
    for _ in range(5000):
        PV = np.bincount(owner, weights=q.data * V[q.indices], minlength=q.R.size).reshape(q.R.shape)
        V = np.where(q.mask, q.R + PV, -INF).max(axis=1)
    assert mdp.rho is not None
    assert float(mdp.rho @ q.lift_values(V)) == pytest.approx(value, abs=1e-11)
