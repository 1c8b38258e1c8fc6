"""Models as Gymnasium environments: its checker passes, episodes have the model's law, and the table says the model again."""

from __future__ import annotations

from fractions import Fraction as F
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from hypothesis import given

from proofs_check import strategies
from tabular import MDP, FiniteHorizonMDP, ModelError
from tabular.instances import garnet, random_endings, random_masks
from tabular.interchange import from_gymnasium, to_gymnasium


def with_start(m: MDP) -> MDP:
    return m if m.rho is not None else m._with(rho=np.full(m.S, 1 / m.S))


@given(strategies.mdps(masks=False))
def test_there_and_back_is_the_same_model(m: MDP) -> None:
    m = with_start(m)
    back = from_gymnasium(to_gymnasium(m))
    assert back == m and back.end.tolist() == m.end.tolist()


@given(strategies.mdps(masks=False, exact=True))
def test_exact_ends_come_back_exactly(m: MDP) -> None:
    m = with_start(m)
    back = MDP.from_gymnasium(to_gymnasium(m))
    assert back == m
    one, two = m.exact(), back.exact()
    assert one.end_weights == two.end_weights and one.totals == two.totals and one.gamma == two.gamma


def test_labels_and_a_start_given_here_come_along() -> None:
    m = MDP([[[F(1, 2)]]], [[F(1, 3)]], F(1, 7), end=[[F(1, 2)]], state_labels=["only"], action_labels=["go"])
    back = from_gymnasium(to_gymnasium(m, rho=[F(1)]))
    assert (back.state_labels, back.action_labels) == (("only",), ("go",)) and back.rho.tolist() == [1.0]
    assert back.exact().end(0, 0) == F(1, 2) and back.exact().R == (F(1, 3),) and back.gamma_exact == F(1, 7)


@pytest.mark.parametrize("name", ["FrozenLake-v1", "CliffWalking-v1", "Taxi-v4"])
def test_the_checker_of_gymnasium_passes(name: str) -> None:
    env = to_gymnasium(MDP.from_gymnasium(name, 0.9), max_steps=7)
    assert isinstance(env, gymnasium.Env)
    check_env(env, skip_render_check=True)


def episode(env: Any, seed: int, steps: int) -> list[Any]:
    rng = np.random.default_rng(seed)
    out: list[Any] = [env.reset(seed=seed)]
    for _ in range(steps):
        out.append(env.step(int(rng.integers(env.action_space.n))))
        if out[-1][2] or out[-1][3]:
            out.append(env.reset())
    return out


def test_a_seed_fixes_everything_and_nothing_global_matters() -> None:
    m = with_start(random_endings(6, 3).member(0, 1))
    first = episode(to_gymnasium(m), 5, 200)
    np.random.seed(1)  # noqa: NPY002  (the global generator is to change nothing)
    assert episode(to_gymnasium(m), 5, 200) == first
    assert episode(to_gymnasium(m), 6, 200) != first


def test_episodes_have_the_law_of_the_model() -> None:
    """Frequencies of successors and ends of each pair, within six standard errors."""
    m = with_start(random_endings(3, 2).member(3, 1))
    env, N = to_gymnasium(m), 60_000
    count, visits = np.zeros((m.S, m.A, m.S + 1)), np.zeros((m.S, m.A))
    rng = np.random.default_rng(0)
    s, _ = env.reset(seed=0)
    for a in rng.integers(m.A, size=N):
        t, r, terminated, truncated, info = env.step(a)
        assert r == m.R[s, a] and not truncated
        assert info["prob"] == (m.end[s, a] if terminated else m.P[s, a, t])
        count[s, a, m.S if terminated else t] += 1
        visits[s, a] += 1
        s = env.reset()[0] if terminated else t
    expected = np.concatenate([m.P, m.end[..., None]], axis=-1)
    error = np.sqrt(expected * (1 - expected) / visits[..., None])
    assert (visits > 1000).all() and (np.abs(count / visits[..., None] - expected) <= 6 * error).all()


def test_what_ends_is_told_from_what_is_cut_short() -> None:
    m = MDP([[[1.0, 0.0]], [[0.0, 0.0]]], [[1.0], [2.0]], 0.5, end=[[0.0], [1.0]], rho=[1.0, 0.0])
    env = to_gymnasium(m, max_steps=2)
    env.reset(seed=0)
    assert env.step(0)[2:4] == (False, False)
    assert env.step(0)[2:4] == (False, True)
    env = to_gymnasium(m, rho=[0.0, 1.0], max_steps=1)
    env.reset(seed=0)
    s, r, terminated, truncated, _ = env.step(0)
    assert (s, r, terminated, truncated) == (1, 2.0, True, False)
    limited = gymnasium.wrappers.TimeLimit(to_gymnasium(m), 3)
    assert from_gymnasium(limited) == m
    limited.reset(seed=0)
    assert [limited.step(0)[2:4] for _ in range(3)] == [(False, False), (False, False), (False, True)]


def test_a_step_before_reset_or_after_the_end_is_refused() -> None:
    env = to_gymnasium(MDP([[[0.0]]], [[1.0]], 0.5, end=[[1.0]], rho=[1.0]))
    with pytest.raises(gymnasium.error.ResetNeeded, match="call reset"):
        env.step(0)
    env.reset(seed=0)
    with pytest.raises(ValueError, match=r"action 1: actions are 0 \.\.\. 0"):
        env.step(1)
    env.step(0)
    with pytest.raises(gymnasium.error.ResetNeeded):
        env.step(0)


def test_what_an_environment_cannot_say_is_refused() -> None:
    b = garnet(3, 2)(0, 5)
    with pytest.raises(ModelError, match="no start distribution, which an environment needs: pass rho"):
        to_gymnasium(MDP(b.P[0], b.R[0], 0.9))
    with pytest.raises(ModelError, match=r"has every action in every state, and action . is unavailable in state ."):
        to_gymnasium(with_start(random_masks(4, 3).member(5, 2)))
    with pytest.raises(TypeError, match="to_gymnasium takes an MDP, not FiniteHorizonMDP"):
        to_gymnasium(FiniteHorizonMDP(b.P, b.R))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="max_steps is 0"):
        to_gymnasium(MDP(b.P[0], b.R[0], 0.9), max_steps=0)
    with pytest.raises(ModelError, match="FrozenLakeEnv has no discount: pass gamma"):
        from_gymnasium("FrozenLake-v1")
