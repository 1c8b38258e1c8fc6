"""Exploration's claims: what their bodies compute, against a linear program, a plain loop and plain chains."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy.optimize import linprog

from proofs_check.claims.exploration import (
    fast_entropy_separation,
    maxent_rounds,
    optimistic_q_runs,
    psrl_counts,
    rf_express_errors,
    ucrl2_epochs,
    ucrl2_sets,
)
from proofs_check.sampling import Streams
from tabular import MDP
from tabular.exploration import UCB_B, Play, RF_Express
from tabular.instances import fan
from tabular.reference import NumpyOps


@pytest.mark.parametrize("radius", [0.0, 0.3, 0.9, 2.5])
def test_the_greedy_row_solves_the_linear_program(radius: float) -> None:
    ops, rng = NumpyOps(), np.random.default_rng(3)
    p, u = rng.dirichlet(np.ones(4)), rng.normal(size=4)
    # q = p + a - b with a, b >= 0 and sum(a + b) <= radius
    found = linprog(
        -np.concatenate([u, -u]),
        A_ub=[np.ones(8), *np.hstack([-np.eye(4), np.eye(4)])],
        b_ub=[radius, *p],
        A_eq=[np.concatenate([np.ones(4), -np.ones(4)])],
        b_eq=[0.0],
    )
    P, w, v = ops.array(p[None, None], 3), ops.array([[radius]], 2), ops.array(u, 1)
    _, q, best = ucrl2_sets.greedy_row(ops, P, w, v)
    for value in (ops.dot(q, best[None, None, :]), ucrl2_sets.plausible_mean(ops, P, w, v)):
        assert ops.midpoint(value)[0, 0] == pytest.approx(p @ u - found.fun, abs=1e-9)


def test_epochs_end_where_a_count_would_double() -> None:
    """With one pair an epoch is as long as all before it: 1, 1, 2, 4, ... steps."""
    begun = ucrl2_epochs.epochs_begun(Streams(np.arange(4)), 1, 40)
    starts = 1 + np.flatnonzero(np.diff(begun, prepend=0))
    assert starts.tolist() == [1, 2, 3, 5, 9, 17, 33]


def test_counts_are_frozen_within_episodes() -> None:
    start, before = psrl_counts.visited(Streams(np.arange(4)), 1)
    assert before.tolist() == list(range(psrl_counts.TAU * psrl_counts.EPISODES))
    assert (start == before // psrl_counts.TAU * psrl_counts.TAU).all()


def test_the_worst_error_is_that_of_some_reward() -> None:
    rng, ops = np.random.default_rng(5), NumpyOps()
    P, Q = rng.dirichlet(np.ones(2), size=(2, 2, 2))
    acts = [[0, 1], [1, 1]]
    plan = [ops.distribution(np.eye(2, dtype=np.int64)[a]) for a in acts]
    d, f, errors = np.array([1.0, 0.0]), np.array([1.0, 0.0]), []
    for a in acts:
        d, f = d @ P[[0, 1], a], f @ Q[[0, 1], a]
        errors.append(d - f)
    most = max(abs(np.dot(np.concatenate(errors), r)) for r in product((0, 1), repeat=4))
    found = rf_express_errors.worst_error(ops, ops.array(P, 3), ops.array(Q, 3), plan)
    assert float(ops.midpoint(found)) == pytest.approx(most, abs=1e-12)


def test_visits_are_normalised_and_answers_are_best() -> None:
    rng, ops = np.random.default_rng(7), NumpyOps()
    m = ops.model(MDP(rng.dirichlet(np.ones(2), size=(2, 2)), np.zeros((2, 2)), 0.75))
    D = maxent_rounds.vertices(ops, m, ops.array([0.25, 0.75], 1))
    np.testing.assert_allclose(ops.midpoint(D).sum(axis=0), 1.0, atol=1e-12)
    slope = np.array([1.0, -2.0])
    best = ops.midpoint(maxent_rounds.answered(ops, D, ops.array(slope, 1)))
    assert slope @ best == pytest.approx((slope @ ops.midpoint(D)).max(), abs=1e-5)


def test_the_largest_errors_on_a_fan_are_those_of_its_policies() -> None:
    """Of the laws of ends on arrival under each plan for a room; with rooms of one depth, of the laws of all steps added up."""
    for m in (3, 4):
        _errors_of_policies(m)


def _errors_of_policies(m: int) -> None:
    model = fan(m)
    play = Play(model, RF_Express(), 80, 2)
    play.advance()
    w, P = play.world, np.asarray(model.stage(0).P)
    seen = np.zeros((model.H, model.S, model.A, model.S))
    for row in range(len(w.R)):
        slots = slice(w.indptr[row], w.indptr[row + 1])
        seen.reshape(-1, model.S)[row, w.indices[slots]] = play.counts.seen[slots]
    hat = seen / np.maximum(seen.sum(axis=-1, keepdims=True), 1)
    assert play.visits.sum(axis=0)[m - 1 : 2 * m - 1].all()  # all rows of rooms
    worst, ends = 0.0, slice(2 * m - 1, None)
    for acts in product((0, 1), repeat=model.H):
        d = f = np.eye(model.S)[0]
        far = 0.0
        for h, a in enumerate(acts[:-1]):
            arrived = d[ends].sum() > 0
            d, f = d @ P[:, a], f @ hat[h, :, a]
            far += 0 if arrived else np.abs(d - f).sum() / 2
            assert not (arrived and m == 4)  # there is no step after the arrival
        worst = max(worst, far)
    found = fast_entropy_separation.largest_errors(m, play.counts.seen.reshape(1, model.H, -1))
    assert found[0] == pytest.approx(worst) and 0 < worst < 1
    assert fast_entropy_separation.largest_errors(m, np.zeros((model.H, len(w.mass) // model.H))) == 1


def test_more_rooms_need_more_episodes_of_reward_free_exploration() -> None:
    small, large = (fast_entropy_separation.episodes_needed(m, range(2)) for m in (4, 8))
    assert large["RF_Express"] > 2.5 * small["RF_Express"] > 100 and large["Reg_EntGame"] < 0.5 * large["RF_Express"]


def test_optimism_that_is_lost_in_the_last_episode_is_noticed() -> None:
    """Without bonuses, on a coin that decides what is paid: once optimism is lost, in the first run that is long enough."""
    P = np.array([[[0.0, 0.5, 0.5]], [[0.0, 1.0, 0.0]], [[0.0, 0.0, 1.0]]])
    coin, chance = MDP(P, [[0.0], [1.0], [0.0]], 0.5), Streams(np.arange(4))
    (play,) = optimistic_q_runs._plays(coin, chance, 0.0, 500, UCB_B(0.1, 0.0, 1.0))
    while play.own.Q[0, 0] >= 1.0:  # two steps worth a half; nothing else is left to chance
        play.advance(1)
    first = play.episode
    assert [bool(optimistic_q_runs.pessimistic(coin, chance, 0.0, K)[0]) for K in (first - 1, first)] == [False, True]
