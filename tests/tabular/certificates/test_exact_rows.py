"""What decides comparisons in rationals: integers over common denominators, floats with their bounds, and where they start."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from tabular.certificates import exact, exact_policy_iteration
from tabular.certificates.components import strong_components
from tabular.certificates.exact_rows import ExactRows, as_fraction
from tabular.certificates.model import remainder, remainders
from tabular.certificates.pieces import Piece, total_reward_piece
from tabular.exact_model import ExactModel
from tabular.instances import garnet
from tabular.mdp import MDP


def advantages(m: ExactModel, V: list[Fraction]) -> list[Fraction]:
    """``R + gamma P V - V`` in Fractions, row by row."""
    pairs = [(s, a) for s in range(m.S) for a in range(m.A)]
    mean = [sum((p * V[t] for t, p in m.row(s, a).items()), Fraction(0)) for s, a in pairs]
    return [m.R[i] + m.gamma * mean[i] - V[s] for i, (s, _) in enumerate(pairs)]


def check(mdp: MDP, start: Any = None) -> None:
    """The optimality equations of the exact model, and which actions attain them."""
    found = exact_policy_iteration(mdp, start)
    for (s, a), x in zip(np.ndindex(mdp.mask.shape), advantages(mdp.exact(), found.V), strict=True):
        assert not mdp.mask[s, a] or x <= 0
        assert found.optimal_actions[s, a] == (bool(mdp.mask[s, a]) and x == 0)
    assert found.optimal_actions[np.arange(mdp.S), found.pi].all()


def whole(mdp: MDP) -> Piece:
    return Piece(mdp, None, np.arange(mdp.S), None)


def test_advantages_in_integers_are_those_in_fractions(random_model: Any) -> None:
    from flint import fmpq

    rng = np.random.Generator(np.random.PCG64(11))
    for _ in range(30):
        mdp = random_model(rng, S=int(rng.integers(1, 6)))
        m = mdp.exact()
        V = [Fraction(int(rng.integers(-9, 10)), int(rng.integers(1, 8))) for _ in range(m.S)]
        pairs = np.flatnonzero(mdp.mask.ravel()).tolist()
        found = ExactRows(m).advantages(pairs, [fmpq(v.numerator, v.denominator) for v in V])
        want = advantages(m, V)
        assert [Fraction(int(n), int(d)) for n, d in found] == [want[i] for i in pairs]
        assert all(d > 0 for _, d in found)


def test_enclosures_hold_and_tell_signs() -> None:
    """Models of floats, of rationals, and quotients of rationals: values of a poor policy have advantages of both signs."""
    rng = np.random.Generator(np.random.PCG64(12))
    weights = rng.integers(0, 40, (12, 4, 12)) + np.eye(12, dtype=np.int64)[:, None]
    R = np.array([[Fraction(int(x), 7) for x in row] for row in rng.integers(-30, 30, (12, 4))], dtype=object)
    rational = MDP.from_weights(weights, R, Fraction(19, 20))
    circle = np.zeros((12, 4, 12), dtype=np.int64)
    circle[0, :, 1] = circle[1, :, 0] = 1
    R[0] = R[1] = Fraction(0)
    weights[0, 1:], weights[1, 1:], R[0, 1:] = weights[0, :1], weights[1, :1], Fraction(-1)
    weights[0, 0], weights[1, 0] = circle[0, 0], circle[1, 0]
    collapsed = total_reward_piece(MDP.from_weights(weights, R, 1, end_weights=np.ones((12, 4), dtype=np.int64) * 9))
    lazy = MDP.from_weights(weights, R, 1, end_weights=9 * (R != 0).astype(np.int64))
    pieces = [whole(rational), whole(MDP(rational.P, rational.rewards, 0.95)), collapsed, total_reward_piece(lazy)]
    assert pieces[-1].exact is not None
    for piece in pieces:
        m = piece.exact or piece.mdp.exact()
        rows = ExactRows(m)
        choice = piece.mdp.mask.shape[1] - 1 - piece.mdp.mask[:, ::-1].argmax(axis=1)
        V = rows.evaluate(choice.tolist())
        low, high = exact._enclosed(piece, V)
        want = np.array(advantages(m, [as_fraction(x) for x in V]), dtype=object).reshape(low.shape)
        keep = piece.mdp.mask
        assert all(Fraction(x) <= y <= Fraction(z) for x, y, z in zip(low[keep], want[keep], high[keep], strict=True))
        assert (high - low)[keep].max() < 1e-9 and (low > 0).any() and (high < 0).any()
        signs, _ = exact._signs(rows, piece, V, choice)
        assert (signs[keep] == np.sign(want[keep])).all() and (signs[~keep] == -1).all()


@pytest.mark.parametrize("S", [3, 12])
def test_what_floats_cannot_tell_is_told(S: int) -> None:
    """Two actions that differ by a reward of 1e-40: below and beyond the size from which floats are asked first."""
    assert (S * 4 * S > exact.DIRECT) == (S == 12)
    weights = np.random.Generator(np.random.PCG64(13)).integers(1, 50, (S, 4, S))
    weights[:, 2] = weights[:, 1]
    R = np.full((S, 4), Fraction(0), dtype=object)
    R[:, 1], R[:, 2] = Fraction(1), 1 + Fraction(1, 10**40)
    mdp = MDP.from_weights(weights, R, Fraction(9, 10))
    for start in (None, np.full(S, 1), np.full(S, 3)):
        found = exact_policy_iteration(mdp, start)
        assert (found.optimal_actions == (np.arange(4) == 2)).all() and (found.pi == 2).all()
        assert found.V == [10 * (1 + Fraction(1, 10**40))] * S
        check(mdp, start)


def test_larger_models_solve_their_equations() -> None:
    rng = np.random.Generator(np.random.PCG64(14))
    for S in (30, 130):
        one = garnet(S, 3, gamma=0.9)(S, 1)
        mdp = MDP(one.P[0], np.where(rng.random((S, 3)) < [0.2, 0.2, 0.0], -np.inf, one.rewards[0]), 0.9)
        found = exact_policy_iteration(mdp)
        assert found.iterations == 1
        if S == 30:
            check(mdp)
            check(mdp, mdp.mask.argmax(axis=1))
        sparse = exact_policy_iteration(mdp.to_sparse())
        assert sparse.V == found.V and (sparse.pi == found.pi).all()


def test_floats_are_sure_only_where_an_action_leads() -> None:
    P = np.full((2, 2, 2), 0.5)
    lead = MDP(P, np.array([[1.0, 0.0], [0.0, 1.0]]), 0.9)
    V, policy, sure = exact._howard(lead)
    assert sure and policy.tolist() == [0, 1] and abs(V - 10.0).max() < 1e-12
    tied = MDP(P, np.array([[1.0, 1.0], [0.0, 1.0]]), 0.9)
    V, policy, sure = exact._howard(tied)
    assert not sure and abs(V - 10.0).max() < 1e-12
    V, _, sure = exact._howard(MDP(P, np.array([[1e308, 0.0], [0.0, 1e308]]), 0.999))  # overflows
    assert not sure and not V.any()
    assert exact_policy_iteration(MDP(P, np.array([[1e308, 0.0], [0.0, 1e308]]), 0.5)).V == [2 * Fraction(1e308)] * 2


def test_iteration_without_threads_solves_what_elimination_does() -> None:
    rng = np.random.Generator(np.random.PCG64(15))
    n = exact.THREADED
    M = np.eye(n) - 0.99 * rng.dirichlet(np.ones(n), n)
    b = rng.random(n)
    assert np.abs(exact._solved(M, b) - np.linalg.solve(M, b)).max() < 1e-8
    with pytest.raises(np.linalg.LinAlgError):
        exact._solved(np.zeros((n, n)), b)


def test_remainders_are_those_of_integers() -> None:
    rng = np.random.Generator(np.random.PCG64(16))
    for bits in (10, 53, 60, 80):
        n = [int(x) << max(bits - 62, 0) for x in rng.integers(0, 2 ** min(bits, 62), 500)]
        d = [int(x) << max(bits - 62, 0) for x in rng.integers(1, 2 ** min(bits, 62), 500)]
        n = [x if i % 7 else -x for i, x in enumerate(n)]
        high = np.array([x / y for x, y in zip(n, d, strict=True)])
        want = [remainder(x, y, q) for x, y, q in zip(n, d, high.tolist(), strict=True)]
        assert remainders(n, d, high).tolist() == want and any(want)
        off = np.nextafter(high, np.inf)  # no correctly rounded quotients
        assert remainders(n, d, off).tolist() == [
            remainder(x, y, q) for x, y, q in zip(n, d, off.tolist(), strict=True)
        ]


def test_dense_graphs_of_more_than_one_component() -> None:
    n = 12
    for missing in range(n):
        after = [list(range(n)) for _ in range(n)]
        after[missing] = [missing]  # no way out
        rest = [v for v in range(n) if v != missing]
        assert strong_components(after) == [[missing], rest]
        after = [[t for t in range(n) if t != missing] for _ in range(n)]  # no way in
        assert strong_components(after) == [rest, [missing]]
    assert strong_components([list(range(n)) for _ in range(n)]) == [list(range(n))]


def test_fractions_in_lowest_terms_stay_so() -> None:
    from flint import fmpq

    for n, d in ((6, 4), (-3, 9), (0, 5), (7, 1)):
        x = as_fraction(fmpq(n, d))
        assert x == Fraction(n, d) and (x.numerator, x.denominator) == Fraction(n, d).as_integer_ratio()
        assert type(x) is Fraction and hash(x) == hash(Fraction(n, d)) and x + 1 == Fraction(n + d, d)
