"""The public strategies: what they draw is valid, what they shrink to is small, and bad arguments are named."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import hypothesis
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument

from proofs_check._hypothesis import setup
from proofs_check.strategies import (
    STRUCTURES,
    finite_horizon_mdps,
    mdps,
    policies,
    regularizers,
    values,
)
from tabular.finite_horizon import FiniteHorizonMDP
from tabular.mdp import MDP

TWO = MDP(np.full((2, 2, 2), 0.5), np.array([[0.0, 1.0], [2.0, -np.inf]]), 0.5)


def minimal(strategy: st.SearchStrategy[Any], condition: Callable[[Any], bool] = lambda _: True) -> Any:
    """The example that Hypothesis shrinks to."""
    quiet = settings(
        max_examples=2000, database=None, phases=(Phase.generate, Phase.shrink), suppress_health_check=list(HealthCheck)
    )
    return find(strategy, condition, settings=quiet)


find_any = minimal


def assert_all_examples(strategy: st.SearchStrategy[Any], predicate: Callable[[Any], bool]) -> None:
    @settings(max_examples=60, database=None)
    @given(strategy)
    def check(x: Any) -> None:
        assert predicate(x), repr(x)

    check()


def test_a_minimal_mdp_is_one_state_that_earns_nothing() -> None:
    m = minimal(mdps())
    assert (m.S, m.A, m.gamma, m.has_end) == (1, 1, 0.0, False)
    assert m.rewards.tolist() == [[0.0]]


def test_two_states_shrink_to_points_of_mass() -> None:
    m = minimal(mdps(), lambda m: m.S == 2)
    assert set(np.unique(m.P).tolist()) <= {0.0, 1.0}
    assert not m.rewards.any()


def test_a_failing_reward_shrinks_to_the_smallest_that_fails() -> None:
    m = minimal(mdps(), lambda m: m.rewards.max() > 1)
    assert m.rewards.max() == 1.25
    assert (m.S, m.A) == (1, 1)


def seeded(condition: Callable[[MDP], bool], seed: int) -> tuple[int, int]:
    """(S, A) of the model that Hypothesis shrinks to, beginning from the examples of a seed."""
    found: list[MDP] = []

    @hypothesis.seed(seed)
    @settings(
        max_examples=2000,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
    )
    @given(mdps())
    def fails(m: MDP) -> None:
        if condition(m):
            found.append(m)
            raise AssertionError("found")

    with pytest.raises(AssertionError, match="found"):
        fails()
    return found[-1].S, found[-1].A  # the minimal example is run last


@pytest.mark.parametrize("seed", range(5))
def test_earlier_states_and_further_actions_are_shrunk_away(seed: int) -> None:
    assert seeded(lambda m: not m.mask.all(), seed) == (1, 2)
    assert seeded(lambda m: m.has_end, seed) == (1, 1)
    assert seeded(lambda m: m.rewards.max() > 3, seed) == (1, 1)


@pytest.mark.parametrize("exact", [False, True])
def test_rows_and_ends_sum_to_one(exact: bool) -> None:
    def sums(m: MDP) -> bool:
        e = m.exact()
        return all(sum(e.row(s, a).values()) + e.end(s, a) == 1 for s in range(m.S) for a in range(m.A) if m.mask[s, a])

    assert_all_examples(mdps(exact=exact), sums)


def test_exact_models_are_exact() -> None:
    assert_all_examples(mdps(exact=True, states=2), lambda m: m.is_exact and isinstance(m.gamma_exact, Fraction))


def test_endings_masks_and_ties_are_found() -> None:
    assert find_any(mdps(), lambda m: m.has_end)
    assert find_any(mdps(), lambda m: not m.mask.all())
    assert find_any(mdps(actions=2, states=2), lambda m: m.mask.all() and (m.rewards[:, 0] == m.rewards[:, 1]).all())
    assert find_any(mdps(states=3), lambda m: ((m.P > 0) & (m.P < 1)).any())
    assert find_any(mdps(), lambda m: m.gamma > 0.99999)


def test_endings_and_masks_can_be_excluded() -> None:
    assert_all_examples(mdps(endings=False, masks=False), lambda m: not m.has_end and bool(m.mask.all()))


STRUCTURED: dict[str, Callable[[MDP], bool]] = {
    "any": lambda m: True,
    "deterministic": lambda m: bool(np.isin(m.P, (0.0, 1.0)).all() and np.isin(m.end, (0.0, 1.0)).all()),
    "absorbing": lambda m: bool((m.P[-1, m.mask[-1], -1] == 1).all()),
    "chain": lambda m: bool(
        (m.P[np.abs(np.arange(m.S)[:, None, None] - np.arange(m.S)) + np.zeros((1, m.A, 1)) > 1] == 0).all()
    ),
    "bandit": lambda m: all(len(np.unique(m.P[m.mask[:, a], a], axis=0)) <= 1 for a in range(m.A)),
    "ergodic": lambda m: bool((m.P[m.mask] > 0).all()),
}


def test_every_structure_is_tested() -> None:
    assert set(STRUCTURED) == set(STRUCTURES)


@pytest.mark.parametrize("structure", STRUCTURES)
def test_structures_are_what_they_say(structure: str) -> None:
    assert_all_examples(mdps(structure=structure), STRUCTURED[structure])


def test_sizes_may_be_strategies() -> None:
    assert_all_examples(mdps(states=st.integers(2, 3), actions=2), lambda m: m.S in (2, 3) and m.A == 2)


def test_policies_are_distributions_over_available_actions() -> None:
    assert_all_examples(
        mdps().flatmap(lambda m: st.tuples(st.just(m), policies(m))),
        lambda x: bool((x[1][~x[0].mask] == 0).all() and np.allclose(x[1].sum(axis=-1), 1)),
    )
    assert_all_examples(policies(TWO, exact=True), lambda pi: all(sum(row) == 1 for row in pi))
    assert_all_examples(policies(TWO, deterministic=True), lambda pi: bool(np.isin(pi, (0.0, 1.0)).all()))


def test_a_minimal_policy_takes_first_actions() -> None:
    assert minimal(policies(TWO)).tolist() == [[1.0, 0.0], [1.0, 0.0]]


def test_values_shrink_to_zero() -> None:
    assert minimal(values(TWO)).tolist() == [0.0, 0.0]
    assert_all_examples(values(TWO, bound=1), lambda V: bool((np.abs(V) <= 1).all()))


def test_regularizers_are_accepted_by_the_solvers_check() -> None:
    from tabular.regularizers import Hard, Tsallis, TsallisKL, checked

    assert_all_examples(regularizers(TWO), lambda r: checked(r, TWO.mask) is not None)
    assert minimal(regularizers(TWO)) == Hard()
    assert_all_examples(regularizers(TWO, hard=False), lambda r: not isinstance(r, Hard))
    for kind in (Tsallis, TsallisKL):
        assert find_any(regularizers(TWO), lambda r, kind=kind: isinstance(r, kind) and r.q != 1)
        assert minimal(regularizers(TWO), lambda r, kind=kind: isinstance(r, kind))[:2] == (1.0, 1)


def test_finite_horizons() -> None:
    m = minimal(finite_horizon_mdps())
    assert (m.H, m.S, m.A) == (1, 1, 1)
    assert_all_examples(finite_horizon_mdps(stationary=True), lambda m: m.is_stationary)
    assert_all_examples(finite_horizon_mdps(exact=True, horizon=2), lambda m: m.is_exact and m.H == 2)
    assert find_any(finite_horizon_mdps(), lambda m: not m.is_stationary)


def test_from_type_knows_the_models() -> None:
    setup()
    assert_all_examples(st.from_type(MDP), lambda m: isinstance(m, MDP))
    assert_all_examples(st.from_type(FiniteHorizonMDP), lambda m: isinstance(m, FiniteHorizonMDP))


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"states": 0}, "states"),
        ({"states": 2.5}, "states"),
        ({"actions": True}, "actions"),
        ({"gamma": 1.5}, "gamma"),
        ({"gamma": "0.9"}, "gamma"),
        ({"rewards": (2, 1)}, "rewards"),
        ({"rewards": 3}, "rewards"),
        ({"structure": "rings"}, "structure"),
        ({"exact": 1}, "exact"),
        ({"endings": None}, "endings"),
    ],
)
def test_bad_arguments_are_named_at_once(arguments: dict[str, Any], name: str) -> None:
    with pytest.raises(InvalidArgument, match=name):
        mdps(**arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"structure": st.just("nope")}, "structure='nope'"),
        ({"structure": st.just(3)}, "structure=3"),
        ({"states": st.just(True)}, "states=True"),
        ({"states": st.just(2.5)}, "states=2.5"),
        ({"actions": st.just(0)}, "actions=0"),
        ({"gamma": st.just(1.5)}, "gamma=1.5"),
        ({"gamma": st.just("0.9")}, "gamma='0.9'"),
    ],
)
def test_what_strategies_of_arguments_draw_is_checked_too(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidArgument, match=message):
        minimal(mdps(**arguments))


def test_rewards_beyond_floats_are_refused() -> None:
    with pytest.raises(InvalidArgument, match="rewards: expected integers of at most 2"):
        mdps(rewards=(0, 10**400))
    assert find_any(mdps(rewards=(2**51, 2**51))).rewards.max() == 2.0**51


def test_bad_arguments_of_the_others() -> None:
    for call, name in (
        (lambda: policies(TWO, deterministic=1), "deterministic"),  # type: ignore[arg-type]
        (lambda: values(TWO, bound=-1), "bound"),
        (lambda: regularizers(TWO, orders=1.5), "orders"),  # type: ignore[arg-type]
        (lambda: finite_horizon_mdps(horizon=0), "horizon"),
    ):
        with pytest.raises(InvalidArgument, match=name):
            call()
