"""The value of every policy played, beside a NumPy loop: rows that are full, nearly full and sparse, of one stage or of each."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest

from tabular import FiniteHorizonMDP
from tabular.exploration import Play, register_learner
from tabular.exploration.ucbvi import UCBVI_BF, UCBVI_CH


class Pooled(NamedTuple):
    """Plays actions that were drawn before; returns how many stages changed."""


class Staged(NamedTuple):
    """The same on stages that differ."""


class Paid(NamedTuple):
    """The same with something paid besides rewards."""


class Drawn(NamedTuple):
    acts: np.ndarray  # (K, H, S)


def _plan(learner: Any, world: Any, counts: Any, own: Any, policy: Any, key: Any, k: int) -> int:
    stages = 0
    for h in range(world.H):
        for s in range(world.S):
            if policy.act[h, s] != own.acts[k, h, s]:
                policy.act[h, s] = own.acts[k, h, s]
                stages = h + 1
    return stages


def _payoff(learner: Any, world: Any, policy: Any, h: int, s: int) -> float:
    return 0.5 * h + 0.25 * s + policy.act[h, s]


def _drawn(learner: Any, world: Any) -> Drawn:
    rng = np.random.default_rng(world.S)
    acts = rng.integers(0, world.A, (world.K, world.H, world.S))
    acts[1::3] = acts[::3][: len(acts[1::3])]  # the policy before
    acts[2::3, 2:] = acts[1::3, 2:][: len(acts[2::3])]  # only its first stages change
    return Drawn(acts)


register_learner(Pooled, plan=_plan, workspace=_drawn)
register_learner(Staged, plan=_plan, workspace=_drawn, per_step=True)
register_learner(Paid, plan=_plan, workspace=_drawn, payoff=_payoff)


def model(S: int, density: float, staged: bool, seed: int) -> FiniteHorizonMDP:
    """Where ``density < 1`` rows have different numbers of successors."""
    rng = np.random.default_rng(seed)
    shape = (5, S, 3) if staged else (S, 3)
    weights = rng.integers(1, 100, (*shape, S)) * (rng.random((*shape, S)) < density)
    weights[..., 0] += weights.sum(axis=-1) == 0
    P = weights / weights.sum(axis=-1, keepdims=True)
    return FiniteHorizonMDP(P, rng.random(shape), H=5, rho=rng.dirichlet(np.ones(S)), renormalise=True)


@pytest.mark.parametrize("density", [1.0, 0.8, 0.15])
@pytest.mark.parametrize("S", [1, 3, 4, 11])
def test_values_of_policies_are_those_of_a_plain_loop(S: int, density: float) -> None:
    for learner in (Pooled(), Staged(), Paid()):
        m = model(S, density, isinstance(learner, Staged), S)
        play = Play(m, learner, 9, 0)
        assert (play.world.spread.size > 0) == (2 * len(play.world.mass) >= len(play.world.R) * S)
        assert S < 11 or (play.world.spread.size > 0) == (density > 0.5)
        states = np.arange(S)
        for k in range(9):
            play.advance(1)
            act, V = play.own.acts[k], np.zeros((6, S))
            for h in range(4, -1, -1):
                stage = m.stage(h)
                V[h] = stage.rewards[states, act[h]] + stage.P[states, act[h]] @ V[h + 1]
                V[h] += 0.5 * h + 0.25 * states + act[h] if isinstance(learner, Paid) else 0.0
            np.testing.assert_allclose(play.policy.V, V, rtol=0, atol=1e-13)
        assert play.book.places[1] == 6 or S == 1  # every third policy is the one before


@pytest.mark.parametrize("learner", [UCBVI_CH(bonus_scale=0.003), UCBVI_BF(bonus_scale=0.002)], ids=["CH", "BF"])
@pytest.mark.parametrize("density", [1.0, 0.8, 0.3])
def test_optimistic_values_are_those_of_their_formula(learner: Any, density: float) -> None:
    """One more plan in NumPy from what was counted, for rows of every kind."""
    m = model(9, density, False, 5)
    play = Play(m, learner, 401, 0)
    play.advance(400)
    before, Q, H, S = play.own.Q.copy(), play.own.Q.copy(), m.H, m.S
    world, n, seen = play.world, play.counts.visits.astype(float), np.zeros((27, 9))
    seen[np.repeat(np.arange(27), np.diff(world.indptr)), world.indices] = play.counts.seen
    p, L, V = seen / np.maximum(n, 1)[:, None], play.own.L, np.zeros(S)
    for h in range(H - 1, -1, -1):
        if isinstance(learner, UCBVI_CH):
            bonus = 7 * H * L / np.sqrt(np.maximum(n, 1))
        else:
            variance = np.maximum(p @ V**2 - (p @ V) ** 2, 0)
            far, N = p @ play.own.far[h + 1], np.maximum(n, 1)
            bonus = np.sqrt(8 * L * variance / N) + 14 * H * L / (3 * N) + np.sqrt(8 * far / N)
        new = np.where(n > 0, world.R + learner.bonus_scale * bonus + p @ V, np.inf)
        Q[h] = np.minimum(Q[h], new)
        V = Q[h].reshape(S, 3).max(axis=1)
    play.advance(1)
    # What rounding leaves of a variance that vanishes, 1e-14, has a root of 1e-7, here times sqrt(8 L / N) and the scale.
    np.testing.assert_allclose(play.own.Q, Q, rtol=0, atol=1e-11 if isinstance(learner, UCBVI_CH) else 2e-9)
    assert (play.own.Q < H).mean() > 0.5 and (play.own.Q < before).any()
    assert (play.policy.act == play.own.Q.reshape(H, S, 3).argmax(axis=2)).mean() > 0.9
